#include "node/daemon/node.h"

#include "node/charter/envelope.h"
#include "node/crypto/digest.h"

#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int64_t pl_now(void) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    return now.tv_sec;
}

#ifdef PARLEY_TEST_HOOKS
void pl_stop_point(const char *point) {
    const char *wanted = getenv("PARLEY_STOP_AT");
    if (wanted != NULL && strcmp(wanted, point) == 0)
        raise(SIGKILL);
}
#endif

/* ---- audit and state ---- */

pl_status pl_step_audit(pl_node *node, const uint8_t *job, const char *user, const char *address,
                        const char *action, const char *content, const char *result) {
    char job_hex[2 * PL_JOB_ID_BYTES + 1] = "";
    char charter_hex[65] = "";
    char object[64];
    if (job != NULL) {
        pl_hex_encode(pl_view_of(job, PL_JOB_ID_BYTES), job_hex);
        const pl_live *live = pl_live_find(node, job);
        static const uint8_t zero[32];
        if (live != NULL &&
            !pl_view_equal(pl_view_of(live->charter_digest, 32), pl_view_of(zero, 32)))
            pl_hex_encode(pl_view_of(live->charter_digest, 32), charter_hex);
    }
    snprintf(object, sizeof object, job == NULL ? "node:%s" : "job:%s",
             job == NULL ? node->own : job_hex);
    pl_audit_event event = {
        .user = user,
        .address = address == NULL ? "local" : address,
        .object = object,
        .content = content == NULL || *content == 0 ? "-" : content,
        .action = action,
        .result = result,
        .system = "parleyd " PARLEY_VERSION,
        .method = "node",
        .job_id = job_hex,
        .charter_digest = charter_hex,
    };
    return pl_wrap(pl_audit_append(node->audit, &event), "cannot write the audit log");
}

pl_status pl_step_state(pl_node *node, const uint8_t *job, pl_job_state state, const char *reason,
                        pl_code code) {
    char action[48];
    snprintf(action, sizeof action, "job.%s", pl_job_state_name(state));
    PL_TRY(pl_step_audit(node, job, "system", NULL, action, reason,
                         code == PL_CODE_OK ? "ok" : pl_code_describe(code)->name));
    PL_TRY(pl_jobs_set_state(node->jobs, job, state, reason,
                             code == PL_CODE_OK ? "" : pl_code_describe(code)->name, pl_now()));
    pl_api_job_changed(node, job);
    return PL_OK;
}

/* ---- documents ---- */

pl_status pl_step_proposal(pl_node *node, const uint8_t *job, pl_bytes *out_signed,
                           Parley__V1__Proposal **out) {
    pl_bytes signed_bytes, body;
    PL_TRY(pl_jobs_get_doc(node->jobs, job, PL_DOC_PROPOSAL, "", &signed_bytes));
    pl_status status = pl_signed_body(pl_bytes_view(&signed_bytes), &body);
    if (pl_is_ok(status)) {
        *out = parley__v1__proposal__unpack(NULL, body.len, body.data);
        if (*out == NULL)
            status = pl_fail(PL_CORRUPT, "the stored proposal cannot be read");
        pl_bytes_done(&body);
    }
    if (pl_is_ok(status) && out_signed != NULL)
        *out_signed = signed_bytes;
    else
        pl_bytes_done(&signed_bytes);
    return status;
}

pl_status pl_step_plan(pl_node *node, const uint8_t *job, Parley__V1__Plan **out) {
    pl_bytes body;
    PL_TRY(pl_jobs_get_doc(node->jobs, job, PL_DOC_PLAN, "", &body));
    *out = parley__v1__plan__unpack(NULL, body.len, body.data);
    pl_bytes_done(&body);
    return *out == NULL ? pl_fail(PL_CORRUPT, "the stored plan cannot be read") : PL_OK;
}

const Parley__V1__Party *pl_step_own_party(const pl_node *node,
                                           const Parley__V1__Proposal *proposal) {
    for (size_t i = 0; i < proposal->n_parties; i++) {
        if (strcmp(proposal->parties[i]->org, node->own) == 0)
            return proposal->parties[i];
    }
    return NULL;
}

/* ---- messages ---- */

pl_status pl_step_outbox(pl_node *node, const uint8_t key[16],
                         const Parley__V1__NodeMessage *message) {
    size_t len = parley__v1__node_message__get_packed_size(message);
    uint8_t *packed;
    PL_TRY(pl_alloc(len, 1, &packed));
    parley__v1__node_message__pack(message, packed);
    pl_status status = pl_jobs_outbox_put(node->jobs, key, pl_view_of(packed, len));
    if (pl_is_ok(status) && node->uplink != NULL)
        pl_uplink_outbox_grew(node->uplink);
    free(packed);
    return status;
}

