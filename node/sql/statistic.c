#include "node/sql/statistic.h"

#include "node/sql/analyze.h"

#include <math.h>
#include <string.h>

typedef enum statistic {
    VAR_SAMP,
    VAR_POP,
    STDDEV_SAMP,
    STDDEV_POP,
    COVAR_POP,
    COVAR_SAMP,
    CORR,
    REGR_AVGX,
    REGR_AVGY,
    REGR_SXX,
    REGR_SYY,
    REGR_SXY,
    REGR_SLOPE,
    REGR_INTERCEPT,
    REGR_R2,
    N_STATISTICS
} statistic;

static const char *const names[N_STATISTICS] = {
    "var_samp",   "var_pop",  "stddev_samp", "stddev_pop",     "covar_pop",
    "covar_samp", "corr",     "regr_avgx",   "regr_avgy",      "regr_sxx",
    "regr_syy",   "regr_sxy", "regr_slope",  "regr_intercept", "regr_r2",
};

pl_status pl_statistic_find(const char *name, size_t *out) {
    if (strcmp(name, "variance") == 0)
        name = "var_samp";
    else if (strcmp(name, "stddev") == 0)
        name = "stddev_samp";
    for (*out = 0; *out < N_STATISTICS; (*out)++)
        if (strcmp(names[*out], name) == 0)
            return PL_OK;
    return pl_fail(PL_NOT_FOUND, "no such statistic");
}

static bool is_of_two(size_t s) {
    return s >= COVAR_POP;
}

size_t pl_statistic_n_args(size_t s) {
    return is_of_two(s) ? 6 : 3;
}

pl_type pl_statistic_type(size_t s) {
    return is_of_two(s) ? PL_TYPE_FLOAT8 : PL_TYPE_NUMERIC;
}

/* ---- of one column ---- */

/* Half away from zero, at x's own scale. */
static void square_root(pl_numeric *x) {
    mpz_t unit, rest;
    mpz_init(unit);
    mpz_init(rest);
    mpz_ui_pow_ui(unit, 10, (unsigned long)x->dscale);
    mpz_mul(x->value, x->value, unit);
    mpz_sqrtrem(x->value, rest, x->value);
    if (mpz_cmp(rest, x->value) > 0)
        mpz_add_ui(x->value, x->value, 1);
    mpz_clear(rest);
    mpz_clear(unit);
}

/* (N sum(x^2) - sum(x)^2) / (N (N - 1)), or / N^2; 0 without decimals when that is not positive. */
static pl_status variance(int64_t n, const pl_numeric *sum, const pl_numeric *squares, bool is_pop,
                          bool is_root, pl_numeric *out) {
    pl_numeric count, top, bottom;
    pl_numeric_init(&count);
    pl_numeric_init(&top);
    pl_numeric_init(&bottom);
    pl_numeric_set_i64(&count, n);
    pl_numeric_set_i64(&bottom, is_pop ? n : n - 1);
    pl_status status;
    PL_CHECK(status, pl_numeric_mul(&bottom, &count, &bottom));
    PL_CHECK(status, pl_numeric_mul(&count, squares, &top));
    PL_CHECK(status, pl_numeric_mul(sum, sum, &count));
    pl_numeric_sub(&top, &count, &top);
    if (mpz_sgn(top.value) <= 0) {
        pl_numeric_set_i64(out, 0);
        goto out;
    }
    PL_CHECK(status, pl_numeric_div(&top, &bottom, out));
    if (is_root)
        square_root(out);
out:
    pl_numeric_done(&bottom);
    pl_numeric_done(&top);
    pl_numeric_done(&count);
    return status;
}

static pl_status of_one(statistic s, const pl_datum *args, pl_datum *out) {
    bool is_pop = s == VAR_POP || s == STDDEV_POP;
    int64_t n = args[0].integer;
    pl_datum_set_null(out, PL_TYPE_NUMERIC);
    if (args[0].is_null || args[1].is_null || args[2].is_null || n < (is_pop ? 1 : 2))
        return PL_OK;
    return variance(n, &args[1].numeric, &args[2].numeric, is_pop,
                    s == STDDEV_SAMP || s == STDDEV_POP, pl_datum_numeric(out));
}

/* ---- of two columns: the centred sums, exact ---- */

typedef struct centred {
    mpq_t n, x, y, xx, yy, xy; /* N, sum(x), sum(y), sum((x - avg x)^2), ... */
} centred;

static void set_sum(const pl_datum *from, mpq_t out) {
    mpz_set(mpq_numref(out), from->numeric.value);
    mpz_ui_pow_ui(mpq_denref(out), 10, (unsigned long)from->numeric.dscale);
    mpq_canonicalize(out);
}

