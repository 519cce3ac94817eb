/* Function calls: COUNT, SUM, AVG, MIN, MAX and ROUND; the rest goes to statistic.c or is refused
 * by name. */
#include "node/sql/analyze.h"

#include <string.h>

pl_status pl_analyze_check_call(const pl_scope *scope, const PgQuery__FuncCall *call,
                                const char *name) {
    const char *what = call->agg_distinct         ? "DISTINCT inside an aggregate"
                       : call->n_agg_order > 0    ? "ORDER BY inside an aggregate"
                       : call->agg_filter != NULL ? "FILTER"
                       : call->over != NULL       ? "a window function (OVER)"
                       : call->agg_within_group   ? "WITHIN GROUP"
                       : call->func_variadic      ? "VARIADIC"
                                                  : NULL;
    if (what == NULL)
        return PL_OK;
    return pl_sql_fail(
        scope->sql, call->location, PL_UNSUPPORTED,
        "%s is not supported in %s: use plain COUNT, SUM and AVG with WHERE and GROUP BY", what,
        name);
}

static pl_status count_star(pl_expr **out) {
    return pl_expr_leaf("count", "", 0, PL_TYPE_INT8, out);
}

/* The column inside an aggregate, united; out_column is done by the caller. */
static pl_status aggregate_column(pl_scope *scope, const PgQuery__FuncCall *call, const char *shown,
                                  pl_table_column *out_column) {
    if (call->n_args != 1 || call->agg_star)
        return pl_sql_fail(scope->sql, call->location, PL_INVALID_ARGUMENT, "%s takes one column",
                           shown);
    if (call->args[0]->node_case != PG_QUERY__NODE__NODE_COLUMN_REF)
        return pl_sql_fail(
            scope->sql, call->location, PL_UNSUPPORTED,
            "an expression inside %s is not supported: name one column, and calculate outside",
            shown);
    const PgQuery__ColumnRef *ref = call->args[0]->column_ref;
    const char *name;
    PL_TRY(pl_analyze_column(scope, ref, &name));
    return pl_sql_wrap(scope->sql, ref->location, pl_table_find(scope->table, name, out_column));
}

/* MIN and MAX: what can be compared in the ring. */
static pl_status extreme_of(pl_scope *scope, const PgQuery__FuncCall *call, const char *op,
                            const pl_table_column *column, pl_expr **out) {
    bool is_min = strcmp(op, "min") == 0;
    uint32_t index;
    if (column->type != PL_TYPE_DATE &&
        (!pl_type_is_number(column->type) || column->type == PL_TYPE_FLOAT8))
        return pl_sql_fail(scope->sql, call->location, PL_UNSUPPORTED,
                           "%s of a column of type %s is not supported: it takes integer, decimal "
                           "and date columns",
                           is_min ? "MIN" : "MAX", pl_type_name(column->type));
    PL_TRY(pl_sql_wrap(scope->sql, call->location,
                       pl_moment_find(scope->plan, scope->table,
                                      is_min ? PARLEY__V1__MOMENT_KIND__MOMENT_KIND_MIN
                                             : PARLEY__V1__MOMENT_KIND__MOMENT_KIND_MAX,
                                      column, NULL, &index)));
    return pl_expr_leaf(op, column->name, index, column->type, out);
}

static pl_status aggregate_of(pl_scope *scope, const PgQuery__FuncCall *call, const char *op,
                              const char *shown, const pl_table_column *column, pl_expr **out) {
    uint32_t index;
    bool is_count = strcmp(op, "count") == 0;
    if (!is_count && (!pl_type_is_number(column->type)))
        return pl_sql_fail(scope->sql, call->location, PL_UNSUPPORTED,
                           "function %s(%s) does not exist: %s needs a number", op,
                           pl_type_name(column->type), shown);
    PL_TRY(pl_sql_wrap(scope->sql, call->location,
                       pl_moment_find(scope->plan, scope->table,
                                      is_count ? PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT
                                               : PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM,
                                      column, NULL, &index)));
    pl_type type = is_count                         ? PL_TYPE_INT8
                   : column->type == PL_TYPE_FLOAT8 ? PL_TYPE_FLOAT8
                                                    : PL_TYPE_NUMERIC;
    return pl_expr_leaf(op, column->name, index, type, out);
}

