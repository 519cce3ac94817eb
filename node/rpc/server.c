/* server.c: listeners, calls, and how a call ends. Everything here runs on the loop's thread. */
#include "node/rpc/inner.h"

#include <errno.h>
#include <grp.h>
#include <grpc/support/alloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

typedef struct method {
    char *path;
    pl_rpc_kind kind;
    pl_rpc_handler handler;
    void *ctx;
} method;

/* One gRPC server per listener: gRPC does not tell by which listener a call came. */
typedef struct listener listener;
struct listener {
    listener *next;
    pl_rpc_server *server;
    grpc_server *grpc;
    char *tag;
    char *socket_path; /* unix: removed at the end */
    pl_tag arrival, shutdown;
    grpc_call *call;
    grpc_call_details details;
    grpc_metadata_array metadata;
    bool accepting;
};

struct pl_rpc_server {
    uv_loop_t *loop;
    pl_queue *queue;
    method *methods;
    size_t n_methods;
    listener *listeners;
    size_t n_listeners_open; /* whose shutdown is not through */
    size_t n_calls;
    bool stopping, queue_closing;
};

typedef struct message message;
struct message {
    message *next;
    grpc_byte_buffer *buffer;
};

struct pl_rpc_call {
    pl_rpc_server *server;
    const char *tag;
    const method *method;
    grpc_call *grpc;
    char *path, *peer;
    pl_tag closing, receiving, sending;
    int n_batches;
    int cancelled;
    grpc_byte_buffer *received;
    message *first, **last; /* to be written */
    size_t n_queued;
    bool started;  /* initial metadata is out */
    bool writing;  /* a batch of `sending` is under way */
    bool ending;   /* the handler has said its last word */
    bool ended;    /* the status is out, or on its way */
    bool lost;     /* the client is gone */
    pl_status why; /* the status to end with */
    void (*on_message)(pl_rpc_call *call, pl_view message, void *ctx);
    void *message_ctx;
    void (*on_close)(pl_rpc_call *call, void *ctx);
    void *close_ctx;
};

static void server_maybe_close(pl_rpc_server *server) {
    if (!server->stopping || server->n_listeners_open != 0 || server->n_calls != 0 ||
        server->queue_closing)
        return;
    server->queue_closing = true;
    pl_queue_shutdown(server->queue, NULL, NULL);
}

/* ---- a call's end ---- */

static void call_maybe_free(pl_rpc_call *call) {
    if (call->n_batches != 0 || !(call->ended || call->lost) || !(call->ending || call->lost))
        return;
    pl_rpc_server *server = call->server;
    while (call->first != NULL) {
        message *m = call->first;
        call->first = m->next;
        grpc_byte_buffer_destroy(m->buffer);
        free(m);
    }
    pl_status_done(&call->why);
    grpc_call_unref(call->grpc);
    free(call->path);
    gpr_free(call->peer);
    free(call);
    server->n_calls--;
    server_maybe_close(server);
}

static bool batch(pl_rpc_call *call, const grpc_op *ops, size_t n, pl_tag *tag) {
    pl_tag_hand_over(tag);
    if (grpc_call_start_batch(call->grpc, ops, n, tag, NULL) != GRPC_CALL_OK)
        return false;
    call->n_batches++;
    return true;
}

/* The client is gone: the handler is told once, and may not use the call afterwards. */
static void call_lost(pl_rpc_call *call) {
    if (call->lost)
        return;
    call->lost = true;
    if (!call->ending && call->on_close != NULL)
        call->on_close(call, call->close_ctx);
}

static void send_next(pl_rpc_call *call);

static void on_sent(pl_tag *tag, bool ok) {
    pl_rpc_call *call = tag->owner;
    call->n_batches--;
    call->writing = false;
    if (ok && !call->lost)
        send_next(call);
    call_maybe_free(call);
}

