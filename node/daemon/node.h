/* The node: everything parleyd owns, and the steps of a job's life. One loop thread owns all of it.
 *
 * A job's life is a chain of small files, each named for its step, each reading what came, checking
 * it, writing it down (audit first, then the jobs database), and sending what follows:
 *
 *   propose.c   the analyst's task -> plan -> signed proposal -> posted to every party
 *   approve.c   a proposal -> own plan -> policy, approver -> signed approval or refusal
 *   reserve.c   the scheduler's call -> own inputs read -> signed reservation; at the proposer: ->
 * charter start.c     a charter -> everything verified again -> worker session.c   the worker's
 * news -> OPENING, result, failure receipt.c   signed receipts, merged api.c       the local API;
 * uplink.c  the stream to the scheduler;  port.c  the session port */
#ifndef PL_NODE_DAEMON_NODE_H
#define PL_NODE_DAEMON_NODE_H

#include "node/audit/audit.h"
#include "node/catalog/catalog.h"
#include "node/catalog/config.h"
#include "node/charter/descriptor.h"
#include "node/charter/manifest.h"
#include "node/charter/org.h"
#include "node/crypto/signed.h"
#include "node/daemon/child.h"
#include "node/daemon/jobs.h"
#include "node/daemon/port.h"
#include "node/daemon/spare.h"
#include "node/log/log.h"
#include "node/policy/policy.h"
#include "node/rpc/rpc.h"
#include "proto/job.pb-c.h"
#include "proto/node.pb-c.h"
#include "proto/scheduler.pb-c.h"
#include "proto/session.pb-c.h"

#include <uv.h>

#define PL_TEXT_BYTES_MAX 8192
#define PL_RESERVATION_SECONDS 60
#define PL_CLOCK_SKEW_SECONDS 120
#define PL_PLAN_MS 10000 /* a planning child's time */
#define PL_KEPT_MS                                                                                 \
    ((PL_RESERVATION_SECONDS + 60) * 1000) /* a source child that waits for its session */
#define PL_SOURCE_MS 600000 /* a source child's time: bounded by the job's own deadline too */

typedef struct pl_node pl_node;

/* Called once when a planning child has ended: OK and its reply (borrowed), or why there is none
 * (taken). */
struct pl_live;
typedef void (*pl_planned)(struct pl_live *live, pl_status status,
                           const Parley__V1__PlanReply *reply);

/* A job as it lives in memory: what a restart may lose. */
typedef struct pl_live {
    struct pl_live *next;
    pl_node *node;
    uint8_t id[PL_JOB_ID_BYTES];
    pl_child *planner, *source, *worker;
    pl_rpc_call *submit_call; /* the analyst who waits for the proposal, until it stands */
    char submitter[96];
    uint32_t wait_seconds;
    int64_t wait_until;     /* proposing, but not all peers are known yet; 0: not waiting */
    Parley__V1__Task *task; /* while proposing */
    bool explain_only;
    pl_planned planned; /* what follows the planning child */
    pl_bytes reply;     /* of the planner or source, until it ends */
    bool charter_sent;  /* proposer: assembled and posted */

    /* the one live reservation */
    uint32_t attempt;
    uint8_t session_private[32], session_public[32];
    uint8_t commitment[32];
    int64_t reserved_until;
    Parley__V1__SourceReply *inputs;
    int kept_fd; /* the worker's end of the link to a source child that stays; 0: none */

    /* the session */
    uint8_t session_id[16], charter_digest[32];
    char progress[64];
    bool opening; /* OPENING is on disk */
    bool ended;   /* the worker has said its last word */
} pl_live;

/* A peer as the scheduler last told: descriptor verified under the manifest. */
typedef struct pl_peer {
    struct pl_peer *next;
    char org[64];
    bool online;
    int64_t since;
    pl_bytes signed_descriptor;
    Parley__V1__Descriptor *descriptor; /* NULL: none that verifies */
} pl_peer;

typedef struct pl_watcher {
    struct pl_watcher *next;
    pl_rpc_call *call;
    uint8_t id[PL_JOB_ID_BYTES];
    bool changed;
} pl_watcher;

