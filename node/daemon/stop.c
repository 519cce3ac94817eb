/* stop.c: how a job ends early: cancelled here, aborted by another party, expired, or interrupted
 * by a restart. */
#include "node/daemon/node.h"

#include <stdlib.h>
#include <string.h>

/* ---- cancelled here ---- */

static void tell_scheduler_cancelled(pl_node *node, const uint8_t *job) {
    Parley__V1__NodeMessage message = PARLEY__V1__NODE_MESSAGE__INIT;
    message.kind_case = PARLEY__V1__NODE_MESSAGE__KIND_CANCEL;
    message.cancel = (ProtobufCBinaryData){PL_JOB_ID_BYTES, (uint8_t *)(uintptr_t)job};
    if (node->uplink != NULL)
        pl_uplink_send(node->uplink, &message);
}

pl_status pl_step_cancel(pl_node *node, const uint8_t *job, const char *principal) {
    pl_job_record record;
    PL_TRY(pl_jobs_get(node->jobs, job, &record));
    pl_job_state state = record.state;
    bool proposer = strcmp(record.proposer, node->own) == 0;
    pl_job_record_done(&record);
    if (pl_job_state_is_final(state))
        return pl_fail(PL_FAILED_PRECONDITION, "the job is already %s", pl_job_state_name(state));
    PL_TRY(pl_step_audit(node, job, principal, NULL, "job.cancel", "-", "ok"));
    pl_step_abort(node, job, pl_fail(PL_CANCELLED, "cancelled by %s", principal), true);
    if (proposer)
        tell_scheduler_cancelled(node, job);
    return PL_OK;
}

/* ---- aborted by another party ---- */

static pl_status take_abort(pl_node *node, const char *from, pl_view signed_abort) {
    const Parley__V1__Descriptor *descriptor;
    PL_TRY(pl_node_descriptor(node, from, &descriptor));
    pl_bytes body;
    PL_TRY(pl_signed_verify(signed_abort, "abort", from,
                            pl_view_of(descriptor->sign_key.data, descriptor->sign_key.len),
                            &body));
    Parley__V1__Abort *abort_body = parley__v1__abort__unpack(NULL, body.len, body.data);
    pl_bytes_done(&body);
    if (abort_body == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "abort: cannot be read");
    Parley__V1__Proposal *proposal = NULL;
    pl_status status = pl_step_check_job_id(abort_body->job_id, "abort");
    if (pl_is_ok(status))
        status = pl_step_proposal(node, abort_body->job_id.data, NULL, &proposal);
    bool party = false;
    for (size_t i = 0; proposal != NULL && i < proposal->n_parties; i++)
        party = party || strcmp(proposal->parties[i]->org, from) == 0;
    if (pl_is_ok(status) && !party)
        status = pl_fail(PL_UNAUTHENTICATED, "abort: %s is no party of the job", from);
    if (pl_is_ok(status)) {
        pl_code code = pl_code_from_name(abort_body->code);
        pl_live *live = pl_live_find(node, abort_body->job_id.data);
        /* While the worker runs it sees for itself what happened; after OPENING its word alone
         * counts. */
        if (live == NULL || !live->opening)
            pl_step_abort(node, abort_body->job_id.data,
                          pl_fail(code == PL_CODE_OK ? PL_INTERNAL : code, "%s ended the job: %s",
                                  from, pl_code_describe(code)->peer_text),
                          false);
    }
    if (proposal != NULL)
        parley__v1__proposal__free_unpacked(proposal, NULL);
    parley__v1__abort__free_unpacked(abort_body, NULL);
    return status;
}

void pl_abort_received(pl_node *node, const char *from, pl_view signed_abort) {
    pl_status status = take_abort(node, from, signed_abort);
    if (!pl_is_ok(status))
        pl_step_reject(node, NULL, from, "abort.receive", status);
}

/* ---- the scheduler could not take something ---- */

pl_status pl_scheduler_error(pl_node *node, const Parley__V1__SchedulerError *error) {
    pl_status why =
        pl_fail(pl_code_from_name(error->code), "the scheduler says: %s", error->message);
    pl_job_record record = {0};
    pl_status found = error->job_id.len == PL_JOB_ID_BYTES
                          ? pl_jobs_get(node->jobs, error->job_id.data, &record)
                          : pl_fail(PL_NOT_FOUND, "no job");
    bool ours = pl_is_ok(found) && strcmp(record.proposer, node->own) == 0 &&
                record.state <= PL_JOB_APPROVED;
    pl_status_done(&found); /* an error about no job of ours is only logged */
    pl_job_record_done(&record);
    if (error->message_id.len == 16)
        PL_TRY(pl_jobs_outbox_remove(node->jobs, pl_view_of(error->message_id.data, 16)));
    if (!ours)
        return why;
    PL_TRY(pl_jobs_outbox_remove(node->jobs, pl_view_of(error->job_id.data, PL_JOB_ID_BYTES)));
    pl_step_abort(node, error->job_id.data, why, true);
    return PL_OK;
}

