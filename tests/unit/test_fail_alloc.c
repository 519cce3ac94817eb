/* Every allocation of every party fails once, in turn: the run ends with LIMIT, nobody hangs, and
 * nothing is leaked or used after it was freed (AddressSanitizer watches). Wrong if the failures do
 * not happen (they are counted). The linker puts the two wrappers below in the place of pl_alloc
 * and pl_secret_alloc. Operations that are made of several end the session too, or a party would go
 * on with others who have got further. */
#include "protocols/base/secret.h"
#include "tests/unit/party_fixture.h"

#include <stdio.h>

pl_status __real_pl_alloc(size_t n, size_t size, void *out_ptr);
pl_status __real_pl_secret_alloc(size_t len, void *out_ptr);
pl_status __wrap_pl_alloc(size_t n, size_t size, void *out_ptr);
pl_status __wrap_pl_secret_alloc(size_t len, void *out_ptr);

/* Allocations until one fails, in this thread; negative: none does. */
static _Thread_local long countdown = -1;

static bool fails_now(void) {
    return countdown >= 0 && countdown-- == 0;
}

pl_status __wrap_pl_alloc(size_t n, size_t size, void *out_ptr) {
    return fails_now() ? pl_fail(PL_LIMIT, "no memory, says the test")
                       : __real_pl_alloc(n, size, out_ptr);
}

pl_status __wrap_pl_secret_alloc(size_t len, void *out_ptr) {
    return fails_now() ? pl_fail(PL_LIMIT, "no memory, says the test")
                       : __real_pl_secret_alloc(len, out_ptr);
}

typedef struct failure {
    const fixture_set *set;
    bool of_many; /* operations made of several */
    size_t n_lanes, rank;
    pl_mesh *second[4]; /* of two lanes */
    long at;
    bool happened; /* written by the thread of rank */
} failure;

static const uint64_t values[5] = {1, 2, 3, 4, 5};

static pl_status one_step(pl_party *p, const pl_svec *x) {
    pl_svec product = {0}, fixed = {0}, less = {0};
    PL_TRY(pl_together_begin(p));
    pl_status status = pl_mul(p, x, x, &product);
    if (pl_is_ok(status))
        status = pl_matmul(p, x, x, &(pl_matmul_shape){1, 5, 1, 3}, &fixed);
    if (pl_is_ok(status))
        status = pl_less_than(p, x, x, 20, &less);
    status = pl_together_end(p, status);
    pl_svec_done(&product);
    pl_svec_done(&fixed);
    pl_svec_done(&less);
    return status;
}

static pl_status other_operations(pl_party *p, const pl_svec *x) {
    pl_svec out = {0}, row = {0};
    pl_status status;
    PL_CHECK(status, one_step(p, x));
    PL_CHECK(status, pl_equal(p, x, x, &out));
    PL_CHECK(status, pl_choose(p, &out, x, x, &out));
    PL_CHECK(status, pl_mul_fixed(p, x, x, 3, &out));
    PL_CHECK(status, pl_truncate(p, x, 3, &out));
    PL_CHECK(status, pl_truncate_probabilistic(p, x, 3, &out));
    PL_CHECK(status, pl_matmul(p, x, x, &(pl_matmul_shape){1, 5, 1, 3}, &out));
    PL_CHECK(status, pl_matmul(p, x, x, &(pl_matmul_shape){5, 1, 5, 0}, &out));
    PL_CHECK(status, pl_less_than(p, x, x, 64, &out));
    PL_CHECK(status, pl_bit_to_arith(p, &out, PL_ARITH_128, &out));
    PL_CHECK(status, pl_words(p, x, 64, &row));
    PL_CHECK(status, pl_number(p, &row, &out));
    PL_CHECK(status, pl_shuffle(p, (pl_svec *const[]){&row, &row}, 2));
    const uint32_t positions[] = {0, 1, 2};
    const pl_row_pairs pairs = {.columns = (const pl_svec *const[]){&row},
                                .n_columns = 1,
                                .bits = 64,
                                .left = positions,
                                .right = positions,
                                .n = 3};
    PL_CHECK(status, pl_less_rows(p, &pairs, &out));
    PL_CHECK(status, pl_not(p, &out, &out));
    PL_CHECK(status, pl_max(p, (const pl_svec *const[]){x, x, x}, 3, &out));
out:
    pl_svec_done(&out);
    pl_svec_done(&row);
    return status;
}

