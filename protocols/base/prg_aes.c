#include "protocols/base/prg_aes.h"

#if defined(__x86_64__)

#include <immintrin.h>

#define TARGET_AESNI __attribute__((target("aes,ssse3")))
#define TARGET_VAES __attribute__((target("vaes,aes,avx2")))
#define TARGET_VAES512 __attribute__((target("vaes,aes,avx2,avx512f,avx512bw")))

/* One step of the key schedule (FIPS 197, section 5.2); assist has the substituted last word of the
 * key before. */
TARGET_AESNI static __m128i next_round_key(__m128i key, __m128i assist) {
    assist = _mm_shuffle_epi32(assist, 0xff);
    key = _mm_xor_si128(key, _mm_slli_si128(key, 4));
    key = _mm_xor_si128(key, _mm_slli_si128(key, 8));
    return _mm_xor_si128(key, assist);
}

TARGET_AESNI void pl_aes_expand(const uint8_t key[PL_PRG_KEY_BYTES], pl_aes_keys *out) {
    __m128i *round = (__m128i *)out->round;
    round[0] = _mm_loadu_si128((const __m128i *)key);
#define EXPAND(i, rcon)                                                                            \
    round[i] = next_round_key(round[(i)-1], _mm_aeskeygenassist_si128(round[(i)-1], rcon))
    EXPAND(1, 0x01);
    EXPAND(2, 0x02);
    EXPAND(3, 0x04);
    EXPAND(4, 0x08);
    EXPAND(5, 0x10);
    EXPAND(6, 0x20);
    EXPAND(7, 0x40);
    EXPAND(8, 0x80);
    EXPAND(9, 0x1b);
    EXPAND(10, 0x36);
#undef EXPAND
}

