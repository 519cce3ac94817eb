#include "node/catalog/dataset.h"

#include "node/source/value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- checks shared with foreign entries ---- */

/* Characters that nobody sees, or that turn the text around them: an approver must read the name
 * that is there. U+0080-9F, U+200B-F, U+2028-E, U+2060-F, U+FEFF. */
static bool holds_hidden(const char *name) {
    const unsigned char *at = (const unsigned char *)name;
    for (; *at != 0; at++) {
        if ((at[0] == 0xc2 && at[1] < 0xa0) || (at[0] == 0xef && at[1] == 0xbb && at[2] == 0xbf))
            return true;
        if (at[0] != 0xe2)
            continue;
        unsigned low = at[2];
        if ((at[1] == 0x80 && ((low >= 0x8b && low <= 0x8f) || (low >= 0xa8 && low <= 0xae))) ||
            (at[1] == 0x81 && low >= 0xa0 && low <= 0xaf))
            return true;
    }
    return false;
}

static pl_status check_name(const char *what, const char *name) {
    size_t len = strlen(name);
    if (len == 0 || !pl_utf8_is_valid(pl_view_of(name, len)))
        return pl_fail(PL_INVALID_ARGUMENT, "a %s name is empty or not UTF-8", what);
    if (len > PL_NAME_BYTES_MAX)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "a %s name has %zu bytes: at most %d are allowed, and names are never cut",
                       what, len, PL_NAME_BYTES_MAX);
    if (holds_hidden(name))
        return pl_fail(PL_INVALID_ARGUMENT, "a %s name holds characters that cannot be seen", what);
    for (size_t i = 0; i < len; i++) {
        if ((unsigned char)name[i] < 0x20 || name[i] == '"' || name[i] == 0x7f)
            return pl_fail(PL_INVALID_ARGUMENT, "a %s name holds a quote or a control character",
                           what);
    }
    return PL_OK;
}

static pl_status check_title(const Parley__V1__Dataset *dataset) {
    const char *title = dataset->title;
    bool good = strlen(title) <= PL_TITLE_BYTES_MAX && pl_utf8_is_valid(pl_view_text(title)) &&
                !holds_hidden(title);
    for (; *title != 0; title++)
        good = good && (unsigned char)*title >= 0x20 && *title != 0x7f;
    return good ? PL_OK
                : pl_fail(PL_INVALID_ARGUMENT,
                          "dataset %s: its title must be one line of UTF-8, at most %d bytes",
                          dataset->name, PL_TITLE_BYTES_MAX);
}

static pl_status check_column(const Parley__V1__Column *column) {
    PL_TRY(check_name("column", column->name));
    if (column->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_UNSPECIFIED ||
        column->type > PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT)
        return pl_fail(PL_INVALID_ARGUMENT, "column %s: its type is not known", column->name);
    bool decimal = column->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL;
    if (decimal &&
        (column->precision < 1 || column->precision > 38 || column->scale > column->precision))
        return pl_fail(PL_INVALID_ARGUMENT,
                       "column %s: decimal(%u,%u) is not possible: 1 to 38 digits", column->name,
                       column->precision, column->scale);
    pl_value_rule rule;
    PL_TRY(pl_value_rule_init(column, &rule));
    pl_status status = PL_OK;
    for (size_t i = 0; i < rule.n_values && pl_is_ok(status); i++) {
        for (size_t k = 0; k < i && pl_is_ok(status); k++) {
            if (pl_value_compare(&rule.values[i], &rule.values[k]) == 0)
                status = pl_fail(PL_INVALID_ARGUMENT,
                                 "column %s: value %zu of its declared values stands there twice",
                                 column->name, i + 1);
        }
    }
    pl_value_rule_done(&rule);
    return status;
}

