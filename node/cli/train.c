/* train.c: parley train: submit a training task, watch its rounds, print or save the model. */
#include "node/catalog/task.h"
#include "node/cli/cli.h"
#include "node/cli/receipt.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PLANNER_FILE "task:" /* what the planner calls the file in its errors */
#define CURVE_COLUMNS 50
#define WEIGHTS_SHOWN 8

/* ---- the task ---- */

static pl_status fill_task(const pl_train_task *from, char *text, Parley__V1__Task *task) {
    task->text = text;
    PL_TRY(pl_strdup("train", &task->kind));
    PL_TRY(pl_strdup(from->purpose, &task->purpose));
    PL_TRY(pl_strdup(from->protocol, &task->protocol));
    PL_TRY(pl_alloc(from->n_compute, sizeof *task->compute, &task->compute));
    for (; task->n_compute < from->n_compute; task->n_compute++)
        PL_TRY(pl_strdup(from->compute[task->n_compute], &task->compute[task->n_compute]));
    PL_TRY(pl_alloc(from->n_recipients, sizeof *task->recipients, &task->recipients));
    for (; task->n_recipients < from->n_recipients; task->n_recipients++)
        PL_TRY(
            pl_strdup(from->recipients[task->n_recipients], &task->recipients[task->n_recipients]));
    return PL_OK;
}

static pl_status read_task(const char *path, Parley__V1__Task *task) {
    pl_train_task parsed = {0};
    char *text = NULL;
    PL_TRY(pl_cli_read_text(path, &text));
    pl_status status = pl_train_task_read(path, pl_view_text(text), &parsed);
    if (pl_is_ok(status))
        status = fill_task(&parsed, text, task);
    else
        free(text);
    pl_train_task_done(&parsed);
    return status;
}

/* The planner does not know the file's name: put it where it stands for it. */
static pl_status name_file(pl_status status, const char *path) {
    const char *message = pl_status_message(status);
    if (pl_is_ok(status) || strncmp(message, PLANNER_FILE, strlen(PLANNER_FILE)) != 0)
        return status;
    pl_status named =
        pl_fail(pl_status_code(status), "%s:%s", path, message + strlen(PLANNER_FILE));
    pl_status_done(&status);
    return named;
}

/* ---- JSON ---- */

json_t *pl_train_model_json(const Parley__V1__TrainResult *r) {
    json_t *features = json_array();
    for (size_t k = 0; k < r->n_features; k++)
        json_array_append_new(features, json_pack("{s:s, s:f, s:f, s:f}", "name", r->features[k],
                                                  "weight", r->weights[k], "mean", r->mean[k],
                                                  "deviation", r->deviation[k]));
    return json_pack("{s:s, s:s, s:s, s:f, s:o}", "kind", "logistic_regression", "label", r->label,
                     "positive", r->positive, "intercept", r->intercept, "features", features);
}

static json_t *real_or_null(bool has, double value) {
    return has ? json_real(value) : json_null();
}

json_t *pl_train_metrics_json(const Parley__V1__TrainResult *r) {
    json_t *curve = json_array();
    for (size_t i = 0; i < r->n_curve; i++)
        json_array_append_new(
            curve, json_pack("{s:I, s:f, s:f}", "round", (json_int_t)r->curve[i]->round, "loss",
                             r->curve[i]->loss, "accuracy", r->curve[i]->accuracy));
    json_t *holdout =
        json_pack("{s:I, s:I, s:f, s:f, s:o, s:o}", "rows", (json_int_t)r->rows_holdout,
                  "positives", (json_int_t)r->positives_holdout, "loss", r->holdout_loss,
                  "accuracy", r->holdout_accuracy, "auc", real_or_null(r->has_auc, r->auc),
                  "auc_error", real_or_null(r->has_auc, r->auc_error));
    return json_pack("{s:I, s:I, s:o, s:o, s:o, s:I}", "rows", (json_int_t)r->rows_train,
                     "positives", (json_int_t)r->positives_train, "curve", curve, "holdout",
                     holdout, "error_bound", real_or_null(r->has_error, r->error), "fraction_bits",
                     (json_int_t)r->update_bits);
}

/* The receipt as it is now: parties that have not signed yet are named in it. */
static pl_status receipt_json(const pl_cli *cli, const char *job_id, json_t **out) {
    Parley__V1__ReceiptReply *reply = NULL;
    PL_TRY(pl_cli_job_call(cli, "analyst", "Receipt", job_id,
                           &parley__v1__receipt_reply__descriptor, &reply));
    pl_status status = pl_cli_receipt_json(reply, out);
    parley__v1__receipt_reply__free_unpacked(reply, NULL);
    return status;
}

