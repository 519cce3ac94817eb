#include "protocols/bench/op.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define PIECE ((size_t)65536) /* elements opened at a time */
#define PLACES 16

size_t pl_trial_n_results(const pl_op *op) {
    return op->sends_only ? 0 : op->n_results == 0 ? 1 : op->n_results;
}

static size_t length_of(const pl_trial *b) {
    return b->op->length != NULL ? b->op->length(b) : b->n;
}

pl_status pl_trial_positions(const pl_trial *b, size_t n_max, size_t **out, size_t *out_n) {
    size_t length = length_of(b), n = length;
    size_t *positions;
    if (b->op->n_checked_max != 0 && n > b->op->n_checked_max)
        n = b->op->n_checked_max;
    if (n_max != 0 && n > n_max)
        n = n_max;
    if (b->op->sends_only)
        n = 0;
    PL_TRY(pl_alloc(n, sizeof *positions, &positions));
    for (size_t i = 0; i < n; i++)
        positions[i] = (size_t)((pl_u128)i * length / n);
    *out = positions;
    *out_n = n;
    return PL_OK;
}

static uint64_t get(pl_kind kind, const void *data, size_t i) {
    return kind == PL_ARITH_32 ? ((const uint32_t *)data)[i]
           : kind == PL_BIT    ? ((const uint64_t *)data)[i / 64] >> i % 64 & 1
                               : ((const uint64_t *)data)[i];
}

static bool is_right(const pl_trial *b, size_t which, size_t i, uint64_t value) {
    if (b->op->fits != NULL)
        return b->op->fits(b, which, i, value);
    if (b->op->expected != NULL)
        return value == b->op->expected(b, i);
    long double want = b->op->number(b, i), got = ldexpl((long double)(int64_t)value, -PLACES);
    return fabsl(got - want) <= ldexpl(3, -PLACES) + ldexpl(fabsl(want), -24);
}

/* The kind of the results is known to compute parties by their vectors; the others know it from the
 * operation: of the kind of the first input, bits, or ring 2^64. */
static pl_status check_piece(pl_trial *b, size_t which, pl_kind kind, const size_t *positions,
                             size_t n, uint64_t recipients, const char *reason) {
    pl_svec part = {0};
    uint64_t *values;
    bool computes = pl_party_computes(b->p), receives = (recipients >> b->rank & 1) != 0;
    PL_TRY(pl_alloc(n, sizeof *values, &values));
    pl_status status = PL_OK;
    if (computes)
        PL_CHECK(status, pl_gather(&b->v[b->op->result + which], positions, n, &part));
    PL_CHECK(status, pl_open(b->p, computes ? &part : NULL, kind, n, recipients, reason, values));
    for (size_t i = 0; i < n && receives; i++) {
        if (!is_right(b, which, positions[i], get(kind, values, i)))
            PL_CHECK(status, pl_fail(PL_INTERNAL, "element %zu of the result of %s is wrong",
                                     positions[i], b->op->name));
    }
out:
    free(values);
    pl_svec_done(&part);
    return status;
}

pl_status pl_trial_check(pl_trial *b, const size_t *positions, size_t n_positions,
                         uint64_t recipients, const char *reason) {
    pl_kind kind = b->op->result_kind(b);
    if ((recipients >> b->rank & 1) != 0 && b->op->refer != NULL && b->reference == NULL)
        PL_TRY(b->op->refer(b));
    for (size_t which = 0; which < pl_trial_n_results(b->op); which++) {
        for (size_t at = 0; at < n_positions; at += PIECE)
            PL_TRY(check_piece(b, which, kind, positions + at,
                               n_positions - at < PIECE ? n_positions - at : PIECE, recipients,
                               reason));
    }
    return PL_OK;
}

void pl_trial_done(pl_trial *b) {
    for (size_t i = 0; i < PL_TRIAL_VECTORS; i++)
        pl_svec_done(&b->v[i]);
    free(b->reference);
    b->reference = NULL;
}
