/* Sorting and what is built on it, over rep3 and plain, against the C library: random and equal
 * keys, several keys, both directions, every length class, payloads of several kinds. Wrong if the
 * order of equal rows were not looked at: every row carries its number. What happens once in 2^40
 * sorts is made to happen: shuffles that do not shuffle, so that a batch has not room for all
 * pairs; and comparisons that say anything. */
#include "tests/unit/party_fixture.h"

#include "protocols/mpc/sort_plan.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define N_MAX 5000

typedef struct row {
    int64_t a, b;
    uint64_t number;
} row;

typedef struct table {
    size_t n;
    unsigned bits_a, bits_b; /* b: 0 if there is one key only */
    bool descending_a, descending_b;
    row rows[N_MAX];
    uint64_t a[N_MAX], b[N_MAX], number[N_MAX], got_a[N_MAX], got_number[N_MAX];
    pl_u128 wide[N_MAX], got_wide[N_MAX];
} table;

static table t;

static int by_keys(const void *left, const void *right) {
    const row *x = left, *y = right;
    if (x->a != y->a)
        return (x->a < y->a) == t.descending_a ? 1 : -1;
    if (t.bits_b != 0 && x->b != y->b)
        return (x->b < y->b) == t.descending_b ? 1 : -1;
    return x->number < y->number ? -1 : 1;
}

static void make(size_t n, unsigned bits_a, unsigned bits_b, uint64_t distinct, uint64_t stream) {
    t.n = n;
    t.bits_a = bits_a;
    t.bits_b = bits_b;
    t.descending_a = stream % 2 == 1;
    t.descending_b = stream % 3 == 1;
    fixture_values(PL_ARITH_64, stream, t.a, n);
    fixture_values(PL_ARITH_64, stream + 1000, t.b, n);
    for (size_t i = 0; i < n; i++) {
        int64_t a = (int64_t)(distinct == 0 ? t.a[i] : t.a[i] % distinct << (64 - bits_a));
        a >>= 64 - bits_a;
        int64_t b = bits_b == 0 ? 0 : (int64_t)t.b[i] >> (64 - bits_b);
        t.rows[i] = (row){a, b, i};
        t.a[i] = (uint64_t)a;
        t.b[i] = (uint64_t)b;
        t.number[i] = i;
        t.wide[i] = (pl_u128)i << 70 | i;
    }
    qsort(t.rows, n, sizeof *t.rows, by_keys);
}

static pl_status sort_table(pl_party *p, void *ctx) {
    (void)ctx;
    size_t rank = pl_party_rank(p), owner = pl_party_n_parties(p) - 1;
    pl_svec a = {0}, b = {0}, number = {0}, wide = {0};
    pl_status status;
    bool owns = rank == owner;
    PL_CHECK(status, pl_input(p, owner, PL_ARITH_64, t.n, owns ? t.a : NULL, &a));
    PL_CHECK(status, pl_input(p, owner, PL_ARITH_64, t.n, owns ? t.b : NULL, &b));
    PL_CHECK(status, pl_input(p, owner, PL_BOOL_64, t.n, owns ? t.number : NULL, &number));
    PL_CHECK(status, pl_input(p, owner, PL_ARITH_128, t.n, owns ? t.wide : NULL, &wide));
    const pl_sort_key keys[] = {{&a, t.bits_a, t.descending_a}, {&b, t.bits_b, t.descending_b}};
    if (pl_party_computes(p))
        PL_CHECK(status, pl_sort(p, keys, t.bits_b == 0 ? 1 : 2,
                                 (pl_svec *const[]){&a, &number, &wide}, 3));
    PL_CHECK(status, pl_open(p, &a, PL_ARITH_64, t.n, 1, "test", t.got_a));
    PL_CHECK(status, pl_open(p, &number, PL_BOOL_64, t.n, 1, "test", t.got_number));
    PL_CHECK(status, pl_open(p, &wide, PL_ARITH_128, t.n, 1, "test", t.got_wide));
out:
    pl_svec_done(&a);
    pl_svec_done(&b);
    pl_svec_done(&number);
    pl_svec_done(&wide);
    return status;
}

