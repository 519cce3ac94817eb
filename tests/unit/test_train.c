/* A training from task to model in one process: plan, keep, run among threads. The source children
 * are called directly. The model is held against the same training written out here on the pooled
 * rows; what may not be trained is refused by plan, trainer or protocol, each by name. It could be
 * wrong in what only separate processes show: tests/oracle/train.py,
 * tests/integration/train_faults.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/catalog/task.h"
#include "node/session/train.h"
#include "protocols/net/memory.h"
#include "protocols/share/party.h"

#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BASE .base = PROTOBUF_C_MESSAGE_INIT(&parley__v1__column__descriptor)
#define TYPE(name) PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_##name
#define N_OWNERS 3
#define ROWS 120
#define PARTIES_MAX 5

static char *ANSWERS[] = {"yes", "no"};
static char EMPTY[] = "", TABLE[] = "t";
static const Parley__V1__Column COLUMNS[] = {
    {BASE, .name = "id", .type = TYPE(TEXT), .min = EMPTY, .max = EMPTY, .nullable = 1},
    {BASE, .name = "a", .type = TYPE(REAL), .min = "-3", .max = "3", .nullable = 1},
    {BASE, .name = "b", .type = TYPE(DECIMAL), .precision = 6, .scale = 2, .min = "0.00",
     .max = "99.00"},
    {BASE, .name = "c", .type = TYPE(BOOL), .min = EMPTY, .max = EMPTY},
    {BASE, .name = "same", .type = TYPE(INTEGER), .min = "7", .max = "7"},
    {BASE, .name = "y", .type = TYPE(INTEGER), .min = "0", .max = "1"},
    {BASE, .name = "word", .type = TYPE(TEXT), .min = EMPTY, .max = EMPTY, .values = ANSWERS,
     .n_values = 2},
    {BASE, .name = "wide", .type = TYPE(REAL), .min = EMPTY, .max = EMPTY},
    {BASE, .name = "born", .type = TYPE(DATE), .min = "1900-01-01", .max = "2030-01-01"},
};
#define N_COLUMNS (sizeof COLUMNS / sizeof COLUMNS[0])
static const char HEADER[] = "id,a,b,c,same,y,word,wide,born\n";

static const char *const MEMBERS[] = {"asker", "east", "extra", "north", "south"};
static const char *const OWNERS[] = {"east", "north", "south"};

typedef struct row {
    double x[4];
    int y;
} row;

typedef struct job {
    char csv[N_OWNERS][ROWS * 80];
    uint32_t cohort;
    uint64_t rows_max;
    bool reversed; /* the catalogue in another order */
    const char *compute[3];
    Parley__V1__Plan *plan;
    Parley__V1__Party party[PARTIES_MAX], *parties[PARTIES_MAX];
    size_t n_parties;
    Parley__V1__SourceReply reply[N_OWNERS];
    pl_kept *kept[N_OWNERS];
    Parley__V1__ResultTable *result[PARTIES_MAX];
    int n_agreed[PARTIES_MAX], n_told[PARTIES_MAX], n_asked;
    pl_counters used[PARTIES_MAX];
    int spoil_at; /* this answer of north's trainer comes in a wrong shape */
} job;

static void ok(pl_status status) {
    if (!pl_is_ok(status))
        fail_msg("%s", pl_status_message(status));
}

static void fails(pl_status status, pl_code code, const char *part) {
    if (pl_status_code(status) != code || strstr(pl_status_message(status), part) == NULL)
        fail_msg("expected %s \"%s\", got: %s", pl_code_describe(code)->name, part,
                 pl_status_message(status));
    pl_status_done(&status);
}

/* ---- rows ---- */

static double hash_real(size_t i, size_t k) {
    uint64_t v = (i * 31 + k + 1) * UINT64_C(0x9E3779B97F4A7C15);
    v = (v ^ (v >> 30)) * UINT64_C(0xBF58476D1CE4E5B9);
    return (double)((v ^ (v >> 27)) >> 11) * 0x1p-53;
}

