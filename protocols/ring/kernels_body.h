/* The text of the kernels, included once per instruction set by kernels_*.c, which are compiled
 * with the flags for it. The loops are written so that the compiler makes vector code of them:
 * `ivdep` says that an output that is an input is so element on element. */
#include "protocols/ring/kernels.h"

#include <string.h>

#if defined(__GFNI__) && defined(__AVX512VBMI__)
#include <immintrin.h>
#endif

#if defined(__clang__)
#define INDEPENDENT _Pragma("clang loop vectorize(assume_safety)")
#else
#define INDEPENDENT _Pragma("GCC ivdep")
#endif

static void cross_64(uint64_t *z, const uint64_t *x0, const uint64_t *x1, const uint64_t *y0,
                     const uint64_t *y1, const uint64_t *m0, const uint64_t *m1, size_t n) {
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        z[i] = x0[i] * (y0[i] + y1[i]) + x1[i] * y0[i] + m0[i] - m1[i];
}

static void cross_32(uint32_t *z, const uint32_t *x0, const uint32_t *x1, const uint32_t *y0,
                     const uint32_t *y1, const uint32_t *m0, const uint32_t *m1, size_t n) {
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        z[i] = x0[i] * (y0[i] + y1[i]) + x1[i] * y0[i] + m0[i] - m1[i];
}

static void cross_bool(uint64_t *z, const uint64_t *x0, const uint64_t *x1, const uint64_t *y0,
                       const uint64_t *y1, const uint64_t *m0, const uint64_t *m1, size_t n) {
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        z[i] = (x0[i] & (y0[i] ^ y1[i])) ^ (x1[i] & y0[i]) ^ m0[i] ^ m1[i];
}

static void carry(uint64_t *z, const uint64_t *const u[2], const uint64_t *const v[2],
                  const uint64_t *const c[2], const uint64_t *m0, const uint64_t *m1, size_t n) {
    const uint64_t *u0 = u[0], *u1 = u[1], *v0 = v[0], *v1 = v[1], *c0 = c[0], *c1 = c[1];
    INDEPENDENT
    for (size_t i = 0; i < n; i++) {
        uint64_t y0 = v0[i] ^ c0[i], y = y0 ^ v1[i] ^ c1[i];
        z[i] = ((u0[i] ^ c0[i]) & y) ^ ((u1[i] ^ c1[i]) & y0) ^ m0[i] ^ m1[i];
    }
}

static void xor2(uint64_t *z, const uint64_t *a, const uint64_t *b, size_t n) {
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        z[i] = a[i] ^ b[i];
}

static void add2(uint64_t *z, const uint64_t *a, const uint64_t *b, size_t n) {
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        z[i] = a[i] + b[i];
}

static void sub2(uint64_t *z, const uint64_t *a, const uint64_t *b, size_t n) {
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        z[i] = a[i] - b[i];
}

static void add_difference(uint64_t *z, const uint64_t *a, const uint64_t *b, size_t n) {
    INDEPENDENT
    for (size_t i = 0; i < n; i++)
        z[i] += a[i] - b[i];
}

/* ---- bits and elements ---- */

static void bits_minus(uint64_t *z, const uint64_t *bits, const uint64_t *a, size_t n_words) {
    for (size_t w = 0; w < n_words; w++) {
        uint64_t word = bits[w];
        INDEPENDENT
        for (size_t j = 0; j < 64; j++)
            z[64 * w + j] = (word >> j & 1) - a[64 * w + j];
    }
}

static void bits_negate(uint64_t *z, const uint64_t *bits, const uint64_t *a, size_t n_words) {
    for (size_t w = 0; w < n_words; w++) {
        uint64_t word = bits[w];
        INDEPENDENT
        for (size_t j = 0; j < 64; j++) {
            uint64_t bit = word >> j & 1;
            z[64 * w + j] = (a[64 * w + j] ^ (0 - bit)) + bit;
        }
    }
}

static void bits_invert(uint64_t *z, const uint64_t *bits, const uint64_t *a, size_t n_words) {
    for (size_t w = 0; w < n_words; w++) {
        uint64_t word = bits[w];
        INDEPENDENT
        for (size_t j = 0; j < 64; j++) {
            uint64_t bit = word >> j & 1;
            z[64 * w + j] = (a[64 * w + j] ^ (0 - bit)) + 2 * bit;
        }
    }
}

/* ---- slicing: transposes of 64 x 64 bits ---- */

#if defined(__GFNI__) && defined(__AVX512VBMI__)

