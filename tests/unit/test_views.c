/* What a party sees. (1) Whatever the inputs are, what a compute party or a recipient receives is
 * uniform: a chi-square test on bytes, for inputs chosen to be far from uniform. (2) The opening of
 * two sums does not give away an input although the sums share components (the argument in
 * rep3/open.c), and several openings of one vector look independent. Wrong if the tap keeps too
 * little (it counts), or if the statistic is too blunt: test (3) shows that it sees a share that is
 * not masked. */
#include "tests/unit/tap_transport.h"

#include <string.h>

#define N 4096 /* elements: 32 KiB a vector */

/* Chi-square with 255 degrees of freedom: mean 255, standard deviation 22.6. More than 8 of them
 * off is no accident. */
static double chi_square(const uint8_t *bytes, size_t len) {
    size_t counts[256] = {0};
    for (size_t i = 0; i < len; i++)
        counts[bytes[i]]++;
    double expected = (double)len / 256, sum = 0;
    for (size_t i = 0; i < 256; i++)
        sum += ((double)counts[i] - expected) * ((double)counts[i] - expected) / expected;
    return sum;
}

static bool looks_uniform(const uint8_t *bytes, size_t len) {
    double chi = chi_square(bytes, len);
    return chi > 255 - 8 * 22.6 && chi < 255 + 8 * 22.6;
}

static const fixture_set set = {"rep3", 5, {0, 1, 2}, 3, {0, 0}};

/* ---- (1) ---- */

typedef struct view {
    tap_set tap;
    uint64_t x[N], y[N], c[N];
    uint64_t out[5][N];
} view;

/* Operations whose results nobody looks at; what they send is looked at. */
static pl_status other_operations(pl_party *p, const pl_svec *x, const pl_svec *y) {
    static uint32_t left[N], right[N];
    pl_svec out = {0}, row = {0};
    pl_status status;
    for (uint32_t i = 0; i < N; i++)
        right[i] = (i + 1) % N;
    PL_CHECK(status, pl_equal(p, x, y, &out));
    PL_CHECK(status, pl_bit_to_arith(p, &out, PL_ARITH_128, &out));
    PL_CHECK(status, pl_mul_fixed(p, x, y, 20, &out));
    PL_CHECK(status, pl_truncate(p, x, 20, &out));
    PL_CHECK(status, pl_mul_fixed_probabilistic(p, x, y, 20, &out));
    PL_CHECK(status, pl_truncate_probabilistic(p, x, 20, &out));
    PL_CHECK(status, pl_matmul(p, x, y, &(pl_matmul_shape){N / 8, 8, N / 8, 20}, &out));
    PL_CHECK(status, pl_words(p, x, 64, &row));
    PL_CHECK(status, pl_number(p, &row, &out));
    PL_CHECK(status, pl_shuffle(p, (pl_svec *const[]){&row}, 1));
    const pl_row_pairs pairs = {.columns = (const pl_svec *const[]){&row},
                                .n_columns = 1,
                                .bits = 64,
                                .left = left,
                                .right = right,
                                .n = N};
    PL_CHECK(status, pl_less_rows(p, &pairs, &out));
out:
    pl_svec_done(&out);
    pl_svec_done(&row);
    return status;
}

static pl_status all_operations(pl_party *p, void *ctx) {
    view *v = ctx;
    size_t rank = pl_party_rank(p);
    pl_svec x = {0}, y = {0}, z = {0};
    pl_status status;
    tap_open(&v->tap, p);
    PL_CHECK(status, pl_input(p, 3, PL_ARITH_64, N, rank == 3 ? v->x : NULL, &x));
    PL_CHECK(status, pl_input(p, 1, PL_ARITH_64, N, rank == 1 ? v->y : NULL, &y));
    if (pl_party_computes(p)) {
        PL_CHECK(status, pl_mul(p, &x, &y, &z));
        PL_CHECK(status, pl_less_than_public(p, &x, v->c, 63, &y));
        PL_CHECK(status, pl_bit_to_arith(p, &y, PL_ARITH_64, &y));
        PL_CHECK(status, pl_select(p, &y, &z, &z));
        PL_CHECK(status, other_operations(p, &x, &z));
    }
    PL_CHECK(status, pl_open(p, &z, PL_ARITH_64, N, 1u << 4, "zeros", v->out[rank]));
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&z);
    return status;
}

