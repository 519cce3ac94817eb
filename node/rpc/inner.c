#include "node/rpc/inner.h"

#include <grpc/byte_buffer_reader.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void pl_rpc_init(void) {
    setenv("GRPC_SSL_CIPHER_SUITES", "ECDHE-RSA-AES256-GCM-SHA384", 1);
    setenv("GRPC_VERBOSITY", "NONE", 1);
    setenv("GRPC_ENABLE_FORK_SUPPORT", "0", 1);
    grpc_init();
}

void pl_rpc_shutdown(void) {
    grpc_shutdown_blocking();
}

/* ---- queue ---- */

struct pl_queue {
    grpc_completion_queue *cq;
    uv_thread_t thread;
    uv_async_t async;
    uv_mutex_t lock; /* of the inbox */
    pl_tag *first, **last;
    bool ended; /* the thread has seen the end */
    void (*on_closed)(void *ctx);
    void *ctx;
};

grpc_completion_queue *pl_queue_cq(pl_queue *queue) {
    return queue->cq;
}

#ifdef __SANITIZE_THREAD__
void __tsan_release(void *address);
void __tsan_acquire(void *address);
#else
#define __tsan_release(address) ((void)(address))
#define __tsan_acquire(address) ((void)(address))
#endif

void pl_tag_hand_over(pl_tag *tag) {
    __tsan_release(tag);
}

static void wait_for_events(void *ctx) {
    pl_queue *queue = ctx;
    for (;;) {
        grpc_event event =
            grpc_completion_queue_next(queue->cq, gpr_inf_future(GPR_CLOCK_REALTIME), NULL);
        uv_mutex_lock(&queue->lock);
        if (event.type == GRPC_QUEUE_SHUTDOWN) {
            queue->ended = true;
        } else {
            pl_tag *tag = event.tag;
            __tsan_acquire(tag);
            tag->ok = event.success != 0;
            tag->next = NULL;
            *queue->last = tag;
            queue->last = &tag->next;
        }
        uv_mutex_unlock(&queue->lock);
        uv_async_send(&queue->async);
        if (event.type == GRPC_QUEUE_SHUTDOWN)
            return;
    }
}

static void on_async_closed(uv_handle_t *handle) {
    pl_queue *queue = handle->data;
    void (*on_closed)(void *) = queue->on_closed;
    void *ctx = queue->ctx;
    uv_mutex_destroy(&queue->lock);
    grpc_completion_queue_destroy(queue->cq);
    free(queue);
    if (on_closed != NULL)
        on_closed(ctx);
}

static void drain(uv_async_t *async) {
    pl_queue *queue = async->data;
    uv_mutex_lock(&queue->lock);
    pl_tag *tags = queue->first;
    bool ended = queue->ended;
    queue->first = NULL;
    queue->last = &queue->first;
    uv_mutex_unlock(&queue->lock);
    while (tags != NULL) {
        pl_tag *tag = tags;
        tags = tag->next;
        tag->run(tag, tag->ok);
    }
    if (ended && !uv_is_closing((uv_handle_t *)async)) {
        uv_thread_join(&queue->thread);
        uv_close((uv_handle_t *)async, on_async_closed);
    }
}

pl_status pl_queue_new(uv_loop_t *loop, pl_queue **out) {
    pl_queue *queue;
    PL_TRY(pl_alloc(1, sizeof *queue, &queue));
    queue->last = &queue->first;
    queue->cq = grpc_completion_queue_create_for_next(NULL);
    uv_mutex_init(&queue->lock);
    uv_async_init(loop, &queue->async, drain);
    queue->async.data = queue;
    if (uv_thread_create(&queue->thread, wait_for_events, queue) != 0)
        pl_assert_failed("a thread for gRPC", __FILE__, __LINE__);
    *out = queue;
    return PL_OK;
}

void pl_queue_shutdown(pl_queue *queue, void (*on_closed)(void *ctx), void *ctx) {
    queue->on_closed = on_closed;
    queue->ctx = ctx;
    grpc_completion_queue_shutdown(queue->cq);
}

/* ---- bytes, time, statuses ---- */

grpc_byte_buffer *pl_buffer_of(pl_view message) {
    grpc_slice slice = grpc_slice_from_copied_buffer((const char *)message.data, message.len);
    grpc_byte_buffer *buffer = grpc_raw_byte_buffer_create(&slice, 1);
    grpc_slice_unref(slice);
    return buffer;
}

pl_status pl_buffer_read(grpc_byte_buffer *buffer, pl_bytes *out) {
    grpc_byte_buffer_reader reader;
    if (grpc_byte_buffer_reader_init(&reader, buffer) == 0)
        return pl_fail(PL_PROTOCOL, "a message cannot be read");
    grpc_slice slice = grpc_byte_buffer_reader_readall(&reader);
    grpc_byte_buffer_reader_destroy(&reader);
    pl_status status =
        pl_bytes_dup(pl_view_of(GRPC_SLICE_START_PTR(slice), GRPC_SLICE_LENGTH(slice)), out);
    grpc_slice_unref(slice);
    return status;
}

