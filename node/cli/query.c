/* query.c: parley query, parley bench: submit, watch, fetch. */
#include "node/cli/cli.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES_MAX                                                                             \
    (1 << 20) /* the node says how much it reads; this is for a file named by mistake */

static volatile sig_atomic_t interrupted;

static void on_interrupt(int number) {
    (void)number;
    interrupted = 1;
    pl_rpc_interrupt();
}

/* ---- the task ---- */

pl_status pl_cli_read_text(const char *path, char **out) {
    FILE *file = strcmp(path, "-") == 0 ? stdin : fopen(path, "re");
    if (file == NULL)
        return pl_fail(PL_IO, "cannot open %s: %s", path, strerror(errno));
    char *text;
    pl_status status = pl_alloc(TEXT_BYTES_MAX + 2, 1, &text);
    if (pl_is_ok(status)) {
        size_t len = fread(text, 1, TEXT_BYTES_MAX + 1, file);
        if (len > TEXT_BYTES_MAX) {
            status = pl_fail(PL_LIMIT, "%s is longer than %d bytes", path, TEXT_BYTES_MAX);
            free(text);
        } else {
            *out = text;
        }
    }
    if (file != stdin)
        fclose(file);
    return status;
}

static pl_status read_request(pl_cli *cli, const char *kind, const char *usage,
                              Parley__V1__SubmitRequest *request) {
    Parley__V1__Task *task = request->task;
    const char *purpose = pl_cli_option(cli, "--purpose");
    const char *protocol = pl_cli_option(cli, "--protocol");
    const char *timeout = pl_cli_option(cli, "--timeout");
    const char *file = pl_cli_option(cli, "--file");
    if (file == NULL)
        file = pl_cli_option(cli, "-f");
    PL_TRY(pl_cli_names(pl_cli_option(cli, "--compute"), &task->compute, &task->n_compute));
    PL_TRY(
        pl_cli_names(pl_cli_option(cli, "--recipients"), &task->recipients, &task->n_recipients));
    uint64_t seconds = 0;
    if (timeout != NULL)
        PL_TRY(pl_cli_number(timeout, "--timeout", 90 * 86400, &seconds));
    request->wait_seconds = (uint32_t)seconds;
    PL_TRY(pl_cli_words(cli, file == NULL ? 1 : 0, usage));
    PL_TRY(pl_strdup(kind, &task->kind));
    PL_TRY(pl_strdup(purpose == NULL ? "" : purpose, &task->purpose));
    PL_TRY(pl_strdup(protocol == NULL ? "rep3" : protocol, &task->protocol));
    return file == NULL ? pl_strdup(cli->argv[0], &task->text)
                        : pl_cli_read_text(file, &task->text);
}

/* ---- watching ---- */

typedef struct watching {
    const pl_cli *cli;
    bool terminal;
    char state[40];
    Parley__V1__Job *last;
} watching;

static void show_progress(watching *w, const Parley__V1__Job *job) {
    if (!w->terminal)
        return;
    bool has_progress = *job->progress != 0; /* of the session; before it, the reason says more */
    bool has_reason = !has_progress && !job->is_final && *job->reason != 0;
    fprintf(stderr, "\r\033[K%.8s %s%s%s%s%s", job->job_id, job->state, has_progress ? ", " : "",
            job->progress, has_reason ? ": " : "", has_reason ? job->reason : "");
    fflush(stderr);
}

static pl_status on_job(const ProtobufCMessage *message, void *ctx) {
    watching *w = ctx;
    const Parley__V1__Job *job = (const Parley__V1__Job *)message;
    if (interrupted)
        return pl_fail(PL_CANCELLED, "interrupted");
    show_progress(w, job);
    if (!job->is_final)
        return PL_OK;
    size_t len = parley__v1__job__get_packed_size(job);
    uint8_t *copy;
    PL_TRY(pl_alloc(len + 1, 1, &copy));
    parley__v1__job__pack(job, copy);
    w->last = parley__v1__job__unpack(NULL, len, copy);
    free(copy);
    return PL_OK;
}

