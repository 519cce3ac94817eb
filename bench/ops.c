#include "bench/op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)65536) /* elements shared or opened at a time; a multiple of 64 */
#define FRAC_BITS 20
#define CHAIN 256 /* dependent multiplications of a run */

/* ---- test data: public, the same in every run ---- */

/* An odd multiplier spreads the counter over 64 bits. */
static uint64_t spread(size_t stream, size_t i) {
    uint64_t v = (i + 1 + stream * UINT64_C(0x100000001)) * UINT64_C(0x9E3779B97F4A7C15);
    v = (v ^ (v >> 29)) * UINT64_C(0xBF58476D1CE4E5B9);
    return v ^ (v >> 32);
}

static int64_t small(size_t stream, size_t i, unsigned bits) {
    return (int64_t)spread(stream, i) >> (64 - bits);
}

typedef uint64_t (*element_of)(const pl_bench *b, size_t i);

static uint64_t any_x(const pl_bench *b, size_t i) {
    return b->bits == 32 ? (uint32_t)spread(0, i) : spread(0, i);
}
static uint64_t any_y(const pl_bench *b, size_t i) {
    return b->bits == 32 ? (uint32_t)spread(1, i) : spread(1, i);
}
/* Within half the range; every fourth pair equal, every fourth one apart. */
static uint64_t near_x(const pl_bench *b, size_t i) {
    uint64_t x = (uint64_t)small(0, i, b->bits - 1);
    return b->bits == 32 ? (uint32_t)x : x;
}
static uint64_t near_y(const pl_bench *b, size_t i) {
    uint64_t y = i % 4 == 0   ? (uint64_t)small(0, i, b->bits - 1)
                 : i % 4 == 1 ? (uint64_t)small(0, i, b->bits - 1) + 1
                              : (uint64_t)small(1, i, b->bits - 1);
    return b->bits == 32 ? (uint32_t)y : y;
}
/* Fixed-point numbers whose products are below 2^62. */
static uint64_t fixed_x(const pl_bench *b, size_t i) {
    (void)b;
    return (uint64_t)small(0, i, 31);
}
static uint64_t fixed_y(const pl_bench *b, size_t i) {
    (void)b;
    return (uint64_t)small(1, i, 31 - (unsigned)(i % 20));
}
/* Matrices of small numbers: a sum of 2^11 products stays below 2^62. */
static uint64_t matrix_x(const pl_bench *b, size_t i) {
    (void)b;
    return (uint64_t)small(0, i, 25);
}
static uint64_t matrix_y(const pl_bench *b, size_t i) {
    (void)b;
    return (uint64_t)small(1, i, 25);
}

static uint64_t get(pl_kind kind, const void *data, size_t i) {
    return kind == PL_ARITH_32 ? ((const uint32_t *)data)[i]
           : kind == PL_BIT    ? ((const uint64_t *)data)[i / 64] >> i % 64 & 1
                               : ((const uint64_t *)data)[i];
}

static void put(pl_kind kind, void *data, size_t i, uint64_t value) {
    if (kind == PL_ARITH_32)
        ((uint32_t *)data)[i] = (uint32_t)value;
    else if (kind == PL_BIT)
        ((uint64_t *)data)[i / 64] |= (value & 1) << i % 64;
    else
        ((uint64_t *)data)[i] = value;
}

/* ---- in and out, in pieces ---- */

static pl_status share_piece(pl_bench *b, size_t owner, element_of element, size_t at, size_t n,
                             pl_svec *out) {
    static _Thread_local uint64_t values[PIECE];
    pl_svec part = {0};
    bool owns = b->rank == owner;
    memset(values, 0, sizeof values);
    for (size_t i = 0; i < n && owns; i++)
        put(out->kind, values, i, element(b, at + i));
    pl_status status = pl_input(b->p, owner, out->kind, n, owns ? values : NULL, &part);
    if (pl_is_ok(status))
        status = pl_paste(out, at, &part);
    pl_svec_done(&part);
    return status;
}

static size_t n_components(const pl_bench *b) {
    return strcmp(pl_party_scheme_name(b->p), "plain") == 0 ? 1 : 2;
}

