/* Functions of fixed-point numbers and whole division, over rep3 and plain, against long double and
 * integer arithmetic: random and edge values over the whole stated range, for few and many places.
 * Wrong if the long double functions were off by as much as the stated bounds. */
#include "tests/unit/party_fixture.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define N 1200

typedef enum function { DIVIDE, RECIPROCAL, SQRT, LOG, EXP, SIGMOID, WHOLE, WHOLE_PUBLIC } function;
static const char *const names[] = {"divide", "reciprocal", "sqrt",  "log",
                                    "exp",    "sigmoid",    "whole", "whole by a public number"};

typedef struct calculation {
    function what;
    unsigned f; /* of whole divisions: bits */
    uint64_t divisor;
    uint64_t x[N], y[N], out[N];
} calculation;

static pl_status apply(pl_party *p, const calculation *c, pl_svec *x, const pl_svec *y) {
    switch (c->what) {
    case DIVIDE:
        return pl_divide(p, x, y, c->f, x);
    case RECIPROCAL:
        return pl_reciprocal(p, y, c->f, x);
    case SQRT:
        return pl_sqrt(p, x, c->f, x);
    case LOG:
        return pl_log(p, x, c->f, x);
    case EXP:
        return pl_exp(p, x, c->f, x);
    case SIGMOID:
        return pl_sigmoid(p, x, c->f, x);
    case WHOLE:
        return pl_divide_integer(p, x, y, c->f, x);
    case WHOLE_PUBLIC:
        return pl_divide_public(p, x, c->divisor, x);
    }
    return PL_OK;
}

static pl_status calculate(pl_party *p, void *ctx) {
    calculation *c = ctx;
    size_t rank = pl_party_rank(p), n_parties = pl_party_n_parties(p), last = n_parties - 1;
    pl_svec x = {0}, y = {0};
    pl_status status;
    PL_CHECK(status, pl_input(p, last, PL_ARITH_64, N, rank == last ? c->x : NULL, &x));
    PL_CHECK(status, pl_input(p, 0, PL_ARITH_64, N, rank == 0 ? c->y : NULL, &y));
    if (pl_party_computes(p))
        PL_CHECK(status, apply(p, c, &x, &y));
    PL_CHECK(status, pl_open(p, &x, PL_ARITH_64, N, 1, "test", c->out));
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    return status;
}

static int64_t as_signed(uint64_t value) {
    return (int64_t)value;
}

/* A number of at most `bits` bits, of any size: as many small ones as large ones; now and then an
 * edge. */
static uint64_t up_to(uint64_t random, size_t i, unsigned bits) {
    uint64_t max = (UINT64_C(1) << bits) - 1;
    switch (i % 16) {
    case 0:
        return 0;
    case 1:
        return max;
    case 2:
        return 1;
    case 3:
        return UINT64_C(1) << random % bits;
    case 4:
        return (UINT64_C(1) << random % bits) - 1;
    default:
        return (random & max) >> random % 7 * bits / 8;
    }
}

static long double number(uint64_t value, unsigned f) {
    return ldexpl((long double)as_signed(value), -(int)f);
}

/* Puts x and y within the range of the function. */
static void fit(calculation *c, size_t i) {
    uint64_t x = c->x[i], y = c->y[i];
    bool minus_x = (x >> 63) != 0, minus_y = (y >> 63) != 0;
    c->x[i] = up_to(x, i, c->what == WHOLE ? c->f : c->what == WHOLE_PUBLIC ? 31 : 30);
    c->y[i] = up_to(y, i / 16 + i % 16, c->what == WHOLE ? c->f : 31);
    if (c->what == RECIPROCAL)
        c->x[i] = UINT64_C(1) << c->f;
    if (c->what == DIVIDE || c->what == RECIPROCAL) { /* the quotient has to fit */
        while (c->y[i] != 0 && (c->x[i] << c->f) / c->y[i] >= UINT64_C(1) << 31)
            c->y[i] *= 2;
        c->y[i] = minus_y ? 0 - c->y[i] : c->y[i];
    }
    if (c->what == SQRT || c->what == LOG)
        c->x[i] = 2 * c->x[i] + (i % 16 != 0);
    if (c->what == LOG && c->x[i] == 0)
        c->x[i] = 1;
    if (c->what == EXP) { /* e^x below 2^30 units */
        long double limit = logl(2) * (30 - (int)c->f) - ldexpl(1, -(int)c->f);
        while (!minus_x && number(c->x[i], c->f) >= limit)
            c->x[i] /= 2;
    }
    if ((c->what == DIVIDE || c->what == EXP || c->what == SIGMOID) && minus_x)
        c->x[i] = 0 - c->x[i];
}

