/* job.c: parley job list|show|cancel|result. */
#include "node/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Sessions of before there were several say nothing. */
static unsigned lanes_of(const Parley__V1__SessionStats *stats) {
    return stats->lanes == 0 ? 1 : stats->lanes;
}

json_t *pl_job_json(const Parley__V1__Job *job) {
    json_t *parties = json_array();
    for (size_t i = 0; i < job->n_parties; i++)
        json_array_append_new(parties,
                              json_pack("{s:s, s:s, s:s}", "org", job->parties[i]->org, "roles",
                                        job->parties[i]->roles, "state", job->parties[i]->state));
    json_t *refusal = json_null();
    if (job->refusal != NULL)
        refusal = json_pack("{s:s, s:s, s:s, s:s}", "column", job->refusal->column, "rule",
                            job->refusal->rule, "reason", job->refusal->reason, "change",
                            job->refusal->change);
    json_t *stats = json_null();
    if (job->stats != NULL)
        stats = json_pack("{s:I, s:I, s:f, s:I}", "rounds", (json_int_t)job->stats->rounds,
                          "bytes_sent", (json_int_t)job->stats->bytes_sent, "seconds",
                          job->stats->seconds, "lanes", (json_int_t)lanes_of(job->stats));
    return json_pack(
        "{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I, s:b, s:o, s:o, s:o}",
        "job_id", job->job_id, "state", job->state, "progress", job->progress, "reason",
        job->reason, "error_code", job->error_code, "kind", job->kind, "text", job->text, "purpose",
        job->purpose, "proposer", job->proposer, "submitter", job->submitter, "created_at",
        (json_int_t)job->created_at, "changed_at", (json_int_t)job->changed_at, "not_after",
        (json_int_t)job->not_after, "is_final", job->is_final, "parties", parties, "refusal",
        refusal, "stats", stats);
}

void pl_job_print(const Parley__V1__Job *job) {
    char created[32], changed[32], not_after[32];
    pl_cli_time(job->created_at, created);
    pl_cli_time(job->changed_at, changed);
    pl_cli_time(job->not_after, not_after);
    printf("job        %s\nstate      %s%s%s\n", job->job_id, job->state,
           *job->progress == 0 ? "" : ", ", job->progress);
    if (*job->reason != 0)
        printf("reason     %s\n", job->reason);
    printf("kind       %s\ntext       %s\npurpose    %s\nproposer   %s, %s\ncreated    %s\nchanged "
           "   %s\nexpires    %s\n",
           job->kind, job->text, job->purpose, job->proposer, job->submitter, created, changed,
           not_after);
    for (size_t i = 0; i < job->n_parties; i++)
        printf("%s%s: %s%s%s\n", i == 0 ? "parties    " : "           ", job->parties[i]->org,
               job->parties[i]->roles, strcmp(job->parties[i]->state, "-") == 0 ? "" : ", ",
               strcmp(job->parties[i]->state, "-") == 0 ? "" : job->parties[i]->state);
    if (job->stats != NULL)
        printf("session    %llu rounds, %llu bytes sent, %.3f s, %u lane%s\n",
               (unsigned long long)job->stats->rounds, (unsigned long long)job->stats->bytes_sent,
               job->stats->seconds, lanes_of(job->stats), lanes_of(job->stats) == 1 ? "" : "s");
}

static pl_status print_list(const pl_cli *cli, const Parley__V1__JobList *list) {
    static const char *const headers[] = {"JOB", "STATE", "KIND", "PROPOSER", "CREATED", "REASON"};
    if (cli->json) {
        json_t *jobs = json_array();
        for (size_t i = 0; i < list->n_jobs; i++)
            json_array_append_new(jobs, pl_job_json(list->jobs[i]));
        pl_cli_print_json(jobs);
        return PL_OK;
    }
    pl_table *table = NULL;
    pl_status status = pl_table_new(headers, 6, &table);
    for (size_t i = 0; i < list->n_jobs && pl_is_ok(status); i++) {
        const Parley__V1__Job *job = list->jobs[i];
        char created[32], id[13];
        pl_cli_time(job->created_at, created);
        snprintf(id, sizeof id, "%.12s", job->job_id);
        const char *cells[] = {id, job->state, job->kind, job->proposer, created, job->reason};
        status = pl_table_add(table, cells);
    }
    if (pl_is_ok(status))
        pl_table_print(table);
    pl_table_free(table);
    return status;
}

static pl_status run_list(pl_cli *cli) {
    Parley__V1__ListRequest request = PARLEY__V1__LIST_REQUEST__INIT;
    Parley__V1__JobList *list = NULL;
    PL_TRY(pl_cli_words(cli, 0, "job list"));
    PL_TRY(pl_cli_call(cli, "analyst", "ListJobs", &request.base, &parley__v1__job_list__descriptor,
                       &list));
    pl_status status = print_list(cli, list);
    parley__v1__job_list__free_unpacked(list, NULL);
    return status;
}

static pl_status run_show(pl_cli *cli) {
    Parley__V1__Job *job = NULL;
    PL_TRY(pl_cli_words(cli, 1, "job show JOB"));
    PL_TRY(pl_cli_job_call(cli, "analyst", "ShowJob", cli->argv[0], &parley__v1__job__descriptor,
                           &job));
    if (cli->json)
        pl_cli_print_json(pl_job_json(job));
    else
        pl_job_print(job);
    parley__v1__job__free_unpacked(job, NULL);
    return PL_OK;
}

static pl_status run_cancel(pl_cli *cli) {
    Parley__V1__Ack *ack = NULL;
    PL_TRY(pl_cli_words(cli, 1, "job cancel JOB"));
    PL_TRY(pl_cli_job_call(cli, "analyst", "CancelJob", cli->argv[0], &parley__v1__ack__descriptor,
                           &ack));
    parley__v1__ack__free_unpacked(ack, NULL);
    printf("cancelled\n");
    return PL_OK;
}

static pl_status run_result(pl_cli *cli) {
    const char *name = pl_cli_option(cli, "--format");
    pl_format format = cli->json ? PL_FORMAT_JSON : PL_FORMAT_TABLE;
    Parley__V1__JobResult *result = NULL;
    if (name != NULL)
        PL_TRY(pl_cli_format(name, &format));
    PL_TRY(pl_cli_words(cli, 1, "job result JOB [--format table|csv|json]"));
    PL_TRY(pl_cli_result(cli, cli->argv[0], &result));
    pl_result_print(result->table, format);
    parley__v1__job_result__free_unpacked(result, NULL);
    return PL_OK;
}

const pl_command pl_job_commands[] = {
    {"job list", "list the jobs this node knows", "usage: parley job list [--json]\n", run_list},
    {"job show", "show one job",
     "usage: parley job show JOB [--json]\n\nJOB: the id, or its first 6 digits or more\n",
     run_show},
    {"job cancel", "stop a job", "usage: parley job cancel JOB\n", run_cancel},
    {"job result", "print a result again",
     "usage: parley job result JOB [--format table|csv|json]\n", run_result},
    {0},
};
