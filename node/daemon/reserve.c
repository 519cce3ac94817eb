/* reserve.c: when the scheduler says that everybody is there, each party reads its inputs, makes a
 * one-time key and signs a reservation. What a reservation holds lives in memory only: after a
 * restart, or when it expires, the answer is: reserve again. The proposer, once it holds every
 * approval and every reservation of one attempt, assembles the charter. */
#include "node/charter/approval.h"
#include "node/charter/charter.h"
#include "node/charter/proposal.h"
#include "node/charter/reservation.h"
#include "node/crypto/digest.h"
#include "node/daemon/node.h"
#include "node/link/psk.h"
#include "protocols/base/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- own inputs ---- */

/* The dataset of ours that the plan touches; NULL: none. */
static const char *touched_dataset(const pl_node *node, const Parley__V1__Plan *plan) {
    for (size_t i = 0; i < plan->n_flows; i++) {
        if (strcmp(plan->flows[i]->owner, node->own) == 0 && *plan->flows[i]->dataset != 0)
            return plan->flows[i]->dataset;
    }
    return NULL;
}

static pl_status pack_source_request(pl_node *node, const pl_dataset_config *dataset,
                                     Parley__V1__Plan *plan, pl_bytes *out) {
    Parley__V1__SourceRequest request = PARLEY__V1__SOURCE_REQUEST__INIT;
    request.plan = plan;
    request.org = (char *)(uintptr_t)node->own;
    request.dataset = dataset->dataset->name;
    request.columns = dataset->columns;
    request.n_columns = dataset->n_columns;
    request.encoding = dataset->encoding;
    request.display_path = dataset->path;
    request.rows_max = dataset->dataset->rows_max;
    request.has_header = true;
    size_t len = parley__v1__source_request__get_packed_size(&request);
    PL_TRY(pl_alloc(len + 1, 1, &out->data));
    out->len = len;
    parley__v1__source_request__pack(&request, out->data);
    return PL_OK;
}

static pl_status finish_reservation(pl_live *live);

static void reserve_failed(pl_live *live, pl_status why) {
    pl_node *node = live->node;
    uint8_t id[PL_JOB_ID_BYTES];
    memcpy(id, live->id, sizeof id);
    pl_code code = pl_status_code(why);
    pl_step_progress(node, id, PARLEY__V1__PHASE__PHASE_RESERVE_FAILED, live->attempt, code);
    pl_live_drop_reservation(live);
    if (pl_code_describe(code)->retryable && code != PL_IO)
        pl_step_reject(node, id, node->own, "reservation.make", why);
    else
        pl_step_abort(node, id, why, true);
}

static bool keeps_rows(const pl_live *live) {
    return live->inputs != NULL && live->inputs->error == NULL && live->inputs->keeps;
}

/* A child that keeps its rows for the session does not end: its word completes the reservation. */
static void on_source_message(pl_child *child, pl_view message, void *ctx) {
    pl_live *live = ctx;
    if (live->inputs != NULL)
        return;
    live->inputs = parley__v1__source_reply__unpack(NULL, message.len, message.data);
    if (!keeps_rows(live)) {
        if (live->kept_fd > 0)
            close(live->kept_fd); /* nothing will be asked of it: the session may take a spare */
        live->kept_fd = 0;
        return;
    }
    pl_child_extend(child, PL_KEPT_MS);
    pl_status status = finish_reservation(live);
    if (!pl_is_ok(status))
        reserve_failed(live, status);
}

static void on_source_end(pl_child *child, pl_status why, void *ctx) {
    (void)child;
    pl_live *live = ctx;
    live->source = NULL;
    if (live->worker != NULL) /* it stayed, and the worker sees for itself that it has ended */
        return;
    pl_status status = PL_OK;
    if (keeps_rows(live))
        status = pl_wrap(pl_is_ok(why) ? pl_fail(PL_INTERNAL, "exit code 0") : pl_status_dup(why),
                         "the child that keeps this node's rows ended before the session");
    else if (!pl_is_ok(why))
        status = pl_wrap(pl_status_dup(why), "cannot read the dataset");
    else if (live->inputs == NULL)
        status = pl_fail(PL_INTERNAL, "the source child gave no inputs");
    else if (live->inputs->error != NULL)
        status = pl_fail(pl_code_from_name(live->inputs->error->code), "%s",
                         live->inputs->error->message);
    if (pl_is_ok(status))
        status = finish_reservation(live);
    if (!pl_is_ok(status))
        reserve_failed(live, status);
}

