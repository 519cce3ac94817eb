/* The result of a training: the model and its figures, as a message and as a table for people. */
#include "node/session/train.h"
#include "protocols/fed/logistic.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef Parley__V1__TrainResult result_t;
typedef Parley__V1__ResultTable table_t;

/* ---- the message ---- */

static pl_status copy_reals(const double *from, size_t n, double **out, size_t *out_n) {
    PL_TRY(pl_alloc(n, sizeof **out, out));
    memcpy(*out, from, n * sizeof **out);
    *out_n = n;
    return PL_OK;
}

static pl_status set_curve(const pl_train_state *s, result_t *r) {
    size_t n = s->body->rounds + 1;
    PL_TRY(pl_alloc(n, sizeof(void *), &r->curve));
    for (size_t i = 0; i < n; i++) {
        PL_TRY(pl_alloc(1, sizeof **r->curve, &r->curve[i]));
        parley__v1__train_point__init(r->curve[i]);
        r->n_curve = i + 1;
        r->curve[i]->round = (uint32_t)i;
        r->curve[i]->loss = s->loss[i];
        r->curve[i]->accuracy = s->accuracy[i];
    }
    return PL_OK;
}

static void set_holdout(const pl_train_state *s, result_t *r) {
    double positive = (double)s->counts[PL_TRAIN_HELD_POSITIVE];
    double negative = (double)s->counts[PL_TRAIN_HELD_NEGATIVE];
    r->positives_holdout = s->counts[PL_TRAIN_HELD_POSITIVE];
    r->rows_holdout = r->positives_holdout + s->counts[PL_TRAIN_HELD_NEGATIVE];
    if (r->rows_holdout > 0) {
        r->holdout_loss = s->finals[PL_TRAIN_EVAL_HELD_LOSS] / (double)r->rows_holdout;
        r->holdout_accuracy = s->finals[PL_TRAIN_EVAL_HELD_CORRECT] / (double)r->rows_holdout;
    }
    r->has_auc = positive > 0 && negative > 0;
    if (r->has_auc) {
        r->auc = s->finals[PL_TRAIN_EVALS] / (2 * positive * negative);
        r->auc_error = s->finals[PL_TRAIN_EVALS + 1] / (2 * positive * negative);
    }
}

static void set_error(const pl_train_state *s, result_t *r) {
    pl_logistic_run run = {.d = s->d,
                           .n_owners = s->body->n_inputs,
                           .n_rows = s->counts[PL_TRAIN_ROWS],
                           .rounds = s->body->rounds,
                           .learning_rate = s->body->learning_rate,
                           .l2 = s->body->l2,
                           .update_bits = s->body->update_bits,
                           .norm = s->norm};
    for (size_t k = 0; k < s->d; k++)
        if (s->deviation[k] > 0)
            run.coarseness = fmax(
                run.coarseness, (fabs(s->body->features[k]->middle) + s->body->features[k]->half) /
                                    s->deviation[k]);
    r->error = pl_logistic_error(&run);
    r->has_error = r->error >= 0;
    r->error = r->has_error ? r->error : 0;
}

static pl_status fill(const pl_train_state *s, result_t *r) {
    PL_TRY(pl_strdup(s->body->label, &r->label));
    PL_TRY(pl_strdup(s->body->positive, &r->positive));
    PL_TRY(pl_alloc(s->d, sizeof(void *), &r->features));
    for (; r->n_features < s->d; r->n_features++)
        PL_TRY(pl_strdup(s->body->features[r->n_features]->column, &r->features[r->n_features]));
    PL_TRY(copy_reals(s->mean, s->d, &r->mean, &r->n_mean));
    PL_TRY(copy_reals(s->deviation, s->d, &r->deviation, &r->n_deviation));
    PL_TRY(copy_reals(s->model, s->d, &r->weights, &r->n_weights));
    PL_TRY(set_curve(s, r));
    r->intercept = s->model[s->d];
    r->rows_train = s->counts[PL_TRAIN_ROWS];
    r->positives_train = s->counts[PL_TRAIN_POSITIVE];
    r->update_bits = s->body->update_bits;
    set_holdout(s, r);
    set_error(s, r);
    return PL_OK;
}

