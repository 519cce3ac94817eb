/* nodes.c: a node's stream: Hello proves who it is, then come its messages. */
#include "node/charter/descriptor.h"
#include "node/crypto/cert.h"
#include "node/log/log.h"
#include "node/scheduler/scheduler.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DATASETS_MAX 1000

/* One stream; org is empty until Hello was accepted. */
typedef struct pl_connection {
    pl_scheduler *scheduler;
    pl_rpc_call *call;
    char org[64];
} pl_connection;

pl_node_link *pl_scheduler_node(pl_scheduler *s, const char *org) {
    for (pl_node_link *node = s->nodes; node != NULL; node = node->next) {
        if (strcmp(node->org, org) == 0)
            return node;
    }
    return NULL;
}

/* ---- sending ---- */

/* More than a node's messages of one turn, all that waited for it included. */
#define PENDING_BYTES_MAX (256u << 20)

static pl_status queue_on(pl_node_link *node, const Parley__V1__SchedulerMessage *message) {
    size_t len = parley__v1__scheduler_message__get_packed_size(message);
    uint8_t head[4], *packed;
    if (node->pending.len + len > PENDING_BYTES_MAX)
        return pl_fail(PL_LIMIT, "too much waits for %s", node->org);
    PL_TRY(pl_alloc(len + 1, 1, &packed));
    parley__v1__scheduler_message__pack(message, packed);
    pl_put_u32(head, (uint32_t)len);
    pl_buf_append(&node->pending, head, sizeof head);
    pl_buf_append(&node->pending, packed, len);
    free(packed);
    return PL_OK;
}

void pl_scheduler_send(pl_node_link *node, const Parley__V1__SchedulerMessage *message) {
    if (node->call != NULL)
        pl_log_status("node.send_failed", NULL, queue_on(node, message));
}

static void send_pending(pl_node_link *node) {
    const uint8_t *at = node->pending.data;
    for (size_t left = node->call == NULL ? 0 : node->pending.len; left > 0;) {
        size_t len = pl_get_u32(at);
        pl_log_status("node.send_failed", NULL, pl_rpc_write(node->call, pl_view_of(at + 4, len)));
        at += 4 + len;
        left -= 4 + len;
    }
}

static void forget_datasets(pl_node_link *node) {
    for (size_t i = 0; i < node->n_datasets; i++)
        pl_bytes_done(&node->datasets[i]);
    free(node->datasets);
    node->datasets = NULL;
    node->n_datasets = 0;
}

/* A node whose messages were lost connects again, and both sides say again what was not
 * acknowledged. */
static void drop_connection(pl_node_link *node, const char *why) {
    if (node->call == NULL)
        return;
    pl_rpc_on_message(node->call, NULL, NULL);
    pl_rpc_on_close(node->call, NULL, NULL);
    pl_rpc_fail(node->call, pl_fail(PL_UNAVAILABLE, "%s", why));
    free(node->connection);
    node->call = NULL;
    node->connection = NULL;
}

void pl_scheduler_drop_strangers(pl_scheduler *s) {
    for (pl_node_link *node = s->nodes; node != NULL; node = node->next) {
        if (pl_manifest_member(s->manifest, node->org) != NULL)
            continue;
        drop_connection(node, "no member of the federation any more");
        pl_bytes_done(&node->descriptor); /* others need not hear of it again */
        forget_datasets(node);
    }
}

void pl_scheduler_flush(pl_scheduler *s) {
    pl_status status = s->store == NULL ? PL_OK : pl_queue_flush(s->store, false);
    bool durable = pl_is_ok(status);
    for (pl_node_link *node = s->nodes; node != NULL; node = node->next) {
        if (!durable)
            drop_connection(node, "the scheduler cannot write its queue");
        else if (node->pending.failed)
            drop_connection(node, "the scheduler is out of memory");
        else
            send_pending(node);
        pl_buf_done(&node->pending);
    }
    pl_log_status("queue.write_failed", NULL, status);
}

static void send_stored(pl_node_link *node, ProtobufCBinaryData id) {
    Parley__V1__SchedulerMessage message = PARLEY__V1__SCHEDULER_MESSAGE__INIT;
    message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_STORED;
    message.stored = id;
    pl_scheduler_send(node, &message);
}

