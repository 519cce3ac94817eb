/* Exact truncation of a product. In every third (summands.c)
 *     u = z_d + z_{d+1} + 2^62, known to the dealer       v = z_{d+2}, known to the two others
 * With x y in (-2^62, 2^62), w = x y + 2^62 is in [0, 2^63), and u + v = w or w + 2^64. So
 *     floor(w / 2^f) = (u >> f) + (v >> f) + carry - 2^(64 - f) wrap
 * where carry is that of the low f bits and wrap = u_63 OR v_63, because w_63 = 0: if both are 0
 * there is no wrap, if one is 1 its number exceeds w. And wrap = 1 - (1 - u_63)(1 - v_63): the
 * dealer shares 1 - u_63 between the two others, who know v_63 and keep their part of it or not;
 * only its low f bits count, so 32 bits are enough. The carry is one adder of f bits and a bit to
 * arithmetic, into whose messages all the rest is put. floor(x y / 2^f) = floor(w / 2^f) - 2^(62 -
 * f). Compare Catrina and de Hoogh 2010, "Improved Primitives for Secure Multiparty Integer
 * Computation" (exact truncation by a comparison); the decomposition follows Dalskov, Escudero,
 * Keller 2021, "Fantastic Four", section 4, without its error. */
#include "protocols/base/secret.h"
#include "protocols/share/rep3/rep3.h"

#include <string.h>

#define HALF (UINT64_C(1) << 62)

typedef struct truncation {
    pl_carry_plan plan;
    unsigned f;
    pl_local local;
    pl_svec out;
} truncation;

typedef enum stage { STAGE_DEAL, STAGE_CARRY, STAGE_BITS } stage;

typedef struct flight {
    stage stage;
    size_t at, words;
    pl_summands s;
    uint64_t *shifted[3]; /* per role, [64 words of a third]: shares of u >> f */
    uint64_t *middle[3];  /* of roles 1 and 2: what is in y_{d+2} */
    uint32_t *wrap[3];    /* per role: shares of 1 - u_63 */
    size_t third_bytes;
    pl_mark received, sent;
    pl_adder adder;
    pl_b2a bits;
} flight;

static pl_status init(const void *op, void *where, size_t words) {
    const truncation *t = op;
    flight *l = where;
    l->third_bytes = 8 * 64 * pl_third_words_max(words);
    PL_TRY(pl_summands_init(&l->s, words));
    for (size_t role = 0; role < 3; role++) {
        PL_TRY(pl_secret_alloc(l->third_bytes, &l->shifted[role]));
        PL_TRY(pl_secret_alloc(l->third_bytes, &l->middle[role]));
        PL_TRY(pl_secret_alloc(l->third_bytes / 2, &l->wrap[role]));
    }
    PL_TRY(pl_adder_init(&l->adder, &t->plan, words, t->f, 2));
    return pl_b2a_init(&l->bits, words);
}

static void flight_done(void *where) {
    flight *l = where;
    pl_summands_done(&l->s);
    for (size_t role = 0; role < 3; role++) {
        pl_secret_free(l->shifted[role], l->third_bytes);
        pl_secret_free(l->middle[role], l->third_bytes);
        pl_secret_free(l->wrap[role], l->third_bytes / 2);
    }
    pl_adder_done(&l->adder);
    pl_b2a_done(&l->bits);
}

static pl_status start(pl_party *p, void *op, void *where, size_t at, size_t words) {
    const truncation *t = op;
    flight *l = where;
    l->stage = STAGE_DEAL;
    l->at = at;
    l->words = words;
    if (l->sent.bytes != 0) /* of the block before */
        PL_TRY(pl_mesh_wait_sent(p->mesh, l->sent));
    return pl_summands_begin(p, &l->s, &t->local, at, words);
}

/* ---- dealing ---- */

/* The dealer: u in place of z; and u >> f and 1 - u_63, less what P_{d+1} has from a key. */
static pl_status split(pl_party *p, const truncation *t, flight *l) {
    size_t first, n = pl_summands_third(p, &l->s, 0, &first);
    uint64_t *u = l->s.z + first, *right = l->middle[0], *left = l->shifted[0];
    uint32_t *wrap = l->wrap[0];
    PL_TRY(pl_rep3_fill(p, PL_STREAM_SHIFTED, 1, right, 8 * n));
    PL_TRY(pl_rep3_fill(p, PL_STREAM_WRAP, 1, wrap, 4 * n));
    for (size_t i = 0; i < n; i++) {
        u[i] += l->s.got[first + i] + HALF;
        left[i] = (u[i] >> t->f) - right[i];
        wrap[i] = (1 ^ (uint32_t)(u[i] >> 63)) - wrap[i];
    }
    return PL_OK;
}

/* Where v_63 is 0, the share of 1 - u_63, at the place of the wrap. */
static uint64_t wrap_part(uint64_t v, uint32_t wrap, unsigned f) {
    return ((uint64_t)wrap << (64 - f)) & ((v >> 63) - 1);
}

/* P_{d+1}: v is put where the addends are taken from. */
static pl_status join_right(pl_party *p, const truncation *t, flight *l) {
    size_t first, n = pl_summands_third(p, &l->s, 1, &first);
    const uint64_t *v = l->s.got + first;
    PL_TRY(pl_rep3_fill(p, PL_STREAM_SHIFTED, 0, l->shifted[1], 8 * n));
    PL_TRY(pl_rep3_fill(p, PL_STREAM_WRAP, 0, l->wrap[1], 4 * n));
    for (size_t i = 0; i < n; i++)
        l->middle[1][i] = wrap_part(v[i], l->wrap[1][i], t->f);
    if (n != 0)
        memcpy(l->s.z + first, v, 8 * n);
    return PL_OK;
}