static pl_status outcome(const Parley__V1__Job *job) {
    if (strcmp(job->state, "released") == 0 || strcmp(job->state, "completed") == 0)
        return PL_OK;
    pl_code code = *job->error_code == 0 ? PL_INTERNAL : pl_code_from_name(job->error_code);
    return pl_fail(code, "job %.8s %s: %s", job->job_id, job->state, job->reason);
}

static pl_status cancel(const pl_cli *cli, const char *job) {
    Parley__V1__Ack *ack = NULL;
    pl_status status =
        pl_cli_job_call(cli, "analyst", "CancelJob", job, &parley__v1__ack__descriptor, &ack);
    if (ack != NULL)
        parley__v1__ack__free_unpacked(ack, NULL);
    return status;
}

pl_status pl_cli_watch(const pl_cli *cli, const char *job_id) {
    watching w = {.cli = cli, .terminal = isatty(STDERR_FILENO) == 1 && !cli->json};
    Parley__V1__JobRef ref = PARLEY__V1__JOB_REF__INIT;
    ref.job_id = (char *)(uintptr_t)job_id;
    struct sigaction action = {.sa_handler = on_interrupt};
    sigaction(SIGINT, &action, NULL);
    pl_status status = pl_cli_stream(cli, "analyst", "WatchJob", &ref.base,
                                     &parley__v1__job__descriptor, on_job, &w);
    if (w.terminal)
        fprintf(stderr, "\r\033[K");
    if (interrupted) {
        pl_status_done(&status);
        pl_rpc_resume();
        pl_status cancelled = cancel(cli, job_id);
        pl_status_done(&cancelled); /* the interruption is what is reported */
        status = pl_fail(PL_CANCELLED, "interrupted: job %.8s was cancelled", job_id);
    }
    if (pl_is_ok(status))
        status = w.last == NULL
                     ? pl_fail(PL_UNAVAILABLE,
                               "the node stopped before job %.8s ended: ask again with parley "
                               "job show %.8s",
                               job_id, job_id)
                     : outcome(w.last);
    if (w.last != NULL)
        parley__v1__job__free_unpacked(w.last, NULL);
    return status;
}

/* A recipient prints the result; others say that it is done. */
static pl_status fetch(const pl_cli *cli, const char *job_id, pl_format format) {
    Parley__V1__JobResult *result = NULL;
    PL_TRY(pl_cli_result(cli, job_id, &result));
    pl_result_print(result->table, format);
    fflush(stdout);
    if (format == PL_FORMAT_TABLE && result->job->stats != NULL)
        fprintf(stderr, "job %.8s: %llu rounds, %llu bytes sent, %.3f s\n", job_id,
                (unsigned long long)result->job->stats->rounds,
                (unsigned long long)result->job->stats->bytes_sent, result->job->stats->seconds);
    parley__v1__job_result__free_unpacked(result, NULL);
    return PL_OK;
}

static bool receives(const Parley__V1__Task *task, const pl_cli *cli) {
    (void)cli;
    return task->n_recipients == 0;
}

/* ---- commands ---- */

pl_status pl_cli_explain(const pl_cli *cli, const Parley__V1__SubmitRequest *request) {
    Parley__V1__ExplainReply *reply = NULL;
    PL_TRY(pl_cli_call(cli, "analyst", "Explain", &request->base,
                       &parley__v1__explain_reply__descriptor, &reply));
    if (cli->json)
        pl_cli_print_json(json_pack("{s:s}", "explain", reply->text));
    else
        fputs(reply->text, stdout);
    parley__v1__explain_reply__free_unpacked(reply, NULL);
    return PL_OK;
}

