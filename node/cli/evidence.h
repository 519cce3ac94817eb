/* Evidence: the files that receipts and heads are kept in and handed on (packed ReceiptReply). */
#ifndef PL_NODE_CLI_EVIDENCE_H
#define PL_NODE_CLI_EVIDENCE_H

#include "node/audit/audit.h"

/* What files say about one organisation's log. */
typedef struct pl_claims {
    pl_audit_claim *claims; /* source: the file's path, borrowed */
    size_t n;
} pl_claims;

/* pl_claims_read adds every head of org's log in the file: those of its receipt and its list of
 * heads, each with its signature checked. manifest_path NULL: the manifest inside is used.
 * NOT_FOUND: nothing in it is about org's log. CORRUPT, UNAUTHENTICATED: something in it is forged.
 */
PL_STATUS pl_claims_read(const char *path, const char *manifest_path, const char *org,
                         pl_claims *claims);
void pl_claims_done(pl_claims *claims);

PL_STATUS pl_evidence_write(const Parley__V1__ReceiptReply *evidence, const char *path);

#endif
