/* Every operation of rep3 and plain against arithmetic written out here: random and edge values,
 * all rings, lengths around word and chunk borders, owners and recipients inside and outside the
 * compute set. Wrong if both schemes and the written out arithmetic share a mistake, or if a case
 * is skipped (the count at the end). */
#include "tests/unit/party_fixture.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef enum op {
    OP_ADD,
    OP_SUB,
    OP_NEG,
    OP_MUL,
    OP_MUL_ALIAS,
    OP_ADD_PUBLIC,
    OP_MUL_PUBLIC,
    OP_SUM,
    OP_TOTAL,
    OP_A2B,
    OP_BIT_TO_ARITH,
    OP_BIT_TO_ARITH_128,
    OP_LESS,
    OP_LESS_128,
    OP_LESS_BOOL,
    OP_MAX,
    OP_SELECT,
    OP_CONSTANT,
    OP_COUNT
} op;

static bool op_takes(op o, pl_kind kind) {
    switch (o) {
    case OP_A2B:
    case OP_MAX:
    case OP_LESS:
    case OP_LESS_128:
    case OP_LESS_BOOL:
        return kind == PL_ARITH_64;
    case OP_BIT_TO_ARITH:
    case OP_BIT_TO_ARITH_128:
        return kind == PL_BOOL_64;
    case OP_SELECT:
        return kind != PL_BOOL_64;
    default:
        return true;
    }
}

