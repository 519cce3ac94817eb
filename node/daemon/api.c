/* api.c: the local API, on one unix socket per role. The table below is the whole of who may call
 * what. */
#include "node/charter/proposal.h"
#include "node/crypto/digest.h"
#include "node/daemon/node.h"
#include "protocols/base/secret.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ANALYST = 1, APPROVER = 2, OPERATOR = 4, AUDITOR = 8, ALL = 15 };
static const struct {
    const char *name;
    unsigned bit;
} roles[] = {
    {"analyst", ANALYST}, {"approver", APPROVER}, {"operator", OPERATOR}, {"auditor", AUDITOR}};
#define N_ROLES (sizeof roles / sizeof *roles)

typedef void (*api_handler)(pl_node *node, pl_rpc_call *call, pl_view request);

/* ---- answering ---- */

static pl_status pack(const ProtobufCMessage *message, pl_bytes *out) {
    size_t len = protobuf_c_message_get_packed_size(message);
    PL_TRY(pl_alloc(len + 1, 1, &out->data));
    out->len = len;
    protobuf_c_message_pack(message, out->data);
    return PL_OK;
}

void pl_api_reply(pl_rpc_call *call, const ProtobufCMessage *message) {
    pl_bytes packed;
    pl_status status = pack(message, &packed);
    if (!pl_is_ok(status)) {
        pl_rpc_fail(call, status);
        return;
    }
    pl_rpc_reply(call, pl_bytes_view(&packed));
    pl_bytes_done(&packed);
}

/* The answer to a call that wrote: durable first. */
void pl_api_ack(pl_node *node, pl_rpc_call *call) {
    pl_status status = pl_turn_flush(node);
    if (!pl_is_ok(status)) {
        pl_rpc_fail(call, status);
        return;
    }
    Parley__V1__Ack ack = PARLEY__V1__ACK__INIT;
    pl_api_reply(call, &ack.base);
}

static void principal_of(const pl_node *node, const pl_rpc_call *call, char out[96]) {
    snprintf(out, 96, "%s@%s", pl_rpc_call_tag(call), node->own);
}

/* ---- a job as it is shown ---- */

static const char *party_state(pl_node *node, const pl_job_record *record, const char *org) {
    if (pl_job_state_is_final(record->state))
        return "-";
    if (pl_jobs_has_doc(node->jobs, record->id, PL_DOC_APPROVAL, org))
        return "approved";
    if (strcmp(org, node->own) == 0)
        return pl_job_state_name(record->state);
    pl_peer *peer = pl_peer_find(node, org);
    return peer == NULL || !peer->online ? "offline" : "asked";
}

static pl_status show_party(pl_node *node, const pl_job_record *record,
                            const Parley__V1__Party *party, Parley__V1__PartyState **out) {
    Parley__V1__PartyState *state;
    PL_TRY(pl_alloc(1, sizeof *state, &state));
    parley__v1__party_state__init(state);
    *out = state;
    char text[64] = "";
    if (party->owner)
        strcat(text, "owner, ");
    if (party->compute)
        strcat(text, "compute, ");
    if (party->recipient)
        strcat(text, "recipient, ");
    if (*text != 0)
        text[strlen(text) - 2] = 0;
    else
        strcpy(text, "proposer");
    PL_TRY(pl_strdup(party->org, &state->org));
    PL_TRY(pl_strdup(text, &state->roles));
    return pl_strdup(party_state(node, record, party->org), &state->state);
}

static pl_status show_proposal(pl_node *node, const pl_job_record *record, Parley__V1__Job *job) {
    Parley__V1__Proposal *proposal;
    PL_TRY(pl_step_proposal(node, record->id, NULL, &proposal));
    pl_status status;
    PL_CHECK(status, pl_strdup(proposal->task->kind, &job->kind));
    PL_CHECK(status, pl_strdup(proposal->task->text, &job->text));
    PL_CHECK(status, pl_strdup(proposal->task->purpose, &job->purpose));
    PL_CHECK(status, pl_strdup(proposal->submitter, &job->submitter));
    PL_CHECK(status, pl_alloc(proposal->n_parties, sizeof *job->parties, &job->parties));
    for (; job->n_parties < proposal->n_parties; job->n_parties++)
        PL_CHECK(status, show_party(node, record, proposal->parties[job->n_parties],
                                    &job->parties[job->n_parties]));
out:
    parley__v1__proposal__free_unpacked(proposal, NULL);
    return status;
}

