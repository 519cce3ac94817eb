#include "node/sql/finish.h"

#include "node/sql/eval.h"
#include "node/sql/plan.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Slots of the evaluator: the group keys, then two per moment: its value (COUNT, SUM) and its
 * average. */
typedef struct finisher {
    const Parley__V1__QueryPlan *plan;
    const pl_opened *opened;
    pl_datum *slots;
    size_t n_slots;
    pl_eval *having;
    pl_eval **outputs; /* [plan->n_outputs] */
    pl_eval **order;   /* [plan->n_order] */
    struct row *rows;
    size_t n_rows;
    Parley__V1__ResultTable *table;
} finisher;

typedef struct row {
    const Parley__V1__QueryPlan *plan;
    size_t cell;
    pl_datum *order;
    Parley__V1__Row *cells;
} row;

/* ---- binding ---- */

/* A leaf names the moment that it is made of. */
static bool leaf_fits(const char *op, const Parley__V1__Moment *moment) {
    if (strcmp(op, "min") == 0 || strcmp(op, "max") == 0)
        return moment->kind == (op[1] == 'i' ? PARLEY__V1__MOMENT_KIND__MOMENT_KIND_MIN
                                             : PARLEY__V1__MOMENT_KIND__MOMENT_KIND_MAX);
    if (strcmp(op, "count") == 0)
        return pl_moment_is_count(moment);
    return !pl_moment_is_count(moment) && !pl_moment_is_extreme(moment);
}

static pl_status bind(void *ctx, const Parley__V1__Expr *leaf, size_t *out_slot,
                      pl_type *out_type) {
    const Parley__V1__QueryPlan *plan = ctx;
    bool is_key = strcmp(leaf->op, "key") == 0;
    bool is_count = strcmp(leaf->op, "count") == 0;
    if (leaf->index >= (is_key ? plan->n_keys : plan->n_moments) || strcmp(leaf->op, "column") == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "malformed plan: a result names what is not opened");
    if (is_key) {
        *out_slot = leaf->index;
        *out_type = pl_type_of_column(plan->keys[leaf->index]->type);
        return PL_OK;
    }
    const Parley__V1__Moment *moment = plan->moments[leaf->index];
    if (!leaf_fits(leaf->op, moment))
        return pl_fail(PL_INVALID_ARGUMENT, "malformed plan: an aggregate names the wrong moment");
    *out_slot = plan->n_keys + 2 * (size_t)leaf->index + (strcmp(leaf->op, "avg") == 0);
    *out_type = is_count || pl_moment_is_extreme(moment)                    ? pl_moment_type(moment)
                : moment->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL ? PL_TYPE_FLOAT8
                                                                            : PL_TYPE_NUMERIC;
    return PL_OK;
}

static pl_status compile(finisher *f, const Parley__V1__Expr *expr, pl_eval **out) {
    if (expr == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "malformed plan: an expression is missing");
    return pl_eval_compile(expr, bind, (void *)f->plan, out);
}

static pl_status compile_all(finisher *f) {
    const Parley__V1__QueryPlan *plan = f->plan;
    PL_TRY(pl_alloc(plan->n_outputs, sizeof(pl_eval *), &f->outputs));
    PL_TRY(pl_alloc(plan->n_order, sizeof(pl_eval *), &f->order));
    for (size_t i = 0; i < plan->n_outputs; i++)
        PL_TRY(compile(f, plan->outputs[i]->expr, &f->outputs[i]));
    for (size_t i = 0; i < plan->n_order; i++)
        PL_TRY(compile(f, plan->order[i]->expr, &f->order[i]));
    if (plan->having == NULL)
        return PL_OK;
    PL_TRY(compile(f, plan->having, &f->having));
    if (pl_eval_type(f->having) != PL_TYPE_BOOL)
        return pl_fail(PL_INVALID_ARGUMENT, "malformed plan: HAVING is not a condition");
    return PL_OK;
}

/* ---- one cell ---- */

/* The key values of a cell: first key slowest, NULL after the declared values. */
static pl_status fill_keys(finisher *f, size_t cell) {
    size_t left = cell;
    for (size_t i = f->plan->n_keys; i-- > 0;) {
        const Parley__V1__GroupKey *key = f->plan->keys[i];
        size_t n = key->n_values + (key->nullable != 0);
        size_t value = left % n;
        left /= n;
        pl_type type = pl_type_of_column(key->type);
        if (value == key->n_values)
            pl_datum_set_null(&f->slots[i], type);
        else
            PL_TRY(pl_datum_parse(type, key->values[value], &f->slots[i]));
    }
    return PL_OK;
}

static pl_i128 moment_at(const finisher *f, size_t moment, size_t cell) {
    return f->opened->moments[moment * f->plan->n_cells + cell];
}

