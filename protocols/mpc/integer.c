#include "protocols/mpc/integer.h"

#include "protocols/mpc/compare.h"

static pl_status check(const pl_svec *x, const pl_svec *y, unsigned bits) {
    if (x->kind != PL_ARITH_64 || y->kind != PL_ARITH_64 || x->n != y->n)
        return pl_fail(PL_INVALID_ARGUMENT, "whole division takes ring 2^64, not %s and %s",
                       pl_kind_name(x->kind), pl_kind_name(y->kind));
    if (bits < 1 || bits > 62)
        return pl_fail(PL_INVALID_ARGUMENT, "whole division takes 1 to 62 bits, not %u", bits);
    return PL_OK;
}

pl_status pl_or_above(pl_party *p, pl_svec *words, unsigned bits) {
    pl_svec above = {0}, both = {0};
    pl_status status = PL_OK;
    for (unsigned distance = 1; distance < bits; distance *= 2) {
        PL_CHECK(status, pl_shr(p, words, distance, &above));
        PL_CHECK(status, pl_and(p, words, &above, &both));
        PL_CHECK(status, pl_xor(p, words, &above, words));
        PL_CHECK(status, pl_xor(p, words, &both, words));
    }
out:
    pl_svec_done(&above);
    pl_svec_done(&both);
    return pl_party_conclude(p, status);
}

/* Restoring division from the highest bit down: y 2^bit is taken off what is left of x where it
 * fits. Where y has bits at bits - bit or above it does not, and y 2^bit may have overflowed:
 * `high` says so, bit k of it whether any bit of y from k on is 1. */
typedef struct division {
    const pl_svec *y;
    unsigned bits;
    pl_svec high, rest, quotient;
} division;

static void division_done(division *d) {
    pl_svec_done(&d->high);
    pl_svec_done(&d->rest);
    pl_svec_done(&d->quotient);
}

/* fits = [y 2^bit <= rest], as a number; shifted is y 2^bit. */
static pl_status fits_at(pl_party *p, const division *d, unsigned bit, const pl_svec *shifted,
                         pl_svec *fits) {
    pl_svec less = {0}, high = {0};
    pl_status status;
    PL_CHECK(status, pl_sign(p, &d->rest, shifted, d->bits + 1, &less));
    PL_CHECK(status, pl_not(p, &less, &less));
    if (bit > 0) {
        PL_CHECK(status, pl_bit_of_words(p, &d->high, d->bits - bit, &high));
        PL_CHECK(status, pl_not(p, &high, &high));
        PL_CHECK(status, pl_and(p, &less, &high, &less));
    }
    PL_CHECK(status, pl_bit_to_arith(p, &less, PL_ARITH_64, fits));
out:
    pl_svec_done(&less);
    pl_svec_done(&high);
    return status;
}

/* A bit of the quotient. */
static pl_status next_bit(pl_party *p, division *d, unsigned bit) {
    pl_svec shifted = {0}, fits = {0}, *rest = &d->rest, *quotient = &d->quotient;
    pl_status status;
    PL_CHECK(status, pl_mul_constant(p, d->y, UINT64_C(1) << bit, &shifted));
    PL_CHECK(status, fits_at(p, d, bit, &shifted, &fits));
    PL_CHECK(status, pl_sum(p, (const pl_svec *const[]){quotient, quotient, &fits}, 3, quotient));
    PL_CHECK(status, pl_mul(p, &fits, &shifted, &shifted));
    PL_CHECK(status, pl_sub(p, rest, &shifted, rest));
out:
    pl_svec_done(&shifted);
    pl_svec_done(&fits);
    return status;
}

pl_status pl_divide_integer(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits,
                            pl_svec *out) {
    PL_TRY(check(x, y, bits));
    division d = {.y = y, .bits = bits};
    pl_status status;
    PL_CHECK(status, pl_words(p, y, bits, &d.high));
    PL_CHECK(status, pl_or_above(p, &d.high, bits));
    PL_CHECK(status, pl_svec_dup(x, &d.rest));
    PL_CHECK(status, pl_sub(p, x, x, &d.quotient));
    for (unsigned bit = bits; bit-- > 0;)
        PL_CHECK(status, next_bit(p, &d, bit));
    pl_svec_take(out, &d.quotient);
out:
    division_done(&d);
    return pl_party_conclude(p, status);
}

pl_cost pl_divide_integer_cost(size_t n, unsigned bits, const pl_net *net) {
    pl_cost cost = pl_cost_words(n, bits, net);
    for (unsigned distance = 1; distance < bits; distance *= 2)
        cost = pl_cost_add(cost, pl_cost_mul(PL_BOOL_64, n));
    pl_cost step =
        pl_cost_add(pl_cost_sign(n, bits + 1, net), pl_cost_bit_to_arith(PL_ARITH_64, n, net));
    step = pl_cost_add(step, pl_cost_mul(PL_ARITH_64, n));
    cost = pl_cost_add(cost, pl_cost_times(step, bits));
    return pl_cost_add(cost, pl_cost_times(pl_cost_mul(PL_BIT, n), bits - 1));
}

/* With m = floor(2^31 / d), floor(x m / 2^31) is right or one too small, because x (1/d - m / 2^31)
 * < x / 2^31 < 1. */
pl_status pl_divide_public(pl_party *p, const pl_svec *x, uint64_t d, pl_svec *out) {
    PL_TRY(check(x, x, 31));
    if (d < 1 || d >= UINT64_C(1) << 31)
        return pl_fail(PL_INVALID_ARGUMENT, "whole division takes a divisor from 1 to 2^31 - 1");
    pl_svec quotient = {0}, rest = {0}, bits = {0}, one = {0};
    pl_status status;
    PL_CHECK(status, pl_mul_constant(p, x, (UINT64_C(1) << 31) / d, &quotient));
    PL_CHECK(status, pl_truncate(p, &quotient, 31, &quotient));
    PL_CHECK(status, pl_mul_constant(p, &quotient, d, &rest));
    PL_CHECK(status, pl_sub(p, x, &rest, &rest));
    PL_CHECK(status, pl_add_constant(p, &rest, 0 - d, &rest));
    PL_CHECK(status, pl_sign(p, &rest, NULL, 34, &bits));
    PL_CHECK(status, pl_not(p, &bits, &bits));
    PL_CHECK(status, pl_bit_to_arith(p, &bits, PL_ARITH_64, &one));
    PL_CHECK(status, pl_add(p, &quotient, &one, out));
out:
    pl_svec_done(&quotient);
    pl_svec_done(&rest);
    pl_svec_done(&bits);
    pl_svec_done(&one);
    return pl_party_conclude(p, status);
}
