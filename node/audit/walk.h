/* Walk: reads the log's file record by record, holds each against the chain and, where there is
 * one, against the tree beside it, and finds words for what does not fit. Private to this folder.
 */
#ifndef PL_NODE_AUDIT_WALK_H
#define PL_NODE_AUDIT_WALK_H

#include "node/audit/audit.h"
#include "node/audit/tree.h"

#include <stdio.h>

/* The hash is the record's last field, 34 bytes on the wire (tag, length, 32 bytes): what stands
 * before it is hashed. */
#define PL_WALK_HASH_FIELD_BYTES 34

/* A clock that is put right by more than this between two records is worth an auditor's look. */
#define PL_WALK_CLOCK_STEP_MS 120000

typedef enum pl_walk_kind {
    PL_WALK_FINE,
    PL_WALK_CHANGE,
    PL_WALK_DELETION,
    PL_WALK_INSERTION,
    PL_WALK_TRUNCATION,
    PL_WALK_FORK
} pl_walk_kind;
const char *pl_walk_kind_name(pl_walk_kind kind); /* "change"; "" for PL_WALK_FINE */

typedef struct pl_walk {
    FILE *file;
    const pl_tree *tree;  /* NULL or closed: none to compare with */
    uint64_t count, size; /* good records and their bytes */
    uint8_t head[32];     /* hash of the last good record */
    uint8_t before[32];   /* of the one before it */
    uint8_t body[PL_AUDIT_RECORD_BYTES_MAX];
    size_t len;
    pl_merkle_hash leaf;              /* of the record just read */
    bool torn;                        /* the file ends inside a record */
    int64_t time_ms;                  /* of the last good record */
    uint64_t clock_steps, clock_step; /* how often the clock went back, and where first */
    pl_walk_kind kind;
    uint64_t record; /* the fault's */
    char fault[256];
} pl_walk;

/* pl_walk_open starts at the file's beginning; pl_walk_from where a checkpoint stands. */
PL_STATUS pl_walk_open(const char *path, const pl_tree *tree, pl_walk **out);
PL_STATUS pl_walk_from(pl_walk *walk, uint64_t count, uint64_t size, const uint8_t head[32]);
void pl_walk_close(pl_walk *walk);

/* pl_walk_next gives the next record, the caller's to free; NULL at the end, or when kind says what
 * is wrong, or torn. */
Parley__V1__AuditRecord *pl_walk_next(pl_walk *walk);

/* pl_walk_end looks whether the tree knows more records than the file had; call it after the last.
 */
void pl_walk_end(pl_walk *walk);

void pl_walk_blame(pl_walk *walk, pl_walk_kind kind, uint64_t record, const char *format, ...)
    PL_PRINTF(4, 5);

void pl_walk_record_hash(const uint8_t *packed, size_t len_without_hash, uint8_t out[32]);

#endif
