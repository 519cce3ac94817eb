/* The owner's part, in the clear, in its own source child: rows to partial moments per cell. */
#include "node/session/query.h"
#include "node/source/csv.h"
#include "node/sql/eval.h"
#include "node/sql/plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

typedef struct key_value {
    pl_datum datum;
    size_t place; /* among the declared values */
} key_value;

/* Of an owner without a value in a cell: below every value that the planner admits. */
#define NO_VALUE (-((pl_i128)1 << 61))

typedef struct loader {
    Parley__V1__QueryPlan *query;
    Parley__V1__SourceColumn **columns; /* those the query uses, borrowed */
    size_t n_columns;
    pl_value *values; /* [n_columns], one row from the source */
    pl_datum *slots;  /* [n_columns], the same for the evaluator */
    pl_eval *where;
    size_t *key_columns;    /* [n_keys]: where in columns */
    key_value **key_values; /* [n_keys], sorted for search */
    size_t *moment_columns; /* [n_moments] */
    size_t *moment_others;  /* [n_moments]: the second column */
    pl_i128 *sums;          /* [n_moments * n_cells] */
} loader;

/* ---- which columns ---- */

static pl_status find_column(loader *l, const Parley__V1__SourceRequest *request, const char *name,
                             Parley__V1__ColumnType type, uint32_t scale, size_t *out) {
    for (*out = 0; *out < l->n_columns; (*out)++)
        if (strcmp(l->columns[*out]->column->name, name) == 0)
            break;
    for (size_t i = 0; *out == l->n_columns && i < request->n_columns; i++)
        if (strcmp(request->columns[i]->column->name, name) == 0) {
            l->columns[l->n_columns++] = request->columns[i];
            break;
        }
    if (*out == l->n_columns)
        return pl_fail(PL_NOT_FOUND,
                       "column %s of the plan is not in the configuration of dataset %s", name,
                       request->dataset);
    const Parley__V1__Column *column = l->columns[*out]->column;
    if (column->type != type || column->scale != scale)
        return pl_fail(
            PL_FAILED_PRECONDITION,
            "column %s of dataset %s has another type than in the plan: publish the schema anew",
            name, request->dataset);
    return PL_OK;
}

typedef struct binder {
    loader *l;
    const Parley__V1__SourceRequest *request;
} binder;

static pl_status bind(void *ctx, const Parley__V1__Expr *leaf, size_t *out_slot,
                      pl_type *out_type) {
    binder *b = ctx;
    if (strcmp(leaf->op, "column") != 0)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "malformed plan: WHERE names something that is not in a row");
    PL_TRY(find_column(b->l, b->request, leaf->text, leaf->type, leaf->scale, out_slot));
    *out_type = pl_type_of_column(leaf->type);
    return PL_OK;
}

static int compare_values(const void *a, const void *b) {
    return pl_datum_compare(&((const key_value *)a)->datum, &((const key_value *)b)->datum);
}

static pl_status sort_key(const Parley__V1__GroupKey *key, key_value **out) {
    PL_TRY(pl_alloc(key->n_values, sizeof **out, out));
    for (size_t i = 0; i < key->n_values; i++)
        pl_datum_init(&(*out)[i].datum);
    for (size_t i = 0; i < key->n_values; i++) {
        (*out)[i].place = i;
        PL_TRY(pl_datum_parse(pl_type_of_column(key->type), key->values[i], &(*out)[i].datum));
    }
    qsort(*out, key->n_values, sizeof **out, compare_values);
    return PL_OK;
}

static const Parley__V1__Column *column_named(const Parley__V1__SourceRequest *request,
                                              const char *name) {
    for (size_t c = 0; c < request->n_columns; c++)
        if (strcmp(request->columns[c]->column->name, name) == 0)
            return request->columns[c]->column;
    return NULL;
}

