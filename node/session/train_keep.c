/* The trainer: it holds an owner's rows in the source child, without network, for as long as the
 * session lives, and answers the session's worker with sums. In the clear: these are the owner's
 * own rows on the owner's own machine. */
#include "node/catalog/task.h"
#include "node/crypto/digest.h"
#include "node/session/train.h"
#include "node/source/csv.h"
#include "protocols/base/secret.h"
#include "protocols/fed/auc.h"
#include "protocols/fed/fixed.h"
#include "protocols/fed/logistic.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One part of the rows: for training, or held out. */
typedef struct part {
    double *x; /* [cap * d]: as read, then standardised */
    uint8_t *y;
    size_t n, cap;
} part;

struct pl_kept {
    Parley__V1__TrainPlan *body;
    size_t d;
    part train, held;
    bool standardised; /* once, before the first step */
};

typedef struct columns {
    Parley__V1__SourceColumn **list; /* features in order, then label, then key; borrowed items */
    size_t n;
} columns;

/* ---- which columns ---- */

static pl_status find_column(const Parley__V1__SourceRequest *request, const char *name,
                             Parley__V1__ColumnType type, Parley__V1__SourceColumn **out) {
    for (size_t i = 0; i < request->n_columns; i++) {
        if (strcmp(request->columns[i]->column->name, name) != 0)
            continue;
        *out = request->columns[i];
        return (*out)->column->type == type
                   ? PL_OK
                   : pl_fail(PL_FAILED_PRECONDITION,
                             "column %s of dataset %s has another type than in the plan: publish "
                             "the schema anew",
                             name, request->dataset);
    }
    return pl_fail(PL_NOT_FOUND, "column %s of the plan is not in the configuration of dataset %s",
                   name, request->dataset);
}

/* The key may be integer or text, and may be one of the other columns. */
static pl_status find_key(const Parley__V1__SourceRequest *request, const char *name,
                          Parley__V1__SourceColumn **out) {
    pl_status status =
        find_column(request, name, PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER, out);
    if (pl_status_code(status) != PL_FAILED_PRECONDITION)
        return status;
    pl_status_done(&status); /* then it must be text */
    return find_column(request, name, PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT, out);
}

static pl_status bind_columns(const pl_kept *kept, const Parley__V1__SourceRequest *request,
                              columns *out) {
    const Parley__V1__TrainPlan *body = kept->body;
    PL_TRY(pl_alloc(kept->d + 2, sizeof(void *), &out->list));
    for (size_t k = 0; k < kept->d; k++)
        PL_TRY(find_column(request, body->features[k]->column, body->features[k]->type,
                           &out->list[k]));
    PL_TRY(find_column(request, body->label, body->label_type, &out->list[kept->d]));
    PL_TRY(find_key(request, body->key, &out->list[kept->d + 1]));
    out->n = kept->d + 2;
    return PL_OK;
}

/* ---- one row ---- */

/* Held out: the first 32 bits of SHA-256(salt 0x00 key), as a fraction, are below holdout. The key
 * is its text; an integer in plain digits. */
static pl_status is_held_out(const Parley__V1__TrainPlan *body, const pl_value *key, bool *out) {
    char digits[24];
    uint8_t digest[32];
    pl_buf text = {0};
    pl_bytes bytes = {0};
    pl_buf_append(&text, body->salt, strlen(body->salt) + 1);
    if (key->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER) {
        int len = snprintf(digits, sizeof digits, "%" PRId64, (int64_t)key->integer);
        pl_buf_append(&text, digits, (size_t)len);
    } else {
        pl_buf_append(&text, key->text.data, key->text.len);
    }
    PL_TRY(pl_buf_take(&text, &bytes));
    pl_digest("split", pl_bytes_view(&bytes), digest);
    pl_bytes_done(&bytes);
    uint64_t fraction = 0;
    for (size_t i = 0; i < 4; i++)
        fraction = fraction << 8 | digest[i];
    *out = fraction * 1000000 < (uint64_t)body->holdout_ppm << 32;
    return PL_OK;
}

static double real_of(const pl_value *value, const Parley__V1__TrainFeature *feature) {
    if (value->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL)
        return value->real;
    if (value->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL)
        return (double)value->integer / pow(10, feature->scale);
    return (double)value->integer;
}

static bool is_positive(const Parley__V1__TrainPlan *body, const pl_value *value) {
    if (value->type == PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT)
        return pl_view_equal(value->text, pl_view_text(body->positive));
    return value->integer == 1;
}