pl_status pl_step_post(pl_node *node, const uint8_t *job, const char *org,
                       Parley__V1__RelayKind kind, pl_view body) {
    const Parley__V1__Descriptor *descriptor;
    PL_TRY(pl_node_descriptor(node, org, &descriptor));
    pl_bytes sealed;
    PL_TRY(pl_envelope_seal(node->own, org,
                            pl_view_of(descriptor->seal_key.data, descriptor->seal_key.len), body,
                            &sealed));
    uint8_t message_id[16];
    pl_status status = pl_random(message_id, sizeof message_id);
    if (pl_is_ok(status)) {
        Parley__V1__Relay relay = PARLEY__V1__RELAY__INIT;
        relay.message_id = (ProtobufCBinaryData){sizeof message_id, message_id};
        relay.job_id = (ProtobufCBinaryData){PL_JOB_ID_BYTES, (uint8_t *)(uintptr_t)job};
        relay.to = (char *)(uintptr_t)org;
        relay.kind = kind;
        relay.body = (ProtobufCBinaryData){sealed.len, sealed.data};
        Parley__V1__NodeMessage message = PARLEY__V1__NODE_MESSAGE__INIT;
        message.kind_case = PARLEY__V1__NODE_MESSAGE__KIND_RELAY;
        message.relay = &relay;
        status = pl_step_outbox(node, message_id, &message);
    }
    pl_bytes_done(&sealed);
    return status;
}

pl_status pl_step_post_all(pl_node *node, const uint8_t *job, Parley__V1__RelayKind kind,
                           pl_view body) {
    Parley__V1__Proposal *proposal;
    PL_TRY(pl_step_proposal(node, job, NULL, &proposal));
    pl_status status = PL_OK;
    for (size_t i = 0; i < proposal->n_parties && pl_is_ok(status); i++) {
        if (strcmp(proposal->parties[i]->org, node->own) != 0)
            status = pl_step_post(node, job, proposal->parties[i]->org, kind, body);
    }
    parley__v1__proposal__free_unpacked(proposal, NULL);
    return status;
}

void pl_step_progress(pl_node *node, const uint8_t *job, Parley__V1__Phase phase, uint32_t attempt,
                      pl_code code) {
    Parley__V1__Progress progress = PARLEY__V1__PROGRESS__INIT;
    progress.job_id = (ProtobufCBinaryData){PL_JOB_ID_BYTES, (uint8_t *)(uintptr_t)job};
    progress.phase = phase;
    progress.attempt = attempt;
    progress.code = (char *)(uintptr_t)pl_code_describe(code)->name;
    Parley__V1__NodeMessage message = PARLEY__V1__NODE_MESSAGE__INIT;
    message.kind_case = PARLEY__V1__NODE_MESSAGE__KIND_PROGRESS;
    message.progress = &progress;
    if (node->uplink != NULL)
        pl_uplink_send(node->uplink, &message);
}

pl_status pl_step_check_job_id(ProtobufCBinaryData id, const char *message) {
    if (id.len != PL_JOB_ID_BYTES)
        return pl_fail(PL_INVALID_ARGUMENT, "%s: job_id has %zu bytes, not %d", message, id.len,
                       PL_JOB_ID_BYTES);
    return PL_OK;
}

pl_status pl_step_put_refusal(pl_node *node, const uint8_t *job,
                              const Parley__V1__Refusal *refusal) {
    size_t len = parley__v1__refusal__get_packed_size(refusal);
    uint8_t *packed;
    PL_TRY(pl_alloc(len + 1, 1, &packed));
    parley__v1__refusal__pack(refusal, packed);
    pl_status status =
        pl_jobs_put_doc(node->jobs, job, PL_DOC_REFUSAL, "", pl_view_of(packed, len));
    free(packed);
    return status;
}

void pl_step_reject(pl_node *node, const uint8_t *job, const char *from, const char *action,
                    pl_status why) {
    char hex[2 * PL_JOB_ID_BYTES + 1] = "";
    if (job != NULL)
        pl_hex_encode(pl_view_of(job, PL_JOB_ID_BYTES), hex);
    pl_status audited = pl_step_audit(node, job, from, "scheduler", action, pl_status_message(why),
                                      pl_code_describe(pl_status_code(why))->name);
    pl_log_status("audit.failed", hex, audited);
    pl_log_status(action, hex, why);
}

