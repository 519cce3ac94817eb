/* Integer: whole division, and where a number begins. Collective among compute parties; errors as
 * in share/party.h. */
#ifndef PL_MPC_INTEGER_H
#define PL_MPC_INTEGER_H

#include "protocols/share/cost.h"
#include "protocols/share/party.h"

/* pl_divide_integer: floor(x / y), exactly.
 * Shape:   x, y, out PL_ARITH_64 [n], all at least 0 and below 2^bits; bits 1 to 62. By 0 it gives
 * 2^bits - 1. Cost: pl_divide_integer_cost: `bits` times a comparison, a bit to a number and a
 * multiplication (restoring division). Secret: x, y, out. Public: n, bits. */
PL_STATUS pl_divide_integer(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits,
                            pl_svec *out);
pl_cost pl_divide_integer_cost(size_t n, unsigned bits, const pl_net *net);

/* pl_or_above: every bit of every word becomes the OR of itself and those above it, so that the
 * highest one stands where ones end.
 * Shape:   words PL_BOOL_64 [n], 0 from bit `bits` on, in place; bits 1 to 64. Cost: log2(bits)
 * times pl_cost_mul of words. Secret: words. Public: n, bits. */
PL_STATUS pl_or_above(pl_party *p, pl_svec *words, unsigned bits);

/* pl_divide_public: floor(x / d) for a public d from 1 to 2^31 - 1.
 * Shape:   x, out PL_ARITH_64 [n], 0 <= x < 2^31. Cost: one truncation, one comparison. Source:
 * Granlund and Montgomery 1994, "Division by Invariant Integers using Multiplication". */
PL_STATUS pl_divide_public(pl_party *p, const pl_svec *x, uint64_t d, pl_svec *out);

#endif
