#include "node/audit/walk.h"

#include "node/crypto/digest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#define SEQ_FIELD_NUMBER 1
#define HASH_FIELD_NUMBER 14

const char *pl_walk_kind_name(pl_walk_kind kind) {
    static const char *const names[] = {"",          "change",     "deletion",
                                        "insertion", "truncation", "fork"};
    return names[kind];
}

void pl_walk_blame(pl_walk *walk, pl_walk_kind kind, uint64_t record, const char *format, ...) {
    va_list args;
    walk->kind = kind;
    walk->record = record;
    int n = snprintf(walk->fault, sizeof walk->fault, "record %" PRIu64 ": ", record);
    va_start(args, format);
    vsnprintf(walk->fault + n, sizeof walk->fault - (size_t)n, format, args);
    va_end(args);
}

void pl_walk_record_hash(const uint8_t *packed, size_t len_without_hash, uint8_t out[32]) {
    pl_digest("audit-record", pl_view_of(packed, len_without_hash), out);
}

/* ---- raw records ---- */

static bool read_varint(const uint8_t *data, size_t len, size_t *at, uint64_t *out) {
    *out = 0;
    for (unsigned shift = 0; *at < len && shift < 64; shift += 7) {
        uint8_t byte = data[(*at)++];
        *out |= (uint64_t)(byte & 0x7f) << shift;
        if (byte < 0x80)
            return true;
    }
    return false;
}

/* Is this the beginning of one record, short of its hash? A crash leaves exactly that. A whole
 * record, or anything else, under a length that is too large was put there: it is no torn record,
 * and cutting it off would destroy evidence. */
static bool is_unfinished(const uint8_t *data, size_t len, uint64_t seq) {
    uint64_t last = 0;
    for (size_t at = 0; at < len;) {
        uint64_t tag, value;
        if (!read_varint(data, len, &at, &tag))
            return true;
        bool bytes = (tag & 7) == 2;
        if (last == 0 && (tag >> 3 == SEQ_FIELD_NUMBER) != (seq > 0)) /* 0 is not on the wire */
            return false;
        if (tag >> 3 <= last || tag >> 3 > HASH_FIELD_NUMBER || (!bytes && (tag & 7) != 0))
            return false;
        last = tag >> 3;
        if (!read_varint(data, len, &at, &value))
            return true;
        if ((last == SEQ_FIELD_NUMBER && value != seq) ||
            (last == HASH_FIELD_NUMBER && value != 32))
            return false;
        if (bytes && value > len - at)
            return true;
        at += bytes ? (size_t)value : 0;
        if (last == HASH_FIELD_NUMBER)
            return false;
    }
    return true;
}

/* Reads the next record's bytes; false at the end, torn or not. */
static bool read_body(pl_walk *w) {
    uint8_t prefix[4];
    size_t got = fread(prefix, 1, sizeof prefix, w->file);
    w->torn = got != 0;
    if (got < sizeof prefix)
        return false;
    w->len = pl_get_u32(prefix);
    bool possible = w->len > PL_WALK_HASH_FIELD_BYTES && w->len <= PL_AUDIT_RECORD_BYTES_MAX;
    got = possible ? fread(w->body, 1, w->len, w->file) : 0;
    w->torn = possible && got < w->len && is_unfinished(w->body, got, w->count);
    if (w->torn || (possible && got == w->len))
        return !w->torn;
    pl_walk_blame(w, PL_WALK_CHANGE, w->count, "its length was changed");
    return false;
}

/* A record that is whole in itself: its hash is its content's. NULL: it is not. */
static Parley__V1__AuditRecord *parse(pl_walk *w, bool *out_readable) {
    Parley__V1__AuditRecord *record = parley__v1__audit_record__unpack(NULL, w->len, w->body);
    uint8_t hash[32];
    *out_readable = record != NULL && record->hash.len == 32;
    if (*out_readable) {
        pl_walk_record_hash(w->body, w->len - PL_WALK_HASH_FIELD_BYTES, hash);
        if (memcmp(hash, record->hash.data, 32) == 0) {
            w->leaf = pl_merkle_leaf(pl_view_of(w->body, w->len));
            return record;
        }
    }
    if (record != NULL)
        parley__v1__audit_record__free_unpacked(record, NULL);
    return NULL;
}

/* ---- does it belong here? ---- */

static bool follows(const Parley__V1__AuditRecord *record, const uint8_t hash[32]) {
    return pl_view_equal(pl_view_of(hash, 32),
                         pl_view_of(record->previous.data, record->previous.len));
}

static bool fits_tree(const pl_walk *w) {
    pl_merkle_hash stored;
    return w->tree == NULL || w->tree->fd < 0 || !pl_tree_stored(w->tree, w->count, &stored) ||
           pl_merkle_equal(&stored, &w->leaf);
}

static bool belongs(const pl_walk *w, const Parley__V1__AuditRecord *record) {
    return record->seq == w->count && follows(record, w->head) && fits_tree(w);
}

