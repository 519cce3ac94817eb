#include "protocols/ring/ring.h"

#include "protocols/ring/kernels.h"

#include <string.h>

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "shares travel in native layout: a big-endian machine needs conversions at the mesh"
#endif

bool pl_kind_is_valid(pl_kind kind) {
    return (unsigned)kind < PL_KIND_COUNT;
}

const char *pl_kind_name(pl_kind kind) {
    static const char *const names[PL_KIND_COUNT] = {[PL_ARITH_64] = "ring 2^64",
                                                     [PL_ARITH_128] = "ring 2^128",
                                                     [PL_BOOL_64] = "64-bit words",
                                                     [PL_ARITH_32] = "ring 2^32",
                                                     [PL_BIT] = "bits"};
    return pl_kind_is_valid(kind) ? names[kind] : "unknown ring";
}

/* One loop per type; operands are a[i] and b[i], converted to the kind's element. */
#define PL_LOOP(type, expression)                                                                  \
    do {                                                                                           \
        type *z = out;                                                                             \
        const type *x = a, *y = b;                                                                 \
        for (size_t i = 0; i < n; i++)                                                             \
            z[i] = (type)(expression);                                                             \
    } while (0)

#define PL_LOOPS(arithmetic, boolean)                                                              \
    do {                                                                                           \
        if (kind == PL_ARITH_64)                                                                   \
            PL_LOOP(uint64_t, arithmetic);                                                         \
        else if (kind == PL_ARITH_128)                                                             \
            PL_LOOP(pl_u128, arithmetic);                                                          \
        else if (kind == PL_ARITH_32)                                                              \
            PL_LOOP(uint32_t, arithmetic);                                                         \
        else                                                                                       \
            PL_LOOP(uint64_t, boolean);                                                            \
    } while (0)

void pl_ring_add(pl_kind kind, void *out, const void *a, const void *b, size_t n) {
    n = pl_kind_units(kind, n);
    if (kind == PL_ARITH_64)
        pl_kernels_here()->add2(out, a, b, n);
    else if (pl_kind_is_bool(kind))
        pl_kernels_here()->xor2(out, a, b, n);
    else
        PL_LOOPS(x[i] + y[i], x[i] ^ y[i]);
}

void pl_ring_sub(pl_kind kind, void *out, const void *a, const void *b, size_t n) {
    n = pl_kind_units(kind, n);
    if (kind == PL_ARITH_64)
        pl_kernels_here()->sub2(out, a, b, n);
    else if (pl_kind_is_bool(kind))
        pl_kernels_here()->xor2(out, a, b, n);
    else
        PL_LOOPS(x[i] - y[i], x[i] ^ y[i]);
}

void pl_ring_mul(pl_kind kind, void *out, const void *a, const void *b, size_t n) {
    n = pl_kind_units(kind, n);
    PL_LOOPS(x[i] * y[i], x[i] & y[i]);
}

void pl_ring_neg(pl_kind kind, void *out, const void *a, size_t n) {
    const void *b = a;
    n = pl_kind_units(kind, n);
    PL_LOOPS(0 * y[i] - x[i], x[i] | y[i]);
}

static uint64_t parity_of_bits(const uint64_t *words, size_t n) {
    uint64_t total = 0;
    for (size_t i = 0; i < n / 64; i++)
        total ^= words[i];
    if (n % 64 != 0)
        total ^= words[n / 64] & ((UINT64_C(1) << n % 64) - 1);
    return (uint64_t)__builtin_parityll(total);
}

void pl_ring_total(pl_kind kind, void *out, const void *a, size_t n) {
    if (kind == PL_ARITH_128) {
        const pl_u128 *x = a;
        pl_u128 total = 0;
        for (size_t i = 0; i < n; i++)
            total += x[i];
        *(pl_u128 *)out = total;
    } else if (kind == PL_ARITH_32) {
        const uint32_t *x = a;
        uint32_t total = 0;
        for (size_t i = 0; i < n; i++)
            total += x[i];
        *(uint32_t *)out = total;
    } else if (kind == PL_BIT) {
        *(uint64_t *)out = parity_of_bits(a, n);
    } else {
        const uint64_t *x = a;
        uint64_t total = 0;
        for (size_t i = 0; i < n; i++)
            total = kind == PL_ARITH_64 ? total + x[i] : total ^ x[i];
        *(uint64_t *)out = total;
    }
}

