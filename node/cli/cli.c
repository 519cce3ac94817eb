#include "node/cli/cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define CALL_MS 30000

/* ---- arguments ---- */

static void remove_words(pl_cli *cli, int at, int n) {
    for (int i = at; i + n <= cli->argc; i++)
        cli->argv[i] = cli->argv[i + n];
    cli->argc -= n;
}

const char *pl_cli_option(pl_cli *cli, const char *name) {
    size_t len = strlen(name);
    for (int i = 0; i < cli->argc; i++) {
        char *word = cli->argv[i];
        if (strncmp(word, name, len) == 0 && word[len] == '=') {
            remove_words(cli, i, 1);
            return word + len + 1;
        }
        if (strcmp(word, name) == 0 && i + 1 < cli->argc) {
            const char *value = cli->argv[i + 1];
            remove_words(cli, i, 2);
            return value;
        }
    }
    return NULL;
}

bool pl_cli_flag(pl_cli *cli, const char *name) {
    for (int i = 0; i < cli->argc; i++) {
        if (strcmp(cli->argv[i], name) == 0) {
            remove_words(cli, i, 1);
            return true;
        }
    }
    return false;
}

pl_status pl_cli_words(pl_cli *cli, int n, const char *usage) {
    for (int i = 0; i < cli->argc; i++) {
        if (strncmp(cli->argv[i], "--", 2) == 0)
            return pl_fail(PL_INVALID_ARGUMENT,
                           "option %s is not known here, or lacks its value; usage: parley %s",
                           cli->argv[i], usage);
    }
    if (cli->argc != n)
        return pl_fail(PL_INVALID_ARGUMENT, "usage: parley %s", usage);
    return PL_OK;
}

pl_status pl_cli_names(const char *list, char ***out, size_t *out_n) {
    *out = NULL;
    *out_n = 0;
    if (list == NULL)
        return PL_OK;
    PL_TRY(pl_alloc(strlen(list) + 1, sizeof **out, out));
    for (const char *begin = list; *begin != 0;) {
        size_t len = strcspn(begin, ",");
        pl_bytes name;
        PL_TRY(pl_bytes_dup(pl_view_of(begin, len), &name));
        (*out)[(*out_n)++] = (char *)name.data;
        begin += len + (begin[len] == ',');
    }
    return PL_OK;
}

void pl_cli_names_free(char **names, size_t n) {
    for (size_t i = 0; names != NULL && i < n; i++)
        free(names[i]);
    free(names);
}

pl_status pl_cli_number(const char *text, const char *what, uint64_t max, uint64_t *out) {
    char *end;
    errno = 0;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || errno != 0 || value > max)
        return pl_fail(PL_INVALID_ARGUMENT, "%s must be a whole number up to %llu", what,
                       (unsigned long long)max);
    *out = value;
    return PL_OK;
}

/* ---- calls ---- */

static pl_status connect_to(const pl_cli *cli, const char *role, pl_rpc_client **out) {
    pl_cli_connection *connection = cli->connection;
    char path[600], target[640];
    if (connection->client != NULL && strcmp(connection->role, role) == 0) {
        *out = connection->client;
        return PL_OK;
    }
    snprintf(path, sizeof path, "%s/%s.sock", cli->sockets, role);
    if (access(path, F_OK) != 0)
        return pl_fail(PL_UNAVAILABLE,
                       "there is no node's socket %s: is parleyd running? name its folder of "
                       "sockets with --node DIR or "
                       "PARLEY_NODE",
                       path);
    if (access(path, R_OK | W_OK) != 0)
        return pl_fail(PL_REFUSED, "you may not use %s: only the %s's group may", path, role);
    char *absolute = realpath(path, NULL);
    snprintf(target, sizeof target, "unix:%s", absolute == NULL ? path : absolute);
    free(absolute);
    PL_TRY(pl_rpc_client_open(target, NULL, out));
    pl_rpc_client_close(connection->client);
    connection->client = *out;
    snprintf(connection->role, sizeof connection->role, "%s", role);
    return PL_OK;
}

static pl_status pack(const ProtobufCMessage *message, pl_bytes *out) {
    out->len = protobuf_c_message_get_packed_size(message);
    PL_TRY(pl_alloc(out->len + 1, 1, &out->data));
    protobuf_c_message_pack(message, out->data);
    return PL_OK;
}

static pl_status unpack(const ProtobufCMessageDescriptor *type, const pl_bytes *bytes,
                        ProtobufCMessage **out) {
    *out = protobuf_c_message_unpack(type, NULL, bytes->len, bytes->data);
    return *out == NULL
               ? pl_fail(PL_PROTOCOL,
                         "the node's answer cannot be read: do parley and parleyd have the same "
                         "version?")
               : PL_OK;
}

static void method_path(const char *method, char out[96]) {
    snprintf(out, 96, "/parley.v1.Node/%s", method);
}

