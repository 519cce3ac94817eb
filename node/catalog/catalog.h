/* Catalogue: the datasets of all members as their owners published them. Bodies come verified
 * (signature) from the caller; here their content is checked and a schema version may not go back.
 */
#ifndef PL_NODE_CATALOG_CATALOG_H
#define PL_NODE_CATALOG_CATALOG_H

#include "proto/catalog.pb-c.h"
#include "protocols/base/bytes.h"

#define PL_CATALOG_DATASETS_MAX 10000

typedef struct pl_catalog pl_catalog;

PL_STATUS pl_catalog_new(pl_catalog **out);
void pl_catalog_free(pl_catalog *catalog);

/* pl_catalog_add adds or replaces the entry of (org, name). body: packed Dataset, whose org must be
 * org. Errors: INVALID_ARGUMENT, LIMIT, FAILED_PRECONDITION (schema version goes back). */
PL_STATUS pl_catalog_add(pl_catalog *catalog, const char *org, pl_view body);

/* Entries stand sorted by (org, name); pointers hold until the next add. */
size_t pl_catalog_count(const pl_catalog *catalog);
const Parley__V1__Dataset *pl_catalog_at(const pl_catalog *catalog, size_t i);
/* SHA-256 (domain "dataset") of the body of entry i. */
void pl_catalog_digest(const pl_catalog *catalog, size_t i, uint8_t out[32]);
bool pl_catalog_find(const pl_catalog *catalog, const char *org, const char *name, size_t *out_i);

#endif