/* The scale of a product is the sum of the scales: it tells a schema that has changed. */
static pl_status bind_product(loader *l, const Parley__V1__SourceRequest *request,
                              const Parley__V1__Moment *m, const Parley__V1__Column *column,
                              const Parley__V1__Column *factor, size_t i) {
    bool fits = column != NULL && factor != NULL && column->scale + factor->scale == m->scale &&
                (factor->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER ||
                 factor->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL);
    return find_column(l, request, m->column, m->type, fits ? column->scale : UINT32_MAX,
                       &l->moment_columns[i]);
}

static pl_status bind_all(loader *l, const Parley__V1__SourceRequest *request) {
    const Parley__V1__QueryPlan *q = l->query;
    for (size_t i = 0; i < q->n_keys; i++) {
        PL_TRY(find_column(l, request, q->keys[i]->column, q->keys[i]->type, q->keys[i]->scale,
                           &l->key_columns[i]));
        PL_TRY(sort_key(q->keys[i], &l->key_values[i]));
    }
    for (size_t i = 0; i < q->n_moments; i++) {
        const Parley__V1__Moment *m = q->moments[i];
        if (m->column[0] == '\0')
            continue;
        const Parley__V1__Column *column = column_named(request, m->column);
        const Parley__V1__Column *other = column_named(request, m->other);
        if (other != NULL)
            PL_TRY(
                find_column(l, request, m->other, other->type, other->scale, &l->moment_others[i]));
        else if (m->other[0] != '\0')
            return pl_fail(PL_NOT_FOUND, "column %s of the plan is not configured", m->other);
        bool is_square = m->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_SQUARE;
        if (is_square || m->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_PRODUCT) {
            PL_TRY(bind_product(l, request, m, column, is_square ? column : other, i));
            continue;
        }
        bool is_exact_sum = m->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM &&
                            m->type != PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL;
        /* A COUNT takes any type; a sum of reals has a scale of its own. */
        Parley__V1__ColumnType type =
            column && m->kind != PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM ? column->type : m->type;
        uint32_t scale = is_exact_sum || column == NULL ? m->scale : column->scale;
        PL_TRY(find_column(l, request, m->column, type, scale, &l->moment_columns[i]));
    }
    if (q->where == NULL)
        return PL_OK;
    PL_TRY(pl_eval_compile(q->where, bind, &(binder){l, request}, &l->where));
    return pl_eval_type(l->where) == PL_TYPE_BOOL
               ? PL_OK
               : pl_fail(PL_INVALID_ARGUMENT, "malformed plan: WHERE is not a condition");
}

/* ---- one row ---- */

static void to_datum(const pl_value *value, uint32_t scale, pl_datum *out) {
    pl_type type = pl_type_of_column(value->type);
    if (value->is_null)
        pl_datum_set_null(out, type);
    else if (type == PL_TYPE_NUMERIC)
        pl_numeric_set_i128(pl_datum_numeric(out), value->integer, (int)scale);
    else if (type == PL_TYPE_FLOAT8)
        pl_datum_set_real(out, value->real);
    else if (type == PL_TYPE_TEXT)
        pl_datum_set_text(out, value->text);
    else
        pl_datum_set_integer(out, type, (int64_t)value->integer);
}

static pl_status cell_of(const loader *l, size_t *out_cell) {
    size_t cell = 0;
    for (size_t i = 0; i < l->query->n_keys; i++) {
        const Parley__V1__GroupKey *key = l->query->keys[i];
        const pl_datum *value = &l->slots[l->key_columns[i]];
        size_t place = key->n_values;
        if (!value->is_null) {
            key_value wanted = {.datum = *value}; /* a borrowed look: never done */
            const key_value *found =
                bsearch(&wanted, l->key_values[i], key->n_values, sizeof wanted, compare_values);
            if (found == NULL)
                return pl_fail(PL_OUT_OF_RANGE, "column %s: not a declared value", key->column);
            place = found->place;
        } else if (!key->nullable) {
            return pl_fail(PL_OUT_OF_RANGE, "column %s: empty, but declared without NULL",
                           key->column);
        }
        cell = cell * (key->n_values + (key->nullable != 0)) + place;
    }
    *out_cell = cell;
    return PL_OK;
}