/* Row i of owner o; every seventh has no a, every eleventh no id: they take no part. */
static row make_row(size_t o, size_t i) {
    size_t n = o * 1000 + i;
    row r = {.x = {floor(6000 * hash_real(n, 0) - 3000) / 1000, floor(9900 * hash_real(n, 1)) / 100,
                   hash_real(n, 2) > 0.5, 7}};
    r.y = r.x[0] + r.x[1] / 50 + r.x[2] + 2 * hash_real(n, 3) > 3;
    return r;
}

static void write_csv(size_t o, size_t n, char *out) {
    char *at = out + sprintf(out, "%s", HEADER);
    for (size_t i = 0; i < n; i++) {
        row r = make_row(o, i);
        at += i % 11 == 10 ? sprintf(at, ",") : sprintf(at, "k%zu-%zu,", o, i);
        at += i % 7 == 6 ? sprintf(at, ",") : sprintf(at, "%.3f,", r.x[0]);
        at += sprintf(at, "%.2f,%s,7,%d,%s,1,2000-01-01\n", r.x[1], r.x[2] > 0 ? "true" : "false",
                      r.y, r.y ? "yes" : "no");
    }
}

/* ---- plan, keep, run ---- */

static const char TASK[] = "dataset: t\nlabel: y\nfeatures: [a, b, c, same]\npurpose: p\n"
                           "split: {key: id, salt: s, holdout: 0.3}\nrounds: 12\n"
                           "learning_rate: 0.5\nl2: 0.05\n";

static pl_status make_plan(job *j, const char *text) {
    Parley__V1__Dataset datasets[N_OWNERS];
    const Parley__V1__Dataset *list[N_OWNERS];
    Parley__V1__Column *columns[N_COLUMNS];
    for (size_t i = 0; i < N_COLUMNS; i++)
        columns[i] = (Parley__V1__Column *)&COLUMNS[i];
    for (size_t o = 0; o < N_OWNERS; o++) {
        parley__v1__dataset__init(&datasets[o]);
        datasets[o].org = (char *)OWNERS[o];
        datasets[o].name = TABLE;
        datasets[o].rows_max = j->rows_max != 0 ? j->rows_max : 1000;
        datasets[o].min_cohort = o == 1 ? j->cohort : 0;
        datasets[o].columns = columns;
        datasets[o].n_columns = N_COLUMNS;
        list[j->reversed ? N_OWNERS - 1 - o : o] = &datasets[o];
    }
    const pl_plan_context context = {.datasets = list,
                                     .n_datasets = N_OWNERS,
                                     .members = MEMBERS,
                                     .n_members = 5,
                                     .proposer = "asker"};
    Parley__V1__Task task = PARLEY__V1__TASK__INIT;
    task.text = (char *)text;
    task.purpose = (char[]){"p"};
    task.compute = (char **)j->compute;
    task.n_compute = j->compute[0] != NULL ? 3 : 0;
    return pl_session_kind_find("train")->plan(&context, &task, &j->plan);
}

static bool is_in(char *const *list, size_t n, const char *org) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], org) == 0)
            return true;
    return false;
}

static void make_parties(job *j) {
    const Parley__V1__Plan *p = j->plan;
    for (size_t i = 0; i < 5; i++) {
        bool recipient = is_in(p->recipients, p->n_recipients, MEMBERS[i]);
        if (!recipient && !is_in(p->compute, p->n_compute, MEMBERS[i]))
            continue;
        Parley__V1__Party *party = &j->party[j->n_parties];
        parley__v1__party__init(party);
        party->org = (char *)MEMBERS[i];
        party->recipient = recipient;
        j->parties[j->n_parties++] = party;
    }
}

static pl_status keep(job *j, size_t o) {
    Parley__V1__SourceColumn columns[N_COLUMNS], *list[N_COLUMNS];
    for (size_t i = 0; i < N_COLUMNS; i++) {
        parley__v1__source_column__init(&columns[i]);
        columns[i].column = (Parley__V1__Column *)&COLUMNS[i];
        columns[i].source_name = COLUMNS[i].name;
        list[i] = &columns[i];
    }
    Parley__V1__SourceRequest request = PARLEY__V1__SOURCE_REQUEST__INIT;
    request.plan = j->plan;
    request.dataset = (char[]){"t"};
    request.columns = list;
    request.n_columns = N_COLUMNS;
    request.encoding = (char[]){"utf-8"};
    request.display_path = (char[]){"rows.csv"};
    request.rows_max = 1000;
    FILE *file = tmpfile();
    assert_non_null(file);
    fputs(j->csv[o], file);
    rewind(file);
    pl_status status =
        pl_session_kind_find("train")->keep(&request, fileno(file), &j->reply[o], &j->kept[o]);
    fclose(file);
    return status;
}