/* The linker puts these in the place of pl_shuffle and pl_open. */
static bool is_shuffled = true, is_nonsense;
pl_status __real_pl_shuffle(pl_party *p, pl_svec *const *columns, size_t n_columns);
pl_status __wrap_pl_shuffle(pl_party *p, pl_svec *const *columns, size_t n_columns);
pl_status __wrap_pl_shuffle(pl_party *p, pl_svec *const *columns, size_t n_columns) {
    return is_shuffled ? __real_pl_shuffle(p, columns, n_columns) : PL_OK;
}
pl_status __real_pl_open(pl_party *p, const pl_svec *x, pl_kind kind, size_t n, uint64_t recipients,
                         const char *reason, void *out_values);
pl_status __wrap_pl_open(pl_party *p, const pl_svec *x, pl_kind kind, size_t n, uint64_t recipients,
                         const char *reason, void *out_values);
pl_status __wrap_pl_open(pl_party *p, const pl_svec *x, pl_kind kind, size_t n, uint64_t recipients,
                         const char *reason, void *out_values) {
    PL_TRY(__real_pl_open(p, x, kind, n, recipients, reason, out_values));
    for (size_t i = 0; is_nonsense && kind == PL_BIT && i < (n + 63) / 64; i++)
        ((uint64_t *)out_values)[i] = i * UINT64_C(0x9E3779B97F4A7C15); /* at all parties */
    return PL_OK;
}

static const fixture_set rep3 = {"rep3", 4, {2, 0, 1}, 3, {0, 0}};
static const fixture_set plain = {"plain", 2, {1}, 1, {0, 0}};
static size_t n_rows_sorted;

static void check(const fixture_set *set) {
    fixture_ok(fixture_run(set, sort_table, NULL));
    for (size_t i = 0; i < t.n; i++) {
        if (t.got_a[i] != (uint64_t)t.rows[i].a || t.got_number[i] != t.rows[i].number)
            fail_msg("%s: row %zu of %zu is wrong", set->scheme, i, t.n);
        assert_true(t.got_wide[i] == ((pl_u128)t.rows[i].number << 70 | t.rows[i].number));
    }
    n_rows_sorted += t.n;
}

static void random_tables(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 3, 15, 16, 17, 18, 63, 64, 65, 300, N_MAX};
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        for (uint64_t k = 0; k < 4; k++) {
            make(lengths[l], k < 2 ? 32 : 64, k % 2 == 0 ? 0 : 40, k == 3 ? 3 : 0, 4 * l + k);
            check(&plain);
            check(&rep3);
        }
    }
}

static void equal_and_sorted_keys(void **state) {
    (void)state;
    for (uint64_t k = 0; k < 4; k++) {
        make(700, 20, 0, 1, k); /* all equal */
        check(&rep3);
        make(700, 20, 0, 0, k);
        for (size_t i = 0; i < t.n; i++) { /* in order already, or the other way round */
            t.a[i] = k % 2 == 0 ? i : t.n - i;
            t.rows[i] = (row){(int64_t)t.a[i], 0, i};
        }
        qsort(t.rows, t.n, sizeof *t.rows, by_keys);
        check(&rep3);
        check(&plain);
    }
}

static void over_a_long_link(void **state) {
    (void)state;
    fixture_set far = rep3;
    far.net = (pl_net){40000, 1.25e7};
    make(900, 64, 64, 0, 77);
    check(&far);
}

/* Rows in order, not shuffled: all that are searched come to the last gap. */
static void more_pairs_than_planned(void **state) {
    (void)state;
    is_shuffled = false;
    make(900, 20, 0, 0, 5);
    for (size_t i = 0; i < t.n; i++) {
        t.a[i] = i / 2;
        t.rows[i] = (row){(int64_t)t.a[i], 0, i};
    }
    t.descending_a = false;
    qsort(t.rows, t.n, sizeof *t.rows, by_keys);
    check(&rep3);
    check(&plain);
    is_shuffled = true;
}

static void no_order(void **state) {
    (void)state;
    is_nonsense = true;
    make(900, 20, 0, 0, 6);
    fixture_fails(fixture_run(&rep3, sort_table, NULL), PL_PROTOCOL, "is no order");
    is_nonsense = false;
}

/* ---- plans ---- */

