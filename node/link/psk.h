/* Session keys: both parties' one-time X25519 keys, bound to the charter, the ranks and the lane,
 * give one TLS key per link.
 *
 * psk = HKDF-SHA256(X25519(mine, theirs), salt = charter digest, info = "parley/1/link" 0 suite
 * u16, dialler u16, answerer u16, lane u16) Source: RFC 7748, RFC 5869. */
#ifndef PL_NODE_LINK_PSK_H
#define PL_NODE_LINK_PSK_H

#include "protocols/base/bytes.h"

#define PL_PSK_BYTES 32

PL_STATUS pl_x25519_generate(uint8_t out_private[32], uint8_t out_public[32]);

/* Both sides give dialler and answerer alike. UNAUTHENTICATED: the peer's key is of low order or no
 * key. */
PL_STATUS pl_link_psk(const uint8_t own_private[32], const uint8_t peer_public[32],
                      const uint8_t charter_digest[32], size_t dialler, size_t answerer,
                      size_t lane, uint8_t out_psk[PL_PSK_BYTES]);

#endif
