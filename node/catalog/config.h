/* Configuration: parleyd.yaml, local to a node and never sent. Relative paths are relative to the
 * file's folder. See README.md for every key. Unknown keys are refused. */
#ifndef PL_NODE_CATALOG_CONFIG_H
#define PL_NODE_CATALOG_CONFIG_H

#include "proto/catalog.pb-c.h"
#include "proto/session.pb-c.h"
#include "protocols/base/bytes.h"

/* One dataset as configured: what is published (org and min_cohort are filled in by the node) and
 * where the rows are. */
typedef struct pl_dataset_config {
    Parley__V1__Dataset *dataset;
    char *path;                         /* of the CSV file */
    char *encoding;                     /* "utf-8", "gb18030" */
    Parley__V1__SourceColumn **columns; /* column: borrowed from dataset */
    size_t n_columns;
} pl_dataset_config;

typedef struct pl_config pl_config;

/* pl_config_load: INVALID_ARGUMENT "<file>:<line>: ..." names key and expectation. */
PL_STATUS pl_config_load(const char *path, pl_config **out);
void pl_config_free(pl_config *config);

const char *pl_config_org(const pl_config *c);                     /* folder of keys */
const char *pl_config_manifest(const pl_config *c);                /* file */
const char *pl_config_state(const pl_config *c);                   /* folder */
const char *pl_config_sockets(const pl_config *c);                 /* folder */
const char *pl_config_policy(const pl_config *c);                  /* file */
const char *pl_config_group(const pl_config *c, const char *role); /* NULL: none */
const char *pl_config_scheduler_address(const pl_config *c);
const char *pl_config_scheduler_roots(const pl_config *c); /* PEM text of the pinned certificate */
const char *pl_config_session_listen(const pl_config *c);
char **pl_config_advertise(const pl_config *c, size_t *out_n);
uint32_t pl_config_sessions(const pl_config *c);
uint64_t pl_config_member_jobs(const pl_config *c);  /* unfinished jobs of one proposing member */
uint64_t pl_config_memory_bytes(const pl_config *c); /* of one session */
uint32_t pl_config_lanes(const pl_config *c); /* of one session in which this node computes */
uint32_t pl_config_job_seconds(const pl_config *c);
uint32_t pl_config_session_seconds(const pl_config *c);

size_t pl_config_n_datasets(const pl_config *c);
const pl_dataset_config *pl_config_dataset_at(const pl_config *c, size_t i);
const pl_dataset_config *pl_config_dataset(const pl_config *c, const char *name); /* NULL: none */

#endif
