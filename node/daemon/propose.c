/* propose.c: the analyst's task becomes a signed proposal, posted to every party. The catalogue as
 * this node knows it is planned by a child; what the plan names decides who the parties are. */
#include "node/charter/proposal.h"
#include "node/crypto/digest.h"
#include "node/daemon/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- the task ---- */

static pl_status task_check(const pl_node *node, const Parley__V1__Task *task) {
    if (task == NULL || *task->text == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "the task is empty");
    if (strlen(task->text) > PL_TEXT_BYTES_MAX)
        return pl_fail(PL_LIMIT, "the task has %zu bytes of text: at most %d are read",
                       strlen(task->text), PL_TEXT_BYTES_MAX);
    if (*task->purpose == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "a job needs a purpose: name one that the data owners' "
                                            "policies allow, with --purpose");
    for (size_t i = 0; i < task->n_compute + task->n_recipients; i++) {
        const char *org =
            i < task->n_compute ? task->compute[i] : task->recipients[i - task->n_compute];
        if (pl_manifest_member(node->manifest, org) == NULL)
            return pl_fail(PL_NOT_FOUND, "%s is not a member of federation %s", org,
                           pl_manifest_name(node->manifest));
    }
    return PL_OK;
}

/* ---- the proposal ---- */

static bool contains(char **orgs, size_t n, const char *org) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(orgs[i], org) == 0)
            return true;
    }
    return false;
}

static bool is_party(const pl_node *node, const Parley__V1__Plan *plan, const char *org) {
    return strcmp(org, node->own) == 0 || contains(plan->owners, plan->n_owners, org) ||
           contains(plan->compute, plan->n_compute, org) ||
           contains(plan->recipients, plan->n_recipients, org);
}

/* Parties in the manifest's sorted order of organisations: rank 0 upwards. */
static pl_status fill_parties(pl_node *node, const Parley__V1__Plan *plan,
                              Parley__V1__Proposal *proposal) {
    size_t n_members = pl_manifest_n_members(node->manifest);
    PL_TRY(pl_alloc(n_members, sizeof *proposal->parties, &proposal->parties));
    for (size_t i = 0; i < n_members; i++) {
        const char *org = pl_manifest_member_name(node->manifest, i);
        if (!is_party(node, plan, org))
            continue;
        const Parley__V1__Descriptor *descriptor;
        PL_TRY(pl_node_descriptor(node, org, &descriptor));
        Parley__V1__Party *party;
        PL_TRY(pl_alloc(1, sizeof *party, &party));
        parley__v1__party__init(party);
        proposal->parties[proposal->n_parties] = party;
        party->rank = (uint32_t)proposal->n_parties++;
        PL_TRY(pl_strdup(org, &party->org));
        PL_TRY(pl_strdup(descriptor->node, &party->node));
        party->owner = contains(plan->owners, plan->n_owners, org);
        party->compute = contains(plan->compute, plan->n_compute, org);
        party->recipient = contains(plan->recipients, plan->n_recipients, org);
        PL_TRY(pl_alloc(32, 1, &party->sign_key_id.data));
        party->sign_key_id.len = 32;
        PL_TRY(pl_key_id(pl_view_of(descriptor->sign_key.data, descriptor->sign_key.len),
                         party->sign_key_id.data));
    }
    return PL_OK;
}

/* One reference per dataset of an owner that some flow of the plan touches. */
static bool is_touched(const Parley__V1__Plan *plan, const Parley__V1__Dataset *dataset) {
    for (size_t i = 0; i < plan->n_flows; i++) {
        if (strcmp(plan->flows[i]->owner, dataset->org) == 0 &&
            strcmp(plan->flows[i]->dataset, dataset->name) == 0)
            return true;
    }
    return false;
}

