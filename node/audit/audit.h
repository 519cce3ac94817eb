/* Audit: every decision and step of a node, as one record each, on disk before the step it records
 * goes on. The file holds length-prefixed records (u32 little-endian, then the packed AuditRecord);
 * each record names the hash of the one before, which says where a log was touched. Over the packed
 * records stands a Merkle tree (merkle.h), kept beside the log (PATH.tree); its root is what a
 * node's signed heads are about, and what others hold of this log.
 *
 * hash = SHA-256("parley/1/audit-record" 0x00 packed record without its hash field). */
#ifndef PL_NODE_AUDIT_AUDIT_H
#define PL_NODE_AUDIT_AUDIT_H

#include "node/audit/merkle.h"
#include "proto/node.pb-c.h"

#define PL_AUDIT_RECORD_BYTES_MAX 65536
#define PL_AUDIT_CHECKPOINT_RECORDS 16384

/* The seven fields (time is set here), system and method: none may be NULL or empty. Linkage may be
 * empty. */
typedef struct pl_audit_event {
    const char *user;    /* principal, org, or "system" */
    const char *address; /* "ip:port" of the peer, "local", "scheduler" */
    const char *object;  /* "job:<id>", "node:<org>" */
    const char *content; /* parameters from an allow-list, "-" when none; never data */
    const char *action;  /* "job.propose" */
    const char *result;  /* "ok" or a status code's name */
    const char *system;  /* program and version */
    const char *method;  /* which part of it */
    const char *job_id;
    const char *charter_digest;
} pl_audit_event;

typedef struct pl_audit pl_audit;

/* pl_audit_open opens or creates the log (0600) and checks it, all of it or from its last
 * checkpoint (PATH.point) on; the tree is made again where it is missing. A last record that a
 * crash cut short was never acknowledged: it is cut off, and the next record says so. CORRUPT:
 * something is wrong with the log; the node must not go on writing. */
PL_STATUS pl_audit_open(const char *path, pl_audit **out);
void pl_audit_close(pl_audit *audit);

/* A checkpoint is written every n_records (PL_AUDIT_CHECKPOINT_RECORDS unless asked otherwise). */
void pl_audit_checkpoint_every(pl_audit *audit, uint64_t n_records);

/* pl_audit_append writes one record and syncs it before it returns. Cost: O(1) hashes on average,
 * O(log n) at most. INTERNAL: a mandatory field is missing; IO, LIMIT. */
PL_STATUS pl_audit_append(pl_audit *audit, const pl_audit_event *event);

uint64_t pl_audit_count(const pl_audit *audit);
const char *pl_audit_path(const pl_audit *audit);
void pl_audit_head(const pl_audit *audit, uint8_t out[32]); /* the last record's hash */

/* ---- the tree over the records; cost: O(log n) ---- */

pl_merkle_hash pl_audit_root(const pl_audit *audit);
/* size <= count; FAILED_PRECONDITION otherwise. */
PL_STATUS pl_audit_root_at(pl_audit *audit, uint64_t size, pl_merkle_hash *out);
/* Proofs towards the tree as it is now, checked before they are given. from, index: as merkle.h.
 * CORRUPT: the tree on disk was damaged. */
PL_STATUS pl_audit_consistency(pl_audit *audit, uint64_t from, pl_merkle_path *out);
PL_STATUS pl_audit_inclusion(pl_audit *audit, uint64_t index, pl_merkle_path *out);

/* ---- reading and verifying ---- */

/* pl_audit_read visits records from sequence number `from`, at most limit (0: all); the record is
 * borrowed. */
typedef pl_status (*pl_audit_visitor)(const Parley__V1__AuditRecord *record, void *ctx);
PL_STATUS pl_audit_read(const char *path, uint64_t from, uint32_t limit, pl_audit_visitor visit,
                        void *ctx);

/* What somebody holds of a log: its root when it had size records. */
typedef struct pl_audit_claim {
    uint64_t size;
    pl_merkle_hash root;
    int64_t time_ms;    /* when the head was made; 0: unknown */
    const char *source; /* "south's receipt.pb" */
} pl_audit_claim;

/* pl_audit_verify walks the whole file against its chain, the tree beside it (if it is there) and n
 * claims; a fault is a verdict with its kind (change, deletion, insertion, truncation, fork) and
 * the record's number, not an error. Cost: linear in the file, plus O(log n) hashes per claim. out
 * is freed by parley__v1__audit_verdict__free_unpacked. */
PL_STATUS pl_audit_verify(const char *path, const pl_audit_claim *claims, size_t n,
                          Parley__V1__AuditVerdict **out);

#endif
