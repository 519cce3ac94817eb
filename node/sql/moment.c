/* Which sums a plan opens, and in which ring each is exact. */
#include "node/sql/analyze.h"

#include <stdlib.h>
#include <string.h>

#define RING_64_BITS 62 /* |sum| < 2^62, so that differences stay signed */
#define RING_128_BITS 126
#define EXTREME_BITS 60 /* differences of two, and of what stands for "none", stay signed */
#define REAL_FRAC_BITS_MAX 80
#define REAL_FRAC_BITS_MIN 20

/* The largest value of a column in units of 10^-scale, rounded up, multiplied into bound. */
static void multiply_by_units(const pl_table_column *column, mpz_t bound) {
    mpz_t units, unit;
    mpz_init_set(units, column->magnitude.value);
    mpz_init(unit);
    int dscale = column->magnitude.dscale;
    if (dscale > (int)column->scale) {
        mpz_ui_pow_ui(unit, 10, (unsigned long)(dscale - (int)column->scale));
        mpz_cdiv_q(units, units, unit);
    } else {
        mpz_ui_pow_ui(unit, 10, (unsigned long)((int)column->scale - dscale));
        mpz_mul(units, units, unit);
    }
    mpz_mul(bound, bound, units);
    mpz_clear(unit);
    mpz_clear(units);
}

/* Bits of rows * magnitude, or rows * magnitude * magnitude of other, rounded up. */
static size_t bound_bits(const pl_table *table, const pl_table_column *column,
                         const pl_table_column *other) {
    mpz_t bound;
    mpz_init_set_ui(bound, table->rows_max);
    multiply_by_units(column, bound);
    if (other != NULL)
        multiply_by_units(other, bound);
    size_t bits = mpz_sgn(bound) == 0 ? 1 : mpz_sizeinbase(bound, 2);
    mpz_clear(bound);
    return bits;
}

static pl_status too_wide(const pl_table *table, const pl_table_column *column,
                          const pl_table_column *other) {
    char *magnitude;
    PL_TRY(pl_numeric_print(&column->magnitude, &magnitude));
    pl_status status =
        pl_fail(PL_OUT_OF_RANGE,
                "the sum of column %s%s%s may overflow: %llu rows with values up to %s "
                "do not fit 126 bits; its owner may declare a narrower range",
                column->name, other == NULL ? "" : " times column ",
                other == NULL ? "" : other->name, (unsigned long long)table->rows_max, magnitude);
    free(magnitude);
    return status;
}

/* The planner's promise that no sum is ever silently wrong. */
static pl_status choose_ring(const pl_table *table, const pl_table_column *column,
                             const pl_table_column *factor, Parley__V1__Moment *moment) {
    bool is_real = column->type == PL_TYPE_FLOAT8;
    if (is_real && !column->has_range)
        return pl_fail(PL_OUT_OF_RANGE,
                       "column %s is a real number without a declared range: its owner must "
                       "declare one before it can be summed",
                       column->name);
    size_t bits = bound_bits(table, column, factor);
    if (bits > RING_128_BITS || (is_real && bits > RING_128_BITS - REAL_FRAC_BITS_MIN))
        return too_wide(table, column, factor);
    moment->ring_bits = is_real || bits > RING_64_BITS ? 128 : 64;
    moment->scale = column->scale + (factor == NULL ? 0 : factor->scale);
    if (is_real)
        moment->scale = RING_128_BITS - bits > REAL_FRAC_BITS_MAX
                            ? REAL_FRAC_BITS_MAX
                            : (uint32_t)(RING_128_BITS - bits);
    return PL_OK;
}

/* MIN and MAX are compared, not added: the values themselves must fit. */
static pl_status check_extreme(const pl_table_column *column) {
    if (column->type == PL_TYPE_DATE)
        return PL_OK;
    const pl_table one = {.rows_max = 1};
    return bound_bits(&one, column, NULL) <= EXTREME_BITS
               ? PL_OK
               : pl_fail(PL_OUT_OF_RANGE,
                         "column %s may hold values of more than 60 bits, which cannot be "
                         "compared: its owner may declare a narrower range",
                         column->name);
}

