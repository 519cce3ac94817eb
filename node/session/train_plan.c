/* What a training uses, opens and costs. */
#include "node/catalog/task.h"
#include "node/session/roles.h"
#include "node/session/train.h"
#include "protocols/fed/auc.h"
#include "protocols/fed/fixed.h"
#include "protocols/fed/logistic.h"
#include "protocols/rel/cohort.h"
#include "protocols/share/cost.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef Parley__V1__Plan plan_t;
typedef Parley__V1__TrainPlan train_t;
typedef Parley__V1__Column column_t;

#define FILE_NAME "task" /* in errors; the command line puts the file's own name there */
#define FAULT(code, line, ...) pl_wrap(pl_fail(code, __VA_ARGS__), FILE_NAME ":%u", line)
#define TYPE(name) PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_##name

/* ---- shared by the files of this kind ---- */

static bool is_sound(const train_t *t, const plan_t *plan) {
    bool sound = t->n_inputs > 0 && t->n_features > 0 && t->n_features <= PL_TASK_FEATURES_MAX &&
                 t->rounds > 0 && t->rounds <= PL_TASK_ROUNDS_MAX && t->cohort == plan->cohort &&
                 t->update_bits <= PL_FIXED_BITS_MAX && t->loss_bits <= PL_FIXED_BITS_MAX &&
                 t->holdout_ppm < 1000000 && t->rows_max > 0 && t->rows_max <= PL_AUC_ROWS_MAX;
    for (size_t k = 0; k < t->n_features; k++)
        sound = sound && isfinite(t->features[k]->middle) && t->features[k]->half > 0;
    return sound;
}

pl_status pl_train_body(const plan_t *plan, train_t **out) {
    train_t *train = parley__v1__train_plan__unpack(NULL, plan->body.len, plan->body.data);
    if (train != NULL && is_sound(train, plan)) {
        *out = train;
        return PL_OK;
    }
    if (train != NULL)
        parley__v1__train_plan__free_unpacked(train, NULL);
    return pl_fail(PL_INVALID_ARGUMENT, "malformed plan: its training cannot be read");
}

/* ---- the dataset: one per owner ---- */

typedef struct table {
    const Parley__V1__Dataset **inputs; /* sorted by organisation */
    size_t n_inputs;
} table;

static int by_org(const void *a, const void *b) {
    return strcmp((*(const Parley__V1__Dataset *const *)a)->org,
                  (*(const Parley__V1__Dataset *const *)b)->org);
}

/* "name", or "member.name": the part before the last dot, when a dataset of that whole name is not
 * there. */
static bool is_meant(const Parley__V1__Dataset *dataset, const char *wanted) {
    size_t org_len = strlen(dataset->org);
    return strcmp(dataset->name, wanted) == 0 ||
           (strncmp(wanted, dataset->org, org_len) == 0 && wanted[org_len] == '.' &&
            strcmp(wanted + org_len + 1, dataset->name) == 0);
}

static pl_status open_table(const pl_plan_context *context, const pl_train_task *task, table *out) {
    PL_TRY(pl_alloc(context->n_datasets, sizeof(void *), &out->inputs));
    for (size_t i = 0; i < context->n_datasets; i++)
        if (is_meant(context->datasets[i], task->dataset))
            out->inputs[out->n_inputs++] = context->datasets[i];
    if (out->n_inputs == 0)
        return FAULT(PL_NOT_FOUND, task->dataset_line,
                     "there is no dataset %s in the catalogue: see parley catalog", task->dataset);
    qsort(out->inputs, out->n_inputs, sizeof *out->inputs, by_org);
    for (size_t i = 1; i < out->n_inputs; i++)
        if (strcmp(out->inputs[i]->org, out->inputs[i - 1]->org) == 0)
            return FAULT(PL_INVALID_ARGUMENT, task->dataset_line,
                         "dataset %s can be two of %s: name a member and a dataset", task->dataset,
                         out->inputs[i]->org);
    return PL_OK;
}

static pl_status find_column(const table *t, size_t input, const char *name, unsigned line,
                             const column_t **out) {
    const Parley__V1__Dataset *dataset = t->inputs[input];
    for (size_t i = 0; i < dataset->n_columns; i++)
        if (strcmp(dataset->columns[i]->name, name) == 0) {
            *out = dataset->columns[i];
            return PL_OK;
        }
    return FAULT(PL_NOT_FOUND, line, "column %s does not exist in %s.%s: see parley catalog", name,
                 dataset->org, dataset->name);
}

