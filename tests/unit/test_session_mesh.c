/* The session mesh over real TCP and over socket pairs: all parties come up in any order, move
 * uneven amounts, and every way to fail has its own error. Each party is a thread; a thread per
 * port plays parleyd. Wrong if the payloads were equal for all pairs: each byte depends on both
 * ranks. */
#include "node/link/session_mesh.h"
#include "tests/unit/link_fixture.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define N_MAX 5
#define LEN_MAX (10u << 20)

static const uint8_t session_id[16] = "a session's name";

typedef struct party {
    pthread_t thread;
    pl_link_mesh_params params;
    pl_link_peer peers[N_MAX];
    const char *endpoints[2];
    uint8_t digest[32];
    int fds[N_MAX];
    bool dials; /* TCP, instead of fds */
    pl_status (*body)(pl_mesh *mesh);
    pl_status status;
} party;

/* ---- what a party does once its mesh stands ---- */

static uint8_t byte_at(size_t from, size_t to, size_t i) {
    return (uint8_t)(from * 101 + to * 13 + i * 7 + i / 253);
}

static pl_status check(const uint8_t *got, size_t from, size_t to, size_t len) {
    for (size_t i = 0; i < len; i++) {
        if (got[i] != byte_at(from, to, i))
            return pl_fail(PL_CORRUPT, "byte %zu from %zu to %zu is wrong", i, from, to);
    }
    return PL_OK;
}

/* One message of len bytes to and from everybody, at once. */
static pl_status all_to_all(pl_mesh *mesh, uint8_t *buffer, size_t len) {
    size_t n = pl_mesh_n_parties(mesh), own = pl_mesh_rank(mesh);
    for (size_t peer = 0; peer < n; peer++) {
        uint8_t *out = buffer + 2 * peer * len, *in = out + len;
        if (peer == own)
            continue;
        for (size_t i = 0; i < len; i++)
            out[i] = byte_at(own, peer, i);
        PL_TRY(pl_mesh_send(mesh, peer, out, len / 3));
        PL_TRY(pl_mesh_send(mesh, peer, out + len / 3, len - len / 3));
        PL_TRY(pl_mesh_recv(mesh, peer, in, len / 2));
        PL_TRY(pl_mesh_recv(mesh, peer, in + len / 2, len - len / 2));
    }
    PL_TRY(pl_mesh_finish(mesh));
    for (size_t peer = 0; peer < n; peer++) {
        if (peer != own)
            PL_TRY(check(buffer + (2 * peer + 1) * len, peer, own, len));
    }
    return PL_OK;
}

static pl_status talk(pl_mesh *mesh) {
    static const size_t lens[] = {1, 0, 16384, 16385, 300001, 5};
    uint8_t *buffer = NULL;
    PL_TRY(pl_alloc(2 * N_MAX, 300001, &buffer));
    pl_status status = PL_OK;
    for (size_t i = 0; i < sizeof lens / sizeof lens[0] && pl_is_ok(status); i++)
        status = all_to_all(mesh, buffer, lens[i]);
    free(buffer);
    return status;
}

static pl_status talk_much(pl_mesh *mesh) {
    uint8_t *buffer = NULL;
    PL_TRY(pl_alloc(2 * N_MAX, LEN_MAX, &buffer));
    pl_status status = all_to_all(mesh, buffer, LEN_MAX);
    free(buffer);
    return status;
}

static pl_status leave(pl_mesh *mesh) {
    (void)mesh;
    return PL_OK;
}

/* Rank 0 leaves at once; the others wait for it. */
static pl_status lose_rank_0(pl_mesh *mesh) {
    uint8_t byte;
    if (pl_mesh_rank(mesh) == 0)
        return PL_OK;
    PL_TRY(pl_mesh_recv(mesh, 0, &byte, 1));
    return pl_mesh_finish(mesh);
}

/* Rank 2 leaves, rank 1 therefore too, and rank 0 waits for rank 1 alone. (Links are closed from
 * rank 0 upwards: rank 0 can know of the first when it sees the second.) */
static pl_status fall_in_turn(pl_mesh *mesh) {
    uint8_t byte;
    size_t rank = pl_mesh_rank(mesh);
    if (rank == 2)
        return PL_OK;
    PL_TRY(pl_mesh_recv(mesh, rank + 1, &byte, 1));
    return pl_mesh_finish(mesh);
}

/* Rank 0 leaves without reading; the others only send. */
static pl_status send_to_nobody(pl_mesh *mesh) {
    if (pl_mesh_rank(mesh) == 0)
        return PL_OK;
    uint8_t *buffer = NULL;
    PL_TRY(pl_alloc(LEN_MAX, 1, &buffer));
    pl_status status = pl_mesh_send(mesh, 0, buffer, LEN_MAX);
    if (pl_is_ok(status))
        status = pl_mesh_finish(mesh);
    free(buffer);
    return status;
}

