/* Jobs on disk: what must outlive a kill -9. One SQLite database per node: jobs and their state,
 * the documents of each job as exact bytes, the outbox to the scheduler, what was received (so that
 * nothing is handled twice), sessions ever started, uses charged, and the highest serials and
 * epochs seen. */
#ifndef PL_NODE_DAEMON_JOBS_H
#define PL_NODE_DAEMON_JOBS_H

#include "node/store/db.h"
#include "protocols/base/bytes.h"

#define PL_JOB_ID_BYTES 16

/* A job's state at this node, in the order of its life. States from PL_JOB_RELEASED on are final.
 */
typedef enum pl_job_state {
    PL_JOB_PROPOSED,  /* received, not yet planned here */
    PL_JOB_ASKED,     /* waits for this node's approver */
    PL_JOB_APPROVED,  /* this node agreed; others may not have */
    PL_JOB_RUNNING,   /* a charter was accepted, the worker runs */
    PL_JOB_OPENING,   /* OPENING is on disk: uses are charged */
    PL_JOB_RELEASED,  /* this node received the result */
    PL_JOB_LOST,      /* this node should have received it and did not */
    PL_JOB_COMPLETED, /* a party that receives nothing did its part */
    PL_JOB_REFUSED,
    PL_JOB_ABORTED,
    PL_JOB_CANCELLED,
    PL_JOB_EXPIRED,
    PL_JOB_STATE_COUNT
} pl_job_state;

const char *pl_job_state_name(pl_job_state state);
bool pl_job_state_is_final(pl_job_state state);

/* What stands in the jobs table. Text is owned by the record; empty rather than NULL. */
typedef struct pl_job_record {
    uint8_t id[PL_JOB_ID_BYTES];
    pl_job_state state;
    char *reason;     /* for people */
    char *error_code; /* a status code's name, or "" */
    char *submitter;  /* principal here, or "" */
    char *proposer;
    int64_t created_at, changed_at, not_after;
    uint32_t attempt; /* of the last reservation */
} pl_job_record;
void pl_job_record_done(pl_job_record *record);

/* Kinds of documents kept per job (and per org where several parties write one). */
#define PL_DOC_PROPOSAL "proposal"       /* Signed */
#define PL_DOC_PLAN "plan"               /* this node's own, packed Plan */
#define PL_DOC_EXPLAIN "explain"         /* this node's own words */
#define PL_DOC_APPROVAL "approval"       /* Signed, per org */
#define PL_DOC_RESERVATION "reservation" /* Signed, per org */
#define PL_DOC_INPUT_SALT "input-salt"   /* opens the input commitment */
#define PL_DOC_CHARTER "charter"         /* Signed */
#define PL_DOC_RESULT "result"           /* packed ResultTable */
#define PL_DOC_RESULT_SALT "result-salt"
#define PL_DOC_RECEIPT "receipt" /* Signed, signatures of all who sent theirs */
#define PL_DOC_STATS "stats"     /* packed SessionStats */
#define PL_DOC_REFUSAL "refusal" /* packed Refusal */

typedef struct pl_jobs pl_jobs;
PL_STATUS pl_jobs_open(const char *path, pl_jobs **out);
void pl_jobs_close(pl_jobs *jobs);

/* Several changes that stand or fall together, durable when commit returns. A change outside a
 * begin becomes durable with the next pl_jobs_flush, which turn.c calls before anything is sent. */
PL_STATUS pl_jobs_flush(pl_jobs *jobs, bool all); /* all: lazy changes too (node/store/db.h) */
PL_STATUS pl_jobs_begin(pl_jobs *jobs);
PL_STATUS pl_jobs_commit(pl_jobs *jobs);
void pl_jobs_rollback(pl_jobs *jobs);

PL_STATUS pl_jobs_insert(pl_jobs *jobs, const pl_job_record *record);        /* ALREADY_EXISTS */
PL_STATUS pl_jobs_get(pl_jobs *jobs, const uint8_t *id, pl_job_record *out); /* NOT_FOUND */
/* A final state never changes again: FAILED_PRECONDITION. */
PL_STATUS pl_jobs_set_state(pl_jobs *jobs, const uint8_t *id, pl_job_state state,
                            const char *reason, const char *error_code, int64_t now);
PL_STATUS pl_jobs_set_attempt(pl_jobs *jobs, const uint8_t *id, uint32_t attempt);
/* Jobs of this proposer that are in no final state. */
PL_STATUS pl_jobs_count_open(pl_jobs *jobs, const char *proposer, uint64_t *out);
/* Newest first; calls back with a borrowed record. */
typedef pl_status (*pl_job_visitor)(const pl_job_record *record, void *ctx);
PL_STATUS pl_jobs_each(pl_jobs *jobs, bool open_only, uint32_t limit, pl_job_visitor visit,
                       void *ctx);
/* Resolves a hex id or unique prefix (at least 6 digits): INVALID_ARGUMENT, NOT_FOUND. */
PL_STATUS pl_jobs_resolve(pl_jobs *jobs, const char *hex, uint8_t out_id[PL_JOB_ID_BYTES]);

PL_STATUS pl_jobs_put_doc(pl_jobs *jobs, const uint8_t *id, const char *kind, const char *org,
                          pl_view body);
PL_STATUS pl_jobs_get_doc(pl_jobs *jobs, const uint8_t *id, const char *kind, const char *org,
                          pl_bytes *out); /* NOT_FOUND */
bool pl_jobs_has_doc(pl_jobs *jobs, const uint8_t *id, const char *kind, const char *org);

/* Outbox: packed NodeMessage, sent in order until the scheduler says it is stored. */
PL_STATUS pl_jobs_outbox_put(pl_jobs *jobs, const uint8_t key[16], pl_view message);
PL_STATUS pl_jobs_outbox_remove(pl_jobs *jobs, pl_view key);
/* In order; seq grows and is never given twice. Only what comes after that number. */
typedef pl_status (*pl_outbox_visitor)(int64_t seq, pl_view message, void *ctx);
PL_STATUS pl_jobs_outbox_each(pl_jobs *jobs, int64_t after, pl_outbox_visitor visit, void *ctx);

/* pl_jobs_first_sight records a message, session or other one-time thing; ALREADY_EXISTS when it
 * was there. */
PL_STATUS pl_jobs_first_sight(pl_jobs *jobs, const char *what, pl_view key, int64_t now);
PL_STATUS pl_jobs_was_seen(pl_jobs *jobs, const char *what, pl_view key, bool *out);

/* Uses charged against a policy rule of a policy version. */
PL_STATUS pl_jobs_uses(pl_jobs *jobs, uint64_t policy_version, uint32_t rule, uint64_t *out);
PL_STATUS pl_jobs_charge(pl_jobs *jobs, uint64_t policy_version, uint32_t rule);

/* Highest number seen under a name ("epoch", "serial:south", "policy"): never goes back. */
PL_STATUS pl_jobs_high_get(pl_jobs *jobs, const char *name, uint64_t *out); /* 0 when none */
PL_STATUS pl_jobs_high_raise(pl_jobs *jobs, const char *name, uint64_t value);

PL_STATUS pl_jobs_blob_get(pl_jobs *jobs, const char *name, pl_bytes *out); /* NOT_FOUND */
PL_STATUS pl_jobs_blob_put(pl_jobs *jobs, const char *name, pl_view body);

#endif
