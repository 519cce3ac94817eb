/* rep3: replicated sharing among three parties, one of which may be curious. Private to the folder.
 *
 * x = x_0 + x_1 + x_2 in the ring of the kind. P_i holds component[0] = x_i and component[1] =
 * x_{i+1}; so x_i is held by P_i and P_{i-1}. The key k_i is shared by the same two: P_i holds k_i
 * and k_{i+1}. Indices are modulo 3.
 *
 * Many operations need one party that knows two summands (the dealer P_d) and two that know the
 * third. So that all three send alike, every block of a vector is cut in thirds, and P_d deals
 * third d. The part a party has in third d is its role: 0 for P_d, 1 for P_{d+1}, 2 for P_{d+2}.
 *
 * Source: Araki, Furukawa, Lindell, Nof, Ohara 2016, "High-Throughput Semi-Honest Secure
 * Three-Party Computation". */
#ifndef PL_SHARE_REP3_REP3_H
#define PL_SHARE_REP3_REP3_H

#include "protocols/ring/kernels.h"
#include "protocols/share/rep3/carry.h"
#include "protocols/share/scheme.h"

/* Work is cut in chunks that stay in cache; so many bytes may wait for the network before a chunk
 * is made. Masks are made tile by tile. */
#define PL_REP3_CHUNK_BYTES ((size_t)128 * 1024)
#define PL_REP3_BACKLOG_BYTES (8 * PL_REP3_CHUNK_BYTES)
#define PL_TILE_WORDS ((size_t)512)

/* One stream per key and purpose; both holders of a key read each stream in step. */
typedef enum pl_rep3_stream {
    PL_STREAM_MASK,    /* zero sharings: all three parties */
    PL_STREAM_INPUT,   /* components of inputs that nobody has to send */
    PL_STREAM_DEAL,    /* masks of dealt bits */
    PL_STREAM_BIT,     /* bits to arithmetic: the mask of the dealer's bit */
    PL_STREAM_LEFT,    /* ... and the fresh component that the dealer has in common with P_{d+2}; of
                          probabilistic truncation, the mask of its part of the wrap */
    PL_STREAM_RIGHT,   /* ... and with P_{d+1} */
    PL_STREAM_SHIFTED, /* truncation: the mask of the shifted addend */
    PL_STREAM_WRAP,    /* ... and of its sign */
    PL_STREAM_LOW,     /* words to arithmetic: the components that the dealer knows */
    PL_STREAM_HIGH,
    PL_STREAM_ORDER,   /* shuffle: permutations */
    PL_STREAM_SHUFFLE, /* ... and masks */
    PL_STREAM_FRESH,   /* ... and the component nobody sends */
    PL_STREAM_COUNT
} pl_rep3_stream;

typedef struct pl_task pl_task; /* flow.c */

typedef struct pl_rep3 {
    pl_prg *stream[PL_STREAM_COUNT][2]; /* of k_i and k_{i+1} */
    pl_prg *open;                       /* of the key of all three: fresh sharings when opening */
    uint64_t *tile[2];                  /* [PL_TILE_WORDS] masks */
    void *scratch[2];                   /* [PL_REP3_CHUNK_BYTES] each */
    pl_task *tasks, *last_task;         /* submitted and not run: a list */
} pl_rep3;

/* The ranks of the party before and after this one. */
size_t pl_rep3_prev(const pl_party *p);
size_t pl_rep3_next(const pl_party *p);

/* pl_rep3_fill writes the next len bytes of the stream of k_i (slot 0) or k_{i+1} (slot 1). */
PL_STATUS pl_rep3_fill(pl_party *p, pl_rep3_stream stream, size_t slot, void *out, size_t len);

/* pl_rep3_masks fills the two mask tiles for n elements of width bytes, at most a tile. */
PL_STATUS pl_rep3_masks(pl_party *p, size_t bytes);

/* The third of a block in which this party has the role. */
static inline size_t pl_rep3_third(const pl_party *p, size_t role) {
    return (p->index + 3 - role) % 3;
}

/* ---- the table's operations ---- */

pl_status pl_rep3_input(pl_party *p, size_t owner_rank, const void *values, pl_kind kind, size_t n,
                        pl_svec *out);
pl_status pl_rep3_mul(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out);
pl_status pl_rep3_mul_fixed(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned frac_bits,
                            pl_svec *out);
pl_status pl_rep3_truncate(pl_party *p, const pl_svec *x, unsigned frac_bits, pl_svec *out);
pl_status pl_rep3_mul_fixed_probabilistic(pl_party *p, const pl_svec *x, const pl_svec *y,
                                          unsigned frac_bits, pl_svec *out);
pl_status pl_rep3_truncate_probabilistic(pl_party *p, const pl_svec *x, unsigned frac_bits,
                                         pl_svec *out);
pl_status pl_rep3_matmul(pl_party *p, const pl_svec *x, const pl_svec *y, const pl_matmul_shape *s,
                         pl_svec *out);