static pl_status fill_catalog(pl_node *node, const Parley__V1__Plan *plan,
                              Parley__V1__Proposal *proposal) {
    size_t n = pl_catalog_count(node->catalog);
    PL_TRY(pl_alloc(n, sizeof *proposal->catalog, &proposal->catalog));
    for (size_t i = 0; i < n; i++) {
        const Parley__V1__Dataset *dataset = pl_catalog_at(node->catalog, i);
        if (!is_touched(plan, dataset))
            continue;
        Parley__V1__CatalogRef *ref;
        PL_TRY(pl_alloc(1, sizeof *ref, &ref));
        parley__v1__catalog_ref__init(ref);
        proposal->catalog[proposal->n_catalog++] = ref;
        PL_TRY(pl_strdup(dataset->org, &ref->org));
        PL_TRY(pl_strdup(dataset->name, &ref->dataset));
        ref->schema_version = dataset->schema_version;
        PL_TRY(pl_alloc(32, 1, &ref->digest.data));
        ref->digest.len = 32;
        pl_catalog_digest(node->catalog, i, ref->digest.data);
    }
    return PL_OK;
}

static pl_status set_bytes(ProtobufCBinaryData *out, const void *data, size_t len) {
    PL_TRY(pl_alloc(len, 1, &out->data));
    memcpy(out->data, data, len);
    out->len = len;
    return PL_OK;
}

/* The task as proposed names what the plan chose: nothing is left to a default that another node
 * might see otherwise. */
static pl_status fill_task(const Parley__V1__Task *task, const Parley__V1__Plan *plan,
                           Parley__V1__Task **out) {
    Parley__V1__Task *full;
    PL_TRY(pl_alloc(1, sizeof *full, &full));
    parley__v1__task__init(full);
    *out = full;
    PL_TRY(pl_strdup(task->kind, &full->kind));
    PL_TRY(pl_strdup(task->text, &full->text));
    PL_TRY(pl_strdup(task->purpose, &full->purpose));
    PL_TRY(pl_strdup(plan->protocol, &full->protocol));
    PL_TRY(pl_alloc(plan->n_compute, sizeof *full->compute, &full->compute));
    for (; full->n_compute < plan->n_compute; full->n_compute++)
        PL_TRY(pl_strdup(plan->compute[full->n_compute], &full->compute[full->n_compute]));
    PL_TRY(pl_alloc(plan->n_recipients, sizeof *full->recipients, &full->recipients));
    for (; full->n_recipients < plan->n_recipients; full->n_recipients++)
        PL_TRY(
            pl_strdup(plan->recipients[full->n_recipients], &full->recipients[full->n_recipients]));
    return PL_OK;
}

static pl_status fill_proposal(pl_live *live, const Parley__V1__PlanReply *reply,
                               const Parley__V1__Plan *plan, const char *submitter,
                               uint32_t wait_seconds, Parley__V1__Proposal *out) {
    pl_node *node = live->node;
    uint8_t digest[32];
    out->version = 1;
    PL_TRY(set_bytes(&out->job_id, live->id, PL_JOB_ID_BYTES));
    PL_TRY(pl_strdup(pl_manifest_name(node->manifest), &out->federation));
    out->epoch = pl_manifest_epoch(node->manifest);
    pl_manifest_digest(node->manifest, digest);
    PL_TRY(set_bytes(&out->manifest_digest, digest, sizeof digest));
    PL_TRY(pl_strdup(node->own, &out->proposer));
    PL_TRY(pl_strdup(submitter, &out->submitter));
    PL_TRY(fill_task(live->task, plan, &out->task));
    PL_TRY(fill_parties(node, plan, out));
    PL_TRY(fill_catalog(node, plan, out));
    out->protocol_version = 1;
    out->planner_version = plan->planner_version;
    pl_digest("plan", pl_view_of(reply->plan.data, reply->plan.len), digest);
    PL_TRY(set_bytes(&out->plan_digest, digest, sizeof digest));
    out->created_at = pl_now();
    out->not_after =
        out->created_at + (wait_seconds != 0 ? wait_seconds : pl_config_job_seconds(node->config));
    out->session_seconds = pl_config_session_seconds(node->config);
    return PL_OK;
}

/* ---- writing it down and sending it ---- */

