/* result.c: result tables as text, RFC 4180 CSV, or JSON (numeric and bigint as strings of digits,
 * so that nothing is rounded). */
#include "node/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool is_number(const char *type_name) {
    return strcmp(type_name, "bigint") == 0 || strcmp(type_name, "numeric") == 0 ||
           strcmp(type_name, "integer") == 0 || strcmp(type_name, "double precision") == 0;
}

static void print_table(const Parley__V1__ResultTable *r) {
    const char **cells = calloc(r->n_columns + 1, sizeof *cells);
    pl_table *table = NULL;
    if (cells == NULL)
        return;
    for (size_t k = 0; k < r->n_columns; k++)
        cells[k] = r->columns[k]->name;
    pl_status status = pl_table_new(cells, r->n_columns, &table);
    for (size_t k = 0; pl_is_ok(status) && k < r->n_columns; k++) {
        if (is_number(r->columns[k]->type_name))
            pl_table_align_right(table, k);
    }
    for (size_t i = 0; pl_is_ok(status) && i < r->n_rows; i++) {
        for (size_t k = 0; k < r->n_columns; k++)
            cells[k] = r->rows[i]->cells[k]->is_null ? "NULL" : r->rows[i]->cells[k]->text;
        status = pl_table_add(table, cells);
    }
    if (pl_is_ok(status))
        pl_table_print(table);
    printf("(%zu %s)\n", r->n_rows, r->n_rows == 1 ? "row" : "rows");
    if (*r->note != 0)
        printf("%s\n", r->note);
    pl_table_free(table);
    free(cells);
    pl_status_done(&status); /* no memory: what fits was printed */
}

static void print_csv_field(const char *text) {
    if (*text != 0 && strpbrk(text, ",\"\r\n") == NULL) {
        fputs(text, stdout);
        return;
    }
    putchar('"');
    for (; *text != 0; text++) {
        if (*text == '"')
            putchar('"');
        putchar(*text);
    }
    putchar('"');
}

static void print_csv(const Parley__V1__ResultTable *r) {
    for (size_t k = 0; k < r->n_columns; k++) {
        print_csv_field(r->columns[k]->name);
        putchar(k + 1 == r->n_columns ? '\n' : ',');
    }
    for (size_t i = 0; i < r->n_rows; i++) {
        for (size_t k = 0; k < r->n_columns; k++) {
            if (!r->rows[i]->cells[k]->is_null)
                print_csv_field(r->rows[i]->cells[k]->text);
            putchar(k + 1 == r->n_columns ? '\n' : ',');
        }
    }
    if (*r->note != 0)
        fprintf(stderr, "parley: %s\n", r->note);
}

static void print_json(const Parley__V1__ResultTable *r) {
    json_t *columns = json_array(), *rows = json_array();
    for (size_t k = 0; k < r->n_columns; k++)
        json_array_append_new(columns, json_pack("{s:s, s:s}", "name", r->columns[k]->name, "type",
                                                 r->columns[k]->type_name));
    for (size_t i = 0; i < r->n_rows; i++) {
        json_t *row = json_array();
        for (size_t k = 0; k < r->n_columns; k++)
            json_array_append_new(row, r->rows[i]->cells[k]->is_null
                                           ? json_null()
                                           : json_string(r->rows[i]->cells[k]->text));
        json_array_append_new(rows, row);
    }
    json_t *result =
        json_pack("{s:o, s:o, s:I, s:I, s:s}", "columns", columns, "rows", rows, "cells_withheld",
                  (json_int_t)r->cells_withheld, "cells", (json_int_t)r->cells, "note", r->note);
    if (r->train != NULL) {
        json_object_set_new(result, "model", pl_train_model_json(r->train));
        json_object_set_new(result, "metrics", pl_train_metrics_json(r->train));
    }
    pl_cli_print_json(result);
}

void pl_result_print(const Parley__V1__ResultTable *result, pl_format format) {
    if (format == PL_FORMAT_TABLE)
        print_table(result);
    else if (format == PL_FORMAT_CSV)
        print_csv(result);
    else
        print_json(result);
}
