/* Kernels: the inner loops of the protocols. One source (kernels_body.h) is compiled for the
 * portable instruction set, AVX2 and AVX-512 with GFNI, and chosen once at run time: the same
 * binary runs everywhere. All give the same results.
 *
 * Secret: every element. No branch or index depends on one, but for `gather` and `pick`, whose
 * positions are known to the party that runs them. Outputs may be one of the inputs, element on
 * element, unless it is said otherwise.
 *
 * A plane has bit b of many elements: bit j of its word w is bit b of element 64 w + j. */
#ifndef PL_RING_KERNELS_H
#define PL_RING_KERNELS_H

#include <stddef.h>
#include <stdint.h>

typedef struct pl_kernels {
    const char *name; /* "portable", "avx2", "avx512" */

    /* z = x0 (y0 + y1) + x1 y0 + m0 - m1, in the ring; n elements, of cross_bool n words. */
    void (*cross_64)(uint64_t *z, const uint64_t *x0, const uint64_t *x1, const uint64_t *y0,
                     const uint64_t *y1, const uint64_t *m0, const uint64_t *m1, size_t n);
    void (*cross_32)(uint32_t *z, const uint32_t *x0, const uint32_t *x1, const uint32_t *y0,
                     const uint32_t *y1, const uint32_t *m0, const uint32_t *m1, size_t n);
    void (*cross_bool)(uint64_t *z, const uint64_t *x0, const uint64_t *x1, const uint64_t *y0,
                       const uint64_t *y1, const uint64_t *m0, const uint64_t *m1, size_t n);

    /* The local part of a carry, (u ^ c)(v ^ c): z as cross_bool of u ^ c and v ^ c. */
    void (*carry)(uint64_t *z, const uint64_t *const u[2], const uint64_t *const v[2],
                  const uint64_t *const c[2], const uint64_t *m0, const uint64_t *m1, size_t n);

    /* slice turns 64 n_words elements into n_planes planes (their low bits), plane b at planes + b
     * * stride; unslice turns them back, with zeros above. No overlap. */
    void (*slice)(const uint64_t *elements, size_t n_words, uint64_t *planes, size_t stride,
                  unsigned n_planes);
    void (*unslice)(const uint64_t *planes, size_t stride, unsigned n_planes, size_t n_words,
                    uint64_t *elements);

    /* z = a ^ b, a + b, a - b; z += a - b. */
    void (*xor2)(uint64_t *z, const uint64_t *a, const uint64_t *b, size_t n);
    void (*add2)(uint64_t *z, const uint64_t *a, const uint64_t *b, size_t n);
    void (*sub2)(uint64_t *z, const uint64_t *a, const uint64_t *b, size_t n);
    void (*add_difference)(uint64_t *z, const uint64_t *a, const uint64_t *b, size_t n);

    /* With packed bits, 64 n_words elements: bit - a; -a where the bit is 1, else a; 1 - a where
     * the bit is 1, else a. */
    void (*bits_minus)(uint64_t *z, const uint64_t *bits, const uint64_t *a, size_t n_words);
    void (*bits_negate)(uint64_t *z, const uint64_t *bits, const uint64_t *a, size_t n_words);
    void (*bits_invert)(uint64_t *z, const uint64_t *bits, const uint64_t *a, size_t n_words);

    /* z[i] = a[positions[i]] + mask[i], - mask[i], ^ mask[i]. z overlaps nothing. */
    void (*gather_add)(uint64_t *z, const uint64_t *a, const uint32_t *positions,
                       const uint64_t *mask, size_t n);
    void (*gather_sub)(uint64_t *z, const uint64_t *a, const uint32_t *positions,
                       const uint64_t *mask, size_t n);
    void (*gather_xor)(uint64_t *z, const uint64_t *a, const uint32_t *positions,
                       const uint64_t *mask, size_t n);

    /* z[i] = a[positions[i]] for 64 n_words elements; fast where 64 positions are the same, or
     * follow each other. z overlaps nothing. */
    void (*pick)(uint64_t *z, const uint64_t *a, const uint32_t *positions, size_t n_words);

    /* out[m x n] += a[m x k] b[k x n] mod 2^64, rows of lengths lda, ldb, ldo. No overlap. */
    void (*matmul)(uint64_t *out, size_t ldo, const uint64_t *a, size_t lda, const uint64_t *b,
                   size_t ldb, size_t m, size_t k, size_t n);
} pl_kernels;

/* pl_kernels_here gives the fastest that this processor runs. */
const pl_kernels *pl_kernels_here(void);

/* pl_kernels_all lists those that this processor runs, and how many there are; pl_kernels_force
 * makes one of them the chosen one, NULL the fastest again. Not thread safe: tests and benches. */
#define PL_KERNELS_MAX 3
size_t pl_kernels_all(const pl_kernels *out[PL_KERNELS_MAX]);
void pl_kernels_force(const pl_kernels *kernels);

extern const pl_kernels pl_kernels_portable, pl_kernels_avx2, pl_kernels_avx512;

#endif
