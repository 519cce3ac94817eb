/* Additions of shared numbers, bit-sliced: which AND comes when is in the plan (carry.c), here they
 * are done. All ANDs of a round go in one message, and their results stand in the wire's buffers
 * until the next step takes them in. */
#include "protocols/base/secret.h"
#include "protocols/share/rep3/rep3.h"

#include <string.h>

/* ---- wire ---- */

pl_status pl_wire_init(pl_wire *wire, size_t words) {
    *wire = (pl_wire){.words = words};
    PL_TRY(pl_secret_alloc(8 * words, &wire->out[0]));
    PL_TRY(pl_secret_alloc(8 * words, &wire->out[1]));
    return pl_secret_alloc(8 * words, &wire->in);
}

void pl_wire_done(pl_wire *wire) {
    pl_secret_free(wire->out[0], 8 * wire->words);
    pl_secret_free(wire->out[1], 8 * wire->words);
    pl_secret_free(wire->in, 8 * wire->words);
    *wire = (pl_wire){0};
}

pl_status pl_wire_begin(pl_party *p, pl_wire *wire, uint64_t **out) {
    wire->turn ^= 1;
    if (wire->sent[wire->turn].bytes != 0)
        PL_TRY(pl_mesh_wait_sent(p->mesh, wire->sent[wire->turn]));
    *out = wire->out[wire->turn];
    return PL_OK;
}

pl_status pl_wire_pass(pl_party *p, pl_wire *wire, size_t n_words) {
    size_t prev = pl_rep3_prev(p), next = pl_rep3_next(p);
    PL_TRY(pl_mesh_send(p->mesh, prev, wire->out[wire->turn], 8 * n_words));
    wire->sent[wire->turn] = pl_mesh_mark_sent(p->mesh, prev);
    PL_TRY(pl_mesh_recv(p->mesh, next, wire->in, 8 * n_words));
    wire->received = pl_mesh_mark_received(p->mesh, next);
    return pl_mesh_pump(p->mesh);
}

pl_status pl_wire_wait(pl_party *p, const pl_wire *wire) {
    return pl_mesh_wait_received(p->mesh, wire->received);
}

/* ---- memory ---- */

static size_t ands_of_round_max(const pl_carry_plan *plan) {
    size_t max = 0;
    for (unsigned r = 0; r < plan->n_rounds; r++) {
        size_t n = plan->begin[r + 1] - plan->begin[r];
        max = n > max ? n : max;
    }
    return max;
}

pl_status pl_adder_init(pl_adder *a, const pl_carry_plan *plan, size_t words, unsigned n_planes,
                        size_t n_sets) {
    size_t planes = n_sets * 3 * n_planes * pl_third_words_max(words);
    size_t carries = plan->n_carries * words, passes = plan->n_passes * words;
    *a = (pl_adder){.plan = plan,
                    .words_max = words,
                    .memory_words = planes + 2 * carries + 2 * passes,
                    .n_sets = n_sets};
    PL_TRY(pl_secret_alloc(8 * a->memory_words, &a->memory));
    uint64_t *at = a->memory + planes;
    for (size_t c = 0; c < 2; c++, at += carries)
        a->carry[c] = at;
    for (size_t c = 0; c < 2; c++, at += passes)
        a->pass[c] = at;
    return pl_wire_init(&a->wire, ands_of_round_max(plan) * words);
}

void pl_adder_done(pl_adder *a) {
    pl_secret_free(a->memory, 8 * a->memory_words);
    pl_wire_done(&a->wire);
    *a = (pl_adder){0};
}

/* ---- rounds ---- */

static const uint64_t zeros[PL_TILE_WORDS];

/* One plane of an addend from word `at` of a part on. */
static const uint64_t *plane_at(const pl_adder *a, size_t part, size_t k, unsigned bit, size_t at) {
    size_t words = a->part[part + 1] - a->part[part];
    const uint64_t *plane = a->plane[part][k];
    return plane == NULL ? zeros : plane + bit * words + at;
}

static uint64_t *slot(const pl_adder *a, uint64_t *const memory[2], size_t c, unsigned i) {
    return memory[c] + i * a->words;
}

typedef struct tile {
    size_t part, at, n; /* n words from word `at` of the part */
    size_t in_block;    /* the same, from the block's begin */
    const uint64_t *m0, *m1;
} tile;

