/* A query from text to table in one process: plan, load from CSV, run among threads, finish.
 * Without a cohort every answer equals PostgreSQL's (session_cases.h); with one, cells are withheld
 * member by member, so that no recipient learns about fewer than k by taking away its own rows. It
 * could be wrong in what only separate processes show: transport, sandbox, order of start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/session/session.h"
#include "node/sql/finish.h"
#include "protocols/bench/op.h"
#include "protocols/net/memory.h"
#include "protocols/share/party.h"
#include "tests/unit/session_cases.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BASE .base = PROTOBUF_C_MESSAGE_INIT(&parley__v1__column__descriptor)
#define COLUMN(...)                                                                                \
    { BASE, .min = "", .max = "", __VA_ARGS__ }
#define RANGED(lowest, highest, ...)                                                               \
    { BASE, .min = lowest, .max = highest, __VA_ARGS__ }
#define TYPE(name) PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_##name

static char *REGIONS[] = {"Tyrol", "Vienna", "维也纳"};
static char RESIDENTS[] = "residents";
static char *SEXES[] = {"male", "female"};
static Parley__V1__Column COLUMNS[] = {
    COLUMN(.name = "region", .type = TYPE(TEXT), .values = REGIONS, .n_values = 3),
    COLUMN(.name = "sex", .type = TYPE(TEXT), .values = SEXES, .n_values = 2, .nullable = 1),
    RANGED("0", "130", .name = "age", .type = TYPE(INTEGER), .nullable = 1),
    RANGED("-1000.00", "9999999.99", .name = "income", .type = TYPE(DECIMAL), .precision = 9,
           .scale = 2, .nullable = 1),
    COLUMN(.name = "big", .type = TYPE(INTEGER)),
    RANGED("0", "1", .name = "rate", .type = TYPE(REAL), .nullable = 1),
    COLUMN(.name = "member", .type = TYPE(BOOL), .nullable = 1),
    COLUMN(.name = "born", .type = TYPE(DATE), .nullable = 1),
};
#define N_COLUMNS (sizeof COLUMNS / sizeof COLUMNS[0])
#define PARTIES_MAX 6

static const char *const MEMBERS[] = {"asker", "east", "extra", "north", "south"};
static const char *const OWNERS[] = {"east", "north", "south"};

/* One job over the memory mesh. */
typedef struct job {
    const char *csv[3]; /* by owner; NULL: this owner has no dataset */
    uint32_t cohort;
    const char *compute[3];
    const char *recipients[2];
    Parley__V1__Plan *plan;
    Parley__V1__Party party[PARTIES_MAX], *parties[PARTIES_MAX];
    size_t n_parties;
    Parley__V1__SourceReply reply[3];
    Parley__V1__ResultTable *result[PARTIES_MAX];
    int n_agreed[PARTIES_MAX];
    uint64_t bytes_sent[PARTIES_MAX], rounds[PARTIES_MAX];
} job;

static bool is_in(char *const *list, size_t n, const char *org) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], org) == 0)
            return true;
    return false;
}

/* ---- plan and load ---- */

static pl_status make_plan(job *j, const char *kind, const char *text) {
    Parley__V1__Dataset datasets[3];
    const Parley__V1__Dataset *list[3];
    Parley__V1__Column *columns[N_COLUMNS];
    size_t n = 0;
    for (size_t i = 0; i < N_COLUMNS; i++)
        columns[i] = &COLUMNS[i];
    for (size_t i = 0; i < 3; i++) {
        if (j->csv[i] == NULL)
            continue;
        parley__v1__dataset__init(&datasets[n]);
        datasets[n].org = (char *)OWNERS[i];
        datasets[n].name = RESIDENTS;
        datasets[n].rows_max = 100000;
        datasets[n].min_cohort = j->cohort;
        datasets[n].columns = columns;
        datasets[n].n_columns = N_COLUMNS;
        list[n] = &datasets[n];
        n++;
    }
    const pl_plan_context context = {
        .datasets = list, .n_datasets = n, .members = MEMBERS, .n_members = 5, .proposer = "asker"};
    Parley__V1__Task task = PARLEY__V1__TASK__INIT;
    task.text = (char *)text;
    task.compute = (char **)j->compute;
    task.n_compute = j->compute[0] != NULL ? 3 : 0;
    task.recipients = (char **)j->recipients;
    task.n_recipients = j->recipients[1] != NULL ? 2 : j->recipients[0] != NULL;
    return pl_session_kind_find(kind)->plan(&context, &task, &j->plan);
}

