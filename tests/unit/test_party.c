/* Vectors and parties: rearrangements, and every refusal: each is found before anything is sent, so
 * the session lives and the last operation of each program still works. */
#include "tests/unit/party_fixture.h"

#include <stdio.h>
#include <string.h>

static void fill(pl_svec *v, uint64_t base) {
    for (size_t c = 0; c < v->n_components; c++) {
        for (size_t i = 0; i < v->n; i++)
            ((uint64_t *)v->component[c])[i] = base + 100 * c + i;
    }
}

static uint64_t at(const pl_svec *v, size_t c, size_t i) {
    return ((const uint64_t *)v->component[c])[i];
}

static void vectors_are_rearranged(void **state) {
    (void)state;
    pl_svec x, y = {0}, z = {0}, empty;
    fixture_ok(pl_svec_init(&x, PL_ARITH_64, 10, 2));
    fill(&x, 1000);
    fixture_ok(pl_slice(&x, 3, 4, &y));
    assert_true(y.n == 4 && at(&y, 0, 0) == 1003 && at(&y, 1, 3) == 1106);
    fixture_ok(pl_gather(&x, (const size_t[]){9, 0, 9}, 3, &z));
    assert_true(z.n == 3 && at(&z, 0, 0) == 1009 && at(&z, 1, 1) == 1100 && at(&z, 1, 2) == 1109);
    fixture_ok(pl_svec_init(&empty, PL_ARITH_64, 0, 2));
    fixture_ok(pl_concat((const pl_svec *[]){&y, &empty, &z}, 3, &y)); /* out is an input */
    assert_true(y.n == 7 && at(&y, 0, 3) == 1006 && at(&y, 0, 4) == 1009 && at(&y, 1, 6) == 1109);
    fixture_ok(pl_slice(&x, 10, 0, &z));
    assert_true(z.n == 0 && z.n_components == 2);
    fixture_ok(pl_svec_dup(&x, &x));
    assert_true(x.n == 10 && at(&x, 1, 9) == 1109);
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&z);
    pl_svec_done(&empty);
    pl_svec_done(&empty); /* {0} */
    pl_svec_done(NULL);
}

static void vectors_that_do_not_fit(void **state) {
    (void)state;
    pl_svec x, b, out = {0};
    fixture_ok(pl_svec_init(&x, PL_ARITH_64, 10, 2));
    fixture_ok(pl_svec_init(&b, PL_BOOL_64, 10, 2));
    fixture_fails(pl_slice(&x, 3, 8, &out), PL_INVALID_ARGUMENT, "has 10");
    fixture_fails(pl_slice(&x, 11, 0, &out), PL_INVALID_ARGUMENT, "has 10");
    fixture_fails(pl_slice(&x, 1, SIZE_MAX, &out), PL_INVALID_ARGUMENT, "has 10");
    fixture_fails(pl_gather(&x, (const size_t[]){10}, 1, &out), PL_INVALID_ARGUMENT, "element 10");
    fixture_fails(pl_concat((const pl_svec *[]){&x, &b}, 2, &out), PL_INVALID_ARGUMENT, "vector 2");
    fixture_fails(pl_concat(NULL, 0, &out), PL_INVALID_ARGUMENT, "no vector");
    fixture_fails(pl_svec_init(&out, PL_ARITH_128, SIZE_MAX / 8, 2), PL_LIMIT, "too long");
    fixture_fails(pl_svec_init(&out, PL_ARITH_64, PL_ELEMENTS_MAX + 1, 2), PL_LIMIT, "too long");
    fixture_fails(pl_svec_init(&out, PL_ARITH_64, 1, 5), PL_INVALID_ARGUMENT, "5 components");
    assert_int_equal(out.n_components, 0);
    pl_svec_done(&x);
    pl_svec_done(&b);
}

static void parties_that_cannot_be(void **state) {
    (void)state;
    pl_mesh *m[4];
    fixture_ok(pl_memory_meshes(4, 1000, m));
    pl_party *p = NULL;
    fixture_set set = {"shamir", 4, {0, 1, 2}, 3, {0, 0}};
    fixture_fails(fixture_party(&set, 0, m[0], &p), PL_UNSUPPORTED, "shamir");
    set = (fixture_set){"rep3", 4, {0, 1}, 2, {0, 0}};
    fixture_fails(fixture_party(&set, 0, m[0], &p), PL_INVALID_ARGUMENT,
                  "needs 3 compute parties, not 2");
    set = (fixture_set){"plain", 4, {0, 1, 2}, 3, {0, 0}};
    fixture_fails(fixture_party(&set, 0, m[0], &p), PL_INVALID_ARGUMENT, "needs 1 compute parties");
    set = (fixture_set){"rep3", 4, {0, 1, 4}, 3, {0, 0}};
    fixture_fails(fixture_party(&set, 0, m[0], &p), PL_INVALID_ARGUMENT, "no rank 4");
    set = (fixture_set){"rep3", 4, {0, 3, 0}, 3, {0, 0}};
    fixture_fails(fixture_party(&set, 0, m[0], &p), PL_INVALID_ARGUMENT, "rank 0 is named twice");
    assert_null(p);
    pl_party_free(NULL);
    for (size_t i = 0; i < 4; i++)
        pl_mesh_free(m[i]);
}

