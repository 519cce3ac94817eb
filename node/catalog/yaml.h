/* YAML: a small typed reader over libyaml. A document becomes a tree of nodes that know their line;
 * every fault names file and line, the key and what was expected. Limits: 1 MiB, 32 levels, no
 * aliases, no tags, no duplicate keys. */
#ifndef PL_NODE_CATALOG_YAML_H
#define PL_NODE_CATALOG_YAML_H

#include "protocols/base/bytes.h"

typedef enum pl_yaml_kind { PL_YAML_SCALAR, PL_YAML_LIST, PL_YAML_MAP } pl_yaml_kind;

typedef struct pl_yaml pl_yaml;
struct pl_yaml {
    pl_yaml_kind kind;
    unsigned line;
    const char *file; /* for errors; borrowed from the root */
    char *key;        /* in a map */
    char *text;       /* scalar */
    bool plain;       /* scalar without quotes */
    pl_yaml **items;  /* list, map */
    size_t n_items;
};

/* pl_yaml_parse reads one document; file is the name used in errors. */
PL_STATUS pl_yaml_parse(const char *file, pl_view text, pl_yaml **out);
PL_STATUS pl_yaml_load(const char *path, pl_yaml **out);
void pl_yaml_free(pl_yaml *root);

/* pl_text_file_read reads a whole file. NOT_FOUND, IO, LIMIT (larger than bytes_max). */
PL_STATUS pl_text_file_read(const char *path, size_t bytes_max, pl_bytes *out);

/* An error at a node: INVALID_ARGUMENT "<file>:<line>: <message>". */
PL_STATUS pl_yaml_fault(const pl_yaml *node, const char *format, ...) PL_PRINTF(2, 3);

/* pl_yaml_only refuses keys of a map that are not in the NULL-terminated list. */
PL_STATUS pl_yaml_only(const pl_yaml *map, const char *const *keys);

/* pl_yaml_get: the value of a key; NULL when it is not there. */
const pl_yaml *pl_yaml_get(const pl_yaml *map, const char *key);
/* pl_yaml_need: the same, but a missing key or another kind is an error. */
PL_STATUS pl_yaml_need(const pl_yaml *map, const char *key, pl_yaml_kind kind, const pl_yaml **out);
PL_STATUS pl_yaml_expect(const pl_yaml *node, pl_yaml_kind kind, const char *what);

/* Scalars of a map; where the key is missing, fallback is kept (text: copied; NULL: the key is
 * needed). */
PL_STATUS pl_yaml_text(const pl_yaml *map, const char *key, const char *fallback, char **out);
PL_STATUS pl_yaml_number(const pl_yaml *map, const char *key, int64_t min, int64_t max,
                         const int64_t *fallback, int64_t *out);
PL_STATUS pl_yaml_bool(const pl_yaml *map, const char *key, bool fallback, bool *out);
/* A list of scalars as an array of strings, freed by pl_texts_free; a missing key gives none. */
PL_STATUS pl_yaml_texts(const pl_yaml *map, const char *key, char ***out, size_t *out_n);
void pl_texts_free(char **texts, size_t n);

/* A date YYYY-MM-DD as the last second of that day, UTC; a missing key gives INT64_MAX. */
PL_STATUS pl_yaml_date_end(const pl_yaml *map, const char *key, int64_t *out);

#endif
