/* uplink.c: the one stream to the scheduler, opened by us, kept open. What the scheduler says only
 * decides when things happen: every body it relays is sealed and signed by its sender and checked
 * by the step that takes it. */
#include "node/charter/envelope.h"
#include "node/daemon/node.h"
#include "node/rpc/rpc.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECONNECT_MS_MIN 200
#define RECONNECT_MS_MAX 10000

struct pl_uplink {
    pl_node *node;
    pl_rpc_stream *stream;
    uv_timer_t retry;
    unsigned retry_ms;
    bool connected; /* Welcome has come */
    bool closing;
    bool outbox_grew; /* since the last flush */
    int64_t sent_seq; /* of the outbox, on this connection */
    pl_buf pending;   /* messages that are not kept, for the end of the turn: length, bytes, ... */
};

/* More than one turn can have to say. */
#define PENDING_BYTES_MAX (64u << 20)

static void connect_later(pl_uplink *uplink);

/* ---- sending ---- */

bool pl_uplink_connected(const pl_uplink *uplink) {
    return uplink != NULL && uplink->connected;
}

static void send_now(pl_uplink *uplink, const Parley__V1__NodeMessage *message) {
    size_t len = parley__v1__node_message__get_packed_size(message);
    uint8_t *packed;
    pl_status status = pl_alloc(len + 1, 1, &packed);
    if (pl_is_ok(status)) {
        parley__v1__node_message__pack(message, packed);
        status = pl_rpc_stream_send(uplink->stream, pl_view_of(packed, len));
        free(packed);
    }
    pl_log_status("uplink.send_failed", NULL, status);
}

static void send_pending(pl_uplink *uplink) {
    const uint8_t *at = uplink->pending.data;
    for (size_t left = uplink->pending.len; left > 0;) {
        size_t len = pl_get_u32(at);
        pl_log_status("uplink.send_failed", NULL,
                      pl_rpc_stream_send(uplink->stream, pl_view_of(at + 4, len)));
        at += 4 + len;
        left -= 4 + len;
    }
}

static pl_status send_outbox(int64_t seq, pl_view message, void *ctx) {
    pl_uplink *uplink = ctx;
    PL_TRY(pl_rpc_stream_send(uplink->stream, message));
    uplink->sent_seq = seq;
    return PL_OK;
}

void pl_uplink_flush(pl_uplink *uplink) {
    bool open = uplink->stream != NULL && uplink->connected;
    if (open && uplink->outbox_grew) {
        uplink->outbox_grew = false;
        pl_log_status(
            "uplink.send_failed", NULL,
            pl_jobs_outbox_each(uplink->node->jobs, uplink->sent_seq, send_outbox, uplink));
    }
    if (uplink->pending.failed) {
        PL_LOG_WARN("uplink.send_failed", {"message", "no memory for this turn's messages"});
        pl_uplink_drop(uplink);
        return;
    }
    if (open)
        send_pending(uplink);
    pl_buf_done(&uplink->pending);
}

void pl_uplink_drop(pl_uplink *uplink) {
    pl_buf_done(&uplink->pending);
    if (uplink->stream != NULL)
        pl_rpc_stream_close(uplink->stream);
    uplink->stream = NULL;
    uplink->connected = false;
    if (!uplink->closing)
        connect_later(uplink);
}

void pl_uplink_outbox_grew(pl_uplink *uplink) {
    uplink->outbox_grew = true;
}

void pl_uplink_send(pl_uplink *uplink, const Parley__V1__NodeMessage *message) {
    size_t len = parley__v1__node_message__get_packed_size(message);
    if (uplink->stream == NULL || !uplink->connected || uplink->pending.failed)
        return;
    if (len > PENDING_BYTES_MAX - uplink->pending.len) {
        PL_LOG_WARN("uplink.send_failed", {"message", "too much to say in one turn"});
        return;
    }
    uint8_t head[4], *packed;
    pl_status status = pl_alloc(len + 1, 1, &packed);
    if (pl_is_ok(status)) {
        parley__v1__node_message__pack(message, packed);
        pl_put_u32(head, (uint32_t)len);
        pl_buf_append(&uplink->pending, head, sizeof head);
        pl_buf_append(&uplink->pending, packed, len);
        free(packed);
    }
    pl_log_status("uplink.send_failed", NULL, status);
}

