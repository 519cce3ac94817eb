/* Operations that are an addition and little else: the sign of a difference, all bits of a number,
 * the order of rows. */
#include "protocols/base/secret.h"
#include "protocols/share/rep3/rep3.h"

#include <string.h>

typedef struct compare compare;
struct compare {
    pl_carry_plan plan;
    pl_source source;
    unsigned n_planes;
    void (*take)(const compare *c, const pl_adder *a, size_t at);
    pl_svec out;
    pl_row_pairs pairs; /* less_rows only; its columns are these: */
    pl_svec columns[PL_ROW_COLUMNS_MAX], right_columns[PL_ROW_COLUMNS_MAX];
};

typedef struct flight {
    pl_adder adder;
    size_t at;
} flight;

static pl_status init(const void *op, void *where, size_t words) {
    const compare *c = op;
    flight *l = where;
    return pl_adder_init(&l->adder, &c->plan, words, c->n_planes, c->pairs.n != 0 ? 4 : 2);
}

static void done(void *where) {
    flight *l = where;
    pl_adder_done(&l->adder);
}

static pl_status start(pl_party *p, void *op, void *where, size_t at, size_t words) {
    const compare *c = op;
    flight *l = where;
    l->at = at;
    return pl_adder_deal(p, &l->adder, &c->source, at, words, c->n_planes);
}

static pl_status step(pl_party *p, void *op, void *where, bool *out_done) {
    const compare *c = op;
    flight *l = where;
    PL_TRY(pl_adder_step(p, &l->adder, out_done));
    if (*out_done)
        c->take(c, &l->adder, l->at);
    return PL_OK;
}

static const pl_flow_ops dealt = {
    .flight_bytes = sizeof(flight), .init = init, .done = done, .start = start, .step = step};

/* y NULL: zero. */
static pl_status compare_new(const pl_svec *x, const pl_svec *y, const pl_svec *out,
                             compare **out_compare) {
    compare *c;
    PL_TRY(pl_alloc(1, sizeof *c, &c));
    for (size_t i = 0; i < 2; i++) {
        c->source.x[i] = x->component[i];
        c->source.y[i] = y == NULL ? NULL : y->component[i];
    }
    c->source.kind = x->kind;
    c->source.n = x->n;
    c->out = *out;
    *out_compare = c;
    return PL_OK;
}

/* ---- sign ---- */

/* The highest plane of u + v with the carry out of those below it. */
static void take_sign(const compare *c, const pl_adder *a, size_t at) {
    uint64_t *to[2];
    for (size_t i = 0; i < 2; i++)
        to[i] = (uint64_t *)c->out.component[i] + at;
    pl_adder_sum(a, c->plan.n_bits, 0, a->words, to);
    if (c->plan.n_bits == 0)
        return;
    for (size_t i = 0; i < 2; i++)
        pl_kernels_here()->xor2(to[i], to[i], a->carry[i] + c->plan.result * a->words, a->words);
}

pl_status pl_rep3_sign(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits,
                       pl_svec *out) {
    size_t n_words = pl_bit_words(x->n);
    compare *c;
    PL_TRY(compare_new(x, y, out, &c));
    c->n_planes = bits;
    c->take = take_sign;
    pl_carry_plan_make(&c->plan, bits - 1, pl_carry_choose(bits - 1, false, n_words, &p->net),
                       false);
    pl_flow flow = pl_flow_carry(n_words, bits - 1, &p->net);
    return pl_flow_submit(p, &flow, &dealt, c);
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

static void take_words(const compare *c, const pl_adder *a, size_t at) {
    pl_adder_total(a, c->n_planes,
                   (uint64_t *const[2]){(uint64_t *)c->out.component[0] + 64 * at,
                                        (uint64_t *)c->out.component[1] + 64 * at});
}

pl_status pl_rep3_words(pl_party *p, const pl_svec *x, unsigned bits, pl_svec *out) {
    size_t n_words = pl_bit_words(x->n);
    compare *c;
    PL_TRY(compare_new(x, NULL, out, &c));
    c->n_planes = bits;
    c->take = take_words;
    pl_carry_plan_make(&c->plan, bits - 1, pl_carry_choose(bits - 1, true, n_words, &p->net), true);
    pl_flow flow = pl_flow_carry(n_words, bits - 1, &p->net);
    return pl_flow_submit(p, &flow, &dealt, c);
}

/* ---- rows ---- */

/* One column of 64 n_words pairs from pair `at` on; beyond the last pair there is zero. */
static void gather(const compare *c, size_t column, size_t component, bool left, size_t at,
                   size_t n_words, uint64_t *to) {
    const pl_row_pairs *pairs = &c->pairs;
    const uint64_t *from = (left ? c->columns : c->right_columns)[column].component[component];
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
        for (size_t column = 0; column < c->pairs.n_columns; column++) {
            unsigned bits = c->n_planes - 64 * (unsigned)column;
            uint64_t *planes = a->plane[0][k] + 64 * column * a->words;
            for (size_t w = 0; w < a->words; w += STEP_WORDS) {
                size_t n = a->words - w < STEP_WORDS ? a->words - w : STEP_WORDS;
                gather(c, column, k % 2, left, 64 * (at + w), n, elements);
                for (size_t i = 0; i < 64 * n && inverted; i++)
                    elements[i] = ~elements[i];
                pl_kernels_here()->slice(elements, n, planes + w, a->words, bits < 64 ? bits : 64);
            }
        }
    }
    pl_wipe(elements, sizeof elements);
}

static pl_status start_rows(pl_party *p, void *op, void *where, size_t at, size_t words) {
    flight *l = where;
    bool done = false;
    l->at = at;
    pl_adder_start(&l->adder, words);
    slice_rows(p, op, &l->adder, at);
    return pl_adder_step(p, &l->adder, &done);
}

static void take_carry(const compare *c, const pl_adder *a, size_t at) {
    for (size_t i = 0; i < 2; i++)
        memcpy((uint64_t *)c->out.component[i] + at, a->carry[i] + c->plan.result * a->words,
               8 * a->words);
}

pl_status pl_rep3_less_rows(pl_party *p, const pl_row_pairs *pairs, pl_svec *out) {
    static const pl_flow_ops rows = {.flight_bytes = sizeof(flight),
                                     .init = init,
                                     .done = done,
                                     .start = start_rows,
                                     .step = step};
    size_t n_words = pl_bit_words(pairs->n);
    compare *c;
    PL_TRY(pl_alloc(1, sizeof *c, &c));
    c->n_planes = pairs->bits;
    c->take = take_carry;
    c->out = *out;
    c->pairs = *pairs;
    for (size_t k = 0; k < pairs->n_columns; k++) {
        c->columns[k] = *pairs->columns[k];
        c->right_columns[k] =
            pairs->right_columns != NULL ? *pairs->right_columns[k] : c->columns[k];
    }
    pl_carry_plan_make(&c->plan, pairs->bits, pl_carry_choose(pairs->bits, false, n_words, &p->net),
                       false);
    pl_flow flow = pl_flow_carry(n_words, pairs->bits, &p->net);
    return pl_flow_submit(p, &flow, &rows, c);
}
