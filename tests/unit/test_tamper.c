/* One bit flipped in anything that an owner gives to the compute parties, in what they forward, or
 * in anything that a recipient gets, ends the session with PROTOCOL before a value comes out; so
 * does a multiplication message that was altered, at the next opening. Every byte is tried. Wrong
 * if the flip does not happen (the tap says so). */
#include "tests/unit/tap_transport.h"

#include <stdio.h>
#include <string.h>

#define N 3
#define OWNER 3
#define RECIPIENT 4

static const fixture_set set = {"rep3", 5, {0, 1, 2}, 3, {0, 0}};
static const uint64_t inputs[N] = {5, UINT64_MAX, UINT64_C(1) << 63};
static const uint64_t untouched[N] = {0x1111, 0x2222, 0x3333};

typedef enum stage { STAGE_INPUT, STAGE_MUL, STAGE_OPEN } stage;

typedef struct tampering {
    tap_set tap;
    stage stage;
    uint64_t recipients;
    uint64_t out[5][N];
} tampering;

static pl_status program(pl_party *p, void *ctx) {
    tampering *t = ctx;
    size_t rank = pl_party_rank(p);
    pl_svec x = {0};
    pl_status status;
    if (t->stage == STAGE_INPUT)
        tap_open(&t->tap, p);
    PL_CHECK(status, pl_input(p, OWNER, PL_ARITH_64, N, rank == OWNER ? inputs : NULL, &x));
    if (t->stage == STAGE_MUL)
        tap_open(&t->tap, p);
    if (pl_party_computes(p))
        PL_CHECK(status, pl_mul(p, &x, &x, &x));
    if (t->stage == STAGE_OPEN)
        tap_open(&t->tap, p);
    PL_CHECK(status, pl_open(p, &x, PL_ARITH_64, N, t->recipients, "the square", t->out[rank]));
out:
    pl_svec_done(&x);
    return status;
}

/* Runs with one flip; false when that link carries fewer bytes. */
static bool run_flipped(tampering *t, size_t from, size_t to, size_t offset) {
    t->tap.set = &set;
    t->tap.program = program;
    t->tap.ctx = t;
    t->tap.flips = true;
    t->tap.from = from;
    t->tap.to = to;
    t->tap.offset = offset;
    for (size_t r = 0; r < 5; r++)
        memcpy(t->out[r], untouched, sizeof untouched);
    tap_run(&t->tap);
    return t->tap.flipped;
}

/* How many parties ended with PROTOCOL and a message that has the text. */
static size_t count_protocol(const tampering *t, const char *text) {
    size_t n = 0;
    for (size_t r = 0; r < 5; r++) {
        pl_status status = t->tap.statuses[r];
        n += pl_status_code(status) == PL_PROTOCOL &&
             strstr(pl_status_message(status), text) != NULL;
    }
    return n;
}

static size_t flip_every_byte(tampering *t, size_t from, size_t to, const char *text,
                              size_t n_detecting_min) {
    size_t offset = 0;
    while (run_flipped(t, from, to, offset)) {
        if (count_protocol(t, text) < n_detecting_min)
            fail_msg("byte %zu from %zu to %zu: not noticed", offset, from, to);
        for (size_t r = 0; r < 5; r++) /* no value came out */
            assert_memory_equal(t->out[r], untouched, sizeof untouched);
        tap_done(&t->tap);
        offset++;
    }
    tap_done(&t->tap);
    return offset;
}

static void owner_tampers(void **state) {
    (void)state;
    tampering t = {.stage = STAGE_INPUT, .recipients = 1u << RECIPIENT};
    assert_int_equal(flip_every_byte(&t, OWNER, 0, "rank 3", 2), 32);
    assert_int_equal(flip_every_byte(&t, OWNER, 1, "rank 3", 2), 16 + 8 * N);
    assert_int_equal(flip_every_byte(&t, OWNER, 2, "rank 3", 2), 16 + 32);
}

static void forwarder_tampers(void **state) {
    (void)state;
    tampering t = {.stage = STAGE_INPUT, .recipients = 1u << RECIPIENT};
    /* 32 bytes of digest, the vector, and what the multiplication sends to the next party: nothing
     */
    assert_int_equal(flip_every_byte(&t, 1, 2, "the input of rank 3", 1), 32 + 8 * N);
}

/* A recipient outside: every byte it gets is checked. */
static void opening_to_outside(void **state) {
    (void)state;
    tampering t = {.stage = STAGE_OPEN, .recipients = 1u << RECIPIENT};
    for (size_t from = 0; from < 3; from++) {
        assert_int_equal(flip_every_byte(&t, from, RECIPIENT, "cannot open the square", 1),
                         32 + 8 * N);
    }
}

static void opening_to_a_compute_party(void **state) {
    (void)state;
    for (size_t recipient = 0; recipient < 3; recipient++) {
        tampering t = {.stage = STAGE_OPEN, .recipients = UINT64_C(1) << recipient};
        size_t prev = (recipient + 2) % 3, next = (recipient + 1) % 3;
        assert_int_equal(flip_every_byte(&t, prev, recipient, "cannot open the square", 1),
                         32 + 8 * N);
        assert_int_equal(flip_every_byte(&t, next, recipient, "cannot open the square", 1), 64);
    }
}

/* The holders' copies of the product differ then. */
static void multiplication_altered(void **state) {
    (void)state;
    for (size_t from = 0; from < 3; from++) {
        tampering t = {.stage = STAGE_MUL, .recipients = 1u << RECIPIENT};
        assert_int_equal(flip_every_byte(&t, from, (from + 2) % 3, "cannot open the square", 1),
                         8 * N);
    }
}

static void without_flip_it_works(void **state) {
    (void)state;
    tampering t = {.stage = STAGE_INPUT, .recipients = 0x1f};
    assert_false(run_flipped(&t, 0, 1, SIZE_MAX));
    for (size_t r = 0; r < 5; r++) {
        fixture_ok(t.tap.statuses[r]);
        for (size_t i = 0; i < N; i++)
            assert_true(t.out[r][i] == inputs[i] * inputs[i]);
    }
    tap_done(&t.tap);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(without_flip_it_works),      cmocka_unit_test(owner_tampers),
        cmocka_unit_test(forwarder_tampers),          cmocka_unit_test(opening_to_outside),
        cmocka_unit_test(opening_to_a_compute_party), cmocka_unit_test(multiplication_altered),
    };
    return cmocka_run_group_tests_name("tamper", tests, NULL, NULL);
}
