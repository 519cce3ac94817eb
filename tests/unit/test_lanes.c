/* Parties with several lanes: every operation on vectors that are really shared among lanes equals
 * the same on one party that holds the values, sends what the counting party says, and uses no
 * mask twice. Lengths are those around which ranges are cut. Wrong if nothing was shared: that all
 * lanes have sent is asserted. What happens when a peer fails in one lane is in test_op_faults. */
#include "tests/unit/every_op.h"
#include "tests/unit/party_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRAIN PL_LANE_ELEMENTS
#define N_LONG (4 * GRAIN + 6) /* tens, for matrices */

/* Rank 3 only looks on. */
static const fixture_set rep3 = {"rep3", 4, {2, 0, 1}, 3, {0, 0}};
static const fixture_set rep3_far = {"rep3", 3, {0, 1, 2}, 3, {40000, 1.25e7}};
static const fixture_set plain = {"plain", 2, {1}, 1, {0, 0}};

/* ---- threads that cannot be started ---- */

typedef void *(*thread_body)(void *);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, thread_body body,
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, thread_body body,
                          void *arg);

/* Threads until one cannot be started, by this thread; negative: all can. */
static _Thread_local long threads_left = -1;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, thread_body body,
                          void *arg) {
    if (threads_left >= 0 && threads_left-- == 0)
        return EAGAIN;
    return __real_pthread_create(thread, attr, body, arg);
}

/* ---- one operation: its result at the first compute party, and what it sent ---- */

typedef struct trial {
    const every_op *op;
    size_t n;
    void *values; /* the opened result */
    size_t bytes; /* of it */
    pl_counters used[4], used_by_lane[4][PL_LANES_MAX];
} trial;

static pl_counters since(pl_counters begin, pl_counters end) {
    return (pl_counters){end.bytes_sent - begin.bytes_sent,
                         end.bytes_received - begin.bytes_received, end.rounds - begin.rounds};
}

static pl_status count_lane(pl_party *lane, size_t number, void *ctx) {
    pl_counters *of_lanes = ctx;
    of_lanes[number] = pl_mesh_counters(pl_party_mesh(lane));
    return PL_OK;
}

static pl_status measure(pl_party *p, trial *t, const pl_svec *x, const pl_svec *y, pl_svec *out) {
    size_t rank = pl_party_rank(p);
    pl_counters begin[PL_LANES_MAX], end[PL_LANES_MAX], total = pl_party_counters(p);
    PL_TRY(pl_party_each_lane(p, count_lane, begin));
    PL_TRY(t->op->run(p, x, y, out));
    t->used[rank] = since(total, pl_party_counters(p));
    PL_TRY(pl_party_each_lane(p, count_lane, end));
    for (size_t i = 0; i < pl_party_n_lanes(p); i++)
        t->used_by_lane[rank][i] = since(begin[i], end[i]);
    return PL_OK;
}

static pl_status run_trial(pl_party *p, void *ctx) {
    trial *t = ctx;
    bool computes = pl_party_computes(p);
    uint64_t recipient = pl_party_compute_mask(p) & (0 - pl_party_compute_mask(p));
    bool receives = (recipient >> pl_party_rank(p) & 1) != 0;
    pl_svec x = {0}, y = {0}, out = {0};
    pl_status status;
    PL_CHECK(status, every_op_inputs_of(p, t->n, &x, &y));
    if (computes)
        PL_CHECK(status, measure(p, t, &x, &y, &out));
    if (receives) {
        t->bytes = pl_svec_bytes(&out);
        PL_CHECK(status, pl_alloc(t->bytes, 1, &t->values));
    }
    PL_CHECK(status, pl_open(p, computes ? &out : NULL, out.kind, out.n, recipient, "a test",
                             receives ? t->values : NULL));
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&out);
    return status;
}

static int by_value(const void *a, const void *b) {
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return (x > y) - (x < y);
}

/* A probabilistic truncation gives the number or one more or less. */
static bool are_near(const trial *got, const trial *want) {
    const uint64_t *x = got->values, *y = want->values;
    for (size_t i = 0; i < want->bytes / 8; i++) {
        if (x[i] - y[i] + 1 > 2)
            return false;
    }
    return true;
}

static void check_result(trial *got, trial *want, size_t n_lanes) {
    if (strcmp(got->op->name, "shuffle") == 0) { /* the same values in another order */
        qsort(got->values, got->bytes / 8, 8, by_value);
        qsort(want->values, want->bytes / 8, 8, by_value);
    }
    bool is_exact = strstr(got->op->name, "near") == NULL;
    if (got->bytes != want->bytes ||
        (is_exact && want->bytes != 0 && memcmp(got->values, want->values, want->bytes) != 0) ||
        (!is_exact && !are_near(got, want)))
        fail_msg("%s of %zu elements by %zu lanes is wrong", got->op->name, got->n, n_lanes);
}

static void trial_done(trial *t) {
    free(t->values);
    t->values = NULL;
}

/* ---- what it costs ---- */

