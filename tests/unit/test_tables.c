/* What works on whole columns: secret permutations and their inverses, compaction, one-hot, top-k,
 * quantiles, prefix sums and scans over segments, over rep3 and plain, against loops written out
 * here. */
#include "tests/unit/party_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_MAX 1500
#define K 5

typedef enum what {
    SCATTER,
    GATHER,
    COMPACT,
    ONE_HOT,
    TOP,
    QUANTILE,
    PREFIX,
    SCAN_SUM,
    SCAN_MIN,
    SCAN_MAX,
    MATMUL,
    WHAT_COUNT
} what;

typedef struct job {
    what op;
    size_t n;
    uint64_t x[N_MAX], to[N_MAX], bits[N_MAX / 64 + 1];
    uint64_t out[N_MAX * K], want[N_MAX * K];
    size_t n_out;
    pl_kind out_kind;
} job;

static job j;
static const double fractions[] = {0, 0.1, 0.5, 0.75, 1};

static bool bit(size_t i) {
    return (j.bits[i / 64] >> i % 64 & 1) != 0;
}

static pl_status matmul(pl_party *p, const pl_svec *x, pl_svec *out) {
    size_t m = j.n / 7;
    pl_svec a = {0}, b = {0};
    pl_status status;
    PL_CHECK(status, pl_slice(x, 0, m * 7, &a));
    PL_CHECK(status, pl_slice(x, 0, j.n >= 21 ? 21 : 0, &b));
    PL_CHECK(status, pl_matmul(p, &a, &b, &(pl_matmul_shape){m, 7, j.n >= 21 ? 3 : 0, 0}, out));
out:
    pl_svec_done(&a);
    pl_svec_done(&b);
    return status;
}

static pl_status apply(pl_party *p, pl_svec *x, pl_svec *to, const pl_svec *bits) {
    const pl_sort_key key = {x, 64, true};
    switch (j.op) {
    case SCATTER:
        return pl_scatter(p, to, (pl_svec *const[]){x}, 1);
    case GATHER:
        return pl_gather_secret(p, to, (pl_svec *const[]){x}, 1);
    case COMPACT:
        return pl_compact(p, bits, (pl_svec *const[]){x}, 1);
    case ONE_HOT:
        return pl_one_hot(p, x, K, x);
    case TOP:
        return pl_top_k(p, &key, K, (pl_svec *const[]){x}, 1);
    case QUANTILE:
        return j.n == 0 ? PL_OK : pl_quantile(p, x, 64, fractions, K, x);
    case PREFIX:
        return pl_prefix_sum(p, x, x);
    case MATMUL:
        return matmul(p, x, x);
    default:
        return pl_segmented_scan(p, (pl_scan)(j.op - SCAN_SUM), x, bits, x);
    }
}

static pl_status run_op(pl_party *p, void *ctx) {
    (void)ctx;
    size_t rank = pl_party_rank(p), last = pl_party_n_parties(p) - 1;
    pl_svec x = {0}, to = {0}, bits = {0};
    pl_status status;
    PL_CHECK(status, pl_input(p, last, PL_ARITH_64, j.n, rank == last ? j.x : NULL, &x));
    PL_CHECK(status, pl_input(p, last, PL_ARITH_64, j.n, rank == last ? j.to : NULL, &to));
    PL_CHECK(status, pl_input(p, last, PL_BIT, j.n, rank == last ? j.bits : NULL, &bits));
    if (pl_party_computes(p))
        PL_CHECK(status, apply(p, &x, &to, &bits));
    PL_CHECK(status, pl_open(p, &x, j.out_kind, j.n_out, 1, "test", j.out));
out:
    pl_svec_done(&x);
    pl_svec_done(&to);
    pl_svec_done(&bits);
    return status;
}

static int downwards(const void *a, const void *b) {
    int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;
    return (x < y) - (x > y);
}

static void want_order(void) {
    size_t n = j.n;
    uint64_t sorted[N_MAX];
    memcpy(sorted, j.x, sizeof sorted);
    qsort(sorted, n, 8, downwards);
    for (size_t i = 0; i < n; i++)
        j.want[i] = sorted[i];
    if (j.op == TOP) {
        j.n_out = n < K ? n : K;
        return;
    }
    j.n_out = n == 0 ? 0 : K;
    static const size_t hundredths[K] = {0, 10, 50, 75, 100};
    for (size_t k = 0; k < j.n_out; k++) {
        size_t rank = (hundredths[k] * n + 99) / 100;
        j.want[k] = sorted[n - 1 - (rank == 0 ? 0 : rank - 1)];
    }
}

static void want_compact(void) {
    size_t at = 0;
    for (int turn = 1; turn >= 0; turn--)
        for (size_t i = 0; i < j.n; i++)
            if (bit(i) == turn)
                j.want[at++] = j.x[i];
}

