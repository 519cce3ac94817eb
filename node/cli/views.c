/* views.c: parley catalog, status, receipt get|verify. */
#include "node/cli/cli.h"
#include "node/cli/evidence.h"
#include "node/cli/receipt.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- catalogue ---- */

static void column_type(const Parley__V1__Column *c, char out[40]) {
    static const char *const names[] = {"?", "integer", "decimal", "real", "bool", "date", "text"};
    const char *name = names[(unsigned)c->type <= 6 ? (unsigned)c->type : 0];
    if (c->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL)
        snprintf(out, 40, "decimal(%u,%u)", c->precision, c->scale);
    else
        snprintf(out, 40, "%s", name);
}

static pl_status catalog_table(const Parley__V1__CatalogReply *reply) {
    static const char *const headers[] = {"DATASET", "COLUMN", "TYPE",   "NULLS",
                                          "VALUES",  "RANGE",  "COHORT", "NODE"};
    pl_table *table = NULL;
    pl_status status = pl_table_new(headers, 8, &table);
    for (size_t i = 0; i < reply->n_items; i++) {
        const Parley__V1__Dataset *d = reply->items[i]->dataset;
        for (size_t k = 0; k < d->n_columns && pl_is_ok(status); k++) {
            const Parley__V1__Column *c = d->columns[k];
            char name[200], type[40], range[120], values[24], cohort[16];
            column_type(c, type);
            snprintf(name, sizeof name, "%s.%s", d->org, d->name);
            snprintf(range, sizeof range, *c->min == 0 ? "" : "%s .. %s", c->min, c->max);
            snprintf(values, sizeof values, c->n_values == 0 ? "" : "%zu declared", c->n_values);
            snprintf(cohort, sizeof cohort, "%u", d->min_cohort);
            const char *cells[] = {k == 0 ? name : "",
                                   c->name,
                                   type,
                                   c->nullable ? "yes" : "no",
                                   values,
                                   range,
                                   k == 0 ? cohort : "",
                                   k == 0 ? (reply->items[i]->online ? "online" : "offline") : ""};
            status = pl_table_add(table, cells);
        }
    }
    if (pl_is_ok(status))
        pl_table_print(table);
    pl_table_free(table);
    return status;
}

static json_t *catalog_json(const Parley__V1__CatalogReply *reply) {
    json_t *items = json_array();
    for (size_t i = 0; i < reply->n_items; i++) {
        const Parley__V1__Dataset *d = reply->items[i]->dataset;
        json_t *columns = json_array();
        for (size_t k = 0; k < d->n_columns; k++) {
            char type[40];
            json_t *values = json_array();
            column_type(d->columns[k], type);
            for (size_t v = 0; v < d->columns[k]->n_values; v++)
                json_array_append_new(values, json_string(d->columns[k]->values[v]));
            json_array_append_new(columns,
                                  json_pack("{s:s, s:s, s:b, s:s, s:s, s:o}", "name",
                                            d->columns[k]->name, "type", type, "nullable",
                                            d->columns[k]->nullable, "min", d->columns[k]->min,
                                            "max", d->columns[k]->max, "values", values));
        }
        json_array_append_new(
            items, json_pack("{s:s, s:s, s:s, s:i, s:I, s:i, s:b, s:o}", "org", d->org, "name",
                             d->name, "title", d->title, "schema_version", (int)d->schema_version,
                             "rows_max", (json_int_t)d->rows_max, "min_cohort", (int)d->min_cohort,
                             "online", reply->items[i]->online, "columns", columns));
    }
    return items;
}

static pl_status run_catalog(pl_cli *cli) {
    Parley__V1__ListRequest request = PARLEY__V1__LIST_REQUEST__INIT;
    Parley__V1__CatalogReply *reply = NULL;
    PL_TRY(pl_cli_words(cli, 0, "catalog"));
    PL_TRY(pl_cli_call(cli, "analyst", "Catalog", &request.base,
                       &parley__v1__catalog_reply__descriptor, &reply));
    pl_status status = PL_OK;
    if (cli->json)
        pl_cli_print_json(catalog_json(reply));
    else
        status = catalog_table(reply);
    parley__v1__catalog_reply__free_unpacked(reply, NULL);
    return status;
}

/* ---- status ---- */

static json_t *status_json(const Parley__V1__StatusReply *s) {
    json_t *members = json_array(), *datasets = json_array();
    for (size_t i = 0; i < s->n_members; i++)
        json_array_append_new(members,
                              json_pack("{s:s, s:s, s:b, s:b}", "org", s->members[i]->org, "group",
                                        s->members[i]->group, "online", s->members[i]->online,
                                        "audit_disputed", s->members[i]->audit_disputed));
    for (size_t i = 0; i < s->n_datasets; i++)
        json_array_append_new(datasets, json_string(s->datasets[i]));
    return json_pack("{s:s, s:s, s:s, s:I, s:b, s:s, s:s, s:I, s:I, s:I, s:i, s:i, s:I, s:s, s:I, "
                     "s:I, s:o, s:o}",
                     "org", s->org, "node", s->node, "version", s->version, "started_at",
                     (json_int_t)s->started_at, "scheduler_connected", s->scheduler_connected,
                     "scheduler", s->scheduler, "federation", s->federation, "epoch",
                     (json_int_t)s->epoch, "manifest_not_after", (json_int_t)s->manifest_not_after,
                     "node_key_not_after", (json_int_t)s->node_key_not_after, "sessions",
                     (int)s->sessions, "jobs_open", (int)s->jobs_open, "audit_records",
                     (json_int_t)s->audit_records, "session_endpoint", s->session_endpoint,
                     "rss_bytes", (json_int_t)s->rss_bytes, "policy_version",
                     (json_int_t)s->policy_version, "members", members, "datasets", datasets);
}