static void send_error(pl_node_link *node, ProtobufCBinaryData job_id,
                       ProtobufCBinaryData message_id, pl_status why) {
    Parley__V1__SchedulerError error = PARLEY__V1__SCHEDULER_ERROR__INIT;
    Parley__V1__SchedulerMessage message = PARLEY__V1__SCHEDULER_MESSAGE__INIT;
    error.job_id = job_id;
    error.message_id = message_id;
    error.code = (char *)(uintptr_t)pl_code_describe(pl_status_code(why))->name;
    error.message = (char *)(uintptr_t)pl_status_message(why);
    message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_ERROR;
    message.error = &error;
    pl_scheduler_send(node, &message);
    pl_log_status("node.refused", NULL, why);
}

static pl_status deliver(const Parley__V1__Relay *relay, void *ctx) {
    Parley__V1__SchedulerMessage message = PARLEY__V1__SCHEDULER_MESSAGE__INIT;
    message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_DELIVER;
    message.deliver = (Parley__V1__Relay *)(uintptr_t)relay;
    pl_scheduler_send(ctx, &message);
    return PL_OK;
}

/* ---- peers ---- */

static pl_status fill_peer(const pl_node_link *node, Parley__V1__Peer *out,
                           ProtobufCBinaryData **out_datasets) {
    parley__v1__peer__init(out);
    PL_TRY(pl_alloc(node->n_datasets, sizeof **out_datasets, out_datasets));
    for (size_t i = 0; i < node->n_datasets; i++)
        (*out_datasets)[i] = (ProtobufCBinaryData){node->datasets[i].len, node->datasets[i].data};
    out->org = (char *)(uintptr_t)node->org;
    out->online = node->call != NULL;
    out->since = node->since;
    out->descriptor = (ProtobufCBinaryData){node->descriptor.len, node->descriptor.data};
    out->datasets = *out_datasets;
    out->n_datasets = node->n_datasets;
    return PL_OK;
}

static void tell_others(pl_scheduler *s, const pl_node_link *about) {
    Parley__V1__Peer peer;
    Parley__V1__SchedulerMessage message = PARLEY__V1__SCHEDULER_MESSAGE__INIT;
    ProtobufCBinaryData *datasets = NULL;
    pl_status status = fill_peer(about, &peer, &datasets);
    message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_PEER;
    message.peer = &peer;
    for (pl_node_link *node = s->nodes; pl_is_ok(status) && node != NULL; node = node->next) {
        if (node != about)
            pl_scheduler_send(node, &message);
    }
    free(datasets);
    pl_log_status("node.send_failed", NULL, status);
}

static pl_status send_welcome(pl_scheduler *s, pl_node_link *to) {
    Parley__V1__Welcome welcome = PARLEY__V1__WELCOME__INIT;
    Parley__V1__SchedulerMessage message = PARLEY__V1__SCHEDULER_MESSAGE__INIT;
    Parley__V1__Peer peers[64], *list[64];
    ProtobufCBinaryData *datasets[64];
    pl_status status = PL_OK;
    for (pl_node_link *node = s->nodes; node != NULL && welcome.n_peers < 64 && pl_is_ok(status);
         node = node->next) {
        size_t i = welcome.n_peers;
        status = fill_peer(node, &peers[i], &datasets[i]);
        list[i] = &peers[i];
        welcome.n_peers += pl_is_ok(status);
    }
    welcome.version = 1;
    welcome.now = (int64_t)time(NULL);
    welcome.peers = list;
    message.kind_case = PARLEY__V1__SCHEDULER_MESSAGE__KIND_WELCOME;
    message.welcome = &welcome;
    if (pl_is_ok(status))
        pl_scheduler_send(to, &message);
    for (size_t i = 0; i < welcome.n_peers; i++)
        free(datasets[i]);
    return status;
}

/* ---- Hello ---- */

/* The descriptor is signed by the member's root and names the very certificate that this connection
 * showed. */
