/* Inside node/rpc only: completion queues with their thread and inbox, byte buffers, statuses. */
#ifndef PL_NODE_RPC_INNER_H
#define PL_NODE_RPC_INNER_H

#include "node/rpc/rpc.h"

#include <grpc/byte_buffer.h>
#include <grpc/grpc.h>
#include <grpc/grpc_security.h>
#include <grpc/slice.h>
#include <grpc/support/time.h>

/* What a batch carries as its tag. run is called on the loop when the batch is done. A tag is in
 * one batch at a time. */
typedef struct pl_tag pl_tag;
struct pl_tag {
    void (*run)(pl_tag *tag, bool ok);
    void *owner;
    pl_tag *next;
    bool ok;
};

/* Before a batch starts: what was written to the tag is the thread's, which gRPC wakes up. Only the
 * thread sanitizer needs to be told, since it cannot see into gRPC. */
void pl_tag_hand_over(pl_tag *tag);

/* A completion queue, the thread that waits on it, and the inbox that the thread fills and the loop
 * drains whole. */
typedef struct pl_queue pl_queue;
PL_STATUS pl_queue_new(uv_loop_t *loop, pl_queue **out);
grpc_completion_queue *pl_queue_cq(pl_queue *queue);
/* No batch may be started afterwards; on_closed comes on the loop once all events were drained,
 * then the queue is freed. */
void pl_queue_shutdown(pl_queue *queue, void (*on_closed)(void *ctx), void *ctx);

grpc_byte_buffer *pl_buffer_of(pl_view message);
PL_STATUS pl_buffer_read(grpc_byte_buffer *buffer, pl_bytes *out);
gpr_timespec pl_deadline(unsigned ms); /* 0: never */

/* The parley-code of trailing metadata, and a status from what the call ended with. */
PL_STATUS pl_status_from_grpc(grpc_status_code code, grpc_slice details,
                              const grpc_metadata_array *trailing);

grpc_channel *pl_channel_open(const char *target, const pl_rpc_tls *tls);

#endif
