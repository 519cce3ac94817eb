/* Session kinds: everything that depends on what a session computes, behind one interface. A node
 * never asks which kind it runs: it plans, explains, loads and runs through pl_session_kind.
 *
 * The functions run in different processes: plan and explain in the sandboxed planning child, load
 * (or keep and serve) in the source child (it alone sees rows), run in the session's worker. None
 * of them reads a clock, a file or the environment. */
#ifndef PL_SESSION_SESSION_H
#define PL_SESSION_SESSION_H

#include "proto/catalog.pb-c.h"
#include "proto/job.pb-c.h"
#include "proto/plan.pb-c.h"
#include "proto/session.pb-c.h"
#include "protocols/base/bytes.h"
#include "protocols/net/mesh.h"

typedef struct pl_party pl_party; /* protocols/share/party.h */

#define PL_PLANNER_VERSION 1u

/* What a plan may depend on besides the task. Order does not matter: planning sorts. */
typedef struct pl_plan_context {
    const Parley__V1__Dataset *const *datasets; /* verified bodies of all members' datasets */
    size_t n_datasets;
    const char *const *members; /* organisations of the federation */
    size_t n_members;
    const char *proposer; /* organisation */
} pl_plan_context;

typedef struct pl_kept pl_kept; /* what a source child keeps for a session: the kind's own */

typedef struct pl_session_run pl_session_run;
struct pl_session_run {
    pl_party *party;
    pl_mesh *mesh;
    const Parley__V1__Plan *plan;
    size_t own_rank;
    const Parley__V1__Party *const *parties; /* index = rank in the mesh */
    size_t n_parties;
    size_t n_lanes; /* of the session: what every compute party has; others have one */
    const Parley__V1__InputVector *const
        *inputs; /* this party's own, as load made them; if it is an owner */
    size_t n_inputs;
    /* Called by the kind exactly once, before the first pl_open: makes OPENING durable and
     * exchanges ready. */
    pl_status (*agree_opening)(pl_session_run *run);
    /* Puts a question to this party's own source child and waits for what its serve answers; an
     * owner of a kind with keep only. */
    pl_status (*ask)(pl_session_run *run, pl_view request, pl_bytes *out_body);
    /* Tells how far the session is, for people; round counts from 1. NULL: nobody listens. */
    pl_status (*progress)(pl_session_run *run, uint32_t round, const char *what);
    void *ctx;                            /* the caller's */
    Parley__V1__ResultTable **out_result; /* written at recipients only; the caller frees it */
};

typedef struct pl_session_kind {
    const char *name;

    /* plan compiles the task: parse, check, choose rings, list flows and openings, cost.
     * Deterministic to the byte: the same task, datasets and members give the same packed Plan at
     * every node. Defaults: no recipients: the proposer. No compute parties: the proposer first,
     * then the owners, then the other members, each group sorted by name; the first three. Errors:
     * INVALID_ARGUMENT, UNSUPPORTED (construct and position named), NOT_FOUND, LIMIT, OUT_OF_RANGE.
     */
    pl_status (*plan)(const pl_plan_context *context, const Parley__V1__Task *task,
                      Parley__V1__Plan **out);

    /* explain appends text for people: steps, parties, who learns what, cost. */
    pl_status (*explain)(const Parley__V1__Plan *plan, pl_buf *out);

    /* load computes one owner's inputs in the clear from its source (fd: borrowed). out is an
     * initialised message; its vectors, rows and version are filled on success. query: one vector
     * of n_cells elements per moment, in the order of QueryPlan.moments; ring 64: 8 bytes each,
     * ring 128: 16 bytes, little-endian two's complement. bench: no inputs: UNSUPPORTED. NULL: the
     * kind has keep instead. */
    pl_status (*load)(const Parley__V1__SourceRequest *request, int fd,
                      Parley__V1__SourceReply *out);

    /* run takes this party's part in the protocol. Every party of the mesh calls it.
     * Errors: PEER_LOST, TIMEOUT, PROTOCOL (the session is dead afterwards); INVALID_ARGUMENT;
     * OUT_OF_RANGE and the like from finishing the result, at recipients only. */
    pl_status (*run)(pl_session_run *run);

    /* A kind that needs rows while it runs has these three in place of load; else they are NULL.
     * keep reads the source (fd: borrowed) and holds what is needed of it; rows and version of out
     * are filled on success. serve answers one request of the session's worker (run->ask) from
     * what is kept: sums, never rows. let_go wipes it. All in the source child, without network. */
    pl_status (*keep)(const Parley__V1__SourceRequest *request, int fd,
                      Parley__V1__SourceReply *out, pl_kept **out_kept);
    pl_status (*serve)(pl_kept *kept, pl_view request, pl_bytes *out_body);
    void (*let_go)(pl_kept *kept);
} pl_session_kind;

/* pl_session_kind_find gives the kind of that name ("query", "bench", "train"); NULL: none. Static:
 * never freed. */
const pl_session_kind *pl_session_kind_find(const char *name);

#endif
