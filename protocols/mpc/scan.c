#include "protocols/mpc/scan.h"

#include "protocols/mpc/compare.h"

/* Rows from `distance` on take in the row so far above, unless a segment begins in between:
 *     value[i] = flag[i] ? value[i] : value[i] op value[i - distance]
 *     flag[i] = flag[i] or flag[i - distance] */
typedef struct step {
    pl_svec upper, lower; /* of value: rows 0 .., and distance .. */
    pl_svec upper_flag, lower_flag;
} step;

static void step_done(step *s) {
    pl_svec_done(&s->upper);
    pl_svec_done(&s->lower);
    pl_svec_done(&s->upper_flag);
    pl_svec_done(&s->lower_flag);
}

/* upper = what a lower row becomes when no segment begins in between. */
static pl_status combine(pl_party *p, pl_scan what, step *s) {
    pl_svec less = {0};
    pl_status status;
    if (what == PL_SCAN_SUM)
        return pl_add(p, &s->upper, &s->lower, &s->upper);
    PL_CHECK(status, pl_sign(p, &s->upper, &s->lower, 64, &less));
    if (what == PL_SCAN_MIN)
        PL_CHECK(status, pl_choose(p, &less, &s->upper, &s->lower, &s->upper));
    else
        PL_CHECK(status, pl_choose(p, &less, &s->lower, &s->upper, &s->upper));
out:
    pl_svec_done(&less);
    return status;
}

/* a or b = not (not a and not b) */
static pl_status either(pl_party *p, pl_svec *a, pl_svec *b, pl_svec *out) {
    PL_TRY(pl_not(p, a, a));
    PL_TRY(pl_not(p, b, b));
    PL_TRY(pl_and(p, a, b, out));
    return pl_not(p, out, out);
}

static pl_status take_in(pl_party *p, pl_scan what, size_t distance, pl_svec *value,
                         pl_svec *flag) {
    size_t n = value->n - distance;
    step s = {0};
    pl_status status;
    PL_CHECK(status, pl_slice(value, 0, n, &s.upper));
    PL_CHECK(status, pl_slice(value, distance, n, &s.lower));
    PL_CHECK(status, pl_slice(flag, 0, n, &s.upper_flag));
    PL_CHECK(status, pl_slice(flag, distance, n, &s.lower_flag));
    PL_CHECK(status, combine(p, what, &s));
    PL_CHECK(status, pl_choose(p, &s.lower_flag, &s.lower, &s.upper, &s.lower));
    PL_CHECK(status, pl_paste(value, distance, &s.lower));
    PL_CHECK(status, either(p, &s.upper_flag, &s.lower_flag, &s.lower_flag));
    PL_CHECK(status, pl_paste(flag, distance, &s.lower_flag));
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
    return status;
}
