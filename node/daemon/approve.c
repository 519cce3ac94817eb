/* approve.c: a proposal is planned again from its original text by this node's own child; every
 * flow of the plan that touches this department is judged by its own policy; what policy leaves to
 * the approver waits for her. The answer, either way, is a signature over the proposal's digest and
 * this node's own plan digest.
 *
 * The line that decides a refusal: pl_policy_decide (node/policy), called from pl_approve_judge. */
#include "node/charter/approval.h"
#include "node/charter/proposal.h"
#include "node/crypto/digest.h"
#include "node/daemon/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- arrival ---- */

static pl_status store_proposal(pl_node *node, const Parley__V1__Proposal *proposal,
                                pl_view signed_proposal) {
    pl_job_record record = {
        .state = PL_JOB_PROPOSED,
        .reason = (char[]){"received"},
        .error_code = (char[]){""},
        .submitter = (char[]){""},
        .proposer = proposal->proposer,
        .created_at = proposal->created_at,
        .changed_at = pl_now(),
        .not_after = proposal->not_after,
    };
    memcpy(record.id, proposal->job_id.data, PL_JOB_ID_BYTES);
    PL_TRY(pl_step_audit(node, record.id, proposal->proposer, "scheduler", "proposal.receive",
                         proposal->task->purpose, "ok"));
    PL_TRY(pl_jobs_begin(node->jobs));
    pl_status status = pl_jobs_insert(node->jobs, &record);
    if (pl_is_ok(status))
        status = pl_jobs_put_doc(node->jobs, record.id, PL_DOC_PROPOSAL, "", signed_proposal);
    if (pl_is_ok(status))
        return pl_jobs_commit(node->jobs);
    pl_jobs_rollback(node->jobs);
    return status;
}

/* Every party is named with the node and the key that this node knows it by. Whom the scheduler has
 * not shown yet is checked when the charter comes. */
static pl_status check_nodes(pl_node *node, const Parley__V1__Proposal *proposal) {
    for (size_t i = 0; i < proposal->n_parties; i++) {
        const Parley__V1__Party *party = proposal->parties[i];
        const Parley__V1__Descriptor *descriptor;
        uint8_t key_id[32];
        pl_status known = pl_node_descriptor(node, party->org, &descriptor);
        bool is_known = pl_is_ok(known);
        pl_status_done(&known);
        if (!is_known)
            continue;
        PL_TRY(pl_key_id(pl_view_of(descriptor->sign_key.data, descriptor->sign_key.len), key_id));
        if (strcmp(party->node, descriptor->node) != 0)
            return pl_fail(PL_PROTOCOL,
                           "proposal: parties[%zu]: node of %s is not the one its descriptor names",
                           i, party->org);
        if (!pl_view_equal(pl_view_of(key_id, sizeof key_id),
                           pl_view_of(party->sign_key_id.data, party->sign_key_id.len)))
            return pl_fail(PL_PROTOCOL,
                           "proposal: parties[%zu]: sign_key_id of %s is not that of its "
                           "descriptor: has a key been renewed just now? submit again",
                           i, party->org);
    }
    return PL_OK;
}

static pl_status verify_proposal(pl_node *node, const char *from, pl_view signed_proposal,
                                 Parley__V1__Proposal **out) {
    const Parley__V1__Descriptor *descriptor;
    PL_TRY(pl_node_descriptor(node, from, &descriptor));
    PL_TRY(pl_proposal_verify(signed_proposal, node->manifest, descriptor, pl_now(), out));
    pl_status status = PL_OK;
    if (strcmp((*out)->proposer, from) != 0)
        status = pl_fail(PL_UNAUTHENTICATED, "proposal: proposer is %s, but %s sent it",
                         (*out)->proposer, from);
    else if (pl_step_own_party(node, *out) == NULL)
        status = pl_fail(PL_INVALID_ARGUMENT, "proposal: parties do not name %s", node->own);
    if (pl_is_ok(status))
        status = check_nodes(node, *out);
    if (!pl_is_ok(status)) {
        parley__v1__proposal__free_unpacked(*out, NULL);
        *out = NULL;
    }
    return status;
}

