/* Shuffle: three permutations, each known to two parties, so that no party knows all three.
 *
 * P_0 has x_0 + x_1 and P_1 has x_2: a sharing between two, which both permute by pi_1 (from k_1)
 * and mask (from k_1). P_0 passes its part to P_2; P_1 and P_2 permute by pi_2 (k_2); P_1 passes
 * its part to P_0; P_2 and P_0 permute by pi_0 (k_0). Then P_0 has f and P_2 has g: a fresh y_0
 * comes from k_0, y_1 = f - y_0 goes to P_1, and y_2 = g too. 3 rounds, 4 vectors in all: P_0 sends
 * two. Laur, Willemson, Zhang 2011; the message count is that of Asharov et al. 2022, section 4. */
#include "protocols/base/secret.h"
#include "protocols/share/permutation.h"
#include "protocols/share/rep3/rep3.h"

#include <stdlib.h>
#include <string.h>

/* A column of other width than 8 bytes is permuted as it is, one of 16 as pairs. */
typedef struct table {
    pl_svec *const *columns;
    size_t n_columns, n;
    uint32_t *order;      /* [n]: row i of the result is row order[i] of what it was */
    void **part, **other; /* [n_columns]: this party's part, and where the next one is made */
} table;

static size_t column_bytes(const table *t, size_t c) {
    return pl_kind_bytes(t->columns[c]->kind, t->n);
}

/* ---- columns ---- */

static void gather_other(size_t width, uint8_t *to, const uint8_t *from, const uint32_t *order,
                         size_t n) {
    for (size_t i = 0; i < n; i++)
        memcpy(to + i * width, from + order[i] * width, width);
}

/* other = part permuted, plus or minus a mask from the key of the slot. */
static pl_status permute_column(pl_party *p, const table *t, size_t c, size_t slot, bool plus) {
    const pl_kernels *kernels = pl_kernels_here();
    pl_rep3 *rep3 = p->state;
    pl_kind kind = t->columns[c]->kind;
    size_t width = pl_kind_bytes(kind, 1), tile = PL_TILE_WORDS * 8 / width;
    for (size_t at = 0; at < t->n; at += tile) {
        size_t n = t->n - at < tile ? t->n - at : tile;
        uint8_t *to = (uint8_t *)t->other[c] + at * width;
        PL_TRY(pl_rep3_fill(p, PL_STREAM_SHUFFLE, slot, rep3->tile[0], n * width));
        if (width == 8) {
            void (*gather)(uint64_t *, const uint64_t *, const uint32_t *, const uint64_t *,
                           size_t) = pl_kind_is_bool(kind) ? kernels->gather_xor
                                     : plus                ? kernels->gather_add
                                                           : kernels->gather_sub;
            gather((uint64_t *)(void *)to, t->part[c], t->order + at, rep3->tile[0], n);
            continue;
        }
        gather_other(width, to, t->part[c], t->order + at, n);
        if (plus)
            pl_ring_add(kind, to, to, rep3->tile[0], n);
        else
            pl_ring_sub(kind, to, to, rep3->tile[0], n);
    }
    return PL_OK;
}

static pl_status permute(pl_party *p, table *t, size_t slot, bool plus) {
    const pl_rep3 *rep3 = p->state;
    PL_TRY(pl_permutation_draw(rep3->stream[PL_STREAM_ORDER][slot], t->n, t->order));
    for (size_t c = 0; c < t->n_columns; c++) {
        PL_TRY(permute_column(p, t, c, slot, plus));
        void *made = t->other[c];
        t->other[c] = t->part[c];
        t->part[c] = made;
    }
    return PL_OK;
}

static pl_status send_part(pl_party *p, const table *t, size_t to) {
    for (size_t c = 0; c < t->n_columns; c++)
        PL_TRY(pl_mesh_send(p->mesh, p->compute[to], t->part[c], column_bytes(t, c)));
    return pl_mesh_pump(p->mesh);
}

static pl_status receive_part(pl_party *p, const table *t, size_t from) {
    for (size_t c = 0; c < t->n_columns; c++)
        PL_TRY(pl_mesh_recv(p->mesh, p->compute[from], t->part[c], column_bytes(t, c)));
    return PL_OK;
}

/* The parties wait for the round that passes without them too, so that all count alike. */
static pl_status wait_round(pl_party *p, size_t from) {
    return pl_mesh_wait_received(p->mesh, pl_mesh_mark_received(p->mesh, p->compute[from]));
}