static pl_status fill_sum(const Parley__V1__Moment *moment, pl_i128 sum, int64_t count,
                          pl_datum *out_sum, pl_datum *out_avg) {
    bool is_real = moment->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL;
    pl_type type = is_real ? PL_TYPE_FLOAT8 : PL_TYPE_NUMERIC;
    pl_datum_set_null(out_sum, type);
    pl_datum_set_null(out_avg, type);
    if (count <= 0) /* nothing was summed: SUM and AVG are NULL */
        return PL_OK;
    if (is_real) {
        double value = ldexp((double)sum, -(int)moment->scale);
        pl_datum_set_real(out_sum, value);
        pl_datum_set_real(out_avg, value / (double)count);
        return PL_OK;
    }
    pl_numeric n;
    pl_numeric_init(&n);
    pl_numeric_set_i64(&n, count);
    pl_numeric_set_i128(pl_datum_numeric(out_sum), sum, (int)moment->scale);
    pl_status status = pl_numeric_div(&out_sum->numeric, &n, pl_datum_numeric(out_avg));
    pl_numeric_done(&n);
    return status;
}

/* The minimum was found as the largest of the negated values. */
static void fill_extreme(const Parley__V1__Moment *moment, int64_t value, int64_t count,
                         pl_datum *out) {
    pl_type type = pl_moment_type(moment);
    pl_datum_set_null(out, type);
    if (count <= 0)
        return;
    if (moment->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_MIN)
        value = -value;
    if (type == PL_TYPE_NUMERIC)
        pl_numeric_set_i128(pl_datum_numeric(out), value, (int)moment->scale);
    else
        pl_datum_set_integer(out, type, value);
}

static pl_status fill_moments(finisher *f, size_t cell) {
    for (size_t i = 0; i < f->plan->n_moments; i++) {
        const Parley__V1__Moment *moment = f->plan->moments[i];
        pl_datum *slot = &f->slots[f->plan->n_keys + 2 * i];
        int64_t count = (int64_t)moment_at(f, moment->counted_by, cell);
        if (pl_moment_is_extreme(moment))
            fill_extreme(moment, (int64_t)moment_at(f, i, cell), count, &slot[0]);
        else if (!pl_moment_is_count(moment))
            PL_TRY(fill_sum(moment, moment_at(f, i, cell), count, &slot[0], &slot[1]));
        else
            pl_datum_set_integer(&slot[0], PL_TYPE_INT8, count);
    }
    return PL_OK;
}

static pl_status print_output(finisher *f, size_t i, Parley__V1__Cell *cell) {
    pl_datum value;
    pl_datum_init(&value);
    pl_status status = pl_eval_run(f->outputs[i], f->slots, &value);
    cell->is_null = value.is_null;
    if (pl_is_ok(status) && !value.is_null)
        status = pl_datum_print(&value, &cell->text);
    pl_datum_done(&value);
    return pl_wrap(status, "result column %s", f->plan->outputs[i]->name);
}

static pl_status fill_row(finisher *f, row *shown) {
    PL_TRY(pl_alloc(1, sizeof *shown->cells, &shown->cells));
    parley__v1__row__init(shown->cells);
    PL_TRY(pl_alloc(f->plan->n_outputs, sizeof(void *), &shown->cells->cells));
    for (size_t i = 0; i < f->plan->n_outputs; i++) {
        Parley__V1__Cell *cell;
        PL_TRY(pl_alloc(1, sizeof *cell, &cell));
        parley__v1__cell__init(cell);
        shown->cells->cells[shown->cells->n_cells++] = cell;
        PL_TRY(print_output(f, i, cell));
    }
    PL_TRY(pl_alloc(f->plan->n_order, sizeof(pl_datum), &shown->order));
    for (size_t i = 0; i < f->plan->n_order; i++)
        pl_datum_init(&shown->order[i]);
    for (size_t i = 0; i < f->plan->n_order; i++)
        PL_TRY(pl_eval_run(f->order[i], f->slots, &shown->order[i]));
    return PL_OK;
}

/* What may be shown: with a cohort what the rule let through, without one every group that has
 * rows. */
static bool is_shown(const finisher *f, size_t cell) {
    if (f->plan->cohort > 0)
        return f->opened->ok[cell] == 1;
    return !f->plan->grouped || moment_at(f, 0, cell) > 0;
}

static pl_status finish_cell(finisher *f, size_t cell) {
    if (!is_shown(f, cell)) {
        f->table->cells_withheld += f->plan->cohort > 0;
        return PL_OK;
    }
    PL_TRY(fill_keys(f, cell));
    PL_TRY(fill_moments(f, cell));
    bool kept;
    PL_TRY(pl_eval_is_true(f->having, f->slots, &kept));
    if (!kept)
        return PL_OK;
    row *shown = &f->rows[f->n_rows++];
    shown->plan = f->plan;
    shown->cell = cell;
    return fill_row(f, shown);
}

/* ---- ORDER BY ---- */

