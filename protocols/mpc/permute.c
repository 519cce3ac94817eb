#include "protocols/mpc/permute.h"

#include "protocols/base/secret.h"

#include <stdlib.h>
#include <string.h>

static pl_status check(const pl_svec *by, pl_kind kind, pl_svec *const *columns, size_t n_columns) {
    if (by->kind != kind || by->n > UINT32_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot move %zu rows by elements of %s", by->n,
                       pl_kind_name(by->kind));
    for (size_t c = 0; c < n_columns; c++) {
        if (columns[c]->n != by->n || columns[c]->kind == PL_BIT)
            return pl_fail(PL_INVALID_ARGUMENT,
                           "cannot move column %zu: it is packed bits or not of %zu rows", c + 1,
                           by->n);
    }
    return PL_OK;
}

/* places: where each row goes, opened; from: which row comes to each place. */
static pl_status turn_round(const uint64_t *places, size_t n, uint32_t *from) {
    for (size_t i = 0; i < n; i++)
        from[i] = UINT32_MAX;
    for (size_t i = 0; i < n; i++) {
        if (places[i] >= n || from[places[i]] != UINT32_MAX)
            return pl_fail(PL_PROTOCOL, "rows cannot be moved: the places are no permutation");
        from[places[i]] = (uint32_t)i;
    }
    return PL_OK;
}

typedef struct moving {
    size_t n;
    pl_svec places;
    uint64_t *opened; /* [n] */
    uint32_t *from;   /* [n] */
    void *scratch;    /* [n] of the widest kind */
    pl_svec **all;
} moving;

static pl_status move(pl_party *p, moving *m, pl_svec *const *columns, size_t n_columns) {
    PL_TRY(pl_alloc(m->n, sizeof *m->opened, &m->opened));
    PL_TRY(pl_alloc(m->n, sizeof *m->from, &m->from));
    PL_TRY(pl_secret_alloc(16 * m->n, &m->scratch));
    PL_TRY(pl_alloc(n_columns + 1, sizeof *m->all, &m->all));
    m->all[0] = &m->places;
    for (size_t c = 0; c < n_columns; c++)
        m->all[c + 1] = columns[c];
    PL_TRY(pl_shuffle(p, m->all, n_columns + 1));
    PL_TRY(pl_open(p, &m->places, PL_ARITH_64, m->n, pl_party_compute_mask(p),
                   "places of shuffled rows", m->opened));
    if (pl_party_counts(p)) /* nothing was opened */
        return PL_OK;
    PL_TRY(turn_round(m->opened, m->n, m->from));
    for (size_t c = 0; c < n_columns; c++)
        pl_rearrange(columns[c], 0, m->from, m->n, m->scratch);
    return PL_OK;
}

pl_status pl_scatter(pl_party *p, const pl_svec *to, pl_svec *const *columns, size_t n_columns) {
    moving m = {.n = to->n};
    PL_TRY(check(to, PL_ARITH_64, columns, n_columns));
    if (to->n == 0 || n_columns == 0)
        return PL_OK;
    pl_status status = pl_svec_dup(to, &m.places);
    if (pl_is_ok(status))
        status = move(p, &m, columns, n_columns);
    pl_svec_done(&m.places);
    pl_secret_free(m.scratch, 16 * m.n);
    free(m.opened);
    free(m.from);
    free(m.all);
    return pl_party_conclude(p, status);
}

pl_cost pl_scatter_cost(const pl_kind *kinds, size_t n_columns, size_t n) {
    if (n == 0 || n_columns == 0)
        return (pl_cost){0};
    pl_cost cost = pl_cost_add(pl_cost_shuffle(kinds, n_columns, n),
                               pl_cost_shuffle((const pl_kind[]){PL_ARITH_64}, 1, n));
    cost.rounds -= 3; /* one shuffle moves them all */
    return pl_cost_add(cost, pl_cost_open(PL_ARITH_64, n, 7, 0));
}

/* 0, 1, ..., n - 1 */
static pl_status numbers(pl_party *p, size_t n, pl_svec *out) {
    uint64_t *values;
    PL_TRY(pl_alloc(n, sizeof *values, &values));
    for (size_t i = 0; i < n; i++)
        values[i] = i;
    pl_status status = pl_constant(p, PL_ARITH_64, n, values, out);
    free(values);
    return status;
}

