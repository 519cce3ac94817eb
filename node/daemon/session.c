/* session.c: one worker per session. It says when it is connected, when all parties are ready to
 * open, and how it ended. The line after which uses are charged and a failure is no longer free:
 * record_opening. */
#include "node/daemon/node.h"
#include "protocols/base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* ---- OPENING ---- */

/* Every rule of ours that covers a flow of the plan is charged one use. */
static pl_status charge(pl_node *node, const uint8_t *job) {
    Parley__V1__Plan *plan = NULL;
    Parley__V1__Proposal *proposal = NULL;
    pl_policy_verdict verdict = {0};
    pl_status status;
    PL_CHECK(status, pl_step_plan(node, job, &plan));
    PL_CHECK(status, pl_step_proposal(node, job, NULL, &proposal));
    PL_CHECK(status, pl_approve_judge(node, plan, proposal, &verdict));
    if (verdict.decision == PL_POLICY_REFUSE)
        PL_CHECK(status, pl_fail(PL_REFUSED, "policy has changed before the opening: %s",
                                 verdict.refusal->reason));
    for (uint32_t rule = 1; rule <= pl_policy_n_rules(node->policy); rule++) {
        if (pl_policy_verdict_uses_rule(&verdict, rule))
            PL_CHECK(status, pl_jobs_charge(node->jobs, pl_policy_version(node->policy), rule));
    }
out:
    pl_policy_verdict_done(&verdict);
    if (proposal != NULL)
        parley__v1__proposal__free_unpacked(proposal, NULL);
    if (plan != NULL)
        parley__v1__plan__free_unpacked(plan, NULL);
    return status;
}

static pl_status record_opening(pl_live *live) {
    pl_node *node = live->node;
    PL_TRY(pl_jobs_begin(node->jobs));
    pl_status status = charge(node, live->id);
    if (pl_is_ok(status))
        status = pl_step_state(node, live->id, PL_JOB_OPENING, "opening", PL_CODE_OK);
    if (pl_is_ok(status))
        status = pl_jobs_commit(node->jobs);
    if (!pl_is_ok(status))
        pl_jobs_rollback(node->jobs);
    return status;
}

static pl_status control_send(pl_live *live, const Parley__V1__SessionControl *control) {
    size_t len = parley__v1__session_control__get_packed_size(control);
    uint8_t *packed;
    PL_TRY(pl_alloc(len + 1, 1, &packed));
    parley__v1__session_control__pack(control, packed);
    pl_status status = pl_child_send(live->worker, pl_view_of(packed, len));
    pl_wipe(packed, len);
    free(packed);
    return status;
}

static pl_status on_opening(pl_live *live) {
    if (live->opening)
        return pl_fail(PL_PROTOCOL, "the worker asked twice to open");
    pl_stop_point("daemon-before-opening");
    PL_TRY(record_opening(live));
    live->opening = true;
    pl_stop_point("daemon-after-opening");
    Parley__V1__SessionControl control = PARLEY__V1__SESSION_CONTROL__INIT;
    control.kind_case = PARLEY__V1__SESSION_CONTROL__KIND_OPENING_RECORDED;
    control.opening_recorded = true;
    return control_send(live, &control);
}

/* ---- the end ---- */

static pl_status put_packed(pl_node *node, const uint8_t *job, const char *kind,
                            const ProtobufCMessage *message) {
    size_t len = protobuf_c_message_get_packed_size(message);
    uint8_t *packed;
    PL_TRY(pl_alloc(len + 1, 1, &packed));
    protobuf_c_message_pack(message, packed);
    pl_status status = pl_jobs_put_doc(node->jobs, job, kind, "", pl_view_of(packed, len));
    free(packed);
    return status;
}

static pl_status keep_end(pl_live *live, const Parley__V1__SessionEnd *end) {
    pl_node *node = live->node;
    if (end->result != NULL) {
        PL_TRY(put_packed(node, live->id, PL_DOC_RESULT, &end->result->base));
        PL_TRY(pl_jobs_put_doc(node->jobs, live->id, PL_DOC_RESULT_SALT, "",
                               pl_view_of(end->result_salt.data, end->result_salt.len)));
    }
    if (end->stats != NULL)
        PL_TRY(put_packed(node, live->id, PL_DOC_STATS, &end->stats->base));
    PL_TRY(pl_receipt_make(live, end));
    return pl_step_state(node, live->id, end->result != NULL ? PL_JOB_RELEASED : PL_JOB_COMPLETED,
                         end->result != NULL ? "result received" : "done", PL_CODE_OK);
}

static pl_status finish(pl_live *live, const Parley__V1__SessionEnd *end) {
    pl_node *node = live->node;
    if (end->error != NULL)
        return pl_fail(pl_code_from_name(end->error->code), "%s", end->error->message);
    if (!live->opening)
        return pl_fail(PL_PROTOCOL, "the worker ended without asking to open");
    PL_TRY(pl_jobs_begin(node->jobs));
    pl_status status = keep_end(live, end);
    if (pl_is_ok(status))
        status = pl_jobs_commit(node->jobs);
    if (!pl_is_ok(status))
        pl_jobs_rollback(node->jobs);
    return status;
}