/* ---- the table: a line per weight ---- */

static pl_status add_column(table_t *table, const char *name, const char *type) {
    Parley__V1__ResultColumn *column;
    PL_TRY(pl_alloc(1, sizeof *column, &column));
    parley__v1__result_column__init(column);
    table->columns[table->n_columns++] = column;
    PL_TRY(pl_strdup(name, &column->name));
    return pl_strdup(type, &column->type_name);
}

static pl_status add_cell(Parley__V1__Row *row, const char *text) {
    Parley__V1__Cell *cell;
    PL_TRY(pl_alloc(1, sizeof *cell, &cell));
    parley__v1__cell__init(cell);
    row->cells[row->n_cells++] = cell;
    cell->is_null = text == NULL;
    return text == NULL ? PL_OK : pl_strdup(text, &cell->text);
}

static pl_status add_real(Parley__V1__Row *row, double value) {
    char text[40];
    snprintf(text, sizeof text, "%.6g", value);
    return add_cell(row, text);
}

static pl_status add_weight(const result_t *r, size_t k, table_t *table) {
    bool is_feature = k < r->n_features;
    Parley__V1__Row *row;
    PL_TRY(pl_alloc(1, sizeof *row, &row));
    parley__v1__row__init(row);
    table->rows[table->n_rows++] = row;
    PL_TRY(pl_alloc(4, sizeof(void *), &row->cells));
    PL_TRY(add_cell(row, is_feature ? r->features[k] : "(intercept)"));
    PL_TRY(add_real(row, is_feature ? r->weights[k] : r->intercept));
    if (!is_feature) {
        PL_TRY(add_cell(row, NULL));
        return add_cell(row, NULL);
    }
    PL_TRY(add_real(row, r->mean[k]));
    return add_real(row, r->deviation[k]);
}

static pl_status set_note(const result_t *r, table_t *table) {
    pl_buf text = {0};
    pl_bytes bytes = {0};
    pl_buf_printf(&text, "%zu rounds on %llu rows; loss %.4f, accuracy %.4f", r->n_curve - 1,
                  (unsigned long long)r->rows_train, r->curve[r->n_curve - 1]->loss,
                  r->curve[r->n_curve - 1]->accuracy);
    pl_buf_printf(&text, "; %llu rows held out: loss %.4f, accuracy %.4f",
                  (unsigned long long)r->rows_holdout, r->holdout_loss, r->holdout_accuracy);
    if (r->has_auc)
        pl_buf_printf(&text, ", AUC %.5f (within %.5f)", r->auc, r->auc_error);
    if (r->has_error)
        pl_buf_printf(&text, "; the model is within %.1e of the same training on pooled rows",
                      r->error);
    PL_TRY(pl_buf_take(&text, &bytes));
    table->note = (char *)bytes.data;
    return PL_OK;
}

static pl_status fill_table(const result_t *r, table_t *table) {
    PL_TRY(pl_alloc(4, sizeof(void *), &table->columns));
    PL_TRY(add_column(table, "feature", "text"));
    PL_TRY(add_column(table, "weight", "double precision"));
    PL_TRY(add_column(table, "mean", "double precision"));
    PL_TRY(add_column(table, "deviation", "double precision"));
    PL_TRY(pl_alloc(r->n_features + 1, sizeof(void *), &table->rows));
    for (size_t k = 0; k <= r->n_features; k++)
        PL_TRY(add_weight(r, k, table));
    return set_note(r, table);
}

pl_status pl_train_result(const pl_train_state *state, table_t **out) {
    table_t *table;
    PL_TRY(pl_alloc(1, sizeof *table, &table));
    parley__v1__result_table__init(table);
    pl_status status = pl_alloc(1, sizeof *table->train, &table->train);
    if (pl_is_ok(status)) {
        parley__v1__train_result__init(table->train);
        status = fill(state, table->train);
    }
    if (pl_is_ok(status))
        status = fill_table(table->train, table);
    if (pl_is_ok(status))
        *out = table;
    else
        parley__v1__result_table__free_unpacked(table, NULL);
    return status;
}
