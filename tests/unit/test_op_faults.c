/* One of the three parties misbehaves in the middle of every operation: it stops, leaves, or sends
 * too much, too little or garbage. The others end within the deadline, with PEER_LOST, TIMEOUT or
 * PROTOCOL; a party that needs nothing more of the liar may have a result. Garbage goes on to the
 * end, and so is seen at the opening at the latest: rep3 is secure against curious parties, and a
 * liar that is careful is not seen. Nobody crashes, reads what is not there (sanitizers) or keeps
 * memory (the leak checker). Wrong if a fault came after the operation: each is placed by bytes
 * counted before, and it is asserted that it happened. */
#include "tests/unit/every_op.h"
#include "tests/unit/party_fixture.h"

#include "protocols/net/memory_transport.h"

#include <pthread.h>
#include <stdio.h>
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
    fault kind;
    unsigned timeout_ms;
    bool active;       /* the operation has begun */
    size_t n_sent, at; /* bytes since then; the fault comes with this one */
    bool happened;
    pl_mesh *mesh;
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
    static uint64_t values[4][4 * EVERY_OP_N];
    pl_status status;
    PL_CHECK(status, every_op_inputs(p, &x, &y));
    e->active = e->rank == LIAR;
    PL_CHECK(status, e->op->run(p, &x, &y, &out));
    PL_CHECK(status, pl_open(p, &out, out.kind, out.n, 5, "a test", values[e->rank]));
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&out);
    return status;
}

static const fixture_set set = {"rep3", 3, {0, 1, 2}, 3, {0, 0}};

static void *sit(void *arg) {
    end *e = arg;
    pl_party *p = NULL;
    e->status = fixture_party(&set, e->rank, e->mesh, &p);
    if (pl_is_ok(e->status))
        e->status = program(e, p);
    pl_party_free(p);
    pl_mesh_free(e->mesh);
    return NULL;
}

static void run(end ends[3], const every_op *op, fault kind, size_t at, unsigned timeout_ms) {
    static const pl_transport bad = {bad_send, bad_recv, bad_is_flushed, bad_wait, bad_free};
    pl_transport inner;
    void *ctx[3];
    fixture_ok(pl_memory_transports(3, timeout_ms, &inner, ctx));
    for (size_t i = 0; i < 3; i++) {
        ends[i] = (end){.inner = inner,
                        .ctx = ctx[i],
                        .rank = i,
                        .op = op,
                        .kind = i == LIAR ? kind : NONE,
                        .timeout_ms = timeout_ms,
                        .at = at};
        fixture_ok(pl_mesh_new(i, 3, &bad, &ends[i], &ends[i].mesh));
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
static void run_fault(end ends[3], const every_op *op, fault kind, size_t at) {
    for (unsigned timeout_ms = TIMEOUT_MS; timeout_ms < 5000; timeout_ms *= 3) {
        run(ends, op, kind, at, timeout_ms);
        if (ends[LIAR].happened)
            return;
        for (size_t r = 0; r < 3; r++)
            pl_status_done(&ends[r].status);
    }
    fail_msg("%s, peer: %s: nobody came as far", op->name, names[kind]);
}

static void every_operation(void **state) {
    (void)state;
    end ends[3];
    fixture_seed();
    for (size_t i = 0; i < n_every_ops; i++) {
        run(ends, &every_ops[i], NONE, 0, FIXTURE_TIMEOUT_MS);
        for (size_t r = 0; r < 3; r++)
            fixture_ok(ends[r].status);
        size_t n_sent = ends[LIAR].n_sent;
        for (fault kind = STOPS; kind < FAULT_COUNT; kind++) {
            for (size_t part = 0; part < 3; part++) {
                run_fault(ends, &every_ops[i], kind,
                          part == 2 ? n_sent - 1 : n_sent * part * 2 / 5);
                check_ends(ends, &every_ops[i], kind);
                n_faults++;
            }
        }
    }
    printf("%zu faults in %zu operations; %zu parties ended with a result\n", n_faults, n_every_ops,
           n_results);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(every_operation)};
    return cmocka_run_group_tests_name("op_faults", tests, NULL, NULL);
}