pl_status pl_cli_call(const pl_cli *cli, const char *role, const char *method,
                      const ProtobufCMessage *request, const ProtobufCMessageDescriptor *reply_type,
                      void *out_reply) {
    pl_rpc_client *client = NULL;
    pl_bytes packed = {0}, reply = {0};
    ProtobufCMessage *message = NULL;
    char path[96];
    method_path(method, path);
    pl_status status;
    PL_CHECK(status, connect_to(cli, role, &client));
    PL_CHECK(status, pack(request, &packed));
    PL_CHECK(status, pl_rpc_call_unary(client, path, pl_bytes_view(&packed), CALL_MS, &reply));
    PL_CHECK(status, unpack(reply_type, &reply, &message));
    memcpy(out_reply, &message, sizeof message);
out:
    pl_bytes_done(&reply);
    pl_bytes_done(&packed);
    return status;
}

pl_status pl_cli_stream(const pl_cli *cli, const char *role, const char *method,
                        const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
                        pl_cli_visitor visit, void *ctx) {
    pl_rpc_client *client = NULL;
    pl_rpc_reader *reader = NULL;
    pl_bytes packed = {0};
    char path[96];
    method_path(method, path);
    pl_status status;
    PL_CHECK(status, connect_to(cli, role, &client));
    PL_CHECK(status, pack(request, &packed));
    PL_CHECK(status, pl_rpc_reader_open(client, path, pl_bytes_view(&packed), &reader));
    for (;;) {
        pl_bytes bytes = {0};
        ProtobufCMessage *message = NULL;
        bool has = false;
        PL_CHECK(status, pl_rpc_reader_next(reader, &bytes, &has));
        if (!has)
            break;
        status = unpack(type, &bytes, &message);
        pl_bytes_done(&bytes);
        if (pl_is_ok(status)) {
            status = visit(message, ctx);
            protobuf_c_message_free_unpacked(message, NULL);
        }
        if (!pl_is_ok(status))
            break;
    }
out:
    pl_rpc_reader_close(reader);
    pl_bytes_done(&packed);
    return status;
}

pl_status pl_cli_job_call(const pl_cli *cli, const char *role, const char *method, const char *job,
                          const ProtobufCMessageDescriptor *reply_type, void *out_reply) {
    Parley__V1__JobRef ref = PARLEY__V1__JOB_REF__INIT;
    ref.job_id = (char *)(uintptr_t)job;
    return pl_cli_call(cli, role, method, &ref.base, reply_type, out_reply);
}

/* Adds the piece that comes at table->len; the first one brings the job. */
static pl_status result_piece(const pl_cli *cli, const char *job, pl_buf *table,
                              Parley__V1__JobResult *result, bool *out_done) {
    Parley__V1__ResultRequest request = PARLEY__V1__RESULT_REQUEST__INIT;
    Parley__V1__ResultPiece *piece = NULL;
    request.job_id = (char *)(uintptr_t)job;
    request.offset = table->len;
    PL_TRY(pl_cli_call(cli, "analyst", "Result", &request.base,
                       &parley__v1__result_piece__descriptor, &piece));
    if (result->job == NULL) {
        result->job = piece->job;
        piece->job = NULL;
    }
    pl_buf_append(table, piece->data.data, piece->data.len);
    *out_done = table->len >= piece->total;
    bool is_stuck = !*out_done && piece->data.len == 0;
    parley__v1__result_piece__free_unpacked(piece, NULL);
    return is_stuck ? pl_fail(PL_PROTOCOL, "the node sent an empty piece of the result") : PL_OK;
}

pl_status pl_cli_result(const pl_cli *cli, const char *job, Parley__V1__JobResult **out) {
    Parley__V1__JobResult *result;
    pl_buf table = {0};
    pl_bytes packed = {0};
    bool is_done = false;
    PL_TRY(pl_alloc(1, sizeof *result, &result));
    parley__v1__job_result__init(result);
    pl_status status = PL_OK;
    while (!is_done)
        PL_CHECK(status, result_piece(cli, job, &table, result, &is_done));
    PL_CHECK(status, pl_buf_take(&table, &packed));
    result->table = parley__v1__result_table__unpack(NULL, packed.len, packed.data);
    if (result->table == NULL || result->job == NULL)
        status = pl_fail(PL_PROTOCOL, "the node sent a result that cannot be read");
out:
    pl_buf_done(&table);
    pl_bytes_done(&packed);
    if (pl_is_ok(status))
        *out = result;
    else
        parley__v1__job_result__free_unpacked(result, NULL);
    return status;
}

/* ---- output ---- */

pl_status pl_cli_format(const char *name, pl_format *out) {
    static const char *const names[] = {"table", "csv", "json"};
    for (int i = 0; i < 3; i++) {
        if (strcmp(names[i], name) == 0) {
            *out = (pl_format)i;
            return PL_OK;
        }
    }
    return pl_fail(PL_INVALID_ARGUMENT, "--format is table, csv or json");
}

void pl_cli_print_json(json_t *value) {
    json_dumpf(value, stdout, JSON_INDENT(2));
    putchar('\n');
    json_decref(value);
}

void pl_cli_time(int64_t seconds, char out[32]) {
    time_t at = (time_t)seconds;
    struct tm parts;
    if (seconds == 0 || localtime_r(&at, &parts) == NULL)
        strcpy(out, "-");
    else
        strftime(out, 32, "%Y-%m-%d %H:%M:%S", &parts);
}
