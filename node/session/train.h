/* Train: the session kind of federated averaging. Shared by the files train_*.c of this folder
 * only.
 *
 * The rows stay in the owner's source child, which has no network and lives as long as the session
 * (keep, serve). The session's worker asks it for sums and holds nothing but those. */
#ifndef PL_SESSION_TRAIN_H
#define PL_SESSION_TRAIN_H

#include "node/session/session.h"
#include "proto/train.pb-c.h"

PL_STATUS pl_train_plan(const pl_plan_context *context, const Parley__V1__Task *task,
                        Parley__V1__Plan **out);
PL_STATUS pl_train_explain(const Parley__V1__Plan *plan, pl_buf *out);
PL_STATUS pl_train_run(pl_session_run *run);
PL_STATUS pl_train_keep(const Parley__V1__SourceRequest *request, int fd,
                        Parley__V1__SourceReply *out, pl_kept **out_kept);
PL_STATUS pl_train_serve(pl_kept *kept, pl_view request, pl_bytes *out_body);
void pl_train_let_go(pl_kept *kept);

/* What an owner counts before training: the cohort rule is decided on all of it. */
enum {
    PL_TRAIN_ROWS, /* of the training part */
    PL_TRAIN_POSITIVE,
    PL_TRAIN_NEGATIVE,
    PL_TRAIN_HELD_POSITIVE,
    PL_TRAIN_HELD_NEGATIVE,
    PL_TRAIN_COUNTS
};

/* The first values of an evaluation, before the histogram (PL_AUC_VALUES). */
enum {
    PL_TRAIN_EVAL_LOSS,
    PL_TRAIN_EVAL_CORRECT,
    PL_TRAIN_EVAL_HELD_LOSS,
    PL_TRAIN_EVAL_HELD_CORRECT,
    PL_TRAIN_EVALS
};
/* What is opened at the end: those, then 2U and the ties. */
#define PL_TRAIN_FINALS (PL_TRAIN_EVALS + 2)

/* pl_train_body unpacks and checks the TrainPlan inside a plan; the caller frees *out.
 * INVALID_ARGUMENT. */
PL_STATUS pl_train_body(const Parley__V1__Plan *plan, Parley__V1__TrainPlan **out);

/* A training at a recipient: what was opened so far, decoded. */
typedef struct pl_train_state {
    const Parley__V1__TrainPlan *body;
    size_t d;
    uint64_t counts[PL_TRAIN_COUNTS];
    double *mean, *deviation, *model; /* [d], [d], [d + 1] */
    double *loss, *accuracy;          /* [rounds + 1] */
    double norm;                      /* the largest of all models */
    double finals[PL_TRAIN_FINALS];   /* decoded; counts exact */
} pl_train_state;

/* pl_train_result makes the result table out of a finished training. */
PL_STATUS pl_train_result(const pl_train_state *state, Parley__V1__ResultTable **out);

#endif
