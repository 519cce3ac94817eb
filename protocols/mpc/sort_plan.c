#include "protocols/mpc/sort_plan.h"

#include "protocols/share/cost.h"

#include <math.h>

#define DEPTH_MAX 32
#define FIRST_DEPTH_MAX 11 /* more rows are not sorted by all pairs */
#define GROWTH_MAX 6       /* a stage takes up to 2^6 times the rows that are in order */
#define LEAST_PAIRS_LOG 6
#define MOST_PAIRS_LOG 21

/* ---- time ---- */

/* Seconds for batches of 64, 128, ... pairs, as far as they were asked for. */
typedef struct clock {
    unsigned bits;
    const pl_net *net;
    double seconds[MOST_PAIRS_LOG + 1];
} clock;

static double seconds_of_power(clock *c, unsigned power) {
    if (c->seconds[power] == 0) {
        pl_cost cost = pl_cost_add(pl_cost_less_rows((size_t)1 << power, c->bits, c->net),
                                   pl_cost_open(PL_BIT, (size_t)1 << power, 7, 0));
        c->seconds[power] = (double)cost.rounds * c->net->round_trip_us * 0.5e-6 +
                            (double)pl_cost_bytes_max(cost) / c->net->bytes_per_second;
    }
    return c->seconds[power];
}

/* One batch, between two powers of two. */
static double seconds_of_batch(clock *c, size_t n_pairs) {
    unsigned power = LEAST_PAIRS_LOG;
    if (n_pairs == 0)
        return 0;
    while (power + 1 < MOST_PAIRS_LOG && (size_t)2 << power < n_pairs)
        power++;
    size_t low = (size_t)1 << power;
    double slope = (seconds_of_power(c, power + 1) - seconds_of_power(c, power)) / (double)low;
    return seconds_of_power(c, power) + (n_pairs > low ? slope * (double)(n_pairs - low) : 0);
}

/* n units of so many pairs each, at most units_max of them in a batch. */
static double seconds_of_all(clock *c, size_t n, size_t pairs_of_unit, size_t units_max) {
    return (double)(n / units_max) * seconds_of_batch(c, units_max * pairs_of_unit) +
           seconds_of_batch(c, n % units_max * pairs_of_unit);
}

size_t pl_sort_rows_max(unsigned levels) {
    return PL_SORT_PAIRS_MAX >> levels;
}

static double seconds_of_stage(clock *c, const pl_sort_stage *stage) {
    double seconds = seconds_of_all(c, stage->n_pairs, 1, PL_SORT_PAIRS_MAX);
    for (unsigned done = 0; done < stage->depth; done += stage->levels) {
        unsigned levels = stage->depth - done < stage->levels ? stage->depth - done : stage->levels;
        seconds += seconds_of_all(c, stage->n - stage->n_sorted, ((size_t)1 << levels) - 1,
                                  pl_sort_rows_max(levels));
    }
    return seconds;
}

/* ---- pairs within gaps ---- */

/* m rows in random order fall into the n_sorted + 1 gaps in every way with the same probability, so
 * the numbers in the gaps are those of independent geometric ones with the mean mu = m / (n_sorted
 * + 1), given their sum. The pairs have the mean m (m - 1) / (n_sorted + 2) and the deviation
 * sqrt(n_sorted + 1) mu (mu + 1). Nine deviations, and the pairs of the largest gap that is to be
 * expected once in 2^42 sorts, are not exceeded once in 2^40 (a Chernoff bound over gaps up to that
 * size, evaluated for depths from 3 to 24 and mu from 1 to 63). */
static size_t pairs_of_gaps(size_t n_sorted, size_t m) {
    double all = (double)m * (double)(m - 1) / 2, gaps = (double)n_sorted + 1;
    double mu = (double)m / gaps;
    double largest = (log2(gaps) + 42) / log2(1 + 1 / mu);
    double most = (double)m * (double)(m - 1) / (gaps + 1) + 9 * sqrt(gaps) * mu * (mu + 1) +
                  largest * (largest - 1) / 2;
    return n_sorted == 0 || most >= all ? m * (m - 1) / 2 : (size_t)most;
}

/* ---- stages ---- */

static pl_sort_stage stage_of(clock *c, unsigned depth, size_t n, double *out_seconds) {
    size_t n_sorted = ((size_t)1 << depth) - 1;
    pl_sort_stage best = {.n_sorted = n_sorted,
                          .n = n,
                          .depth = depth,
                          .levels = 1,
                          .n_pairs = pairs_of_gaps(n_sorted, n - n_sorted)};
    *out_seconds = seconds_of_stage(c, &best);
    for (unsigned levels = 2; levels <= PL_SORT_LEVELS_MAX && levels <= depth; levels++) {
        pl_sort_stage other = best;
        other.levels = levels;
        double seconds = seconds_of_stage(c, &other);
        if (seconds < *out_seconds) {
            *out_seconds = seconds;
            best = other;
        }
    }
    return best;
}

/* How 2^depth - 1 rows get in order. */
typedef struct chain {
    double seconds;
    pl_sort_stage last;
} chain;

/* The best last stage for n rows, after the chains that are there for fewer. */
static chain chain_of(clock *c, const chain *chains, size_t n, unsigned depth_max) {
    chain best = {.seconds = INFINITY};
    for (unsigned depth = 0; depth <= depth_max && ((size_t)1 << depth) - 1 < n; depth++) {
        if (depth == 0 ? n >> FIRST_DEPTH_MAX != 0 : n >> depth >> GROWTH_MAX != 0)
            continue;
        chain here = {0};
        here.last = stage_of(c, depth, n, &here.seconds);
        here.seconds += depth == 0 ? 0 : chains[depth].seconds;
        if (here.seconds < best.seconds)
            best = here;
    }
    return best;
}

void pl_sort_plan_make(pl_sort_plan *plan, size_t n, unsigned bits, const pl_net *net) {
    chain chains[DEPTH_MAX + 1];
    clock c = {.bits = bits, .net = net};
    unsigned depth = 1;
    for (; depth <= DEPTH_MAX && ((size_t)1 << depth) - 1 < n; depth++)
        chains[depth] = chain_of(&c, chains, ((size_t)1 << depth) - 1, depth - 1);
    chain last = chain_of(&c, chains, n, depth - 1);
    plan->n_stages = 1;
    for (const chain *at = &last; at->last.depth > 0; at = &chains[at->last.depth])
        plan->n_stages++;
    unsigned i = plan->n_stages;
    for (const chain *at = &last; i > 0; at = &chains[at->last.depth])
        plan->stages[--i] = at->last;
}