static pl_status grow(part *p, size_t d) {
    if (p->n < p->cap)
        return PL_OK;
    size_t cap = p->cap > 0 ? 2 * p->cap : 256;
    double *x;
    uint8_t *y;
    PL_TRY(pl_secret_alloc(cap * d * sizeof *x, &x));
    pl_status status = pl_secret_alloc(cap, &y);
    if (!pl_is_ok(status)) {
        pl_secret_free(x, cap * d * sizeof *x);
        return status;
    }
    if (p->n > 0) {
        memcpy(x, p->x, p->n * d * sizeof *x);
        memcpy(y, p->y, p->n);
    }
    pl_secret_free(p->x, p->cap * d * sizeof *x);
    pl_secret_free(p->y, p->cap);
    p->x = x;
    p->y = y;
    p->cap = cap;
    return PL_OK;
}

/* A row with NULL in a used column takes no part. */
static pl_status add_row(pl_kept *kept, const pl_value *values) {
    bool is_held;
    for (size_t i = 0; i < kept->d + 2; i++)
        if (values[i].is_null)
            return PL_OK;
    PL_TRY(is_held_out(kept->body, &values[kept->d + 1], &is_held));
    part *p = is_held ? &kept->held : &kept->train;
    PL_TRY(grow(p, kept->d));
    for (size_t k = 0; k < kept->d; k++)
        p->x[p->n * kept->d + k] = real_of(&values[k], kept->body->features[k]);
    p->y[p->n++] = is_positive(kept->body, &values[kept->d]);
    return PL_OK;
}

static pl_status read_rows(pl_kept *kept, const Parley__V1__SourceRequest *request, int fd,
                           const columns *c, Parley__V1__SourceReply *out) {
    pl_csv *csv = NULL;
    pl_value *values = NULL;
    pl_status status;
    PL_CHECK(status, pl_alloc(c->n, sizeof *values, &values));
    PL_CHECK(status, pl_csv_open(fd, request->display_path, request->encoding, c->list, c->n,
                                 request->rows_max, &csv));
    for (;;) {
        bool has_row;
        PL_CHECK(status, pl_csv_next(csv, values, &has_row));
        if (!has_row)
            break;
        PL_CHECK(status, pl_wrap(add_row(kept, values), "%s, row %llu", request->display_path,
                                 (unsigned long long)pl_csv_rows(csv)));
    }
    PL_CHECK(status, pl_alloc(32, 1, &out->version.data));
    out->version.len = 32;
    out->rows = pl_csv_rows(csv);
    PL_CHECK(status, pl_csv_digest(csv, out->version.data));
out:
    free(values);
    pl_csv_free(csv);
    return status;
}

/* ---- keep and let go ---- */

static void part_done(part *p, size_t d) {
    pl_secret_free(p->x, p->cap * d * sizeof *p->x);
    pl_secret_free(p->y, p->cap);
}

void pl_train_let_go(pl_kept *kept) {
    if (kept == NULL)
        return;
    part_done(&kept->train, kept->d);
    part_done(&kept->held, kept->d);
    if (kept->body != NULL)
        parley__v1__train_plan__free_unpacked(kept->body, NULL);
    free(kept);
}

pl_status pl_train_keep(const Parley__V1__SourceRequest *request, int fd,
                        Parley__V1__SourceReply *out, pl_kept **out_kept) {
    pl_kept *kept;
    columns c = {0};
    if (request->plan == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "a source request without a plan");
    PL_TRY(pl_alloc(1, sizeof *kept, &kept));
    pl_status status;
    PL_CHECK(status, pl_train_body(request->plan, &kept->body));
    kept->d = kept->body->n_features;
    PL_CHECK(status, bind_columns(kept, request, &c));
    PL_CHECK(status, read_rows(kept, request, fd, &c, out));
    *out_kept = kept;
    kept = NULL;
out:
    free(c.list);
    pl_train_let_go(kept);
    return status;
}

/* ---- answers ---- */

static pl_status reply_alloc(ProtobufCBinaryData *out, size_t n, size_t size) {
    PL_TRY(pl_alloc(n, size, &out->data));
    out->len = n * size;
    return PL_OK;
}

static void count_part(const part *p, uint64_t *out_positive, uint64_t *out_negative) {
    for (size_t i = 0; i < p->n; i++) {
        *out_positive += p->y[i] != 0;
        *out_negative += p->y[i] == 0;
    }
}

