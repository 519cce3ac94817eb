/* Secret vectors: n elements of one ring, as the components that this party holds of their sharing
 * (rep3: two, plain: one), in secret memory. What a component means is the scheme's business
 * (scheme.h). Valid as {0}; an empty vector has n = 0 and still has components.
 *
 * Outputs named out are {0} or a live vector, whose memory is released or reused; out may be one of
 * the inputs. */
#ifndef PL_SHARE_SVEC_H
#define PL_SHARE_SVEC_H

#include "protocols/ring/ring.h"

#define PL_COMPONENTS_MAX 4
#define PL_ELEMENTS_MAX ((size_t)1 << 40) /* of one vector: lengths in bytes never overflow */

/* Memory behind the last element, up to a multiple of so many bytes, belongs to the vector and
 * means nothing: kernels work on 64 elements at a time. */
#define PL_SVEC_PADDING_BYTES ((size_t)512)

typedef struct pl_svec {
    pl_kind kind;
    size_t n;
    size_t n_components;
    void *component[PL_COMPONENTS_MAX]; /* each [n] of kind, 64-byte aligned */
} pl_svec;

/* pl_svec_init makes n zero elements; what *out held before is not looked at. LIMIT: no memory. */
PL_STATUS pl_svec_init(pl_svec *out, pl_kind kind, size_t n, size_t n_components);
void pl_svec_done(pl_svec *vec); /* wipes */

/* pl_svec_take moves from into out and leaves {0} in from. */
void pl_svec_take(pl_svec *out, pl_svec *from);
PL_STATUS pl_svec_dup(const pl_svec *x, pl_svec *out);

/* pl_svec_bytes is the length of one component in bytes. */
size_t pl_svec_bytes(const pl_svec *x);

/* Same kind, length and number of components. */
bool pl_svec_is_like(const pl_svec *x, const pl_svec *y);

/* Whether any components of x and y have memory in common. */
bool pl_svec_overlaps(const pl_svec *x, const pl_svec *y);

/* Local rearrangements by public positions: no communication, every party does the same.
 * Errors: INVALID_ARGUMENT (a position or kind that does not fit), LIMIT. */
PL_STATUS pl_slice(const pl_svec *x, size_t begin, size_t n,
                   pl_svec *out); /* x[begin .. begin + n) */
PL_STATUS pl_paste(pl_svec *x, size_t begin,
                   const pl_svec *part); /* x[begin ..] = part, in place */
PL_STATUS pl_concat(const pl_svec *const *xs, size_t n_xs,
                    pl_svec *out); /* n_xs >= 1, all of one kind */
PL_STATUS pl_gather(const pl_svec *x, const size_t *positions, size_t n,
                    pl_svec *out); /* out[i] = x[positions[i]] */

/* pl_rearrange puts old x[begin + from[i]] at x[begin + i] for n elements, in place; scratch holds
 * n elements of the kind. PL_BIT: not. */
void pl_rearrange(pl_svec *x, size_t begin, const uint32_t *from, size_t n, void *scratch);

#endif