static void cross_128(pl_u128 *z, const void *const x[2], const void *const y[2],
                      const void *const mask[2], size_t n) {
    const pl_u128 *x0 = x[0], *x1 = x[1], *y0 = y[0], *y1 = y[1], *m0 = mask[0], *m1 = mask[1];
    for (size_t i = 0; i < n; i++)
        z[i] = x0[i] * (y0[i] + y1[i]) + x1[i] * y0[i] + m0[i] - m1[i];
}

void pl_ring_cross(pl_kind kind, void *z, const void *const x[2], const void *const y[2],
                   const void *const mask[2], size_t n) {
    const pl_kernels *k = pl_kernels_here();
    if (kind == PL_ARITH_128)
        cross_128(z, x, y, mask, n);
    else if (kind == PL_ARITH_32)
        k->cross_32(z, x[0], x[1], y[0], y[1], mask[0], mask[1], n);
    else if (kind == PL_ARITH_64)
        k->cross_64(z, x[0], x[1], y[0], y[1], mask[0], mask[1], n);
    else
        k->cross_bool(z, x[0], x[1], y[0], y[1], mask[0], mask[1], pl_kind_units(kind, n));
}

void pl_ring_shl(uint64_t *out, const uint64_t *a, unsigned distance, size_t n) {
    PL_ASSERT(distance < 64);
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] << distance;
}

void pl_ring_shr(uint64_t *out, const uint64_t *a, unsigned distance, size_t n) {
    PL_ASSERT(distance < 64);
    for (size_t i = 0; i < n; i++)
        out[i] = a[i] >> distance;
}

#define PL_SPREAD(type, expression)                                                                \
    do {                                                                                           \
        type *z = out;                                                                             \
        for (size_t i = 0; i < n; i++) {                                                           \
            uint64_t bit = bits[i / 64] >> i % 64 & 1;                                             \
            z[i] = (type)(expression);                                                             \
        }                                                                                          \
    } while (0)

void pl_ring_from_bits(pl_kind kind, void *out, const uint64_t *bits, size_t n) {
    if (kind == PL_ARITH_128)
        PL_SPREAD(pl_u128, bit);
    else if (kind == PL_ARITH_32)
        PL_SPREAD(uint32_t, bit);
    else if (kind == PL_ARITH_64)
        PL_SPREAD(uint64_t, bit);
    else if (kind == PL_BOOL_64)
        PL_SPREAD(uint64_t, 0 - bit);
    else if (n != 0)
        memcpy(out, bits, pl_kind_bytes(PL_BIT, n));
}

void pl_ring_clear_padding(pl_kind kind, void *a, size_t n) {
    if (kind == PL_BIT && n % 64 != 0)
        ((uint64_t *)a)[n / 64] &= (UINT64_C(1) << n % 64) - 1;
}

void pl_bits_copy(uint64_t *to, size_t to_at, const uint64_t *from, size_t from_at, size_t n) {
    if (to_at % 64 == 0 && from_at % 64 == 0 && n >= 64) {
        memcpy(to + to_at / 64, from + from_at / 64, n / 64 * 8);
        to_at += n / 64 * 64;
        from_at += n / 64 * 64;
        n %= 64;
    }
    while (n != 0) {
        size_t room = 64 - to_at % 64, have = 64 - from_at % 64;
        size_t take = room < have ? room : have;
        take = take < n ? take : n;
        uint64_t ones = take == 64 ? UINT64_MAX : (UINT64_C(1) << take) - 1;
        uint64_t bits = from[from_at / 64] >> from_at % 64 & ones;
        to[to_at / 64] = (to[to_at / 64] & ~(ones << to_at % 64)) | bits << to_at % 64;
        to_at += take;
        from_at += take;
        n -= take;
    }
}