pl_status pl_rep3_sign(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits,
                       pl_svec *out);
pl_status pl_rep3_zero(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out);
pl_status pl_rep3_words(pl_party *p, const pl_svec *x, unsigned bits, pl_svec *out);
pl_status pl_rep3_number(pl_party *p, const pl_svec *x, pl_svec *out);
pl_status pl_rep3_bit_to_arith(pl_party *p, const pl_svec *bits, pl_kind kind, pl_svec *out);
pl_status pl_rep3_less_rows(pl_party *p, const pl_row_pairs *pairs, pl_svec *out);
pl_status pl_rep3_shuffle(pl_party *p, pl_svec *const *columns, size_t n_columns);
pl_status pl_rep3_open(pl_party *p, const pl_svec *x, pl_kind kind, size_t n, uint64_t recipients,
                       void *out_values);

/* ---- shared by the operations ---- */

/* pl_rep3_deal shares values that the compute party `dealer` (an index) knows; NULL at the others.
 * Cost: 1 round, one element an element, from the dealer to the party after it. */
PL_STATUS pl_rep3_deal(pl_party *p, size_t dealer, const void *values, pl_svec *out);
/* pl_rep3_deal_begin only queues it: values may go, out is borrowed by the mesh. */
PL_STATUS pl_rep3_deal_begin(pl_party *p, size_t dealer, const void *values, pl_svec *out);

/* pl_rep3_cross makes n elements of z = x y as an additive sharing: component i of it at P_i. x, y
 * and z begin at element `at`; at most a chunk. Local. */
PL_STATUS pl_rep3_cross(pl_party *p, const pl_svec *x, const pl_svec *y, size_t at, size_t n,
                        void *z);

/* pl_rep3_truncate_local truncates what pl_rep3_cross and the like have made: z, from
 * pl_secret_alloc, has whole words' elements (64 each) and passes over with the call. */
PL_STATUS pl_rep3_truncate_local(pl_party *p, uint64_t *z, unsigned frac_bits, pl_svec *out);

/* pl_rep3_mul_begin queues the messages of a multiplication of units `at` to `at + n`. */
PL_STATUS pl_rep3_mul_begin(pl_party *p, const pl_svec *x, const pl_svec *y, size_t at, size_t n,
                            pl_svec *out);

/* A wire is the traffic of one block: what goes to the previous party, and comes from the next. */
typedef struct pl_wire {
    uint64_t *out[2], *in; /* [words] each */
    size_t words;
    pl_mark sent[2], received;
    unsigned turn;
} pl_wire;

PL_STATUS pl_wire_init(pl_wire *wire, size_t words);
void pl_wire_done(pl_wire *wire);
/* pl_wire_begin gives memory for the next message; it is the message before the last one's, so it
 * waits until that is gone. The last message stays readable. */
PL_STATUS pl_wire_begin(pl_party *p, pl_wire *wire, uint64_t **out);
PL_STATUS pl_wire_pass(pl_party *p, pl_wire *wire, size_t n_words);
PL_STATUS pl_wire_wait(pl_party *p, const pl_wire *wire);

/* An adder works on one block of a vector, bit-sliced. */
typedef struct pl_adder {
    const pl_carry_plan *plan;
    size_t words, words_max; /* of a plane; at most */
    size_t n_parts, part[4]; /* where the thirds begin, in words; of rows: one part */
    uint64_t *plane[3][4]; /* per part: the addends' planes u_0, u_1, v_0, v_1, one after the other;
                              NULL: zero */
    uint64_t *carry[2], *pass[2]; /* [n_slots][words]: the carry out of a group of bits, and whether
                                     a carry in passes through it */
    unsigned round;
    bool waits;    /* for dealt planes */
    pl_mark dealt; /* what this party dealt is gone */
    pl_wire wire;
    uint64_t *memory;
    size_t memory_words, n_sets;
} pl_adder;

/* pl_adder_init makes memory for blocks of up to `words` words, with so many sets of planes: 2
 * where each third has one dealt addend and one that two parties know, 4 where both components of
 * one or both addends are there. */
PL_STATUS pl_adder_init(pl_adder *a, const pl_carry_plan *plan, size_t words, unsigned n_planes,
                        size_t n_sets);
void pl_adder_done(pl_adder *a);

/* What is compared: x - y of each component (y may be NULL), plus a constant: add[0] at the dealer,
 * to the sum of its components, add[1] to the third one. x and y are of an arithmetic kind. */
typedef struct pl_source {
    const void *x[2], *y[2];
    pl_kind kind;
    size_t n;                  /* elements; of PL_ARITH_128 only, which has less padding */
    bool is_single;            /* x[0] already is what each party has to put in */
    const uint64_t *shared[2]; /* v is not known to two parties but shared, as words; or NULL */
    int64_t add[2];
} pl_source;

/* pl_adder_deal starts a block of `words` words at word `at`: the dealer of each third shares the
 * bits of the sum of its two components (u); the third one's (v) are shared as they stand. Queues
 * what is to be received; pl_adder_step waits for it. Mohassel and Rindal 2018, "ABY3", section
 * 5.3, with the dealer going round. */
