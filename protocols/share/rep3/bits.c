/* Bits to arithmetic. In every third the dealer knows a = b_d ^ b_{d+1}, the two others know
 * c = b_{d+2}; wanted is a + c - 2 a c = (1 - 2 c) a + c. The dealer masks a: m = a - r, with r
 * from the key it has in common with P_{d+1}. P_{d+1} makes (1 - 2 c) r, P_{d+2} makes (1 - 2 c) m
 * + c: together that is the bit, shared between these two. Each takes a fresh component off its
 * part and sends the rest to the other: y_d     = F(k_d), held by P_d and P_{d+2} y_{d+1} =
 * F(k_{d+1}), held by P_d and P_{d+1} y_{d+2} = ((1 - 2 c) r - y_{d+1}) + ((1 - 2 c) m + c - y_d),
 * held by P_{d+1} and P_{d+2} 8 bytes an element and party on average, 2 rounds. Compare Araki et
 * al. 2018, "Generalizing the SPDZ Compiler", section 6, which takes 3 rounds of multiplications.
 */
#include "protocols/base/secret.h"
#include "protocols/share/rep3/rep3.h"

#include <stdlib.h>
#include <string.h>

pl_status pl_b2a_init(pl_b2a *b, size_t words) {
    *b = (pl_b2a){.memory_words = 64 * pl_third_words_max(words)};
    for (size_t i = 0; i < 3; i++)
        PL_TRY(pl_secret_alloc(8 * b->memory_words, &b->memory[i]));
    return PL_OK;
}

void pl_b2a_done(pl_b2a *b) {
    for (size_t i = 0; i < 3; i++)
        pl_secret_free(b->memory[i], 8 * b->memory_words);
    *b = (pl_b2a){0};
}

void pl_b2a_start(pl_b2a *b, const size_t part[4], size_t words) {
    memcpy(b->part, part, sizeof b->part);
    b->words = words;
    b->stage = 0;
}

static void add(uint64_t *to, const uint64_t *what, size_t n) {
    if (what != NULL)
        pl_ring_add(PL_ARITH_64, to, to, what, n);
}

static void subtract(uint64_t *to, const uint64_t *what, size_t n) {
    pl_ring_sub(PL_ARITH_64, to, to, what, n);
}

/* The part of a block in which this party has the role: n words, and where its output is. */
typedef struct place {
    size_t words, n, bytes;
    const uint64_t *bits[2];
    uint64_t *out[2];
} place;

static place place_of(const pl_party *p, const pl_b2a *b, size_t role) {
    size_t t = pl_rep3_third(p, role), begin = b->part[t], words = b->part[t + 1] - begin;
    return (place){.words = words,
                   .n = 64 * words,
                   .bytes = 8 * 64 * words,
                   .bits = {b->bits[0] + begin, b->bits[1] + begin},
                   .out = {b->out[0] + 64 * begin, b->out[1] + 64 * begin}};
}

/* The dealer's part, all of it: m goes to P_{d+2}. */
static pl_status deal(pl_party *p, pl_b2a *b) {
    const pl_kernels *kernels = pl_kernels_here();
    place at = place_of(p, b, 0);
    uint64_t *m = b->memory[0];
    uint64_t a[PL_TILE_WORDS];
    PL_TRY(pl_rep3_fill(p, PL_STREAM_BIT, 1, m, at.bytes));
    for (size_t w = 0; w < at.words; w += PL_TILE_WORDS) {
        size_t n = at.words - w < PL_TILE_WORDS ? at.words - w : PL_TILE_WORDS;
        kernels->xor2(a, at.bits[0] + w, at.bits[1] + w, n);
        kernels->bits_minus(m + 64 * w, a, m + 64 * w, n);
    }
    PL_TRY(pl_mesh_send(p->mesh, pl_rep3_prev(p), m, at.bytes));
    PL_TRY(pl_mesh_pump(p->mesh));
    PL_TRY(pl_rep3_fill(p, PL_STREAM_LEFT, 0, at.out[0], at.bytes));
    PL_TRY(pl_rep3_fill(p, PL_STREAM_RIGHT, 1, at.out[1], at.bytes));
    add(at.out[0], b->left, at.n);
    add(at.out[1], b->right, at.n);
    pl_wipe(a, sizeof a);
    return PL_OK;
}

/* P_{d+1}'s part: (1 - 2 c) r - y_{d+1}, in place of its second component, goes to P_{d+2}. */
static pl_status send_right(pl_party *p, pl_b2a *b) {
    place at = place_of(p, b, 1);
    PL_TRY(pl_rep3_fill(p, PL_STREAM_BIT, 0, at.out[1], at.bytes));
    pl_kernels_here()->bits_negate(at.out[1], at.bits[1], at.out[1], at.words);
    PL_TRY(pl_rep3_fill(p, PL_STREAM_RIGHT, 0, at.out[0], at.bytes));
    subtract(at.out[1], at.out[0], at.n);
    add(at.out[1], b->middle_1, at.n);
    add(at.out[0], b->right_1, at.n);
    PL_TRY(pl_mesh_send(p->mesh, pl_rep3_next(p), at.out[1], at.bytes));
    return pl_mesh_pump(p->mesh);
}