gpr_timespec pl_deadline(unsigned ms) {
    if (ms == 0)
        return gpr_inf_future(GPR_CLOCK_REALTIME);
    return gpr_time_add(gpr_now(GPR_CLOCK_MONOTONIC), gpr_time_from_millis(ms, GPR_TIMESPAN));
}

static pl_code code_of_grpc(grpc_status_code code) {
    switch (code) {
    case GRPC_STATUS_DEADLINE_EXCEEDED:
        return PL_TIMEOUT;
    case GRPC_STATUS_UNAVAILABLE:
        return PL_UNAVAILABLE;
    case GRPC_STATUS_UNIMPLEMENTED:
        return PL_UNSUPPORTED;
    case GRPC_STATUS_RESOURCE_EXHAUSTED:
        return PL_LIMIT;
    case GRPC_STATUS_UNAUTHENTICATED:
        return PL_UNAUTHENTICATED;
    case GRPC_STATUS_CANCELLED:
        return PL_CANCELLED;
    default:
        return PL_INTERNAL;
    }
}

static bool slice_is(grpc_slice slice, const char *text) {
    return GRPC_SLICE_LENGTH(slice) == strlen(text) &&
           memcmp(GRPC_SLICE_START_PTR(slice), text, strlen(text)) == 0;
}

static void slice_text(grpc_slice slice, char *out, size_t size) {
    size_t len = GRPC_SLICE_LENGTH(slice) < size - 1 ? GRPC_SLICE_LENGTH(slice) : size - 1;
    memcpy(out, GRPC_SLICE_START_PTR(slice), len);
    out[len] = 0;
}

pl_status pl_status_from_grpc(grpc_status_code code, grpc_slice details,
                              const grpc_metadata_array *trailing) {
    if (code == GRPC_STATUS_OK)
        return PL_OK;
    char name[40] = "", message[4096];
    slice_text(details, message, sizeof message);
    for (size_t i = 0; i < trailing->count; i++) {
        if (slice_is(trailing->metadata[i].key, "parley-code"))
            slice_text(trailing->metadata[i].value, name, sizeof name);
    }
    if (name[0] != 0)
        return pl_fail(pl_code_from_name(name), "%s", message);
    if (code == GRPC_STATUS_UNAVAILABLE)
        return pl_fail(PL_UNAVAILABLE, "nobody answers there: %s", message);
    return pl_fail(code_of_grpc(code), "the call failed: %s", message);
}

/* ---- channels ---- */

grpc_channel *pl_channel_open(const char *target, const pl_rpc_tls *tls) {
    grpc_arg args[7] = {
        {.type = GRPC_ARG_INTEGER,
         .key = (char[]){GRPC_ARG_MAX_RECEIVE_MESSAGE_LENGTH},
         .value.integer = PL_RPC_MESSAGE_BYTES_MAX},
        {.type = GRPC_ARG_INTEGER,
         .key = (char[]){GRPC_ARG_KEEPALIVE_TIME_MS},
         .value.integer = 10000},
        {.type = GRPC_ARG_INTEGER,
         .key = (char[]){GRPC_ARG_KEEPALIVE_TIMEOUT_MS},
         .value.integer = 5000},
        {.type = GRPC_ARG_INTEGER,
         .key = (char[]){GRPC_ARG_HTTP2_MAX_PINGS_WITHOUT_DATA},
         .value.integer = 0},
        {.type = GRPC_ARG_INTEGER,
         .key = (char[]){GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL},
         .value.integer = 1},
        {.type = GRPC_ARG_INTEGER, .key = (char[]){GRPC_ARG_ENABLE_HTTP_PROXY}, .value.integer = 0},
        {.type = GRPC_ARG_STRING,
         .key = (char[]){GRPC_SSL_TARGET_NAME_OVERRIDE_ARG},
         .value.string = (char *)(uintptr_t)(tls == NULL ? NULL : tls->target_name)},
    };
    grpc_channel_args channel_args = {tls == NULL ? 6 : 7, args};
    grpc_channel_credentials *credentials;
    if (tls == NULL) {
        credentials = grpc_insecure_credentials_create();
    } else {
        grpc_ssl_pem_key_cert_pair pair = {tls->key_pem, tls->cert_pem};
        credentials = grpc_ssl_credentials_create_ex(tls->roots_pem, &pair, NULL, NULL);
    }
    grpc_channel *channel = grpc_channel_create(target, credentials, &channel_args);
    grpc_channel_credentials_release(credentials);
    return channel;
}
