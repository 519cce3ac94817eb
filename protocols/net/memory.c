#include "protocols/net/memory.h"

#include "protocols/base/secret.h"
#include "protocols/net/memory_transport.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PIPE_BYTES ((size_t)1 << 18) /* a power of two */

/* One direction of one link: a ring with one writer and one reader. Positions only grow. */
typedef struct pipe_ring {
    uint8_t *data; /* [PIPE_BYTES] */
    _Atomic size_t written, taken;
} pipe_ring;

/* Where one rank sleeps. Whoever changes something it may wait for signals here, holding the lock.
 */
typedef struct bed {
    pthread_mutex_t lock;
    pthread_cond_t changed;
    atomic_bool gone; /* this rank freed its mesh */
} bed;

typedef struct hub {
    size_t n;
    unsigned timeout_ms;
    pipe_ring *pipes; /* [n * n]: from * n + to */
    bed *beds;        /* [n] */
    size_t n_beds;    /* initialised */
    atomic_size_t n_users;
} hub;

typedef struct end {
    hub *hub;
    size_t rank;
} end;

static pipe_ring *pipe_between(hub *h, size_t from, size_t to) {
    return &h->pipes[from * h->n + to];
}

static void wake(hub *h, size_t rank) {
    bed *b = &h->beds[rank];
    pthread_mutex_lock(&b->lock);
    pthread_cond_signal(&b->changed);
    pthread_mutex_unlock(&b->lock);
}

static pl_status lost(size_t peer) {
    return pl_fail(PL_PEER_LOST, "the party of rank %zu is gone", peer);
}

static pl_status memory_send(void *ctx, size_t peer, const void *data, size_t len,
                             size_t *out_done) {
    const end *e = ctx;
    pipe_ring *pipe = pipe_between(e->hub, e->rank, peer);
    *out_done = 0;
    if (atomic_load(&e->hub->beds[peer].gone))
        return lost(peer);
    size_t written = atomic_load_explicit(&pipe->written, memory_order_relaxed);
    size_t room = PIPE_BYTES - (written - atomic_load_explicit(&pipe->taken, memory_order_acquire));
    size_t take = len < room ? len : room;
    if (take == 0)
        return PL_OK;
    size_t at = written % PIPE_BYTES, first = PIPE_BYTES - at < take ? PIPE_BYTES - at : take;
    memcpy(pipe->data + at, data, first);
    memcpy(pipe->data, (const uint8_t *)data + first, take - first);
    atomic_store_explicit(&pipe->written, written + take, memory_order_release);
    wake(e->hub, peer);
    *out_done = take;
    return PL_OK;
}

static pl_status memory_recv(void *ctx, size_t peer, void *data, size_t len, size_t *out_done) {
    const end *e = ctx;
    pipe_ring *pipe = pipe_between(e->hub, peer, e->rank);
    *out_done = 0;
    /* Read before the bytes: what a peer wrote before it left is still delivered. */
    bool gone = atomic_load(&e->hub->beds[peer].gone);
    size_t taken = atomic_load_explicit(&pipe->taken, memory_order_relaxed);
    size_t filled = atomic_load_explicit(&pipe->written, memory_order_acquire) - taken;
    size_t take = len < filled ? len : filled;
    if (take == 0)
        return gone && len != 0 ? lost(peer) : PL_OK;
    size_t at = taken % PIPE_BYTES, first = PIPE_BYTES - at < take ? PIPE_BYTES - at : take;
    memcpy(data, pipe->data + at, first);
    memcpy((uint8_t *)data + first, pipe->data, take - first);
    atomic_store_explicit(&pipe->taken, taken + take, memory_order_release);
    wake(e->hub, peer);
    *out_done = take;
    return PL_OK;
}

static bool memory_is_flushed(void *ctx, size_t peer) {
    (void)ctx;
    (void)peer;
    return true; /* what is in the ring is at the peer */
}

/* A peer that is gone counts as progress: the next try says so. */
static bool may_progress(const end *e, const uint8_t *want) {
    for (size_t peer = 0; peer < e->hub->n; peer++) {
        if (want[peer] != 0 && atomic_load(&e->hub->beds[peer].gone))
            return true;
        const pipe_ring *out = pipe_between(e->hub, e->rank, peer);
        if ((want[peer] & PL_WANT_SEND) != 0 &&
            atomic_load(&out->written) - atomic_load(&out->taken) < PIPE_BYTES)
            return true;
        const pipe_ring *in = pipe_between(e->hub, peer, e->rank);
        if ((want[peer] & PL_WANT_RECV) != 0 &&
            atomic_load(&in->written) != atomic_load(&in->taken))
            return true;
    }
    return false;
}

static struct timespec deadline_in(unsigned timeout_ms) {
    struct timespec at;
    clock_gettime(CLOCK_MONOTONIC, &at);
    at.tv_sec += (time_t)(timeout_ms / 1000);
    at.tv_nsec += (long)(timeout_ms % 1000) * 1000000L;
    if (at.tv_nsec >= 1000000000L) {
        at.tv_nsec -= 1000000000L;
        at.tv_sec++;
    }
    return at;
}