static void send_hello(pl_uplink *uplink) {
    pl_node *node = uplink->node;
    Parley__V1__Hello hello = PARLEY__V1__HELLO__INIT;
    pl_view descriptor = pl_org_signed_descriptor(node->org);
    ProtobufCBinaryData *datasets = NULL;
    pl_status status = pl_alloc(node->n_own_datasets, sizeof *datasets, &datasets);
    if (!pl_is_ok(status)) {
        pl_log_status("uplink.send_failed", NULL, status);
        return;
    }
    for (size_t i = 0; i < node->n_own_datasets; i++)
        datasets[i] = (ProtobufCBinaryData){node->own_datasets[i].len, node->own_datasets[i].data};
    hello.version = 1;
    hello.org = (char *)(uintptr_t)node->own;
    hello.descriptor = (ProtobufCBinaryData){descriptor.len, (uint8_t *)(uintptr_t)descriptor.data};
    hello.datasets = datasets;
    hello.n_datasets = node->n_own_datasets;
    hello.sessions = pl_config_sessions(node->config);
    hello.software = (char[]){"parleyd " PARLEY_VERSION};
    Parley__V1__NodeMessage message = PARLEY__V1__NODE_MESSAGE__INIT;
    message.kind_case = PARLEY__V1__NODE_MESSAGE__KIND_HELLO;
    message.hello = &hello;
    send_now(uplink, &message);
    free(datasets);
}

/* ---- after Welcome: everything that may not have arrived is said again ---- */

static pl_status retell(const pl_job_record *record, void *ctx) {
    pl_node *node = ctx;
    pl_code code = *record->error_code == 0 ? PL_CODE_OK : pl_code_from_name(record->error_code);
    if (record->state == PL_JOB_APPROVED)
        pl_step_progress(node, record->id, PARLEY__V1__PHASE__PHASE_APPROVED, 0, PL_CODE_OK);
    else if (record->state == PL_JOB_RUNNING || record->state == PL_JOB_OPENING)
        pl_step_progress(node, record->id, PARLEY__V1__PHASE__PHASE_STARTED, record->attempt,
                         PL_CODE_OK);
    else if (record->state == PL_JOB_REFUSED)
        pl_step_progress(node, record->id, PARLEY__V1__PHASE__PHASE_REFUSED, 0, PL_REFUSED);
    else if (record->state == PL_JOB_CANCELLED)
        pl_step_progress(node, record->id, PARLEY__V1__PHASE__PHASE_CANCELLED, 0, PL_CANCELLED);
    else if (pl_job_state_is_final(record->state))
        pl_step_progress(node, record->id, PARLEY__V1__PHASE__PHASE_ENDED, 0, code);
    return PL_OK;
}

/* What the scheduler shows of a member counts only as far as that member has signed it. */
static void take_peer(pl_node *node, const Parley__V1__Peer *peer) {
    pl_status status = pl_peer_update(node, peer);
    if (!pl_is_ok(status))
        pl_step_reject(node, NULL, "scheduler", "peer.receive",
                       pl_wrap(status, "what the scheduler shows of %.40s", peer->org));
}

static pl_status on_welcome(pl_uplink *uplink, const Parley__V1__Welcome *welcome) {
    pl_node *node = uplink->node;
    uplink->connected = true;
    uplink->outbox_grew = true;
    uplink->sent_seq = 0;
    uplink->retry_ms = RECONNECT_MS_MIN;
    PL_LOG_INFO("uplink.connected", {"scheduler", pl_config_scheduler_address(node->config)});
    for (size_t i = 0; i < welcome->n_peers; i++)
        take_peer(node, welcome->peers[i]);
    pl_propose_retry(node);
    return pl_jobs_each(node->jobs, false, 200, retell, node);
}

/* ---- what comes ---- */

static void dispatch(pl_node *node, const char *from, Parley__V1__RelayKind kind, pl_view body) {
    switch (kind) {
    case PARLEY__V1__RELAY_KIND__RELAY_KIND_PROPOSAL:
        pl_approve_received(node, from, body);
        break;
    case PARLEY__V1__RELAY_KIND__RELAY_KIND_APPROVAL:
        pl_approval_received(node, from, body);
        break;
    case PARLEY__V1__RELAY_KIND__RELAY_KIND_RESERVATION:
        pl_reservation_received(node, from, body);
        break;
    case PARLEY__V1__RELAY_KIND__RELAY_KIND_CHARTER:
        pl_charter_received(node, from, body);
        break;
    case PARLEY__V1__RELAY_KIND__RELAY_KIND_RECEIPT:
        pl_receipt_received(node, from, body);
        break;
    case PARLEY__V1__RELAY_KIND__RELAY_KIND_ABORT:
        pl_abort_received(node, from, body);
        break;
    default:
        pl_step_reject(node, NULL, from, "relay.receive",
                       pl_fail(PL_INVALID_ARGUMENT, "relay: kind %d is unknown", (int)kind));
    }
}

