/* The protocol of a training: count and measure, agree on the scale, then round after round the
 * owners share their weighted updates, the compute parties add them up, and only the sum is opened
 * to the recipients, who take the step. */
#include "node/session/roles.h"
#include "node/session/train.h"
#include "protocols/base/secret.h"
#include "protocols/fed/aggregate.h"
#include "protocols/fed/auc.h"
#include "protocols/fed/fixed.h"
#include "protocols/fed/logistic.h"
#include "protocols/rel/cohort.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef struct train_run {
    pl_session_run *run;
    Parley__V1__TrainPlan *body;
    size_t d;
    size_t *owners; /* [n_owners]: ranks, in the plan's order */
    size_t n_owners;
    bool is_owner, is_recipient;
    uint64_t recipients;
    pl_train_state state; /* at recipients */
} train_run;

/* ---- the owner's trainer ---- */

/* Asks and checks the shape: n64 and n128 elements must come. */
static pl_status ask(train_run *t, const Parley__V1__TrainRequest *request, size_t n64, size_t n128,
                     Parley__V1__TrainReply **out) {
    uint8_t *packed;
    pl_bytes body = {0};
    size_t len = parley__v1__train_request__get_packed_size(request);
    PL_TRY(pl_alloc(len + 1, 1, &packed));
    parley__v1__train_request__pack(request, packed);
    pl_status status = t->run->ask(t->run, pl_view_of(packed, len), &body);
    free(packed);
    PL_TRY(status);
    Parley__V1__TrainReply *reply = parley__v1__train_reply__unpack(NULL, body.len, body.data);
    pl_wipe(body.data, body.len);
    pl_bytes_done(&body);
    if (reply == NULL || reply->ring64.len != 8 * n64 || reply->ring128.len != 16 * n128) {
        if (reply != NULL)
            parley__v1__train_reply__free_unpacked(reply, NULL);
        return pl_fail(PL_INTERNAL, "this node's trainer answered in a wrong shape");
    }
    *out = reply;
    return PL_OK;
}

static void reply_done(Parley__V1__TrainReply *reply) {
    if (reply == NULL)
        return;
    if (reply->ring64.data != NULL)
        pl_wipe(reply->ring64.data, reply->ring64.len);
    if (reply->ring128.data != NULL)
        pl_wipe(reply->ring128.data, reply->ring128.len);
    parley__v1__train_reply__free_unpacked(reply, NULL);
}

static pl_status ask_model(train_run *t, bool final, size_t n64, Parley__V1__TrainReply **out) {
    Parley__V1__TrainRequest request = PARLEY__V1__TRAIN_REQUEST__INIT;
    Parley__V1__TrainModel model = PARLEY__V1__TRAIN_MODEL__INIT;
    model.weights = t->state.model;
    model.n_weights = t->d + 1;
    request.kind_case =
        final ? PARLEY__V1__TRAIN_REQUEST__KIND_EVALUATE : PARLEY__V1__TRAIN_REQUEST__KIND_STEP;
    if (final)
        request.evaluate = &model;
    else
        request.step = &model;
    return ask(t, &request, n64, 0, out);
}

/* ---- opening ---- */

/* The one place where a training opens numbers: to the recipients of the plan, and to nobody else.
 */
static pl_status open_numbers(train_run *t, const pl_svec *x, pl_kind kind, size_t n,
                              const char *reason, void *out) {
    return pl_open(t->run->party, pl_party_computes(t->run->party) ? x : NULL, kind, n,
                   t->recipients, reason, t->is_recipient ? out : NULL);
}

/* ---- counts, cohort, moments ---- */

static pl_status input_counts(train_run *t, const uint8_t *own, pl_svec *counts) {
    for (size_t j = 0; j < t->n_owners; j++) {
        uint64_t values[PL_TRAIN_COUNTS] = {0};
        bool is_own = t->owners[j] == t->run->own_rank;
        for (size_t i = 0; is_own && i < PL_TRAIN_COUNTS; i++)
            values[i] = pl_get_u64(own + 8 * i);
        PL_TRY(pl_wrap(pl_input(t->run->party, t->owners[j], PL_ARITH_64, PL_TRAIN_COUNTS,
                                is_own ? values : NULL, &counts[j]),
                       "counts of %s", t->body->inputs[j]->org));
    }
    return PL_OK;
}

