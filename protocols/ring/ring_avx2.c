#include "protocols/ring/ring_avx2.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>

#define TARGET_AVX2 __attribute__((target("avx2")))

TARGET_AVX2 static inline __m256i load(const void *base, size_t i) {
    return _mm256_loadu_si256((const __m256i *)(const void *)((const uint64_t *)base + i));
}

TARGET_AVX2 static inline void store(void *base, size_t i, __m256i value) {
    _mm256_storeu_si256((__m256i *)(void *)((uint64_t *)base + i), value);
}

/* a b mod 2^64 per lane, from 32-bit halves: a_lo b_lo + ((a_lo b_hi + a_hi b_lo) << 32). */
TARGET_AVX2 static inline __m256i mul_lanes(__m256i a, __m256i b) {
    __m256i crossed = _mm256_mullo_epi32(a, _mm256_shuffle_epi32(b, 0xb1));
    __m256i high = _mm256_add_epi32(crossed, _mm256_slli_epi64(crossed, 32));
    high = _mm256_and_si256(high, _mm256_set1_epi64x((long long)0xffffffff00000000u));
    return _mm256_add_epi64(_mm256_mul_epu32(a, b), high);
}

TARGET_AVX2 size_t pl_ring_cross_64_avx2(void *z, const void *const x[2], const void *const y[2],
                                         const void *const mask[2], size_t n) {
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256i y0 = load(y[0], i), sum = _mm256_add_epi64(y0, load(y[1], i));
        __m256i products =
            _mm256_add_epi64(mul_lanes(load(x[0], i), sum), mul_lanes(load(x[1], i), y0));
        __m256i masks = _mm256_sub_epi64(load(mask[0], i), load(mask[1], i));
        store(z, i, _mm256_add_epi64(products, masks));
    }
    return i;
}

TARGET_AVX2 size_t pl_ring_cross_bool_avx2(void *z, const void *const x[2], const void *const y[2],
                                           const void *const mask[2], size_t n) {
    size_t i = 0;
    for (; i + 4 <= n; i += 4) {
        __m256i y0 = load(y[0], i), sum = _mm256_xor_si256(y0, load(y[1], i));
        __m256i products = _mm256_xor_si256(_mm256_and_si256(load(x[0], i), sum),
                                            _mm256_and_si256(load(x[1], i), y0));
        __m256i masks = _mm256_xor_si256(load(mask[0], i), load(mask[1], i));
        store(z, i, _mm256_xor_si256(products, masks));
    }
    return i;
}

#endif