static void and_tile(const pl_adder *a, const pl_carry_op *op, const tile *t, uint64_t *z) {
    const pl_kernels *kernels = pl_kernels_here();
    const uint64_t *plane[4], *x[2], *y[2];
    uint64_t half_sum[2][PL_TILE_WORDS];
    for (size_t k = 0; k < 4; k++)
        plane[k] = op->act <= PL_CARRY_PASS ? plane_at(a, t->part, k, op->bit, t->at) : NULL;
    if (op->act == PL_CARRY_STEP) {
        for (size_t c = 0; c < 2; c++)
            x[c] = op->from == PL_CARRY_NONE ? zeros : slot(a, a->carry, c, op->from) + t->in_block;
        kernels->carry(z, plane, plane + 2, x, t->m0, t->m1, t->n);
        return;
    }
    for (size_t c = 0; c < 2; c++) {
        if (op->act == PL_CARRY_PASS) {
            kernels->xor2(half_sum[c], plane[c], plane[c + 2], t->n);
            x[c] = slot(a, a->pass, c, op->from) + t->in_block;
            y[c] = half_sum[c];
        } else {
            x[c] = slot(a, a->pass, c, op->to) + t->in_block;
            y[c] =
                slot(a, op->act == PL_CARRY_JOIN ? a->carry : a->pass, c, op->from) + t->in_block;
        }
    }
    kernels->cross_bool(z, x[0], x[1], y[0], y[1], t->m0, t->m1, t->n);
}

static pl_status and_plane(pl_party *p, const pl_adder *a, const pl_carry_op *op, uint64_t *z) {
    const pl_rep3 *rep3 = p->state;
    for (size_t part = 0; part < a->n_parts; part++) {
        size_t words = a->part[part + 1] - a->part[part];
        for (size_t at = 0; at < words; at += PL_TILE_WORDS) {
            tile t = {.part = part,
                      .at = at,
                      .n = words - at < PL_TILE_WORDS ? words - at : PL_TILE_WORDS,
                      .in_block = a->part[part] + at,
                      .m0 = rep3->tile[0],
                      .m1 = rep3->tile[1]};
            PL_TRY(pl_rep3_masks(p, 8 * t.n));
            and_tile(a, op, &t, z + t.in_block);
        }
    }
    return PL_OK;
}

static pl_status send_round(pl_party *p, pl_adder *a) {
    const pl_carry_plan *plan = a->plan;
    uint64_t *z;
    PL_TRY(pl_wire_begin(p, &a->wire, &z));
    for (unsigned i = plan->begin[a->round]; i < plan->begin[a->round + 1]; i++, z += a->words)
        PL_TRY(and_plane(p, a, &plan->ops[i], z));
    return pl_wire_pass(p, &a->wire,
                        (plan->begin[a->round + 1] - plan->begin[a->round]) * a->words);
}

/* One component of the result of one AND goes where it belongs. */
static void take_in(const pl_adder *a, const pl_carry_op *op, size_t c, const uint64_t *z) {
    const pl_kernels *kernels = pl_kernels_here();
    bool is_carry = op->act == PL_CARRY_STEP || op->act == PL_CARRY_JOIN;
    uint64_t *to = slot(a, is_carry ? a->carry : a->pass, c, op->to);
    if (op->act == PL_CARRY_STEP && op->from != PL_CARRY_NONE)
        kernels->xor2(to, z, slot(a, a->carry, c, op->from), a->words);
    else if (op->act == PL_CARRY_JOIN)
        kernels->xor2(to, z, to, a->words);
    else
        memcpy(to, z, 8 * a->words);
}

static void take_round(const pl_adder *a, unsigned round) {
    const pl_carry_plan *plan = a->plan;
    const uint64_t *const z[2] = {a->wire.out[a->wire.turn], a->wire.in};
    for (unsigned i = plan->begin[round]; i < plan->begin[round + 1]; i++) {
        for (size_t c = 0; c < 2; c++)
            take_in(a, &plan->ops[i], c, z[c] + (i - plan->begin[round]) * a->words);
    }
}

