/* Receipt: what a session did, in one body that every party signs: charter, commitments, what was
 * opened to whom. Verifiable offline from the manifest and the parties' descriptors. */
#ifndef PL_NODE_CHARTER_RECEIPT_H
#define PL_NODE_CHARTER_RECEIPT_H

#include "node/charter/manifest.h"
#include "proto/job.pb-c.h"
#include "proto/plan.pb-c.h"

typedef struct pl_receipt_parts {
    pl_view charter;               /* packed Signed, verified before */
    const uint8_t *charter_digest; /* [32] that the links echoed; must be the charter's own */
    const uint8_t *plan_digest;    /* [32] */
    const Parley__V1__Plan *plan;
    Parley__V1__Disclosure **disclosures; /* the same at all parties */
    size_t n_disclosures;
} pl_receipt_parts;

/* pl_receipt_build makes the packed Receipt body: the same bytes at every party. */
PL_STATUS pl_receipt_build(const pl_receipt_parts *parts, pl_bytes *out_body);

/* pl_receipt_sign signs a body as own. */
PL_STATUS pl_receipt_sign(pl_view body, const char *own, const pl_key *key, pl_bytes *out_signed);

/* pl_receipt_merge adds theirs' signature to ours. CORRUPT when the bodies differ, naming the first
 * field that does; PROTOCOL unless theirs carries exactly one signature, which whoever took it in
 * has verified as the sender's. */
PL_STATUS pl_receipt_merge(pl_view ours, pl_view theirs, pl_bytes *out);

/* ---- offline ---- */

typedef struct pl_receipt_verdict {
    Parley__V1__Receipt *receipt;
    bool *has_signed; /* by rank: receipt->parties[i] has signed validly */
    size_t n_signed;
    Parley__V1__AuditHead *
        *heads; /* by rank: of the parties' audit logs; NULL: none to check with */
} pl_receipt_verdict;

/* pl_receipt_verify checks a receipt against the manifest of its epoch and signed descriptors of
 * the parties (several of one organisation may be given: keys are renewed). Dates do not matter: it
 * is evidence of the past. A missing signature is no error: look at has_signed. At least one is
 * there. Errors: CORRUPT naming the party whose signature or head is forged or whose receipt was
 * altered, or a signer that is no party; UNAUTHENTICATED (nobody signed, or of another federation);
 * NOT_FOUND (no valid descriptor of a signer is given); INVALID_ARGUMENT naming the field. */
PL_STATUS pl_receipt_verify(pl_view signed_bytes, const pl_manifest *manifest,
                            const pl_view *descriptors, size_t n_descriptors,
                            pl_receipt_verdict *out);
void pl_receipt_verdict_done(pl_receipt_verdict *verdict);

#endif
