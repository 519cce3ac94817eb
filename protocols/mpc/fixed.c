#include "protocols/mpc/fixed.h"

#include "protocols/mpc/compare.h"
#include "protocols/mpc/integer.h"

#include <math.h>

#define ONE(bits) (UINT64_C(1) << (bits))
#define F 28 /* places inside of square root, logarithm, exponential and sigmoid */

static uint64_t fixed(double value, unsigned places) {
    return (uint64_t)(int64_t)llround(ldexp(value, (int)places));
}

static pl_status check(const pl_svec *x, const pl_svec *y, unsigned f) {
    if (x->kind != PL_ARITH_64 || y->kind != PL_ARITH_64 || x->n != y->n)
        return pl_fail(PL_INVALID_ARGUMENT, "fixed-point functions take ring 2^64, not %s and %s",
                       pl_kind_name(x->kind), pl_kind_name(y->kind));
    if (f < 1 || f > 29)
        return pl_fail(PL_INVALID_ARGUMENT, "fixed-point functions take 1 to 29 places, not %u", f);
    return PL_OK;
}

/* out = constant - x */
static pl_status subtract_from(pl_party *p, uint64_t constant, const pl_svec *x, pl_svec *out) {
    PL_TRY(pl_neg(p, x, out));
    return pl_add_constant(p, out, constant, out);
}

/* ---- several at once, in the rounds of one ---- */

#define PRODUCTS_MAX 8

/* out = x y, or truncated by `places` if they are not 0; out may be a factor of any of them. */
typedef struct product {
    const pl_svec *x, *y;
    unsigned places;
    pl_svec *out;
} product;

static pl_status multiply_all(pl_party *p, const product *products, size_t n) {
    pl_svec results[PRODUCTS_MAX] = {{.n = 0}};
    PL_ASSERT(n <= PRODUCTS_MAX);
    PL_TRY(pl_together_begin(p));
    pl_status status = PL_OK;
    for (size_t i = 0; i < n && pl_is_ok(status); i++) {
        const product *m = &products[i];
        status = m->places == 0 ? pl_mul(p, m->x, m->y, &results[i])
                                : pl_mul_fixed(p, m->x, m->y, m->places, &results[i]);
    }
    status = pl_together_end(p, status);
    for (size_t i = 0; i < n; i++) {
        if (pl_is_ok(status))
            pl_svec_take(products[i].out, &results[i]);
        pl_svec_done(&results[i]);
    }
    return status;
}

static pl_status multiply_two(pl_party *p, product first, product second) {
    return multiply_all(p, (const product[]){first, second}, 2);
}

static pl_status two_numbers(pl_party *p, const pl_svec *x, pl_svec *out_x, const pl_svec *y,
                             pl_svec *out_y) {
    PL_TRY(pl_together_begin(p));
    pl_status status = pl_number(p, x, out_x);
    if (pl_is_ok(status))
        status = pl_number(p, y, out_y);
    return pl_together_end(p, status);
}

/* ---- the highest bit ---- */

static uint64_t boundaries(uint64_t word) {
    return word ^ word >> 1;
}

/* out: words with the highest bit of x, which is at least 0 and below 2^31, and no other. */
static pl_status highest_bit(pl_party *p, const pl_svec *x, pl_svec *out) {
    PL_TRY(pl_words(p, x, 31, out));
    PL_TRY(pl_or_above(p, out, 31));
    return pl_map_words(p, out, boundaries, out);
}

/* Bit i goes to 30 - i. */
static uint64_t reverse_31(uint64_t word) {
    uint64_t out = 0;
    for (unsigned i = 0; i < 31; i++)
        out |= (word >> i & 1) << (30 - i);
    return out;
}

/* factor = 2^(30 - place of the highest bit), c = x factor: 2^30 <= c < 2^31; both 0 for x = 0. */
static pl_status normalise(pl_party *p, const pl_svec *x, pl_svec *c, pl_svec *factor) {
    pl_svec bit = {0};
    pl_status status;
    PL_CHECK(status, highest_bit(p, x, &bit));
    PL_CHECK(status, pl_map_words(p, &bit, reverse_31, &bit));
    PL_CHECK(status, pl_number(p, &bit, factor));
    PL_CHECK(status, pl_mul(p, x, factor, c));
out:
    pl_svec_done(&bit);
    return status;
}