static pl_status enqueue(pl_node *node, const Parley__V1__Proposal *proposal) {
    Parley__V1__Enqueue enqueue_body = PARLEY__V1__ENQUEUE__INIT;
    char *parties[64];
    for (size_t i = 0; i < proposal->n_parties && i < 64; i++)
        parties[enqueue_body.n_parties++] = proposal->parties[i]->org;
    enqueue_body.job_id = proposal->job_id;
    enqueue_body.parties = parties;
    enqueue_body.not_after = proposal->not_after;
    Parley__V1__NodeMessage message = PARLEY__V1__NODE_MESSAGE__INIT;
    message.kind_case = PARLEY__V1__NODE_MESSAGE__KIND_ENQUEUE;
    message.enqueue = &enqueue_body;
    return pl_step_outbox(node, proposal->job_id.data, &message);
}

static pl_status store_and_post(pl_live *live, const Parley__V1__Proposal *proposal,
                                pl_view signed_proposal) {
    pl_node *node = live->node;
    pl_job_record record = {
        .state = PL_JOB_PROPOSED,
        .reason = (char[]){"planned"},
        .error_code = (char[]){""},
        .submitter = proposal->submitter,
        .proposer = proposal->proposer,
        .created_at = proposal->created_at,
        .changed_at = proposal->created_at,
        .not_after = proposal->not_after,
    };
    memcpy(record.id, live->id, PL_JOB_ID_BYTES);
    PL_TRY(pl_jobs_begin(node->jobs));
    pl_status status;
    PL_CHECK(status, pl_jobs_insert(node->jobs, &record));
    PL_CHECK(status, pl_jobs_put_doc(node->jobs, live->id, PL_DOC_PROPOSAL, "", signed_proposal));
    PL_CHECK(status, enqueue(node, proposal));
    PL_CHECK(status, pl_step_post_all(node, live->id, PARLEY__V1__RELAY_KIND__RELAY_KIND_PROPOSAL,
                                      signed_proposal));
    return pl_jobs_commit(node->jobs);
out:
    pl_jobs_rollback(node->jobs);
    return status;
}

static pl_status propose(pl_live *live, const Parley__V1__PlanReply *reply) {
    pl_node *node = live->node;
    Parley__V1__Proposal *proposal = NULL;
    uint8_t *packed = NULL;
    pl_bytes signed_proposal = {0};
    Parley__V1__Plan *plan = parley__v1__plan__unpack(NULL, reply->plan.len, reply->plan.data);
    if (plan == NULL)
        return pl_fail(PL_INTERNAL, "the planner's plan cannot be read");
    pl_status status;
    PL_CHECK(status, pl_alloc(1, sizeof *proposal, &proposal));
    parley__v1__proposal__init(proposal);
    PL_CHECK(status,
             fill_proposal(live, reply, plan, live->submitter, live->wait_seconds, proposal));
    size_t len = parley__v1__proposal__get_packed_size(proposal);
    PL_CHECK(status, pl_alloc(len, 1, &packed));
    parley__v1__proposal__pack(proposal, packed);
    PL_CHECK(status, pl_sign(pl_org_sign_key(node->org), "proposal", node->own,
                             pl_view_of(packed, len), &signed_proposal));
    PL_CHECK(status, pl_step_audit(node, live->id, live->submitter, NULL, "job.propose",
                                   plan->summary, "ok"));
    PL_CHECK(status, store_and_post(live, proposal, pl_bytes_view(&signed_proposal)));
out:
    pl_bytes_done(&signed_proposal);
    free(packed);
    if (proposal != NULL)
        parley__v1__proposal__free_unpacked(proposal, NULL);
    parley__v1__plan__free_unpacked(plan, NULL);
    return status;
}

/* ---- the analyst's call ---- */

static void reply_explain(pl_rpc_call *call, const Parley__V1__PlanReply *plan_reply) {
    Parley__V1__ExplainReply reply = PARLEY__V1__EXPLAIN_REPLY__INIT;
    reply.text = plan_reply->explain;
    reply.plan = plan_reply->plan;
    pl_api_reply(call, &reply.base);
}

static void reply_submitted(pl_live *live) {
    char hex[2 * PL_JOB_ID_BYTES + 1];
    pl_hex_encode(pl_view_of(live->id, PL_JOB_ID_BYTES), hex);
    Parley__V1__SubmitReply reply = PARLEY__V1__SUBMIT_REPLY__INIT;
    reply.job_id = hex;
    pl_api_reply(live->submit_call, &reply.base);
    live->submit_call = NULL;
}