/* How many pairs there are in the gaps of a random sample of n_sorted ranks among n. */
static size_t pairs_in_gaps(size_t n_sorted, size_t n, pl_prg *prg) {
    size_t pairs = 0, gap = 0, left = n_sorted;
    for (size_t i = 0; i < n; i++) {
        uint64_t draw;
        fixture_ok(pl_prg_fill(prg, &draw, sizeof draw));
        if (draw % (n - i) < left) { /* rank i is one of the sample */
            left--;
            gap = 0;
        } else {
            pairs += gap++;
        }
    }
    assert_int_equal(left, 0);
    return pairs;
}

static void check_plan(size_t n, unsigned bits, const pl_net *net, pl_prg *prg) {
    pl_sort_plan plan;
    size_t n_sorted = 0;
    pl_sort_plan_make(&plan, n, bits, net);
    assert_true(plan.n_stages >= 1 && plan.n_stages <= PL_SORT_STAGES_MAX);
    for (unsigned i = 0; i < plan.n_stages; i++) {
        const pl_sort_stage *stage = &plan.stages[i];
        assert_int_equal(stage->n_sorted, n_sorted);
        assert_int_equal(stage->n_sorted, ((size_t)1 << stage->depth) - 1);
        assert_true(stage->n > n_sorted && (stage->depth == 0 || stage->levels >= 1));
        for (size_t k = 0; k < 20; k++)
            assert_true(pairs_in_gaps(n_sorted, stage->n, prg) <= stage->n_pairs);
        n_sorted = stage->n;
    }
    assert_int_equal(n_sorted, n);
}

static void plans(void **state) {
    (void)state;
    static const size_t lengths[] = {1, 2, 3, 4, 7, 8, 15, 16, 100, 255, 256, 1000, 2048, 30000};
    static const pl_net nets[] = {{60, 5e8}, {40000, 1.25e7}, {300, 1.25e8}, {1, 1e4}};
    static const uint8_t key[PL_PRG_KEY_BYTES] = "plans";
    pl_prg *prg;
    fixture_ok(pl_prg_new(key, 0, &prg));
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++)
        for (size_t k = 0; k < 4; k++)
            check_plan(lengths[l], k % 2 == 0 ? 40 : 150, &nets[k], prg);
    pl_prg_free(prg);
}

static pl_status refuse(pl_party *p, void *ctx) {
    (void)ctx;
    pl_svec x = {0}, bits = {0};
    uint64_t zeros[3] = {0};
    pl_status status;
    if (!pl_party_computes(p))
        return PL_OK;
    PL_CHECK(status, pl_constant(p, PL_ARITH_64, 3, zeros, &x));
    PL_CHECK(status, pl_constant(p, PL_BIT, 3, zeros, &bits));
    const pl_sort_key wide[] = {{&x, 64, false}, {&x, 64, false}, {&x, 64, false}};
    fixture_fails(pl_sort(p, wide, 3, (pl_svec *const[]){&x}, 1), PL_LIMIT, "more than 190 bits");
    fixture_fails(pl_sort(p, wide, 0, (pl_svec *const[]){&x}, 1), PL_INVALID_ARGUMENT, "without");
    fixture_fails(pl_sort(p, wide, 1, (pl_svec *const[]){&bits}, 1), PL_INVALID_ARGUMENT,
                  "column 1");
    const pl_sort_key none = {&x, 0, false};
    fixture_fails(pl_sort(p, &none, 1, (pl_svec *const[]){&x}, 1), PL_INVALID_ARGUMENT, "0 bits");
out:
    pl_svec_done(&x);
    pl_svec_done(&bits);
    return status;
}

static void refusals(void **state) {
    (void)state;
    fixture_ok(fixture_run(&rep3, refuse, NULL));
}

static void rows_were_sorted(void **state) {
    (void)state;
    printf("%zu rows sorted\n", n_rows_sorted);
    assert_true(n_rows_sorted > 20000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_tables),    cmocka_unit_test(equal_and_sorted_keys),
        cmocka_unit_test(over_a_long_link), cmocka_unit_test(more_pairs_than_planned),
        cmocka_unit_test(no_order),         cmocka_unit_test(plans),
        cmocka_unit_test(refusals),         cmocka_unit_test(rows_were_sorted),
    };
    return cmocka_run_group_tests_name("sort", tests, NULL, NULL);
}
