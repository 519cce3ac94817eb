/* api_views.c: what the local API shows: approvals, catalogue, status. */
#include "node/crypto/digest.h"
#include "node/daemon/node.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* ---- approvals ---- */

/* Own flows of the plan, each with the rule that covers it, or marked as waiting for the approver.
 */
static pl_status describe_flows(const pl_policy_verdict *verdict, const Parley__V1__Plan *plan,
                                Parley__V1__ApprovalItem *item) {
    PL_TRY(pl_alloc(plan->n_flows, sizeof *item->covered, &item->covered));
    PL_TRY(pl_alloc(plan->n_flows, sizeof *item->asked, &item->asked));
    for (size_t i = 0; i < plan->n_flows && i < verdict->n_flows; i++) {
        const Parley__V1__Flow *flow = plan->flows[i];
        const pl_policy_flow *judged = &verdict->flows[i];
        if (!judged->own)
            continue;
        char text[512];
        if (*flow->dataset != 0)
            snprintf(text, sizeof text, "%s.%s.%s in %s (rule %u)", flow->owner, flow->dataset,
                     flow->column, flow->operation, judged->rule);
        else
            snprintf(text, sizeof text, "%s takes part in computing (take_part)", flow->owner);
        if (judged->ask)
            PL_TRY(pl_strdup(text, &item->asked[item->n_asked++]));
        else
            PL_TRY(pl_strdup(text, &item->covered[item->n_covered++]));
    }
    return PL_OK;
}

static void print_until(int64_t seconds, pl_buf *out) {
    char text[32];
    time_t time = (time_t)seconds;
    struct tm day;
    if (seconds == INT64_MAX || gmtime_r(&time, &day) == NULL) {
        pl_buf_printf(out, "no expiry");
        return;
    }
    strftime(text, sizeof text, "%Y-%m-%d %H:%M UTC", &day);
    pl_buf_printf(out, "until %s", text);
}

static pl_status print_uses(pl_node *node, uint32_t rule, const pl_policy_limits *limits,
                            pl_buf *out) {
    uint64_t used = 0;
    if (!limits->has_uses)
        return PL_OK;
    PL_TRY(pl_jobs_uses(node->jobs, pl_policy_version(node->policy), rule, &used));
    pl_buf_printf(out,
                  ", %" PRIu64 " of %" PRIu64 " uses left (one is taken when values are opened)",
                  used < limits->uses ? limits->uses - used : 0, limits->uses);
    return PL_OK;
}

static pl_status add_line(pl_buf *text, Parley__V1__ApprovalItem *item) {
    pl_bytes line = {0};
    PL_TRY(pl_buf_take(text, &line));
    item->rules[item->n_rules++] = (char *)line.data; /* ends with NUL */
    return PL_OK;
}

/* The policy as it stands: its version and expiry, then every rule that covers one of the flows. */
static pl_status describe_rules(pl_node *node, const pl_policy_verdict *verdict,
                                Parley__V1__ApprovalItem *item) {
    uint32_t n = pl_policy_n_rules(node->policy);
    pl_buf text = {0};
    PL_TRY(pl_alloc(n + 1, sizeof *item->rules, &item->rules));
    pl_buf_printf(&text, "version %" PRIu64 " of %s, ", pl_policy_version(node->policy), node->own);
    print_until(pl_policy_not_after(node->policy), &text);
    PL_TRY(add_line(&text, item));
    for (uint32_t rule = 1; rule <= n; rule++) {
        if (!pl_policy_verdict_uses_rule(verdict, rule))
            continue;
        pl_policy_limits limits = pl_policy_limits_of(node->policy, rule);
        pl_buf line = {0};
        pl_buf_printf(&line, "rule %u (line %u): ", rule, limits.line);
        print_until(limits.not_after, &line);
        pl_buf_printf(&line, limits.cohort > 0 ? ", cohort at least %u" : ", no least cohort",
                      limits.cohort);
        pl_status status = print_uses(node, rule, &limits, &line);
        if (pl_is_ok(status))
            status = add_line(&line, item);
        pl_buf_done(&line);
        PL_TRY(status);
    }
    return PL_OK;
}

