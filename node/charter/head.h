/* Head: a node's signed statement of its audit log: so many records, this root (node/audit). It
 * stands in its reservations, so every charter and receipt carries one of each party; what goes
 * with it proves to each of the others that the log continues the one they saw before. */
#ifndef PL_NODE_CHARTER_HEAD_H
#define PL_NODE_CHARTER_HEAD_H

#include "node/charter/descriptor.h"
#include "proto/job.pb-c.h"

#define PL_HEAD_LINKS_MAX 1024
#define PL_HEAD_PATH_MAX 65

/* pl_head_sign fills in version and key_id, checks the form, and signs as head->org. */
PL_STATUS pl_head_sign(Parley__V1__AuditHead *head, const pl_key *key, pl_bytes *out_signed);

/* pl_head_verify: signed by the node of `descriptor` and well-formed. Dates do not matter: it is
 * evidence. out is freed by parley__v1__audit_head__free_unpacked. Errors name the field. */
PL_STATUS pl_head_verify(pl_view signed_bytes, const Parley__V1__Descriptor *descriptor,
                         Parley__V1__AuditHead **out);

/* pl_head_verify_past: by the descriptor, of several, whose key it names; each is checked against
 * the manifest's root of the head's organisation, not for dates. NOT_FOUND: none fits. */
PL_STATUS pl_head_verify_past(pl_view signed_bytes, const pl_manifest *manifest,
                              const pl_view *descriptors, size_t n, Parley__V1__AuditHead **out);

/* pl_head_read decodes WITHOUT verification: of one that was verified before. */
PL_STATUS pl_head_read(pl_view signed_bytes, Parley__V1__AuditHead **out);

/* The form of what goes with a head: links in ascending order, each of a head before it; points
 * that their owners' names go with. Whether a proof holds is node/audit's to say. */
PL_STATUS pl_head_check_links(Parley__V1__AuditLink *const *links, size_t n, uint64_t size);
PL_STATUS pl_head_check_seen(Parley__V1__AuditSeen *const *seen, size_t n);

#endif
