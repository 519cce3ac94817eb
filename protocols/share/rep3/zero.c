/* Whether a number is zero, which needs no addition: x_d + x_{d+1} is compared with -x_{d+2}, bit
 * by bit, and the AND of all bits is made in a tree: the planes' first half with the second, until
 * one is left. Every AND reads what the last messages hold. */
#include "protocols/base/secret.h"
#include "protocols/share/rep3/rep3.h"

#include <string.h>

typedef struct equality {
    pl_source source;
    unsigned n_bits;
    pl_svec out;
} equality;

typedef struct flight {
    pl_adder planes; /* the dealt ones; it adds nothing */
    pl_wire wire;    /* [n_bits / 2][words] at most */
    size_t at;
    unsigned left; /* planes, after the messages that are on their way */
} flight;

static pl_status init(const void *op, void *where, size_t words) {
    static const pl_carry_plan nothing = {0};
    const equality *e = op;
    flight *l = where;
    PL_TRY(pl_adder_init(&l->planes, &nothing, words, e->n_bits, 2));
    return pl_wire_init(&l->wire, e->n_bits / 2 * words);
}

static void done(void *where) {
    flight *l = where;
    pl_adder_done(&l->planes);
    pl_wire_done(&l->wire);
}

static pl_status start(pl_party *p, void *op, void *where, size_t at, size_t words) {
    const equality *e = op;
    flight *l = where;
    l->at = at;
    l->left = e->n_bits;
    return pl_adder_deal(p, &l->planes, &e->source, at, words, e->n_bits);
}

/* n words of z = x y, tile by tile. */
static pl_status and_words(pl_party *p, const uint64_t *const x[2], const uint64_t *const y[2],
                           uint64_t *z, size_t n) {
    const pl_rep3 *rep3 = p->state;
    for (size_t at = 0; at < n; at += PL_TILE_WORDS) {
        size_t now = n - at < PL_TILE_WORDS ? n - at : PL_TILE_WORDS;
        PL_TRY(pl_rep3_masks(p, 8 * now));
        pl_kernels_here()->cross_bool(z + at, x[0] + at, x[1] + at, y[0] + at, y[1] + at,
                                      rep3->tile[0], rep3->tile[1], now);
    }
    return PL_OK;
}

/* The two components of plane `bit` of u XOR v in a third: of each, one summand is not there. */
static void sum_of(const pl_adder *a, size_t third, unsigned bit, const uint64_t *out[2]) {
    size_t words = a->part[third + 1] - a->part[third];
    for (size_t c = 0; c < 2; c++) {
        const uint64_t *u = a->plane[third][c], *v = a->plane[third][c + 2];
        out[c] = (u != NULL ? u : v) + bit * words;
    }
}

static pl_status and_dealt(pl_party *p, const pl_adder *a, unsigned half, uint64_t *z) {
    for (unsigned bit = 0; bit < half; bit++, z += a->words) {
        for (size_t third = 0; third < 3; third++) {
            const uint64_t *x[2], *y[2];
            sum_of(a, third, bit, x);
            sum_of(a, third, bit + half, y);
            PL_TRY(and_words(p, x, y, z + a->part[third], a->part[third + 1] - a->part[third]));
        }
    }
    return PL_OK;
}

/* The last message's first half with its second. What came in is read before the next message may
 * be put in its place. */
static pl_status and_received(pl_party *p, const flight *l, const uint64_t *last, uint64_t *z) {
    size_t half = l->left / 2 * l->planes.words;
    const uint64_t *x[2] = {last, l->wire.in}, *y[2] = {last + half, l->wire.in + half};
    return and_words(p, x, y, z, half);
}

static pl_status step(pl_party *p, void *op, void *where, bool *out_done) {
    const equality *e = op;
    flight *l = where;
    const uint64_t *last = l->wire.out[l->wire.turn];
    uint64_t *z;
    bool is_first = l->left == e->n_bits;
    PL_TRY(pl_wire_wait(p, is_first ? &l->planes.wire : &l->wire));
    if (l->left == 1) {
        memcpy((uint64_t *)e->out.component[0] + l->at, last, 8 * l->planes.words);
        memcpy((uint64_t *)e->out.component[1] + l->at, l->wire.in, 8 * l->planes.words);
        *out_done = true;
        return PL_OK;
    }
    PL_TRY(pl_wire_begin(p, &l->wire, &z));
    PL_TRY(is_first ? and_dealt(p, &l->planes, l->left / 2, z) : and_received(p, l, last, z));
    l->left /= 2;
    return pl_wire_pass(p, &l->wire, l->left * l->planes.words);
}

/* -v - 1 is NOT v, so NOT (-v) = v - 1: plane b of u XOR NOT (-v) is 1 where the two sides agree.
 */
pl_status pl_rep3_zero(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    static const pl_flow_ops ops = {
        .flight_bytes = sizeof(flight), .init = init, .done = done, .start = start, .step = step};
    unsigned n_bits = x->kind == PL_ARITH_128 ? 128 : 64;
    pl_flow flow = pl_flow_zero(pl_bit_words(x->n), n_bits, &p->net);
    equality *e;
    PL_TRY(pl_alloc(1, sizeof *e, &e));
    e->n_bits = n_bits;
    e->source.kind = x->kind;
    e->source.n = x->n;
    for (size_t i = 0; i < 2; i++) {
        e->source.x[i] = x->component[i];
        e->source.y[i] = y == NULL ? NULL : y->component[i];
    }
    e->source.add[1] = -1;
    e->out = *out;
    return pl_flow_submit(p, &flow, &ops, e);
}
