/* Measuring links: all compute parties come to the same numbers, whatever each saw; numbers that
 * nobody believes are cut; others do not take part. */
#include "tests/unit/party_fixture.h"

#include "node/link/measure.h"

static const size_t ranks[] = {3, 0, 2};
static pl_net seen[4];

static pl_status measure(size_t rank, pl_mesh *mesh, void *ctx) {
    (void)ctx;
    return rank == 1 ? PL_OK : pl_link_measure(mesh, ranks, 3, &seen[rank]);
}

static void all_agree(void **state) {
    (void)state;
    for (size_t i = 0; i < 20; i++) {
        fixture_ok(pl_parties_run(4, FIXTURE_TIMEOUT_MS, measure, NULL));
        assert_true(seen[0].round_trip_us == seen[2].round_trip_us &&
                    seen[0].round_trip_us == seen[3].round_trip_us);
        assert_true(seen[0].bytes_per_second == seen[2].bytes_per_second &&
                    seen[0].bytes_per_second == seen[3].bytes_per_second);
        assert_true(seen[0].round_trip_us >= 1 && seen[0].bytes_per_second >= 1e3);
    }
}

/* Rank 2 takes part in the messages, but says what it likes. */
static pl_status with_a_liar(size_t rank, pl_mesh *mesh, void *ctx) {
    static uint8_t bytes[2][131072];
    uint8_t word[8] = {0}, back[8], heard[32];
    (void)ctx;
    if (rank != 2)
        return measure(rank, mesh, NULL);
    for (size_t i = 0; i < 4; i++)
        PL_TRY(pl_mesh_exchange(mesh, 0, word, 8, 3, back, 8));
    PL_TRY(pl_mesh_exchange(mesh, 0, bytes[0], sizeof bytes[0], 3, bytes[1], sizeof bytes[1]));
    uint8_t lie[16];
    pl_put_u64(lie, UINT64_MAX);
    pl_put_u64(lie + 8, 0);
    PL_TRY(pl_mesh_send(mesh, 3, lie, 16));
    PL_TRY(pl_mesh_send(mesh, 0, lie, 16));
    PL_TRY(pl_mesh_recv(mesh, 3, heard, 16));
    PL_TRY(pl_mesh_recv(mesh, 0, heard + 16, 16));
    return pl_mesh_finish(mesh);
}

static void lies_are_cut(void **state) {
    (void)state;
    fixture_ok(pl_parties_run(4, FIXTURE_TIMEOUT_MS, with_a_liar, NULL));
    assert_true(seen[0].round_trip_us == 1e7 && seen[0].bytes_per_second == 1e3);
    assert_true(seen[3].round_trip_us == 1e7 && seen[3].bytes_per_second == 1e3);
}

static pl_status leaves(size_t rank, pl_mesh *mesh, void *ctx) {
    return rank == 2 ? pl_fail(PL_CANCELLED, "I leave") : measure(rank, mesh, ctx);
}

static void a_lost_peer_is_told(void **state) {
    (void)state;
    fixture_fails(pl_parties_run(4, FIXTURE_TIMEOUT_MS, leaves, NULL), PL_CANCELLED, "leave");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_agree),
        cmocka_unit_test(lies_are_cut),
        cmocka_unit_test(a_lost_peer_is_told),
    };
    return cmocka_run_group_tests_name("measure", tests, NULL, NULL);
}
