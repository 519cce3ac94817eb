/* Sort plan: how a sort compares its rows, batch by batch. Public arithmetic only: what is compared
 * when follows from the number of rows, their width and the net, so that the cost of sorting is
 * known before it begins. Private to mpc/.
 *
 * Rows are put in order in stages. The first compares all pairs of the first rows. Each of the
 * others finds the place of further rows among the 2^depth - 1 that are in order, by a binary
 * search of all of them at once, and then compares all pairs of those that came to the same gap. */
#ifndef PL_MPC_SORT_PLAN_H
#define PL_MPC_SORT_PLAN_H

#include "protocols/share/party.h"

#define PL_SORT_STAGES_MAX 33
#define PL_SORT_PAIRS_MAX ((size_t)1 << 21) /* of one batch */
#define PL_SORT_LEVELS_MAX 3u

typedef struct pl_sort_stage {
    size_t n_sorted;        /* rows that are in order when it begins: 2^depth - 1 */
    size_t n;               /* ... and when it ends */
    unsigned depth, levels; /* of the search; and so many of them in one batch */
    size_t n_pairs;         /* compared within gaps; padded with pairs that say nothing */
} pl_sort_stage;

typedef struct pl_sort_plan {
    unsigned n_stages;
    pl_sort_stage stages[PL_SORT_STAGES_MAX];
} pl_sort_plan;

/* pl_sort_plan_make plans for n >= 1 rows of `bits` bits: least time on this net. */
void pl_sort_plan_make(pl_sort_plan *plan, size_t n, unsigned bits, const pl_net *net);

/* How many rows of a search take part in one batch of `levels` levels. */
size_t pl_sort_rows_max(unsigned levels);

#endif
