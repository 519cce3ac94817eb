#include "protocols/mpc/compare.h"

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

static pl_status require_64(const pl_svec *x) {
    if (x->kind == PL_ARITH_64)
        return PL_OK;
    return pl_fail(PL_INVALID_ARGUMENT, "cannot compare elements of %s: it takes ring 2^64",
                   pl_kind_name(x->kind));
}

static unsigned width_of(pl_kind kind) {
    return 8 * (unsigned)pl_kind_bytes(kind, 1);
}

/* The signs of x, y and x - y, in the rounds of one. */
static pl_status three_signs(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec signs[3]) {
    unsigned width = width_of(x->kind);
    PL_TRY(pl_together_begin(p));
    pl_status status = pl_sign(p, x, NULL, width, &signs[0]);
    if (pl_is_ok(status))
        status = pl_sign(p, y, NULL, width, &signs[1]);
    if (pl_is_ok(status))
        status = pl_sign(p, x, y, width, &signs[2]);
    return pl_together_end(p, status);
}

/* The sign of x - y is right unless it wrapped, which takes operands of different signs; then it is
 * that of x: s_x where s_x != s_y, else s_d. */
static pl_status less_than_full(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    pl_svec signs[3] = {{.n = 0}};
    pl_status status;
    PL_CHECK(status, three_signs(p, x, y, signs));
    PL_CHECK(status, pl_xor(p, &signs[1], &signs[0], &signs[1]));
    PL_CHECK(status, pl_xor(p, &signs[0], &signs[2], &signs[0]));
    PL_CHECK(status, pl_and(p, &signs[1], &signs[0], &signs[0]));
    PL_CHECK(status, pl_xor(p, &signs[0], &signs[2], out));
out:
    for (size_t i = 0; i < 3; i++)
        pl_svec_done(&signs[i]);
    return status;
}

static pl_status check_bits(const pl_svec *x, unsigned bits) {
    if (pl_kind_is_bool(x->kind))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare elements of %s: it takes numbers",
                       pl_kind_name(x->kind));
    if (bits < 1 || bits > width_of(x->kind))
        return pl_fail(PL_INVALID_ARGUMENT, "cannot compare values of %u bits: 1 to %u", bits,
                       width_of(x->kind));
    return PL_OK;
}

pl_status pl_less_than(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits,
                       pl_svec *out) {
    PL_TRY(check_bits(x, bits));
    if (bits == width_of(x->kind))
        return pl_party_conclude(p, less_than_full(p, x, y, out));
    return pl_sign(p, x, y, bits + 1, out);
}

pl_status pl_less_than_public(pl_party *p, const pl_svec *x, const uint64_t *c, unsigned bits,
                              pl_svec *out) {
    pl_svec other = {0};
    pl_status status;
    PL_TRY(require_64(x));
    PL_TRY(check_bits(x, bits));
    if (bits == 64) {
        PL_CHECK(status, pl_constant(p, PL_ARITH_64, x->n, c, &other));
        PL_CHECK(status, less_than_full(p, x, &other, out));
    } else {
        PL_CHECK(status, subtract_public(p, x, c, &other));
        PL_CHECK(status, pl_sign(p, &other, NULL, bits + 1, out));
    }
out:
    pl_svec_done(&other);
    return pl_party_conclude(p, status);
}

pl_cost pl_less_than_cost(pl_kind kind, size_t n, unsigned bits, const pl_net *net) {
    if (bits < width_of(kind))
        return pl_cost_sign(n, bits + 1, net);
    pl_cost one = pl_cost_sign(n, bits, net);
    pl_cost all = pl_cost_together(one, pl_cost_together(one, one));
    return pl_cost_add(all, pl_cost_mul(PL_BIT, n));
}

pl_status pl_equal(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    return pl_zero(p, x, y, out);
}

pl_status pl_equal_public(pl_party *p, const pl_svec *x, const uint64_t *c, pl_svec *out) {
    pl_svec difference = {0};
    PL_TRY(require_64(x));
    pl_status status = subtract_public(p, x, c, &difference);
    if (pl_is_ok(status))
        status = pl_zero(p, &difference, NULL, out);
    pl_svec_done(&difference);
    return pl_party_conclude(p, status);
}

