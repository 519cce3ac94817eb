/* Every operation of rep3 and plain against arithmetic written out here: random and edge values,
 * all rings, lengths around word and chunk borders, owners and recipients inside and outside the
 * compute set. Wrong if both schemes and the written out arithmetic share a mistake, or if a case
 * is skipped (the count at the end). */
#include "tests/unit/party_fixture.h"

#include "protocols/ring/kernels.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum op {
    OP_ADD,
    OP_SUB,
    OP_NEG,
    OP_NOT,
    OP_MUL,
    OP_MUL_ALIAS,
    OP_ADD_PUBLIC,
    OP_MUL_PUBLIC,
    OP_SUM,
    OP_TOTAL,
    OP_WORDS,
    OP_WORDS_20,
    OP_NUMBER,
    OP_TO_ARITH_64,
    OP_TO_ARITH_128,
    OP_TO_ARITH_32,
    OP_LESS,
    OP_LESS_FULL,
    OP_LESS_40,
    OP_LESS_64,
    OP_LESS_100,
    OP_LESS_PUBLIC,
    OP_LESS_PUBLIC_FULL,
    OP_SIGN_1,
    OP_EQUAL,
    OP_EQUAL_PUBLIC,
    OP_MAX,
    OP_MIN,
    OP_CHOOSE,
    OP_SELECT,
    OP_MUL_FIXED,
    OP_TRUNCATE,
    OP_LESS_ROWS,
    OP_CONSTANT,
    OP_COUNT
} op;

static bool op_takes(op o, pl_kind kind) {
    switch (o) {
    case OP_WORDS:
    case OP_WORDS_20:
    case OP_LESS_PUBLIC:
    case OP_LESS_PUBLIC_FULL:
    case OP_EQUAL_PUBLIC:
    case OP_MAX:
    case OP_MIN:
    case OP_MUL_FIXED:
    case OP_TRUNCATE:
        return kind == PL_ARITH_64;
    case OP_LESS_40:
    case OP_EQUAL:
        return kind == PL_ARITH_64 || kind == PL_ARITH_128;
    case OP_LESS_64:
    case OP_LESS_100:
        return kind == PL_ARITH_128;
    case OP_LESS:
    case OP_LESS_FULL:
    case OP_SIGN_1:
        return !pl_kind_is_bool(kind);
    case OP_TO_ARITH_64:
    case OP_TO_ARITH_128:
    case OP_TO_ARITH_32:
        return kind == PL_BIT;
    case OP_NUMBER:
    case OP_LESS_ROWS:
        return kind == PL_BOOL_64;
    case OP_NOT:
        return pl_kind_is_bool(kind);
    case OP_SELECT:
    case OP_CHOOSE:
        return !pl_kind_is_bool(kind);
    default:
        return true;
    }
}

static pl_kind result_kind(op o, pl_kind kind) {
    switch (o) {
    case OP_WORDS:
    case OP_WORDS_20:
        return PL_BOOL_64;
    case OP_NUMBER:
    case OP_TO_ARITH_64:
        return PL_ARITH_64;
    case OP_TO_ARITH_128:
        return PL_ARITH_128;
    case OP_TO_ARITH_32:
        return PL_ARITH_32;
    case OP_LESS:
    case OP_LESS_FULL:
    case OP_LESS_40:
    case OP_LESS_64:
    case OP_LESS_100:
    case OP_LESS_PUBLIC:
    case OP_LESS_PUBLIC_FULL:
    case OP_SIGN_1:
    case OP_EQUAL:
    case OP_EQUAL_PUBLIC:
    case OP_LESS_ROWS:
        return PL_BIT;
    default:
        return kind;
    }
}

typedef struct test_case {
    op o;
    pl_kind kind;
    size_t n;
    size_t owners[2];
    uint64_t recipients;
    void *x, *y;  /* [n], inputs; y is also the public operand */
    void *out[8]; /* [n] per rank */
    atomic_size_t n_results;
} test_case;

