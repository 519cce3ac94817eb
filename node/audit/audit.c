#include "node/audit/audit.h"

#include "node/crypto/digest.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

struct pl_audit {
    int fd;
    char *path;
    uint64_t count;
    uint64_t size; /* of the good part of the file */
    uint8_t head[32];
    bool failed; /* a write failed: nothing may follow an uncertain record */
    bool was_torn;
    uint64_t torn_bytes;
};

/* ---- walking the file ---- */

typedef struct walk {
    FILE *file;
    uint64_t count, size;
    uint8_t head[32];
    uint8_t body[PL_AUDIT_RECORD_BYTES_MAX];
    size_t len;
    char fault[160]; /* the chain is broken here */
    bool torn;       /* the file ends inside a record */
} walk;

/* The hash is the record's last field, 34 bytes on the wire (tag, length, 32 bytes): what stands
 * before it is hashed. */
#define HASH_FIELD_BYTES 34
#define SEQ_FIELD_NUMBER 1
#define HASH_FIELD_NUMBER 14

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
static bool walk_read(walk *w) {
    uint8_t prefix[4];
    size_t got = fread(prefix, 1, sizeof prefix, w->file);
    if (got == 0)
        return false;
    w->torn = true;
    if (got < sizeof prefix)
        return false;
    w->len = pl_get_u32(prefix);
    bool possible = w->len > HASH_FIELD_BYTES && w->len <= PL_AUDIT_RECORD_BYTES_MAX;
    got = possible ? fread(w->body, 1, w->len, w->file) : 0;
    if (!possible || (got < w->len && !is_unfinished(w->body, got, w->count))) {
        w->torn = false;
        snprintf(w->fault, sizeof w->fault, "record %" PRIu64 ": its length was changed", w->count);
        return false;
    }
    w->torn = got < w->len;
    return !w->torn;
}

static void record_hash(const uint8_t *packed, size_t len_without_hash, uint8_t out[32]) {
    pl_digest("audit-record", pl_view_of(packed, len_without_hash), out);
}

/* Parses and checks the record just read against the chain; NULL: fault says why. */
static Parley__V1__AuditRecord *walk_check(walk *w) {
    Parley__V1__AuditRecord *record = parley__v1__audit_record__unpack(NULL, w->len, w->body);
    const char *why = NULL;
    uint8_t hash[32];
    if (record == NULL || record->hash.len != 32) {
        why = "it cannot be read";
    } else {
        record_hash(w->body, w->len - HASH_FIELD_BYTES, hash);
        if (!pl_view_equal(pl_view_of(hash, 32), pl_view_of(record->hash.data, 32)))
            why = "it was changed (its hash does not fit its content)";
        else if (record->seq != w->count)
            why = record->seq > w->count ? "records before it are missing"
                                         : "it stands in the wrong place";
        else if (!pl_view_equal(pl_view_of(w->head, 32),
                                pl_view_of(record->previous.data, record->previous.len)))
            why = "it does not follow the record before it (something was inserted, deleted or "
                  "exchanged)";
    }
    if (why == NULL) {
        memcpy(w->head, record->hash.data, 32);
        w->count++;
        w->size += 4 + w->len;
        return record;
    }
    snprintf(w->fault, sizeof w->fault, "record %" PRIu64 ": %s", w->count, why);
    if (record != NULL)
        parley__v1__audit_record__free_unpacked(record, NULL);
    return NULL;
}

static pl_status walk_open(const char *path, walk **out) {
    walk *w;
    PL_TRY(pl_alloc(1, sizeof *w, &w));
    w->file = fopen(path, "rbe");
    if (w->file == NULL) {
        free(w);
        return pl_fail(PL_IO, "cannot read the audit log %s: %s", path, strerror(errno));
    }
    *out = w;
    return PL_OK;
}

static void walk_close(walk *w) {
    fclose(w->file);
    free(w);
}

static void walk_all(walk *w) {
    while (w->fault[0] == 0 && walk_read(w)) {
        Parley__V1__AuditRecord *record = walk_check(w);
        if (record != NULL)
            parley__v1__audit_record__free_unpacked(record, NULL);
    }
}

pl_status pl_audit_verify(const char *path, Parley__V1__AuditVerdict **out) {
    walk *w;
    PL_TRY(walk_open(path, &w));
    walk_all(w);
    if (w->torn)
        snprintf(w->fault, sizeof w->fault, "record %" PRIu64 ": the file ends inside it",
                 w->count);
    Parley__V1__AuditVerdict *verdict;
    char head[65];
    pl_hex_encode(pl_view_of(w->head, 32), head);
    pl_status status;
    PL_CHECK(status, pl_alloc(1, sizeof *verdict, &verdict));
    parley__v1__audit_verdict__init(verdict);
    verdict->ok = w->fault[0] == 0;
    verdict->records = w->count;
    status = pl_strdup(w->fault, &verdict->fault);
    if (pl_is_ok(status))
        status = pl_strdup(head, &verdict->head);
    if (pl_is_ok(status))
        *out = verdict;
    else
        parley__v1__audit_verdict__free_unpacked(verdict, NULL);
out:
    walk_close(w);
    return status;
}