/* For every member: what is left of each count without it is 0 or at least k. */
static pl_status decide(train_run *t, const pl_svec *counts, pl_svec *ok) {
    pl_svec *single;
    size_t n = PL_TRAIN_COUNTS * t->n_owners;
    PL_TRY(pl_alloc(n, sizeof *single, &single));
    pl_status status = PL_OK;
    for (size_t i = 0; i < n && pl_is_ok(status); i++)
        status = pl_slice(&counts[i % t->n_owners], i / t->n_owners, 1, &single[i]);
    const pl_cohort_params params = {.n_counts = PL_TRAIN_COUNTS,
                                     .n_owners = t->n_owners,
                                     .n_cells = 1,
                                     .counts = single,
                                     .k = t->body->cohort};
    if (pl_is_ok(status))
        status = pl_cohort_ok(t->run->party, &params, ok);
    for (size_t i = 0; i < n; i++)
        pl_svec_done(&single[i]);
    free(single);
    return status;
}

static uint64_t everybody(const train_run *t) {
    return t->run->n_parties >= 64 ? UINT64_MAX : (UINT64_C(1) << t->run->n_parties) - 1;
}

/* Every party learns this one bit, and when it is 0 nothing else is opened. */
static pl_status open_verdict(train_run *t, const pl_svec *ok) {
    uint64_t verdict = 0;
    PL_TRY(pl_open(t->run->party, pl_party_computes(t->run->party) ? ok : NULL, PL_BIT, 1,
                   everybody(t), "whether the cohort rule holds", &verdict));
    if (verdict & 1)
        return PL_OK;
    return pl_fail(PL_REFUSED,
                   "the cohort rule does not hold: for some member, the rows of the others for "
                   "training or held out, with one of the labels, are fewer than %u; nothing was "
                   "trained or opened",
                   t->body->cohort);
}

static pl_status add_counts(train_run *t, pl_svec *counts, pl_svec *out) {
    const pl_svec *list[PL_PARTIES_MAX];
    if (!pl_party_computes(t->run->party))
        return PL_OK;
    for (size_t j = 0; j < t->n_owners; j++)
        list[j] = &counts[j];
    return pl_sum(t->run->party, list, t->n_owners, out);
}

static pl_status check_counts(const train_run *t) {
    const uint64_t *counts = t->state.counts;
    if (counts[PL_TRAIN_POSITIVE] > 0 && counts[PL_TRAIN_NEGATIVE] > 0)
        return PL_OK;
    return pl_fail(PL_FAILED_PRECONDITION,
                   "there is nothing to learn: all training rows have the same label, or there are "
                   "none");
}

static pl_status open_moments(train_run *t, const pl_svec *counts, const pl_svec *moments) {
    pl_u128 *values;
    size_t n = 2 * t->d;
    PL_TRY(open_numbers(t, counts, PL_ARITH_64, PL_TRAIN_COUNTS,
                        "rows for training and held out, by label", t->state.counts));
    PL_TRY(pl_secret_alloc(n * sizeof *values, &values));
    pl_status status =
        open_numbers(t, moments, PL_ARITH_128, n, "sum and sum of squares of each feature", values);
    if (pl_is_ok(status) && t->is_recipient)
        status = check_counts(t);
    for (size_t k = 0; pl_is_ok(status) && t->is_recipient && k < t->d; k++)
        pl_moments_scale(t->state.counts[PL_TRAIN_ROWS], (pl_s128)values[k],
                         (pl_s128)values[t->d + k], t->body->features[k]->middle,
                         t->body->features[k]->half, &t->state.mean[k], &t->state.deviation[k]);
    pl_secret_free(values, n * sizeof *values);
    return status;
}

static pl_status give_scale(train_run *t) {
    Parley__V1__TrainReply *reply = NULL;
    Parley__V1__TrainRequest request = PARLEY__V1__TRAIN_REQUEST__INIT;
    Parley__V1__TrainScale scale = PARLEY__V1__TRAIN_SCALE__INIT;
    if (!t->is_owner)
        return PL_OK;
    scale.mean = t->state.mean;
    scale.deviation = t->state.deviation;
    scale.n_mean = scale.n_deviation = t->d;
    request.kind_case = PARLEY__V1__TRAIN_REQUEST__KIND_SCALE;
    request.scale = &scale;
    pl_status status = ask(t, &request, 0, 0, &reply);
    reply_done(reply);
    return status;
}

/* own: the moments reply of this party's trainer; NULL: not an owner. */
static pl_status measure_with(train_run *t, const Parley__V1__TrainReply *own, pl_svec *counts) {
    pl_svec total = {0}, moments = {0}, ok = {0};
    pl_status status;
    bool has_rule = t->body->cohort > 0;
    PL_CHECK(status, input_counts(t, own != NULL ? own->ring64.data : NULL, counts));
    PL_CHECK(status, pl_fed_sum(t->run->party, t->owners, t->n_owners, PL_ARITH_128, 2 * t->d,
                                own != NULL ? own->ring128.data : NULL, &moments));
    PL_CHECK(status, add_counts(t, counts, &total));
    if (has_rule && pl_party_computes(t->run->party))
        PL_CHECK(status, decide(t, counts, &ok));
    PL_CHECK(status, t->run->agree_opening(t->run));
    if (has_rule)
        PL_CHECK(status, open_verdict(t, &ok));
    PL_CHECK(status, open_moments(t, &total, &moments));
    status = give_scale(t);
out:
    pl_svec_done(&total);
    pl_svec_done(&moments);
    pl_svec_done(&ok);
    return status;
}