/* Reads an optional document into a message; none is fine. */
static void *optional_doc(pl_node *node, const uint8_t *id, const char *kind,
                          const ProtobufCMessageDescriptor *descriptor) {
    pl_bytes body = {0};
    pl_status status = pl_jobs_get_doc(node->jobs, id, kind, "", &body);
    void *message =
        pl_is_ok(status) ? protobuf_c_message_unpack(descriptor, NULL, body.len, body.data) : NULL;
    pl_bytes_done(&body);
    pl_status_done(&status); /* none is fine */
    return message;
}

static pl_status show_job(pl_node *node, const pl_job_record *record, Parley__V1__Job **out) {
    Parley__V1__Job *job;
    PL_TRY(pl_alloc(1, sizeof *job, &job));
    parley__v1__job__init(job);
    char hex[2 * PL_JOB_ID_BYTES + 1];
    pl_hex_encode(pl_view_of(record->id, PL_JOB_ID_BYTES), hex);
    const pl_live *live = pl_live_find(node, record->id);
    pl_status status;
    PL_CHECK(status, pl_strdup(hex, &job->job_id));
    PL_CHECK(status, pl_strdup(pl_job_state_name(record->state), &job->state));
    PL_CHECK(status, pl_strdup(record->reason, &job->reason));
    PL_CHECK(status, pl_strdup(record->error_code, &job->error_code));
    PL_CHECK(status, pl_strdup(record->proposer, &job->proposer));
    PL_CHECK(status, pl_strdup(live == NULL ? "" : live->progress, &job->progress));
    job->created_at = record->created_at;
    job->changed_at = record->changed_at;
    job->not_after = record->not_after;
    job->is_final = pl_job_state_is_final(record->state);
    job->stats =
        optional_doc(node, record->id, PL_DOC_STATS, &parley__v1__session_stats__descriptor);
    job->refusal = optional_doc(node, record->id, PL_DOC_REFUSAL, &parley__v1__refusal__descriptor);
    PL_CHECK(status, show_proposal(node, record, job));
    *out = job;
    return PL_OK;
out:
    parley__v1__job__free_unpacked(job, NULL);
    return status;
}

pl_status pl_api_job(pl_node *node, const uint8_t *id, Parley__V1__Job **out) {
    pl_job_record record;
    PL_TRY(pl_jobs_get(node->jobs, id, &record));
    pl_status status = show_job(node, &record, out);
    pl_job_record_done(&record);
    return status;
}

/* Resolves the JobRef of a request; answers the call itself on failure. */
bool pl_api_job_of(pl_node *node, pl_rpc_call *call, pl_view request, uint8_t id[PL_JOB_ID_BYTES]) {
    Parley__V1__JobRef *ref = parley__v1__job_ref__unpack(NULL, request.len, request.data);
    pl_status status = ref == NULL ? pl_fail(PL_INVALID_ARGUMENT, "the request cannot be read")
                                   : pl_jobs_resolve(node->jobs, ref->job_id, id);
    if (ref != NULL)
        parley__v1__job_ref__free_unpacked(ref, NULL);
    if (!pl_is_ok(status))
        pl_rpc_fail(call, status);
    return status.error == NULL;
}

/* ---- analyst ---- */

