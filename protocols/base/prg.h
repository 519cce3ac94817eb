/* PRG: an indexed pseudorandom stream, AES-128 in counter mode. Two parties that hold the same key
 * read the same stream; a stream belongs to one pair and one purpose and no index of it is used
 * twice.
 *
 * The stream is NIST CTR with a 128-bit big-endian counter block that starts at (nonce << 64): the
 * portable path (OpenSSL EVP), AES-NI and VAES on 256 and 512 bits give the same bytes.
 *
 * Source: NIST SP 800-38A, section 6.5. */
#ifndef PL_BASE_PRG_H
#define PL_BASE_PRG_H

#include "protocols/base/bytes.h"

#define PL_PRG_KEY_BYTES 16

typedef struct pl_prg pl_prg;

/* pl_prg_new makes the stream (key, nonce), positioned at byte 0. */
PL_STATUS pl_prg_new(const uint8_t key[PL_PRG_KEY_BYTES], uint64_t nonce, pl_prg **out);
void pl_prg_free(pl_prg *prg); /* wipes */

/* pl_prg_fill writes the next len bytes of the stream and moves past them. */
PL_STATUS pl_prg_fill(pl_prg *prg, void *out, size_t len);

/* Which implementation runs: chosen once from the processor, or forced (tests compare all paths).
 */
typedef enum pl_prg_path {
    PL_PRG_AUTO,
    PL_PRG_EVP,
    PL_PRG_AESNI,
    PL_PRG_VAES,
    PL_PRG_VAES512
} pl_prg_path;
/* UNSUPPORTED when this processor lacks the path. Applies to streams made afterwards. Not thread
 * safe: tests only. */
PL_STATUS pl_prg_force_path(pl_prg_path path);
const char *pl_prg_path_name(void);

#endif