pl_status pl_step_check_waits(pl_node *node, const uint8_t *job, const char *document,
                              const char *from) {
    pl_job_record record = {0};
    PL_TRY(pl_jobs_get(node->jobs, job, &record));
    pl_job_state state = record.state;
    pl_job_record_done(&record);
    if (state > PL_JOB_APPROVED)
        return pl_fail(PL_FAILED_PRECONDITION, "%s of %s: it is for a job that is %s here",
                       document, from, pl_job_state_name(state));
    return PL_OK;
}

/* ---- the end of a job that failed ---- */

/* After OPENING a failure is no longer free: a recipient that has nothing has lost the result. */
static pl_job_state failed_state(pl_node *node, const pl_job_record *record, pl_code code) {
    if (record->state != PL_JOB_OPENING)
        return code == PL_CANCELLED ? PL_JOB_CANCELLED : PL_JOB_ABORTED;
    Parley__V1__Proposal *proposal = NULL;
    pl_status status = pl_step_proposal(node, record->id, NULL, &proposal);
    bool recipient = true; /* unreadable: claim the worse */
    if (pl_is_ok(status)) {
        const Parley__V1__Party *own = pl_step_own_party(node, proposal);
        recipient = own == NULL || own->recipient;
        parley__v1__proposal__free_unpacked(proposal, NULL);
    }
    pl_status_done(&status); /* the job ends either way */
    return recipient ? PL_JOB_LOST : PL_JOB_COMPLETED;
}

static pl_status post_abort(pl_node *node, const uint8_t *job, pl_code code) {
    Parley__V1__Abort abort_body = PARLEY__V1__ABORT__INIT;
    abort_body.job_id = (ProtobufCBinaryData){PL_JOB_ID_BYTES, (uint8_t *)(uintptr_t)job};
    abort_body.org = (char *)(uintptr_t)node->own;
    abort_body.code = (char *)(uintptr_t)pl_code_describe(code)->name;
    abort_body.reason = (char *)(uintptr_t)pl_code_describe(code)->peer_text;
    size_t len = parley__v1__abort__get_packed_size(&abort_body);
    uint8_t *packed;
    PL_TRY(pl_alloc(len, 1, &packed));
    parley__v1__abort__pack(&abort_body, packed);
    pl_bytes signed_abort = {0};
    pl_status status = pl_sign(pl_org_sign_key(node->org), "abort", node->own,
                               pl_view_of(packed, len), &signed_abort);
    if (pl_is_ok(status))
        status = pl_step_post_all(node, job, PARLEY__V1__RELAY_KIND__RELAY_KIND_ABORT,
                                  pl_bytes_view(&signed_abort));
    pl_bytes_done(&signed_abort);
    free(packed);
    return status;
}

void pl_step_abort(pl_node *node, const uint8_t *job, pl_status cause, bool tell) {
    char hex[2 * PL_JOB_ID_BYTES + 1];
    pl_hex_encode(pl_view_of(job, PL_JOB_ID_BYTES), hex);
    pl_job_record record = {0};
    pl_status status = pl_jobs_get(node->jobs, job, &record);
    if (pl_is_ok(status) && !pl_job_state_is_final(record.state)) {
        pl_code code = pl_status_code(cause);
        pl_job_state state = failed_state(node, &record, code);
        status = pl_step_state(node, job, state, pl_status_message(cause), code);
        if (tell && pl_is_ok(status))
            status = post_abort(node, job, code);
        pl_step_progress(node, job, PARLEY__V1__PHASE__PHASE_ENDED, 0, code);
    }
    pl_job_record_done(&record);
    pl_log_status("job.abort_failed", hex, status);
    pl_log_status("job.aborted", hex, cause);
    pl_live *live = pl_live_find(node, job);
    if (live != NULL && live->submit_call == NULL)
        pl_live_forget(live);
}

/* ---- planning ---- */

static void on_plan_message(pl_child *child, pl_view message, void *ctx) {
    (void)child;
    pl_live *live = ctx;
    pl_bytes_done(&live->reply);
    pl_status status = pl_bytes_dup(message, &live->reply);
    pl_status_done(&status); /* no reply then: said at the end */
}

