/* The mesh and its in-memory transport: order and content under any chunking, both ways at once,
 * and what happens when a peer goes or keeps silent. Wrong if the slow transport below never splits
 * a message (it counts). */
#include "protocols/net/abort.h"
#include "protocols/net/memory_transport.h"
#include "tests/unit/party_fixture.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- a transport that takes uneven bits and sometimes nothing, and holds sent bytes back until it
 * is asked again ---- */

typedef struct slow {
    pl_transport inner;
    void *ctx;
    uint32_t turn;
    bool held[8];
} slow;

static atomic_size_t n_splits;

static size_t slow_len(slow *s, size_t len) {
    static const size_t lens[] = {1, 7, 64, 0, 1000, 3, 16385};
    size_t most = lens[s->turn++ % (sizeof lens / sizeof lens[0])];
    if (most < len)
        atomic_fetch_add(&n_splits, 1);
    return len < most ? len : most;
}

static pl_status slow_send(void *ctx, size_t peer, const void *data, size_t len, size_t *out_done) {
    slow *s = ctx;
    s->held[peer] = len != 0; /* asked with nothing to send: flushed */
    *out_done = 0;
    size_t most = slow_len(s, len);
    return most == 0 ? PL_OK : s->inner.try_send(s->ctx, peer, data, most, out_done);
}

static pl_status slow_recv(void *ctx, size_t peer, void *data, size_t len, size_t *out_done) {
    slow *s = ctx;
    *out_done = 0;
    size_t most = slow_len(s, len);
    return most == 0 ? PL_OK : s->inner.try_recv(s->ctx, peer, data, most, out_done);
}

static bool slow_is_flushed(void *ctx, size_t peer) {
    return !((slow *)ctx)->held[peer];
}

static pl_status slow_wait(void *ctx, const uint8_t *want) {
    slow *s = ctx;
    return s->inner.wait(s->ctx, want);
}

static void slow_free(void *ctx) {
    slow *s = ctx;
    s->inner.free(s->ctx);
    free(s);
}

static void slow_meshes(size_t n, pl_mesh **out) {
    static const pl_transport transport = {slow_send, slow_recv, slow_is_flushed, slow_wait,
                                           slow_free};
    pl_transport inner;
    void *ctx[8];
    fixture_ok(pl_memory_transports(n, FIXTURE_TIMEOUT_MS, &inner, ctx));
    for (size_t i = 0; i < n; i++) {
        slow *s = calloc(1, sizeof *s);
        *s = (slow){.inner = inner, .ctx = ctx[i], .turn = (uint32_t)i};
        fixture_ok(pl_mesh_new(i, n, &transport, s, &out[i]));
    }
}

/* ---- everybody sends everybody a long message, in pieces that the receiver cuts differently ----
 */

#define LONG_BYTES ((size_t)3 << 20) /* longer than the pipe */

static uint8_t byte_at(size_t from, size_t to, size_t i) {
    return (uint8_t)(i * 31 + (i >> 8) * 7 + from * 101 + to * 13);
}

static pl_status queue_all(pl_mesh *mesh, uint8_t **out, uint8_t **in) {
    size_t rank = pl_mesh_rank(mesh), n = pl_mesh_n_parties(mesh);
    for (size_t peer = 0; peer < n; peer++) {
        if (peer == rank)
            continue;
        for (size_t i = 0; i < LONG_BYTES; i++)
            out[peer][i] = byte_at(rank, peer, i);
        for (size_t at = 0, len = 1; at < LONG_BYTES; at += len, len = len * 3 + 1) {
            len = len < LONG_BYTES - at ? len : LONG_BYTES - at;
            PL_TRY(pl_mesh_send(mesh, peer, out[peer] + at, len));
            PL_TRY(pl_mesh_send(mesh, peer, NULL, 0));
        }
        for (size_t at = 0, len = 100000; at < LONG_BYTES; at += len) {
            len = len < LONG_BYTES - at ? len : LONG_BYTES - at;
            PL_TRY(pl_mesh_recv(mesh, peer, in[peer] + at, len));
            PL_TRY(pl_mesh_recv(mesh, peer, NULL, 0));
        }
    }
    return PL_OK;
}

static pl_status check_all(pl_mesh *mesh, uint8_t **in) {
    size_t rank = pl_mesh_rank(mesh), n = pl_mesh_n_parties(mesh);
    for (size_t peer = 0; peer < n; peer++) {
        for (size_t i = 0; peer != rank && i < LONG_BYTES; i++) {
            if (in[peer][i] != byte_at(peer, rank, i))
                return pl_fail(PL_CORRUPT, "byte %zu from %zu at %zu is wrong", i, peer, rank);
        }
    }
    pl_counters counters = pl_mesh_counters(mesh);
    if (counters.rounds != 1 || counters.bytes_sent != LONG_BYTES * (n - 1) ||
        counters.bytes_received != LONG_BYTES * (n - 1))
        return pl_fail(PL_CORRUPT, "the counters are wrong");
    return PL_OK;
}

