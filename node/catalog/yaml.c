#include "node/catalog/yaml.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yaml.h>

#define FILE_BYTES_MAX (1u << 20)
#define DEPTH_MAX 32
#define NODES_MAX 100000

static const char *const kind_names[] = {"a single value", "a list", "a map of keys"};

pl_status pl_yaml_fault(const pl_yaml *node, const char *format, ...) {
    char message[400];
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return pl_fail(PL_INVALID_ARGUMENT, "%s:%u: %s", node->file, node->line, message);
}

void pl_yaml_free(pl_yaml *root) {
    if (root == NULL)
        return;
    for (size_t i = 0; i < root->n_items; i++)
        pl_yaml_free(root->items[i]);
    free(root->items);
    free(root->key);
    free(root->text);
    free(root);
}

/* ---- reading ---- */

typedef struct reader {
    yaml_parser_t parser;
    const char *file;
    size_t n_nodes;
} reader;

static pl_status parser_fault(const reader *r) {
    return pl_fail(PL_INVALID_ARGUMENT, "%s:%zu: this is no valid YAML: %s", r->file,
                   r->parser.problem_mark.line + 1,
                   r->parser.problem == NULL ? "cannot be read" : r->parser.problem);
}

static pl_status next_event(reader *r, yaml_event_t *out) {
    return yaml_parser_parse(&r->parser, out) == 1 ? PL_OK : parser_fault(r);
}

static pl_status read_node(reader *r, yaml_event_t *event, unsigned depth, pl_yaml **out);

static pl_status append(pl_yaml *parent, pl_yaml *child) {
    if ((parent->n_items & (parent->n_items + 1)) == 0) {
        pl_yaml **items = realloc(parent->items, (2 * parent->n_items + 2) * sizeof *items);
        if (items == NULL)
            return pl_fail(PL_LIMIT, "no memory for %s", parent->file);
        parent->items = items;
    }
    parent->items[parent->n_items++] = child;
    return PL_OK;
}

static pl_status read_child(reader *r, yaml_event_t *event, unsigned depth, pl_yaml *parent,
                            char *key) {
    pl_yaml *child = NULL;
    pl_status status = read_node(r, event, depth + 1, &child);
    if (pl_is_ok(status)) {
        child->key = key;
        status = append(parent, child);
        if (!pl_is_ok(status))
            pl_yaml_free(child);
        return status;
    }
    free(key);
    return status;
}

static pl_status read_list(reader *r, unsigned depth, pl_yaml *list) {
    for (;;) {
        yaml_event_t event;
        PL_TRY(next_event(r, &event));
        bool end = event.type == YAML_SEQUENCE_END_EVENT;
        pl_status status = end ? PL_OK : read_child(r, &event, depth, list, NULL);
        yaml_event_delete(&event);
        if (end || !pl_is_ok(status))
            return status;
    }
}

static pl_status read_key(pl_yaml *map, const yaml_event_t *event, char **out) {
    pl_yaml at = {.file = map->file, .line = (unsigned)event->start_mark.line + 1};
    if (event->type != YAML_SCALAR_EVENT)
        return pl_yaml_fault(&at, "a key must be a single word");
    const char *key = (const char *)event->data.scalar.value;
    if (event->data.scalar.length == 0 || strlen(key) != event->data.scalar.length)
        return pl_yaml_fault(&at, "a key is empty or holds a NUL byte");
    if (pl_yaml_get(map, key) != NULL)
        return pl_yaml_fault(&at, "key %s is given twice", key);
    return pl_strdup(key, out);
}

static pl_status read_map(reader *r, unsigned depth, pl_yaml *map) {
    for (;;) {
        yaml_event_t event;
        char *key = NULL;
        PL_TRY(next_event(r, &event));
        bool end = event.type == YAML_MAPPING_END_EVENT;
        pl_status status = end ? PL_OK : read_key(map, &event, &key);
        yaml_event_delete(&event);
        if (end || !pl_is_ok(status))
            return status;
        status = next_event(r, &event);
        if (!pl_is_ok(status)) {
            free(key);
            return status;
        }
        status = read_child(r, &event, depth, map, key);
        yaml_event_delete(&event);
        PL_TRY(status);
    }
}

static bool has_tag(const yaml_event_t *event) {
    return (event->type == YAML_SCALAR_EVENT && event->data.scalar.tag != NULL) ||
           (event->type == YAML_SEQUENCE_START_EVENT && event->data.sequence_start.tag != NULL) ||
           (event->type == YAML_MAPPING_START_EVENT && event->data.mapping_start.tag != NULL);
}

