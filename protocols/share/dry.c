/* A scheme that computes nothing and counts what rep3 would send: vectors have no components, so
 * that local work is nothing either. Any program over shares can be run with it to learn its cost,
 * as long as what it does does not depend on what it opens. */
#include "protocols/share/cost.h"
#include "protocols/share/lanes.h"
#include "protocols/share/scheme.h"

#include <stdlib.h>
#include <string.h>

typedef struct tally {
    pl_cost total, step; /* step: of the one that is open */
} tally;

static pl_status count(pl_party *p, pl_cost cost) {
    tally *t = p->state;
    if (p->step != NULL)
        t->step = pl_cost_together(t->step, cost);
    else
        t->total = pl_cost_add(t->total, cost);
    return PL_OK;
}

static void drop_step(pl_party *p) {
    tally *t = p->state;
    t->step = (pl_cost){0};
}

static pl_status finish_step(pl_party *p) {
    tally *t = p->state;
    t->total = pl_cost_add(t->total, t->step);
    drop_step(p);
    return PL_OK;
}

static void teardown(pl_party *p) {
    free(p->state);
}

static pl_status input(pl_party *p, size_t owner_rank, const void *values, pl_kind kind, size_t n,
                       pl_svec *out) {
    (void)values, (void)out;
    return count(p, pl_cost_input(kind, n, pl_party_index_of(p, owner_rank)));
}

static void add_public(pl_party *p, pl_svec *x, const void *constants) {
    (void)p, (void)x, (void)constants;
}

static pl_status mul(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    (void)y, (void)out;
    return count(p, pl_cost_mul(x->kind, x->n));
}

static pl_status mul_fixed(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned frac_bits,
                           pl_svec *out) {
    (void)y, (void)out;
    return count(p, pl_cost_mul_fixed(x->n, frac_bits, &p->net));
}

static pl_status truncate_values(pl_party *p, const pl_svec *x, unsigned frac_bits, pl_svec *out) {
    return mul_fixed(p, x, x, frac_bits, out);
}

static pl_status truncate_near(pl_party *p, const pl_svec *x, unsigned frac_bits, pl_svec *out) {
    (void)frac_bits, (void)out;
    return count(p, pl_cost_mul_fixed_probabilistic(x->n, &p->net));
}

static pl_status mul_fixed_near(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned frac_bits,
                                pl_svec *out) {
    (void)y;
    return truncate_near(p, x, frac_bits, out);
}

static pl_status matmul(pl_party *p, const pl_svec *x, const pl_svec *y,
                        const pl_matmul_shape *shape, pl_svec *out) {
    (void)x, (void)y, (void)out;
    return count(p, pl_cost_matmul(shape, &p->net));
}

static pl_status sign(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits,
                      pl_svec *out) {
    (void)y, (void)out;
    return count(p, pl_cost_sign(x->n, bits, &p->net));
}

static pl_status zero(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    (void)y, (void)out;
    return count(p, pl_cost_zero(x->kind, x->n, &p->net));
}

static pl_status words(pl_party *p, const pl_svec *x, unsigned bits, pl_svec *out) {
    (void)out;
    return count(p, pl_cost_words(x->n, bits, &p->net));
}

static pl_status number(pl_party *p, const pl_svec *x, pl_svec *out) {
    (void)out;
    return count(p, pl_cost_number(x->n, &p->net));
}

static pl_status bit_to_arith(pl_party *p, const pl_svec *bits, pl_kind kind, pl_svec *out) {
    (void)out;
    return count(p, pl_cost_bit_to_arith(kind, bits->n, &p->net));
}

static pl_status less_rows(pl_party *p, const pl_row_pairs *pairs, pl_svec *out) {
    (void)out;
    return count(p, pl_cost_less_rows(pairs->n, pairs->bits, &p->net));
}

static pl_status shuffle(pl_party *p, pl_svec *const *columns, size_t n_columns) {
    for (size_t c = 0; c < n_columns; c++) {
        pl_cost cost = pl_cost_shuffle(&columns[c]->kind, 1, columns[c]->n);
        if (c > 0)
            cost.rounds = 0; /* all columns go together */
        PL_TRY(count(p, cost));
    }
    return PL_OK;
}

static pl_status open_values(pl_party *p, const pl_svec *x, pl_kind kind, size_t n,
                             uint64_t recipients, void *out_values) {
    unsigned inside = 0;
    size_t outside = 0;
    (void)x;
    for (size_t rank = 0; rank < p->n_parties; rank++) {
        size_t index = pl_party_index_of(p, rank);
        if (!pl_recipients_has(recipients, rank))
            continue;
        if (index == PL_NO_INDEX)
            outside++;
        else
            inside |= 1u << index;
    }
    if (out_values != NULL && n != 0)
        memset(out_values, 0, pl_kind_bytes(kind, n));
    return count(p, pl_cost_open(kind, n, inside, outside));
}

static uint64_t rounds(const pl_party *p) {
    return ((const tally *)p->state)->total.rounds;
}

static const pl_scheme dry = {
    .name = "rep3, counted only",
    .n_compute = 3,
    .n_components = 0,
    .teardown = teardown,
    .input = input,
    .add_public = add_public,
    .mul = mul,
    .mul_fixed = mul_fixed,
    .truncate = truncate_values,
    .mul_fixed_probabilistic = mul_fixed_near,
    .truncate_probabilistic = truncate_near,
    .matmul = matmul,
    .sign = sign,
    .zero = zero,
    .words = words,
    .number = number,
    .bit_to_arith = bit_to_arith,
    .less_rows = less_rows,
    .shuffle = shuffle,
    .finish_step = finish_step,
    .drop_step = drop_step,
    .open = open_values,
    .rounds = rounds,
};

static pl_status counting_lane_new(const pl_net *net, pl_party **out) {
    pl_party *p;
    PL_TRY(pl_alloc(1, sizeof *p, &p));
    p->scheme = &dry;
    p->n_parties = p->n_compute = 3;
    for (size_t i = 0; i < 3; i++)
        p->compute[i] = i;
    p->net = *net;
    pl_status status = pl_alloc(1, sizeof(tally), &p->state);
    if (!pl_is_ok(status)) {
        pl_party_free(p);
        return status;
    }
    *out = p;
    return PL_OK;
}

static pl_cost total_of(const pl_party *p) {
    return ((const tally *)p->state)->total;
}

pl_status pl_cost_party_new(const pl_net *net, size_t n_lanes, pl_party **out) {
    pl_party *p, *lane;
    if (n_lanes > PL_LANES_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "a party has at most %d lanes, not %zu", PL_LANES_MAX,
                       n_lanes);
    PL_TRY(counting_lane_new(net, &p));
    pl_status status = PL_OK;
    for (size_t i = 1; i < n_lanes && pl_is_ok(status); i++) {
        status = counting_lane_new(net, &lane);
        if (pl_is_ok(status))
            status = pl_lanes_add(p, lane, false, NULL);
    }
    if (!pl_is_ok(status)) {
        pl_party_free(p);
        return status;
    }
    *out = p;
    return PL_OK;
}

pl_cost pl_cost_party_total(const pl_party *p) {
    pl_cost total = total_of(p);
    for (size_t i = 1; i < pl_party_n_lanes(p); i++) {
        pl_cost lane = total_of(pl_lanes_other(p, i));
        lane.rounds = 0; /* at the same time */
        total = pl_cost_add(total, lane);
    }
    total.rounds += pl_lanes_rounds_more(p);
    return total;
}
