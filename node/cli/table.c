#define _XOPEN_SOURCE 700 /* wcwidth */
#include "node/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

struct pl_table {
    size_t n_columns, n_rows, cap;
    char ***rows; /* row 0: headers */
    bool *right;
};

/* Columns that a text takes on a terminal. */
static size_t display_width(const char *text) {
    size_t width = 0;
    mbstate_t state = {0};
    for (size_t left = strlen(text); left > 0;) {
        wchar_t c;
        size_t n = mbrtowc(&c, text, left, &state);
        if (n == (size_t)-1 || n == (size_t)-2 || n == 0) {
            memset(&state, 0, sizeof state);
            n = 1;
            c = L'?';
        }
        int w = wcwidth(c);
        width += w > 0 ? (size_t)w : 0;
        text += n;
        left -= n;
    }
    return width;
}

pl_status pl_table_new(const char *const *headers, size_t n_columns, pl_table **out) {
    pl_table *table;
    PL_TRY(pl_alloc(1, sizeof *table, &table));
    table->n_columns = n_columns;
    pl_status status = pl_alloc(n_columns, sizeof *table->right, &table->right);
    if (pl_is_ok(status))
        status = pl_table_add(table, headers);
    if (pl_is_ok(status))
        *out = table;
    else
        pl_table_free(table);
    return status;
}

void pl_table_free(pl_table *table) {
    if (table == NULL)
        return;
    for (size_t i = 0; i < table->n_rows; i++) {
        for (size_t k = 0; k < table->n_columns; k++)
            free(table->rows[i][k]);
        free(table->rows[i]);
    }
    free(table->rows);
    free(table->right);
    free(table);
}

void pl_table_align_right(pl_table *table, size_t column) {
    table->right[column] = true;
}

pl_status pl_table_add(pl_table *table, const char *const *cells) {
    if (table->n_rows == table->cap) {
        size_t cap = 2 * table->cap + 16;
        char ***rows = realloc(table->rows, cap * sizeof *rows);
        if (rows == NULL)
            return pl_fail(PL_LIMIT, "no memory for a table");
        table->rows = rows;
        table->cap = cap;
    }
    char **row;
    PL_TRY(pl_alloc(table->n_columns, sizeof *row, &row));
    table->rows[table->n_rows++] = row;
    for (size_t k = 0; k < table->n_columns; k++) {
        PL_TRY(pl_strdup(cells[k] == NULL ? "" : cells[k], &row[k]));
        pl_text_tame(row[k]); /* a value of somebody else's data must not steer the terminal */
    }
    return PL_OK;
}

static void print_spaces(size_t n) {
    printf("%*s", (int)n, "");
}

static void print_row(const pl_table *table, char **row, const size_t *widths) {
    for (size_t k = 0; k < table->n_columns; k++) {
        size_t pad = widths[k] - display_width(row[k]);
        bool last = k + 1 == table->n_columns;
        if (table->right[k])
            print_spaces(pad);
        fputs(row[k], stdout);
        if (!table->right[k] && !last)
            print_spaces(pad);
        if (!last)
            fputs("  ", stdout);
    }
    putchar('\n');
}

void pl_table_print(const pl_table *table) {
    size_t *widths;
    pl_status status = pl_alloc(table->n_columns, sizeof *widths, &widths);
    if (!pl_is_ok(status)) {
        pl_status_done(&status); /* no memory even for this: print nothing */
        return;
    }
    for (size_t i = 0; i < table->n_rows; i++) {
        for (size_t k = 0; k < table->n_columns; k++) {
            size_t width = display_width(table->rows[i][k]);
            widths[k] = width > widths[k] ? width : widths[k];
        }
    }
    for (size_t i = 0; i < table->n_rows; i++) {
        print_row(table, table->rows[i], widths);
        for (size_t k = 0; i == 0 && k < table->n_columns; k++) {
            for (size_t dash = 0; dash < widths[k]; dash++)
                putchar('-');
            fputs(k + 1 == table->n_columns ? "\n" : "  ", stdout);
        }
    }
    free(widths);
}