static pl_status start_source(pl_live *live, const char *name, Parley__V1__Plan *plan) {
    pl_node *node = live->node;
    const pl_dataset_config *dataset = pl_config_dataset(node->config, name);
    if (dataset == NULL)
        return pl_fail(PL_NOT_FOUND, "dataset %s is not configured here any more", name);
    int fd = open(dataset->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return pl_fail(PL_IO, "cannot open %s for dataset %s: %s", dataset->path, name,
                       strerror(errno));
    pl_bytes request;
    pl_status status = pack_source_request(node, dataset, plan, &request);
    if (!pl_is_ok(status)) {
        close(fd);
        return status;
    }
    int kept[2] = {0, 0};
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, kept) != 0) {
        close(fd);
        pl_bytes_done(&request);
        return pl_fail(PL_LIMIT, "no socket pair for a source child");
    }
    pl_child_params params = {.program = node->worker_path,
                              .mode = "source",
                              .source_fd = fd,
                              .kept_fd = kept[1],
                              .deadline_ms = PL_SOURCE_MS};
    pl_child_callbacks callbacks = {on_source_message, on_source_end, live};
    live->kept_fd = kept[0];
    status = pl_child_start(node->loop, &params, &callbacks, &live->source);
    close(kept[1]);
    if (pl_is_ok(status))
        status = pl_child_send(live->source, pl_bytes_view(&request));
    pl_bytes_done(&request);
    return status;
}

/* ---- the reservation ---- */

/* SHA-256 over a fresh salt and the version of the inputs: evidence of what went in, not a hint at
 * it. */
static pl_status commit_inputs(pl_live *live) {
    uint8_t salted[64] = {0};
    PL_TRY(pl_random(salted, 32));
    if (live->inputs != NULL && live->inputs->version.len == 32)
        memcpy(salted + 32, live->inputs->version.data, 32);
    pl_digest("input", pl_view_of(salted, sizeof salted), live->commitment);
    return pl_jobs_put_doc(live->node->jobs, live->id, PL_DOC_INPUT_SALT, "",
                           pl_view_of(salted, sizeof salted));
}

static pl_status sign_with_head(pl_node *node, const Parley__V1__Proposal *proposal,
                                Parley__V1__Reservation *reservation, pl_bytes *out) {
    pl_head_parts parts = {0};
    pl_status status = pl_heads_fill(node, proposal, reservation, &parts);
    if (pl_is_ok(status))
        status = pl_reservation_sign(reservation, pl_org_sign_key(node->org), out);
    pl_head_parts_done(&parts);
    return status;
}

/* What this node can spare, if it computes. One lane is not named: nodes that know no lanes read
 * that too. */
static uint32_t offered_lanes(const pl_node *node, const Parley__V1__Proposal *proposal) {
    uint32_t lanes = pl_config_lanes(node->config);
    return pl_step_own_party(node, proposal)->compute && lanes > 1 ? lanes : 0;
}

