/* Cohorts: which cells of an aggregate may be opened, decided on shares. Nobody learns a count,
 * only, later, the bit.
 *
 * With count a of cell c, owner j's part n[a][j][c] and the total T[a][c] = sum over j, the cell is
 * fit for opening when for every a:        T[a][c] = 0 or T[a][c] >= k for every a and j:  T[a][c]
 * - n[a][j][c] = 0 or >= k      (what is left when j subtracts its own rows) and T[0][c] > 0 (empty
 * and withheld cells look alike) k >= 1. Count 0 is the number of rows. */
#ifndef PL_REL_COHORT_H
#define PL_REL_COHORT_H

#include "protocols/mpc/mpc.h"

typedef struct pl_cohort_params {
    size_t n_counts, n_owners, n_cells;
    const pl_svec *counts; /* [n_counts * n_owners], count-major: counts[a * n_owners + j] is
                              n[a][j], PL_ARITH_64 [n_cells] */
    uint64_t k;            /* at least 1, at most 2^31 */
} pl_cohort_params;

/* pl_cohort_ok gives one bit per cell: 1 where the cell is fit.
 * Shape:   out PL_BIT [n_cells]; at compute parties.
 * Cost:    pl_cohort_cost: one comparison of 2 * n_counts * (n_owners + 1) * n_cells elements and a
 * tree of ANDs. Secret:  counts, out. Public: the shape and k. Requires every count in [0, 2^62).
 * Collective among compute parties. Errors:  INVALID_ARGUMENT (k, shapes), those of
 * pl_less_than_public. */
PL_STATUS pl_cohort_ok(pl_party *p, const pl_cohort_params *params, pl_svec *out);

pl_cost pl_cohort_cost(size_t n_counts, size_t n_owners, size_t n_cells, const pl_net *net);

#endif