static void submit(pl_node *node, pl_rpc_call *call, pl_view request, bool explain_only) {
    Parley__V1__SubmitRequest *r =
        parley__v1__submit_request__unpack(NULL, request.len, request.data);
    if (r == NULL || r->task == NULL)
        pl_rpc_fail(call, pl_fail(PL_INVALID_ARGUMENT, "the request cannot be read"));
    else
        pl_propose(node, call, r, explain_only);
    if (r != NULL)
        parley__v1__submit_request__free_unpacked(r, NULL);
}

static void on_submit(pl_node *node, pl_rpc_call *call, pl_view request) {
    submit(node, call, request, false);
}

static void on_explain(pl_node *node, pl_rpc_call *call, pl_view request) {
    submit(node, call, request, true);
}

/* WatchJob writes the job at once and at each change; the final state ends the stream. */
static bool watcher_write(pl_node *node, pl_watcher *watcher) {
    Parley__V1__Job *job = NULL;
    pl_bytes packed = {0};
    pl_status status = pl_api_job(node, watcher->id, &job);
    if (pl_is_ok(status))
        status = pack(&job->base, &packed);
    bool final = !pl_is_ok(status) || job->is_final;
    if (pl_is_ok(status))
        status = pl_rpc_write(watcher->call, pl_bytes_view(&packed));
    pl_bytes_done(&packed);
    if (job != NULL)
        parley__v1__job__free_unpacked(job, NULL);
    if (!pl_is_ok(status))
        pl_rpc_fail(watcher->call, status);
    else if (final)
        pl_rpc_finish(watcher->call);
    return final;
}

static void on_watcher_closed(pl_rpc_call *call, void *ctx) {
    pl_node *node = ctx;
    for (pl_watcher **link = &node->watchers; *link != NULL; link = &(*link)->next) {
        if ((*link)->call == call) {
            pl_watcher *gone = *link;
            *link = gone->next;
            free(gone);
            return;
        }
    }
}

void pl_api_job_changed(pl_node *node, const uint8_t *job) {
    for (pl_watcher *watcher = node->watchers; watcher != NULL; watcher = watcher->next)
        watcher->changed |= memcmp(watcher->id, job, PL_JOB_ID_BYTES) == 0;
}

void pl_api_fail_watchers(pl_node *node, pl_status why) {
    while (node->watchers != NULL) {
        pl_watcher *watcher = node->watchers;
        node->watchers = watcher->next;
        pl_rpc_fail(watcher->call, pl_status_dup(why));
        free(watcher);
    }
}

void pl_api_flush(pl_node *node) {
    for (pl_watcher **link = &node->watchers; *link != NULL;) {
        pl_watcher *watcher = *link;
        bool changed = watcher->changed;
        watcher->changed = false;
        if (changed && watcher_write(node, watcher)) {
            *link = watcher->next;
            free(watcher);
        } else {
            link = &watcher->next;
        }
    }
}

static void on_watch(pl_node *node, pl_rpc_call *call, pl_view request) {
    uint8_t id[PL_JOB_ID_BYTES];
    if (!pl_api_job_of(node, call, request, id))
        return;
    pl_watcher *watcher;
    pl_status status = pl_alloc(1, sizeof *watcher, &watcher);
    if (!pl_is_ok(status)) {
        pl_rpc_fail(call, status);
        return;
    }
    watcher->call = call;
    memcpy(watcher->id, id, sizeof id);
    watcher->changed = true;
    watcher->next = node->watchers;
    node->watchers = watcher;
    pl_rpc_on_close(call, on_watcher_closed, node);
}

typedef struct job_listing {
    pl_node *node;
    Parley__V1__JobList *list;
} job_listing;

static pl_status list_job(const pl_job_record *record, void *ctx) {
    job_listing *l = ctx;
    PL_TRY(show_job(l->node, record, &l->list->jobs[l->list->n_jobs]));
    l->list->n_jobs++;
    return PL_OK;
}

