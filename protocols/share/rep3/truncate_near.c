/* Probabilistic truncation: exact truncation (truncate.c) without its adder. With w = z + 2^62 =
 * u + v or u + v - 2^64 in every third, u known to the dealer and v to the two others,
 *     ceil(u / 2^f) + floor(v / 2^f) - 2^(64 - f) wrap = w / 2^f, or less than 1 from it, up or
 * down: exactly w / 2^f if that is whole, else one of its two neighbours. The upper one comes with
 * a probability that is the fraction, because v is uniform. wrap = 1 - (1 - u_63)(1 - v_63) is
 * exact here too, so that nothing is ever far off; the classic form, Mohassel and Rindal 2018,
 * "ABY3", section 5.1, leaves it out, and is wrong by 2^(64 - f) with a probability of about |z| /
 * 2^63.
 *
 * What it lets out: a result is rounded up exactly where v mod 2^f is less than z mod 2^f, that is
 * where 0 < u mod 2^f <= z mod 2^f; and every compute party knows u or v. So to a compute party a
 * result that is opened says more about z than the result does; to anybody else the rounding is an
 * independent coin. It therefore does not realise a truncation that rounds by such a coin (Li et
 * al. 2023, "Efficient 3PC for Binary Circuits with Application to Maliciously-Secure DNN
 * Inference").
 *
 * The dealer deals ceil(u / 2^f) as y_d + y_{d+1}, y_{d+1} from the key it has in common with
 * P_{d+1}, and a = 1 - u_63 as r + (a - r), to P_{d+1} and P_{d+2}, who keep their part where v_63
 * is 0. Only the low f bits of that count, so 32 bits are enough. Each takes a fresh mask off its
 * part, which the dealer knows and puts into y_d or y_{d+1}, and shows the rest to the other, as in
 * bits.c: y_{d+2} = floor(v / 2^f) + 2^(64 - f) (parts - masks) - constants.
 * 12 bytes an element and party, 3 rounds. */
#include "protocols/base/secret.h"
#include "protocols/share/rep3/rep3.h"

#define HALF (UINT64_C(1) << 62)

typedef struct truncation {
    unsigned f;
    pl_local local;
    pl_svec out;
} truncation;

typedef struct flight {
    int stage;
    size_t at;
    pl_summands s;
    size_t n_max;                  /* elements of a third */
    uint64_t *shifted;             /* the dealer's message: ceil(u / 2^f) - y_{d+1} */
    uint32_t *wrap[2];             /* shares of 1 - u_63: made by the dealer, got by P_{d+2} */
    uint32_t *mine[3], *theirs[3]; /* of roles 1 and 2: what they show each other */
    uint32_t *mask[2];             /* room for what comes from keys */
    pl_mark from_next, from_prev, sent_next, sent_prev;
} flight;

static pl_status init(const void *op, void *where, size_t words) {
    flight *l = where;
    (void)op;
    l->n_max = 64 * pl_third_words_max(words);
    PL_TRY(pl_summands_init(&l->s, words));
    PL_TRY(pl_secret_alloc(8 * l->n_max, &l->shifted));
    for (size_t i = 0; i < 2; i++) {
        PL_TRY(pl_secret_alloc(4 * l->n_max, &l->wrap[i]));
        PL_TRY(pl_secret_alloc(4 * l->n_max, &l->mask[i]));
        PL_TRY(pl_secret_alloc(4 * l->n_max, &l->mine[1 + i]));
        PL_TRY(pl_secret_alloc(4 * l->n_max, &l->theirs[1 + i]));
    }
    return PL_OK;
}

static void done(void *where) {
    flight *l = where;
    pl_summands_done(&l->s);
    pl_secret_free(l->shifted, 8 * l->n_max);
    for (size_t i = 0; i < 2; i++) {
        pl_secret_free(l->wrap[i], 4 * l->n_max);
        pl_secret_free(l->mask[i], 4 * l->n_max);
        pl_secret_free(l->mine[1 + i], 4 * l->n_max);
        pl_secret_free(l->theirs[1 + i], 4 * l->n_max);
    }
}

/* The third of the block in which this party has the role, and where its result is. */
typedef struct place {
    size_t first, n;
    uint64_t *out[2];
} place;

