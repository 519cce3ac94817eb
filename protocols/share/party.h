/* Party: one member of a session, with its mesh, the sharing scheme and its keys. A party may be a
 * compute party, an owner of inputs, a recipient of results, or several of these; what it is
 * follows from its rank.
 *
 * Collective operations are called by the parties concerned in the same order with the same public
 * arguments. pl_party_new, pl_input and pl_open concern every party of the mesh; everything else
 * (here, in linear.h and in protocols/mpc) concerns compute parties only, the others skip it.
 *
 * Errors of every collective operation: INVALID_ARGUMENT is found before anything is sent, and the
 * session lives. After any other failure (PEER_LOST, TIMEOUT, PROTOCOL, LIMIT) the session is dead
 * and every later operation returns that failure. A live out of the right shape is written over as
 * the result is made, to save fresh memory: after a failure it means nothing.
 *
 * A compute party may have several lanes: threads with links and keys of their own. Operations that
 * go element by element share long vectors among them; inputs, openings and shuffles, and vectors
 * of fewer than 2 PL_LANE_ELEMENTS, go by lane 0, which is the calling thread over the party's own
 * mesh. Cost in this header is that of one lane; with several, bytes are the sum over them, and
 * rounds those of the lane that has most. */
#ifndef PL_SHARE_PARTY_H
#define PL_SHARE_PARTY_H

#include "protocols/net/mesh.h"
#include "protocols/share/linear.h"
#include "protocols/share/svec.h"

typedef struct pl_party pl_party;
typedef struct pl_scheme pl_scheme; /* scheme.h */

#define PL_PARTIES_MAX 64 /* recipients are a mask of ranks */

#define PL_LANES_MAX 8
#define PL_LANE_ELEMENTS ((size_t)4096) /* vectors are cut at multiples of so many */

/* What the links between compute parties are like: with it operations choose between few bytes and
 * few rounds. Public, and the same at all parties, since the choice is part of the protocol. The
 * rate is that between two parties, whatever the number of lanes: lanes that are at work together
 * choose by their share of it. */
typedef struct pl_net {
    double round_trip_us, bytes_per_second;
} pl_net;
#define PL_NET_DEFAULT ((pl_net){60, 5e8}) /* three processes of one machine */

/* Who runs the threads of the lanes, where they cannot be made when the party is (a sandbox forbids
 * it by then). start runs body(arg) in thread `number`, from 1 to n_lanes - 1, each once; join
 * waits until body has returned. Errors of start: LIMIT. */
typedef struct pl_lane_threads {
    pl_status (*start)(void *ctx, size_t number, void *(*body)(void *arg), void *arg);
    void (*join)(void *ctx, size_t number);
    void *ctx;
} pl_lane_threads;

typedef struct pl_party_params {
    pl_mesh *mesh;         /* borrowed until pl_party_free */
    const char *scheme;    /* "rep3" or "plain" */
    const size_t *compute; /* ranks of the compute parties, distinct, in the order that all parties
                              agree on */
    size_t n_compute;      /* rep3: 3, plain: 1 */
    pl_net net;            /* {0}: PL_NET_DEFAULT */
    uint8_t seed[32];      /* fresh entropy of this party, used for nothing else */
    pl_mesh *const *lanes; /* [n_lanes - 1] meshes of lanes 1, 2, ..., of the same rank and parties;
                              borrowed as mesh is. Used by compute parties only */
    size_t n_lanes;        /* the same at all compute parties; 0: 1 */
    const pl_lane_threads *threads; /* borrowed until pl_party_free; NULL: pthread_create */
} pl_party_params;

/* pl_party_new agrees on the pairwise keys over the mesh, and on others over that of each lane.
 * Cost:    1 round among compute parties; 64 bytes to each, a lane.
 * Errors:  INVALID_ARGUMENT (compute set, lanes), UNSUPPORTED (scheme), LIMIT (no thread for a
 * lane), those of the mesh. */
PL_STATUS pl_party_new(const pl_party_params *params, pl_party **out);
void pl_party_free(
    pl_party *p); /* wipes the keys, ends the lanes; meshes stay; an open step is dropped */

bool pl_party_computes(const pl_party *p);
/* A party of pl_cost_party_new: nothing is computed, and what it opens means nothing. */
bool pl_party_counts(const pl_party *p);
size_t pl_party_rank(const pl_party *p);
size_t pl_party_n_parties(const pl_party *p);
pl_mesh *pl_party_mesh(const pl_party *p);
const pl_scheme *pl_party_scheme(const pl_party *p);
const char *pl_party_scheme_name(const pl_party *p);
pl_net pl_party_net(const pl_party *p);
uint64_t pl_party_compute_mask(const pl_party *p); /* bit r: rank r computes */
size_t pl_party_n_components(const pl_party *p);   /* of its sharings */
size_t pl_party_n_lanes(const pl_party *p);

