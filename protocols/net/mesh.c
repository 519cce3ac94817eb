#include "protocols/net/mesh.h"

#include "protocols/net/abort.h"

#include <stdlib.h>
#include <string.h>

/* One queued send or receive: what is left of it. The bytes are the caller's. */
typedef struct segment {
    uint8_t *data;
    size_t len;
} segment;

/* A queue of segments, oldest first. */
typedef struct queue {
    segment *items;
    size_t head, n, cap;
    size_t bytes;  /* left in all of them */
    uint64_t done; /* since the beginning */
} queue;

struct pl_mesh {
    size_t rank, n_parties;
    pl_transport transport;
    void *ctx;
    queue *send, *recv; /* [n_parties] */
    uint8_t *want;      /* [n_parties] */
    uint64_t due;       /* the round that the last receive belongs to */
    pl_counters counters;
    pl_status failure; /* what every later call returns */
};

/* ---- queues ---- */

static pl_status queue_grow(queue *q) {
    size_t cap = q->cap == 0 ? 8 : 2 * q->cap;
    segment *items;
    PL_TRY(pl_alloc(cap, sizeof *items, &items));
    if (q->n != 0)
        memcpy(items, q->items + q->head, q->n * sizeof *items);
    free(q->items);
    q->items = items;
    q->head = 0;
    q->cap = cap;
    return PL_OK;
}

static pl_status queue_push(queue *q, uint8_t *data, size_t len) {
    size_t bytes;
    if (__builtin_add_overflow(q->bytes, len, &bytes))
        return pl_fail(PL_LIMIT, "more bytes are queued than can be counted");
    if (q->n == 0)
        q->head = 0;
    if (q->head + q->n == q->cap)
        PL_TRY(queue_grow(q));
    q->items[q->head + q->n] = (segment){data, len};
    q->n++;
    q->bytes = bytes;
    return PL_OK;
}

static void queue_advance(queue *q, size_t len) {
    segment *first = &q->items[q->head];
    first->data += len;
    first->len -= len;
    q->bytes -= len;
    q->done += len;
    if (first->len == 0) {
        q->head++;
        q->n--;
    }
}

static void queue_clear(queue *q) {
    q->head = q->n = q->bytes = 0;
}

/* ---- life ---- */

pl_status pl_mesh_new(size_t rank, size_t n_parties, const pl_transport *transport, void *ctx,
                      pl_mesh **out) {
    pl_mesh *mesh = NULL;
    pl_status status;
    PL_CHECK(status, pl_alloc(1, sizeof *mesh, &mesh));
    mesh->rank = rank;
    mesh->n_parties = n_parties;
    PL_CHECK(status, pl_alloc(n_parties, sizeof *mesh->send, &mesh->send));
    PL_CHECK(status, pl_alloc(n_parties, sizeof *mesh->recv, &mesh->recv));
    PL_CHECK(status, pl_alloc(n_parties, sizeof *mesh->want, &mesh->want));
    mesh->transport = *transport;
    mesh->ctx = ctx;
    *out = mesh;
    return PL_OK;
out:
    if (transport->free != NULL)
        transport->free(ctx); /* ownership passed with the call */
    pl_mesh_free(mesh);
    return status;
}

void pl_mesh_free(pl_mesh *mesh) {
    if (mesh == NULL)
        return;
    for (size_t peer = 0; peer < mesh->n_parties; peer++) {
        if (mesh->send != NULL)
            free(mesh->send[peer].items);
        if (mesh->recv != NULL)
            free(mesh->recv[peer].items);
    }
    free(mesh->send);
    free(mesh->recv);
    free(mesh->want);
    if (mesh->transport.free != NULL)
        mesh->transport.free(mesh->ctx);
    pl_status_done(&mesh->failure);
    free(mesh);
}

size_t pl_mesh_rank(const pl_mesh *mesh) {
    return mesh->rank;
}

size_t pl_mesh_n_parties(const pl_mesh *mesh) {
    return mesh->n_parties;
}

pl_counters pl_mesh_counters(const pl_mesh *mesh) {
    return mesh->counters;
}