static pl_status measure(train_run *t) {
    Parley__V1__TrainReply *own = NULL;
    pl_svec *counts = NULL;
    pl_status status;
    PL_CHECK(status, pl_alloc(t->n_owners, sizeof *counts, &counts));
    if (t->is_owner) {
        Parley__V1__TrainRequest request = PARLEY__V1__TRAIN_REQUEST__INIT;
        request.kind_case = PARLEY__V1__TRAIN_REQUEST__KIND_MOMENTS;
        request.moments = 1;
        PL_CHECK(status, ask(t, &request, PL_TRAIN_COUNTS, 2 * t->d, &own));
    }
    status = measure_with(t, own, counts);
out:
    for (size_t j = 0; counts != NULL && j < t->n_owners; j++)
        pl_svec_done(&counts[j]);
    free(counts);
    reply_done(own);
    return status;
}

/* ---- rounds ---- */

static void keep_norm(train_run *t) {
    double sum = 0;
    for (size_t k = 0; k <= t->d; k++)
        sum += t->state.model[k] * t->state.model[k];
    t->state.norm = fmax(t->state.norm, sqrt(sum));
}

static double decode_one(uint64_t value, unsigned bits) {
    double out;
    pl_fixed_decode(&value, 1, bits, &out);
    return out;
}

/* At a recipient: the loss and accuracy of the model so far, then the step. sums [d + 3]. */
static void take_step(train_run *t, uint32_t round, const uint64_t *sums) {
    double rows = (double)t->state.counts[PL_TRAIN_ROWS];
    t->state.loss[round] = decode_one(sums[t->d + 1], t->body->loss_bits) / rows;
    t->state.accuracy[round] = (double)sums[t->d + 2] / rows;
    for (size_t k = 0; k <= t->d; k++)
        t->state.model[k] += decode_one(sums[k], t->body->update_bits) / rows;
    keep_norm(t);
}

static pl_status tell(train_run *t, uint32_t round) {
    char what[64];
    if (t->run->progress == NULL)
        return PL_OK;
    if (t->is_recipient)
        snprintf(what, sizeof what, "round %u of %u, loss %.4f, accuracy %.4f", round,
                 t->body->rounds, t->state.loss[round - 1], t->state.accuracy[round - 1]);
    else
        snprintf(what, sizeof what, "round %u of %u", round, t->body->rounds);
    return t->run->progress(t->run, round, what);
}

/* round counts from 0. */
static pl_status one_round(train_run *t, uint32_t round) {
    Parley__V1__TrainReply *own = NULL;
    pl_svec sum = {0};
    uint64_t *sums = NULL;
    size_t n = t->d + 3;
    pl_status status;
    PL_CHECK(status, pl_secret_alloc(n * sizeof *sums, &sums));
    if (t->is_owner)
        PL_CHECK(status, ask_model(t, false, n, &own));
    PL_CHECK(status, pl_fed_sum(t->run->party, t->owners, t->n_owners, PL_ARITH_64, n,
                                own != NULL ? own->ring64.data : NULL, &sum));
    PL_CHECK(status, open_numbers(t, &sum, PL_ARITH_64, n, "sum of the weighted updates", sums));
    if (t->is_recipient)
        take_step(t, round, sums);
    status = tell(t, round + 1);
out:
    reply_done(own);
    pl_svec_done(&sum);
    pl_secret_free(sums, n * sizeof *sums);
    return status;
}

/* ---- the final model ---- */

static pl_status evaluate_shares(train_run *t, const pl_svec *sum, pl_svec *out) {
    pl_svec scores = {0}, histogram = {0}, auc = {0};
    pl_status status;
    PL_CHECK(status, pl_slice(sum, 0, PL_TRAIN_EVALS, &scores));
    PL_CHECK(status, pl_slice(sum, PL_TRAIN_EVALS, PL_AUC_VALUES, &histogram));
    PL_CHECK(status, pl_auc(t->run->party, &histogram, &auc));
    PL_CHECK(status, pl_concat((const pl_svec *const[]){&scores, &auc}, 2, out));
out:
    pl_svec_done(&scores);
    pl_svec_done(&histogram);
    pl_svec_done(&auc);
    return status;
}

