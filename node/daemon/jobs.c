#include "node/daemon/jobs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct pl_jobs {
    pl_db *db;
};

static const char *const migrations[] = {
    "CREATE TABLE job (id BLOB PRIMARY KEY, state INTEGER NOT NULL, reason TEXT NOT NULL,"
    " error_code TEXT NOT NULL, submitter TEXT NOT NULL, proposer TEXT NOT NULL,"
    " created_at INTEGER NOT NULL, changed_at INTEGER NOT NULL, not_after INTEGER NOT NULL,"
    " attempt INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE document (job BLOB NOT NULL, kind TEXT NOT NULL, org TEXT NOT NULL,"
    " body BLOB NOT NULL, PRIMARY KEY (job, kind, org)) WITHOUT ROWID;"
    "CREATE TABLE outbox (seq INTEGER PRIMARY KEY, key BLOB NOT NULL, body BLOB NOT NULL);"
    "CREATE INDEX outbox_key ON outbox (key);"
    "CREATE TABLE seen (what TEXT NOT NULL, key BLOB NOT NULL, at INTEGER NOT NULL,"
    " PRIMARY KEY (what, key)) WITHOUT ROWID;"
    "CREATE TABLE use (policy_version INTEGER NOT NULL, rule INTEGER NOT NULL,"
    " n INTEGER NOT NULL, PRIMARY KEY (policy_version, rule)) WITHOUT ROWID;"
    "CREATE TABLE high (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE blob (name TEXT PRIMARY KEY, body BLOB NOT NULL) WITHOUT ROWID;",
    /* A number of the outbox is never given twice: the uplink remembers how far it has sent. */
    "ALTER TABLE outbox RENAME TO outbox_1; DROP INDEX outbox_key;"
    "CREATE TABLE outbox (seq INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL,"
    " body BLOB NOT NULL);"
    "INSERT INTO outbox (key, body) SELECT key, body FROM outbox_1 ORDER BY seq;"
    "DROP TABLE outbox_1; CREATE INDEX outbox_key ON outbox (key);",
};

static const char *const state_names[PL_JOB_STATE_COUNT] = {
    [PL_JOB_PROPOSED] = "proposed",   [PL_JOB_ASKED] = "asked",
    [PL_JOB_APPROVED] = "approved",   [PL_JOB_RUNNING] = "running",
    [PL_JOB_OPENING] = "opening",     [PL_JOB_RELEASED] = "released",
    [PL_JOB_LOST] = "lost",           [PL_JOB_COMPLETED] = "completed",
    [PL_JOB_REFUSED] = "refused",     [PL_JOB_ABORTED] = "aborted",
    [PL_JOB_CANCELLED] = "cancelled", [PL_JOB_EXPIRED] = "expired",
};

const char *pl_job_state_name(pl_job_state state) {
    PL_ASSERT(state < PL_JOB_STATE_COUNT);
    return state_names[state];
}

bool pl_job_state_is_final(pl_job_state state) {
    return state >= PL_JOB_RELEASED;
}

void pl_job_record_done(pl_job_record *record) {
    free(record->reason);
    free(record->error_code);
    free(record->submitter);
    free(record->proposer);
    *record = (pl_job_record){0};
}

pl_status pl_jobs_open(const char *path, pl_jobs **out) {
    pl_jobs *jobs;
    PL_TRY(pl_alloc(1, sizeof *jobs, &jobs));
    pl_status status =
        pl_db_open(path, migrations, sizeof migrations / sizeof *migrations, &jobs->db);
    if (!pl_is_ok(status)) {
        free(jobs);
        return status;
    }
    pl_db_group(jobs->db);
    *out = jobs;
    return PL_OK;
}

void pl_jobs_close(pl_jobs *jobs) {
    if (jobs == NULL)
        return;
    pl_db_close(jobs->db);
    free(jobs);
}

pl_status pl_jobs_begin(pl_jobs *jobs) {
    return pl_db_begin(jobs->db);
}

pl_status pl_jobs_commit(pl_jobs *jobs) {
    return pl_db_commit(jobs->db);
}