struct pl_node {
    uv_loop_t *loop;
    pl_config *config;
    pl_org *org;
    const char *own; /* the organisation's name */
    pl_manifest *manifest;
    pl_policy *policy;
    pl_catalog *catalog;
    pl_bytes *own_datasets; /* packed Signed Dataset */
    size_t n_own_datasets;
    pl_jobs *jobs;
    pl_audit *audit;
    pl_rpc_server *api;
    struct pl_uplink *uplink;
    pl_port *port;
    pl_live *live;
    pl_peer *peers;
    pl_watcher *watchers;
    uv_timer_t tick;
    uv_prepare_t turn;
    uv_signal_t on_term, on_int, on_hup;
    char *config_path;
    bool reload_wanted; /* as soon as no session runs */
    int64_t started_at;
    char worker_path[1024];
    pl_spares *spares;
    char endpoint[80]; /* of the session port, as bound */
    bool stopping;
};

/* reload.c */
void pl_reload_want(pl_node *node);
void pl_reload_if_idle(pl_node *node);

/* node.c */
/* Manifest, membership, policy, datasets, after configuration and keys; all verified. */
PL_STATUS pl_node_open_documents(pl_node *node);
void pl_node_free_documents(pl_node *node); /* configuration and keys too */
/* accept_audit: see pl_heads_open; NULL: nothing is accepted. */
PL_STATUS pl_node_open(uv_loop_t *loop, const char *config_path, const char *accept_audit,
                       pl_node **out);
void pl_node_stop(pl_node *node); /* orderly: the loop then runs empty */
void pl_node_free(pl_node *node);

/* live.c: jobs in memory, peers, watchers */
pl_live *pl_live_find(pl_node *node, const uint8_t *id);
PL_STATUS pl_live_get(pl_node *node, const uint8_t *id, pl_live **out); /* finds or makes */
void pl_live_forget(pl_live *live); /* wipes, kills its children */
void pl_live_drop_reservation(pl_live *live);
unsigned pl_live_sessions(const pl_node *node);
pl_peer *pl_peer_find(pl_node *node, const char *org);
void pl_peer_free(pl_peer *peer); /* taken out of the list before */
PL_STATUS pl_peer_update(pl_node *node, const Parley__V1__Peer *peer);
/* Descriptor of a member, own one included; UNAVAILABLE when the scheduler has not shown a valid
 * one. */
PL_STATUS pl_node_descriptor(pl_node *node, const char *org, const Parley__V1__Descriptor **out);

/* past.c: keys and manifests as they were, by which old receipts and heads verify */
PL_STATUS pl_past_keep_descriptor(pl_node *node, const Parley__V1__Descriptor *descriptor,
                                  pl_view signed_descriptor);
PL_STATUS pl_past_descriptor(pl_node *node, pl_view sign_key_id, pl_bytes *out); /* NOT_FOUND */
PL_STATUS pl_past_keep_manifest(pl_node *node);
PL_STATUS pl_past_manifest(pl_node *node, uint64_t epoch, pl_bytes *out); /* NOT_FOUND */

/* step.c: what every step uses */
int64_t pl_now(void); /* seconds since 1970 */
/* One audit record, synced; address NULL: local. */
PL_STATUS pl_step_audit(pl_node *node, const uint8_t *job, const char *user, const char *address,
                        const char *action, const char *content, const char *result);
/* Audits, then changes the job's state, then tells watchers. */
PL_STATUS pl_step_state(pl_node *node, const uint8_t *job, pl_job_state state, const char *reason,
                        pl_code code);
/* A job ends here for this cause: audit, state (OPENING turns into LOST or COMPLETED), scheduler,
 * and, if tell, the other parties. Takes cause. */
void pl_step_abort(pl_node *node, const uint8_t *job, pl_status cause, bool tell);
/* Seals body to org and puts it into the outbox. */
PL_STATUS pl_step_post(pl_node *node, const uint8_t *job, const char *org,
                       Parley__V1__RelayKind kind, pl_view body);
/* Posts to every party but this one. */
PL_STATUS pl_step_post_all(pl_node *node, const uint8_t *job, Parley__V1__RelayKind kind,
                           pl_view body);
/* Puts a message into the outbox, where it stays until the scheduler says that `key` is stored. */
PL_STATUS pl_step_outbox(pl_node *node, const uint8_t key[16],
                         const Parley__V1__NodeMessage *message);
/* Something that came in was refused: audited and logged, nothing else changes. job may be NULL.
 * Takes why. */
void pl_step_reject(pl_node *node, const uint8_t *job, const char *from, const char *action,
                    pl_status why);