static place place_of(const pl_party *p, const truncation *t, const flight *l, size_t role) {
    place at;
    at.n = pl_summands_third(p, &l->s, role, &at.first);
    for (size_t c = 0; c < 2; c++)
        at.out[c] = (uint64_t *)t->out.component[c] + 64 * l->at + at.first;
    return at;
}

static uint64_t up(uint32_t low, unsigned f) {
    return (uint64_t)low << (64 - f);
}

static pl_status start(pl_party *p, void *op, void *where, size_t at, size_t words) {
    const truncation *t = op;
    flight *l = where;
    if (l->sent_prev.bytes != 0) { /* of the block before */
        PL_TRY(pl_mesh_wait_sent(p->mesh, l->sent_prev));
        PL_TRY(pl_mesh_wait_sent(p->mesh, l->sent_next));
    }
    l->stage = 0;
    l->at = at;
    return pl_summands_begin(p, &l->s, &t->local, at, words);
}

/* ---- the dealer ---- */

static pl_status deal(pl_party *p, const truncation *t, flight *l) {
    place at = place_of(p, t, l, 0);
    const uint64_t *z = l->s.z + at.first, *got = l->s.got + at.first;
    uint64_t low_bits = (UINT64_C(1) << t->f) - 1, *right = at.out[1];
    PL_TRY(pl_rep3_fill(p, PL_STREAM_SHIFTED, 1, right, 8 * at.n));
    PL_TRY(pl_rep3_fill(p, PL_STREAM_WRAP, 1, l->wrap[0], 4 * at.n));
    PL_TRY(pl_rep3_fill(p, PL_STREAM_LEFT, 0, l->mask[0], 4 * at.n));
    PL_TRY(pl_rep3_fill(p, PL_STREAM_RIGHT, 1, l->mask[1], 4 * at.n));
    for (size_t i = 0; i < at.n; i++) {
        uint64_t u = z[i] + got[i] + HALF;
        uint64_t ceiling = (u >> t->f) + (((u & low_bits) + low_bits) >> t->f);
        l->shifted[i] = ceiling - right[i];
        l->wrap[0][i] = (1 ^ (uint32_t)(u >> 63)) - l->wrap[0][i];
        at.out[0][i] = l->shifted[i] + up(l->mask[0][i], t->f);
        right[i] += up(l->mask[1][i], t->f);
    }
    PL_TRY(pl_mesh_send(p->mesh, pl_rep3_prev(p), l->shifted, 8 * at.n));
    return pl_mesh_send(p->mesh, pl_rep3_prev(p), l->wrap[0], 4 * at.n);
}

/* ---- the two others ---- */

/* The part of the product where v_63 is 0, less the mask: mine = (1 - v_63) share - mask. */
static void keep_part(const uint64_t *v, const uint32_t *share, const uint32_t *mask,
                      uint32_t *mine, size_t n) {
    for (size_t i = 0; i < n; i++)
        mine[i] = (share[i] & ((uint32_t)(v[i] >> 63) - 1)) - mask[i];
}

static pl_status send_right(pl_party *p, const truncation *t, flight *l) {
    place at = place_of(p, t, l, 1);
    PL_TRY(pl_rep3_fill(p, PL_STREAM_SHIFTED, 0, at.out[0], 8 * at.n));
    PL_TRY(pl_rep3_fill(p, PL_STREAM_WRAP, 0, l->mask[0], 4 * at.n));
    PL_TRY(pl_rep3_fill(p, PL_STREAM_RIGHT, 0, l->mask[1], 4 * at.n));
    for (size_t i = 0; i < at.n; i++)
        at.out[0][i] += up(l->mask[1][i], t->f);
    keep_part(l->s.got + at.first, l->mask[0], l->mask[1], l->mine[1], at.n);
    return pl_mesh_send(p->mesh, pl_rep3_next(p), l->mine[1], 4 * at.n);
}

static pl_status send_left(pl_party *p, const truncation *t, flight *l) {
    place at = place_of(p, t, l, 2);
    PL_TRY(pl_rep3_fill(p, PL_STREAM_LEFT, 1, l->mask[0], 4 * at.n));
    for (size_t i = 0; i < at.n; i++)
        at.out[1][i] += up(l->mask[0][i], t->f);
    keep_part(l->s.z + at.first, l->wrap[1], l->mask[0], l->mine[2], at.n);
    return pl_mesh_send(p->mesh, pl_rep3_prev(p), l->mine[2], 4 * at.n);
}