static pl_status judge_item(pl_node *node, const uint8_t *id, Parley__V1__ApprovalItem *item) {
    Parley__V1__Plan *plan = NULL;
    Parley__V1__Proposal *proposal = NULL;
    pl_policy_verdict verdict = {0};
    pl_status status;
    PL_CHECK(status, pl_step_plan(node, id, &plan));
    PL_CHECK(status, pl_step_proposal(node, id, NULL, &proposal));
    PL_CHECK(status, pl_approve_judge(node, plan, proposal, &verdict));
    PL_CHECK(status, describe_flows(&verdict, plan, item));
    status = describe_rules(node, &verdict, item);
out:
    pl_policy_verdict_done(&verdict);
    if (proposal != NULL)
        parley__v1__proposal__free_unpacked(proposal, NULL);
    if (plan != NULL)
        parley__v1__plan__free_unpacked(plan, NULL);
    return status;
}

static const char *item_state(const pl_job_record *record) {
    if (record->state == PL_JOB_ASKED)
        return "waiting";
    return record->state == PL_JOB_REFUSED ? "refused" : "granted";
}

static pl_status make_item(pl_node *node, const uint8_t *id, Parley__V1__ApprovalItem **out) {
    Parley__V1__ApprovalItem *item;
    PL_TRY(pl_alloc(1, sizeof *item, &item));
    parley__v1__approval_item__init(item);
    pl_bytes explain = {0}, plan = {0};
    pl_job_record record = {0};
    uint8_t digest[32];
    char hex[65];
    pl_status status;
    PL_CHECK(status, pl_jobs_get(node->jobs, id, &record));
    PL_CHECK(status, pl_api_job(node, id, &item->job));
    PL_CHECK(status, pl_strdup(item_state(&record), &item->state));
    PL_CHECK(status, pl_jobs_get_doc(node->jobs, id, PL_DOC_PLAN, "", &plan));
    PL_CHECK(status, pl_jobs_get_doc(node->jobs, id, PL_DOC_EXPLAIN, "", &explain));
    pl_digest("plan", pl_bytes_view(&plan), digest);
    pl_hex_encode(pl_view_of(digest, 32), hex);
    PL_CHECK(status, pl_strdup(hex, &item->plan_digest));
    PL_CHECK(status, pl_strdup((const char *)explain.data, &item->explain));
    PL_CHECK(status, judge_item(node, id, item));
    *out = item;
out:
    pl_job_record_done(&record);
    pl_bytes_done(&plan);
    pl_bytes_done(&explain);
    if (!pl_is_ok(status))
        parley__v1__approval_item__free_unpacked(item, NULL);
    return status;
}

typedef struct approval_listing {
    pl_node *node;
    Parley__V1__ApprovalList *list;
} approval_listing;

static pl_status list_approval(const pl_job_record *record, void *ctx) {
    approval_listing *l = ctx;
    if (record->state != PL_JOB_ASKED || l->list->n_items == 200)
        return PL_OK;
    PL_TRY(make_item(l->node, record->id, &l->list->items[l->list->n_items]));
    l->list->n_items++;
    return PL_OK;
}

void pl_api_list_approvals(pl_node *node, pl_rpc_call *call, pl_view request) {
    (void)request;
    Parley__V1__ApprovalList *list;
    pl_status status = pl_alloc(1, sizeof *list, &list);
    if (!pl_is_ok(status)) {
        pl_rpc_fail(call, status);
        return;
    }
    parley__v1__approval_list__init(list);
    status = pl_alloc(200, sizeof *list->items, &list->items);
    approval_listing l = {node, list};
    if (pl_is_ok(status))
        status = pl_jobs_each(node->jobs, true, 1000, list_approval, &l);
    if (pl_is_ok(status))
        pl_api_reply(call, &list->base);
    else
        pl_rpc_fail(call, status);
    parley__v1__approval_list__free_unpacked(list, NULL);
}