/* P_{d+2}, once the dealer's messages are there. */
static void join_left(const pl_party *p, const truncation *t, flight *l) {
    size_t first, n = pl_summands_third(p, &l->s, 2, &first);
    const uint64_t *v = l->s.z + first;
    uint64_t constant = (UINT64_C(1) << (64 - t->f)) + (UINT64_C(1) << (62 - t->f));
    for (size_t i = 0; i < n; i++)
        l->middle[2][i] = (v[i] >> t->f) - constant + wrap_part(v[i], l->wrap[2][i], t->f);
}

static pl_status deal(pl_party *p, const truncation *t, flight *l) {
    size_t first, n, prev = pl_rep3_prev(p), next = pl_rep3_next(p);
    PL_TRY(pl_summands_wait(p, &l->s)); /* z is written over now */
    PL_TRY(split(p, t, l));
    PL_TRY(join_right(p, t, l));
    pl_source source = {.x = {l->s.z, NULL}, .is_single = true};
    PL_TRY(pl_adder_deal(p, &l->adder, &source, 0, l->words, t->f));
    n = pl_summands_third(p, &l->s, 2, &first);
    PL_TRY(pl_mesh_recv(p->mesh, next, l->shifted[2], 8 * n));
    PL_TRY(pl_mesh_recv(p->mesh, next, l->wrap[2], 4 * n));
    l->received = pl_mesh_mark_received(p->mesh, next);
    n = pl_summands_third(p, &l->s, 0, &first);
    PL_TRY(pl_mesh_send(p->mesh, prev, l->shifted[0], 8 * n));
    PL_TRY(pl_mesh_send(p->mesh, prev, l->wrap[0], 4 * n));
    l->sent = pl_mesh_mark_sent(p->mesh, prev);
    l->stage = STAGE_CARRY;
    return pl_mesh_pump(p->mesh);
}

/* ---- the carry, and everything together ---- */

static pl_status begin_bits(pl_party *p, const truncation *t, flight *l) {
    PL_TRY(pl_mesh_wait_received(p->mesh, l->received));
    join_left(p, t, l);
    pl_b2a_start(&l->bits, l->s.part, l->words);
    for (size_t c = 0; c < 2; c++) {
        l->bits.bits[c] = l->adder.carry[c] + t->plan.result * l->words;
        l->bits.out[c] = (uint64_t *)t->out.component[c] + 64 * l->at;
    }
    l->bits.left = l->shifted[0];
    l->bits.right = l->middle[0];
    l->bits.right_1 = l->shifted[1];
    l->bits.middle_1 = l->middle[1];
    l->bits.left_2 = l->shifted[2];
    l->bits.middle_2 = l->middle[2];
    l->stage = STAGE_BITS;
    return PL_OK;
}

static pl_status step(pl_party *p, void *op, void *where, bool *out_done) {
    const truncation *t = op;
    flight *l = where;
    bool done = false;
    *out_done = false;
    if (l->stage == STAGE_DEAL)
        return deal(p, t, l);
    if (l->stage == STAGE_BITS)
        return pl_b2a_step(p, &l->bits, out_done);
    PL_TRY(pl_adder_step(p, &l->adder, &done));
    if (!done)
        return PL_OK;
    PL_TRY(begin_bits(p, t, l));
    return pl_b2a_step(p, &l->bits, out_done);
}

static void release(void *op) {
    truncation *t = op;
    pl_local_done(&t->local);
}

static pl_status submit(pl_party *p, pl_local local, unsigned frac_bits, const pl_svec *out) {
    static const pl_flow_ops ops = {.flight_bytes = sizeof(flight),
                                    .init = init,
                                    .done = flight_done,
                                    .start = start,
                                    .step = step,
                                    .release = release};
    size_t n_words = pl_bit_words(out->n);
    pl_flow flow = pl_flow_truncate(n_words, &p->net);
    truncation *t;
    pl_status status = pl_alloc(1, sizeof *t, &t);
    if (!pl_is_ok(status)) {
        pl_local_done(&local);
        return status;
    }
    t->local = local;
    t->out = *out;
    t->f = frac_bits;
    pl_carry_plan_make(&t->plan, frac_bits, pl_carry_choose(frac_bits, false, n_words, &p->net),
                       false);
    return pl_flow_submit(p, &flow, &ops, t);
}

pl_status pl_rep3_mul_fixed(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned frac_bits,
                            pl_svec *out) {
    return submit(p, (pl_local){.is_product = true, .x = *x, .y = *y}, frac_bits, out);
}

pl_status pl_rep3_truncate(pl_party *p, const pl_svec *x, unsigned frac_bits, pl_svec *out) {
    return submit(p, (pl_local){.x = *x}, frac_bits, out);
}

pl_status pl_rep3_truncate_local(pl_party *p, uint64_t *z, unsigned frac_bits, pl_svec *out) {
    return submit(p, (pl_local){.z = z, .z_bytes = 8 * 64 * pl_bit_words(out->n)}, frac_bits, out);
}