static pl_status agree(pl_session_run *run) {
    ((job *)run->ctx)->n_agreed[run->own_rank]++;
    return PL_OK;
}

static pl_status tell(pl_session_run *run, uint32_t round, const char *what) {
    job *j = run->ctx;
    assert_int_equal(++j->n_told[run->own_rank], round);
    assert_true(strstr(what, j->parties[run->own_rank]->recipient ? "accuracy" : "round") != NULL);
    return PL_OK;
}

static pl_status ask(pl_session_run *run, pl_view request, pl_bytes *out) {
    job *j = run->ctx;
    size_t o = 0;
    while (strcmp(OWNERS[o], j->parties[run->own_rank]->org) != 0)
        o++;
    PL_TRY(pl_train_serve(j->kept[o], request, out));
    if (o == 1 && ++j->n_asked == j->spoil_at)
        out->len -= 8;
    return PL_OK;
}

static pl_status run_party(size_t rank, pl_mesh *mesh, void *ctx) {
    job *j = ctx;
    size_t compute[3];
    for (size_t c = 0; c < 3; c++)
        for (size_t i = 0; i < j->n_parties; i++)
            if (strcmp(j->parties[i]->org, j->plan->compute[c]) == 0)
                compute[c] = i;
    pl_party_params params = {.mesh = mesh, .scheme = "rep3", .compute = compute, .n_compute = 3};
    memset(params.seed, (int)rank + 1, sizeof params.seed);
    pl_session_run run = {.mesh = mesh,
                          .plan = j->plan,
                          .own_rank = rank,
                          .parties = (const Parley__V1__Party *const *)j->parties,
                          .n_parties = j->n_parties,
                          .agree_opening = agree,
                          .ask = ask,
                          .progress = tell,
                          .ctx = j,
                          .out_result = &j->result[rank]};
    PL_TRY(pl_party_new(&params, &run.party));
    pl_status status = pl_session_kind_find("train")->run(&run);
    j->used[rank] = pl_mesh_counters(mesh);
    pl_party_free(run.party);
    return status;
}

static pl_status run_job(job *j, const char *text) {
    for (size_t o = 0; o < N_OWNERS; o++)
        parley__v1__source_reply__init(&j->reply[o]);
    PL_TRY(make_plan(j, text));
    make_parties(j);
    for (size_t o = 0; o < N_OWNERS; o++)
        if (is_in(j->plan->owners, j->plan->n_owners, OWNERS[o]))
            PL_TRY(keep(j, o));
    return pl_parties_run(j->n_parties, 30000, run_party, j);
}

static void job_done(job *j) {
    for (size_t i = 0; i < j->n_parties; i++)
        if (j->result[i] != NULL)
            parley__v1__result_table__free_unpacked(j->result[i], NULL);
    for (size_t o = 0; o < N_OWNERS; o++) {
        pl_train_let_go(j->kept[o]);
        free(j->reply[o].version.data);
    }
    if (j->plan != NULL)
        parley__v1__plan__free_unpacked(j->plan, NULL);
    free(j);
}

static job *job_new(const size_t rows[N_OWNERS]) {
    job *j = calloc(1, sizeof *j);
    assert_non_null(j);
    for (size_t o = 0; o < N_OWNERS; o++)
        write_csv(o, rows[o], j->csv[o]);
    return j;
}

/* ---- the same on the pooled rows ---- */

typedef struct pooled {
    row rows[N_OWNERS * ROWS];
    size_t n;
    double w[5];
} pooled;

