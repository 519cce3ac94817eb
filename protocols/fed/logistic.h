/* Logistic regression at one owner, in the clear: no parties, no shares. */
#ifndef PL_FED_LOGISTIC_H
#define PL_FED_LOGISTIC_H

#include "protocols/ring/ring.h"

__extension__ typedef __int128 pl_s128;

/* A feature before standardising is an integer q: its value in units of 2^-PL_MOMENT_BITS of half
 * its declared range, counted from the middle. Sums of q and of q^2 are exact in Z_2^128. */
#define PL_MOMENT_BITS 40

/* pl_moments_scale gives mean and standard deviation (of the population) from n > 0, the sum and
 * the sum of squares of q, back in the feature's own unit. A feature that never varies has
 * out_deviation 0. */
void pl_moments_scale(uint64_t n, pl_s128 sum, pl_s128 squares, double middle, double half,
                      double *out_mean, double *out_deviation);

typedef struct pl_logistic_rows {
    const double *z;  /* [n * d], row after row, standardised */
    const uint8_t *y; /* [n], 0 or 1 */
    size_t n, d;
} pl_logistic_rows;

#define PL_LOGISTIC_LOSS_MAX 64.0 /* a row counts with no more: sums stay in range */

typedef struct pl_logistic_score {
    double loss;      /* sum of -log of the probability given to the true label */
    uint64_t correct; /* rows on the right side of 1/2 */
} pl_logistic_score;

/* pl_logistic_logit is w . z + intercept. Shape: w [d + 1], the intercept last; z [d]. */
double pl_logistic_logit(const double *w, const double *z, size_t d);

/* pl_logistic_score_rows adds up loss and right answers of the model over all rows. */
void pl_logistic_score_rows(const pl_logistic_rows *rows, const double *w, pl_logistic_score *out);

/* pl_logistic_update is n times one full-batch gradient step with L2 penalty l2 / 2 |w|^2 (not on
 * the intercept), summed over the rows.
 * Shape:   w, out [d + 1]. Cost: O(n d). Secret: rows, out. */
void pl_logistic_update(const pl_logistic_rows *rows, const double *w, double learning_rate,
                        double l2, double *out);

/* What the error of a trained model follows from; all of it is public to those who hold the model.
 */
typedef struct pl_logistic_run {
    size_t d, n_owners;
    uint64_t n_rows;
    uint32_t rounds;
    double learning_rate, l2;
    unsigned update_bits;
    double coarseness; /* largest over features: magnitude of the declared range over deviation */
    double norm;       /* largest Euclidean norm of a model on the way */
} pl_logistic_run;

/* pl_logistic_error bounds the Euclidean distance between the trained model and the one that the
 * same algorithm gives on the pooled rows in real numbers; a negative answer: no bound is known,
 * because the learning rate is above pl_logistic_rate_max. */
double pl_logistic_error(const pl_logistic_run *run);
double pl_logistic_rate_max(size_t d, double l2);

#endif