void pl_jobs_rollback(pl_jobs *jobs) {
    pl_db_rollback(jobs->db);
}

pl_status pl_jobs_flush(pl_jobs *jobs, bool all) {
    return pl_db_flush(jobs->db, all);
}

/* One value to bind: text when text is set, a blob when blob.data is set, else the integer. */
typedef struct bind {
    int64_t number;
    const char *text;
    pl_view blob;
} bind;
#define NUMBER(x) ((bind){.number = (int64_t)(x)})
#define TEXT(x) ((bind){.text = (x)})
#define BLOB(ptr, n) ((bind){.blob = pl_view_of((ptr), (n))})
#define VIEW(v) ((bind){.blob = (v).data == NULL ? pl_view_of("", 0) : (v)})

static pl_status prepare(pl_jobs *jobs, const char *sql, const bind *binds, int n, pl_stmt **out) {
    pl_stmt *stmt;
    PL_TRY(pl_stmt_prepare(jobs->db, sql, &stmt));
    for (int i = 0; i < n; i++) {
        pl_status status = binds[i].text != NULL ? pl_stmt_bind_text(stmt, i + 1, binds[i].text)
                           : binds[i].blob.data != NULL
                               ? pl_stmt_bind_blob(stmt, i + 1, binds[i].blob)
                               : pl_stmt_bind_i64(stmt, i + 1, binds[i].number);
        if (!pl_is_ok(status)) {
            pl_stmt_free(stmt);
            return status;
        }
    }
    *out = stmt;
    return PL_OK;
}

static pl_status execute(pl_jobs *jobs, bool lazy, const char *sql, const bind *binds, int n) {
    pl_stmt *stmt;
    PL_TRY(prepare(jobs, sql, binds, n, &stmt));
    if (lazy)
        pl_stmt_lazy(stmt);
    bool has_row;
    pl_status status = pl_stmt_step(stmt, &has_row);
    pl_stmt_free(stmt);
    return status;
}

#define EXECUTE(jobs, sql, ...)                                                                    \
    execute(jobs, false, sql, (const bind[]){__VA_ARGS__},                                         \
            sizeof((const bind[]){__VA_ARGS__}) / sizeof(bind))
#define EXECUTE_LAZY(jobs, sql, ...)                                                               \
    execute(jobs, true, sql, (const bind[]){__VA_ARGS__},                                          \
            sizeof((const bind[]){__VA_ARGS__}) / sizeof(bind))
#define PREPARE(jobs, stmt, sql, ...)                                                              \
    prepare(jobs, sql, (const bind[]){__VA_ARGS__},                                                \
            sizeof((const bind[]){__VA_ARGS__}) / sizeof(bind), stmt)

/* ---- jobs ---- */

#define JOB_COLUMNS                                                                                \
    "id, state, reason, error_code, submitter, proposer, created_at, changed_at, not_after, "      \
    "attempt"

pl_status pl_jobs_insert(pl_jobs *jobs, const pl_job_record *record) {
    pl_job_record existing = {0};
    pl_status found = pl_jobs_get(jobs, record->id, &existing);
    pl_job_record_done(&existing);
    if (pl_is_ok(found))
        return pl_fail(PL_ALREADY_EXISTS, "a job with this id is already known");
    if (pl_status_code(found) != PL_NOT_FOUND)
        return found;
    pl_status_done(&found);
    return EXECUTE(jobs, "INSERT INTO job (" JOB_COLUMNS ") VALUES (?,?,?,?,?,?,?,?,?,?)",
                   BLOB(record->id, PL_JOB_ID_BYTES), NUMBER(record->state), TEXT(record->reason),
                   TEXT(record->error_code), TEXT(record->submitter), TEXT(record->proposer),
                   NUMBER(record->created_at), NUMBER(record->changed_at),
                   NUMBER(record->not_after), NUMBER(record->attempt));
}