/* Everybody waits for everybody: nobody speaks until the session's deadline. */
static pl_status be_silent(pl_mesh *mesh) {
    uint8_t byte;
    PL_TRY(pl_mesh_recv(mesh, pl_mesh_rank(mesh) == 0 ? 1 : 0, &byte, 1));
    pl_status first = pl_mesh_finish(mesh), again = pl_mesh_finish(mesh);
    bool same = pl_status_code(first) == pl_status_code(again);
    pl_status_done(&again);
    if (same)
        return first;
    pl_status_done(&first);
    return pl_fail(PL_INTERNAL, "a dead mesh came back to life");
}

/* ---- parties as threads ---- */

static void *run_party(void *arg) {
    party *p = arg;
    pl_mesh *mesh = NULL;
    p->status = p->dials ? pl_link_mesh_new(&p->params, &mesh)
                         : pl_link_mesh_from_fds(&p->params, p->fds, &mesh);
    if (pl_is_ok(p->status))
        p->status = p->body(mesh);
    pl_mesh_free(mesh);
    return NULL;
}

static void set_party(party *p, size_t rank, size_t n, pl_status (*body)(pl_mesh *)) {
    *p = (party){.body = body, .digest = {9, 9, 9}};
    p->params = (pl_link_mesh_params){.rank = rank,
                                      .n_parties = n,
                                      .session_id = session_id,
                                      .peers = p->peers,
                                      .connections_fd = -1,
                                      .first_message = p->digest,
                                      .connect_ms = 20000,
                                      .deadline_ms = 60000,
                                      .tls = true};
    for (size_t peer = 0; peer < n; peer++) {
        p->peers[peer].psk[0][0] = (uint8_t)(rank < peer ? rank : peer);
        p->peers[peer].psk[0][1] = (uint8_t)(rank < peer ? peer : rank);
        p->fds[peer] = -1;
    }
}

static void set_pairs(party *parties, size_t n, pl_status (*body)(pl_mesh *)) {
    for (size_t i = 0; i < n; i++)
        set_party(&parties[i], i, n, body);
    for (size_t i = 0; i < n; i++) {
        for (size_t j = 0; j < i; j++) {
            int fds[2];
            assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
            parties[i].fds[j] = fds[0];
            parties[j].fds[i] = fds[1];
        }
    }
}

static void run_all(party *parties, size_t n) {
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pthread_create(&parties[i].thread, NULL, run_party, &parties[i]), 0);
    for (size_t i = 0; i < n; i++)
        pthread_join(parties[i].thread, NULL);
}

static void expect_all(party *parties, size_t first, size_t n, pl_code code, const char *text) {
    for (size_t i = first; i < n; i++)
        link_expect(parties[i].status, code, text);
}

/* ---- over socket pairs ---- */

static void three_and_five_talk(void **state) {
    (void)state;
    party parties[N_MAX];
    for (size_t n = 2; n <= N_MAX; n++) {
        set_pairs(parties, n, talk);
        run_all(parties, n);
        expect_all(parties, 0, n, PL_CODE_OK, "ok");
    }
}

static void ten_megabytes_each_way(void **state) {
    (void)state;
    party parties[3];
    for (size_t tls = 0; tls < 2; tls++) {
        set_pairs(parties, 3, talk_much);
        for (size_t i = 0; i < 3; i++)
            parties[i].params.tls = tls == 1;
        run_all(parties, 3);
        expect_all(parties, 0, 3, PL_CODE_OK, "ok");
    }
}

static void other_charter_is_refused(void **state) {
    (void)state;
    party parties[2];
    set_pairs(parties, 2, leave);
    parties[1].digest[31] = 1;
    run_all(parties, 2);
    link_expect(parties[0].status, PL_PROTOCOL, "rank 1 holds another charter");
    link_expect(parties[1].status, PL_PROTOCOL, "rank 0 holds another charter");
}

static void other_key_is_refused(void **state) {
    (void)state;
    party parties[2];
    set_pairs(parties, 2, leave);
    parties[1].peers[0].psk[0][31] = 1;
    run_all(parties, 2);
    link_expect(parties[0].status, PL_UNAUTHENTICATED, "link to rank 1");
    link_expect(parties[1].status, PL_UNAUTHENTICATED, "link to rank 0");
}

static void lost_peer_is_told(void **state) {
    (void)state;
    party parties[3];
    set_pairs(parties, 3, lose_rank_0);
    run_all(parties, 3);
    link_expect(parties[0].status, PL_CODE_OK, "ok");
    expect_all(parties, 1, 3, PL_PEER_LOST, "link to rank 0");
}

/* Who only followed is not blamed alone. */
static void all_lost_peers_are_named(void **state) {
    (void)state;
    party parties[3];
    set_pairs(parties, 3, fall_in_turn);
    run_all(parties, 3);
    link_expect(parties[2].status, PL_CODE_OK, "ok");
    link_expect(parties[1].status, PL_PEER_LOST, "link to rank 2");
    link_expect(parties[0].status, PL_PEER_LOST, "closed as well, and perhaps first: rank 2");
}

static void sending_to_nobody_is_told(void **state) {
    (void)state;
    party parties[2];
    set_pairs(parties, 2, send_to_nobody);
    run_all(parties, 2);
    link_expect(parties[0].status, PL_CODE_OK, "ok");
    link_expect(parties[1].status, PL_PEER_LOST, "link to rank 0");
}