static pl_status work(pl_party *p, pl_svec *x, pl_svec *y) {
    size_t rank = pl_party_rank(p);
    PL_TRY(pl_input(p, 3, PL_ARITH_64, 5, rank == 3 ? values : NULL, x));
    PL_TRY(pl_input(p, 0, PL_ARITH_64, 5, rank == 0 ? values : NULL, y));
    if (pl_party_computes(p)) {
        PL_TRY(pl_mul(p, x, y, y));
        PL_TRY(pl_less_than_public(p, x, values, 63, x));
        PL_TRY(pl_bit_to_arith(p, x, PL_ARITH_64, x));
        PL_TRY(other_operations(p, y));
        PL_TRY(pl_sum(p, (const pl_svec *[]){x, y}, 2, x));
        PL_TRY(pl_concat((const pl_svec *[]){x, y}, 2, x));
        PL_TRY(pl_gather(x, (const size_t[]){1, 2, 3, 4, 5}, 5, x));
        PL_TRY(pl_mul_public(p, x, values, x));
        PL_TRY(pl_add_public(p, x, values, x));
    }
    uint64_t out[5];
    return pl_open(p, x, PL_ARITH_64, 5, 0x9, "a test", out);
}

/* Something that lanes share; failures come in lane 0 only, whose thread counts. */
static pl_status work_of_lanes(pl_party *p, pl_svec *x, pl_svec *y) {
    static const uint64_t none[2 * PL_LANE_ELEMENTS];
    if (!pl_party_computes(p))
        return PL_OK;
    PL_TRY(pl_constant(p, PL_ARITH_64, 2 * PL_LANE_ELEMENTS, none, x));
    PL_TRY(pl_mul(p, x, x, y));
    return pl_less_than(p, x, y, 20, x);
}

/* Operations made of several, x and y shared before. */
static pl_status work_of_many(pl_party *p, pl_svec *x, pl_svec *y) {
    pl_svec out = {0}, bits = {0};
    const pl_sort_key key = {y, 20, true};
    pl_status status;
    if (!pl_party_computes(p))
        return PL_OK;
    PL_CHECK(status, pl_sort(p, &key, 1, (pl_svec *const[]){x, y}, 2));
    PL_CHECK(status, pl_less_than(p, x, y, 64, &bits));
    PL_CHECK(status, pl_segmented_scan(p, PL_SCAN_MAX, x, &bits, &out));
    PL_CHECK(status, pl_compact(p, &bits, (pl_svec *const[]){x}, 1));
    PL_CHECK(status, pl_divide(p, x, y, 4, &out));
    PL_CHECK(status, pl_divide_integer(p, x, y, 3, &out));
    PL_CHECK(status, pl_quantile(p, x, 20, (const double[]){0.5}, 1, &out));
out:
    pl_svec_done(&out);
    pl_svec_done(&bits);
    return status;
}

static pl_status share_for_many(pl_party *p, pl_svec *x, pl_svec *y) {
    size_t rank = pl_party_rank(p);
    PL_TRY(pl_input(p, 3, PL_ARITH_64, 5, rank == 3 ? values : NULL, x));
    return pl_input(p, 0, PL_ARITH_64, 5, rank == 0 ? values : NULL, y);
}