static void on_list_jobs(pl_node *node, pl_rpc_call *call, pl_view request) {
    (void)request;
    Parley__V1__JobList *list;
    pl_status status = pl_alloc(1, sizeof *list, &list);
    if (pl_is_ok(status)) {
        parley__v1__job_list__init(list);
        status = pl_alloc(200, sizeof *list->jobs, &list->jobs);
        job_listing l = {node, list};
        if (pl_is_ok(status))
            status = pl_jobs_each(node->jobs, false, 200, list_job, &l);
        if (pl_is_ok(status))
            pl_api_reply(call, &list->base);
        parley__v1__job_list__free_unpacked(list, NULL);
    }
    if (!pl_is_ok(status))
        pl_rpc_fail(call, status);
}

static void on_show_job(pl_node *node, pl_rpc_call *call, pl_view request) {
    uint8_t id[PL_JOB_ID_BYTES];
    if (!pl_api_job_of(node, call, request, id))
        return;
    Parley__V1__Job *job;
    pl_status status = pl_api_job(node, id, &job);
    if (!pl_is_ok(status)) {
        pl_rpc_fail(call, status);
        return;
    }
    pl_api_reply(call, &job->base);
    parley__v1__job__free_unpacked(job, NULL);
}

static void on_cancel_job(pl_node *node, pl_rpc_call *call, pl_view request) {
    uint8_t id[PL_JOB_ID_BYTES];
    if (!pl_api_job_of(node, call, request, id))
        return;
    char principal[96];
    principal_of(node, call, principal);
    pl_status status = pl_step_cancel(node, id, principal);
    if (pl_is_ok(status))
        pl_api_ack(node, call);
    else
        pl_rpc_fail(call, status);
}

/* A result may be larger than a message: the client asks for piece after piece. */
#define RESULT_PIECE_BYTES ((size_t)1 << 20)

static pl_status no_result(const Parley__V1__Job *job) {
    return pl_fail(PL_FAILED_PRECONDITION, "there is no result here: the job is %s%s%s", job->state,
                   *job->reason == 0 ? "" : ": ", job->reason);
}

static pl_status result_piece(pl_node *node, const uint8_t *id, const char *principal,
                              uint64_t offset, pl_rpc_call *call) {
    Parley__V1__ResultPiece piece = PARLEY__V1__RESULT_PIECE__INIT;
    pl_bytes table = {0};
    pl_status status;
    PL_CHECK(status, pl_api_job(node, id, &piece.job));
    if (!pl_jobs_has_doc(node->jobs, id, PL_DOC_RESULT, ""))
        PL_CHECK(status, no_result(piece.job));
    PL_CHECK(status, pl_jobs_get_doc(node->jobs, id, PL_DOC_RESULT, "", &table));
    if (offset > table.len)
        PL_CHECK(status, pl_fail(PL_INVALID_ARGUMENT, "the result has only %zu bytes", table.len));
    if (offset == 0)
        PL_CHECK(status, pl_step_audit(node, id, principal, NULL, "result.read", "-", "ok"));
    size_t left = table.len - (size_t)offset;
    piece.total = table.len;
    piece.data.data = table.data + offset;
    piece.data.len = left < RESULT_PIECE_BYTES ? left : RESULT_PIECE_BYTES;
    pl_api_reply(call, &piece.base);
out:
    if (piece.job != NULL)
        parley__v1__job__free_unpacked(piece.job, NULL);
    if (table.data != NULL)
        pl_wipe(table.data, table.len);
    pl_bytes_done(&table);
    return status;
}

static void on_result(pl_node *node, pl_rpc_call *call, pl_view packed) {
    Parley__V1__ResultRequest *request =
        parley__v1__result_request__unpack(NULL, packed.len, packed.data);
    if (request == NULL) {
        pl_rpc_fail(call, pl_fail(PL_INVALID_ARGUMENT, "the request cannot be read"));
        return;
    }
    uint8_t id[PL_JOB_ID_BYTES];
    char principal[96];
    principal_of(node, call, principal);
    pl_status status = pl_jobs_resolve(node->jobs, request->job_id, id);
    if (pl_is_ok(status))
        status = result_piece(node, id, principal, request->offset, call);
    parley__v1__result_request__free_unpacked(request, NULL);
    if (!pl_is_ok(status))
        pl_rpc_fail(call, status);
}

