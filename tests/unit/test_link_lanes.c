/* Links of several lanes over real TCP: a lane exists between those that have a part in it, comes
 * up by a key of its own, and everything that goes wrong with one names it: another key, one that
 * never comes, one that the session does not have; one that dies under an operation ends it at all
 * parties. Each party is a thread, its session port another. Wrong if lanes were mixed up: what is
 * sent depends on ranks and lane. */
#include "node/link/session_mesh.h"
#include "protocols/mpc/mpc.h"
#include "tests/unit/link_fixture.h"

#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define N_PARTIES ((size_t)4)
#define ONLOOKER ((size_t)2) /* a party that does not compute: lane 0 only */
#define LANES_MAX PL_PREAMBLE_LANES_MAX
#define N_ELEMENTS (3 * PL_LANE_ELEMENTS)

static const uint8_t session_id[16] = "several lanes", digest[32] = "a charter";

typedef struct party {
    pthread_t thread;
    link_port port;
    pl_link_mesh_params params;
    pl_link_peer peers[N_PARTIES];
    const char *endpoints[N_PARTIES];
    pl_status (*body)(struct party *p, pl_mesh **meshes);
    atomic_size_t n_done; /* operations */
    pl_status status;
} party;

/* ---- parties as threads ---- */

static void *run_party(void *arg) {
    party *p = arg;
    pl_mesh *meshes[LANES_MAX] = {NULL};
    p->status = pl_link_mesh_new(&p->params, meshes);
    if (pl_is_ok(p->status))
        p->status = p->body(p, meshes);
    for (size_t lane = 0; lane < LANES_MAX; lane++)
        pl_mesh_free(meshes[lane]);
    return NULL;
}

static size_t lanes_between(size_t rank, size_t peer, size_t n_lanes) {
    return rank == ONLOOKER || peer == ONLOOKER ? 1 : n_lanes;
}

static void set_peer(party *parties, size_t rank, size_t peer, size_t n_lanes) {
    party *p = &parties[rank];
    p->endpoints[peer] = parties[peer].port.endpoint;
    p->peers[peer] = (pl_link_peer){.endpoints = &p->endpoints[peer],
                                    .n_endpoints = 1,
                                    .n_lanes = lanes_between(rank, peer, n_lanes)};
    for (size_t lane = 0; lane < LANES_MAX; lane++) {
        p->peers[peer].psk[lane][0] = (uint8_t)(rank < peer ? rank : peer);
        p->peers[peer].psk[lane][1] = (uint8_t)(rank < peer ? peer : rank);
        p->peers[peer].psk[lane][2] = (uint8_t)lane;
    }
}

static void set_parties(party *parties, size_t n, size_t n_lanes,
                        pl_status (*body)(party *p, pl_mesh **meshes)) {
    for (size_t rank = 0; rank < n; rank++) {
        parties[rank] = (party){.body = body};
        link_port_open(&parties[rank].port);
    }
    for (size_t rank = 0; rank < n; rank++) {
        party *p = &parties[rank];
        p->params = (pl_link_mesh_params){.rank = rank,
                                          .n_parties = n,
                                          .n_lanes = lanes_between(rank, rank, n_lanes),
                                          .session_id = session_id,
                                          .peers = p->peers,
                                          .connections_fd = p->port.pass[1],
                                          .first_message = digest,
                                          .connect_ms = 20000,
                                          .deadline_ms = 60000,
                                          .tls = true};
        for (size_t peer = 0; peer < n; peer++)
            set_peer(parties, rank, peer, n_lanes);
    }
}

static void start_all(party *parties, size_t n) {
    for (size_t i = 0; i < n; i++)
        link_port_serve(&parties[i].port);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(pthread_create(&parties[i].thread, NULL, run_party, &parties[i]), 0);
}

static void join_all(party *parties, size_t n) {
    for (size_t i = 0; i < n; i++)
        pthread_join(parties[i].thread, NULL);
    for (size_t i = 0; i < n; i++)
        link_port_close(&parties[i].port);
}

