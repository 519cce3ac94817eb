/* Words to arithmetic. In every third the components y_d and y_{d+1} of the result come from keys
 * that the dealer has in common with one of the two others each, so it knows -(y_d + y_{d+1}),
 * deals its bits, and x - y_d - y_{d+1} is an addition of bits. Its result is opened to P_{d+1} and
 * P_{d+2}, as y_{d+2}: to either of them it is masked by the component it does not know. Mohassel
 * and Rindal 2018, "ABY3", section 5.3, with the dealer going round and one adder instead of two.
 */
#include "protocols/base/secret.h"
#include "protocols/share/rep3/rep3.h"

#include <string.h>

typedef struct numbering {
    pl_carry_plan plan;
    pl_svec x, out;
} numbering;

typedef struct flight {
    size_t at, words, bytes; /* bytes: of one third, at most */
    bool added;
    uint64_t *minus;            /* [64 words]: the dealer's addend, in its third */
    uint64_t *known[3][2];      /* per role, [64 words of a third]: components from keys */
    uint64_t *sent[3], *got[3]; /* of roles 1 and 2: what they show each other */
    pl_mark sent_next, sent_prev, from_next, from_prev;
    pl_adder adder;
} flight;

static pl_status init(const void *op, void *where, size_t words) {
    const numbering *o = op;
    flight *l = where;
    l->words = words;
    l->bytes = 8 * 64 * pl_third_words_max(words);
    PL_TRY(pl_secret_alloc(3 * l->bytes, &l->minus));
    for (size_t role = 0; role < 3; role++) {
        for (size_t c = 0; c < 2; c++)
            PL_TRY(pl_secret_alloc(l->bytes, &l->known[role][c]));
        PL_TRY(pl_secret_alloc(l->bytes, &l->sent[role]));
        PL_TRY(pl_secret_alloc(l->bytes, &l->got[role]));
    }
    return pl_adder_init(&l->adder, &o->plan, words, 64, 4);
}

static void flight_done(void *where) {
    flight *l = where;
    pl_secret_free(l->minus, 3 * l->bytes);
    for (size_t role = 0; role < 3; role++) {
        for (size_t c = 0; c < 2; c++)
            pl_secret_free(l->known[role][c], l->bytes);
        pl_secret_free(l->sent[role], l->bytes);
        pl_secret_free(l->got[role], l->bytes);
    }
    pl_adder_done(&l->adder);
}

/* The third in which this party has the role: n elements from element `first` of the block. */
static size_t third_of(const pl_party *p, const flight *l, size_t role, size_t *out_first) {
    size_t t = pl_rep3_third(p, role);
    *out_first = 64 * pl_third_begin(l->words, t);
    return 64 * (pl_third_begin(l->words, t + 1) - pl_third_begin(l->words, t));
}

/* y_d is the second component of P_{d+2} and the first of the dealer, y_{d+1} the dealer's second
 * and the first of P_{d+1}. */
static pl_status know(pl_party *p, flight *l) {
    size_t first, n = third_of(p, l, 0, &first);
    PL_TRY(pl_rep3_fill(p, PL_STREAM_LOW, 0, l->known[0][0], 8 * n));
    PL_TRY(pl_rep3_fill(p, PL_STREAM_HIGH, 1, l->known[0][1], 8 * n));
    for (size_t i = 0; i < n; i++)
        l->minus[first + i] = 0 - l->known[0][0][i] - l->known[0][1][i];
    n = third_of(p, l, 1, &first);
    PL_TRY(pl_rep3_fill(p, PL_STREAM_HIGH, 0, l->known[1][0], 8 * n));
    n = third_of(p, l, 2, &first);
    return pl_rep3_fill(p, PL_STREAM_LOW, 1, l->known[2][1], 8 * n);
}

