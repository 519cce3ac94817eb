/* Audit: every decision and step of a node, as one record each, on disk before the step it records
 * goes on. The file holds length-prefixed records (u32 little-endian, then the packed AuditRecord);
 * each record names the hash of the one before, so that change, deletion, insertion and reordering
 * show. What a chain alone cannot show is that its end was cut off or the whole file replaced:
 * heads held by peers are for that.
 *
 * hash = SHA-256("parley/1/audit-record" 0x00 packed record without its hash field). */
#ifndef PL_NODE_AUDIT_AUDIT_H
#define PL_NODE_AUDIT_AUDIT_H

#include "proto/node.pb-c.h"
#include "protocols/base/bytes.h"

#define PL_AUDIT_RECORD_BYTES_MAX 65536

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

/* pl_audit_open opens or creates the log (0600) and checks its chain. A last record that a crash
 * cut short was never acknowledged: it is cut off, and the next record says so. CORRUPT: the chain
 * is broken; the node must not go on writing. */
PL_STATUS pl_audit_open(const char *path, pl_audit **out);
void pl_audit_close(pl_audit *audit);

/* pl_audit_append writes one record and syncs it before it returns. INTERNAL: a mandatory field is
 * missing; IO, LIMIT. */
PL_STATUS pl_audit_append(pl_audit *audit, const pl_audit_event *event);

uint64_t pl_audit_count(const pl_audit *audit);
const char *pl_audit_path(const pl_audit *audit);
void pl_audit_head(const pl_audit *audit, uint8_t out[32]);

/* pl_audit_read visits records from sequence number `from`, at most limit (0: all); the record is
 * borrowed. */
typedef pl_status (*pl_audit_visitor)(const Parley__V1__AuditRecord *record, void *ctx);
PL_STATUS pl_audit_read(const char *path, uint64_t from, uint32_t limit, pl_audit_visitor visit,
                        void *ctx);

/* pl_audit_verify walks the whole file; a fault is a verdict with the record's number, not an
 * error. out is freed by parley__v1__audit_verdict__free_unpacked. */
PL_STATUS pl_audit_verify(const char *path, Parley__V1__AuditVerdict **out);

#endif
