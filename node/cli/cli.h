/* cli: what the command groups share: options, the node's sockets, output. A command returns a
 * status; main.c prints it and turns it into the exit code of the status table. */
#ifndef PL_NODE_CLI_CLI_H
#define PL_NODE_CLI_CLI_H

#include "node/rpc/rpc.h"
#include "proto/node.pb-c.h"
#include "protocols/base/bytes.h"

#include <jansson.h>

/* The connection to one of the node's sockets, kept for the calls of one command. */
typedef struct pl_cli_connection {
    char role[16];
    pl_rpc_client *client; /* NULL: none yet */
} pl_cli_connection;

/* Options that every command knows. */
typedef struct pl_cli {
    const char *sockets; /* --node, or PARLEY_NODE, or "run" */
    bool json;
    int argc; /* words that are left, options taken out */
    char **argv;
    pl_cli_connection *connection;
} pl_cli;

typedef struct pl_command {
    const char *name;    /* "job list" */
    const char *summary; /* one line */
    const char *help;    /* usage and examples */
    pl_status (*run)(pl_cli *cli);
} pl_command;

/* The command groups; each ends with {0}. */
extern const pl_command pl_query_commands[], pl_train_commands[], pl_job_commands[],
    pl_approval_commands[], pl_view_commands[], pl_audit_commands[], pl_admin_commands[];

/* ---- arguments: take an option's value ("--purpose", "P") or a flag out of the words ---- */
const char *pl_cli_option(pl_cli *cli, const char *name); /* NULL: not given */
bool pl_cli_flag(pl_cli *cli, const char *name);
/* pl_cli_words demands exactly n words and no unknown option; the error shows the usage. */
PL_STATUS pl_cli_words(pl_cli *cli, int n, const char *usage);
/* "a,b,c" as an array of strings, freed by pl_cli_names_free. */
PL_STATUS pl_cli_names(const char *list, char ***out, size_t *out_n);
void pl_cli_names_free(char **names, size_t n);
PL_STATUS pl_cli_number(const char *text, const char *what, uint64_t max, uint64_t *out);

/* ---- calls: role names the socket; request and reply are protobuf-c messages ---- */
PL_STATUS pl_cli_call(const pl_cli *cli, const char *role, const char *method,
                      const ProtobufCMessage *request, const ProtobufCMessageDescriptor *reply_type,
                      void *out_reply);
/* Calls back for every message of a server stream. */
typedef pl_status (*pl_cli_visitor)(const ProtobufCMessage *message, void *ctx);
PL_STATUS pl_cli_stream(const pl_cli *cli, const char *role, const char *method,
                        const ProtobufCMessage *request, const ProtobufCMessageDescriptor *type,
                        pl_cli_visitor visit, void *ctx);
PL_STATUS pl_cli_job_call(const pl_cli *cli, const char *role, const char *method, const char *job,
                          const ProtobufCMessageDescriptor *reply_type, void *out_reply);

/* pl_cli_result fetches a job and its result, piece by piece; freed by
 * parley__v1__job_result__free_unpacked. */
PL_STATUS pl_cli_result(const pl_cli *cli, const char *job, Parley__V1__JobResult **out);

/* ---- jobs: what query, bench and train share (query.c) ---- */
/* pl_cli_read_text reads a task's text, at most 8 KiB, from a file or "-". */
PL_STATUS pl_cli_read_text(const char *path, char **out);
PL_STATUS pl_cli_explain(const pl_cli *cli, const Parley__V1__SubmitRequest *request);
PL_STATUS pl_cli_submit(const pl_cli *cli, const Parley__V1__SubmitRequest *request,
                        char out_job[64]);
/* pl_cli_watch shows progress on a terminal until the job ends; its failure is the job's. An
 * interruption cancels the job. */
PL_STATUS pl_cli_watch(const pl_cli *cli, const char *job_id);

/* ---- output ---- */
typedef enum pl_format { PL_FORMAT_TABLE, PL_FORMAT_CSV, PL_FORMAT_JSON } pl_format;
PL_STATUS pl_cli_format(const char *name, pl_format *out);
void pl_cli_print_json(json_t *value);           /* takes value */
void pl_cli_time(int64_t seconds, char out[32]); /* "2026-11-23 10:02:03", local; "-" for 0 */

/* A text table: rows of cells, aligned by display width (Chinese characters take two columns). */
typedef struct pl_table pl_table;
PL_STATUS pl_table_new(const char *const *headers, size_t n_columns, pl_table **out);
void pl_table_align_right(pl_table *table, size_t column);
PL_STATUS pl_table_add(pl_table *table, const char *const *cells); /* NULL cell: empty */
void pl_table_print(const pl_table *table);
void pl_table_free(pl_table *table);

void pl_result_print(const Parley__V1__ResultTable *result, pl_format format);
json_t *pl_train_model_json(const Parley__V1__TrainResult *result);
json_t *pl_train_metrics_json(const Parley__V1__TrainResult *result);
json_t *pl_job_json(const Parley__V1__Job *job);
void pl_job_print(const Parley__V1__Job *job);

#endif
