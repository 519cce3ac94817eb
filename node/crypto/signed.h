/* Signed: a body and signatures over its exact bytes. The domain is given by where the document
 * stands, never by itself. */
#ifndef PL_NODE_CRYPTO_SIGNED_H
#define PL_NODE_CRYPTO_SIGNED_H

#include "node/crypto/key.h"

#define PL_SIGNED_BYTES_MAX (1u << 20)
#define PL_SIGNATURES_MAX 64

/* pl_sign makes a packed parley.v1.Signed with one signature, by `signer` ("north", "root:north").
 */
PL_STATUS pl_sign(const pl_key *key, const char *domain, const char *signer, pl_view body,
                  pl_bytes *out_signed);

/* pl_sign_add adds a signature to a Signed, replacing one of the same signer. */
PL_STATUS pl_sign_add(const pl_key *key, const char *domain, const char *signer,
                      pl_view signed_bytes, pl_bytes *out_signed);

/* pl_signed_verify demands a valid signature by `signer` with the public key spki
 * (SubjectPublicKeyInfo DER) and copies the body. Errors: INVALID_ARGUMENT (cannot be read),
 * UNAUTHENTICATED (no such signature, other key, does not verify), UNSUPPORTED (suite). */
PL_STATUS pl_signed_verify(pl_view signed_bytes, const char *domain, const char *signer,
                           pl_view spki, pl_bytes *out_body);

/* pl_signed_body copies the body WITHOUT any verification: for documents that were verified before
 * they were stored. */
PL_STATUS pl_signed_body(pl_view signed_bytes, pl_bytes *out_body);

/* pl_signed_merge: signatures of b that a lacks are added; both must hold the same body (else
 * CORRUPT). */
PL_STATUS pl_signed_merge(pl_view a, pl_view b, pl_bytes *out);

#endif
