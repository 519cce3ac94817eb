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

/* fits = [y <= rest], and rest -= y where it does. */
static pl_status take_off(pl_party *p, pl_svec *rest, const pl_svec *y, unsigned bits,
                          pl_svec *fits) {
    pl_svec less = {0}, off = {0};
    pl_status status;
    PL_CHECK(status, pl_sign(p, rest, y, bits + 2, &less));
    PL_CHECK(status, pl_not(p, &less, &less));
    PL_CHECK(status, pl_bit_to_arith(p, &less, PL_ARITH_64, fits));
    PL_CHECK(status, pl_mul(p, fits, y, &off));
    PL_CHECK(status, pl_sub(p, rest, &off, rest));
out:
    pl_svec_done(&less);
    pl_svec_done(&off);
    return status;
}

/* One bit of x, from above, joins what is left; a bit of the quotient comes out. */
static pl_status next_bit(pl_party *p, const pl_svec *words, unsigned bit, unsigned bits,
                          const pl_svec *y, pl_svec *rest, pl_svec *quotient) {
    pl_svec digit = {0};
    pl_status status;
    PL_CHECK(status, pl_bit_of_words(p, words, bit, &digit));
    PL_CHECK(status, pl_bit_to_arith(p, &digit, PL_ARITH_64, &digit));
    PL_CHECK(status, pl_sum(p, (const pl_svec *const[]){rest, rest, &digit}, 3, rest));
    PL_CHECK(status, take_off(p, rest, y, bits, &digit));
    PL_CHECK(status, pl_sum(p, (const pl_svec *const[]){quotient, quotient, &digit}, 3, quotient));
out:
    pl_svec_done(&digit);
    return status;
}

pl_status pl_divide_integer(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits,
                            pl_svec *out) {
    PL_TRY(check(x, y, bits));
    pl_svec words = {0}, rest = {0}, quotient = {0};
    pl_status status;
    PL_CHECK(status, pl_words(p, x, bits, &words));
    PL_CHECK(status, pl_sub(p, x, x, &rest));
    PL_CHECK(status, pl_sub(p, x, x, &quotient));
    for (unsigned bit = bits; bit-- > 0;)
        PL_CHECK(status, next_bit(p, &words, bit, bits, y, &rest, &quotient));
    pl_svec_take(out, &quotient);
out:
    pl_svec_done(&words);
    pl_svec_done(&rest);
    pl_svec_done(&quotient);
    return status;
}

pl_cost pl_divide_integer_cost(size_t n, unsigned bits, const pl_net *net) {
    pl_cost step = pl_cost_sign(n, bits + 2, net);
    step = pl_cost_add(step, pl_cost_times(pl_cost_bit_to_arith(PL_ARITH_64, n, net), 2));
    step = pl_cost_add(step, pl_cost_mul(PL_ARITH_64, n));
    return pl_cost_add(pl_cost_words(n, bits, net), pl_cost_times(step, bits));
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