/* y_{d+2}, at both of them. */
static void join(const truncation *t, const uint64_t *v, const uint32_t *mine,
                 const uint32_t *theirs, uint64_t *out, size_t n) {
    uint64_t constant = (UINT64_C(1) << (64 - t->f)) + (HALF >> t->f);
    for (size_t i = 0; i < n; i++)
        out[i] = (v[i] >> t->f) - constant + up(mine[i] + theirs[i], t->f);
}

/* ---- stages ---- */

static pl_status first_answer(pl_party *p, const truncation *t, flight *l) {
    place last = place_of(p, t, l, 2);
    size_t prev = pl_rep3_prev(p), next = pl_rep3_next(p);
    PL_TRY(pl_summands_wait(p, &l->s));
    PL_TRY(pl_mesh_recv(p->mesh, next, last.out[1], 8 * last.n));
    PL_TRY(pl_mesh_recv(p->mesh, next, l->wrap[1], 4 * last.n));
    l->from_next = pl_mesh_mark_received(p->mesh, next);
    PL_TRY(pl_mesh_recv(p->mesh, prev, l->theirs[2], 4 * last.n));
    l->from_prev = pl_mesh_mark_received(p->mesh, prev);
    PL_TRY(deal(p, t, l));
    PL_TRY(pl_mesh_pump(p->mesh));
    PL_TRY(send_right(p, t, l));
    l->sent_next = pl_mesh_mark_sent(p->mesh, next);
    return pl_mesh_pump(p->mesh);
}

static pl_status second_answer(pl_party *p, const truncation *t, flight *l) {
    size_t prev = pl_rep3_prev(p), next = pl_rep3_next(p);
    PL_TRY(pl_mesh_wait_received(p->mesh, l->from_next));
    PL_TRY(send_left(p, t, l));
    l->sent_prev = pl_mesh_mark_sent(p->mesh, prev);
    PL_TRY(pl_mesh_recv(p->mesh, next, l->theirs[1], 4 * place_of(p, t, l, 1).n));
    l->from_next = pl_mesh_mark_received(p->mesh, next);
    return pl_mesh_pump(p->mesh);
}

static pl_status end(pl_party *p, const truncation *t, flight *l) {
    place middle = place_of(p, t, l, 1), last = place_of(p, t, l, 2);
    PL_TRY(pl_mesh_wait_received(p->mesh, l->from_next));
    PL_TRY(pl_mesh_wait_received(p->mesh, l->from_prev));
    join(t, l->s.got + middle.first, l->mine[1], l->theirs[1], middle.out[1], middle.n);
    join(t, l->s.z + last.first, l->mine[2], l->theirs[2], last.out[0], last.n);
    return PL_OK;
}

static pl_status step(pl_party *p, void *op, void *where, bool *out_done) {
    static pl_status (*const stages[])(pl_party *, const truncation *,
                                       flight *) = {first_answer, second_answer, end};
    flight *l = where;
    PL_TRY(stages[l->stage](p, op, l));
    *out_done = ++l->stage == 3;
    return PL_OK;
}

static pl_status submit(pl_party *p, const pl_local *local, unsigned frac_bits,
                        const pl_svec *out) {
    static const pl_flow_ops ops = {
        .flight_bytes = sizeof(flight), .init = init, .done = done, .start = start, .step = step};
    pl_flow flow = pl_flow_bits(pl_bit_words(out->n), &p->net);
    truncation *t;
    PL_TRY(pl_alloc(1, sizeof *t, &t));
    *t = (truncation){frac_bits, *local, *out};
    return pl_flow_submit(p, &flow, &ops, t);
}

pl_status pl_rep3_mul_fixed_probabilistic(pl_party *p, const pl_svec *x, const pl_svec *y,
                                          unsigned frac_bits, pl_svec *out) {
    return submit(p, &(pl_local){.is_product = true, .x = *x, .y = *y}, frac_bits, out);
}

pl_status pl_rep3_truncate_probabilistic(pl_party *p, const pl_svec *x, unsigned frac_bits,
                                         pl_svec *out) {
    return submit(p, &(pl_local){.x = *x}, frac_bits, out);
}
