/* Steps: operations that are noted between pl_together_begin and pl_together_end, and what may be
 * one. The scheme keeps the operations, here stand the vectors they use: a result has no value
 * before the end, an operand has to stay until then. */
#include "protocols/share/lanes.h"
#include "protocols/share/scheme.h"

#include <stdlib.h>

struct pl_step {
    bool is_broken; /* something was refused or failed: it only ends */
    size_t n_operations, n_operands;
    pl_svec operands[PL_OPERANDS_MAX * PL_TOGETHER_MAX];
    pl_svec results[PL_TOGETHER_MAX]; /* of each operation */
};

/* All lanes put off what they are given. */
static void set_step(pl_party *p, pl_step *step) {
    p->step = step;
    for (size_t i = 1; i < pl_party_n_lanes(p); i++)
        pl_lanes_other(p, i)->step = step;
}

static void drop_operations(pl_party *p) {
    for (size_t i = 0; i < pl_party_n_lanes(p) && p->scheme->drop_step != NULL; i++)
        p->scheme->drop_step(i == 0 ? p : pl_lanes_other(p, i));
}

static pl_status finish(pl_party *lane, size_t number, void *ctx) {
    (void)number, (void)ctx;
    return lane->scheme->finish_step(lane);
}

pl_status pl_together_begin(pl_party *p) {
    PL_TRY(pl_party_require_compute(p));
    PL_TRY(pl_step_refuse(p, "begin a step"));
    pl_step *step;
    PL_TRY(pl_party_settle(p, pl_alloc(1, sizeof *step, &step)));
    set_step(p, step);
    return PL_OK;
}

static pl_status take_step(pl_party *p, pl_step **out) {
    if (p->step == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot end a step: none was begun");
    *out = p->step;
    set_step(p, NULL);
    return PL_OK;
}

pl_status pl_together_end(pl_party *p, pl_status status) {
    pl_step *step = NULL;
    if (!pl_is_ok(status)) {
        pl_step_drop(p);
        return status;
    }
    PL_TRY(take_step(p, &step));
    bool is_broken = step->is_broken;
    free(step);
    if (is_broken) {
        drop_operations(p);
        return pl_fail(PL_INVALID_ARGUMENT,
                       "cannot end the step: something in it was refused, and nothing of it was "
                       "run; give pl_together_end the status of that");
    }
    return p->scheme->finish_step == NULL ? PL_OK : pl_party_each_lane(p, finish, NULL);
}

void pl_step_drop(pl_party *p) {
    if (p->step == NULL)
        return;
    free(p->step);
    set_step(p, NULL);
    drop_operations(p);
}

void pl_step_break(const pl_party *p) {
    if (p->step != NULL)
        p->step->is_broken = true;
}

pl_status pl_step_refuse(const pl_party *p, const char *what) {
    if (p->step == NULL)
        return PL_OK;
    pl_step_break(p);
    return pl_fail(PL_INVALID_ARGUMENT,
                   "cannot %s between pl_together_begin and pl_together_end: do it before or after",
                   what);
}

static bool overlaps_any(const pl_svec *x, const pl_svec *vecs, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (pl_svec_overlaps(x, &vecs[i]))
            return true;
    }
    return false;
}

/* Room for one more, and no vector of the others in the way. */
static pl_status check_fit(const pl_step *s, const pl_svec *const operands[PL_OPERANDS_MAX],
                           const pl_svec *out) {
    if (s->is_broken || s->n_operations == PL_TOGETHER_MAX)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "no operation fits into the step: it has %d, or one was refused",
                       PL_TOGETHER_MAX);
    for (size_t i = 0; i < PL_OPERANDS_MAX; i++) {
        if (operands[i] == NULL)
            continue;
        if (overlaps_any(operands[i], s->results, s->n_operations))
            return pl_fail(PL_INVALID_ARGUMENT,
                           "an operation takes the result of another one of the same step, which "
                           "is not there yet: end the step first");
        if (pl_svec_overlaps(out, operands[i]))
            return pl_fail(PL_INVALID_ARGUMENT,
                           "in a step an operation's result cannot be its operand: use another "
                           "vector");
    }
    if (overlaps_any(out, s->results, s->n_operations) ||
        overlaps_any(out, s->operands, s->n_operands))
        return pl_fail(PL_INVALID_ARGUMENT,
                       "in a step an operation's result cannot be a vector that another one uses");
    return PL_OK;
}

pl_status pl_step_admit(pl_party *p, const pl_svec *const operands[PL_OPERANDS_MAX],
                        const pl_svec *out) {
    pl_step *s = p->step;
    if (s == NULL)
        return PL_OK;
    pl_status status = check_fit(s, operands, out);
    if (!pl_is_ok(status)) {
        s->is_broken = true;
        return status;
    }
    for (size_t i = 0; i < PL_OPERANDS_MAX; i++) {
        if (operands[i] != NULL)
            s->operands[s->n_operands++] = *operands[i];
    }
    s->n_operations++;
    return PL_OK;
}

void pl_step_note(pl_party *p, const pl_svec *result) {
    pl_step *s = p->step;
    if (s != NULL)
        s->results[s->n_operations - 1] = *result;
}