static void print_status(const Parley__V1__StatusReply *s) {
    char started[32], manifest[32], key[32];
    pl_cli_time(s->started_at, started);
    pl_cli_time(s->manifest_not_after, manifest);
    pl_cli_time(s->node_key_not_after, key);
    printf("node         %s of %s, parleyd %s, since %s\n", s->node, s->org, s->version, started);
    printf("federation   %s, epoch %llu, manifest valid until %s\n", s->federation,
           (unsigned long long)s->epoch, manifest);
    printf("node key     valid until %s\n", key);
    printf("scheduler    %s, %s\n", s->scheduler,
           s->scheduler_connected ? "connected" : "not connected");
    printf("session port %s\n", s->session_endpoint);
    printf("policy       version %llu\n", (unsigned long long)s->policy_version);
    printf("sessions     %u, open jobs %u, audit records %llu, memory %.1f MB\n", s->sessions,
           s->jobs_open, (unsigned long long)s->audit_records, (double)s->rss_bytes / 1e6);
    for (size_t i = 0; i < s->n_members; i++)
        printf("%s %s (group %s): %s%s\n", i == 0 ? "members     " : "            ",
               s->members[i]->org, s->members[i]->group,
               s->members[i]->online ? "online" : "offline",
               s->members[i]->audit_disputed
                   ? ", REFUSED: its audit log went back or split (parley audit peers)"
                   : "");
    for (size_t i = 0; i < s->n_datasets; i++)
        printf("%s %s\n", i == 0 ? "datasets    " : "            ", s->datasets[i]);
}

static bool is_complete(const Parley__V1__StatusReply *s) {
    for (size_t i = 0; i < s->n_members; i++) {
        if (!s->members[i]->online && strcmp(s->members[i]->org, s->org) != 0)
            return false;
    }
    return s->scheduler_connected;
}

/* Asks until the scheduler is connected and all members are online, for so many seconds at most;
 * the node's API has no event for this, so it is asked again every 50 ms. */
static pl_status ask_status(const pl_cli *cli, uint64_t wait_seconds,
                            Parley__V1__StatusReply **out) {
    Parley__V1__ListRequest request = PARLEY__V1__LIST_REQUEST__INIT;
    struct timespec begin, at, pause = {.tv_nsec = 50 * 1000000};
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (;;) {
        PL_TRY(pl_cli_call(cli, "operator", "Status", &request.base,
                           &parley__v1__status_reply__descriptor, out));
        clock_gettime(CLOCK_MONOTONIC, &at);
        if (wait_seconds == 0 || is_complete(*out))
            return PL_OK;
        if ((uint64_t)(at.tv_sec - begin.tv_sec) >= wait_seconds)
            break;
        parley__v1__status_reply__free_unpacked(*out, NULL);
        *out = NULL;
        nanosleep(&pause, NULL);
    }
    return pl_fail(PL_TIMEOUT, "not all members were online within %llu s",
                   (unsigned long long)wait_seconds);
}

static pl_status run_status(pl_cli *cli) {
    const char *wait = pl_cli_option(cli, "--wait");
    Parley__V1__StatusReply *reply = NULL;
    uint64_t seconds = 0;
    if (wait != NULL)
        PL_TRY(pl_cli_number(wait, "--wait", 86400, &seconds));
    PL_TRY(pl_cli_words(cli, 0, "status [--wait S]"));
    pl_status status = ask_status(cli, seconds, &reply);
    if (reply != NULL && cli->json)
        pl_cli_print_json(status_json(reply));
    else if (reply != NULL)
        print_status(reply);
    if (reply != NULL)
        parley__v1__status_reply__free_unpacked(reply, NULL);
    return status;
}

/* ---- receipts ---- */

static pl_status run_receipt_get(pl_cli *cli) {
    const char *path = pl_cli_option(cli, "--output");
    if (path == NULL)
        path = pl_cli_option(cli, "-o");
    Parley__V1__ReceiptReply *reply = NULL;
    PL_TRY(pl_cli_words(cli, 1, "receipt get JOB --output FILE"));
    if (path == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "usage: parley receipt get JOB --output FILE");
    PL_TRY(pl_cli_job_call(cli, "auditor", "Receipt", cli->argv[0],
                           &parley__v1__receipt_reply__descriptor, &reply));
    pl_status status = pl_evidence_write(reply, path);
    parley__v1__receipt_reply__free_unpacked(reply, NULL);
    if (pl_is_ok(status) && !cli->json)
        printf("receipt written to %s\n", path);
    return status;
}

static pl_status run_receipt_verify(pl_cli *cli) {
    const char *manifest = pl_cli_option(cli, "--manifest");
    PL_TRY(pl_cli_words(cli, 1, "receipt verify FILE [--manifest MANIFEST]"));
    return pl_cli_receipt_verify(cli->argv[0], manifest, cli->json);
}

const pl_command pl_view_commands[] = {
    {"catalog", "the datasets of all members", "usage: parley catalog [--json]\n", run_catalog},
    {"status", "how the node is",
     "usage: parley status [--wait S] [--json]\n\n"
     "  --wait S   first wait, S seconds at most, until all members are online\n",
     run_status},
    {"receipt get", "save a job's receipt", "usage: parley receipt get JOB --output FILE\n",
     run_receipt_get},
    {"receipt verify", "check a receipt offline",
     "usage: parley receipt verify FILE [--manifest MANIFEST]\n\nWithout --manifest the manifest "
     "inside the file is used: it must "
     "be the one you trust.\n",
     run_receipt_verify},
    {0},
};