static void take_finals(train_run *t, const uint64_t *finals) {
    pl_train_state *s = &t->state;
    double rows = (double)s->counts[PL_TRAIN_ROWS];
    for (size_t i = 0; i < PL_TRAIN_FINALS; i++)
        s->finals[i] = i == PL_TRAIN_EVAL_LOSS || i == PL_TRAIN_EVAL_HELD_LOSS
                           ? decode_one(finals[i], t->body->loss_bits)
                           : (double)finals[i];
    s->loss[t->body->rounds] = s->finals[PL_TRAIN_EVAL_LOSS] / rows;
    s->accuracy[t->body->rounds] = s->finals[PL_TRAIN_EVAL_CORRECT] / rows;
}

static pl_status evaluate(train_run *t) {
    Parley__V1__TrainReply *own = NULL;
    pl_svec sum = {0}, result = {0};
    uint64_t finals[PL_TRAIN_FINALS];
    size_t n = PL_TRAIN_EVALS + PL_AUC_VALUES;
    pl_status status = PL_OK;
    if (t->is_owner)
        PL_CHECK(status, ask_model(t, true, n, &own));
    PL_CHECK(status, pl_fed_sum(t->run->party, t->owners, t->n_owners, PL_ARITH_64, n,
                                own != NULL ? own->ring64.data : NULL, &sum));
    if (pl_party_computes(t->run->party))
        PL_CHECK(status, evaluate_shares(t, &sum, &result));
    PL_CHECK(status, open_numbers(t, &result, PL_ARITH_64, PL_TRAIN_FINALS,
                                  "loss, right answers and AUC of the final model", finals));
    if (t->is_recipient)
        take_finals(t, finals);
out:
    reply_done(own);
    pl_svec_done(&sum);
    pl_svec_done(&result);
    return status;
}

/* ---- the whole ---- */

static pl_status prepare_state(train_run *t) {
    pl_train_state *s = &t->state;
    s->body = t->body;
    s->d = t->d;
    PL_TRY(pl_alloc(t->d, sizeof *s->mean, &s->mean));
    PL_TRY(pl_alloc(t->d, sizeof *s->deviation, &s->deviation));
    PL_TRY(pl_alloc(t->d + 1, sizeof *s->model, &s->model));
    PL_TRY(pl_alloc(t->body->rounds + 1, sizeof *s->loss, &s->loss));
    return pl_alloc(t->body->rounds + 1, sizeof *s->accuracy, &s->accuracy);
}

static pl_status prepare(train_run *t) {
    PL_TRY(pl_train_body(t->run->plan, &t->body));
    t->d = t->body->n_features;
    t->n_owners = t->body->n_inputs;
    if (t->n_owners > PL_PARTIES_MAX)
        return pl_fail(PL_LIMIT, "a session has at most %d parties", PL_PARTIES_MAX);
    PL_TRY(pl_alloc(t->n_owners, sizeof *t->owners, &t->owners));
    for (size_t j = 0; j < t->n_owners; j++) {
        PL_TRY(pl_rank_of(t->run, t->body->inputs[j]->org, &t->owners[j]));
        t->is_owner = t->is_owner || t->owners[j] == t->run->own_rank;
    }
    PL_TRY(pl_recipients_mask(t->run, &t->recipients));
    t->is_recipient = (t->recipients >> t->run->own_rank & 1) != 0;
    if (t->is_owner && (!t->is_recipient || t->run->ask == NULL))
        return pl_fail(PL_INTERNAL, "an owner has no model or no trainer");
    if (t->is_recipient && t->run->out_result == NULL)
        return pl_fail(PL_INTERNAL, "a recipient has no place for its result");
    return prepare_state(t);
}

static pl_status protocol(train_run *t) {
    PL_TRY(measure(t));
    for (uint32_t round = 0; round < t->body->rounds; round++)
        PL_TRY(pl_wrap(one_round(t, round), "round %u of %u", round + 1, t->body->rounds));
    PL_TRY(pl_wrap(evaluate(t), "evaluating the model"));
    return t->is_recipient ? pl_train_result(&t->state, t->run->out_result) : PL_OK;
}

pl_status pl_train_run(pl_session_run *run) {
    train_run t = {.run = run};
    pl_status status = prepare(&t);
    if (pl_is_ok(status))
        status = protocol(&t);
    free(t.state.mean);
    free(t.state.deviation);
    free(t.state.model);
    free(t.state.loss);
    free(t.state.accuracy);
    free(t.owners);
    if (t.body != NULL)
        parley__v1__train_plan__free_unpacked(t.body, NULL);
    return status;
}