/* pl_party_counters: bytes over all lanes; rounds as above. */
pl_counters pl_party_counters(const pl_party *p);

/* pl_party_each_lane runs body on every lane at once and waits for all: for what goes over the
 * links and is none of the operations (benches). A failure is that of an operation. */
typedef pl_status (*pl_lane_body)(pl_party *lane, size_t number, void *ctx);
PL_STATUS pl_party_each_lane(pl_party *p, pl_lane_body body, void *ctx);

/* pl_party_conclude returns the status of an operation that is made of several: a failure other
 * than INVALID_ARGUMENT ends the session, because the other parties may have gone on. */
PL_STATUS pl_party_conclude(pl_party *p, pl_status status);

/* Together: operations that do not need each other's results share their rounds.
 *     PL_TRY(pl_together_begin(p));
 *     pl_status status = pl_mul(p, &a, &b, &product);
 *     if (pl_is_ok(status))
 *         status = pl_bit_to_arith(p, &bits, PL_ARITH_64, &numbers);
 *     return pl_together_end(p, status);
 * Between begin and end the operations from pl_mul to pl_less_rows below are checked and noted, no
 * more: their results have memory at once and values after end, which runs them side by side;
 * inputs (public positions too) are borrowed until then. end takes the status of what stands
 * between: if that is a failure nothing is run or sent, and it is returned. After a failure results
 * are vectors without meaning. One step at a time, of at most PL_TOGETHER_MAX operations.
 * Cost:    the bytes of all, the rounds of the one that has most (pl_cost_together); memory for the
 *          blocks in flight of all.
 * Errors:  INVALID_ARGUMENT for what does not fit into a step: an operation that takes a result of
 *          the same step, or whose out is an operand of it; pl_input, pl_open, pl_shuffle, and the
 *          local operations of linear.h, which belong before or after it. Such a step only ends. */
#define PL_TOGETHER_MAX 64
PL_STATUS pl_together_begin(pl_party *p);
PL_STATUS pl_together_end(pl_party *p, pl_status status);

/* pl_input shares the owner's vector among the compute parties.
 * Shape:   values: n elements of kind at the owner, NULL elsewhere. out [n] at compute parties;
 * untouched, and may be NULL, at the others. Cost:    pl_cost_input. Secret:  values, out. Public:
 * owner_rank, kind, n. Errors:  PROTOCOL (the copies that the owner gave to different compute
 * parties differ; the owner's rank is named). */
PL_STATUS pl_input(pl_party *p, size_t owner_rank, pl_kind kind, size_t n, const void *values,
                   pl_svec *out);

/* pl_mul multiplies element by element in the ring of the kind (bits and words: AND).
 * Shape:   x, y, out [n], of one kind; out may be x or y, which saves memory: the product is
 * written over it as it is made. A live out of the same shape that is neither is reused. Cost:
 * pl_cost_mul: 1 round, one element sent per element and party. Secret: x, y, out. Public:  n.
 * Source: Araki et al. 2016, section 2.2. */
PL_STATUS pl_mul(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out);
PL_STATUS pl_and(pl_party *p, const pl_svec *x, const pl_svec *y,
                 pl_svec *out); /* bits and words only */

/* pl_mul_fixed multiplies fixed-point numbers with frac_bits binary places: floor(x y /
 * 2^frac_bits), exactly. pl_truncate: floor(x / 2^frac_bits). Shape:   x, y, out PL_ARITH_64 [n];
 * out may be an input; frac_bits 1 to 32. Requires |x y| < 2^62
 * (|x| < 2^62) as integers; outside of it the result is wrong, and nobody can notice.
 * Cost:    pl_cost_mul_fixed: 20.7 bytes an element and frac_bits + 4 rounds at 20 bits. Secret: x,
 * y, out. Public: n, frac_bits. */
PL_STATUS pl_mul_fixed(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned frac_bits,
                       pl_svec *out);
PL_STATUS pl_truncate(pl_party *p, const pl_svec *x, unsigned frac_bits, pl_svec *out);

/* pl_mul_fixed_probabilistic and pl_truncate_probabilistic are the same, rounded at random: where
 * x y / 2^frac_bits is a whole number they give it, else one of its two neighbours, the upper one
 * with a probability that is the fraction (plain: always the lower one); never anything further
 * away. For half the bytes, and few rounds. Only on request, never in place of the exact ones,
 * because of what it lets out: which neighbour it is depends on the low bits of shares that
 * compute parties hold. A result that is opened to one of them, or anything made of it, tells it
 * more about the number that was truncated than the result does: something about the frac_bits
 * below its last place. As long as results stay shared, nothing is let out. Shape, range: as of
 * pl_mul_fixed. Cost: pl_cost_mul_fixed_probabilistic: 12 bytes an element, 3 rounds. Secret: x, y,
 * out. Public: n, frac_bits. Source: share/rep3/truncate_near.c; on what is let out Li et al. 2023,
 * "Efficient 3PC for Binary Circuits with Application to Maliciously-Secure DNN Inference". */