/* The column at every owner, of one type. */
static pl_status unite(const table *t, const char *name, unsigned line,
                       const column_t **out_first) {
    const column_t *column = NULL;
    PL_TRY(find_column(t, 0, name, line, out_first));
    for (size_t i = 1; i < t->n_inputs; i++) {
        PL_TRY(find_column(t, i, name, line, &column));
        if (column->type != (*out_first)->type || column->scale != (*out_first)->scale)
            return FAULT(PL_INVALID_ARGUMENT, line,
                         "column %s has another type at %s than at %s: a training needs one type",
                         name, t->inputs[i]->org, t->inputs[0]->org);
    }
    return PL_OK;
}

/* ---- features and label ---- */

static pl_status unite_range(const table *t, const char *name, unsigned line, double *out_low,
                             double *out_high) {
    *out_low = INFINITY;
    *out_high = -INFINITY;
    for (size_t i = 0; i < t->n_inputs; i++) {
        const column_t *column = NULL;
        PL_TRY(find_column(t, i, name, line, &column));
        bool is_bool = column->type == TYPE(BOOL);
        if (!is_bool && (column->min[0] == '\0' || column->max[0] == '\0'))
            return FAULT(PL_OUT_OF_RANGE, line,
                         "feature %s has no declared range at %s, so a sum could overflow: its "
                         "owner must declare one",
                         name, t->inputs[i]->org);
        *out_low = fmin(*out_low, is_bool ? 0 : strtod(column->min, NULL));
        *out_high = fmax(*out_high, is_bool ? 1 : strtod(column->max, NULL));
    }
    bool is_usable = isfinite(*out_low) && isfinite(*out_high) && isfinite(*out_high - *out_low);
    return is_usable ? PL_OK
                     : FAULT(PL_OUT_OF_RANGE, line,
                             "feature %s has a declared range that no sum can hold: its owner must "
                             "declare a narrower one",
                             name);
}

static pl_status set_feature(const table *t, const char *name, unsigned line,
                             Parley__V1__TrainFeature *out) {
    const column_t *column = NULL;
    double low, high;
    PL_TRY(unite(t, name, line, &column));
    if (column->type == TYPE(TEXT) || column->type == TYPE(DATE))
        return FAULT(PL_UNSUPPORTED, line,
                     "feature %s is no number: features are integer, decimal, real or bool", name);
    PL_TRY(unite_range(t, name, line, &low, &high));
    out->type = column->type;
    out->scale = column->scale;
    out->middle = low + (high - low) / 2;
    out->half = high > low ? (high - low) / 2 : 1;
    return pl_strdup(name, &out->column);
}

static bool has_values(const column_t *column, const char *positive) {
    bool found = false;
    for (size_t i = 0; i < column->n_values; i++)
        found = found || strcmp(column->values[i], positive) == 0;
    return found;
}

static pl_status set_label(const table *t, const pl_train_task *task, train_t *train) {
    const column_t *column = NULL;
    PL_TRY(unite(t, task->label, task->label_line, &column));
    for (size_t i = 0; i < t->n_inputs; i++) {
        PL_TRY(find_column(t, i, task->label, task->label_line, &column));
        bool is_binary = column->type == TYPE(BOOL) ||
                         (column->type == TYPE(INTEGER) && strcmp(column->min, "0") == 0 &&
                          strcmp(column->max, "1") == 0);
        if (column->type == TYPE(TEXT) && !has_values(column, task->positive))
            return FAULT(PL_INVALID_ARGUMENT, task->label_line,
                         "label %s is text: name with the key positive which of its declared "
                         "values counts as 1 (at %s it is none of them)",
                         task->label, t->inputs[i]->org);
        if (column->type != TYPE(TEXT) && (!is_binary || *task->positive != '\0'))
            return FAULT(PL_INVALID_ARGUMENT, task->label_line,
                         "label %s must be bool, integer with the declared range 0 to 1 (both "
                         "without the key positive), or text with it",
                         task->label);
    }
    train->label_type = column->type;
    PL_TRY(pl_strdup(task->positive, &train->positive));
    return pl_strdup(task->label, &train->label);
}

static pl_status set_split(const table *t, const pl_train_task *task, train_t *train) {
    const column_t *column = NULL;
    PL_TRY(unite(t, task->key, task->key_line, &column));
    if (column->type != TYPE(INTEGER) && column->type != TYPE(TEXT))
        return FAULT(PL_UNSUPPORTED, task->key_line,
                     "split key %s is neither integer nor text: name a column that identifies rows",
                     task->key);
    train->holdout_ppm = task->holdout_ppm;
    PL_TRY(pl_strdup(task->key, &train->key));
    return pl_strdup(task->salt, &train->salt);
}