static pl_status record_read(pl_stmt *stmt, pl_job_record *out) {
    pl_job_record record = {0};
    pl_view id = pl_stmt_blob(stmt, 0);
    if (id.len != PL_JOB_ID_BYTES)
        return pl_fail(PL_CORRUPT, "the jobs table holds an id of %zu bytes", id.len);
    memcpy(record.id, id.data, PL_JOB_ID_BYTES);
    record.state = (pl_job_state)pl_stmt_i64(stmt, 1);
    record.created_at = pl_stmt_i64(stmt, 6);
    record.changed_at = pl_stmt_i64(stmt, 7);
    record.not_after = pl_stmt_i64(stmt, 8);
    record.attempt = (uint32_t)pl_stmt_i64(stmt, 9);
    pl_status status;
    PL_CHECK(status, pl_strdup(pl_stmt_text(stmt, 2), &record.reason));
    PL_CHECK(status, pl_strdup(pl_stmt_text(stmt, 3), &record.error_code));
    PL_CHECK(status, pl_strdup(pl_stmt_text(stmt, 4), &record.submitter));
    PL_CHECK(status, pl_strdup(pl_stmt_text(stmt, 5), &record.proposer));
    *out = record;
    return PL_OK;
out:
    pl_job_record_done(&record);
    return status;
}

pl_status pl_jobs_get(pl_jobs *jobs, const uint8_t *id, pl_job_record *out) {
    pl_stmt *stmt;
    PL_TRY(PREPARE(jobs, &stmt, "SELECT " JOB_COLUMNS " FROM job WHERE id = ?",
                   BLOB(id, PL_JOB_ID_BYTES)));
    bool has_row = false;
    pl_status status = pl_stmt_step(stmt, &has_row);
    if (pl_is_ok(status))
        status = has_row ? record_read(stmt, out) : pl_fail(PL_NOT_FOUND, "no such job");
    pl_stmt_free(stmt);
    return status;
}

pl_status pl_jobs_set_state(pl_jobs *jobs, const uint8_t *id, pl_job_state state,
                            const char *reason, const char *error_code, int64_t now) {
    pl_job_record record;
    PL_TRY(pl_jobs_get(jobs, id, &record));
    pl_job_state before = record.state;
    pl_job_record_done(&record);
    if (pl_job_state_is_final(before))
        return pl_fail(PL_FAILED_PRECONDITION, "the job is already %s", pl_job_state_name(before));
    return EXECUTE(jobs,
                   "UPDATE job SET state = ?, reason = ?, error_code = ?, changed_at = ?"
                   " WHERE id = ?",
                   NUMBER(state), TEXT(reason), TEXT(error_code), NUMBER(now),
                   BLOB(id, PL_JOB_ID_BYTES));
}

pl_status pl_jobs_set_attempt(pl_jobs *jobs, const uint8_t *id, uint32_t attempt) {
    return EXECUTE(jobs, "UPDATE job SET attempt = ? WHERE id = ?", NUMBER(attempt),
                   BLOB(id, PL_JOB_ID_BYTES));
}

pl_status pl_jobs_count_open(pl_jobs *jobs, const char *proposer, uint64_t *out) {
    pl_stmt *stmt;
    bool has_row;
    PL_TRY(PREPARE(jobs, &stmt, "SELECT COUNT(*) FROM job WHERE proposer = ? AND state < ?",
                   TEXT(proposer), NUMBER(PL_JOB_RELEASED)));
    pl_status status = pl_stmt_step(stmt, &has_row);
    *out = pl_is_ok(status) && has_row ? (uint64_t)pl_stmt_i64(stmt, 0) : 0;
    pl_stmt_free(stmt);
    return status;
}

pl_status pl_jobs_each(pl_jobs *jobs, bool open_only, uint32_t limit, pl_job_visitor visit,
                       void *ctx) {
    pl_stmt *stmt;
    PL_TRY(PREPARE(jobs, &stmt,
                   "SELECT " JOB_COLUMNS " FROM job WHERE state < ?"
                   " ORDER BY created_at DESC, id LIMIT ?",
                   NUMBER(open_only ? PL_JOB_RELEASED : PL_JOB_STATE_COUNT),
                   NUMBER(limit == 0 ? 1000 : limit)));
    pl_status status;
    for (;;) {
        bool has_row;
        PL_CHECK(status, pl_stmt_step(stmt, &has_row));
        if (!has_row)
            break;
        pl_job_record record;
        PL_CHECK(status, record_read(stmt, &record));
        status = visit(&record, ctx);
        pl_job_record_done(&record);
        if (!pl_is_ok(status))
            break;
    }
out:
    pl_stmt_free(stmt);
    return status;
}