/* ---- the parties ---- */

static pl_status run_first(pl_party *p, table *t) {
    for (size_t c = 0; c < t->n_columns; c++)
        pl_ring_add(t->columns[c]->kind, t->part[c], t->columns[c]->component[0],
                    t->columns[c]->component[1], t->n);
    PL_TRY(permute(p, t, 1, true));
    PL_TRY(send_part(p, t, 2));
    PL_TRY(wait_round(p, 1));
    PL_TRY(pl_mesh_finish(p->mesh)); /* the part is gone: its memory takes the next one */
    PL_TRY(receive_part(p, t, 1));
    PL_TRY(wait_round(p, 1));
    PL_TRY(permute(p, t, 0, true));
    for (size_t c = 0; c < t->n_columns; c++) {
        pl_svec *column = t->columns[c];
        PL_TRY(pl_rep3_fill(p, PL_STREAM_FRESH, 0, column->component[0], column_bytes(t, c)));
        pl_ring_sub(column->kind, column->component[1], t->part[c], column->component[0], t->n);
        PL_TRY(pl_mesh_send(p->mesh, p->compute[1], column->component[1], column_bytes(t, c)));
    }
    PL_TRY(wait_round(p, 1));
    return pl_mesh_finish(p->mesh);
}

static pl_status run_second(pl_party *p, table *t) {
    for (size_t c = 0; c < t->n_columns; c++)
        memcpy(t->part[c], t->columns[c]->component[1], column_bytes(t, c));
    PL_TRY(permute(p, t, 0, false));
    PL_TRY(wait_round(p, 0));
    PL_TRY(permute(p, t, 1, true));
    PL_TRY(send_part(p, t, 0));
    PL_TRY(wait_round(p, 0));
    for (size_t c = 0; c < t->n_columns; c++) {
        pl_svec *column = t->columns[c];
        PL_TRY(pl_mesh_recv(p->mesh, p->compute[0], column->component[0], column_bytes(t, c)));
        PL_TRY(pl_mesh_recv(p->mesh, p->compute[2], column->component[1], column_bytes(t, c)));
    }
    PL_TRY(wait_round(p, 0));
    return pl_mesh_finish(p->mesh);
}

static pl_status run_third(pl_party *p, table *t) {
    PL_TRY(receive_part(p, t, 0));
    PL_TRY(wait_round(p, 0));
    PL_TRY(permute(p, t, 0, false));
    PL_TRY(wait_round(p, 1));
    PL_TRY(permute(p, t, 1, false));
    PL_TRY(send_part(p, t, 1));
    for (size_t c = 0; c < t->n_columns; c++) {
        pl_svec *column = t->columns[c];
        memcpy(column->component[0], t->part[c], column_bytes(t, c));
        PL_TRY(pl_rep3_fill(p, PL_STREAM_FRESH, 1, column->component[1], column_bytes(t, c)));
    }
    PL_TRY(wait_round(p, 1));
    return pl_mesh_finish(p->mesh);
}

static pl_status alloc_table(table *t, void **memory) {
    PL_TRY(pl_secret_alloc(4 * t->n, &t->order));
    t->part = memory;
    t->other = memory + t->n_columns;
    for (size_t c = 0; c < t->n_columns; c++) {
        PL_TRY(pl_secret_alloc(column_bytes(t, c), &t->part[c]));
        PL_TRY(pl_secret_alloc(column_bytes(t, c), &t->other[c]));
    }
    return PL_OK;
}

pl_status pl_rep3_shuffle(pl_party *p, pl_svec *const *columns, size_t n_columns) {
    static pl_status (*const run[3])(pl_party *, table *) = {run_first, run_second, run_third};
    table t = {.columns = columns, .n_columns = n_columns, .n = columns[0]->n};
    void **memory;
    PL_TRY(pl_alloc(2 * n_columns, sizeof *memory, &memory));
    pl_status status = alloc_table(&t, memory);
    if (pl_is_ok(status) && t.n != 0)
        status = run[p->index](p, &t);
    status = pl_party_settle(p, status); /* the mesh lets go of the parts */
    for (size_t c = 0; t.part != NULL && c < n_columns; c++) {
        pl_secret_free(t.part[c], column_bytes(&t, c));
        pl_secret_free(t.other[c], column_bytes(&t, c));
    }
    pl_secret_free(t.order, 4 * t.n);
    free(memory);
    return status;
}
