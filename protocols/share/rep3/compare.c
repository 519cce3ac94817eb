/* Operations that are an addition and little else: the sign of a difference, all bits of a number,
 * the order of rows; and whether a number is zero, which needs no addition: x_d + x_{d+1} =
 * -x_{d+2} is compared bit by bit. */
#include "protocols/base/secret.h"
#include "protocols/share/rep3/rep3.h"

#include <stdlib.h>
#include <string.h>

typedef struct compare compare;
struct compare {
    pl_carry_plan plan;
    pl_source source;
    unsigned n_planes;
    const pl_row_pairs *pairs; /* less_rows only */
    void (*take)(const compare *c, const pl_adder *a, size_t at, pl_svec *out);
    pl_svec *out;
    size_t n_words;
};

typedef struct lane {
    pl_adder adder;
    size_t at;
} lane;

static pl_status start(pl_party *p, void *op, void *l, size_t at, size_t words) {
    const compare *c = op;
    lane *here = l;
    here->at = at;
    return pl_adder_deal(p, &here->adder, &c->source, at, words, c->n_planes);
}

static pl_status step(pl_party *p, void *op, void *l, bool *out_done) {
    const compare *c = op;
    lane *here = l;
    PL_TRY(pl_adder_step(p, &here->adder, out_done));
    if (*out_done)
        c->take(c, &here->adder, here->at, c->out);
    return PL_OK;
}

/* Runs c over n elements in blocks. */
static pl_status run(pl_party *p, compare *c, const pl_flow *flow, const pl_flow_ops *ops) {
    lane lanes[PL_FLIGHT_MAX];
    void *list[PL_FLIGHT_MAX];
    pl_status status = PL_OK;
    memset(lanes, 0, sizeof lanes);
    for (size_t i = 0; i < flow->in_flight && pl_is_ok(status); i++) {
        list[i] = &lanes[i];
        status = pl_adder_init(&lanes[i].adder, &c->plan, pl_flow_words_max(flow), c->n_planes,
                               c->pairs != NULL ? 4 : 2);
    }
    if (pl_is_ok(status))
        status = pl_flow_run(p, flow, ops, c, list);
    status = pl_party_settle(p, status); /* the mesh lets go of the lanes */
    for (size_t i = 0; i < flow->in_flight; i++)
        pl_adder_done(&lanes[i].adder);
    return status;
}

static void set_source(compare *c, const pl_svec *x, const pl_svec *y) {
    for (size_t i = 0; i < 2; i++) {
        c->source.x[i] = x->component[i];
        c->source.y[i] = y == NULL ? NULL : y->component[i];
    }
    c->source.is_32 = x->kind == PL_ARITH_32;
}

/* ---- sign ---- */

/* The highest plane of u + v with the carry out of those below it. */
static void take_sign(const compare *c, const pl_adder *a, size_t at, pl_svec *out) {
    uint64_t *to[2];
    for (size_t i = 0; i < 2; i++)
        to[i] = (uint64_t *)out->component[i] + at;
    pl_adder_sum(a, c->plan.n_bits, 0, a->words, to);
    if (c->plan.n_bits == 0)
        return;
    for (size_t i = 0; i < 2; i++)
        pl_kernels_here()->xor2(to[i], to[i], a->carry[i] + c->plan.result * a->words, a->words);
}

pl_status pl_rep3_sign(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits,
                       pl_svec *out) {
    static const pl_flow_ops ops = {start, step};
    compare c = {.n_planes = bits, .take = take_sign, .out = out};
    size_t n_words = pl_bit_words(x->n);
    set_source(&c, x, y);
    pl_carry_plan_make(&c.plan, bits - 1, pl_carry_choose(bits - 1, false, n_words, &p->net),
                       false);
    pl_flow flow = pl_flow_carry(n_words, bits - 1, &p->net);
    return run(p, &c, &flow, &ops);
}

/* ---- all bits ---- */

#define STEP_WORDS (PL_TILE_WORDS / 64)

/* Some words of every plane of the sum, back into elements. */
static void unslice_words(const pl_adder *a, unsigned n_planes, size_t begin, size_t n,
                          uint64_t *const out[2]) {
    uint64_t planes[2][64][STEP_WORDS];
    for (unsigned b = 0; b < n_planes; b++) {
        uint64_t *const sum[2] = {planes[0][b], planes[1][b]};
        pl_adder_sum(a, b, begin, n, sum);
        for (size_t i = 0; i < 2 && b > 0; i++)
            pl_kernels_here()->xor2(sum[i], sum[i], a->carry[i] + (b - 1) * a->words + begin, n);
    }
    for (size_t i = 0; i < 2; i++)
        pl_kernels_here()->unslice(planes[i][0], STEP_WORDS, n_planes, n, out[i] + 64 * begin);
    pl_wipe(planes, sizeof planes);
}

void pl_adder_total(const pl_adder *a, unsigned n_planes, uint64_t *const out[2]) {
    for (size_t begin = 0; begin < a->words; begin += STEP_WORDS)
        unslice_words(a, n_planes, begin,
                      a->words - begin < STEP_WORDS ? a->words - begin : STEP_WORDS, out);
}

