#include "protocols/bench/op.h"

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

typedef uint64_t (*element_of)(const pl_trial *b, size_t i);

static uint64_t any_x(const pl_trial *b, size_t i) {
    return b->bits == 32 ? (uint32_t)spread(0, i) : spread(0, i);
}
static uint64_t any_y(const pl_trial *b, size_t i) {
    return b->bits == 32 ? (uint32_t)spread(1, i) : spread(1, i);
}
/* Within half the range; every fourth pair equal, every fourth one apart. */
static uint64_t near_x(const pl_trial *b, size_t i) {
    uint64_t x = (uint64_t)small(0, i, b->bits - 1);
    return b->bits == 32 ? (uint32_t)x : x;
}
static uint64_t near_y(const pl_trial *b, size_t i) {
    uint64_t y = i % 4 == 0   ? (uint64_t)small(0, i, b->bits - 1)
                 : i % 4 == 1 ? (uint64_t)small(0, i, b->bits - 1) + 1
                              : (uint64_t)small(1, i, b->bits - 1);
    return b->bits == 32 ? (uint32_t)y : y;
}
/* Fixed-point numbers whose products are below 2^62. */
static uint64_t fixed_x(const pl_trial *b, size_t i) {
    (void)b;
    return (uint64_t)small(0, i, 31);
}
static uint64_t fixed_y(const pl_trial *b, size_t i) {
    (void)b;
    return (uint64_t)small(1, i, 31 - (unsigned)(i % 20));
}
/* Matrices of small numbers: a sum of 2^11 products stays below 2^62. */
static uint64_t matrix_x(const pl_trial *b, size_t i) {
    (void)b;
    return (uint64_t)small(0, i, 25);
}
static uint64_t matrix_y(const pl_trial *b, size_t i) {
    (void)b;
    return (uint64_t)small(1, i, 25);
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

static pl_status share_piece(pl_trial *b, size_t owner, element_of element, size_t at, size_t n,
                             pl_svec *out) {
    static _Thread_local uint64_t values[PIECE];
    pl_svec part = {0};
    bool owns = b->rank == b->owners[owner];
    memset(values, 0, sizeof values);
    for (size_t i = 0; i < n && owns; i++)
        put(out->kind, values, i, element(b, at + i));
    pl_status status = pl_input(b->p, b->owners[owner], out->kind, n, owns ? values : NULL, &part);
    if (pl_is_ok(status) && pl_party_computes(b->p))
        status = pl_paste(out, at, &part);
    pl_svec_done(&part);
    return status;
}

/* Compute parties need memory, the others take part in inputs only. */
static pl_status make_vector(const pl_trial *b, pl_kind kind, size_t n, pl_svec *out) {
    return pl_svec_init(out, kind, n, pl_party_computes(b->p) ? pl_party_n_components(b->p) : 0);
}

static pl_status share(pl_trial *b, size_t owner, pl_kind kind, size_t n, element_of element,
                       pl_svec *out) {
    PL_TRY(make_vector(b, kind, n, out));
    for (size_t at = 0; at < n; at += PIECE)
        PL_TRY(share_piece(b, owner, element, at, n - at < PIECE ? n - at : PIECE, out));
    return PL_OK;
}

/* Two inputs, one result in v[2], for most of the operations. */
static pl_status prepare_two(pl_trial *b, pl_kind kind, element_of x, element_of y) {
    PL_TRY(share(b, 0, kind, b->n, x, &b->v[0]));
    return share(b, 1, kind, b->n, y, &b->v[1]);
}

static pl_kind arith(const pl_trial *b) {
    return b->bits == 32 ? PL_ARITH_32 : PL_ARITH_64;
}

static pl_kind kind_64(const pl_trial *b) {
    (void)b;
    return PL_ARITH_64;
}
static pl_kind kind_bool(const pl_trial *b) {
    (void)b;
    return PL_BOOL_64;
}
static pl_kind kind_bit(const pl_trial *b) {
    (void)b;
    return PL_BIT;
}

/* ---- mul, and, chain: in place, so that memory is that of two vectors ---- */

static uint64_t power(uint64_t x, uint64_t y, size_t times) {
    for (; times > 0; times--)
        x *= y;
    return x;
}

static uint64_t product(const pl_trial *b, size_t i) {
    uint64_t z = power(any_x(b, i), any_y(b, i), b->n_done);
    return b->bits == 32 ? (uint32_t)z : z;
}
static uint64_t chained(const pl_trial *b, size_t i) {
    uint64_t z = power(any_x(b, i), any_y(b, i), CHAIN * b->n_done);
    return b->bits == 32 ? (uint32_t)z : z;
}
static uint64_t conjunction(const pl_trial *b, size_t i) {
    (void)b;
    return spread(0, i) & spread(1, i);
}

static pl_status prepare_mul(pl_trial *b) {
    return prepare_two(b, arith(b), any_x, any_y);
}
static uint64_t word_x(const pl_trial *b, size_t i) {
    (void)b;
    return spread(0, i);
}
static uint64_t word_y(const pl_trial *b, size_t i) {
    (void)b;
    return spread(1, i);
}
static pl_status prepare_and(pl_trial *b) {
    return prepare_two(b, PL_BOOL_64, word_x, word_y);
}
static pl_status run_mul(pl_trial *b) {
    return pl_mul(b->p, &b->v[0], &b->v[1], &b->v[0]);
}
static pl_status run_chain(pl_trial *b) {
    for (size_t i = 0; i < CHAIN; i++)
        PL_TRY(pl_mul(b->p, &b->v[0], &b->v[1], &b->v[0]));
    return PL_OK;
}
static pl_cost cost_mul(const pl_trial *b, const pl_net *net) {
    (void)net;
    return pl_cost_mul(arith(b), b->n);
}
static pl_cost cost_and(const pl_trial *b, const pl_net *net) {
    (void)net;
    return pl_cost_mul(PL_BOOL_64, b->n);
}
static pl_cost cost_chain(const pl_trial *b, const pl_net *net) {
    return pl_cost_times(cost_mul(b, net), CHAIN);
}
static double work_chain(const pl_trial *b) {
    (void)b;
    return CHAIN;
}

/* ---- comparisons and conversions ---- */

static uint64_t is_less(const pl_trial *b, size_t i) {
    return b->bits == 32 ? (int32_t)near_x(b, i) < (int32_t)near_y(b, i)
                         : (int64_t)near_x(b, i) < (int64_t)near_y(b, i);
}
static uint64_t is_equal(const pl_trial *b, size_t i) {
    return near_x(b, i) == near_y(b, i);
}
static uint64_t bit(const pl_trial *b, size_t i) {
    (void)b;
    return spread(0, i) & 1;
}
static pl_status prepare_near(pl_trial *b) {
    return prepare_two(b, arith(b), near_x, near_y);
}
static pl_status prepare_one(pl_trial *b) {
    return share(b, 0, PL_ARITH_64, b->n, any_x, &b->v[0]);
}
static pl_status prepare_bits(pl_trial *b) {
    return share(b, 0, PL_BIT, b->n, bit, &b->v[0]);
}
static pl_status run_lt(pl_trial *b) {
    return pl_less_than(b->p, &b->v[0], &b->v[1], b->bits - 1, &b->v[2]);
}
static pl_status run_eq(pl_trial *b) {
    return pl_equal(b->p, &b->v[0], &b->v[1], &b->v[2]);
}
static pl_status run_a2b(pl_trial *b) {
    return pl_words(b->p, &b->v[0], 64, &b->v[2]);
}
static pl_status run_b2a(pl_trial *b) {
    return pl_bit_to_arith(b->p, &b->v[0], arith(b), &b->v[2]);
}
static pl_cost cost_lt(const pl_trial *b, const pl_net *net) {
    return pl_less_than_cost(arith(b), b->n, b->bits - 1, net);
}
static pl_cost cost_eq(const pl_trial *b, const pl_net *net) {
    return pl_cost_zero(PL_ARITH_64, b->n, net);
}
static pl_cost cost_a2b(const pl_trial *b, const pl_net *net) {
    return pl_cost_words(b->n, 64, net);
}
static pl_cost cost_b2a(const pl_trial *b, const pl_net *net) {
    return pl_cost_bit_to_arith(arith(b), b->n, net);
}

/* ---- fixed point and matrices ---- */

static uint64_t shift_down(int64_t value) {
    return (uint64_t)(value < 0 ? ~(~value >> FRAC_BITS) : value >> FRAC_BITS);
}
static uint64_t fixed_product(const pl_trial *b, size_t i) {
    return shift_down((int64_t)(fixed_x(b, i) * fixed_y(b, i)));
}
static pl_status prepare_fixed(pl_trial *b) {
    return prepare_two(b, PL_ARITH_64, fixed_x, fixed_y);
}
static pl_status run_fixmul(pl_trial *b) {
    return pl_mul_fixed(b->p, &b->v[0], &b->v[1], FRAC_BITS, &b->v[2]);
}
static pl_cost cost_fixmul(const pl_trial *b, const pl_net *net) {
    return pl_cost_mul_fixed(b->n, FRAC_BITS, net);
}

static pl_status run_fixnear(pl_trial *b) {
    return pl_mul_fixed_probabilistic(b->p, &b->v[0], &b->v[1], FRAC_BITS, &b->v[2]);
}
/* What exact truncation gives, or one unit more. */
static bool fits_fixnear(const pl_trial *b, size_t which, size_t i, uint64_t value) {
    (void)which;
    return value - fixed_product(b, i) <= 1;
}
static pl_cost cost_fixnear(const pl_trial *b, const pl_net *net) {
    return pl_cost_mul_fixed_probabilistic(b->n, net);
}

static pl_matmul_shape shape_of(const pl_trial *b) {
    return (pl_matmul_shape){b->n, b->n, b->n, FRAC_BITS};
}
static pl_status prepare_matmul(pl_trial *b) {
    PL_TRY(share(b, 0, PL_ARITH_64, b->n * b->n, matrix_x, &b->v[0]));
    return share(b, 1, PL_ARITH_64, b->n * b->n, matrix_y, &b->v[1]);
}
static pl_status run_matmul(pl_trial *b) {
    pl_matmul_shape shape = shape_of(b);
    return pl_matmul(b->p, &b->v[0], &b->v[1], &shape, &b->v[2]);
}
static uint64_t matrix_product(const pl_trial *b, size_t i) {
    uint64_t sum = 0;
    for (size_t k = 0; k < b->n; k++)
        sum += matrix_x(b, i / b->n * b->n + k) * matrix_y(b, k * b->n + i % b->n);
    return shift_down((int64_t)sum);
}
static size_t length_matmul(const pl_trial *b) {
    return b->n * b->n;
}
static pl_cost cost_matmul(const pl_trial *b, const pl_net *net) {
    pl_matmul_shape shape = shape_of(b);
    return pl_cost_matmul(&shape, net);
}
static double work_matmul(const pl_trial *b) {
    return (double)b->n * (double)b->n * (double)b->n;
}

/* ---- shuffle ---- */

static pl_status run_shuffle(pl_trial *b) {
    return pl_shuffle(b->p, (pl_svec *const[]){&b->v[0]}, 1);
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

static pl_status refer_to_values(pl_trial *b) {
    PL_TRY(pl_alloc(b->n, sizeof *b->reference, &b->reference));
    for (size_t i = 0; i < b->n; i++)
        b->reference[i] = any_x(b, i);
    qsort(b->reference, b->n, sizeof *b->reference, by_value);
    return PL_OK;
}
/* It is one of those that went in. */
static bool fits_shuffle(const pl_trial *b, size_t which, size_t i, uint64_t value) {
    (void)which, (void)i;
    return bsearch(&value, b->reference, b->n, sizeof value, by_value) != NULL;
}
static pl_cost cost_shuffle(const pl_trial *b, const pl_net *net) {
    (void)net;
    return pl_cost_shuffle((const pl_kind[]){PL_ARITH_64}, 1, b->n);
}

/* ---- division and functions ---- */

#define PLACES 16

/* Quotients stay below 2^31 units. */
static uint64_t dividend(const pl_trial *b, size_t i) {
    (void)b;
    return (uint64_t)small(0, i, 31);
}
static uint64_t divisor(const pl_trial *b, size_t i) {
    (void)b;
    return (spread(1, i) >> 33) | 0x10000;
}
static uint64_t whole_x(const pl_trial *b, size_t i) {
    (void)b;
    return spread(0, i) >> 2;
}
static uint64_t whole_y(const pl_trial *b, size_t i) {
    (void)b;
    return (spread(1, i) >> (2 + i % 60)) | 1;
}
static uint64_t whole_quotient(const pl_trial *b, size_t i) {
    return whole_x(b, i) / whole_y(b, i);
}
static uint64_t of_exp(const pl_trial *b, size_t i) { /* from -8 to 8 */
    (void)b;
    return (uint64_t)small(0, i, PLACES + 4);
}
static uint64_t positive(const pl_trial *b, size_t i) {
    (void)b;
    return (spread(0, i) >> 34) | 1;
}

static long double places(uint64_t value) {
    return ldexpl((long double)(int64_t)value, -PLACES);
}
static long double want_div(const pl_trial *b, size_t i) {
    return (long double)(int64_t)dividend(b, i) / (long double)divisor(b, i);
}
static long double want_sqrt(const pl_trial *b, size_t i) {
    return sqrtl(places(positive(b, i)));
}
static long double want_log(const pl_trial *b, size_t i) {
    return logl(places(positive(b, i)));
}
static long double want_exp(const pl_trial *b, size_t i) {
    return expl(places(of_exp(b, i)));
}
static long double want_sigmoid(const pl_trial *b, size_t i) {
    return 1 / (1 + expl(-places(of_exp(b, i))));
}
static pl_status prepare_div(pl_trial *b) {
    return prepare_two(b, PL_ARITH_64, dividend, divisor);
}
static pl_status prepare_whole(pl_trial *b) {
    return prepare_two(b, PL_ARITH_64, whole_x, whole_y);
}
static pl_status prepare_positive(pl_trial *b) {
    return share(b, 0, PL_ARITH_64, b->n, positive, &b->v[0]);
}
static pl_status prepare_exp(pl_trial *b) {
    return share(b, 0, PL_ARITH_64, b->n, of_exp, &b->v[0]);
}
static pl_status run_div(pl_trial *b) {
    return pl_divide(b->p, &b->v[0], &b->v[1], PLACES, &b->v[2]);
}
static pl_status run_intdiv(pl_trial *b) {
    return pl_divide_integer(b->p, &b->v[0], &b->v[1], 62, &b->v[2]);
}
static pl_status run_sqrt(pl_trial *b) {
    return pl_sqrt(b->p, &b->v[0], PLACES, &b->v[2]);
}
static pl_status run_log(pl_trial *b) {
    return pl_log(b->p, &b->v[0], PLACES, &b->v[2]);
}
static pl_status run_exp(pl_trial *b) {
    return pl_exp(b->p, &b->v[0], PLACES, &b->v[2]);
}
static pl_status run_sigmoid(pl_trial *b) {
    return pl_sigmoid(b->p, &b->v[0], PLACES, &b->v[2]);
}
static pl_cost cost_intdiv(const pl_trial *b, const pl_net *net) {
    return pl_divide_integer_cost(b->n, 62, net);
}

/* ---- sort: a key and a payload, both in arithmetic form ---- */

static uint64_t key(const pl_trial *b, size_t i) {
    return (uint64_t)small(0, i, b->bits);
}
static uint64_t payload(const pl_trial *b, size_t i) {
    (void)b;
    return i;
}
static pl_status prepare_sort(pl_trial *b) {
    return prepare_two(b, PL_ARITH_64, key, payload);
}
static pl_status run_sort(pl_trial *b) {
    const pl_sort_key by = {&b->v[0], b->bits, false};
    return pl_sort(b->p, &by, 1, (pl_svec *const[]){&b->v[0], &b->v[1]}, 2);
}

/* The reference: row numbers in order of their keys. Keys and numbers change places in one array,
 * as pairs, and the numbers are kept. */
typedef struct keyed {
    int64_t key;
    uint64_t number;
} keyed;

static int by_key(const void *a, const void *b) {
    const keyed *x = a, *y = b;
    if (x->key != y->key)
        return x->key < y->key ? -1 : 1;
    return x->number < y->number ? -1 : x->number > y->number;
}
static pl_status refer_to_order(pl_trial *b) {
    keyed *rows;
    PL_TRY(pl_alloc(b->n, sizeof *b->reference, &b->reference));
    PL_TRY(pl_alloc(b->n, sizeof *rows, &rows));
    for (size_t i = 0; i < b->n; i++)
        rows[i] = (keyed){(int64_t)key(b, i), i};
    qsort(rows, b->n, sizeof *rows, by_key);
    for (size_t i = 0; i < b->n; i++)
        b->reference[i] = rows[i].number;
    free(rows);
    return PL_OK;
}
/* Sorting again leaves it as it is, so this holds after any number of runs. */
static bool fits_sort(const pl_trial *b, size_t which, size_t i, uint64_t value) {
    return value == (which == 0 ? key(b, b->reference[i]) : b->reference[i]);
}

/* ---- the limit ---- */

#define LIMIT_CHUNK ((size_t)131072)

/* The rank before or after this one in the ring. */
static size_t neighbour(const pl_mesh *mesh, uint64_t ranks, size_t step) {
    size_t n = pl_mesh_n_parties(mesh), rank = pl_mesh_rank(mesh);
    do
        rank = (rank + step) % n;
    while ((ranks >> rank & 1) == 0);
    return rank;
}

pl_status pl_trial_stream(pl_mesh *mesh, uint64_t ranks, uint64_t bytes, uint64_t rounds) {
    size_t n = pl_mesh_n_parties(mesh);
    size_t prev = neighbour(mesh, ranks, n - 1), next = neighbour(mesh, ranks, 1);
    static _Thread_local uint8_t out[LIMIT_CHUNK], in[LIMIT_CHUNK];
    if (next == pl_mesh_rank(mesh))
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

typedef struct stream {
    uint64_t ranks, bytes;
    size_t n_lanes;
} stream;

/* Lane 0 has what cannot be shared evenly. */
static pl_status stream_lane(pl_party *lane, size_t number, void *ctx) {
    const stream *s = ctx;
    uint64_t share = s->bytes / s->n_lanes;
    if (number == 0)
        share = s->bytes - (s->n_lanes - 1) * share;
    if (number >= s->n_lanes)
        return PL_OK;
    return pl_trial_stream(pl_party_mesh(lane), s->ranks, share, 0);
}

static pl_status prepare_nothing(pl_trial *b) {
    (void)b;
    return PL_OK;
}
/* Over all lanes at once, shared among them as an operation's elements are: by lane 0 alone when
 * they are few. */
static pl_status run_limit(pl_trial *b) {
    stream s = {pl_party_compute_mask(b->p), 8 * b->n, pl_party_n_lanes(b->p)};
    if (b->n < 2 * PL_LANE_ELEMENTS)
        s.n_lanes = 1;
    return pl_party_each_lane(b->p, stream_lane, &s);
}

/* ---- the table ---- */

const pl_op pl_ops[] = {
    {.name = "mul",
     .what = "multiplication",
     .n_suite = 10000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .has_32 = true,
     .prepare = prepare_mul,
     .run = run_mul,
     .expected = product,
     .cost = cost_mul,
     .result_kind = arith},
    {.name = "and",
     .what = "AND of 64-bit words",
     .n_suite = 10000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .prepare = prepare_and,
     .run = run_mul,
     .expected = conjunction,
     .cost = cost_and,
     .result_kind = kind_bool},
    {.name = "chain",
     .what = "dependent multiplications, n elements each",
     .n_suite = 32,
     .n_max = 1000000,
     .has_32 = true,
     .prepare = prepare_mul,
     .run = run_chain,
     .expected = chained,
     .work = work_chain,
     .cost = cost_chain,
     .result_kind = arith},
    {.name = "lt",
     .what = "a < b, both secret",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .has_32 = true,
     .prepare = prepare_near,
     .run = run_lt,
     .expected = is_less,
     .result = 2,
     .cost = cost_lt,
     .result_kind = kind_bit},
    {.name = "eq",
     .what = "a = b, both secret",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .prepare = prepare_near,
     .run = run_eq,
     .expected = is_equal,
     .result = 2,
     .cost = cost_eq,
     .result_kind = kind_bit},
    {.name = "a2b",
     .what = "all bits of a number",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .prepare = prepare_one,
     .run = run_a2b,
     .expected = any_x,
     .result = 2,
     .cost = cost_a2b,
     .result_kind = kind_bool},
    {.name = "b2a",
     .what = "a bit to a number",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .has_32 = true,
     .prepare = prepare_bits,
     .run = run_b2a,
     .expected = bit,
     .result = 2,
     .cost = cost_b2a,
     .result_kind = arith},
    {.name = "fixmul",
     .what = "fixed-point product, exactly truncated by 20 bits",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .prepare = prepare_fixed,
     .run = run_fixmul,
     .expected = fixed_product,
     .result = 2,
     .cost = cost_fixmul,
     .result_kind = kind_64},
    {.name = "fixnear",
     .what = "fixed-point product, rounded at random to one of two neighbours",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .prepare = prepare_fixed,
     .run = run_fixnear,
     .fits = fits_fixnear,
     .result = 2,
     .cost = cost_fixnear,
     .result_kind = kind_64},
    {.name = "matmul",
     .what = "product of n x n matrices, fixed point",
     .n_suite = 1000,
     .n_max = 2000,
     .prepare = prepare_matmul,
     .run = run_matmul,
     .expected = matrix_product,
     .length = length_matmul,
     .n_checked_max = 10007,
     .result = 2,
     .work = work_matmul,
     .cost = cost_matmul,
     .result_kind = kind_64},
    {.name = "shuffle",
     .what = "shuffle of rows of 8 bytes",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 10000000,
     .prepare = prepare_one,
     .run = run_shuffle,
     .refer = refer_to_values,
     .fits = fits_shuffle,
     .cost = cost_shuffle,
     .result_kind = kind_64},
    {.name = "sort",
     .what = "stable sort by a key, with a payload",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 1000000,
     .has_32 = true,
     .is_twice = true,
     .prepare = prepare_sort,
     .run = run_sort,
     .refer = refer_to_order,
     .fits = fits_sort,
     .n_results = 2,
     .result_kind = kind_64},
    {.name = "div",
     .what = "fixed-point division, 30 correct bits",
     .n_suite = 1000000,
     .n_max = 100000000,
     .n_plot = 1000000,
     .prepare = prepare_div,
     .run = run_div,
     .number = want_div,
     .result = 2,
     .result_kind = kind_64},
    {.name = "intdiv",
     .what = "whole division of numbers of 62 bits",
     .n_suite = 100000,
     .n_max = 100000000,
     .prepare = prepare_whole,
     .run = run_intdiv,
     .expected = whole_quotient,
     .result = 2,
     .cost = cost_intdiv,
     .result_kind = kind_64},
    {.name = "sqrt",
     .what = "square root, 16 binary places",
     .n_suite = 1000000,
     .n_max = 100000000,
     .prepare = prepare_positive,
     .run = run_sqrt,
     .number = want_sqrt,
     .result = 2,
     .result_kind = kind_64},
    {.name = "log",
     .what = "natural logarithm, 16 binary places",
     .n_suite = 1000000,
     .n_max = 100000000,
     .prepare = prepare_positive,
     .run = run_log,
     .number = want_log,
     .result = 2,
     .result_kind = kind_64},
    {.name = "exp",
     .what = "exponential, 16 binary places",
     .n_suite = 1000000,
     .n_max = 100000000,
     .prepare = prepare_exp,
     .run = run_exp,
     .number = want_exp,
     .result = 2,
     .result_kind = kind_64},
    {.name = "sigmoid",
     .what = "logistic function, 16 binary places",
     .n_suite = 1000000,
     .n_max = 100000000,
     .prepare = prepare_exp,
     .run = run_sigmoid,
     .number = want_sigmoid,
     .result = 2,
     .result_kind = kind_64},
    {.name = "limit",
     .what = "8 n bytes to one party and from another, nothing else",
     .n_suite = 10000000,
     .n_max = 100000000,
     .prepare = prepare_nothing,
     .run = run_limit,
     .sends_only = true,
     .cost = cost_and,
     .result_kind = kind_64},
};
const size_t pl_n_ops = sizeof pl_ops / sizeof pl_ops[0];

static pl_cost cost_since(pl_cost begin, pl_cost end) {
    for (size_t i = 0; i < 3; i++)
        end.bytes_sent[i] -= begin.bytes_sent[i];
    end.rounds -= begin.rounds;
    return end;
}

/* Vectors of the counting party have no components: however long they are, they take no memory. */
static pl_status dry_run(const pl_trial *b, const pl_net *net, pl_cost *out) {
    pl_trial dry = {.op = b->op, .owners = {0, 1}, .n = b->n, .bits = b->bits};
    pl_status status;
    PL_TRY(pl_cost_party_new(net, b->n_lanes, &dry.p));
    PL_CHECK(status, b->op->prepare(&dry));
    pl_cost inputs = pl_cost_party_total(dry.p);
    PL_CHECK(status, b->op->run(&dry));
    *out = cost_since(inputs, pl_cost_party_total(dry.p));
out:
    pl_trial_done(&dry);
    pl_party_free(dry.p);
    return status;
}

bool pl_op_predict(const pl_trial *b, const pl_net *net, pl_cost *out) {
    if (b->op->cost != NULL && (b->n_lanes <= 1 || b->op->sends_only)) {
        *out = b->op->cost(b, net);
        return true;
    }
    pl_status status = dry_run(b, net, out);
    bool ok = pl_is_ok(status);
    pl_status_done(&status); /* then there is no prediction */
    return ok;
}

const pl_op *pl_op_find(const char *name) {
    for (size_t i = 0; i < pl_n_ops; i++) {
        if (strcmp(pl_ops[i].name, name) == 0)
            return &pl_ops[i];
    }
    return NULL;
}
