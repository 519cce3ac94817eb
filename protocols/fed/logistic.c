#include "protocols/fed/logistic.h"

#include <math.h>
#include <string.h>

/* With a the whole part of the mean, sum (q - a)^2 = squares - 2 a sum + n a^2 is an exact integer,
 * and small: nothing cancels in floating point. */
void pl_moments_scale(uint64_t n, pl_s128 sum, pl_s128 squares, double middle, double half,
                      double *out_mean, double *out_deviation) {
    pl_s128 count = (pl_s128)n, a = sum / count, rest = sum - a * count;
    pl_s128 around = squares - 2 * a * sum + count * a * a;
    double part = (double)rest / (double)n, unit = ldexp(half, -PL_MOMENT_BITS);
    double variance = (double)around / (double)n - part * part;
    *out_mean = middle + unit * ((double)a + part);
    *out_deviation = variance > 0 ? unit * sqrt(variance) : 0;
}

double pl_logistic_logit(const double *w, const double *z, size_t d) {
    double logit = w[d];
    for (size_t k = 0; k < d; k++)
        logit += w[k] * z[k];
    return logit;
}

/* log(1 + e^x) without overflow. */
static double softplus(double x) {
    return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
}

void pl_logistic_score_rows(const pl_logistic_rows *rows, const double *w, pl_logistic_score *out) {
    *out = (pl_logistic_score){0};
    for (size_t i = 0; i < rows->n; i++) {
        double logit = pl_logistic_logit(w, rows->z + i * rows->d, rows->d);
        out->loss += fmin(softplus(rows->y[i] ? -logit : logit), PL_LOGISTIC_LOSS_MAX);
        out->correct += (logit > 0) == (rows->y[i] != 0);
    }
}

void pl_logistic_update(const pl_logistic_rows *rows, const double *w, double learning_rate,
                        double l2, double *out) {
    size_t d = rows->d;
    memset(out, 0, (d + 1) * sizeof *out);
    for (size_t i = 0; i < rows->n; i++) {
        const double *z = rows->z + i * d;
        double p = 1 / (1 + exp(-pl_logistic_logit(w, z, d)));
        double residual = p - (rows->y[i] ? 1 : 0);
        for (size_t k = 0; k < d; k++)
            out[k] += residual * z[k];
        out[d] += residual;
    }
    for (size_t k = 0; k < d; k++)
        out[k] = -learning_rate * (out[k] + (double)rows->n * l2 * w[k]);
    out[d] *= -learning_rate;
}

/* The Hessian is at most (mean |(z, 1)|^2) / 4 + l2 = (d + 1) / 4 + l2: up to twice its inverse a
 * gradient step moves no two models apart. */
double pl_logistic_rate_max(size_t d, double l2) {
    return 2 / (((double)d + 1) / 4 + l2);
}

/* Per round, in the Euclidean norm of d + 1 coordinates:
 *   encoding    n_owners roundings of half a unit, divided by the rows
 *   moments     z is off by at most e (1 + |z|), e = coarseness 2^-PL_MOMENT_BITS: the gradient by
 *               2 e sqrt(d) through z, and by e (d + 1) |w| / 2 through p (sigmoid' <= 1/4)
 *   doubles     (rows + d + 16) roundings of 2^-53, twice for good measure */
double pl_logistic_error(const pl_logistic_run *run) {
    double d = (double)run->d, rows = (double)run->n_rows;
    if (run->learning_rate > pl_logistic_rate_max(run->d, run->l2))
        return -1;
    double encoding = sqrt(d + 1) * (double)run->n_owners * ldexp(1, -(int)run->update_bits - 1) /
                      (rows > 0 ? rows : 1);
    double e = run->coarseness * ldexp(1, -PL_MOMENT_BITS);
    double moments = run->learning_rate * e * (2 * sqrt(d) + (d + 1) * run->norm / 2);
    double doubles = run->learning_rate * (1 + run->norm) * sqrt(d + 1) * (rows + d + 16) * 0x1p-52;
    return run->rounds * (encoding + moments + doubles);
}
