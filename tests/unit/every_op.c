#include "tests/unit/every_op.h"

#include <stdlib.h>
#include <string.h>

#define OP(name)                                                                                   \
    static pl_status run_##name(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out)

OP(mul) {
    return pl_mul(p, x, y, out);
}
OP(mul_fixed) {
    return pl_mul_fixed(p, x, y, 8, out);
}
OP(truncate) {
    (void)y;
    return pl_truncate(p, x, 3, out);
}
OP(mul_near) {
    return pl_mul_fixed_probabilistic(p, x, y, 8, out);
}
OP(truncate_near) {
    (void)y;
    return pl_truncate_probabilistic(p, x, 3, out);
}
OP(matmul) {
    pl_svec factor = {0};
    pl_status status = pl_slice(y, 0, 70, &factor);
    if (pl_is_ok(status))
        status = pl_matmul(p, x, &factor, &(pl_matmul_shape){x->n / 10, 10, 7, 4}, out);
    pl_svec_done(&factor);
    return status;
}
OP(less) {
    return pl_less_than(p, x, y, 63, out);
}
OP(less_full) {
    return pl_less_than(p, x, y, 64, out);
}
OP(equal) {
    return pl_equal(p, x, y, out);
}
OP(choose) {
    PL_TRY(pl_equal(p, x, y, out));
    return pl_choose(p, out, x, y, out);
}
OP(max) {
    return pl_max(p, (const pl_svec *const[]){x, y, x}, 3, out);
}
/* Several in one step: a comparison, a product, a truncated one and bits to numbers. */
OP(together) {
    pl_svec bits = {0}, less = {0}, product = {0}, numbers = {0};
    pl_status status;
    PL_CHECK(status, pl_equal(p, x, y, &bits));
    PL_CHECK(status, pl_together_begin(p));
    status = pl_sign(p, x, y, 64, &less);
    if (pl_is_ok(status))
        status = pl_mul(p, x, y, &product);
    if (pl_is_ok(status))
        status = pl_truncate(p, x, 3, out);
    if (pl_is_ok(status))
        status = pl_bit_to_arith(p, &bits, PL_ARITH_64, &numbers);
    PL_CHECK(status, pl_together_end(p, status));
    PL_CHECK(status, pl_sum(p, (const pl_svec *const[]){&product, &numbers, out}, 3, out));
out:
    pl_svec_done(&bits);
    pl_svec_done(&less);
    pl_svec_done(&product);
    pl_svec_done(&numbers);
    return status;
}
OP(words) {
    (void)y;
    PL_TRY(pl_words(p, x, 64, out));
    return pl_number(p, out, out);
}
OP(to_128) {
    PL_TRY(pl_less_than(p, x, y, 20, out));
    return pl_bit_to_arith(p, out, PL_ARITH_128, out);
}
/* Of numbers of 128 bits, made of bits. */
OP(less_128) {
    pl_svec bits = {0}, wide = {0};
    pl_status status;
    PL_CHECK(status, pl_less_than(p, x, y, 20, &bits));
    PL_CHECK(status, pl_bit_to_arith(p, &bits, PL_ARITH_128, &wide));
    PL_CHECK(status, pl_neg(p, &wide, out));
    PL_CHECK(status, pl_less_than(p, &wide, out, 128, &bits));
    PL_CHECK(status, pl_equal(p, &wide, out, out));
    PL_CHECK(status, pl_xor(p, &bits, out, out));
out:
    pl_svec_done(&bits);
    pl_svec_done(&wide);
    return status;
}
OP(shuffle) {
    (void)y;
    PL_TRY(pl_svec_dup(x, out));
    return pl_shuffle(p, (pl_svec *const[]){out}, 1);
}
OP(less_rows) {
    pl_svec a = {0}, b = {0};
    uint32_t *left = NULL, *right = NULL;
    pl_status status;
    PL_CHECK(status, pl_alloc(x->n, sizeof *left, &left));
    PL_CHECK(status, pl_alloc(x->n, sizeof *right, &right));
    for (size_t i = 0; i < x->n; i++) {
        left[i] = (uint32_t)i;
        right[i] = (uint32_t)((i * 7 + 3) % x->n);
    }
    PL_CHECK(status, pl_words(p, x, 64, &a));
    PL_CHECK(status, pl_words(p, y, 10, &b));
    const pl_row_pairs pairs = {.columns = (const pl_svec *const[]){&a, &b},
                                .n_columns = 2,
                                .bits = 74,
                                .left = left,
                                .right = right,
                                .n = x->n};
    status = pl_less_rows(p, &pairs, out);
out:
    free(left);
    free(right);
    pl_svec_done(&a);
    pl_svec_done(&b);
    return status;
}
OP(sort) {
    const pl_sort_key keys[] = {{x, 20, false}, {y, 20, true}};
    PL_TRY(pl_svec_dup(x, out));
    return pl_sort(p, keys, 2, (pl_svec *const[]){out}, 1);
}
OP(compact) {
    pl_svec bits = {0};
    pl_status status = pl_less_than(p, x, y, 20, &bits);
    if (pl_is_ok(status))
        status = pl_svec_dup(x, out);
    if (pl_is_ok(status))
        status = pl_compact(p, &bits, (pl_svec *const[]){out}, 1);
    pl_svec_done(&bits);
    return status;
}
OP(one_hot) {
    (void)y;
    return pl_one_hot(p, x, 3, out);
}
OP(scan) {
    pl_svec bits = {0};
    pl_status status = pl_less_than(p, x, y, 20, &bits);
    if (pl_is_ok(status))
        status = pl_segmented_scan(p, PL_SCAN_MAX, x, &bits, out);
    pl_svec_done(&bits);
    return status;
}
OP(divide) {
    return pl_divide(p, x, y, 8, out);
}
OP(divide_integer) {
    return pl_divide_integer(p, x, y, 15, out);
}
OP(divide_public) {
    (void)y;
    return pl_divide_public(p, x, 7, out);
}
OP(sqrt) {
    (void)y;
    return pl_sqrt(p, x, 8, out);
}
OP(log) {
    (void)y;
    return pl_log(p, x, 8, out);
}
OP(exp) {
    PL_TRY(pl_sub(p, x, y, out));
    PL_TRY(pl_truncate(p, out, 6, out));
    return pl_exp(p, out, 8, out);
}
OP(sigmoid) {
    PL_TRY(pl_sub(p, x, y, out));
    return pl_sigmoid(p, out, 8, out);
}

