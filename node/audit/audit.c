#include "node/audit/audit.h"

#include "node/audit/tree.h"
#include "node/audit/walk.h"
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
    pl_tree tree;
    uint64_t checkpoint_every, checkpoint; /* records, records at the last one */
    bool failed; /* a write failed: nothing may follow an uncertain record */
    bool was_torn;
    uint64_t torn_bytes;
};

static pl_status beside(const char *path, const char *suffix, char **out) {
    pl_buf buf = {0};
    pl_bytes bytes;
    pl_buf_printf(&buf, "%s%s", path, suffix);
    PL_TRY(pl_buf_take(&buf, &bytes));
    *out = (char *)bytes.data;
    return PL_OK;
}

/* ---- checkpoints: where the log stood when all before it had been checked ---- */

/* count, size, head, root, and a digest that tells a whole one from a torn one. */
#define POINT_BYTES (8 + 8 + 32 + 32)

static pl_status point_file(const char *path, const uint8_t point[POINT_BYTES + 32]) {
    char *temporary;
    PL_TRY(beside(path, ".new", &temporary));
    int fd = open(temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    bool ok = fd >= 0 && write(fd, point, POINT_BYTES + 32) == POINT_BYTES + 32;
    if (fd >= 0)
        close(fd);
    pl_status status = ok && rename(temporary, path) == 0
                           ? PL_OK
                           : pl_fail(PL_IO, "cannot write the audit log's checkpoint %s: %s", path,
                                     strerror(errno));
    free(temporary);
    return status;
}

static pl_status write_point(pl_audit *audit) {
    uint8_t point[POINT_BYTES + 32];
    char *path;
    pl_merkle_hash root = pl_merkle_root(&audit->tree.merkle);
    pl_put_u64(point, audit->count);
    pl_put_u64(point + 8, audit->size);
    memcpy(point + 16, audit->head, 32);
    memcpy(point + 48, root.bytes, 32);
    pl_digest("audit-checkpoint", pl_view_of(point, POINT_BYTES), point + POINT_BYTES);
    PL_TRY(pl_tree_sync(&audit->tree));
    PL_TRY(beside(audit->path, ".point", &path));
    pl_status status = point_file(path, point);
    free(path);
    if (pl_is_ok(status))
        audit->checkpoint = audit->count;
    return status;
}

/* A checkpoint only saves time: the log goes on without, and the next start takes longer. */
static void keep_point(pl_audit *audit) {
    if (audit->count - audit->checkpoint < audit->checkpoint_every)
        return;
    pl_status status = write_point(audit);
    if (!pl_is_ok(status))
        audit->checkpoint = audit->count; /* tried again after as many records */
    pl_status_done(&status);
}

static bool read_point(const char *log_path, uint8_t point[POINT_BYTES]) {
    uint8_t whole[POINT_BYTES + 32 + 1], digest[32];
    char *path;
    pl_status status = beside(log_path, ".point", &path);
    if (!pl_is_ok(status)) {
        pl_status_done(&status); /* as if there were none */
        return false;
    }
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    bool ok = fd >= 0 && read(fd, whole, sizeof whole) == POINT_BYTES + 32;
    if (fd >= 0)
        close(fd);
    free(path);
    if (!ok)
        return false;
    pl_digest("audit-checkpoint", pl_view_of(whole, POINT_BYTES), digest);
    memcpy(point, whole, POINT_BYTES);
    return memcmp(digest, whole + POINT_BYTES, 32) == 0;
}

/* Takes the walk to the checkpoint, if there is one that log and tree bear out. */
static pl_status skip_checked(pl_audit *audit, pl_walk *w) {
    uint8_t point[POINT_BYTES];
    struct stat now;
    if (!read_point(audit->path, point) || fstat(audit->fd, &now) != 0 ||
        (uint64_t)now.st_size < pl_get_u64(point + 8))
        return PL_OK;
    pl_merkle_hash root;
    memcpy(root.bytes, point + 48, 32);
    pl_status status = pl_tree_load(&audit->tree, pl_get_u64(point), &root);
    if (!pl_is_ok(status)) {
        pl_status_done(&status); /* another tree: all is read */
        return PL_OK;
    }
    audit->checkpoint = pl_get_u64(point);
    return pl_walk_from(w, audit->checkpoint, pl_get_u64(point + 8), point + 16);
}

/* ---- opening ---- */

static pl_status walk_all(pl_audit *audit, pl_walk *w) {
    PL_TRY(skip_checked(audit, w));
    for (Parley__V1__AuditRecord *record; (record = pl_walk_next(w)) != NULL;) {
        parley__v1__audit_record__free_unpacked(record, NULL);
        PL_TRY(pl_tree_add(&audit->tree, &w->leaf));
    }
    pl_walk_end(w);
    if (w->kind != PL_WALK_FINE)
        return pl_fail(
            PL_CORRUPT,
            "audit log %s: %s: %s; keep the folder, find out who changed it, and start a new one",
            audit->path, pl_walk_kind_name(w->kind), w->fault);
    return PL_OK;
}

static pl_status cut_torn(pl_audit *audit) {
    struct stat now;
    if (fstat(audit->fd, &now) != 0)
        return pl_fail(PL_IO, "cannot read the audit log %s: %s", audit->path, strerror(errno));
    audit->torn_bytes = (uint64_t)now.st_size - audit->size;
    if (ftruncate(audit->fd, (off_t)audit->size) != 0)
        return pl_fail(PL_IO, "cannot cut the unfinished last record off %s: %s", audit->path,
                       strerror(errno));
    return PL_OK;
}

static pl_status load_chain(pl_audit *audit) {
    pl_walk *w;
    PL_TRY(pl_walk_open(audit->path, &audit->tree, &w));
    pl_status status = walk_all(audit, w);
    audit->count = w->count;
    audit->size = w->size;
    audit->was_torn = w->torn;
    memcpy(audit->head, w->head, 32);
    pl_walk_close(w);
    if (pl_is_ok(status) && audit->was_torn)
        status = cut_torn(audit);
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
    char *tree_path = NULL;
    audit->fd = audit->tree.fd = -1;
    audit->checkpoint_every = PL_AUDIT_CHECKPOINT_RECORDS;
    pl_status status;
    PL_CHECK(status, claim(audit, path));
    PL_CHECK(status, pl_strdup(path, &audit->path));
    PL_CHECK(status, beside(path, ".tree", &tree_path));
    PL_CHECK(status, pl_tree_open(tree_path, &audit->tree));
    PL_CHECK(status, load_chain(audit));
    if (audit->count == 0)
        PL_CHECK(status, sync_folder(path));
    if (audit->was_torn)
        PL_CHECK(status, note_torn(audit));
    keep_point(audit);
    *out = audit;
out:
    free(tree_path);
    if (!pl_is_ok(status))
        pl_audit_close(audit);
    return status;
}

void pl_audit_close(pl_audit *audit) {
    if (audit == NULL)
        return;
    if (audit->fd >= 0)
        close(audit->fd);
    pl_tree_done(&audit->tree);
    free(audit->path);
    free(audit);
}

void pl_audit_checkpoint_every(pl_audit *audit, uint64_t n_records) {
    audit->checkpoint_every = n_records;
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

/* ---- the tree ---- */

pl_merkle_hash pl_audit_root(const pl_audit *audit) {
    return pl_merkle_root(&audit->tree.merkle);
}

pl_status pl_audit_root_at(pl_audit *audit, uint64_t size, pl_merkle_hash *out) {
    if (size > audit->count)
        return pl_fail(PL_FAILED_PRECONDITION,
                       "the audit log has %" PRIu64 " records, not %" PRIu64, audit->count, size);
    return pl_merkle_root_at(pl_tree_read, &audit->tree, size, out);
}

static pl_status damaged(const pl_audit *audit) {
    return pl_fail(
        PL_CORRUPT,
        "the audit log's tree %s was damaged: remove it and restart the node, which makes "
        "it again from the log",
        audit->tree.path);
}

pl_status pl_audit_consistency(pl_audit *audit, uint64_t from, pl_merkle_path *out) {
    pl_merkle_hash old, now = pl_audit_root(audit);
    PL_TRY(pl_audit_root_at(audit, from, &old));
    PL_TRY(pl_merkle_consistency(pl_tree_read, &audit->tree, from, audit->count, out));
    return pl_merkle_check_consistency(from, audit->count, &old, &now, out) ? PL_OK
                                                                            : damaged(audit);
}

pl_status pl_audit_inclusion(pl_audit *audit, uint64_t index, pl_merkle_path *out) {
    pl_merkle_hash leaf, now = pl_audit_root(audit);
    if (index >= audit->count)
        return pl_fail(PL_NOT_FOUND, "the audit log has no record %" PRIu64, index);
    PL_TRY(pl_tree_read(0, index, &leaf, &audit->tree));
    PL_TRY(pl_merkle_inclusion(pl_tree_read, &audit->tree, index, audit->count, out));
    return pl_merkle_check_inclusion(index, audit->count, &leaf, out, &now) ? PL_OK
                                                                            : damaged(audit);
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
    if (len + PL_WALK_HASH_FIELD_BYTES > PL_AUDIT_RECORD_BYTES_MAX)
        return pl_fail(PL_LIMIT, "an audit record of %zu bytes is too large", len);
    PL_TRY(pl_alloc(4 + len + PL_WALK_HASH_FIELD_BYTES, 1, &out->data));
    out->len = 4 + len + PL_WALK_HASH_FIELD_BYTES;
    parley__v1__audit_record__pack(&record, out->data + 4);
    pl_walk_record_hash(out->data + 4, len, hash);
    record.hash = (ProtobufCBinaryData){32, hash};
    PL_ASSERT(parley__v1__audit_record__pack(&record, out->data + 4) ==
              len + PL_WALK_HASH_FIELD_BYTES);
    pl_put_u32(out->data, (uint32_t)(len + PL_WALK_HASH_FIELD_BYTES));
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

/* A half-written record, or one that the tree has no room for, is taken back, so that the log goes
 * on when there is room again; if that fails too, it stays shut. */
static void take_back(pl_audit *audit) {
    if (ftruncate(audit->fd, (off_t)audit->size) != 0)
        audit->failed = true;
}

/* Log first, tree second: a tree that knows more than the log means that the log was cut. */
static pl_status write_both(pl_audit *audit, const pl_bytes *bytes) {
    pl_merkle_hash leaf = pl_merkle_leaf(pl_view_of(bytes->data + 4, bytes->len - 4));
    pl_status status = write_synced(audit, bytes);
    if (pl_is_ok(status))
        status = pl_tree_add(&audit->tree, &leaf);
    if (!pl_is_ok(status))
        take_back(audit);
    return status;
}

pl_status pl_audit_append(pl_audit *audit, const pl_audit_event *event) {
    if (audit->failed)
        return pl_fail(PL_IO, "the audit log %s could not be written before: restart the node",
                       audit->path);
    PL_TRY(check_fields(event));
    uint8_t hash[32];
    pl_bytes bytes = {0};
    PL_TRY(pack_record(audit, event, hash, &bytes));
    pl_status status = write_both(audit, &bytes);
    if (pl_is_ok(status)) {
        memcpy(audit->head, hash, 32);
        audit->count++;
        audit->size += bytes.len;
        keep_point(audit);
    }
    pl_bytes_done(&bytes);
    return status;
}