/* ---- failure ---- */

static void drop_queues(pl_mesh *mesh) {
    for (size_t peer = 0; peer < mesh->n_parties; peer++) {
        queue_clear(&mesh->send[peer]);
        queue_clear(&mesh->recv[peer]);
    }
}

void pl_mesh_abort(pl_mesh *mesh, pl_status cause) {
    PL_ASSERT(!pl_is_ok(cause));
    drop_queues(mesh);
    if (pl_is_ok(mesh->failure))
        mesh->failure = pl_status_dup(cause);
}

/* Remembers a failure of the transport; what was queued is forgotten, so that the caller may free
 * its buffers. */
static pl_status settle(pl_mesh *mesh, pl_status status) {
    if (!pl_is_ok(status))
        pl_mesh_abort(mesh, status);
    return status;
}

static pl_status check_alive(const pl_mesh *mesh) {
    return pl_status_dup(mesh->failure);
}

static pl_status check_peer(const pl_mesh *mesh, size_t peer) {
    PL_TRY(check_alive(mesh));
    if (peer >= mesh->n_parties || peer == mesh->rank)
        return pl_fail(PL_INVALID_ARGUMENT, "rank %zu has no link to rank %zu in a mesh of %zu",
                       mesh->rank, peer, mesh->n_parties);
    return PL_OK;
}

/* ---- queueing ---- */

pl_status pl_mesh_send(pl_mesh *mesh, size_t peer, const void *data, size_t len) {
    PL_TRY(check_peer(mesh, peer));
    if (len == 0)
        return PL_OK;
    uint8_t *bytes;
    memcpy(&bytes, &data, sizeof bytes); /* one queue type for both ways; a send only reads */
    return settle(mesh, queue_push(&mesh->send[peer], bytes, len));
}

pl_status pl_mesh_recv(pl_mesh *mesh, size_t peer, void *data, size_t len) {
    PL_TRY(check_peer(mesh, peer));
    if (len == 0)
        return PL_OK;
    mesh->due = mesh->counters.rounds + 1;
    return settle(mesh, queue_push(&mesh->recv[peer], data, len));
}

static pl_mark mark_of(const pl_mesh *mesh, const queue *q, size_t peer) {
    return (pl_mark){peer, q->done + q->bytes, mesh->counters.rounds + 1};
}

pl_mark pl_mesh_mark_sent(const pl_mesh *mesh, size_t peer) {
    PL_ASSERT(peer < mesh->n_parties);
    return mark_of(mesh, &mesh->send[peer], peer);
}

pl_mark pl_mesh_mark_received(const pl_mesh *mesh, size_t peer) {
    PL_ASSERT(peer < mesh->n_parties);
    return mark_of(mesh, &mesh->recv[peer], peer);
}

/* ---- moving ---- */

static pl_status move_out(pl_mesh *mesh, size_t peer) {
    queue *q = &mesh->send[peer];
    while (q->n != 0) {
        const segment *first = &q->items[q->head];
        size_t done = 0;
        PL_TRY(mesh->transport.try_send(mesh->ctx, peer, first->data, first->len, &done));
        if (done == 0)
            break;
        PL_ASSERT(done <= first->len);
        mesh->counters.bytes_sent += done;
        queue_advance(q, done);
    }
    return PL_OK;
}

static pl_status move_in(pl_mesh *mesh, size_t peer) {
    queue *q = &mesh->recv[peer];
    while (q->n != 0) {
        segment *first = &q->items[q->head];
        size_t done = 0;
        PL_TRY(mesh->transport.try_recv(mesh->ctx, peer, first->data, first->len, &done));
        if (done == 0)
            break;
        PL_ASSERT(done <= first->len);
        mesh->counters.bytes_received += done;
        queue_advance(q, done);
    }
    return PL_OK;
}

