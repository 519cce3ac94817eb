/* Permutation: a uniformly random one from a stream. Private to share/. */
#ifndef PL_SHARE_PERMUTATION_H
#define PL_SHARE_PERMUTATION_H

#include "protocols/base/prg.h"

/* pl_permutation_draw writes a permutation of 0 .. n - 1 to order [n]. Whoever has the same stream
 * draws the same; how much of it is used up depends on what is in it.
 * Source: Fisher and Yates; Lemire 2019, "Fast Random Integer Generation in an Interval". */
PL_STATUS pl_permutation_draw(pl_prg *stream, size_t n, uint32_t *order);

#endif
