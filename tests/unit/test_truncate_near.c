/* Probabilistic truncation: a whole number stays, anything else becomes one of its two neighbours,
 * over the whole range |z| < 2^62 and for every distance; and as often the upper one as the
 * fraction says, so that errors cancel out. Wrong if it were always the lower one: of values half
 * way about half must go up. plain gives the lower one. */
#include "tests/unit/party_fixture.h"

#include <math.h>
#include <string.h>

#define N 6000
#define EDGE (INT64_C(1) << 62)

static const fixture_set rep3 = {"rep3", 3, {1, 2, 0}, 3, {0, 0}};
static const fixture_set far = {"rep3", 3, {0, 1, 2}, 3, {40000, 1.25e7}};
static const fixture_set plain = {"plain", 1, {0}, 1, {0, 0}};

typedef struct truncated {
    unsigned f;
    bool is_product;
    int64_t x[N], y[N], out[N];
} truncated;

static pl_status truncate_all(pl_party *p, void *ctx) {
    truncated *t = ctx;
    pl_svec x = {0}, y = {0}, out = {0};
    bool owner = pl_party_rank(p) == 0;
    pl_status status;
    PL_CHECK(status, pl_input(p, 0, PL_ARITH_64, N, owner ? t->x : NULL, &x));
    PL_CHECK(status, pl_input(p, 0, PL_ARITH_64, N, owner ? t->y : NULL, &y));
    if (t->is_product)
        PL_CHECK(status, pl_mul_fixed_probabilistic(p, &x, &y, t->f, &out));
    else
        PL_CHECK(status, pl_truncate_probabilistic(p, &x, t->f, &out));
    PL_CHECK(status, pl_open(p, &out, PL_ARITH_64, N, 1, "a test", owner ? t->out : NULL));
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&out);
    return status;
}

static int64_t floor_shift(int64_t value, unsigned distance) {
    int64_t step = INT64_C(1) << distance;
    return value / step - (value % step < 0);
}

static size_t n_up;

/* How much more than the number itself the result is, in units. */
static double check(const fixture_set *set, const truncated *t, size_t i) {
    int64_t z = t->is_product ? t->x[i] * t->y[i] : t->x[i], low = floor_shift(z, t->f);
    int64_t rest = z - (int64_t)((uint64_t)low << t->f), more = t->out[i] - low;
    if (more != 0 && (more != 1 || rest == 0 || set == &plain))
        fail_msg("%s: %lld by %u bits becomes %lld, not %lld", set->scheme, (long long)z, t->f,
                 (long long)t->out[i], (long long)low);
    n_up += more != 0;
    return (double)more - ldexp((double)rest, -(int)t->f);
}

/* Errors of one truncation lie in (-1, 1), and their variance is at most 1/4. */
static void check_all(const fixture_set *set, truncated *t) {
    double sum = 0;
    fixture_ok(fixture_run(set, truncate_all, t));
    for (size_t i = 0; i < N; i++)
        sum += check(set, t, i);
    if (set != &plain && fabs(sum) > 8 * 0.5 * sqrt(N))
        fail_msg("%u bits: %d results are %g units too much together", t->f, N, sum);
}

/* Close to both ends, to zero and to whole numbers, and anywhere. */
static int64_t number(uint64_t any, size_t i, unsigned f) {
    int64_t small = (int64_t)(any % 9) - 4, whole = (int64_t)(any >> 4 << f) / 4;
    switch (i % 5) {
    case 0:
        return EDGE - 1 - (int64_t)(any % 5);
    case 1:
        return 1 - EDGE + (int64_t)(any % 5);
    case 2:
        return small;
    case 3:
        return (whole + small) % EDGE;
    default:
        return (int64_t)any % EDGE;
    }
}

static const fixture_set *const sets[] = {&rep3, &far, &plain};

static void whole_range(void **state) {
    (void)state;
    static truncated t;
    static uint64_t any[N];
    for (unsigned f = 1; f <= 32; f += f == 1 || f == 31 ? 1 : f < 20 ? 6 : 11) {
        fixture_values(PL_ARITH_64, f, any, N);
        t = (truncated){.f = f};
        for (size_t i = 0; i < N; i++)
            t.x[i] = number(any[i], i, f);
        for (size_t s = 0; s < 3; s++)
            check_all(sets[s], &t);
    }
}

static void products(void **state) {
    (void)state;
    static truncated t;
    static uint64_t any[2][N];
    for (size_t k = 0; k < 2; k++)
        fixture_values(PL_ARITH_64, 100 + k, any[k], N);
    t = (truncated){.f = 20, .is_product = true};
    for (size_t i = 0; i < N; i++) {
        t.x[i] = (int64_t)any[0][i] >> 33;
        t.y[i] = (int64_t)any[1][i] >> (33 + i % 20);
    }
    for (size_t s = 0; s < 3; s++)
        check_all(sets[s], &t);
}

/* Half way: as often up as down, within 8 standard deviations. */
static void half_way(void **state) {
    (void)state;
    static truncated t;
    t = (truncated){.f = 13};
    for (size_t i = 0; i < N; i++)
        t.x[i] = ((int64_t)i - N / 2) * 8192 + 4096;
    n_up = 0;
    check_all(&rep3, &t);
    assert_true(fabs((double)n_up - N / 2.0) < 8 * 0.5 * sqrt(N));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(whole_range), cmocka_unit_test(products),
                                       cmocka_unit_test(half_way)};
    return cmocka_run_group_tests_name("truncate_near", tests, NULL, NULL);
}