/* sum(ab) - sum(a) sum(b) / N */
static void centre(const pl_datum *products, const mpq_t a, const mpq_t b, const mpq_t n,
                   mpq_t out) {
    mpq_t share;
    mpq_init(share);
    mpq_mul(share, a, b);
    mpq_div(share, share, n);
    set_sum(products, out);
    mpq_sub(out, out, share);
    mpq_clear(share);
}

static void centred_init(centred *c, const pl_datum *args) {
    mpq_inits(c->n, c->x, c->y, c->xx, c->yy, c->xy, NULL);
    mpq_set_si(c->n, args[0].integer, 1);
    set_sum(&args[1], c->x);
    set_sum(&args[2], c->y);
    centre(&args[3], c->x, c->x, c->n, c->xx);
    centre(&args[4], c->y, c->y, c->n, c->yy);
    centre(&args[5], c->x, c->y, c->n, c->xy);
}

static void centred_done(centred *c) {
    mpq_clears(c->n, c->x, c->y, c->xx, c->yy, c->xy, NULL);
}

static double ratio(const mpq_t a, const mpq_t b) {
    mpq_t q;
    mpq_init(q);
    mpq_div(q, a, b);
    double value = mpq_get_d(q);
    mpq_clear(q);
    return value;
}

/* xy / sqrt(xx yy) as the root of the exact square, with the sign of xy. */
static double correlation(const centred *c) {
    mpq_t square, bottom;
    mpq_inits(square, bottom, NULL);
    mpq_mul(square, c->xy, c->xy);
    mpq_mul(bottom, c->xx, c->yy);
    double root = sqrt(ratio(square, bottom));
    mpq_clears(square, bottom, NULL);
    return mpq_sgn(c->xy) < 0 ? -root : root;
}

/* (sum(y) - sum(x) xy / xx) / N */
static double intercept(const centred *c) {
    mpq_t value;
    mpq_init(value);
    mpq_mul(value, c->x, c->xy);
    mpq_div(value, value, c->xx);
    mpq_sub(value, c->y, value);
    double result = ratio(value, c->n);
    mpq_clear(value);
    return result;
}

static double r_squared(const centred *c) {
    if (mpq_sgn(c->yy) == 0)
        return 1; /* as PostgreSQL says of a horizontal line */
    double r = correlation(c);
    return r * r;
}

static bool is_null(statistic s, const centred *c) {
    bool flat_x = mpq_sgn(c->xx) == 0, flat_y = mpq_sgn(c->yy) == 0;
    switch (s) {
    case COVAR_SAMP:
        return mpq_cmp_si(c->n, 2, 1) < 0;
    case CORR:
        return flat_x || flat_y;
    case REGR_SLOPE:
    case REGR_INTERCEPT:
    case REGR_R2:
        return flat_x;
    default:
        return false;
    }
}

static double value_of(statistic s, centred *c) {
    switch (s) {
    case COVAR_SAMP:
        mpz_submul_ui(mpq_numref(c->n), mpq_denref(c->n), 1); /* N - 1 */
        return ratio(c->xy, c->n);
    case COVAR_POP:
        return ratio(c->xy, c->n);
    case CORR:
        return correlation(c);
    case REGR_AVGX:
        return ratio(c->x, c->n);
    case REGR_AVGY:
        return ratio(c->y, c->n);
    case REGR_SXX:
        return mpq_get_d(c->xx);
    case REGR_SYY:
        return mpq_get_d(c->yy);
    case REGR_SXY:
        return mpq_get_d(c->xy);
    case REGR_SLOPE:
        return ratio(c->xy, c->xx);
    case REGR_INTERCEPT:
        return intercept(c);
    default:
        return r_squared(c);
    }
}

static void of_two(statistic s, const pl_datum *args, pl_datum *out) {
    pl_datum_set_null(out, PL_TYPE_FLOAT8);
    for (size_t i = 0; i < 6; i++)
        if (args[i].is_null)
            return;
    if (args[0].integer < 1)
        return;
    centred c;
    centred_init(&c, args);
    if (!is_null(s, &c))
        pl_datum_set_real(out, value_of(s, &c));
    centred_done(&c);
}

pl_status pl_statistic_run(size_t s, const pl_datum *args, pl_datum *out) {
    if (!is_of_two(s))
        return of_one((statistic)s, args, out);
    of_two((statistic)s, args, out);
    return PL_OK;
}

/* ---- in a query ---- */