static pl_status sign_reservation(pl_live *live, const Parley__V1__Proposal *proposal,
                                  pl_bytes *out) {
    pl_node *node = live->node;
    pl_bytes signed_proposal;
    uint8_t proposal_digest[32];
    PL_TRY(pl_jobs_get_doc(node->jobs, live->id, PL_DOC_PROPOSAL, "", &signed_proposal));
    pl_status status = pl_proposal_digest(pl_bytes_view(&signed_proposal), proposal_digest);
    pl_bytes_done(&signed_proposal);
    if (!pl_is_ok(status))
        return status;
    Parley__V1__Reservation reservation = PARLEY__V1__RESERVATION__INIT;
    reservation.version = 1;
    reservation.job_id = (ProtobufCBinaryData){PL_JOB_ID_BYTES, live->id};
    reservation.proposal_digest = (ProtobufCBinaryData){32, proposal_digest};
    reservation.org = (char *)(uintptr_t)node->own;
    reservation.attempt = live->attempt;
    reservation.session_key = (ProtobufCBinaryData){32, live->session_public};
    reservation.input_commitment = (ProtobufCBinaryData){32, live->commitment};
    reservation.memory_bytes = pl_config_memory_bytes(node->config);
    reservation.lanes = offered_lanes(node, proposal);
    reservation.reserved_at = pl_now();
    reservation.not_after = live->reserved_until;
    char *own_endpoint = node->endpoint;
    reservation.endpoints = pl_config_advertise(node->config, &reservation.n_endpoints);
    if (reservation.n_endpoints == 0) {
        reservation.endpoints = &own_endpoint;
        reservation.n_endpoints = 1;
    }
    return sign_with_head(node, proposal, &reservation, out);
}

static pl_status finish_reservation(pl_live *live) {
    pl_node *node = live->node;
    Parley__V1__Proposal *proposal;
    PL_TRY(pl_step_proposal(node, live->id, NULL, &proposal));
    pl_bytes signed_reservation = {0};
    bool proposer = strcmp(proposal->proposer, node->own) == 0;
    pl_status status;
    live->reserved_until = pl_now() + PL_RESERVATION_SECONDS;
    PL_CHECK(status, commit_inputs(live));
    PL_CHECK(status, pl_x25519_generate(live->session_private, live->session_public));
    PL_CHECK(status, sign_reservation(live, proposal, &signed_reservation));
    PL_CHECK(status, pl_step_audit(node, live->id, "system", NULL, "reservation.make", "-", "ok"));
    PL_CHECK(status, pl_jobs_put_doc(node->jobs, live->id, PL_DOC_RESERVATION, node->own,
                                     pl_bytes_view(&signed_reservation)));
    pl_step_progress(node, live->id, PARLEY__V1__PHASE__PHASE_RESERVED, live->attempt, PL_CODE_OK);
    status = proposer ? pl_charter_try(node, live->id)
                      : pl_step_post(node, live->id, proposal->proposer,
                                     PARLEY__V1__RELAY_KIND__RELAY_KIND_RESERVATION,
                                     pl_bytes_view(&signed_reservation));
out:
    pl_bytes_done(&signed_reservation);
    parley__v1__proposal__free_unpacked(proposal, NULL);
    return status;
}

static pl_status may_reserve(pl_node *node, const uint8_t *job, uint32_t attempt,
                             pl_job_record *record) {
    PL_TRY(pl_jobs_get(node->jobs, job, record));
    if (record->state != PL_JOB_APPROVED)
        return pl_fail(PL_FAILED_PRECONDITION,
                       "the scheduler asks to reserve for a job that is %s here",
                       pl_job_state_name(record->state));
    if (attempt <= record->attempt)
        return pl_fail(PL_ALREADY_EXISTS, "the scheduler asks again for reservation attempt %u",
                       attempt);
    if (pl_live_sessions(node) >= pl_config_sessions(node->config))
        return pl_fail(PL_LIMIT, "this node already runs or holds %u sessions, its limit",
                       pl_config_sessions(node->config));
    return PL_OK;
}

static pl_status reserve(pl_node *node, const uint8_t *job, uint32_t attempt, pl_live **out) {
    pl_live *live;
    PL_TRY(pl_live_get(node, job, &live));
    *out = live;
    pl_live_drop_reservation(live);
    live->attempt = attempt;
    live->charter_sent = false;
    PL_TRY(pl_jobs_set_attempt(node->jobs, job, attempt));
    Parley__V1__Plan *plan;
    PL_TRY(pl_step_plan(node, job, &plan));
    const char *dataset = touched_dataset(node, plan);
    pl_status status =
        dataset == NULL ? finish_reservation(live) : start_source(live, dataset, plan);
    parley__v1__plan__free_unpacked(plan, NULL);
    return status;
}

