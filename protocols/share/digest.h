/* Digest: SHA-256 with a label, so that no digest stands for two things. Private to share/. */
#ifndef PL_SHARE_DIGEST_H
#define PL_SHARE_DIGEST_H

#include "protocols/base/bytes.h"

#define PL_DIGEST_BYTES 32

/* digest = SHA-256(label NUL, len as 8 bytes little-endian, data). INTERNAL when OpenSSL refuses.
 */
PL_STATUS pl_share_digest(const char *label, const void *data, size_t len,
                          uint8_t out[PL_DIGEST_BYTES]);

/* pl_derive gives an independent 32-byte secret per label and index. */
PL_STATUS pl_derive(const char *label, const uint8_t seed[32], uint64_t index,
                    uint8_t out[PL_DIGEST_BYTES]);

#endif
