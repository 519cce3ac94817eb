/* Digests, randomness and signatures. Every digest and signature is domain-separated: what was
 * signed as an approval can never be taken for a charter. Suite 1: SHA-256, ECDSA P-256. */
#ifndef PL_NODE_CRYPTO_DIGEST_H
#define PL_NODE_CRYPTO_DIGEST_H

#include "protocols/base/bytes.h"

#define PL_SUITE 1u

/* pl_digest: SHA-256("parley/1/" domain 0x00 body). */
void pl_digest(const char *domain, pl_view body, uint8_t out[32]);

/* pl_sha256 hashes n parts one after the other, without a domain: for formats that others have
 * fixed (RFC 6962). */
void pl_sha256(const pl_view *parts, size_t n, uint8_t out[32]);

/* pl_random fills from the operating system's generator by OpenSSL (RAND_priv_bytes). */
PL_STATUS pl_random(void *out, size_t len);

#endif
