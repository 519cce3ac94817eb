/* Linear operations on secret vectors: local at every compute party, nothing is sent.
 *
 * They work in the ring of the kind: for bits and words addition and subtraction are XOR,
 * multiplication is AND. Shape:   all vectors of one kind and length n; constants: n elements of
 * the kind, naturally aligned. Secret:  x, y, out. Public: n, constants. Errors:  INVALID_ARGUMENT
 * (shapes differ, this party does not compute), LIMIT. Collective: compute parties only. */
#ifndef PL_SHARE_LINEAR_H
#define PL_SHARE_LINEAR_H

#include "protocols/share/svec.h"

typedef struct pl_party pl_party;

PL_STATUS pl_add(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out);
PL_STATUS pl_sub(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out);
PL_STATUS pl_neg(pl_party *p, const pl_svec *x, pl_svec *out);
PL_STATUS pl_xor(pl_party *p, const pl_svec *x, const pl_svec *y,
                 pl_svec *out);                                /* bits and words only */
PL_STATUS pl_not(pl_party *p, const pl_svec *x, pl_svec *out); /* bits and words only */

PL_STATUS pl_add_public(pl_party *p, const pl_svec *x, const void *constants, pl_svec *out);
PL_STATUS pl_mul_public(pl_party *p, const pl_svec *x, const void *constants, pl_svec *out);

/* pl_constant makes a sharing of n public elements, known to everybody. */
PL_STATUS pl_constant(pl_party *p, pl_kind kind, size_t n, const void *constants, pl_svec *out);

/* pl_sum adds n_xs >= 1 vectors element by element: out[i] = sum over j of xs[j][i]. */
PL_STATUS pl_sum(pl_party *p, const pl_svec *const *xs, size_t n_xs, pl_svec *out);

/* pl_total adds up one vector: out has the single element sum over i of x[i]. */
PL_STATUS pl_total(pl_party *p, const pl_svec *x, pl_svec *out);

/* Every PL_BOOL_64 word shifted by a public distance of 0 to 63; zeros come in. */
PL_STATUS pl_shl(pl_party *p, const pl_svec *x, unsigned distance, pl_svec *out);
PL_STATUS pl_shr(pl_party *p, const pl_svec *x, unsigned distance, pl_svec *out);

/* The same constant for every element, of an arithmetic kind. */
PL_STATUS pl_add_constant(pl_party *p, const pl_svec *x, uint64_t constant, pl_svec *out);
PL_STATUS pl_mul_constant(pl_party *p, const pl_svec *x, uint64_t constant, pl_svec *out);

/* pl_map_words applies a map that is linear over GF(2), and so gives 0 for 0, to every word of
 * PL_BOOL_64. */
PL_STATUS pl_map_words(pl_party *p, const pl_svec *x, uint64_t (*map)(uint64_t word), pl_svec *out);

/* pl_bit_of_words takes bit number `bit` of every word. Shape: x PL_BOOL_64 [n] -> out PL_BIT [n].
 * pl_words_of_bits spreads bits to words, 0 or 1. */
PL_STATUS pl_bit_of_words(pl_party *p, const pl_svec *x, unsigned bit, pl_svec *out);
PL_STATUS pl_words_of_bits(pl_party *p, const pl_svec *x, pl_svec *out);

/* pl_prefix_sum: out[i] = x[0] + ... + x[i]; of an arithmetic kind. */
PL_STATUS pl_prefix_sum(pl_party *p, const pl_svec *x, pl_svec *out);

#endif
