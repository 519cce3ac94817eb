#include "node/scheduler/queue.h"

#include <stdlib.h>

struct pl_queue_store {
    pl_db *db;
};

static const char *const migrations[] = {
    "CREATE TABLE job (id BLOB PRIMARY KEY, proposer TEXT NOT NULL, enqueue BLOB NOT NULL, attempt "
    "INTEGER NOT NULL,"
    " ended INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE message (seq INTEGER PRIMARY KEY, id BLOB NOT NULL UNIQUE, sender TEXT NOT NULL, "
    "receiver TEXT NOT NULL,"
    " body BLOB NOT NULL);"
    "CREATE INDEX message_receiver ON message (receiver, seq);",
};

pl_status pl_queue_store_open(const char *path, pl_queue_store **out) {
    pl_queue_store *store;
    PL_TRY(pl_alloc(1, sizeof *store, &store));
    pl_status status = pl_db_open(path, migrations, 1, &store->db);
    if (!pl_is_ok(status)) {
        free(store);
        return status;
    }
    pl_db_group(store->db);
    *out = store;
    return PL_OK;
}

pl_status pl_queue_flush(pl_queue_store *store, bool all) {
    return pl_db_flush(store->db, all);
}

void pl_queue_store_close(pl_queue_store *store) {
    if (store == NULL)
        return;
    pl_db_close(store->db);
    free(store);
}

/* Runs a statement with one text or blob or none, and gives the first column of its row. */
static pl_status query_number(pl_queue_store *store, const char *sql, bool lazy, const char *text,
                              pl_view blob, int64_t *out) {
    pl_stmt *stmt;
    bool has_row = false;
    *out = 0;
    PL_TRY(pl_stmt_prepare(store->db, sql, &stmt));
    if (lazy)
        pl_stmt_lazy(stmt);
    pl_status status = PL_OK;
    if (text != NULL)
        status = pl_stmt_bind_text(stmt, 1, text);
    if (pl_is_ok(status) && blob.data != NULL)
        status = pl_stmt_bind_blob(stmt, text == NULL ? 1 : 2, blob);
    if (pl_is_ok(status))
        status = pl_stmt_step(stmt, &has_row);
    if (has_row)
        *out = pl_stmt_i64(stmt, 0);
    pl_stmt_free(stmt);
    return status;
}

/* Some messages can be read as they come and not as they are packed again (a field of number 0):
 * in the queue one of them would stand in the way of all that come after. */
static pl_status check_readable(const ProtobufCMessageDescriptor *type, const uint8_t *packed,
                                size_t len) {
    ProtobufCMessage *again = protobuf_c_message_unpack(type, NULL, len, packed);
    if (again == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "a message holds a field that cannot be passed on");
    protobuf_c_message_free_unpacked(again, NULL);
    return PL_OK;
}

/* ---- jobs ---- */

static pl_status insert_job(pl_queue_store *store, const char *proposer,
                            const Parley__V1__Enqueue *enqueue) {
    pl_stmt *stmt;
    uint8_t *packed;
    size_t len = parley__v1__enqueue__get_packed_size(enqueue);
    bool has_row;
    PL_TRY(pl_alloc(len + 1, 1, &packed));
    parley__v1__enqueue__pack(enqueue, packed);
    pl_status status = check_readable(&parley__v1__enqueue__descriptor, packed, len);
    if (pl_is_ok(status))
        status = pl_stmt_prepare(
            store->db,
            "INSERT INTO job (id, proposer, enqueue, attempt, ended) VALUES (?, ?, ?, 0, 0)",
            &stmt);
    if (pl_is_ok(status)) {
        status = pl_stmt_bind_blob(stmt, 1, pl_view_of(enqueue->job_id.data, enqueue->job_id.len));
        if (pl_is_ok(status))
            status = pl_stmt_bind_text(stmt, 2, proposer);
        if (pl_is_ok(status))
            status = pl_stmt_bind_blob(stmt, 3, pl_view_of(packed, len));
        if (pl_is_ok(status))
            status = pl_stmt_step(stmt, &has_row);
        pl_stmt_free(stmt);
    }
    free(packed);
    return status;
}

pl_status pl_queue_put_job(pl_queue_store *store, const char *proposer,
                           const Parley__V1__Enqueue *enqueue) {
    static const pl_view none = {0};
    int64_t n;
    PL_TRY(query_number(store, "SELECT count(*) FROM job WHERE id = ?", false, NULL,
                        pl_view_of(enqueue->job_id.data, enqueue->job_id.len), &n));
    if (n != 0)
        return pl_fail(PL_ALREADY_EXISTS, "the job is in the queue already, or has ended");
    PL_TRY(query_number(store, "SELECT count(*) FROM job WHERE ended = 0 AND proposer = ?", false,
                        proposer, none, &n));
    if (n >= PL_QUEUE_JOBS_PER_ORG_MAX)
        return pl_fail(PL_LIMIT, "%s has %d jobs in the queue, its quota", proposer,
                       PL_QUEUE_JOBS_PER_ORG_MAX);
    return insert_job(store, proposer, enqueue);
}

static pl_status update_job(pl_queue_store *store, const char *sql, int64_t value, pl_view job_id) {
    pl_stmt *stmt;
    bool has_row;
    PL_TRY(pl_stmt_prepare(store->db, sql, &stmt));
    pl_status status = pl_stmt_bind_i64(stmt, 1, value);
    if (pl_is_ok(status))
        status = pl_stmt_bind_blob(stmt, 2, job_id);
    if (pl_is_ok(status))
        status = pl_stmt_step(stmt, &has_row);
    pl_stmt_free(stmt);
    return status;
}