/* 8 x 8 64-bit words change rows and columns. */
static inline void transpose_words(__m512i r[8]) {
    __m512i a[8], b[8];
    for (int i = 0; i < 8; i += 2) {
        a[i] = _mm512_unpacklo_epi64(r[i], r[i + 1]);
        a[i + 1] = _mm512_unpackhi_epi64(r[i], r[i + 1]);
    }
    const __m512i low = _mm512_setr_epi64(0, 1, 8, 9, 4, 5, 12, 13);
    const __m512i high = _mm512_setr_epi64(2, 3, 10, 11, 6, 7, 14, 15);
    for (int i = 0; i < 8; i += 4) {
        for (int k = 0; k < 2; k++) {
            b[i + k] = _mm512_permutex2var_epi64(a[i + k], low, a[i + k + 2]);
            b[i + k + 2] = _mm512_permutex2var_epi64(a[i + k], high, a[i + k + 2]);
        }
    }
    for (int i = 0; i < 4; i++) {
        r[i] = _mm512_shuffle_i64x2(b[i], b[i + 4], 0x44);
        r[i + 4] = _mm512_shuffle_i64x2(b[i], b[i + 4], 0xee);
    }
}

/* Byte k of every word to word k: positions e * 8 + k; with the words in reverse for the bit
 * transpose by GFNI, whose matrices have their first row in the highest byte. */
static inline __m512i bytes_by_place(int reverse) {
    uint8_t at[64];
    for (int k = 0; k < 8; k++) {
        for (int e = 0; e < 8; e++)
            at[8 * k + e] = (uint8_t)((reverse ? 7 - e : e) * 8 + k);
    }
    return _mm512_loadu_si512(at);
}

/* One word of every plane from 64 elements: out[8 k + b] is bit b of byte k. Eight elements make a
 * register; its bytes are brought together by place, each group of 8 x 8 bits transposed (the
 * affine map whose matrix is the data, applied to the unit vectors), and the bytes of one plane
 * brought together. */
static inline void slice_eight(const uint64_t *elements, size_t n_words, uint64_t *planes,
                               size_t stride, unsigned n_planes, __m512i by_place,
                               __m512i by_place_reversed) {
    const __m512i units = _mm512_set1_epi64((long long)0x8040201008040201);
    uint64_t words[8][64];
    for (size_t w = 0; w < n_words; w++) {
        __m512i r[8];
        for (int i = 0; i < 8; i++) {
            __m512i v = _mm512_loadu_si512(elements + 64 * w + 8 * (size_t)i);
            v = _mm512_permutexvar_epi8(by_place_reversed, v);
            r[i] = _mm512_gf2p8affine_epi64_epi8(units, v, 0);
        }
        transpose_words(r);
        for (int k = 0; k < 8; k++)
            _mm512_storeu_si512(&words[w][8 * k], _mm512_permutexvar_epi8(by_place, r[k]));
    }
    for (unsigned k = 0; 8 * k < n_planes; k++) {
        __m512i r[8];
        for (size_t w = 0; w < 8; w++)
            r[w] = _mm512_loadu_si512(&words[w < n_words ? w : 0][8 * k]);
        transpose_words(r);
        __mmask8 lanes = (__mmask8)((1u << n_words) - 1);
        for (unsigned b = 0; b < 8 && 8 * k + b < n_planes; b++)
            _mm512_mask_storeu_epi64(planes + (8 * k + b) * stride, lanes, r[b]);
    }
}

static void slice(const uint64_t *elements, size_t n_words, uint64_t *planes, size_t stride,
                  unsigned n_planes) {
    const __m512i by_place = bytes_by_place(0), reversed = bytes_by_place(1);
    for (size_t w = 0; w < n_words; w += 8)
        slice_eight(elements + 64 * w, n_words - w < 8 ? n_words - w : 8, planes + w, stride,
                    n_planes, by_place, reversed);
}

/* The same steps backwards: each of them undoes itself, but for the order of bytes before the bits.
 */