static pl_status start(pl_party *p, void *op, void *where, size_t at, size_t words) {
    const numbering *o = op;
    flight *l = where;
    l->at = at;
    l->words = words;
    l->added = false;
    if (l->sent_next.bytes != 0) { /* of the block before */
        PL_TRY(pl_mesh_wait_sent(p->mesh, l->sent_next));
        PL_TRY(pl_mesh_wait_sent(p->mesh, l->sent_prev));
    }
    PL_TRY(know(p, l));
    pl_source source = {.x = {l->minus, NULL}, .is_single = true};
    for (size_t c = 0; c < 2; c++)
        source.shared[c] = (const uint64_t *)o->x.component[c] + 64 * at;
    return pl_adder_deal(p, &l->adder, &source, 0, words, 64);
}

static uint64_t *out_at(const numbering *o, const flight *l, size_t c, size_t first) {
    return (uint64_t *)o->out.component[c] + 64 * l->at + first;
}

/* The sum stands in out for a moment, as bits; each of the two others shows the component that the
 * other lacks. */
static pl_status show(pl_party *p, const numbering *o, flight *l) {
    size_t first, n, next = pl_rep3_next(p), prev = pl_rep3_prev(p);
    pl_adder_total(&l->adder, 64, (uint64_t *const[2]){out_at(o, l, 0, 0), out_at(o, l, 1, 0)});
    n = third_of(p, l, 1, &first);
    memcpy(l->sent[1], out_at(o, l, 0, first), 8 * n);
    PL_TRY(pl_mesh_send(p->mesh, next, l->sent[1], 8 * n));
    PL_TRY(pl_mesh_recv(p->mesh, next, l->got[1], 8 * n));
    n = third_of(p, l, 2, &first);
    memcpy(l->sent[2], out_at(o, l, 1, first), 8 * n);
    PL_TRY(pl_mesh_send(p->mesh, prev, l->sent[2], 8 * n));
    PL_TRY(pl_mesh_recv(p->mesh, prev, l->got[2], 8 * n));
    l->sent_next = pl_mesh_mark_sent(p->mesh, next);
    l->sent_prev = pl_mesh_mark_sent(p->mesh, prev);
    l->from_next = pl_mesh_mark_received(p->mesh, next);
    l->from_prev = pl_mesh_mark_received(p->mesh, prev);
    l->added = true;
    return pl_mesh_pump(p->mesh);
}

static void finish_role(const pl_party *p, const numbering *o, flight *l, size_t role) {
    size_t first, n = third_of(p, l, role, &first);
    uint64_t *out[2] = {out_at(o, l, 0, first), out_at(o, l, 1, first)};
    size_t opened = role == 1 ? 1 : 0; /* the component that is y_{d+2} */
    for (size_t i = 0; i < n && role != 0; i++)
        out[opened][i] = out[0][i] ^ out[1][i] ^ l->got[role][i];
    for (size_t c = 0; c < 2; c++) {
        if (role == 0 || c != opened)
            memcpy(out[c], l->known[role][c], 8 * n);
    }
}

static pl_status step(pl_party *p, void *op, void *where, bool *out_done) {
    const numbering *o = op;
    flight *l = where;
    bool done = false;
    *out_done = false;
    if (!l->added) {
        PL_TRY(pl_adder_step(p, &l->adder, &done));
        return done ? show(p, o, l) : PL_OK;
    }
    PL_TRY(pl_mesh_wait_received(p->mesh, l->from_next));
    PL_TRY(pl_mesh_wait_received(p->mesh, l->from_prev));
    for (size_t role = 0; role < 3; role++)
        finish_role(p, o, l, role);
    *out_done = true;
    return PL_OK;
}

pl_status pl_rep3_number(pl_party *p, const pl_svec *x, pl_svec *out) {
    static const pl_flow_ops ops = {.flight_bytes = sizeof(flight),
                                    .init = init,
                                    .done = flight_done,
                                    .start = start,
                                    .step = step};
    size_t n_words = pl_bit_words(x->n);
    pl_flow flow = pl_flow_carry(n_words, 128, &p->net);
    numbering *o;
    PL_TRY(pl_alloc(1, sizeof *o, &o));
    o->x = *x;
    o->out = *out;
    pl_carry_plan_make(&o->plan, 63, pl_carry_choose(63, true, n_words, &p->net), true);
    return pl_flow_submit(p, &flow, &ops, o);
}