static pl_status analyze_aggregate(pl_scope *scope, const PgQuery__FuncCall *call, const char *op,
                                   const char *shown, pl_expr **out) {
    PL_TRY(pl_analyze_check_call(scope, call, shown));
    if (scope->over_rows)
        return pl_sql_fail(scope->sql, call->location, PL_INVALID_ARGUMENT,
                           "aggregate functions are not allowed in WHERE: use HAVING");
    bool is_count = strcmp(op, "count") == 0;
    bool is_constant = call->n_args == 1 &&
                       call->args[0]->node_case == PG_QUERY__NODE__NODE_A_CONST &&
                       !call->args[0]->a_const->isnull;
    if (is_count && (call->agg_star || is_constant))
        return count_star(out);
    pl_table_column column;
    PL_TRY(aggregate_column(scope, call, shown, &column));
    bool is_extreme = op[0] == 'm';
    pl_status status = is_extreme ? extreme_of(scope, call, op, &column, out)
                                  : aggregate_of(scope, call, op, shown, &column, out);
    pl_table_column_done(&column);
    return status;
}

/* round(x) of a whole number is round(double precision), as PostgreSQL resolves it; round(x, n) is
 * round(numeric, n). */
static pl_status cast_round(pl_expr **args, size_t n) {
    pl_type type = pl_expr_type(args[0]);
    if (n == 2) {
        if (type == PL_TYPE_FLOAT8)
            return pl_fail(
                PL_UNSUPPORTED,
                "function round(double precision, integer) does not exist: cast to numeric first");
        PL_TRY(pl_expr_cast(&args[0], PL_TYPE_NUMERIC));
        if (pl_expr_type(args[1]) != PL_TYPE_INT4 && pl_expr_type(args[1]) != PL_TYPE_UNKNOWN)
            return pl_fail(PL_UNSUPPORTED, "the number of digits of ROUND must be an integer");
        return pl_expr_cast(&args[1], PL_TYPE_INT4);
    }
    return type == PL_TYPE_NUMERIC ? PL_OK : pl_expr_cast(&args[0], PL_TYPE_FLOAT8);
}

static pl_status analyze_round(pl_scope *scope, const PgQuery__FuncCall *call, pl_expr **out) {
    PL_TRY(pl_analyze_check_call(scope, call, "ROUND"));
    if (call->n_args < 1 || call->n_args > 2)
        return pl_sql_fail(scope->sql, call->location, PL_INVALID_ARGUMENT,
                           "ROUND takes one or two arguments");
    pl_expr *args[2] = {NULL, NULL}, *expr = NULL;
    pl_status status = PL_OK;
    for (size_t i = 0; i < call->n_args; i++)
        PL_CHECK(status, pl_analyze(scope, call->args[i], &args[i]));
    PL_CHECK(status, pl_sql_wrap(scope->sql, call->location, cast_round(args, call->n_args)));
    PL_CHECK(status, pl_expr_new("round", pl_expr_type(args[0]), &expr));
    for (size_t i = 0; i < call->n_args; i++) {
        pl_expr *arg = args[i];
        args[i] = NULL;
        PL_CHECK(status, pl_expr_add(expr, arg));
    }
    *out = expr;
    return PL_OK;
out:
    pl_expr_free(args[0]);
    pl_expr_free(args[1]);
    pl_expr_free(expr);
    return status;
}

pl_status pl_analyze_call(pl_scope *scope, const PgQuery__FuncCall *call, pl_expr **out) {
    const PgQuery__Node *last = call->funcname[call->n_funcname - 1];
    const char *name = last->node_case == PG_QUERY__NODE__NODE_STRING ? last->string->sval : "";
    if (strcmp(name, "count") == 0)
        return analyze_aggregate(scope, call, "count", "COUNT", out);
    if (strcmp(name, "sum") == 0)
        return analyze_aggregate(scope, call, "sum", "SUM", out);
    if (strcmp(name, "avg") == 0)
        return analyze_aggregate(scope, call, "avg", "AVG", out);
    if (strcmp(name, "min") == 0)
        return analyze_aggregate(scope, call, "min", "MIN", out);
    if (strcmp(name, "max") == 0)
        return analyze_aggregate(scope, call, "max", "MAX", out);
    if (strcmp(name, "round") == 0)
        return analyze_round(scope, call, out);
    PL_TRY(pl_analyze_statistic(scope, call, name, out));
    if (*out != NULL)
        return PL_OK;
    return pl_sql_fail(
        scope->sql, call->location, PL_UNSUPPORTED,
        "function %.63s is not supported: use COUNT, SUM, AVG, MIN, MAX, VARIANCE, STDDEV, "
        "COVAR_POP, COVAR_SAMP, CORR, the REGR_ functions and ROUND",
        name);
}
