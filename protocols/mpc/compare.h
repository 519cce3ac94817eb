/* Compare and select. Collective among compute parties; errors as in share/party.h. */
#ifndef PL_MPC_COMPARE_H
#define PL_MPC_COMPARE_H

#include "protocols/share/cost.h"
#include "protocols/share/party.h"

/* pl_less_than_public gives 1 where x[i] < c[i] and 0 elsewhere, as signed 64-bit integers.
 * Shape:   x PL_ARITH_64 [n], c [n] -> out [n] of out_kind (PL_BOOL_64: bit 0 of each word, the
 * others 0); out may alias x. Requires |x[i] - c[i]| < 2^63 as integers; outside of it the result
 * is wrong, and nobody can notice. Cost:    pl_cost_less_than_public: 8 rounds, and 2 more for an
 * arithmetic out_kind. Secret:  x, out. Public: n, c. */
PL_STATUS pl_less_than_public(pl_party *p, const pl_svec *x, const uint64_t *c, pl_kind out_kind,
                              pl_svec *out);

/* pl_select gives x where the bit is 1 and 0 where it is 0.
 * Shape:   bit, x, out [n], of one arithmetic kind; bit holds 0 or 1. Cost: pl_cost_mul. Secret:
 * all but n. */
PL_STATUS pl_select(pl_party *p, const pl_svec *bit, const pl_svec *x, pl_svec *out);

/* pl_max gives the largest of n_xs >= 1 vectors, element by element, as signed 64-bit integers: a
 * tournament, all pairs of a level in the same rounds.
 * Shape:   xs[j] PL_ARITH_64 [n] -> out [n]; out may be one of xs. Requires |xs[a][i] - xs[b][i]| <
 * 2^63 as integers. Cost: pl_max_cost. Secret: xs, out. Public: n, n_xs. */
PL_STATUS pl_max(pl_party *p, const pl_svec *const *xs, size_t n_xs, pl_svec *out);
pl_cost pl_max_cost(size_t n, size_t n_xs);

#endif
