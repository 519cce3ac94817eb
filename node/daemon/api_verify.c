/* api_verify.c: the audit log against what this node itself has signed and what others hold.
 * Reading a long log takes seconds, so it is done beside the loop, on copies; records that are
 * appended meanwhile may be seen half-written, which a second look settles. */
#include "node/audit/kept.h"
#include "node/charter/head.h"
#include "node/daemon/node.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CLAIMS_MAX 8192
#define LOOKS_MAX 3

typedef struct check {
    uv_work_t work;
    pl_rpc_call *call; /* NULL: the auditor went away */
    char *path;
    Parley__V1__AuditRequest *request;  /* owns the sources of its claims */
    Parley__V1__Descriptor *descriptor; /* of the own key */
    pl_audit_claim *claims;
    size_t n_given, n; /* claims that came with the call, and all */
    uint64_t count;    /* records when the call came */
    unsigned looks;
    pl_status status;
    Parley__V1__AuditVerdict *verdict;
} check;

static void check_free(check *c) {
    if (c->request != NULL)
        parley__v1__audit_request__free_unpacked(c->request, NULL);
    if (c->descriptor != NULL)
        parley__v1__descriptor__free_unpacked(c->descriptor, NULL);
    if (c->verdict != NULL)
        parley__v1__audit_verdict__free_unpacked(c->verdict, NULL);
    pl_status_done(&c->status);
    free(c->claims);
    free(c->path);
    free(c);
}

static void add_claim(check *c, uint64_t size, ProtobufCBinaryData root, int64_t time_ms,
                      const char *source) {
    if (c->n == CLAIMS_MAX || root.len != 32 || size == 0)
        return;
    pl_audit_claim *claim = &c->claims[c->n++];
    *claim = (pl_audit_claim){.size = size, .time_ms = time_ms, .source = source};
    memcpy(claim->root.bytes, root.data, 32);
}

/* ---- beside the loop ---- */

/* Own heads from the file of evidence, as far as the node's present key signed them. */
static pl_status add_kept(pl_view signed_head, void *ctx) {
    check *c = ctx;
    Parley__V1__AuditHead *head = NULL;
    pl_status status = c->n == CLAIMS_MAX ? pl_fail(PL_LIMIT, "enough")
                                          : pl_head_verify(signed_head, c->descriptor, &head);
    if (pl_is_ok(status)) {
        add_claim(c, head->size, head->root, head->time_ms, "a head that this node signed");
        parley__v1__audit_head__free_unpacked(head, NULL);
    }
    pl_status_done(&status); /* of another member, or by a key before: as if not there */
    return PL_OK;
}

static void look(uv_work_t *work) {
    check *c = work->data;
    pl_status_done(&c->status);
    c->n = c->n_given;
    c->status = pl_kept_each(c->path, add_kept, c);
    if (pl_is_ok(c->status))
        c->status = pl_audit_verify(c->path, c->claims, c->n, &c->verdict);
}

/* ---- on the loop ---- */

static void on_looked(uv_work_t *work, int cancelled) {
    check *c = work->data;
    bool unsure = c->verdict != NULL && !c->verdict->ok && c->verdict->record >= c->count;
    if (unsure && cancelled == 0 && c->call != NULL && ++c->looks < LOOKS_MAX) {
        parley__v1__audit_verdict__free_unpacked(c->verdict, NULL);
        c->verdict = NULL;
        if (uv_queue_work(work->loop, work, look, on_looked) == 0)
            return;
        c->status = pl_fail(PL_LIMIT, "the audit log cannot be verified now");
    }
    if (c->call != NULL) {
        pl_rpc_on_close(c->call, NULL, NULL);
        if (c->verdict != NULL) {
            pl_api_reply(c->call, &c->verdict->base);
        } else {
            pl_rpc_fail(c->call, c->status);
            c->status = PL_OK;
        }
    }
    check_free(c);
}

static void on_gone(pl_rpc_call *call, void *ctx) {
    (void)call;
    ((check *)ctx)->call = NULL;
}

static pl_status fill(pl_node *node, pl_view request, check *c) {
    c->request = parley__v1__audit_request__unpack(NULL, request.len, request.data);
    if (c->request == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "the request cannot be read");
    PL_TRY(pl_strdup(pl_audit_path(node->audit), &c->path));
    pl_bytes body;
    PL_TRY(pl_signed_body(pl_org_signed_descriptor(node->org), &body));
    c->descriptor = parley__v1__descriptor__unpack(NULL, body.len, body.data);
    pl_bytes_done(&body);
    if (c->descriptor == NULL)
        return pl_fail(PL_LIMIT, "no memory for a descriptor");
    PL_TRY(pl_alloc(CLAIMS_MAX, sizeof *c->claims, &c->claims));
    pl_merkle_hash root = pl_audit_root(node->audit);
    c->count = pl_audit_count(node->audit);
    add_claim(c, c->count, (ProtobufCBinaryData){32, root.bytes}, 0, "the running node");
    for (size_t i = 0; i < c->request->n_claims; i++) {
        const Parley__V1__AuditClaim *claim = c->request->claims[i];
        add_claim(c, claim->size, claim->root, claim->time_ms, claim->source);
    }
    c->n_given = c->n;
    return PL_OK;
}

void pl_api_audit_verify(pl_node *node, pl_rpc_call *call, pl_view request) {
    check *c;
    pl_status status = pl_alloc(1, sizeof *c, &c);
    if (!pl_is_ok(status)) {
        pl_rpc_fail(call, status);
        return;
    }
    status = fill(node, request, c);
    c->work.data = c;
    c->call = call;
    if (pl_is_ok(status) && uv_queue_work(node->loop, &c->work, look, on_looked) != 0)
        status = pl_fail(PL_LIMIT, "the audit log cannot be verified now");
    if (!pl_is_ok(status)) {
        check_free(c);
        pl_rpc_fail(call, status);
        return;
    }
    pl_rpc_on_close(call, on_gone, c);
}
