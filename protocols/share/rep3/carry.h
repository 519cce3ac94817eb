/* Carry: in which order the carries of an addition are computed, and how a vector is cut in blocks.
 * Public arithmetic only; the cost model uses the same, so that it says what will happen.
 *
 * The bits are put in groups of `width`. Within a group carries ripple, one AND a bit and round;
 * all groups at once. Meanwhile every group but the first finds out whether it passes a carry in on
 * to its end (another AND a bit). Then groups join pairwise, in log2(groups) rounds. Width = bits
 * is a ripple-carry adder: fewest bytes, most rounds. Width 1 is a parallel-prefix adder: fewest
 * rounds. Sources: Kogge and Stone 1973; Sklansky 1960 (all carries); Araki et al. 2016, section 5,
 * for ripples over bit-sliced shares. */
#ifndef PL_SHARE_REP3_CARRY_H
#define PL_SHARE_REP3_CARRY_H

#include "protocols/share/party.h"

#define PL_CARRY_BITS_MAX 192
#define PL_CARRY_OPS_MAX 1024
#define PL_CARRY_ROUNDS_MAX 200
#define PL_CARRY_NONE 255

typedef enum pl_carry_act {
    PL_CARRY_STEP,     /* carry[to] = the carry out of `bit`, with carry[from] in (or none) */
    PL_CARRY_PASS,     /* pass[to] = pass[from] and the half sum of `bit` */
    PL_CARRY_JOIN,     /* carry[to] ^= pass[to] and carry[from] */
    PL_CARRY_JOIN_PASS /* pass[to] = pass[to] and pass[from] */
} pl_carry_act;

typedef struct pl_carry_op {
    uint8_t act, bit, to, from;
} pl_carry_op;

typedef struct pl_carry_plan {
    unsigned n_bits, width, n_rounds;
    unsigned n_carries, n_passes;            /* slots */
    unsigned result;                         /* the slot of the last carry; of `all`: slot = bit */
    unsigned begin[PL_CARRY_ROUNDS_MAX + 1]; /* of round r: ops[begin[r] .. begin[r + 1]) */
    unsigned n_starts;                       /* groups whose pass starts as a half sum: */
    struct {
        uint8_t to, bit;
    } starts[PL_CARRY_BITS_MAX];
    pl_carry_op ops[PL_CARRY_OPS_MAX];
} pl_carry_plan;

/* pl_carry_plan_make: the carry out of n_bits bits; all: out of every one of them (at most 64). */
void pl_carry_plan_make(pl_carry_plan *plan, unsigned n_bits, unsigned width, bool all);

/* Where third t of a block of `words` words begins (t = 3: where it ends). */
size_t pl_third_begin(size_t words, size_t t);
/* The most words that a third has, of a block of up to `words` words. */
size_t pl_third_words_max(size_t words);

/* A vector of n_words words in n_blocks blocks, of which in_flight at a time. */
#define PL_FLIGHT_MAX 16
typedef struct pl_flow {
    size_t n_words, n_blocks, in_flight;
} pl_flow;
size_t pl_flow_begin(const pl_flow *flow, size_t block);
size_t pl_flow_words_max(const pl_flow *flow);
/* pl_flow_whole is one block; of nothing, none. */
pl_flow pl_flow_whole(size_t n_words);
/* pl_flow_make cuts into blocks of about `words`; where a block is on its way for longer than it
 * takes to send, as many as possible are in flight, so that rounds are few. */
pl_flow pl_flow_make(size_t n_words, size_t words, size_t bytes_a_round_and_word,
                     const pl_net *net);

/* pl_carry_choose gives the width that should take least time on this net for n_words words; bytes
 * other than the carries' do not depend on it. */
unsigned pl_carry_choose(unsigned n_bits, bool all, size_t n_words, const pl_net *net);

/* The flows of the operations. */
pl_flow pl_flow_carry(size_t n_words, unsigned n_bits, const pl_net *net);
pl_flow pl_flow_zero(size_t n_words, unsigned n_bits, const pl_net *net);
pl_flow pl_flow_bits(size_t n_words, const pl_net *net);
pl_flow pl_flow_truncate(size_t n_words, const pl_net *net);

#endif
