#include "protocols/ring/ring.h"

#include "protocols/base/cpu.h"
#include "protocols/ring/ring_avx2.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "shares travel in native layout: a big-endian machine needs conversions at the mesh"
#endif

bool pl_kind_is_valid(pl_kind kind) {
    return (unsigned)kind < PL_KIND_COUNT;
}

const char *pl_kind_name(pl_kind kind) {
    static const char *const names[PL_KIND_COUNT] = {
        [PL_ARITH_64] = "ring 2^64", [PL_ARITH_128] = "ring 2^128", [PL_BOOL_64] = "64-bit words"};
    return pl_kind_is_valid(kind) ? names[kind] : "unknown ring";
}

/* One loop per kind; operands are a[i] and b[i], converted to the kind's element. */
#define PL_LOOP(type, expression)                                                                  \
    do {                                                                                           \
        type *z = out;                                                                             \
        const type *x = a, *y = b;                                                                 \
        for (size_t i = 0; i < n; i++)                                                             \
            z[i] = (expression);                                                                   \
    } while (0)

void pl_ring_add(pl_kind kind, void *out, const void *a, const void *b, size_t n) {
    if (kind == PL_ARITH_64)
        PL_LOOP(uint64_t, x[i] + y[i]);
    else if (kind == PL_ARITH_128)
        PL_LOOP(pl_u128, x[i] + y[i]);
    else
        PL_LOOP(uint64_t, x[i] ^ y[i]);
}

void pl_ring_sub(pl_kind kind, void *out, const void *a, const void *b, size_t n) {
    if (kind == PL_ARITH_64)
        PL_LOOP(uint64_t, x[i] - y[i]);
    else if (kind == PL_ARITH_128)
        PL_LOOP(pl_u128, x[i] - y[i]);
    else
        PL_LOOP(uint64_t, x[i] ^ y[i]);
}

void pl_ring_mul(pl_kind kind, void *out, const void *a, const void *b, size_t n) {
    if (kind == PL_ARITH_64)
        PL_LOOP(uint64_t, x[i] * y[i]);
    else if (kind == PL_ARITH_128)
        PL_LOOP(pl_u128, x[i] * y[i]);
    else
        PL_LOOP(uint64_t, x[i] & y[i]);
}

void pl_ring_neg(pl_kind kind, void *out, const void *a, size_t n) {
    const void *b = a;
    if (kind == PL_ARITH_64)
        PL_LOOP(uint64_t, 0 * y[i] - x[i]);
    else if (kind == PL_ARITH_128)
        PL_LOOP(pl_u128, 0 * y[i] - x[i]);
    else
        PL_LOOP(uint64_t, x[i] | y[i]);
}

void pl_ring_total(pl_kind kind, void *out, const void *a, size_t n) {
    if (kind == PL_ARITH_128) {
        const pl_u128 *x = a;
        pl_u128 total = 0;
        for (size_t i = 0; i < n; i++)
            total += x[i];
        *(pl_u128 *)out = total;
        return;
    }
    const uint64_t *x = a;
    uint64_t total = 0;
    for (size_t i = 0; i < n; i++)
        total = kind == PL_ARITH_64 ? total + x[i] : total ^ x[i];
    *(uint64_t *)out = total;
}

static bool portable_only;

void pl_ring_force_portable(bool portable) {
    portable_only = portable;
}

static bool has_avx2(void) {
    return !portable_only && pl_cpu_features().avx2;
}

#define PL_CROSS(type, plus, minus, times)                                                         \
    do {                                                                                           \
        type *to = z;                                                                              \
        const type *x0 = x[0], *x1 = x[1], *y0 = y[0], *y1 = y[1], *m0 = mask[0], *m1 = mask[1];   \
        for (size_t i = begin; i < n; i++)                                                         \
            to[i] =                                                                                \
                (((x0[i] times(y0[i] plus y1[i]))plus(x1[i] times y0[i]))plus m0[i])minus m1[i];   \
    } while (0)

void pl_ring_cross(pl_kind kind, void *z, const void *const x[2], const void *const y[2],
                   const void *const mask[2], size_t n) {
    size_t begin = 0;
#if defined(__x86_64__)
    if (kind != PL_ARITH_128 && has_avx2())
        begin = kind == PL_ARITH_64 ? pl_ring_cross_64_avx2(z, x, y, mask, n)
                                    : pl_ring_cross_bool_avx2(z, x, y, mask, n);
#endif
    if (kind == PL_ARITH_64)
        PL_CROSS(uint64_t, +, -, *);
    else if (kind == PL_ARITH_128)
        PL_CROSS(pl_u128, +, -, *);
    else
        PL_CROSS(uint64_t, ^, ^, &);
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

void pl_ring_low_bits(pl_kind kind, void *out, const uint64_t *a, size_t n) {
    if (kind == PL_ARITH_128) {
        pl_u128 *z = out;
        for (size_t i = 0; i < n; i++)
            z[i] = a[i] & 1;
        return;
    }
    uint64_t *z = out;
    for (size_t i = 0; i < n; i++)
        z[i] = a[i] & 1;
}
