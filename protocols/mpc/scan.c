#include "protocols/mpc/scan.h"

#include "protocols/mpc/compare.h"

/* Rows from `distance` on take in the row so far above, unless a segment begins in between:
 *     value[i] = flag[i] ? value[i] : value[i] op value[i - distance]
 *     flag[i] = flag[i] or flag[i - distance] */
typedef struct step {
    pl_svec upper, lower; /* of value: rows 0 .., and distance .. */
    pl_svec upper_flag, lower_flag;
    pl_svec begins; /* lower_flag as numbers */
    pl_svec less;   /* whether upper is less than lower; not of sums */
    pl_svec free;   /* whether neither flag is set */
} step;

static void step_done(step *s) {
    pl_svec_done(&s->upper);
    pl_svec_done(&s->lower);
    pl_svec_done(&s->upper_flag);
    pl_svec_done(&s->lower_flag);
    pl_svec_done(&s->begins);
    pl_svec_done(&s->less);
    pl_svec_done(&s->free);
}

/* begins, less and free, in the rounds of the longest: a or b = not (not a and not b). */
static pl_status prepare(pl_party *p, pl_scan what, step *s) {
    pl_svec upper = {0}, lower = {0};
    pl_status status;
    PL_CHECK(status, pl_not(p, &s->upper_flag, &upper));
    PL_CHECK(status, pl_not(p, &s->lower_flag, &lower));
    PL_CHECK(status, pl_together_begin(p));
    status = pl_bit_to_arith(p, &s->lower_flag, PL_ARITH_64, &s->begins);
    if (pl_is_ok(status))
        status = pl_and(p, &upper, &lower, &s->free);
    if (pl_is_ok(status) && what != PL_SCAN_SUM)
        status = pl_sign(p, &s->upper, &s->lower, 64, &s->less);
    status = pl_together_end(p, status);
out:
    pl_svec_done(&upper);
    pl_svec_done(&lower);
    return status;
}

/* upper = what a lower row becomes when no segment begins in between. */
static pl_status combine(pl_party *p, pl_scan what, step *s) {
    if (what == PL_SCAN_SUM)
        return pl_add(p, &s->upper, &s->lower, &s->upper);
    if (what == PL_SCAN_MIN)
        return pl_choose(p, &s->less, &s->upper, &s->lower, &s->upper);
    return pl_choose(p, &s->less, &s->lower, &s->upper, &s->upper);
}

/* lower = begins ? lower : upper */
static pl_status keep(pl_party *p, step *s) {
    PL_TRY(pl_sub(p, &s->lower, &s->upper, &s->lower));
    PL_TRY(pl_select(p, &s->begins, &s->lower, &s->lower));
    return pl_add(p, &s->upper, &s->lower, &s->lower);
}

static pl_status take_in(pl_party *p, pl_scan what, size_t distance, pl_svec *value,
                         pl_svec *flag) {
    size_t n = value->n - distance;
    step s = {.upper = {.n = 0}};
    pl_status status;
    PL_CHECK(status, pl_slice(value, 0, n, &s.upper));
    PL_CHECK(status, pl_slice(value, distance, n, &s.lower));
    PL_CHECK(status, pl_slice(flag, 0, n, &s.upper_flag));
    PL_CHECK(status, pl_slice(flag, distance, n, &s.lower_flag));
    PL_CHECK(status, prepare(p, what, &s));
    PL_CHECK(status, combine(p, what, &s));
    PL_CHECK(status, keep(p, &s));
    PL_CHECK(status, pl_paste(value, distance, &s.lower));
    PL_CHECK(status, pl_not(p, &s.free, &s.free));
    PL_CHECK(status, pl_paste(flag, distance, &s.free));
out:
    step_done(&s);
    return status;
}

pl_status pl_segmented_scan(pl_party *p, pl_scan what, const pl_svec *x, const pl_svec *first,
                            pl_svec *out) {
    pl_svec value = {0}, flag = {0};
    pl_status status;
    if (x->kind != PL_ARITH_64 || first->kind != PL_BIT || x->n != first->n)
        return pl_fail(PL_INVALID_ARGUMENT, "a scan takes elements of ring 2^64 and as many bits");
    PL_CHECK(status, pl_svec_dup(x, &value));
    PL_CHECK(status, pl_svec_dup(first, &flag));
    for (size_t distance = 1; distance < x->n; distance *= 2)
        PL_CHECK(status, take_in(p, what, distance, &value, &flag));
    pl_svec_take(out, &value);
out:
    pl_svec_done(&value);
    pl_svec_done(&flag);
    return pl_party_conclude(p, status);
}
