#include "node/sql/table.h"

#include <stdlib.h>
#include <string.h>

/* ---- FROM ---- */

static const char *unsupported_source(const PgQuery__Node *node) {
    switch (node->node_case) {
    case PG_QUERY__NODE__NODE_JOIN_EXPR:
        return "JOIN is not supported: ask about one table at a time";
    case PG_QUERY__NODE__NODE_RANGE_SUBSELECT:
        return "a subquery in FROM is not supported: name a table";
    case PG_QUERY__NODE__NODE_RANGE_FUNCTION:
        return "a function in FROM is not supported: name a table";
    case PG_QUERY__NODE__NODE_RANGE_TABLE_SAMPLE:
        return "TABLESAMPLE is not supported: leave it out";
    default:
        return "this kind of FROM item is not supported: name a table";
    }
}

static int source_location(const PgQuery__Node *node) {
    if (node->node_case == PG_QUERY__NODE__NODE_RANGE_VAR)
        return node->range_var->location;
    if (node->node_case == PG_QUERY__NODE__NODE_JOIN_EXPR && node->join_expr->larg != NULL)
        return source_location(node->join_expr->larg);
    return -1;
}

static pl_status check_range_var(const pl_sql *sql, const PgQuery__RangeVar *var) {
    if (var->catalogname[0] != '\0')
        return pl_sql_fail(sql, var->location, PL_UNSUPPORTED,
                           "a table name of three parts is not supported: write member.dataset");
    if (!var->inh)
        return pl_sql_fail(sql, var->location, PL_UNSUPPORTED,
                           "ONLY is not supported: leave it out");
    if (var->alias != NULL && var->alias->n_colnames > 0)
        return pl_sql_fail(sql, var->location, PL_UNSUPPORTED,
                           "column names in a table alias are not supported: leave them out");
    return PL_OK;
}

static pl_status read_from(const pl_sql *sql, pl_table *table, int *out_location) {
    const PgQuery__SelectStmt *select = sql->select;
    if (select->n_from_clause == 0)
        return pl_sql_fail(sql, 0, PL_UNSUPPORTED,
                           "a query without FROM is not supported: name a table");
    const PgQuery__Node *node = select->from_clause[0];
    if (node->node_case != PG_QUERY__NODE__NODE_RANGE_VAR)
        return pl_sql_fail(sql, source_location(node), PL_UNSUPPORTED, "%s",
                           unsupported_source(node));
    if (select->n_from_clause > 1)
        return pl_sql_fail(
            sql, source_location(select->from_clause[1]), PL_UNSUPPORTED,
            "a second table in FROM is not supported: ask about one table at a time");
    const PgQuery__RangeVar *var = node->range_var;
    PL_TRY(check_range_var(sql, var));
    table->org = var->schemaname[0] != '\0' ? var->schemaname : NULL;
    table->name = var->relname;
    table->alias = var->alias ? var->alias->aliasname : NULL;
    *out_location = var->location;
    return PL_OK;
}

static int by_org(const void *a, const void *b) {
    return strcmp((*(const Parley__V1__Dataset *const *)a)->org,
                  (*(const Parley__V1__Dataset *const *)b)->org);
}

static int by_name(const void *a, const void *b) {
    const Parley__V1__Dataset *x = *(const Parley__V1__Dataset *const *)a;
    const Parley__V1__Dataset *y = *(const Parley__V1__Dataset *const *)b;
    int order = strcmp(x->org, y->org);
    return order != 0 ? order : strcmp(x->name, y->name);
}

/* What could have been meant, for the error: "north.residents, south.residents". */
static pl_status not_found(const pl_sql *sql, const pl_table *table, int location,
                           const Parley__V1__Dataset *const *datasets, size_t n) {
    pl_buf known = {0};
    const Parley__V1__Dataset **sorted;
    PL_TRY(pl_alloc(n, sizeof(void *), &sorted));
    for (size_t i = 0; i < n; i++)
        sorted[i] = datasets[i];
    qsort(sorted, n, sizeof sorted[0], by_name);
    for (size_t i = 0; i < n && i < 8; i++)
        pl_buf_printf(&known, "%s%s.%s", i ? ", " : "", sorted[i]->org, sorted[i]->name);
    free(sorted);
    pl_bytes text = {0};
    PL_TRY(pl_buf_take(&known, &text));
    pl_status status = pl_sql_fail(sql, location, PL_NOT_FOUND,
                                   "there is no dataset %s%s%s in the catalogue; there is: %s",
                                   table->org ? table->org : "", table->org ? "." : "", table->name,
                                   n ? (char *)text.data : "none");
    pl_bytes_done(&text);
    return status;
}

