#include "protocols/share/cost.h"

#include "protocols/share/digest.h"
#include "protocols/share/lanes.h"
#include "protocols/share/rep3/carry.h"

#include <stdio.h>

/* Rounds that carry nothing for an empty vector are not rounds. */
static pl_cost by_all(uint64_t rounds, uint64_t bytes, size_t n) {
    return n == 0 ? (pl_cost){0} : (pl_cost){rounds, {bytes, bytes, bytes}};
}

pl_cost pl_cost_add(pl_cost a, pl_cost b) {
    for (size_t i = 0; i < 3; i++)
        a.bytes_sent[i] += b.bytes_sent[i];
    a.rounds += b.rounds;
    return a;
}

pl_cost pl_cost_together(pl_cost a, pl_cost b) {
    uint64_t rounds = a.rounds > b.rounds ? a.rounds : b.rounds;
    a = pl_cost_add(a, b);
    a.rounds = rounds;
    return a;
}

pl_cost pl_cost_times(pl_cost a, uint64_t n) {
    for (size_t i = 0; i < 3; i++)
        a.bytes_sent[i] *= n;
    a.rounds *= n;
    return a;
}

uint64_t pl_cost_bytes_max(pl_cost cost) {
    uint64_t max =
        cost.bytes_sent[0] > cost.bytes_sent[1] ? cost.bytes_sent[0] : cost.bytes_sent[1];
    return cost.bytes_sent[2] > max ? cost.bytes_sent[2] : max;
}

pl_cost pl_cost_setup(void) {
    return by_all(1, UINT64_C(2) * 2 * 32, 1); /* two contributions to two peers */
}

pl_cost pl_cost_input(pl_kind kind, size_t n, size_t owner_index) {
    uint64_t bytes = pl_kind_bytes(kind, n);
    pl_cost cost = {0};
    if (owner_index < 3) {
        cost.rounds = n != 0;
        cost.bytes_sent[owner_index] = bytes;
        return cost;
    }
    cost = by_all(2, UINT64_C(2) * PL_DIGEST_BYTES, 1);
    cost.bytes_sent[1] += bytes;
    return cost;
}

pl_cost pl_cost_mul(pl_kind kind, size_t n) {
    return by_all(1, pl_kind_bytes(kind, n), n);
}

/* ---- operations in blocks ---- */

static uint64_t turns(const pl_flow *flow) {
    return flow->n_blocks == 0 ? 0 : (flow->n_blocks + flow->in_flight - 1) / flow->in_flight;
}

/* What every word of every third costs the party that has a role in it. */
static void add_thirds(pl_cost *cost, const pl_flow *flow, const uint64_t bytes_of_role[3]) {
    for (size_t b = 0; b < flow->n_blocks; b++) {
        size_t words = pl_flow_begin(flow, b + 1) - pl_flow_begin(flow, b);
        for (size_t t = 0; t < 3; t++) {
            size_t n = pl_third_begin(words, t + 1) - pl_third_begin(words, t);
            for (size_t role = 0; role < 3; role++)
                cost->bytes_sent[(t + role) % 3] += n * bytes_of_role[role];
        }
    }
}

static pl_cost blocks(const pl_flow *flow, uint64_t rounds, uint64_t bytes_of_word,
                      const uint64_t bytes_of_role[3]) {
    pl_cost cost = by_all(turns(flow) * rounds, flow->n_words * bytes_of_word, flow->n_words);
    add_thirds(&cost, flow, bytes_of_role);
    return cost;
}

/* n_planes are dealt, then the plan's ANDs follow. */
static pl_cost dealt(const pl_flow *flow, const pl_carry_plan *plan, unsigned n_planes) {
    return blocks(flow, 1 + plan->n_rounds, 8 * (uint64_t)plan->begin[plan->n_rounds],
                  (uint64_t[3]){8 * (uint64_t)n_planes});
}

static pl_cost carries(size_t n, unsigned bits, bool all, const pl_net *net) {
    size_t n_words = pl_bit_words(n);
    pl_carry_plan plan;
    pl_carry_plan_make(&plan, bits - 1, pl_carry_choose(bits - 1, all, n_words, net), all);
    pl_flow flow = pl_flow_carry(n_words, bits - 1, net);
    return dealt(&flow, &plan, bits);
}

pl_cost pl_cost_sign(size_t n, unsigned bits, const pl_net *net) {
    return carries(n, bits, false, net);
}

pl_cost pl_cost_words(size_t n, unsigned bits, const pl_net *net) {
    return carries(n, bits, true, net);
}

/* A tree of n_bits - 1 ANDs. */
pl_cost pl_cost_zero(pl_kind kind, size_t n, const pl_net *net) {
    unsigned n_bits = kind == PL_ARITH_128 ? 128 : 64, n_rounds = kind == PL_ARITH_128 ? 7 : 6;
    pl_flow flow = pl_flow_zero(pl_bit_words(n), n_bits, net);
    return blocks(&flow, 1 + n_rounds, 8 * (uint64_t)(n_bits - 1),
                  (uint64_t[3]){8 * (uint64_t)n_bits});
}

pl_cost pl_cost_less_rows(size_t n, unsigned bits, const pl_net *net) {
    size_t n_words = pl_bit_words(n);
    pl_carry_plan plan;
    pl_carry_plan_make(&plan, bits, pl_carry_choose(bits, false, n_words, net), false);
    pl_flow flow = pl_flow_carry(n_words, bits, net);
    return blocks(&flow, plan.n_rounds, 8 * (uint64_t)plan.begin[plan.n_rounds], (uint64_t[3]){0});
}