pl_status pl_dataset_check(const Parley__V1__Dataset *dataset) {
    if (dataset->version != 1)
        return pl_fail(PL_UNSUPPORTED, "dataset: version %u is not known", dataset->version);
    PL_TRY(check_name("dataset", dataset->name));
    if (dataset->n_columns == 0 || dataset->n_columns > PL_COLUMNS_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "dataset %s: it has %zu columns, 1 to %d are possible",
                       dataset->name, dataset->n_columns, PL_COLUMNS_MAX);
    if (dataset->rows_max == 0 || dataset->rows_max > (UINT64_C(1) << 40))
        return pl_fail(PL_INVALID_ARGUMENT, "dataset %s: rows_max is not from 1 to 2^40",
                       dataset->name);
    if (dataset->schema_version == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "dataset %s: its schema_version is missing",
                       dataset->name);
    PL_TRY(check_title(dataset));
    size_t n_values = 0;
    for (size_t i = 0; i < dataset->n_columns; i++)
        n_values += dataset->columns[i]->n_values;
    if (n_values > PL_VALUES_MAX)
        return pl_fail(PL_LIMIT, "dataset %s: it declares %zu values, %d are possible",
                       dataset->name, n_values, PL_VALUES_MAX);
    for (size_t i = 0; i < dataset->n_columns; i++) {
        PL_TRY(pl_wrap(check_column(dataset->columns[i]), "dataset %s", dataset->name));
        for (size_t k = 0; k < i; k++) {
            if (strcmp(dataset->columns[i]->name, dataset->columns[k]->name) == 0)
                return pl_fail(PL_INVALID_ARGUMENT, "dataset %s: column %s is given twice",
                               dataset->name, dataset->columns[i]->name);
        }
    }
    return PL_OK;
}

/* ---- reading ---- */

static pl_status read_type(const pl_yaml *entry, Parley__V1__Column *out) {
    static const struct {
        const char *name;
        Parley__V1__ColumnType type;
    } types[] = {
        {"integer", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER},
        {"real", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL},
        {"bool", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL},
        {"date", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DATE},
        {"text", PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT},
    };
    const pl_yaml *node;
    PL_TRY(pl_yaml_need(entry, "type", PL_YAML_SCALAR, &node));
    for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
        if (strcmp(types[i].name, node->text) == 0) {
            out->type = types[i].type;
            return PL_OK;
        }
    }
    int used = 0;
    if (sscanf(node->text, "decimal(%2u,%2u)%n", &out->precision, &out->scale, &used) == 2 &&
        used > 0 && node->text[used] == 0) {
        out->type = PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL;
        return PL_OK;
    }
    return pl_yaml_fault(node, "type must be integer, decimal(p,s), real, bool, date or text");
}

static pl_status read_range(const pl_yaml *entry, Parley__V1__Column *out) {
    char **ends = NULL;
    size_t n = 0;
    pl_status status = pl_yaml_texts(entry, "range", &ends, &n);
    if (pl_is_ok(status) && ends != NULL && n != 2)
        status = pl_yaml_fault(pl_yaml_get(entry, "range"),
                               "range must be a list of two: the smallest and the largest value");
    if (pl_is_ok(status) && n == 2) {
        free(out->min);
        free(out->max);
        out->min = ends[0];
        out->max = ends[1];
        free(ends);
        return PL_OK;
    }
    pl_texts_free(ends, n);
    return status;
}

static pl_status read_column(const pl_yaml *entry, pl_dataset_config *d) {
    static const char *const keys[] = {"name",   "source",   "type", "range",
                                       "values", "nullable", NULL};
    PL_TRY(pl_yaml_only(entry, keys));
    Parley__V1__Column *column;
    PL_TRY(pl_alloc(1, sizeof *column, &column));
    parley__v1__column__init(column);
    column->min = column->max = NULL;
    d->dataset->columns[d->dataset->n_columns++] = column;
    Parley__V1__SourceColumn *source;
    PL_TRY(pl_alloc(1, sizeof *source, &source));
    parley__v1__source_column__init(source);
    d->columns[d->n_columns++] = source;
    source->column = column;
    PL_TRY(pl_strdup("", &column->min));
    PL_TRY(pl_strdup("", &column->max));
    bool nullable = false;
    PL_TRY(pl_yaml_text(entry, "name", NULL, &column->name));
    PL_TRY(pl_yaml_text(entry, "source", column->name, &source->source_name));
    PL_TRY(read_type(entry, column));
    PL_TRY(read_range(entry, column));
    PL_TRY(pl_yaml_texts(entry, "values", &column->values, &column->n_values));
    PL_TRY(pl_yaml_bool(entry, "nullable", false, &nullable));
    column->nullable = nullable;
    return pl_wrap(check_column(column), "%s:%u", entry->file, entry->line);
}

