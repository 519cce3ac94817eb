/* The session port: the one partner-facing listener of a node. parleyd reads one fixed cleartext
 * preamble under a deadline and hands the connection on by session id; it never reads a byte more.
 * Connections that name no session that is expected soon, speak no preamble or come too many at
 * once are closed and reported. */
#ifndef PL_NODE_DAEMON_PORT_H
#define PL_NODE_DAEMON_PORT_H

#include "protocols/base/bytes.h"

#include <uv.h>

#define PL_PORT_CONNECTIONS_MAX 128 /* that have not been handed over yet */
#define PL_PORT_PREAMBLE_MS 5000    /* a connection's time to send its preamble */
#define PL_PORT_HOLD_MS 15000       /* how long a good preamble waits for its session to start */

typedef struct pl_port pl_port;

typedef struct pl_port_callbacks {
    /* take: the session is running here: fd becomes the taker's (also on failure). NOT_FOUND: not
     * running (yet). */
    pl_status (*take)(const uint8_t session_id[16], int fd, pl_view preamble, void *ctx);
    /* refused: a connection was closed; address is "ip:port" of the peer. */
    void (*refused)(const char *address, pl_status why, void *ctx);
    void *ctx;
} pl_port_callbacks;

/* pl_port_open listens on "host:port" (port 0: any); out_address receives "host:port" as bound. */
PL_STATUS pl_port_open(uv_loop_t *loop, const char *listen, const pl_port_callbacks *callbacks,
                       pl_port **out, char out_address[80]);

/* pl_port_retry offers held connections again: call it when a session has started. */
void pl_port_retry(pl_port *port);

/* pl_port_close closes the listener and all it holds; memory goes when the loop has run the close
 * callbacks. */
void pl_port_close(pl_port *port);

#endif