static pl_status open_relay(pl_node *node, const Parley__V1__Relay *relay, pl_bytes *out) {
    if (relay->message_id.len != 16)
        return pl_fail(PL_INVALID_ARGUMENT, "relay: message_id has %zu bytes, not 16",
                       relay->message_id.len);
    if (strcmp(relay->to, node->own) != 0)
        return pl_fail(PL_PROTOCOL, "relay: to is %s, not this node", relay->to);
    return pl_envelope_open(pl_org_seal_key(node->org), relay->from, node->own,
                            pl_view_of(relay->body.data, relay->body.len), out);
}

static void on_deliver(pl_uplink *uplink, const Parley__V1__Relay *relay) {
    pl_node *node = uplink->node;
    pl_view id = pl_view_of(relay->message_id.data, relay->message_id.len);
    bool seen = false;
    pl_status status = pl_jobs_was_seen(node->jobs, "message", id, &seen);
    pl_bytes body = {0};
    /* Seen and handled become durable together, before the acknowledgement goes out. */
    if (pl_is_ok(status) && !seen)
        status = pl_jobs_first_sight(node->jobs, "message", id, pl_now());
    if (pl_is_ok(status) && !seen) {
        pl_status opened = open_relay(node, relay, &body);
        if (pl_is_ok(opened))
            dispatch(node, relay->from, relay->kind, pl_bytes_view(&body));
        else
            pl_step_reject(node, NULL, relay->from, "relay.receive", opened);
        pl_bytes_done(&body);
    }
    if (!pl_is_ok(status)) {
        pl_log_status("relay.failed", NULL, status); /* not acknowledged: it comes again */
        return;
    }
    Parley__V1__NodeMessage message = PARLEY__V1__NODE_MESSAGE__INIT;
    message.kind_case = PARLEY__V1__NODE_MESSAGE__KIND_ACK;
    message.ack = relay->message_id;
    pl_uplink_send(uplink, &message);
}

/* The scheduler's word about a job in progress is shown, never acted on; expiry we see on our own
 * clock. It may overtake the proposal: a job that is not known here is no fault. */
static pl_status on_job_update(pl_node *node, const Parley__V1__JobUpdate *update) {
    PL_TRY(pl_step_check_job_id(update->job_id, "job update"));
    pl_job_record record;
    pl_status found = pl_jobs_get(node->jobs, update->job_id.data, &record);
    if (pl_status_code(found) == PL_NOT_FOUND) {
        pl_status_done(&found);
        return PL_OK;
    }
    PL_TRY(found);
    bool waiting = record.state == PL_JOB_APPROVED;
    pl_job_record_done(&record);
    if (!waiting || *update->reason == 0)
        return PL_OK;
    PL_TRY(pl_jobs_set_state(node->jobs, update->job_id.data, PL_JOB_APPROVED, update->reason, "",
                             pl_now()));
    pl_api_job_changed(node, update->job_id.data);
    return PL_OK;
}

static void on_reserve(pl_node *node, const Parley__V1__Reserve *reserve) {
    pl_status status = pl_step_check_job_id(reserve->job_id, "reserve");
    if (pl_is_ok(status))
        pl_reserve(node, reserve->job_id.data, reserve->attempt);
    else
        pl_step_reject(node, NULL, "scheduler", "reservation.make", status);
}

static void on_release(pl_node *node, const Parley__V1__Release *release) {
    pl_status status = pl_step_check_job_id(release->job_id, "release");
    if (pl_is_ok(status))
        pl_reserve_release(node, release->job_id.data, release->attempt, release->reason);
    else
        pl_step_reject(node, NULL, "scheduler", "reservation.release", status);
}

/* What the scheduler says in words ends in a terminal sooner or later. */
static void tame(const Parley__V1__SchedulerMessage *m) {
    if (m->kind_case == PARLEY__V1__SCHEDULER_MESSAGE__KIND_RELEASE)
        pl_text_tame(m->release->reason);
    else if (m->kind_case == PARLEY__V1__SCHEDULER_MESSAGE__KIND_JOB)
        pl_text_tame(m->job->reason);
    else if (m->kind_case == PARLEY__V1__SCHEDULER_MESSAGE__KIND_ERROR)
        pl_text_tame(m->error->message);
    else if (m->kind_case == PARLEY__V1__SCHEDULER_MESSAGE__KIND_PEER)
        pl_text_tame(m->peer->org);
}

