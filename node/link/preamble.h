/* Preamble: the one fixed cleartext message of a session connection, written first by the dialler,
 * read by parleyd, which hands the connection to the session's worker. It names, it proves nothing:
 * TLS with the session's keys does. */
#ifndef PL_NODE_LINK_PREAMBLE_H
#define PL_NODE_LINK_PREAMBLE_H

#include "protocols/base/bytes.h"

#define PL_PREAMBLE_BYTES 64
#define PL_PREAMBLE_VERSION 1
#define PL_PREAMBLE_SUITE 1
#define PL_PREAMBLE_RANKS_MAX 64
#define PL_PREAMBLE_LANES_MAX 8

typedef struct pl_preamble {
    uint8_t session_id[16];
    uint16_t from_rank, to_rank, lane;
} pl_preamble;

/* Wire: "PLY1", version u16, suite u16, session id [16], from u16, to u16, lane u16, zeros. */
void pl_preamble_encode(const pl_preamble *preamble, uint8_t out[PL_PREAMBLE_BYTES]);
/* PROTOCOL or UNSUPPORTED, naming the field. */
PL_STATUS pl_preamble_decode(pl_view bytes, pl_preamble *out);

#endif