/* ---- time ---- */

typedef struct expired_jobs {
    pl_node *node;
    int64_t now;
    uint8_t (*ids)[PL_JOB_ID_BYTES];
    size_t n;
} expired_jobs;
#define EXPIRED_AT_ONCE 64

static pl_status collect_expired(const pl_job_record *record, void *ctx) {
    expired_jobs *expired = ctx;
    bool in_session = record->state == PL_JOB_RUNNING || record->state == PL_JOB_OPENING;
    const pl_live *live = pl_live_find(expired->node, record->id);
    bool is_over =
        in_session ? live == NULL || live->worker == NULL : record->not_after < expired->now;
    if (is_over && expired->n < EXPIRED_AT_ONCE)
        memcpy(expired->ids[expired->n++], record->id, PL_JOB_ID_BYTES);
    return PL_OK;
}

/* A session without a worker: it ended, or never began, while its end could not be written. */
static bool close_session(pl_node *node, const uint8_t *job) {
    pl_job_record record = {0};
    pl_status status = pl_jobs_get(node->jobs, job, &record);
    bool in_session = record.state == PL_JOB_RUNNING || record.state == PL_JOB_OPENING;
    pl_job_record_done(&record);
    if (pl_is_ok(status) && in_session)
        pl_step_abort(node, job,
                      pl_fail(PL_IO,
                              "the session is over at %s, which could not write down how it ended",
                              node->own),
                      true);
    pl_log_status("job.expire_failed", NULL, status);
    return in_session;
}

static void expire(pl_node *node, const uint8_t *job) {
    if (close_session(node, job))
        return;
    pl_status status = pl_step_state(node, job, PL_JOB_EXPIRED,
                                     "its window passed before all parties were ready", PL_TIMEOUT);
    pl_log_status("job.expire_failed", NULL, status);
    pl_step_progress(node, job, PARLEY__V1__PHASE__PHASE_ENDED, 0, PL_TIMEOUT);
    pl_live *live = pl_live_find(node, job);
    if (live != NULL)
        pl_live_forget(live);
}

void pl_stop_expired(pl_node *node) {
    uint8_t ids[EXPIRED_AT_ONCE][PL_JOB_ID_BYTES];
    expired_jobs expired = {node, pl_now(), ids, 0};
    pl_log_status("job.expire_failed", NULL,
                  pl_jobs_each(node->jobs, true, 10000, collect_expired, &expired));
    for (size_t i = 0; i < expired.n; i++)
        expire(node, ids[i]);
    for (pl_live *live = node->live; live != NULL; live = live->next) {
        if (live->worker == NULL && live->reserved_until != 0 && live->reserved_until < expired.now)
            pl_live_drop_reservation(live);
    }
}

/* ---- restart ---- */

typedef struct interrupted_jobs {
    struct {
        uint8_t id[PL_JOB_ID_BYTES];
        pl_job_state state;
    } * jobs;
    size_t n;
} interrupted_jobs;
#define INTERRUPTED_MAX 10000

static pl_status collect_interrupted(const pl_job_record *record, void *ctx) {
    interrupted_jobs *all = ctx;
    if (all->n < INTERRUPTED_MAX) {
        memcpy(all->jobs[all->n].id, record->id, PL_JOB_ID_BYTES);
        all->jobs[all->n++].state = record->state;
    }
    return PL_OK;
}

/* PROPOSED jobs are planned again; ASKED and APPROVED ones wait on; a session that ran is dead:
 * before OPENING it cost nothing, after OPENING its result is lost. */
static void resume(pl_node *node, const uint8_t *job, pl_job_state state) {
    if (state == PL_JOB_PROPOSED) {
        pl_status status = pl_approve_consider(node, job);
        if (!pl_is_ok(status))
            pl_step_abort(node, job, status, true);
    } else if (state == PL_JOB_RUNNING || state == PL_JOB_OPENING) {
        pl_step_abort(
            node, job,
            pl_fail(PL_PEER_LOST, "the node of %s was restarted during the session", node->own),
            true);
    }
}

pl_status pl_stop_after_restart(pl_node *node) {
    interrupted_jobs all = {0};
    PL_TRY(pl_alloc(INTERRUPTED_MAX, sizeof *all.jobs, &all.jobs));
    pl_status status = pl_jobs_each(node->jobs, true, INTERRUPTED_MAX, collect_interrupted, &all);
    for (size_t i = 0; pl_is_ok(status) && i < all.n; i++)
        resume(node, all.jobs[i].id, all.jobs[i].state);
    free(all.jobs);
    return status;
}
