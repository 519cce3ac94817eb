/* Ring: element-wise kernels over the three rings that secrets live in. A kernel knows nothing of
 * parties or sharing.
 *
 *   PL_ARITH_64   integers modulo 2^64                    8 bytes an element
 *   PL_ARITH_128  integers modulo 2^128                  16 bytes an element
 *   PL_BOOL_64    64-bit words over GF(2)^64              8 bytes an element; addition is XOR,
 * multiplication is AND
 *
 * Shape:  all operands [n], arrays of the kind's element, naturally aligned; out may be one of the
 * inputs. Secret: every element. No branch or index depends on one. Signed values are two's
 * complement. */
#ifndef PL_RING_RING_H
#define PL_RING_RING_H

#include "protocols/base/bytes.h"

typedef enum pl_kind { PL_ARITH_64, PL_ARITH_128, PL_BOOL_64 } pl_kind;
#define PL_KIND_COUNT 3

__extension__ typedef unsigned __int128 pl_u128;

/* pl_kind_bytes is the size of one element. */
static inline size_t pl_kind_bytes(pl_kind kind) {
    return kind == PL_ARITH_128 ? 16 : 8;
}
bool pl_kind_is_valid(pl_kind kind);
const char *pl_kind_name(pl_kind kind); /* "ring 2^64", for messages */

void pl_ring_add(pl_kind kind, void *out, const void *a, const void *b, size_t n);
void pl_ring_sub(pl_kind kind, void *out, const void *a, const void *b, size_t n);
void pl_ring_neg(pl_kind kind, void *out, const void *a, size_t n);
void pl_ring_mul(pl_kind kind, void *out, const void *a, const void *b, size_t n);

/* pl_ring_total adds up the n elements of a into the single element out. */
void pl_ring_total(pl_kind kind, void *out, const void *a, size_t n);

/* pl_ring_cross is the local part of a replicated multiplication:
 *     z = x[0] y[0] + x[0] y[1] + x[1] y[0] + mask[0] - mask[1]
 * z overlaps none of the inputs. */
void pl_ring_cross(pl_kind kind, void *z, const void *const x[2], const void *const y[2],
                   const void *const mask[2], size_t n);

/* Shifts of every 64-bit word by a public distance of 0 to 63; zeros come in. */
void pl_ring_shl(uint64_t *out, const uint64_t *a, unsigned distance, size_t n);
void pl_ring_shr(uint64_t *out, const uint64_t *a, unsigned distance, size_t n);

/* pl_ring_low_bits gives bit 0 of every word as an element (0 or 1) of kind. out does not overlap
 * a. */
void pl_ring_low_bits(pl_kind kind, void *out, const uint64_t *a, size_t n);

/* pl_ring_force_portable makes the kernels ignore AVX2. Not thread safe: tests only. */
void pl_ring_force_portable(bool portable);

#endif
