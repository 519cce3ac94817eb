#include "protocols/share/rep3/carry.h"

/* Words of a block: so many bytes a round go well with encryption and the socket's buffers, and two
 * such blocks hide each other's waits. */
#define CARRY_WORDS ((size_t)8192)
#define ZERO_WORDS ((size_t)1024)
#define BITS_WORDS ((size_t)512)
#define TRUNCATE_WORDS ((size_t)2048)
#define FLIGHT ((size_t)2)
#define UNIT ((size_t)8)

/* ---- plans ---- */

static void put(pl_carry_plan *plan, pl_carry_act act, unsigned bit, unsigned to, unsigned from) {
    unsigned *n = &plan->begin[plan->n_rounds + 1];
    PL_ASSERT(*n < PL_CARRY_OPS_MAX);
    plan->ops[(*n)++] = (pl_carry_op){(uint8_t)act, (uint8_t)bit, (uint8_t)to, (uint8_t)from};
}

static void next_round(pl_carry_plan *plan) {
    plan->n_rounds++;
    PL_ASSERT(plan->n_rounds < PL_CARRY_ROUNDS_MAX);
    plan->begin[plan->n_rounds + 1] = plan->begin[plan->n_rounds];
}

static void start(pl_carry_plan *plan, unsigned to, unsigned bit) {
    plan->starts[plan->n_starts].to = (uint8_t)to;
    plan->starts[plan->n_starts++].bit = (uint8_t)bit;
}

/* Within groups: slots are bits if all carries are wanted, else groups. */
static void ripple(pl_carry_plan *plan, unsigned n_groups, bool all) {
    for (unsigned r = 0; r < plan->width; r++) {
        for (unsigned g = 0; g < n_groups; g++) {
            unsigned bit = g * plan->width + r, to = all ? bit : g;
            if (bit >= plan->n_bits)
                continue;
            unsigned from = all ? bit - 1 : g;
            put(plan, PL_CARRY_STEP, bit, to, r == 0 ? PL_CARRY_NONE : from);
            if (g > 0 && r == 0)
                start(plan, to, bit);
            if (g > 0 && r > 0)
                put(plan, PL_CARRY_PASS, bit, to, from);
        }
        next_round(plan);
    }
}

/* Only the last carry: neighbours join, from below; slot q holds the q-th of those that are left.
 */
static void join_last(pl_carry_plan *plan, unsigned n_groups) {
    unsigned slot[PL_CARRY_BITS_MAX];
    for (unsigned g = 0; g < n_groups; g++)
        slot[g] = g;
    while (n_groups > 1) {
        unsigned n = 0;
        for (unsigned g = 0; g + 1 < n_groups; g += 2) {
            put(plan, PL_CARRY_JOIN, 0, slot[g + 1], slot[g]);
            if (g > 0)
                put(plan, PL_CARRY_JOIN_PASS, 0, slot[g + 1], slot[g]);
            slot[n++] = slot[g + 1];
        }
        if (n_groups % 2 != 0)
            slot[n++] = slot[n_groups - 1];
        n_groups = n;
        next_round(plan);
    }
    plan->result = n_groups == 0 ? 0 : slot[0];
}

/* All carries: in level l, groups with bit l of their number set take in what ends just below them
 * (Sklansky 1960). */
static void join_all(pl_carry_plan *plan, unsigned n_groups) {
    for (unsigned level = 0; 1u << level < n_groups; level++) {
        for (unsigned bit = 0; bit < plan->n_bits; bit++) {
            unsigned g = bit / plan->width;
            if ((g >> level & 1) == 0)
                continue;
            unsigned from = ((g >> level) << level) * plan->width - 1;
            put(plan, PL_CARRY_JOIN, 0, bit, from);
            if (g >> (level + 1) != 0)
                put(plan, PL_CARRY_JOIN_PASS, 0, bit, from);
        }
        next_round(plan);
    }
    plan->result = plan->n_bits - 1;
}

static void begin(pl_carry_plan *plan, unsigned n_bits, unsigned width) {
    PL_ASSERT(n_bits <= PL_CARRY_BITS_MAX);
    plan->n_bits = n_bits;
    plan->width = width;
    plan->n_rounds = plan->n_starts = plan->result = 0;
    plan->begin[0] = plan->begin[1] = 0;
}