void pl_approve_received(pl_node *node, const char *from, pl_view signed_proposal) {
    Parley__V1__Proposal *proposal = NULL;
    pl_status status = verify_proposal(node, from, signed_proposal, &proposal);
    uint8_t id[PL_JOB_ID_BYTES];
    if (pl_is_ok(status)) {
        memcpy(id, proposal->job_id.data, PL_JOB_ID_BYTES);
        status = store_proposal(node, proposal, signed_proposal);
        parley__v1__proposal__free_unpacked(proposal, NULL);
        if (pl_is_ok(status)) {
            status = pl_approve_consider(node, id);
            if (!pl_is_ok(status))
                pl_step_abort(node, id, status, true);
            return;
        }
    }
    pl_step_reject(node, NULL, from, "proposal.receive", status);
}

/* ---- planning it here ---- */

/* The datasets that the proposal refers to, each equal to what its owner published to us. */
static pl_status referred_datasets(pl_node *node, const Parley__V1__Proposal *proposal,
                                   const Parley__V1__Dataset **out) {
    for (size_t i = 0; i < proposal->n_catalog; i++) {
        const Parley__V1__CatalogRef *ref = proposal->catalog[i];
        size_t at;
        if (!pl_catalog_find(node->catalog, ref->org, ref->dataset, &at))
            return pl_fail(PL_NOT_FOUND,
                           "proposal: catalog names dataset %s.%s, which this node does not know",
                           ref->org, ref->dataset);
        uint8_t digest[32];
        pl_catalog_digest(node->catalog, at, digest);
        if (!pl_view_equal(pl_view_of(digest, 32), pl_view_of(ref->digest.data, ref->digest.len)))
            return pl_fail(
                PL_FAILED_PRECONDITION,
                "proposal: catalog digest of %s.%s differs from the published schema version %u",
                ref->org, ref->dataset, pl_catalog_at(node->catalog, at)->schema_version);
        out[i] = pl_catalog_at(node->catalog, at);
        if (out[i]->schema_version != ref->schema_version)
            return pl_fail(PL_FAILED_PRECONDITION,
                           "proposal: catalog schema_version of %s.%s is %u, but the published one "
                           "is %u",
                           ref->org, ref->dataset, ref->schema_version, out[i]->schema_version);
    }
    return PL_OK;
}

/* ---- policy ---- */

/* The compute set, owners and recipients of our plan must be the parties of the proposal, role by
 * role. */
static bool named(char **orgs, size_t n, const char *org) {
    for (size_t i = 0; i < n; i++) {
        if (strcmp(orgs[i], org) == 0)
            return true;
    }
    return false;
}

static pl_status check_roles(const Parley__V1__Plan *plan, const Parley__V1__Proposal *proposal) {
    size_t owners = 0, compute = 0, recipients = 0;
    for (size_t i = 0; i < proposal->n_parties; i++) {
        const Parley__V1__Party *party = proposal->parties[i];
        owners += (size_t)party->owner;
        compute += (size_t)party->compute;
        recipients += (size_t)party->recipient;
        if (party->owner != named(plan->owners, plan->n_owners, party->org))
            return pl_fail(PL_PROTOCOL,
                           "proposal: parties.owner of %s differs from this node's plan",
                           party->org);
        if (party->compute != named(plan->compute, plan->n_compute, party->org))
            return pl_fail(PL_PROTOCOL,
                           "proposal: parties.compute of %s differs from this node's plan",
                           party->org);
        if (party->recipient != named(plan->recipients, plan->n_recipients, party->org))
            return pl_fail(PL_PROTOCOL,
                           "proposal: parties.recipient of %s differs from this node's plan",
                           party->org);
    }
    if (owners != plan->n_owners || compute != plan->n_compute || recipients != plan->n_recipients)
        return pl_fail(PL_PROTOCOL, "proposal: parties leave out a party of this node's plan");
    return PL_OK;
}