static void send_status(pl_rpc_call *call) {
    const pl_code_info *info = pl_code_describe(pl_status_code(call->why));
    grpc_slice details =
        grpc_slice_from_copied_string(pl_is_ok(call->why) ? "" : pl_status_message(call->why));
    grpc_metadata code = {.key = grpc_slice_from_static_string("parley-code"),
                          .value = grpc_slice_from_static_string(info->name)};
    grpc_op ops[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA},
                      {.op = GRPC_OP_SEND_STATUS_FROM_SERVER}};
    ops[1].data.send_status_from_server.status = (grpc_status_code)info->grpc_status;
    ops[1].data.send_status_from_server.status_details = &details;
    ops[1].data.send_status_from_server.trailing_metadata = &code;
    ops[1].data.send_status_from_server.trailing_metadata_count = pl_is_ok(call->why) ? 0 : 1;
    call->ended = true;
    call->writing =
        batch(call, call->started ? ops + 1 : ops, call->started ? 1 : 2, &call->sending);
    call->started = true;
    grpc_slice_unref(details);
}

static void send_message(pl_rpc_call *call) {
    message *m = call->first;
    call->first = m->next;
    if (call->first == NULL)
        call->last = &call->first;
    call->n_queued--;
    grpc_op ops[2] = {{.op = GRPC_OP_SEND_INITIAL_METADATA}, {.op = GRPC_OP_SEND_MESSAGE}};
    ops[1].data.send_message.send_message = m->buffer;
    call->writing =
        batch(call, call->started ? ops + 1 : ops, call->started ? 1 : 2, &call->sending);
    call->started = true;
    grpc_byte_buffer_destroy(m->buffer);
    free(m);
}

/* One batch at a time: what is queued first, then the status once the handler has ended the call.
 */
static void send_next(pl_rpc_call *call) {
    if (call->writing || call->ended)
        return;
    if (call->first != NULL)
        send_message(call);
    else if (call->ending)
        send_status(call);
}

static pl_status queue_message(pl_rpc_call *call, pl_view bytes) {
    message *m;
    if (call->n_queued >= PL_RPC_WRITES_MAX)
        return pl_fail(PL_LIMIT, "the other side does not read: %d messages wait",
                       PL_RPC_WRITES_MAX);
    PL_TRY(pl_alloc(1, sizeof *m, &m));
    m->buffer = pl_buffer_of(bytes);
    *call->last = m;
    call->last = &m->next;
    call->n_queued++;
    return PL_OK;
}

pl_status pl_rpc_write(pl_rpc_call *call, pl_view bytes) {
    if (call->lost)
        return pl_fail(PL_CANCELLED, "the client has gone");
    PL_TRY(queue_message(call, bytes));
    send_next(call);
    return PL_OK;
}

static void call_end(pl_rpc_call *call, pl_status why) {
    if (call->ending) {
        pl_status_done(&why); /* the call had its end already */
        return;
    }
    call->ending = true;
    call->why = why;
    if (!call->lost)
        send_next(call);
    else
        call_maybe_free(call);
}

void pl_rpc_reply(pl_rpc_call *call, pl_view bytes) {
    call_end(call, call->lost ? PL_OK : queue_message(call, bytes));
}

void pl_rpc_finish(pl_rpc_call *call) {
    call_end(call, PL_OK);
}

void pl_rpc_fail(pl_rpc_call *call, pl_status status) {
    call_end(call, status);
}

void pl_rpc_on_message(pl_rpc_call *call, void (*on_message)(pl_rpc_call *, pl_view, void *),
                       void *ctx) {
    call->on_message = on_message;
    call->message_ctx = ctx;
}

void pl_rpc_on_close(pl_rpc_call *call, void (*on_close)(pl_rpc_call *, void *), void *ctx) {
    call->on_close = on_close;
    call->close_ctx = ctx;
}

/* ---- a call's beginning ---- */

/* Comes once per call, after everything else that the client does. */
static void on_closed(pl_tag *tag, bool ok) {
    (void)ok;
    pl_rpc_call *call = tag->owner;
    call->n_batches--;
    if (call->cancelled != 0)
        call_lost(call);
    call_maybe_free(call);
}

static void receive_next(pl_rpc_call *call) {
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    call->received = NULL;
    op.data.recv_message.recv_message = &call->received;
    batch(call, &op, 1, &call->receiving);
}