/* x * y = 0 and nothing is selected: the opened value is 0 in both worlds. */
static void received_bytes_are_uniform(void **state) {
    (void)state;
    static view v;
    for (uint64_t world = 0; world < 2; world++) {
        v = (view){.tap = {.set = &set, .program = all_operations, .ctx = &v}};
        for (size_t i = 0; i < N; i++)
            v.x[i] = world == 0 ? 0 : 7777;
        for (size_t i = 0; i < N; i++)
            v.y[i] = world == 0 ? 42 : 0;
        tap_run(&v.tap);
        size_t n_links = 0;
        for (size_t r = 0; r < 5; r++) {
            fixture_ok(v.tap.statuses[r]);
            for (size_t from = 0; from < 5; from++) {
                const pl_buf *got = &v.tap.taps[r].received[from];
                assert_false(got->failed);
                if (got->len < N * 2)
                    continue; /* digests and seeds only */
                assert_true(looks_uniform(got->data, got->len));
                n_links++;
            }
        }
        /* owner -> 1, both ways between all compute parties, three to the recipient */
        assert_int_equal(n_links, 1 + 6 + 3);
        for (size_t i = 0; i < N; i++)
            assert_true(v.out[4][i] == 0);
        tap_done(&v.tap);
    }
}

/* ---- (2) ---- */

typedef struct sums {
    tap_set tap;
    uint64_t in[3][N], out[2][N];
} sums;

/* a by rank 0, b by rank 1, c by rank 2; a + c and b + c are opened to rank 4. */
static pl_status two_sums(pl_party *p, void *ctx) {
    sums *s = ctx;
    size_t rank = pl_party_rank(p);
    pl_svec in[3] = {{0}}, sum[2] = {{0}};
    pl_status status;
    for (size_t i = 0; i < 3; i++)
        PL_CHECK(status, pl_input(p, i, PL_ARITH_64, N, rank == i ? s->in[i] : NULL, &in[i]));
    tap_open(&s->tap, p);
    for (size_t i = 0; i < 2; i++) {
        if (pl_party_computes(p))
            PL_CHECK(status, pl_add(p, &in[i], &in[2], &sum[i]));
        PL_CHECK(status, pl_open(p, &sum[i], PL_ARITH_64, N, 1u << 4, "a sum", s->out[i]));
    }
out:
    for (size_t i = 0; i < 3; i++)
        pl_svec_done(&in[i]);
    for (size_t i = 0; i < 2; i++)
        pl_svec_done(&sum[i]);
    return status;
}

/* Component j of the opening number `which`, as the recipient received it. */
static uint64_t component(const sums *s, size_t j, size_t which, size_t i) {
    return pl_get_u64(s->tap.taps[4].received[j].data + which * (N * 8 + 32) + i * 8);
}

static void sums_do_not_give_an_input_away(void **state) {
    (void)state;
    static sums s;
    s = (sums){.tap = {.set = &set, .program = two_sums, .ctx = &s}};
    for (size_t i = 0; i < N; i++) {
        s.in[0][i] = 1000 + i;
        s.in[1][i] = 2000;
        s.in[2][i] = 3 * i;
    }
    tap_run(&s.tap);
    for (size_t r = 0; r < 5; r++)
        fixture_ok(s.tap.statuses[r]);
    size_t n_a = 0, n_same = 0;
    uint8_t difference[N * 8];
    for (size_t i = 0; i < N; i++) {
        assert_true(s.out[0][i] == s.in[0][i] + s.in[2][i] &&
                    s.out[1][i] == s.in[1][i] + s.in[2][i]);
        /* Without fresh sharing this is (r_a + c - r_c) - (c - r_c) + (a - r_a) = a. */
        uint64_t guess = component(&s, 0, 0, i) - component(&s, 0, 1, i) + component(&s, 1, 0, i);
        n_a += guess == s.in[0][i];
        for (size_t j = 0; j < 3; j++)
            n_same += component(&s, j, 0, i) == component(&s, j, 1, i);
        pl_put_u64(difference + 8 * i, guess);
    }
    assert_int_equal(n_a, 0);
    assert_int_equal(n_same, 0);
    assert_true(looks_uniform(difference, sizeof difference));
    tap_done(&s.tap);
}

/* ---- (3) ---- */

static void the_statistic_sees_plain_values(void **state) {
    (void)state;
    static uint64_t values[N];
    fixture_values(PL_ARITH_64, 5, values, N); /* a quarter of them edges */
    assert_false(looks_uniform((const uint8_t *)values, sizeof values));
    memset(values, 0, sizeof values);
    assert_false(looks_uniform((const uint8_t *)values, sizeof values));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(received_bytes_are_uniform),
        cmocka_unit_test(sums_do_not_give_an_input_away),
        cmocka_unit_test(the_statistic_sees_plain_values),
    };
    return cmocka_run_group_tests_name("views", tests, NULL, NULL);
}