/* Units of a sum: the integer itself, or a real times 2^scale, rounded. */
static pl_status units_of(const Parley__V1__Moment *m, const pl_value *value, pl_i128 *out) {
    *out = value->integer;
    if (m->type != PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL)
        return PL_OK;
    double scaled = rint(ldexp(value->real, (int)m->scale));
    if (!(fabs(scaled) < 0x1p126))
        return pl_fail(PL_OUT_OF_RANGE, "column %s: out of the declared range", m->column);
    *out = (pl_i128)scaled;
    return PL_OK;
}

/* What a row brings to a moment: 1, its value (negated for a minimum, which is then the largest),
 * or the product of two. */
static pl_status contribution(const Parley__V1__Moment *m, const pl_value *value,
                              const pl_value *other, pl_i128 *out) {
    const pl_value *factor =
        m->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM_PRODUCT ? other : value;
    *out = 1;
    if (pl_moment_is_extreme(m)) {
        *out = m->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_MIN ? -(pl_i128)value->integer
                                                                   : (pl_i128)value->integer;
        return PL_OK;
    }
    if (pl_moment_is_count(m))
        return PL_OK;
    if (m->kind == PARLEY__V1__MOMENT_KIND__MOMENT_KIND_SUM)
        return units_of(m, value, out);
    if (__builtin_mul_overflow(value->integer, factor->integer, out))
        return pl_fail(PL_OUT_OF_RANGE, "column %s: a product leaves 128 bits", m->column);
    return PL_OK;
}

static pl_status add_row(loader *l) {
    for (size_t i = 0; i < l->n_columns; i++)
        to_datum(&l->values[i], l->columns[i]->column->scale, &l->slots[i]);
    bool is_wanted;
    PL_TRY(pl_eval_is_true(l->where, l->slots, &is_wanted));
    if (!is_wanted)
        return PL_OK;
    size_t cell = 0;
    PL_TRY(cell_of(l, &cell));
    for (size_t i = 0; i < l->query->n_moments; i++) {
        const Parley__V1__Moment *m = l->query->moments[i];
        const pl_value *value = m->column[0] ? &l->values[l->moment_columns[i]] : NULL;
        const pl_value *other = m->other[0] ? &l->values[l->moment_others[i]] : NULL;
        if ((value != NULL && value->is_null) || (other != NULL && other->is_null))
            continue;
        pl_i128 units;
        PL_TRY(contribution(m, value, other, &units));
        pl_i128 *sum = &l->sums[i * l->query->n_cells + cell];
        if (pl_moment_is_extreme(m))
            *sum = units > *sum ? units : *sum;
        else if (__builtin_add_overflow(*sum, units, sum))
            return pl_fail(PL_OUT_OF_RANGE, "column %s: the sum leaves 128 bits", m->column);
    }
    return PL_OK;
}

/* ---- vectors ---- */

/* The planner promised that sums fit: a sum that does not is a source that breaks its declaration.
 */
static pl_status store(const Parley__V1__Moment *m, const pl_i128 *sums, size_t n,
                       Parley__V1__InputVector *out) {
    size_t size = m->ring_bits / 8;
    pl_i128 limit = (pl_i128)1 << (m->ring_bits - 2);
    out->ring_bits = m->ring_bits;
    PL_TRY(pl_alloc(n, size, &out->values.data));
    out->values.len = n * size;
    for (size_t i = 0; i < n; i++) {
        if (sums[i] >= limit || sums[i] <= -limit)
            return pl_fail(PL_OUT_OF_RANGE,
                           "column %s: the sum leaves the range its owner declared", m->column);
        pl_put_u64(out->values.data + i * size, (uint64_t)sums[i]);
        if (size == 16)
            pl_put_u64(out->values.data + i * size + 8, (uint64_t)(sums[i] >> 64));
    }
    return PL_OK;
}