static void deliver(pl_rpc_call *call, pl_view request) {
    if (call->method->kind == PL_RPC_BIDI_STREAM) {
        if (call->on_message != NULL && !call->ending)
            call->on_message(call, request, call->message_ctx);
    } else {
        call->method->handler(call, request, call->method->ctx);
    }
}

/* A unary call without a request is malformed; a bidirectional stream without more is half-closed.
 */
static void on_no_message(pl_rpc_call *call) {
    if (call->method->kind == PL_RPC_BIDI_STREAM) {
        if (!call->ending && !call->lost && call->on_close != NULL)
            call->on_close(call, call->close_ctx);
        call->on_close = NULL;
        if (!call->lost)
            call_end(call, PL_OK);
    } else if (!call->lost) {
        call_end(call,
                 pl_fail(PL_INVALID_ARGUMENT, "the request is missing or larger than allowed"));
    }
}

static void on_received(pl_tag *tag, bool ok) {
    pl_rpc_call *call = tag->owner;
    pl_bytes bytes = {0};
    bool bidi = call->method->kind == PL_RPC_BIDI_STREAM;
    if (ok && call->received != NULL) {
        pl_status status = pl_buffer_read(call->received, &bytes);
        grpc_byte_buffer_destroy(call->received);
        call->received = NULL;
        if (!pl_is_ok(status))
            call_end(call, status);
        else if (!call->lost && !call->ending)
            deliver(call, pl_bytes_view(&bytes));
        pl_bytes_done(&bytes);
        if (bidi && !call->lost && !call->ending)
            receive_next(call);
    } else {
        on_no_message(call);
    }
    call->n_batches--; /* held until here so that the call outlives its handler */
    call_maybe_free(call);
}

static const method *find_method(const pl_rpc_server *server, const char *path) {
    for (size_t i = 0; i < server->n_methods; i++) {
        if (strcmp(server->methods[i].path, path) == 0)
            return &server->methods[i];
    }
    return NULL;
}

static const method no_method = {.kind = PL_RPC_UNARY};

static void call_begin(listener *l) {
    pl_rpc_server *server = l->server;
    pl_rpc_call *call = calloc(1, sizeof *call);
    PL_ASSERT(call != NULL);
    call->server = server;
    call->tag = l->tag;
    call->grpc = l->call;
    call->last = &call->first;
    call->path = grpc_slice_to_c_string(l->details.method);
    call->peer = grpc_call_get_peer(l->call);
    call->closing = (pl_tag){.run = on_closed, .owner = call};
    call->receiving = (pl_tag){.run = on_received, .owner = call};
    call->sending = (pl_tag){.run = on_sent, .owner = call};
    call->method = find_method(server, call->path);
    server->n_calls++;
    grpc_op op = {.op = GRPC_OP_RECV_CLOSE_ON_SERVER};
    op.data.recv_close_on_server.cancelled = &call->cancelled;
    call->n_batches++; /* held while we are here */
    batch(call, &op, 1, &call->closing);
    if (call->method == NULL) {
        call->method = &no_method;
        call_end(call, pl_fail(PL_UNSUPPORTED, "there is no method %s", call->path));
    } else if (server->n_calls > PL_RPC_CALLS_MAX) {
        call_end(call, pl_fail(PL_LIMIT, "more than %d calls are open", PL_RPC_CALLS_MAX));
    } else {
        receive_next(call);
        if (call->method->kind == PL_RPC_BIDI_STREAM)
            call->method->handler(call, pl_view_of(NULL, 0), call->method->ctx);
    }
    call->n_batches--;
    call_maybe_free(call);
}

static void accept_next(listener *l);

static void on_arrival(pl_tag *tag, bool ok) {
    listener *l = tag->owner;
    l->accepting = false;
    if (!ok)
        return;
    call_begin(l);
    grpc_call_details_destroy(&l->details);
    grpc_metadata_array_destroy(&l->metadata);
    if (!l->server->stopping)
        accept_next(l);
}