/* How many records stand before the one that belongs here; 0: it is nowhere. */
static uint64_t skip_to_right_one(pl_walk *w) {
    pl_walk_kind kind = w->kind;
    uint64_t skipped = 0;
    bool found = false;
    for (uint64_t n = 1; !found && read_body(w); n++) {
        bool readable;
        Parley__V1__AuditRecord *record = parse(w, &readable);
        found = record != NULL && belongs(w, record);
        skipped = found ? n : 0;
        if (record != NULL)
            parley__v1__audit_record__free_unpacked(record, NULL);
    }
    w->kind = kind; /* what else is wrong further on is not this fault */
    w->torn = false;
    return skipped;
}

/* A whole record with this number and predecessor does not belong here. */
static void blame_whole(pl_walk *w, uint64_t seq, bool follows_head, bool follows_before) {
    uint64_t at = w->count;
    if (at > 0 && seq == at - 1 && follows_before)
        pl_walk_blame(w, PL_WALK_INSERTION, at - 1,
                      "it was inserted (the record after it has its number)");
    else if (seq > at)
        pl_walk_blame(w, PL_WALK_DELETION, at,
                      "it was deleted (records %" PRIu64 " to %" PRIu64 " are missing)", at,
                      seq - 1);
    else if (seq < at)
        pl_walk_blame(w, PL_WALK_INSERTION, at,
                      "it was inserted (it stands in the wrong place: it is record %" PRIu64 ")",
                      seq);
    else if (!follows_head)
        pl_walk_blame(w, PL_WALK_CHANGE, at,
                      "it was exchanged (it does not follow the record before it)");
    else
        pl_walk_blame(
            w, PL_WALK_FORK, at,
            "it is not the record that was written here: from here on the log was written "
            "anew (the tree beside it has another)");
}

/* record NULL: its hash does not fit, or it cannot be read. */
static void explain(pl_walk *w, const Parley__V1__AuditRecord *record, bool readable) {
    bool follows_head = record != NULL && follows(record, w->head);
    bool follows_before = record != NULL && follows(record, w->before);
    uint64_t n = skip_to_right_one(w);
    if (n > 0)
        pl_walk_blame(w, PL_WALK_INSERTION, w->count,
                      "%" PRIu64 " record%s inserted or moved in front of it", n,
                      n == 1 ? " was" : "s were");
    else if (record != NULL)
        blame_whole(w, record->seq, follows_head, follows_before);
    else
        pl_walk_blame(w, PL_WALK_CHANGE, w->count, "%s",
                      readable ? "it was changed (its hash does not fit its content)"
                               : "it was changed (it cannot be read)");
}

static void note_time(pl_walk *w, int64_t time_ms) {
    if (w->count > 0 && time_ms < w->time_ms - PL_WALK_CLOCK_STEP_MS && w->clock_steps++ == 0)
        w->clock_step = w->count;
    w->time_ms = time_ms;
}

Parley__V1__AuditRecord *pl_walk_next(pl_walk *w) {
    bool readable;
    if (w->kind != PL_WALK_FINE || !read_body(w))
        return NULL;
    Parley__V1__AuditRecord *record = parse(w, &readable);
    if (record != NULL && belongs(w, record)) {
        note_time(w, record->time_ms);
        memcpy(w->before, w->head, 32);
        memcpy(w->head, record->hash.data, 32);
        w->count++;
        w->size += 4 + w->len;
        return record;
    }
    explain(w, record, readable);
    if (record != NULL)
        parley__v1__audit_record__free_unpacked(record, NULL);
    return NULL;
}

void pl_walk_end(pl_walk *w) {
    pl_merkle_hash stored;
    if (w->kind == PL_WALK_FINE && w->tree != NULL && w->tree->fd >= 0 &&
        pl_tree_stored(w->tree, w->count, &stored))
        pl_walk_blame(w, PL_WALK_TRUNCATION, w->count,
                      "the end was cut off (the tree beside the log has %" PRIu64
                      " records, the log %" PRIu64 ")",
                      w->tree->n_stored, w->count);
}

/* ---- opening ---- */

pl_status pl_walk_open(const char *path, const pl_tree *tree, pl_walk **out) {
    pl_walk *w;
    PL_TRY(pl_alloc(1, sizeof *w, &w));
    w->tree = tree;
    w->file = fopen(path, "rbe");
    if (w->file == NULL) {
        free(w);
        return pl_fail(PL_IO, "cannot read the audit log %s: %s", path, strerror(errno));
    }
    *out = w;
    return PL_OK;
}

pl_status pl_walk_from(pl_walk *walk, uint64_t count, uint64_t size, const uint8_t head[32]) {
    if (fseeko(walk->file, (off_t)size, SEEK_SET) != 0)
        return pl_fail(PL_IO, "cannot read the audit log: %s", strerror(errno));
    walk->count = count;
    walk->size = size;
    memcpy(walk->head, head, 32);
    return PL_OK;
}

void pl_walk_close(pl_walk *walk) {
    fclose(walk->file);
    free(walk);
}
