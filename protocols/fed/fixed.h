/* Fixed point: real numbers as integers of Z_2^64 in units of 2^-bits, two's complement. What is
 * encoded is held against the bound that was promised, so a sum cannot leave the ring unseen. */
#ifndef PL_FED_FIXED_H
#define PL_FED_FIXED_H

#include "protocols/base/bytes.h"

#define PL_FIXED_BITS_MAX 40u
#define PL_FIXED_BITS_MIN 16u

/* pl_fixed_bits gives the most fraction bits with which numbers up to bound, and any sum of them
 * that stays within bound, stay below 2^62.
 * Errors:  OUT_OF_RANGE (fewer than PL_FIXED_BITS_MIN would be left, or bound is no number). */
PL_STATUS pl_fixed_bits(double bound, unsigned *out_bits);

/* pl_fixed_encode rounds to the nearest unit: an error of at most 2^-(bits + 1) each.
 * Shape:   x, out [n]. Secret: x, out. In the clear, at the owner alone.
 * Errors:  OUT_OF_RANGE (a value is beyond bound, or no number); out is then not to be used. */
PL_STATUS pl_fixed_encode(const double *x, size_t n, unsigned bits, double bound, uint64_t *out);

void pl_fixed_decode(const uint64_t *x, size_t n, unsigned bits, double *out);

#endif