static void train_pooled(pooled *p, unsigned rounds, double rate, double l2) {
    double mean[4] = {0}, deviation[4] = {0};
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < 4; k++)
            mean[k] += p->rows[i].x[k] / (double)p->n;
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < 4; k++)
            deviation[k] += pow(p->rows[i].x[k] - mean[k], 2) / (double)p->n;
    memset(p->w, 0, sizeof p->w);
    for (unsigned r = 0; r < rounds; r++) {
        double gradient[5] = {0};
        for (size_t i = 0; i < p->n; i++) {
            double z[5] = {[4] = 1}, logit = 0;
            for (size_t k = 0; k < 3; k++)
                z[k] = (p->rows[i].x[k] - mean[k]) / sqrt(deviation[k]);
            for (size_t k = 0; k < 5; k++)
                logit += z[k] * p->w[k];
            for (size_t k = 0; k < 5; k++)
                gradient[k] += (1 / (1 + exp(-logit)) - p->rows[i].y) * z[k] / (double)p->n;
        }
        for (size_t k = 0; k < 5; k++)
            p->w[k] -= rate * (gradient[k] + (k < 4 ? l2 * p->w[k] : 0));
    }
}

static void pool(pooled *p, const size_t rows[N_OWNERS]) {
    for (size_t o = 0; o < N_OWNERS; o++)
        for (size_t i = 0; i < rows[o]; i++)
            if (i % 11 != 10 && i % 7 != 6)
                p->rows[p->n++] = make_row(o, i);
}

/* Nothing is held out: then the pooled rows are all of them. */
static const char ALL[] = "dataset: t\nlabel: %s\nfeatures: [a, b, c, same]\npurpose: p\n"
                          "split: {key: id, holdout: 0}\nrounds: 12\n"
                          "learning_rate: 0.5\nl2: 0.05\n";

static const Parley__V1__TrainResult *model_of(const job *j, const char *org) {
    for (size_t i = 0; i < j->n_parties; i++)
        if (strcmp(j->parties[i]->org, org) == 0)
            return j->result[i] != NULL ? j->result[i]->train : NULL;
    return NULL;
}

static void check_model(const job *j, const pooled *p) {
    const Parley__V1__TrainResult *r = model_of(j, "asker");
    assert_non_null(r);
    assert_int_equal(r->rows_train, p->n);
    assert_int_equal(r->rows_holdout, 0);
    assert_false(r->has_auc);
    assert_int_equal(r->n_weights, 4);
    double off = pow(r->intercept - p->w[4], 2);
    for (size_t k = 0; k < 4; k++)
        off += pow(r->weights[k] - p->w[k], 2);
    assert_true(r->has_error && r->error < 1e-7 && sqrt(off) <= r->error);
    assert_true(r->weights[3] == 0 && r->deviation[3] == 0); /* never varies */
    assert_int_equal(r->n_curve, 13);
    assert_true(fabs(r->curve[0]->loss - log(2)) < 1e-9);
    assert_true(r->curve[12]->loss < r->curve[0]->loss && r->curve[12]->accuracy > 0.7);
}

static void check_cost(const job *j) {
    for (size_t i = 0; i < j->n_parties; i++) {
        assert_int_equal(j->n_agreed[i], 1);
        assert_int_equal(j->n_told[i], 12);
        assert_int_equal(j->result[i] != NULL, j->parties[i]->recipient);
        assert_true(j->used[i].rounds <= j->plan->cost->rounds);
        if (is_in(j->plan->compute, j->plan->n_compute, j->parties[i]->org))
            assert_true(j->used[i].bytes_sent <= j->plan->cost->bytes_per_link_max);
    }
}

/* All recipients hold the same model, whoever computes: owners or strangers. */
static void test_equals_pooled(void **state) {
    (void)state;
    static const char *const SETS[][3] = {
        {NULL}, {"east", "north", "south"}, {"extra", "asker", "south"}};
    static const size_t ROWS_OF[N_OWNERS] = {ROWS, 40, 77};
    pooled p = {0};
    pool(&p, ROWS_OF);
    train_pooled(&p, 12, 0.5, 0.05);
    for (size_t s = 0; s < 3; s++)
        for (uint32_t cohort = 0; cohort <= 20; cohort += 20) {
            char text[400];
            snprintf(text, sizeof text, ALL, s == 1 ? "word\npositive: yes" : "y");
            job *j = job_new(ROWS_OF);
            memcpy(j->compute, SETS[s], sizeof j->compute);
            j->cohort = cohort;
            ok(run_job(j, text));
            check_model(j, &p);
            check_cost(j);
            assert_memory_equal(model_of(j, "asker")->weights, model_of(j, "north")->weights, 32);
            job_done(j);
        }
}