/* INVALID_ARGUMENT naming the message unless the job id has its 16 bytes. */
/* FAILED_PRECONDITION unless the job still waits for answers and reservations here. */
PL_STATUS pl_step_check_waits(pl_node *node, const uint8_t *job, const char *document,
                              const char *from);
PL_STATUS pl_step_check_job_id(ProtobufCBinaryData id, const char *message);
PL_STATUS pl_step_put_refusal(pl_node *node, const uint8_t *job,
                              const Parley__V1__Refusal *refusal);
void pl_step_progress(pl_node *node, const uint8_t *job, Parley__V1__Phase phase, uint32_t attempt,
                      pl_code code);
/* The job's Signed Proposal and its parsed body; freed by parley__v1__proposal__free_unpacked. */
PL_STATUS pl_step_proposal(pl_node *node, const uint8_t *job, pl_bytes *out_signed,
                           Parley__V1__Proposal **out);
PL_STATUS pl_step_plan(pl_node *node, const uint8_t *job, Parley__V1__Plan **out);
/* LIMIT when the proposer's unfinished jobs here, and so many more, are over its quota. */
PL_STATUS pl_step_check_quota(pl_node *node, const char *proposer, uint64_t more);
const Parley__V1__Party *pl_step_own_party(const pl_node *node,
                                           const Parley__V1__Proposal *proposal);
/* Starts a planning child; `then` is called once, unless this fails. */
PL_STATUS pl_step_ask_planner(pl_live *live, const Parley__V1__Task *task, const char *proposer,
                              const Parley__V1__Dataset *const *datasets, size_t n_datasets,
                              pl_planned then);

/* propose.c */
void pl_propose(pl_node *node, pl_rpc_call *call, Parley__V1__SubmitRequest *request,
                bool explain_only);
void pl_propose_retry(pl_node *node); /* after peers became known, and at every tick */

/* approve.c */
void pl_approve_received(pl_node *node, const char *from, pl_view signed_proposal);
PL_STATUS pl_approve_consider(pl_node *node,
                              const uint8_t *job); /* plans and decides a PROPOSED job */
/* The proposer's own decision, on the plan of its own proposal. */
PL_STATUS pl_approve_own(pl_live *live, const Parley__V1__PlanReply *reply);
PL_STATUS pl_approve_decide(pl_node *node, const uint8_t *job, const Parley__V1__Decision *decision,
                            const char *principal);
/* Policy as of now over the job's own plan. */
PL_STATUS pl_approve_judge(pl_node *node, const Parley__V1__Plan *plan,
                           const Parley__V1__Proposal *proposal, pl_policy_verdict *out);
void pl_approval_received(pl_node *node, const char *from, pl_view signed_approval);

/* reserve.c */
void pl_reserve(pl_node *node, const uint8_t *job, uint32_t attempt);
void pl_reserve_release(pl_node *node, const uint8_t *job, uint32_t attempt, const char *reason);
void pl_reservation_received(pl_node *node, const char *from, pl_view signed_reservation);

PL_STATUS pl_charter_try(pl_node *node,
                         const uint8_t *job); /* assembles and posts it once all is there */

/* heads.c: heads of audit logs */
typedef struct pl_head_parts {
    pl_bytes signed_head;
    Parley__V1__AuditLink **links;
    size_t n_links;
    Parley__V1__AuditSeen **seen;
    size_t n_seen;
} pl_head_parts;
/* Holds the own log against the head this node signed last. CORRUPT: it went back or is another;
 * accept_reason not NULL: then that is recorded, and the node goes on. */
PL_STATUS pl_heads_open(pl_node *node, const char *accept_reason);
/* Signs the own head and adds what each party needs; the reservation borrows from parts. */
PL_STATUS pl_heads_fill(pl_node *node, const Parley__V1__Proposal *proposal,
                        Parley__V1__Reservation *reservation, pl_head_parts *parts);
void pl_head_parts_done(pl_head_parts *parts);
/* Every other party's head against what is known of its log. CORRUPT: refused, and kept as
 * disputed. */
struct pl_charter;
PL_STATUS pl_heads_check(pl_node *node, const struct pl_charter *charter);
PL_STATUS pl_heads_accept_disputed(pl_node *node, const char *org, const char *principal,
                                   const char *reason);