static pl_status memory_wait(void *ctx, const uint8_t *want) {
    const end *e = ctx;
    bed *b = &e->hub->beds[e->rank];
    struct timespec deadline = deadline_in(e->hub->timeout_ms);
    int error = 0;
    pthread_mutex_lock(&b->lock);
    while (!may_progress(e, want) && error != ETIMEDOUT)
        error = pthread_cond_timedwait(&b->changed, &b->lock, &deadline);
    bool timed_out = error == ETIMEDOUT && !may_progress(e, want);
    pthread_mutex_unlock(&b->lock);
    if (timed_out)
        return pl_fail(PL_TIMEOUT, "rank %zu waited %u ms and no peer moved", e->rank,
                       e->hub->timeout_ms);
    return PL_OK;
}

static void hub_free(hub *h) {
    for (size_t i = 0; i < h->n_beds; i++) {
        pthread_cond_destroy(&h->beds[i].changed);
        pthread_mutex_destroy(&h->beds[i].lock);
    }
    for (size_t i = 0; h->pipes != NULL && i < h->n * h->n; i++) {
        size_t used = atomic_load(&h->pipes[i].written);
        if (h->pipes[i].data != NULL)
            pl_wipe(h->pipes[i].data, used < PIPE_BYTES ? used : PIPE_BYTES);
        free(h->pipes[i].data);
    }
    free(h->pipes);
    free(h->beds);
    free(h);
}

static void memory_free(void *ctx) {
    end *e = ctx;
    hub *h = e->hub;
    atomic_store(&h->beds[e->rank].gone, true);
    for (size_t peer = 0; peer < h->n; peer++)
        wake(h, peer);
    free(e);
    if (atomic_fetch_sub(&h->n_users, 1) == 1)
        hub_free(h);
}

static pl_status bed_init(bed *b) {
    pthread_condattr_t attr;
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    int error = pthread_cond_init(&b->changed, &attr);
    pthread_condattr_destroy(&attr);
    if (error != 0)
        return pl_fail(PL_LIMIT, "cannot make a condition variable: %s", strerror(error));
    error = pthread_mutex_init(&b->lock, NULL);
    if (error != 0) {
        pthread_cond_destroy(&b->changed);
        return pl_fail(PL_LIMIT, "cannot make a lock: %s", strerror(error));
    }
    return PL_OK;
}

static pl_status hub_new(size_t n, unsigned timeout_ms, hub **out) {
    hub *h;
    PL_TRY(pl_alloc(1, sizeof *h, &h));
    h->n = n;
    h->timeout_ms = timeout_ms;
    pl_status status;
    PL_CHECK(status, pl_alloc(n * n, sizeof *h->pipes, &h->pipes));
    PL_CHECK(status, pl_alloc(n, sizeof *h->beds, &h->beds));
    for (size_t i = 0; i < n; i++) {
        PL_CHECK(status, bed_init(&h->beds[i]));
        h->n_beds++;
    }
    for (size_t i = 0; i < n * n; i++) {
        if (i / n != i % n)
            PL_CHECK(status, pl_alloc(PIPE_BYTES, 1, &h->pipes[i].data));
    }
    *out = h;
    return PL_OK;
out:
    hub_free(h);
    return status;
}

pl_status pl_memory_transports(size_t n, unsigned timeout_ms, pl_transport *out_transport,
                               void **out_ctx) {
    if (n < 1 || n > 64)
        return pl_fail(PL_INVALID_ARGUMENT, "an in-memory mesh has 1 to 64 parties, not %zu", n);
    hub *h;
    PL_TRY(hub_new(n, timeout_ms, &h));
    pl_status status = PL_OK;
    end *ends[64] = {NULL};
    for (size_t i = 0; i < n && pl_is_ok(status); i++)
        status = pl_alloc(1, sizeof **ends, &ends[i]);
    if (!pl_is_ok(status)) {
        for (size_t i = 0; i < n; i++)
            free(ends[i]);
        hub_free(h);
        return status;
    }
    for (size_t i = 0; i < n; i++) {
        *ends[i] = (end){h, i};
        out_ctx[i] = ends[i];
    }
    atomic_store(&h->n_users, n);
    *out_transport = (pl_transport){.try_send = memory_send,
                                    .try_recv = memory_recv,
                                    .is_flushed = memory_is_flushed,
                                    .wait = memory_wait,
                                    .free = memory_free};
    return PL_OK;
}

pl_status pl_memory_meshes(size_t n, unsigned timeout_ms, pl_mesh **out_meshes) {
    pl_transport transport;
    void *ctx[64];
    PL_TRY(pl_memory_transports(n, timeout_ms, &transport, ctx));
    for (size_t i = 0; i < n; i++) {
        pl_status status = pl_mesh_new(i, n, &transport, ctx[i], &out_meshes[i]);
        if (pl_is_ok(status))
            continue;
        for (size_t done = 0; done < i; done++)
            pl_mesh_free(out_meshes[done]);
        for (size_t rest = i + 1; rest < n; rest++)
            transport.free(ctx[rest]);
        return status;
    }
    return PL_OK;
}
