/* Proposal: what is asked, for what purpose, of whom, under which plan. Signed by the proposing
 * node; everything later refers to its digest. */
#ifndef PL_NODE_CHARTER_PROPOSAL_H
#define PL_NODE_CHARTER_PROPOSAL_H

#include "node/charter/descriptor.h"
#include "proto/job.pb-c.h"

#define PL_PARTIES_MAX 16
#define PL_TASK_BYTES_MAX 8192
#define PL_JOB_SECONDS_MAX (90 * 86400)
#define PL_SESSION_SECONDS_MAX 86400

/* pl_proposal_sign packs and signs as proposal->proposer. */
PL_STATUS pl_proposal_sign(const Parley__V1__Proposal *proposal, const pl_key *key,
                           pl_bytes *out_signed);

/* pl_proposal_verify: signed by the node that `proposer` (a verified descriptor) describes, and in
 * every field something this node could join: version, federation, epoch and manifest digest; task;
 * parties that are members, ranked 0 upwards, each once, the proposer among them; compute and
 * recipient roles as the task names them; no two compute parties of one independence group;
 * versions that this node and the proposer know; a window that is open (clock +-120 s). What the
 * text means, and whether policy allows it, is decided elsewhere. out is freed by
 * parley__v1__proposal__free_unpacked.
 * Errors: UNAUTHENTICATED, INVALID_ARGUMENT, UNSUPPORTED, LIMIT, REFUSED (groups), PROTOCOL
 * (another manifest), FAILED_PRECONDITION (time); the message names the field. */
PL_STATUS pl_proposal_verify(pl_view signed_bytes, const pl_manifest *manifest,
                             const Parley__V1__Descriptor *proposer, int64_t now,
                             Parley__V1__Proposal **out);

/* pl_proposal_digest: digest of the body, without verification. */
PL_STATUS pl_proposal_digest(pl_view signed_bytes, uint8_t out[32]);

/* The party of that organisation; NULL: none. */
const Parley__V1__Party *pl_proposal_party(const Parley__V1__Proposal *proposal, const char *org);

#endif