pl_status pl_jobs_resolve(pl_jobs *jobs, const char *hex, uint8_t out_id[PL_JOB_ID_BYTES]) {
    size_t len = strlen(hex);
    if (len < 6 || len > 2 * PL_JOB_ID_BYTES || strspn(hex, "0123456789abcdef") != len)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "a job is named by its id or by at least its first 6 hex digits");
    pl_stmt *stmt;
    PL_TRY(PREPARE(jobs, &stmt, "SELECT id FROM job WHERE substr(lower(hex(id)), 1, ?) = ? LIMIT 2",
                   NUMBER(len), TEXT(hex)));
    bool has_row = false;
    pl_status status = pl_stmt_step(stmt, &has_row);
    if (pl_is_ok(status) && !has_row)
        status = pl_fail(PL_NOT_FOUND, "no job whose id starts with %s", hex);
    if (pl_is_ok(status)) {
        pl_view id = pl_stmt_blob(stmt, 0);
        memcpy(out_id, id.data, PL_JOB_ID_BYTES);
        status = pl_stmt_step(stmt, &has_row);
        if (pl_is_ok(status) && has_row)
            status =
                pl_fail(PL_INVALID_ARGUMENT, "several jobs start with %s: give more digits", hex);
    }
    pl_stmt_free(stmt);
    return status;
}

/* ---- documents ---- */

pl_status pl_jobs_put_doc(pl_jobs *jobs, const uint8_t *id, const char *kind, const char *org,
                          pl_view body) {
    return EXECUTE(jobs, "INSERT OR REPLACE INTO document (job, kind, org, body) VALUES (?,?,?,?)",
                   BLOB(id, PL_JOB_ID_BYTES), TEXT(kind), TEXT(org), VIEW(body));
}

/* Reads the first column of the first row as bytes. */
static pl_status read_blob(pl_stmt *stmt, const char *what, pl_bytes *out) {
    bool has_row = false;
    pl_status status = pl_stmt_step(stmt, &has_row);
    if (pl_is_ok(status))
        status = has_row ? pl_bytes_dup(pl_stmt_blob(stmt, 0), out)
                         : pl_fail(PL_NOT_FOUND, "no %s is stored", what);
    pl_stmt_free(stmt);
    return status;
}

pl_status pl_jobs_get_doc(pl_jobs *jobs, const uint8_t *id, const char *kind, const char *org,
                          pl_bytes *out) {
    pl_stmt *stmt;
    PL_TRY(PREPARE(jobs, &stmt, "SELECT body FROM document WHERE job = ? AND kind = ? AND org = ?",
                   BLOB(id, PL_JOB_ID_BYTES), TEXT(kind), TEXT(org)));
    return read_blob(stmt, kind, out);
}

bool pl_jobs_has_doc(pl_jobs *jobs, const uint8_t *id, const char *kind, const char *org) {
    pl_bytes body = {0};
    pl_status status = pl_jobs_get_doc(jobs, id, kind, org, &body);
    bool found = pl_is_ok(status);
    pl_bytes_done(&body);
    pl_status_done(&status); /* not there is the answer */
    return found;
}

/* ---- outbox ---- */

pl_status pl_jobs_outbox_put(pl_jobs *jobs, const uint8_t key[16], pl_view message) {
    return EXECUTE(jobs, "INSERT INTO outbox (key, body) VALUES (?, ?)", BLOB(key, 16),
                   VIEW(message));
}

pl_status pl_jobs_outbox_remove(pl_jobs *jobs, pl_view key) {
    /* Lost in a crash, the message is sent again, and the scheduler has it already. */
    return EXECUTE_LAZY(jobs, "DELETE FROM outbox WHERE key = ?", VIEW(key));
}