static pl_status fill(Parley__V1__QueryPlan *plan, const pl_table *table,
                      Parley__V1__MomentKind kind, const pl_table_column *column,
                      const pl_table_column *other, Parley__V1__Moment *moment) {
    const pl_table_column *factor = kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_SQUARE ? column
                                    : kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_PRODUCT
                                        ? other
                                        : NULL;
    moment->kind = kind;
    moment->ring_bits = 64;
    moment->type = PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER;
    if (column == NULL)
        return PL_OK;
    PL_TRY(pl_strdup(column->name, &moment->column));
    if (other != NULL)
        PL_TRY(pl_strdup(other->name, &moment->other));
    if (pl_moment_is_count(moment))
        return PL_OK;
    moment->type = column->column_type;
    bool is_extreme = pl_moment_is_extreme(moment);
    moment->scale = is_extreme ? column->scale : 0;
    PL_TRY(is_extreme ? check_extreme(column) : choose_ring(table, column, factor, moment));
    return pl_moment_find(plan, table, PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT, column, other,
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
    if (pl_moment_is_count(moment))
        moment->counted_by = (uint32_t)plan->n_moments; /* a count counts itself */
    *out = (uint32_t)plan->n_moments;
    moments[plan->n_moments++] = moment;
    return PL_OK;
}

static bool is_same(const Parley__V1__Moment *moment, Parley__V1__MomentKind kind,
                    const pl_table_column *column, const pl_table_column *other) {
    return moment->kind == kind &&
           strcmp(moment->column, column == NULL ? "" : column->name) == 0 &&
           strcmp(moment->other, other == NULL ? "" : other->name) == 0;
}

/* What cannot be NULL excludes no row: COUNT(x) of such a column is COUNT(*). */
static void drop_what_excludes_nothing(Parley__V1__MomentKind *kind, const pl_table_column **column,
                                       const pl_table_column **other) {
    if (*other != NULL && (!(*other)->nullable || strcmp((*other)->name, (*column)->name) == 0))
        *other = NULL;
    if (*kind != PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT)
        return;
    if (!(*column)->nullable) {
        *column = *other;
        *other = NULL;
    }
    if (*column == NULL)
        *kind = PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT_STAR;
}

/* One form for each moment, so that it is opened once: x times y is y times x. */
static void normalise(Parley__V1__MomentKind *kind, const pl_table_column **column,
                      const pl_table_column **other) {
    bool is_product = *kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_PRODUCT;
    if (*kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT_STAR)
        return;
    if (is_product && strcmp((*column)->name, (*other)->name) == 0) {
        *kind = PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_SQUARE;
        *other = NULL;
        return;
    }
    if (!is_product)
        drop_what_excludes_nothing(kind, column, other);
    bool is_even = is_product || *kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_COUNT;
    if (is_even && *other != NULL && strcmp((*column)->name, (*other)->name) > 0) {
        const pl_table_column *swapped = *column;
        *column = *other;
        *other = swapped;
    }
}

pl_status pl_moment_find(Parley__V1__QueryPlan *plan, const pl_table *table,
                         Parley__V1__MomentKind kind, const pl_table_column *column,
                         const pl_table_column *other, uint32_t *out_index) {
    normalise(&kind, &column, &other);
    for (size_t i = 0; i < plan->n_moments; i++)
        if (is_same(plan->moments[i], kind, column, other)) {
            *out_index = (uint32_t)i;
            return PL_OK;
        }
    Parley__V1__Moment *moment;
    PL_TRY(pl_alloc(1, sizeof *moment, &moment));
    parley__v1__moment__init(moment);
    pl_status status = fill(plan, table, kind, column, other, moment);
    if (pl_is_ok(status))
        status = append(plan, moment, out_index);
    if (!pl_is_ok(status))
        parley__v1__moment__free_unpacked(moment, NULL);
    return status;
}