static pl_status store_all(const loader *l, Parley__V1__SourceReply *out) {
    const Parley__V1__QueryPlan *q = l->query;
    PL_TRY(pl_alloc(q->n_moments, sizeof(void *), &out->vectors));
    for (size_t i = 0; i < q->n_moments; i++) {
        PL_TRY(pl_alloc(1, sizeof **out->vectors, &out->vectors[i]));
        parley__v1__input_vector__init(out->vectors[i]);
        out->n_vectors = i + 1;
        PL_TRY(store(q->moments[i], l->sums + i * q->n_cells, q->n_cells, out->vectors[i]));
    }
    return PL_OK;
}

/* ---- the whole ---- */

static pl_status read_rows(loader *l, const Parley__V1__SourceRequest *request, int fd,
                           Parley__V1__SourceReply *out) {
    pl_csv *csv = NULL;
    pl_status status;
    PL_CHECK(status, pl_csv_open(fd, request->display_path, request->encoding, l->columns,
                                 l->n_columns, request->rows_max, &csv));
    for (;;) {
        bool has_row;
        PL_CHECK(status, pl_csv_next(csv, l->values, &has_row));
        if (!has_row)
            break;
        PL_CHECK(status, pl_wrap(add_row(l), "%s, row %llu", request->display_path,
                                 (unsigned long long)pl_csv_rows(csv)));
    }
    PL_CHECK(status, pl_alloc(32, 1, &out->version.data));
    out->version.len = 32;
    out->rows = pl_csv_rows(csv);
    PL_CHECK(status, pl_csv_digest(csv, out->version.data));
out:
    pl_csv_free(csv);
    return status;
}

static pl_status loader_alloc(loader *l, const Parley__V1__SourceRequest *request) {
    const Parley__V1__QueryPlan *q = l->query;
    PL_TRY(pl_alloc(request->n_columns, sizeof(void *), &l->columns));
    PL_TRY(pl_alloc(request->n_columns, sizeof *l->values, &l->values));
    PL_TRY(pl_alloc(request->n_columns, sizeof *l->slots, &l->slots));
    for (size_t i = 0; i < request->n_columns; i++)
        pl_datum_init(&l->slots[i]);
    PL_TRY(pl_alloc(q->n_keys, sizeof(size_t), &l->key_columns));
    PL_TRY(pl_alloc(q->n_keys, sizeof(void *), &l->key_values));
    PL_TRY(pl_alloc(q->n_moments, sizeof(size_t), &l->moment_columns));
    PL_TRY(pl_alloc(q->n_moments, sizeof(size_t), &l->moment_others));
    PL_TRY(pl_alloc(q->n_moments * q->n_cells, sizeof(pl_i128), &l->sums));
    for (size_t i = 0; i < q->n_moments * q->n_cells; i++)
        if (pl_moment_is_extreme(q->moments[i / q->n_cells]))
            l->sums[i] = NO_VALUE;
    return PL_OK;
}

static void loader_done(loader *l, const Parley__V1__SourceRequest *request) {
    for (size_t i = 0; l->key_values != NULL && i < l->query->n_keys; i++) {
        for (size_t v = 0; l->key_values[i] != NULL && v < l->query->keys[i]->n_values; v++)
            pl_datum_done(&l->key_values[i][v].datum);
        free(l->key_values[i]);
    }
    for (size_t i = 0; l->slots != NULL && i < request->n_columns; i++)
        pl_datum_done(&l->slots[i]);
    pl_eval_free(l->where);
    free(l->columns);
    free(l->values);
    free(l->slots);
    free(l->key_columns);
    free(l->key_values);
    free(l->moment_columns);
    free(l->moment_others);
    free(l->sums);
    parley__v1__query_plan__free_unpacked(l->query, NULL);
}

pl_status pl_query_load(const Parley__V1__SourceRequest *request, int fd,
                        Parley__V1__SourceReply *out) {
    if (request->plan == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "a source request without a plan");
    loader l = {0};
    PL_TRY(pl_query_body(request->plan, &l.query));
    pl_status status;
    PL_CHECK(status, loader_alloc(&l, request));
    PL_CHECK(status, bind_all(&l, request));
    PL_CHECK(status, read_rows(&l, request, fd, out));
    PL_CHECK(status, store_all(&l, out));
out:
    loader_done(&l, request);
    return status;
}
