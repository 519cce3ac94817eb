/* Split: the two conversions that depend on the scheme, from which protocols/mpc builds all others
 * (see scheme.h). Collective among compute parties; errors as in party.h. u and v are {0} or live.
 */
#ifndef PL_SHARE_SPLIT_H
#define PL_SHARE_SPLIT_H

#include "protocols/share/party.h"

/* x PL_ARITH_64 [n] -> u, v PL_BOOL_64 [n] with u + v = x mod 2^64. Cost (rep3): 1 round, 8 bytes
 * an element at one party. */
PL_STATUS pl_split_sum(pl_party *p, const pl_svec *x, pl_svec *u, pl_svec *v);

/* bits PL_BOOL_64 [n] -> u, v of an arithmetic kind [n], both 0 or 1, with u XOR v = bit 0. Cost
 * (rep3): 1 round, one element an element at one party. */
PL_STATUS pl_split_xor(pl_party *p, const pl_svec *bits, pl_kind kind, pl_svec *u, pl_svec *v);

#endif