void pl_reserve(pl_node *node, const uint8_t *job, uint32_t attempt) {
    pl_job_record record = {0};
    pl_live *live = NULL;
    pl_status status = may_reserve(node, job, attempt, &record);
    pl_job_record_done(&record);
    if (!pl_is_ok(status)) {
        pl_step_progress(node, job, PARLEY__V1__PHASE__PHASE_RESERVE_FAILED, attempt,
                         pl_status_code(status));
        pl_step_reject(node, job, "scheduler", "reservation.make", status);
        return;
    }
    status = reserve(node, job, attempt, &live);
    if (!pl_is_ok(status) && live != NULL)
        reserve_failed(live, status);
    else
        pl_log_status("reserve.failed", NULL, status);
}

void pl_reserve_release(pl_node *node, const uint8_t *job, uint32_t attempt, const char *reason) {
    pl_live *live = pl_live_find(node, job);
    if (live == NULL || live->attempt != attempt || live->worker != NULL)
        return;
    pl_live_drop_reservation(live);
    pl_status status =
        pl_step_audit(node, job, "scheduler", "scheduler", "reservation.release", reason, "ok");
    pl_log_status("audit.failed", NULL, status);
}

/* ---- at the proposer: reservations come in, the charter goes out ---- */

/* Each attempt has one reservation of each party. The scheduler told us of the attempt before
 * anybody could answer it. */
static pl_status check_attempt(pl_node *node, const char *from, const Parley__V1__Reservation *r) {
    pl_job_record record = {0};
    PL_TRY(pl_jobs_get(node->jobs, r->job_id.data, &record));
    uint32_t now = record.attempt, attempt = 0;
    pl_job_record_done(&record);
    if (r->attempt != now)
        return pl_fail(PL_FAILED_PRECONDITION,
                       "reservation of %s: attempt is %u, but this is attempt %u", from, r->attempt,
                       now);
    pl_bytes before = {0};
    if (!pl_jobs_has_doc(node->jobs, r->job_id.data, PL_DOC_RESERVATION, from))
        return PL_OK;
    PL_TRY(pl_jobs_get_doc(node->jobs, r->job_id.data, PL_DOC_RESERVATION, from, &before));
    pl_status status = pl_reservation_attempt(pl_bytes_view(&before), &attempt);
    pl_bytes_done(&before);
    PL_TRY(status);
    return attempt < now
               ? PL_OK
               : pl_fail(PL_ALREADY_EXISTS,
                         "reservation of %s: attempt %u has its reservation already", from, now);
}

static pl_status take_reservation(pl_node *node, const char *from, pl_view signed_reservation,
                                  Parley__V1__Reservation **out) {
    const Parley__V1__Descriptor *descriptor;
    PL_TRY(pl_node_descriptor(node, from, &descriptor));
    PL_TRY(pl_reservation_verify(signed_reservation, descriptor, pl_now(), out));
    pl_status status = pl_step_check_job_id((*out)->job_id, "reservation");
    if (pl_is_ok(status))
        status = pl_step_check_waits(node, (*out)->job_id.data, "reservation", from);
    if (pl_is_ok(status))
        status = check_attempt(node, from, *out);
    if (pl_is_ok(status))
        status = pl_jobs_put_doc(node->jobs, (*out)->job_id.data, PL_DOC_RESERVATION, from,
                                 signed_reservation);
    if (!pl_is_ok(status)) {
        parley__v1__reservation__free_unpacked(*out, NULL);
        *out = NULL;
    }
    return status;
}

