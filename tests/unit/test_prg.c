/* The PRG: every path gives NIST's published key stream, and all paths give the same bytes however
 * they are asked. Wrong if: a path is skipped silently (the count at the end), or the stream
 * depends on how it is cut. */
#include "protocols/base/prg_aes.h"
#include "protocols/base/secret.h"
#include "tests/unit/party_fixture.h"

#include <stdlib.h>
#include <string.h>

static const pl_prg_path paths[] = {PL_PRG_EVP, PL_PRG_AESNI, PL_PRG_VAES, PL_PRG_VAES512};
#define N_PATHS (sizeof paths / sizeof paths[0])

/* False when this processor lacks the path. */
static bool force(pl_prg_path path) {
    pl_status status = pl_prg_force_path(path);
    bool done = pl_is_ok(status);
    if (!done)
        assert_int_equal(pl_status_code(status), PL_UNSUPPORTED);
    pl_status_done(&status);
    return done;
}

/* NIST SP 800-38A, appendix F.5.1 (CTR-AES128.Encrypt): the stream is plain text XOR cipher text.
 */
static void stream_is_nist_ctr(void **state) {
    (void)state;
    uint8_t key[16], plain[64], cipher[64], stream[64];
    fixture_ok(pl_hex_decode("2b7e151628aed2a6abf7158809cf4f3c", key, 16));
    fixture_ok(pl_hex_decode("6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                             "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710",
                             plain, 64));
    fixture_ok(pl_hex_decode("874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
                             "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee",
                             cipher, 64));
    size_t n_run = 0;
    for (size_t i = 0; i < N_PATHS; i++) {
        if (!force(paths[i]))
            continue;
        pl_prg *prg;
        fixture_ok(pl_prg_new_at(key, 0xf0f1f2f3f4f5f6f7u, 0xf8f9fafbfcfdfeffu, &prg));
        fixture_ok(pl_prg_fill(prg, stream, sizeof stream));
        pl_prg_free(prg);
        for (size_t b = 0; b < sizeof stream; b++)
            assert_int_equal(stream[b], plain[b] ^ cipher[b]);
        n_run++;
    }
    assert_true(n_run >= 1);
    assert_true(force(PL_PRG_AUTO));
}

#define STREAM_BYTES ((size_t)300 * 1024 + 13)

static void fill_in_pieces(pl_prg *prg, uint8_t *out, size_t len) {
    static const size_t pieces[] = {1,   15,  16,  17,   0, 127,   128, 129,
                                    255, 256, 257, 4096, 8, 70000, 3};
    size_t at = 0;
    for (size_t i = 0; at < len; i++) {
        size_t piece = pieces[i % (sizeof pieces / sizeof pieces[0])];
        if (piece > len - at)
            piece = len - at;
        fixture_ok(pl_prg_fill(prg, out + at, piece));
        at += piece;
    }
}

static void paths_and_pieces_agree(void **state) {
    (void)state;
    const uint8_t key[16] = {1, 2, 3};
    uint8_t *expected = test_malloc(STREAM_BYTES), *got = test_malloc(STREAM_BYTES);
    assert_true(force(PL_PRG_EVP));
    pl_prg *prg;
    fixture_ok(pl_prg_new(key, 77, &prg));
    fixture_ok(pl_prg_fill(prg, expected, STREAM_BYTES));
    pl_prg_free(prg);
    for (size_t i = 0; i < N_PATHS; i++) {
        for (int in_pieces = 0; in_pieces < 2 && force(paths[i]); in_pieces++) {
            fixture_ok(pl_prg_new(key, 77, &prg));
            memset(got, 0xaa, STREAM_BYTES);
            if (in_pieces != 0)
                fill_in_pieces(prg, got, STREAM_BYTES);
            else
                fixture_ok(pl_prg_fill(prg, got, STREAM_BYTES));
            pl_prg_free(prg);
            assert_memory_equal(got, expected, STREAM_BYTES);
        }
    }
    assert_true(force(PL_PRG_AUTO));
    test_free(expected);
    test_free(got);
}

static void streams_differ_by_key_and_nonce(void **state) {
    (void)state;
    const uint8_t keys[2][16] = {{1}, {2}};
    uint8_t stream[4][32];
    for (size_t i = 0; i < 4; i++) {
        pl_prg *prg;
        fixture_ok(pl_prg_new(keys[i / 2], i % 2, &prg));
        fixture_ok(pl_prg_fill(prg, stream[i], sizeof stream[i]));
        pl_prg_free(prg);
        for (size_t j = 0; j < i; j++)
            assert_memory_not_equal(stream[i], stream[j], sizeof stream[i]);
    }
}

static void stream_does_not_wrap(void **state) {
    (void)state;
    const uint8_t key[16] = {0};
    static uint8_t out[4096];
    assert_non_null(pl_prg_path_name());
    for (size_t i = 1; i < N_PATHS; i++) {
        if (!force(paths[i]))
            continue;
        pl_prg *prg;
        fixture_ok(pl_prg_new_at(key, 0, UINT64_MAX - 8, &prg));
        fixture_fails(pl_prg_fill(prg, out, sizeof out), PL_LIMIT, "used up");
        pl_prg_free(prg);
    }
    assert_true(force(PL_PRG_AUTO));
}

static void secret_memory_is_aligned_and_zero(void **state) {
    (void)state;
    static const size_t lens[] = {0, 1, 63, 64, 4096, 4097, 20481, 1 << 20, (3 << 20) + 5};
    /* The second time blocks are reused (without AddressSanitizer): what was in them is gone. */
    for (size_t i = 0; i < 2 * (sizeof lens / sizeof lens[0]); i++) {
        size_t len = lens[i / 2];
        uint8_t *data = NULL;
        fixture_ok(pl_secret_alloc(len, &data));
        assert_int_equal((uintptr_t)data % 64, 0);
        for (size_t b = 0; b < len; b++)
            assert_int_equal(data[b], 0);
        memset(data, 0xff, len);
        pl_secret_free(data, len);
    }
    pl_secret_free(NULL, 10);
    uint8_t *data = NULL;
    fixture_fails(pl_secret_alloc(SIZE_MAX - 1, &data), PL_LIMIT, "no memory");
    assert_null(data);
    assert_true(pl_secret_equal("abc", "abc", 3));
    assert_false(pl_secret_equal("abc", "abd", 3));
    assert_true(pl_secret_equal(NULL, NULL, 0));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(stream_is_nist_ctr),
        cmocka_unit_test(paths_and_pieces_agree),
        cmocka_unit_test(streams_differ_by_key_and_nonce),
        cmocka_unit_test(stream_does_not_wrap),
        cmocka_unit_test(secret_memory_is_aligned_and_zero),
    };
    return cmocka_run_group_tests_name("prg", tests, NULL, NULL);
}
