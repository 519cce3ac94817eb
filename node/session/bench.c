#include "node/session/bench.h"

#include "node/session/roles.h"
#include "protocols/bench/op.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define OPENING "sampled results from test data"

/* ---- planning ---- */

static pl_status unknown_op(const char *name, int len) {
    return pl_fail(PL_INVALID_ARGUMENT,
                   "the benchmark '%.*s' is not known: write an operation and a number of "
                   "elements, like \"mul 1000000\" (parley-bench list names the operations)",
                   len, name);
}

/* "OP N", or "OP" for the number of elements that the operation has by itself, which is also the
 * largest: more would take more memory than a session has. */
static pl_status parse_task(const char *text, const pl_op **out_op, uint64_t *out_n) {
    char name[16];
    size_t len = strcspn(text, " ");
    snprintf(name, sizeof name, "%.*s", len < sizeof name ? (int)len : 0, text);
    const pl_op *op = pl_op_find(name);
    if (op == NULL)
        return unknown_op(text, len < 40 ? (int)len : 40);
    const char *word = text + len + (text[len] == ' ');
    size_t word_len = strcspn(word, " ");
    const char *rest = word + word_len;
    bool is_number = word_len > 0 && word_len < 10 && strspn(word, "0123456789") == word_len;
    uint64_t n = is_number ? strtoull(word, NULL, 10) : 0;
    if (text[len] == '\0')
        n = op->n_suite;
    if (n < 1 || n > op->n_suite)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "the number of elements is not right: %s between nodes takes a whole number "
                       "from 1 to %zu, not '%.*s'",
                       op->name, op->n_suite, word_len < 40 ? (int)word_len : 40, word);
    if (rest[0] != '\0')
        return pl_fail(PL_INVALID_ARGUMENT,
                       "'%.40s' is too much: a benchmark is an operation and a number of elements, "
                       "like \"mul 1000000\"",
                       rest[1] != '\0' ? rest + 1 : rest);
    *out_op = op;
    *out_n = n;
    return PL_OK;
}

static pl_trial planned_trial(const pl_op *op, uint64_t n) {
    return (pl_trial){.op = op, .n = (size_t)n, .bits = 64};
}

/* How many elements of every result are opened. */
static size_t samples_of(const pl_op *op, uint64_t n) {
    const pl_trial trial = planned_trial(op, n);
    size_t *positions = NULL, n_positions = 0;
    pl_status status = pl_trial_positions(&trial, PL_BENCH_SAMPLES, &positions, &n_positions);
    pl_status_done(&status); /* no memory: then the run will say so */
    free(positions);
    return n_positions * pl_trial_n_results(op);
}

/* Inputs come in pieces; what they cost is not counted, nor is what the parties agree on. */
static pl_status fill_cost(Parley__V1__Plan *plan, const pl_op *op, uint64_t n) {
    const pl_net net = PL_NET_DEFAULT;
    pl_cost cost = pl_cost_setup(), run = {0};
    const pl_trial trial = planned_trial(op, n);
    if (pl_op_predict(&trial, &net, &run))
        cost = pl_cost_add(cost, run);
    cost = pl_cost_add(cost, pl_cost_open(PL_ARITH_64, samples_of(op, n), 7, 1));
    PL_TRY(pl_alloc(1, sizeof *plan->cost, &plan->cost));
    parley__v1__cost__init(plan->cost);
    plan->cost->rounds = cost.rounds;
    plan->cost->bytes_per_link_max = pl_cost_bytes_max(cost);
    plan->cost->memory_bytes = (op->length != NULL ? n * n : n) * 8 * 7;
    return PL_OK;
}

