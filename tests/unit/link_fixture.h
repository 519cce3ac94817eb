/* What the tests of node/link share: a session port, played by a thread, for a party that is
 * another thread of the test. */
#ifndef TESTS_UNIT_LINK_FIXTURE_H
#define TESTS_UNIT_LINK_FIXTURE_H

#include "node/link/preamble.h"
#include "protocols/base/status.h"

#include <pthread.h>
#include <stdatomic.h>

#define LINK_PORT_NO_LANE PL_PREAMBLE_LANES_MAX

typedef struct link_port {
    pthread_t thread;
    int listener, pass[2]; /* connections go in at pass[0] */
    char endpoint[32];
    size_t drop_lane, keep_lane; /* connections that are closed; of which a copy is kept */
    atomic_int kept;             /* the last one; -1: none */
} link_port;

/* Opens a port that passes on every connection; it is served from link_port_serve until
 * link_port_close. */
void link_port_open(link_port *p);
void link_port_serve(link_port *p);
void link_port_close(link_port *p); /* of one that was not served, too */

/* A stranger's connection, passed on with this preamble and followed by bytes that are no
 * handshake. Returns the stranger's end. */
int link_port_stranger(const link_port *p, const pl_preamble *preamble);

/* Fails unless status is of that code and contains text; frees it. */
void link_expect(pl_status status, pl_code code, const char *text);

#endif