pl_status pl_cli_submit(const pl_cli *cli, const Parley__V1__SubmitRequest *request,
                        char out_job[64]) {
    Parley__V1__SubmitReply *reply = NULL;
    PL_TRY(pl_cli_call(cli, "analyst", "Submit", &request->base,
                       &parley__v1__submit_reply__descriptor, &reply));
    snprintf(out_job, 64, "%s", reply->job_id);
    parley__v1__submit_reply__free_unpacked(reply, NULL);
    return PL_OK;
}

static pl_status submit(const pl_cli *cli, const Parley__V1__SubmitRequest *request, bool detach,
                        pl_format format) {
    char job_id[64];
    PL_TRY(pl_cli_submit(cli, request, job_id));
    if (detach) {
        printf("%s\n", job_id);
        return PL_OK;
    }
    PL_TRY(pl_cli_watch(cli, job_id));
    pl_status status = fetch(cli, job_id, format);
    if (!receives(request->task, cli) && pl_status_code(status) == PL_FAILED_PRECONDITION) {
        pl_status_done(&status); /* the result went to others */
        printf("job %s is done; the result went to its recipients\n", job_id);
    }
    return status;
}

static pl_status run_kind(pl_cli *cli, const char *kind, const char *usage) {
    Parley__V1__SubmitRequest request = PARLEY__V1__SUBMIT_REQUEST__INIT;
    Parley__V1__Task *task;
    PL_TRY(pl_alloc(1, sizeof *task, &task));
    parley__v1__task__init(task);
    request.task = task;
    const char *format_name = pl_cli_option(cli, "--format");
    pl_format format = cli->json ? PL_FORMAT_JSON : PL_FORMAT_TABLE;
    bool explain_only = pl_cli_flag(cli, "--explain"), detach = pl_cli_flag(cli, "--detach");
    pl_status status = format_name == NULL ? PL_OK : pl_cli_format(format_name, &format);
    if (pl_is_ok(status))
        status = read_request(cli, kind, usage, &request);
    if (pl_is_ok(status))
        status =
            explain_only ? pl_cli_explain(cli, &request) : submit(cli, &request, detach, format);
    parley__v1__task__free_unpacked(task, NULL);
    return status;
}

#define QUERY_USAGE                                                                                \
    "query SQL|--file FILE --purpose P [--protocol rep3] [--compute A,B,C] [--recipients A,B] "    \
    "[--timeout S]"                                                                                \
    " [--format table|csv|json] [--explain] [--detach]"

static pl_status run_query(pl_cli *cli) {
    return run_kind(cli, "query", QUERY_USAGE);
}

#define BENCH_USAGE                                                                                \
    "bench \"OP [N]\" --purpose P [--compute A,B,C] [--timeout S] [--format table|csv|json] "      \
    "[--explain]"

static pl_status run_bench(pl_cli *cli) {
    return run_kind(cli, "bench", BENCH_USAGE);
}

const pl_command pl_query_commands[] = {
    {"query", "ask a joint question in SQL",
     "usage: parley " QUERY_USAGE "\n\n"
     "  --purpose P       why: the data owners' policies allow purposes by name\n"
     "  --explain         show the plan, who learns what, and what it costs; nothing runs\n"
     "  --compute A,B,C   the compute parties, in order\n"
     "  --recipients A,B  who receives the result (default: your own organisation)\n"
     "  --timeout S       the job ends if it has not run within S seconds\n"
     "  --detach          print the job's id and return\n\n"
     "A bare table is the union of all members' datasets of that name; member.dataset is one "
     "member's.\n\n"
     "examples:\n"
     "  parley query \"SELECT sex, COUNT(*), AVG(income) FROM residents GROUP BY sex\" --purpose "
     "official-statistics\n"
     "  parley query --file question.sql --purpose official-statistics --format csv > answer.csv\n",
     run_query},
    {"bench", "measure a protocol between the members' nodes",
     "usage: parley " BENCH_USAGE
     "\n\nOP is one of those that `parley-bench list` names, N the number of "
     "elements.\n\nexamples:\n  parley bench \"mul 1000000\" --purpose benchmark\n  parley bench "
     "sort --purpose benchmark\n",
     run_bench},
    {0},
};
