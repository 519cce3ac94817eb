#include "node/link/measure.h"

#include "protocols/net/abort.h"

#include <stdlib.h>
#include <time.h>

#define PINGS 4
#define BULK_BYTES ((size_t)131072)

/* What nobody believes is cut: numbers come from peers. */
static const pl_net least = {1, 1e3}, most = {1e7, 1e11};

static double now_us(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec * 1e6 + (double)t.tv_nsec / 1e3;
}

static double between(double value, double low, double high) {
    return value > low ? (value < high ? value : high) : low; /* not a number: low */
}

/* One message round the ring, of len bytes: how long it takes from the begin until the other's is
 * here. */
static pl_status pass(pl_mesh *mesh, size_t prev, size_t next, uint8_t *bytes, size_t len,
                      double *out_us) {
    double begin = now_us();
    PL_TRY(pl_mesh_exchange(mesh, prev, bytes, len, next, bytes + len, len));
    *out_us = now_us() - begin;
    return PL_OK;
}

/* The first message waits for the slowest party, so the fastest counts. */
static pl_status measure_own(pl_mesh *mesh, size_t prev, size_t next, uint8_t *bytes, pl_net *own) {
    double best = 0, took = 0;
    for (size_t i = 0; i < PINGS; i++) {
        PL_TRY(pass(mesh, prev, next, bytes, 8, &took));
        best = i == 0 || took < best ? took : best;
    }
    PL_TRY(pass(mesh, prev, next, bytes, BULK_BYTES, &took));
    own->round_trip_us = 2 * best;
    own->bytes_per_second =
        took > best ? (double)BULK_BYTES / ((took - best) * 1e-6) : most.bytes_per_second;
    return PL_OK;
}

static void put(const pl_net *net, uint8_t *out) {
    pl_put_u64(out, (uint64_t)between(net->round_trip_us, least.round_trip_us, most.round_trip_us));
    pl_put_u64(out + 8, (uint64_t)between(net->bytes_per_second, least.bytes_per_second,
                                          most.bytes_per_second));
}

static void take_worse(const uint8_t *in, pl_net *net) {
    double round_trip = between((double)pl_get_u64(in), least.round_trip_us, most.round_trip_us);
    double rate =
        between((double)pl_get_u64(in + 8), least.bytes_per_second, most.bytes_per_second);
    net->round_trip_us = round_trip > net->round_trip_us ? round_trip : net->round_trip_us;
    net->bytes_per_second = rate < net->bytes_per_second ? rate : net->bytes_per_second;
}

static pl_status agree(pl_mesh *mesh, const size_t *ranks, size_t n, uint8_t *bytes, pl_net *out) {
    put(out, bytes);
    *out = (pl_net){least.round_trip_us, most.bytes_per_second};
    take_worse(bytes, out);
    for (size_t i = 0; i < n; i++) {
        if (ranks[i] == pl_mesh_rank(mesh))
            continue;
        PL_TRY(pl_mesh_recv(mesh, ranks[i], bytes + 16 * (i + 1), 16));
        PL_TRY(pl_mesh_send(mesh, ranks[i], bytes, 16));
    }
    PL_TRY(pl_mesh_finish(mesh));
    for (size_t i = 0; i < n; i++) {
        if (ranks[i] != pl_mesh_rank(mesh))
            take_worse(bytes + 16 * (i + 1), out);
    }
    return PL_OK;
}

pl_status pl_link_measure(pl_mesh *mesh, const size_t *ranks, size_t n, pl_net *out) {
    uint8_t *bytes;
    size_t own = 0;
    while (own < n && ranks[own] != pl_mesh_rank(mesh))
        own++;
    if (own == n || n < 2 || n > PL_PARTIES_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "links are measured between 2 to %d parties",
                       PL_PARTIES_MAX);
    PL_TRY(pl_alloc(2, BULK_BYTES, &bytes));
    pl_net net = {0, 0};
    pl_status status =
        measure_own(mesh, ranks[(own + n - 1) % n], ranks[(own + 1) % n], bytes, &net);
    if (pl_is_ok(status))
        status = agree(mesh, ranks, n, bytes, &net);
    if (pl_is_ok(status)) {
        *out = net;
        free(bytes);
        return PL_OK;
    }
    pl_mesh_abort(mesh, status); /* the mesh lets go of bytes */
    free(bytes);
    return pl_wrap(status, "cannot measure the links");
}
