/* Cost: what operations of the scheme rep3 send, before they run: rounds, and bytes by each compute
 * party. Equal to the mesh's counters (tested, for every operation). plain costs less.
 *
 * Operations that choose between few bytes and few rounds choose by the net.
 *
 * These functions are of one lane. What several lanes of a party send together is what
 * pl_cost_party_new counts. */
#ifndef PL_SHARE_COST_H
#define PL_SHARE_COST_H

#include "protocols/share/party.h"

typedef struct pl_cost {
    uint64_t rounds;
    uint64_t bytes_sent[3]; /* by index among the compute parties */
} pl_cost;

pl_cost pl_cost_add(pl_cost a, pl_cost b); /* one after the other */
/* Side by side (pl_together_begin): all bytes, and the rounds of the one that has more. */
pl_cost pl_cost_together(pl_cost a, pl_cost b);
pl_cost pl_cost_times(pl_cost a, uint64_t n);
uint64_t pl_cost_bytes_max(pl_cost cost); /* by the party that sends most */

pl_cost pl_cost_setup(void);
/* An owner inside the compute set (its index, or PL_COST_OUTSIDE) sends n elements to the party
 * after it; one outside sends n to party 1, which forwards them. */
#define PL_COST_OUTSIDE SIZE_MAX
pl_cost pl_cost_input(pl_kind kind, size_t n, size_t owner_index);
pl_cost pl_cost_mul(pl_kind kind, size_t n);
pl_cost pl_cost_mul_fixed(size_t n, unsigned frac_bits, const pl_net *net);
pl_cost pl_cost_mul_fixed_probabilistic(size_t n, const pl_net *net);
pl_cost pl_cost_matmul(const pl_matmul_shape *shape, const pl_net *net);
pl_cost pl_cost_sign(size_t n, unsigned bits, const pl_net *net);
pl_cost pl_cost_zero(pl_kind kind, size_t n, const pl_net *net);
pl_cost pl_cost_words(size_t n, unsigned bits, const pl_net *net);
pl_cost pl_cost_number(size_t n, const pl_net *net);
pl_cost pl_cost_bit_to_arith(pl_kind kind, size_t n, const pl_net *net);
pl_cost pl_cost_less_rows(size_t n, unsigned bits, const pl_net *net);
pl_cost pl_cost_shuffle(const pl_kind *kinds, size_t n_columns, size_t n);
/* Recipients inside the compute set are a mask of indices. */
pl_cost pl_cost_open(pl_kind kind, size_t n, unsigned inside, size_t n_outside);

/* pl_cost_party_new makes a party of n_lanes that computes nothing and counts what rep3 would send:
 * run a program with it, on vectors that pl_constant makes or that rank 0 brings (it is rank 0 of
 * three), and ask for the total. It opens zeros, and does not see that a step takes a result of its
 * own (pl_together_begin): its vectors have no memory. Errors: INVALID_ARGUMENT (lanes). */
PL_STATUS pl_cost_party_new(const pl_net *net, size_t n_lanes, pl_party **out);
pl_cost pl_cost_party_total(const pl_party *p);

/* pl_cost_form says in words how n numbers of `bits` bits are compared on this net, and why: "8
 * rounds (parallel prefix), 25.1 bytes an element; ...". Of several lanes it is the form of the
 * first. */
typedef struct pl_cost_form_text {
    char text[200];
} pl_cost_form_text;
pl_cost_form_text pl_cost_form(size_t n, unsigned bits, const pl_net *net, size_t n_lanes);

#endif