static pl_u128 get(pl_kind kind, const void *data, size_t i) {
    switch (kind) {
    case PL_ARITH_128:
        return ((const pl_u128 *)data)[i];
    case PL_ARITH_32:
        return ((const uint32_t *)data)[i];
    case PL_BIT:
        return ((const uint64_t *)data)[i / 64] >> i % 64 & 1;
    default:
        return ((const uint64_t *)data)[i];
    }
}

static pl_u128 cut(pl_kind kind, pl_u128 value) {
    switch (kind) {
    case PL_ARITH_128:
        return value;
    case PL_ARITH_32:
        return (uint32_t)value;
    case PL_BIT:
        return value & 1;
    default:
        return (uint64_t)value;
    }
}

static pl_u128 plus(pl_kind kind, pl_u128 a, pl_u128 b) {
    return pl_kind_is_bool(kind) ? a ^ b : a + b;
}

static pl_u128 times(pl_kind kind, pl_u128 a, pl_u128 b) {
    return pl_kind_is_bool(kind) ? (a & b) : a * b;
}

static pl_u128 minus(pl_kind kind, pl_u128 a) {
    return pl_kind_is_bool(kind) ? a : 0 - a;
}

static pl_u128 total_of(pl_kind kind, const void *x, size_t n) {
    pl_u128 total = 0;
    for (size_t i = 0; i < n; i++)
        total = plus(kind, total, get(kind, x, i));
    return total;
}

__extension__ typedef __int128 wide;

static wide as_signed(pl_kind kind, pl_u128 value) {
    return kind == PL_ARITH_128  ? (wide)value
           : kind == PL_ARITH_32 ? (int32_t)(uint32_t)value
                                 : (int64_t)value;
}

static int64_t floor_shift(int64_t value, unsigned distance) {
    int64_t step = INT64_C(1) << distance, down = value / step;
    return down - (value % step < 0);
}

#define ROW_BITS 100 /* of two columns: x, then y */
#define FRAC_BITS 13

static bool row_is_less(const test_case *t, size_t i, size_t j) {
    pl_u128 mask = ((pl_u128)1 << ROW_BITS) - 1;
    pl_u128 a = get(t->kind, t->x, i) | get(t->kind, t->y, i) << 64;
    pl_u128 b = get(t->kind, t->x, j) | get(t->kind, t->y, j) << 64;
    return (a & mask) < (b & mask);
}

static pl_u128 expect(const test_case *t, size_t i) {
    pl_u128 x = get(t->kind, t->x, i), y = get(t->kind, t->y, i);
    wide a = as_signed(t->kind, x), b = as_signed(t->kind, y);
    switch (t->o) {
    case OP_ADD:
    case OP_ADD_PUBLIC:
        return plus(t->kind, x, y);
    case OP_SUB:
        return plus(t->kind, x, minus(t->kind, y));
    case OP_NEG:
        return minus(t->kind, x);
    case OP_NOT:
        return ~x;
    case OP_MUL:
    case OP_MUL_PUBLIC:
    case OP_SELECT:
        return times(t->kind, x, y);
    case OP_MUL_ALIAS:
        return times(t->kind, times(t->kind, x, y), x);
    case OP_SUM:
        return plus(t->kind, plus(t->kind, x, y), x);
    case OP_TOTAL:
        return total_of(t->kind, t->x, t->n);
    case OP_WORDS_20:
        return x & 0xfffff;
    case OP_LESS:
    case OP_LESS_FULL:
    case OP_LESS_40:
    case OP_LESS_64:
    case OP_LESS_100:
    case OP_LESS_PUBLIC:
    case OP_LESS_PUBLIC_FULL:
        return a < b;
    case OP_SIGN_1:
        return (x - y) & 1;
    case OP_EQUAL:
    case OP_EQUAL_PUBLIC:
        return x == y;
    case OP_MAX:
        return a < b ? y : x;
    case OP_MIN:
        return a < b ? x : y;
    case OP_CHOOSE:
        return get(PL_BIT, t->x, i) != 0 ? x : y;
    case OP_MUL_FIXED:
        return (pl_u128)floor_shift((int64_t)(a * b), FRAC_BITS);
    case OP_TRUNCATE:
        return (pl_u128)floor_shift((int64_t)a, FRAC_BITS);
    case OP_LESS_ROWS:
        return row_is_less(t, i, (i * 7 + 3) % t->n);
    case OP_CONSTANT:
        return y;
    default:
        return x;
    }
}

