/* The threads that a worker makes before its sandbox closes: each runs what it is given once, those
 * that are given nothing end, and parties whose lanes run on them make no others: that is counted.
 * Wrong if the product were not shared among lanes: that every lane has sent is asserted. */
#include "node/worker/threads.h"
#include "tests/unit/party_fixture.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#define N_LANES ((size_t)3)
#define N_ELEMENTS (4 * PL_LANE_ELEMENTS + 3)

typedef void *(*thread_body)(void *);
int __real_pthread_create(pthread_t *thread, const pthread_attr_t *attr, thread_body body,
                          void *arg);
int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, thread_body body,
                          void *arg);

static atomic_size_t n_made;
static atomic_bool none_left;

int __wrap_pthread_create(pthread_t *thread, const pthread_attr_t *attr, thread_body body,
                          void *arg) {
    if (none_left)
        return EAGAIN;
    n_made++;
    return __real_pthread_create(thread, attr, body, arg);
}

static void *count(void *arg) {
    atomic_size_t *n = arg;
    (*n)++;
    return NULL;
}

static void each_runs_once(void **state) {
    (void)state;
    atomic_size_t n = 0;
    pl_threads *threads;
    fixture_ok(pl_threads_new(3, &threads));
    pl_lane_threads lanes = pl_threads_for_lanes(threads);
    fixture_ok(lanes.start(lanes.ctx, 1, count, &n));
    fixture_ok(lanes.start(lanes.ctx, 3, count, &n)); /* 2: nothing to do */
    lanes.join(lanes.ctx, 1);
    fixture_fails(lanes.start(lanes.ctx, 4, count, &n), PL_LIMIT, "no thread was made for lane 4");
    pl_threads_free(threads);
    assert_int_equal(n, 2);
    pl_threads_free(NULL);
}

static void no_thread_can_be_made(void **state) {
    (void)state;
    pl_threads *threads = NULL;
    none_left = true;
    fixture_fails(pl_threads_new(2, &threads), PL_LIMIT, "limits.lanes");
    none_left = false;
    assert_null(threads);
    fixture_ok(pl_threads_new(0, &threads));
    pl_threads_free(threads);
}

/* ---- parties on them ---- */

static pl_status count_sent(pl_party *lane, size_t number, void *ctx) {
    uint64_t *sent = ctx;
    sent[number] = pl_mesh_counters(pl_party_mesh(lane)).bytes_sent;
    return PL_OK;
}

static pl_status multiply(pl_party *p) {
    uint64_t *values, sent[N_LANES] = {0};
    pl_svec x = {0};
    pl_status status;
    PL_TRY(pl_alloc(N_ELEMENTS, sizeof *values, &values));
    for (size_t i = 0; i < N_ELEMENTS; i++)
        values[i] = i;
    PL_CHECK(status, pl_constant(p, PL_ARITH_64, N_ELEMENTS, values, &x));
    PL_CHECK(status, pl_mul(p, &x, &x, &x));
    PL_CHECK(status, pl_open(p, &x, PL_ARITH_64, N_ELEMENTS, 7, "a test", values));
    PL_CHECK(status, pl_party_each_lane(p, count_sent, sent));
    for (size_t i = 0; i < N_ELEMENTS && pl_is_ok(status); i++)
        status = values[i] == i * i ? PL_OK : pl_fail(PL_CORRUPT, "element %zu is wrong", i);
    for (size_t i = 0; i < N_LANES && pl_is_ok(status); i++)
        status =
            sent[i] > 8 * PL_LANE_ELEMENTS ? PL_OK : pl_fail(PL_CORRUPT, "lane %zu was idle", i);
out:
    free(values);
    pl_svec_done(&x);
    return status;
}

static pl_status run_party(size_t rank, pl_mesh *mesh, void *ctx) {
    static const size_t compute[] = {0, 1, 2};
    pl_mesh *(*meshes)[3] = ctx, *lanes[] = {meshes[0][rank], meshes[1][rank]};
    pl_threads *threads;
    pl_party *p = NULL;
    PL_TRY(pl_threads_new(N_LANES - 1, &threads));
    const pl_lane_threads of_lanes = pl_threads_for_lanes(threads);
    pl_party_params params = {.mesh = mesh,
                              .scheme = "rep3",
                              .compute = compute,
                              .n_compute = 3,
                              .seed = {(uint8_t)rank},
                              .lanes = lanes,
                              .n_lanes = N_LANES,
                              .threads = &of_lanes};
    pl_status status = pl_party_new(&params, &p);
    if (pl_is_ok(status))
        status = multiply(p);
    pl_party_free(p);
    pl_threads_free(threads);
    pl_mesh_free(lanes[0]);
    pl_mesh_free(lanes[1]);
    return status;
}

static void lanes_run_on_them(void **state) {
    (void)state;
    pl_mesh *meshes[N_LANES - 1][3];
    fixture_seed();
    for (size_t i = 0; i < N_LANES - 1; i++)
        fixture_ok(pl_memory_meshes(3, FIXTURE_TIMEOUT_MS, meshes[i]));
    n_made = 0;
    fixture_ok(pl_parties_run(3, FIXTURE_TIMEOUT_MS, run_party, meshes));
    assert_int_equal(n_made, 3 * (1 + N_LANES - 1)); /* a party and its lanes */
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_runs_once),
        cmocka_unit_test(no_thread_can_be_made),
        cmocka_unit_test(lanes_run_on_them),
    };
    return cmocka_run_group_tests_name("threads", tests, NULL, NULL);
}