static pl_status body_of_many(size_t rank, pl_mesh *mesh, void *ctx) {
    failure *f = ctx;
    pl_party *p = NULL;
    pl_svec x = {0}, y = {0};
    pl_status status = fixture_party(f->set, rank, mesh, &p);
    if (pl_is_ok(status))
        status = share_for_many(p, &x, &y);
    countdown = rank == f->rank ? f->at : -1;
    if (pl_is_ok(status))
        status = work_of_many(p, &x, &y);
    if (rank == f->rank)
        f->happened = countdown < 0;
    countdown = -1;
    pl_status after = pl_mesh_pump(mesh); /* a dead session says so */
    if (!pl_is_ok(status) && pl_is_ok(after))
        fail_msg("rank %zu, allocation %ld: the session lives after %s", rank, f->at,
                 pl_status_message(status));
    pl_status_done(&after);
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_party_free(p);
    return status;
}

static pl_status body(size_t rank, pl_mesh *mesh, void *ctx) {
    failure *f = ctx;
    if (f->of_many)
        return body_of_many(rank, mesh, f);
    if (rank == f->rank)
        countdown = f->at;
    pl_mesh *const meshes[2] = {mesh, f->second[rank]};
    pl_party *p = NULL;
    pl_svec x = {0}, y = {0};
    pl_status status = fixture_party_of(f->set, rank, meshes, f->n_lanes, &p);
    if (pl_is_ok(status))
        status = f->n_lanes == 1 ? work(p, &x, &y) : work_of_lanes(p, &x, &y);
    if (rank == f->rank)
        f->happened = countdown < 0;
    countdown = -1;
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_party_free(p);
    pl_mesh_free(meshes[1]);
    return status;
}

static size_t fail_each(const fixture_set *set, bool of_many, size_t n_lanes, size_t rank) {
    failure f = {
        .set = set, .of_many = of_many, .n_lanes = n_lanes, .rank = rank, .happened = true};
    for (; f.happened; f.at++) {
        if (n_lanes == 2)
            fixture_ok(pl_memory_meshes(set->n_parties, FIXTURE_TIMEOUT_MS, f.second));
        pl_status status = pl_parties_run(set->n_parties, FIXTURE_TIMEOUT_MS, body, &f);
        if (f.happened)
            fixture_fails(status, PL_LIMIT, "says the test");
        else
            fixture_ok(status);
    }
    return (size_t)f.at - 1;
}

static void every_allocation_fails_once(void **state) {
    (void)state;
    const fixture_set rep3 = {"rep3", 4, {0, 1, 2}, 3, {0, 0}},
                      plain = {"plain", 4, {1}, 1, {0, 0}};
    fixture_seed();
    for (size_t rank = 0; rank < 4; rank++) {
        size_t n = fail_each(&rep3, false, 1, rank);
        printf("rank %zu: %zu allocations\n", rank, n);
        assert_true(n >= (rank == 3 ? 10 : 100));
    }
    assert_true(fail_each(&plain, false, 1, 1) >= 20);
    size_t of_many = fail_each(&rep3, true, 1, 2);
    printf("operations made of several: %zu allocations\n", of_many);
    assert_true(of_many >= 300);
    size_t n_lanes = fail_each(&rep3, false, 2, 1);
    printf("two lanes: %zu allocations\n", n_lanes);
    assert_true(n_lanes >= 40);
}

/* Making the meshes themselves. */
static void making_meshes_fails(void **state) {
    (void)state;
    pl_mesh *m[3];
    long at = 0;
    for (bool happened = true; happened; at++) {
        countdown = at;
        pl_status status = pl_memory_meshes(3, 1000, m);
        happened = countdown < 0;
        countdown = -1;
        if (happened) {
            fixture_fails(status, PL_LIMIT, "says the test");
            continue;
        }
        fixture_ok(status);
        for (size_t i = 0; i < 3; i++)
            pl_mesh_free(m[i]);
    }
    assert_true(at > 10);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_allocation_fails_once),
        cmocka_unit_test(making_meshes_fails),
    };
    return cmocka_run_group_tests_name("fail_alloc", tests, NULL, NULL);
}