/* ---- refusals in a live session: like fixture_fails, but at a party's thread ---- */

static pl_status refused(pl_status status, const char *part_of_message) {
    bool as_expected = pl_status_code(status) == PL_INVALID_ARGUMENT &&
                       strstr(pl_status_message(status), part_of_message) != NULL;
    pl_status result = as_expected ? PL_OK
                                   : pl_fail(PL_INTERNAL, "expected a refusal with '%s', got: %s",
                                             part_of_message, pl_status_message(status));
    pl_status_done(&status);
    return result;
}

static const uint64_t values[3] = {1, 2, 3};

static pl_status refused_inputs_and_openings(pl_party *p, const pl_svec *x) {
    uint64_t out[3];
    pl_svec v = {0};
    size_t rank = pl_party_rank(p);
    PL_TRY(refused(pl_input(p, 9, PL_ARITH_64, 3, NULL, &v), "no rank 9"));
    PL_TRY(refused(pl_input(p, 0, (pl_kind)7, 3, rank == 0 ? values : NULL, &v), "no ring 7"));
    PL_TRY(refused(pl_input(p, 0, PL_ARITH_64, 3, rank == 0 ? NULL : values, &v), "by the owner"));
    PL_TRY(refused(pl_input(p, 0, PL_ARITH_64, PL_ELEMENTS_MAX + 1, rank == 0 ? values : NULL, &v),
                   "are too many"));
    PL_TRY(refused(pl_open(p, x, PL_ARITH_64, SIZE_MAX, 1, "it", out), "are too many"));
    PL_TRY(refused(pl_open(p, x, PL_ARITH_64, 3, 0, "nothing", out), "open nothing: no recipient"));
    PL_TRY(refused(pl_open(p, x, PL_ARITH_64, 3, 16, "it", out), "not in the session"));
    PL_TRY(refused(pl_open(p, x, PL_ARITH_64, 3, 1, NULL, out), "no reason"));
    PL_TRY(refused(pl_open(p, x, (pl_kind)9, 3, 1, "it", out), "no ring 9"));
    PL_TRY(refused(pl_open(p, x, PL_ARITH_64, 3, 15, "it", NULL), "gives no memory"));
    return PL_OK;
}

static pl_status refused_operations(pl_party *p, const pl_svec *x, const pl_svec *shorter,
                                    pl_svec *out) {
    uint64_t opened[3];
    pl_svec foreign = {.kind = PL_ARITH_64, .n = 3, .n_components = 0};
    PL_TRY(refused(pl_input(p, 3, PL_ARITH_64, 3, NULL, NULL), "needs a vector"));
    PL_TRY(refused(pl_open(p, x, PL_ARITH_64, 2, 1, "it", opened), "not 2 elements"));
    PL_TRY(refused(pl_open(p, NULL, PL_ARITH_64, 3, 1, "it", opened), "not 3 elements"));
    PL_TRY(refused(pl_add(p, x, shorter, out), "3 elements of ring 2^64 and 2"));
    PL_TRY(refused(pl_mul(p, x, shorter, out), "3 elements of ring 2^64 by 2"));
    PL_TRY(refused(pl_mul(p, &foreign, &foreign, out), "not a sharing of scheme rep3"));
    PL_TRY(refused(pl_neg(p, &foreign, out), "not a sharing of scheme rep3"));
    PL_TRY(refused(pl_sum(p, (const pl_svec *[]){x, shorter}, 2, out), "cannot add"));
    PL_TRY(refused(pl_sum(p, NULL, 0, out), "no vector"));
    PL_TRY(refused(pl_and(p, x, x, out), "cannot and"));
    PL_TRY(refused(pl_xor(p, x, x, out), "cannot xor"));
    PL_TRY(refused(pl_shl(p, x, 1, out), "cannot shift"));
    PL_TRY(refused(pl_bit_to_arith(p, x, PL_ARITH_64, out), "it turns bits"));
    PL_TRY(refused(pl_words(p, x, 65, out), "65 bits"));
    PL_TRY(refused(pl_mul_fixed(p, x, x, 33, out), "by 33 bits"));
    PL_TRY(refused(pl_mul_fixed(p, x, shorter, 3, out), "3 elements of ring 2^64 by 2"));
    PL_TRY(refused(pl_truncate(p, x, 0, out), "by 0 bits"));
    PL_TRY(refused(pl_mul_fixed_probabilistic(p, x, x, 33, out), "by 33 bits"));
    PL_TRY(refused(pl_truncate_probabilistic(p, x, 0, out), "by 0 bits"));
    PL_TRY(refused(pl_matmul(p, x, x, &(pl_matmul_shape){2, 2, 2, 0}, out), "are not matrices"));
    PL_TRY(refused(pl_sign(p, x, shorter, 64, out), "cannot compare 3"));
    PL_TRY(refused(pl_sign(p, x, x, 65, out), "65 bits"));
    PL_TRY(refused(pl_shuffle(p, NULL, 0), "without columns"));
    PL_TRY(pl_words(p, x, 64, out));
    PL_TRY(refused(pl_shr(p, out, 64, out), "by 64"));
    PL_TRY(refused(pl_words(p, out, 64, out), "it takes ring 2^64"));
    PL_TRY(refused(pl_bit_to_arith(p, out, PL_BOOL_64, out), "it turns bits"));
    PL_TRY(refused(pl_less_rows(p,
                                &(pl_row_pairs){.columns = (const pl_svec *const[]){out},
                                                .n_columns = 1,
                                                .bits = 64,
                                                .left = (const uint32_t[]){0},
                                                .right = (const uint32_t[]){3},
                                                .n = 1},
                                out),
                   "row 3: there are 3"));
    PL_TRY(refused(pl_less_rows(p,
                                &(pl_row_pairs){.columns = (const pl_svec *const[]){out},
                                                .n_columns = 1,
                                                .bits = 64,
                                                .left_begin = 2,
                                                .right = (const uint32_t[]){0, 1},
                                                .n = 2},
                                out),
                   "2 rows from row 2 on: there are 3"));
    PL_TRY(refused(pl_less_than_public(p, out, values, 63, out), "cannot compare"));
    return refused(pl_less_than_public(p, x, values, 65, out), "65 bits");
}