static inline void unslice_eight(const uint64_t *planes, size_t stride, unsigned n_planes,
                                 size_t n_words, uint64_t *elements, __m512i by_place) {
    const __m512i units = _mm512_set1_epi64((long long)0x8040201008040201);
    const __m512i backwards = _mm512_set4_epi64(0x08090a0b0c0d0e0f, 0x0001020304050607,
                                                0x08090a0b0c0d0e0f, 0x0001020304050607);
    const __mmask8 lanes_used = (__mmask8)((1u << n_words) - 1);
    uint64_t words[8][64];
    for (unsigned k = 0; k < 8; k++) {
        __m512i r[8];
        for (unsigned b = 0; b < 8; b++)
            r[b] = 8 * k + b < n_planes
                       ? _mm512_maskz_loadu_epi64(lanes_used, planes + (8 * k + b) * stride)
                       : _mm512_setzero_si512();
        transpose_words(r);
        for (size_t w = 0; w < 8; w++)
            _mm512_storeu_si512(&words[w][8 * k], _mm512_permutexvar_epi8(by_place, r[w]));
    }
    for (size_t w = 0; w < n_words; w++) {
        __m512i r[8];
        for (int k = 0; k < 8; k++)
            r[k] = _mm512_loadu_si512(&words[w][8 * k]);
        transpose_words(r);
        for (int i = 0; i < 8; i++) {
            __m512i v = _mm512_shuffle_epi8(r[i], backwards);
            v = _mm512_gf2p8affine_epi64_epi8(units, v, 0);
            _mm512_storeu_si512(elements + 64 * w + 8 * (size_t)i,
                                _mm512_permutexvar_epi8(by_place, v));
        }
    }
}

static void unslice(const uint64_t *planes, size_t stride, unsigned n_planes, size_t n_words,
                    uint64_t *elements) {
    const __m512i by_place = bytes_by_place(0);
    for (size_t w = 0; w < n_words; w += 8)
        unslice_eight(planes + w, stride, n_planes, n_words - w < 8 ? n_words - w : 8,
                      elements + 64 * w, by_place);
}

#else

/* Warren, "Hacker's Delight", section 7-3: squares of 32, 16, ..., 1 bits change places. Row i is
 * word i, column j its bit j. */
static void transpose(uint64_t *rows) {
    static const uint64_t keep[6] = {0x00000000FFFFFFFF, 0x0000FFFF0000FFFF, 0x00FF00FF00FF00FF,
                                     0x0F0F0F0F0F0F0F0F, 0x3333333333333333, 0x5555555555555555};
    for (unsigned level = 0; level < 6; level++) {
        size_t distance = (size_t)32 >> level;
        for (size_t begin = 0; begin < 64; begin += 2 * distance) {
            uint64_t *low = rows + begin, *high = rows + begin + distance;
            for (size_t i = 0; i < distance; i++) {
                uint64_t moved = (low[i] >> distance ^ high[i]) & keep[level];
                high[i] ^= moved;
                low[i] ^= moved << distance;
            }
        }
    }
}

static void slice_word(const uint64_t *elements, uint64_t *planes, size_t stride,
                       unsigned n_planes) {
    uint64_t rows[64];
    memcpy(rows, elements, sizeof rows);
    transpose(rows);
    for (unsigned b = 0; b < n_planes; b++)
        planes[b * stride] = rows[b];
}

static void unslice_word(const uint64_t *planes, size_t stride, unsigned n_planes,
                         uint64_t *elements) {
    uint64_t rows[64] = {0};
    for (unsigned b = 0; b < n_planes; b++)
        rows[b] = planes[b * stride];
    transpose(rows);
    memcpy(elements, rows, sizeof rows);
}

static void slice(const uint64_t *elements, size_t n_words, uint64_t *planes, size_t stride,
                  unsigned n_planes) {
    for (size_t w = 0; w < n_words; w++)
        slice_word(elements + 64 * w, planes + w, stride, n_planes);
}

static void unslice(const uint64_t *planes, size_t stride, unsigned n_planes, size_t n_words,
                    uint64_t *elements) {
    for (size_t w = 0; w < n_words; w++)
        unslice_word(planes + w, stride, n_planes, elements + 64 * w);
}

#endif

/* ---- gather ---- */

static void gather_add(uint64_t *restrict z, const uint64_t *restrict a,
                       const uint32_t *restrict positions, const uint64_t *restrict mask,
                       size_t n) {
    for (size_t i = 0; i < n; i++)
        z[i] = a[positions[i]] + mask[i];
}

static void gather_sub(uint64_t *restrict z, const uint64_t *restrict a,
                       const uint32_t *restrict positions, const uint64_t *restrict mask,
                       size_t n) {
    for (size_t i = 0; i < n; i++)
        z[i] = a[positions[i]] - mask[i];
}

static void gather_xor(uint64_t *restrict z, const uint64_t *restrict a,
                       const uint32_t *restrict positions, const uint64_t *restrict mask,
                       size_t n) {
    for (size_t i = 0; i < n; i++)
        z[i] = a[positions[i]] ^ mask[i];
}

static void pick_word(uint64_t *restrict to, const uint64_t *restrict from,
                      const uint32_t *restrict at) {
    uint32_t not_same = 0, not_next = 0;
    for (uint32_t i = 0; i < 64; i++) {
        not_same |= at[i] ^ at[0];
        not_next |= at[i] ^ (at[0] + i);
    }
    if (not_next == 0) {
        memcpy(to, from + at[0], 64 * sizeof *to);
    } else if (not_same == 0) {
        for (size_t i = 0; i < 64; i++)
            to[i] = from[at[0]];
    } else {
        for (size_t i = 0; i < 64; i++)
            to[i] = from[at[i]];
    }
}