static pl_status choose(pl_party *p, const test_case *t, const pl_svec *x, const pl_svec *y,
                        pl_svec *out) {
    pl_svec bits = {0};
    pl_status status = pl_constant(p, PL_BIT, t->n, t->x, &bits);
    if (pl_is_ok(status))
        status = pl_choose(p, &bits, x, y, out);
    pl_svec_done(&bits);
    return status;
}

static pl_status less_rows(pl_party *p, const test_case *t, const pl_svec *x, const pl_svec *y,
                           pl_svec *out) {
    uint32_t *left = calloc(2 * t->n + 1, sizeof *left), *right = left + t->n;
    for (size_t i = 0; i < t->n; i++) {
        left[i] = (uint32_t)i;
        right[i] = (uint32_t)((i * 7 + 3) % t->n);
    }
    const pl_row_pairs pairs = {.columns = (const pl_svec *const[]){x, y},
                                .n_columns = 2,
                                .bits = ROW_BITS,
                                .left = left,
                                .right = right,
                                .n = t->n};
    pl_status status = pl_less_rows(p, &pairs, out);
    free(left);
    return status;
}

static pl_status apply(pl_party *p, const test_case *t, pl_svec *x, const pl_svec *y,
                       pl_svec *out) {
    switch (t->o) {
    case OP_ADD:
        return pl_kind_is_bool(t->kind) ? pl_xor(p, x, y, out) : pl_add(p, x, y, out);
    case OP_SUB:
        return pl_sub(p, x, y, out);
    case OP_NEG:
        return pl_neg(p, x, out);
    case OP_NOT:
        return pl_not(p, x, out);
    case OP_MUL:
        return pl_kind_is_bool(t->kind) ? pl_and(p, x, y, out) : pl_mul(p, x, y, out);
    case OP_MUL_ALIAS: /* out is an input; then a live result is reused */
        PL_TRY(pl_svec_dup(x, out));
        PL_TRY(pl_mul(p, y, x, x));
        return pl_mul(p, x, out, out);
    case OP_ADD_PUBLIC:
        return pl_add_public(p, x, t->y, out);
    case OP_MUL_PUBLIC:
        return pl_mul_public(p, x, t->y, out);
    case OP_SUM:
        return pl_sum(p, (const pl_svec *[]){x, y, x}, 3, out);
    case OP_TOTAL:
        return pl_total(p, x, out);
    case OP_WORDS:
        return pl_words(p, x, 64, out);
    case OP_WORDS_20:
        return pl_words(p, x, 20, out);
    case OP_NUMBER:
        return pl_number(p, x, out);
    case OP_TO_ARITH_64:
    case OP_TO_ARITH_128:
    case OP_TO_ARITH_32:
        return pl_bit_to_arith(p, x, result_kind(t->o, t->kind), out);
    case OP_LESS:
        return pl_less_than(p, x, y, 8 * (unsigned)pl_kind_bytes(t->kind, 1) - 1, out);
    case OP_LESS_FULL:
        return pl_less_than(p, x, y, 8 * (unsigned)pl_kind_bytes(t->kind, 1), out);
    case OP_LESS_40:
        return pl_less_than(p, x, y, 40, out);
    case OP_LESS_64:
        return pl_less_than(p, x, y, 64, out);
    case OP_LESS_100:
        return pl_less_than(p, x, y, 100, out);
    case OP_LESS_PUBLIC:
    case OP_LESS_PUBLIC_FULL:
        PL_TRY(pl_less_than_public(p, x, t->y, t->o == OP_LESS_PUBLIC ? 63 : 64, x)); /* out is x */
        pl_svec_take(out, x);
        return PL_OK;
    case OP_SIGN_1:
        return pl_sign(p, x, y, 1, out);
    case OP_EQUAL:
        return pl_equal(p, x, y, out);
    case OP_EQUAL_PUBLIC:
        return pl_equal_public(p, x, t->y, out);
    case OP_MAX: /* the odd one out, ties */
        return pl_max(p, (const pl_svec *const[]){x, x, y, x, x}, 5, out);
    case OP_MIN:
        return pl_min(p, (const pl_svec *const[]){x, x, y, x, x}, 5, out);
    case OP_CHOOSE:
        return choose(p, t, x, y, out);
    case OP_SELECT:
        return pl_select(p, y, x, out);
    case OP_MUL_FIXED:
        return pl_mul_fixed(p, x, y, FRAC_BITS, out);
    case OP_TRUNCATE:
        return pl_truncate(p, x, FRAC_BITS, out);
    case OP_LESS_ROWS:
        return less_rows(p, t, x, y, out);
    case OP_CONSTANT:
        return pl_constant(p, t->kind, t->n, t->y, out);
    case OP_COUNT:
        break;
    }
    return pl_fail(PL_INTERNAL, "no such operation");
}