static void make_parties(job *j) {
    for (size_t i = 0; i < 5; i++) {
        const Parley__V1__Plan *p = j->plan;
        bool owner = is_in(p->owners, p->n_owners, MEMBERS[i]);
        bool compute = is_in(p->compute, p->n_compute, MEMBERS[i]);
        bool recipient = is_in(p->recipients, p->n_recipients, MEMBERS[i]);
        if (!owner && !compute && !recipient)
            continue;
        Parley__V1__Party *party = &j->party[j->n_parties];
        parley__v1__party__init(party);
        party->rank = (uint32_t)j->n_parties;
        party->org = (char *)MEMBERS[i];
        party->owner = owner;
        party->compute = compute;
        party->recipient = recipient;
        j->parties[j->n_parties++] = party;
    }
}

static pl_status load(const Parley__V1__Plan *plan, const char *org, const char *csv,
                      Parley__V1__SourceReply *out) {
    Parley__V1__SourceColumn columns[N_COLUMNS], *list[N_COLUMNS];
    for (size_t i = 0; i < N_COLUMNS; i++) {
        parley__v1__source_column__init(&columns[i]);
        columns[i].column = &COLUMNS[i];
        columns[i].source_name = COLUMNS[i].name;
        list[i] = &columns[i];
    }
    Parley__V1__SourceRequest request = PARLEY__V1__SOURCE_REQUEST__INIT;
    request.plan = (Parley__V1__Plan *)plan;
    request.org = (char *)org;
    request.dataset = RESIDENTS;
    request.columns = list;
    request.n_columns = N_COLUMNS;
    request.encoding = (char[]){"utf-8"};
    request.display_path = (char[]){"rows.csv"};
    request.rows_max = 100000;
    request.has_header = 1;
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(csv, 1, strlen(csv), file), strlen(csv));
    rewind(file);
    pl_status status = pl_session_kind_find(plan->kind)->load(&request, fileno(file), out);
    fclose(file);
    return status;
}

static pl_status load_all(job *j) {
    for (size_t i = 0; i < 3; i++)
        if (is_in(j->plan->owners, j->plan->n_owners, OWNERS[i]))
            PL_TRY(load(j->plan, OWNERS[i], j->csv[i], &j->reply[i]));
    return PL_OK;
}

/* ---- run ---- */

static pl_status agree(pl_session_run *run) {
    ((job *)run->ctx)->n_agreed[run->own_rank]++;
    return PL_OK;
}

static pl_status with_party(job *j, size_t rank, pl_mesh *mesh, pl_party *party) {
    pl_session_run run = {.party = party,
                          .mesh = mesh,
                          .plan = j->plan,
                          .own_rank = rank,
                          .parties = (const Parley__V1__Party *const *)j->parties,
                          .n_parties = j->n_parties,
                          .n_lanes = 1,
                          .agree_opening = agree,
                          .ctx = j,
                          .out_result = &j->result[rank]};
    for (size_t i = 0; i < 3; i++)
        if (strcmp(OWNERS[i], j->parties[rank]->org) == 0) {
            run.inputs = (const Parley__V1__InputVector *const *)j->reply[i].vectors;
            run.n_inputs = j->reply[i].n_vectors;
        }
    return pl_session_kind_find(j->plan->kind)->run(&run);
}

static pl_status run_party(size_t rank, pl_mesh *mesh, void *ctx) {
    job *j = ctx;
    size_t compute[3];
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < j->n_parties; i++)
            if (strcmp(j->parties[i]->org, j->plan->compute[c]) == 0)
                compute[c] = i;
    pl_party_params params = {
        .mesh = mesh, .scheme = j->plan->protocol, .compute = compute, .n_compute = 3};
    memset(params.seed, (int)rank + 1, sizeof params.seed);
    pl_party *party;
    PL_TRY(pl_party_new(&params, &party));
    pl_status status = with_party(j, rank, mesh, party);
    j->bytes_sent[rank] = pl_mesh_counters(mesh).bytes_sent;
    j->rounds[rank] = pl_mesh_counters(mesh).rounds;
    pl_party_free(party);
    return status;
}