/* Counters are kept as two native 64-bit lanes and turned to big-endian by one byte shuffle. */
TARGET_AESNI static __m128i to_big_endian(void) {
    return _mm_set_epi8(8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
}

TARGET_AESNI static void ctr_one(const __m128i *round, uint64_t high, uint64_t low, uint8_t *out) {
    __m128i block = _mm_set_epi64x((long long)low, (long long)high);
    block = _mm_xor_si128(_mm_shuffle_epi8(block, to_big_endian()), round[0]);
    for (int r = 1; r < PL_AES128_ROUNDS; r++)
        block = _mm_aesenc_si128(block, round[r]);
    _mm_storeu_si128((__m128i *)out, _mm_aesenclast_si128(block, round[PL_AES128_ROUNDS]));
}

#define AESNI_WIDTH 8 /* blocks in flight */

TARGET_AESNI void pl_aes_ctr_aesni(const pl_aes_keys *keys, uint64_t high, uint64_t low,
                                   uint8_t *out, size_t n_blocks) {
    const __m128i *round = (const __m128i *)keys->round;
    const __m128i swap = to_big_endian();
    __m128i counter = _mm_set_epi64x((long long)low, (long long)high);
    const __m128i one = _mm_set_epi64x(1, 0);
    size_t done = 0;
    for (; done + AESNI_WIDTH <= n_blocks; done += AESNI_WIDTH) {
        __m128i block[AESNI_WIDTH];
#pragma GCC unroll 8
        for (int i = 0; i < AESNI_WIDTH; i++) {
            block[i] = _mm_xor_si128(_mm_shuffle_epi8(counter, swap), round[0]);
            counter = _mm_add_epi64(counter, one);
        }
#pragma GCC unroll 9
        for (int r = 1; r < PL_AES128_ROUNDS; r++) {
#pragma GCC unroll 8
            for (int i = 0; i < AESNI_WIDTH; i++)
                block[i] = _mm_aesenc_si128(block[i], round[r]);
        }
        __m128i *to = (__m128i *)(void *)(out + done * PL_AES_BLOCK_BYTES);
#pragma GCC unroll 8
        for (int i = 0; i < AESNI_WIDTH; i++)
            _mm_storeu_si128(to + i, _mm_aesenclast_si128(block[i], round[PL_AES128_ROUNDS]));
    }
    for (; done < n_blocks; done++)
        ctr_one(round, high, low + done, out + done * PL_AES_BLOCK_BYTES);
}

#define VAES_WIDTH 8 /* registers of two blocks in flight */

TARGET_VAES void pl_aes_ctr_vaes(const pl_aes_keys *keys, uint64_t high, uint64_t low, uint8_t *out,
                                 size_t n_blocks) {
    const __m128i *round = (const __m128i *)keys->round;
    const __m256i swap = _mm256_broadcastsi128_si256(to_big_endian());
    __m256i wide[PL_AES128_ROUNDS + 1];
    for (int r = 0; r <= PL_AES128_ROUNDS; r++)
        wide[r] = _mm256_broadcastsi128_si256(round[r]);
    __m256i counter =
        _mm256_set_epi64x((long long)(low + 1), (long long)high, (long long)low, (long long)high);
    const __m256i two = _mm256_set_epi64x(2, 0, 2, 0);
    size_t done = 0;
    for (; done + 2 * VAES_WIDTH <= n_blocks; done += 2 * VAES_WIDTH) {
        __m256i block[VAES_WIDTH];
#pragma GCC unroll 8
        for (int i = 0; i < VAES_WIDTH; i++) {
            block[i] = _mm256_xor_si256(_mm256_shuffle_epi8(counter, swap), wide[0]);
            counter = _mm256_add_epi64(counter, two);
        }
#pragma GCC unroll 9
        for (int r = 1; r < PL_AES128_ROUNDS; r++) {
#pragma GCC unroll 8
            for (int i = 0; i < VAES_WIDTH; i++)
                block[i] = _mm256_aesenc_epi128(block[i], wide[r]);
        }
        __m256i *to = (__m256i *)(void *)(out + done * PL_AES_BLOCK_BYTES);
#pragma GCC unroll 8
        for (int i = 0; i < VAES_WIDTH; i++)
            _mm256_storeu_si256(to + i, _mm256_aesenclast_epi128(block[i], wide[PL_AES128_ROUNDS]));
    }
    pl_aes_ctr_aesni(keys, high, low + done, out + done * PL_AES_BLOCK_BYTES, n_blocks - done);
}

#define VAES512_WIDTH 4 /* registers of four blocks in flight */

TARGET_VAES512 void pl_aes_ctr_vaes512(const pl_aes_keys *keys, uint64_t high, uint64_t low,
                                       uint8_t *out, size_t n_blocks) {
    const __m128i *round = (const __m128i *)keys->round;
    const __m512i swap = _mm512_broadcast_i32x4(to_big_endian());
    __m512i wide[PL_AES128_ROUNDS + 1];
    for (int r = 0; r <= PL_AES128_ROUNDS; r++)
        wide[r] = _mm512_broadcast_i32x4(round[r]);
    const long long h = (long long)high;
    __m512i counter = _mm512_set_epi64((long long)(low + 3), h, (long long)(low + 2), h,
                                       (long long)(low + 1), h, (long long)low, h);
    const __m512i four = _mm512_set_epi64(4, 0, 4, 0, 4, 0, 4, 0);
    size_t done = 0;
    for (; done + 4 * VAES512_WIDTH <= n_blocks; done += 4 * VAES512_WIDTH) {
        __m512i block[VAES512_WIDTH];
#pragma GCC unroll 4
        for (int i = 0; i < VAES512_WIDTH; i++) {
            block[i] = _mm512_xor_si512(_mm512_shuffle_epi8(counter, swap), wide[0]);
            counter = _mm512_add_epi64(counter, four);
        }
#pragma GCC unroll 9
        for (int r = 1; r < PL_AES128_ROUNDS; r++) {
#pragma GCC unroll 4
            for (int i = 0; i < VAES512_WIDTH; i++)
                block[i] = _mm512_aesenc_epi128(block[i], wide[r]);
        }
        __m512i *to = (__m512i *)(void *)(out + done * PL_AES_BLOCK_BYTES);
#pragma GCC unroll 4
        for (int i = 0; i < VAES512_WIDTH; i++)
            _mm512_storeu_si512(to + i, _mm512_aesenclast_epi128(block[i], wide[PL_AES128_ROUNDS]));
    }
    pl_aes_ctr_aesni(keys, high, low + done, out + done * PL_AES_BLOCK_BYTES, n_blocks - done);
}

#endif