pl_status pl_approve_judge(pl_node *node, const Parley__V1__Plan *plan,
                           const Parley__V1__Proposal *proposal, pl_policy_verdict *out) {
    uint64_t version = pl_policy_version(node->policy);
    uint32_t n_rules = pl_policy_n_rules(node->policy);
    uint64_t *uses = NULL;
    PL_TRY(pl_alloc(n_rules + 1, sizeof *uses, &uses));
    pl_status status = PL_OK;
    for (uint32_t rule = 1; rule <= n_rules && pl_is_ok(status); rule++)
        status = pl_jobs_uses(node->jobs, version, rule, &uses[rule - 1]);
    const char **members = NULL;
    size_t n_members = pl_manifest_n_members(node->manifest);
    if (pl_is_ok(status))
        status = pl_alloc(n_members, sizeof *members, &members);
    for (size_t i = 0; pl_is_ok(status) && i < n_members; i++)
        members[i] = pl_manifest_member_name(node->manifest, i);
    if (pl_is_ok(status)) {
        pl_policy_question question = {
            .plan = plan,
            .own = node->own,
            .proposer = proposal->proposer,
            .purpose = proposal->task->purpose,
            .now = pl_now(),
            .uses = uses,
            .n_uses = n_rules,
            .members = members,
            .n_members = n_members,
        };
        status = pl_policy_decide(node->policy, &question, out);
    }
    free(members);
    free(uses);
    return status;
}

/* ---- the answer ---- */

static pl_status send_approval(pl_node *node, const uint8_t *job,
                               const Parley__V1__Proposal *proposal, const char *approver,
                               Parley__V1__Refusal *refusal) {
    pl_bytes signed_proposal, plan = {0}, signed_approval = {0};
    PL_TRY(pl_jobs_get_doc(node->jobs, job, PL_DOC_PROPOSAL, "", &signed_proposal));
    uint8_t plan_digest[32] = {0}, policy_digest[32], proposal_digest[32];
    pl_status status;
    PL_CHECK(status, pl_proposal_digest(pl_bytes_view(&signed_proposal), proposal_digest));
    if (pl_jobs_has_doc(node->jobs, job, PL_DOC_PLAN, "")) {
        PL_CHECK(status, pl_jobs_get_doc(node->jobs, job, PL_DOC_PLAN, "", &plan));
        pl_digest("plan", pl_bytes_view(&plan), plan_digest);
    }
    pl_policy_digest(node->policy, policy_digest);
    Parley__V1__Approval approval = PARLEY__V1__APPROVAL__INIT;
    approval.version = 1;
    approval.job_id = (ProtobufCBinaryData){PL_JOB_ID_BYTES, (uint8_t *)(uintptr_t)job};
    approval.proposal_digest = (ProtobufCBinaryData){32, proposal_digest};
    approval.org = (char *)(uintptr_t)node->own;
    approval.granted = refusal == NULL;
    approval.plan_digest = (ProtobufCBinaryData){32, plan_digest};
    approval.approver = (char *)(uintptr_t)approver;
    approval.policy_version = pl_policy_version(node->policy);
    approval.policy_digest = (ProtobufCBinaryData){32, policy_digest};
    approval.decided_at = pl_now();
    approval.not_after = proposal->not_after;
    approval.refusal = refusal;
    PL_CHECK(status, pl_approval_sign(&approval, pl_org_sign_key(node->org), &signed_approval));
    PL_CHECK(status, pl_jobs_put_doc(node->jobs, job, PL_DOC_APPROVAL, node->own,
                                     pl_bytes_view(&signed_approval)));
    if (strcmp(proposal->proposer, node->own) != 0)
        status =
            pl_step_post(node, job, proposal->proposer, PARLEY__V1__RELAY_KIND__RELAY_KIND_APPROVAL,
                         pl_bytes_view(&signed_approval));
out:
    pl_bytes_done(&signed_approval);
    pl_bytes_done(&plan);
    pl_bytes_done(&signed_proposal);
    return status;
}

static pl_status grant(pl_node *node, const uint8_t *job, const Parley__V1__Proposal *proposal,
                       const char *approver) {
    PL_TRY(
        pl_step_audit(node, job, approver, NULL, "approval.grant", proposal->task->purpose, "ok"));
    PL_TRY(send_approval(node, job, proposal, approver, NULL));
    PL_TRY(pl_step_state(node, job, PL_JOB_APPROVED, "approved here, waits for the other parties",
                         PL_CODE_OK));
    pl_step_progress(node, job, PARLEY__V1__PHASE__PHASE_APPROVED, 0, PL_CODE_OK);
    return PL_OK;
}