static pl_status all_to_all(size_t rank, pl_mesh *mesh, void *ctx) {
    (void)rank;
    (void)ctx;
    uint8_t *buffers[16], **out = buffers, **in = buffers + 8;
    for (size_t i = 0; i < 16; i++)
        buffers[i] = malloc(LONG_BYTES);
    pl_status status = queue_all(mesh, out, in);
    if (pl_is_ok(status))
        status = pl_mesh_finish(mesh);
    if (pl_is_ok(status))
        status = check_all(mesh, in);
    for (size_t i = 0; i < 16; i++)
        free(buffers[i]);
    return status;
}

static void all_to_all_over_memory(void **state) {
    (void)state;
    fixture_ok(pl_parties_run(3, FIXTURE_TIMEOUT_MS, all_to_all, NULL));
    fixture_ok(pl_parties_run(5, FIXTURE_TIMEOUT_MS, all_to_all, NULL));
}

#define SHORT_BYTES 5000

/* Two ends in one thread: pumping alone moves what fits. */
static void uneven_chunks_keep_order(void **state) {
    (void)state;
    pl_mesh *m[2];
    slow_meshes(2, m);
    static uint8_t out[2][SHORT_BYTES], in[2][SHORT_BYTES];
    for (size_t r = 0; r < 2; r++) {
        for (size_t i = 0; i < SHORT_BYTES; i++)
            out[r][i] = byte_at(r, 1 - r, i);
        fixture_ok(pl_mesh_recv(m[r], 1 - r, in[r], 17));
        fixture_ok(pl_mesh_recv(m[r], 1 - r, in[r] + 17, SHORT_BYTES - 17));
        fixture_ok(pl_mesh_send(m[r], 1 - r, out[r], SHORT_BYTES));
    }
    while (pl_mesh_counters(m[0]).bytes_received + pl_mesh_counters(m[1]).bytes_received <
           2 * SHORT_BYTES) {
        fixture_ok(pl_mesh_pump(m[0]));
        fixture_ok(pl_mesh_pump(m[1]));
    }
    for (size_t r = 0; r < 2; r++) {
        fixture_ok(pl_mesh_finish(
            m[r])); /* flushes; counts the round although nothing is left to receive */
        assert_memory_equal(in[r], out[1 - r], SHORT_BYTES);
        assert_int_equal(pl_mesh_counters(m[r]).rounds, 1);
        fixture_ok(pl_mesh_finish(m[r]));
        assert_int_equal(pl_mesh_counters(m[r]).rounds, 1);
    }
    assert_true(n_splits > 10);
    pl_mesh_free(m[0]);
    pl_mesh_free(m[1]);
}

static void exchange_is_one_round(void **state) {
    (void)state;
    pl_mesh *m[2];
    fixture_ok(pl_memory_meshes(2, FIXTURE_TIMEOUT_MS, m));
    char in[2][4] = {"", ""};
    fixture_ok(pl_mesh_send(m[1], 0, "abc", 4));
    fixture_ok(pl_mesh_finish(m[1]));
    fixture_ok(pl_mesh_exchange(m[0], 1, "xyz", 4, 1, in[0], 4));
    fixture_ok(pl_mesh_recv(m[1], 0, in[1], 4));
    fixture_ok(pl_mesh_finish(m[1]));
    assert_string_equal(in[0], "abc");
    assert_string_equal(in[1], "xyz");
    assert_int_equal(pl_mesh_counters(m[0]).rounds, 1);
    pl_mesh_free(m[0]);
    pl_mesh_free(m[1]);
}

static void links_to_nobody_are_refused(void **state) {
    (void)state;
    pl_mesh *m[2];
    fixture_ok(pl_memory_meshes(2, FIXTURE_TIMEOUT_MS, m));
    char byte = 0;
    fixture_fails(pl_mesh_send(m[0], 0, &byte, 1), PL_INVALID_ARGUMENT, "no link to rank 0");
    fixture_fails(pl_mesh_recv(m[0], 2, &byte, 1), PL_INVALID_ARGUMENT, "no link to rank 2");
    fixture_fails(pl_mesh_drain(m[0], 9, 0), PL_INVALID_ARGUMENT, "no link to rank 9");
    fixture_ok(pl_mesh_send(m[0], 1, &byte, 1)); /* a wrong argument does not kill the mesh */
    fixture_ok(pl_mesh_finish(m[0]));
    pl_mesh_free(m[0]);
    pl_mesh_free(m[1]);
    pl_mesh *none[1];
    fixture_fails(pl_memory_meshes(65, 1, none), PL_INVALID_ARGUMENT, "1 to 64");
}