/* ---- division ----
 *
 * w approaches 2^31 / c, with 30 places. From 3 (c - 1.082)^2 + 0.99606, whose square costs one
 * product and whose error is at most 0.01623, one step of third order and one of second give errors
 * of 2^-17.8 and 2^-35.7. The last one is taken exactly, from c itself, so that only the rounding
 * of the result is left. (Markstein 1990, "Computation of Elementary Functions on the IBM RISC
 * System/6000 Processor", for the steps.) */

/* e = 1 - c w, 30 places. */
static pl_status error_of(pl_party *p, const pl_svec *c, const pl_svec *w, pl_svec *e) {
    PL_TRY(pl_mul_fixed(p, c, w, 31, e));
    return subtract_from(p, ONE(30), e, e);
}

/* w becomes w (1 + e + e^2), and if it goes on, e becomes e^3: of 2^places e and w of w_places +
 * places. */
static pl_status step_three(pl_party *p, unsigned places, unsigned w_places, bool goes_on,
                            pl_svec *w, pl_svec *e) {
    pl_svec square = {0}, factor = {0};
    pl_status status;
    PL_CHECK(status, pl_mul_fixed(p, e, e, places, &square));
    PL_CHECK(status, pl_add(p, e, &square, &factor));
    PL_CHECK(status, pl_add_constant(p, &factor, ONE(places), &factor));
    PL_CHECK(status,
             multiply_all(p, (const product[]){{w, &factor, w_places, w}, {e, &square, places, e}},
                          goes_on ? 2 : 1));
out:
    pl_svec_done(&square);
    pl_svec_done(&factor);
    return status;
}

/* w (1 + e) with e = 1 - c w exact, at 61 places, below 2^-17: cut to 47, w + w e at 49, and the
 * result at 31. */
static pl_status last_step(pl_party *p, const pl_svec *c, pl_svec *w) {
    pl_svec e = {0};
    pl_status status;
    PL_CHECK(status, pl_mul(p, c, w, &e));
    PL_CHECK(status, subtract_from(p, ONE(61), &e, &e));
    PL_CHECK(status, pl_truncate(p, &e, 14, &e));
    PL_CHECK(status, pl_mul_fixed(p, w, &e, 28, &e));
    PL_CHECK(status, pl_mul_constant(p, w, ONE(19), w));
    PL_CHECK(status, pl_add(p, w, &e, w));
    PL_CHECK(status, pl_truncate(p, w, 18, w));
out:
    pl_svec_done(&e);
    return status;
}

/* 3 (c - 1.082)^2 + 0.99606, 30 places; c has 31. */
static pl_status first_guess(pl_party *p, const pl_svec *c, pl_svec *w) {
    PL_TRY(pl_add_constant(p, c, 0 - fixed(1.082, 31), w));
    PL_TRY(pl_mul_fixed(p, w, w, 32, w));
    PL_TRY(pl_mul_constant(p, w, 3, w));
    return pl_add_constant(p, w, fixed(0.996062, 30), w);
}

/* w = 2^62 / c */
static pl_status invert(pl_party *p, const pl_svec *c, pl_svec *w) {
    pl_svec e = {0};
    pl_status status;
    PL_CHECK(status, first_guess(p, c, w));
    PL_CHECK(status, error_of(p, c, w, &e));
    PL_CHECK(status, step_three(p, 30, 30, false, w, &e));
    PL_CHECK(status, last_step(p, c, w));
out:
    pl_svec_done(&e);
    return status;
}

/* sign is 1 or -1. */
static pl_status sign_of(pl_party *p, const pl_svec *y, pl_svec *sign) {
    pl_svec bits = {0};
    pl_status status;
    PL_CHECK(status, pl_sign(p, y, NULL, 32, &bits));
    PL_CHECK(status, pl_bit_to_arith(p, &bits, PL_ARITH_64, sign));
    PL_CHECK(status, pl_add(p, sign, sign, sign));
    PL_CHECK(status, subtract_from(p, 1, sign, sign));
out:
    pl_svec_done(&bits);
    return status;
}

/* x / y = x w factor / 2^62: first with f - 1 places more than the result has, so that the factor,
 * up to 2^30, does not bring errors up. */
