/* approval.c: parley approval list|show|grant|refuse. A decision is bound to the plan digest that
 * was shown. */
#include "node/cli/cli.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pl_status run_list(pl_cli *cli) {
    static const char *const headers[] = {"JOB", "PROPOSER", "PURPOSE", "EXPIRES"};
    Parley__V1__ListRequest request = PARLEY__V1__LIST_REQUEST__INIT;
    Parley__V1__ApprovalList *list = NULL;
    pl_table *table = NULL;
    PL_TRY(pl_cli_words(cli, 0, "approval list"));
    PL_TRY(pl_cli_call(cli, "approver", "ListApprovals", &request.base,
                       &parley__v1__approval_list__descriptor, &list));
    json_t *json = json_array();
    pl_status status = pl_table_new(headers, 4, &table);
    for (size_t i = 0; i < list->n_items && pl_is_ok(status); i++) {
        const Parley__V1__Job *job = list->items[i]->job;
        char id[13], expires[32];
        snprintf(id, sizeof id, "%.12s", job->job_id);
        pl_cli_time(job->not_after, expires);
        const char *cells[] = {id, job->proposer, job->purpose, expires};
        status = pl_table_add(table, cells);
        json_array_append_new(json, pl_job_json(job));
    }
    if (pl_is_ok(status) && cli->json)
        pl_cli_print_json(json_incref(json));
    else if (pl_is_ok(status))
        pl_table_print(table);
    json_decref(json);
    pl_table_free(table);
    parley__v1__approval_list__free_unpacked(list, NULL);
    return status;
}

static pl_status get(const pl_cli *cli, const char *job, Parley__V1__ApprovalItem **out) {
    return pl_cli_job_call(cli, "approver", "ShowApproval", job,
                           &parley__v1__approval_item__descriptor, out);
}

static void print_item(const Parley__V1__ApprovalItem *item) {
    pl_job_print(item->job);
    printf("\n%s\n", item->explain);
    for (size_t i = 0; i < item->n_rules; i++)
        printf("%s%s\n", i == 0 ? "your policy     " : "                ", item->rules[i]);
    for (size_t i = 0; i < item->n_covered; i++)
        printf("%s%s\n", i == 0 ? "policy allows   " : "                ", item->covered[i]);
    for (size_t i = 0; i < item->n_asked; i++)
        printf("%s%s\n", i == 0 ? "you decide      " : "                ", item->asked[i]);
    printf("plan            %s\ndecision        %s\n", item->plan_digest, item->state);
}

static json_t *item_json(const Parley__V1__ApprovalItem *item) {
    json_t *covered = json_array(), *asked = json_array(), *rules = json_array();
    for (size_t i = 0; i < item->n_rules; i++)
        json_array_append_new(rules, json_string(item->rules[i]));
    for (size_t i = 0; i < item->n_covered; i++)
        json_array_append_new(covered, json_string(item->covered[i]));
    for (size_t i = 0; i < item->n_asked; i++)
        json_array_append_new(asked, json_string(item->asked[i]));
    return json_pack("{s:o, s:s, s:o, s:o, s:o, s:s, s:s}", "job", pl_job_json(item->job),
                     "explain", item->explain, "policy", rules, "covered", covered, "asked", asked,
                     "plan_digest", item->plan_digest, "state", item->state);
}

static pl_status run_show(pl_cli *cli) {
    Parley__V1__ApprovalItem *item = NULL;
    PL_TRY(pl_cli_words(cli, 1, "approval show JOB"));
    PL_TRY(get(cli, cli->argv[0], &item));
    if (cli->json)
        pl_cli_print_json(item_json(item));
    else
        print_item(item);
    parley__v1__approval_item__free_unpacked(item, NULL);
    return PL_OK;
}

static pl_status decide(pl_cli *cli, bool grant, const char *usage) {
    const char *reason = pl_cli_option(cli, "--reason");
    const char *digest = pl_cli_option(cli, "--plan");
    Parley__V1__ApprovalItem *item = NULL;
    Parley__V1__Ack *ack = NULL;
    PL_TRY(pl_cli_words(cli, 1, usage));
    PL_TRY(get(cli, cli->argv[0], &item));
    Parley__V1__Decision decision = PARLEY__V1__DECISION__INIT;
    decision.job_id = item->job->job_id;
    decision.grant = grant;
    decision.plan_digest = digest == NULL ? item->plan_digest : (char *)(uintptr_t)digest;
    decision.reason = (char *)(uintptr_t)(reason == NULL ? "" : reason);
    pl_status status = pl_cli_call(cli, "approver", "DecideApproval", &decision.base,
                                   &parley__v1__ack__descriptor, &ack);
    if (pl_is_ok(status)) {
        printf("%s: plan %.16s of job %.12s\n", grant ? "granted" : "refused", decision.plan_digest,
               item->job->job_id);
        parley__v1__ack__free_unpacked(ack, NULL);
    }
    parley__v1__approval_item__free_unpacked(item, NULL);
    return status;
}

static pl_status run_grant(pl_cli *cli) {
    return decide(cli, true, "approval grant JOB [--plan DIGEST]");
}

static pl_status run_refuse(pl_cli *cli) {
    return decide(cli, false, "approval refuse JOB [--reason TEXT] [--plan DIGEST]");
}

const pl_command pl_approval_commands[] = {
    {"approval list", "jobs that wait for this node's approver",
     "usage: parley approval list [--json]\n", run_list},
    {"approval show", "who asks, why, and who would learn what",
     "usage: parley approval show JOB [--json]\n", run_show},
    {"approval grant", "say yes to a plan",
     "usage: parley approval grant JOB [--plan DIGEST]\n\n--plan: the digest that was shown; "
     "another plan is not granted\n",
     run_grant},
    {"approval refuse", "say no", "usage: parley approval refuse JOB [--reason TEXT]\n",
     run_refuse},
    {0},
};