static pl_status refuse(pl_node *node, const uint8_t *job, const Parley__V1__Proposal *proposal,
                        const char *approver, Parley__V1__Refusal *refusal) {
    char *reason = NULL;
    pl_buf text = {0};
    pl_buf_printf(&text, "%s refuses: %s", node->own, refusal->reason);
    if (*refusal->change != 0)
        pl_buf_printf(&text, "; it would pass if %s", refusal->change);
    pl_bytes bytes;
    PL_TRY(pl_buf_take(&text, &bytes));
    reason = (char *)bytes.data;
    pl_status status;
    PL_CHECK(status,
             pl_step_audit(node, job, approver, NULL, "approval.refuse", reason, "REFUSED"));
    PL_CHECK(status, pl_step_put_refusal(node, job, refusal));
    PL_CHECK(status, send_approval(node, job, proposal, approver, refusal));
    PL_CHECK(status, pl_step_state(node, job, PL_JOB_REFUSED, reason, PL_REFUSED));
    pl_step_progress(node, job, PARLEY__V1__PHASE__PHASE_REFUSED, 0, PL_REFUSED);
out:
    free(reason);
    return status;
}

static pl_status decide(pl_live *live, const Parley__V1__Proposal *proposal,
                        const Parley__V1__Plan *plan) {
    pl_node *node = live->node;
    PL_TRY(check_roles(plan, proposal));
    pl_policy_verdict verdict = {0};
    PL_TRY(pl_approve_judge(node, plan, proposal, &verdict));
    pl_status status;
    if (verdict.decision == PL_POLICY_ALLOW)
        status = grant(node, live->id, proposal, "policy");
    else if (verdict.decision == PL_POLICY_ASK)
        status = pl_step_state(node, live->id, PL_JOB_ASKED, "waits for this node's approver",
                               PL_CODE_OK);
    else
        status = refuse(node, live->id, proposal, "policy", verdict.refusal);
    pl_policy_verdict_done(&verdict);
    return status;
}

/* Refused for another reason than policy: who says so, and the reason, which is taken. */
static pl_status refuse_for(pl_node *node, const uint8_t *job, const Parley__V1__Proposal *proposal,
                            const char *who, pl_status why) {
    Parley__V1__Refusal refusal = PARLEY__V1__REFUSAL__INIT;
    refusal.rule = (char *)(uintptr_t)who;
    refusal.reason = (char *)(uintptr_t)pl_status_message(why);
    pl_status status = refuse(node, job, proposal, who, &refusal);
    pl_status_done(&why);
    return status;
}

/* A proposal that this node cannot plan, or plans otherwise, is refused with that reason. */
static pl_status refuse_unplanned(pl_live *live, const Parley__V1__Proposal *proposal,
                                  pl_status why) {
    return refuse_for(live->node, live->id, proposal, "planner", why);
}

static pl_status compare_plan(const Parley__V1__Proposal *proposal,
                              const Parley__V1__PlanReply *reply) {
    uint8_t digest[32];
    pl_digest("plan", pl_view_of(reply->plan.data, reply->plan.len), digest);
    if (!pl_view_equal(pl_view_of(digest, 32),
                       pl_view_of(proposal->plan_digest.data, proposal->plan_digest.len)))
        return pl_fail(
            PL_PROTOCOL,
            "proposal: plan_digest differs from the plan that this node makes of the same text");
    return PL_OK;
}

static pl_status planned(pl_live *live, const Parley__V1__Proposal *proposal,
                         const Parley__V1__PlanReply *reply) {
    pl_node *node = live->node;
    pl_status status = compare_plan(proposal, reply);
    if (!pl_is_ok(status))
        return refuse_unplanned(live, proposal, status);
    PL_TRY(pl_jobs_put_doc(node->jobs, live->id, PL_DOC_PLAN, "",
                           pl_view_of(reply->plan.data, reply->plan.len)));
    PL_TRY(pl_jobs_put_doc(node->jobs, live->id, PL_DOC_EXPLAIN, "", pl_view_text(reply->explain)));
    Parley__V1__Plan *plan = parley__v1__plan__unpack(NULL, reply->plan.len, reply->plan.data);
    if (plan == NULL)
        return pl_fail(PL_INTERNAL, "the planner's plan cannot be read");
    status = decide(live, proposal, plan);
    parley__v1__plan__free_unpacked(plan, NULL);
    return status;
}

