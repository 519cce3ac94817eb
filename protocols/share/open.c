/* Opening: the one place where a shared value becomes known to somebody. */
#include "protocols/share/scheme.h"

static pl_status check_opening(const pl_party *p, const pl_svec *x, pl_kind kind, size_t n,
                               uint64_t recipients, const void *out_values) {
    if (recipients == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "no recipient is named");
    if (p->n_parties < PL_PARTIES_MAX && recipients >> p->n_parties != 0)
        return pl_fail(PL_INVALID_ARGUMENT, "a recipient is named that is not in the session");
    if (!pl_kind_is_valid(kind))
        return pl_fail(PL_INVALID_ARGUMENT, "there is no ring %d", (int)kind);
    if (n > PL_ELEMENTS_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "%zu elements are too many", n);
    if (pl_recipients_has(recipients, p->rank) && out_values == NULL && n != 0)
        return pl_fail(PL_INVALID_ARGUMENT, "recipient %zu gives no memory for the values",
                       p->rank);
    if (!pl_party_computes(p))
        return PL_OK;
    if (x == NULL || x->n != n || x->kind != kind || x->n_components != p->scheme->n_components)
        return pl_fail(PL_INVALID_ARGUMENT, "the vector is not %zu elements of %s", n,
                       pl_kind_name(kind));
    return PL_OK;
}

static pl_status open_checked(pl_party *p, const pl_svec *x, pl_kind kind, size_t n,
                              uint64_t recipients, void *out_values) {
    if (p->scheme->check != NULL && pl_party_computes(p))
        PL_TRY(p->scheme->check(p));
    bool receives = pl_recipients_has(recipients, p->rank);
    if (!receives && !pl_party_computes(p))
        return PL_OK;
    return p->scheme->open(p, x, kind, n, recipients, receives ? out_values : NULL);
}

pl_status pl_open(pl_party *p, const pl_svec *x, pl_kind kind, size_t n, uint64_t recipients,
                  const char *reason, void *out_values) {
    if (reason == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot open a vector: no reason is given");
    PL_TRY(pl_wrap(pl_step_refuse(p, "open a vector"), "cannot open %s", reason));
    PL_TRY(pl_wrap(check_opening(p, x, kind, n, recipients, out_values), "cannot open %s", reason));
    pl_status status = open_checked(p, x, kind, n, recipients, out_values);
    return pl_party_settle(p, pl_wrap(status, "cannot open %s", reason));
}