static pl_status run_job(job *j, const char *kind, const char *text) {
    for (size_t i = 0; i < 3; i++)
        parley__v1__source_reply__init(&j->reply[i]);
    PL_TRY(make_plan(j, kind, text));
    make_parties(j);
    PL_TRY(load_all(j));
    return pl_parties_run(j->n_parties, 30000, run_party, j);
}

static void job_done(job *j) {
    for (size_t i = 0; i < j->n_parties; i++)
        if (j->result[i] != NULL)
            parley__v1__result_table__free_unpacked(j->result[i], NULL);
    for (size_t o = 0; o < 3; o++) {
        for (size_t i = 0; i < j->reply[o].n_vectors; i++)
            parley__v1__input_vector__free_unpacked(j->reply[o].vectors[i], NULL);
        free(j->reply[o].vectors);
        free(j->reply[o].version.data);
    }
    if (j->plan != NULL)
        parley__v1__plan__free_unpacked(j->plan, NULL);
}

static Parley__V1__ResultTable *result_of(const job *j, const char *org) {
    for (size_t i = 0; i < j->n_parties; i++)
        if (strcmp(j->parties[i]->org, org) == 0)
            return j->result[i];
    return NULL;
}

/* ---- comparing results ---- */

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorts the lines of text in place: rows without ORDER BY are a set. */
static void sort_lines(char *text) {
    char *lines[512], copy[20000];
    size_t n = 0;
    assert_true(strlen(text) < sizeof copy);
    strcpy(copy, text);
    for (char *line = strtok(copy, "\n"); line != NULL; line = strtok(NULL, "\n"))
        lines[n++] = line;
    qsort(lines, n, sizeof lines[0], by_text);
    text[0] = '\0';
    for (size_t i = 0; i < n; i++) {
        strcat(text, lines[i]);
        strcat(text, "\n");
    }
}

static void print_rows(const Parley__V1__ResultTable *table, char *out) {
    out[0] = '\0';
    for (size_t r = 0; r < table->n_rows; r++) {
        assert_int_equal(table->rows[r]->n_cells, table->n_columns);
        for (size_t c = 0; c < table->rows[r]->n_cells; c++) {
            const Parley__V1__Cell *cell = table->rows[r]->cells[c];
            strcat(out, c ? "," : "");
            strcat(out, cell->is_null ? "\\N" : cell->text);
        }
        strcat(out, "\n");
    }
}

static void check_case(const char *sql, const char *want, const job *model) {
    static char got[20000], expected[20000];
    job j = *model;
    pl_status status = run_job(&j, "query", sql);
    if (strncmp(want, "ERROR: ", 7) == 0) {
        if (pl_is_ok(status) || strstr(pl_status_message(status), want + 7) == NULL)
            fail_msg("%s: no \"%s\" but %s", sql, want, pl_status_message(status));
        pl_status_done(&status);
        job_done(&j);
        return;
    }
    if (!pl_is_ok(status))
        fail_msg("%s: %s", sql, pl_status_message(status));
    print_rows(result_of(&j, "asker"), got);
    snprintf(expected, sizeof expected, "%s%s", want, want[0] ? "\n" : "");
    if (strstr(sql, "ORDER BY") == NULL) {
        sort_lines(got);
        sort_lines(expected);
    }
    if (strcmp(got, expected) != 0)
        fail_msg("%s\ngot\n%swant\n%s", sql, got, expected);
    for (size_t i = 0; i < j.n_parties; i++) {
        assert_int_equal(j.n_agreed[i], 1);
        assert_int_equal(j.result[i] != NULL, j.parties[i]->recipient);
        assert_true(j.rounds[i] <= j.plan->cost->rounds);
        if (j.parties[i]->compute)
            assert_true(j.bytes_sent[i] <= j.plan->cost->bytes_per_link_max);
    }
    job_done(&j);
}

/* Compute parties as planned by default: one that asks, two owners; the third owner shares from
 * outside. */