/* ---- ranges ---- */

/* No sum leaves 2^62: see protocols/fed/README.md. Twice the bound, because moments are rounded. */
static pl_status set_ranges(const table *t, const pl_train_task *task, train_t *train) {
    for (size_t i = 0; i < t->n_inputs; i++) {
        uint64_t rows = t->inputs[i]->rows_max;
        train->rows_max += rows < PL_AUC_ROWS_MAX ? rows : PL_AUC_ROWS_MAX + 1;
        if (train->rows_max > PL_AUC_ROWS_MAX)
            return FAULT(PL_OUT_OF_RANGE, task->dataset_line,
                         "the owners of %s declare more than %" PRIu64
                         " rows together: sums could overflow; they must lower rows_max",
                         task->dataset, PL_AUC_ROWS_MAX);
    }
    double rows = (double)train->rows_max;
    unsigned bits = 0;
    train->update_bound = 4 * task->learning_rate * rows;
    PL_TRY(pl_wrap(pl_fixed_bits(train->update_bound, &bits),
                   FILE_NAME ":%u: updates could overflow: choose a lower learning_rate",
                   task->rate_line));
    train->update_bits = bits;
    train->loss_bound = PL_LOGISTIC_LOSS_MAX * rows;
    PL_TRY(pl_fixed_bits(train->loss_bound, &bits));
    train->loss_bits = bits;
    return PL_OK;
}

/* ---- inputs ---- */

static pl_status set_inputs(const table *t, train_t *train, plan_t *plan) {
    PL_TRY(pl_alloc(t->n_inputs, sizeof(void *), &train->inputs));
    for (size_t i = 0; i < t->n_inputs; i++) {
        Parley__V1__TrainInput *input;
        PL_TRY(pl_alloc(1, sizeof *input, &input));
        parley__v1__train_input__init(input);
        train->inputs[train->n_inputs++] = input;
        PL_TRY(pl_strdup(t->inputs[i]->org, &input->org));
        PL_TRY(pl_strdup(t->inputs[i]->name, &input->dataset));
        PL_TRY(pl_strings_add(&plan->owners, &plan->n_owners, input->org));
        if (t->inputs[i]->min_cohort > train->cohort)
            train->cohort = t->inputs[i]->min_cohort; /* the strictest owner decides for all */
    }
    plan->cohort = train->cohort;
    return PL_OK;
}

static pl_status set_columns(const table *t, const pl_train_task *task, train_t *train) {
    PL_TRY(set_label(t, task, train));
    PL_TRY(set_split(t, task, train));
    PL_TRY(pl_alloc(task->n_features, sizeof(void *), &train->features));
    for (size_t k = 0; k < task->n_features; k++) {
        PL_TRY(pl_alloc(1, sizeof **train->features, &train->features[k]));
        parley__v1__train_feature__init(train->features[k]);
        train->n_features = k + 1;
        PL_TRY(set_feature(t, task->features[k], task->feature_lines[k], train->features[k]));
    }
    train->rounds = task->rounds;
    train->learning_rate = task->learning_rate;
    train->l2 = task->l2;
    return set_ranges(t, task, train);
}

/* ---- roles ---- */

static bool is_in(char *const *list, size_t n, const char *org) {
    for (size_t i = 0; i < n; i++)
        if (strcmp(list[i], org) == 0)
            return true;
    return false;
}