static pl_status share(pl_bench *b, size_t owner, pl_kind kind, size_t n, element_of element,
                       pl_svec *out) {
    owner %= pl_party_n_parties(b->p);
    PL_TRY(pl_svec_init(out, kind, n, n_components(b)));
    for (size_t at = 0; at < n; at += PIECE)
        PL_TRY(share_piece(b, owner, element, at, n - at < PIECE ? n - at : PIECE, out));
    return PL_OK;
}

/* Opens x to party 0, which compares. */
static pl_status compare(pl_bench *b, const pl_svec *x, element_of expected) {
    static _Thread_local uint64_t values[PIECE];
    for (size_t at = 0; at < x->n; at += PIECE) {
        size_t n = x->n - at < PIECE ? x->n - at : PIECE;
        pl_svec part = {0};
        PL_TRY(pl_slice(x, at, n, &part));
        pl_status status = pl_open(b->p, &part, x->kind, n, 1, "result of the benchmark", values);
        pl_svec_done(&part);
        PL_TRY(status);
        for (size_t i = 0; i < n && b->rank == 0; i++) {
            if (get(x->kind, values, i) != expected(b, at + i))
                return pl_fail(PL_INTERNAL, "element %zu of %s is wrong", at + i, b->op->name);
        }
    }
    return PL_OK;
}

/* Two inputs, one result in v[2], for most of the operations. */
static pl_status prepare_two(pl_bench *b, pl_kind kind, element_of x, element_of y) {
    PL_TRY(share(b, 0, kind, b->n, x, &b->v[0]));
    return share(b, 1, kind, b->n, y, &b->v[1]);
}

static pl_kind arith(const pl_bench *b) {
    return b->bits == 32 ? PL_ARITH_32 : PL_ARITH_64;
}

/* ---- mul, and, chain: in place, so that memory is that of two vectors ---- */

static uint64_t power(uint64_t x, uint64_t y, size_t times) {
    for (; times > 0; times--)
        x *= y;
    return x;
}

static uint64_t product(const pl_bench *b, size_t i) {
    uint64_t z = power(any_x(b, i), any_y(b, i), b->n_done);
    return b->bits == 32 ? (uint32_t)z : z;
}
static uint64_t chained(const pl_bench *b, size_t i) {
    uint64_t z = power(any_x(b, i), any_y(b, i), CHAIN * b->n_done);
    return b->bits == 32 ? (uint32_t)z : z;
}
static uint64_t conjunction(const pl_bench *b, size_t i) {
    (void)b;
    return spread(0, i) & spread(1, i);
}

static pl_status prepare_mul(pl_bench *b) {
    return prepare_two(b, arith(b), any_x, any_y);
}
static uint64_t word_x(const pl_bench *b, size_t i) {
    (void)b;
    return spread(0, i);
}
static uint64_t word_y(const pl_bench *b, size_t i) {
    (void)b;
    return spread(1, i);
}
static pl_status prepare_and(pl_bench *b) {
    return prepare_two(b, PL_BOOL_64, word_x, word_y);
}
static pl_status run_mul(pl_bench *b) {
    return pl_mul(b->p, &b->v[0], &b->v[1], &b->v[0]);
}
static pl_status run_chain(pl_bench *b) {
    for (size_t i = 0; i < CHAIN; i++)
        PL_TRY(pl_mul(b->p, &b->v[0], &b->v[1], &b->v[0]));
    return PL_OK;
}
static pl_status check_mul(pl_bench *b) {
    return compare(b, &b->v[0], product);
}
static pl_status check_chain(pl_bench *b) {
    return compare(b, &b->v[0], chained);
}
static pl_status check_and(pl_bench *b) {
    return compare(b, &b->v[0], conjunction);
}
static pl_cost cost_mul(const pl_bench *b, const pl_net *net) {
    (void)net;
    return pl_cost_mul(arith(b), b->n);
}
static pl_cost cost_and(const pl_bench *b, const pl_net *net) {
    (void)net;
    return pl_cost_mul(PL_BOOL_64, b->n);
}
static pl_cost cost_chain(const pl_bench *b, const pl_net *net) {
    return pl_cost_times(cost_mul(b, net), CHAIN);
}
static double work_chain(const pl_bench *b) {
    (void)b;
    return CHAIN;
}

/* ---- comparisons and conversions ---- */