static pl_status fill_node(reader *r, const yaml_event_t *event, unsigned depth, pl_yaml *node) {
    if (depth > DEPTH_MAX || ++r->n_nodes > NODES_MAX)
        return pl_yaml_fault(node, "too deep or too large");
    if (has_tag(event))
        return pl_yaml_fault(node, "tags (!) are not supported");
    switch (event->type) {
    case YAML_SCALAR_EVENT:
        node->kind = PL_YAML_SCALAR;
        node->plain = event->data.scalar.style == YAML_PLAIN_SCALAR_STYLE;
        if (memchr(event->data.scalar.value, 0, event->data.scalar.length) != NULL)
            return pl_yaml_fault(node, "a NUL byte stands in a value");
        return pl_strdup((const char *)event->data.scalar.value, &node->text);
    case YAML_SEQUENCE_START_EVENT:
        node->kind = PL_YAML_LIST;
        return read_list(r, depth, node);
    case YAML_MAPPING_START_EVENT:
        node->kind = PL_YAML_MAP;
        return read_map(r, depth, node);
    default:
        return pl_yaml_fault(node, "aliases are not supported");
    }
}

static pl_status read_node(reader *r, yaml_event_t *event, unsigned depth, pl_yaml **out) {
    pl_yaml *node;
    PL_TRY(pl_alloc(1, sizeof *node, &node));
    node->file = r->file;
    node->line = (unsigned)event->start_mark.line + 1;
    pl_status status = fill_node(r, event, depth, node);
    if (pl_is_ok(status))
        *out = node;
    else
        pl_yaml_free(node);
    return status;
}

/* Skips stream and document start, reads the document's node. */
static pl_status read_document(reader *r, pl_yaml **out) {
    for (;;) {
        yaml_event_t event;
        PL_TRY(next_event(r, &event));
        bool start =
            event.type == YAML_STREAM_START_EVENT || event.type == YAML_DOCUMENT_START_EVENT;
        pl_status status = PL_OK;
        if (event.type == YAML_STREAM_END_EVENT)
            status = pl_fail(PL_INVALID_ARGUMENT, "%s:1: the file is empty", r->file);
        else if (!start)
            status = read_node(r, &event, 0, out);
        yaml_event_delete(&event);
        if (!start)
            return status;
    }
}

/* What stands behind the document would be dropped in silence: there must be nothing. */
static pl_status read_end(reader *r) {
    for (;;) {
        yaml_event_t event;
        PL_TRY(next_event(r, &event));
        yaml_event_type_t type = event.type;
        unsigned line = (unsigned)event.start_mark.line + 1;
        yaml_event_delete(&event);
        if (type == YAML_STREAM_END_EVENT)
            return PL_OK;
        if (type != YAML_DOCUMENT_END_EVENT)
            return pl_fail(PL_INVALID_ARGUMENT, "%s:%u: a second document stands in the file",
                           r->file, line);
    }
}

pl_status pl_yaml_parse(const char *file, pl_view text, pl_yaml **out) {
    reader r = {.file = file};
    if (yaml_parser_initialize(&r.parser) != 1)
        return pl_fail(PL_LIMIT, "no memory to read %s", file);
    yaml_parser_set_input_string(&r.parser, text.data, text.len);
    pl_yaml *root = NULL;
    pl_status status = read_document(&r, &root);
    if (pl_is_ok(status))
        status = read_end(&r);
    if (pl_is_ok(status))
        *out = root;
    else
        pl_yaml_free(root);
    yaml_parser_delete(&r.parser);
    return status;
}

pl_status pl_text_file_read(const char *path, size_t bytes_max, pl_bytes *out) {
    FILE *file = fopen(path, "rbe");
    if (file == NULL)
        return pl_fail(errno == ENOENT ? PL_NOT_FOUND : PL_IO, "cannot open %s: %s", path,
                       strerror(errno));
    uint8_t *data;
    pl_status status = pl_alloc(bytes_max + 2, 1, &data);
    if (pl_is_ok(status)) {
        size_t len = fread(data, 1, bytes_max + 1, file);
        if (ferror(file))
            status = pl_fail(PL_IO, "cannot read %s: %s", path, strerror(errno));
        else if (len > bytes_max)
            status = pl_fail(PL_LIMIT, "%s is larger than %zu bytes", path, bytes_max);
        else
            status = pl_bytes_dup(pl_view_of(data, len), out);
        free(data);
    }
    fclose(file);
    return status;
}

pl_status pl_yaml_load(const char *path, pl_yaml **out) {
    pl_bytes text;
    PL_TRY(pl_text_file_read(path, FILE_BYTES_MAX, &text));
    pl_status status = pl_yaml_parse(path, pl_bytes_view(&text), out);
    pl_bytes_done(&text);
    return status;
}

/* ---- taking apart ---- */

const pl_yaml *pl_yaml_get(const pl_yaml *map, const char *key) {
    for (size_t i = 0; map->kind == PL_YAML_MAP && i < map->n_items; i++) {
        if (strcmp(map->items[i]->key, key) == 0)
            return map->items[i];
    }
    return NULL;
}

pl_status pl_yaml_expect(const pl_yaml *node, pl_yaml_kind kind, const char *what) {
    if (node->kind != kind)
        return pl_yaml_fault(node, "%s must be %s", what, kind_names[kind]);
    return PL_OK;
}

pl_status pl_yaml_need(const pl_yaml *map, const char *key, pl_yaml_kind kind,
                       const pl_yaml **out) {
    const pl_yaml *node = pl_yaml_get(map, key);
    if (node == NULL)
        return pl_yaml_fault(map, "key %s is missing", key);
    PL_TRY(pl_yaml_expect(node, kind, key));
    *out = node;
    return PL_OK;
}

