/* Keys: ECDSA P-256 signing keys and X25519 seal keys, kept as PKCS#8 PEM files that nobody else
 * may read. */
#ifndef PL_NODE_CRYPTO_KEY_H
#define PL_NODE_CRYPTO_KEY_H

#include "protocols/base/bytes.h"

#define PL_SEAL_KEY_BYTES 32

typedef struct pl_key pl_key; /* a private key, P-256 or X25519 */

PL_STATUS pl_key_generate_signing(pl_key **out);
PL_STATUS pl_key_generate_sealing(pl_key **out);
void pl_key_free(pl_key *key);

/* pl_key_save creates path (0600, must not exist) and syncs it. ALREADY_EXISTS, IO. */
PL_STATUS pl_key_save(const pl_key *key, const char *path);
/* pl_key_load refuses a file that group or others may read: REFUSED, naming mode and remedy. */
PL_STATUS pl_key_load(const char *path, pl_key **out);
/* pl_key_pem gives the private key as PEM text, for TLS; the caller wipes it. */
PL_STATUS pl_key_pem(const pl_key *key, pl_bytes *out);

/* Public halves: SubjectPublicKeyInfo DER of a signing key; the 32 raw bytes of a seal key. */
PL_STATUS pl_key_spki(const pl_key *key, pl_bytes *out);
PL_STATUS pl_key_seal_public(const pl_key *key, uint8_t out[PL_SEAL_KEY_BYTES]);

/* pl_key_id: SHA-256 of a public key's bytes. */
PL_STATUS pl_key_id(pl_view public_key, uint8_t out[32]);

/* pl_key_check_signing: spki is a public key of suite 1 (P-256), UNAUTHENTICATED otherwise. */
PL_STATUS pl_key_check_signing(pl_view spki);

/* For the modules of this folder: the OpenSSL key, borrowed. */
struct evp_pkey_st *pl_key_evp(const pl_key *key);
/* A public key of suite 1 as OpenSSL's, to be freed with EVP_PKEY_free; NULL: it is none. */
struct evp_pkey_st *pl_key_evp_of_spki(pl_view spki);

#endif