void pl_adder_sum(const pl_adder *a, unsigned bit, size_t begin, size_t n, uint64_t *const out[2]) {
    for (size_t part = 0; part < a->n_parts; part++) {
        size_t from = a->part[part] > begin ? a->part[part] : begin;
        size_t to = a->part[part + 1] < begin + n ? a->part[part + 1] : begin + n;
        for (size_t at = from; at < to; at += PL_TILE_WORDS) {
            size_t now = to - at < PL_TILE_WORDS ? to - at : PL_TILE_WORDS;
            for (size_t c = 0; c < 2; c++)
                pl_kernels_here()->xor2(out[c] + (at - begin),
                                        plane_at(a, part, c, bit, at - a->part[part]),
                                        plane_at(a, part, c + 2, bit, at - a->part[part]), now);
        }
    }
}

static void start_passes(const pl_adder *a) {
    for (unsigned i = 0; i < a->plan->n_starts; i++) {
        unsigned to = a->plan->starts[i].to;
        pl_adder_sum(a, a->plan->starts[i].bit, 0, a->words,
                     (uint64_t *const[2]){slot(a, a->pass, 0, to), slot(a, a->pass, 1, to)});
    }
}

void pl_adder_start(pl_adder *a, size_t words) {
    a->words = words;
    a->part[0] = 0;
    a->part[1] = words;
    a->n_parts = 1;
    a->round = 0;
    a->waits = false;
}

pl_status pl_adder_step(pl_party *p, pl_adder *a, bool *out_done) {
    *out_done = false;
    if (a->round > 0) {
        PL_TRY(pl_wire_wait(p, &a->wire));
        take_round(a, a->round - 1);
    } else {
        if (a->waits)
            PL_TRY(pl_wire_wait(p, &a->wire));
        start_passes(a);
    }
    if (a->round == a->plan->n_rounds) {
        *out_done = true;
        return PL_OK;
    }
    PL_TRY(send_round(p, a));
    a->round++;
    return PL_OK;
}

/* ---- dealing ---- */

/* The components that this role puts in: one, or at the dealer the sum of both. */
typedef struct portion {
    size_t first, last;
    int64_t add;
} portion;

static portion portion_of(const pl_source *s, size_t role) {
    return (portion){.first = role == 1 && !s->is_single ? 1 : 0,
                     .last = role == 2 || s->is_single ? 0 : 1,
                     .add = s->add[role == 0 ? 0 : 1]};
}

/* 64 n_words elements of what is compared. y is there or not, and elements are of 64 or 32 bits,
 * for all of them alike. */
static void load(const pl_source *s, portion mine, size_t word, size_t n_words, uint64_t *to) {
    size_t n = 64 * n_words;
    uint64_t add = (uint64_t)mine.add;
    for (size_t i = 0; i < n; i++)
        to[i] = add;
    for (size_t c = mine.first; c <= mine.last; c++) {
        const uint64_t *x = s->x[c], *y = s->y[c];
        if (s->kind == PL_ARITH_32) {
            const uint32_t *x32 = s->x[c], *y32 = s->y[c];
            for (size_t i = 0; i < n; i++)
                to[i] += x32[64 * word + i] - (y32 == NULL ? 0 : y32[64 * word + i]);
        } else if (y == NULL) {
            pl_kernels_here()->add2(to, to, x + 64 * word, n);
        } else {
            pl_kernels_here()->add_difference(to, x + 64 * word, y + 64 * word, n);
        }
    }
}

/* The same of 128 bits, in halves; beyond the last element there is zero. */
static void load_halves(const pl_source *s, portion mine, size_t word, size_t n_words,
                        uint64_t *low, uint64_t *high) {
    size_t begin = 64 * word, n = 64 * n_words;
    for (size_t i = 0; i < n; i++) {
        pl_u128 sum = (pl_u128)mine.add; /* sign-extended */
        for (size_t c = mine.first; c <= mine.last && begin + i < s->n; c++) {
            const pl_u128 *x = s->x[c], *y = s->y[c];
            sum += x[begin + i] - (y == NULL ? 0 : y[begin + i]);
        }
        low[i] = (uint64_t)sum;
        high[i] = (uint64_t)(sum >> 64);
    }
}