pl_status pl_divide(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned f, pl_svec *out) {
    PL_TRY(check(x, y, f));
    pl_svec sign = {0}, size = {0}, c = {0}, factor = {0}, w = {0}, numerator = {0};
    pl_status status;
    PL_CHECK(status, sign_of(p, y, &sign));
    PL_CHECK(status,
             multiply_two(p, (product){y, &sign, 0, &size}, (product){x, &sign, 0, &numerator}));
    PL_CHECK(status, normalise(p, &size, &c, &factor));
    PL_CHECK(status, invert(p, &c, &w));
    PL_CHECK(status, pl_mul_fixed(p, &numerator, &w, 32 - f, &w));
    PL_CHECK(status, pl_mul_fixed(p, &w, &factor, 30, out));
out:
    pl_svec_done(&sign);
    pl_svec_done(&size);
    pl_svec_done(&c);
    pl_svec_done(&factor);
    pl_svec_done(&w);
    pl_svec_done(&numerator);
    return pl_party_conclude(p, status);
}

static pl_status make_constant(pl_party *p, const pl_svec *like, uint64_t constant, pl_svec *out) {
    PL_TRY(pl_sub(p, like, like, out));
    return pl_add_constant(p, out, constant, out);
}

pl_status pl_reciprocal(pl_party *p, const pl_svec *y, unsigned f, pl_svec *out) {
    PL_TRY(check(y, y, f));
    pl_svec one = {0};
    pl_status status = make_constant(p, y, ONE(f), &one);
    if (pl_is_ok(status))
        status = pl_divide(p, &one, y, f, out);
    pl_svec_done(&one);
    return pl_party_conclude(p, status);
}

/* ---- square root ----
 *
 * x is brought to c in [1/4, 1) by a power of 4; r approaches 1 / sqrt(c) from 2.134 - 1.22 c,
 * whose error of 0.0864 becomes 2^-6.4, 2^-12, 2^-24 and less; g = c r, sqrt(c) in the end, goes
 * along, so that the two do not wait for each other (Goldschmidt 1964). */

/* The highest bit is 2 j or 2 j + 1: 4^(15 - j), and 2^j. */
static uint64_t power_of_four(uint64_t word) {
    uint64_t out = 0;
    for (unsigned j = 0; j < 16; j++)
        out |= ((word >> (2 * j) ^ word >> (2 * j + 1)) & 1) << (30 - 2 * j);
    return out;
}

static uint64_t root_of_power(uint64_t word) {
    uint64_t out = 0;
    for (unsigned j = 0; j < 16; j++)
        out |= ((word >> (2 * j) ^ word >> (2 * j + 1)) & 1) << j;
    return out;
}

/* g and r by (3 - g r) / 2; r, which is not needed after the last step, only if it is not that. */
static pl_status root_step(pl_party *p, pl_svec *g, pl_svec *r, bool is_last) {
    pl_svec t = {0};
    pl_status status;
    PL_CHECK(status, pl_mul_fixed(p, g, r, F, &t));
    PL_CHECK(status, subtract_from(p, 3 * ONE(F), &t, &t));
    const product products[] = {{g, &t, F + 1, g}, {r, &t, F + 1, r}};
    PL_CHECK(status, multiply_all(p, products, is_last ? 1 : 2));
out:
    pl_svec_done(&t);
    return status;
}

#define ROOT_STEPS 4

/* With F places: g = sqrt(c) of c = x power, where 2^30 <= x power < 2^32, or 0. */
static pl_status root_between(pl_party *p, const pl_svec *x, const pl_svec *power, pl_svec *g) {
    pl_svec r = {0};
    pl_status status;
    PL_CHECK(status, pl_mul_constant(p, x, fixed(1.22, F), &r));
    PL_CHECK(status, multiply_two(p, (product){x, power, 32 - F, g}, (product){&r, power, 32, &r}));
    PL_CHECK(status, subtract_from(p, fixed(2.134, F), &r, &r));
    PL_CHECK(status, pl_mul_fixed(p, g, &r, F, g));
    for (size_t i = 1; i <= ROOT_STEPS; i++)
        PL_CHECK(status, root_step(p, g, &r, i == ROOT_STEPS));
out:
    pl_svec_done(&r);
    return status;
}