static void on_planned(pl_live *live, pl_status status, const Parley__V1__PlanReply *reply) {
    pl_node *node = live->node;
    if (pl_is_ok(status) && !live->explain_only)
        status = propose(live, reply);
    if (!pl_is_ok(status)) {
        pl_status audited = pl_step_audit(node, NULL, live->submitter, NULL, "job.propose", "-",
                                          pl_code_describe(pl_status_code(status))->name);
        pl_log_status("audit.failed", NULL, audited);
        if (live->submit_call != NULL)
            pl_rpc_fail(live->submit_call, status);
        else
            pl_status_done(&status); /* the analyst has gone */
        live->submit_call = NULL;
        pl_live_forget(live);
    } else if (live->explain_only) {
        if (live->submit_call != NULL)
            reply_explain(live->submit_call, reply);
        live->submit_call = NULL;
        pl_live_forget(live);
    } else {
        if (live->submit_call != NULL)
            reply_submitted(live);
        uint8_t id[PL_JOB_ID_BYTES];
        memcpy(id, live->id, sizeof id);
        /* The proposer is a party like any other: its own policy decides, on the plan it has just
         * made. */
        pl_status considered = pl_approve_own(live, reply);
        if (!pl_is_ok(considered))
            pl_step_abort(node, id, considered, true);
    }
}

static pl_status start_planning(pl_live *live) {
    pl_node *node = live->node;
    PL_TRY(task_check(node, live->task));
    PL_TRY(live->explain_only ? PL_OK : pl_step_check_quota(node, node->own, 1));
    size_t n = pl_catalog_count(node->catalog);
    const Parley__V1__Dataset **datasets;
    PL_TRY(pl_alloc(n, sizeof *datasets, &datasets));
    for (size_t i = 0; i < n; i++)
        datasets[i] = pl_catalog_at(node->catalog, i);
    pl_status status = pl_step_ask_planner(live, live->task, node->own, datasets, n, on_planned);
    free(datasets);
    return status;
}

/* A node that has just started may not have heard of all members yet: a short wait is better than a
 * wrong refusal. */
#define PEERS_WAIT_SECONDS 8

static bool all_peers_known(pl_node *node) {
    for (size_t i = 0; i < pl_manifest_n_members(node->manifest); i++) {
        const Parley__V1__Descriptor *descriptor;
        pl_status status =
            pl_node_descriptor(node, pl_manifest_member_name(node->manifest, i), &descriptor);
        bool known = pl_is_ok(status);
        pl_status_done(&status); /* who is missing is told when it matters */
        if (!known)
            return false;
    }
    return true;
}

static void begin(pl_live *live) {
    if (live->wait_until == 0)
        live->wait_until = pl_now() + PEERS_WAIT_SECONDS;
    if (!all_peers_known(live->node) && pl_now() < live->wait_until)
        return;
    live->wait_until = 0;
    pl_status status = start_planning(live);
    if (pl_is_ok(status))
        return;
    if (live->submit_call != NULL)
        pl_rpc_fail(live->submit_call, status);
    else
        pl_status_done(&status); /* the analyst has gone */
    live->submit_call = NULL;
    pl_live_forget(live);
}

void pl_propose_retry(pl_node *node) {
    for (pl_live *live = node->live, *next; live != NULL; live = next) {
        next = live->next;
        if (live->wait_until != 0)
            begin(live);
    }
}

void pl_propose(pl_node *node, pl_rpc_call *call, Parley__V1__SubmitRequest *request,
                bool explain_only) {
    uint8_t id[PL_JOB_ID_BYTES];
    pl_live *live = NULL;
    pl_status status = pl_random(id, sizeof id);
    if (pl_is_ok(status))
        status = pl_live_get(node, id, &live);
    if (!pl_is_ok(status)) {
        pl_rpc_fail(call, status);
        return;
    }
    live->submit_call = call;
    live->explain_only = explain_only;
    live->wait_seconds = request->wait_seconds;
    snprintf(live->submitter, sizeof live->submitter, "%s@%s", pl_rpc_call_tag(call), node->own);
    live->task = request->task;
    request->task = NULL;
    begin(live);
}