static void test_equals_postgresql(void **state) {
    (void)state;
    const job model = {.csv = {CSV_EAST, CSV_NORTH, CSV_SOUTH}};
    for (size_t i = 0; i < sizeof QUERY_CASES / sizeof QUERY_CASES[0]; i++)
        check_case(QUERY_CASES[i][0], QUERY_CASES[i][1], &model);
}

/* The same answer whoever computes: all owners, or only one, with the recipient inside or outside.
 */
static void test_compute_sets(void **state) {
    (void)state;
    static const char *const SETS[][3] = {
        {"north", "south", "east"}, {"extra", "asker", "south"}, {"east", "extra", "north"}};
    for (size_t s = 0; s < 3; s++) {
        job model = {.csv = {CSV_EAST, CSV_NORTH, CSV_SOUTH},
                     .compute = {SETS[s][0], SETS[s][1], SETS[s][2]},
                     .recipients = {"asker", "north"}};
        for (size_t i = 0; i < 8; i++)
            check_case(QUERY_CASES[i][0], QUERY_CASES[i][1], &model);
    }
}

/* ---- cohorts ---- */

/* Rows of one owner: how many people, and how many of them with an income, per region. */
static void make_rows(char *out, const int people[3], const int with_income[3]) {
    strcpy(out, "region,sex,age,income,big,rate,member,born\n");
    for (int r = 0; r < 3; r++)
        for (int i = 0; i < people[r]; i++) {
            strcat(out, REGIONS[r]);
            strcat(out, i < with_income[r] ? ",male,30,100.00,1,,,\n" : ",male,30,,1,,,\n");
        }
}

typedef struct cohort_case {
    int people[3][3]; /* by owner (east, north, south), then region */
    int with_income[3][3];
    const char *counts, *sums; /* rows of the two queries */
    uint64_t counts_withheld, sums_withheld;
} cohort_case;

static const cohort_case COHORTS[] = {
    /* Ten in total, but nine without east; ten without each; nothing. */
    {{{1, 10, 0}, {9, 10, 0}, {0, 0, 0}},
     {{1, 10, 0}, {9, 10, 0}, {0, 0, 0}},
     "Vienna,20\n",
     "Vienna,2000.00\n",
     2,
     2},
    /* One owner alone may show ten of its own, not nine. */
    {{{10, 9, 0}, {0, 0, 0}, {0, 0, 0}},
     {{10, 9, 0}, {0, 0, 0}, {0, 0, 0}},
     "Tyrol,10\n",
     "Tyrol,1000.00\n",
     2,
     2},
    /* The recipient's own hundred do not hide three of another. */
    {{{100, 3, 0}, {3, 100, 12}, {0, 0, 12}},
     {{100, 3, 0}, {3, 100, 12}, {0, 0, 12}},
     "维也纳,24\n",
     "维也纳,2400.00\n",
     2,
     2},
    /* Enough people, but too few with an income: each aggregate by itself. */
    {{{20, 20, 20}, {20, 20, 20}, {20, 20, 20}},
     {{20, 3, 20}, {20, 3, 20}, {20, 3, 0}},
     "Tyrol,60\nVienna,60\n维也纳,60\n",
     "Tyrol,6000.00\n维也纳,4000.00\n",
     0,
     1},
    /* Nobody with an income is no one's secret: the cell stays, its sum is NULL. */
    {{{20, 0, 0}, {20, 0, 0}, {20, 0, 0}},
     {{0, 0, 0}, {0, 0, 0}, {0, 0, 0}},
     "Tyrol,60\n",
     "Tyrol,\\N\n",
     2,
     2},
};