static void on_planned(pl_live *live, pl_status status, const Parley__V1__PlanReply *reply) {
    pl_node *node = live->node;
    uint8_t id[PL_JOB_ID_BYTES];
    memcpy(id, live->id, sizeof id);
    Parley__V1__Proposal *proposal = NULL;
    pl_status read = pl_step_proposal(node, id, NULL, &proposal);
    if (!pl_is_ok(read)) {
        pl_status_done(&status);
        pl_step_abort(node, id, read, true);
        return;
    }
    if (pl_is_ok(status))
        status = planned(live, proposal, reply);
    else
        status = refuse_unplanned(
            live, proposal, pl_wrap(status, "proposal: task.text cannot be planned by this node"));
    parley__v1__proposal__free_unpacked(proposal, NULL);
    if (!pl_is_ok(status))
        pl_step_abort(node, id, status, true);
}

pl_status pl_approve_own(pl_live *live, const Parley__V1__PlanReply *reply) {
    Parley__V1__Proposal *proposal = NULL;
    PL_TRY(pl_step_proposal(live->node, live->id, NULL, &proposal));
    pl_status status = planned(live, proposal, reply);
    parley__v1__proposal__free_unpacked(proposal, NULL);
    return status;
}

pl_status pl_approve_consider(pl_node *node, const uint8_t *job) {
    Parley__V1__Proposal *proposal;
    PL_TRY(pl_step_proposal(node, job, NULL, &proposal));
    const Parley__V1__Dataset **datasets = NULL;
    pl_live *live = NULL;
    pl_status status, quota = pl_step_check_quota(node, proposal->proposer, 0);
    if (pl_status_code(quota) == PL_LIMIT) {
        status = refuse_for(node, job, proposal, "quota", quota);
        goto out;
    }
    PL_CHECK(status, quota);
    PL_CHECK(status, pl_alloc(proposal->n_catalog, sizeof *datasets, &datasets));
    PL_CHECK(status, pl_live_get(node, job, &live));
    pl_status found = referred_datasets(node, proposal, datasets);
    if (pl_is_ok(found))
        status = pl_step_ask_planner(live, proposal->task, proposal->proposer, datasets,
                                     proposal->n_catalog, on_planned);
    else
        status = refuse_unplanned(live, proposal, found);
out:
    free(datasets);
    parley__v1__proposal__free_unpacked(proposal, NULL);
    return status;
}

/* ---- the approver's word ---- */

static pl_status check_decision(pl_node *node, const uint8_t *job,
                                const Parley__V1__Decision *decision, const char *principal) {
    pl_job_record record;
    PL_TRY(pl_jobs_get(node->jobs, job, &record));
    bool asked = record.state == PL_JOB_ASKED;
    bool own = strcmp(record.submitter, principal) == 0;
    pl_job_state state = record.state;
    pl_job_record_done(&record);
    if (!asked)
        return pl_fail(PL_FAILED_PRECONDITION, "the job does not wait for an approver: it is %s",
                       pl_job_state_name(state));
    if (own)
        return pl_fail(PL_REFUSED, "who submitted a job cannot approve it");
    pl_bytes plan;
    PL_TRY(pl_jobs_get_doc(node->jobs, job, PL_DOC_PLAN, "", &plan));
    uint8_t digest[32];
    char hex[65];
    pl_digest("plan", pl_bytes_view(&plan), digest);
    pl_hex_encode(pl_view_of(digest, 32), hex);
    pl_bytes_done(&plan);
    if (strcmp(decision->plan_digest, hex) != 0)
        return pl_fail(
            PL_FAILED_PRECONDITION,
            "the decision is about another plan: look at the job again (parley approval show)");
    return PL_OK;
}

pl_status pl_approve_decide(pl_node *node, const uint8_t *job, const Parley__V1__Decision *decision,
                            const char *principal) {
    PL_TRY(check_decision(node, job, decision, principal));
    Parley__V1__Proposal *proposal;
    PL_TRY(pl_step_proposal(node, job, NULL, &proposal));
    pl_status status;
    if (decision->grant) {
        status = grant(node, job, proposal, principal);
    } else {
        Parley__V1__Refusal refusal = PARLEY__V1__REFUSAL__INIT;
        refusal.rule = (char[]){"approver"};
        refusal.reason =
            *decision->reason == 0 ? (char[]){"the approver said no"} : decision->reason;
        status = refuse(node, job, proposal, principal, &refusal);
    }
    parley__v1__proposal__free_unpacked(proposal, NULL);
    return status;
}