static pl_status document(const pl_cli *cli, const Parley__V1__JobResult *result, json_t **out) {
    json_t *receipt;
    PL_TRY(receipt_json(cli, result->job->job_id, &receipt));
    *out = json_pack("{s:s, s:o, s:o, s:o}", "job_id", result->job->job_id, "model",
                     pl_train_model_json(result->table->train), "metrics",
                     pl_train_metrics_json(result->table->train), "receipt", receipt);
    return *out == NULL ? pl_fail(PL_LIMIT, "no memory for the model's JSON") : PL_OK;
}

static pl_status save(const pl_cli *cli, const Parley__V1__JobResult *result, const char *path) {
    json_t *json = NULL;
    PL_TRY(document(cli, result, &json));
    errno = 0;
    int failed = json_dump_file(json, path, JSON_INDENT(2));
    json_decref(json);
    return failed ? pl_fail(PL_IO, "cannot write %s: %s", path, strerror(errno)) : PL_OK;
}

/* ---- for people ---- */

/* One line of blocks, from the smallest to the largest value. */
static void print_curve(const char *name, const double *values, size_t n) {
    static const char *const BLOCKS[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    size_t columns = n < CURVE_COLUMNS ? n : CURVE_COLUMNS;
    double low = values[0], high = values[0];
    for (size_t i = 0; i < n; i++) {
        low = fmin(low, values[i]);
        high = fmax(high, values[i]);
    }
    printf("%-9s %.4f ", name, values[0]);
    for (size_t c = 0; c < columns; c++) {
        size_t i = columns > 1 ? c * (n - 1) / (columns - 1) : 0;
        double share = high > low ? (values[i] - low) / (high - low) : 0;
        fputs(BLOCKS[(size_t)(share * 7 + 0.5)], stdout);
    }
    printf(" %.4f\n", values[n - 1]);
}

static pl_status print_curves(const Parley__V1__TrainResult *r) {
    double *loss = NULL, *accuracy = NULL;
    pl_status status;
    PL_CHECK(status, pl_alloc(r->n_curve, sizeof *loss, &loss));
    PL_CHECK(status, pl_alloc(r->n_curve, sizeof *accuracy, &accuracy));
    for (size_t i = 0; i < r->n_curve; i++) {
        loss[i] = r->curve[i]->loss;
        accuracy[i] = r->curve[i]->accuracy;
    }
    if (r->n_curve > 0) {
        print_curve("loss", loss, r->n_curve);
        print_curve("accuracy", accuracy, r->n_curve);
    }
out:
    free(loss);
    free(accuracy);
    return status;
}

static size_t largest_left(const Parley__V1__TrainResult *r, const bool *shown) {
    size_t best = r->n_features;
    for (size_t k = 0; k < r->n_features; k++)
        if (!shown[k] && (best == r->n_features || fabs(r->weights[k]) > fabs(r->weights[best])))
            best = k;
    return best;
}

static pl_status print_weights(const Parley__V1__TrainResult *r) {
    static const char *const headers[] = {"FEATURE", "WEIGHT"};
    bool *shown = NULL;
    pl_table *table = NULL;
    char weight[32];
    pl_status status;
    PL_CHECK(status, pl_alloc(r->n_features, sizeof *shown, &shown));
    PL_CHECK(status, pl_table_new(headers, 2, &table));
    pl_table_align_right(table, 1);
    for (size_t i = 0; i < WEIGHTS_SHOWN && i < r->n_features; i++) {
        size_t k = largest_left(r, shown);
        shown[k] = true;
        snprintf(weight, sizeof weight, "%+.4f", r->weights[k]);
        PL_CHECK(status, pl_table_add(table, (const char *const[]){r->features[k], weight}));
    }
    snprintf(weight, sizeof weight, "%+.4f", r->intercept);
    PL_CHECK(status, pl_table_add(table, (const char *const[]){"(intercept)", weight}));
    pl_table_print(table);
    if (r->n_features > WEIGHTS_SHOWN)
        printf("(the %d largest of %zu weights; all of them with --json or --output)\n",
               WEIGHTS_SHOWN, r->n_features);
out:
    pl_table_free(table);
    free(shown);
    return status;
}

static pl_status print_result(const Parley__V1__JobResult *result) {
    const Parley__V1__TrainResult *r = result->table->train;
    PL_TRY(print_curves(r));
    PL_TRY(print_weights(r));
    printf("trained on %llu rows; held out %llu: loss %.4f, accuracy %.4f",
           (unsigned long long)r->rows_train, (unsigned long long)r->rows_holdout, r->holdout_loss,
           r->holdout_accuracy);
    if (r->has_auc && r->auc_error > 0)
        printf(", AUC %.5f (exact within %.5f)", r->auc, r->auc_error);
    else if (r->has_auc)
        printf(", AUC %.5f (exact)", r->auc);
    printf("\n");
    if (r->has_error)
        printf("distance from the same training on pooled rows: at most %.1e\n", r->error);
    return PL_OK;
}

/* ---- the command ---- */

static pl_status fetch(const pl_cli *cli, const char *job_id, const char *output) {
    Parley__V1__JobResult *result = NULL;
    json_t *json = NULL;
    pl_status status;
    PL_TRY(pl_cli_result(cli, job_id, &result));
    PL_CHECK(status, result->table != NULL && result->table->train != NULL
                         ? PL_OK
                         : pl_fail(PL_INTERNAL, "the result of job %.8s has no model", job_id));
    if (output != NULL)
        PL_CHECK(status, save(cli, result, output));
    if (cli->json) {
        PL_CHECK(status, document(cli, result, &json));
        pl_cli_print_json(json);
    } else {
        PL_CHECK(status, print_result(result));
        if (output != NULL)
            printf("model, metrics and receipt written to %s\n", output);
    }
    fflush(stdout);
    if (!cli->json && result->job->stats != NULL)
        fprintf(stderr, "job %.8s: %llu rounds, %llu bytes sent, %.3f s\n", job_id,
                (unsigned long long)result->job->stats->rounds,
                (unsigned long long)result->job->stats->bytes_sent, result->job->stats->seconds);
out:
    parley__v1__job_result__free_unpacked(result, NULL);
    return status;
}

#define TRAIN_USAGE "train TASK.yaml [--timeout S] [--output FILE] [--explain] [--detach] [--json]"

static pl_status run_task(pl_cli *cli, const Parley__V1__SubmitRequest *request, const char *path,
                          const char *output, bool explain_only, bool detach) {
    char job_id[64];
    if (explain_only)
        return name_file(pl_cli_explain(cli, request), path);
    PL_TRY(name_file(pl_cli_submit(cli, request, job_id), path));
    if (detach) {
        printf("%s\n", job_id);
        return PL_OK;
    }
    PL_TRY(pl_cli_watch(cli, job_id));
    pl_status status = fetch(cli, job_id, output);
    if (pl_status_code(status) == PL_FAILED_PRECONDITION) {
        pl_status_done(&status); /* the model went to others */
        printf("job %s is done; the model went to its recipients\n", job_id);
    }
    return status;
}

static pl_status run_train(pl_cli *cli) {
    Parley__V1__SubmitRequest request = PARLEY__V1__SUBMIT_REQUEST__INIT;
    Parley__V1__Task *task;
    const char *timeout = pl_cli_option(cli, "--timeout"), *output = pl_cli_option(cli, "--output");
    bool explain_only = pl_cli_flag(cli, "--explain"), detach = pl_cli_flag(cli, "--detach");
    uint64_t seconds = 0;
    if (timeout != NULL)
        PL_TRY(pl_cli_number(timeout, "--timeout", 90 * 86400, &seconds));
    PL_TRY(pl_cli_words(cli, 1, TRAIN_USAGE));
    PL_TRY(pl_alloc(1, sizeof *task, &task));
    parley__v1__task__init(task);
    request.task = task;
    request.wait_seconds = (uint32_t)seconds;
    pl_status status = read_task(cli->argv[0], task);
    if (pl_is_ok(status))
        status = run_task(cli, &request, cli->argv[0], output, explain_only, detach);
    parley__v1__task__free_unpacked(task, NULL);
    return status;
}

const pl_command pl_train_commands[] = {
    {"train", "train a model where the data lies",
     "usage: parley " TRAIN_USAGE "\n\n"
     "  --explain       show the plan, who learns what, and what it costs; nothing runs\n"
     "  --output FILE   write model, metrics and receipt as JSON\n"
     "  --timeout S     the job ends if it has not run within S seconds\n"
     "  --detach        print the job's id and return; later: parley job result\n\n"
     "TASK.yaml:\n"
     "  dataset: patients               # of every member that has it; or member.patients\n"
     "  label: diagnosis                # bool, 0/1, or text with positive: VALUE\n"
     "  features: [radius, texture]     # numbers with a declared range\n"
     "  purpose: research\n"
     "  split: {key: patient, salt: study-7, holdout: 0.2}\n"
     "  rounds: 50                      # optional, as are learning_rate: 0.1 and l2: 0\n"
     "  compute: [a, b, c]              # optional, as are recipients and protocol: rep3\n\n"
     "example:\n"
     "  parley train examples/federation/tumours.yaml --output model.json\n",
     run_train},
    {0},
};
