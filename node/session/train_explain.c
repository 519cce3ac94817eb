/* A training's plan in words: for the scientist's --explain and for the approver who must decide.
 */
#include "node/session/train.h"
#include "protocols/fed/auc.h"
#include "protocols/fed/logistic.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

typedef Parley__V1__Plan plan_t;
typedef Parley__V1__TrainPlan train_t;

static void print_list(char *const *list, size_t n, pl_buf *out) {
    for (size_t i = 0; i < n; i++)
        pl_buf_printf(out, "%s%s", i == 0 ? "" : i + 1 == n ? " and " : ", ", list[i]);
}

static void print_parties(const plan_t *plan, pl_buf *out) {
    pl_buf_printf(out, "\nParties\n  data owners      ");
    print_list(plan->owners, plan->n_owners, out);
    pl_buf_printf(out, "\n  compute parties  ");
    print_list(plan->compute, plan->n_compute, out);
    pl_buf_printf(out, "\n  recipients       ");
    print_list(plan->recipients, plan->n_recipients, out);
    pl_buf_printf(out, " (every owner trains on from the model of each round)\n");
}

static void print_rows(const train_t *t, pl_buf *out) {
    pl_buf_printf(out,
                  "\nSteps\n  1. Each owner reads its own rows in a child without network, which "
                  "keeps them while the session\n     lives. Rows with NULL in a column named here "
                  "take no part. Held out, by a hash of %s and the\n     salt \"%s\": %g %% of the "
                  "rows.\n",
                  t->key, t->salt, t->holdout_ppm / 1e4);
    if (t->cohort > 0)
        pl_buf_printf(out,
                      "  2. On shares, the cohort rule is decided (k = %u): for every owner, the "
                      "others' rows for training\n     and held out, with either label, must be 0 "
                      "or at least %u. If not, nothing more is opened.\n",
                      t->cohort, t->cohort);
    else
        pl_buf_printf(out, "  2. No owner asks for a cohort.\n");
    pl_buf_printf(out, "  3. Mean and deviation of each feature come from shared sums over all "
                       "training rows.\n");
}

static void print_rounds(const train_t *t, pl_buf *out) {
    pl_buf_printf(out,
                  "  4. %u rounds: every owner takes one full-batch gradient step from the common "
                  "model\n     (learning rate %g, L2 %g), shares it weighted by its rows, in fixed "
                  "point (%u bits of fraction);\n     the compute parties add up; the sum alone is "
                  "opened, and the step is taken with it.\n"
                  "  5. The final model is measured on the rows held out. AUC from %zu bins of the "
                  "score, computed on\n     shares; its error is stated with it.\n",
                  t->rounds, t->learning_rate, t->l2, t->update_bits, (size_t)PL_AUC_BINS);
    if (t->learning_rate <= pl_logistic_rate_max(t->n_features, t->l2))
        pl_buf_printf(out, "     The model comes with a bound on its distance from the same "
                           "training on pooled rows.\n");
    else
        pl_buf_printf(out,
                      "     No bound on the rounding error can be given: that takes a learning "
                      "rate of at most %.3g.\n",
                      pl_logistic_rate_max(t->n_features, t->l2));
}

/* k rows of the others are k (d + 1) unknown numbers; every opened sum is an equation about them.
 */
static void print_equations(const plan_t *plan, const train_t *t, pl_buf *out) {
    uint64_t opened = 0, unknown = (uint64_t)t->cohort * (t->n_features + 1);
    for (size_t i = 0; i < plan->n_openings; i++)
        opened += plan->openings[i]->n_values;
    if (opened > unknown && t->cohort > 0)
        pl_buf_printf(out,
                      "  %" PRIu64 " numbers are opened in all, and %u rows hold %" PRIu64
                      ": the rows of a cohort as small as that could be worked\n  out from them. "
                      "Fewer rounds or a larger cohort help; certain it is only with noise.\n",
                      opened, t->cohort, unknown);
    else if (opened > unknown)
        pl_buf_printf(out,
                      "  %" PRIu64 " numbers are opened in all, and no owner asks for a cohort: "
                      "the rows of a small owner could be\n  worked out from them.\n",
                      opened);
}