void pl_api_show_approval(pl_node *node, pl_rpc_call *call, pl_view request) {
    uint8_t id[PL_JOB_ID_BYTES];
    Parley__V1__ApprovalItem *item = NULL;
    if (!pl_api_job_of(node, call, request, id))
        return;
    pl_status status = make_item(node, id, &item);
    if (!pl_is_ok(status)) {
        pl_rpc_fail(call, status);
        return;
    }
    pl_api_reply(call, &item->base);
    parley__v1__approval_item__free_unpacked(item, NULL);
}

void pl_api_decide_approval(pl_node *node, pl_rpc_call *call, pl_view request) {
    Parley__V1__Decision *decision = parley__v1__decision__unpack(NULL, request.len, request.data);
    if (decision == NULL) {
        pl_rpc_fail(call, pl_fail(PL_INVALID_ARGUMENT, "the request cannot be read"));
        return;
    }
    char principal[96];
    uint8_t id[PL_JOB_ID_BYTES];
    snprintf(principal, sizeof principal, "%s@%s", pl_rpc_call_tag(call), node->own);
    pl_status status = pl_jobs_resolve(node->jobs, decision->job_id, id);
    if (pl_is_ok(status))
        status = pl_approve_decide(node, id, decision, principal);
    if (pl_is_ok(status))
        status = pl_turn_flush(node);
    parley__v1__decision__free_unpacked(decision, NULL);
    Parley__V1__Ack ack = PARLEY__V1__ACK__INIT;
    if (pl_is_ok(status))
        pl_api_reply(call, &ack.base);
    else
        pl_rpc_fail(call, status);
}

/* ---- catalogue and status ---- */

static pl_status fill_members(pl_node *node, Parley__V1__MemberState ***out, size_t *out_n) {
    size_t n = pl_manifest_n_members(node->manifest);
    PL_TRY(pl_alloc(n, sizeof **out, out));
    for (size_t i = 0; i < n; i++) {
        const Parley__V1__Member *member =
            pl_manifest_member(node->manifest, pl_manifest_member_name(node->manifest, i));
        bool disputed = false;
        Parley__V1__MemberState *state;
        PL_TRY(pl_alloc(1, sizeof *state, &state));
        parley__v1__member_state__init(state);
        (*out)[(*out_n)++] = state;
        bool own = strcmp(member->org, node->own) == 0;
        const pl_peer *peer = pl_peer_find(node, member->org);
        state->online = own || (peer != NULL && peer->online);
        state->since = own ? node->started_at : peer == NULL ? 0 : peer->since;
        PL_TRY(pl_strdup(member->org, &state->org));
        PL_TRY(pl_strdup(member->display_name, &state->display_name));
        PL_TRY(pl_strdup(member->group, &state->group));
        PL_TRY(pl_heads_are_disputed(node, member->org, &disputed));
        state->audit_disputed = disputed;
    }
    return PL_OK;
}

static pl_status fill_catalog(pl_node *node, Parley__V1__CatalogReply *reply) {
    size_t n = pl_catalog_count(node->catalog);
    PL_TRY(pl_alloc(n, sizeof *reply->items, &reply->items));
    for (size_t i = 0; i < n; i++) {
        const Parley__V1__Dataset *dataset = pl_catalog_at(node->catalog, i);
        Parley__V1__CatalogItem *item;
        PL_TRY(pl_alloc(1, sizeof *item, &item));
        parley__v1__catalog_item__init(item);
        reply->items[reply->n_items++] = item;
        item->own = strcmp(dataset->org, node->own) == 0;
        const pl_peer *peer = pl_peer_find(node, dataset->org);
        item->online = item->own || (peer != NULL && peer->online);
        item->dataset =
            (Parley__V1__Dataset *)(uintptr_t)dataset; /* borrowed: see catalog_reply_done */
    }
    return fill_members(node, &reply->members, &reply->n_members);
}