static pl_status handle(pl_uplink *uplink, const Parley__V1__SchedulerMessage *m) {
    pl_node *node = uplink->node;
    tame(m);
    switch (m->kind_case) {
    case PARLEY__V1__SCHEDULER_MESSAGE__KIND_WELCOME:
        return on_welcome(uplink, m->welcome);
    case PARLEY__V1__SCHEDULER_MESSAGE__KIND_PEER:
        take_peer(node, m->peer);
        pl_propose_retry(node);
        return PL_OK;
    case PARLEY__V1__SCHEDULER_MESSAGE__KIND_DELIVER:
        on_deliver(uplink, m->deliver);
        return PL_OK;
    case PARLEY__V1__SCHEDULER_MESSAGE__KIND_STORED:
        return pl_jobs_outbox_remove(node->jobs, pl_view_of(m->stored.data, m->stored.len));
    case PARLEY__V1__SCHEDULER_MESSAGE__KIND_RESERVE:
        on_reserve(node, m->reserve);
        return PL_OK;
    case PARLEY__V1__SCHEDULER_MESSAGE__KIND_RELEASE:
        on_release(node, m->release);
        return PL_OK;
    case PARLEY__V1__SCHEDULER_MESSAGE__KIND_JOB:
        return on_job_update(node, m->job);
    case PARLEY__V1__SCHEDULER_MESSAGE__KIND_ERROR:
        return pl_scheduler_error(node, m->error);
    default:
        return pl_fail(PL_PROTOCOL, "the scheduler sent a message of unknown kind");
    }
}

static void on_message(pl_rpc_stream *stream, pl_view message, void *ctx) {
    (void)stream;
    pl_uplink *uplink = ctx;
    Parley__V1__SchedulerMessage *m =
        parley__v1__scheduler_message__unpack(NULL, message.len, message.data);
    pl_status status =
        m == NULL ? pl_fail(PL_PROTOCOL, "the scheduler sent a message that cannot be read")
                  : handle(uplink, m);
    if (m != NULL)
        parley__v1__scheduler_message__free_unpacked(m, NULL);
    pl_log_status("uplink.message_failed", NULL, status);
}

/* ---- the connection ---- */

static void on_open(pl_rpc_stream *stream, void *ctx) {
    (void)stream;
    send_hello(ctx);
}

static void on_close(pl_rpc_stream *stream, pl_status why, void *ctx) {
    (void)stream;
    pl_uplink *uplink = ctx;
    uplink->stream = NULL;
    for (pl_peer *peer = uplink->node->peers; peer != NULL; peer = peer->next)
        peer->online = false;
    if (!uplink->closing)
        PL_LOG_WARN("uplink.lost", {"code", pl_code_describe(pl_status_code(why))->name},
                    {"message", pl_status_message(why)});
    uplink->connected = false;
    if (!uplink->closing)
        connect_later(uplink);
}

static void connect_now(uv_timer_t *timer) {
    pl_uplink *uplink = timer->data;
    pl_node *node = uplink->node;
    pl_rpc_tls tls = {
        .roots_pem = pl_config_scheduler_roots(node->config),
        .cert_pem = pl_org_tls_cert_pem(node->org),
        .key_pem = pl_org_tls_key_pem(node->org),
        .target_name = "parley-scheduler",
    };
    pl_rpc_stream_callbacks callbacks = {on_open, on_message, on_close, uplink};
    pl_status status =
        pl_rpc_stream_connect(node->loop, pl_config_scheduler_address(node->config), &tls,
                              "/parley.v1.Scheduler/Connect", &callbacks, &uplink->stream);
    if (!pl_is_ok(status)) {
        pl_log_status("uplink.failed", NULL, status);
        connect_later(uplink);
    }
}

static void connect_later(pl_uplink *uplink) {
    uv_timer_start(&uplink->retry, connect_now, uplink->retry_ms, 0);
    uplink->retry_ms =
        uplink->retry_ms * 2 < RECONNECT_MS_MAX ? uplink->retry_ms * 2 : RECONNECT_MS_MAX;
}

pl_status pl_uplink_open(pl_node *node, pl_uplink **out) {
    pl_uplink *uplink;
    PL_TRY(pl_alloc(1, sizeof *uplink, &uplink));
    uplink->node = node;
    uplink->retry_ms = RECONNECT_MS_MIN;
    uv_timer_init(node->loop, &uplink->retry);
    uplink->retry.data = uplink;
    uv_timer_start(&uplink->retry, connect_now, 0, 0);
    *out = uplink;
    return PL_OK;
}

static void on_timer_closed(uv_handle_t *handle) {
    pl_uplink *uplink = handle->data;
    pl_buf_done(&uplink->pending);
    free(uplink);
}

void pl_uplink_close(pl_uplink *uplink) {
    if (uplink == NULL || uplink->closing)
        return;
    uplink->closing = true;
    if (uplink->stream != NULL)
        pl_rpc_stream_close(uplink->stream);
    uplink->stream = NULL;
    uv_close((uv_handle_t *)&uplink->retry, on_timer_closed);
}
