#include "protocols/rel/cohort.h"

#include <stdlib.h>

#define K_MAX (UINT64_C(1) << 31)

/* Subjects are the numbers the rule is about: per count, the total and the total without each
 * owner. */
static size_t n_subjects(const pl_cohort_params *c) {
    return c->n_counts * (c->n_owners + 1);
}

static pl_status check(const pl_cohort_params *c) {
    if (c->k < 1 || c->k > K_MAX || c->n_counts == 0 || c->n_owners == 0)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "the cohort rule needs counts, owners and a k from 1 to 2^31");
    for (size_t i = 0; i < c->n_counts * c->n_owners; i++)
        if (c->counts[i].kind != PL_ARITH_64 || c->counts[i].n != c->n_cells)
            return pl_fail(PL_INVALID_ARGUMENT, "a vector of counts has a wrong shape");
    return PL_OK;
}

/* subjects[0] = T[a], subjects[1 + j] = T[a] - n[a][j], for one count a: local. */
static pl_status subjects_of(pl_party *p, const pl_svec *parts, size_t n_owners,
                             pl_svec *subjects) {
    PL_TRY(pl_svec_dup(&parts[0], &subjects[0]));
    for (size_t j = 1; j < n_owners; j++)
        PL_TRY(pl_add(p, &subjects[0], &parts[j], &subjects[0]));
    for (size_t j = 0; j < n_owners; j++)
        PL_TRY(pl_sub(p, &subjects[0], &parts[j], &subjects[1 + j]));
    return PL_OK;
}

/* all = every subject twice: once to be compared with k, once with 1. */
static pl_status gather_subjects(pl_party *p, const pl_cohort_params *c, pl_svec *all) {
    size_t n = n_subjects(c);
    pl_svec *subjects = NULL;
    const pl_svec **list = NULL;
    pl_status status;
    PL_CHECK(status, pl_alloc(n, sizeof *subjects, &subjects));
    PL_CHECK(status, pl_alloc(2 * n, sizeof *list, &list));
    for (size_t a = 0; a < c->n_counts; a++)
        PL_CHECK(status, subjects_of(p, c->counts + a * c->n_owners, c->n_owners,
                                     subjects + a * (c->n_owners + 1)));
    for (size_t i = 0; i < n; i++)
        list[i] = list[n + i] = &subjects[i];
    PL_CHECK(status, pl_concat(list, 2 * n, all));
out:
    for (size_t i = 0; subjects != NULL && i < n; i++)
        pl_svec_done(&subjects[i]);
    free(subjects);
    free(list);
    return status;
}

/* less = [subject < k] for the first half, [subject < 1] for the second. */
static pl_status compare_all(pl_party *p, const pl_cohort_params *c, pl_svec *less) {
    size_t half = n_subjects(c) * c->n_cells;
    pl_svec all = {0};
    uint64_t *bounds = NULL;
    pl_status status;
    PL_CHECK(status, gather_subjects(p, c, &all));
    PL_CHECK(status, pl_alloc(2 * half, sizeof *bounds, &bounds));
    for (size_t i = 0; i < half; i++) {
        bounds[i] = c->k;
        bounds[half + i] = 1;
    }
    PL_CHECK(status, pl_less_than_public(p, &all, bounds, 63, less));
out:
    pl_svec_done(&all);
    free(bounds);
    return status;
}

/* good = per clause and cell: not ([s < k] and not [s < 1]), which is not ([s < k] xor [s < 1])
 * because 1 <= k; and one last clause [T[0] >= 1], the opposite of the first bit of the second
 * half. */
static pl_status clauses(pl_party *p, const pl_cohort_params *c, pl_svec *good) {
    size_t half = n_subjects(c) * c->n_cells;
    pl_svec less = {0}, below_k = {0}, is_zero = {0}, bad = {0}, is_empty = {0};
    pl_status status;
    PL_CHECK(status, compare_all(p, c, &less));
    PL_CHECK(status, pl_slice(&less, 0, half, &below_k));
    PL_CHECK(status, pl_slice(&less, half, half, &is_zero));
    PL_CHECK(status, pl_xor(p, &below_k, &is_zero, &bad));
    PL_CHECK(status, pl_slice(&is_zero, 0, c->n_cells, &is_empty));
    PL_CHECK(status, pl_concat((const pl_svec *const[]){&bad, &is_empty}, 2, good));
    PL_CHECK(status, pl_not(p, good, good));
out:
    pl_svec_done(&less);
    pl_svec_done(&below_k);
    pl_svec_done(&is_zero);
    pl_svec_done(&bad);
    pl_svec_done(&is_empty);
    return status;
}

/* One level of the tree: bits holds n clauses of n_cells each; the second half is ANDed into the
 * first. */
static pl_status and_halves(pl_party *p, pl_svec *bits, size_t n, size_t n_cells) {
    size_t low = n / 2;
    pl_svec x = {0}, y = {0}, rest = {0};
    pl_status status;
    PL_CHECK(status, pl_slice(bits, 0, low * n_cells, &x));
    PL_CHECK(status, pl_slice(bits, (n - low) * n_cells, low * n_cells, &y));
    PL_CHECK(status, pl_slice(bits, low * n_cells, (n - 2 * low) * n_cells, &rest));
    PL_CHECK(status, pl_and(p, &x, &y, &x));
    PL_CHECK(status, pl_concat((const pl_svec *const[]){&x, &rest}, 2, bits));
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&rest);
    return status;
}

pl_status pl_cohort_ok(pl_party *p, const pl_cohort_params *c, pl_svec *out) {
    PL_TRY(check(c));
    pl_svec bits = {0};
    pl_status status;
    PL_CHECK(status, clauses(p, c, &bits));
    for (size_t n = n_subjects(c) + 1; n > 1; n -= n / 2)
        PL_CHECK(status, and_halves(p, &bits, n, c->n_cells));
    pl_svec_done(out);
    pl_svec_take(out, &bits);
out:
    pl_svec_done(&bits);
    return pl_party_conclude(p, status);
}

pl_cost pl_cohort_cost(size_t n_counts, size_t n_owners, size_t n_cells, const pl_net *net) {
    size_t n = n_counts * (n_owners + 1);
    pl_cost cost = pl_less_than_cost(PL_ARITH_64, 2 * n * n_cells, 63, net);
    for (n++; n > 1; n -= n / 2)
        cost = pl_cost_add(cost, pl_cost_mul(PL_BIT, n / 2 * n_cells));
    return cost;
}