pl_status pl_jobs_outbox_each(pl_jobs *jobs, int64_t after, pl_outbox_visitor visit, void *ctx) {
    pl_stmt *stmt;
    PL_TRY(PREPARE(jobs, &stmt, "SELECT seq, body FROM outbox WHERE seq > ? ORDER BY seq",
                   NUMBER(after)));
    pl_status status;
    for (;;) {
        bool has_row;
        PL_CHECK(status, pl_stmt_step(stmt, &has_row));
        if (!has_row)
            break;
        PL_CHECK(status, visit(pl_stmt_i64(stmt, 0), pl_stmt_blob(stmt, 1), ctx));
    }
out:
    pl_stmt_free(stmt);
    return status;
}

/* ---- things seen once ---- */

pl_status pl_jobs_was_seen(pl_jobs *jobs, const char *what, pl_view key, bool *out) {
    pl_stmt *stmt;
    PL_TRY(PREPARE(jobs, &stmt, "SELECT 1 FROM seen WHERE what = ? AND key = ?", TEXT(what),
                   VIEW(key)));
    pl_status status = pl_stmt_step(stmt, out);
    pl_stmt_free(stmt);
    return status;
}

pl_status pl_jobs_first_sight(pl_jobs *jobs, const char *what, pl_view key, int64_t now) {
    bool seen = false;
    PL_TRY(pl_jobs_was_seen(jobs, what, key, &seen));
    if (seen)
        return pl_fail(PL_ALREADY_EXISTS, "this %s was seen before", what);
    return EXECUTE(jobs, "INSERT INTO seen (what, key, at) VALUES (?, ?, ?)", TEXT(what), VIEW(key),
                   NUMBER(now));
}

/* ---- uses, high-water marks, blobs ---- */

static pl_status read_number(pl_stmt *stmt, uint64_t *out) {
    bool has_row = false;
    pl_status status = pl_stmt_step(stmt, &has_row);
    if (pl_is_ok(status))
        *out = has_row ? (uint64_t)pl_stmt_i64(stmt, 0) : 0;
    pl_stmt_free(stmt);
    return status;
}

pl_status pl_jobs_uses(pl_jobs *jobs, uint64_t policy_version, uint32_t rule, uint64_t *out) {
    pl_stmt *stmt;
    PL_TRY(PREPARE(jobs, &stmt, "SELECT n FROM use WHERE policy_version = ? AND rule = ?",
                   NUMBER(policy_version), NUMBER(rule)));
    return read_number(stmt, out);
}

pl_status pl_jobs_charge(pl_jobs *jobs, uint64_t policy_version, uint32_t rule) {
    return EXECUTE(jobs,
                   "INSERT INTO use (policy_version, rule, n) VALUES (?, ?, 1)"
                   " ON CONFLICT DO UPDATE SET n = n + 1",
                   NUMBER(policy_version), NUMBER(rule));
}

pl_status pl_jobs_high_get(pl_jobs *jobs, const char *name, uint64_t *out) {
    pl_stmt *stmt;
    PL_TRY(PREPARE(jobs, &stmt, "SELECT value FROM high WHERE name = ?", TEXT(name)));
    return read_number(stmt, out);
}

pl_status pl_jobs_high_raise(pl_jobs *jobs, const char *name, uint64_t value) {
    return EXECUTE(jobs,
                   "INSERT INTO high (name, value) VALUES (?, ?)"
                   " ON CONFLICT DO UPDATE SET value = max(value, excluded.value)",
                   TEXT(name), NUMBER(value));
}

pl_status pl_jobs_blob_get(pl_jobs *jobs, const char *name, pl_bytes *out) {
    pl_stmt *stmt;
    PL_TRY(PREPARE(jobs, &stmt, "SELECT body FROM blob WHERE name = ?", TEXT(name)));
    return read_blob(stmt, name, out);
}

pl_status pl_jobs_blob_put(pl_jobs *jobs, const char *name, pl_view body) {
    return EXECUTE(jobs, "INSERT OR REPLACE INTO blob (name, body) VALUES (?, ?)", TEXT(name),
                   VIEW(body));
}