/* ---- the part held out ---- */

static void test_holdout(void **state) {
    (void)state;
    static const size_t ROWS_OF[N_OWNERS] = {ROWS, ROWS, ROWS};
    pooled p = {0};
    pool(&p, ROWS_OF);
    job *j = job_new(ROWS_OF);
    ok(run_job(j, TASK));
    const Parley__V1__TrainResult *r = model_of(j, "south");
    assert_int_equal(r->rows_train + r->rows_holdout, p.n);
    assert_in_range(r->rows_holdout, p.n / 5, p.n / 2); /* 0.3 of them, by a hash */
    size_t positives = 0;
    for (size_t i = 0; i < p.n; i++)
        positives += p.rows[i].y == 1;
    assert_int_equal(r->positives_train + r->positives_holdout, positives);
    assert_true(r->has_auc && r->auc > 0.7 && r->auc <= 1 && r->auc_error < 0.01);
    assert_true(r->holdout_accuracy > 0.6 && r->holdout_loss < log(2));
    assert_true(strstr(j->result[0]->note, "AUC") != NULL);
    job_done(j);
}

/* ---- refusals of the protocol ---- */

static void test_cohort(void **state) {
    (void)state;
    /* What is left without the large owner is 18 rows: no label of either part can have 30. */
    static const size_t ROWS_OF[N_OWNERS] = {ROWS, 12, 12};
    job *j = job_new(ROWS_OF);
    j->cohort = 30;
    fails(run_job(j, TASK), PL_REFUSED, "fewer than 30; nothing was trained or opened");
    for (size_t i = 0; i < j->n_parties; i++) {
        assert_null(j->result[i]);
        assert_int_equal(j->n_told[i], 0);
    }
    job_done(j);
}

/* Enough rows to train on, but without the large owner the held-out rows of one label are too few:
 * every count obeys the rule, not only the rows. */
static void test_cohort_by_part_and_label(void **state) {
    (void)state;
    static const size_t ROWS_OF[N_OWNERS] = {ROWS, 60, 60};
    job *j = job_new(ROWS_OF);
    ok(run_job(j, TASK));
    assert_true(model_of(j, "asker")->rows_train > ROWS);
    job_done(j);
    j = job_new(ROWS_OF);
    j->cohort = 30;
    fails(run_job(j, TASK), PL_REFUSED, "fewer than 30");
    job_done(j);
    j = job_new(ROWS_OF);
    j->cohort = 3;
    ok(run_job(j, TASK));
    job_done(j);
}

static void test_nothing_to_learn(void **state) {
    (void)state;
    static const size_t ROWS_OF[N_OWNERS] = {0, 0, 0};
    job *j = job_new(ROWS_OF);
    fails(run_job(j, TASK), PL_FAILED_PRECONDITION, "nothing to learn");
    job_done(j);
}

static void test_wrong_shape(void **state) {
    (void)state;
    static const size_t ROWS_OF[N_OWNERS] = {30, 30, 30};
    for (int at = 1; at <= 4; at++) {
        job *j = job_new(ROWS_OF);
        j->spoil_at = at == 2 ? 15 : at; /* the answer to the scale is empty: 15 is the last */
        fails(run_job(j, TASK), PL_INTERNAL, "wrong shape");
        assert_null(model_of(j, "asker"));
        job_done(j);
    }
}

/* ---- the trainer is asked out of turn ---- */

static pl_status ask_kept(pl_kept *kept, Parley__V1__TrainRequest *request) {
    uint8_t packed[400];
    pl_bytes body = {0};
    size_t len = parley__v1__train_request__get_packed_size(request);
    assert_true(len <= sizeof packed);
    parley__v1__train_request__pack(request, packed);
    pl_status status = pl_train_serve(kept, pl_view_of(packed, len), &body);
    pl_bytes_done(&body);
    return status;
}