pl_status pl_audit_read(const char *path, uint64_t from, uint32_t limit, pl_audit_visitor visit,
                        void *ctx) {
    walk *w;
    PL_TRY(walk_open(path, &w));
    pl_status status = PL_OK;
    uint64_t n = 0;
    while (pl_is_ok(status) && (limit == 0 || n < limit) && walk_read(w)) {
        Parley__V1__AuditRecord *record = walk_check(w);
        if (record == NULL)
            break;
        if (record->seq >= from) {
            status = visit(record, ctx);
            n++;
        }
        parley__v1__audit_record__free_unpacked(record, NULL);
    }
    if (pl_is_ok(status) && w->fault[0] != 0)
        status = pl_fail(PL_CORRUPT, "audit log %s: %s", path, w->fault);
    walk_close(w);
    return status;
}

/* ---- opening ---- */

static pl_status load_chain(pl_audit *audit) {
    walk *w;
    PL_TRY(walk_open(audit->path, &w));
    walk_all(w);
    pl_status status = PL_OK;
    if (w->fault[0] != 0)
        status =
            pl_fail(PL_CORRUPT,
                    "audit log %s: %s; keep the file, find out who changed it, and start a new one",
                    audit->path, w->fault);
    audit->count = w->count;
    audit->size = w->size;
    audit->was_torn = w->torn;
    struct stat now = {0};
    if (pl_is_ok(status) && fstat(audit->fd, &now) != 0)
        status = pl_fail(PL_IO, "cannot read the audit log %s: %s", audit->path, strerror(errno));
    audit->torn_bytes = audit->was_torn ? (uint64_t)now.st_size - w->size : 0;
    memcpy(audit->head, w->head, 32);
    walk_close(w);
    if (pl_is_ok(status) && audit->was_torn && ftruncate(audit->fd, (off_t)audit->size) != 0)
        status = pl_fail(PL_IO, "cannot cut the unfinished last record off %s: %s", audit->path,
                         strerror(errno));
    return status;
}

static pl_status note_torn(pl_audit *audit) {
    char content[80];
    snprintf(content, sizeof content, "an unfinished last record of %" PRIu64 " bytes was cut off",
             audit->torn_bytes);
    pl_audit_event event = {
        .user = "system",
        .address = "local",
        .object = "audit",
        .content = content,
        .action = "audit.recover",
        .result = "ok",
        .system = "parley " PARLEY_VERSION,
        .method = "audit",
        .job_id = "",
        .charter_digest = "",
    };
    return pl_audit_append(audit, &event);
}

/* One writer only, a plain file, and nobody else's eyes. */
static pl_status claim(pl_audit *audit, const char *path) {
    struct stat info;
    audit->fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (audit->fd < 0 || fstat(audit->fd, &info) != 0)
        return pl_fail(PL_IO, "cannot open the audit log %s: %s", path, strerror(errno));
    if (!S_ISREG(info.st_mode))
        return pl_fail(PL_IO, "the audit log %s is not a plain file", path);
    if (flock(audit->fd, LOCK_EX | LOCK_NB) != 0)
        return pl_fail(PL_FAILED_PRECONDITION,
                       "the audit log %s is in use: is another node running on this state folder?",
                       path);
    if ((info.st_mode & 077) != 0 && fchmod(audit->fd, 0600) != 0)
        return pl_fail(PL_IO, "cannot close the audit log %s to others: %s", path, strerror(errno));
    return PL_OK;
}