static pl_kind result_kind(op o, pl_kind kind) {
    switch (o) {
    case OP_A2B:
    case OP_LESS_BOOL:
        return PL_BOOL_64;
    case OP_BIT_TO_ARITH:
        return PL_ARITH_64;
    case OP_BIT_TO_ARITH_128:
    case OP_LESS_128:
        return PL_ARITH_128;
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
    return kind == PL_ARITH_128 ? ((const pl_u128 *)data)[i] : ((const uint64_t *)data)[i];
}

static pl_u128 plus(pl_kind kind, pl_u128 a, pl_u128 b) {
    return kind == PL_BOOL_64 ? a ^ b : a + b;
}

static pl_u128 times(pl_kind kind, pl_u128 a, pl_u128 b) {
    return kind == PL_BOOL_64 ? (a & b) : a * b;
}

static pl_u128 minus(pl_kind kind, pl_u128 a) {
    return kind == PL_BOOL_64 ? a : 0 - a;
}

static pl_u128 total_of(pl_kind kind, const void *x, size_t n) {
    pl_u128 total = 0;
    for (size_t i = 0; i < n; i++)
        total = plus(kind, total, get(kind, x, i));
    return total;
}

static pl_u128 expect(const test_case *t, size_t i) {
    pl_u128 x = get(t->kind, t->x, i), y = get(t->kind, t->y, i);
    switch (t->o) {
    case OP_ADD:
    case OP_ADD_PUBLIC:
        return plus(t->kind, x, y);
    case OP_SUB:
        return plus(t->kind, x, minus(t->kind, y));
    case OP_NEG:
        return minus(t->kind, x);
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
    case OP_BIT_TO_ARITH:
    case OP_BIT_TO_ARITH_128:
        return x & 1;
    case OP_LESS:
    case OP_LESS_128:
    case OP_LESS_BOOL:
        return (int64_t)x < (int64_t)y;
    case OP_MAX:
        return (int64_t)x < (int64_t)y ? y : x;
    case OP_CONSTANT:
        return y;
    default:
        return x;
    }
}

static pl_status apply(pl_party *p, const test_case *t, pl_svec *x, const pl_svec *y,
                       pl_svec *out) {
    switch (t->o) {
    case OP_ADD:
        return t->kind == PL_BOOL_64 ? pl_xor(p, x, y, out) : pl_add(p, x, y, out);
    case OP_SUB:
        return pl_sub(p, x, y, out);
    case OP_NEG:
        return pl_neg(p, x, out);
    case OP_MUL:
        return t->kind == PL_BOOL_64 ? pl_and(p, x, y, out) : pl_mul(p, x, y, out);
    case OP_MUL_ALIAS: /* a live result is reused, then out is an input */
        PL_TRY(pl_mul(p, y, y, out));
        PL_TRY(pl_mul(p, x, y, out));
        return pl_mul(p, out, x, out);
    case OP_ADD_PUBLIC:
        return pl_add_public(p, x, t->y, out);
    case OP_MUL_PUBLIC:
        return pl_mul_public(p, x, t->y, out);
    case OP_SUM:
        return pl_sum(p, (const pl_svec *[]){x, y, x}, 3, out);
    case OP_TOTAL:
        return pl_total(p, x, out);
    case OP_A2B:
        return pl_a2b(p, x, out);
    case OP_BIT_TO_ARITH:
    case OP_BIT_TO_ARITH_128:
        return pl_bit_to_arith(p, x, result_kind(t->o, t->kind), out);
    case OP_LESS:
    case OP_LESS_128:
    case OP_LESS_BOOL:
        PL_TRY(pl_less_than_public(p, x, t->y, result_kind(t->o, t->kind), x)); /* out is x */
        pl_svec_take(out, x);
        return PL_OK;
    case OP_MAX: /* the odd one out, ties */
        return pl_max(p, (const pl_svec *const[]){x, x, y, x, x}, 5, out);
    case OP_SELECT:
        return pl_select(p, y, x, out);
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

static void prepare(test_case *t, uint64_t stream) {
    size_t bytes = (t->n == 0 ? 1 : t->n) * 16;
    t->x = calloc(1, bytes);
    t->y = calloc(1, bytes);
    fixture_values(t->kind, stream, t->x, t->n);
    fixture_values(t->kind, stream + 1, t->y, t->n);
    for (size_t i = 0; i < t->n; i++) {
        if (t->o == OP_LESS || t->o == OP_MAX || t->o == OP_LESS_128 || t->o == OP_LESS_BOOL) {
            /* |x - y| < 2^63: a quarter of the range each; some of them equal, some one apart */
            int64_t *a = t->x, *b = t->y;
            a[i] /= 4;
            b[i] = i % 5 == 0 ? a[i] : i % 5 == 1 ? a[i] + 1 : i % 5 == 2 ? a[i] - 1 : b[i] / 4;
        }
        if (t->o == OP_SELECT && t->kind == PL_ARITH_64)
            ((uint64_t *)t->y)[i] &= 1;
        if (t->o == OP_SELECT && t->kind == PL_ARITH_128)
            ((pl_u128 *)t->y)[i] &= 1;
    }
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
            if (kind != PL_ARITH_128)
                want = (uint64_t)want;
            if (get(kind, t->out[rank], i) != want)
                fail_msg("%s: operation %d on %s, element %zu of %zu at rank %zu is wrong",
                         set->scheme, (int)t->o, pl_kind_name(t->kind), i, t->n, rank);
            n_checked++;
        }
    }
    finish(t);
}

static const fixture_set rep3_3 = {"rep3", 3, {0, 1, 2}, 3};
static const fixture_set rep3_5 = {"rep3", 5, {3, 0, 2}, 3};
static const fixture_set plain_3 = {"plain", 3, {1}, 1};

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
    static const size_t lengths[] = {0, 1, 63, 64, 65, 1000};
    for (size_t l = 0; l < sizeof lengths / sizeof lengths[0]; l++) {
        operations(&plain_3, lengths[l], 5, 0, 2);
        operations(&rep3_3, lengths[l], 7, l % 3, (l + 1) % 3);
    }
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
                           .kind = (pl_kind)(recipients % 3),
                           .n = 9,
                           .owners = {owner, (owner + recipients) % 5},
                           .recipients = recipients};
            check_case(&rep3_5, &t, recipients);
        }
    }
}

/* Longer than a chunk, than the backlog and than the pipe, and not a multiple of them. */
static void long_vectors(void **state) {
    (void)state;
    for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) {
        test_case t = {.o = OP_MUL, .kind = kind, .n = 200001, .owners = {1, 2}, .recipients = 0x3};
        check_case(&rep3_5, &t, 7);
    }
}

static void cases_were_run(void **state) {
    (void)state;
    printf("%zu elements compared\n", n_checked);
    assert_true(n_checked > 100000);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(operations_over_lengths), cmocka_unit_test(operations_from_and_to_outside),
        cmocka_unit_test(owners_and_recipients),   cmocka_unit_test(long_vectors),
        cmocka_unit_test(cases_were_run),
    };
    return cmocka_run_group_tests_name("rep3", tests, NULL, NULL);
}
