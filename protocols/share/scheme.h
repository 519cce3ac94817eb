/* Scheme: what a secret sharing has to provide. Private to share/: programs use party.h, linear.h
 * and protocols/mpc.
 *
 * A scheme is linear: adding vectors, and multiplying by a public element, is done component by
 * component, in linear.c. Everything else goes through this table. share/README.md says how to add
 * a scheme. A scheme knows no lanes: each is a party to it.
 *
 * The functions are called with arguments that party.c and open.c have checked: shapes fit, outputs
 * are live vectors of the right shape that, but for mul, are none of the inputs. A failure ends the
 * session (pl_party_settle).
 *
 * While a step is open (p->step), the operations from mul to less_rows may be put off: they keep
 * what they need of their arguments, whose structs need not outlive the call, and write their
 * outputs in finish_step. */
#ifndef PL_SHARE_SCHEME_H
#define PL_SHARE_SCHEME_H

#include "protocols/base/prg.h"
#include "protocols/share/lanes.h"

#define PL_COMPUTE_MAX 8
#define PL_NO_INDEX SIZE_MAX

struct pl_scheme {
    const char *name;
    size_t n_compute;
    size_t n_components;

    /* setup agrees on keys and fills p->state; teardown releases it, half-built too. Compute
     * parties only. */
    pl_status (*setup)(pl_party *p, const uint8_t seed[32]);
    void (*teardown)(pl_party *p);

    /* input runs at the owner and at the compute parties. out is NULL at an owner outside the
     * compute set. */
    pl_status (*input)(pl_party *p, size_t owner_rank, const void *values, pl_kind kind, size_t n,
                       pl_svec *out);
    /* add_public adds public elements to x in place: local. */
    void (*add_public)(pl_party *p, pl_svec *x, const void *constants);
    /* mul multiplies in the ring of the kind; bits and words: AND. out may be x or y. */
    pl_status (*mul)(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out);

    /* The others are as in party.h; one that is NULL is refused with UNSUPPORTED. */
    pl_status (*mul_fixed)(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned frac_bits,
                           pl_svec *out);
    pl_status (*truncate)(pl_party *p, const pl_svec *x, unsigned frac_bits, pl_svec *out);
    pl_status (*mul_fixed_probabilistic)(pl_party *p, const pl_svec *x, const pl_svec *y,
                                         unsigned frac_bits, pl_svec *out);
    pl_status (*truncate_probabilistic)(pl_party *p, const pl_svec *x, unsigned frac_bits,
                                        pl_svec *out);
    pl_status (*matmul)(pl_party *p, const pl_svec *x, const pl_svec *y,
                        const pl_matmul_shape *shape, pl_svec *out);
    pl_status (*sign)(pl_party *p, const pl_svec *x, const pl_svec *y, unsigned bits, pl_svec *out);
    pl_status (*zero)(pl_party *p, const pl_svec *x, const pl_svec *y, pl_svec *out);
    pl_status (*words)(pl_party *p, const pl_svec *x, unsigned bits, pl_svec *out);
    pl_status (*number)(pl_party *p, const pl_svec *x, pl_svec *out);
    pl_status (*bit_to_arith)(pl_party *p, const pl_svec *bits, pl_kind kind, pl_svec *out);
    pl_status (*less_rows)(pl_party *p, const pl_row_pairs *pairs, pl_svec *out);
    pl_status (*shuffle)(pl_party *p, pl_svec *const *columns, size_t n_columns);

    /* finish_step runs what was put off since the step began, drop_step forgets it. NULL: nothing
     * is put off. */
    pl_status (*finish_step)(pl_party *p);
    void (*drop_step)(pl_party *p);

    /* open runs at the compute parties (x) and at the recipients (out_values, n elements, else
     * NULL). */
    pl_status (*open)(pl_party *p, const pl_svec *x, pl_kind kind, size_t n, uint64_t recipients,
                      void *out_values);

    /* check, when there is one, runs at compute parties before every opening, and fails with
     * PROTOCOL if anybody cheated since the last one: the place for security against malicious
     * parties. */
    pl_status (*check)(pl_party *p);

    /* rounds so far; NULL: those of the mesh. */
    uint64_t (*rounds)(const pl_party *p);
};

typedef struct pl_step pl_step;

struct pl_party {
    pl_mesh *mesh; /* borrowed */
    const pl_scheme *scheme;
    size_t rank, n_parties;
    size_t compute[PL_COMPUTE_MAX], n_compute; /* index -> rank */
    size_t index;                              /* of this party in compute, or PL_NO_INDEX */
    pl_net net;
    pl_prg *own;     /* randomness of this party alone: seeds of its inputs */
    pl_step *step;   /* the one that is open, or NULL; lane 0 owns it */
    void *state;     /* the scheme's */
    pl_lanes *lanes; /* NULL: there is one, or this is one of several and not the first */
};

/* ---- steps (together.c) ---- */

/* pl_step_admit: may an operation with these operands (NULL: none) and this out be run, or be part
 * of the open step? pl_step_note: its result. pl_step_refuse: INVALID_ARGUMENT while a step is
 * open, which only ends then; so does a step of which an operation failed (pl_step_break).
 * pl_step_drop forgets an open step. */
#define PL_OPERANDS_MAX (2 * PL_ROW_COLUMNS_MAX)
PL_STATUS pl_step_admit(pl_party *p, const pl_svec *const operands[PL_OPERANDS_MAX],
                        const pl_svec *out);
void pl_step_note(pl_party *p, const pl_svec *result);
PL_STATUS pl_step_refuse(const pl_party *p, const char *what);
void pl_step_break(const pl_party *p);
void pl_step_drop(pl_party *p);

extern const pl_scheme pl_scheme_plain, pl_scheme_rep3;

/* pl_scheme_find gives the scheme of that name; NULL: none. */
const pl_scheme *pl_scheme_find(const char *name);

/* pl_party_settle returns status; a failure makes the mesh forget its buffers and ends the session.
 * The meshes of other lanes follow when these are not at work (lanes.h). */
PL_STATUS pl_party_settle(pl_party *p, pl_status status);

/* pl_party_require_compute: INVALID_ARGUMENT at a party that does not compute. */
PL_STATUS pl_party_require_compute(const pl_party *p);

/* The index of a rank among the compute parties, or PL_NO_INDEX. */
size_t pl_party_index_of(const pl_party *p, size_t rank);

static inline bool pl_recipients_has(uint64_t recipients, size_t rank) {
    return (recipients >> rank & 1) != 0;
}

#endif