pl_status pl_select(pl_party *p, const pl_svec *bit, const pl_svec *x, pl_svec *out) {
    return pl_wrap(pl_mul(p, bit, x, out), "cannot select");
}

/* y + b (x - y) */
pl_status pl_choose(pl_party *p, const pl_svec *bits, const pl_svec *x, const pl_svec *y,
                    pl_svec *out) {
    pl_svec b = {0}, difference = {0};
    pl_status status;
    PL_CHECK(status, pl_sub(p, x, y, &difference));
    PL_CHECK(status, pl_bit_to_arith(p, bits, x->kind, &b));
    PL_CHECK(status, pl_select(p, &b, &difference, &difference));
    PL_CHECK(status, pl_add(p, y, &difference, out));
out:
    pl_svec_done(&b);
    pl_svec_done(&difference);
    return pl_party_conclude(p, status);
}

pl_cost pl_choose_cost(pl_kind kind, size_t n, const pl_net *net) {
    return pl_cost_add(pl_cost_bit_to_arith(kind, n, net), pl_cost_mul(kind, n));
}

/* x becomes the larger (or the smaller) of x and y. */
static pl_status keep_one(pl_party *p, pl_svec *x, const pl_svec *y, bool largest) {
    pl_svec is_less = {0};
    pl_status status;
    PL_CHECK(status, pl_sign(p, x, y, 64, &is_less));
    PL_CHECK(status, largest ? pl_choose(p, &is_less, y, x, x) : pl_choose(p, &is_less, x, y, x));
out:
    pl_svec_done(&is_less);
    return status;
}

/* One level: the first half of the vectors against the second; an odd one out waits in the middle.
 */
static pl_status play(pl_party *p, pl_svec *all, size_t n, size_t n_xs, bool largest) {
    size_t pairs = n_xs / 2, left = n_xs - pairs;
    pl_svec first = {0}, middle = {0}, second = {0};
    pl_status status;
    PL_CHECK(status, pl_slice(all, 0, pairs * n, &first));
    PL_CHECK(status, pl_slice(all, pairs * n, (left - pairs) * n, &middle));
    PL_CHECK(status, pl_slice(all, left * n, pairs * n, &second));
    PL_CHECK(status, keep_one(p, &first, &second, largest));
    PL_CHECK(status, pl_concat((const pl_svec *const[]){&first, &middle}, 2, all));
out:
    pl_svec_done(&first);
    pl_svec_done(&middle);
    pl_svec_done(&second);
    return status;
}

static pl_status tournament(pl_party *p, const pl_svec *const *xs, size_t n_xs, bool largest,
                            pl_svec *out) {
    if (n_xs == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "the largest or smallest of no vectors");
    for (size_t j = 0; j < n_xs; j++)
        if (xs[j]->kind != PL_ARITH_64 || xs[j]->n != xs[0]->n)
            return pl_fail(PL_INVALID_ARGUMENT,
                           "the largest or smallest of vectors needs elements of "
                           "ring 2^64 and one length");
    size_t n = xs[0]->n;
    pl_svec all = {0};
    pl_status status = pl_concat(xs, n_xs, &all);
    for (; n_xs > 1 && pl_is_ok(status); n_xs -= n_xs / 2)
        status = play(p, &all, n, n_xs, largest);
    if (pl_is_ok(status))
        pl_svec_take(out, &all);
    pl_svec_done(&all);
    return status;
}

pl_status pl_max(pl_party *p, const pl_svec *const *xs, size_t n_xs, pl_svec *out) {
    return pl_party_conclude(p, tournament(p, xs, n_xs, true, out));
}

pl_status pl_min(pl_party *p, const pl_svec *const *xs, size_t n_xs, pl_svec *out) {
    return pl_party_conclude(p, tournament(p, xs, n_xs, false, out));
}

pl_cost pl_max_cost(size_t n, size_t n_xs, const pl_net *net) {
    pl_cost cost = {0};
    for (; n_xs > 1; n_xs -= n_xs / 2) {
        cost = pl_cost_add(cost, pl_cost_sign(n_xs / 2 * n, 64, net));
        cost = pl_cost_add(cost, pl_choose_cost(PL_ARITH_64, n_xs / 2 * n, net));
    }
    return cost;
}