static pl_status authenticate(pl_connection *c, const Parley__V1__Hello *hello) {
    pl_bytes pem = {0}, der = {0};
    Parley__V1__Descriptor *descriptor = NULL;
    pl_status status;
    if (hello->version != 1)
        return pl_fail(PL_UNSUPPORTED, "hello: version %u is not known", hello->version);
    if (hello->n_datasets > DATASETS_MAX)
        return pl_fail(PL_LIMIT, "hello: more than %d datasets", DATASETS_MAX);
    if (pl_manifest_member(c->scheduler->manifest, hello->org) == NULL)
        return pl_fail(PL_UNAUTHENTICATED, "hello: org %.63s is no member", hello->org);
    PL_CHECK(status, pl_descriptor_verify(pl_view_of(hello->descriptor.data, hello->descriptor.len),
                                          c->scheduler->manifest, hello->org, 0,
                                          (int64_t)time(NULL), &descriptor));
    PL_CHECK(status, pl_rpc_call_certificate(c->call, &pem));
    PL_CHECK(status, pl_cert_from_pem(pl_bytes_view(&pem), &der));
    if (!pl_view_equal(pl_bytes_view(&der),
                       pl_view_of(descriptor->tls_cert.data, descriptor->tls_cert.len)))
        status = pl_fail(PL_UNAUTHENTICATED,
                         "hello: the connection's certificate is not the one of %s's descriptor",
                         hello->org);
out:
    if (descriptor != NULL)
        parley__v1__descriptor__free_unpacked(descriptor, NULL);
    pl_bytes_done(&der);
    pl_bytes_done(&pem);
    return status;
}

static pl_status remember(pl_node_link *node, const Parley__V1__Hello *hello) {
    pl_bytes_done(&node->descriptor);
    forget_datasets(node);
    PL_TRY(
        pl_bytes_dup(pl_view_of(hello->descriptor.data, hello->descriptor.len), &node->descriptor));
    PL_TRY(pl_alloc(hello->n_datasets, sizeof *node->datasets, &node->datasets));
    for (; node->n_datasets < hello->n_datasets; node->n_datasets++)
        PL_TRY(pl_bytes_dup(pl_view_of(hello->datasets[node->n_datasets].data,
                                       hello->datasets[node->n_datasets].len),
                            &node->datasets[node->n_datasets]));
    return PL_OK;
}

static pl_status node_of(pl_scheduler *s, const char *org, pl_node_link **out) {
    *out = pl_scheduler_node(s, org);
    if (*out != NULL)
        return PL_OK;
    pl_node_link *node;
    PL_TRY(pl_alloc(1, sizeof *node, &node));
    strncpy(node->org, org, sizeof node->org - 1);
    node->next = s->nodes;
    s->nodes = node;
    *out = node;
    return PL_OK;
}

static pl_status on_hello(pl_connection *c, const Parley__V1__Hello *hello) {
    pl_scheduler *s = c->scheduler;
    pl_node_link *node;
    PL_TRY(authenticate(c, hello));
    PL_TRY(node_of(s, hello->org, &node));
    PL_TRY(remember(node, hello));
    drop_connection(node, "the node has connected again");
    node->call = c->call;
    node->connection = c;
    pl_buf_done(&node->pending); /* of the connection before */
    node->since = (int64_t)time(NULL);
    node->sessions = hello->sessions;
    strcpy(c->org, node->org);
    PL_LOG_INFO("node.connected", {"org", node->org});
    PL_TRY(send_welcome(s, node));
    tell_others(s, node);
    PL_TRY(pl_queue_each_message(s->store, node->org, deliver, node));
    pl_gang_look(s);
    return PL_OK;
}

/* ---- messages ---- */

static void on_relay(pl_connection *c, pl_node_link *node, Parley__V1__Relay *relay) {
    pl_scheduler *s = c->scheduler;
    free(relay->from == (char *)protobuf_c_empty_string ? NULL : relay->from);
    relay->from = c->org; /* never what the sender says */
    pl_status status = pl_manifest_member(s->manifest, relay->to) == NULL
                           ? pl_fail(PL_INVALID_ARGUMENT, "relay: to %.63s is no member", relay->to)
                           : pl_queue_put_message(s->store, relay);
    if (pl_is_ok(status)) {
        send_stored(node, relay->message_id);
        pl_node_link *to = pl_scheduler_node(s, relay->to);
        if (to != NULL)
            status = deliver(relay, to);
    }
    if (!pl_is_ok(status))
        send_error(node, relay->job_id, relay->message_id, status);
    relay->from = (char *)(uintptr_t)protobuf_c_empty_string;
}