static void accept_next(listener *l) {
    grpc_completion_queue *cq = pl_queue_cq(l->server->queue);
    grpc_call_details_init(&l->details);
    grpc_metadata_array_init(&l->metadata);
    l->arrival = (pl_tag){.run = on_arrival, .owner = l};
    pl_tag_hand_over(&l->arrival);
    l->accepting = grpc_server_request_call(l->grpc, &l->call, &l->details, &l->metadata, cq, cq,
                                            &l->arrival) == GRPC_CALL_OK;
}

/* ---- what handlers ask ---- */

const char *pl_rpc_call_method(const pl_rpc_call *call) {
    return call->path;
}

const char *pl_rpc_call_tag(const pl_rpc_call *call) {
    return call->tag;
}

const char *pl_rpc_call_peer(const pl_rpc_call *call) {
    return call->peer == NULL ? "?" : call->peer;
}

pl_status pl_rpc_call_certificate(const pl_rpc_call *call, pl_bytes *out) {
    grpc_auth_context *auth = grpc_call_auth_context(call->grpc);
    grpc_auth_property_iterator it =
        grpc_auth_context_find_properties_by_name(auth, GRPC_X509_PEM_CERT_PROPERTY_NAME);
    const grpc_auth_property *property = grpc_auth_property_iterator_next(&it);
    pl_status status = property == NULL
                           ? pl_fail(PL_NOT_FOUND, "the peer showed no certificate")
                           : pl_bytes_dup(pl_view_of(property->value, property->value_length), out);
    grpc_auth_context_release(auth);
    return status;
}

/* ---- server ---- */

pl_status pl_rpc_server_new(uv_loop_t *loop, pl_rpc_server **out) {
    pl_rpc_server *server;
    PL_TRY(pl_alloc(1, sizeof *server, &server));
    server->loop = loop;
    pl_status status = pl_queue_new(loop, &server->queue);
    if (!pl_is_ok(status)) {
        free(server);
        return status;
    }
    *out = server;
    return PL_OK;
}

pl_status pl_rpc_server_method(pl_rpc_server *server, const char *path, pl_rpc_kind kind,
                               pl_rpc_handler handler, void *ctx) {
    method *methods = realloc(server->methods, (server->n_methods + 1) * sizeof *methods);
    if (methods == NULL)
        return pl_fail(PL_LIMIT, "no memory for a method");
    server->methods = methods;
    method *m = &methods[server->n_methods];
    *m = (method){.kind = kind, .handler = handler, .ctx = ctx};
    PL_TRY(pl_strdup(path, &m->path));
    server->n_methods++;
    return PL_OK;
}

static pl_status listener_new(pl_rpc_server *server, const char *tag, listener **out) {
    listener *l;
    PL_TRY(pl_alloc(1, sizeof *l, &l));
    grpc_arg args[] = {
        {.type = GRPC_ARG_INTEGER,
         .key = (char[]){GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH},
         .value.integer = PL_RPC_MESSAGE_BYTES_MAX},
        {.type = GRPC_ARG_INTEGER, .key = (char[]){GRPC_ARG_ALLOW_REUSEPORT}, .value.integer = 0},
        {.type = GRPC_ARG_INTEGER,
         .key = (char[]){GRPC_ARG_MAX_METADATA_SIZE},
         .value.integer = 16384},
        {.type = GRPC_ARG_INTEGER,
         .key = (char[]){GRPC_ARG_KEEPALIVE_TIME_MS},
         .value.integer = 10000},
        {.type = GRPC_ARG_INTEGER,
         .key = (char[]){GRPC_ARG_KEEPALIVE_TIMEOUT_MS},
         .value.integer = 5000},
        {.type = GRPC_ARG_INTEGER,
         .key = (char[]){GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS},
         .value.integer = 1000},
        {.type = GRPC_ARG_INTEGER,
         .key = (char[]){GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA},
         .value.integer = 0},
    };
    grpc_channel_args server_args = {sizeof args / sizeof *args, args};
    l->server = server;
    l->grpc = grpc_server_create(&server_args, NULL);
    grpc_server_register_completion_queue(l->grpc, pl_queue_cq(server->queue), NULL);
    l->next = server->listeners;
    server->listeners = l;
    server->n_listeners_open++;
    *out = l;
    return pl_strdup(tag, &l->tag);
}