static pl_status unknown_key(const pl_yaml *node, const char *const *keys) {
    char known[300] = "";
    for (size_t len = 0; *keys != NULL && len < sizeof known; keys++) {
        snprintf(known + len, sizeof known - len, "%s%s", len == 0 ? "" : ", ", *keys);
        len = strlen(known);
    }
    return pl_yaml_fault(node, "key %.60s is not known here; known are: %s", node->key, known);
}

pl_status pl_yaml_only(const pl_yaml *map, const char *const *keys) {
    PL_TRY(pl_yaml_expect(map, PL_YAML_MAP, map->key == NULL ? "this" : map->key));
    for (size_t i = 0; i < map->n_items; i++) {
        const char *const *key = keys;
        while (*key != NULL && strcmp(*key, map->items[i]->key) != 0)
            key++;
        if (*key == NULL)
            return unknown_key(map->items[i], keys);
    }
    return PL_OK;
}

pl_status pl_yaml_text(const pl_yaml *map, const char *key, const char *fallback, char **out) {
    const pl_yaml *node = pl_yaml_get(map, key);
    if (node == NULL && fallback != NULL)
        return pl_strdup(fallback, out);
    PL_TRY(pl_yaml_need(map, key, PL_YAML_SCALAR, &node));
    if (fallback == NULL && *node->text == 0)
        return pl_yaml_fault(node, "%s must not be empty", key);
    return pl_strdup(node->text, out);
}

pl_status pl_yaml_number(const pl_yaml *map, const char *key, int64_t min, int64_t max,
                         const int64_t *fallback, int64_t *out) {
    const pl_yaml *node = pl_yaml_get(map, key);
    if (node == NULL && fallback != NULL) {
        *out = *fallback;
        return PL_OK;
    }
    PL_TRY(pl_yaml_need(map, key, PL_YAML_SCALAR, &node));
    char *end;
    errno = 0;
    long long value = strtoll(node->text, &end, 10);
    if (*node->text == 0 || *end != 0 || errno != 0 || value < min || value > max)
        return pl_yaml_fault(node, "%s must be a whole number from %lld to %lld", key,
                             (long long)min, (long long)max);
    *out = value;
    return PL_OK;
}

pl_status pl_yaml_bool(const pl_yaml *map, const char *key, bool fallback, bool *out) {
    const pl_yaml *node = pl_yaml_get(map, key);
    *out = fallback;
    if (node == NULL)
        return PL_OK;
    PL_TRY(pl_yaml_expect(node, PL_YAML_SCALAR, key));
    if (strcmp(node->text, "true") != 0 && strcmp(node->text, "false") != 0)
        return pl_yaml_fault(node, "%s must be true or false", key);
    *out = strcmp(node->text, "true") == 0;
    return PL_OK;
}

void pl_texts_free(char **texts, size_t n) {
    for (size_t i = 0; texts != NULL && i < n; i++)
        free(texts[i]);
    free(texts);
}

pl_status pl_yaml_texts(const pl_yaml *map, const char *key, char ***out, size_t *out_n) {
    const pl_yaml *node = pl_yaml_get(map, key);
    *out = NULL;
    *out_n = 0;
    if (node == NULL)
        return PL_OK;
    PL_TRY(pl_yaml_expect(node, PL_YAML_LIST, key));
    PL_TRY(pl_alloc(node->n_items, sizeof **out, out));
    for (; *out_n < node->n_items; (*out_n)++) {
        PL_TRY(pl_yaml_expect(node->items[*out_n], PL_YAML_SCALAR, "an entry of this list"));
        PL_TRY(pl_strdup(node->items[*out_n]->text, &(*out)[*out_n]));
    }
    return PL_OK;
}

pl_status pl_yaml_date_end(const pl_yaml *map, const char *key, int64_t *out) {
    const pl_yaml *node = pl_yaml_get(map, key);
    *out = INT64_MAX;
    if (node == NULL)
        return PL_OK;
    PL_TRY(pl_yaml_expect(node, PL_YAML_SCALAR, key));
    const char *t = node->text;
    for (size_t i = 0; i < 10; i++) {
        bool fits = i == 4 || i == 7 ? t[i] == '-' : t[i] >= '0' && t[i] <= '9';
        if (!fits)
            return pl_yaml_fault(node, "%s must be a date, YYYY-MM-DD", key);
    }
    if (t[10] != 0)
        return pl_yaml_fault(node, "%s must be a date, YYYY-MM-DD", key);
    struct tm date = {.tm_year = atoi(t) - 1900, .tm_mon = atoi(t + 5) - 1, .tm_mday = atoi(t + 8)};
    struct tm normal = date;
    int64_t midnight = timegm(&normal);
    if (normal.tm_mday != date.tm_mday || normal.tm_mon != date.tm_mon)
        return pl_yaml_fault(node, "%s is no date of the calendar", key);
    *out = midnight + 86399;
    return PL_OK;
}
