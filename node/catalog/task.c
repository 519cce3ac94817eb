#include "node/catalog/task.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SALT_BYTES_MAX 64

static const char *const KEYS[] = {"dataset",  "label",      "positive", "features",      "purpose",
                                   "protocol", "compute",    "rounds",   "learning_rate", "l2",
                                   "split",    "recipients", NULL};

static unsigned line_of(const pl_yaml *map, const char *key) {
    const pl_yaml *node = pl_yaml_get(map, key);
    return node != NULL ? node->line : map->line;
}

/* A real number from min to max; where the key is missing, fallback. */
static pl_status read_real(const pl_yaml *map, const char *key, double min, double max,
                           double fallback, double *out) {
    const pl_yaml *node = pl_yaml_get(map, key);
    *out = fallback;
    if (node == NULL)
        return PL_OK;
    PL_TRY(pl_yaml_expect(node, PL_YAML_SCALAR, key));
    char *end = NULL;
    *out = strtod(node->text, &end);
    bool is_number = *node->text != '\0' &&
                     strspn(node->text, "0123456789.eE+-") == strlen(node->text) && *end == '\0';
    if (!is_number || !(*out >= min && *out <= max))
        return pl_yaml_fault(node, "%s must be a number from %g to %g", key, min, max);
    return PL_OK;
}

static pl_status read_features(const pl_yaml *root, pl_train_task *out) {
    const pl_yaml *list;
    PL_TRY(pl_yaml_need(root, "features", PL_YAML_LIST, &list));
    if (list->n_items == 0 || list->n_items > PL_TASK_FEATURES_MAX)
        return pl_yaml_fault(list, "features must name 1 to %d columns", PL_TASK_FEATURES_MAX);
    PL_TRY(pl_yaml_texts(root, "features", &out->features, &out->n_features));
    PL_TRY(pl_alloc(list->n_items, sizeof *out->feature_lines, &out->feature_lines));
    for (size_t i = 0; i < list->n_items; i++) {
        out->feature_lines[i] = list->items[i]->line;
        for (size_t k = 0; k < i; k++)
            if (strcmp(out->features[i], out->features[k]) == 0)
                return pl_yaml_fault(list->items[i], "feature %s is named twice: leave one out",
                                     out->features[i]);
        if (strcmp(out->features[i], out->label) == 0)
            return pl_yaml_fault(list->items[i],
                                 "%s is the label: a model must not see what it is to predict",
                                 out->label);
    }
    return PL_OK;
}

/* It stands in what approvers read: nothing that a terminal could take for more than a word. */
static pl_status check_salt(const pl_yaml *map, const char *salt) {
    static const char allowed[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.:";
    if (strlen(salt) <= SALT_BYTES_MAX && strspn(salt, allowed) == strlen(salt))
        return PL_OK;
    return pl_yaml_fault(pl_yaml_get(map, "salt"),
                         "salt must be at most %d letters, digits or any of -_.:", SALT_BYTES_MAX);
}

static pl_status read_split(const pl_yaml *root, pl_train_task *out) {
    static const char *const keys[] = {"key", "salt", "holdout", NULL};
    const pl_yaml *map;
    double holdout = 0;
    PL_TRY(pl_yaml_need(root, "split", PL_YAML_MAP, &map));
    PL_TRY(pl_yaml_only(map, keys));
    PL_TRY(pl_yaml_text(map, "key", NULL, &out->key));
    PL_TRY(pl_yaml_text(map, "salt", "", &out->salt));
    PL_TRY(check_salt(map, out->salt));
    PL_TRY(read_real(map, "holdout", 0, 0.99, 0.2, &holdout));
    out->key_line = line_of(map, "key");
    out->holdout_ppm = (uint32_t)lrint(holdout * 1e6);
    return PL_OK;
}

static pl_status read_task(const pl_yaml *root, pl_train_task *out) {
    static const int64_t rounds_fallback = 50;
    int64_t rounds;
    PL_TRY(pl_yaml_expect(root, PL_YAML_MAP, "a training task"));
    PL_TRY(pl_yaml_only(root, KEYS));
    PL_TRY(pl_yaml_text(root, "dataset", NULL, &out->dataset));
    PL_TRY(pl_yaml_text(root, "label", NULL, &out->label));
    PL_TRY(pl_yaml_text(root, "positive", "", &out->positive));
    PL_TRY(pl_yaml_text(root, "purpose", NULL, &out->purpose));
    PL_TRY(pl_yaml_text(root, "protocol", "rep3", &out->protocol));
    PL_TRY(pl_yaml_texts(root, "compute", &out->compute, &out->n_compute));
    PL_TRY(pl_yaml_texts(root, "recipients", &out->recipients, &out->n_recipients));
    PL_TRY(pl_yaml_number(root, "rounds", 1, PL_TASK_ROUNDS_MAX, &rounds_fallback, &rounds));
    out->rounds = (uint32_t)rounds;
    PL_TRY(read_real(root, "learning_rate", 1e-6, 100, 0.1, &out->learning_rate));
    PL_TRY(read_real(root, "l2", 0, 100, 0, &out->l2));
    out->dataset_line = line_of(root, "dataset");
    out->label_line = line_of(root, "label");
    out->rate_line = line_of(root, "learning_rate");
    if (out->learning_rate * out->l2 > 1)
        return pl_yaml_fault(pl_yaml_get(root, "l2"),
                             "learning_rate times l2 must not be above 1: every round would "
                             "overshoot; choose a smaller one of the two");
    PL_TRY(read_features(root, out));
    return read_split(root, out);
}

pl_status pl_train_task_read(const char *file, pl_view text, pl_train_task *out) {
    pl_yaml *root;
    pl_train_task task = {0};
    PL_TRY(pl_yaml_parse(file, text, &root));
    pl_status status = read_task(root, &task);
    pl_yaml_free(root);
    if (pl_is_ok(status))
        *out = task;
    else
        pl_train_task_done(&task);
    return status;
}

void pl_train_task_done(pl_train_task *task) {
    free(task->dataset);
    free(task->label);
    free(task->positive);
    free(task->purpose);
    free(task->protocol);
    free(task->key);
    free(task->salt);
    free(task->feature_lines);
    pl_texts_free(task->features, task->n_features);
    pl_texts_free(task->compute, task->n_compute);
    pl_texts_free(task->recipients, task->n_recipients);
    *task = (pl_train_task){0};
}
