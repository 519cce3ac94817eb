#include "protocols/fed/aggregate.h"

static pl_status add_owner(pl_party *p, size_t owner, pl_kind kind, size_t n, const void *values,
                           pl_svec *sum) {
    bool is_first = sum->n_components == 0;
    pl_svec part = {0};
    pl_status status = pl_input(p, owner, kind, n, values, &part);
    if (pl_is_ok(status) && pl_party_computes(p)) {
        if (is_first)
            pl_svec_take(sum, &part);
        else
            status = pl_add(p, sum, &part, sum);
    }
    pl_svec_done(&part);
    return status;
}

pl_status pl_fed_sum(pl_party *p, const size_t *owners, size_t n_owners, pl_kind kind, size_t n,
                     const void *own_values, pl_svec *out) {
    pl_svec sum = {0};
    if (n_owners == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "a sum needs at least one owner");
    pl_status status = PL_OK;
    for (size_t j = 0; j < n_owners && pl_is_ok(status); j++)
        status = add_owner(p, owners[j], kind, n, owners[j] == pl_party_rank(p) ? own_values : NULL,
                           &sum);
    if (pl_is_ok(status) && pl_party_computes(p)) {
        pl_svec_done(out);
        pl_svec_take(out, &sum);
    }
    pl_svec_done(&sum);
    return pl_party_conclude(p, status);
}