/* P_{d+2}'s part, once m is there: (1 - 2 c) m + c - y_d goes to P_{d+1}. */
static pl_status send_left(pl_party *p, pl_b2a *b) {
    place at = place_of(p, b, 2);
    uint64_t *rest = b->memory[1];
    pl_kernels_here()->bits_invert(rest, at.bits[0], rest, at.words);
    PL_TRY(pl_rep3_fill(p, PL_STREAM_LEFT, 1, at.out[1], at.bytes));
    subtract(rest, at.out[1], at.n);
    add(rest, b->middle_2, at.n);
    add(at.out[1], b->left_2, at.n);
    PL_TRY(pl_mesh_send(p->mesh, pl_rep3_prev(p), rest, at.bytes));
    return pl_mesh_pump(p->mesh);
}

static pl_status begin(pl_party *p, pl_b2a *b) {
    size_t next = pl_rep3_next(p), prev = pl_rep3_prev(p);
    place second = place_of(p, b, 2);
    if (b->sent_prev.bytes != 0) { /* of the block before */
        PL_TRY(pl_mesh_wait_sent(p->mesh, b->sent_prev));
        PL_TRY(pl_mesh_wait_sent(p->mesh, b->sent_next));
    }
    PL_TRY(pl_mesh_recv(p->mesh, next, b->memory[1], second.bytes));
    b->from_next = pl_mesh_mark_received(p->mesh, next);
    PL_TRY(pl_mesh_recv(p->mesh, prev, second.out[0], second.bytes));
    b->from_prev = pl_mesh_mark_received(p->mesh, prev);
    PL_TRY(deal(p, b));
    PL_TRY(send_right(p, b));
    b->sent_next = pl_mesh_mark_sent(p->mesh, pl_rep3_next(p));
    return PL_OK;
}

static pl_status middle(pl_party *p, pl_b2a *b) {
    PL_TRY(pl_mesh_wait_received(p->mesh, b->from_next));
    PL_TRY(send_left(p, b));
    b->sent_prev = pl_mesh_mark_sent(p->mesh, pl_rep3_prev(p));
    PL_TRY(pl_mesh_recv(p->mesh, pl_rep3_next(p), b->memory[2], place_of(p, b, 1).bytes));
    b->from_next = pl_mesh_mark_received(p->mesh, pl_rep3_next(p));
    return PL_OK;
}

/* What was sent is added to, so it has to be gone. */
static pl_status end(pl_party *p, pl_b2a *b) {
    place first = place_of(p, b, 1), second = place_of(p, b, 2);
    PL_TRY(pl_mesh_wait_received(p->mesh, b->from_next));
    PL_TRY(pl_mesh_wait_received(p->mesh, b->from_prev));
    PL_TRY(pl_mesh_wait_sent(p->mesh, b->sent_next));
    add(first.out[1], b->memory[2], first.n);
    add(second.out[0], b->memory[1], second.n);
    return PL_OK;
}

pl_status pl_b2a_step(pl_party *p, pl_b2a *b, bool *out_done) {
    static pl_status (*const stages[])(pl_party *, pl_b2a *) = {begin, middle, end};
    PL_TRY(stages[b->stage](p, b));
    *out_done = ++b->stage == 3;
    return PL_OK;
}

/* ---- the operation ---- */

typedef struct widening {
    pl_svec bits, out;
} widening;

static pl_status init(const void *op, void *flight, size_t words) {
    (void)op;
    return pl_b2a_init(flight, words);
}

static void done(void *flight) {
    pl_b2a_done(flight);
}

static pl_status start(pl_party *p, void *op, void *flight, size_t at, size_t words) {
    const widening *w = op;
    pl_b2a *b = flight;
    size_t part[4];
    bool done = false;
    for (size_t t = 0; t <= 3; t++)
        part[t] = pl_third_begin(words, t);
    pl_b2a_start(b, part, words);
    for (size_t c = 0; c < 2; c++) {
        b->bits[c] = (const uint64_t *)w->bits.component[c] + at;
        b->out[c] = (uint64_t *)w->out.component[c] + 64 * at;
    }
    return pl_b2a_step(p, b, &done);
}

static pl_status step(pl_party *p, void *op, void *flight, bool *out_done) {
    (void)op;
    return pl_b2a_step(p, flight, out_done);
}

