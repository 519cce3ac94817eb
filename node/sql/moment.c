/* Which sums a plan opens, and in which ring each is exact. */
#include "node/sql/analyze.h"

#include <stdlib.h>
#include <string.h>

#define RING_64_BITS 62 /* |sum| < 2^62, so that differences stay signed */
#define RING_128_BITS 126
#define REAL_FRAC_BITS_MAX 80
#define REAL_FRAC_BITS_MIN 20

/* Bits of rows * magnitude in units of 10^-scale, rounded up. */
static size_t bound_bits(const pl_table *table, const pl_table_column *column) {
    pl_numeric bound, rows;
    pl_numeric_init(&bound);
    pl_numeric_init(&rows);
    mpz_set_ui(rows.value, table->rows_max);
    pl_numeric_set(&bound, &column->magnitude);
    mpz_mul(bound.value, bound.value, rows.value);
    mpz_t unit;
    mpz_init(unit);
    if (bound.dscale > (int)column->scale) {
        mpz_ui_pow_ui(unit, 10, (unsigned long)(bound.dscale - (int)column->scale));
        mpz_cdiv_q(bound.value, bound.value, unit);
    } else {
        mpz_ui_pow_ui(unit, 10, (unsigned long)((int)column->scale - bound.dscale));
        mpz_mul(bound.value, bound.value, unit);
    }
    size_t bits = mpz_sgn(bound.value) == 0 ? 1 : mpz_sizeinbase(bound.value, 2);
    mpz_clear(unit);
    pl_numeric_done(&bound);
    pl_numeric_done(&rows);
    return bits;
}

static pl_status too_wide(const pl_table *table, const pl_table_column *column) {
    char *magnitude;
    PL_TRY(pl_numeric_print(&column->magnitude, &magnitude));
    pl_status status = pl_fail(PL_OUT_OF_RANGE,
                               "the sum of column %s may overflow: %llu rows with values up to %s "
                               "do not fit 126 bits; its owner may declare a narrower range",
                               column->name, (unsigned long long)table->rows_max, magnitude);
    free(magnitude);
    return status;
}

/* The planner's promise that no sum is ever silently wrong. */
static pl_status choose_ring(const pl_table *table, const pl_table_column *column,
                             Parley__V1__Moment *moment) {
    bool is_real = column->type == PL_TYPE_FLOAT8;
    if (is_real && !column->has_range)
        return pl_fail(PL_OUT_OF_RANGE,
                       "column %s is a real number without a declared range: its owner must "
                       "declare one before it can be summed",
                       column->name);
    size_t bits = bound_bits(table, column);
    if (bits > RING_128_BITS || (is_real && bits > RING_128_BITS - REAL_FRAC_BITS_MIN))
        return too_wide(table, column);
    moment->ring_bits = is_real || bits > RING_64_BITS ? 128 : 64;
    moment->scale = column->scale;
    if (is_real)
        moment->scale = RING_128_BITS - bits > REAL_FRAC_BITS_MAX
                            ? REAL_FRAC_BITS_MAX
                            : (uint32_t)(RING_128_BITS - bits);
    return PL_OK;
}

static pl_status fill(Parley__V1__QueryPlan *plan, const pl_table *table,
                      Parley__V1__MomentKind kind, const pl_table_column *column,
                      Parley__V1__Moment *moment) {
    moment->kind = kind;
    moment->ring_bits = 64;
    moment->type = PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER;
    if (column == NULL)
        return PL_OK;
    PL_TRY(pl_strdup(column->name, &moment->column));
    if (kind != PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM)
        return PL_OK;
    moment->type = column->column_type;
    PL_TRY(choose_ring(table, column, moment));
    return pl_moment_find(plan, table, PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT, column,
                          &moment->counted_by);
}

static pl_status append(Parley__V1__QueryPlan *plan, Parley__V1__Moment *moment, uint32_t *out) {
    if (plan->n_moments >= PL_SQL_MOMENTS_MAX)
        return pl_fail(PL_LIMIT, "the query needs more than %d sums and counts: split it",
                       PL_SQL_MOMENTS_MAX);
    Parley__V1__Moment **moments = realloc(plan->moments, (plan->n_moments + 1) * sizeof *moments);
    if (moments == NULL)
        return pl_fail(PL_LIMIT, "there is no memory for a plan");
    plan->moments = moments;
    if (moment->kind != PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM)
        moment->counted_by = (uint32_t)plan->n_moments; /* a count counts itself */
    *out = (uint32_t)plan->n_moments;
    moments[plan->n_moments++] = moment;
    return PL_OK;
}

pl_status pl_moment_find(Parley__V1__QueryPlan *plan, const pl_table *table,
                         Parley__V1__MomentKind kind, const pl_table_column *column,
                         uint32_t *out_index) {
    /* Where nothing can be NULL, COUNT(column) is COUNT(*). */
    if (kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT && !column->nullable) {
        kind = PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT_STAR;
        column = NULL;
    }
    for (size_t i = 0; i < plan->n_moments; i++)
        if (plan->moments[i]->kind == kind &&
            strcmp(plan->moments[i]->column, column ? column->name : "") == 0) {
            *out_index = (uint32_t)i;
            return PL_OK;
        }
    Parley__V1__Moment *moment;
    PL_TRY(pl_alloc(1, sizeof *moment, &moment));
    parley__v1__moment__init(moment);
    pl_status status = fill(plan, table, kind, column, moment);
    if (pl_is_ok(status))
        status = append(plan, moment, out_index);
    if (!pl_is_ok(status))
        parley__v1__moment__free_unpacked(moment, NULL);
    return status;
}