pl_status pl_sqrt(pl_party *p, const pl_svec *x, unsigned f, pl_svec *out) {
    PL_TRY(check(x, x, f));
    pl_svec bit = {0}, power_bit = {0}, root_bit = {0}, power = {0}, root = {0}, r = {0};
    pl_status status;
    PL_CHECK(status, highest_bit(p, x, &bit));
    PL_CHECK(status, pl_map_words(p, &bit, power_of_four, &power_bit));
    PL_CHECK(status, pl_map_words(p, &bit, root_of_power, &root_bit));
    PL_CHECK(status, two_numbers(p, &power_bit, &power, &root_bit, &root));
    PL_CHECK(status, root_between(p, x, &power, &r));
    if (f % 2 != 0) {
        PL_CHECK(status, pl_mul_constant(p, &r, fixed(1.4142135623730951, F), &r));
        PL_CHECK(status, pl_truncate(p, &r, F, &r));
    }
    PL_CHECK(status, pl_mul_fixed(p, &r, &root, F - 1 - f / 2, out)); /* 2^(j + 1 + f / 2) */
out:
    pl_svec_done(&bit);
    pl_svec_done(&power_bit);
    pl_svec_done(&root_bit);
    pl_svec_done(&power);
    pl_svec_done(&root);
    pl_svec_done(&r);
    return pl_party_conclude(p, status);
}

/* ---- polynomials ----
 *
 * All powers of z, in log2(degree) levels, then a sum with public coefficients that is truncated
 * once: as many truncations as Horner's rule has, without its waits. */

#define DEGREE_MAX 10

/* powers[i] = z^i, 2 <= i <= degree, from powers[1] = z: every level doubles how many there are. */
static pl_status make_powers(pl_party *p, pl_svec *powers, size_t degree) {
    for (size_t have = 1; have < degree; have *= 2) {
        product level[PRODUCTS_MAX];
        size_t n = 0;
        for (size_t i = 1; i <= have && have + i <= degree; i++)
            level[n++] = (product){&powers[have], &powers[i], F, &powers[have + i]};
        PL_TRY(multiply_all(p, level, n));
    }
    return PL_OK;
}

/* out = offset + sum of coefficients[i] z^i, F places, |z| <= 1; offset, and the sum before it is
 * truncated, have 2 F. */
static pl_status polynomial(pl_party *p, const double *coefficients, size_t n, const pl_svec *z,
                            const pl_svec *offset, pl_svec *out) {
    pl_svec powers[DEGREE_MAX + 1] = {{.n = 0}}, sum = {0};
    pl_status status;
    PL_ASSERT(n <= DEGREE_MAX + 1);
    PL_CHECK(status, pl_svec_dup(z, &powers[1]));
    PL_CHECK(status, make_powers(p, powers, n - 1));
    PL_CHECK(status, pl_add_constant(p, offset, fixed(coefficients[0], F) << F, &sum));
    for (size_t i = 1; i < n; i++) {
        PL_CHECK(status, pl_mul_constant(p, &powers[i], fixed(coefficients[i], F), &powers[i]));
        PL_CHECK(status, pl_add(p, &sum, &powers[i], &sum));
    }
    PL_CHECK(status, pl_truncate(p, &sum, F, out));
out:
    for (size_t i = 0; i < n; i++)
        pl_svec_done(&powers[i]);
    pl_svec_done(&sum);
    return status;
}

/* ---- logarithm ----
 *
 * x = c 2^k with c in [1/2, 1): ln x = ln c + k ln 2. The polynomial, in z = 4 c - 3, interpolates
 * at Chebyshev's points: error 6.1e-9. */

static const double log_coefficients[] = {-0.28768207666117246,    0.33333333461362563,
                                          -0.05555534547843792,    0.012345615118809961,
                                          -0.0030880839249061154,  0.00082355134203404578,
                                          -0.00022406427021763877, 6.3934974500945435e-05,
                                          -2.4015301762148058e-05, 7.1528166294854147e-06};

/* k = 1 + the place of the only bit, as a number in binary. */
static uint64_t place_of_bit(uint64_t word) {
    uint64_t out = 0;
    for (unsigned i = 0; i < 31; i++)
        out ^= (0 - (word >> i & 1)) & (i + 1);
    return out;
}