static pl_status add_rows(const pl_sql *sql, pl_table *table, int location,
                          const Parley__V1__Dataset *dataset) {
    if (dataset->rows_max == 0 ||
        __builtin_add_overflow(table->rows_max, dataset->rows_max, &table->rows_max) ||
        table->rows_max >> 62)
        return pl_sql_fail(
            sql, location, PL_OUT_OF_RANGE,
            "dataset %s.%s declares no usable bound on its rows: its owner must set rows_max",
            dataset->org, dataset->name);
    return PL_OK;
}

pl_status pl_table_open(const pl_sql *sql, const Parley__V1__Dataset *const *datasets,
                        size_t n_datasets, pl_table *out) {
    pl_table table = {0};
    int location = -1;
    PL_TRY(read_from(sql, &table, &location));
    PL_TRY(pl_alloc(n_datasets, sizeof(void *), &table.inputs));
    pl_status status = PL_OK;
    for (size_t i = 0; i < n_datasets; i++)
        if (strcmp(datasets[i]->name, table.name) == 0 &&
            (table.org == NULL || strcmp(datasets[i]->org, table.org) == 0)) {
            table.inputs[table.n_inputs++] = datasets[i];
            PL_CHECK(status, add_rows(sql, &table, location, datasets[i]));
        }
    if (table.n_inputs == 0)
        PL_CHECK(status, not_found(sql, &table, location, datasets, n_datasets));
    qsort(table.inputs, table.n_inputs, sizeof table.inputs[0], by_org);
    for (size_t i = 1; i < table.n_inputs; i++)
        if (strcmp(table.inputs[i]->org, table.inputs[i - 1]->org) == 0)
            PL_CHECK(status, pl_fail(PL_INVALID_ARGUMENT, "the catalogue has dataset %s.%s twice",
                                     table.inputs[i]->org, table.name));
    *out = table;
    return PL_OK;
out:
    pl_table_done(&table);
    return status;
}

void pl_table_done(pl_table *table) {
    free(table->inputs);
    *table = (pl_table){0};
}

/* ---- columns ---- */

static const Parley__V1__Column *find_in(const Parley__V1__Dataset *dataset, const char *name) {
    for (size_t i = 0; i < dataset->n_columns; i++)
        if (strcmp(dataset->columns[i]->name, name) == 0)
            return dataset->columns[i];
    return NULL;
}

static const char *kind_name(const Parley__V1__Column *column) {
    return column->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER
               ? "integer"
               : pl_type_name(pl_type_of_column(column->type));
}

static pl_status disagree(const pl_table *table, const Parley__V1__Column *first,
                          const Parley__V1__Dataset *other, const Parley__V1__Column *column) {
    return pl_fail(PL_INVALID_ARGUMENT,
                   "column %s is %s with %u decimals at %s but %s with %u decimals at %s: a union "
                   "needs one type",
                   first->name, kind_name(first), first->scale, table->inputs[0]->org,
                   kind_name(column), column->scale, other->org);
}

/* Raises column's magnitude to |text|, a bound declared by an owner. */
static pl_status raise_to(pl_table_column *column, const char *text) {
    pl_numeric bound;
    pl_numeric_init(&bound);
    pl_status status =
        pl_wrap(pl_numeric_parse(text, &bound), "declared range of column %s", column->name);
    mpz_abs(bound.value, bound.value);
    if (pl_is_ok(status) && pl_numeric_cmp(&bound, &column->magnitude) > 0)
        pl_numeric_set(&column->magnitude, &bound);
    pl_numeric_done(&bound);
    return status;
}

static pl_status raise_by_type(pl_table_column *column) {
    char text[64] = "1";
    if (column->type == PL_TYPE_INT8)
        return raise_to(column, "9223372036854775808");
    if (column->precision == 0 || column->precision > 38)
        return pl_fail(PL_OUT_OF_RANGE, "column %s declares no usable precision", column->name);
    memset(text + 1, '0',
           column->precision - column->scale); /* 10^(p-s): scale <= precision is checked */
    return raise_to(column, text);
}