static pl_status ask_model(pl_kept *kept, size_t n, double weight) {
    double weights[8] = {weight, weight, weight, weight, weight};
    Parley__V1__TrainModel model = PARLEY__V1__TRAIN_MODEL__INIT;
    Parley__V1__TrainRequest request = PARLEY__V1__TRAIN_REQUEST__INIT;
    model.weights = weights;
    model.n_weights = n;
    request.kind_case = PARLEY__V1__TRAIN_REQUEST__KIND_STEP;
    request.step = &model;
    return ask_kept(kept, &request);
}

static pl_status ask_scale(pl_kept *kept, size_t n) {
    double mean[4] = {0}, deviation[4] = {1, 1, 1, 0};
    Parley__V1__TrainScale scale = PARLEY__V1__TRAIN_SCALE__INIT;
    Parley__V1__TrainRequest request = PARLEY__V1__TRAIN_REQUEST__INIT;
    scale.mean = mean;
    scale.deviation = deviation;
    scale.n_mean = scale.n_deviation = n;
    request.kind_case = PARLEY__V1__TRAIN_REQUEST__KIND_SCALE;
    request.scale = &scale;
    return ask_kept(kept, &request);
}

static void test_out_of_turn(void **state) {
    (void)state;
    static const size_t ROWS_OF[N_OWNERS] = {30, 30, 30};
    static const uint8_t NOISE[] = {0xff, 0xff, 0x01};
    Parley__V1__TrainRequest moments = PARLEY__V1__TRAIN_REQUEST__INIT, nothing = moments;
    moments.kind_case = PARLEY__V1__TRAIN_REQUEST__KIND_MOMENTS;
    moments.moments = 1;
    job *j = job_new(ROWS_OF);
    pl_bytes body = {0};
    parley__v1__source_reply__init(&j->reply[0]);
    ok(make_plan(j, TASK));
    ok(keep(j, 0));
    assert_int_equal(j->reply[0].rows, 30);
    assert_int_equal(j->reply[0].version.len, 32);
    pl_kept *kept = j->kept[0];
    fails(pl_train_serve(kept, pl_view_of(NOISE, 3), &body), PL_PROTOCOL, "cannot be read");
    fails(ask_kept(kept, &nothing), PL_PROTOCOL, "does not know");
    fails(ask_model(kept, 5, 0), PL_PROTOCOL, "a model out of turn");
    ok(ask_kept(kept, &moments));
    fails(ask_scale(kept, 3), PL_PROTOCOL, "a scale out of turn");
    ok(ask_scale(kept, 4));
    fails(ask_scale(kept, 4), PL_PROTOCOL, "a scale out of turn");
    fails(ask_kept(kept, &moments), PL_PROTOCOL, "out of turn");
    fails(ask_model(kept, 4, 0), PL_PROTOCOL, "a model out of turn");
    fails(ask_model(kept, 5, NAN), PL_PROTOCOL, "a model out of turn");
    ok(ask_model(kept, 5, 0.5));
    /* With this scale b is far from standardised: its sum is beyond what the plan promised, and
     * nothing is shared. */
    fails(ask_model(kept, 5, -1e308), PL_OUT_OF_RANGE, "the plan promised");
    job_done(j);
}

/* ---- the plan ---- */

static void test_plan_is_the_same_everywhere(void **state) {
    (void)state;
    static const size_t ROWS_OF[N_OWNERS] = {1, 1, 1};
    job *a = job_new(ROWS_OF), *b = job_new(ROWS_OF);
    a->cohort = b->cohort = 5;
    b->reversed = true;
    ok(make_plan(a, TASK));
    ok(make_plan(b, TASK));
    size_t len = parley__v1__plan__get_packed_size(a->plan);
    uint8_t *first = malloc(len), *second = malloc(len);
    assert_int_equal(parley__v1__plan__pack(a->plan, first), len);
    assert_int_equal(parley__v1__plan__pack(b->plan, second), len);
    assert_memory_equal(first, second, len);
    assert_int_equal(a->plan->cohort, 5);
    assert_int_equal(a->plan->n_recipients, 4); /* who asks, and every owner */
    assert_string_equal(a->plan->recipients[0], "asker");
    assert_int_equal(a->plan->n_flows, 3 * 6 + 3);
    for (size_t i = 0; i < 18; i++) {
        assert_int_equal(a->plan->flows[i]->right, PARLEY__V1__RIGHT__RIGHT_TRAIN);
        assert_int_equal(a->plan->flows[i]->n_recipients, 4);
    }
    assert_int_equal(a->plan->n_openings, 6);
    assert_int_equal(a->plan->openings[3]->n_values, 12 * 5);
    free(first);
    free(second);
    job_done(a);
    job_done(b);
}

