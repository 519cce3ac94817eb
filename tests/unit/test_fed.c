/* The arithmetic of federated averaging: fixed point against its stated error, moments against long
 * arithmetic, the update against the loss's own differences, AUC on shares against counting every
 * pair, the secure sum with owners inside and outside the compute set. Wrong if a mistake is made
 * here as well; the whole is held against plain Python in tests/oracle/train.py. */
#include "protocols/fed/aggregate.h"
#include "protocols/fed/auc.h"
#include "protocols/fed/fixed.h"
#include "protocols/fed/logistic.h"
#include "tests/unit/party_fixture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define CASES 1000

static uint64_t state_of_random;

static double uniform(double low, double high) {
    state_of_random += UINT64_C(0x9E3779B97F4A7C15);
    uint64_t v = state_of_random;
    v = (v ^ (v >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    v = (v ^ (v >> 27)) * UINT64_C(0x94D049BB133111EB);
    return low + (high - low) * ldexp((double)((v ^ (v >> 31)) >> 11), -53);
}

/* ---- fixed point ---- */

static void test_fixed_roundtrip(void **state) {
    (void)state;
    for (int i = 0; i < CASES; i++) {
        double bound = exp2(uniform(-10, 45)), x = uniform(-bound, bound), back;
        unsigned bits;
        uint64_t encoded;
        fixture_ok(pl_fixed_bits(bound, &bits));
        assert_in_range(bits, PL_FIXED_BITS_MIN, PL_FIXED_BITS_MAX);
        assert_true(ldexp(bound, (int)bits) < 0x1p62);
        assert_true(bits == PL_FIXED_BITS_MAX || ldexp(bound, (int)bits + 1) >= 0x1p62);
        fixture_ok(pl_fixed_encode(&x, 1, bits, bound, &encoded));
        pl_fixed_decode(&encoded, 1, bits, &back);
        assert_true(fabs(back - x) <= ldexp(1, -(int)bits - 1) + fabs(x) * 0x1p-53);
    }
}

static void test_fixed_refusals(void **state) {
    (void)state;
    static const double BAD[] = {1.5, -1.5, INFINITY, -INFINITY, NAN};
    unsigned bits;
    uint64_t out;
    for (size_t i = 0; i < 5; i++)
        fixture_fails(pl_fixed_encode(&BAD[i], 1, 40, 1, &out), PL_OUT_OF_RANGE, "plan promised");
    fixture_fails(pl_fixed_bits(0x1p46, &bits), PL_OUT_OF_RANGE, "fewer than 16 bits");
    fixture_fails(pl_fixed_bits(INFINITY, &bits), PL_OUT_OF_RANGE, "no bound");
    fixture_fails(pl_fixed_bits(NAN, &bits), PL_OUT_OF_RANGE, "no bound");
    fixture_fails(pl_fixed_encode((double[]){1}, 1, 40, 0x1p30, &out), PL_OUT_OF_RANGE, "");
}

/* ---- moments ---- */

/* Around any mean and of any spread: variance is exact to the last bits, where the textbook's
 * difference of squares in doubles has lost everything. */
static void test_moments(void **state) {
    (void)state;
    for (int i = 0; i < CASES; i++) {
        enum { N = 50 };
        double centre = rint(uniform(-0x1p40, 0x1p40)), spread = rint(exp2(uniform(0, 39)));
        double middle = uniform(-100, 100), half = exp2(uniform(-20, 20)), mean, deviation;
        pl_s128 sum = 0, squares = 0;
        long double m = 0, s = 0, q[N];
        for (size_t k = 0; k < N; k++) {
            pl_s128 value = (pl_s128)rint(centre + uniform(-spread, spread));
            q[k] = (long double)value;
            sum += value;
            squares += value * value;
            m += q[k] / N;
        }
        for (size_t k = 0; k < N; k++)
            s += (q[k] - m) * (q[k] - m) / N;
        long double unit = ldexpl((long double)half, -PL_MOMENT_BITS);
        pl_moments_scale(N, sum, squares, middle, half, &mean, &deviation);
        assert_true(fabsl(mean - (middle + unit * m)) <= 1e-15L * (100 + fabsl(unit * m)));
        assert_true(fabsl(deviation - unit * sqrtl(s)) <= 1e-12L * unit * sqrtl(s));
    }
    double mean, deviation;
    pl_moments_scale(7, 7 * (pl_s128)-12345, 7 * (pl_s128)12345 * 12345, 1, 2, &mean, &deviation);
    assert_true(deviation == 0);
}

/* ---- the local step ---- */

typedef struct sample {
    double z[40 * 3];
    uint8_t y[40];
    pl_logistic_rows rows;
} sample;

static void make_sample(sample *s, size_t n) {
    for (size_t i = 0; i < n * 3; i++)
        s->z[i] = uniform(-2, 2);
    for (size_t i = 0; i < n; i++)
        s->y[i] = uniform(0, 1) > 0.4;
    s->rows = (pl_logistic_rows){s->z, s->y, n, 3};
}

static double objective(const pl_logistic_rows *rows, const double *w, double l2) {
    pl_logistic_score score;
    pl_logistic_score_rows(rows, w, &score);
    return score.loss + (double)rows->n * l2 / 2 * (w[0] * w[0] + w[1] * w[1] + w[2] * w[2]);
}

static void test_update_is_the_gradient(void **state) {
    (void)state;
    sample s;
    for (int i = 0; i < CASES; i++) {
        double w[4], update[4], rate = uniform(0.01, 1), l2 = uniform(0, 1), h = 1e-5;
        make_sample(&s, 1 + (size_t)uniform(0, 39));
        for (size_t k = 0; k < 4; k++)
            w[k] = uniform(-3, 3);
        pl_logistic_update(&s.rows, w, rate, l2, update);
        for (size_t k = 0; k < 4; k++) {
            double at = w[k], up, down;
            w[k] = at + h;
            up = objective(&s.rows, w, l2);
            w[k] = at - h;
            down = objective(&s.rows, w, l2);
            w[k] = at;
            assert_true(fabs(update[k] + rate * (up - down) / (2 * h)) < 1e-6 * (double)s.rows.n);
        }
    }
}

static void test_scores_at_the_ends(void **state) {
    (void)state;
    const double z[] = {1e6, -1e6}, w[] = {1, 0};
    const uint8_t right[] = {1, 0}, wrong[] = {0, 1};
    pl_logistic_score score;
    pl_logistic_score_rows(&(pl_logistic_rows){z, right, 2, 1}, w, &score);
    assert_true(score.loss == 0 && score.correct == 2);
    pl_logistic_score_rows(&(pl_logistic_rows){z, wrong, 2, 1}, w, &score);
    assert_true(score.loss == 2 * PL_LOGISTIC_LOSS_MAX && score.correct == 0);
    pl_logistic_score_rows(&(pl_logistic_rows){z, right, 0, 1}, w, &score);
    assert_true(score.loss == 0 && score.correct == 0);
}

static void test_error_bound(void **state) {
    (void)state;
    pl_logistic_run run = {.d = 3,
                           .n_owners = 3,
                           .n_rows = 100,
                           .rounds = 10,
                           .learning_rate = 0.1,
                           .l2 = 0.1,
                           .update_bits = 40,
                           .coarseness = 100,
                           .norm = 1};
    double few = pl_logistic_error(&run);
    run.update_bits = 20;
    double coarse = pl_logistic_error(&run);
    assert_true(few > 0 && few < 1e-6 && coarse > 100 * few);
    /* Three owners, each half a unit off in each of four coordinates, over 100 rows, ten times. */
    assert_true(coarse > 10 * 2 * 3 * 0x1p-21 / 100 && coarse < 1.1 * 10 * 2 * 3 * 0x1p-21 / 100);
    run.learning_rate = pl_logistic_rate_max(3, 0.1) * 1.001;
    assert_true(pl_logistic_error(&run) < 0);
}

/* ---- AUC and the secure sum ---- */

#define OWNERS 3
#define SCORES 60

typedef struct histogram {
    double logit[OWNERS][SCORES];
    bool positive[OWNERS][SCORES];
    uint64_t values[OWNERS][PL_AUC_VALUES];
    size_t owners[OWNERS];
    uint64_t opened[2], rounds;
} histogram;

static pl_status auc_program(pl_party *p, void *ctx) {
    histogram *h = ctx;
    pl_svec sum = {0}, out = {0};
    const uint64_t *own = NULL;
    uint64_t opened[2];
    for (size_t j = 0; j < OWNERS; j++)
        own = h->owners[j] == pl_party_rank(p) ? h->values[j] : own;
    pl_status status;
    PL_CHECK(status, pl_fed_sum(p, h->owners, OWNERS, PL_ARITH_64, PL_AUC_VALUES, own, &sum));
    if (pl_party_computes(p))
        PL_CHECK(status, pl_auc(p, &sum, &out));
    PL_CHECK(status,
             pl_open(p, pl_party_computes(p) ? &out : NULL, PL_ARITH_64, 2, 2, "a test", opened));
    if (pl_party_rank(p) == 1)
        memcpy(h->opened, opened, sizeof opened);
out:
    pl_svec_done(&sum);
    pl_svec_done(&out);
    return status;
}

static void make_scores(histogram *h, double width) {
    uint64_t *bins = calloc(2 * PL_AUC_BINS, sizeof *bins);
    assert_non_null(bins);
    for (size_t j = 0; j < OWNERS; j++) {
        memset(bins, 0, 2 * PL_AUC_BINS * sizeof *bins);
        for (size_t i = 0; i < SCORES; i++) {
            h->logit[j][i] = uniform(-width, width);
            h->positive[j][i] = h->logit[j][i] + uniform(-width, width) > 0;
            bins[(h->positive[j][i] ? 0 : PL_AUC_BINS) + pl_auc_bin(h->logit[j][i])]++;
        }
        pl_auc_values(bins, bins + PL_AUC_BINS, h->values[j]);
    }
    free(bins);
}

/* Counts every pair; out_close: pairs that fall into one bin. */
static double exact_auc(const histogram *h, double *out_pairs, double *out_close) {
    double wins = 0;
    *out_pairs = *out_close = 0;
    for (size_t a = 0; a < OWNERS * SCORES; a++)
        for (size_t b = 0; b < OWNERS * SCORES; b++) {
            double p = h->logit[a / SCORES][a % SCORES], n = h->logit[b / SCORES][b % SCORES];
            if (!h->positive[a / SCORES][a % SCORES] || h->positive[b / SCORES][b % SCORES])
                continue;
            wins += (p > n) + 0.5 * (p == n);
            *out_pairs += 1;
            *out_close += pl_auc_bin(p) == pl_auc_bin(n);
        }
    return wins / *out_pairs;
}

static void check_auc(const fixture_set *set, const size_t owners[OWNERS], double width) {
    histogram *h = calloc(1, sizeof *h);
    assert_non_null(h);
    memcpy(h->owners, owners, sizeof h->owners);
    make_scores(h, width);
    fixture_ok(fixture_run(set, auc_program, h));
    double pairs, close, exact = exact_auc(h, &pairs, &close);
    assert_true((double)h->opened[1] == close);
    double auc = (double)h->opened[0] / (2 * pairs), error = (double)h->opened[1] / (2 * pairs);
    assert_true(fabs(auc - exact) <= error + 1e-12);
    free(h);
}

static void test_auc(void **state) {
    (void)state;
    const fixture_set plain = {"plain", 4, {2}, 1, {0, 0}},
                      rep3 = {"rep3", 5, {2, 0, 3}, 3, {0, 0}};
    for (int i = 0; i < 8; i++) {
        check_auc(&plain, (const size_t[]){0, 2, 3}, exp2(i - 2)); /* from all ties to beyond 16 */
        check_auc(&rep3, (const size_t[]){4, 0, 1}, exp2(i - 2));
    }
}

static void test_bins_are_monotonic(void **state) {
    (void)state;
    size_t last = 0;
    for (double logit = -20; logit < 20; logit += 0.003) {
        size_t bin = pl_auc_bin(logit);
        assert_true(bin >= last && bin < PL_AUC_BINS);
        last = bin;
    }
    assert_int_equal(pl_auc_bin(-INFINITY), 0);
    assert_int_equal(pl_auc_bin(INFINITY), PL_AUC_BINS - 1);
    assert_int_equal(pl_auc_bin(0), PL_AUC_BINS / 2);
}

static pl_status nobody(pl_party *p, void *ctx) {
    (void)ctx;
    pl_svec out = {0};
    return pl_fed_sum(p, NULL, 0, PL_ARITH_64, 1, NULL, &out);
}

static void test_sum_of_nobody(void **state) {
    (void)state;
    const fixture_set rep3 = {"rep3", 3, {0, 1, 2}, 3, {0, 0}};
    fixture_fails(fixture_run(&rep3, nobody, NULL), PL_INVALID_ARGUMENT, "at least one owner");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_fixed_roundtrip),
                                       cmocka_unit_test(test_fixed_refusals),
                                       cmocka_unit_test(test_moments),
                                       cmocka_unit_test(test_update_is_the_gradient),
                                       cmocka_unit_test(test_scores_at_the_ends),
                                       cmocka_unit_test(test_error_bound),
                                       cmocka_unit_test(test_auc),
                                       cmocka_unit_test(test_bins_are_monotonic),
                                       cmocka_unit_test(test_sum_of_nobody)};
    state_of_random = fixture_seed();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