static uint64_t is_less(const pl_bench *b, size_t i) {
    return b->bits == 32 ? (int32_t)near_x(b, i) < (int32_t)near_y(b, i)
                         : (int64_t)near_x(b, i) < (int64_t)near_y(b, i);
}
static uint64_t is_equal(const pl_bench *b, size_t i) {
    return near_x(b, i) == near_y(b, i);
}
static uint64_t bit(const pl_bench *b, size_t i) {
    (void)b;
    return spread(0, i) & 1;
}
static pl_status prepare_near(pl_bench *b) {
    return prepare_two(b, arith(b), near_x, near_y);
}
static pl_status prepare_one(pl_bench *b) {
    return share(b, 0, PL_ARITH_64, b->n, any_x, &b->v[0]);
}
static pl_status prepare_bits(pl_bench *b) {
    return share(b, 0, PL_BIT, b->n, bit, &b->v[0]);
}
static pl_status run_lt(pl_bench *b) {
    return pl_less_than(b->p, &b->v[0], &b->v[1], b->bits - 1, &b->v[2]);
}
static pl_status run_eq(pl_bench *b) {
    return pl_equal(b->p, &b->v[0], &b->v[1], &b->v[2]);
}
static pl_status run_a2b(pl_bench *b) {
    return pl_words(b->p, &b->v[0], 64, &b->v[2]);
}
static pl_status run_b2a(pl_bench *b) {
    return pl_bit_to_arith(b->p, &b->v[0], arith(b), &b->v[2]);
}
static pl_status check_lt(pl_bench *b) {
    return compare(b, &b->v[2], is_less);
}
static pl_status check_eq(pl_bench *b) {
    return compare(b, &b->v[2], is_equal);
}
static pl_status check_same(pl_bench *b) {
    return compare(b, &b->v[2], any_x);
}
static pl_status check_b2a(pl_bench *b) {
    return compare(b, &b->v[2], bit);
}
static pl_cost cost_lt(const pl_bench *b, const pl_net *net) {
    return pl_less_than_cost(b->n, b->bits - 1, net);
}
static pl_cost cost_eq(const pl_bench *b, const pl_net *net) {
    return pl_cost_zero(b->n, net);
}
static pl_cost cost_a2b(const pl_bench *b, const pl_net *net) {
    return pl_cost_words(b->n, 64, net);
}
static pl_cost cost_b2a(const pl_bench *b, const pl_net *net) {
    return pl_cost_bit_to_arith(arith(b), b->n, net);
}

/* ---- fixed point and matrices ---- */

static uint64_t shift_down(int64_t value) {
    return (uint64_t)(value < 0 ? ~(~value >> FRAC_BITS) : value >> FRAC_BITS);
}
static uint64_t fixed_product(const pl_bench *b, size_t i) {
    return shift_down((int64_t)(fixed_x(b, i) * fixed_y(b, i)));
}
static pl_status prepare_fixed(pl_bench *b) {
    return prepare_two(b, PL_ARITH_64, fixed_x, fixed_y);
}
static pl_status run_fixmul(pl_bench *b) {
    return pl_mul_fixed(b->p, &b->v[0], &b->v[1], FRAC_BITS, &b->v[2]);
}
static pl_status check_fixmul(pl_bench *b) {
    return compare(b, &b->v[2], fixed_product);
}
static pl_cost cost_fixmul(const pl_bench *b, const pl_net *net) {
    return pl_cost_mul_fixed(b->n, FRAC_BITS, net);
}

static pl_matmul_shape shape_of(const pl_bench *b) {
    return (pl_matmul_shape){b->n, b->n, b->n, FRAC_BITS};
}
static pl_status prepare_matmul(pl_bench *b) {
    PL_TRY(share(b, 0, PL_ARITH_64, b->n * b->n, matrix_x, &b->v[0]));
    return share(b, 1, PL_ARITH_64, b->n * b->n, matrix_y, &b->v[1]);
}
static pl_status run_matmul(pl_bench *b) {
    pl_matmul_shape shape = shape_of(b);
    return pl_matmul(b->p, &b->v[0], &b->v[1], &shape, &b->v[2]);
}
static uint64_t matrix_product(const pl_bench *b, size_t i) {
    uint64_t sum = 0;
    for (size_t k = 0; k < b->n; k++)
        sum += matrix_x(b, i / b->n * b->n + k) * matrix_y(b, k * b->n + i % b->n);
    return shift_down((int64_t)sum);
}
/* All of a small one, else a sample spread over the rows: checking takes longer than computing. */
static pl_status check_matmul(pl_bench *b) {
    size_t n = b->n * b->n, step = n > 20000 ? n / 10007 : 1;
    for (size_t i = 0; i < n; i += step) {
        pl_svec one = {0};
        uint64_t value = 0;
        PL_TRY(pl_slice(&b->v[2], i, 1, &one));
        pl_status status =
            pl_open(b->p, &one, PL_ARITH_64, 1, 1, "result of the benchmark", &value);
        pl_svec_done(&one);
        PL_TRY(status);
        if (b->rank == 0 && value != matrix_product(b, i))
            return pl_fail(PL_INTERNAL, "element %zu of the matrix product is wrong", i);
    }
    return PL_OK;
}
static pl_cost cost_matmul(const pl_bench *b, const pl_net *net) {
    pl_matmul_shape shape = shape_of(b);
    return pl_cost_matmul(&shape, net);
}
static double work_matmul(const pl_bench *b) {
    return (double)b->n * (double)b->n * (double)b->n;
}