/* ---- the table ---- */

static const struct {
    const char *method;
    unsigned allowed;
    bool streaming;
    api_handler handle;
} methods[] = {
    {"Submit", ANALYST, false, on_submit},
    {"Explain", ANALYST | APPROVER, false, on_explain},
    {"WatchJob", ANALYST | APPROVER | OPERATOR, true, on_watch},
    {"ListJobs", ALL, false, on_list_jobs},
    {"ShowJob", ALL, false, on_show_job},
    {"CancelJob", ANALYST | OPERATOR, false, on_cancel_job},
    {"Result", ANALYST, false, on_result},
    {"ListApprovals", APPROVER | AUDITOR, false, pl_api_list_approvals},
    {"ShowApproval", APPROVER | AUDITOR, false, pl_api_show_approval},
    {"DecideApproval", APPROVER, false, pl_api_decide_approval},
    {"Catalog", ANALYST | APPROVER | OPERATOR, false, pl_api_catalog},
    {"AuditShow", AUDITOR | OPERATOR, true, pl_api_audit_show},
    {"AuditVerify", AUDITOR | OPERATOR, false, pl_api_audit_verify},
    {"AuditHeads", AUDITOR | OPERATOR, false, pl_api_audit_heads},
    {"AuditPeers", AUDITOR | OPERATOR, false, pl_api_audit_peers},
    {"AuditAccept", OPERATOR, false, pl_api_audit_accept},
    {"Receipt", ALL, false, pl_api_receipt},
    {"Status", ALL, false, pl_api_status},
};
#define N_METHODS (sizeof methods / sizeof *methods)

static unsigned role_bit(const char *tag) {
    for (size_t i = 0; i < N_ROLES; i++) {
        if (strcmp(roles[i].name, tag) == 0)
            return roles[i].bit;
    }
    return 0;
}

static void dispatch(pl_rpc_call *call, pl_view request, void *ctx) {
    pl_node *node = ctx;
    const char *name = strrchr(pl_rpc_call_method(call), '/') + 1;
    for (size_t i = 0; i < N_METHODS; i++) {
        if (strcmp(methods[i].method, name) != 0)
            continue;
        if ((methods[i].allowed & role_bit(pl_rpc_call_tag(call))) != 0) {
            methods[i].handle(node, call, request);
            return;
        }
        char principal[96];
        principal_of(node, call, principal);
        pl_log_status("audit.failed", NULL,
                      pl_step_audit(node, NULL, principal, NULL, "api.call", name, "REFUSED"));
        pl_rpc_fail(call, pl_fail(PL_REFUSED, "%s may not call %s: use the socket of another role",
                                  pl_rpc_call_tag(call), name));
        return;
    }
}

pl_status pl_api_open(pl_node *node) {
    PL_TRY(pl_rpc_server_new(node->loop, &node->api));
    for (size_t i = 0; i < N_METHODS; i++) {
        char path[96];
        snprintf(path, sizeof path, "/parley.v1.Node/%s", methods[i].method);
        PL_TRY(pl_rpc_server_method(node->api, path,
                                    methods[i].streaming ? PL_RPC_SERVER_STREAM : PL_RPC_UNARY,
                                    dispatch, node));
    }
    const char *folder = pl_config_sockets(node->config);
    if (mkdir(folder, 0755) != 0 && access(folder, W_OK) != 0)
        return pl_fail(PL_IO, "cannot make the folder for sockets, %s", folder);
    for (size_t i = 0; i < N_ROLES; i++) {
        char path[512];
        snprintf(path, sizeof path, "%s/%s.sock", folder, roles[i].name);
        PL_TRY(pl_rpc_server_listen_unix(
            node->api, path, pl_config_group(node->config, roles[i].name), roles[i].name));
    }
    return pl_rpc_server_start(node->api);
}
