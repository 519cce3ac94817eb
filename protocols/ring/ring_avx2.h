/* The AVX2 forms of pl_ring_cross. Private to ring: they handle the first multiple of four
 * elements, return how many, and must only be called where the processor has AVX2. */
#ifndef PL_RING_RING_AVX2_H
#define PL_RING_RING_AVX2_H

#include <stddef.h>

size_t pl_ring_cross_64_avx2(void *z, const void *const x[2], const void *const y[2],
                             const void *const mask[2], size_t n);
size_t pl_ring_cross_bool_avx2(void *z, const void *const x[2], const void *const y[2],
                               const void *const mask[2], size_t n);

#endif
