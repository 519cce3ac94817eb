#include "node/store/db.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct pl_db {
    sqlite3 *handle;
    char *path;
    unsigned depth; /* of open begins */
    bool rolled_back;
    bool grouping, group_open, group_due;
};

struct pl_stmt {
    pl_db *db;
    sqlite3_stmt *handle;
    bool lazy;
};

static pl_status db_fail(const pl_db *db, const char *what) {
    int code = db->handle == NULL ? SQLITE_NOMEM : sqlite3_errcode(db->handle);
    pl_code kind = PL_IO;
    if (code == SQLITE_FULL || code == SQLITE_NOMEM || code == SQLITE_TOOBIG)
        kind = PL_LIMIT;
    else if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
        kind = PL_CORRUPT;
    else if (code == SQLITE_CONSTRAINT)
        kind = PL_ALREADY_EXISTS;
    else if (code == SQLITE_ERROR || code == SQLITE_MISUSE || code == SQLITE_RANGE)
        kind = PL_INTERNAL;
    return pl_fail(kind, "cannot %s in the database %s: %s", what, db->path, sqlite3_errstr(code));
}

pl_status pl_db_exec(pl_db *db, const char *sql) {
    return sqlite3_exec(db->handle, sql, NULL, NULL, NULL) == SQLITE_OK
               ? PL_OK
               : db_fail(db, "run a statement");
}

/* ---- opening ---- */

static pl_status migrate(pl_db *db, const char *const *migrations, size_t n) {
    pl_stmt *stmt = NULL;
    bool has_row = false;
    PL_TRY(pl_stmt_prepare(db, "PRAGMA user_version", &stmt));
    pl_status status = pl_stmt_step(stmt, &has_row);
    int64_t version = has_row ? pl_stmt_i64(stmt, 0) : 0;
    pl_stmt_free(stmt);
    PL_TRY(status);
    if (version > (int64_t)n)
        return pl_fail(PL_UNSUPPORTED, "the database %s was written by a newer version of Parley",
                       db->path);
    for (size_t i = (size_t)version; i < n; i++) {
        char set_version[64];
        snprintf(set_version, sizeof set_version, "PRAGMA user_version = %zu", i + 1);
        PL_TRY(pl_db_begin(db));
        status = pl_db_exec(db, migrations[i]);
        if (pl_is_ok(status))
            status = pl_db_exec(db, set_version);
        if (!pl_is_ok(status)) {
            pl_db_rollback(db);
            return status;
        }
        PL_TRY(pl_db_commit(db));
    }
    return PL_OK;
}