static pl_status fill(const pl_plan_context *context, const Parley__V1__Task *task, const pl_op *op,
                      uint64_t n, Parley__V1__Plan *plan) {
    PL_TRY(pl_strdup("bench", &plan->kind));
    plan->planner_version = PL_PLANNER_VERSION;
    PL_TRY(pl_roles_fill(context, task, plan));
    PL_TRY(pl_plan_add_compute_flows(plan));
    PL_TRY(pl_plan_add_opening(plan, OPENING, samples_of(op, n)));
    PL_TRY(fill_cost(plan, op, n));
    Parley__V1__BenchPlan body = PARLEY__V1__BENCH_PLAN__INIT;
    char name[16];
    snprintf(name, sizeof name, "%s", op->name);
    body.op = name;
    body.n = n;
    size_t len = parley__v1__bench_plan__get_packed_size(&body);
    PL_TRY(pl_alloc(len, 1, &plan->body.data));
    plan->body.len = parley__v1__bench_plan__pack(&body, plan->body.data);
    pl_buf text = {0};
    pl_buf_printf(&text, "%s (%s) of %" PRIu64 " shared elements of test data", op->name, op->what,
                  n);
    pl_bytes summary = {0};
    PL_TRY(pl_buf_take(&text, &summary));
    plan->summary = (char *)summary.data;
    return PL_OK;
}

pl_status pl_bench_plan(const pl_plan_context *context, const Parley__V1__Task *task,
                        Parley__V1__Plan **out) {
    const pl_op *op = NULL;
    uint64_t n = 0;
    PL_TRY(parse_task(task->text, &op, &n));
    Parley__V1__Plan *plan;
    PL_TRY(pl_alloc(1, sizeof *plan, &plan));
    parley__v1__plan__init(plan);
    pl_status status = fill(context, task, op, n, plan);
    if (pl_is_ok(status))
        *out = plan;
    else
        parley__v1__plan__free_unpacked(plan, NULL);
    return status;
}

pl_status pl_bench_explain(const Parley__V1__Plan *plan, pl_buf *out) {
    pl_buf_printf(out, "Benchmark  %s with %s among", plan->summary, plan->protocol);
    for (size_t i = 0; i < plan->n_compute; i++)
        pl_buf_printf(out, "%s %s", i ? "," : "", plan->compute[i]);
    pl_buf_printf(
        out,
        "\n  No dataset is read. At most %u elements of a result, all test data, are opened "
        "to check them.\n",
        PL_BENCH_SAMPLES);
    if (plan->cost != NULL)
        pl_buf_printf(out,
                      "  At most %" PRIu64 " rounds, %" PRIu64 " bytes per link, %" PRIu64
                      " KiB of memory.\n",
                      plan->cost->rounds, plan->cost->bytes_per_link_max,
                      plan->cost->memory_bytes / 1024);
    return PL_OK;
}

pl_status pl_bench_load(const Parley__V1__SourceRequest *request, int fd,
                        Parley__V1__SourceReply *out) {
    (void)request;
    (void)fd;
    (void)out;
    return pl_fail(PL_UNSUPPORTED, "a benchmark reads no dataset");
}

/* ---- running ---- */

typedef struct bench {
    pl_session_run *run;
    pl_trial trial;
    uint64_t recipients;
    size_t *positions, n_positions;
    double seconds;
    pl_counters used;
} bench;

static pl_status measure(bench *b) {
    struct timespec start, end;
    pl_counters before = pl_party_counters(b->run->party);
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (pl_party_computes(b->run->party))
        PL_TRY(b->trial.op->run(&b->trial));
    clock_gettime(CLOCK_MONOTONIC, &end);
    pl_counters after = pl_party_counters(b->run->party);
    b->trial.n_done = 1;
    b->seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    b->used.rounds = after.rounds - before.rounds;
    b->used.bytes_sent = after.bytes_sent - before.bytes_sent;
    return PL_OK;
}

/* ---- the result ---- */

static pl_status add_figure(Parley__V1__ResultTable *table, const char *name, const char *type,
                            const char *text) {
    Parley__V1__ResultColumn *column;
    PL_TRY(pl_alloc(1, sizeof *column, &column));
    parley__v1__result_column__init(column);
    table->columns[table->n_columns++] = column;
    PL_TRY(pl_strdup(name, &column->name));
    PL_TRY(pl_strdup(type, &column->type_name));
    Parley__V1__Cell *cell;
    PL_TRY(pl_alloc(1, sizeof *cell, &cell));
    parley__v1__cell__init(cell);
    table->rows[0]->cells[table->rows[0]->n_cells++] = cell;
    return pl_strdup(text, &cell->text);
}