/* Scattering 0, 1, ... gives the inverse: place from[i] gets i. */
pl_status pl_gather_secret(pl_party *p, const pl_svec *from, pl_svec *const *columns,
                           size_t n_columns) {
    pl_svec inverse = {0};
    PL_TRY(check(from, PL_ARITH_64, columns, n_columns));
    pl_status status = numbers(p, from->n, &inverse);
    if (pl_is_ok(status))
        status = pl_scatter(p, from, (pl_svec *const[]){&inverse}, 1);
    if (pl_is_ok(status))
        status = pl_scatter(p, &inverse, columns, n_columns);
    pl_svec_done(&inverse);
    return pl_party_conclude(p, status);
}

/* With b the bit and s the number of ones up to and with this row: a one goes to s - 1, a zero to
 * total + (i + 1 - s) - 1 = total + i - s; the place is zero's + b (one's - zero's). */
static pl_status places_of(pl_party *p, const pl_svec *bits, pl_svec *out) {
    size_t n = bits->n;
    pl_svec b = {0}, ones = {0}, zeros = {0}, last = {0};
    size_t *same = NULL;
    pl_status status;
    PL_CHECK(status, pl_bit_to_arith(p, bits, PL_ARITH_64, &b));
    PL_CHECK(status, pl_prefix_sum(p, &b, &ones));
    PL_CHECK(status, pl_alloc(n, sizeof *same, &same));
    for (size_t i = 0; i < n; i++)
        same[i] = n - 1;
    PL_CHECK(status, pl_gather(&ones, same, n, &last));
    PL_CHECK(status, numbers(p, n, &zeros));
    PL_CHECK(status, pl_add(p, &zeros, &last, &zeros));
    PL_CHECK(status, pl_sub(p, &zeros, &ones, &zeros));
    PL_CHECK(status, pl_add_constant(p, &ones, UINT64_MAX, &ones));
    PL_CHECK(status, pl_sub(p, &ones, &zeros, &ones));
    PL_CHECK(status, pl_mul(p, &b, &ones, &ones));
    PL_CHECK(status, pl_add(p, &zeros, &ones, out));
out:
    free(same);
    pl_svec_done(&b);
    pl_svec_done(&ones);
    pl_svec_done(&zeros);
    pl_svec_done(&last);
    return status;
}

pl_status pl_compact(pl_party *p, const pl_svec *bits, pl_svec *const *columns, size_t n_columns) {
    pl_svec places = {0};
    PL_TRY(check(bits, PL_BIT, columns, n_columns));
    if (bits->n == 0)
        return PL_OK;
    pl_status status = places_of(p, bits, &places);
    if (pl_is_ok(status))
        status = pl_scatter(p, &places, columns, n_columns);
    pl_svec_done(&places);
    return pl_party_conclude(p, status);
}

pl_status pl_one_hot(pl_party *p, const pl_svec *x, size_t k, pl_svec *out) {
    pl_svec repeated = {0};
    size_t *rows = NULL, n;
    uint64_t *values = NULL;
    pl_status status;
    if (x->kind != PL_ARITH_64 || k == 0 || __builtin_mul_overflow(x->n, k, &n) ||
        n > PL_ELEMENTS_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot tell %zu values apart in %zu elements of %s", k,
                       x->n, pl_kind_name(x->kind));
    PL_CHECK(status, pl_alloc(n, sizeof *rows, &rows));
    PL_CHECK(status, pl_alloc(n, sizeof *values, &values));
    for (size_t i = 0; i < n; i++) {
        rows[i] = i / k;
        values[i] = 0 - (uint64_t)(i % k);
    }
    PL_CHECK(status, pl_gather(x, rows, n, &repeated));
    PL_CHECK(status, pl_add_public(p, &repeated, values, &repeated));
    PL_CHECK(status, pl_zero(p, &repeated, NULL, out));
out:
    free(rows);
    free(values);
    pl_svec_done(&repeated);
    return pl_party_conclude(p, status);
}