static pl_status read_source(const pl_yaml *entry, const char *folder, pl_dataset_config *d) {
    static const char *const keys[] = {"csv", "encoding", NULL};
    const pl_yaml *map;
    char *given = NULL;
    PL_TRY(pl_yaml_need(entry, "source", PL_YAML_MAP, &map));
    PL_TRY(pl_yaml_only(map, keys));
    PL_TRY(pl_yaml_text(map, "encoding", "utf-8", &d->encoding));
    if (strcmp(d->encoding, "utf-8") != 0 && strcmp(d->encoding, "gb18030") != 0)
        return pl_yaml_fault(map, "encoding must be utf-8 or gb18030");
    PL_TRY(pl_yaml_text(map, "csv", NULL, &given));
    pl_buf path = {0};
    pl_buf_printf(&path, "%s%s", *given == '/' ? "" : folder, given);
    free(given);
    pl_bytes bytes;
    PL_TRY(pl_buf_take(&path, &bytes));
    d->path = (char *)bytes.data;
    return PL_OK;
}

static pl_status read_columns(const pl_yaml *entry, pl_dataset_config *d) {
    const pl_yaml *list;
    PL_TRY(pl_yaml_need(entry, "columns", PL_YAML_LIST, &list));
    PL_TRY(pl_alloc(list->n_items, sizeof *d->columns, &d->columns));
    PL_TRY(pl_alloc(list->n_items, sizeof *d->dataset->columns, &d->dataset->columns));
    for (size_t i = 0; i < list->n_items; i++)
        PL_TRY(read_column(list->items[i], d));
    return PL_OK;
}

static pl_status read_dataset(const pl_yaml *entry, const char *folder, pl_dataset_config *d) {
    static const char *const keys[] = {"name",    "title", "schema_version", "rows_max", "source",
                                       "columns", NULL};
    static const int64_t first_version = 1;
    int64_t schema_version, rows_max;
    PL_TRY(pl_yaml_only(entry, keys));
    PL_TRY(pl_alloc(1, sizeof *d->dataset, &d->dataset));
    parley__v1__dataset__init(d->dataset);
    d->dataset->version = 1;
    PL_TRY(pl_yaml_text(entry, "name", NULL, &d->dataset->name));
    PL_TRY(pl_yaml_text(entry, "title", "", &d->dataset->title));
    PL_TRY(pl_yaml_number(entry, "schema_version", 1, 1 << 30, &first_version, &schema_version));
    PL_TRY(pl_yaml_number(entry, "rows_max", 1, INT64_C(1) << 40, NULL, &rows_max));
    d->dataset->schema_version = (uint32_t)schema_version;
    d->dataset->rows_max = (uint64_t)rows_max;
    PL_TRY(read_source(entry, folder, d));
    PL_TRY(read_columns(entry, d));
    return pl_wrap(pl_dataset_check(d->dataset), "%s:%u", entry->file, entry->line);
}

pl_status pl_dataset_read(const pl_yaml *entry, const char *folder, pl_dataset_config *out) {
    pl_dataset_config d = {0};
    pl_status status = read_dataset(entry, folder, &d);
    if (pl_is_ok(status))
        *out = d;
    else
        pl_dataset_config_done(&d);
    return status;
}

void pl_dataset_config_done(pl_dataset_config *d) {
    for (size_t i = 0; i < d->n_columns; i++) {
        d->columns[i]->column = NULL;
        parley__v1__source_column__free_unpacked(d->columns[i], NULL);
    }
    free(d->columns);
    if (d->dataset != NULL)
        parley__v1__dataset__free_unpacked(d->dataset, NULL);
    free(d->path);
    free(d->encoding);
    *d = (pl_dataset_config){0};
}
