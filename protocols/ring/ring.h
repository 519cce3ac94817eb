/* Ring: element-wise operations over the rings that secrets live in. They know nothing of parties
 * or sharing.
 *
 *   PL_ARITH_64   integers modulo 2^64        8 bytes an element
 *   PL_ARITH_128  integers modulo 2^128      16 bytes an element
 *   PL_ARITH_32   integers modulo 2^32        4 bytes an element
 *   PL_BOOL_64    words over GF(2)^64         8 bytes an element; addition is XOR, multiplication
 * AND PL_BIT        bits over GF(2)             packed: element i is bit i % 64 of word i / 64
 *
 * Shape:  all operands [n], arrays of the kind's element, naturally aligned; out may be one of the
 * inputs. Of PL_BIT the bits after the last element (padding) are worked on like the others and
 * mean nothing. Secret: every element. No branch or index depends on one. Signed values are two's
 * complement. */
#ifndef PL_RING_RING_H
#define PL_RING_RING_H

#include "protocols/base/bytes.h"

typedef enum pl_kind { PL_ARITH_64, PL_ARITH_128, PL_BOOL_64, PL_ARITH_32, PL_BIT } pl_kind;
#define PL_KIND_COUNT 5

__extension__ typedef unsigned __int128 pl_u128;

bool pl_kind_is_valid(pl_kind kind);
const char *pl_kind_name(pl_kind kind); /* "ring 2^64", for messages */

static inline size_t pl_bit_words(size_t n) {
    return n / 64 + (n % 64 != 0);
}

/* pl_kind_bytes is the size of n elements. */
static inline size_t pl_kind_bytes(pl_kind kind, size_t n) {
    switch (kind) {
    case PL_ARITH_128:
        return 16 * n;
    case PL_ARITH_32:
        return 4 * n;
    case PL_BIT:
        return 8 * pl_bit_words(n);
    default:
        return 8 * n;
    }
}

/* A packed vector is worked on as the words it is made of: pl_kind_unit is the kind of these, and
 * pl_kind_units how many there are. Other kinds stay as they are. */
static inline pl_kind pl_kind_unit(pl_kind kind) {
    return kind == PL_BIT ? PL_BOOL_64 : kind;
}
static inline size_t pl_kind_units(pl_kind kind, size_t n) {
    return kind == PL_BIT ? pl_bit_words(n) : n;
}

/* pl_kind_is_bool: addition is XOR. */
static inline bool pl_kind_is_bool(pl_kind kind) {
    return kind == PL_BOOL_64 || kind == PL_BIT;
}

void pl_ring_add(pl_kind kind, void *out, const void *a, const void *b, size_t n);
void pl_ring_sub(pl_kind kind, void *out, const void *a, const void *b, size_t n);
void pl_ring_neg(pl_kind kind, void *out, const void *a, size_t n);
void pl_ring_mul(pl_kind kind, void *out, const void *a, const void *b, size_t n);

/* pl_ring_total adds up the n elements of a into the single element out (of PL_BIT: their parity).
 */
void pl_ring_total(pl_kind kind, void *out, const void *a, size_t n);

/* pl_ring_cross is the local part of a replicated multiplication:
 *     z = x[0] y[0] + x[0] y[1] + x[1] y[0] + mask[0] - mask[1]
 * z may be one of the inputs. */
void pl_ring_cross(pl_kind kind, void *z, const void *const x[2], const void *const y[2],
                   const void *const mask[2], size_t n);

/* Shifts of every 64-bit word by a public distance of 0 to 63; zeros come in. */
void pl_ring_shl(uint64_t *out, const uint64_t *a, unsigned distance, size_t n);
void pl_ring_shr(uint64_t *out, const uint64_t *a, unsigned distance, size_t n);

/* pl_ring_from_bits gives every bit of a packed vector as an element (0 or 1; a word 0 or all ones
 * for PL_BOOL_64) of kind. out does not overlap bits. */
void pl_ring_from_bits(pl_kind kind, void *out, const uint64_t *bits, size_t n);

/* pl_ring_clear_padding clears the bits after the last of n elements of PL_BIT; other kinds have
 * none. */
void pl_ring_clear_padding(pl_kind kind, void *a, size_t n);

/* pl_bits_copy copies n bits from bit from_at of from to bit to_at of to; the bits around stay. */
void pl_bits_copy(uint64_t *to, size_t to_at, const uint64_t *from, size_t from_at, size_t n);

#endif
