/* Permute: rows moved to secret places. Collective among compute parties; errors as in
 * share/party.h.
 *
 * Shape:   permutations and bits as said; columns [n] of any kinds but PL_BIT, in place; n < 2^32.
 * Secret:  all values. Public: n. Opened: a permutation that was shuffled first: it is uniformly
 * random whatever the secret one is. Source: Asharov et al. 2022, "Efficient Secure Three-Party
 *          Sorting", section 5. */
#ifndef PL_MPC_PERMUTE_H
#define PL_MPC_PERMUTE_H

#include "protocols/share/cost.h"
#include "protocols/share/party.h"

/* pl_scatter moves row i to place to[i]; pl_gather_secret row from[i] to place i, which takes two
 * shuffles. PROTOCOL: it is no permutation of 0 .. n - 1 (which is seen when it is opened).
 * Cost:    pl_scatter_cost; to PL_ARITH_64 [n]. */
PL_STATUS pl_scatter(pl_party *p, const pl_svec *to, pl_svec *const *columns, size_t n_columns);
PL_STATUS pl_gather_secret(pl_party *p, const pl_svec *from, pl_svec *const *columns,
                           size_t n_columns);
pl_cost pl_scatter_cost(const pl_kind *kinds, size_t n_columns, size_t n);

/* pl_compact moves rows with bit 1 to the front and the others behind them, both in the order they
 * were in. How many there are stays secret.
 * Shape:   bits PL_BIT [n]. Cost: a bit to arithmetic, a multiplication, pl_scatter_cost. */
PL_STATUS pl_compact(pl_party *p, const pl_svec *bits, pl_svec *const *columns, size_t n_columns);

/* pl_one_hot: out[i * k + j] = 1 where x[i] = j, else 0.
 * Shape:   x PL_ARITH_64 [n] -> out PL_BIT [n * k]. Cost: pl_cost_zero(n k). */
PL_STATUS pl_one_hot(pl_party *p, const pl_svec *x, size_t k, pl_svec *out);

#endif
