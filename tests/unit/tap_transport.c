#include "tests/unit/tap_transport.h"

#include "protocols/net/memory_transport.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

typedef struct tap_end {
    tap_set *t;
    size_t rank;
    pl_transport inner;
    void *ctx;
    pl_mesh *mesh;
    pthread_t thread;
} tap_end;

static pl_status tap_send(void *ctx, size_t peer, const void *data, size_t len, size_t *out_done) {
    tap_end *e = ctx;
    tap *own = &e->t->taps[e->rank];
    uint8_t copy[1024];
    if (len > sizeof copy)
        len = sizeof copy;
    if (len != 0)
        memcpy(copy, data, len);
    size_t at = own->n_sent[peer];
    bool here = e->t->flips && own->open && e->t->from == e->rank && e->t->to == peer &&
                e->t->offset >= at && e->t->offset - at < len;
    if (here)
        copy[e->t->offset - at] ^= 0x10;
    PL_TRY(e->inner.try_send(e->ctx, peer, copy, len, out_done));
    if (here && e->t->offset - at < *out_done)
        e->t->flipped = true;
    if (own->open)
        own->n_sent[peer] += *out_done;
    return PL_OK;
}

static pl_status tap_recv(void *ctx, size_t peer, void *data, size_t len, size_t *out_done) {
    tap_end *e = ctx;
    tap *own = &e->t->taps[e->rank];
    PL_TRY(e->inner.try_recv(e->ctx, peer, data, len, out_done));
    if (own->open)
        pl_buf_append(&own->received[peer], data, *out_done);
    return PL_OK;
}

static bool tap_is_flushed(void *ctx, size_t peer) {
    const tap_end *e = ctx;
    return e->inner.is_flushed(e->ctx, peer);
}

static pl_status tap_wait(void *ctx, const uint8_t *want) {
    const tap_end *e = ctx;
    return e->inner.wait(e->ctx, want);
}

static void tap_free(void *ctx) {
    const tap_end *e = ctx;
    e->inner.free(e->ctx);
}

static void *tap_party(void *arg) {
    tap_end *e = arg;
    pl_party *p = NULL;
    pl_status status = fixture_party(e->t->set, e->rank, e->mesh, &p);
    if (pl_is_ok(status))
        status = e->t->program(p, e->t->ctx);
    pl_party_free(p);
    pl_mesh_free(e->mesh);
    e->t->statuses[e->rank] = status;
    return NULL;
}

void tap_run(tap_set *t) {
    static const pl_transport transport = {tap_send, tap_recv, tap_is_flushed, tap_wait, tap_free};
    size_t n = t->set->n_parties;
    tap_end ends[TAP_PARTIES];
    pl_transport inner;
    void *ctx[TAP_PARTIES];
    fixture_seed();
    fixture_ok(pl_memory_transports(n, FIXTURE_TIMEOUT_MS, &inner, ctx));
    for (size_t i = 0; i < n; i++) {
        ends[i] = (tap_end){.t = t, .rank = i, .inner = inner, .ctx = ctx[i]};
        fixture_ok(pl_mesh_new(i, n, &transport, &ends[i], &ends[i].mesh));
    }
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pthread_create(&ends[i].thread, NULL, tap_party, &ends[i]), 0);
    for (size_t i = 0; i < n; i++)
        pthread_join(ends[i].thread, NULL);
}

void tap_done(tap_set *t) {
    for (size_t i = 0; i < TAP_PARTIES; i++) {
        pl_status_done(&t->statuses[i]);
        for (size_t j = 0; j < TAP_PARTIES; j++)
            pl_buf_done(&t->taps[i].received[j]);
        t->taps[i] = (tap){0};
    }
    t->flipped = false;
}

void tap_open(tap_set *t, pl_party *p) {
    t->taps[pl_party_rank(p)].open = true;
}