static void run_all(party *parties, size_t n) {
    start_all(parties, n);
    join_all(parties, n);
}

/* ---- what a party does once its meshes stand ---- */

static uint8_t byte_of(size_t from, size_t to, size_t lane) {
    return (uint8_t)(from * 100 + to * 10 + lane);
}

static pl_status talk_in_lane(const party *p, pl_mesh *mesh, size_t lane) {
    uint8_t out[N_PARTIES], in[N_PARTIES];
    size_t own = p->params.rank;
    for (size_t peer = 0; peer < p->params.n_parties; peer++) {
        if (peer == own || lane >= (lane == 0 ? 1 : p->peers[peer].n_lanes))
            continue;
        out[peer] = byte_of(own, peer, lane);
        PL_TRY(pl_mesh_send(mesh, peer, &out[peer], 1));
        PL_TRY(pl_mesh_recv(mesh, peer, &in[peer], 1));
    }
    PL_TRY(pl_mesh_finish(mesh));
    for (size_t peer = 0; peer < p->params.n_parties; peer++) {
        if (peer != own && lane < p->peers[peer].n_lanes && in[peer] != byte_of(peer, own, lane))
            return pl_fail(PL_CORRUPT, "lane %zu of rank %zu said %u", lane, peer, in[peer]);
    }
    return PL_OK;
}

static pl_status talk(party *p, pl_mesh **meshes) {
    for (size_t lane = 0; lane < p->params.n_lanes; lane++)
        PL_TRY(talk_in_lane(p, meshes[lane], lane));
    if (p->params.n_parties <= ONLOOKER || p->params.n_lanes == 1)
        return PL_OK;
    uint8_t byte = 1;
    PL_TRY(pl_mesh_send(meshes[1], ONLOOKER, &byte, 1));
    pl_status nobody = pl_mesh_finish(meshes[1]);
    bool refused = pl_status_code(nobody) == PL_INVALID_ARGUMENT &&
                   strstr(pl_status_message(nobody), "no link to lane 1 of rank 2") != NULL;
    pl_status_done(&nobody);
    return refused ? PL_OK : pl_fail(PL_CORRUPT, "something was sent to who has no part");
}

static pl_status leave(party *p, pl_mesh **meshes) {
    (void)p, (void)meshes;
    return PL_OK;
}

/* ---- coming up ---- */

static void lanes_are_between_those_that_have_them(void **state) {
    (void)state;
    static const size_t ns[] = {1, 2, 3, 8};
    party parties[N_PARTIES];
    for (size_t i = 0; i < sizeof ns / sizeof ns[0]; i++) {
        set_parties(parties, N_PARTIES, ns[i], talk);
        run_all(parties, N_PARTIES);
        for (size_t rank = 0; rank < N_PARTIES; rank++)
            link_expect(parties[rank].status, PL_CODE_OK, "ok");
    }
}

/* Strangers know the session's number; they stand in no link's way, and are closed. */
static void lanes_that_are_not_there(void **state) {
    (void)state;
    static const struct { uint16_t from, lane; } rows[] = {{1, 2}, {1, 7}, {ONLOOKER, 1}};
    party parties[N_PARTIES];
    int strangers[sizeof rows / sizeof rows[0]];
    uint8_t byte;
    set_parties(parties, N_PARTIES, 2, talk);
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        pl_preamble preamble = {.from_rank = rows[i].from, .to_rank = 0, .lane = rows[i].lane};
        memcpy(preamble.session_id, session_id, sizeof session_id);
        strangers[i] = link_port_stranger(&parties[0].port, &preamble);
    }
    run_all(parties, N_PARTIES);
    for (size_t rank = 0; rank < N_PARTIES; rank++)
        link_expect(parties[rank].status, PL_CODE_OK, "ok");
    for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
        assert_true(recv(strangers[i], &byte, 1, 0) <= 0);
        close(strangers[i]);
    }
}

