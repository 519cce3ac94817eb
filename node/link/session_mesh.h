/* Session mesh: the links of one session's worker to all its peers, and the pl_mesh over them;
 * where parties have several lanes, a mesh for each. The higher rank dials the lower one's session
 * port; connections the other way are passed in by parleyd (fd.h) with their preamble. Each link of
 * each lane: preamble, TLS 1.3 by a PSK of its own, then the charter digest, both ways, compared.
 * pl_link_mesh_new returns when every link has echoed it. */
#ifndef PL_NODE_LINK_SESSION_MESH_H
#define PL_NODE_LINK_SESSION_MESH_H

#include "node/link/preamble.h"
#include "node/link/psk.h"
#include "protocols/net/mesh.h"

typedef struct pl_link_peer {
    const char *const *endpoints; /* "127.0.0.1:7101", "[::1]:7101": numeric, since a worker cannot
                                     read resolver files */
    size_t n_endpoints;
    size_t n_lanes; /* with this peer: lanes of the session in which both have a part; 0: 1 */
    uint8_t psk[PL_PREAMBLE_LANES_MAX][PL_PSK_BYTES]; /* by lane */
} pl_link_peer;

typedef struct pl_link_mesh_params {
    size_t rank, n_parties;
    size_t n_lanes;            /* of this party; 0: 1 */
    const uint8_t *session_id; /* [16] */
    const pl_link_peer *peers; /* [n_parties]; own entry unused */
    int connections_fd;        /* where accepted connections come; -1: none (rank is the highest) */
    const uint8_t *first_message; /* [32], the charter digest */
    unsigned connect_ms;          /* until all links are up */
    unsigned deadline_ms;         /* of the whole session, from now */
    bool tls;                     /* false: benches only */
} pl_link_mesh_params;

/* pl_link_mesh_new: out [n_lanes], a mesh for each lane, all of the same ranks. In lanes other than
 * 0 a peer may have no part (peers[].n_lanes): sending to it is INVALID_ARGUMENT.
 * Errors: TIMEOUT (who is missing, and which lane of it), UNAUTHENTICATED, PROTOCOL ("rank 2 holds
 * another charter"), PEER_LOST, CANCELLED. */
PL_STATUS pl_link_mesh_new(const pl_link_mesh_params *params, pl_mesh **out);

/* pl_link_mesh_from_fds: connected sockets instead of dialling, [n_parties], own entry unused;
 * taken. One lane. For tests and benches. */
PL_STATUS pl_link_mesh_from_fds(const pl_link_mesh_params *params, const int *fds, pl_mesh **out);

/* pl_link_transport_from_fds: the transport under such a mesh, for those who put something between
 * (benches that delay); pl_mesh_new takes out_ctx. */
PL_STATUS pl_link_transport_from_fds(const pl_link_mesh_params *params, const int *fds,
                                     pl_transport *out_transport, void **out_ctx);

/* pl_link_library_warm prepares OpenSSL and the interrupt before a sandbox closes. */
PL_STATUS pl_link_library_warm(void);

/* pl_link_mesh_interrupt: whatever waits in this process's mesh, now or later, returns CANCELLED.
 * Safe from any thread. */
void pl_link_mesh_interrupt(void);

#endif
