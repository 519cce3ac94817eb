/* A transport between a party and its in-memory mesh that keeps what arrives, and can flip one bit
 * of what is sent. */
#ifndef TESTS_UNIT_TAP_TRANSPORT_H
#define TESTS_UNIT_TAP_TRANSPORT_H

#include "tests/unit/party_fixture.h"

#define TAP_PARTIES 5

/* What one party received from each peer since its tap was opened. */
typedef struct tap {
    bool open;
    pl_buf received[TAP_PARTIES];
    size_t n_sent[TAP_PARTIES]; /* since opened */
} tap;

typedef struct tap_set {
    const fixture_set *set;
    fixture_program program;
    void *ctx;
    tap taps[TAP_PARTIES];
    /* flip: the byte that `from` sends to `to` at this offset, counted from tap_open at `from`. */
    bool flips;
    size_t from, to, offset;
    bool flipped;                    /* written by the thread of `from` */
    pl_status statuses[TAP_PARTIES]; /* of every party */
} tap_set;

/* Runs the program at all parties; statuses[] says how each ended. tap_done frees it all. */
void tap_run(tap_set *t);
void tap_done(tap_set *t);

/* Called by a party in its program: from here on bytes are kept and counted. */
void tap_open(tap_set *t, pl_party *p);

#endif