static void check_cohort(const cohort_case *c, const char *sql, const char *want,
                         uint64_t withheld) {
    static char rows[3][20000], got[20000];
    job j = {.cohort = 10, .recipients = {"asker", "east"}};
    for (size_t o = 0; o < 3; o++) {
        make_rows(rows[o], c->people[o], c->with_income[o]);
        j.csv[o] = rows[o];
    }
    pl_status status = run_job(&j, "query", sql);
    if (!pl_is_ok(status))
        fail_msg("%s", pl_status_message(status));
    static const char *const RECIPIENTS[] = {"asker", "east"};
    for (size_t r = 0; r < 2; r++) {
        const Parley__V1__ResultTable *table = result_of(&j, RECIPIENTS[r]);
        print_rows(table, got);
        assert_string_equal(got, want);
        assert_int_equal(table->cells, 3);
        assert_int_equal(table->cells_withheld, withheld);
        char note[100] = "";
        if (withheld > 0)
            snprintf(note, sizeof note,
                     "%d of 3 cells withheld (fewer than 10 contributions of others, or none)",
                     (int)withheld);
        assert_string_equal(table->note, note);
    }
    assert_null(result_of(&j, "south"));
    for (size_t i = 0; i < j.n_parties; i++) {
        assert_true(j.rounds[i] <= j.plan->cost->rounds);
        if (j.parties[i]->compute)
            assert_true(j.bytes_sent[i] <= j.plan->cost->bytes_per_link_max);
    }
    job_done(&j);
}

static void test_cohorts(void **state) {
    (void)state;
    for (size_t i = 0; i < sizeof COHORTS / sizeof COHORTS[0]; i++) {
        check_cohort(&COHORTS[i],
                     "SELECT region, COUNT(*) FROM residents GROUP BY region ORDER BY region",
                     COHORTS[i].counts, COHORTS[i].counts_withheld);
        check_cohort(&COHORTS[i], "SELECT region, SUM(income) FROM residents GROUP BY region",
                     COHORTS[i].sums, COHORTS[i].sums_withheld);
    }
}

/* Ungrouped results are cells too; sums in the wide ring are masked like the others. */
static void test_one_cell(void **state) {
    (void)state;
    static char rows[20000];
    for (int people = 9; people <= 10; people++) {
        make_rows(rows, (const int[3]){people, 0, 0}, (const int[3]){people, 0, 0});
        job j = {.cohort = 10, .csv = {NULL, rows, NULL}};
        pl_status status = run_job(
            &j, "query", "SELECT COUNT(*), SUM(big), AVG(income), SUM(rate) FROM residents");
        assert_true(pl_is_ok(status));
        static char got[20000];
        print_rows(result_of(&j, "asker"), got);
        assert_string_equal(got, people == 9 ? "" : "10,10,100.0000000000000000,\\N\n");
        assert_int_equal(result_of(&j, "asker")->cells_withheld, people == 9);
        job_done(&j);
    }
}

/* ---- faults ---- */

static void check_source_fault(const char *rows, const char *sql, const char *want) {
    char csv[1000];
    snprintf(csv, sizeof csv, "region,sex,age,income,big,rate,member,born\n%s", rows);
    job j = {.csv = {NULL, csv, NULL}};
    pl_status status = run_job(&j, "query", sql);
    if (pl_is_ok(status) || strstr(pl_status_message(status), want) == NULL)
        fail_msg("no \"%s\" but \"%s\"", want, pl_status_message(status));
    pl_status_done(&status);
    job_done(&j);
}

static void test_source_faults(void **state) {
    (void)state;
    const char *by_region = "SELECT region, COUNT(*) FROM residents GROUP BY region";
    check_source_fault("Tyrol,male,30,1,1,,,\nSecretville,male,30,1,1,,,\n", by_region, "region");
    check_source_fault(",male,30,1,1,,,\n", by_region, "region");
    check_source_fault("Tyrol,male,131,1,1,,,\n", "SELECT SUM(age) FROM residents", "age");
    check_source_fault("Tyrol,male,x,1,1,,,\n", "SELECT SUM(age) FROM residents", "age");
    check_source_fault("Tyrol,male,30,1,9223372036854775807,,,\n",
                       "SELECT COUNT(*) FROM residents WHERE big + 1 > 0",
                       "row 1: bigint out of range");
}

/* A worker that gets inputs of a wrong shape refuses before it shares anything. */
static void test_wrong_inputs(void **state) {
    (void)state;
    job j = {.csv = {CSV_EAST, CSV_NORTH, CSV_SOUTH}};
    for (size_t i = 0; i < 3; i++)
        parley__v1__source_reply__init(&j.reply[i]);
    assert_true(pl_is_ok(make_plan(&j, "query", "SELECT COUNT(*), SUM(age) FROM residents")));
    make_parties(&j);
    assert_true(pl_is_ok(load_all(&j)));
    j.reply[1].vectors[0]->values.len -= 8;
    pl_status status = pl_parties_run(j.n_parties, 30000, run_party, &j);
    assert_int_equal(pl_status_code(status), PL_INVALID_ARGUMENT);
    pl_status_done(&status);
    job_done(&j);
}