PL_STATUS pl_mul_fixed_probabilistic(pl_party *p, const pl_svec *x, const pl_svec *y,
                                     unsigned frac_bits, pl_svec *out);
PL_STATUS pl_truncate_probabilistic(pl_party *p, const pl_svec *x, unsigned frac_bits,
                                    pl_svec *out);

/* pl_matmul is the matrix product out = x y, rows one after the other; frac_bits 0: no truncation,
 * else every sum of products is truncated as in pl_mul_fixed (once, so it is exact).
 * Shape:   x PL_ARITH_64 [m k], y [k n], out [m n]. Requires |sums| < 2^62 when truncated.
 * Cost:    that of pl_mul or pl_mul_fixed for m n elements: the inner length is free.
 * Secret:  x, y, out. Public: the shape. */
typedef struct pl_matmul_shape {
    size_t m, k, n;
    unsigned frac_bits;
} pl_matmul_shape;
PL_STATUS pl_matmul(pl_party *p, const pl_svec *x, const pl_svec *y, const pl_matmul_shape *shape,
                    pl_svec *out);

/* Conversions and comparisons, as the scheme has them. mpc/ makes nicer ones of these.
 *
 * pl_sign: the sign of x - y (y NULL: of x), a bit per element. The values are signed integers of
 * `bits` bits, 1 to the width of the ring, and so is x - y, or it is wrong. Shape: of an arithmetic
 * kind [n] -> PL_BIT [n]. pl_zero: whether x = y (y NULL: 0), in the whole ring. PL_ARITH_64 or
 * _128 [n] -> PL_BIT [n].
 * pl_words: the low `bits` bits of x as words. PL_ARITH_64 [n] -> PL_BOOL_64 [n].
 * pl_number: words as numbers. PL_BOOL_64 [n] -> PL_ARITH_64 [n].
 * pl_bit_to_arith: 0 or 1 in the ring of kind. PL_BIT [n] -> kind [n].
 * Cost: pl_cost_sign, _zero, _words, _number, _bit_to_arith. Secret: all values. Public: n, bits.
 */
PL_STATUS pl_sign(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits, pl_svec *out);
PL_STATUS pl_zero(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out);
PL_STATUS pl_words(pl_party *p, const pl_svec *x, unsigned bits, pl_svec *out);
PL_STATUS pl_number(pl_party *p, const pl_svec *x, pl_svec *out);
PL_STATUS pl_bit_to_arith(pl_party *p, const pl_svec *bits, pl_kind kind, pl_svec *out);

/* pl_less_rows compares rows of unsigned numbers: bit i is 1 where row left[i] is less than row
 * right[i]. A row is one word of every column, the first column lowest; together `bits` bits of
 * them count, and all columns but the last are full. Shape:   columns PL_BOOL_64 [rows], and
 * right_columns of another number of rows (NULL: the same columns); left, right [n] (public
 * positions; left NULL: the rows from left_begin on) -> out PL_BIT [n]. Cost:    pl_cost_less_rows.
 */
#define PL_ROW_COLUMNS_MAX 3
typedef struct pl_row_pairs {
    const pl_svec *const *columns, *const *right_columns;
    size_t n_columns;
    unsigned bits;
    const uint32_t *left, *right;
    size_t left_begin, n;
} pl_row_pairs;
PL_STATUS pl_less_rows(pl_party *p, const pl_row_pairs *pairs, pl_svec *out);

/* pl_shuffle puts the rows of a table in an order that is uniformly random and that no party knows;
 * the columns keep together.
 * Shape:   columns [n], n < 2^32, in place, of any kinds but PL_BIT. Cost: pl_cost_shuffle: 3
 * rounds. Source:  Laur, Willemson, Zhang 2011, "Round-Efficient Oblivious Database Manipulation",
 * with the resharing of Asharov et al. 2022, "Efficient Secure Three-Party Sorting". */
PL_STATUS pl_shuffle(pl_party *p, pl_svec *const *columns, size_t n_columns);

/* pl_open reveals a vector to the named recipients and to nobody else. It is the only way a value
 * leaves the sharing; the reason is what the charter calls this opening, and stands in every error.
 * Shape:   x [n] of kind at compute parties (NULL elsewhere); out_values: n elements of kind at
 * recipients (ignored elsewhere). Cost:    pl_cost_open. Secret:  x, except to recipients. Public:
 * kind, n, recipients (bit r: rank r), reason. Errors:  PROTOCOL (copies of a component from two
 * compute parties differ). out_values is written only on success. */
PL_STATUS pl_open(pl_party *p, const pl_svec *x, pl_kind kind, size_t n, uint64_t recipients,
                  const char *reason, void *out_values);

#endif