static pl_status open_file(pl_db *db) {
    /* Created here so that the mode is right from the first byte; SQLite's own files copy it. */
    int fd = open(db->path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return pl_fail(PL_IO, "cannot create the database %s", db->path);
    close(fd);
    if (sqlite3_open_v2(db->path, &db->handle, SQLITE_OPEN_READWRITE, NULL) != SQLITE_OK)
        return db_fail(db, "open");
    sqlite3_busy_timeout(db->handle, 5000);
    return pl_db_exec(
        db, "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
            "PRAGMA secure_delete = ON; PRAGMA trusted_schema = OFF;");
}

pl_status pl_db_open(const char *path, const char *const *migrations, size_t n_migrations,
                     pl_db **out) {
    pl_db *db;
    PL_TRY(pl_alloc(1, sizeof *db, &db));
    pl_status status = pl_strdup(path, &db->path);
    if (pl_is_ok(status))
        status = open_file(db);
    if (pl_is_ok(status))
        status = migrate(db, migrations, n_migrations);
    if (pl_is_ok(status))
        *out = db;
    else
        pl_db_close(db);
    return status;
}

void pl_db_close(pl_db *db) {
    if (db == NULL)
        return;
    if (db->handle != NULL && db->group_open)
        sqlite3_exec(db->handle, "COMMIT", NULL, NULL, NULL); /* nobody is left to be told */
    sqlite3_close_v2(db->handle);
    free(db->path);
    free(db);
}

/* ---- transactions ---- */

static pl_status commit_now(pl_db *db) {
    pl_status status = pl_db_exec(db, "COMMIT");
    if (!pl_is_ok(status) && sqlite3_get_autocommit(db->handle) == 0)
        sqlite3_exec(db->handle, "ROLLBACK", NULL, NULL, NULL);
    return status;
}

void pl_db_group(pl_db *db) {
    db->grouping = true;
}

/* After some errors (no space, no memory) SQLite undoes the whole transaction. What follows must
 * not be kept without what came before: it fails until the flush has said so. */
static pl_status check_group(const pl_db *db) {
    if (db->group_open && sqlite3_get_autocommit(db->handle) != 0)
        return pl_fail(PL_IO, "the database %s has undone a group of changes", db->path);
    return PL_OK;
}

pl_status pl_db_flush(pl_db *db, bool all) {
    if (!db->group_open || db->depth > 0 || !(all || db->group_due))
        return PL_OK;
    pl_status status = check_group(db);
    db->group_open = db->group_due = false;
    return pl_is_ok(status) ? commit_now(db) : status;
}

/* A statement that writes, outside a begin, opens the group. */
static pl_status group_join(pl_stmt *stmt) {
    pl_db *db = stmt->db;
    if (!db->grouping || db->depth > 0 || sqlite3_stmt_readonly(stmt->handle) != 0)
        return PL_OK;
    if (!db->group_open)
        PL_TRY(pl_db_exec(db, "BEGIN IMMEDIATE"));
    else
        PL_TRY(check_group(db));
    db->group_open = true;
    db->group_due |= !stmt->lazy;
    return PL_OK;
}

void pl_stmt_lazy(pl_stmt *stmt) {
    stmt->lazy = true;
}

pl_status pl_db_begin(pl_db *db) {
    if (db->depth == 0) {
        PL_TRY(check_group(db));
        PL_TRY(pl_db_exec(db, db->group_open ? "SAVEPOINT step" : "BEGIN IMMEDIATE"));
        db->rolled_back = false;
    }
    db->depth++;
    return PL_OK;
}

pl_status pl_db_commit(pl_db *db) {
    PL_ASSERT(db->depth > 0);
    db->depth--;
    if (db->rolled_back)
        return pl_fail(PL_FAILED_PRECONDITION, "a part of the transaction in %s failed", db->path);
    if (db->depth > 0)
        return PL_OK;
    if (!db->group_open)
        return commit_now(db);
    PL_TRY(pl_db_exec(db, "RELEASE step"));
    return pl_db_flush(db, true);
}

/* Undoes what came after the outermost begin. */
static void undo(pl_db *db) {
    if (sqlite3_get_autocommit(db->handle) != 0)
        return; /* SQLite has already undone everything */
    sqlite3_exec(db->handle, db->group_open ? "ROLLBACK TO step; RELEASE step" : "ROLLBACK", NULL,
                 NULL, NULL);
}

void pl_db_rollback(pl_db *db) {
    if (db->depth == 0)
        return;
    db->depth--;
    if (!db->rolled_back)
        undo(db);
    db->rolled_back = db->depth > 0;
}

/* ---- statements ---- */

pl_status pl_stmt_prepare(pl_db *db, const char *sql, pl_stmt **out) {
    pl_stmt *stmt;
    PL_TRY(pl_alloc(1, sizeof *stmt, &stmt));
    stmt->db = db;
    if (sqlite3_prepare_v2(db->handle, sql, -1, &stmt->handle, NULL) != SQLITE_OK) {
        free(stmt);
        return db_fail(db, "prepare a statement");
    }
    *out = stmt;
    return PL_OK;
}

static pl_status bound(const pl_stmt *stmt, int code) {
    return code == SQLITE_OK ? PL_OK : db_fail(stmt->db, "bind a value");
}

pl_status pl_stmt_bind_i64(pl_stmt *stmt, int i, int64_t value) {
    return bound(stmt, sqlite3_bind_int64(stmt->handle, i, value));
}

pl_status pl_stmt_bind_text(pl_stmt *stmt, int i, const char *text) {
    return bound(stmt, sqlite3_bind_text(stmt->handle, i, text, -1, SQLITE_TRANSIENT));
}

pl_status pl_stmt_bind_blob(pl_stmt *stmt, int i, pl_view blob) {
    if (blob.len == 0)
        return bound(stmt, sqlite3_bind_zeroblob(stmt->handle, i, 0));
    return bound(stmt, sqlite3_bind_blob64(stmt->handle, i, blob.data, blob.len, SQLITE_TRANSIENT));
}

pl_status pl_stmt_step(pl_stmt *stmt, bool *out_has_row) {
    *out_has_row = false;
    PL_TRY(group_join(stmt));
    int code = sqlite3_step(stmt->handle);
    *out_has_row = code == SQLITE_ROW;
    return code == SQLITE_ROW || code == SQLITE_DONE ? PL_OK : db_fail(stmt->db, "run a statement");
}

int64_t pl_stmt_i64(pl_stmt *stmt, int column) {
    return sqlite3_column_int64(stmt->handle, column);
}

const char *pl_stmt_text(pl_stmt *stmt, int column) {
    const unsigned char *text = sqlite3_column_text(stmt->handle, column);
    return text == NULL ? "" : (const char *)text;
}

pl_view pl_stmt_blob(pl_stmt *stmt, int column) {
    const void *data = sqlite3_column_blob(stmt->handle, column);
    return pl_view_of(data, data == NULL ? 0 : (size_t)sqlite3_column_bytes(stmt->handle, column));
}

void pl_stmt_reset(pl_stmt *stmt) {
    sqlite3_reset(stmt->handle);
    sqlite3_clear_bindings(stmt->handle);
}

void pl_stmt_free(pl_stmt *stmt) {
    if (stmt == NULL)
        return;
    sqlite3_finalize(stmt->handle);
    free(stmt);
}
