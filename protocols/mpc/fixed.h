/* Fixed: functions of fixed-point numbers. A number a is kept as the integer a 2^f, with f public
 * binary places. Collective among compute parties; errors as in share/party.h.
 *
 * Shape:   x, y, out PL_ARITH_64 [n]; out may be an input. f: 1 to 29.
 * Ranges:  as stated at each function, of the integers; outside of them the result is wrong, and
 * nobody can notice. Errors are stated in units of the last place (ulp), 2^-f; tested over the
 * whole range. Secret:  x, y, out. Public: n, f.
 *
 * Memory:  up to 12 vectors beside the arguments; logarithm and exponential keep the powers of a
 * polynomial, whose truncations run side by side.
 *
 * Operands are normalised by the place of their highest bit (Catrina and Saxena 2010, "Secure
 * Computation with Fixed-Point Numbers", section 4.4), then iterated or put into a polynomial. */
#ifndef PL_MPC_FIXED_H
#define PL_MPC_FIXED_H

#include "protocols/share/party.h"

/* pl_divide: x / y. Requires |x| < 2^30, |y| < 2^31 and |x / y| < 2^31 in units of 2^-f; by y = 0
 * it gives 0. Error: at most 3 ulp + 2^-30 |x / y|: 30 correct bits. pl_reciprocal: 1 / y. */
PL_STATUS pl_divide(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned f, pl_svec *out);
PL_STATUS pl_reciprocal(pl_party *p, const pl_svec *y, unsigned f, pl_svec *out);

/* pl_sqrt: the square root of 0 <= x < 2^31. Error: at most 2 ulp + 2^-24 sqrt(x). */
PL_STATUS pl_sqrt(pl_party *p, const pl_svec *x, unsigned f, pl_svec *out);

/* pl_log: the natural logarithm of 0 < x < 2^31; of 0 it is nothing sensible. Error: at most 2 ulp
 * + 2^-24. */
PL_STATUS pl_log(pl_party *p, const pl_svec *x, unsigned f, pl_svec *out);

/* pl_exp: e^x. Requires |x| < 2^30, and e^x < 2^30 in units of 2^-f. Error: at most 2 ulp + 2^-24
 * e^x. */
PL_STATUS pl_exp(pl_party *p, const pl_svec *x, unsigned f, pl_svec *out);

/* pl_sigmoid: 1 / (1 + e^-x) for |x| < 2^30. Error: at most 2 ulp + 2^-24. */
PL_STATUS pl_sigmoid(pl_party *p, const pl_svec *x, unsigned f, pl_svec *out);

#endif