pl_status pl_log(pl_party *p, const pl_svec *x, unsigned f, pl_svec *out) {
    PL_TRY(check(x, x, f));
    pl_svec bit = {0}, k_bits = {0}, factor_bits = {0}, k = {0}, factor = {0}, z = {0}, r = {0};
    pl_status status;
    PL_CHECK(status, highest_bit(p, x, &bit));
    PL_CHECK(status, pl_map_words(p, &bit, place_of_bit, &k_bits));
    PL_CHECK(status, pl_map_words(p, &bit, reverse_31, &factor_bits));
    PL_CHECK(status, two_numbers(p, &k_bits, &k, &factor_bits, &factor));
    PL_CHECK(status, pl_mul_fixed(p, x, &factor, 31 - 2 - F, &z)); /* 4 c */
    PL_CHECK(status, pl_add_constant(p, &z, 0 - 3 * ONE(F), &z));
    PL_CHECK(status, pl_add_constant(p, &k, 0 - (uint64_t)f, &k));
    PL_CHECK(status, pl_mul_constant(p, &k, fixed(0.69314718055994531, 2 * F), &k));
    PL_CHECK(status, polynomial(p, log_coefficients,
                                sizeof log_coefficients / sizeof log_coefficients[0], &z, &k, &r));
    if (f < F)
        PL_CHECK(status, pl_truncate(p, &r, F - f, out));
    else
        PL_CHECK(status, pl_mul_constant(p, &r, ONE(f - F), out));
out:
    pl_svec_done(&bit);
    pl_svec_done(&k_bits);
    pl_svec_done(&factor_bits);
    pl_svec_done(&k);
    pl_svec_done(&factor);
    pl_svec_done(&z);
    pl_svec_done(&r);
    return pl_party_conclude(p, status);
}

/* ---- exponential ----
 *
 * e^x = 2^(n + r) with r in [0, 1): 2^r by a polynomial in z = 2 r - 1 (error 2.8e-9), 2^n from the
 * bits of n. */

static const double exp_coefficients[] = {
    1.4142135623730949,     0.49012909022008688,    0.084932896846137362,  0.0098116850494559694,
    0.00085012413740250176, 5.9222085221069923e-05, 3.4165288733995728e-06};
#define EXPONENT_BITS 6

/* factors[i] = 1 + b_i (2^(2^i) - 1), of the bits of 0 <= n < 2^EXPONENT_BITS. */
static pl_status factors_of(pl_party *p, const pl_svec *n, pl_svec factors[EXPONENT_BITS]) {
    pl_svec words = {0}, bits[EXPONENT_BITS] = {{.n = 0}};
    pl_status status;
    PL_CHECK(status, pl_words(p, n, EXPONENT_BITS, &words));
    for (unsigned i = 0; i < EXPONENT_BITS; i++)
        PL_CHECK(status, pl_bit_of_words(p, &words, i, &bits[i]));
    PL_CHECK(status, pl_together_begin(p));
    for (unsigned i = 0; i < EXPONENT_BITS && pl_is_ok(status); i++)
        status = pl_bit_to_arith(p, &bits[i], PL_ARITH_64, &factors[i]);
    PL_CHECK(status, pl_together_end(p, status));
    for (unsigned i = 0; i < EXPONENT_BITS; i++) {
        PL_CHECK(status, pl_mul_constant(p, &factors[i], ONE(1u << i) - 1, &factors[i]));
        PL_CHECK(status, pl_add_constant(p, &factors[i], 1, &factors[i]));
    }
out:
    pl_svec_done(&words);
    for (unsigned i = 0; i < EXPONENT_BITS; i++)
        pl_svec_done(&bits[i]);
    return status;
}

/* power = 2^n for 0 <= n < 2^EXPONENT_BITS: the product of the factors, pair by pair. */
static pl_status power_of_two(pl_party *p, const pl_svec *n, pl_svec *power) {
    pl_svec factors[EXPONENT_BITS] = {{.n = 0}};
    pl_status status = factors_of(p, n, factors);
    for (unsigned left = EXPONENT_BITS; left > 1 && pl_is_ok(status); left -= left / 2) {
        product level[EXPONENT_BITS];
        for (unsigned i = 0; i < left / 2; i++)
            level[i] = (product){&factors[i], &factors[left - 1 - i], 0, &factors[i]};
        status = multiply_all(p, level, left / 2);
    }
    if (pl_is_ok(status))
        pl_svec_take(power, &factors[0]);
    for (unsigned i = 0; i < EXPONENT_BITS; i++)
        pl_svec_done(&factors[i]);
    return status;
}

/* Where t, F places, is below limit, t becomes limit. */
static pl_status raise_to(pl_party *p, uint64_t limit, pl_svec *t) {
    pl_svec below = {0}, floor = {0};
    pl_status status;
    PL_CHECK(status, make_constant(p, t, limit, &floor));
    PL_CHECK(status, pl_sign(p, t, &floor, 64, &below));
    PL_CHECK(status, pl_choose(p, &below, &floor, t, t));
out:
    pl_svec_done(&below);
    pl_svec_done(&floor);
    return status;
}