static pl_status plan_reply_read(pl_live *live, pl_status why, Parley__V1__PlanReply **out) {
    if (!pl_is_ok(why))
        return pl_wrap(pl_status_dup(why), "cannot plan the task");
    Parley__V1__PlanReply *reply = NULL;
    if (live->reply.data != NULL)
        reply = parley__v1__plan_reply__unpack(NULL, live->reply.len, live->reply.data);
    if (reply == NULL)
        return pl_fail(PL_INTERNAL, "the planner gave no plan");
    if (reply->error != NULL) {
        pl_status status =
            pl_fail(pl_code_from_name(reply->error->code), "%s", reply->error->message);
        parley__v1__plan_reply__free_unpacked(reply, NULL);
        return status;
    }
    *out = reply;
    return PL_OK;
}

static void on_plan_end(pl_child *child, pl_status why, void *ctx) {
    (void)child;
    pl_live *live = ctx;
    live->planner = NULL;
    Parley__V1__PlanReply *reply = NULL;
    pl_status status = plan_reply_read(live, why, &reply);
    pl_bytes_done(&live->reply);
    live->planned(live, status, reply);
    if (reply != NULL)
        parley__v1__plan_reply__free_unpacked(reply, NULL);
}

/* The request lists members in the manifest's sorted order and dataset bodies by (org, name): every
 * node asks the same. */
static pl_status pack_plan_request(pl_node *node, const Parley__V1__Task *task,
                                   const char *proposer, const Parley__V1__Dataset *const *datasets,
                                   size_t n_datasets, pl_bytes *out) {
    Parley__V1__PlanRequest request = PARLEY__V1__PLAN_REQUEST__INIT;
    ProtobufCBinaryData *bodies = NULL;
    char **members = NULL;
    size_t n_members = pl_manifest_n_members(node->manifest);
    pl_status status;
    PL_CHECK(status, pl_alloc(n_datasets, sizeof *bodies, &bodies));
    PL_CHECK(status, pl_alloc(n_members, sizeof *members, &members));
    for (size_t i = 0; i < n_members; i++)
        members[i] = (char *)(uintptr_t)pl_manifest_member_name(node->manifest, i);
    for (size_t i = 0; i < n_datasets; i++) {
        bodies[i].len = parley__v1__dataset__get_packed_size(datasets[i]);
        PL_CHECK(status, pl_alloc(bodies[i].len, 1, &bodies[i].data));
        parley__v1__dataset__pack(datasets[i], bodies[i].data);
    }
    request.task = (Parley__V1__Task *)(uintptr_t)task;
    request.proposer = (char *)(uintptr_t)proposer;
    request.datasets = bodies;
    request.n_datasets = n_datasets;
    request.members = members;
    request.n_members = n_members;
    size_t len = parley__v1__plan_request__get_packed_size(&request);
    uint8_t *packed;
    PL_CHECK(status, pl_alloc(len + 1, 1, &packed));
    parley__v1__plan_request__pack(&request, packed);
    *out = (pl_bytes){packed, len};
out:
    for (size_t i = 0; bodies != NULL && i < n_datasets; i++)
        free(bodies[i].data);
    free(bodies);
    free(members);
    return status;
}

pl_status pl_step_ask_planner(pl_live *live, const Parley__V1__Task *task, const char *proposer,
                              const Parley__V1__Dataset *const *datasets, size_t n_datasets,
                              pl_planned then) {
    pl_node *node = live->node;
    pl_bytes request;
    PL_TRY(pack_plan_request(node, task, proposer, datasets, n_datasets, &request));
    live->planned = then;
    pl_child_callbacks callbacks = {on_plan_message, on_plan_end, live};
    pl_status status =
        pl_spares_take(node->spares, PL_SPARE_PLAN, PL_PLAN_MS, &callbacks, &live->planner);
    if (pl_is_ok(status)) {
        status = pl_child_send(live->planner, pl_bytes_view(&request));
        if (!pl_is_ok(status)) {
            pl_child_forget(live->planner);
            live->planner = NULL;
        }
    }
    pl_bytes_done(&request);
    return status;
}

/* ---- quotas ---- */

pl_status pl_step_check_quota(pl_node *node, const char *proposer, uint64_t more) {
    uint64_t n, quota = pl_config_member_jobs(node->config);
    PL_TRY(pl_jobs_count_open(node->jobs, proposer, &n));
    if (n + more <= quota)
        return PL_OK;
    return pl_fail(PL_LIMIT,
                   "%s has %" PRIu64
                   " unfinished jobs at %s, its quota: wait for some, cancel some, "
                   "or ask the operator of %s for more (limits.member_jobs)",
                   proposer, n + more - 1, node->own, node->own);
}