static void print_disclosure(const plan_t *plan, const train_t *train, pl_buf *out) {
    pl_buf_printf(out, "\nWho learns what\n");
    for (size_t i = 0; i < plan->n_openings; i++)
        pl_buf_printf(out, "  %8" PRIu64 " value%s  %s\n", plan->openings[i]->n_values,
                      plan->openings[i]->n_values == 1 ? " " : "s", plan->openings[i]->what);
    pl_buf_printf(out, "  to: ");
    print_list(plan->recipients, plan->n_recipients, out);
    pl_buf_printf(out, ", and to nobody else.\n%s",
                  plan->n_owners == 2
                      ? "  With two owners each can subtract its own part, and so learns the sums "
                        "of the other.\n"
                      : "  An owner can subtract its own part, and so learns the sums of all "
                        "others together.\n");
    pl_buf_printf(out, "  A model of every round can tell something about single rows to those who "
                       "hold it: no noise is added.\n");
    print_equations(plan, train, out);
    pl_buf_printf(out, "  Every party learns that the job ran, this plan, the sizes above and "
                       "timing.\n");
}

static void print_trust(const plan_t *plan, pl_buf *out) {
    pl_buf_printf(out, "\nTrust\n  Protocol %s: any two of ", plan->protocol);
    print_list(plan->compute, plan->n_compute, out);
    pl_buf_printf(out, " together learn every owner's update and moments;\n  one alone learns "
                       "nothing from its shares. All are assumed to follow the protocol.\n");
}

/* ---- rights: the flows of a plan, gathered by owner and dataset ---- */

#define LINE_COLUMNS 100

static bool is_same_dataset(const Parley__V1__Flow *a, const Parley__V1__Flow *b) {
    return a->right == b->right && strcmp(a->owner, b->owner) == 0 &&
           strcmp(a->dataset, b->dataset) == 0;
}

static bool is_first_of_dataset(const plan_t *plan, size_t i) {
    for (size_t k = 0; k < i; k++)
        if (is_same_dataset(plan->flows[k], plan->flows[i]))
            return false;
    return true;
}

/* "diagnosis (label), patient (split), radius, texture": a feature needs no word. */
static void print_columns(const plan_t *plan, const Parley__V1__Flow *of, pl_buf *out) {
    bool is_first = true;
    size_t width = LINE_COLUMNS;
    for (size_t i = 0; i < plan->n_flows; i++) {
        const Parley__V1__Flow *f = plan->flows[i];
        if (!is_same_dataset(f, of))
            continue;
        bool is_feature = strcmp(f->operation, "feature") == 0;
        size_t len = strlen(f->column) + 2 + (is_feature ? 0 : strlen(f->operation) + 3);
        bool is_full = width + len > LINE_COLUMNS;
        pl_buf_printf(out, "%s%s%s", is_first ? "" : ",", is_full ? "\n      " : " ", f->column);
        if (!is_feature)
            pl_buf_printf(out, " (%s)", f->operation);
        width = (is_full ? 5 : width) + len;
        is_first = false;
    }
    pl_buf_printf(out, "\n");
}

static void print_flows(const plan_t *plan, pl_buf *out) {
    pl_buf_printf(out, "\nRights used\n");
    for (size_t i = 0; i < plan->n_flows; i++) {
        const Parley__V1__Flow *f = plan->flows[i];
        if (f->right != PARLEY__V1__RIGHT__RIGHT_TRAIN) {
            pl_buf_printf(out, "  %s: compute with %s\n", f->owner, f->operation);
        } else if (is_first_of_dataset(plan, i)) {
            pl_buf_printf(out, "  %s.%s: train on", f->owner, f->dataset);
            print_columns(plan, f, out);
        }
    }
}

pl_status pl_train_explain(const plan_t *plan, pl_buf *out) {
    train_t *train;
    PL_TRY(pl_train_body(plan, &train));
    pl_buf_printf(out, "Training  %s\n", plan->summary);
    print_parties(plan, out);
    print_rows(train, out);
    print_rounds(train, out);
    print_disclosure(plan, train, out);
    print_trust(plan, out);
    print_flows(plan, out);
    if (plan->cost != NULL)
        pl_buf_printf(out,
                      "\nCost\n  at most %" PRIu64 " rounds, %" PRIu64 " bytes per link, %" PRIu64
                      " KiB of memory\n",
                      plan->cost->rounds, plan->cost->bytes_per_link_max,
                      (plan->cost->memory_bytes + 1023) / 1024);
    parley__v1__train_plan__free_unpacked(train, NULL);
    return PL_OK;
}