static int compare_key(const Parley__V1__OrderKey *key, const pl_datum *a, const pl_datum *b) {
    if (a->is_null || b->is_null) {
        int nulls_last = (int)a->is_null - (int)b->is_null;
        return key->nulls_first ? -nulls_last : nulls_last;
    }
    int order = pl_datum_compare(a, b);
    return key->descending ? (order < 0) - (order > 0) : order;
}

static int compare_rows(const void *x, const void *y) {
    const row *a = x, *b = y;
    for (size_t i = 0; i < a->plan->n_order; i++) {
        int order = compare_key(a->plan->order[i], &a->order[i], &b->order[i]);
        if (order != 0)
            return order;
    }
    return (a->cell > b->cell) - (a->cell < b->cell);
}

/* ---- the table ---- */

static pl_status add_columns(finisher *f) {
    PL_TRY(pl_alloc(f->plan->n_outputs, sizeof(void *), &f->table->columns));
    for (size_t i = 0; i < f->plan->n_outputs; i++) {
        Parley__V1__ResultColumn *column;
        PL_TRY(pl_alloc(1, sizeof *column, &column));
        parley__v1__result_column__init(column);
        f->table->columns[f->table->n_columns++] = column;
        PL_TRY(pl_strdup(f->plan->outputs[i]->name, &column->name));
        PL_TRY(pl_strdup(pl_type_name(pl_eval_type(f->outputs[i])), &column->type_name));
    }
    return PL_OK;
}

static pl_status add_note(finisher *f) {
    f->table->cells = f->plan->n_cells;
    if (f->table->cells_withheld == 0)
        return PL_OK;
    pl_buf note = {0};
    pl_buf_printf(&note,
                  "%" PRIu64 " of %" PRIu64
                  " cells withheld (fewer than %u contributions of others, or none)",
                  f->table->cells_withheld, f->table->cells, f->plan->cohort);
    pl_bytes text = {0};
    PL_TRY(pl_buf_take(&note, &text));
    f->table->note = (char *)text.data;
    return PL_OK;
}

static pl_status take_rows(finisher *f) {
    PL_TRY(pl_alloc(f->n_rows, sizeof(void *), &f->table->rows));
    qsort(f->rows, f->n_rows, sizeof f->rows[0], compare_rows);
    for (size_t i = 0; i < f->n_rows; i++) {
        f->table->rows[f->table->n_rows++] = f->rows[i].cells;
        f->rows[i].cells = NULL;
    }
    return PL_OK;
}

static pl_status finish(finisher *f) {
    PL_TRY(compile_all(f));
    PL_TRY(pl_alloc(1, sizeof *f->table, &f->table));
    parley__v1__result_table__init(f->table);
    PL_TRY(add_columns(f));
    PL_TRY(pl_alloc(f->plan->n_cells, sizeof(row), &f->rows));
    for (size_t cell = 0; cell < f->plan->n_cells; cell++)
        PL_TRY(finish_cell(f, cell));
    PL_TRY(take_rows(f));
    return add_note(f);
}

static void row_done(const Parley__V1__QueryPlan *plan, row *shown) {
    for (size_t i = 0; shown->order != NULL && i < plan->n_order; i++)
        pl_datum_done(&shown->order[i]);
    free(shown->order);
    if (shown->cells != NULL)
        parley__v1__row__free_unpacked(shown->cells, NULL);
}

static void finisher_done(finisher *f) {
    for (size_t i = 0; f->slots != NULL && i < f->n_slots; i++)
        pl_datum_done(&f->slots[i]);
    for (size_t i = 0; f->outputs != NULL && i < f->plan->n_outputs; i++)
        pl_eval_free(f->outputs[i]);
    for (size_t i = 0; f->order != NULL && i < f->plan->n_order; i++)
        pl_eval_free(f->order[i]);
    for (size_t i = 0; i < f->n_rows; i++)
        row_done(f->plan, &f->rows[i]);
    pl_eval_free(f->having);
    free(f->slots);
    free(f->outputs);
    free(f->order);
    free(f->rows);
    if (f->table != NULL)
        parley__v1__result_table__free_unpacked(f->table, NULL);
}

pl_status pl_sql_finish(const Parley__V1__QueryPlan *plan, const pl_opened *opened,
                        Parley__V1__ResultTable **out) {
    PL_TRY(pl_sql_plan_check(plan));
    if (plan->cohort > 0 && opened->ok == NULL)
        return pl_fail(PL_INTERNAL, "a result with a cohort came without verdicts");
    finisher f = {.plan = plan, .opened = opened, .n_slots = plan->n_keys + 2 * plan->n_moments};
    pl_status status;
    PL_CHECK(status, pl_alloc(f.n_slots, sizeof(pl_datum), &f.slots));
    for (size_t i = 0; i < f.n_slots; i++)
        pl_datum_init(&f.slots[i]);
    PL_CHECK(status, finish(&f));
    *out = f.table;
    f.table = NULL;
out:
    finisher_done(&f);
    return status;
}
