/* Compare and select. Collective among compute parties; errors as in share/party.h. */
#ifndef PL_MPC_COMPARE_H
#define PL_MPC_COMPARE_H

#include "protocols/share/cost.h"
#include "protocols/share/party.h"

/* pl_less_than gives 1 where x[i] < y[i], as signed integers; pl_less_than_public the same for a
 * public y.
 * Shape:   x, y of an arithmetic kind [n] (x PL_ARITH_64, c [n]) -> out PL_BIT [n]; out may be an
 * input. bits: 1 to the width of the ring, the width that all values have; fewer are cheaper. Below
 * the ring's the sign of x - y is looked at; with all of its bits that may have wrapped, and the
 * signs of x and y are looked at too, which costs three times as much, in the same rounds and one.
 * A value outside of its width makes its result wrong, and nobody can notice.
 * Cost:    pl_less_than_cost. Secret: x, y, out. Public: n, c, bits. */
PL_STATUS pl_less_than(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits,
                       pl_svec *out);
PL_STATUS pl_less_than_public(pl_party *p, const pl_svec *x, const uint64_t *c, unsigned bits,
                              pl_svec *out);
pl_cost pl_less_than_cost(pl_kind kind, size_t n, unsigned bits, const pl_net *net);

/* pl_equal gives 1 where x[i] = y[i]; pl_equal_public for a public y.
 * Shape:   x, y PL_ARITH_64 or _128 [n] (x PL_ARITH_64, c [n]) -> out PL_BIT [n], any values.
 * Cost:    pl_cost_zero. */
PL_STATUS pl_equal(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out);
PL_STATUS pl_equal_public(pl_party *p, const pl_svec *x, const uint64_t *c, pl_svec *out);

/* pl_select gives x where the bit is 1 and 0 where it is 0.
 * Shape:   bit, x, out [n], of one arithmetic kind; bit holds 0 or 1. Cost: pl_cost_mul. Secret:
 * all but n. */
PL_STATUS pl_select(pl_party *p, const pl_svec *bit, const pl_svec *x, pl_svec *out);

/* pl_choose gives x where the bit is 1 and y where it is 0.
 * Shape:   bits PL_BIT [n]; x, y, out [n] of one arithmetic kind; out may be an input.
 * Cost:    pl_choose_cost. Secret: all but n. */
PL_STATUS pl_choose(pl_party *p, const pl_svec *bits, const pl_svec *x, const pl_svec *y,
                    pl_svec *out);
pl_cost pl_choose_cost(pl_kind kind, size_t n, const pl_net *net);

/* pl_max gives the largest of n_xs >= 1 vectors, element by element, as signed integers: a
 * tournament, all pairs of a level in the same rounds. pl_min the smallest.
 * Shape:   xs[j] PL_ARITH_64 [n] -> out [n]; out may be one of xs. Requires |xs[a][i] - xs[b][i]| <
 * 2^63 as integers. Cost: pl_max_cost. Secret: xs, out. Public: n, n_xs. */
PL_STATUS pl_max(pl_party *p, const pl_svec *const *xs, size_t n_xs, pl_svec *out);
PL_STATUS pl_min(pl_party *p, const pl_svec *const *xs, size_t n_xs, pl_svec *out);
pl_cost pl_max_cost(size_t n, size_t n_xs, const pl_net *net);

#endif