/* A plan with broken bytes is refused or runs, but never takes the process with it: explain, load
 * and finish check it. */
static void test_broken_plans(void **state) {
    (void)state;
    const char *given = getenv("PARLEY_SEED");
    unsigned seed = given ? (unsigned)strtoul(given, NULL, 10) : (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    size_t n_refused = 0;
    for (size_t round = 0; round < 3000; round++) {
        job j = {.csv = {NULL, CSV_NORTH, NULL}};
        for (size_t i = 0; i < 3; i++)
            parley__v1__source_reply__init(&j.reply[i]);
        assert_true(
            pl_is_ok(make_plan(&j, "query",
                               "SELECT region, ROUND(AVG(income), 2)::numeric(20,1), SUM(age) + "
                               "1.5 FROM residents WHERE age IN (7, 14) OR NOT member GROUP BY "
                               "region HAVING COUNT(*) > 1 ORDER BY 2 DESC")));
        for (int i = 1 + rand() % 3; i > 0; i--)
            j.plan->body.data[(size_t)rand() % j.plan->body.len] = (uint8_t)rand();
        pl_buf text = {0};
        pl_status status = pl_session_kind_find("query")->explain(j.plan, &text);
        pl_buf_done(&text);
        n_refused += !pl_is_ok(status);
        pl_status_done(&status);
        make_parties(&j);
        status = load_all(&j);
        if (pl_is_ok(status)) {
            Parley__V1__QueryPlan *query =
                parley__v1__query_plan__unpack(NULL, j.plan->body.len, j.plan->body.data);
            pl_i128 *moments = calloc(query->n_moments * query->n_cells, sizeof *moments);
            uint64_t *ok = calloc(query->n_cells, sizeof *ok);
            for (size_t i = 0; i < query->n_cells; i++)
                moments[i] = ok[i] = 1;
            status = pl_sql_finish(query, &(pl_opened){ok, moments}, &j.result[0]);
            free(moments);
            free(ok);
            parley__v1__query_plan__free_unpacked(query, NULL);
        }
        pl_status_done(&status);
        job_done(&j);
    }
    assert_true(n_refused > 100);
}

/* Every operation, with one recipient that computes and one that does not. */
static void test_bench(void **state) {
    (void)state;
    static const char *const NS[] = {"1", "999", "1000", "1500"};
    for (size_t o = 0; o < pl_n_ops; o++) {
        for (size_t i = 0; i < 4; i++) {
            char task[40];
            bool is_large = pl_ops[o].n_suite < 2000 || strcmp(pl_ops[o].name, "intdiv") == 0;
            if (is_large && i > 0)
                continue;
            snprintf(task, sizeof task, "%s %s", pl_ops[o].name, is_large ? "7" : NS[i]);
            job j = {.recipients = {"asker", "south"}};
            pl_status status = run_job(&j, "bench", task);
            if (!pl_is_ok(status))
                fail_msg("%s: %s", task, pl_status_message(status));
            const Parley__V1__ResultTable *table = result_of(&j, "asker");
            assert_int_equal(table->n_columns, 7);
            assert_string_equal(table->rows[0]->cells[0]->text, pl_ops[o].name);
            assert_string_equal(table->rows[0]->cells[1]->text, strchr(task, ' ') + 1);
            assert_string_equal(table->columns[6]->name, "lanes");
            assert_string_equal(table->rows[0]->cells[6]->text, "1");
            assert_non_null(result_of(&j, "south"));
            job_done(&j);
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_postgresql), cmocka_unit_test(test_compute_sets),
        cmocka_unit_test(test_cohorts),           cmocka_unit_test(test_one_cell),
        cmocka_unit_test(test_source_faults),     cmocka_unit_test(test_wrong_inputs),
        cmocka_unit_test(test_broken_plans),      cmocka_unit_test(test_bench),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