static void another_key_of_a_lane(void **state) {
    (void)state;
    party parties[2];
    set_parties(parties, 2, 3, leave);
    parties[0].params.connect_ms = 1500;
    parties[1].peers[0].psk[2][31] ^= 1;
    run_all(parties, 2);
    link_expect(parties[1].status, PL_UNAUTHENTICATED, "link to lane 2 of rank 0");
    /* Who answers cannot tell it from a stranger, and waits for the true one. */
    link_expect(parties[0].status, PL_UNAUTHENTICATED,
                "lane 2 of rank 1 did not connect within 1500 ms; of 1 connections");
}

/* The key of one lane opens no other. */
static void keys_of_two_lanes_swapped(void **state) {
    (void)state;
    party parties[2];
    set_parties(parties, 2, 2, leave);
    parties[0].params.connect_ms = 1500;
    memcpy(parties[1].peers[0].psk[1], parties[1].peers[0].psk[0], PL_PSK_BYTES);
    run_all(parties, 2);
    link_expect(parties[1].status, PL_UNAUTHENTICATED, "link to lane 1 of rank 0");
    link_expect(parties[0].status, PL_UNAUTHENTICATED, "lane 1 of rank 1 did not connect");
}

static void a_lane_that_never_comes(void **state) {
    (void)state;
    party parties[2];
    set_parties(parties, 2, 2, leave);
    parties[0].port.drop_lane = 1;
    parties[0].params.connect_ms = parties[1].params.connect_ms = 1000;
    run_all(parties, 2);
    link_expect(parties[0].status, PL_TIMEOUT, "lane 1 of rank 1 did not connect within 1000 ms");
    link_expect(parties[1].status, PL_TIMEOUT, "lane 1 of rank 0 did not connect within 1000 ms");
}

/* One party thinks that there are more: it comes up with no link that the other does not want. */
static void numbers_that_differ(void **state) {
    (void)state;
    party parties[2];
    set_parties(parties, 2, 2, leave);
    parties[0].params.n_lanes = parties[0].peers[1].n_lanes = 1;
    parties[1].params.connect_ms = 1000;
    run_all(parties, 2);
    link_expect(parties[0].status, PL_CODE_OK, "ok");
    link_expect(parties[1].status, PL_TIMEOUT, "lane 1 of rank 0 did not connect");
}

static void numbers_that_cannot_be(void **state) {
    (void)state;
    party parties[2];
    pl_mesh *meshes[LANES_MAX];
    set_parties(parties, 2, 2, leave);
    parties[1].params.n_lanes = 9;
    link_expect(pl_link_mesh_new(&parties[1].params, meshes), PL_INVALID_ARGUMENT, "1 to 8 lanes");
    parties[1].params.n_lanes = 1;
    link_expect(pl_link_mesh_new(&parties[1].params, meshes), PL_INVALID_ARGUMENT,
                "rank 0 has 2 lanes with this party, which has 1");
    for (size_t i = 0; i < 2; i++)
        link_port_close(&parties[i].port);
}

/* ---- at work ---- */

static pl_status multiply(party *p, pl_party *at) {
    uint64_t *values;
    pl_svec x = {0};
    PL_TRY(pl_alloc(N_ELEMENTS, sizeof *values, &values));
    pl_status status = pl_constant(at, PL_ARITH_64, N_ELEMENTS, values, &x);
    while (pl_is_ok(status)) { /* until something happens */
        status = pl_mul(at, &x, &x, &x);
        p->n_done++;
    }
    free(values);
    pl_svec_done(&x);
    return status;
}