static void put_s128(uint8_t *out, pl_s128 value) {
    pl_put_u64(out, (uint64_t)value);
    pl_put_u64(out + 8, (uint64_t)(value >> 64));
}

/* Counts, and per feature the exact sums of q and q^2: logistic.h. */
static pl_status answer_moments(const pl_kept *kept, Parley__V1__TrainReply *out) {
    uint64_t counts[PL_TRAIN_COUNTS] = {kept->train.n};
    count_part(&kept->train, &counts[PL_TRAIN_POSITIVE], &counts[PL_TRAIN_NEGATIVE]);
    count_part(&kept->held, &counts[PL_TRAIN_HELD_POSITIVE], &counts[PL_TRAIN_HELD_NEGATIVE]);
    PL_TRY(reply_alloc(&out->ring64, PL_TRAIN_COUNTS, 8));
    PL_TRY(reply_alloc(&out->ring128, 2 * kept->d, 16));
    for (size_t i = 0; i < PL_TRAIN_COUNTS; i++)
        pl_put_u64(out->ring64.data + 8 * i, counts[i]);
    for (size_t k = 0; k < kept->d; k++) {
        const Parley__V1__TrainFeature *f = kept->body->features[k];
        pl_s128 sum = 0, squares = 0;
        for (size_t i = 0; i < kept->train.n; i++) {
            double t = (kept->train.x[i * kept->d + k] - f->middle) / f->half;
            if (!(fabs(t) <= 1.0001))
                return pl_fail(PL_OUT_OF_RANGE, "feature %s: out of the declared range", f->column);
            pl_s128 q = (pl_s128)rint(ldexp(t, PL_MOMENT_BITS));
            sum += q;
            squares += q * q;
        }
        put_s128(out->ring128.data + 16 * k, sum);
        put_s128(out->ring128.data + 16 * (kept->d + k), squares);
    }
    return PL_OK;
}

static void standardise(part *p, size_t d, const Parley__V1__TrainScale *scale) {
    for (size_t i = 0; i < p->n; i++)
        for (size_t k = 0; k < d; k++) {
            double *x = &p->x[i * d + k];
            *x = scale->deviation[k] > 0 ? (*x - scale->mean[k]) / scale->deviation[k] : 0;
        }
}

static pl_status take_scale(pl_kept *kept, const Parley__V1__TrainScale *scale) {
    if (kept->standardised || scale->n_mean != kept->d || scale->n_deviation != kept->d)
        return pl_fail(PL_PROTOCOL, "the trainer was given a scale out of turn");
    standardise(&kept->train, kept->d, scale);
    standardise(&kept->held, kept->d, scale);
    kept->standardised = true;
    return PL_OK;
}

static pl_status check_model(const pl_kept *kept, const Parley__V1__TrainModel *model) {
    bool good = kept->standardised && model->n_weights == kept->d + 1;
    for (size_t k = 0; good && k < model->n_weights; k++)
        good = isfinite(model->weights[k]);
    return good ? PL_OK : pl_fail(PL_PROTOCOL, "the trainer was given a model out of turn");
}

static pl_logistic_rows rows_of(const part *p, size_t d) {
    return (pl_logistic_rows){.z = p->x, .y = p->y, .n = p->n, .d = d};
}

static pl_status put_score(const pl_kept *kept, const pl_logistic_score *score, uint64_t out[2]) {
    const Parley__V1__TrainPlan *b = kept->body;
    out[1] = score->correct;
    return pl_fixed_encode(&score->loss, 1, b->loss_bits, b->loss_bound, &out[0]);
}

static void store(ProtobufCBinaryData *out, const uint64_t *values, size_t n) {
    for (size_t i = 0; i < n; i++)
        pl_put_u64(out->data + 8 * i, values[i]);
}

