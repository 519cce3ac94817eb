#include "bench/shim.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define PIECE_BYTES ((size_t)16384)
#define HEADER_BYTES ((size_t)16) /* when it arrives, in nanoseconds; how many bytes follow */
#define BACKLOG_NS 20000000.0     /* at least so much may be under way besides a round trip */
#define NAP_NS 100000u

/* Bytes on their way in one direction: read from the transport, not yet given to the mesh. */
typedef struct arriving {
    uint8_t *data;
    size_t begin, end, cap;
} arriving;

typedef struct link {
    double free_ns; /* when the sender's line is free again */
    uint8_t *out;   /* [HEADER_BYTES + PIECE_BYTES]: the piece being passed on */
    size_t out_at, out_len;
    arriving in;
} link;

typedef struct shim {
    pl_transport inner;
    void *ctx;
    double delay_ns, bytes_per_ns;
    size_t n;
    link *links;   /* [n] */
    uint8_t *want; /* [n] */
} shim;

static double now_ns(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

/* ---- out ---- */

static pl_status pass_on(shim *s, size_t peer) {
    link *l = &s->links[peer];
    while (l->out_at < l->out_len) {
        size_t done = 0;
        PL_TRY(s->inner.try_send(s->ctx, peer, l->out + l->out_at, l->out_len - l->out_at, &done));
        if (done == 0)
            break;
        l->out_at += done;
    }
    return PL_OK;
}

static bool line_is_full(const shim *s, const link *l, double now) {
    return l->free_ns - now > BACKLOG_NS + 2 * s->delay_ns;
}

static pl_status shim_send(void *ctx, size_t peer, const void *data, size_t len, size_t *out_done) {
    shim *s = ctx;
    link *l = &s->links[peer];
    const uint8_t *bytes = data;
    *out_done = 0;
    PL_TRY(pass_on(s, peer));
    double now = now_ns();
    while (*out_done < len && l->out_at == l->out_len && !line_is_full(s, l, now)) {
        size_t n = len - *out_done < PIECE_BYTES ? len - *out_done : PIECE_BYTES;
        l->free_ns = (l->free_ns > now ? l->free_ns : now) + (double)n / s->bytes_per_ns;
        pl_put_u64(l->out, (uint64_t)(l->free_ns + s->delay_ns));
        pl_put_u64(l->out + 8, n);
        memcpy(l->out + HEADER_BYTES, bytes + *out_done, n);
        l->out_at = 0;
        l->out_len = HEADER_BYTES + n;
        *out_done += n;
        PL_TRY(pass_on(s, peer));
    }
    return PL_OK;
}

static bool shim_is_flushed(void *ctx, size_t peer) {
    shim *s = ctx;
    pl_status status = pass_on(s, peer);
    pl_status_done(&status); /* a broken connection shows at the next send or wait */
    return s->links[peer].out_at == s->links[peer].out_len && s->inner.is_flushed(s->ctx, peer);
}

/* ---- in ---- */

static pl_status make_room(arriving *in) {
    if (in->begin > 0) {
        memmove(in->data, in->data + in->begin, in->end - in->begin);
        in->end -= in->begin;
        in->begin = 0;
    }
    if (in->cap - in->end >= PIECE_BYTES + HEADER_BYTES)
        return PL_OK;
    uint8_t *data;
    size_t cap = 2 * in->cap + 4 * PIECE_BYTES;
    PL_TRY(pl_alloc(cap, 1, &data));
    if (in->end != 0)
        memcpy(data, in->data, in->end);
    free(in->data);
    in->data = data;
    in->cap = cap;
    return PL_OK;
}

static pl_status read_all(shim *s, size_t peer) {
    arriving *in = &s->links[peer].in;
    for (;;) {
        size_t done = 0;
        if (in->cap - in->end < PIECE_BYTES + HEADER_BYTES)
            PL_TRY(make_room(in));
        pl_status status =
            s->inner.try_recv(s->ctx, peer, in->data + in->end, in->cap - in->end, &done);
        if (!pl_is_ok(status) && in->begin != in->end) { /* what is under way arrives first */
            pl_status_done(&status);
            return PL_OK;
        }
        PL_TRY(status);
        if (done == 0)
            return PL_OK;
        in->end += done;
    }
}

/* When the first piece is there, as far as it is known. */
static bool first_arrival(const arriving *in, double *out_ns) {
    if (in->end - in->begin < HEADER_BYTES)
        return false;
    *out_ns = (double)pl_get_u64(in->data + in->begin);
    return true;
}

static pl_status shim_recv(void *ctx, size_t peer, void *data, size_t len, size_t *out_done) {
    shim *s = ctx;
    arriving *in = &s->links[peer].in;
    uint8_t *to = data;
    double at, now = now_ns();
    *out_done = 0;
    PL_TRY(read_all(s, peer));
    while (*out_done < len && first_arrival(in, &at) && at <= now) {
        uint8_t *piece = in->data + in->begin;
        size_t left = (size_t)pl_get_u64(piece + 8), have = in->end - in->begin - HEADER_BYTES;
        size_t n = left < have ? left : have;
        n = n < len - *out_done ? n : len - *out_done;
        if (n == 0)
            break;
        memcpy(to + *out_done, piece + HEADER_BYTES, n);
        *out_done += n;
        in->begin += n;
        if (n == left) {
            in->begin += HEADER_BYTES;
        } else { /* the header moves up to what is left of its piece */
            pl_put_u64(in->data + in->begin, (uint64_t)at);
            pl_put_u64(in->data + in->begin + 8, left - n);
        }
    }
    return PL_OK;
}

/* ---- waiting ---- */

/* The next time at which something changes by itself; *out_ns is not touched when nothing does. */
static bool next_event(const shim *s, const uint8_t *want, double now, double *out_ns) {
    bool any = false;
    for (size_t peer = 0; peer < s->n; peer++) {
        const link *l = &s->links[peer];
        double at;
        if ((want[peer] & PL_WANT_RECV) != 0 && first_arrival(&l->in, &at) &&
            (!any || at < *out_ns)) {
            *out_ns = at;
            any = true;
        }
        if ((want[peer] & PL_WANT_SEND) != 0 && line_is_full(s, l, now) &&
            (!any || now + NAP_NS < *out_ns)) {
            *out_ns = now + NAP_NS;
            any = true;
        }
    }
    return any;
}

static void nap_until(double at, double now) {
    double ns = at - now;
    struct timespec t = {.tv_sec = (time_t)(ns / 1e9)};
    if (ns <= 0)
        return;
    t.tv_nsec = (long)(ns - (double)t.tv_sec * 1e9);
    nanosleep(&t, NULL);
}

static pl_status shim_wait(void *ctx, const uint8_t *want) {
    shim *s = ctx;
    double now = now_ns(), at = now;
    if (next_event(s, want, now, &at)) {
        bool held = false;
        for (size_t peer = 0; peer < s->n; peer++)
            held = held || s->links[peer].out_at < s->links[peer].out_len;
        nap_until(held && at > now + NAP_NS ? now + NAP_NS : at, now);
        return PL_OK;
    }
    memcpy(s->want, want, s->n);
    for (size_t peer = 0; peer < s->n; peer++) {
        if (s->links[peer].out_at < s->links[peer].out_len)
            s->want[peer] |= PL_WANT_SEND;
    }
    return s->inner.wait(s->ctx, s->want);
}

static void shim_free(void *ctx) {
    shim *s = ctx;
    for (size_t i = 0; s->links != NULL && i < s->n; i++) {
        free(s->links[i].out);
        free(s->links[i].in.data);
    }
    if (s->inner.free != NULL)
        s->inner.free(s->ctx);
    free(s->links);
    free(s->want);
    free(s);
}

pl_status pl_shim_wrap(const pl_net *net, size_t n_parties, pl_transport *transport, void **ctx) {
    static const pl_transport around = {shim_send, shim_recv, shim_is_flushed, shim_wait,
                                        shim_free};
    shim *s;
    pl_status status;
    PL_TRY(pl_alloc(1, sizeof *s, &s));
    s->n = n_parties;
    s->delay_ns = net->round_trip_us * 500;
    s->bytes_per_ns = net->bytes_per_second * 1e-9;
    PL_CHECK(status, pl_alloc(n_parties, sizeof *s->links, &s->links));
    PL_CHECK(status, pl_alloc(n_parties, 1, &s->want));
    for (size_t i = 0; i < n_parties; i++)
        PL_CHECK(status, pl_alloc(HEADER_BYTES + PIECE_BYTES, 1, &s->links[i].out));
    s->inner = *transport;
    s->ctx = *ctx;
    *transport = around;
    *ctx = s;
    return PL_OK;
out:
    shim_free(s);
    return status;
}
