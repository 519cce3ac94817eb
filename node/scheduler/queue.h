/* Queue: the scheduler's durable part: jobs that have not ended, messages that were not
 * acknowledged. */
#ifndef PL_NODE_SCHEDULER_QUEUE_H
#define PL_NODE_SCHEDULER_QUEUE_H

#include "node/store/db.h"
#include "proto/scheduler.pb-c.h"

#define PL_QUEUE_JOBS_PER_ORG_MAX 1000
#define PL_QUEUE_BYTES_PER_ORG_MAX (256u << 20)
#define PL_QUEUE_BODY_BYTES_MAX ((1u << 20) + 4096)

typedef struct pl_queue_store pl_queue_store;

PL_STATUS pl_queue_store_open(const char *path, pl_queue_store **out);
void pl_queue_store_close(pl_queue_store *store);
/* What was changed since the last flush becomes durable, all of it or nothing. */
PL_STATUS pl_queue_flush(pl_queue_store *store, bool all); /* all: acknowledgements too */

/* pl_queue_put_job: ALREADY_EXISTS for one that is there or has ended; LIMIT: quota of the
 * proposer. */
PL_STATUS pl_queue_put_job(pl_queue_store *store, const char *proposer,
                           const Parley__V1__Enqueue *enqueue);
PL_STATUS pl_queue_set_attempt(pl_queue_store *store, pl_view job_id, uint32_t attempt);
PL_STATUS pl_queue_end_job(pl_queue_store *store, pl_view job_id);
typedef pl_status (*pl_queue_job_visitor)(const char *proposer, const Parley__V1__Enqueue *enqueue,
                                          uint32_t attempt, void *ctx);
PL_STATUS pl_queue_each_job(pl_queue_store *store, pl_queue_job_visitor visit, void *ctx);

/* pl_queue_put_message stores relay (from set) once; a second time is fine and changes nothing.
 * LIMIT: size or quota. */
PL_STATUS pl_queue_put_message(pl_queue_store *store, const Parley__V1__Relay *relay);
PL_STATUS pl_queue_ack(pl_queue_store *store, const char *org, pl_view message_id);
typedef pl_status (*pl_queue_message_visitor)(const Parley__V1__Relay *relay, void *ctx);
PL_STATUS pl_queue_each_message(pl_queue_store *store, const char *to,
                                pl_queue_message_visitor visit, void *ctx);

#endif
