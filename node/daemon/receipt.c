/* receipt.c: after the session every party signs the same body and sends its signature to all
 * others; each keeps them merged. */
#include "node/charter/receipt.h"
#include "node/charter/charter.h"
#include "node/charter/proposal.h"
#include "node/crypto/digest.h"
#include "node/daemon/node.h"

#include <stdlib.h>
#include <string.h>

/* The body is built from the charter, the plan and the disclosures, all of which every party has
 * alike. */
static pl_status build_body(pl_live *live, const Parley__V1__SessionEnd *end, pl_bytes *out) {
    pl_node *node = live->node;
    pl_bytes charter = {0}, plan_bytes = {0};
    Parley__V1__Plan *plan = NULL;
    pl_status status;
    PL_CHECK(status, pl_jobs_get_doc(node->jobs, live->id, PL_DOC_CHARTER, "", &charter));
    PL_CHECK(status, pl_jobs_get_doc(node->jobs, live->id, PL_DOC_PLAN, "", &plan_bytes));
    PL_CHECK(status, pl_step_plan(node, live->id, &plan));
    uint8_t plan_digest[32];
    pl_digest("plan", pl_bytes_view(&plan_bytes), plan_digest);
    pl_receipt_parts parts = {
        .charter = pl_bytes_view(&charter),
        .charter_digest = live->charter_digest,
        .plan_digest = plan_digest,
        .plan = plan,
        .disclosures = end->disclosures,
        .n_disclosures = end->n_disclosures,
    };
    status = pl_receipt_build(&parts, out);
out:
    if (plan != NULL)
        parley__v1__plan__free_unpacked(plan, NULL);
    pl_bytes_done(&plan_bytes);
    pl_bytes_done(&charter);
    return status;
}

/* Signatures that came before ours was made wait under the sender's name. */
static pl_status merge(pl_node *node, const uint8_t *job, pl_view theirs) {
    pl_bytes ours = {0}, merged = {0};
    PL_TRY(pl_jobs_get_doc(node->jobs, job, PL_DOC_RECEIPT, "", &ours));
    pl_status status = pl_receipt_merge(pl_bytes_view(&ours), theirs, &merged);
    if (pl_is_ok(status))
        status = pl_jobs_put_doc(node->jobs, job, PL_DOC_RECEIPT, "", pl_bytes_view(&merged));
    pl_bytes_done(&merged);
    pl_bytes_done(&ours);
    return status;
}

static pl_status merge_early(pl_live *live) {
    pl_node *node = live->node;
    for (size_t i = 0; i < pl_manifest_n_members(node->manifest); i++) {
        pl_bytes early = {0};
        pl_status status = pl_jobs_get_doc(node->jobs, live->id, PL_DOC_RECEIPT,
                                           pl_manifest_member_name(node->manifest, i), &early);
        if (pl_is_ok(status))
            status = merge(node, live->id, pl_bytes_view(&early));
        pl_bytes_done(&early);
        if (pl_status_code(status) == PL_NOT_FOUND)
            pl_status_done(&status); /* none came early */
        PL_TRY(status);
    }
    return PL_OK;
}

pl_status pl_receipt_make(pl_live *live, const Parley__V1__SessionEnd *end) {
    pl_node *node = live->node;
    pl_bytes body = {0}, signed_receipt = {0};
    pl_status status;
    PL_CHECK(status, build_body(live, end, &body));
    PL_CHECK(status, pl_sign(pl_org_sign_key(node->org), "receipt", node->own, pl_bytes_view(&body),
                             &signed_receipt));
    PL_CHECK(status, pl_step_audit(node, live->id, "system", NULL, "receipt.sign", "-", "ok"));
    PL_CHECK(status, pl_jobs_put_doc(node->jobs, live->id, PL_DOC_RECEIPT, "",
                                     pl_bytes_view(&signed_receipt)));
    PL_CHECK(status, merge_early(live));
    status = pl_step_post_all(node, live->id, PARLEY__V1__RELAY_KIND__RELAY_KIND_RECEIPT,
                              pl_bytes_view(&signed_receipt));
out:
    pl_bytes_done(&signed_receipt);
    pl_bytes_done(&body);
    return status;
}

static pl_status take_receipt(pl_node *node, const char *from, pl_view signed_receipt) {
    const Parley__V1__Descriptor *descriptor;
    PL_TRY(pl_node_descriptor(node, from, &descriptor));
    pl_bytes body;
    PL_TRY(pl_signed_verify(signed_receipt, "receipt", from,
                            pl_view_of(descriptor->sign_key.data, descriptor->sign_key.len),
                            &body));
    Parley__V1__Receipt *receipt = parley__v1__receipt__unpack(NULL, body.len, body.data);
    pl_bytes_done(&body);
    if (receipt == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "receipt: cannot be read");
    pl_status status = pl_step_check_job_id(receipt->job_id, "receipt");
    if (pl_is_ok(status) && pl_jobs_has_doc(node->jobs, receipt->job_id.data, PL_DOC_RECEIPT, ""))
        status = merge(node, receipt->job_id.data, signed_receipt);
    else if (pl_is_ok(status) &&
             pl_jobs_has_doc(node->jobs, receipt->job_id.data, PL_DOC_PROPOSAL, ""))
        status =
            pl_jobs_put_doc(node->jobs, receipt->job_id.data, PL_DOC_RECEIPT, from, signed_receipt);
    else if (pl_is_ok(status))
        status = pl_fail(PL_NOT_FOUND, "receipt: job_id is of no job of this node");
    if (pl_is_ok(status))
        status = pl_step_audit(node, receipt->job_id.data, from, "scheduler", "receipt.receive",
                               "-", "ok");
    parley__v1__receipt__free_unpacked(receipt, NULL);
    return status;
}

void pl_receipt_received(pl_node *node, const char *from, pl_view signed_receipt) {
    pl_status status = take_receipt(node, from, signed_receipt);
    if (!pl_is_ok(status))
        pl_step_reject(node, NULL, from, "receipt.receive", status);
}
