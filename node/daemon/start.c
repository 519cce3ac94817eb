/* start.c: a charter arrives. Everything in it is verified again under this node's own pins
 * (node/charter/charter.h), the policy as of now is asked again, the session is entered into the
 * replay table, and only then a worker starts. */
#include "node/charter/charter.h"
#include "node/charter/proposal.h"
#include "node/charter/reservation.h"
#include "node/crypto/digest.h"
#include "node/daemon/node.h"
#include "node/link/preamble.h"
#include "node/link/psk.h"
#include "protocols/base/secret.h"

#include <stdlib.h>
#include <string.h>

/* ---- verification ---- */

static pl_status lookup_descriptor(const char *org, const Parley__V1__Descriptor **out, void *ctx) {
    return pl_node_descriptor(ctx, org, out);
}

static pl_status was_started(const uint8_t session_id[16], bool *out, void *ctx) {
    pl_node *node = ctx;
    return pl_jobs_was_seen(node->jobs, "session", pl_view_of(session_id, 16), out);
}

static pl_status own_digests(pl_node *node, const uint8_t *job, uint8_t proposal_digest[32],
                             uint8_t plan_digest[32]) {
    pl_bytes signed_proposal, plan;
    PL_TRY(pl_jobs_get_doc(node->jobs, job, PL_DOC_PROPOSAL, "", &signed_proposal));
    pl_status status = pl_proposal_digest(pl_bytes_view(&signed_proposal), proposal_digest);
    pl_bytes_done(&signed_proposal);
    if (!pl_is_ok(status))
        return status;
    PL_TRY(pl_jobs_get_doc(node->jobs, job, PL_DOC_PLAN, "", &plan));
    pl_digest("plan", pl_bytes_view(&plan), plan_digest);
    pl_bytes_done(&plan);
    return PL_OK;
}

static pl_status verify(pl_live *live, const char *from, pl_view signed_charter, pl_charter **out) {
    pl_node *node = live->node;
    uint8_t proposal_digest[32], plan_digest[32];
    PL_TRY(own_digests(node, live->id, proposal_digest, plan_digest));
    pl_charter_rules rules = {
        .manifest = node->manifest,
        .own = node->own,
        .from = from,
        .now = pl_now(),
        .proposal_digest = proposal_digest,
        .plan_digest = plan_digest,
        .session_key = live->session_public,
        .input_commitment = live->commitment,
        .attempt = live->attempt,
        .descriptor = lookup_descriptor,
        .was_started = was_started,
        .ctx = node,
    };
    return pl_charter_verify(signed_charter, &rules, out);
}

/* Policy as of now: what was allowed when approving may have been taken back since. */
static pl_status judge_again(pl_node *node, const Parley__V1__Plan *plan,
                             const Parley__V1__Proposal *proposal) {
    pl_policy_verdict verdict = {0};
    PL_TRY(pl_approve_judge(node, plan, proposal, &verdict));
    pl_status status = PL_OK;
    if (verdict.decision == PL_POLICY_REFUSE)
        status = pl_fail(PL_REFUSED, "policy has changed since the approval: %s",
                         verdict.refusal->reason);
    pl_policy_verdict_done(&verdict);
    return status;
}

/* ---- the worker's orders ---- */

_Static_assert(PL_RESERVATION_LANES_MAX == PL_PREAMBLE_LANES_MAX, "as many as links can name");

/* Every lane that both take part in has its own key. */
static pl_status fill_keys(pl_live *live, const pl_charter *charter, uint32_t own_rank,
                           uint32_t rank, Parley__V1__SessionPeer *out) {
    Parley__V1__Party *const *parties = charter->proposal->parties;
    size_t n = parties[own_rank]->compute && parties[rank]->compute ? pl_charter_lanes(charter) : 1;
    size_t dialler = own_rank > rank ? own_rank : rank,
           answerer = own_rank > rank ? rank : own_rank;
    PL_TRY(pl_alloc(n, sizeof *out->psks, &out->psks));
    for (size_t lane = 0; lane < n; lane++) {
        ProtobufCBinaryData *psk = &out->psks[lane];
        PL_TRY(pl_alloc(PL_PSK_BYTES, 1, &psk->data));
        psk->len = PL_PSK_BYTES;
        out->n_psks++;
        PL_TRY(pl_link_psk(live->session_private, charter->reservations[rank]->session_key.data,
                           charter->digest, dialler, answerer, lane, psk->data));
    }
    return PL_OK;
}

static pl_status fill_peer(pl_live *live, const pl_charter *charter, uint32_t own_rank,
                           uint32_t rank, Parley__V1__SessionPeer *out) {
    const Parley__V1__Reservation *reservation = charter->reservations[rank];
    out->rank = rank;
    out->org = charter->proposal->parties[rank]->org;
    out->endpoints = reservation->endpoints;
    out->n_endpoints = reservation->n_endpoints;
    return fill_keys(live, charter, own_rank, rank, out);
}

static void peer_done(Parley__V1__SessionPeer *peer) {
    for (size_t lane = 0; lane < peer->n_psks; lane++) {
        pl_wipe(peer->psks[lane].data, peer->psks[lane].len);
        free(peer->psks[lane].data);
    }
    free(peer->psks);
}

static void orders_done(Parley__V1__SessionPeer *peers, Parley__V1__SessionPeer **list, size_t n) {
    for (size_t i = 0; peers != NULL && i < n; i++)
        peer_done(&peers[i]);
    free(peers);
    free(list);
}