static void silence_ends_at_the_deadline(void **state) {
    (void)state;
    party parties[2];
    set_pairs(parties, 2, be_silent);
    parties[0].params.deadline_ms = 1500;
    /* Rank 1 waits longer and sees rank 0 go. */
    parties[1].params.deadline_ms = 10000;
    run_all(parties, 2);
    link_expect(parties[0].status, PL_TIMEOUT, "waiting for rank 1");
    link_expect(parties[1].status, PL_PEER_LOST, "link to rank 0");
}

static void missing_peer_is_named(void **state) {
    (void)state;
    int fds[2];
    party p;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    set_party(&p, 0, 2, leave);
    p.fds[1] = fds[0];
    p.params.connect_ms = 100;
    run_party(&p);
    link_expect(p.status, PL_TIMEOUT, "rank 1 did not connect within 100 ms");
    close(fds[1]);
}

/* ---- over TCP, with a port per party ---- */

/* A port that nobody listens on: bound, closed again. */
static void dead_endpoint(char out[32]) {
    link_port p;
    link_port_open(&p);
    snprintf(out, 32, "%s", p.endpoint);
    link_port_close(&p);
}

/* Before the true connections a stranger sends party 0 a preamble, and then bytes that are no
 * handshake; with the session's own number he stands in the place of rank 1. */
static void send_stranger(const link_port *p, const uint8_t *session) {
    pl_preamble preamble = {.from_rank = 1, .to_rank = 0};
    memcpy(preamble.session_id, session, sizeof preamble.session_id);
    close(link_port_stranger(p, &preamble));
}

static void run_over_tcp(size_t n) {
    party parties[N_MAX];
    link_port ports[N_MAX];
    char dead[32];
    dead_endpoint(dead);
    for (size_t i = 0; i < n; i++)
        link_port_open(&ports[i]);
    for (size_t i = 0; i < n; i++) {
        set_party(&parties[i], i, n, talk);
        parties[i].dials = true;
        parties[i].params.connections_fd = i + 1 < n ? ports[i].pass[1] : -1;
    }
    const char *endpoints[N_MAX][2];
    for (size_t i = 0; i < n; i++) {
        endpoints[i][0] = dead; /* refused: the next one is tried */
        endpoints[i][1] = ports[i].endpoint;
    }
    for (size_t i = 0; i < n; i++) {
        for (size_t peer = 0; peer < i; peer++) {
            parties[i].peers[peer].endpoints = endpoints[peer];
            parties[i].peers[peer].n_endpoints = 2;
        }
    }
    send_stranger(&ports[0], (const uint8_t *)"another session");
    for (int i = 0; i < 3; i++)
        send_stranger(&ports[0], parties[0].params.session_id);
    for (size_t i = 0; i < n; i++)
        link_port_serve(&ports[i]);
    run_all(parties, n);
    expect_all(parties, 0, n, PL_CODE_OK, "ok");
    for (size_t i = 0; i < n; i++)
        link_port_close(&ports[i]);
}

static void parties_dial_each_other(void **state) {
    (void)state;
    run_over_tcp(3);
    run_over_tcp(5);
}

static void wrong_endpoints_are_refused(void **state) {
    (void)state;
    static const char *const wrong[] = {"node.example:7101", "127.0.0.1",  "127.0.0.1:0",
                                        "127.0.0.1:65536",   "[::1]",      "::1:7101",
                                        "[127.0.0.1]:7101",  "127.0.0.1:", "127.0.0.1:71x1"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        party p;
        set_party(&p, 1, 2, leave);
        p.dials = true;
        p.peers[0].endpoints = &wrong[i];
        p.peers[0].n_endpoints = 1;
        run_party(&p);
        link_expect(p.status, PL_INVALID_ARGUMENT, "is not a numeric address with a port");
    }
}

static int warm(void **state) {
    (void)state;
    pl_status status = pl_link_library_warm();
    return pl_is_ok(status) ? 0 : -1;
}

/* Last: an interrupt stays. The peer keeps silent, so nothing else can end the wait. */
static void interrupt_ends_waiting(void **state) {
    (void)state;
    int fds[2];
    party p;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    set_party(&p, 0, 2, leave);
    p.fds[1] = fds[0];
    pl_link_mesh_interrupt();
    run_party(&p);
    link_expect(p.status, PL_CANCELLED, "interrupted");
    close(fds[1]);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(three_and_five_talk),
        cmocka_unit_test(ten_megabytes_each_way),
        cmocka_unit_test(other_charter_is_refused),
        cmocka_unit_test(other_key_is_refused),
        cmocka_unit_test(lost_peer_is_told),
        cmocka_unit_test(all_lost_peers_are_named),
        cmocka_unit_test(sending_to_nobody_is_told),
        cmocka_unit_test(silence_ends_at_the_deadline),
        cmocka_unit_test(missing_peer_is_named),
        cmocka_unit_test(parties_dial_each_other),
        cmocka_unit_test(wrong_endpoints_are_refused),
        cmocka_unit_test(interrupt_ends_waiting),
    };
    return cmocka_run_group_tests(tests, warm, NULL);
}
