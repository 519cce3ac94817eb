/* Task: TASK.yaml, what `parley train` is asked to do. The command line reads it before anything is
 * sent, so that faults name the file; every node's planner reads the same text again. */
#ifndef PL_NODE_CATALOG_TASK_H
#define PL_NODE_CATALOG_TASK_H

#include "node/catalog/yaml.h"

#define PL_TASK_FEATURES_MAX 256
#define PL_TASK_ROUNDS_MAX 10000

typedef struct pl_train_task {
    char *dataset; /* "patients" (of every member that has it) or "north.patients" */
    char *label, *positive;
    char **features;
    unsigned *feature_lines;
    size_t n_features;
    unsigned dataset_line, label_line, key_line, rate_line; /* for faults found later */
    char *purpose, *protocol;
    char **compute, **recipients;
    size_t n_compute, n_recipients;
    uint32_t rounds;
    double learning_rate, l2;
    char *key, *salt;
    uint32_t holdout_ppm;
} pl_train_task;

/* pl_train_task_read parses the text; file is the name used in errors.
 * Errors:  INVALID_ARGUMENT "<file>:<line>: ..." (a key is missing, unknown or out of range). */
PL_STATUS pl_train_task_read(const char *file, pl_view text, pl_train_task *out);
void pl_train_task_done(pl_train_task *task);

#endif
