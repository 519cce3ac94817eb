/* api_audit.c: the local API's evidence: the audit log, heads, receipts. */
#include "node/audit/heads.h"
#include "node/audit/kept.h"
#include "node/charter/head.h"
#include "node/daemon/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- audit ---- */

typedef struct audit_stream {
    pl_rpc_call *call;
    const char *job_id;
} audit_stream;

static pl_status write_record(const Parley__V1__AuditRecord *record, void *ctx) {
    audit_stream *s = ctx;
    if (*s->job_id != 0 && strncmp(record->job_id, s->job_id, strlen(s->job_id)) != 0)
        return PL_OK;
    size_t len = parley__v1__audit_record__get_packed_size(record);
    uint8_t *packed;
    PL_TRY(pl_alloc(len + 1, 1, &packed));
    parley__v1__audit_record__pack(record, packed);
    pl_status status = pl_rpc_write(s->call, pl_view_of(packed, len));
    free(packed);
    return status;
}

void pl_api_audit_show(pl_node *node, pl_rpc_call *call, pl_view request) {
    Parley__V1__AuditRequest *r =
        parley__v1__audit_request__unpack(NULL, request.len, request.data);
    pl_status status =
        r == NULL ? pl_fail(PL_INVALID_ARGUMENT, "the request cannot be read") : PL_OK;
    if (pl_is_ok(status)) {
        audit_stream s = {call, r->job_id};
        uint32_t limit = r->limit == 0 || r->limit > 10000 ? 10000 : r->limit;
        status = pl_audit_read(pl_audit_path(node->audit), r->from, limit, write_record, &s);
    }
    if (r != NULL)
        parley__v1__audit_request__free_unpacked(r, NULL);
    if (pl_is_ok(status))
        pl_rpc_finish(call);
    else
        pl_rpc_fail(call, status);
}

/* ---- heads ---- */

#define HEADS_MAX 4096

typedef struct head_list {
    pl_node *node;
    size_t n_all; /* in the file */
    ProtobufCBinaryData *heads, *descriptors;
    uint8_t (*key_ids)[32]; /* of descriptors */
    size_t n_heads, n_descriptors;
    size_t skip;
} head_list;

static pl_status count_head(pl_view signed_head, void *ctx) {
    (void)signed_head;
    ((head_list *)ctx)->n_all++;
    return PL_OK;
}

static pl_status add_descriptor(head_list *list, ProtobufCBinaryData key_id) {
    pl_bytes found = {0};
    for (size_t i = 0; i < list->n_descriptors; i++) {
        if (key_id.len == 32 && memcmp(list->key_ids[i], key_id.data, 32) == 0)
            return PL_OK;
    }
    pl_status status = pl_past_descriptor(list->node, pl_view_of(key_id.data, key_id.len), &found);
    if (pl_status_code(status) == PL_NOT_FOUND) {
        pl_status_done(&status); /* whoever reads the head must have it */
        return PL_OK;
    }
    PL_TRY(status);
    memcpy(list->key_ids[list->n_descriptors], key_id.data, 32);
    list->descriptors[list->n_descriptors++] = (ProtobufCBinaryData){found.len, found.data};
    return PL_OK;
}

/* The newest ones. */
static pl_status list_head(pl_view signed_head, void *ctx) {
    head_list *list = ctx;
    if (list->skip > 0) {
        list->skip--;
        return PL_OK;
    }
    pl_bytes copy;
    Parley__V1__AuditHead *head = NULL;
    pl_status status = pl_head_read(signed_head, &head);
    if (!pl_is_ok(status) || list->n_heads == HEADS_MAX) {
        pl_status_done(&status); /* not what this node wrote there */
        return PL_OK;
    }
    status = add_descriptor(list, head->key_id);
    parley__v1__audit_head__free_unpacked(head, NULL);
    PL_TRY(status);
    PL_TRY(pl_bytes_dup(signed_head, &copy));
    list->heads[list->n_heads++] = (ProtobufCBinaryData){copy.len, copy.data};
    return PL_OK;
}

static pl_status fill_heads(head_list *list) {
    const char *path = pl_audit_path(list->node->audit);
    PL_TRY(pl_alloc(HEADS_MAX, sizeof *list->heads, &list->heads));
    PL_TRY(pl_alloc(HEADS_MAX, sizeof *list->descriptors, &list->descriptors));
    PL_TRY(pl_alloc(HEADS_MAX, sizeof *list->key_ids, &list->key_ids));
    PL_TRY(pl_kept_each(path, count_head, list));
    list->skip = list->n_all > HEADS_MAX ? list->n_all - HEADS_MAX : 0;
    return pl_kept_each(path, list_head, list);
}

void pl_api_audit_heads(pl_node *node, pl_rpc_call *call, pl_view request) {
    (void)request;
    head_list list = {.node = node};
    pl_status status = fill_heads(&list);
    if (pl_is_ok(status)) {
        Parley__V1__ReceiptReply reply = PARLEY__V1__RECEIPT_REPLY__INIT;
        pl_view manifest = pl_manifest_signed(node->manifest);
        reply.manifest = (ProtobufCBinaryData){manifest.len, (uint8_t *)(uintptr_t)manifest.data};
        reply.descriptors = list.descriptors;
        reply.n_descriptors = list.n_descriptors;
        reply.heads = list.heads;
        reply.n_heads = list.n_heads;
        pl_api_reply(call, &reply.base);
    } else {
        pl_rpc_fail(call, status);
    }
    for (size_t i = 0; i < list.n_heads; i++)
        free(list.heads[i].data);
    for (size_t i = 0; i < list.n_descriptors; i++)
        free(list.descriptors[i].data);
    free(list.heads);
    free(list.descriptors);
    free(list.key_ids);
}