/* x with f places -> e^x with g places. So far down that nothing is left, n stops: 2^n is then 2^-2
 * of the last place. */
static pl_status exponential(pl_party *p, const pl_svec *x, unsigned f, unsigned g, pl_svec *out) {
    pl_svec t = {0}, n = {0}, power = {0}, z = {0};
    uint64_t lowest = g + 2;
    pl_status status;
    PL_CHECK(status, pl_mul_constant(p, x, fixed(1.4426950408889634, F), &t));
    PL_CHECK(status, pl_truncate(p, &t, f, &t));
    PL_CHECK(status, raise_to(p, 0 - (lowest << F), &t));
    PL_CHECK(status, pl_truncate(p, &t, F, &n));
    PL_CHECK(status, pl_mul_constant(p, &n, 0 - ONE(F), &z));
    PL_CHECK(status, pl_add(p, &t, &z, &z)); /* r */
    PL_CHECK(status, pl_add(p, &z, &z, &z));
    PL_CHECK(status, pl_add_constant(p, &z, 0 - ONE(F), &z));
    PL_CHECK(status, make_constant(p, &z, 0, &t));
    PL_CHECK(status, polynomial(p, exp_coefficients,
                                sizeof exp_coefficients / sizeof exp_coefficients[0], &z, &t, &t));
    PL_CHECK(status, pl_add_constant(p, &n, lowest, &n));
    PL_CHECK(status, power_of_two(p, &n, &power));
    PL_CHECK(status, pl_mul_fixed(p, &t, &power, F + 2, out));
out:
    pl_svec_done(&t);
    pl_svec_done(&n);
    pl_svec_done(&power);
    pl_svec_done(&z);
    return status;
}

pl_status pl_exp(pl_party *p, const pl_svec *x, unsigned f, pl_svec *out) {
    PL_TRY(check(x, x, f));
    return pl_party_conclude(p, exponential(p, x, f, f, out));
}

/* ---- sigmoid ----
 *
 * s = 1 / (1 + e^-|x|), and 1 - s where x is negative. The denominator is in (1, 2]: no
 * normalising. */

/* With F places: out = 1 / d, from 2 * 1.4571 - d, which has one place more, by two steps of third
 * order. */
static pl_status invert_between(pl_party *p, const pl_svec *d, pl_svec *out) {
    pl_svec e = {0};
    pl_status status;
    PL_CHECK(status, subtract_from(p, fixed(1.4571067811865475, F + 1), d, out));
    PL_CHECK(status, pl_mul_fixed(p, d, out, F + 1, &e));
    PL_CHECK(status, subtract_from(p, ONE(F), &e, &e));
    PL_CHECK(status, step_three(p, F, F + 1, true, out, &e));
    PL_CHECK(status, step_three(p, F, F, false, out, &e));
out:
    pl_svec_done(&e);
    return status;
}

pl_status pl_sigmoid(pl_party *p, const pl_svec *x, unsigned f, pl_svec *out) {
    PL_TRY(check(x, x, f));
    pl_svec sign = {0}, size = {0}, s = {0};
    pl_status status;
    PL_CHECK(status, sign_of(p, x, &sign));
    PL_CHECK(status, pl_mul(p, x, &sign, &size));
    PL_CHECK(status, pl_neg(p, &size, &size));
    PL_CHECK(status, exponential(p, &size, f, F, &size));
    PL_CHECK(status, pl_add_constant(p, &size, ONE(F), &size));
    PL_CHECK(status, invert_between(p, &size, &s));
    /* 1/2 + sign (s - 1/2) */
    PL_CHECK(status, pl_add_constant(p, &s, 0 - ONE(F - 1), &s));
    if (f < F) {
        PL_CHECK(status, pl_mul_fixed(p, &s, &sign, F - f, &s));
    } else {
        PL_CHECK(status, pl_mul(p, &s, &sign, &s));
        PL_CHECK(status, pl_mul_constant(p, &s, ONE(f - F), &s));
    }
    PL_CHECK(status, pl_add_constant(p, &s, ONE(f - 1), out));
out:
    pl_svec_done(&sign);
    pl_svec_done(&size);
    pl_svec_done(&s);
    return pl_party_conclude(p, status);
}