static void slice_part(const pl_source *s, size_t role, size_t word, size_t words, uint64_t *planes,
                       unsigned n_planes) {
    uint64_t elements[PL_TILE_WORDS], high[PL_TILE_WORDS];
    const size_t step = PL_TILE_WORDS / 64;
    const pl_kernels *kernels = pl_kernels_here();
    portion mine = portion_of(s, role);
    for (size_t at = 0; at < words; at += step) {
        size_t n = words - at < step ? words - at : step;
        if (s->kind == PL_ARITH_128)
            load_halves(s, mine, word + at, n, elements, high);
        else
            load(s, mine, word + at, n, elements);
        kernels->slice(elements, n, planes + at, words, n_planes < 64 ? n_planes : 64);
        if (n_planes > 64)
            kernels->slice(high, n, planes + 64 * words + at, words, n_planes - 64);
    }
    pl_wipe(elements, sizeof elements);
    pl_wipe(high, sizeof high);
}

/* Places the sets of planes that this role has: u is shared as (u - r, r, 0), and v as (0, 0, v),
 * counted from the dealer's number. */
static void place(pl_adder *a, size_t third, size_t role, uint64_t *first, uint64_t *second) {
    uint64_t **plane = a->plane[third];
    plane[0] = role == 2 ? NULL : first;
    plane[1] = role == 0 ? second : role == 2 ? first : NULL;
    plane[2] = role == 2 ? second : NULL;
    plane[3] = role == 1 ? second : NULL;
}

static uint64_t *set_of(const pl_adder *a, size_t third, size_t i, unsigned n_planes,
                        size_t set_words) {
    return a->memory + (a->n_sets * third + i) * n_planes * set_words;
}

/* v as it is shared: both components. */
static void slice_shared(const pl_source *s, size_t word, size_t words, uint64_t *const planes[2],
                         unsigned n_planes) {
    for (size_t c = 0; c < 2; c++)
        pl_kernels_here()->slice(s->shared[c] + 64 * word, words, planes[c], words, n_planes);
}

/* The part of one third: what this party knows of u and v, and what it sends or will receive. */
static pl_status deal_third(pl_party *p, pl_adder *a, const pl_source *source, size_t role,
                            size_t begin, size_t n, uint64_t *first, uint64_t *second,
                            unsigned n_planes) {
    size_t prev = pl_rep3_prev(p), bytes = 8 * n * n_planes;
    if (role == 0) {
        PL_TRY(pl_rep3_fill(p, PL_STREAM_DEAL, 1, second, bytes));
        slice_part(source, role, begin, n, first, n_planes);
        pl_kernels_here()->xor2(first, first, second, n * n_planes);
        PL_TRY(pl_mesh_send(p->mesh, prev, first, bytes));
        a->dealt = pl_mesh_mark_sent(p->mesh, prev);
        return pl_mesh_pump(p->mesh);
    }
    if (source->shared[0] == NULL)
        slice_part(source, role, begin, n, second, n_planes);
    if (role == 1)
        return pl_rep3_fill(p, PL_STREAM_DEAL, 0, first, bytes);
    return pl_mesh_recv(p->mesh, pl_rep3_next(p), first, bytes);
}

pl_status pl_adder_deal(pl_party *p, pl_adder *a, const pl_source *source, size_t at, size_t words,
                        unsigned n_planes) {
    size_t set_words = pl_third_words_max(a->words_max);
    if (a->dealt.bytes != 0)
        PL_TRY(pl_mesh_wait_sent(p->mesh, a->dealt));
    pl_adder_start(a, words);
    a->n_parts = 3;
    a->waits = true;
    for (size_t t = 0; t <= 3; t++)
        a->part[t] = pl_third_begin(words, t);
    for (size_t role = 0; role < 3; role++) {
        size_t t = pl_rep3_third(p, role), n = a->part[t + 1] - a->part[t];
        uint64_t *first = set_of(a, t, 0, n_planes, set_words);
        uint64_t *second = set_of(a, t, 1, n_planes, set_words);
        place(a, t, role, first, second);
        if (source->shared[0] != NULL) {
            a->plane[t][2] = set_of(a, t, 2, n_planes, set_words);
            a->plane[t][3] = set_of(a, t, 3, n_planes, set_words);
            slice_shared(source, at + a->part[t], n, &a->plane[t][2], n_planes);
        }
        PL_TRY(deal_third(p, a, source, role, at + a->part[t], n, first, second, n_planes));
    }
    a->wire.received = pl_mesh_mark_received(p->mesh, pl_rep3_next(p));
    return PL_OK;
}