static void catalog_reply_done(Parley__V1__CatalogReply *reply) {
    for (size_t i = 0; i < reply->n_items; i++)
        reply->items[i]->dataset = NULL;
    parley__v1__catalog_reply__free_unpacked(reply, NULL);
}

void pl_api_catalog(pl_node *node, pl_rpc_call *call, pl_view request) {
    (void)request;
    Parley__V1__CatalogReply *reply;
    pl_status status = pl_alloc(1, sizeof *reply, &reply);
    if (!pl_is_ok(status)) {
        pl_rpc_fail(call, status);
        return;
    }
    parley__v1__catalog_reply__init(reply);
    status = fill_catalog(node, reply);
    if (pl_is_ok(status))
        pl_api_reply(call, &reply->base);
    else
        pl_rpc_fail(call, status);
    catalog_reply_done(reply);
}

static uint64_t resident_bytes(void) {
    unsigned long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (file == NULL)
        return 0;
    if (fscanf(file, "%lu %lu", &pages, &resident) != 2)
        resident = 0;
    fclose(file);
    return (uint64_t)resident * (uint64_t)sysconf(_SC_PAGESIZE);
}

static pl_status count_open(const pl_job_record *record, void *ctx) {
    (void)record;
    (*(uint32_t *)ctx)++;
    return PL_OK;
}

static pl_status fill_status(pl_node *node, Parley__V1__StatusReply *reply) {
    const Parley__V1__Descriptor *descriptor = pl_org_descriptor(node->org);
    reply->started_at = node->started_at;
    reply->scheduler_connected = pl_uplink_connected(node->uplink);
    reply->epoch = pl_manifest_epoch(node->manifest);
    reply->manifest_not_after = pl_manifest_not_after(node->manifest);
    reply->node_key_not_after = descriptor->not_after;
    reply->sessions = pl_live_sessions(node);
    reply->audit_records = pl_audit_count(node->audit);
    reply->rss_bytes = resident_bytes();
    reply->policy_version = pl_policy_version(node->policy);
    PL_TRY(pl_jobs_each(node->jobs, true, 10000, count_open, &reply->jobs_open));
    PL_TRY(pl_strdup(node->own, &reply->org));
    PL_TRY(pl_strdup(descriptor->node, &reply->node));
    PL_TRY(pl_strdup(PARLEY_VERSION, &reply->version));
    PL_TRY(pl_strdup(pl_config_scheduler_address(node->config), &reply->scheduler));
    PL_TRY(pl_strdup(pl_manifest_name(node->manifest), &reply->federation));
    PL_TRY(pl_strdup(node->endpoint, &reply->session_endpoint));
    size_t n = pl_config_n_datasets(node->config);
    PL_TRY(pl_alloc(n, sizeof *reply->datasets, &reply->datasets));
    for (; reply->n_datasets < n; reply->n_datasets++)
        PL_TRY(pl_strdup(pl_config_dataset_at(node->config, reply->n_datasets)->dataset->name,
                         &reply->datasets[reply->n_datasets]));
    return fill_members(node, &reply->members, &reply->n_members);
}

void pl_api_status(pl_node *node, pl_rpc_call *call, pl_view request) {
    (void)request;
    Parley__V1__StatusReply *reply;
    pl_status status = pl_alloc(1, sizeof *reply, &reply);
    if (!pl_is_ok(status)) {
        pl_rpc_fail(call, status);
        return;
    }
    parley__v1__status_reply__init(reply);
    status = fill_status(node, reply);
    if (pl_is_ok(status))
        pl_api_reply(call, &reply->base);
    else
        pl_rpc_fail(call, status);
    parley__v1__status_reply__free_unpacked(reply, NULL);
}