void pl_carry_plan_make(pl_carry_plan *plan, unsigned n_bits, unsigned width, bool all) {
    begin(plan, n_bits, width < n_bits ? width : n_bits);
    unsigned n_groups = n_bits == 0 ? 0 : (n_bits + plan->width - 1) / plan->width;
    plan->n_carries = all ? n_bits : n_groups;
    plan->n_passes = n_groups > 1 ? plan->n_carries : 0;
    ripple(plan, n_groups, all);
    if (all)
        join_all(plan, n_groups);
    else
        join_last(plan, n_groups);
}

/* ---- blocks ---- */

size_t pl_third_begin(size_t words, size_t t) {
    size_t unit = words >= 3 * UNIT ? UNIT : 1;
    return t == 3 ? words : words / unit * t / 3 * unit;
}

size_t pl_third_words_max(size_t words) {
    return words / 3 + 2 * UNIT;
}

size_t pl_flow_begin(const pl_flow *flow, size_t block) {
    size_t units = flow->n_words / UNIT;
    if (block == flow->n_blocks)
        return flow->n_words;
    if (units < flow->n_blocks)
        return flow->n_words / flow->n_blocks * block;
    return units / flow->n_blocks * UNIT * block +
           (block < units % flow->n_blocks ? block : units % flow->n_blocks) * UNIT;
}

size_t pl_flow_words_max(const pl_flow *flow) {
    size_t max = 0;
    for (size_t b = 0; b < flow->n_blocks; b++) {
        size_t words = pl_flow_begin(flow, b + 1) - pl_flow_begin(flow, b);
        max = words > max ? words : max;
    }
    return max;
}

pl_flow pl_flow_whole(size_t n_words) {
    size_t n_blocks = n_words == 0 ? 0 : 1;
    return (pl_flow){n_words, n_blocks, n_blocks};
}

pl_flow pl_flow_make(size_t n_words, size_t words, size_t bytes_a_round_and_word,
                     const pl_net *net) {
    double window = net->round_trip_us * 1e-6 * net->bytes_per_second;
    size_t in_flight = window > (double)(words * bytes_a_round_and_word) ? PL_FLIGHT_MAX : FLIGHT;
    size_t n_blocks = (n_words + words - 1) / words;
    if (n_blocks < FLIGHT && n_words >= words / 4) /* short messages cost more than waits */
        n_blocks = FLIGHT;
    return (pl_flow){n_words, n_blocks, in_flight < n_blocks ? in_flight : n_blocks};
}

pl_flow pl_flow_carry(size_t n_words, unsigned n_bits, const pl_net *net) {
    size_t words = n_bits <= 64 ? CARRY_WORDS : CARRY_WORDS / 2;
    return pl_flow_make(n_words, words, 8, net);
}

pl_flow pl_flow_zero(size_t n_words, unsigned n_bits, const pl_net *net) {
    return pl_flow_make(n_words, ZERO_WORDS * 64 / n_bits, n_bits, net);
}

pl_flow pl_flow_bits(size_t n_words, const pl_net *net) {
    return pl_flow_make(n_words, BITS_WORDS, 512, net);
}

pl_flow pl_flow_truncate(size_t n_words, const pl_net *net) {
    return pl_flow_make(n_words, TRUNCATE_WORDS, 16, net);
}

/* ---- the choice ---- */

unsigned pl_carry_choose(unsigned n_bits, bool all, size_t n_words, const pl_net *net) {
    pl_carry_plan plan;
    unsigned best = n_bits;
    double best_s = 0;
    pl_flow flow = pl_flow_carry(n_words, n_bits, net);
    size_t turns = flow.in_flight == 0 ? 0 : (flow.n_blocks + flow.in_flight - 1) / flow.in_flight;
    for (unsigned parts = 1; parts <= n_bits; parts *= 2) {
        pl_carry_plan_make(&plan, n_bits, (n_bits + parts - 1) / parts, all);
        double n_ands = (double)plan.begin[plan.n_rounds];
        double seconds = (double)(turns * plan.n_rounds) * net->round_trip_us * 0.5e-6 +
                         8.0 * (double)n_words * n_ands / net->bytes_per_second;
        if (parts == 1 || seconds < best_s) {
            best = plan.width;
            best_s = seconds;
        }
    }
    return best;
}