static void on_end_message(pl_live *live, const Parley__V1__SessionEnd *end) {
    pl_node *node = live->node;
    uint8_t id[PL_JOB_ID_BYTES];
    memcpy(id, live->id, sizeof id);
    live->ended = true;
    pl_stop_point("daemon-before-end");
    pl_status status = finish(live, end);
    if (!pl_is_ok(status)) {
        pl_step_abort(node, id, status, true);
        return;
    }
    pl_step_progress(node, id, PARLEY__V1__PHASE__PHASE_ENDED, 0, PL_CODE_OK);
    pl_live_drop_reservation(live);
}

/* ---- the worker's messages ---- */

static void on_message(pl_child *child, pl_view message, void *ctx) {
    pl_live *live = ctx;
    uint8_t id[PL_JOB_ID_BYTES];
    memcpy(id, live->id, sizeof id);
    pl_node *node = live->node;
    Parley__V1__WorkerMessage *m =
        parley__v1__worker_message__unpack(NULL, message.len, message.data);
    pl_status status = PL_OK;
    if (m == NULL || live->ended) {
        status = pl_fail(PL_PROTOCOL, "the worker sent a message out of turn");
    } else if (m->kind_case == PARLEY__V1__WORKER_MESSAGE__KIND_PROGRESS) {
        snprintf(live->progress, sizeof live->progress, "%s", m->progress);
        pl_api_job_changed(node, id);
    } else if (m->kind_case == PARLEY__V1__WORKER_MESSAGE__KIND_OPENING) {
        status = on_opening(live);
    } else if (m->kind_case == PARLEY__V1__WORKER_MESSAGE__KIND_END) {
        on_end_message(live, m->end);
    }
    if (m != NULL)
        parley__v1__worker_message__free_unpacked(m, NULL);
    if (!pl_is_ok(status)) {
        pl_child_kill(child);
        pl_step_abort(node, id, status, true);
    }
}

static void on_end(pl_child *child, pl_status why, void *ctx) {
    (void)child;
    pl_live *live = ctx;
    pl_node *node = live->node;
    live->worker = NULL;
    if (live->ended) {
        pl_live_forget(live);
        return;
    }
    pl_status status = pl_is_ok(why) ? pl_fail(PL_INTERNAL, "the worker ended without a word")
                                     : pl_wrap(pl_status_dup(why), "the session failed");
    pl_step_abort(node, live->id, status, true);
}

/* ---- starting ---- */

/* A session with a source child that stays gets its end of the link at the start: no spare has it.
 */
static pl_status start_child(pl_live *live, unsigned deadline_ms) {
    pl_node *node = live->node;
    pl_child_callbacks callbacks = {on_message, on_end, live};
    if (live->kept_fd == 0)
        return pl_spares_take(node->spares, PL_SPARE_SESSION, deadline_ms, &callbacks,
                              &live->worker);
    pl_child_params params = {.program = node->worker_path,
                              .mode = "session",
                              .source_fd = -1,
                              .session = true,
                              .kept_fd = live->kept_fd,
                              .deadline_ms = deadline_ms};
    PL_TRY(pl_child_start(node->loop, &params, &callbacks, &live->worker));
    close(live->kept_fd); /* the worker has it: the source child notices when it ends */
    live->kept_fd = 0;
    return PL_OK;
}

pl_status pl_session_start(pl_live *live, const Parley__V1__SessionStart *start) {
    pl_node *node = live->node;
    /* The worker keeps the deadline; this is for one that hangs. */
    unsigned deadline_ms = start->deadline_ms + 5000;
    PL_TRY(start_child(live, deadline_ms));
    if (live->source != NULL)
        pl_child_extend(live->source, deadline_ms);
    Parley__V1__SessionControl control = PARLEY__V1__SESSION_CONTROL__INIT;
    control.kind_case = PARLEY__V1__SESSION_CONTROL__KIND_START;
    control.start = (Parley__V1__SessionStart *)(uintptr_t)start;
    PL_TRY(control_send(live, &control));
    pl_wipe(live->session_private, sizeof live->session_private);
    pl_port_retry(node->port);
    return PL_OK;
}

pl_status pl_session_take(const uint8_t session_id[16], int fd, pl_view preamble, void *ctx) {
    pl_node *node = ctx;
    for (pl_live *live = node->live; live != NULL; live = live->next) {
        if (live->worker != NULL && !live->ended && memcmp(live->session_id, session_id, 16) == 0)
            return pl_child_pass(live->worker, fd, preamble);
    }
    return pl_fail(PL_NOT_FOUND, "no such session is running here");
}