static void pick(uint64_t *z, const uint64_t *a, const uint32_t *positions, size_t n_words) {
    for (size_t w = 0; w < n_words; w++)
        pick_word(z + 64 * w, a, positions + 64 * w);
}

/* ---- matrix product ----
 *
 * Goto and van de Geijn 2008, "Anatomy of High-Performance Matrix Multiplication": a tile of the
 * result stays in registers while a strip of b passes by. */

#if defined(__AVX512F__)
#define LANES 8
#define TILE_ROWS 6
#define TILE_VECTORS 4
#else
#define LANES 4
#define TILE_ROWS 4
#define TILE_VECTORS 2
#endif
#define TILE_COLUMNS ((size_t)LANES * TILE_VECTORS)
#define STRIP_ROWS ((size_t)128)

typedef uint64_t lanes __attribute__((vector_size(8 * LANES), aligned(8)));

static inline void tile(uint64_t *out, size_t ldo, const uint64_t *a, size_t lda,
                        const uint64_t *packed, size_t k) {
    lanes sum[TILE_ROWS][TILE_VECTORS] = {{{0}}};
    for (size_t p = 0; p < k; p++) {
        lanes row[TILE_VECTORS];
        memcpy(row, packed + p * TILE_COLUMNS, sizeof row);
#pragma GCC unroll 8
        for (size_t i = 0; i < TILE_ROWS; i++) {
            uint64_t factor = a[i * lda + p];
#pragma GCC unroll 8
            for (size_t v = 0; v < TILE_VECTORS; v++)
                sum[i][v] += row[v] * factor;
        }
    }
    for (size_t i = 0; i < TILE_ROWS; i++) {
        lanes old[TILE_VECTORS];
        memcpy(old, out + i * ldo, sizeof old);
        for (size_t v = 0; v < TILE_VECTORS; v++)
            old[v] += sum[i][v];
        memcpy(out + i * ldo, old, sizeof old);
    }
}

/* What is left at the edges. */
static void tile_any(uint64_t *out, size_t ldo, const uint64_t *a, size_t lda,
                     const uint64_t *packed, size_t m, size_t k, size_t n) {
    for (size_t i = 0; i < m; i++) {
        for (size_t p = 0; p < k; p++) {
            for (size_t j = 0; j < n; j++)
                out[i * ldo + j] += a[i * lda + p] * packed[p * TILE_COLUMNS + j];
        }
    }
}

static void strip(uint64_t *out, size_t ldo, const uint64_t *a, size_t lda, const uint64_t *b,
                  size_t ldb, size_t m, size_t k, size_t n) {
    uint64_t packed[STRIP_ROWS * TILE_COLUMNS];
    for (size_t j = 0; j < n; j += TILE_COLUMNS) {
        size_t width = n - j < TILE_COLUMNS ? n - j : TILE_COLUMNS;
        for (size_t p = 0; p < k; p++)
            memcpy(packed + p * TILE_COLUMNS, b + p * ldb + j, 8 * width);
        size_t i = 0;
        for (; width == TILE_COLUMNS && i + TILE_ROWS <= m; i += TILE_ROWS)
            tile(out + i * ldo + j, ldo, a + i * lda, lda, packed, k);
        tile_any(out + i * ldo + j, ldo, a + i * lda, lda, packed, m - i, k, width);
    }
}

static void matmul(uint64_t *out, size_t ldo, const uint64_t *a, size_t lda, const uint64_t *b,
                   size_t ldb, size_t m, size_t k, size_t n) {
    for (size_t p = 0; p < k; p += STRIP_ROWS)
        strip(out, ldo, a + p, lda, b + p * ldb, ldb, m, k - p < STRIP_ROWS ? k - p : STRIP_ROWS,
              n);
}

const pl_kernels KERNELS = {
    .name = KERNELS_NAME,
    .cross_64 = cross_64,
    .cross_32 = cross_32,
    .cross_bool = cross_bool,
    .carry = carry,
    .slice = slice,
    .unslice = unslice,
    .xor2 = xor2,
    .add2 = add2,
    .sub2 = sub2,
    .add_difference = add_difference,
    .bits_minus = bits_minus,
    .bits_negate = bits_negate,
    .bits_invert = bits_invert,
    .gather_add = gather_add,
    .gather_sub = gather_sub,
    .gather_xor = gather_xor,
    .pick = pick,
    .matmul = matmul,
};