static size_t result_length(const test_case *t) {
    return t->o == OP_TOTAL ? 1 : t->n;
}

static pl_status program(pl_party *p, void *ctx) {
    test_case *t = ctx;
    size_t rank = pl_party_rank(p);
    pl_svec x = {0}, y = {0}, out = {0};
    pl_status status;
    PL_CHECK(status,
             pl_input(p, t->owners[0], t->kind, t->n, rank == t->owners[0] ? t->x : NULL, &x));
    PL_CHECK(status,
             pl_input(p, t->owners[1], t->kind, t->n, rank == t->owners[1] ? t->y : NULL, &y));
    if (pl_party_computes(p))
        PL_CHECK(status, apply(p, t, &x, &y, &out));
    PL_CHECK(status, pl_open(p, &out, result_kind(t->o, t->kind), result_length(t), t->recipients,
                             "test result", t->out[rank]));
    atomic_fetch_add(&t->n_results, 1);
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&out);
    return status;
}

/* Pairs that are equal, one bit or one apart, of any signs, within the width of the comparison. */
static void fit_128(const test_case *t, size_t i) {
    wide *a = t->x, *b = t->y;
    unsigned bits = t->o == OP_LESS_40    ? 40
                    : t->o == OP_LESS_64  ? 64
                    : t->o == OP_LESS_100 ? 100
                    : t->o == OP_LESS     ? 127
                                          : 128;
    if (i % 5 == 0)
        b[i] = a[i];
    if (i % 5 == 1)
        b[i] = (wide)((pl_u128)a[i] ^ (pl_u128)1 << i % 128);
    if (i % 5 == 2)
        b[i] = (wide)((pl_u128)a[i] + 1);
    a[i] = (wide)((pl_u128)a[i] << (128 - bits)) >> (128 - bits);
    b[i] = (wide)((pl_u128)b[i] << (128 - bits)) >> (128 - bits);
}

