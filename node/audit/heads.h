/* Heads: what a node keeps about the audit log of each other member, and what that member may hold
 * of this node's. Pure: no key, no file, no clock. The message AuditPeer is the state; the caller
 * stores it.
 *
 * This side (known): heads of its log that were proven to lie on one line. A new head must continue
 * the last of them, or be one that a later head has vouched for (two charters may overtake each
 * other). That side (given): sizes of own heads that it may hold, from the one it last said it
 * holds; with every new head goes a proof from each. */
#ifndef PL_NODE_AUDIT_HEADS_H
#define PL_NODE_AUDIT_HEADS_H

#include "node/audit/audit.h"
#include "proto/job.pb-c.h"

#define PL_HEADS_KNOWN_MAX 64
#define PL_HEADS_GIVEN_MAX 32

/* pl_heads_take holds a new head of org's log, verified as signed, against what is known; on OK it
 * is known too. CORRUPT: the log went back, split, or is not shown to continue; the message says
 * which, from how many records to how many. LIMIT: no memory. */
PL_STATUS pl_heads_take(Parley__V1__AuditPeer *peer, const char *org,
                        const Parley__V1__AuditHead *head, Parley__V1__AuditLink *const *links,
                        size_t n_links);

/* The head last taken; NULL: none. */
const Parley__V1__AuditPoint *pl_heads_last(const Parley__V1__AuditPeer *peer);

/* pl_heads_accept makes head the only one known: an operator has looked into it. */
PL_STATUS pl_heads_accept(Parley__V1__AuditPeer *peer, const Parley__V1__AuditHead *head);

/* ---- the own log ---- */

/* pl_heads_give notes that the peer may come to hold the own head of that size. */
PL_STATUS pl_heads_give(Parley__V1__AuditPeer *peer, uint64_t size);

/* pl_heads_stated: the peer has said, at that time, that it holds the own head of that size (at:
 * seconds). What comes late is passed over; of two in one second both sizes are kept. */
PL_STATUS pl_heads_stated(Parley__V1__AuditPeer *peer, uint64_t size, int64_t at);

/* pl_heads_link makes the links from all that n peers may hold to the own log as it is now;
 * freed by pl_heads_links_free. Cost: O(log n) each. */
PL_STATUS pl_heads_link(pl_audit *audit, Parley__V1__AuditPeer *const *peers, size_t n,
                        Parley__V1__AuditLink ***out, size_t *out_n);
void pl_heads_links_free(Parley__V1__AuditLink **links, size_t n);

#endif