static pl_status fill_table(const bench *b, Parley__V1__ResultTable *table) {
    enum { N_FIGURES = 7 };
    char text[N_FIGURES][40];
    double work = b->trial.op->work != NULL ? b->trial.op->work(&b->trial) : (double)b->trial.n;
    snprintf(text[0], sizeof text[0], "%s", b->trial.op->name);
    snprintf(text[1], sizeof text[1], "%zu", b->trial.n);
    snprintf(text[2], sizeof text[2], "%" PRIu64, b->used.rounds);
    snprintf(text[3], sizeof text[3], "%" PRIu64, b->used.bytes_sent);
    snprintf(text[4], sizeof text[4], "%.6f", b->seconds);
    snprintf(text[5], sizeof text[5], "%.0f", b->seconds > 0 ? work / b->seconds : 0);
    snprintf(text[6], sizeof text[6], "%zu", b->run->n_lanes);
    static const char *const NAMES[][2] = {{"op", "text"},
                                           {"n", "bigint"},
                                           {"rounds", "bigint"},
                                           {"bytes_sent", "bigint"},
                                           {"seconds", "double precision"},
                                           {"per_second", "double precision"},
                                           {"lanes", "bigint"}};
    PL_TRY(pl_alloc(N_FIGURES, sizeof(void *), &table->columns));
    PL_TRY(pl_alloc(1, sizeof(void *), &table->rows));
    PL_TRY(pl_alloc(1, sizeof **table->rows, &table->rows[0]));
    parley__v1__row__init(table->rows[0]);
    table->n_rows = 1;
    PL_TRY(pl_alloc(N_FIGURES, sizeof(void *), &table->rows[0]->cells));
    for (size_t i = 0; i < N_FIGURES; i++)
        PL_TRY(add_figure(table, NAMES[i][0], NAMES[i][1], text[i]));
    return pl_strdup("as measured at this recipient; sampled results were opened and are right",
                     &table->note);
}

static pl_status report(const bench *b) {
    Parley__V1__ResultTable *table;
    PL_TRY(pl_alloc(1, sizeof *table, &table));
    parley__v1__result_table__init(table);
    pl_status status = fill_table(b, table);
    if (pl_is_ok(status))
        *b->run->out_result = table;
    else
        parley__v1__result_table__free_unpacked(table, NULL);
    return status;
}

/* ---- the whole ---- */

static pl_status prepare(bench *b) {
    const Parley__V1__Plan *plan = b->run->plan;
    Parley__V1__BenchPlan *body =
        parley__v1__bench_plan__unpack(NULL, plan->body.len, plan->body.data);
    const pl_op *op = body == NULL ? NULL : pl_op_find(body->op);
    bool is_right = op != NULL && body->n >= 1 && body->n <= op->n_suite;
    if (is_right)
        b->trial = planned_trial(op, body->n);
    if (body != NULL)
        parley__v1__bench_plan__free_unpacked(body, NULL);
    if (!is_right || plan->n_compute < 2)
        return pl_fail(PL_INVALID_ARGUMENT, "malformed plan: its benchmark cannot be read");
    b->trial.p = b->run->party;
    b->trial.rank = b->run->own_rank;
    for (size_t i = 0; i < 2; i++)
        PL_TRY(pl_rank_of(b->run, plan->compute[i], &b->trial.owners[i]));
    PL_TRY(pl_trial_positions(&b->trial, PL_BENCH_SAMPLES, &b->positions, &b->n_positions));
    return pl_recipients_mask(b->run, &b->recipients);
}

static pl_status protocol(bench *b) {
    PL_TRY(b->trial.op->prepare(&b->trial));
    PL_TRY(measure(b));
    PL_TRY(b->run->agree_opening(b->run));
    PL_TRY(pl_trial_check(&b->trial, b->positions, b->n_positions, b->recipients, OPENING));
    return b->recipients >> b->run->own_rank & 1 ? report(b) : PL_OK;
}

pl_status pl_bench_run(pl_session_run *run) {
    bench *b;
    PL_TRY(pl_alloc(1, sizeof *b, &b));
    b->run = run;
    pl_status status = prepare(b);
    if (pl_is_ok(status))
        status = protocol(b);
    pl_trial_done(&b->trial);
    free(b->positions);
    free(b);
    return status;
}