static void take_words(const compare *c, const pl_adder *a, size_t at, pl_svec *out) {
    pl_adder_total(a, c->n_planes,
                   (uint64_t *const[2]){(uint64_t *)out->component[0] + 64 * at,
                                        (uint64_t *)out->component[1] + 64 * at});
}

pl_status pl_rep3_words(pl_party *p, const pl_svec *x, unsigned bits, pl_svec *out) {
    static const pl_flow_ops ops = {start, step};
    compare c = {.n_planes = bits, .take = take_words, .out = out};
    size_t n_words = pl_bit_words(x->n);
    set_source(&c, x, NULL);
    pl_carry_plan_make(&c.plan, bits - 1, pl_carry_choose(bits - 1, true, n_words, &p->net), true);
    pl_flow flow = pl_flow_carry(n_words, bits - 1, &p->net);
    return run(p, &c, &flow, &ops);
}

/* ---- zero ---- */

/* Plane b of (x_d + x_{d+1}) XOR NOT (-x_{d+2}) is 1 where the two sides agree; the tree ANDs them
 * all. -v - 1 is NOT v, so NOT (-v) = v - 1. */
static void take_zero(const compare *c, const pl_adder *a, size_t at, pl_svec *out) {
    (void)c;
    for (size_t i = 0; i < 2; i++)
        memcpy((uint64_t *)out->component[i] + at, a->pass[i], 8 * a->words);
}

pl_status pl_rep3_zero(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    static const pl_flow_ops ops = {start, step};
    compare c = {.n_planes = 64, .take = take_zero, .out = out};
    set_source(&c, x, y);
    c.source.add[1] = UINT64_MAX;
    pl_carry_plan_and_tree(&c.plan, 64);
    pl_flow flow = pl_flow_zero(pl_bit_words(x->n), &p->net);
    return run(p, &c, &flow, &ops);
}

/* ---- rows ---- */

/* One column of 64 n_words pairs from pair `at` on; beyond the last pair there is zero. */
static void gather(const pl_row_pairs *pairs, size_t column, size_t component, bool left, size_t at,
                   size_t n_words, uint64_t *to) {
    const pl_svec *const *columns =
        left || pairs->right_columns == NULL ? pairs->columns : pairs->right_columns;
    const uint64_t *from = columns[column]->component[component];
    const uint32_t *positions = left ? pairs->left : pairs->right;
    size_t n = pairs->n - at < 64 * n_words ? pairs->n - at : 64 * n_words;
    if (positions == NULL) {
        memcpy(to, from + pairs->left_begin + at, 8 * n);
        memset(to + n, 0, 8 * (64 * n_words - n));
        return;
    }
    pl_kernels_here()->pick(to, from, positions + at, n / 64);
    for (size_t i = n / 64 * 64; i < 64 * n_words; i++)
        to[i] = i < n ? from[positions[at + i]] : 0;
}

/* left < right exactly when NOT left + right carries: the addends are the rows themselves. NOT is
 * added to x_0, which P_0 has first and P_2 second. */
static void slice_rows(const pl_party *p, const compare *c, pl_adder *a, size_t at) {
    uint64_t elements[PL_TILE_WORDS];
    for (size_t k = 0; k < 4; k++) {
        a->plane[0][k] = a->memory + k * c->n_planes * a->words;
        bool left = k < 2,
             inverted = left && ((p->index == 0 && k == 0) || (p->index == 2 && k == 1));
        for (size_t column = 0; column < c->pairs->n_columns; column++) {
            unsigned bits = c->n_planes - 64 * (unsigned)column;
            uint64_t *planes = a->plane[0][k] + 64 * column * a->words;
            for (size_t w = 0; w < a->words; w += STEP_WORDS) {
                size_t n = a->words - w < STEP_WORDS ? a->words - w : STEP_WORDS;
                gather(c->pairs, column, k % 2, left, 64 * (at + w), n, elements);
                for (size_t i = 0; i < 64 * n && inverted; i++)
                    elements[i] = ~elements[i];
                pl_kernels_here()->slice(elements, n, planes + w, a->words, bits < 64 ? bits : 64);
            }
        }
    }
    pl_wipe(elements, sizeof elements);
}

static pl_status start_rows(pl_party *p, void *op, void *l, size_t at, size_t words) {
    lane *here = l;
    here->at = at;
    pl_adder_start(&here->adder, words);
    slice_rows(p, op, &here->adder, at);
    return PL_OK;
}

static void take_carry(const compare *c, const pl_adder *a, size_t at, pl_svec *out) {
    for (size_t i = 0; i < 2; i++)
        memcpy((uint64_t *)out->component[i] + at, a->carry[i] + c->plan.result * a->words,
               8 * a->words);
}

pl_status pl_rep3_less_rows(pl_party *p, const pl_row_pairs *pairs, pl_svec *out) {
    static const pl_flow_ops ops = {start_rows, step};
    compare c = {.n_planes = pairs->bits, .pairs = pairs, .take = take_carry, .out = out};
    size_t n_words = pl_bit_words(pairs->n);
    pl_carry_plan_make(&c.plan, pairs->bits, pl_carry_choose(pairs->bits, false, n_words, &p->net),
                       false);
    pl_flow flow = pl_flow_carry(n_words, pairs->bits, &p->net);
    return run(p, &c, &flow, &ops);
}
