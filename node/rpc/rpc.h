/* RPC: gRPC C core behind a small interface. Messages are opaque bytes. Completion queues stay
 * inside: one thread waits on each and hands events to the libuv loop by an inbox, so that every
 * callback runs on the loop's thread.
 *
 * A pl_status travels as gRPC status, its message, and the metadata "parley-code", so that the
 * other side gets the same code. */
#ifndef PL_NODE_RPC_RPC_H
#define PL_NODE_RPC_RPC_H

#include "protocols/base/bytes.h"

#include <uv.h>

#define PL_RPC_MESSAGE_BYTES_MAX (4u << 20)
#define PL_RPC_WRITES_MAX 20000 /* queued on one call or stream: more closes it with LIMIT */
#define PL_RPC_CALLS_MAX 1000   /* open on one server */

/* pl_rpc_init comes before anything else and before threads: it leaves gRPC nothing but TLS 1.3
 * (the only TLS 1.2 suite that stays is for RSA certificates; ours are ECDSA). pl_rpc_shutdown
 * comes last. */
void pl_rpc_init(void);
void pl_rpc_shutdown(void);

/* PEM texts; borrowed during the call that takes them. */
typedef struct pl_rpc_tls {
    const char *roots_pem; /* client: exactly the pinned certificates; server: see pl_rpc_roots */
    const char *cert_pem;
    const char *key_pem;
    const char *target_name; /* client: name that the server's certificate bears */
} pl_rpc_tls;

/* ---- server, on the loop ---- */

typedef struct pl_rpc_server pl_rpc_server;
typedef struct pl_rpc_call pl_rpc_call;

typedef enum pl_rpc_kind { PL_RPC_UNARY, PL_RPC_SERVER_STREAM, PL_RPC_BIDI_STREAM } pl_rpc_kind;

/* Called with the request (unary, server stream), or with an empty view when a bidirectional stream
 * opens. The handler answers now or later; until then the call lives. The request is borrowed. */
typedef void (*pl_rpc_handler)(pl_rpc_call *call, pl_view request, void *ctx);

PL_STATUS pl_rpc_server_new(uv_loop_t *loop, pl_rpc_server **out);
PL_STATUS pl_rpc_server_method(pl_rpc_server *server, const char *path, pl_rpc_kind kind,
                               pl_rpc_handler handler, void *ctx);
/* A unix socket, mode 0660, of the group (NULL: the process's own). tag names the listener to
 * handlers. */
PL_STATUS pl_rpc_server_listen_unix(pl_rpc_server *server, const char *path, const char *group,
                                    const char *tag);
/* A TLS 1.3 port with client certificates demanded; tls.roots_pem says who may come. out_port: as
 * bound. */
PL_STATUS pl_rpc_server_listen_tls(pl_rpc_server *server, const char *address,
                                   const pl_rpc_tls *tls, const char *tag, int *out_port);
PL_STATUS pl_rpc_server_start(pl_rpc_server *server);
/* No new calls; open ones are cancelled; the loop then runs until all is closed. */
void pl_rpc_server_stop(pl_rpc_server *server);
void pl_rpc_server_free(pl_rpc_server *server); /* after the loop has run empty */

const char *pl_rpc_call_method(const pl_rpc_call *call); /* full path */
const char *pl_rpc_call_tag(const pl_rpc_call *call);
const char *pl_rpc_call_peer(const pl_rpc_call *call);
/* Peer's certificate, PEM; NOT_FOUND without TLS. */
PL_STATUS pl_rpc_call_certificate(const pl_rpc_call *call, pl_bytes *out);

/* Exactly one of reply, finish or fail ends a call; the call must not be used afterwards. fail
 * takes status. */
void pl_rpc_reply(pl_rpc_call *call, pl_view message);
void pl_rpc_finish(pl_rpc_call *call);
void pl_rpc_fail(pl_rpc_call *call, pl_status status);
/* Streams: queues a copy. LIMIT: the other side does not read. */
PL_STATUS pl_rpc_write(pl_rpc_call *call, pl_view message);
/* Bidirectional streams: each message of the client. */
void pl_rpc_on_message(pl_rpc_call *call,
                       void (*on_message)(pl_rpc_call *call, pl_view message, void *ctx),
                       void *ctx);
/* The client went away, or half-closed a bidirectional stream: the call is gone afterwards; no
 * answer is possible or needed. */
void pl_rpc_on_close(pl_rpc_call *call, void (*on_close)(pl_rpc_call *call, void *ctx), void *ctx);

/* ---- client on the loop: a bidirectional stream ---- */

typedef struct pl_rpc_stream pl_rpc_stream;
typedef struct pl_rpc_stream_callbacks {
    void (*on_open)(pl_rpc_stream *stream, void *ctx); /* the server answered */
    void (*on_message)(pl_rpc_stream *stream, pl_view message, void *ctx);
    void (*on_close)(pl_rpc_stream *stream, pl_status why,
                     void *ctx); /* last callback; why is borrowed */
    void *ctx;
} pl_rpc_stream_callbacks;

PL_STATUS pl_rpc_stream_connect(uv_loop_t *loop, const char *target, const pl_rpc_tls *tls,
                                const char *method, const pl_rpc_stream_callbacks *callbacks,
                                pl_rpc_stream **out);
PL_STATUS pl_rpc_stream_send(pl_rpc_stream *stream, pl_view message); /* queues a copy */
/* Ends the stream; no callback comes any more; memory goes as the loop runs. */
void pl_rpc_stream_close(pl_rpc_stream *stream);

/* ---- client without a loop, blocking ---- */

typedef struct pl_rpc_client pl_rpc_client;
typedef struct pl_rpc_reader pl_rpc_reader;

PL_STATUS pl_rpc_client_open(const char *target, const pl_rpc_tls *tls,
                             pl_rpc_client **out); /* tls NULL: unix sockets */
void pl_rpc_client_close(pl_rpc_client *client);
PL_STATUS pl_rpc_call_unary(pl_rpc_client *client, const char *method, pl_view request,
                            unsigned deadline_ms, pl_bytes *out_reply);
PL_STATUS pl_rpc_reader_open(pl_rpc_client *client, const char *method, pl_view request,
                             pl_rpc_reader **out);
/* *out_has false: the stream ended well. */
PL_STATUS pl_rpc_reader_next(pl_rpc_reader *reader, pl_bytes *out, bool *out_has);
void pl_rpc_reader_close(pl_rpc_reader *reader);
/* For signal handlers: the call that blocks now, and every later one, ends with CANCELLED, until
 * pl_rpc_resume. */
void pl_rpc_interrupt(void);
void pl_rpc_resume(void);

#endif
