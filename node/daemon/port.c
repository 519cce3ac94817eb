#include "node/daemon/port.h"

#include "node/link/preamble.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct caller caller;
struct caller {
    uv_tcp_t tcp;
    uv_timer_t timer;
    pl_port *port;
    caller *next, *previous;
    char address[80];
    uint8_t preamble[PL_PREAMBLE_BYTES];
    size_t got;
    uint8_t session_id[16];
    bool held; /* the preamble is good, the session is not here yet */
    bool closing;
    int n_handles; /* open libuv handles */
};

struct pl_port {
    uv_tcp_t tcp;
    pl_port_callbacks callbacks;
    caller *callers;
    size_t n_callers;
    bool closing;
    bool listener_closed;
};

static void port_maybe_free(pl_port *port) {
    if (port->closing && port->listener_closed && port->n_callers == 0)
        free(port);
}

static void address_text(const struct sockaddr_storage *address, char out[80]) {
    char host[64] = "?";
    uint16_t number = 0;
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const struct sockaddr_in *)address;
        uv_ip4_name(in, host, sizeof host);
        number = ntohs(in->sin_port);
        snprintf(out, 80, "%s:%u", host, number);
    } else {
        const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
        uv_ip6_name(in6, host, sizeof host);
        number = ntohs(in6->sin6_port);
        snprintf(out, 80, "[%s]:%u", host, number);
    }
}

/* ---- the end of a caller ---- */

static void on_caller_closed(uv_handle_t *handle) {
    caller *c = handle->data;
    if (--c->n_handles != 0)
        return;
    pl_port *port = c->port;
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        port->callers = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
    port->n_callers--;
    free(c);
    port_maybe_free(port);
}

static void caller_close(caller *c) {
    if (c->closing)
        return;
    c->closing = true;
    uv_close((uv_handle_t *)&c->timer, on_caller_closed);
    uv_close((uv_handle_t *)&c->tcp, on_caller_closed);
}

static void caller_refuse(caller *c, pl_status why) {
    c->port->callbacks.refused(c->address, why, c->port->callbacks.ctx);
    caller_close(c);
}

/* ---- handing over ---- */

static void caller_offer(caller *c) {
    uv_os_fd_t fd;
    if (uv_fileno((uv_handle_t *)&c->tcp, &fd) != 0) {
        caller_refuse(c, pl_fail(PL_IO, "the connection was already closed"));
        return;
    }
    int copy = dup(fd);
    if (copy < 0) {
        caller_refuse(c, pl_fail(PL_LIMIT, "no file descriptor left for a session connection"));
        return;
    }
    pl_status status = c->port->callbacks.take(
        c->session_id, copy, pl_view_of(c->preamble, sizeof c->preamble), c->port->callbacks.ctx);
    if (pl_status_code(status) == PL_NOT_FOUND) {
        close(copy);
        pl_status_done(&status); /* not here yet: held until PL_PORT_HOLD_MS */
        c->held = true;
    } else if (!pl_is_ok(status)) {
        caller_refuse(c, status);
    } else {
        caller_close(c);
    }
}

static void on_deadline(uv_timer_t *timer) {
    caller *c = timer->data;
    caller_refuse(
        c, c->held ? pl_fail(PL_NOT_FOUND, "the preamble names a session that is not "
                                           "running here")
                   : pl_fail(PL_TIMEOUT, "no complete preamble within %d ms", PL_PORT_PREAMBLE_MS));
}

static void preamble_complete(caller *c) {
    uv_read_stop((uv_stream_t *)&c->tcp);
    pl_preamble preamble;
    pl_status status = pl_preamble_decode(pl_view_of(c->preamble, sizeof c->preamble), &preamble);
    if (!pl_is_ok(status)) {
        caller_refuse(c, status);
        return;
    }
    memcpy(c->session_id, preamble.session_id, sizeof c->session_id);
    uv_timer_start(&c->timer, on_deadline, PL_PORT_HOLD_MS, 0);
    caller_offer(c);
}

static void on_alloc(uv_handle_t *handle, size_t suggested, uv_buf_t *out) {
    (void)suggested;
    caller *c = handle->data;
    *out = uv_buf_init((char *)c->preamble + c->got, (unsigned)(sizeof c->preamble - c->got));
}

static void on_read(uv_stream_t *stream, ssize_t n, const uv_buf_t *buf) {
    (void)buf;
    caller *c = stream->data;
    if (n < 0) {
        caller_refuse(c, pl_fail(PL_PROTOCOL, "closed after %zu of %d preamble bytes", c->got,
                                 PL_PREAMBLE_BYTES));
        return;
    }
    c->got += (size_t)n;
    if (c->got == sizeof c->preamble)
        preamble_complete(c);
}