void pl_reservation_received(pl_node *node, const char *from, pl_view signed_reservation) {
    Parley__V1__Reservation *reservation = NULL;
    pl_status status = take_reservation(node, from, signed_reservation, &reservation);
    if (pl_is_ok(status)) {
        status = pl_charter_try(node, reservation->job_id.data);
        parley__v1__reservation__free_unpacked(reservation, NULL);
    }
    if (!pl_is_ok(status))
        pl_step_reject(node, NULL, from, "reservation.receive", status);
}

/* All granted approvals and all reservations of this attempt, by rank; *out_complete false when
 * some is missing. */
static pl_status collect(pl_node *node, const uint8_t *job, const Parley__V1__Proposal *proposal,
                         uint32_t attempt, pl_bytes *approvals, pl_bytes *reservations,
                         bool *out_complete) {
    *out_complete = false;
    for (size_t i = 0; i < proposal->n_parties; i++) {
        const char *org = proposal->parties[i]->org;
        if (!pl_jobs_has_doc(node->jobs, job, PL_DOC_APPROVAL, org) ||
            !pl_jobs_has_doc(node->jobs, job, PL_DOC_RESERVATION, org))
            return PL_OK;
        PL_TRY(pl_jobs_get_doc(node->jobs, job, PL_DOC_APPROVAL, org, &approvals[i]));
        PL_TRY(pl_jobs_get_doc(node->jobs, job, PL_DOC_RESERVATION, org, &reservations[i]));
        uint32_t its_attempt;
        PL_TRY(pl_reservation_attempt(pl_bytes_view(&reservations[i]), &its_attempt));
        if (its_attempt != attempt)
            return PL_OK;
    }
    *out_complete = true;
    return PL_OK;
}

static pl_status assemble(pl_node *node, const uint8_t *job, const Parley__V1__Proposal *proposal,
                          pl_view signed_proposal, uint32_t attempt, pl_bytes *out_charter) {
    pl_bytes *approvals = NULL, *reservations = NULL;
    size_t n = proposal->n_parties;
    bool complete = false;
    pl_status status;
    PL_CHECK(status, pl_alloc(n, sizeof *approvals, &approvals));
    PL_CHECK(status, pl_alloc(n, sizeof *reservations, &reservations));
    PL_CHECK(status, collect(node, job, proposal, attempt, approvals, reservations, &complete));
    if (complete) {
        pl_charter_parts parts = {
            .proposal = signed_proposal,
            .approvals = approvals,
            .reservations = reservations,
            .n_parties = n,
            .now = pl_now(),
            .start_before = pl_now() + PL_RESERVATION_SECONDS,
        };
        status = pl_charter_assemble(&parts, pl_org_sign_key(node->org), node->own, out_charter);
    }
out:
    for (size_t i = 0; i < n; i++) {
        if (approvals != NULL)
            pl_bytes_done(&approvals[i]);
        if (reservations != NULL)
            pl_bytes_done(&reservations[i]);
    }
    free(approvals);
    free(reservations);
    return status;
}

pl_status pl_charter_try(pl_node *node, const uint8_t *job) {
    pl_live *live = pl_live_find(node, job);
    if (live == NULL || live->charter_sent || live->reserved_until == 0)
        return PL_OK;
    pl_bytes signed_proposal, charter = {0};
    Parley__V1__Proposal *proposal;
    PL_TRY(pl_step_proposal(node, job, &signed_proposal, &proposal));
    pl_status status;
    PL_CHECK(status, assemble(node, job, proposal, pl_bytes_view(&signed_proposal), live->attempt,
                              &charter));
    if (charter.data == NULL)
        goto out;
    live->charter_sent = true;
    PL_CHECK(status, pl_step_audit(node, job, "system", NULL, "charter.send", "-", "ok"));
    PL_CHECK(status, pl_step_post_all(node, job, PARLEY__V1__RELAY_KIND__RELAY_KIND_CHARTER,
                                      pl_bytes_view(&charter)));
    pl_charter_received(node, node->own, pl_bytes_view(&charter));
out:
    pl_bytes_done(&charter);
    pl_bytes_done(&signed_proposal);
    parley__v1__proposal__free_unpacked(proposal, NULL);
    return status;
}