static void test_explain(void **state) {
    (void)state;
    static const char *const PARTS[] = {
        "k = 5",
        "asker, east, north and south",
        "60 values  sum of the weighted updates",
        "east.t: train on\n      y (label), id (split), a, b, c, same\n",
        "learns the sums of all others",
        "104 numbers are opened in all, and 5 rows hold 25",
        "id and the\n     salt \"s\"",
        "no noise is added",
        "any two of asker, east and north"};
    static const size_t ROWS_OF[N_OWNERS] = {1, 1, 1};
    job *j = job_new(ROWS_OF);
    pl_buf text = {0};
    pl_bytes bytes = {0};
    j->cohort = 5;
    ok(make_plan(j, TASK));
    ok(pl_train_explain(j->plan, &text));
    ok(pl_buf_take(&text, &bytes));
    for (size_t i = 0; i < sizeof PARTS / sizeof PARTS[0]; i++)
        if (strstr((char *)bytes.data, PARTS[i]) == NULL)
            fail_msg("\"%s\" is not in\n%s", PARTS[i], (char *)bytes.data);
    pl_bytes_done(&bytes);
    job_done(j);
}

#define HEAD "dataset: t\nlabel: y\npurpose: p\nsplit: {key: id}\n"
static const struct {
    const char *text;
    pl_code code;
    const char *part;
} FAULTS[] = {
    {HEAD "features: [a, shoe]", PL_NOT_FOUND, "task:5: column shoe does not exist in east.t"},
    {HEAD "features: [a, wide]", PL_OUT_OF_RANGE, "task:5: feature wide has no declared range"},
    {HEAD "features: [a, born]", PL_UNSUPPORTED, "task:5: feature born is no number"},
    {HEAD "features: [word]", PL_UNSUPPORTED, "task:5: feature word is no number"},
    {HEAD "features: [a, a]", PL_INVALID_ARGUMENT, "task:5: feature a is named twice"},
    {HEAD "features: [a, y]", PL_INVALID_ARGUMENT, "task:5: y is the label"},
    {HEAD "features: []", PL_INVALID_ARGUMENT, "task:5: features must name 1 to 256"},
    {HEAD "features: a", PL_INVALID_ARGUMENT, "task:5:"},
    {HEAD, PL_INVALID_ARGUMENT, "features"},
    {HEAD "features: [a]\nlearning_rate: fast", PL_INVALID_ARGUMENT, "task:6: learning_rate must"},
    {HEAD "features: [a]\nlearning_rate: nan", PL_INVALID_ARGUMENT, "task:6: learning_rate must"},
    {HEAD "features: [a]\nl2: -1", PL_INVALID_ARGUMENT, "task:6: l2 must be a number from 0"},
    {HEAD "features: [a]\nl2: 100", PL_INVALID_ARGUMENT, "learning_rate times l2"},
    {HEAD "features: [a]\nrounds: 10001", PL_INVALID_ARGUMENT, "task:6: rounds must be"},
    {HEAD "features: [a]\nprotocol: shamir", PL_INVALID_ARGUMENT,
     "names another purpose, protocol"},
    {HEAD "features: [a]\nrecipients: [extra]", PL_INVALID_ARGUMENT, "names another purpose"},
    {HEAD "features: [a]\ncompute: [north, south, east]", PL_INVALID_ARGUMENT, "names another"},
    {HEAD "features: [a]\npositive: yes", PL_INVALID_ARGUMENT, "without the key positive"},
    {"dataset: t\nlabel: y\npurpose: q\nsplit: {key: id}\nfeatures: [a]", PL_INVALID_ARGUMENT,
     "names another purpose"},
    {"dataset: u\nlabel: y\npurpose: p\nsplit: {key: id}\nfeatures: [a]", PL_NOT_FOUND,
     "task:1: there is no dataset u"},
    {"dataset: extra.t\nlabel: y\npurpose: p\nsplit: {key: id}\nfeatures: [a]", PL_NOT_FOUND,
     "task:1: there is no dataset extra.t"},
    {"dataset: t\nlabel: word\npurpose: p\nsplit: {key: id}\nfeatures: [a]", PL_INVALID_ARGUMENT,
     "task:2: label word is text: name with the key positive"},
    {"dataset: t\nlabel: word\npositive: maybe\npurpose: p\nsplit: {key: id}\nfeatures: [a]",
     PL_INVALID_ARGUMENT, "task:2: label word is text"},
    {"dataset: t\nlabel: same\npurpose: p\nsplit: {key: id}\nfeatures: [a]", PL_INVALID_ARGUMENT,
     "task:2: label same must be bool"},
    {"dataset: t\nlabel: y\npurpose: p\nsplit: {key: b}\nfeatures: [a]", PL_UNSUPPORTED,
     "task:4: split key b is neither integer nor text"},
    {"dataset: t\nlabel: y\npurpose: p\nsplit: {key: id, holdout: 1}\nfeatures: [a]",
     PL_INVALID_ARGUMENT, "task:4: holdout must be a number from 0 to 0.99"},
    {"dataset: t\nlabel: y\npurpose: p\nsplit: {key: id, salt: \"\\e[2J\"}\nfeatures: [a]",
     PL_INVALID_ARGUMENT, "task:4: salt must be at most 64 letters"},
    {"dataset: t\nlabel: y\npurpose: p\nsplit: {key: id, salt: a b}\nfeatures: [a]",
     PL_INVALID_ARGUMENT, "task:4: salt must be"},
    {"dataset: t\nlabel: y\npurpose: p\nsplit: {key: id, keys: 1}\nfeatures: [a]",
     PL_INVALID_ARGUMENT, "task:4: key keys is not known"},
    {"dataset: t\nlabel: y\nsplit: {key: id}\nfeatures: [a]", PL_INVALID_ARGUMENT, "purpose"},
    {"- a", PL_INVALID_ARGUMENT, "task:1"},
    {"", PL_INVALID_ARGUMENT, "task"},
};

