/* Store: a thin wrapper over SQLite. Files are 0600, WAL, synced at every commit
 * (synchronous=FULL): what a commit or a flush returned for survives a crash. Errors name the file
 * and what was attempted, never a value. One thread per handle. */
#ifndef PL_NODE_STORE_DB_H
#define PL_NODE_STORE_DB_H

#include "protocols/base/bytes.h"

typedef struct pl_db pl_db;
typedef struct pl_stmt pl_stmt;

/* pl_db_open opens or creates path and brings its schema up: migrations[i] takes user_version i to
 * i + 1. UNSUPPORTED: the file was written by a newer version. IO, LIMIT (disk full), CORRUPT. */
PL_STATUS pl_db_open(const char *path, const char *const *migrations, size_t n_migrations,
                     pl_db **out);
void pl_db_close(pl_db *db);

PL_STATUS pl_db_exec(pl_db *db, const char *sql);
/* Begins nest: only the outermost pair counts. */
PL_STATUS pl_db_begin(pl_db *db);
PL_STATUS pl_db_commit(pl_db *db);
void pl_db_rollback(pl_db *db); /* of the whole transaction, not of a group before it; outer commits
                                   then fail with FAILED_PRECONDITION */

/* Grouping, off unless asked for: a statement that writes outside a begin joins a group, which
 * becomes durable, all of it or nothing, at the next flush or outermost commit. For programs with a
 * loop that flush once a turn, before anything is sent. A group of nothing but lazy statements
 * waits for one that is not, or for all = true: their loss in a crash costs nothing but repetition.
 */
void pl_db_group(pl_db *db);
void pl_stmt_lazy(pl_stmt *stmt);
PL_STATUS pl_db_flush(pl_db *db, bool all); /* failure: the whole group is undone */

/* Parameters count from 1, columns from 0. Bound text and blobs are copied; what columns give is
 * borrowed until the next step. */
PL_STATUS pl_stmt_prepare(pl_db *db, const char *sql, pl_stmt **out);
PL_STATUS pl_stmt_bind_i64(pl_stmt *stmt, int i, int64_t value);
PL_STATUS pl_stmt_bind_text(pl_stmt *stmt, int i, const char *text);
PL_STATUS pl_stmt_bind_blob(pl_stmt *stmt, int i, pl_view blob);
PL_STATUS pl_stmt_step(pl_stmt *stmt, bool *out_has_row);
int64_t pl_stmt_i64(pl_stmt *stmt, int column);
const char *pl_stmt_text(pl_stmt *stmt, int column); /* "" for NULL */
pl_view pl_stmt_blob(pl_stmt *stmt, int column);
void pl_stmt_reset(pl_stmt *stmt);
void pl_stmt_free(pl_stmt *stmt);

#endif