/* Some pairs equal, some one apart; and all within what the operation asks for. */
static void fit(test_case *t, size_t i) {
    int64_t *a = t->x, *b = t->y;
    if (t->kind == PL_ARITH_128 && result_kind(t->o, t->kind) == PL_BIT)
        fit_128(t, i);
    if (t->kind == PL_ARITH_32 && t->o == OP_LESS) {
        int32_t *x = t->x, *y = t->y;
        x[i] /= 4;
        y[i] = i % 3 == 0 ? x[i] : i % 3 == 1 ? x[i] + 1 : y[i] / 4;
    } else if (t->kind != PL_ARITH_64) {
        return;
    } else if (t->o == OP_SELECT) {
        b[i] &= 1;
    } else if (t->o == OP_MUL_FIXED) { /* |x y| < 2^62, right up to it */
        a[i] = i % 3 == 0 ? a[i] >> 2 : a[i] >> (20 + i % 40);
        b[i] = i % 3 == 0 ? b[i] % 2 : b[i] >> (64 - (i % 40 + 16));
        if (a[i] > (INT64_C(1) << 61) || a[i] < -(INT64_C(1) << 61))
            a[i] /= 2;
    } else if (t->o == OP_TRUNCATE) {
        a[i] /= 4;
    } else if (t->o == OP_LESS_40) {
        a[i] %= INT64_C(1) << 39;
        b[i] = i % 2 == 0 ? a[i] : b[i] % (INT64_C(1) << 39);
    } else if (t->o == OP_EQUAL || t->o == OP_EQUAL_PUBLIC || t->o == OP_LESS_FULL ||
               t->o == OP_LESS_PUBLIC_FULL) { /* one bit apart */
        b[i] = i % 5 == 0 ? a[i] : i % 5 == 1 ? a[i] ^ (int64_t)(UINT64_C(1) << i % 64) : b[i];
    } else if (t->o == OP_LESS || t->o == OP_MAX || t->o == OP_MIN || t->o == OP_LESS_PUBLIC) {
        /* |x - y| < 2^63: a quarter of the range each */
        a[i] /= 4;
        b[i] = i % 5 == 0 ? a[i] : i % 5 == 1 ? a[i] + 1 : i % 5 == 2 ? a[i] - 1 : b[i] / 4;
    }
}

static void prepare(test_case *t, uint64_t stream) {
    size_t bytes = (t->n + 64) * 16;
    t->x = calloc(1, bytes);
    t->y = calloc(1, bytes);
    fixture_values(t->kind, stream, t->x, t->n);
    fixture_values(t->kind, stream + 1, t->y, t->n);
    for (size_t i = 0; i < t->n; i++)
        fit(t, i);
    for (size_t r = 0; r < 8; r++)
        t->out[r] = calloc(1, bytes);
}

static void finish(test_case *t) {
    free(t->x);
    free(t->y);
    for (size_t r = 0; r < 8; r++)
        free(t->out[r]);
}

static size_t n_checked;

static void check_case(const fixture_set *set, test_case *t, uint64_t stream) {
    prepare(t, stream);
    fixture_ok(fixture_run(set, program, t));
    assert_int_equal(t->n_results, set->n_parties);
    pl_kind kind = result_kind(t->o, t->kind);
    for (size_t rank = 0; rank < set->n_parties; rank++) {
        for (size_t i = 0; i < result_length(t); i++) {
            pl_u128 want = (t->recipients >> rank & 1) != 0 ? expect(t, i) : 0; /* nobody else */
            if (get(kind, t->out[rank], i) != cut(kind, want))
                fail_msg("%s: operation %d on %s, element %zu of %zu at rank %zu is wrong",
                         set->scheme, (int)t->o, pl_kind_name(t->kind), i, t->n, rank);
            n_checked++;
        }
    }
    finish(t);
}

static const fixture_set rep3_3 = {"rep3", 3, {0, 1, 2}, 3, {0, 0}};
static const fixture_set rep3_5 = {"rep3", 5, {3, 0, 2}, 3, {0, 0}};
static const fixture_set plain_3 = {"plain", 3, {1}, 1, {0, 0}};