static pl_status compute(party *p, pl_mesh **meshes) {
    static const size_t ranks[] = {0, 1, 3};
    pl_party *at = NULL;
    if (p->params.rank == ONLOOKER)
        return PL_OK;
    pl_party_params params = {.mesh = meshes[0],
                              .scheme = "rep3",
                              .compute = ranks,
                              .n_compute = 3,
                              .seed = {(uint8_t)p->params.rank},
                              .lanes = meshes + 1,
                              .n_lanes = p->params.n_lanes};
    PL_TRY(pl_party_new(&params, &at));
    pl_status status = multiply(p, at);
    pl_party_free(at);
    return status;
}

/* The connection of lane 1 between ranks 0 and 1, or 3, is cut. Each party goes when it has failed,
 * which the third one sees, in whatever lane it comes to wait first. */
static void a_lane_that_dies(void **state) {
    (void)state;
    party parties[N_PARTIES];
    set_parties(parties, N_PARTIES, 3, compute);
    parties[0].port.keep_lane = 1;
    start_all(parties, N_PARTIES);
    while (parties[0].n_done < 3)
        sched_yield();
    assert_true(parties[0].port.kept >= 0);
    shutdown(parties[0].port.kept, SHUT_RDWR);
    join_all(parties, N_PARTIES);
    size_t n_named = 0;
    for (size_t rank = 0; rank < N_PARTIES; rank++) {
        n_named += strstr(pl_status_message(parties[rank].status), "lane 1 of rank") != NULL;
        if (rank != ONLOOKER)
            link_expect(parties[rank].status, PL_PEER_LOST, "link to ");
    }
    assert_true(n_named > 0);
    link_expect(parties[ONLOOKER].status, PL_CODE_OK, "ok");
}

/* Nobody is left out: a lane that waits is told as lane 0 is. */
static void a_deadline_holds_for_every_lane(void **state) {
    (void)state;
    party parties[N_PARTIES];
    set_parties(parties, N_PARTIES, 2, compute);
    for (size_t rank = 0; rank < N_PARTIES; rank++)
        parties[rank].params.deadline_ms = 1500;
    parties[3].body = leave;
    run_all(parties, N_PARTIES);
    link_expect(parties[3].status, PL_CODE_OK, "ok");
    link_expect(parties[0].status, PL_PEER_LOST, "rank 3");
    pl_code code = pl_status_code(parties[1].status);
    assert_true(code == PL_PEER_LOST || code == PL_TIMEOUT);
    pl_status_done(&parties[1].status);
}

static int warm(void **state) {
    (void)state;
    pl_status status = pl_link_library_warm();
    return pl_is_ok(status) ? 0 : -1;
}

/* Last: an interrupt stays. */
static void an_interrupt_ends_every_lane(void **state) {
    (void)state;
    party parties[N_PARTIES];
    set_parties(parties, N_PARTIES, 3, compute);
    start_all(parties, N_PARTIES);
    while (parties[0].n_done < 3)
        sched_yield();
    pl_link_mesh_interrupt();
    join_all(parties, N_PARTIES);
    size_t n_cancelled = 0;
    for (size_t rank = 0; rank < N_PARTIES; rank++) {
        n_cancelled += pl_status_code(parties[rank].status) == PL_CANCELLED;
        assert_true(rank == ONLOOKER || !pl_is_ok(parties[rank].status));
        pl_status_done(&parties[rank].status);
    }
    assert_true(n_cancelled > 0); /* the others may see it go first */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lanes_are_between_those_that_have_them),
        cmocka_unit_test(lanes_that_are_not_there),
        cmocka_unit_test(another_key_of_a_lane),
        cmocka_unit_test(keys_of_two_lanes_swapped),
        cmocka_unit_test(a_lane_that_never_comes),
        cmocka_unit_test(numbers_that_differ),
        cmocka_unit_test(numbers_that_cannot_be),
        cmocka_unit_test(a_lane_that_dies),
        cmocka_unit_test(a_deadline_holds_for_every_lane),
        cmocka_unit_test(an_interrupt_ends_every_lane),
    };
    return cmocka_run_group_tests_name("link lanes", tests, warm, NULL);
}
