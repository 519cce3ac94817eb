/* One of the three parties misbehaves in the middle of every operation: it stops, leaves, or sends
 * too much, too little or garbage. The others end within the deadline, with PEER_LOST, TIMEOUT or
 * PROTOCOL; a party that needs nothing more of the liar may have a result. Garbage goes on to the
 * end, and so is seen at the opening at the latest: rep3 is secure against curious parties, and a
 * liar that is careful is not seen. Nobody crashes, reads what is not there (sanitizers) or keeps
 * memory (the leak checker). Wrong if a fault came after the operation: each is placed by bytes
 * counted before, and it is asserted that it happened. Parties with two lanes misbehave in the
 * second only. */
#include "tests/unit/every_op.h"
#include "tests/unit/party_fixture.h"

#include "protocols/net/memory_transport.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LIAR 1
#define TIMEOUT_MS 50u /* at first: a machine that is busy gets more */

typedef enum fault { NONE, STOPS, LEAVES, TOO_MUCH, TOO_LITTLE, GARBAGE, FAULT_COUNT } fault;
static const char *const names[] = {"none", "stops", "leaves", "too much", "too little", "garbage"};

typedef struct end {
    pl_transport inner;
    void *ctx;
    size_t rank;
    const every_op *op;
    size_t n; /* elements */
    fault kind;
    unsigned timeout_ms;
    bool active;       /* the operation has begun */
    size_t n_sent, at; /* bytes since then; the fault comes with this one */
    bool happened;
    pl_mesh *meshes[2]; /* the last one is the one that faults come in */
    size_t n_lanes;
    pthread_t thread;
    pl_status status;
} end;

/* The byte at which the fault comes is in data[0 .. len). */
static pl_status misbehave(end *e, size_t peer, const uint8_t *data, size_t len, size_t *out_done) {
    uint8_t copy[256];
    size_t before = e->at - e->n_sent;
    e->happened = true;
    if (before > 0) /* up to it all is well */
        return e->inner.try_send(e->ctx, peer, data, before, out_done);
    len = len < sizeof copy ? len : sizeof copy;
    switch (e->kind) {
    case LEAVES:
        return pl_fail(PL_CANCELLED, "I leave");
    case TOO_LITTLE: /* these bytes are never sent */
        *out_done = len;
        e->at = SIZE_MAX;
        return PL_OK;
    case TOO_MUCH: { /* the same bytes once more */
        size_t extra = 0;
        PL_TRY(e->inner.try_send(e->ctx, peer, data, len, &extra));
        *out_done = 0;
        e->at = SIZE_MAX;
        return PL_OK;
    }
    case GARBAGE:
        for (size_t i = 0; i < len; i++)
            copy[i] = (uint8_t)(data[i] ^ (0x5a + i));
        PL_TRY(e->inner.try_send(e->ctx, peer, copy, len, out_done));
        e->at += *out_done; /* and so on */
        return PL_OK;
    default: /* stops: takes no more bytes */
        *out_done = 0;
        return PL_OK;
    }
}

static pl_status bad_send(void *ctx, size_t peer, const void *data, size_t len, size_t *out_done) {
    end *e = ctx;
    pl_status status;
    *out_done = 0;
    bool now =
        e->active && e->kind != NONE && len != 0 && e->n_sent <= e->at && e->at - e->n_sent < len;
    status = now ? misbehave(e, peer, data, len, out_done)
                 : e->inner.try_send(e->ctx, peer, data, len, out_done);
    if (e->active)
        e->n_sent += *out_done;
    return status;
}

static pl_status bad_recv(void *ctx, size_t peer, void *data, size_t len, size_t *out_done) {
    end *e = ctx;
    return e->inner.try_recv(e->ctx, peer, data, len, out_done);
}

static bool bad_is_flushed(void *ctx, size_t peer) {
    end *e = ctx;
    return e->inner.is_flushed(e->ctx, peer);
}

static pl_status bad_wait(void *ctx, const uint8_t *want) {
    end *e = ctx;
    if (e->kind == STOPS && e->happened) { /* it does nothing any more */
        long ns = 2 * (long)e->timeout_ms * 1000000L;
        nanosleep(&(struct timespec){.tv_sec = ns / 1000000000L, .tv_nsec = ns % 1000000000L},
                  NULL);
        return pl_fail(PL_CANCELLED, "I have slept");
    }
    return e->inner.wait(e->ctx, want);
}

static void bad_free(void *ctx) {
    const end *e = ctx;
    e->inner.free(e->ctx);
}

static pl_status program(end *e, pl_party *p) {
    pl_svec x = {0}, y = {0}, out = {0};
    uint64_t *values = NULL;
    pl_status status;
    PL_CHECK(status, every_op_inputs_of(p, e->n, &x, &y));
    e->active = e->rank == LIAR;
    PL_CHECK(status, e->op->run(p, &x, &y, &out));
    PL_CHECK(status, pl_alloc(pl_svec_bytes(&out), 1, &values));
    PL_CHECK(status, pl_open(p, &out, out.kind, out.n, 5, "a test", values));
out:
    free(values);
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&out);
    return status;
}

static const fixture_set set = {"rep3", 3, {0, 1, 2}, 3, {0, 0}};