static pl_status show_peer(pl_node *node, const char *org, Parley__V1__AuditPeerState **out) {
    Parley__V1__AuditPeer *peer;
    PL_TRY(pl_alloc(1, sizeof **out, out));
    parley__v1__audit_peer_state__init(*out);
    PL_TRY(pl_heads_load(node, org, &peer));
    const Parley__V1__AuditPoint *last = pl_heads_last(peer);
    pl_status status = pl_strdup(org, &(*out)->org);
    if (pl_is_ok(status) && last != NULL) {
        pl_bytes root = {0};
        (*out)->size = last->size;
        (*out)->time_ms = last->time_ms;
        status = pl_bytes_dup(pl_view_of(last->root.data, last->root.len), &root);
        (*out)->root = (ProtobufCBinaryData){root.len, root.data};
    }
    if (pl_is_ok(status) && peer->disputed.len > 0)
        status = pl_strdup(peer->why, &(*out)->disputed);
    parley__v1__audit_peer__free_unpacked(peer, NULL);
    return status;
}

static pl_status fill_peers(pl_node *node, Parley__V1__AuditPeersReply *reply) {
    size_t n = pl_manifest_n_members(node->manifest);
    PL_TRY(pl_alloc(n, sizeof *reply->peers, &reply->peers));
    for (size_t i = 0; i < n; i++) {
        const char *org = pl_manifest_member_name(node->manifest, i);
        if (strcmp(org, node->own) != 0)
            PL_TRY(show_peer(node, org, &reply->peers[reply->n_peers++]));
    }
    return PL_OK;
}

void pl_api_audit_peers(pl_node *node, pl_rpc_call *call, pl_view request) {
    (void)request;
    Parley__V1__AuditPeersReply *reply;
    pl_status status = pl_alloc(1, sizeof *reply, &reply);
    if (!pl_is_ok(status)) {
        pl_rpc_fail(call, status);
        return;
    }
    parley__v1__audit_peers_reply__init(reply);
    status = fill_peers(node, reply);
    if (pl_is_ok(status))
        pl_api_reply(call, &reply->base);
    else
        pl_rpc_fail(call, status);
    parley__v1__audit_peers_reply__free_unpacked(reply, NULL);
}

void pl_api_audit_accept(pl_node *node, pl_rpc_call *call, pl_view request) {
    Parley__V1__AuditAcceptRequest *r =
        parley__v1__audit_accept_request__unpack(NULL, request.len, request.data);
    char principal[96];
    snprintf(principal, sizeof principal, "%s@%s", pl_rpc_call_tag(call), node->own);
    pl_status status = PL_OK;
    if (r == NULL || *r->reason == 0)
        status = pl_fail(PL_INVALID_ARGUMENT, "accepting needs a member and a reason");
    else
        status = pl_heads_accept_disputed(node, r->org, principal, r->reason);
    if (r != NULL)
        parley__v1__audit_accept_request__free_unpacked(r, NULL);
    if (pl_is_ok(status))
        pl_api_ack(node, call);
    else
        pl_rpc_fail(call, status);
}

/* ---- receipts ---- */

/* The keys that the parties had then. */
static pl_status party_descriptors(pl_node *node, const Parley__V1__Proposal *proposal,
                                   ProtobufCBinaryData *out, size_t *out_n) {
    for (size_t i = 0; i < proposal->n_parties; i++) {
        const Parley__V1__Party *party = proposal->parties[i];
        pl_bytes found = {0};
        PL_TRY(
            pl_wrap(pl_past_descriptor(
                        node, pl_view_of(party->sign_key_id.data, party->sign_key_id.len), &found),
                    "no descriptor of %s as it was then is here", party->org));
        out[(*out_n)++] = (ProtobufCBinaryData){found.len, found.data};
    }
    return PL_OK;
}

static pl_status send_receipt(pl_node *node, const uint8_t *id, pl_rpc_call *call) {
    pl_bytes receipt = {0}, manifest = {0};
    Parley__V1__Proposal *proposal = NULL;
    ProtobufCBinaryData *descriptors = NULL;
    Parley__V1__ReceiptReply reply = PARLEY__V1__RECEIPT_REPLY__INIT;
    pl_status status;
    PL_CHECK(status, pl_wrap(pl_jobs_get_doc(node->jobs, id, PL_DOC_RECEIPT, "", &receipt),
                             "the job has no receipt here"));
    PL_CHECK(status, pl_step_proposal(node, id, NULL, &proposal));
    PL_CHECK(status, pl_alloc(proposal->n_parties, sizeof *descriptors, &descriptors));
    PL_CHECK(status, party_descriptors(node, proposal, descriptors, &reply.n_descriptors));
    PL_CHECK(status, pl_past_manifest(node, proposal->epoch, &manifest));
    reply.receipt = (ProtobufCBinaryData){receipt.len, receipt.data};
    reply.manifest = (ProtobufCBinaryData){manifest.len, manifest.data};
    reply.descriptors = descriptors;
    pl_api_reply(call, &reply.base);
out:
    for (size_t i = 0; i < reply.n_descriptors; i++)
        free(descriptors[i].data);
    free(descriptors);
    pl_bytes_done(&manifest);
    if (proposal != NULL)
        parley__v1__proposal__free_unpacked(proposal, NULL);
    pl_bytes_done(&receipt);
    return status;
}

void pl_api_receipt(pl_node *node, pl_rpc_call *call, pl_view request) {
    uint8_t id[PL_JOB_ID_BYTES];
    if (!pl_api_job_of(node, call, request, id))
        return;
    pl_status status = send_receipt(node, id, call);
    if (!pl_is_ok(status))
        pl_rpc_fail(call, status);
}