pl_status pl_queue_set_attempt(pl_queue_store *store, pl_view job_id, uint32_t attempt) {
    return update_job(store, "UPDATE job SET attempt = ? WHERE id = ?", attempt, job_id);
}

pl_status pl_queue_end_job(pl_queue_store *store, pl_view job_id) {
    return update_job(store, "UPDATE job SET ended = ? WHERE id = ?", 1, job_id);
}

pl_status pl_queue_each_job(pl_queue_store *store, pl_queue_job_visitor visit, void *ctx) {
    pl_stmt *stmt;
    PL_TRY(pl_stmt_prepare(store->db, "SELECT proposer, enqueue, attempt FROM job WHERE ended = 0",
                           &stmt));
    pl_status status;
    for (;;) {
        bool has_row = false;
        PL_CHECK(status, pl_stmt_step(stmt, &has_row));
        if (!has_row)
            break;
        pl_view body = pl_stmt_blob(stmt, 1);
        Parley__V1__Enqueue *enqueue = parley__v1__enqueue__unpack(NULL, body.len, body.data);
        if (enqueue == NULL)
            PL_CHECK(status, pl_fail(PL_CORRUPT, "a job in the queue cannot be read"));
        status = visit(pl_stmt_text(stmt, 0), enqueue, (uint32_t)pl_stmt_i64(stmt, 2), ctx);
        parley__v1__enqueue__free_unpacked(enqueue, NULL);
        if (!pl_is_ok(status))
            break;
    }
out:
    pl_stmt_free(stmt);
    return status;
}

/* ---- messages ---- */

static pl_status insert_message(pl_queue_store *store, const Parley__V1__Relay *relay) {
    pl_stmt *stmt;
    uint8_t *packed;
    size_t len = parley__v1__relay__get_packed_size(relay);
    bool has_row;
    PL_TRY(pl_alloc(len + 1, 1, &packed));
    parley__v1__relay__pack(relay, packed);
    pl_status status = check_readable(&parley__v1__relay__descriptor, packed, len);
    if (pl_is_ok(status))
        status = pl_stmt_prepare(
            store->db,
            "INSERT OR IGNORE INTO message (id, sender, receiver, body) VALUES (?, ?, ?, ?)",
            &stmt);
    if (pl_is_ok(status)) {
        status =
            pl_stmt_bind_blob(stmt, 1, pl_view_of(relay->message_id.data, relay->message_id.len));
        if (pl_is_ok(status))
            status = pl_stmt_bind_text(stmt, 2, relay->from);
        if (pl_is_ok(status))
            status = pl_stmt_bind_text(stmt, 3, relay->to);
        if (pl_is_ok(status))
            status = pl_stmt_bind_blob(stmt, 4, pl_view_of(packed, len));
        if (pl_is_ok(status))
            status = pl_stmt_step(stmt, &has_row);
        pl_stmt_free(stmt);
    }
    free(packed);
    return status;
}

pl_status pl_queue_put_message(pl_queue_store *store, const Parley__V1__Relay *relay) {
    static const pl_view none = {0};
    int64_t bytes;
    if (relay->message_id.len != 16)
        return pl_fail(PL_INVALID_ARGUMENT, "relay: message_id has %zu bytes, not 16",
                       relay->message_id.len);
    if (relay->body.len > PL_QUEUE_BODY_BYTES_MAX)
        return pl_fail(PL_LIMIT, "relay: body has %zu bytes, at most %u are relayed",
                       relay->body.len, PL_QUEUE_BODY_BYTES_MAX);
    PL_TRY(query_number(store, "SELECT ifnull(sum(length(body)), 0) FROM message WHERE sender = ?",
                        false, relay->from, none, &bytes));
    if (bytes + (int64_t)relay->body.len > PL_QUEUE_BYTES_PER_ORG_MAX)
        return pl_fail(PL_LIMIT, "messages of %s that wait for their receivers fill its quota",
                       relay->from);
    return insert_message(store, relay);
}

pl_status pl_queue_ack(pl_queue_store *store, const char *org, pl_view message_id) {
    int64_t ignored;
    /* Lost in a crash, the message is delivered again, and its receiver knows that it saw it. */
    return query_number(store, "DELETE FROM message WHERE receiver = ? AND id = ?", true, org,
                        message_id, &ignored);
}

pl_status pl_queue_each_message(pl_queue_store *store, const char *to,
                                pl_queue_message_visitor visit, void *ctx) {
    pl_stmt *stmt;
    PL_TRY(pl_stmt_prepare(store->db, "SELECT body FROM message WHERE receiver = ? ORDER BY seq",
                           &stmt));
    pl_status status = pl_stmt_bind_text(stmt, 1, to);
    while (pl_is_ok(status)) {
        bool has_row = false;
        PL_CHECK(status, pl_stmt_step(stmt, &has_row));
        if (!has_row)
            break;
        pl_view body = pl_stmt_blob(stmt, 0);
        Parley__V1__Relay *relay = parley__v1__relay__unpack(NULL, body.len, body.data);
        if (relay == NULL)
            PL_CHECK(status, pl_fail(PL_CORRUPT, "a message in the queue cannot be read"));
        status = visit(relay, ctx);
        parley__v1__relay__free_unpacked(relay, NULL);
    }
out:
    pl_stmt_free(stmt);
    return status;
}