static void *sit(void *arg) {
    end *e = arg;
    pl_party *p = NULL;
    e->status = fixture_party_of(&set, e->rank, e->meshes, e->n_lanes, &p);
    if (pl_is_ok(e->status))
        e->status = program(e, p);
    pl_party_free(p);
    for (size_t lane = 0; lane < e->n_lanes; lane++)
        pl_mesh_free(e->meshes[lane]);
    return NULL;
}

/* What is done, and by how many lanes. */
typedef struct work {
    const every_op *op;
    size_t n, n_lanes;
} work;

static void run(end ends[3], work w, fault kind, size_t at, unsigned timeout_ms) {
    static const pl_transport bad = {bad_send, bad_recv, bad_is_flushed, bad_wait, bad_free};
    pl_transport inner;
    void *ctx[3];
    pl_mesh *first[3];
    fixture_ok(pl_memory_transports(3, timeout_ms, &inner, ctx));
    if (w.n_lanes == 2)
        fixture_ok(pl_memory_meshes(3, timeout_ms, first));
    for (size_t i = 0; i < 3; i++) {
        ends[i] = (end){.inner = inner,
                        .ctx = ctx[i],
                        .rank = i,
                        .op = w.op,
                        .n = w.n,
                        .n_lanes = w.n_lanes,
                        .kind = i == LIAR ? kind : NONE,
                        .timeout_ms = timeout_ms,
                        .at = at};
        if (w.n_lanes == 2)
            ends[i].meshes[0] = first[i];
        fixture_ok(pl_mesh_new(i, 3, &bad, &ends[i], &ends[i].meshes[w.n_lanes - 1]));
    }
    for (size_t i = 0; i < 3; i++)
        assert_int_equal(pthread_create(&ends[i].thread, NULL, sit, &ends[i]), 0);
    for (size_t i = 0; i < 3; i++)
        pthread_join(ends[i].thread, NULL);
}

static size_t n_faults, n_results;

/* A party that needs nothing more of the liar may have its result. Returns whether it has. */
static bool check_end(end *e, const every_op *op, fault kind) {
    pl_code code = pl_status_code(e->status);
    bool ok =
        code == PL_PEER_LOST || code == PL_TIMEOUT || code == PL_PROTOCOL || code == PL_CODE_OK;
    if (e->rank != LIAR && !ok)
        fail_msg("%s, peer: %s: rank %zu ends with %s: %s", op->name, names[kind], e->rank,
                 pl_code_describe(code)->name, pl_status_message(e->status));
    pl_status_done(&e->status);
    return code == PL_CODE_OK;
}

static void check_ends(end ends[3], const every_op *op, fault kind) {
    bool first = check_end(&ends[0], op, kind), last = check_end(&ends[2], op, kind);
    check_end(&ends[LIAR], op, kind);
    /* Somebody was owed what did not come, or sees that copies differ. */
    assert_false(first && last && kind != TOO_MUCH);
    n_results += (size_t)first + last;
}

/* Where nobody got as far as the fault in time, once more with more time. */
static void run_fault(end ends[3], work w, fault kind, size_t at) {
    for (unsigned timeout_ms = TIMEOUT_MS; timeout_ms < 5000; timeout_ms *= 3) {
        run(ends, w, kind, at, timeout_ms);
        if (ends[LIAR].happened)
            return;
        for (size_t r = 0; r < 3; r++)
            pl_status_done(&ends[r].status);
    }
    fail_msg("%s, peer: %s: nobody came as far", w.op->name, names[kind]);
}

/* Every fault at the beginning, in the middle and at the end. */
static void run_faults(work w) {
    end ends[3];
    run(ends, w, NONE, 0, FIXTURE_TIMEOUT_MS);
    for (size_t r = 0; r < 3; r++)
        fixture_ok(ends[r].status);
    size_t n_sent = ends[LIAR].n_sent;
    assert_true(n_sent != 0);
    for (fault kind = STOPS; kind < FAULT_COUNT; kind++) {
        for (size_t part = 0; part < 3; part++) {
            run_fault(ends, w, kind, part == 2 ? n_sent - 1 : n_sent * part * 2 / 5);
            check_ends(ends, w.op, kind);
            n_faults++;
        }
    }
}

static void every_operation(void **state) {
    (void)state;
    fixture_seed();
    for (size_t i = 0; i < n_every_ops; i++)
        run_faults((work){&every_ops[i], EVERY_OP_N, 1});
    printf("%zu faults in %zu operations; %zu parties ended with a result\n", n_faults, n_every_ops,
           n_results);
}

static void in_one_lane(void **state) {
    (void)state;
    static const char *const shared[] = {"mul",   "mul_fixed", "truncate", "matmul",   "less",
                                         "equal", "words",     "to_128",   "less_rows"};
    fixture_seed();
    for (size_t i = 0; i < sizeof shared / sizeof shared[0]; i++)
        run_faults((work){every_op_find(shared[i]), 4 * PL_LANE_ELEMENTS + 6, 2});
    printf("with those in one lane: %zu faults; %zu parties ended with a result\n", n_faults,
           n_results);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_operation),
                                       cmocka_unit_test(in_one_lane)};
    return cmocka_run_group_tests_name("op_faults", tests, NULL, NULL);
}
