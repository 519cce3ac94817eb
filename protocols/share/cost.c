#include "protocols/share/cost.h"

#include "protocols/share/digest.h"

static uint64_t bytes_of(pl_kind kind, size_t n) {
    return (uint64_t)n * pl_kind_bytes(kind);
}

/* Rounds that carry nothing for an empty vector are not rounds. */
static pl_cost cost_of(uint64_t rounds, uint64_t bytes, size_t n) {
    return n == 0 ? (pl_cost){0} : (pl_cost){rounds, bytes};
}

pl_cost pl_cost_add(pl_cost a, pl_cost b) {
    return (pl_cost){a.rounds + b.rounds, a.bytes_sent_max + b.bytes_sent_max};
}

pl_cost pl_cost_setup(void) {
    return (pl_cost){1, UINT64_C(2) * 2 * 32}; /* two contributions to two peers */
}

pl_cost pl_cost_input(pl_kind kind, size_t n, bool owner_computes) {
    if (owner_computes)
        return cost_of(1, bytes_of(kind, n), n);
    return (pl_cost){2, bytes_of(kind, n) + UINT64_C(2) * PL_DIGEST_BYTES};
}

pl_cost pl_cost_mul(pl_kind kind, size_t n) {
    return cost_of(1, bytes_of(kind, n), n);
}

/* One resharing; then of the adder: the first carries, five levels of two ANDs, the last of one. */
pl_cost pl_cost_a2b(size_t n) {
    return cost_of(1 + 1 + 5 + 1, bytes_of(PL_BOOL_64, n) * (1 + 1 + 5 * 2 + 1), n);
}

pl_cost pl_cost_bit_to_arith(pl_kind kind, size_t n) {
    return cost_of(2, 2 * bytes_of(kind, n), n);
}

pl_cost pl_cost_less_than_public(pl_kind out_kind, size_t n) {
    pl_cost cost = pl_cost_a2b(n);
    return out_kind == PL_BOOL_64 ? cost : pl_cost_add(cost, pl_cost_bit_to_arith(out_kind, n));
}

pl_cost pl_cost_open(pl_kind kind, size_t n, size_t n_recipients_inside,
                     size_t n_recipients_outside) {
    uint64_t full =
        bytes_of(kind, n) + PL_DIGEST_BYTES; /* one component, the digest of the other */
    uint64_t digests = UINT64_C(2) * PL_DIGEST_BYTES;
    uint64_t inside = 0;
    if (n_recipients_inside ==
        1) /* the party before the recipient sends full, the one after it digests */
        inside = full > digests ? full : digests;
    if (n_recipients_inside >= 2) /* somebody stands before one and after another */
        inside = full + digests;
    return (pl_cost){1, n_recipients_outside * full + inside};
}