PL_STATUS pl_adder_deal(pl_party *p, pl_adder *a, const pl_source *source, size_t at, size_t words,
                        unsigned n_planes);

/* pl_adder_start: the planes stand already. */
void pl_adder_start(pl_adder *a, size_t words);

/* pl_adder_step takes the last round's messages in and sends the next round's; *out_done when there
 * was none left. */
PL_STATUS pl_adder_step(pl_party *p, pl_adder *a, bool *out_done);

/* pl_adder_sum writes n words from word `begin` on of plane `bit` of u + v without the carry, both
 * components. */
void pl_adder_sum(const pl_adder *a, unsigned bit, size_t begin, size_t n, uint64_t *const out[2]);

/* pl_adder_total writes u + v, its low n_planes bits, as [64 words] elements, of a plan for all
 * carries.
 */
void pl_adder_total(const pl_adder *a, unsigned n_planes, uint64_t *const out[2]);

/* A vector is cut in blocks, several of which are in flight. A flight is where a block is worked
 * on: init makes the memory of a flight, which is zero before, for blocks of up to `words` words;
 * start begins a block of `words` words at word `at` and asks for its first message; every step
 * waits for what the last one asked for, and goes on until the next wait; a block's last step asks
 * for nothing, sends nothing and draws nothing from a stream. So a block takes as many steps as
 * rounds, and blocks side by side share them. */
typedef struct pl_flow_ops {
    size_t flight_bytes;
    pl_status (*init)(const void *op, void *flight, size_t words);
    void (*done)(void *flight);
    pl_status (*start)(pl_party *p, void *op, void *flight, size_t at, size_t words);
    pl_status (*step)(pl_party *p, void *op, void *flight, bool *out_done);
    void (*release)(void *op); /* what op owns; NULL: nothing */
} pl_flow_ops;

/* pl_flow_submit runs an operation now, or with the others of the open step when that ends. op is
 * from pl_alloc and passes over with the call; it holds copies of the vectors' structs, whose
 * memory is borrowed. pl_flow_finish runs what has been submitted: in every turn each block in
 * flight makes one step, in the order of the operations, so that streams are read in step by all
 * parties and a turn is at most one round. pl_flow_drop forgets it. */
PL_STATUS pl_flow_submit(pl_party *p, const pl_flow *flow, const pl_flow_ops *ops, void *op);
PL_STATUS pl_flow_finish(pl_party *p);
void pl_flow_drop(pl_party *p);

/* pl_rep3_mark_step is the only step of operations of one round: their flight is a mark. */
pl_status pl_rep3_mark_step(pl_party *p, void *op, void *flight, bool *out_done);

/* What is truncated: x; or the product of x and y; or a product's local part that stands already,
 * z, which is owned. */
typedef struct pl_local {
    bool is_product;
    pl_svec x, y;
    uint64_t *z;
    size_t z_bytes;
} pl_local;
void pl_local_done(pl_local *local);

/* The local parts of one block, of this party (z) and from the next one (got): in the third that a
 * party deals, u = z + got; v is got for role 1 and z for role 2 (summands.c). begin asks for got,
 * wait waits for it. third: where the third in which this party has the role begins, in elements of
 * the block, and how many it has. */
typedef struct pl_summands {
    size_t part[4]; /* where the thirds begin, in words */
    uint64_t *z, *got;
    size_t bytes;
    pl_mark received, sent;
} pl_summands;
PL_STATUS pl_summands_init(pl_summands *s, size_t words);
void pl_summands_done(pl_summands *s);
PL_STATUS pl_summands_begin(pl_party *p, pl_summands *s, const pl_local *local, size_t at,
                            size_t words);
PL_STATUS pl_summands_wait(pl_party *p, const pl_summands *s);
size_t pl_summands_third(const pl_party *p, const pl_summands *s, size_t role, size_t *out_first);

/* Bits of a block to arithmetic, with something to add to the result per role. */
typedef struct pl_b2a {
    size_t words, part[4];
    const uint64_t *bits[2];      /* of the block */
    uint64_t *out[2];             /* of the block, 64 elements a word */
    const uint64_t *left, *right; /* [64 words of the third]: added to the components that the
                                     dealer has in common with P_{d+2} and P_{d+1}; or NULL */
    const uint64_t *left_2, *right_1;
    const uint64_t *middle_1, *middle_2; /* added to what role 1 and role 2 send each other */
    uint64_t *memory[3];
    size_t memory_words;
    pl_mark from_next, from_prev, sent_next, sent_prev;
    int stage;
} pl_b2a;
PL_STATUS pl_b2a_init(pl_b2a *b, size_t words);
void pl_b2a_done(pl_b2a *b);
void pl_b2a_start(pl_b2a *b, const size_t part[4], size_t words);
PL_STATUS pl_b2a_step(pl_party *p, pl_b2a *b, bool *out_done);

#endif