static long double expected(const calculation *c, size_t i) {
    long double x = number(c->x[i], c->f), y = number(c->y[i], c->f);
    switch (c->what) {
    case DIVIDE:
    case RECIPROCAL:
        return c->y[i] == 0 ? 0 : x / y;
    case SQRT:
        return sqrtl(x);
    case LOG:
        return logl(x);
    case EXP:
        return expl(x);
    default:
        return 1 / (1 + expl(-x));
    }
}

static long double bound(const calculation *c, long double want) {
    long double ulp = ldexpl(1, -(int)c->f), size = fabsl(want);
    switch (c->what) {
    case DIVIDE:
    case RECIPROCAL:
        return 3 * ulp + ldexpl(size, -30);
    case SQRT:
    case EXP:
        return 2 * ulp + ldexpl(size, -24);
    default:
        return 2 * ulp + ldexpl(1, -24);
    }
}

static const fixture_set rep3 = {"rep3", 4, {2, 0, 1}, 3, {0, 0}};
static const fixture_set plain = {"plain", 2, {1}, 1, {0, 0}};
static const fixture_set far = {"rep3", 3, {0, 1, 2}, 3, {40000, 1.25e7}};
static calculation c;
static size_t n_checked;

static void prepare(function what, unsigned f) {
    c.what = what;
    c.f = f;
    fixture_values(PL_ARITH_64, 10 * f + what, c.x, N);
    fixture_values(PL_ARITH_64, 10 * f + what + 1000, c.y, N);
    for (size_t i = 0; i < N; i++)
        fit(&c, i);
}

static long double check(const fixture_set *set, function what, unsigned f) {
    long double worst = 0;
    prepare(what, f);
    fixture_ok(fixture_run(set, calculate, &c));
    for (size_t i = 0; i < N; i++) {
        long double want = expected(&c, i), got = number(c.out[i], f);
        long double error = fabsl(got - want) / bound(&c, want);
        worst = error > worst ? error : worst;
        if (error > 1)
            fail_msg("%s, %s, %u places: of %lld and %lld it gives %.12Lg, not %.12Lg", set->scheme,
                     names[what], f, (long long)as_signed(c.x[i]), (long long)as_signed(c.y[i]),
                     got, want);
        n_checked++;
    }
    return worst;
}

static void over_the_whole_range(void **state) {
    (void)state;
    static const unsigned places[] = {1, 8, 15, 16, 20, 28, 29};
    for (function what = DIVIDE; what <= SIGMOID; what++) {
        long double worst = 0;
        for (size_t i = 0; i < sizeof places / sizeof places[0]; i++) {
            long double here = check(&plain, what, places[i]);
            worst = here > worst ? here : worst;
            here = check(&rep3, what, places[i]);
            worst = here > worst ? here : worst;
        }
        printf("%-10s largest error: %.2Lf of what is stated\n", names[what], worst);
    }
}

static void over_a_long_link(void **state) {
    (void)state;
    for (function what = DIVIDE; what <= SIGMOID; what++)
        check(&far, what, 16);
}

static void whole(const fixture_set *set, unsigned bits) {
    prepare(WHOLE, bits);
    fixture_ok(fixture_run(set, calculate, &c));
    for (size_t i = 0; i < N; i++) {
        uint64_t want = c.y[i] == 0 ? (UINT64_C(1) << bits) - 1 : c.x[i] / c.y[i];
        if (c.out[i] != want)
            fail_msg("%s: %llu / %llu, %u bits, gives %llu", set->scheme,
                     (unsigned long long)c.x[i], (unsigned long long)c.y[i], bits,
                     (unsigned long long)c.out[i]);
        n_checked++;
    }
}

static void whole_division(void **state) {
    (void)state;
    static const unsigned widths[] = {1, 2, 31, 40, 62};
    for (size_t i = 0; i < sizeof widths / sizeof widths[0]; i++) {
        whole(&plain, widths[i]);
        whole(&rep3, widths[i]);
    }
}

static void whole_division_by_public_numbers(void **state) {
    (void)state;
    static const uint64_t divisors[] = {1, 2, 3, 7, 10, 1000003, (1u << 30) + 1, (1u << 31) - 1};
    for (size_t k = 0; k < sizeof divisors / sizeof divisors[0]; k++) {
        c.divisor = divisors[k];
        prepare(WHOLE_PUBLIC, 31);
        fixture_ok(fixture_run(&rep3, calculate, &c));
        for (size_t i = 0; i < N; i++)
            assert_true(c.out[i] == c.x[i] / c.divisor);
    }
}

static void values_were_checked(void **state) {
    (void)state;
    printf("%zu values checked\n", n_checked);
    assert_true(n_checked > 50000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(over_the_whole_range), cmocka_unit_test(over_a_long_link),
        cmocka_unit_test(whole_division),       cmocka_unit_test(whole_division_by_public_numbers),
        cmocka_unit_test(values_were_checked),
    };
    return cmocka_run_group_tests_name("fixed", tests, NULL, NULL);
}