static void on_enqueue(pl_connection *c, pl_node_link *node, const Parley__V1__Enqueue *enqueue) {
    static const ProtobufCBinaryData none = {0};
    pl_status status = pl_gang_enqueue(c->scheduler, c->org, enqueue);
    if (pl_is_ok(status))
        send_stored(node, enqueue->job_id);
    else
        send_error(node, enqueue->job_id, none, status);
}

static pl_status handle(pl_connection *c, Parley__V1__NodeMessage *m) {
    if (m->kind_case == PARLEY__V1__NODE_MESSAGE__KIND_HELLO)
        return c->org[0] == 0 ? on_hello(c, m->hello) : pl_fail(PL_PROTOCOL, "hello came twice");
    pl_node_link *node = c->org[0] == 0 ? NULL : pl_scheduler_node(c->scheduler, c->org);
    if (node == NULL || node->call != c->call)
        return pl_fail(PL_UNAUTHENTICATED, "the first message must be hello");
    switch (m->kind_case) {
    case PARLEY__V1__NODE_MESSAGE__KIND_ENQUEUE:
        on_enqueue(c, node, m->enqueue);
        return PL_OK;
    case PARLEY__V1__NODE_MESSAGE__KIND_RELAY:
        on_relay(c, node, m->relay);
        return PL_OK;
    case PARLEY__V1__NODE_MESSAGE__KIND_ACK:
        return pl_queue_ack(c->scheduler->store, c->org, pl_view_of(m->ack.data, m->ack.len));
    case PARLEY__V1__NODE_MESSAGE__KIND_PROGRESS:
        return pl_gang_progress(c->scheduler, c->org, m->progress);
    case PARLEY__V1__NODE_MESSAGE__KIND_CANCEL:
        return pl_gang_cancel(c->scheduler, c->org, pl_view_of(m->cancel.data, m->cancel.len));
    default:
        return pl_fail(PL_PROTOCOL, "a message of unknown kind");
    }
}

/* ---- a connection's life ---- */

static void connection_gone(pl_connection *c) {
    pl_node_link *node = c->org[0] == 0 ? NULL : pl_scheduler_node(c->scheduler, c->org);
    if (node != NULL && node->call == c->call) {
        node->call = NULL;
        node->connection = NULL;
        node->since = (int64_t)time(NULL);
        PL_LOG_INFO("node.lost", {"org", node->org});
        if (!c->scheduler->stopping) {
            tell_others(c->scheduler, node);
            pl_gang_look(c->scheduler);
        }
    }
    free(c);
}

static void on_close(pl_rpc_call *call, void *ctx) {
    (void)call;
    connection_gone(ctx);
}

static void on_message(pl_rpc_call *call, pl_view message, void *ctx) {
    pl_connection *c = ctx;
    Parley__V1__NodeMessage *m = parley__v1__node_message__unpack(NULL, message.len, message.data);
    pl_status status = m == NULL ? pl_fail(PL_PROTOCOL, "a message cannot be read") : handle(c, m);
    if (m != NULL)
        parley__v1__node_message__free_unpacked(m, NULL);
    if (pl_is_ok(status))
        return;
    pl_status copy = pl_status_dup(status);
    pl_log_status("node.refused", NULL, status);
    if (c->org[0] != 0) {
        pl_status_done(&copy); /* a member's wrong message is refused, the stream goes on */
        return;
    }
    pl_rpc_on_message(call, NULL, NULL);
    pl_rpc_on_close(call, NULL, NULL);
    connection_gone(c);
    pl_rpc_fail(call, copy);
}

void pl_scheduler_connect(pl_rpc_call *call, pl_view request, void *ctx) {
    (void)request;
    pl_connection *c;
    pl_status status = pl_alloc(1, sizeof *c, &c);
    if (!pl_is_ok(status)) {
        pl_rpc_fail(call, status);
        return;
    }
    c->scheduler = ctx;
    c->call = call;
    pl_rpc_on_message(call, on_message, c);
    pl_rpc_on_close(call, on_close, c);
}
