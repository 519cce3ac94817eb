/* AES-128 counter mode on x86 processors: the three fast paths under prg.c, and a position for
 * tests. Private to base. */
#ifndef PL_BASE_PRG_AES_H
#define PL_BASE_PRG_AES_H

#include "protocols/base/prg.h"

#define PL_AES_BLOCK_BYTES 16
#define PL_AES128_ROUNDS 10

/* The round keys in the order of encryption. */
typedef struct pl_aes_keys {
    _Alignas(16) uint8_t round[PL_AES128_ROUNDS + 1][PL_AES_BLOCK_BYTES];
} pl_aes_keys;

#if defined(__x86_64__)
/* Only on processors with AES-NI. */
void pl_aes_expand(const uint8_t key[PL_PRG_KEY_BYTES], pl_aes_keys *out);

/* pl_aes_ctr_* write n_blocks key stream blocks for the counter blocks (high, low), (high, low +
 * 1), ... */
void pl_aes_ctr_aesni(const pl_aes_keys *keys, uint64_t high, uint64_t low, uint8_t *out,
                      size_t n_blocks);
void pl_aes_ctr_vaes(const pl_aes_keys *keys, uint64_t high, uint64_t low, uint8_t *out,
                     size_t n_blocks);
void pl_aes_ctr_vaes512(const pl_aes_keys *keys, uint64_t high, uint64_t low, uint8_t *out,
                        size_t n_blocks);
#endif

/* pl_prg_new_at makes a stream whose first counter block is (high, low): for published test
 * vectors. */
PL_STATUS pl_prg_new_at(const uint8_t key[PL_PRG_KEY_BYTES], uint64_t high, uint64_t low,
                        pl_prg **out);

#endif