static void operations(const fixture_set *set, size_t n, uint64_t recipients, size_t owner_0,
                       size_t owner_1) {
    for (op o = 0; o < OP_COUNT; o++) {
        for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) {
            if (!op_takes(o, kind))
                continue;
            test_case t = {.o = o,
                           .kind = kind,
                           .n = n,
                           .owners = {owner_0, owner_1},
                           .recipients = recipients};
            check_case(set, &t, 100 + 2 * (uint64_t)o);
        }
    }
}

static void operations_over_lengths(void **state) {
    (void)state;
    static const size_t lengths[] = {0, 1, 2, 63, 64, 65, 200, 1000, 1537};
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        operations(&plain_3, lengths[l], 5, 0, 2);
        operations(&rep3_3, lengths[l], 7, l % 3, (l + 1) % 3);
    }
}

/* On long links other forms are chosen: parallel prefix, groups, more blocks in flight. */
static void operations_over_nets(void **state) {
    (void)state;
    static const pl_net nets[] = {{40000, 1.25e7}, {5000, 1e9}, {300, 1e8}, {1e-3, 1e3}};
    for (size_t i = 0; i < sizeof nets / sizeof nets[0]; i++) {
        fixture_set far = rep3_3;
        far.net = nets[i];
        operations(&far, 700, 7, i % 3, (i + 1) % 3);
    }
}

/* Every kernel the processor has, and the portable one. */
static void operations_over_kernels(void **state) {
    (void)state;
    const pl_kernels *all[PL_KERNELS_MAX];
    size_t n = pl_kernels_all(all);
    for (size_t k = 0; k < n; k++) {
        pl_kernels_force(all[k]);
        operations(&rep3_3, 700, 7, 0, 1);
    }
    pl_kernels_force(NULL);
}

static void operations_from_and_to_outside(void **state) {
    (void)state;
    operations(&rep3_5, 65, 0x12, 1, 4); /* all outside */
    operations(&rep3_5, 65, 0x1f, 1, 2); /* everybody learns it */
    operations(&rep3_5, 65, 0x01, 4, 4); /* one compute party learns it */
}

/* Every owner with every set of recipients; recipients that are owners too. */
static void owners_and_recipients(void **state) {
    (void)state;
    for (size_t owner = 0; owner < 5; owner++) {
        for (uint64_t recipients = 1; recipients < 32; recipients++) {
            test_case t = {.o = OP_MUL,
                           .kind = (pl_kind)(recipients % PL_KIND_COUNT),
                           .n = 9,
                           .owners = {owner, (owner + recipients) % 5},
                           .recipients = recipients};
            check_case(&rep3_5, &t, recipients);
        }
    }
}

/* Longer than a chunk, than the backlog, than the pipe and than the blocks in flight, and not a
 * multiple of them. */
static void long_vectors(void **state) {
    (void)state;
    for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) {
        test_case t = {.o = OP_MUL, .kind = kind, .n = 200001, .owners = {1, 2}, .recipients = 0x3};
        check_case(&rep3_5, &t, 7);
    }
    static const op ops[] = {OP_LESS, OP_EQUAL, OP_WORDS, OP_MUL_FIXED};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        test_case t = {
            .o = ops[i], .kind = PL_ARITH_64, .n = 700001, .owners = {1, 2}, .recipients = 1};
        check_case(&rep3_3, &t, 11 + i);
    }
    test_case t = {
        .o = OP_TO_ARITH_64, .kind = PL_BIT, .n = 700001, .owners = {1, 2}, .recipients = 1};
    check_case(&rep3_3, &t, 19);
}

static void cases_were_run(void **state) {
    (void)state;
    printf("%zu elements compared\n", n_checked);
    assert_true(n_checked > 100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_over_lengths), cmocka_unit_test(operations_from_and_to_outside),
        cmocka_unit_test(operations_over_nets),    cmocka_unit_test(operations_over_kernels),
        cmocka_unit_test(owners_and_recipients),   cmocka_unit_test(long_vectors),
        cmocka_unit_test(cases_were_run),
    };
    return cmocka_run_group_tests_name("rep3", tests, NULL, NULL);
}
