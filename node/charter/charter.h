/* Charter: proposal, approvals and reservations of all parties in their exact signed bytes, put
 * together and signed by the proposing node. Its digest is what every party of the session echoes.
 * Every node verifies all of it under its own pins before it starts a worker. */
#ifndef PL_NODE_CHARTER_CHARTER_H
#define PL_NODE_CHARTER_CHARTER_H

#include "node/charter/descriptor.h"
#include "proto/job.pb-c.h"

#define PL_CHARTER_START_SECONDS_MAX 600

/* ---- putting it together ---- */

typedef struct pl_charter_parts {
    pl_view proposal;             /* packed Signed */
    const pl_bytes *approvals;    /* packed Signed, by rank */
    const pl_bytes *reservations; /* packed Signed, by rank */
    size_t n_parties;
    int64_t now, start_before;
} pl_charter_parts;

/* pl_charter_assemble draws a session id and signs as own. Whether the parts fit together is what
 * pl_charter_verify decides, at this node as at every other. */
PL_STATUS pl_charter_assemble(const pl_charter_parts *parts, const pl_key *key, const char *own,
                              pl_bytes *out_signed);

/* ---- verifying it ---- */

/* What this node knows by itself; everything borrowed. */
typedef struct pl_charter_rules {
    const pl_manifest *manifest;
    const char *own;  /* this node's organisation */
    const char *from; /* who sent the charter */
    int64_t now;
    const uint8_t *proposal_digest;  /* [32] of the proposal this node holds */
    const uint8_t *plan_digest;      /* [32] of the plan this node made */
    const uint8_t *session_key;      /* [32] of this node's live reservation */
    const uint8_t *input_commitment; /* [32] of this node's live reservation */
    uint32_t attempt;                /* of this node's live reservation */
    /* A member's descriptor, verified and valid now; own included. */
    pl_status (*descriptor)(const char *org, const Parley__V1__Descriptor **out, void *ctx);
    /* The replay table. */
    pl_status (*was_started)(const uint8_t session_id[16], bool *out, void *ctx);
    void *ctx;
} pl_charter_rules;

typedef struct pl_charter {
    uint8_t session_id[16];
    uint8_t digest[32];
    Parley__V1__Charter *body;
    Parley__V1__Proposal *proposal;
    Parley__V1__Approval **approvals;       /* by rank */
    Parley__V1__Reservation **reservations; /* by rank */
    size_t n_parties;
} pl_charter;

/* pl_charter_verify checks the proposer's signature, the window, the replay table; the proposal as
 * pl_proposal_verify does and that it is the one this node holds; that every party's node key is
 * the one the proposal names; one granted approval and one reservation per party, by rank, signed
 * by that party, of this proposal, of this node's plan, of one attempt; that this node's own
 * reservation is the live one. Does not write: the caller enters the session into the replay table.
 * Errors name document, party and field: "charter: approval of tax: plan_digest differs from this
 * node's plan". Codes: UNAUTHENTICATED, PROTOCOL, INVALID_ARGUMENT, UNSUPPORTED, REFUSED,
 * FAILED_PRECONDITION, ALREADY_EXISTS (replay), or the callbacks' own. */
PL_STATUS pl_charter_verify(pl_view signed_bytes, const pl_charter_rules *rules, pl_charter **out);
void pl_charter_free(pl_charter *charter);

/* pl_charter_lanes: of the session: as many as the compute party with the fewest can spare. Every
 * party reads the same from the same signed bytes. */
size_t pl_charter_lanes(const pl_charter *charter);

/* pl_charter_job_id reads WITHOUT verification which job a charter is for. */
PL_STATUS pl_charter_job_id(pl_view signed_bytes, uint8_t out[16]);

/* pl_charter_digest: digest of the body, without verification. */
PL_STATUS pl_charter_digest(pl_view signed_bytes, uint8_t out[32]);

/* pl_charter_read decodes WITHOUT verification: for charters that were verified before they were
 * stored. */
PL_STATUS pl_charter_read(pl_view signed_bytes, pl_charter **out);

#endif