/* What a peer sent before it left arrives; then the mesh is dead for good. */
static void lost_peer(void **state) {
    (void)state;
    pl_mesh *m[2];
    fixture_ok(pl_memory_meshes(2, FIXTURE_TIMEOUT_MS, m));
    char in[4] = "";
    fixture_ok(pl_mesh_send(m[1], 0, "bye", 4));
    fixture_ok(pl_mesh_finish(m[1]));
    pl_mesh_free(m[1]);
    fixture_ok(pl_mesh_recv(m[0], 1, in, 4));
    fixture_ok(pl_mesh_finish(m[0]));
    assert_string_equal(in, "bye");
    fixture_ok(pl_mesh_recv(m[0], 1, in, 4));
    fixture_fails(pl_mesh_finish(m[0]), PL_PEER_LOST, "rank 1");
    fixture_fails(pl_mesh_finish(m[0]), PL_PEER_LOST, "rank 1");
    fixture_fails(pl_mesh_send(m[0], 1, in, 1), PL_PEER_LOST, "rank 1");
    fixture_fails(pl_mesh_pump(m[0]), PL_PEER_LOST, "rank 1");
    pl_mesh_free(m[0]);
}

static void silent_peer(void **state) {
    (void)state;
    pl_mesh *m[2];
    fixture_ok(pl_memory_meshes(2, 30, m));
    char in[4];
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    fixture_ok(pl_mesh_recv(m[0], 1, in, 4));
    fixture_fails(pl_mesh_finish(m[0]), PL_TIMEOUT, "waited 30 ms");
    clock_gettime(CLOCK_MONOTONIC, &end);
    int64_t ns = (int64_t)(end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec;
    assert_true(ns >= 29000000);
    fixture_fails(pl_mesh_finish(m[0]), PL_TIMEOUT, "waited 30 ms");
    pl_mesh_free(m[0]);
    pl_mesh_free(m[1]);
}

/* A peer that does not read bounds a sender's backlog, not its patience. */
static void drain_waits_for_room(void **state) {
    (void)state;
    pl_mesh *m[2];
    fixture_ok(pl_memory_meshes(2, 30, m));
    uint8_t *data = calloc(1, LONG_BYTES);
    fixture_ok(pl_mesh_send(m[0], 1, data, LONG_BYTES));
    fixture_ok(pl_mesh_drain(m[0], 1, LONG_BYTES)); /* nothing to wait for */
    fixture_fails(pl_mesh_drain(m[0], 1, 0), PL_TIMEOUT, "no peer moved");
    pl_mesh_free(m[0]);
    pl_mesh_free(m[1]);
    free(data);
}

/* After an abort nothing is written into buffers that were queued: they can be freed (ASan
 * watches). */
static void abort_lets_go(void **state) {
    (void)state;
    pl_mesh *m[2];
    fixture_ok(pl_memory_meshes(2, FIXTURE_TIMEOUT_MS, m));
    char *in = malloc(4);
    fixture_ok(pl_mesh_recv(m[0], 1, in, 4));
    pl_status cause = pl_fail(PL_LIMIT, "no memory for a test");
    pl_mesh_abort(m[0], cause);
    pl_status_done(&cause);
    free(in);
    fixture_ok(pl_mesh_send(m[1], 0, "abc", 4));
    fixture_ok(pl_mesh_finish(m[1]));
    fixture_fails(pl_mesh_pump(m[0]), PL_LIMIT, "no memory for a test");
    cause = pl_fail(PL_PROTOCOL, "later");
    pl_mesh_abort(m[0], cause);
    pl_status_done(&cause);
    fixture_fails(pl_mesh_finish(m[0]), PL_LIMIT, "no memory for a test");
    pl_mesh_free(m[0]);
    pl_mesh_free(m[1]);
    pl_mesh_free(NULL);
}

/* Rank 2 fails for a reason of its own; the others only lose it. */
static pl_status fail_at_2(size_t rank, pl_mesh *mesh, void *ctx) {
    (void)ctx;
    char in;
    if (rank == 2)
        return pl_fail(PL_OUT_OF_RANGE, "the cause");
    PL_TRY(pl_mesh_recv(mesh, 2, &in, 1));
    return pl_mesh_finish(mesh);
}

static void run_tells_the_cause(void **state) {
    (void)state;
    fixture_fails(pl_parties_run(4, FIXTURE_TIMEOUT_MS, fail_at_2, NULL), PL_OUT_OF_RANGE,
                  "the cause");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_to_all_over_memory),
        cmocka_unit_test(uneven_chunks_keep_order),
        cmocka_unit_test(exchange_is_one_round),
        cmocka_unit_test(links_to_nobody_are_refused),
        cmocka_unit_test(lost_peer),
        cmocka_unit_test(silent_peer),
        cmocka_unit_test(drain_waits_for_room),
        cmocka_unit_test(abort_lets_go),
        cmocka_unit_test(run_tells_the_cause),
    };
    return cmocka_run_group_tests_name("mesh", tests, NULL, NULL);
}
