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

/* What a step of the division works on; digit: the next bit of x, as a number. */
typedef struct division {
    const pl_svec *y;
    unsigned bits;
    pl_svec words, digit, rest, quotient;
} division;

static void division_done(division *d) {
    pl_svec_done(&d->words);
    pl_svec_done(&d->digit);
    pl_svec_done(&d->rest);
    pl_svec_done(&d->quotient);
}

static pl_status first_digit(pl_party *p, division *d) {
    pl_svec bit = {0};
    pl_status status = pl_bit_of_words(p, &d->words, d->bits - 1, &bit);
    if (pl_is_ok(status))
        status = pl_bit_to_arith(p, &bit, PL_ARITH_64, &d->digit);
    pl_svec_done(&bit);
    return status;
}

/* fits = [y <= rest], as a number; and meanwhile the bit of x below `bit` becomes the digit. */
static pl_status fits_and_digit(pl_party *p, division *d, unsigned bit, pl_svec *fits) {
    pl_svec less = {0}, next = {0};
    pl_status status;
    PL_CHECK(status, pl_sign(p, &d->rest, d->y, d->bits + 2, &less));
    PL_CHECK(status, pl_not(p, &less, &less));
    if (bit > 0)
        PL_CHECK(status, pl_bit_of_words(p, &d->words, bit - 1, &next));
    PL_CHECK(status, pl_together_begin(p));
    status = pl_bit_to_arith(p, &less, PL_ARITH_64, fits);
    if (bit > 0 && pl_is_ok(status))
        status = pl_bit_to_arith(p, &next, PL_ARITH_64, &d->digit);
    PL_CHECK(status, pl_together_end(p, status));
out:
    pl_svec_done(&less);
    pl_svec_done(&next);
    return status;
}

/* One bit of x, from above, joins what is left; y is taken off where it fits, and a bit of the
 * quotient comes out. */
static pl_status next_bit(pl_party *p, division *d, unsigned bit) {
    pl_svec fits = {0}, off = {0}, *rest = &d->rest, *quotient = &d->quotient;
    pl_status status;
    PL_CHECK(status, pl_sum(p, (const pl_svec *const[]){rest, rest, &d->digit}, 3, rest));
    PL_CHECK(status, fits_and_digit(p, d, bit, &fits));
    PL_CHECK(status, pl_mul(p, &fits, d->y, &off));
    PL_CHECK(status, pl_sub(p, rest, &off, rest));
    PL_CHECK(status, pl_sum(p, (const pl_svec *const[]){quotient, quotient, &fits}, 3, quotient));
out:
    pl_svec_done(&fits);
    pl_svec_done(&off);
    return status;
}

pl_status pl_divide_integer(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits,
                            pl_svec *out) {
    PL_TRY(check(x, y, bits));
    division d = {.y = y, .bits = bits};
    pl_status status;
    PL_CHECK(status, pl_words(p, x, bits, &d.words));
    PL_CHECK(status, pl_sub(p, x, x, &d.rest));
    PL_CHECK(status, pl_sub(p, x, x, &d.quotient));
    PL_CHECK(status, first_digit(p, &d));
    for (unsigned bit = bits; bit-- > 0;)
        PL_CHECK(status, next_bit(p, &d, bit));
    pl_svec_take(out, &d.quotient);
out:
    division_done(&d);
    return status;
}

pl_cost pl_divide_integer_cost(size_t n, unsigned bits, const pl_net *net) {
    pl_cost one = pl_cost_bit_to_arith(PL_ARITH_64, n, net), two = pl_cost_together(one, one);
    pl_cost step = pl_cost_add(pl_cost_sign(n, bits + 2, net), pl_cost_mul(PL_ARITH_64, n));
    pl_cost cost = pl_cost_add(pl_cost_words(n, bits, net), pl_cost_times(step, bits));
    cost = pl_cost_add(cost, pl_cost_times(one, 2)); /* the first digit, and the last bit */
    return pl_cost_add(cost, pl_cost_times(two, bits - 1));
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
    return status;
}
