#include "node/catalog/catalog.h"

#include "node/catalog/dataset.h"
#include "node/crypto/digest.h"

#include <stdlib.h>
#include <string.h>

typedef struct entry {
    Parley__V1__Dataset *dataset;
    uint8_t digest[32];
} entry;

struct pl_catalog {
    entry *entries;
    size_t n, cap;
};

pl_status pl_catalog_new(pl_catalog **out) {
    return pl_alloc(1, sizeof **out, out);
}

void pl_catalog_free(pl_catalog *catalog) {
    if (catalog == NULL)
        return;
    for (size_t i = 0; i < catalog->n; i++)
        parley__v1__dataset__free_unpacked(catalog->entries[i].dataset, NULL);
    free(catalog->entries);
    free(catalog);
}

size_t pl_catalog_count(const pl_catalog *catalog) {
    return catalog->n;
}

const Parley__V1__Dataset *pl_catalog_at(const pl_catalog *catalog, size_t i) {
    return catalog->entries[i].dataset;
}

void pl_catalog_digest(const pl_catalog *catalog, size_t i, uint8_t out[32]) {
    memcpy(out, catalog->entries[i].digest, 32);
}

/* Where (org, name) stands, or would stand. */
static size_t position(const pl_catalog *catalog, const char *org, const char *name,
                       bool *out_found) {
    *out_found = false;
    for (size_t i = 0; i < catalog->n; i++) {
        int order = strcmp(catalog->entries[i].dataset->org, org);
        if (order == 0)
            order = strcmp(catalog->entries[i].dataset->name, name);
        *out_found = order == 0;
        if (order >= 0)
            return i;
    }
    return catalog->n;
}

bool pl_catalog_find(const pl_catalog *catalog, const char *org, const char *name, size_t *out_i) {
    bool found;
    *out_i = position(catalog, org, name, &found);
    return found;
}

static pl_status insert_at(pl_catalog *catalog, size_t i, const entry *e) {
    if (catalog->n == PL_CATALOG_DATASETS_MAX)
        return pl_fail(PL_LIMIT, "the catalogue is full: %d datasets", PL_CATALOG_DATASETS_MAX);
    if (catalog->n == catalog->cap) {
        size_t cap = 2 * catalog->cap + 8;
        entry *entries = realloc(catalog->entries, cap * sizeof *entries);
        if (entries == NULL)
            return pl_fail(PL_LIMIT, "no memory for the catalogue");
        catalog->entries = entries;
        catalog->cap = cap;
    }
    memmove(&catalog->entries[i + 1], &catalog->entries[i], (catalog->n - i) * sizeof *e);
    catalog->entries[i] = *e;
    catalog->n++;
    return PL_OK;
}

static pl_status place(pl_catalog *catalog, const entry *e) {
    bool found;
    size_t i = position(catalog, e->dataset->org, e->dataset->name, &found);
    if (!found)
        return insert_at(catalog, i, e);
    Parley__V1__Dataset *before = catalog->entries[i].dataset;
    if (before->schema_version > e->dataset->schema_version)
        return pl_fail(PL_FAILED_PRECONDITION,
                       "dataset %s.%s: schema_version %u is older than %u, seen before",
                       before->org, before->name, e->dataset->schema_version,
                       before->schema_version);
    catalog->entries[i] = *e;
    parley__v1__dataset__free_unpacked(before, NULL);
    return PL_OK;
}

/* Planning children get the dataset packed again: what cannot be packed to the same bytes (two
 * forms of one field, a field of number 0) could be published to break every member's planning. */
static pl_status check_canonical(const Parley__V1__Dataset *dataset, pl_view body) {
    uint8_t *again;
    size_t len = parley__v1__dataset__get_packed_size(dataset);
    PL_TRY(pl_alloc(len + 1, 1, &again));
    parley__v1__dataset__pack(dataset, again);
    bool same = pl_view_equal(pl_view_of(again, len), body);
    free(again);
    return same ? PL_OK
                : pl_fail(PL_INVALID_ARGUMENT, "dataset: its encoding is not the canonical one");
}

pl_status pl_catalog_add(pl_catalog *catalog, const char *org, pl_view body) {
    entry e = {.dataset = parley__v1__dataset__unpack(NULL, body.len, body.data)};
    if (e.dataset == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "a dataset of %s cannot be read", org);
    pl_digest("dataset", body, e.digest);
    pl_status status = PL_OK;
    if (strcmp(e.dataset->org, org) != 0)
        status = pl_fail(PL_INVALID_ARGUMENT, "dataset: org is %s, but %s published it",
                         e.dataset->org, org);
    if (pl_is_ok(status))
        status = check_canonical(e.dataset, body);
    if (pl_is_ok(status))
        status = pl_dataset_check(e.dataset);
    if (pl_is_ok(status))
        status = place(catalog, &e);
    if (!pl_is_ok(status))
        parley__v1__dataset__free_unpacked(e.dataset, NULL);
    return status;
}