/* ---- shuffle ---- */

static pl_status run_shuffle(pl_bench *b) {
    return pl_shuffle(b->p, (pl_svec *const[]){&b->v[0]}, 1);
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* The same elements, and not in the same order. */
static pl_status check_values(pl_bench *b, const uint64_t *values) {
    uint64_t *want, *got;
    size_t n = b->n, n_moved = 0;
    PL_TRY(pl_alloc(n + 1, 8, &want));
    pl_status status = pl_alloc(n + 1, 8, &got);
    for (size_t i = 0; i < n && pl_is_ok(status); i++) {
        want[i] = any_x(b, i);
        got[i] = values[i];
        n_moved += want[i] != got[i];
    }
    if (pl_is_ok(status)) {
        qsort(want, n, 8, by_value);
        qsort(got, n, 8, by_value);
        if (memcmp(want, got, 8 * n) != 0 || (n >= 64 && n_moved < n / 2))
            status = pl_fail(PL_INTERNAL, "the shuffled rows are not those that went in");
        free(got);
    }
    free(want);
    return status;
}

static pl_status check_shuffle(pl_bench *b) {
    uint64_t *values;
    PL_TRY(pl_alloc(b->n + 1, 8, &values));
    pl_status status =
        pl_open(b->p, &b->v[0], PL_ARITH_64, b->n, 1, "result of the benchmark", values);
    if (pl_is_ok(status) && b->rank == 0 && strcmp(pl_party_scheme_name(b->p), "plain") != 0)
        status = check_values(b, values);
    free(values);
    return status;
}
static pl_cost cost_shuffle(const pl_bench *b, const pl_net *net) {
    (void)net;
    return pl_cost_shuffle((const pl_kind[]){PL_ARITH_64}, 1, b->n);
}

/* ---- division and functions ---- */

#define PLACES 16

/* Quotients stay below 2^31 units. */
static uint64_t dividend(const pl_bench *b, size_t i) {
    (void)b;
    return (uint64_t)small(0, i, 31);
}
static uint64_t divisor(const pl_bench *b, size_t i) {
    (void)b;
    return (spread(1, i) >> 33) | 0x10000;
}
static uint64_t whole_x(const pl_bench *b, size_t i) {
    (void)b;
    return spread(0, i) >> 2;
}
static uint64_t whole_y(const pl_bench *b, size_t i) {
    (void)b;
    return (spread(1, i) >> (2 + i % 60)) | 1;
}
static uint64_t whole_quotient(const pl_bench *b, size_t i) {
    return whole_x(b, i) / whole_y(b, i);
}
static uint64_t of_exp(const pl_bench *b, size_t i) { /* from -8 to 8 */
    (void)b;
    return (uint64_t)small(0, i, PLACES + 4);
}
static uint64_t positive(const pl_bench *b, size_t i) {
    (void)b;
    return (spread(0, i) >> 34) | 1;
}

/* Opens v[2] and compares it, as a number, with what it should be, within the stated error. */
static pl_status compare_numbers(pl_bench *b, long double (*expected)(const pl_bench *, size_t)) {
    static _Thread_local uint64_t values[PIECE];
    for (size_t at = 0; at < b->n; at += PIECE) {
        size_t n = b->n - at < PIECE ? b->n - at : PIECE;
        pl_svec part = {0};
        PL_TRY(pl_slice(&b->v[2], at, n, &part));
        pl_status status =
            pl_open(b->p, &part, PL_ARITH_64, n, 1, "result of the benchmark", values);
        pl_svec_done(&part);
        PL_TRY(status);
        for (size_t i = 0; i < n && b->rank == 0; i++) {
            long double want = expected(b, at + i);
            long double got = ldexpl((long double)(int64_t)values[i], -PLACES);
            if (fabsl(got - want) > ldexpl(3, -PLACES) + ldexpl(fabsl(want), -24))
                return pl_fail(PL_INTERNAL, "element %zu of %s is wrong", at + i, b->op->name);
        }
    }
    return PL_OK;
}

static long double places(uint64_t value) {
    return ldexpl((long double)(int64_t)value, -PLACES);
}
static long double want_div(const pl_bench *b, size_t i) {
    return (long double)(int64_t)dividend(b, i) / (long double)divisor(b, i);
}
static long double want_sqrt(const pl_bench *b, size_t i) {
    return sqrtl(places(positive(b, i)));
}
static long double want_log(const pl_bench *b, size_t i) {
    return logl(places(positive(b, i)));
}
static long double want_exp(const pl_bench *b, size_t i) {
    return expl(places(of_exp(b, i)));
}
static long double want_sigmoid(const pl_bench *b, size_t i) {
    return 1 / (1 + expl(-places(of_exp(b, i))));
}
static pl_status prepare_div(pl_bench *b) {
    return prepare_two(b, PL_ARITH_64, dividend, divisor);
}
static pl_status prepare_whole(pl_bench *b) {
    return prepare_two(b, PL_ARITH_64, whole_x, whole_y);
}
static pl_status prepare_positive(pl_bench *b) {
    return share(b, 0, PL_ARITH_64, b->n, positive, &b->v[0]);
}
static pl_status prepare_exp(pl_bench *b) {
    return share(b, 0, PL_ARITH_64, b->n, of_exp, &b->v[0]);
}
static pl_status run_div(pl_bench *b) {
    return pl_divide(b->p, &b->v[0], &b->v[1], PLACES, &b->v[2]);
}
static pl_status run_intdiv(pl_bench *b) {
    return pl_divide_integer(b->p, &b->v[0], &b->v[1], 62, &b->v[2]);
}
static pl_status run_sqrt(pl_bench *b) {
    return pl_sqrt(b->p, &b->v[0], PLACES, &b->v[2]);
}
static pl_status run_log(pl_bench *b) {
    return pl_log(b->p, &b->v[0], PLACES, &b->v[2]);
}
static pl_status run_exp(pl_bench *b) {
    return pl_exp(b->p, &b->v[0], PLACES, &b->v[2]);
}
static pl_status run_sigmoid(pl_bench *b) {
    return pl_sigmoid(b->p, &b->v[0], PLACES, &b->v[2]);
}
static pl_status check_div(pl_bench *b) {
    return compare_numbers(b, want_div);
}
static pl_status check_intdiv(pl_bench *b) {
    return compare(b, &b->v[2], whole_quotient);
}
static pl_status check_sqrt(pl_bench *b) {
    return compare_numbers(b, want_sqrt);
}
static pl_status check_log(pl_bench *b) {
    return compare_numbers(b, want_log);
}
static pl_status check_exp(pl_bench *b) {
    return compare_numbers(b, want_exp);
}
static pl_status check_sigmoid(pl_bench *b) {
    return compare_numbers(b, want_sigmoid);
}
static pl_cost cost_intdiv(const pl_bench *b, const pl_net *net) {
    return pl_divide_integer_cost(b->n, 62, net);
}

/* ---- sort: a key and a payload, both in arithmetic form ---- */

static uint64_t key(const pl_bench *b, size_t i) {
    return (uint64_t)small(0, i, b->bits);
}
static uint64_t payload(const pl_bench *b, size_t i) {
    (void)b;
    return i;
}
static pl_status prepare_sort(pl_bench *b) {
    return prepare_two(b, PL_ARITH_64, key, payload);
}
static pl_status run_sort(pl_bench *b) {
    const pl_sort_key by = {&b->v[0], b->bits, false};
    return pl_sort(b->p, &by, 1, (pl_svec *const[]){&b->v[0], &b->v[1]}, 2);
}

/* Keys go up, equal ones by payload, and every payload is that of its key. */
static pl_status check_order(const pl_bench *b, const uint64_t *keys, const uint64_t *payloads) {
    for (size_t i = 0; i < b->n; i++) {
        bool fits = payloads[i] < b->n && keys[i] == key(b, payloads[i]);
        bool follows = i == 0 || (int64_t)keys[i - 1] < (int64_t)keys[i] ||
                       (keys[i - 1] == keys[i] && payloads[i - 1] < payloads[i]);
        if (!fits || !follows)
            return pl_fail(PL_INTERNAL, "row %zu is not in its place", i);
    }
    return PL_OK;
}
static pl_status check_sort(pl_bench *b) {
    uint64_t *values;
    PL_TRY(pl_alloc(2 * b->n, 8, &values));
    pl_status status = PL_OK;
    for (size_t i = 0; i < 2 && pl_is_ok(status); i++)
        status = pl_open(b->p, &b->v[i], PL_ARITH_64, b->n, 1, "result of the benchmark",
                         values + i * b->n);
    if (pl_is_ok(status) && b->rank == 0)
        status = check_order(b, values, values + b->n);
    free(values);
    return status;
}

/* ---- the limit ---- */

#define LIMIT_CHUNK ((size_t)131072)

pl_status pl_bench_stream(pl_mesh *mesh, uint64_t bytes, uint64_t rounds) {
    size_t n = pl_mesh_n_parties(mesh), rank = pl_mesh_rank(mesh);
    size_t prev = (rank + n - 1) % n, next = (rank + 1) % n;
    static _Thread_local uint8_t out[LIMIT_CHUNK], in[LIMIT_CHUNK];
    if (n == 1)
        return PL_OK;
    for (uint64_t r = 0; r < rounds; r++) {
        size_t len = (size_t)(bytes / rounds);
        PL_TRY(pl_mesh_exchange(mesh, prev, out, len < LIMIT_CHUNK ? len : LIMIT_CHUNK, next, in,
                                len < LIMIT_CHUNK ? len : LIMIT_CHUNK));
    }
    for (uint64_t at = 0; at < bytes && rounds == 0; at += LIMIT_CHUNK) {
        size_t len = bytes - at < LIMIT_CHUNK ? (size_t)(bytes - at) : LIMIT_CHUNK;
        PL_TRY(pl_mesh_send(mesh, prev, out, len));
        PL_TRY(pl_mesh_recv(mesh, next, in, len));
        PL_TRY(pl_mesh_drain(mesh, prev, 4 * LIMIT_CHUNK));
    }
    return pl_mesh_finish(mesh);
}

static pl_status prepare_nothing(pl_bench *b) {
    (void)b;
    return PL_OK;
}
static pl_status run_limit(pl_bench *b) {
    return pl_bench_stream(pl_party_mesh(b->p), 8 * b->n, 0);
}

/* ---- the table ---- */

const pl_bench_op pl_bench_ops[] = {
    {.name = "mul",
     .what = "multiplication",
     .n_suite = 10000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .has_32 = true,
     .prepare = prepare_mul,
     .run = run_mul,
     .check = check_mul,
     .cost = cost_mul},
    {.name = "and",
     .what = "AND of 64-bit words",
     .n_suite = 10000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .prepare = prepare_and,
     .run = run_mul,
     .check = check_and,
     .cost = cost_and},
    {.name = "chain",
     .what = "dependent multiplications, n elements each",
     .n_suite = 32,
     .n_max = 1000000,
     .has_32 = true,
     .prepare = prepare_mul,
     .run = run_chain,
     .check = check_chain,
     .work = work_chain,
     .cost = cost_chain},
    {.name = "lt",
     .what = "a < b, both secret",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .has_32 = true,
     .prepare = prepare_near,
     .run = run_lt,
     .check = check_lt,
     .cost = cost_lt},
    {.name = "eq",
     .what = "a = b, both secret",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .prepare = prepare_near,
     .run = run_eq,
     .check = check_eq,
     .cost = cost_eq},
    {.name = "a2b",
     .what = "all bits of a number",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .prepare = prepare_one,
     .run = run_a2b,
     .check = check_same,
     .cost = cost_a2b},
    {.name = "b2a",
     .what = "a bit to a number",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .has_32 = true,
     .prepare = prepare_bits,
     .run = run_b2a,
     .check = check_b2a,
     .cost = cost_b2a},
    {.name = "fixmul",
     .what = "fixed-point product, exactly truncated by 20 bits",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .prepare = prepare_fixed,
     .run = run_fixmul,
     .check = check_fixmul,
     .cost = cost_fixmul},
    {.name = "matmul",
     .what = "product of n x n matrices, fixed point",
     .n_suite = 1000,
     .n_max = 2000,
     .prepare = prepare_matmul,
     .run = run_matmul,
     .check = check_matmul,
     .work = work_matmul,
     .cost = cost_matmul},
    {.name = "shuffle",
     .what = "shuffle of rows of 8 bytes",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .prepare = prepare_one,
     .run = run_shuffle,
     .check = check_shuffle,
     .cost = cost_shuffle},
    {.name = "sort",
     .what = "stable sort by a key, with a payload",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 1000000,
     .has_32 = true,
     .is_twice = true,
     .prepare = prepare_sort,
     .run = run_sort,
     .check = check_sort,
     .is_random = true},
    {.name = "div",
     .what = "fixed-point division, 30 correct bits",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 1000000,
     .prepare = prepare_div,
     .run = run_div,
     .check = check_div},
    {.name = "intdiv",
     .what = "whole division of numbers of 62 bits",
     .n_suite = 100000,
     .n_max = 100000000,
     .prepare = prepare_whole,
     .run = run_intdiv,
     .check = check_intdiv,
     .cost = cost_intdiv},
    {.name = "sqrt",
     .what = "square root, 16 binary places",
     .n_suite = 1000000,
     .n_max = 100000000,
     .prepare = prepare_positive,
     .run = run_sqrt,
     .check = check_sqrt},
    {.name = "log",
     .what = "natural logarithm, 16 binary places",
     .n_suite = 1000000,
     .n_max = 100000000,
     .prepare = prepare_positive,
     .run = run_log,
     .check = check_log},
    {.name = "exp",
     .what = "exponential, 16 binary places",
     .n_suite = 1000000,
     .n_max = 100000000,
     .prepare = prepare_exp,
     .run = run_exp,
     .check = check_exp},
    {.name = "sigmoid",
     .what = "logistic function, 16 binary places",
     .n_suite = 1000000,
     .n_max = 100000000,
     .prepare = prepare_exp,
     .run = run_sigmoid,
     .check = check_sigmoid},
    {.name = "limit",
     .what = "8 n bytes to one party and from another, nothing else",
     .n_suite = 10000000,
     .n_max = 100000000,
     .prepare = prepare_nothing,
     .run = run_limit,
     .check = prepare_nothing,
     .cost = cost_and},
};
const size_t pl_n_bench_ops = sizeof pl_bench_ops / sizeof pl_bench_ops[0];

/* Two vectors of constants stand for the inputs: all operations but those with a cost of their own
 * take two of ring 2^64. */
static pl_status dry_run(const pl_bench *b, const pl_net *net, pl_cost *out) {
    pl_bench dry = {.op = b->op, .n = b->n, .bits = b->bits};
    uint64_t *zeros = NULL;
    pl_status status;
    PL_CHECK(status, pl_cost_party_new(net, &dry.p));
    PL_CHECK(status, pl_alloc(b->n, 8, &zeros));
    for (size_t i = 0; i < 2; i++)
        PL_CHECK(status, pl_constant(dry.p, PL_ARITH_64, b->n, zeros, &dry.v[i]));
    PL_CHECK(status, b->op->run(&dry));
    *out = pl_cost_party_total(dry.p);
out:
    for (size_t i = 0; i < PL_BENCH_VECTORS; i++)
        pl_svec_done(&dry.v[i]);
    free(zeros);
    pl_party_free(dry.p);
    return status;
}

bool pl_bench_predict(const pl_bench *b, const pl_net *net, pl_cost *out) {
    if (b->op->is_random)
        return false;
    if (b->op->cost != NULL) {
        *out = b->op->cost(b, net);
        return true;
    }
    pl_status status = dry_run(b, net, out);
    bool ok = pl_is_ok(status);
    pl_status_done(&status); /* then there is no prediction */
    return ok;
}

const pl_bench_op *pl_bench_find(const char *name) {
    for (size_t i = 0; i < pl_n_bench_ops; i++) {
        if (strcmp(pl_bench_ops[i].name, name) == 0)
            return &pl_bench_ops[i];
    }
    return NULL;
}
