/* Convert: between arithmetic and boolean sharings. Collective among compute parties; errors as in
 * share/party.h. */
#ifndef PL_MPC_CONVERT_H
#define PL_MPC_CONVERT_H

#include "protocols/share/party.h"

/* pl_a2b gives the 64 bits of every element.
 * Shape:   x PL_ARITH_64 [n] -> out PL_BOOL_64 [n], bit b of the word is bit b of the element; out
 * may alias x. Cost:    pl_cost_a2b: 8 rounds. Secret:  x, out. Public: n. Source:  Mohassel and
 * Rindal 2018, "ABY3", section 5.3 (the resharing); Kogge and Stone 1973 (the adder). */
PL_STATUS pl_a2b(pl_party *p, const pl_svec *x, pl_svec *out);

/* pl_bit_to_arith gives bit 0 of every word as a 0 or 1 of an arithmetic ring; the other bits are
 * ignored. Shape:   bits PL_BOOL_64 [n] -> out kind [n]; out may alias bits. Cost:
 * pl_cost_bit_to_arith: 2 rounds. Secret:  bits, out. Public: n, kind (PL_ARITH_64 or
 * PL_ARITH_128). */
PL_STATUS pl_bit_to_arith(pl_party *p, const pl_svec *bits, pl_kind kind, pl_svec *out);

#endif
