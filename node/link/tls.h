/* TLS: one connection's TLS 1.3 with an external pre-shared key (psk_dhe_ke; no certificates, no
 * tickets; TLS_AES_128_GCM_SHA256 only) over a non-blocking socket. OpenSSL reads and writes a flat
 * buffer each way; the socket moves whole buffers. */
#ifndef PL_NODE_LINK_TLS_H
#define PL_NODE_LINK_TLS_H

#include "protocols/base/bytes.h"

#define PL_TLS_BUFFER_BYTES (256u << 10)
#define PL_TLS_KEY_UPDATE_RECORDS                                                                  \
    (1u << 22) /* AES-GCM's limit is 2^24.5 records (RFC 8446, section 5.5) */

typedef struct pl_tls pl_tls;

typedef struct pl_tls_params {
    int fd;               /* non-blocking, connected; closed by pl_tls_free */
    bool dialler;         /* client */
    const uint8_t *psk;   /* [32], copied and wiped */
    const char *identity; /* session, ranks, lane */
    bool plain;           /* no TLS at all: for benches */
} pl_tls_params;

PL_STATUS pl_tls_new(const pl_tls_params *params, pl_tls **out);
void pl_tls_free(pl_tls *tls);
int pl_tls_fd(const pl_tls *tls);

/* All of these never block; *out_done 0 means: not now. PEER_LOST: the peer closed or the
 * connection broke; UNAUTHENTICATED: the peer does not hold the session's key; PROTOCOL: it does
 * not speak TLS 1.3 as agreed. */
PL_STATUS pl_tls_handshake(pl_tls *tls, bool *out_done);
PL_STATUS pl_tls_send(pl_tls *tls, const void *data, size_t len, size_t *out_done);
PL_STATUS pl_tls_recv(pl_tls *tls, void *data, size_t len, size_t *out_done);
PL_STATUS pl_tls_flush(pl_tls *tls);
bool pl_tls_is_flushed(const pl_tls *tls);

#ifdef PARLEY_TEST_HOOKS
/* A smaller number of records under one key, so that a test sees keys change. */
void pl_tls_set_records_max(pl_tls *tls, uint32_t records_max);
#endif

/* pl_tls_warm makes OpenSSL read its configuration and algorithms now, before a sandbox forbids
 * files. */
PL_STATUS pl_tls_warm(void);

#endif
