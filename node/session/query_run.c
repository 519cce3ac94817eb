/* The protocol of a query: owners share partial moments, the compute parties add them up (of MIN
 * and MAX: find the largest), decide the cohort rule on shares, mask what may not be shown, and
 * open the rest to the recipients, who finish the result. */
#include "node/session/query.h"
#include "node/session/roles.h"
#include "node/sql/finish.h"
#include "node/sql/plan.h"
#include "protocols/base/secret.h"
#include "protocols/mpc/compare.h"
#include "protocols/rel/cohort.h"

#include <stdlib.h>
#include <string.h>

/* The moments of one ring: all of an owner's vectors in that ring are one long vector, moment after
 * moment. */
typedef struct ring_part {
    pl_kind kind;
    size_t n;                          /* moments in this ring */
    size_t moment[PL_SQL_MOMENTS_MAX]; /* which */
    size_t n_opened;                   /* elements opened */
    pl_svec *shared;                   /* [n_owners], each [n * n_cells] */
    pl_svec
        result;   /* what is opened: the ok bits first (ring 64 with a cohort), then the moments */
    void *values; /* [n_opened], at recipients */
} ring_part;

typedef struct query_run {
    pl_session_run *run;
    Parley__V1__QueryPlan *query;
    size_t n_owners, n_cells;
    bool is_recipient;
    uint64_t recipients;
    ring_part ring64, ring128;
} query_run;

/* ---- inputs ---- */

/* This party's own vectors of one ring, in one piece. */
static pl_status own_values(const query_run *q, const ring_part *part, void **out) {
    size_t size = pl_kind_bytes(part->kind, 1), len = q->n_cells * size;
    if (q->run->n_inputs != q->query->n_moments)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "an owner came with %zu input vectors; the plan has %zu", q->run->n_inputs,
                       q->query->n_moments);
    uint8_t *values;
    PL_TRY(pl_secret_alloc(part->n * len, &values));
    for (size_t i = 0; i < part->n; i++) {
        const Parley__V1__InputVector *input = q->run->inputs[part->moment[i]];
        if (input->ring_bits != size * 8 || input->values.len != len) {
            pl_secret_free(values, part->n * len);
            return pl_fail(PL_INVALID_ARGUMENT, "input vector %zu has a wrong shape",
                           part->moment[i]);
        }
        memcpy(values + i * len, input->values.data, len); /* little-endian, as this machine */
    }
    *out = values;
    return PL_OK;
}

static pl_status input_part(query_run *q, ring_part *part) {
    size_t n = part->n * q->n_cells;
    if (part->n == 0)
        return PL_OK;
    PL_TRY(pl_alloc(q->n_owners, sizeof *part->shared, &part->shared));
    for (size_t j = 0; j < q->n_owners; j++) {
        size_t owner;
        void *values = NULL;
        PL_TRY(pl_rank_of(q->run, q->query->inputs[j]->org, &owner));
        if (owner == q->run->own_rank)
            PL_TRY(own_values(q, part, &values));
        pl_status status = pl_input(q->run->party, owner, part->kind, n, values, &part->shared[j]);
        pl_secret_free(values, pl_kind_bytes(part->kind, n));
        PL_TRY(pl_wrap(status, "inputs of %s", q->query->inputs[j]->org));
    }
    return PL_OK;
}

static pl_status add_up(query_run *q, ring_part *part, pl_svec *out) {
    const pl_svec **list;
    PL_TRY(pl_alloc(q->n_owners, sizeof *list, &list));
    for (size_t j = 0; j < q->n_owners; j++)
        list[j] = &part->shared[j];
    pl_status status = pl_sum(q->run->party, list, q->n_owners, out);
    free(list);
    return status;
}

/* ---- the cohort rule ---- */

/* ok = one bit per cell; the counts are moments of ring 64, kept apart by owner until here. */
static pl_status decide(query_run *q, pl_svec *ok) {
    size_t n_counts = 0;
    pl_svec *counts = NULL;
    pl_status status;
    PL_CHECK(status, pl_alloc(q->ring64.n * q->n_owners, sizeof *counts, &counts));
    for (size_t i = 0; i < q->ring64.n; i++) {
        if (!pl_moment_is_count(q->query->moments[q->ring64.moment[i]]))
            continue;
        for (size_t j = 0; j < q->n_owners; j++)
            PL_CHECK(status, pl_slice(&q->ring64.shared[j], i * q->n_cells, q->n_cells,
                                      &counts[n_counts * q->n_owners + j]));
        n_counts++;
    }
    const pl_cohort_params params = {.n_counts = n_counts,
                                     .n_owners = q->n_owners,
                                     .n_cells = q->n_cells,
                                     .counts = counts,
                                     .k = q->query->cohort};
    PL_CHECK(status, pl_cohort_ok(q->run->party, &params, ok));
out:
    for (size_t i = 0; counts != NULL && i < q->ring64.n * q->n_owners; i++)
        pl_svec_done(&counts[i]);
    free(counts);
    return status;
}