/* A new file's name must survive a crash too. */
static pl_status sync_folder(const char *path) {
    char *folder;
    PL_TRY(pl_strdup(path, &folder));
    char *slash = strrchr(folder, '/');
    if (slash != NULL)
        slash[slash == folder ? 1 : 0] = 0;
    int fd = open(slash == NULL ? "." : folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    pl_status status =
        ok ? PL_OK : pl_fail(PL_IO, "cannot sync the folder of %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    free(folder);
    return status;
}

pl_status pl_audit_open(const char *path, pl_audit **out) {
    pl_audit *audit;
    PL_TRY(pl_alloc(1, sizeof *audit, &audit));
    audit->fd = -1;
    pl_status status;
    PL_CHECK(status, claim(audit, path));
    PL_CHECK(status, pl_strdup(path, &audit->path));
    PL_CHECK(status, load_chain(audit));
    if (audit->count == 0)
        PL_CHECK(status, sync_folder(path));
    if (audit->was_torn)
        PL_CHECK(status, note_torn(audit));
    *out = audit;
    return PL_OK;
out:
    pl_audit_close(audit);
    return status;
}

void pl_audit_close(pl_audit *audit) {
    if (audit == NULL)
        return;
    if (audit->fd >= 0)
        close(audit->fd);
    free(audit->path);
    free(audit);
}

uint64_t pl_audit_count(const pl_audit *audit) {
    return audit->count;
}

const char *pl_audit_path(const pl_audit *audit) {
    return audit->path;
}

void pl_audit_head(const pl_audit *audit, uint8_t out[32]) {
    memcpy(out, audit->head, 32);
}

/* ---- appending ---- */

static pl_status check_fields(const pl_audit_event *e) {
    const struct {
        const char *name, *text;
    } fields[] = {{"user", e->user},       {"address", e->address}, {"object", e->object},
                  {"content", e->content}, {"action", e->action},   {"result", e->result},
                  {"system", e->system},   {"method", e->method}};
    for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
        if (fields[i].text == NULL || *fields[i].text == 0)
            return pl_fail(PL_INTERNAL, "an audit record lacks its field %s", fields[i].name);
    }
    return PL_OK;
}

static char *text_of(const char *text) {
    return (char *)(uintptr_t)(text == NULL ? "" : text);
}

/* Packs twice: without the hash to compute it, then with it; the hash is the last field on the
 * wire. */
static pl_status pack_record(pl_audit *audit, const pl_audit_event *e, uint8_t hash[32],
                             pl_bytes *out) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    Parley__V1__AuditRecord record = PARLEY__V1__AUDIT_RECORD__INIT;
    record.seq = audit->count;
    record.time_ms = (int64_t)now.tv_sec * 1000 + now.tv_nsec / 1000000;
    record.user = text_of(e->user);
    record.address = text_of(e->address);
    record.object = text_of(e->object);
    record.content = text_of(e->content);
    record.action = text_of(e->action);
    record.result = text_of(e->result);
    record.system = text_of(e->system);
    record.method = text_of(e->method);
    record.job_id = text_of(e->job_id);
    record.charter_digest = text_of(e->charter_digest);
    record.previous = (ProtobufCBinaryData){32, audit->head};
    size_t len = parley__v1__audit_record__get_packed_size(&record);
    if (len + HASH_FIELD_BYTES > PL_AUDIT_RECORD_BYTES_MAX)
        return pl_fail(PL_LIMIT, "an audit record of %zu bytes is too large", len);
    PL_TRY(pl_alloc(4 + len + HASH_FIELD_BYTES, 1, &out->data));
    out->len = 4 + len + HASH_FIELD_BYTES;
    parley__v1__audit_record__pack(&record, out->data + 4);
    record_hash(out->data + 4, len, hash);
    record.hash = (ProtobufCBinaryData){32, hash};
    PL_ASSERT(parley__v1__audit_record__pack(&record, out->data + 4) == len + HASH_FIELD_BYTES);
    pl_put_u32(out->data, (uint32_t)(len + HASH_FIELD_BYTES));
    return PL_OK;
}

static pl_status write_synced(pl_audit *audit, const pl_bytes *bytes) {
    for (size_t done = 0; done < bytes->len;) {
        ssize_t n = write(audit->fd, bytes->data + done, bytes->len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return pl_fail(errno == ENOSPC ? PL_LIMIT : PL_IO,
                           "cannot write to the audit log %s: %s", audit->path, strerror(errno));
        done += (size_t)n;
    }
    if (fdatasync(audit->fd) != 0) {
        audit->failed = true; /* what is on disk now, nobody knows */
        return pl_fail(PL_IO, "cannot sync the audit log %s: %s", audit->path, strerror(errno));
    }
    return PL_OK;
}

/* A half-written record is taken back, so that the log goes on when there is room again; if that
 * fails too, it stays shut. */
static void take_back(pl_audit *audit) {
    if (ftruncate(audit->fd, (off_t)audit->size) != 0)
        audit->failed = true;
}

pl_status pl_audit_append(pl_audit *audit, const pl_audit_event *event) {
    if (audit->failed)
        return pl_fail(PL_IO, "the audit log %s could not be written before: restart the node",
                       audit->path);
    PL_TRY(check_fields(event));
    uint8_t hash[32];
    pl_bytes bytes = {0};
    PL_TRY(pack_record(audit, event, hash, &bytes));
    pl_status status = write_synced(audit, &bytes);
    if (pl_is_ok(status)) {
        memcpy(audit->head, hash, 32);
        audit->count++;
        audit->size += bytes.len;
    } else {
        take_back(audit);
    }
    pl_bytes_done(&bytes);
    return status;
}