static void want_scan(void) {
    for (size_t i = 0; i < j.n; i++) {
        int64_t x = (int64_t)j.x[i], before = i == 0 ? 0 : (int64_t)j.want[i - 1];
        if (i == 0 || bit(i))
            j.want[i] = j.x[i];
        else if (j.op == SCAN_SUM)
            j.want[i] = j.want[i - 1] + j.x[i];
        else
            j.want[i] = (uint64_t)((x < before) == (j.op == SCAN_MIN) ? x : before);
    }
}

static void want_matmul(void) {
    size_t m = j.n / 7, n = j.n >= 21 ? 3 : 0;
    j.n_out = m * n;
    for (size_t i = 0; i < m * n; i++) {
        j.want[i] = 0;
        for (size_t k = 0; k < 7; k++)
            j.want[i] += j.x[i / 3 * 7 + k] * j.x[k * 3 + i % 3];
    }
}

static void want(void) {
    j.n_out = j.n;
    j.out_kind = PL_ARITH_64;
    memset(j.want, 0, sizeof j.want);
    for (size_t i = 0; i < j.n; i++) {
        if (j.op == SCATTER)
            j.want[j.to[i]] = j.x[i];
        if (j.op == GATHER)
            j.want[i] = j.x[j.to[i]];
        if (j.op == PREFIX)
            j.want[i] = j.x[i] + (i == 0 ? 0 : j.want[i - 1]);
        for (size_t k = 0; k < K && j.op == ONE_HOT; k++)
            j.want[(i * K + k) / 64] |= (uint64_t)(j.x[i] == k) << (i * K + k) % 64;
    }
    if (j.op == ONE_HOT) {
        j.n_out = K * j.n;
        j.out_kind = PL_BIT;
    }
    if (j.op == COMPACT)
        want_compact();
    if (j.op == TOP || j.op == QUANTILE)
        want_order();
    if (j.op >= SCAN_SUM && j.op <= SCAN_MAX)
        want_scan();
    if (j.op == MATMUL)
        want_matmul();
    if (j.op == QUANTILE && j.n == 0)
        j.n_out = 0;
}

static void make(what op, size_t n, uint64_t stream) {
    j.op = op;
    j.n = n;
    fixture_values(PL_ARITH_64, stream, j.x, n);
    fixture_values(PL_BIT, stream + 1, j.bits, n);
    for (size_t i = 0; i < n; i++) {
        if (op == ONE_HOT)
            j.x[i] %= K + 1;
        if (op == SCAN_MIN || op == SCAN_MAX)
            j.x[i] = (uint64_t)((int64_t)j.x[i] / 4);
        j.to[i] = i;
    }
    uint64_t random[N_MAX];
    fixture_values(PL_ARITH_64, stream + 2, random, n);
    for (size_t i = n; i > 1; i--) {
        size_t with = random[i - 1] % i;
        uint64_t moved = j.to[i - 1];
        j.to[i - 1] = j.to[with];
        j.to[with] = moved;
    }
    want();
}

static const fixture_set rep3 = {"rep3", 4, {2, 0, 1}, 3, {0, 0}};
static const fixture_set plain = {"plain", 2, {1}, 1, {0, 0}};
static size_t n_checked;

static void check(const fixture_set *set) {
    memset(j.out, 0, sizeof j.out);
    fixture_ok(fixture_run(set, run_op, NULL));
    for (size_t i = 0; i < pl_kind_units(j.out_kind, j.n_out); i++) {
        if (j.out[i] != j.want[i])
            fail_msg("%s: operation %d: element %zu of %zu is wrong", set->scheme, (int)j.op, i,
                     j.n);
        n_checked++;
    }
}

static void operations(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 3, 21, 63, 64, 65, 200, N_MAX};
    for (what op = SCATTER; op < WHAT_COUNT; op++) {
        for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
            make(op, lengths[l], 100 * op + 3 * l);
            check(&plain);
            check(&rep3);
        }
    }
    printf("%zu elements compared\n", n_checked);
    assert_true(n_checked > 20000);
}

static pl_status no_permutation(pl_party *p, void *ctx) {
    (void)ctx;
    static const uint64_t twice[3] = {0, 2, 2};
    pl_svec to = {0}, x = {0};
    if (!pl_party_computes(p))
        return PL_OK;
    pl_status status = pl_constant(p, PL_ARITH_64, 3, twice, &to);
    if (pl_is_ok(status))
        status = pl_svec_dup(&to, &x);
    if (pl_is_ok(status))
        fixture_fails(pl_scatter(p, &to, (pl_svec *const[]){&x}, 1), PL_PROTOCOL, "no permutation");
    pl_svec_done(&to);
    pl_svec_done(&x);
    return status;
}

static void what_is_no_permutation(void **state) {
    (void)state;
    fixture_ok(fixture_run(&rep3, no_permutation, NULL));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations),
        cmocka_unit_test(what_is_no_permutation),
    };
    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
