#include "protocols/mpc/convert.h"

#include "protocols/share/split.h"

/* The adder's state: g and h of the groups of bits seen so far, as 64 positions per word. */
typedef struct carries {
    pl_svec generate;  /* the group makes a carry */
    pl_svec propagate; /* the group passes a carry on */
} carries;

static void carries_done(carries *c) {
    pl_svec_done(&c->generate);
    pl_svec_done(&c->propagate);
}

/* One level: every group joins the one `distance` below it. generate := generate XOR propagate AND
 * (generate << distance) (the two cannot both be 1), propagate := propagate AND (propagate <<
 * distance), in one round. */
static pl_status join_groups(pl_party *p, carries *c, unsigned distance) {
    size_t n = c->generate.n;
    pl_svec low = {0}, low_propagate = {0}, left = {0}, right = {0}, both = {0}, carry = {0};
    pl_status status;
    PL_CHECK(status, pl_shl(p, &c->generate, distance, &low));
    PL_CHECK(status, pl_shl(p, &c->propagate, distance, &low_propagate));
    PL_CHECK(status, pl_concat((const pl_svec *[]){&c->propagate, &c->propagate}, 2, &left));
    PL_CHECK(status, pl_concat((const pl_svec *[]){&low, &low_propagate}, 2, &right));
    PL_CHECK(status, pl_and(p, &left, &right, &both));
    PL_CHECK(status, pl_slice(&both, 0, n, &carry));
    PL_CHECK(status, pl_xor(p, &c->generate, &carry, &c->generate));
    PL_CHECK(status, pl_slice(&both, n, n, &c->propagate));
out:
    pl_svec_done(&low);
    pl_svec_done(&low_propagate);
    pl_svec_done(&left);
    pl_svec_done(&right);
    pl_svec_done(&both);
    pl_svec_done(&carry);
    return status;
}

/* The last level needs no propagate any more. */
static pl_status join_last(pl_party *p, carries *c, unsigned distance) {
    pl_svec low = {0};
    pl_status status;
    PL_CHECK(status, pl_shl(p, &c->generate, distance, &low));
    PL_CHECK(status, pl_and(p, &c->propagate, &low, &low));
    PL_CHECK(status, pl_xor(p, &c->generate, &low, &c->generate));
out:
    pl_svec_done(&low);
    return status;
}

/* out = u + v mod 2^64 in every word. Kogge and Stone 1973, "A Parallel Algorithm for the Efficient
 * Solution of a General Class of Recurrence Equations": seven rounds. */
static pl_status add_words(pl_party *p, const pl_svec *u, const pl_svec *v, pl_svec *out) {
    carries c = {0};
    pl_svec half_sum = {0};
    pl_status status;
    PL_CHECK(status, pl_and(p, u, v, &c.generate));
    PL_CHECK(status, pl_xor(p, u, v, &half_sum));
    PL_CHECK(status, pl_svec_dup(&half_sum, &c.propagate));
    for (unsigned distance = 1; distance < 32; distance *= 2)
        PL_CHECK(status, join_groups(p, &c, distance));
    PL_CHECK(status, join_last(p, &c, 32));
    PL_CHECK(status, pl_shl(p, &c.generate, 1, &c.generate));
    PL_CHECK(status, pl_xor(p, &half_sum, &c.generate, out));
out:
    carries_done(&c);
    pl_svec_done(&half_sum);
    return status;
}

pl_status pl_a2b(pl_party *p, const pl_svec *x, pl_svec *out) {
    pl_svec u = {0}, v = {0};
    pl_status status;
    PL_CHECK(status, pl_split_sum(p, x, &u, &v));
    PL_CHECK(status, add_words(p, &u, &v, out));
out:
    pl_svec_done(&u);
    pl_svec_done(&v);
    return status;
}

/* u XOR v = u + v - 2 u v for bits. */
pl_status pl_bit_to_arith(pl_party *p, const pl_svec *bits, pl_kind kind, pl_svec *out) {
    pl_svec u = {0}, v = {0}, product = {0};
    pl_status status;
    PL_CHECK(status, pl_split_xor(p, bits, kind, &u, &v));
    PL_CHECK(status, pl_mul(p, &u, &v, &product));
    PL_CHECK(status, pl_add(p, &product, &product, &product));
    PL_CHECK(status, pl_add(p, &u, &v, &u));
    PL_CHECK(status, pl_sub(p, &u, &product, out));
out:
    pl_svec_done(&u);
    pl_svec_done(&v);
    pl_svec_done(&product);
    return status;
}