static int by_text(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Every owner receives: it trains on from the model of each round. */
static pl_status add_owners_as_recipients(plan_t *plan) {
    for (size_t i = 0; i < plan->n_owners; i++)
        if (!is_in(plan->recipients, plan->n_recipients, plan->owners[i]))
            PL_TRY(pl_strings_add(&plan->recipients, &plan->n_recipients, plan->owners[i]));
    qsort(plan->recipients, plan->n_recipients, sizeof *plan->recipients, by_text);
    return PL_OK;
}

/* The text and the envelope must not say different things: policy reads the one, people the other.
 */
static pl_status check_envelope(const pl_train_task *text, const Parley__V1__Task *task,
                                const plan_t *plan) {
    bool same = strcmp(text->purpose, task->purpose) == 0 &&
                (text->n_compute == 0 || text->n_compute == plan->n_compute);
    for (size_t i = 0; same && i < text->n_compute; i++)
        same = strcmp(text->compute[i], plan->compute[i]) == 0;
    for (size_t i = 0; same && i < text->n_recipients; i++)
        same = is_in(plan->recipients, plan->n_recipients, text->recipients[i]);
    same = same && strcmp(text->protocol, plan->protocol) == 0;
    return same ? PL_OK
                : pl_fail(PL_INVALID_ARGUMENT,
                          "the text of the task names another purpose, protocol, compute set or "
                          "recipient than the job: submit it with parley train");
}

/* ---- flows, openings, cost ---- */

static pl_status use(plan_t *plan, const train_t *train, const char *column,
                     const char *operation) {
    for (size_t i = 0; i < train->n_inputs; i++) {
        Parley__V1__Flow flow = PARLEY__V1__FLOW__INIT;
        flow.owner = train->inputs[i]->org;
        flow.dataset = train->inputs[i]->dataset;
        flow.column = (char *)(uintptr_t)column;
        flow.right = PARLEY__V1__RIGHT__RIGHT_TRAIN;
        flow.operation = (char *)(uintptr_t)operation;
        PL_TRY(pl_plan_add_flow(plan, &flow));
    }
    return PL_OK;
}

static pl_status add_flows(plan_t *plan, const train_t *train) {
    PL_TRY(use(plan, train, train->label, "label"));
    PL_TRY(use(plan, train, train->key, "split"));
    for (size_t k = 0; k < train->n_features; k++)
        PL_TRY(use(plan, train, train->features[k]->column, "feature"));
    return pl_plan_add_compute_flows(plan);
}

static pl_status add_openings(plan_t *plan, const train_t *train) {
    size_t d = train->n_features;
    if (train->cohort > 0)
        PL_TRY(pl_plan_add_opening(
            plan, "whether the cohort rule holds (to every party of the session)", 1));
    PL_TRY(pl_plan_add_opening(plan, "rows for training and held out, by label", PL_TRAIN_COUNTS));
    PL_TRY(
        pl_plan_add_opening(plan, "sum and sum of squares of each feature (training rows)", 2 * d));
    PL_TRY(pl_plan_add_opening(plan, "sum of the weighted updates, every round",
                               (uint64_t)train->rounds * (d + 1)));
    PL_TRY(pl_plan_add_opening(plan, "loss and right answers on the training rows, every round",
                               2 * (uint64_t)train->rounds));
    return pl_plan_add_opening(
        plan, "of the final model: loss, right answers, 2U and ties of the AUC", PL_TRAIN_FINALS);
}

/* Where org stands among the compute parties; PL_COST_OUTSIDE: nowhere. */
static size_t compute_index(const plan_t *plan, const char *org) {
    for (size_t i = 0; i < plan->n_compute; i++)
        if (strcmp(plan->compute[i], org) == 0)
            return i;
    return PL_COST_OUTSIDE;
}

static pl_cost sum_cost(const plan_t *plan, pl_kind kind, size_t n) {
    pl_cost cost = {0};
    for (size_t i = 0; i < plan->n_owners; i++)
        cost = pl_cost_add(cost, pl_cost_input(kind, n, compute_index(plan, plan->owners[i])));
    return cost;
}

static pl_cost protocol_cost(const plan_t *plan, const train_t *train) {
    const pl_net net = PL_NET_DEFAULT;
    size_t d = train->n_features, outside = 0;
    unsigned inside = 0;
    for (size_t i = 0; i < plan->n_recipients; i++) {
        size_t at = compute_index(plan, plan->recipients[i]);
        if (at == PL_COST_OUTSIDE)
            outside++;
        else
            inside |= 1u << at;
    }
    pl_cost cost = pl_cost_add(pl_cost_setup(), sum_cost(plan, PL_ARITH_64, PL_TRAIN_COUNTS));
    cost = pl_cost_add(cost, sum_cost(plan, PL_ARITH_128, 2 * d));
    if (train->cohort > 0) {
        cost = pl_cost_add(cost, pl_cohort_cost(PL_TRAIN_COUNTS, train->n_inputs, 1, &net));
        cost = pl_cost_add(cost, pl_cost_open(PL_BIT, 1, 7, plan->n_owners + plan->n_recipients));
    }
    cost = pl_cost_add(cost, pl_cost_open(PL_ARITH_64, PL_TRAIN_COUNTS, inside, outside));
    cost = pl_cost_add(cost, pl_cost_open(PL_ARITH_128, 2 * d, inside, outside));
    pl_cost round = pl_cost_add(sum_cost(plan, PL_ARITH_64, d + 3),
                                pl_cost_open(PL_ARITH_64, d + 3, inside, outside));
    cost = pl_cost_add(cost, pl_cost_times(round, train->rounds));
    cost = pl_cost_add(cost, sum_cost(plan, PL_ARITH_64, PL_TRAIN_EVALS + PL_AUC_VALUES));
    cost = pl_cost_add(cost, pl_auc_cost());
    return pl_cost_add(cost, pl_cost_open(PL_ARITH_64, PL_TRAIN_FINALS, inside, outside));
}

static pl_status add_cost(plan_t *plan, const train_t *train) {
    pl_cost cost = protocol_cost(plan, train);
    PL_TRY(pl_alloc(1, sizeof *plan->cost, &plan->cost));
    parley__v1__cost__init(plan->cost);
    plan->cost->rounds = cost.rounds;
    plan->cost->bytes_per_link_max = pl_cost_bytes_max(cost);
    plan->cost->memory_bytes = (train->n_inputs + 8) * (PL_AUC_VALUES + train->n_features * 4) * 16;
    return PL_OK;
}

/* ---- the whole ---- */

static pl_status set_summary(plan_t *plan, const train_t *train) {
    pl_buf text = {0};
    pl_buf_printf(&text, "logistic regression of %s on %zu feature%s over ", train->label,
                  train->n_features, train->n_features == 1 ? "" : "s");
    for (size_t i = 0; i < train->n_inputs; i++)
        pl_buf_printf(&text, "%s%s.%s", i ? ", " : "", train->inputs[i]->org,
                      train->inputs[i]->dataset);
    pl_buf_printf(&text, "; %u rounds of federated averaging; to ", train->rounds);
    for (size_t i = 0; i < plan->n_recipients; i++)
        pl_buf_printf(&text, "%s%s", i ? ", " : "", plan->recipients[i]);
    pl_buf_printf(&text, "; cohort %u", train->cohort);
    pl_bytes bytes = {0};
    PL_TRY(pl_buf_take(&text, &bytes));
    plan->summary = (char *)bytes.data;
    return PL_OK;
}

static pl_status set_body(plan_t *plan, const train_t *train) {
    size_t len = parley__v1__train_plan__get_packed_size(train);
    PL_TRY(pl_alloc(len, 1, &plan->body.data));
    plan->body.len = parley__v1__train_plan__pack(train, plan->body.data);
    return PL_OK;
}

static pl_status fill(const pl_plan_context *context, const Parley__V1__Task *task,
                      const pl_train_task *text, train_t *train, plan_t *plan) {
    table t = {0};
    pl_status status;
    PL_CHECK(status, pl_strdup("train", &plan->kind));
    plan->planner_version = PL_PLANNER_VERSION;
    PL_CHECK(status, open_table(context, text, &t));
    PL_CHECK(status, set_inputs(&t, train, plan));
    PL_CHECK(status, set_columns(&t, text, train));
    PL_CHECK(status, pl_roles_fill(context, task, plan));
    PL_CHECK(status, add_owners_as_recipients(plan));
    PL_CHECK(status, check_envelope(text, task, plan));
    PL_CHECK(status, add_flows(plan, train));
    PL_CHECK(status, add_openings(plan, train));
    PL_CHECK(status, add_cost(plan, train));
    PL_CHECK(status, set_summary(plan, train));
    status = set_body(plan, train);
out:
    free(t.inputs);
    return status;
}

pl_status pl_train_plan(const pl_plan_context *context, const Parley__V1__Task *task,
                        plan_t **out) {
    pl_train_task text;
    train_t *train;
    plan_t *plan;
    PL_TRY(pl_train_task_read(FILE_NAME, pl_view_text(task->text), &text));
    pl_status status = pl_alloc(1, sizeof *train, &train);
    if (!pl_is_ok(status))
        goto out;
    parley__v1__train_plan__init(train);
    status = pl_alloc(1, sizeof *plan, &plan);
    if (pl_is_ok(status)) {
        parley__v1__plan__init(plan);
        status = fill(context, task, &text, train, plan);
        if (pl_is_ok(status))
            *out = plan;
        else
            parley__v1__plan__free_unpacked(plan, NULL);
    }
    parley__v1__train_plan__free_unpacked(train, NULL);
out:
    pl_train_task_done(&text);
    return status;
}
