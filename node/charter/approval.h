/* Approval: one party's answer to a proposal, granted or refused, over the proposal's digest and
 * the digest of the plan that this party's own node made. */
#ifndef PL_NODE_CHARTER_APPROVAL_H
#define PL_NODE_CHARTER_APPROVAL_H

#include "node/charter/descriptor.h"
#include "proto/job.pb-c.h"

/* pl_approval_sign checks the form, packs and signs as approval->org. */
PL_STATUS pl_approval_sign(const Parley__V1__Approval *approval, const pl_key *key,
                           pl_bytes *out_signed);

/* pl_approval_verify: signed by the node of `descriptor`, well-formed, decided before now and still
 * valid. A refusal verifies as well: look at granted. Which proposal it answers is the caller's
 * check. out is freed by parley__v1__approval__free_unpacked.
 * Errors name the field: UNAUTHENTICATED, INVALID_ARGUMENT, UNSUPPORTED, FAILED_PRECONDITION. */
PL_STATUS pl_approval_verify(pl_view signed_bytes, const Parley__V1__Descriptor *descriptor,
                             int64_t now, Parley__V1__Approval **out);

#endif
