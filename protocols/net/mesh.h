/* Mesh: a party's view of all its peers. Protocol code is straight-line and blocking over this
 * interface; the same code runs over the in-memory mesh (memory.h) and over TLS (node/link).
 *
 * A mesh has n_parties ranks; this party is `rank`. Towards every peer there is one ordered byte
 * stream each way. Sends and receives are queued, memory is borrowed until they complete, and
 * pl_mesh_finish drives both directions of all peers at once: blocking send then receive would
 * deadlock. After any failure the mesh is dead: every later call returns it again.
 *
 * Rounds are counted as the longest chain of waits: bytes that were asked for after r rounds belong
 * to round r + 1, and waiting for them makes r + 1 rounds of it. So blocks in flight share rounds.
 */
#ifndef PL_NET_MESH_H
#define PL_NET_MESH_H

#include "protocols/base/bytes.h"

typedef struct pl_mesh pl_mesh;

typedef struct pl_counters {
    uint64_t bytes_sent;     /* payload, over all peers */
    uint64_t bytes_received; /* payload, over all peers */
    uint64_t rounds;         /* waits for a peer that depend on each other */
} pl_counters;

size_t pl_mesh_rank(const pl_mesh *mesh);
size_t pl_mesh_n_parties(const pl_mesh *mesh);

/* pl_mesh_send queues len bytes for peer; data is borrowed until pl_mesh_finish returns. */
PL_STATUS pl_mesh_send(pl_mesh *mesh, size_t peer, const void *data, size_t len);

/* pl_mesh_recv queues a receive of exactly len bytes from peer; data is borrowed until
 * pl_mesh_finish returns. */
PL_STATUS pl_mesh_recv(pl_mesh *mesh, size_t peer, void *data, size_t len);

/* pl_mesh_pump moves what can be moved without waiting: call between chunks so that work and
 * transfer overlap. */
PL_STATUS pl_mesh_pump(pl_mesh *mesh);

/* pl_mesh_drain blocks until at most backlog bytes wait to be sent to peer (bounds a pipeline's
 * memory). */
PL_STATUS pl_mesh_drain(pl_mesh *mesh, size_t peer, size_t backlog);

/* Marks: everything queued so far, of one direction of one peer. wait blocks until it is through:
 * sent bytes may be written over, received ones read. Errors as of pl_mesh_finish. */
typedef struct pl_mark {
    size_t peer;
    uint64_t bytes, round;
} pl_mark;
pl_mark pl_mesh_mark_sent(const pl_mesh *mesh, size_t peer);
pl_mark pl_mesh_mark_received(const pl_mesh *mesh, size_t peer);
PL_STATUS pl_mesh_wait_sent(pl_mesh *mesh, pl_mark mark);
PL_STATUS pl_mesh_wait_received(pl_mesh *mesh, pl_mark mark);

/* pl_mesh_finish blocks until everything queued has been sent and received.
 * Errors: PEER_LOST, TIMEOUT (the mesh's deadline), PROTOCOL. */
PL_STATUS pl_mesh_finish(pl_mesh *mesh);

/* pl_mesh_exchange is one symmetric round with one pair of peers: send to `to`, receive from
 * `from`, finish. */
PL_STATUS pl_mesh_exchange(pl_mesh *mesh, size_t to, const void *send, size_t send_len, size_t from,
                           void *recv, size_t recv_len);

pl_counters pl_mesh_counters(const pl_mesh *mesh);

void pl_mesh_free(pl_mesh *mesh);

/* ---- for those who build a mesh
 * ------------------------------------------------------------------------------------- A transport
 * moves bytes of one link without blocking and can wait for several. pl_mesh_new takes ownership of
 * ctx. */
typedef struct pl_transport {
    /* try_send takes up to len bytes and says how many in *out_done; 0 when it would block. */
    pl_status (*try_send)(void *ctx, size_t peer, const void *data, size_t len, size_t *out_done);
    pl_status (*try_recv)(void *ctx, size_t peer, void *data, size_t len, size_t *out_done);
    /* is_flushed: no accepted byte of peer is still held back inside the transport (TLS records in
     * a buffer). */
    bool (*is_flushed)(void *ctx, size_t peer);
    /* wait blocks until progress may be possible; want[peer] has PL_WANT_SEND, PL_WANT_RECV bits.
     * TIMEOUT at the deadline. */
    pl_status (*wait)(void *ctx, const uint8_t *want);
    void (*free)(void *ctx);
} pl_transport;
#define PL_WANT_SEND 1u
#define PL_WANT_RECV 2u

PL_STATUS pl_mesh_new(size_t rank, size_t n_parties, const pl_transport *transport, void *ctx,
                      pl_mesh **out);

#endif