const every_op every_ops[] = {
    {"mul", run_mul},
    {"mul_fixed", run_mul_fixed},
    {"truncate", run_truncate},
    {"mul_near", run_mul_near},
    {"truncate_near", run_truncate_near},
    {"matmul", run_matmul},
    {"less", run_less},
    {"less_full", run_less_full},
    {"equal", run_equal},
    {"choose", run_choose},
    {"max", run_max},
    {"together", run_together},
    {"words", run_words},
    {"to_128", run_to_128},
    {"less_128", run_less_128},
    {"shuffle", run_shuffle},
    {"less_rows", run_less_rows},
    {"sort", run_sort},
    {"compact", run_compact},
    {"one_hot", run_one_hot},
    {"scan", run_scan},
    {"divide", run_divide},
    {"divide_integer", run_divide_integer},
    {"divide_public", run_divide_public},
    {"sqrt", run_sqrt},
    {"log", run_log},
    {"exp", run_exp},
    {"sigmoid", run_sigmoid},
};
const size_t n_every_ops = sizeof every_ops / sizeof every_ops[0];

const every_op *every_op_find(const char *name) {
    for (size_t i = 0; i < n_every_ops; i++) {
        if (strcmp(every_ops[i].name, name) == 0)
            return &every_ops[i];
    }
    return NULL;
}

pl_status every_op_inputs_of(pl_party *p, size_t n, pl_svec *x, pl_svec *y) {
    size_t rank = pl_party_rank(p);
    uint64_t *values;
    PL_TRY(pl_alloc(2 * n, sizeof *values, &values));
    uint64_t *first = values, *second = values + n;
    for (size_t i = 0; i < n; i++) {
        first[i] = (i * 7919 + 13) % 16383 + 1;
        second[i] = i % 5 == 0 ? first[i] : (i * 104729 + 5) % 16384 + 1;
    }
    pl_status status = pl_input(p, 0, PL_ARITH_64, n, rank == 0 ? first : NULL, x);
    if (pl_is_ok(status))
        status = pl_input(p, 1, PL_ARITH_64, n, rank == 1 ? second : NULL, y);
    free(values);
    return status;
}

pl_status every_op_inputs(pl_party *p, pl_svec *x, pl_svec *y) {
    return every_op_inputs_of(p, EVERY_OP_N, x, y);
}
