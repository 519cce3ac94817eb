#include "node/charter/approval.h"

#include "node/charter/document.h"

#include <string.h>

#define PRINCIPAL_BYTES_MAX 200
#define REASON_BYTES_MAX 8192

/* A refusal says why; a grant gives no reasons against itself. */
static pl_status check_refusal(const Parley__V1__Approval *a) {
    if (a->granted)
        return a->refusal == NULL
                   ? PL_OK
                   : pl_fail(PL_INVALID_ARGUMENT, "refusal is given, but granted is true");
    if (a->refusal == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "refusal is missing, but granted is false");
    PL_TRY(pl_check_text("refusal.rule", a->refusal->rule, PRINCIPAL_BYTES_MAX));
    PL_TRY(pl_check_text("refusal.reason", a->refusal->reason, REASON_BYTES_MAX));
    if (strlen(a->refusal->column) > PRINCIPAL_BYTES_MAX)
        return pl_fail(PL_LIMIT, "refusal.column is too long");
    if (strlen(a->refusal->change) > REASON_BYTES_MAX)
        return pl_fail(PL_LIMIT, "refusal.change is too long");
    return PL_OK;
}

static pl_status check_form(const Parley__V1__Approval *a) {
    PL_TRY(pl_check_version(a->version));
    PL_TRY(pl_check_len("job_id", a->job_id, 16));
    PL_TRY(pl_check_len("proposal_digest", a->proposal_digest, 32));
    if (!pl_name_is_org(a->org))
        return pl_fail(PL_INVALID_ARGUMENT, "org is no name of an organisation");
    PL_TRY(pl_check_len("plan_digest", a->plan_digest, 32));
    PL_TRY(pl_check_text("approver", a->approver, PRINCIPAL_BYTES_MAX));
    PL_TRY(pl_check_len("policy_digest", a->policy_digest, 32));
    if (a->decided_at <= 0 || a->not_after < a->decided_at)
        return pl_fail(PL_INVALID_ARGUMENT, "not_after is before decided_at");
    return check_refusal(a);
}

pl_status pl_approval_sign(const Parley__V1__Approval *approval, const pl_key *key,
                           pl_bytes *out_signed) {
    PL_TRY(pl_wrap(check_form(approval), "approval"));
    return pl_document_sign(approval, "approval", approval->org, key, out_signed);
}

static pl_status check(const Parley__V1__Approval *a, const Parley__V1__Descriptor *d,
                       int64_t now) {
    PL_TRY(check_form(a));
    if (strcmp(a->org, d->org) != 0)
        return pl_fail(PL_UNAUTHENTICATED, "org is %s, but %s signed it", a->org, d->org);
    PL_TRY(pl_check_not_future("decided_at", a->decided_at, now));
    return pl_check_not_past("not_after", a->not_after, now, 0);
}

pl_status pl_approval_verify(pl_view signed_bytes, const Parley__V1__Descriptor *descriptor,
                             int64_t now, Parley__V1__Approval **out) {
    Parley__V1__Approval *a;
    PL_TRY(pl_document_open(signed_bytes, "approval", descriptor->org,
                            pl_binary_view(descriptor->sign_key), &parley__v1__approval__descriptor,
                            &a));
    pl_status status = check(a, descriptor, now);
    if (pl_is_ok(status))
        *out = a;
    else
        pl_document_free(a);
    return pl_wrap(status, "approval of %s", descriptor->org);
}