static pl_status move_all(pl_mesh *mesh) {
    for (size_t peer = 0; peer < mesh->n_parties; peer++) {
        if (peer == mesh->rank)
            continue;
        PL_TRY(move_out(mesh, peer));
        PL_TRY(move_in(mesh, peer));
        /* A transport that holds bytes back lets them go when it is asked to send. */
        size_t none = 0;
        if (mesh->send[peer].n == 0 && !mesh->transport.is_flushed(mesh->ctx, peer))
            PL_TRY(mesh->transport.try_send(mesh->ctx, peer, NULL, 0, &none));
    }
    return PL_OK;
}

pl_status pl_mesh_pump(pl_mesh *mesh) {
    PL_TRY(check_alive(mesh));
    return settle(mesh, move_all(mesh));
}

/* Fills want[] and says whether anything is left to wait for. */
static bool wants_anything(pl_mesh *mesh) {
    bool any = false;
    for (size_t peer = 0; peer < mesh->n_parties; peer++) {
        mesh->want[peer] = 0;
        if (peer == mesh->rank)
            continue;
        if (mesh->send[peer].n != 0 || !mesh->transport.is_flushed(mesh->ctx, peer))
            mesh->want[peer] |= PL_WANT_SEND;
        if (mesh->recv[peer].n != 0)
            mesh->want[peer] |= PL_WANT_RECV;
        any = any || mesh->want[peer] != 0;
    }
    return any;
}

static uint64_t moved(const pl_mesh *mesh) {
    return mesh->counters.bytes_sent + mesh->counters.bytes_received;
}

/* Moves what can be moved; when that is nothing, waits until it may be something. */
static pl_status move_or_wait(pl_mesh *mesh) {
    uint64_t before = moved(mesh);
    PL_TRY(move_all(mesh));
    if (moved(mesh) == before && wants_anything(mesh))
        return mesh->transport.wait(mesh->ctx, mesh->want);
    return PL_OK;
}

static pl_status drain(pl_mesh *mesh, size_t peer, size_t backlog) {
    PL_TRY(move_all(mesh));
    while (mesh->send[peer].bytes > backlog)
        PL_TRY(move_or_wait(mesh));
    return PL_OK;
}

pl_status pl_mesh_drain(pl_mesh *mesh, size_t peer, size_t backlog) {
    PL_TRY(check_peer(mesh, peer));
    return settle(mesh, drain(mesh, peer, backlog));
}

static pl_status wait_until(pl_mesh *mesh, const queue *q, uint64_t bytes) {
    PL_ASSERT(bytes <= q->done + q->bytes);
    while (q->done < bytes)
        PL_TRY(move_or_wait(mesh));
    return PL_OK;
}

pl_status pl_mesh_wait_sent(pl_mesh *mesh, pl_mark mark) {
    PL_TRY(check_peer(mesh, mark.peer));
    return settle(mesh, wait_until(mesh, &mesh->send[mark.peer], mark.bytes));
}

pl_status pl_mesh_wait_received(pl_mesh *mesh, pl_mark mark) {
    PL_TRY(check_peer(mesh, mark.peer));
    PL_TRY(settle(mesh, wait_until(mesh, &mesh->recv[mark.peer], mark.bytes)));
    if (mesh->counters.rounds < mark.round)
        mesh->counters.rounds = mark.round;
    return PL_OK;
}

static pl_status finish(pl_mesh *mesh) {
    PL_TRY(move_all(mesh));
    while (wants_anything(mesh))
        PL_TRY(move_or_wait(mesh));
    return PL_OK;
}

pl_status pl_mesh_finish(pl_mesh *mesh) {
    PL_TRY(check_alive(mesh));
    PL_TRY(settle(mesh, finish(mesh)));
    if (mesh->counters.rounds < mesh->due)
        mesh->counters.rounds = mesh->due;
    return PL_OK;
}

pl_status pl_mesh_exchange(pl_mesh *mesh, size_t to, const void *send, size_t send_len, size_t from,
                           void *recv, size_t recv_len) {
    PL_TRY(pl_mesh_recv(mesh, from, recv, recv_len));
    pl_status status = pl_mesh_send(mesh, to, send, send_len);
    if (!pl_is_ok(status)) { /* the receive that is queued already borrows recv */
        pl_mesh_abort(mesh, status);
        return status;
    }
    return pl_mesh_finish(mesh);
}
