#include "node/session/bench.h"

#include "node/session/roles.h"
#include "protocols/share/cost.h"
#include "protocols/share/party.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* ---- planning ---- */

static pl_status parse_task(const char *text, uint64_t *out_n) {
    static const char HELP[] = "write \"mul N\" with N from 1 to 50000000";
    if (strncmp(text, "mul ", 4) != 0)
        return pl_fail(PL_INVALID_ARGUMENT, "the benchmark is not known: %s", HELP);
    const char *digits = text + 4;
    size_t len = strspn(digits, "0123456789");
    uint64_t n = len > 0 && len < 10 && digits[len] == '\0' ? strtoull(digits, NULL, 10) : 0;
    if (n < 1 || n > PL_BENCH_N_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "the number of multiplications is not right: %s", HELP);
    *out_n = n;
    return PL_OK;
}

static size_t block_of(uint64_t n) {
    return n < PL_BENCH_BLOCK ? (size_t)n : PL_BENCH_BLOCK;
}

static size_t samples_of(uint64_t n) {
    size_t block = block_of(n);
    return block < PL_BENCH_SAMPLES ? block : PL_BENCH_SAMPLES;
}

static pl_status fill_cost(Parley__V1__Plan *plan, uint64_t n) {
    size_t block = block_of(n);
    pl_cost cost = pl_cost_add(pl_cost_setup(), pl_cost_input(PL_ARITH_64, block, 0));
    cost = pl_cost_add(cost, pl_cost_input(PL_ARITH_64, block, 1));
    for (uint64_t done = 0; done < n; done += block)
        cost = pl_cost_add(cost,
                           pl_cost_mul(PL_ARITH_64, n - done < block ? (size_t)(n - done) : block));
    cost = pl_cost_add(cost, pl_cost_open(PL_ARITH_64, 3 * samples_of(n), 1, 0));
    PL_TRY(pl_alloc(1, sizeof *plan->cost, &plan->cost));
    parley__v1__cost__init(plan->cost);
    plan->cost->rounds = cost.rounds;
    plan->cost->bytes_per_link_max = pl_cost_bytes_max(cost);
    plan->cost->memory_bytes = block * 8 * 7;
    return PL_OK;
}

static pl_status fill(const pl_plan_context *context, const Parley__V1__Task *task, uint64_t n,
                      Parley__V1__Plan *plan) {
    PL_TRY(pl_strdup("bench", &plan->kind));
    plan->planner_version = PL_PLANNER_VERSION;
    PL_TRY(pl_roles_fill(context, task, plan));
    PL_TRY(pl_plan_add_compute_flows(plan));
    PL_TRY(
        pl_plan_add_opening(plan, "sampled factors and products of test data", 3 * samples_of(n)));
    PL_TRY(fill_cost(plan, n));
    Parley__V1__BenchPlan body = PARLEY__V1__BENCH_PLAN__INIT;
    body.op = (char[]){"mul"};
    body.n = n;
    size_t len = parley__v1__bench_plan__get_packed_size(&body);
    PL_TRY(pl_alloc(len, 1, &plan->body.data));
    plan->body.len = parley__v1__bench_plan__pack(&body, plan->body.data);
    pl_buf text = {0};
    pl_buf_printf(&text, "multiply %" PRIu64 " shared elements of test data", n);
    pl_bytes summary = {0};
    PL_TRY(pl_buf_take(&text, &summary));
    plan->summary = (char *)summary.data;
    return PL_OK;
}