static pl_status count(const trial *t, const pl_net *net, size_t n_lanes, pl_cost *out) {
    pl_party *p;
    pl_svec x = {0}, y = {0}, result = {0};
    pl_status status;
    uint64_t *none = NULL;
    PL_TRY(pl_cost_party_new(net, n_lanes, &p));
    PL_CHECK(status, pl_alloc(t->n, sizeof *none, &none));
    PL_CHECK(status, pl_constant(p, PL_ARITH_64, t->n, none, &x));
    PL_CHECK(status, pl_constant(p, PL_ARITH_64, t->n, none, &y));
    PL_CHECK(status, t->op->run(p, &x, &y, &result));
    *out = pl_cost_party_total(p);
out:
    free(none);
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&result);
    pl_party_free(p);
    return status;
}

static void check_cost(const trial *t, const fixture_set *set, size_t n_lanes) {
    const pl_net net = set->net.bytes_per_second > 0 ? set->net : PL_NET_DEFAULT;
    uint64_t rounds = 0; /* who only deals does not wait */
    pl_cost cost;
    fixture_ok(count(t, &net, n_lanes, &cost));
    for (size_t i = 0; i < 3; i++) {
        const pl_counters *used = &t->used[set->compute[i]];
        rounds = used->rounds > rounds ? used->rounds : rounds;
        if (used->bytes_sent != cost.bytes_sent[i])
            fail_msg("%s of %zu by %zu lanes: party %zu: %zu bytes; counted: %zu", t->op->name,
                     t->n, n_lanes, i, (size_t)used->bytes_sent, (size_t)cost.bytes_sent[i]);
    }
    if (rounds != cost.rounds)
        fail_msg("%s of %zu by %zu lanes: %zu rounds; counted: %zu", t->op->name, t->n, n_lanes,
                 (size_t)rounds, (size_t)cost.rounds);
}

/* A shuffle goes by lane 0; the matrix has rows for two. */
static size_t lanes_of(const every_op *op, size_t n_lanes) {
    return strcmp(op->name, "shuffle") == 0 ? 1 : strcmp(op->name, "matmul") == 0 ? 2 : n_lanes;
}

static void check_shared(const trial *t, const fixture_set *set, size_t n_lanes) {
    uint64_t sent = 0;
    for (size_t lane = 0; lane < n_lanes; lane++) {
        uint64_t by_lane = t->used_by_lane[set->compute[0]][lane].bytes_sent;
        if (by_lane == 0 && lane < lanes_of(t->op, n_lanes))
            fail_msg("%s: lane %zu of %zu has sent nothing", t->op->name, lane, n_lanes);
        sent += by_lane;
    }
    assert_int_equal(sent, t->used[set->compute[0]].bytes_sent);
}

/* ---- the tests ---- */

static size_t n_trials;

static void compare(const fixture_set *set, size_t n_lanes, trial *want) {
    trial got = {.op = want->op, .n = want->n};
    fixture_ok(fixture_run_lanes(set, n_lanes, run_trial, &got));
    check_result(&got, want, n_lanes);
    check_cost(&got, set, n_lanes);
    if (want->n >= n_lanes * GRAIN && n_lanes > 1)
        check_shared(&got, set, n_lanes);
    trial_done(&got);
    n_trials++;
}

static void every_operation(void **state) {
    (void)state;
    for (size_t i = 0; i < n_every_ops; i++) {
        trial want = {.op = &every_ops[i], .n = N_LONG};
        fixture_ok(fixture_run(&plain, run_trial, &want));
        compare(&rep3, 2, &want);
        compare(&rep3_far, 3, &want);
        trial_done(&want);
    }
}

static void lengths(void **state) {
    (void)state;
    static const char *const names[] = {"mul",   "mul_fixed", "truncate", "less",
                                        "equal", "words",     "to_128",   "less_rows"};
    static const size_t ns[] = {0,
                                1,
                                GRAIN - 1,
                                2 * GRAIN - 1,
                                2 * GRAIN,
                                2 * GRAIN + 1,
                                3 * GRAIN - 1,
                                3 * GRAIN,
                                3 * GRAIN + 65,
                                9 * GRAIN + 7};
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        for (size_t k = 0; k < sizeof ns / sizeof ns[0]; k++) {
            trial want = {.op = every_op_find(names[i]), .n = ns[k]};
            fixture_ok(fixture_run(&plain, run_trial, &want));
            compare(&rep3, 1, &want);
            compare(&rep3, 2, &want);
            compare(&rep3, 8, &want);
            trial_done(&want);
        }
    }
    printf("%zu trials\n", n_trials);
}

/* ---- kinds of elements, and a product over its own factor ---- */

typedef struct square {
    pl_kind kind;
    size_t n;
    void *values, *opened;
} square;

static pl_status run_square(pl_party *p, void *ctx) {
    const square *s = ctx;
    bool computes = pl_party_computes(p), owns = pl_party_rank(p) == 0;
    pl_svec x = {0};
    pl_status status;
    PL_CHECK(status, pl_input(p, 0, s->kind, s->n, owns ? s->values : NULL, &x));
    if (computes)
        PL_CHECK(status, pl_mul(p, &x, &x, &x));
    PL_CHECK(status, pl_open(p, computes ? &x : NULL, s->kind, s->n, 8, "a test",
                             pl_party_rank(p) == 3 ? s->opened : NULL));
out:
    pl_svec_done(&x);
    return status;
}