/* ---- at the proposer: the others' answers ---- */

static pl_status take_approval(pl_node *node, const char *from, pl_view signed_approval,
                               Parley__V1__Approval **out) {
    const Parley__V1__Descriptor *descriptor;
    PL_TRY(pl_node_descriptor(node, from, &descriptor));
    PL_TRY(pl_approval_verify(signed_approval, descriptor, pl_now(), out));
    pl_bytes signed_proposal = {0};
    uint8_t digest[32];
    pl_status status;
    PL_CHECK(status, pl_step_check_job_id((*out)->job_id, "approval"));
    PL_CHECK(status, pl_step_check_waits(node, (*out)->job_id.data, "approval", from));
    if (pl_jobs_has_doc(node->jobs, (*out)->job_id.data, PL_DOC_APPROVAL, from))
        PL_CHECK(status, pl_fail(PL_ALREADY_EXISTS,
                                 "approval of %s: this job has its answer already", from));
    PL_CHECK(status, pl_jobs_get_doc(node->jobs, (*out)->job_id.data, PL_DOC_PROPOSAL, "",
                                     &signed_proposal));
    PL_CHECK(status, pl_proposal_digest(pl_bytes_view(&signed_proposal), digest));
    if (!pl_view_equal(pl_view_of(digest, 32),
                       pl_view_of((*out)->proposal_digest.data, (*out)->proposal_digest.len)))
        PL_CHECK(status, pl_fail(PL_PROTOCOL,
                                 "approval of %s: proposal_digest is of another proposal", from));
    PL_CHECK(status, pl_jobs_put_doc(node->jobs, (*out)->job_id.data, PL_DOC_APPROVAL, from,
                                     signed_approval));
out:
    pl_bytes_done(&signed_proposal);
    if (!pl_is_ok(status)) {
        parley__v1__approval__free_unpacked(*out, NULL);
        *out = NULL;
    }
    return status;
}

static pl_status approval_refuses(pl_node *node, const char *from,
                                  const Parley__V1__Approval *approval) {
    const Parley__V1__Refusal *refusal = approval->refusal;
    pl_buf text = {0};
    pl_buf_printf(&text, "%s refuses: %s", from,
                  refusal == NULL ? "no reason given" : refusal->reason);
    if (refusal != NULL && *refusal->change != 0)
        pl_buf_printf(&text, "; it would pass if %s", refusal->change);
    pl_bytes reason;
    PL_TRY(pl_buf_take(&text, &reason));
    pl_status status =
        refusal == NULL ? PL_OK : pl_step_put_refusal(node, approval->job_id.data, refusal);
    if (pl_is_ok(status))
        status = pl_step_state(node, approval->job_id.data, PL_JOB_REFUSED,
                               (const char *)reason.data, PL_REFUSED);
    pl_bytes_done(&reason);
    pl_step_progress(node, approval->job_id.data, PARLEY__V1__PHASE__PHASE_CANCELLED, 0,
                     PL_REFUSED);
    return status;
}

void pl_approval_received(pl_node *node, const char *from, pl_view signed_approval) {
    Parley__V1__Approval *approval = NULL;
    pl_status status = take_approval(node, from, signed_approval, &approval);
    if (!pl_is_ok(status)) {
        pl_step_reject(node, NULL, from, "approval.receive", status);
        return;
    }
    status = pl_step_audit(node, approval->job_id.data, from, "scheduler", "approval.receive",
                           approval->granted ? "granted" : "refused", "ok");
    if (pl_is_ok(status) && !approval->granted)
        status = approval_refuses(node, from, approval);
    if (pl_is_ok(status))
        pl_api_job_changed(node, approval->job_id.data);
    else
        pl_step_reject(node, approval->job_id.data, from, "approval.receive", status);
    parley__v1__approval__free_unpacked(approval, NULL);
}
