/* The scheduler: membership, liveness, published catalogue, a durable queue, gang start, deadlines,
 * relaying. It is not trusted: it holds no key but its own for TLS, reads no job's text, and
 * whatever it says, nodes verify what they act on.
 *
 * What must outlive a kill -9 is in SQLite (queue.h): jobs and messages not yet acknowledged. What
 * parties have said about a job is kept in memory only: nodes say it again whenever they connect.
 */
#ifndef PL_NODE_SCHEDULER_SCHEDULER_H
#define PL_NODE_SCHEDULER_SCHEDULER_H

#include "node/charter/manifest.h"
#include "node/rpc/rpc.h"
#include "node/scheduler/queue.h"
#include "proto/scheduler.pb-c.h"

#define PL_SCHEDULER_PARTIES_MAX 16
#define PL_SCHEDULER_RESERVE_MS 10000
#define PL_SCHEDULER_START_MS 30000
#define PL_SCHEDULER_ENDING_MS 5000 /* for the last parties to say that they have ended */
#define PL_SCHEDULER_RETRY_MS_MIN 500
#define PL_SCHEDULER_RETRY_MS_MAX 30000

/* A member as it last connected. */
typedef struct pl_node_link {
    struct pl_node_link *next;
    char org[64];
    pl_rpc_call *call;                /* NULL: offline */
    struct pl_connection *connection; /* of that call: nodes.c */
    pl_buf pending;                   /* to be sent at the end of the turn: length, bytes, ... */
    int64_t since;
    uint32_t sessions; /* that it takes at once; 0: not said */
    pl_bytes descriptor;
    pl_bytes *datasets;
    size_t n_datasets;
} pl_node_link;

typedef enum pl_party_phase {
    PL_PARTY_ASKED,
    PL_PARTY_APPROVED,
    PL_PARTY_RESERVED,
    PL_PARTY_STARTED,
    PL_PARTY_ENDED
} pl_party_phase;

typedef struct pl_queued_job {
    struct pl_queued_job *next;
    uint8_t id[16];
    char proposer[64];
    char parties[PL_SCHEDULER_PARTIES_MAX][64];
    pl_party_phase party_phases[PL_SCHEDULER_PARTIES_MAX];
    size_t n_parties;
    int64_t not_after;
    uint32_t attempt;
    Parley__V1__JobPhase phase;
    uint64_t deadline_ms; /* RESERVING: until when; ENDED: kept until when; else: not before when to
                             try again */
    unsigned retry_ms;
    char reason[200];
} pl_queued_job;

typedef struct pl_scheduler {
    uv_loop_t *loop;
    pl_manifest *manifest;
    pl_queue_store *store;
    pl_rpc_server *server;
    pl_node_link *nodes;
    pl_queued_job *jobs; /* oldest first */
    uv_timer_t tick;
    uv_prepare_t turn;
    uv_signal_t on_term, on_int, on_hup;
    char *manifest_path;
    char address[128];
    bool stopping;
} pl_scheduler;

typedef struct pl_scheduler_params {
    const char *listen, *certificate, *key, *manifest, *state; /* addresses and file names */
} pl_scheduler_params;

PL_STATUS pl_scheduler_open(uv_loop_t *loop, const pl_scheduler_params *params, pl_scheduler **out);
void pl_scheduler_stop(pl_scheduler *scheduler);
void pl_scheduler_free(pl_scheduler *scheduler); /* after the loop has run empty */

/* nodes.c: connections and messages */
void pl_scheduler_connect(pl_rpc_call *call, pl_view request, void *ctx);
pl_node_link *pl_scheduler_node(pl_scheduler *scheduler, const char *org); /* NULL: never seen */
/* Queues a message: it is sent at the end of the turn, after what the turn wrote is durable. */
void pl_scheduler_send(pl_node_link *node, const Parley__V1__SchedulerMessage *message);
void pl_scheduler_flush(pl_scheduler *scheduler);
void pl_scheduler_drop_strangers(pl_scheduler *scheduler); /* who is no member any more */

/* gang.c: jobs */
PL_STATUS pl_gang_enqueue(pl_scheduler *scheduler, const char *org,
                          const Parley__V1__Enqueue *enqueue);
PL_STATUS pl_gang_progress(pl_scheduler *scheduler, const char *org,
                           const Parley__V1__Progress *progress);
PL_STATUS pl_gang_cancel(pl_scheduler *scheduler, const char *org, pl_view job_id);
void pl_gang_look(pl_scheduler *scheduler); /* after a node came or went, and at every tick */
PL_STATUS pl_gang_load(pl_scheduler *scheduler);
void pl_gang_free(pl_scheduler *scheduler);

#endif