static pl_status unite_range(pl_table_column *out, const Parley__V1__Column *column) {
    if (column->min[0] != '\0' && column->max[0] != '\0' && pl_type_is_number(out->type)) {
        PL_TRY(raise_to(out, column->min));
        return raise_to(out, column->max);
    }
    out->has_range = false;
    if (out->type == PL_TYPE_INT8 || out->type == PL_TYPE_NUMERIC)
        return raise_by_type(out);
    return PL_OK;
}

static pl_status unite(const pl_table *table, size_t i, const char *name, pl_table_column *out) {
    const Parley__V1__Dataset *dataset = table->inputs[i];
    const Parley__V1__Column *column = find_in(dataset, name);
    const Parley__V1__Column *first = find_in(table->inputs[0], name);
    if (column == NULL)
        return pl_fail(PL_NOT_FOUND, "column \"%s\" does not exist in %s.%s", name, dataset->org,
                       dataset->name);
    if (column->type != first->type || column->scale != first->scale)
        return disagree(table, first, dataset, column);
    if (column->scale > 38 || (column->precision != 0 && column->scale > column->precision))
        return pl_fail(PL_INVALID_ARGUMENT, "column %s of %s has more decimals than digits", name,
                       dataset->org);
    out->precision = column->precision > out->precision ? column->precision : out->precision;
    out->nullable = out->nullable || column->nullable;
    return unite_range(out, column);
}

pl_status pl_table_find(const pl_table *table, const char *name, pl_table_column *out) {
    pl_table_column column = {.has_range = true};
    pl_numeric_init(&column.magnitude);
    pl_status status = PL_OK;
    const Parley__V1__Column *first = find_in(table->inputs[0], name);
    if (first != NULL) {
        column.name = first->name;
        column.column_type = first->type;
        column.type = pl_type_of_column(first->type);
        column.scale = first->scale;
    }
    for (size_t i = 0; i < table->n_inputs; i++)
        PL_CHECK(status, unite(table, i, name, &column));
    *out = column;
    return PL_OK;
out:
    pl_table_column_done(&column);
    return status;
}

void pl_table_column_done(pl_table_column *column) {
    pl_numeric_done(&column->magnitude);
    *column = (pl_table_column){0};
}

/* ---- declared values ---- */

typedef struct named {
    const char *text;
    size_t place; /* where it was declared, counted over all inputs */
} named;

static int by_text_then_place(const void *a, const void *b) {
    const named *x = a, *y = b;
    int order = strcmp(x->text, y->text);
    return order != 0 ? order : (x->place > y->place) - (x->place < y->place);
}

static int by_place(const void *a, const void *b) {
    const named *x = a, *y = b;
    return (x->place > y->place) - (x->place < y->place);
}

/* Keeps the first declaration of every text; returns how many are left. */
static size_t drop_repeated(named *list, size_t n) {
    qsort(list, n, sizeof *list, by_text_then_place);
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (kept == 0 || strcmp(list[kept - 1].text, list[i].text) != 0)
            list[kept++] = list[i];
    qsort(list, kept, sizeof *list, by_place);
    return kept;
}

pl_status pl_table_values(const pl_table *table, const char *name, const char ***out_values,
                          size_t *out_n) {
    size_t n = 0;
    for (size_t i = 0; i < table->n_inputs; i++) {
        const Parley__V1__Column *column = find_in(table->inputs[i], name);
        n += column != NULL ? column->n_values : 0;
    }
    named *list;
    PL_TRY(pl_alloc(n, sizeof *list, &list));
    n = 0;
    for (size_t i = 0; i < table->n_inputs; i++) {
        const Parley__V1__Column *column = find_in(table->inputs[i], name);
        for (size_t v = 0; column != NULL && v < column->n_values; v++, n++)
            list[n] = (named){column->values[v], n};
    }
    n = drop_repeated(list, n);
    const char **values;
    pl_status status = pl_alloc(n, sizeof *values, &values);
    for (size_t i = 0; pl_is_ok(status) && i < n; i++)
        values[i] = list[i].text;
    free(list);
    PL_TRY(status);
    *out_values = values;
    *out_n = n;
    return PL_OK;
}