/* Multiplies every moment of a cell by the cell's bit, in the moment's ring; the bits themselves go
 * first when asked. */
static pl_status mask(query_run *q, ring_part *part, const pl_svec *ok, pl_svec *total,
                      bool keep_bits) {
    const pl_svec *list[PL_SQL_MOMENTS_MAX];
    pl_svec bit = {0}, bits = {0};
    pl_status status;
    PL_CHECK(status, pl_bit_to_arith(q->run->party, ok, part->kind, &bit));
    for (size_t i = 0; i < part->n; i++)
        list[i] = &bit;
    PL_CHECK(status, pl_concat(list, part->n, &bits));
    PL_CHECK(status, pl_select(q->run->party, &bits, total, total));
    if (keep_bits)
        PL_CHECK(status, pl_concat((const pl_svec *const[]){&bit, total}, 2, &part->result));
    else
        pl_svec_take(&part->result, total);
out:
    pl_svec_done(&bit);
    pl_svec_done(&bits);
    return status;
}

/* The extremes of one owner, moment after moment. */
static pl_status extremes_of(const query_run *q, size_t owner, pl_svec *out) {
    pl_svec parts[PL_SQL_MOMENTS_MAX] = {0};
    const pl_svec *list[PL_SQL_MOMENTS_MAX];
    size_t n = 0;
    pl_status status = PL_OK;
    for (size_t i = 0; i < q->ring64.n && pl_is_ok(status); i++) {
        if (!pl_moment_is_extreme(q->query->moments[q->ring64.moment[i]]))
            continue;
        status = pl_slice(&q->ring64.shared[owner], i * q->n_cells, q->n_cells, &parts[n]);
        list[n] = &parts[n];
        n++;
    }
    if (pl_is_ok(status))
        status = pl_concat(list, n, out);
    for (size_t i = 0; i < n; i++)
        pl_svec_done(&parts[i]);
    return status;
}

/* The largest over the owners, of all extremes at once: [extremes * n_cells]. */
static pl_status find_extremes(query_run *q, pl_svec *out) {
    pl_svec *parts = NULL;
    const pl_svec **list = NULL;
    pl_status status;
    PL_CHECK(status, pl_alloc(q->n_owners, sizeof *parts, &parts));
    PL_CHECK(status, pl_alloc(q->n_owners, sizeof *list, &list));
    for (size_t j = 0; j < q->n_owners; j++) {
        PL_CHECK(status, extremes_of(q, j, &parts[j]));
        list[j] = &parts[j];
    }
    PL_CHECK(status, pl_max(q->run->party, list, q->n_owners, out));
out:
    for (size_t j = 0; parts != NULL && j < q->n_owners; j++)
        pl_svec_done(&parts[j]);
    free(parts);
    free(list);
    return status;
}

/* Where the owners' extremes were added up, their largest takes the place of the sum. */
static pl_status place_extremes(query_run *q, pl_svec *total) {
    pl_svec found = {0}, parts[PL_SQL_MOMENTS_MAX] = {0};
    const pl_svec *list[PL_SQL_MOMENTS_MAX];
    size_t n = 0, cells = q->n_cells;
    pl_status status;
    PL_CHECK(status, find_extremes(q, &found));
    for (size_t i = 0; i < q->ring64.n; i++) {
        bool is_extreme = pl_moment_is_extreme(q->query->moments[q->ring64.moment[i]]);
        PL_CHECK(status, is_extreme ? pl_slice(&found, n * cells, cells, &parts[i])
                                    : pl_slice(total, i * cells, cells, &parts[i]));
        n += is_extreme;
        list[i] = &parts[i];
    }
    PL_CHECK(status, pl_concat(list, q->ring64.n, total));
out:
    for (size_t i = 0; i < q->ring64.n; i++)
        pl_svec_done(&parts[i]);
    pl_svec_done(&found);
    return status;
}

static bool has_extremes(const query_run *q) {
    for (size_t i = 0; i < q->query->n_moments; i++)
        if (pl_moment_is_extreme(q->query->moments[i]))
            return true;
    return false;
}

static pl_status finish_part(query_run *q, ring_part *part, const pl_svec *ok, bool keep_bits) {
    if (part->n == 0)
        return PL_OK;
    pl_svec total = {0};
    pl_status status = add_up(q, part, &total);
    if (pl_is_ok(status) && part == &q->ring64 && has_extremes(q))
        status = place_extremes(q, &total);
    if (pl_is_ok(status) && ok != NULL)
        status = mask(q, part, ok, &total, keep_bits);
    else if (pl_is_ok(status))
        pl_svec_take(&part->result, &total);
    pl_svec_done(&total);
    return status;
}

