/* Garbage on the wire in the middle of every operation: rank 1 writes bytes that are no TLS record
 * on its connection to whoever it sends to at that moment. That party ends with PROTOCOL, always;
 * the third ends too, with what followed from it. What an authenticated peer puts inside its
 * messages is another matter: test_op_faults. Wrong if the garbage came when nothing more was
 * awaited: the byte that it stands before is one that is. */
#include "tests/unit/every_op.h"
#include "tests/unit/party_fixture.h"

#include "node/link/session_mesh.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define LIAR 1

typedef struct end {
    pl_transport inner;
    void *ctx;
    size_t rank;
    const every_op *op;
    int fds[3], raw[3]; /* raw: the liar's connections once more, beside TLS */
    bool lies, active;
    size_t n_sent, at; /* bytes since the operation began; garbage comes before this one */
    size_t victim;
    pthread_t thread;
    pl_status status;
} end;

static pl_status noisy_send(void *ctx, size_t peer, const void *data, size_t len,
                            size_t *out_done) {
    static const uint8_t garbage[80] = {0x17, 0x03, 0x03, 0x00, 0x4b, 0x5a};
    end *e = ctx;
    bool now = e->active && e->lies && len != 0 && e->n_sent <= e->at && e->at - e->n_sent < len;
    if (now) {
        len = e->at - e->n_sent;
        e->victim = peer;
        e->lies = len != 0; /* up to it all is well */
        if (len == 0 && send(e->raw[peer], garbage, sizeof garbage, MSG_NOSIGNAL) < 0)
            return pl_fail(PL_IO, "no garbage");
        if (len == 0)
            return PL_OK;
    }
    PL_TRY(e->inner.try_send(e->ctx, peer, data, len, out_done));
    e->n_sent += e->active ? *out_done : 0;
    return PL_OK;
}

static pl_status noisy_recv(void *ctx, size_t peer, void *data, size_t len, size_t *out_done) {
    end *e = ctx;
    return e->inner.try_recv(e->ctx, peer, data, len, out_done);
}

static bool noisy_is_flushed(void *ctx, size_t peer) {
    end *e = ctx;
    return e->inner.is_flushed(e->ctx, peer);
}

static pl_status noisy_wait(void *ctx, const uint8_t *want) {
    end *e = ctx;
    return e->inner.wait(e->ctx, want);
}

static void noisy_free(void *ctx) {
    const end *e = ctx;
    e->inner.free(e->ctx);
}

static pl_status program(end *e, pl_party *p) {
    pl_svec x = {0}, y = {0}, out = {0};
    uint64_t values[4 * EVERY_OP_N];
    pl_status status;
    PL_CHECK(status, every_op_inputs(p, &x, &y));
    e->active = true;
    PL_CHECK(status, e->op->run(p, &x, &y, &out));
    PL_CHECK(status, pl_open(p, &out, out.kind, out.n, 7, "a test", values));
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&out);
    return status;
}

static const fixture_set set = {"rep3", 3, {0, 1, 2}, 3, {0, 0}};

static pl_status connect_and_run(end *e) {
    static const pl_transport noisy = {noisy_send, noisy_recv, noisy_is_flushed, noisy_wait,
                                       noisy_free};
    static const uint8_t session_id[16] = "a session", charter[32] = "a charter";
    pl_link_peer peers[3] = {{.psk = {{1}}}, {.psk = {{1}}}, {.psk = {{1}}}};
    pl_link_mesh_params params = {.rank = e->rank,
                                  .n_parties = 3,
                                  .session_id = session_id,
                                  .peers = peers,
                                  .connections_fd = -1,
                                  .first_message = charter,
                                  .connect_ms = FIXTURE_TIMEOUT_MS,
                                  .deadline_ms = FIXTURE_TIMEOUT_MS,
                                  .tls = true};
    pl_mesh *mesh = NULL;
    pl_party *p = NULL;
    PL_TRY(pl_link_transport_from_fds(&params, e->fds, &e->inner, &e->ctx));
    PL_TRY(pl_mesh_new(e->rank, 3, &noisy, e, &mesh));
    pl_status status = fixture_party(&set, e->rank, mesh, &p);
    if (pl_is_ok(status))
        status = program(e, p);
    pl_party_free(p);
    pl_mesh_free(mesh);
    return status;
}

static void *sit(void *arg) {
    end *e = arg;
    e->status = connect_and_run(e);
    return NULL;
}

static void run(end ends[3], const every_op *op, bool lies, size_t at) {
    for (size_t i = 0; i < 3; i++)
        ends[i] = (end){.rank = i, .op = op, .lies = lies && i == LIAR, .at = at, .victim = 3};
    for (size_t i = 0; i < 3; i++) {
        for (size_t k = 0; k < i; k++) {
            int pair[2];
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair), 0);
            ends[i].fds[k] = pair[0];
            ends[k].fds[i] = pair[1];
        }
    }
    for (size_t i = 0; i < 3; i++)
        ends[LIAR].raw[i] = i == LIAR ? -1 : dup(ends[LIAR].fds[i]);
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&ends[i].thread, NULL, sit, &ends[i]), 0);
    pthread_join(ends[LIAR].thread, NULL);
    for (size_t i = 0; i < 3; i++) { /* the liar has left: its connections end now */
        if (i != LIAR) {
            close(ends[LIAR].raw[i]);
            pthread_join(ends[i].thread, NULL);
        }
    }
}

/* The byte may be one that the liar never sends to anybody who waits; the party that does ends. */
static void check_ends(end ends[3], const char *name) {
    assert_true(ends[LIAR].victim < 3);
    for (size_t i = 0; i < 3; i++) {
        pl_code code = pl_status_code(ends[i].status);
        bool ok = i == ends[LIAR].victim ? code == PL_PROTOCOL
                                         : i == LIAR || code == PL_PEER_LOST || code == PL_CODE_OK;
        if (!ok)
            fail_msg("%s: rank %zu, garbage for rank %zu: %s: %s", name, i, ends[LIAR].victim,
                     pl_code_describe(code)->name, pl_status_message(ends[i].status));
        pl_status_done(&ends[i].status);
    }
}

static void every_operation(void **state) {
    (void)state;
    end ends[3];
    size_t n_faults = 0;
    fixture_seed();
    fixture_ok(pl_link_library_warm());
    for (size_t i = 0; i < n_every_ops; i++) {
        run(ends, &every_ops[i], false, 0);
        for (size_t r = 0; r < 3; r++)
            fixture_ok(ends[r].status);
        size_t n_sent = ends[LIAR].n_sent;
        for (size_t part = 0; part < 4; part++, n_faults++) {
            run(ends, &every_ops[i], true, part == 3 ? n_sent - 1 : n_sent * part / 3);
            check_ends(ends, every_ops[i].name);
        }
    }
    printf("%zu times garbage in %zu operations\n", n_faults, n_every_ops);
    assert_true(n_faults > 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_operation)};
    return cmocka_run_group_tests_name("wire_faults", tests, NULL, NULL);
}