static void test_faults(void **state) {
    (void)state;
    static const size_t ROWS_OF[N_OWNERS] = {1, 1, 1};
    for (size_t i = 0; i < sizeof FAULTS / sizeof FAULTS[0]; i++) {
        job *j = job_new(ROWS_OF);
        fails(make_plan(j, FAULTS[i].text), FAULTS[i].code, FAULTS[i].part);
        assert_null(j->plan);
        job_done(j);
    }
}

static void test_overflow(void **state) {
    (void)state;
    static const size_t ROWS_OF[N_OWNERS] = {1, 1, 1};
    job *j = job_new(ROWS_OF);
    j->rows_max = UINT64_C(1) << 29;
    fails(make_plan(j, TASK), PL_OUT_OF_RANGE, "task:1: the owners of t declare more than");
    j->rows_max = UINT64_C(1) << 28; /* fits: fewer bits for the fraction */
    ok(make_plan(j, TASK));
    Parley__V1__TrainPlan *body;
    ok(pl_train_body(j->plan, &body));
    assert_true(ldexp(body->update_bound, (int)body->update_bits) < 0x1p62);
    assert_true(ldexp(body->loss_bound, (int)body->loss_bits) < 0x1p62);
    assert_true(body->update_bits < 40);
    parley__v1__train_plan__free_unpacked(body, NULL);
    j->plan->body.len /= 2;
    fails(pl_train_body(j->plan, &body), PL_INVALID_ARGUMENT, "malformed plan");
    job_done(j);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_equals_pooled),    cmocka_unit_test(test_holdout),
        cmocka_unit_test(test_cohort),           cmocka_unit_test(test_cohort_by_part_and_label),
        cmocka_unit_test(test_nothing_to_learn), cmocka_unit_test(test_wrong_shape),
        cmocka_unit_test(test_out_of_turn),      cmocka_unit_test(test_plan_is_the_same_everywhere),
        cmocka_unit_test(test_explain),          cmocka_unit_test(test_faults),
        cmocka_unit_test(test_overflow)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
