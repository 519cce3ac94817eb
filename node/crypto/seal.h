/* Seal: a body only one organisation's node can read, and that says who sealed it for whom.
 * Anonymous by itself: the body inside is signed.
 *
 * key, nonce = HKDF-SHA256(X25519(ephemeral, recipient), salt = ephemeral || recipient key,
 *                          info = "parley/1/seal" 0 sender 0 recipient 0); then AES-256-GCM.
 * One ephemeral key per message, as in RFC 9180's base mode. */
#ifndef PL_NODE_CRYPTO_SEAL_H
#define PL_NODE_CRYPTO_SEAL_H

#include "node/crypto/key.h"

/* pl_seal makes a packed parley.v1.Sealed. */
PL_STATUS pl_seal(const char *sender, const char *recipient, pl_view recipient_key, pl_view body,
                  pl_bytes *out);

/* pl_unseal opens one that names this sender and this recipient. UNAUTHENTICATED: sealed to another
 * key, by or for another, or changed on the way. */
PL_STATUS pl_unseal(const pl_key *key, const char *sender, const char *recipient, pl_view sealed,
                    pl_bytes *out);

#endif
