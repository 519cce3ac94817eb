#include "tests/unit/every_op.h"

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
    return pl_matmul(p, x, y, &(pl_matmul_shape){7, 10, 7, 4}, out);
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
    static const uint32_t left[] = {0, 1, 2}, right[] = {3, 3, 4};
    pl_svec a = {0}, b = {0};
    pl_status status;
    PL_CHECK(status, pl_words(p, x, 64, &a));
    PL_CHECK(status, pl_words(p, y, 10, &b));
    const pl_row_pairs pairs = {.columns = (const pl_svec *const[]){&a, &b},
                                .n_columns = 2,
                                .bits = 74,
                                .left = left,
                                .right = right,
                                .n = 3};
    status = pl_less_rows(p, &pairs, out);
out:
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
    {"mul", false, run_mul},
    {"mul_fixed", false, run_mul_fixed},
    {"truncate", false, run_truncate},
    {"mul_near", false, run_mul_near},
    {"truncate_near", false, run_truncate_near},
    {"matmul", false, run_matmul},
    {"less", false, run_less},
    {"less_full", false, run_less_full},
    {"equal", false, run_equal},
    {"choose", false, run_choose},
    {"max", false, run_max},
    {"together", false, run_together},
    {"words", false, run_words},
    {"to_128", false, run_to_128},
    {"less_128", false, run_less_128},
    {"shuffle", false, run_shuffle},
    {"less_rows", false, run_less_rows},
    {"sort", true, run_sort},
    {"compact", true, run_compact},
    {"one_hot", false, run_one_hot},
    {"scan", false, run_scan},
    {"divide", false, run_divide},
    {"divide_integer", false, run_divide_integer},
    {"divide_public", false, run_divide_public},
    {"sqrt", false, run_sqrt},
    {"log", false, run_log},
    {"exp", false, run_exp},
    {"sigmoid", false, run_sigmoid},
};
const size_t n_every_ops = sizeof every_ops / sizeof every_ops[0];

pl_status every_op_inputs(pl_party *p, pl_svec *x, pl_svec *y) {
    uint64_t values[2][EVERY_OP_N];
    size_t rank = pl_party_rank(p);
    for (size_t i = 0; i < EVERY_OP_N; i++) {
        values[0][i] = (i * 7919 + 13) % 16384;
        values[1][i] = i % 5 == 0 ? values[0][i] : (i * 104729 + 5) % 16384 + 1;
    }
    PL_TRY(pl_input(p, 0, PL_ARITH_64, EVERY_OP_N, rank == 0 ? values[0] : NULL, x));
    return pl_input(p, 1, PL_ARITH_64, EVERY_OP_N, rank == 1 ? values[1] : NULL, y);
}