static pl_status compute(query_run *q) {
    if (!pl_party_computes(q->run->party))
        return PL_OK;
    pl_svec ok = {0};
    pl_status status = PL_OK;
    bool has_rule = q->query->cohort > 0;
    if (has_rule)
        PL_CHECK(status, decide(q, &ok));
    PL_CHECK(status, finish_part(q, &q->ring64, has_rule ? &ok : NULL, has_rule));
    PL_CHECK(status, finish_part(q, &q->ring128, has_rule ? &ok : NULL, false));
out:
    pl_svec_done(&ok);
    return status;
}

/* ---- opening ---- */

/* The one place where a query opens values: to the recipients of the plan, and to nobody else. */
static pl_status open_part(query_run *q, ring_part *part) {
    if (part->n == 0)
        return PL_OK;
    if (q->is_recipient)
        PL_TRY(pl_secret_alloc(pl_kind_bytes(part->kind, part->n_opened), &part->values));
    const pl_svec *x = pl_party_computes(q->run->party) ? &part->result : NULL;
    return pl_open(q->run->party, x, part->kind, part->n_opened, q->recipients,
                   "moments per cell that passed the cohort rule", part->values);
}

/* Sign-extends what was opened into one table of moments. */
static void collect(const query_run *q, pl_i128 *moments) {
    size_t cells = q->n_cells, skip = q->query->cohort > 0 ? cells : 0;
    for (size_t i = 0; i < q->ring64.n; i++)
        for (size_t c = 0; c < cells; c++)
            moments[q->ring64.moment[i] * cells + c] =
                (int64_t)((const uint64_t *)q->ring64.values)[skip + i * cells + c];
    for (size_t i = 0; i < q->ring128.n; i++)
        for (size_t c = 0; c < cells; c++)
            moments[q->ring128.moment[i] * cells + c] =
                (pl_i128)((const pl_u128 *)q->ring128.values)[i * cells + c];
}

static pl_status finish(query_run *q) {
    if (!q->is_recipient)
        return PL_OK;
    pl_i128 *moments;
    size_t len = q->query->n_moments * q->n_cells * sizeof *moments;
    PL_TRY(pl_secret_alloc(len, &moments));
    collect(q, moments);
    const pl_opened opened = {.ok = q->query->cohort > 0 ? q->ring64.values : NULL,
                              .moments = moments};
    pl_status status = pl_sql_finish(q->query, &opened, q->run->out_result);
    pl_secret_free(moments, len);
    return status;
}

/* ---- the whole ---- */

static void part_init(query_run *q, ring_part *part, uint32_t ring_bits, pl_kind kind,
                      size_t extra) {
    part->kind = kind;
    part->n = pl_ring_moments(q->query, ring_bits, part->moment);
    part->n_opened = part->n * q->n_cells + extra;
}

static void part_done(const query_run *q, ring_part *part) {
    for (size_t j = 0; part->shared != NULL && j < q->n_owners; j++)
        pl_svec_done(&part->shared[j]);
    free(part->shared);
    pl_svec_done(&part->result);
    pl_secret_free(part->values, pl_kind_bytes(part->kind, part->n_opened));
}

static pl_status prepare(query_run *q) {
    PL_TRY(pl_query_body(q->run->plan, &q->query));
    q->n_owners = q->query->n_inputs;
    q->n_cells = q->query->n_cells;
    size_t n_bits = q->query->cohort > 0 ? q->n_cells : 0;
    part_init(q, &q->ring64, 64, PL_ARITH_64, n_bits);
    part_init(q, &q->ring128, 128, PL_ARITH_128, 0);
    PL_TRY(pl_recipients_mask(q->run, &q->recipients));
    q->is_recipient = (q->recipients >> q->run->own_rank & 1) != 0;
    if (q->is_recipient && q->run->out_result == NULL)
        return pl_fail(PL_INTERNAL, "a recipient has no place for its result");
    return PL_OK;
}

static pl_status protocol(query_run *q) {
    PL_TRY(input_part(q, &q->ring64));
    PL_TRY(input_part(q, &q->ring128));
    PL_TRY(compute(q));
    PL_TRY(q->run->agree_opening(q->run));
    PL_TRY(open_part(q, &q->ring64));
    PL_TRY(open_part(q, &q->ring128));
    return finish(q);
}

pl_status pl_query_run(pl_session_run *run) {
    query_run q = {.run = run};
    pl_status status = prepare(&q);
    if (pl_is_ok(status))
        status = protocol(&q);
    part_done(&q, &q.ring64);
    part_done(&q, &q.ring128);
    if (q.query != NULL)
        parley__v1__query_plan__free_unpacked(q.query, NULL);
    return status;
}