static pl_status to_64(pl_party *p, const pl_svec *bits, pl_svec *out) {
    static const pl_flow_ops ops = {
        .flight_bytes = sizeof(pl_b2a), .init = init, .done = done, .start = start, .step = step};
    pl_flow flow = pl_flow_bits(pl_bit_words(bits->n), &p->net);
    widening *w;
    PL_TRY(pl_alloc(1, sizeof *w, &w));
    *w = (widening){*bits, *out};
    return pl_flow_submit(p, &flow, &ops, w);
}

/* ---- rings that are used little ----
 *
 * P_0 deals u = b_0 XOR b_1 as a number, v = b_2 stands as it is, and u + v - 2 u v takes one
 * multiplication. All of it is one block. */

typedef struct widening_whole {
    pl_svec bits, out, u, v;
} widening_whole;

typedef struct whole_flight {
    bool is_dealt;
    pl_mark dealt, received, sent; /* dealt: from P_0, at P_1 */
} whole_flight;

static void release_whole(void *op) {
    widening_whole *w = op;
    pl_svec_done(&w->u);
    pl_svec_done(&w->v);
}

static pl_status deal_first_two(pl_party *p, const pl_svec *bits, pl_svec *u) {
    uint64_t *both;
    void *values = NULL;
    if (p->index != 0)
        return pl_rep3_deal_begin(p, 0, NULL, u);
    PL_TRY(pl_secret_alloc(pl_svec_bytes(bits), &both));
    pl_ring_add(PL_BIT, both, bits->component[0], bits->component[1], bits->n);
    pl_status status = pl_secret_alloc(pl_svec_bytes(u), &values);
    if (pl_is_ok(status)) {
        pl_ring_from_bits(u->kind, values, both, bits->n);
        status = pl_rep3_deal_begin(p, 0, values, u);
    }
    pl_secret_free(values, pl_svec_bytes(u));
    pl_secret_free(both, pl_svec_bytes(bits));
    return status;
}

static pl_status start_whole(pl_party *p, void *op, void *flight, size_t at, size_t words) {
    widening_whole *w = op;
    whole_flight *l = flight;
    (void)at, (void)words;
    if (p->index != 0) { /* b_2 is the second component of P_1 and the first of P_2 */
        size_t c = p->index == 1 ? 1 : 0;
        pl_ring_from_bits(w->out.kind, w->v.component[c], w->bits.component[c], w->bits.n);
    }
    PL_TRY(deal_first_two(p, &w->bits, &w->u));
    l->dealt = pl_mesh_mark_received(p->mesh, p->index == 1 ? p->compute[0] : pl_rep3_next(p));
    return pl_mesh_pump(p->mesh);
}

static pl_status step_whole(pl_party *p, void *op, void *flight, bool *out_done) {
    widening_whole *w = op;
    whole_flight *l = flight;
    pl_kind kind = w->out.kind;
    size_t n = w->out.n;
    *out_done = l->is_dealt;
    if (!l->is_dealt) {
        PL_TRY(pl_mesh_wait_received(p->mesh, l->dealt));
        PL_TRY(pl_rep3_mul_begin(p, &w->u, &w->v, 0, n, &w->out));
        l->received = pl_mesh_mark_received(p->mesh, pl_rep3_next(p));
        l->sent = pl_mesh_mark_sent(p->mesh, pl_rep3_prev(p));
        l->is_dealt = true;
        return PL_OK;
    }
    PL_TRY(pl_mesh_wait_received(p->mesh, l->received));
    PL_TRY(pl_mesh_wait_sent(p->mesh, l->sent)); /* it is worked on now */
    for (size_t c = 0; c < 2; c++) {
        pl_ring_add(kind, w->out.component[c], w->out.component[c], w->out.component[c], n);
        pl_ring_add(kind, w->u.component[c], w->u.component[c], w->v.component[c], n);
        pl_ring_sub(kind, w->out.component[c], w->u.component[c], w->out.component[c], n);
    }
    return PL_OK;
}

static pl_status to_other(pl_party *p, const pl_svec *bits, pl_svec *out) {
    static const pl_flow_ops ops = {.flight_bytes = sizeof(whole_flight),
                                    .start = start_whole,
                                    .step = step_whole,
                                    .release = release_whole};
    pl_flow flow = pl_flow_whole(out->n);
    widening_whole *w;
    PL_TRY(pl_alloc(1, sizeof *w, &w));
    *w = (widening_whole){.bits = *bits, .out = *out};
    pl_status status = pl_svec_init(&w->u, out->kind, out->n, 2);
    if (pl_is_ok(status))
        status = pl_svec_init(&w->v, out->kind, out->n, 2);
    if (pl_is_ok(status))
        return pl_flow_submit(p, &flow, &ops, w);
    release_whole(w);
    free(w);
    return status;
}

pl_status pl_rep3_bit_to_arith(pl_party *p, const pl_svec *bits, pl_kind kind, pl_svec *out) {
    return kind == PL_ARITH_64 ? to_64(p, bits, out) : to_other(p, bits, out);
}