/* ---- arrival ---- */

static void caller_start(caller *c) {
    struct sockaddr_storage address = {0};
    int len = sizeof address;
    uv_tcp_getpeername(&c->tcp, (struct sockaddr *)&address, &len);
    address_text(&address, c->address);
    if (c->port->n_callers > PL_PORT_CONNECTIONS_MAX) {
        caller_refuse(c, pl_fail(PL_LIMIT, "more than %d connections wait on the session port",
                                 PL_PORT_CONNECTIONS_MAX));
        return;
    }
    uv_timer_start(&c->timer, on_deadline, PL_PORT_PREAMBLE_MS, 0);
    uv_read_start((uv_stream_t *)&c->tcp, on_alloc, on_read);
}

static void on_connection(uv_stream_t *listener, int error) {
    pl_port *port = listener->data;
    caller *c;
    pl_status status = pl_alloc(1, sizeof *c, &c);
    if (error != 0 || port->closing || !pl_is_ok(status)) {
        pl_status_done(&status); /* nothing was accepted: the peer sees no answer */
        return;
    }
    c->port = port;
    c->n_handles = 2;
    uv_tcp_init(listener->loop, &c->tcp);
    uv_timer_init(listener->loop, &c->timer);
    c->tcp.data = c->timer.data = c;
    c->next = port->callers;
    if (c->next != NULL)
        c->next->previous = c;
    port->callers = c;
    port->n_callers++;
    if (uv_accept(listener, (uv_stream_t *)&c->tcp) != 0)
        caller_close(c);
    else
        caller_start(c);
}

/* ---- the listener ---- */

static pl_status parse_listen(const char *text, struct sockaddr_storage *out) {
    char host[64];
    const char *colon = strrchr(text, ':');
    size_t host_len = colon == NULL ? 0 : (size_t)(colon - text);
    if (colon == NULL || host_len == 0 || host_len >= sizeof host)
        return pl_fail(PL_INVALID_ARGUMENT, "session.listen is \"%s\": expected host:port", text);
    memcpy(host, text, host_len);
    host[host_len] = 0;
    char *end;
    long number = strtol(colon + 1, &end, 10);
    if (*end != 0 || end == colon + 1 || number < 0 || number > 65535)
        return pl_fail(PL_INVALID_ARGUMENT, "session.listen is \"%s\": the port is not a number",
                       text);
    bool bracketed = host[0] == '[' && host[host_len - 1] == ']';
    if (bracketed) {
        host[host_len - 1] = 0;
        if (uv_ip6_addr(host + 1, (int)number, (struct sockaddr_in6 *)out) == 0)
            return PL_OK;
    } else if (uv_ip4_addr(host, (int)number, (struct sockaddr_in *)out) == 0) {
        return PL_OK;
    }
    return pl_fail(PL_INVALID_ARGUMENT,
                   "session.listen is \"%s\": listen on a numeric address, \"0.0.0.0:7101\" or "
                   "\"[::]:7101\"",
                   text);
}

static void on_listener_closed(uv_handle_t *handle) {
    pl_port *port = handle->data;
    port->listener_closed = true;
    port_maybe_free(port);
}

pl_status pl_port_open(uv_loop_t *loop, const char *listen, const pl_port_callbacks *callbacks,
                       pl_port **out, char out_address[80]) {
    struct sockaddr_storage address = {0};
    PL_TRY(parse_listen(listen, &address));
    pl_port *port;
    PL_TRY(pl_alloc(1, sizeof *port, &port));
    port->callbacks = *callbacks;
    uv_tcp_init(loop, &port->tcp);
    port->tcp.data = port;
    int error = uv_tcp_bind(&port->tcp, (struct sockaddr *)&address, 0);
    if (error == 0)
        error = uv_listen((uv_stream_t *)&port->tcp, 64, on_connection);
    if (error != 0) {
        pl_port_close(port);
        return pl_fail(PL_IO, "cannot listen on the session port %s: %s", listen,
                       uv_strerror(error));
    }
    int len = sizeof address;
    uv_tcp_getsockname(&port->tcp, (struct sockaddr *)&address, &len);
    address_text(&address, out_address);
    *out = port;
    return PL_OK;
}

void pl_port_retry(pl_port *port) {
    for (caller *c = port->callers, *next; c != NULL; c = next) {
        next = c->next;
        if (c->held && !c->closing)
            caller_offer(c);
    }
}

void pl_port_close(pl_port *port) {
    if (port == NULL || port->closing)
        return;
    port->closing = true;
    for (caller *c = port->callers; c != NULL; c = c->next)
        caller_close(c);
    uv_close((uv_handle_t *)&port->tcp, on_listener_closed);
}