static void squares(void **state) {
    (void)state;
    for (pl_kind kind = 0; kind < PL_KIND_COUNT; kind++) {
        square s = {.kind = kind, .n = 3 * GRAIN + 17};
        size_t bytes = pl_kind_bytes(kind, s.n);
        void *want;
        fixture_ok(pl_alloc(bytes, 1, &s.values));
        fixture_ok(pl_alloc(bytes, 1, &s.opened));
        fixture_ok(pl_alloc(bytes, 1, &want));
        fixture_values(kind, kind, s.values, s.n);
        pl_ring_mul(kind, want, s.values, s.values, s.n);
        pl_ring_clear_padding(kind, want, s.n);
        fixture_ok(fixture_run_lanes(&rep3, 3, run_square, &s));
        assert_memory_equal(s.opened, want, bytes);
        free(s.values);
        free(s.opened);
        free(want);
    }
}

/* Of zeros the product is masks and nothing else: what two lanes make may not be alike. */
static pl_status run_zeros(pl_party *p, void *ctx) {
    bool *differ = ctx;
    uint64_t *none;
    pl_svec x = {0};
    pl_status status;
    PL_TRY(pl_alloc(3 * GRAIN, sizeof *none, &none));
    PL_CHECK(status, pl_constant(p, PL_ARITH_64, 3 * GRAIN, none, &x));
    PL_CHECK(status, pl_mul(p, &x, &x, &x));
    const uint64_t *z = x.component[0];
    differ[pl_party_rank(p)] = memcmp(z, z + GRAIN, 8 * GRAIN) != 0 &&
                               memcmp(z, z + 2 * GRAIN, 8 * GRAIN) != 0 &&
                               memcmp(z + GRAIN, z + 2 * GRAIN, 8 * GRAIN) != 0;
out:
    free(none);
    pl_svec_done(&x);
    return status;
}

static void lanes_have_keys_of_their_own(void **state) {
    (void)state;
    bool differ[3] = {false, false, false};
    fixture_ok(fixture_run_lanes(&rep3_far, 3, run_zeros, differ));
    assert_true(differ[0] && differ[1] && differ[2]);
}

/* ---- parties that cannot be ---- */

static pl_status body_without_thread(size_t rank, pl_mesh *mesh, void *ctx) {
    pl_mesh *(*lanes)[4] = ctx;
    pl_mesh *meshes[3] = {mesh, lanes[1][rank], lanes[2][rank]};
    pl_party *p = NULL;
    if (rank == 1)
        threads_left = 1;
    pl_status status = fixture_party_of(&rep3, rank, meshes, 3, &p);
    threads_left = -1;
    pl_party_free(p);
    pl_mesh_free(meshes[1]);
    pl_mesh_free(meshes[2]);
    return status;
}

static void no_thread_for_a_lane(void **state) {
    (void)state;
    pl_mesh *lanes[3][4];
    fixture_seed();
    for (size_t lane = 1; lane < 3; lane++)
        fixture_ok(pl_memory_meshes(4, FIXTURE_TIMEOUT_MS, lanes[lane]));
    fixture_fails(pl_parties_run(4, FIXTURE_TIMEOUT_MS, body_without_thread, lanes), PL_LIMIT,
                  "cannot start a thread for lane 2");
}

static void lanes_that_cannot_be(void **state) {
    (void)state;
    pl_mesh *m[4], *others[4], *few[3];
    pl_party *p = NULL;
    fixture_seed();
    fixture_ok(pl_memory_meshes(4, 1000, m));
    fixture_ok(pl_memory_meshes(4, 1000, others));
    fixture_ok(pl_memory_meshes(3, 1000, few));
    pl_mesh *wrong_rank[] = {m[0], others[1]}, *wrong_number[] = {m[0], few[0]},
            *none[] = {m[0], NULL}, *many[9] = {m[0]};
    fixture_fails(fixture_party_of(&rep3, 0, wrong_rank, 2, &p), PL_INVALID_ARGUMENT, "lane 1");
    fixture_fails(fixture_party_of(&rep3, 0, wrong_number, 2, &p), PL_INVALID_ARGUMENT, "lane 1");
    fixture_fails(fixture_party_of(&rep3, 0, none, 2, &p), PL_INVALID_ARGUMENT, "lane 1");
    fixture_fails(fixture_party_of(&rep3, 0, many, 9, &p), PL_INVALID_ARGUMENT, "at most 8 lanes");
    assert_null(p);
    for (size_t i = 0; i < 4; i++) {
        pl_mesh_free(m[i]);
        pl_mesh_free(others[i]);
        if (i < 3)
            pl_mesh_free(few[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_operation),
        cmocka_unit_test(lengths),
        cmocka_unit_test(squares),
        cmocka_unit_test(lanes_have_keys_of_their_own),
        cmocka_unit_test(no_thread_for_a_lane),
        cmocka_unit_test(lanes_that_cannot_be),
    };
    return cmocka_run_group_tests_name("lanes", tests, NULL, NULL);
}
