/* client.c: blocking calls, for the command line. */
#include "node/rpc/inner.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

struct pl_rpc_client {
    grpc_channel *channel;
    grpc_completion_queue *cq;
};

/* One call: what every batch of it fills in. */
struct pl_rpc_reader {
    pl_rpc_client *client;
    grpc_call *call;
    grpc_metadata_array initial, trailing;
    grpc_byte_buffer *received;
    grpc_status_code code;
    grpc_slice details;
    bool ended;
};

pl_status pl_rpc_client_open(const char *target, const pl_rpc_tls *tls, pl_rpc_client **out) {
    pl_rpc_client *client;
    PL_TRY(pl_alloc(1, sizeof *client, &client));
    client->channel = pl_channel_open(target, tls);
    client->cq = grpc_completion_queue_create_for_next(NULL);
    *out = client;
    return PL_OK;
}

void pl_rpc_client_close(pl_rpc_client *client) {
    if (client == NULL)
        return;
    grpc_channel_destroy(client->channel);
    grpc_completion_queue_shutdown(client->cq);
    while (grpc_completion_queue_next(client->cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL).type !=
           GRPC_QUEUE_SHUTDOWN) {
    }
    grpc_completion_queue_destroy(client->cq);
    free(client);
}

static pl_status reader_new(pl_rpc_client *client, const char *method, unsigned deadline_ms,
                            pl_rpc_reader **out) {
    pl_rpc_reader *r;
    PL_TRY(pl_alloc(1, sizeof *r, &r));
    r->client = client;
    r->details = grpc_empty_slice();
    grpc_metadata_array_init(&r->initial);
    grpc_metadata_array_init(&r->trailing);
    grpc_slice path = grpc_slice_from_copied_string(method);
    r->call = grpc_channel_create_call(client->channel, NULL, GRPC_PROPAGATE_DEFAULTS, client->cq,
                                       path, NULL, pl_deadline(deadline_ms), NULL);
    grpc_slice_unref(path);
    *out = r;
    return PL_OK;
}

static volatile sig_atomic_t interrupted;

void pl_rpc_interrupt(void) {
    interrupted = 1;
}

void pl_rpc_resume(void) {
    interrupted = 0;
}

/* Waits for the batch; an interruption cancels the call, which ends the batch. */
static bool run_batch(pl_rpc_reader *r, const grpc_op *ops, size_t n) {
    if (grpc_call_start_batch(r->call, ops, n, r, NULL) != GRPC_CALL_OK)
        return false;
    for (;;) {
        grpc_event event = grpc_completion_queue_next(r->client->cq, pl_deadline(200), NULL);
        if (event.type != GRPC_QUEUE_TIMEOUT)
            return event.success != 0;
        if (interrupted)
            grpc_call_cancel(r->call, NULL);
    }
}

/* The request goes out whole: a failure of this batch shows in the call's status. */
static void send_request(pl_rpc_reader *r, pl_view request) {
    grpc_byte_buffer *message = pl_buffer_of(request);
    grpc_op ops[3] = {
        {.op = GRPC_OP_SEND_INITIAL_METADATA},
        {.op = GRPC_OP_SEND_MESSAGE, .data.send_message.send_message = message},
        {.op = GRPC_OP_SEND_CLOSE_FROM_CLIENT},
    };
    run_batch(r, ops, 3);
    grpc_byte_buffer_destroy(message);
}

static pl_status finish(pl_rpc_reader *r) {
    grpc_op op = {.op = GRPC_OP_RECV_STATUS_ON_CLIENT};
    op.data.recv_status_on_client.trailing_metadata = &r->trailing;
    op.data.recv_status_on_client.status = &r->code;
    op.data.recv_status_on_client.status_details = &r->details;
    r->ended = true;
    if (!run_batch(r, &op, 1))
        return pl_fail(PL_INTERNAL, "a call could not be ended");
    return pl_status_from_grpc(r->code, r->details, &r->trailing);
}

pl_status pl_rpc_reader_open(pl_rpc_client *client, const char *method, pl_view request,
                             pl_rpc_reader **out) {
    pl_rpc_reader *r;
    PL_TRY(reader_new(client, method, 0, &r));
    send_request(r, request);
    grpc_op op = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    op.data.recv_initial_metadata.recv_initial_metadata = &r->initial;
    run_batch(r, &op, 1); /* a failure shows in the status */
    *out = r;
    return PL_OK;
}

pl_status pl_rpc_reader_next(pl_rpc_reader *r, pl_bytes *out, bool *out_has) {
    *out_has = false;
    grpc_op op = {.op = GRPC_OP_RECV_MESSAGE};
    op.data.recv_message.recv_message = &r->received;
    r->received = NULL;
    bool ok = run_batch(r, &op, 1);
    if (!ok || r->received == NULL)
        return finish(r);
    pl_status status = pl_buffer_read(r->received, out);
    grpc_byte_buffer_destroy(r->received);
    *out_has = pl_is_ok(status);
    return status;
}

void pl_rpc_reader_close(pl_rpc_reader *r) {
    if (r == NULL)
        return;
    if (!r->ended) {
        grpc_call_cancel(r->call, NULL);
        pl_status status = finish(r);
        pl_status_done(&status); /* cancelled: that is what was asked for */
    }
    grpc_slice_unref(r->details);
    grpc_metadata_array_destroy(&r->initial);
    grpc_metadata_array_destroy(&r->trailing);
    grpc_call_unref(r->call);
    free(r);
}

pl_status pl_rpc_call_unary(pl_rpc_client *client, const char *method, pl_view request,
                            unsigned deadline_ms, pl_bytes *out_reply) {
    pl_rpc_reader *r;
    PL_TRY(reader_new(client, method, deadline_ms, &r));
    grpc_op op = {.op = GRPC_OP_RECV_INITIAL_METADATA};
    op.data.recv_initial_metadata.recv_initial_metadata = &r->initial;
    send_request(r, request);
    run_batch(r, &op, 1); /* a failure shows in the status */
    pl_bytes reply = {0};
    bool has = false;
    pl_status status = pl_rpc_reader_next(r, &reply, &has);
    if (pl_is_ok(status) && !has)
        status = pl_fail(PL_PROTOCOL, "the call ended without an answer");
    else if (pl_is_ok(status))
        status = finish(r);
    if (pl_is_ok(status))
        *out_reply = reply;
    else
        pl_bytes_done(&reply);
    pl_rpc_reader_close(r);
    return status;
}