static pl_status refusals(pl_party *p, void *ctx) {
    uint64_t(*opened)[3] = ctx;
    size_t rank = pl_party_rank(p);
    pl_svec x = {0}, shorter = {0}, out = {0};
    pl_status status;
    PL_CHECK(status, pl_input(p, 3, PL_ARITH_64, 3, rank == 3 ? values : NULL, &x));
    PL_CHECK(status, refused_inputs_and_openings(p, &x));
    if (pl_party_computes(p)) {
        PL_CHECK(status, pl_slice(&x, 0, 2, &shorter));
        PL_CHECK(status, refused_operations(p, &x, &shorter, &out));
        PL_CHECK(status, pl_mul(p, &x, &x, &x));
    } else {
        PL_CHECK(status, refused(pl_mul(p, &x, &x, &x), "not a compute party"));
        PL_CHECK(status, refused(pl_add(p, &x, &x, &x), "not a compute party"));
        PL_CHECK(status, refused(pl_total(p, &x, &x), "not a compute party"));
    }
    PL_CHECK(status, pl_open(p, &x, PL_ARITH_64, 3, 9, "squares", opened[rank]));
out:
    pl_svec_done(&x);
    pl_svec_done(&shorter);
    pl_svec_done(&out);
    return status;
}

static void refusals_leave_the_session_alive(void **state) {
    (void)state;
    const fixture_set set = {"rep3", 4, {0, 1, 2}, 3, {0, 0}};
    uint64_t opened[4][3] = {{0}};
    fixture_ok(fixture_run(&set, refusals, opened));
    for (size_t i = 0; i < 3; i++)
        assert_true(opened[0][i] == values[i] * values[i] && opened[3][i] == opened[0][i] &&
                    opened[1][i] == 0 && opened[2][i] == 0);
}

/* ---- a party goes away in every operation: the others learn it and leak nothing ---- */

static pl_status leaves_at(pl_party *p, void *ctx) {
    const size_t *leaver = ctx;
    size_t rank = pl_party_rank(p);
    uint64_t out[3];
    pl_svec x = {0}, y = {0};
    pl_status status;
    if (rank == leaver[0] && leaver[1] == 0)
        return pl_fail(PL_CANCELLED, "I leave");
    PL_CHECK(status, pl_input(p, 3, PL_ARITH_64, 3, rank == 3 ? values : NULL, &x));
    if (rank == leaver[0] && leaver[1] == 1)
        PL_CHECK(status, pl_fail(PL_CANCELLED, "I leave"));
    if (pl_party_computes(p))
        PL_CHECK(status, pl_less_than_public(p, &x, values, 63, &y));
    if (rank == leaver[0] && leaver[1] == 2)
        PL_CHECK(status, pl_fail(PL_CANCELLED, "I leave"));
    PL_CHECK(status, pl_open(p, &x, PL_ARITH_64, 3, 15, "it", out));
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    return status;
}

static void a_party_leaves(void **state) {
    (void)state;
    const fixture_set set = {"rep3", 4, {0, 1, 2}, 3, {0, 0}};
    for (size_t rank = 0; rank < 4; rank++) {
        for (size_t stage = 0; stage < 3; stage++)
            fixture_fails(fixture_run(&set, leaves_at, (size_t[]){rank, stage}), PL_CANCELLED,
                          "I leave");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(vectors_are_rearranged),
        cmocka_unit_test(vectors_that_do_not_fit),
        cmocka_unit_test(parties_that_cannot_be),
        cmocka_unit_test(refusals_leave_the_session_alive),
        cmocka_unit_test(a_party_leaves),
    };
    return cmocka_run_group_tests_name("party", tests, NULL, NULL);
}