static pl_status argument(pl_scope *scope, const PgQuery__FuncCall *call, size_t i,
                          pl_table_column *out) {
    if (call->args[i]->node_case != PG_QUERY__NODE__NODE_COLUMN_REF)
        return pl_sql_fail(
            scope->sql, call->location, PL_UNSUPPORTED,
            "an expression inside a statistic is not supported: name a column, and calculate "
            "outside");
    const PgQuery__ColumnRef *ref = call->args[i]->column_ref;
    const char *name;
    PL_TRY(pl_analyze_column(scope, ref, &name));
    PL_TRY(pl_sql_wrap(scope->sql, ref->location, pl_table_find(scope->table, name, out)));
    pl_status status = PL_OK;
    if (!pl_type_is_number(out->type))
        status = pl_sql_fail(scope->sql, ref->location, PL_UNSUPPORTED,
                             "column %s is no number: a statistic needs numbers", name);
    else if (out->type == PL_TYPE_FLOAT8)
        status = pl_sql_fail(scope->sql, ref->location, PL_UNSUPPORTED,
                             "column %s is a real number: statistics of squares need integer or "
                             "decimal columns, whose sums are exact; its owner may declare it "
                             "decimal",
                             name);
    if (!pl_is_ok(status))
        pl_table_column_done(out);
    return status;
}

/* One leaf: a count or sum over rows in which both columns are there. */
static pl_status add_leaf(pl_scope *scope, int location, Parley__V1__MomentKind kind,
                          const pl_table_column *a, const pl_table_column *b, pl_expr *to) {
    bool is_count = kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT;
    uint32_t index = 0;
    pl_expr *leaf = NULL;
    PL_TRY(pl_sql_wrap(scope->sql, location,
                       pl_moment_find(scope->plan, scope->table, kind, a, b, &index)));
    PL_TRY(pl_expr_leaf(is_count ? "count" : "sum", a->name, index,
                        is_count ? PL_TYPE_INT8 : PL_TYPE_NUMERIC, &leaf));
    return pl_expr_add(to, leaf);
}

#define COUNT PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT
#define SUM PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM
#define SQUARE PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_SQUARE
#define PRODUCT PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_PRODUCT

static pl_status add_leaves(pl_scope *scope, int at, const pl_table_column *x,
                            const pl_table_column *y, pl_expr *to) {
    PL_TRY(add_leaf(scope, at, COUNT, x, y, to));
    PL_TRY(add_leaf(scope, at, SUM, x, y, to));
    if (y == NULL)
        return add_leaf(scope, at, SQUARE, x, NULL, to);
    PL_TRY(add_leaf(scope, at, SUM, y, x, to));
    PL_TRY(add_leaf(scope, at, SQUARE, x, y, to));
    PL_TRY(add_leaf(scope, at, SQUARE, y, x, to));
    return add_leaf(scope, at, PRODUCT, x, y, to);
}

/* regr_x(Y, X): the dependent variable comes first. */
static pl_status build(pl_scope *scope, const PgQuery__FuncCall *call, size_t s,
                       const pl_table_column *args, bool is_count, pl_expr **out) {
    const pl_table_column *x = call->n_args == 2 ? &args[1] : &args[0];
    const pl_table_column *y = call->n_args == 2 ? &args[0] : NULL;
    if (is_count) {
        uint32_t index = 0;
        PL_TRY(pl_moment_find(scope->plan, scope->table, COUNT, x, y, &index));
        return pl_expr_leaf("count", x->name, index, PL_TYPE_INT8, out);
    }
    pl_expr *expr;
    PL_TRY(pl_expr_new(names[s], pl_statistic_type(s), &expr));
    pl_status status = add_leaves(scope, call->location, x, y, expr);
    if (pl_is_ok(status))
        *out = expr;
    else
        pl_expr_free(expr);
    return status;
}

pl_status pl_analyze_statistic(pl_scope *scope, const PgQuery__FuncCall *call, const char *name,
                               pl_expr **out) {
    size_t s = 0;
    bool is_count = strcmp(name, "regr_count") == 0;
    pl_status found = is_count ? PL_OK : pl_statistic_find(name, &s);
    bool known = pl_is_ok(found);
    pl_status_done(&found);
    *out = NULL;
    if (!known)
        return PL_OK;
    PL_TRY(pl_analyze_check_call(scope, call, name));
    size_t n = is_count || is_of_two(s) ? 2 : 1;
    if (call->n_args != n || call->agg_star)
        return pl_sql_fail(scope->sql, call->location, PL_INVALID_ARGUMENT, "%s takes %s", name,
                           n == 1 ? "one column" : "two columns");
    if (scope->over_rows)
        return pl_sql_fail(scope->sql, call->location, PL_INVALID_ARGUMENT,
                           "aggregate functions are not allowed in WHERE: use HAVING");
    pl_table_column args[2];
    PL_TRY(argument(scope, call, 0, &args[0]));
    pl_status status = n == 2 ? argument(scope, call, 1, &args[1]) : PL_OK;
    if (pl_is_ok(status)) {
        status = build(scope, call, s, args, is_count, out);
        if (n == 2)
            pl_table_column_done(&args[1]);
    }
    pl_table_column_done(&args[0]);
    return status;
}