static pl_status start_worker(pl_live *live, const pl_charter *charter, pl_view plan) {
    pl_node *node = live->node;
    const Parley__V1__Proposal *proposal = charter->proposal;
    size_t n = proposal->n_parties;
    Parley__V1__SessionPeer *peers = NULL, **list = NULL;
    uint32_t own_rank = pl_step_own_party(node, proposal)->rank;
    size_t n_peers = 0;
    pl_status status;
    PL_CHECK(status, pl_alloc(n, sizeof *peers, &peers));
    PL_CHECK(status, pl_alloc(n, sizeof *list, &list));
    for (uint32_t rank = 0; rank < n; rank++) {
        if (rank == own_rank)
            continue;
        parley__v1__session_peer__init(&peers[n_peers]);
        list[n_peers] = &peers[n_peers];
        PL_CHECK(status, fill_peer(live, charter, own_rank, rank, &peers[n_peers++]));
    }
    Parley__V1__SessionStart start = PARLEY__V1__SESSION_START__INIT;
    start.session_id = (ProtobufCBinaryData){16, live->session_id};
    start.charter_digest = (ProtobufCBinaryData){32, live->charter_digest};
    start.rank = own_rank;
    start.parties = proposal->parties;
    start.n_parties = n;
    start.peers = list;
    start.n_peers = n_peers;
    start.plan = (ProtobufCBinaryData){plan.len, (uint8_t *)(uintptr_t)plan.data};
    if (live->inputs != NULL) {
        start.inputs = live->inputs->vectors;
        start.n_inputs = live->inputs->n_vectors;
    }
    start.lanes = (uint32_t)pl_charter_lanes(charter);
    start.memory_bytes = pl_config_memory_bytes(node->config);
    start.deadline_ms = proposal->session_seconds * 1000;
    start.connect_ms = start.deadline_ms < 20000 ? start.deadline_ms : 20000;
    status = pl_session_start(live, &start);
out:
    orders_done(peers, list, n);
    return status;
}

/* ---- the step ---- */

static pl_status accept_charter(pl_live *live, const char *from, pl_view signed_charter) {
    pl_node *node = live->node;
    pl_charter *charter = NULL;
    PL_TRY(verify(live, from, signed_charter, &charter));
    pl_bytes plan_bytes = {0};
    Parley__V1__Plan *plan = NULL;
    pl_status status;
    PL_CHECK(status, pl_heads_check(node, charter));
    PL_CHECK(status, pl_step_plan(node, live->id, &plan));
    PL_CHECK(status, judge_again(node, plan, charter->proposal));
    memcpy(live->session_id, charter->session_id, 16);
    memcpy(live->charter_digest, charter->digest, 32);
    PL_CHECK(status, pl_step_audit(node, live->id, from, "scheduler", "charter.accept", "-", "ok"));
    PL_CHECK(status, pl_jobs_begin(node->jobs));
    status = pl_jobs_first_sight(node->jobs, "session", pl_view_of(live->session_id, 16), pl_now());
    if (pl_is_ok(status))
        status = pl_jobs_put_doc(node->jobs, live->id, PL_DOC_CHARTER, "", signed_charter);
    if (pl_is_ok(status))
        status = pl_step_state(node, live->id, PL_JOB_RUNNING, "session starting", PL_CODE_OK);
    if (!pl_is_ok(status)) {
        pl_jobs_rollback(node->jobs);
        goto out;
    }
    PL_CHECK(status, pl_jobs_commit(node->jobs));
    PL_CHECK(status, pl_jobs_get_doc(node->jobs, live->id, PL_DOC_PLAN, "", &plan_bytes));
    PL_CHECK(status, start_worker(live, charter, pl_bytes_view(&plan_bytes)));
    pl_step_progress(node, live->id, PARLEY__V1__PHASE__PHASE_STARTED, live->attempt, PL_CODE_OK);
out:
    pl_bytes_done(&plan_bytes);
    if (plan != NULL)
        parley__v1__plan__free_unpacked(plan, NULL);
    pl_charter_free(charter);
    return status;
}

void pl_charter_received(pl_node *node, const char *from, pl_view signed_charter) {
    uint8_t job[PL_JOB_ID_BYTES];
    pl_status status = pl_charter_job_id(signed_charter, job);
    if (!pl_is_ok(status)) {
        pl_step_reject(node, NULL, from, "charter.receive", status);
        return;
    }
    pl_job_record record = {0};
    status = pl_jobs_get(node->jobs, job, &record);
    pl_job_state state = record.state;
    pl_job_record_done(&record);
    pl_live *live = pl_live_find(node, job);
    if (pl_is_ok(status) && state != PL_JOB_APPROVED)
        status = pl_fail(PL_FAILED_PRECONDITION, "a charter for a job that is %s here",
                         pl_job_state_name(state));
    else if (pl_is_ok(status) && (live == NULL || live->reserved_until < pl_now()))
        status =
            pl_fail(PL_FAILED_PRECONDITION, "a charter for a job without a live reservation here");
    if (pl_is_ok(status))
        status = accept_charter(live, from, signed_charter);
    if (pl_status_code(status) == PL_CORRUPT) /* trying again would not help: somebody must look */
        pl_step_abort(node, job, pl_status_dup(status), true);
    if (!pl_is_ok(status))
        pl_step_reject(node, job, from, "charter.receive", status);
}
