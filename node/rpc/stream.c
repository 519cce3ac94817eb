/* stream.c: a bidirectional stream of the client's, on the loop. */
#include "node/rpc/inner.h"

#include <stdlib.h>
#include <string.h>

typedef struct outgoing outgoing;
struct outgoing {
    outgoing *next;
    grpc_byte_buffer *buffer;
};

struct pl_rpc_stream {
    pl_queue *queue;
    grpc_channel *channel;
    grpc_call *call;
    pl_rpc_stream_callbacks callbacks;
    pl_tag opening, heading, receiving, sending, ending;
    int n_batches;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *received;
    outgoing *first, **last;
    size_t n_queued;
    grpc_status_code code;
    grpc_slice details;
    bool open, writing, has_status, queue_closing;
};

static void stream_free(void *ctx) {
    pl_rpc_stream *s = ctx;
    grpc_slice_unref(s->details);
    grpc_metadata_array_destroy(&s->initial);
    grpc_metadata_array_destroy(&s->trailing);
    free(s);
}

/* Once the status is in and no batch is out, the stream is over: tell, then let go. */
static void stream_maybe_end(pl_rpc_stream *s) {
    if (s->n_batches != 0 || !s->has_status || s->queue_closing)
        return;
    s->queue_closing = true;
    while (s->first != NULL) {
        outgoing *o = s->first;
        s->first = o->next;
        grpc_byte_buffer_destroy(o->buffer);
        free(o);
    }
    if (s->callbacks.on_close != NULL) {
        pl_status why = pl_status_from_grpc(s->code, s->details, &s->trailing);
        s->callbacks.on_close(s, why, s->callbacks.ctx);
        pl_status_done(&why);
    }
    grpc_call_unref(s->call);
    grpc_channel_destroy(s->channel);
    pl_queue_shutdown(s->queue, stream_free, s);
}

static bool batch(pl_rpc_stream *s, const grpc_op *ops, size_t n, pl_tag *tag) {
    pl_tag_hand_over(tag);
    if (grpc_call_start_batch(s->call, ops, n, tag, NULL) != GRPC_CALL_OK)
        return false;
    s->n_batches++;
    return true;
}

/* ---- sending: one message under way at a time ---- */

static void send_next(pl_rpc_stream *s) {
    if (s->writing || s->first == NULL || s->has_status)
        return;
    outgoing *o = s->first;
    s->first = o->next;
    if (s->first == NULL)
        s->last = &s->first;
    s->n_queued--;
    grpc_op op = {.op = GRPC_OP_SEND_MESSAGE};
    op.data.send_message.send_message = o->buffer;
    s->writing = batch(s, &op, 1, &s->sending);
    grpc_byte_buffer_destroy(o->buffer);
    free(o);
}

static void on_sent(pl_tag *tag, bool ok) {
    pl_rpc_stream *s = tag->owner;
    s->n_batches--;
    s->writing = false;
    if (ok)
        send_next(s);
    stream_maybe_end(s);
}

pl_status pl_rpc_stream_send(pl_rpc_stream *s, pl_view message) {
    outgoing *o;
    if (s->n_queued >= PL_RPC_WRITES_MAX) {
        grpc_call_cancel(s->call, NULL);
        return pl_fail(PL_LIMIT, "the other side does not read: %d messages wait",
                       PL_RPC_WRITES_MAX);
    }
    PL_TRY(pl_alloc(1, sizeof *o, &o));
    o->buffer = pl_buffer_of(message);
    *s->last = o;
    s->last = &o->next;
    s->n_queued++;
    send_next(s);
    return PL_OK;
}

/* ---- receiving ---- */

static void receive_next(pl_rpc_stream *s) {
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    s->received = NULL;
    op.data.recv_message.recv_message = &s->received;
    batch(s, &op, 1, &s->receiving);
}

static void on_received(pl_tag *tag, bool ok) {
    pl_rpc_stream *s = tag->owner;
    if (ok && s->received != NULL) {
        pl_bytes bytes = {0};
        pl_status status = pl_buffer_read(s->received, &bytes);
        grpc_byte_buffer_destroy(s->received);
        if (!pl_is_ok(status))
            grpc_call_cancel(s->call, NULL);
        else if (s->callbacks.on_message != NULL)
            s->callbacks.on_message(s, pl_bytes_view(&bytes), s->callbacks.ctx);
        pl_status_done(&status); /* the stream ends and says so */
        pl_bytes_done(&bytes);
        receive_next(s);
    }
    s->n_batches--;
    stream_maybe_end(s);
}

static void on_opened(pl_tag *tag, bool ok) {
    pl_rpc_stream *s = tag->owner;
    s->n_batches--;
    if (ok && !s->open && !s->has_status) {
        s->open = true;
        if (s->callbacks.on_open != NULL)
            s->callbacks.on_open(s, s->callbacks.ctx);
        receive_next(s);
    }
    stream_maybe_end(s);
}

/* gRPC gives no message before the server's initial metadata has been asked for and come. */
static void on_headed(pl_tag *tag, bool ok) {
    (void)ok;
    pl_rpc_stream *s = tag->owner;
    s->n_batches--;
    stream_maybe_end(s);
}

static void on_status(pl_tag *tag, bool ok) {
    (void)ok;
    pl_rpc_stream *s = tag->owner;
    s->n_batches--;
    s->has_status = true;
    stream_maybe_end(s);
}

/* ---- opening and closing ---- */

pl_status pl_rpc_stream_connect(uv_loop_t *loop, const char *target, const pl_rpc_tls *tls,
                                const char *method, const pl_rpc_stream_callbacks *callbacks,
                                pl_rpc_stream **out) {
    pl_rpc_stream *s;
    PL_TRY(pl_alloc(1, sizeof *s, &s));
    pl_status status = pl_queue_new(loop, &s->queue);
    if (!pl_is_ok(status)) {
        free(s);
        return status;
    }
    s->callbacks = *callbacks;
    s->last = &s->first;
    s->details = grpc_empty_slice();
    s->opening = (pl_tag){.run = on_opened, .owner = s};
    s->heading = (pl_tag){.run = on_headed, .owner = s};
    s->receiving = (pl_tag){.run = on_received, .owner = s};
    s->sending = (pl_tag){.run = on_sent, .owner = s};
    s->ending = (pl_tag){.run = on_status, .owner = s};
    grpc_metadata_array_init(&s->initial);
    grpc_metadata_array_init(&s->trailing);
    s->channel = pl_channel_open(target, tls);
    grpc_slice path = grpc_slice_from_copied_string(method);
    s->call = grpc_channel_create_call(s->channel, NULL, GRPC_PROPAGATE_DEFAULTS,
                                       pl_queue_cq(s->queue), path, NULL, pl_deadline(0), NULL);
    grpc_slice_unref(path);
    grpc_op ending = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    ending.data.recv_status_on_client.trailing_metadata = &s->trailing;
    ending.data.recv_status_on_client.status = &s->code;
    ending.data.recv_status_on_client.status_details = &s->details;
    batch(s, &ending, 1, &s->ending);
    grpc_op opening = {.op = GRPC_OP_SEND_INITIAL_METADATA};
    batch(s, &opening, 1, &s->opening);
    grpc_op heading = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    heading.data.recv_initial_metadata.recv_initial_metadata = &s->initial;
    batch(s, &heading, 1, &s->heading);
    *out = s;
    return PL_OK;
}

void pl_rpc_stream_close(pl_rpc_stream *s) {
    s->callbacks = (pl_rpc_stream_callbacks){0};
    grpc_call_cancel(s->call, NULL);
}
