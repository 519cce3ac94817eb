/* The links of a session mesh while they come up and afterwards. Private to this folder. */
#ifndef PL_NODE_LINK_LINKS_H
#define PL_NODE_LINK_LINKS_H

#include "node/link/preamble.h"
#include "node/link/session_mesh.h"
#include "node/link/tls.h"

typedef enum pl_link_state {
    PL_LINK_ABSENT,  /* there is none: it is the own rank, or who has no such lane */
    PL_LINK_WAITING, /* for the moment to dial, or for parleyd to pass a connection */
    PL_LINK_CONNECTING,
    PL_LINK_PREAMBLE,
    PL_LINK_HANDSHAKE,
    PL_LINK_GREETING,
    PL_LINK_UP,
} pl_link_state;

typedef struct pl_link {
    pl_link_state state;
    bool dials;
    int fd; /* until TLS owns it */
    pl_tls *tls;
    size_t next_endpoint;
    uint64_t dial_at_ms;
    unsigned backoff_ms;
    uint8_t preamble[PL_PREAMBLE_BYTES];
    size_t preamble_sent, greeting_sent, greeting_got;
    uint8_t greeting[32]; /* of the peer */
    /* Answering side: a connection in the peer's name that does not prove it is dropped, and the
     * link waits for another. */
    uint64_t handshake_until_ms;
    unsigned n_failed;
    pl_status failure; /* of the last one */
#ifdef PARLEY_TEST_HOOKS
    int capture_sent, capture_received; /* -1: none */
#endif
} pl_link;

/* The links of one lane. */
typedef struct pl_links {
    pl_link_mesh_params params;
    size_t lane;
    pl_link *links; /* [n_parties] */
    uint64_t deadline_ms;
} pl_links;

/* What a link is called in errors: "rank 1", "lane 2 of rank 1". */
typedef struct pl_link_name {
    char text[48];
} pl_link_name;
pl_link_name pl_link_name_of(const pl_links *links, size_t peer);

uint64_t pl_monotonic_ms(void);
int pl_interrupt_fd(void); /* readable once interrupted; -1: not set up */

/* pl_link_step does what can be done on one link without waiting. */
PL_STATUS pl_link_step(pl_links *links, size_t peer);
/* A connection that parleyd passed: its preamble says whose it is, and of which lane. */
PL_STATUS pl_link_take(pl_links *const *lanes, size_t n_lanes, int fd,
                       const uint8_t preamble[PL_PREAMBLE_BYTES]);
/* A connection that needs no preamble: its fd stands in the link. */
PL_STATUS pl_link_adopt(pl_links *links, size_t peer);
/* What poll should wait for on a link that is not up: 0: nothing. */
short pl_link_events(const pl_link *link);

#endif