pl_status pl_bench_plan(const pl_plan_context *context, const Parley__V1__Task *task,
                        Parley__V1__Plan **out) {
    uint64_t n = 0;
    PL_TRY(parse_task(task->text, &n));
    Parley__V1__Plan *plan;
    PL_TRY(pl_alloc(1, sizeof *plan, &plan));
    parley__v1__plan__init(plan);
    pl_status status = fill(context, task, n, plan);
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
    pl_buf_printf(out,
                  "\n  No dataset is read. %u sampled products and their factors, all test data, "
                  "are opened to check them.\n",
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
    uint64_t n, recipients;
    size_t block;
    pl_svec x, y, z, sample;
    uint64_t opened[3 * PL_BENCH_SAMPLES];
    double seconds;
    pl_counters used;
} bench;

/* Test data, the same in every run: a counter through a mixing function (splitmix64, public
 * domain). */
static void make_up(uint64_t seed, uint64_t *out, size_t n) {
    for (size_t i = 0; i < n; i++) {
        uint64_t v = (seed + i + 1) * UINT64_C(0x9E3779B97F4A7C15);
        v = (v ^ (v >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
        v = (v ^ (v >> 27)) * UINT64_C(0x94D049BB133111EB);
        out[i] = v ^ (v >> 31);
    }
}

/* Compute party number `which` shares one block of test data. */
static pl_status share_block(bench *b, size_t which, pl_svec *out) {
    size_t owner;
    uint64_t *values = NULL;
    PL_TRY(pl_rank_of(b->run, b->run->plan->compute[which], &owner));
    if (owner == b->run->own_rank) {
        PL_TRY(pl_alloc(b->block, sizeof *values, &values));
        make_up(which << 32, values, b->block);
    }
    pl_status status = pl_input(b->run->party, owner, PL_ARITH_64, b->block, values, out);
    free(values);
    return status;
}

/* z = x * y as often as it takes, a block at a time; every multiplication draws fresh masks. */
static pl_status multiply(bench *b) {
    for (uint64_t done = 0; done < b->n; done += b->block) {
        if (b->n - done < b->block) {
            size_t rest = (size_t)(b->n - done);
            PL_TRY(pl_slice(&b->x, 0, rest, &b->x));
            PL_TRY(pl_slice(&b->y, 0, rest, &b->y));
        }
        PL_TRY(pl_mul(b->run->party, &b->x, &b->y, &b->z));
    }
    return PL_OK;
}

static pl_status measure(bench *b) {
    struct timespec start, end;
    pl_counters before = pl_mesh_counters(b->run->mesh);
    clock_gettime(CLOCK_MONOTONIC, &start);
    if (pl_party_computes(b->run->party))
        PL_TRY(multiply(b));
    clock_gettime(CLOCK_MONOTONIC, &end);
    pl_counters after = pl_mesh_counters(b->run->mesh);
    b->seconds = (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
    b->used.rounds = after.rounds - before.rounds;
    b->used.bytes_sent = after.bytes_sent - before.bytes_sent;
    return PL_OK;
}

/* How many samples the last block holds. */
static size_t n_samples(const bench *b) {
    size_t last = (size_t)((b->n - 1) % b->block) + 1;
    return last < PL_BENCH_SAMPLES ? last : PL_BENCH_SAMPLES;
}

static pl_status take_sample(bench *b) {
    size_t n = n_samples(b), positions[PL_BENCH_SAMPLES];
    if (!pl_party_computes(b->run->party))
        return PL_OK;
    for (size_t i = 0; i < n; i++)
        positions[i] = i * (b->z.n / n);
    pl_svec x = {0}, y = {0}, z = {0};
    pl_status status;
    PL_CHECK(status, pl_gather(&b->x, positions, n, &x));
    PL_CHECK(status, pl_gather(&b->y, positions, n, &y));
    PL_CHECK(status, pl_gather(&b->z, positions, n, &z));
    PL_CHECK(status, pl_concat((const pl_svec *const[]){&x, &y, &z}, 3, &b->sample));
out:
    pl_svec_done(&x);
    pl_svec_done(&y);
    pl_svec_done(&z);
    return status;
}

static pl_status check_products(const bench *b) {
    size_t n = n_samples(b);
    for (size_t i = 0; i < n; i++)
        if (b->opened[i] * b->opened[n + i] != b->opened[2 * n + i])
            return pl_fail(PL_INTERNAL, "sampled product %zu of the benchmark is wrong", i);
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
    enum { N_FIGURES = 6 };
    char text[N_FIGURES][40];
    snprintf(text[0], sizeof text[0], "mul");
    snprintf(text[1], sizeof text[1], "%" PRIu64, b->n);
    snprintf(text[2], sizeof text[2], "%" PRIu64, b->used.rounds);
    snprintf(text[3], sizeof text[3], "%" PRIu64, b->used.bytes_sent);
    snprintf(text[4], sizeof text[4], "%.6f", b->seconds);
    snprintf(text[5], sizeof text[5], "%.0f", b->seconds > 0 ? (double)b->n / b->seconds : 0);
    static const char *const NAMES[][2] = {{"op", "text"},
                                           {"n", "bigint"},
                                           {"rounds", "bigint"},
                                           {"bytes_sent", "bigint"},
                                           {"seconds", "double precision"},
                                           {"per_second", "double precision"}};
    PL_TRY(pl_alloc(N_FIGURES, sizeof(void *), &table->columns));
    PL_TRY(pl_alloc(1, sizeof(void *), &table->rows));
    PL_TRY(pl_alloc(1, sizeof **table->rows, &table->rows[0]));
    parley__v1__row__init(table->rows[0]);
    table->n_rows = 1;
    PL_TRY(pl_alloc(N_FIGURES, sizeof(void *), &table->rows[0]->cells));
    for (size_t i = 0; i < N_FIGURES; i++)
        PL_TRY(add_figure(table, NAMES[i][0], NAMES[i][1], text[i]));
    return pl_strdup("as measured at this recipient; sampled products were opened and are right",
                     &table->note);
}

static pl_status report(const bench *b) {
    PL_TRY(check_products(b));
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
    bool is_right =
        body != NULL && strcmp(body->op, "mul") == 0 && body->n >= 1 && body->n <= PL_BENCH_N_MAX;
    b->n = is_right ? body->n : 0;
    if (body != NULL)
        parley__v1__bench_plan__free_unpacked(body, NULL);
    if (!is_right || plan->n_compute < 2)
        return pl_fail(PL_INVALID_ARGUMENT, "malformed plan: its benchmark cannot be read");
    b->block = block_of(b->n);
    return pl_recipients_mask(b->run, &b->recipients);
}

static pl_status protocol(bench *b) {
    PL_TRY(share_block(b, 0, &b->x));
    PL_TRY(share_block(b, 1, &b->y));
    PL_TRY(measure(b));
    PL_TRY(take_sample(b));
    PL_TRY(b->run->agree_opening(b->run));
    const pl_svec *x = pl_party_computes(b->run->party) ? &b->sample : NULL;
    PL_TRY(pl_open(b->run->party, x, PL_ARITH_64, 3 * n_samples(b), b->recipients,
                   "sampled factors and products of test data", b->opened));
    return b->recipients >> b->run->own_rank & 1 ? report(b) : PL_OK;
}

pl_status pl_bench_run(pl_session_run *run) {
    bench *b;
    PL_TRY(pl_alloc(1, sizeof *b, &b));
    b->run = run;
    pl_status status = prepare(b);
    if (pl_is_ok(status))
        status = protocol(b);
    pl_svec_done(&b->x);
    pl_svec_done(&b->y);
    pl_svec_done(&b->z);
    pl_svec_done(&b->sample);
    free(b);
    return status;
}