PL_STATUS pl_heads_are_disputed(pl_node *node, const char *org, bool *out);
PL_STATUS pl_heads_load(pl_node *node, const char *org, Parley__V1__AuditPeer **out);
PL_STATUS pl_heads_store(pl_node *node, const char *org, const Parley__V1__AuditPeer *peer);

/* start.c */
void pl_charter_received(pl_node *node, const char *from, pl_view signed_charter);

/* session.c */
PL_STATUS pl_session_start(pl_live *live, const Parley__V1__SessionStart *start);
PL_STATUS pl_session_take(const uint8_t session_id[16], int fd, pl_view preamble, void *node);

/* stop.c: a job is stopped from here or by another party */
PL_STATUS pl_step_cancel(pl_node *node, const uint8_t *job, const char *principal);
void pl_abort_received(pl_node *node, const char *from, pl_view signed_abort);
PL_STATUS pl_scheduler_error(pl_node *node, const Parley__V1__SchedulerError *error);
void pl_stop_expired(pl_node *node); /* jobs past their window, reservations past theirs */
PL_STATUS pl_stop_after_restart(pl_node *node); /* what a restart interrupted ends or goes on */

/* receipt.c */
PL_STATUS pl_receipt_make(pl_live *live, const Parley__V1__SessionEnd *end);
void pl_receipt_received(pl_node *node, const char *from, pl_view signed_receipt);

/* uplink.c */
typedef struct pl_uplink pl_uplink;
PL_STATUS pl_uplink_open(pl_node *node, pl_uplink **out);
void pl_uplink_close(pl_uplink *uplink);
bool pl_uplink_connected(const pl_uplink *uplink);
/* Both are sent at the end of the turn. send: dropped when not connected. */
void pl_uplink_send(pl_uplink *uplink, const Parley__V1__NodeMessage *message);
void pl_uplink_outbox_grew(pl_uplink *uplink);
void pl_uplink_flush(pl_uplink *uplink);
void pl_uplink_drop(pl_uplink *uplink); /* unsaid what this turn had to say; connects again */

/* turn.c: durable first, then said */
void pl_turn_open(pl_node *node);
void pl_turn_close(pl_node *node);
/* For steps that must not go on before what they wrote is durable. */
PL_STATUS pl_turn_flush(pl_node *node);

/* api.c */
PL_STATUS pl_api_open(pl_node *node);
void pl_api_job_changed(pl_node *node, const uint8_t *job); /* watchers are told by the flush */
void pl_api_flush(pl_node *node);
void pl_api_fail_watchers(pl_node *node, pl_status why); /* of all jobs; why stays the caller's */
PL_STATUS pl_api_job(pl_node *node, const uint8_t *id, Parley__V1__Job **out);

void pl_api_reply(pl_rpc_call *call, const ProtobufCMessage *message);
/* Resolves the JobRef of a request; false: the call has been answered with the failure. */
bool pl_api_job_of(pl_node *node, pl_rpc_call *call, pl_view request, uint8_t id[PL_JOB_ID_BYTES]);

/* Acknowledges a call that wrote: durable first. */
void pl_api_ack(pl_node *node, pl_rpc_call *call);

/* api_views.c, api_audit.c */
void pl_api_list_approvals(pl_node *node, pl_rpc_call *call, pl_view request);
void pl_api_show_approval(pl_node *node, pl_rpc_call *call, pl_view request);
void pl_api_decide_approval(pl_node *node, pl_rpc_call *call, pl_view request);
void pl_api_catalog(pl_node *node, pl_rpc_call *call, pl_view request);
void pl_api_audit_show(pl_node *node, pl_rpc_call *call, pl_view request);
void pl_api_audit_verify(pl_node *node, pl_rpc_call *call, pl_view request);
void pl_api_audit_heads(pl_node *node, pl_rpc_call *call, pl_view request);
void pl_api_audit_peers(pl_node *node, pl_rpc_call *call, pl_view request);
void pl_api_audit_accept(pl_node *node, pl_rpc_call *call, pl_view request);
void pl_api_receipt(pl_node *node, pl_rpc_call *call, pl_view request);
void pl_api_status(pl_node *node, pl_rpc_call *call, pl_view request);

/* stop points of test builds: PARLEY_STOP_AT=<point> makes the process kill itself there. */
#ifdef PARLEY_TEST_HOOKS
void pl_stop_point(const char *point);
#else
#define pl_stop_point(point) ((void)0)
#endif

#endif