static pl_status answer_step(const pl_kept *kept, const Parley__V1__TrainModel *model,
                             Parley__V1__TrainReply *out) {
    const Parley__V1__TrainPlan *b = kept->body;
    size_t d = kept->d;
    double update[PL_TASK_FEATURES_MAX + 1];
    uint64_t encoded[PL_TASK_FEATURES_MAX + 3];
    pl_logistic_score score;
    PL_ASSERT(d + 3 <= sizeof encoded / sizeof encoded[0]);
    PL_TRY(check_model(kept, model));
    pl_logistic_rows rows = rows_of(&kept->train, d);
    pl_logistic_score_rows(&rows, model->weights, &score);
    pl_logistic_update(&rows, model->weights, b->learning_rate, b->l2, update);
    PL_TRY(pl_fixed_encode(update, d + 1, b->update_bits, b->update_bound, encoded));
    PL_TRY(put_score(kept, &score, &encoded[d + 1]));
    PL_TRY(reply_alloc(&out->ring64, d + 3, 8));
    store(&out->ring64, encoded, d + 3);
    return PL_OK;
}

static pl_status answer_evaluation(const pl_kept *kept, const Parley__V1__TrainModel *model,
                                   Parley__V1__TrainReply *out) {
    uint64_t *positive = NULL, *negative = NULL, *values = NULL;
    pl_logistic_rows rows = rows_of(&kept->train, kept->d), held = rows_of(&kept->held, kept->d);
    pl_logistic_score score;
    pl_status status;
    PL_TRY(check_model(kept, model));
    PL_CHECK(status, pl_alloc(PL_AUC_BINS, sizeof *positive, &positive));
    PL_CHECK(status, pl_alloc(PL_AUC_BINS, sizeof *negative, &negative));
    PL_CHECK(status, pl_alloc(PL_TRAIN_EVALS + PL_AUC_VALUES, sizeof *values, &values));
    pl_logistic_score_rows(&rows, model->weights, &score);
    PL_CHECK(status, put_score(kept, &score, &values[PL_TRAIN_EVAL_LOSS]));
    pl_logistic_score_rows(&held, model->weights, &score);
    PL_CHECK(status, put_score(kept, &score, &values[PL_TRAIN_EVAL_HELD_LOSS]));
    for (size_t i = 0; i < held.n; i++) {
        double logit = pl_logistic_logit(model->weights, held.z + i * held.d, held.d);
        (held.y[i] ? positive : negative)[pl_auc_bin(logit)]++;
    }
    pl_auc_values(positive, negative, values + PL_TRAIN_EVALS);
    PL_CHECK(status, reply_alloc(&out->ring64, PL_TRAIN_EVALS + PL_AUC_VALUES, 8));
    store(&out->ring64, values, PL_TRAIN_EVALS + PL_AUC_VALUES);
out:
    free(positive);
    free(negative);
    free(values);
    return status;
}

static pl_status answer(pl_kept *kept, const Parley__V1__TrainRequest *request,
                        Parley__V1__TrainReply *out) {
    switch (request->kind_case) {
    case PARLEY__V1__TRAIN_REQUEST__KIND_MOMENTS:
        return kept->standardised ? pl_fail(PL_PROTOCOL, "the trainer was asked out of turn")
                                  : answer_moments(kept, out);
    case PARLEY__V1__TRAIN_REQUEST__KIND_SCALE:
        return take_scale(kept, request->scale);
    case PARLEY__V1__TRAIN_REQUEST__KIND_STEP:
        return answer_step(kept, request->step, out);
    case PARLEY__V1__TRAIN_REQUEST__KIND_EVALUATE:
        return answer_evaluation(kept, request->evaluate, out);
    default:
        return pl_fail(PL_PROTOCOL, "the trainer was asked what it does not know");
    }
}

pl_status pl_train_serve(pl_kept *kept, pl_view packed, pl_bytes *out_body) {
    Parley__V1__TrainReply reply = PARLEY__V1__TRAIN_REPLY__INIT;
    Parley__V1__TrainRequest *request =
        parley__v1__train_request__unpack(NULL, packed.len, packed.data);
    if (request == NULL)
        return pl_fail(PL_PROTOCOL, "the trainer was asked what cannot be read");
    pl_status status = answer(kept, request, &reply);
    size_t len = parley__v1__train_reply__get_packed_size(&reply);
    if (pl_is_ok(status))
        status = pl_alloc(len + 1, 1, &out_body->data);
    if (pl_is_ok(status)) {
        parley__v1__train_reply__pack(&reply, out_body->data);
        out_body->len = len;
    }
    if (reply.ring64.data != NULL)
        pl_wipe(reply.ring64.data, reply.ring64.len);
    if (reply.ring128.data != NULL)
        pl_wipe(reply.ring128.data, reply.ring128.len);
    free(reply.ring64.data);
    free(reply.ring128.data);
    parley__v1__train_request__free_unpacked(request, NULL);
    return status;
}