/* The dealer sends a number a bit, and so does either of the others. */
#define NUMBERS (64 * UINT64_C(8))

pl_cost pl_cost_bit_to_arith(pl_kind kind, size_t n, const pl_net *net) {
    if (kind == PL_ARITH_64) {
        pl_flow flow = pl_flow_bits(pl_bit_words(n), net);
        return blocks(&flow, 2, 0, (uint64_t[3]){NUMBERS, NUMBERS, NUMBERS});
    }
    return pl_cost_add(pl_cost_input(kind, n, 0), pl_cost_mul(kind, n));
}

/* The dealer's addend as bits, all carries, and the sum to each other by the two others. */
pl_cost pl_cost_number(size_t n, const pl_net *net) {
    size_t n_words = pl_bit_words(n);
    pl_carry_plan plan;
    pl_carry_plan_make(&plan, 63, pl_carry_choose(63, true, n_words, net), true);
    pl_flow flow = pl_flow_carry(n_words, 128, net);
    return blocks(&flow, 1 + plan.n_rounds + 1, 8 * (uint64_t)plan.begin[plan.n_rounds],
                  (uint64_t[3]){NUMBERS, NUMBERS, NUMBERS});
}

/* Local parts by two roles; bits, the shifted addend and its sign by the dealer; the carries; and
 * the last one to arithmetic. */
pl_cost pl_cost_mul_fixed(size_t n, unsigned frac_bits, const pl_net *net) {
    size_t n_words = pl_bit_words(n);
    pl_carry_plan plan;
    pl_carry_plan_make(&plan, frac_bits, pl_carry_choose(frac_bits, false, n_words, net), false);
    pl_flow flow = pl_flow_truncate(n_words, net);
    return blocks(&flow, 1 + 1 + plan.n_rounds + 2, 8 * (uint64_t)plan.begin[plan.n_rounds],
                  (uint64_t[3]){8 * (uint64_t)frac_bits + NUMBERS + NUMBERS / 2 + NUMBERS,
                                2 * NUMBERS, 2 * NUMBERS});
}

/* Local parts by two roles, the shifted addend by the third; by each a part of the wrap. */
pl_cost pl_cost_mul_fixed_probabilistic(size_t n, const pl_net *net) {
    uint64_t bytes = NUMBERS + NUMBERS / 2;
    pl_flow flow = pl_flow_bits(pl_bit_words(n), net);
    return blocks(&flow, 3, 0, (uint64_t[3]){bytes, bytes, bytes});
}

pl_cost pl_cost_matmul(const pl_matmul_shape *shape, const pl_net *net) {
    size_t n = shape->m * shape->n;
    return shape->frac_bits == 0 ? pl_cost_mul(PL_ARITH_64, n)
                                 : pl_cost_mul_fixed(n, shape->frac_bits, net);
}

pl_cost pl_cost_shuffle(const pl_kind *kinds, size_t n_columns, size_t n) {
    uint64_t bytes = 0;
    for (size_t c = 0; c < n_columns; c++)
        bytes += pl_kind_bytes(kinds[c], n);
    pl_cost cost = by_all(3, bytes, n);
    cost.bytes_sent[0] *= 2;
    return cost;
}

/* To a recipient inside, the party before it sends digests, the one after it a component and a
 * digest; to one outside, all send the latter. */
pl_cost pl_cost_open(pl_kind kind, size_t n, unsigned inside, size_t n_outside) {
    uint64_t full = pl_kind_bytes(kind, n) + PL_DIGEST_BYTES;
    uint64_t digests = UINT64_C(2) * PL_DIGEST_BYTES;
    pl_cost cost = by_all(1, n_outside * full, 1);
    for (size_t i = 0; i < 3; i++) {
        if ((inside >> i & 1) == 0)
            continue;
        cost.bytes_sent[(i + 1) % 3] += digests;
        cost.bytes_sent[(i + 2) % 3] += full;
    }
    return cost;
}

static pl_cost_form_text form_of(size_t n, unsigned bits, const pl_net *net) {
    unsigned width = pl_carry_choose(bits - 1, false, pl_bit_words(n), net);
    pl_cost cost = pl_cost_sign(n, bits, net);
    pl_cost_form_text form;
    char groups[48] = "parallel prefix";
    if (width >= bits - 1)
        snprintf(groups, sizeof groups, "ripple carry");
    else if (width > 1)
        snprintf(groups, sizeof groups, "groups of %u bits, then a tree", width);
    snprintf(form.text, sizeof form.text,
             "%s: %llu rounds, %.1f bytes an element; least time at %.4g ms and %.4g Mbit/s",
             groups, (unsigned long long)cost.rounds,
             n == 0 ? 0.0 : (double)pl_cost_bytes_max(cost) / (double)n, net->round_trip_us * 1e-3,
             net->bytes_per_second * 8e-6);
    return form;
}

pl_cost_form_text pl_cost_form(size_t n, unsigned bits, const pl_net *net, size_t n_lanes) {
    n_lanes = pl_lanes_for(n_lanes, n, PL_LANE_ELEMENTS);
    const pl_net share = pl_lanes_net(net, n_lanes);
    return form_of(pl_lanes_range(n_lanes, 0, n, PL_LANE_ELEMENTS).n, bits, &share);
}