static pl_status set_group(const char *path, const char *group) {
    if (group == NULL)
        return PL_OK;
    struct group *entry = getgrnam(group);
    if (entry == NULL)
        return pl_fail(PL_NOT_FOUND, "there is no unix group %s for the socket %s", group, path);
    if (chown(path, (uid_t)-1, entry->gr_gid) != 0)
        return pl_fail(PL_IO, "cannot give the socket %s to the group %s: %s", path, group,
                       strerror(errno));
    return PL_OK;
}

pl_status pl_rpc_server_listen_unix(pl_rpc_server *server, const char *path, const char *group,
                                    const char *tag) {
    listener *l;
    char target[640];
    if (strlen(path) > 100)
        return pl_fail(
            PL_INVALID_ARGUMENT,
            "the socket path %s is longer than 100 bytes: unix sockets do not allow more", path);
    PL_TRY(listener_new(server, tag, &l));
    snprintf(target, sizeof target, "unix:%s", path);
    grpc_server_credentials *credentials = grpc_insecure_server_credentials_create();
    mode_t before = umask(0117); /* 0660 from the first moment */
    int bound = grpc_server_add_http2_port(l->grpc, target, credentials);
    umask(before);
    grpc_server_credentials_release(credentials);
    if (bound == 0)
        return pl_fail(PL_IO, "cannot listen on the socket %s", path);
    PL_TRY(pl_strdup(path, &l->socket_path));
    return set_group(path, group);
}

pl_status pl_rpc_server_listen_tls(pl_rpc_server *server, const char *address,
                                   const pl_rpc_tls *tls, const char *tag, int *out_port) {
    listener *l;
    PL_TRY(listener_new(server, tag, &l));
    grpc_ssl_pem_key_cert_pair pair = {tls->key_pem, tls->cert_pem};
    grpc_server_credentials *credentials = grpc_ssl_server_credentials_create_ex(
        tls->roots_pem, &pair, 1, GRPC_SSL_REQUEST_AND_REQUIRE_CLIENT_CERTIFICATE_AND_VERIFY, NULL);
    *out_port = credentials == NULL ? 0 : grpc_server_add_http2_port(l->grpc, address, credentials);
    grpc_server_credentials_release(credentials);
    return *out_port == 0
               ? pl_fail(
                     PL_IO,
                     "cannot listen on %s: is the address free, are certificate and key a pair?",
                     address)
               : PL_OK;
}

pl_status pl_rpc_server_start(pl_rpc_server *server) {
    for (listener *l = server->listeners; l != NULL; l = l->next) {
        grpc_server_start(l->grpc);
        accept_next(l);
    }
    return PL_OK;
}

static void on_shutdown(pl_tag *tag, bool ok) {
    (void)ok;
    listener *l = tag->owner;
    l->server->n_listeners_open--;
    server_maybe_close(l->server);
}

void pl_rpc_server_stop(pl_rpc_server *server) {
    if (server->stopping)
        return;
    server->stopping = true;
    for (listener *l = server->listeners; l != NULL; l = l->next) {
        l->shutdown = (pl_tag){.run = on_shutdown, .owner = l};
        pl_tag_hand_over(&l->shutdown);
        grpc_server_shutdown_and_notify(l->grpc, pl_queue_cq(server->queue), &l->shutdown);
        grpc_server_cancel_all_calls(l->grpc);
    }
    server_maybe_close(server);
}

void pl_rpc_server_free(pl_rpc_server *server) {
    if (server == NULL)
        return;
    while (server->listeners != NULL) {
        listener *l = server->listeners;
        server->listeners = l->next;
        grpc_server_destroy(l->grpc);
        if (l->socket_path != NULL)
            unlink(l->socket_path);
        free(l->socket_path);
        free(l->tag);
        free(l);
    }
    for (size_t i = 0; i < server->n_methods; i++)
        free(server->methods[i].path);
    free(server->methods);
    free(server);
}
