#include "protocols/mpc/compare.h"

#include "protocols/mpc/convert.h"

#include <stdlib.h>

/* out = x - c for public c. */
static pl_status subtract_public(pl_party *p, const pl_svec *x, const uint64_t *c, pl_svec *out) {
    uint64_t *minus_c;
    PL_TRY(pl_alloc(x->n, sizeof *minus_c, &minus_c));
    pl_ring_neg(PL_ARITH_64, minus_c, c, x->n);
    pl_status status = pl_add_public(p, x, minus_c, out);
    free(minus_c);
    return status;
}

/* x < c exactly when the sign bit of x - c is 1, as long as the difference does not wrap. */
pl_status pl_less_than_public(pl_party *p, const pl_svec *x, const uint64_t *c, pl_kind out_kind,
                              pl_svec *out) {
    if (x->kind != PL_ARITH_64)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare elements of %s: it takes ring 2^64",
                       pl_kind_name(x->kind));
    if (!pl_kind_is_valid(out_kind))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare: there is no ring %d", (int)out_kind);
    pl_svec difference = {0}, bits = {0};
    pl_status status;
    PL_CHECK(status, subtract_public(p, x, c, &difference));
    PL_CHECK(status, pl_a2b(p, &difference, &bits));
    PL_CHECK(status, pl_shr(p, &bits, 63, &bits));
    if (out_kind == PL_BOOL_64)
        pl_svec_take(out, &bits);
    else
        status = pl_bit_to_arith(p, &bits, out_kind, out);
out:
    pl_svec_done(&difference);
    pl_svec_done(&bits);
    return status;
}

pl_status pl_select(pl_party *p, const pl_svec *bit, const pl_svec *x, pl_svec *out) {
    return pl_wrap(pl_mul(p, bit, x, out), "cannot select");
}

/* x becomes the larger of x and y: y + (x - y) where it is not negative, that is x - [x < y](x -
 * y).
 */
static pl_status larger(pl_party *p, pl_svec *x, const pl_svec *y) {
    pl_svec difference = {0}, is_less = {0};
    uint64_t *zeros = NULL;
    pl_status status;
    PL_CHECK(status, pl_alloc(x->n, sizeof *zeros, &zeros));
    PL_CHECK(status, pl_sub(p, x, y, &difference));
    PL_CHECK(status, pl_less_than_public(p, &difference, zeros, PL_ARITH_64, &is_less));
    PL_CHECK(status, pl_select(p, &is_less, &difference, &difference));
    PL_CHECK(status, pl_sub(p, x, &difference, x));
out:
    free(zeros);
    pl_svec_done(&difference);
    pl_svec_done(&is_less);
    return status;
}

/* One level: the first half of the vectors against the second; an odd one out waits in the middle.
 */
static pl_status play(pl_party *p, pl_svec *all, size_t n, size_t n_xs) {
    size_t pairs = n_xs / 2, left = n_xs - pairs;
    pl_svec first = {0}, middle = {0}, second = {0};
    pl_status status;
    PL_CHECK(status, pl_slice(all, 0, pairs * n, &first));
    PL_CHECK(status, pl_slice(all, pairs * n, (left - pairs) * n, &middle));
    PL_CHECK(status, pl_slice(all, left * n, pairs * n, &second));
    PL_CHECK(status, larger(p, &first, &second));
    PL_CHECK(status, pl_concat((const pl_svec *const[]){&first, &middle}, 2, all));
out:
    pl_svec_done(&first);
    pl_svec_done(&middle);
    pl_svec_done(&second);
    return status;
}

pl_status pl_max(pl_party *p, const pl_svec *const *xs, size_t n_xs, pl_svec *out) {
    for (size_t j = 0; j < n_xs; j++)
        if (xs[j]->kind != PL_ARITH_64 || xs[j]->n != xs[0]->n)
            return pl_fail(PL_INVALID_ARGUMENT,
                           "the largest of vectors needs elements of ring 2^64 and one length");
    if (n_xs == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "the largest of no vectors");
    size_t n = xs[0]->n;
    pl_svec all = {0};
    pl_status status = pl_concat(xs, n_xs, &all);
    for (; n_xs > 1 && pl_is_ok(status); n_xs -= n_xs / 2)
        status = play(p, &all, n, n_xs);
    if (pl_is_ok(status))
        pl_svec_take(out, &all);
    pl_svec_done(&all);
    return status;
}

pl_cost pl_max_cost(size_t n, size_t n_xs) {
    pl_cost cost = {0, 0};
    for (; n_xs > 1; n_xs -= n_xs / 2) {
        cost = pl_cost_add(cost, pl_cost_less_than_public(PL_ARITH_64, n_xs / 2 * n));
        cost = pl_cost_add(cost, pl_cost_mul(PL_ARITH_64, n_xs / 2 * n));
    }
    return cost;
}
