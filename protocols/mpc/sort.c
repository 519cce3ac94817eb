/* Rows are made of packed words: the row's number lowest, then the last key, and so on. They are
 * shuffled with the columns; then every batch of comparisons is one that the plan names
 * (sort_plan.h), whatever the comparisons say. The order of rows is an array of positions, and
 * the columns move once, at the end. */
#include "protocols/mpc/sort.h"

#include "protocols/base/secret.h"
#include "protocols/mpc/sort_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define REGROUP_DEPTH 14u /* trees that do not fit into the first cache */

typedef struct sorter {
    pl_party *p;
    size_t n, n_words;
    unsigned bits;
    bool counts; /* nothing is computed, and what is opened means nothing */
    pl_sort_plan plan;
    pl_svec words[PL_ROW_COLUMNS_MAX]; /* [n]: rows, shuffled */
    pl_svec tree[PL_ROW_COLUMNS_MAX];  /* [2^depth]: those in order, as a search tree */
    uint32_t *id;                      /* [n]: where a row stood after the shuffle */
    uint32_t *order;                   /* [n]: rows by rank, of those that are in order */
    uint32_t *node;                    /* [n]: of rows that are searched: where in the tree */
    uint32_t *first;                   /* [gaps + 1]: before it, so many rows are in gaps */
    uint32_t *by_gap, *rank;           /* [n]: rows in gaps, gap by gap; and their rank in it */
    uint32_t *left, *right;            /* [capacity]: pairs to compare */
    uint64_t *less;                    /* [capacity] bits: the outcome */
    size_t n_pairs, capacity;
} sorter;

/* ---- rows ---- */

/* Puts `bits` bits of field at bit `at` of the row. */
static pl_status put_field(sorter *s, pl_svec *field, unsigned at, unsigned bits) {
    unsigned word = at / 64, shift = at % 64;
    pl_svec part = {0};
    pl_status status;
    PL_CHECK(status, pl_shl(s->p, field, shift, &part));
    PL_CHECK(status, pl_xor(s->p, &s->words[word], &part, &s->words[word]));
    if (shift + bits > 64) {
        PL_CHECK(status, pl_shr(s->p, field, 64 - shift, &part));
        PL_CHECK(status, pl_xor(s->p, &s->words[word + 1], &part, &s->words[word + 1]));
    }
out:
    pl_svec_done(&part);
    return status;
}

/* The bits of all keys, as many at a time as a step takes. */
static pl_status take_bits(sorter *s, const pl_sort_key *keys, size_t n_keys, pl_svec *fields) {
    for (size_t begin = 0; begin < n_keys; begin += PL_TOGETHER_MAX) {
        PL_TRY(pl_together_begin(s->p));
        pl_status status = PL_OK;
        for (size_t k = begin; k < n_keys && k < begin + PL_TOGETHER_MAX && pl_is_ok(status); k++)
            status = pl_words(s->p, keys[k].column, keys[k].bits, &fields[k]);
        PL_TRY(pl_together_end(s->p, status));
    }
    return PL_OK;
}

/* The bits of a key become those whose order as unsigned numbers is the wanted one: the sign turned
 * round, and all of them for descending order. */
static pl_status put_in_order(sorter *s, const pl_sort_key *key, pl_svec *field) {
    uint64_t ones = UINT64_MAX >> (64 - key->bits), sign = UINT64_C(1) << (key->bits - 1);
    uint64_t *flips;
    PL_TRY(pl_alloc(s->n, sizeof *flips, &flips));
    for (size_t i = 0; i < s->n; i++)
        flips[i] = key->is_descending ? ones ^ sign : sign;
    pl_status status = pl_add_public(s->p, field, flips, field);
    free(flips);
    return status;
}

static unsigned bits_of_number(size_t n) {
    return n < 2 ? 1 : 64u - (unsigned)__builtin_clzll(n - 1);
}

static pl_status start_rows(sorter *s, size_t n_components) {
    uint64_t *numbers;
    for (size_t w = 0; w < s->n_words; w++)
        PL_TRY(pl_svec_init(&s->words[w], PL_BOOL_64, s->n, n_components));
    PL_TRY(pl_alloc(s->n, sizeof *numbers, &numbers));
    for (size_t i = 0; i < s->n; i++)
        numbers[i] = i;
    pl_status status = pl_add_public(s->p, &s->words[0], numbers, &s->words[0]);
    free(numbers);
    return status;
}

static pl_status make_rows(sorter *s, const pl_sort_key *keys, size_t n_keys) {
    pl_svec *fields;
    unsigned at = bits_of_number(s->n);
    PL_TRY(pl_alloc(n_keys, sizeof *fields, &fields));
    pl_status status = start_rows(s, keys[0].column->n_components);
    if (pl_is_ok(status))
        status = take_bits(s, keys, n_keys, fields);
    for (size_t k = n_keys; k-- > 0 && pl_is_ok(status);) {
        status = put_in_order(s, &keys[k], &fields[k]);
        if (pl_is_ok(status))
            status = put_field(s, &fields[k], at, keys[k].bits);
        at += keys[k].bits;
        pl_svec_done(&fields[k]);
    }
    for (size_t k = 0; k < n_keys; k++)
        pl_svec_done(&fields[k]);
    free(fields);
    return status;
}

static pl_status shuffle(sorter *s, pl_svec *const *columns, size_t n_columns) {
    pl_svec **all;
    PL_TRY(pl_alloc(s->n_words + n_columns, sizeof *all, &all));
    for (size_t w = 0; w < s->n_words; w++)
        all[w] = &s->words[w];
    for (size_t c = 0; c < n_columns; c++)
        all[s->n_words + c] = columns[c];
    pl_status status = pl_shuffle(s->p, all, s->n_words + n_columns);
    free(all);
    return status;
}

/* ---- comparisons ---- */

static void add_pair(sorter *s, size_t left, size_t right) {
    PL_ASSERT(s->n_pairs < s->capacity);
    s->left[s->n_pairs] = (uint32_t)left;
    s->right[s->n_pairs++] = (uint32_t)right;
}

static size_t is_less(const sorter *s, size_t pair) {
    return s->less[pair / 64] >> pair % 64 & 1;
}

/* Opens which pairs are in order: rows on the left, rows of others on the right. */
static pl_status compare(sorter *s, pl_row_pairs pairs, const pl_svec *others) {
    const pl_svec *rows[PL_ROW_COLUMNS_MAX], *right[PL_ROW_COLUMNS_MAX];
    pl_svec bits = {0};
    pl_status status = PL_OK;
    for (size_t w = 0; w < s->n_words; w++) {
        rows[w] = &s->words[w];
        right[w] = &others[w];
    }
    pairs.columns = rows;
    pairs.right_columns = right;
    pairs.n_columns = s->n_words;
    pairs.bits = s->bits;
    PL_CHECK(status, pl_less_rows(s->p, &pairs, &bits));
    PL_CHECK(status, pl_open(s->p, &bits, PL_BIT, pairs.n, pl_party_compute_mask(s->p),
                             "order of shuffled rows", s->less));
out:
    pl_svec_done(&bits);
    return status;
}

static pl_status compare_pairs(sorter *s, const pl_svec *others) {
    pl_row_pairs pairs = {.left = s->left, .right = s->right, .n = s->n_pairs};
    s->n_pairs = 0;
    return compare(s, pairs, others);
}

/* ---- search: rows go down a tree of those that are in order ---- */

/* Node 1 is the root, the children of v are 2 v and 2 v + 1; in order they are the sorted rows. */
static pl_status plant(sorter *s, const pl_sort_stage *stage) {
    size_t n = (size_t)1 << stage->depth, *rows;
    pl_status status = PL_OK;
    PL_TRY(pl_alloc(n, sizeof *rows, &rows));
    for (unsigned level = 0; level < stage->depth; level++) {
        size_t step = n >> level;
        for (size_t i = 0; i < (size_t)1 << level; i++)
            rows[((size_t)1 << level) + i] = s->order[i * step + step / 2 - 1];
    }
    for (size_t w = 0; w < s->n_words && pl_is_ok(status); w++)
        status = pl_gather(&s->words[w], rows, n, &s->tree[w]);
    free(rows);
    return status;
}

/* The rows begin .. end, each against the nodes of the next levels under its own. */
static void pair_with_nodes(sorter *s, size_t begin, size_t end, unsigned levels) {
    for (size_t i = begin; i < end; i++)
        for (unsigned level = 0; level < levels; level++)
            for (size_t k = 0; k < (size_t)1 << level; k++)
                add_pair(s, i, ((size_t)s->node[i] << level) + k);
}

/* Less: to the left. No branch depends on what is opened: it is as good as random, and would be
 * mispredicted every other time. */
static void descend(sorter *s, size_t begin, size_t end, unsigned levels) {
    size_t n_nodes = ((size_t)1 << levels) - 1;
    for (size_t i = begin; i < end; i++) {
        size_t at = 1; /* in the part of the tree that the row was compared with */
        for (unsigned level = 0; level < levels; level++)
            at = 2 * at + 1 - is_less(s, (i - begin) * n_nodes + at - 1);
        s->node[i] = (s->node[i] << levels) + (uint32_t)(at - ((size_t)1 << levels));
    }
}

/* The same for one level, 64 rows at a time. */
static void descend_once(sorter *s, size_t begin, size_t end) {
    for (size_t i = begin; i < end; i += 64) {
        uint64_t less = s->less[(i - begin) / 64];
        for (size_t k = i; k < i + 64 && k < end; k++, less >>= 1)
            s->node[k] = 2 * s->node[k] + 1 - (uint32_t)(less & 1);
    }
}

static pl_status search_levels(sorter *s, const pl_sort_stage *stage, unsigned levels) {
    for (size_t begin = stage->n_sorted, end; begin < stage->n; begin = end) {
        size_t rows_max = pl_sort_rows_max(levels);
        end = stage->n - begin < rows_max ? stage->n : begin + rows_max;
        if (levels == 1) { /* each row with its node */
            PL_TRY(compare(
                s, (pl_row_pairs){.left_begin = begin, .right = s->node + begin, .n = end - begin},
                s->tree));
            descend_once(s, begin, end);
        } else {
            pair_with_nodes(s, begin, end, levels);
            PL_TRY(compare_pairs(s, s->tree));
            descend(s, begin, end, levels);
        }
    }
    return PL_OK;
}

/* Rows are put in the order of the nodes they have come to, so that from here on rows next to each
 * other meet nodes next to each other. */
static pl_status regroup(sorter *s, const pl_sort_stage *stage, unsigned level) {
    size_t n = stage->n - stage->n_sorted, n_nodes = (size_t)1 << level;
    uint32_t *from = s->by_gap, *nodes = s->node + stage->n_sorted, *ids = s->id + stage->n_sorted;
    uint32_t *moved;
    PL_TRY(pl_secret_alloc(8 * n, &moved));
    memset(s->first, 0, (n_nodes + 1) * sizeof *s->first);
    for (size_t i = 0; i < n; i++)
        s->first[nodes[i] - n_nodes + 1]++;
    for (size_t v = 0; v < n_nodes; v++)
        s->first[v + 1] += s->first[v];
    for (size_t i = 0; i < n; i++)
        from[s->first[nodes[i] - n_nodes]++] = (uint32_t)i;
    for (size_t w = 0; w < s->n_words; w++)
        pl_rearrange(&s->words[w], stage->n_sorted, from, n, moved);
    for (size_t i = 0; i < n; i++)
        moved[i] = nodes[from[i]];
    memcpy(nodes, moved, n * sizeof *nodes);
    for (size_t i = 0; i < n; i++)
        moved[i] = ids[from[i]];
    memcpy(ids, moved, n * sizeof *ids);
    pl_secret_free(moved, 8 * n);
    return PL_OK;
}

/* Afterwards node is the gap that a row is in: how many sorted rows are before it. */
static pl_status search(sorter *s, const pl_sort_stage *stage) {
    for (size_t i = stage->n_sorted; i < stage->n; i++)
        s->node[i] = 1;
    if (stage->depth > 0)
        PL_TRY(plant(s, stage));
    for (unsigned done = 0, levels; done < stage->depth; done += levels) {
        levels = stage->depth - done < stage->levels ? stage->depth - done : stage->levels;
        PL_TRY(search_levels(s, stage, levels));
        if (stage->depth >= REGROUP_DEPTH && done < stage->depth / 2 &&
            done + levels >= stage->depth / 2)
            PL_TRY(regroup(s, stage, done + levels));
    }
    for (size_t i = stage->n_sorted; i < stage->n; i++)
        s->node[i] -= UINT32_C(1) << stage->depth;
    return PL_OK;
}

/* ---- gaps: all pairs of the rows in one ---- */

/* Puts the rows gap by gap: gap g has by_gap[first[g] .. first[g + 1]). */
static void collect(sorter *s, const pl_sort_stage *stage) {
    size_t n_gaps = stage->n_sorted + 1;
    memset(s->first, 0, (n_gaps + 1) * sizeof *s->first);
    for (size_t i = stage->n_sorted; i < stage->n; i++)
        s->first[s->node[i] + 1]++;
    for (size_t g = 0; g < n_gaps; g++)
        s->first[g + 1] += s->first[g];
    for (size_t i = stage->n_sorted; i < stage->n; i++) /* first[g] becomes the end of gap g */
        s->by_gap[s->first[s->node[i]]++] = (uint32_t)i;
    memmove(s->first + 1, s->first, n_gaps * sizeof *s->first);
    s->first[0] = 0;
}

/* Where the pairs of the next batch begin: the rows by_gap[i] and by_gap[j] of a gap. */
typedef struct cursor {
    size_t gap, i, j;
} cursor;

/* Fills a batch of at most n_max pairs. */
static void add_pairs_of_gaps(sorter *s, const pl_sort_stage *stage, cursor *at, size_t n_max) {
    for (; at->gap <= stage->n_sorted; at->gap++, at->i = at->j = 0) {
        size_t begin = s->first[at->gap], n = s->first[at->gap + 1] - begin;
        for (; at->i + 1 < n; at->i++, at->j = 0) {
            for (; at->i + 1 + at->j < n; at->j++) {
                if (s->n_pairs == n_max)
                    return;
                add_pair(s, s->by_gap[begin + at->i], s->by_gap[begin + at->i + 1 + at->j]);
            }
        }
    }
}

/* The larger row of a pair goes up one rank. */
static void count_ranks(sorter *s, size_t n_pairs) {
    for (size_t k = 0; k < n_pairs; k++) {
        size_t less = is_less(s, k);
        s->rank[s->right[k]] += (uint32_t)less;
        s->rank[s->left[k]] += 1 - (uint32_t)less;
    }
}

/* As many pairs as the plan says, filled up with a row and itself; and, once in 2^40 sorts, what is
 * left after them. */
static pl_status rank_in_gaps(sorter *s, const pl_sort_stage *stage) {
    cursor at = {.gap = s->counts ? SIZE_MAX : 0};
    memset(s->rank, 0, s->n * sizeof *s->rank);
    for (size_t planned = stage->n_pairs;;) {
        size_t n_max = planned == 0 || planned > s->capacity ? s->capacity : planned;
        add_pairs_of_gaps(s, stage, &at, n_max);
        size_t n_pairs = s->n_pairs;
        if (n_pairs == 0 && planned == 0)
            return PL_OK;
        while (planned != 0 && s->n_pairs < n_max)
            add_pair(s, 0, 0);
        PL_TRY(compare_pairs(s, s->words));
        count_ranks(s, n_pairs);
        planned -= planned == 0 ? 0 : n_max;
    }
}

/* A row is behind the sorted rows and the other rows that come before it. */
static pl_status merge(sorter *s, const pl_sort_stage *stage) {
    uint32_t *merged = s->by_gap; /* is not needed any more */
    memset(merged, 0xff, stage->n * sizeof *merged);
    for (size_t i = 0; i < stage->n_sorted; i++)
        merged[i + s->first[i + 1]] = s->order[i];
    for (size_t i = stage->n_sorted; i < stage->n; i++) {
        size_t to = (size_t)s->node[i] + s->first[s->node[i]] + s->rank[i];
        if (to >= stage->n || merged[to] != UINT32_MAX)
            return pl_fail(PL_PROTOCOL, "rows cannot be sorted: what was opened is no order");
        merged[to] = (uint32_t)i;
    }
    s->by_gap = s->order;
    s->order = merged;
    return PL_OK;
}

static pl_status run_stage(sorter *s, const pl_sort_stage *stage) {
    PL_TRY(search(s, stage));
    if (!s->counts)
        collect(s, stage);
    PL_TRY(rank_in_gaps(s, stage));
    return s->counts ? PL_OK : merge(s, stage);
}

/* ---- all of it ---- */

/* The largest batch, and the largest number of gaps. */
static size_t pairs_max(const pl_sort_plan *plan) {
    size_t most = 0;
    for (unsigned i = 0; i < plan->n_stages; i++) {
        const pl_sort_stage *stage = &plan->stages[i];
        unsigned levels = stage->levels < stage->depth ? stage->levels : stage->depth;
        size_t searched = (stage->n - stage->n_sorted) << levels;
        most = searched > most ? searched : most;
        most = stage->n_pairs > most ? stage->n_pairs : most;
    }
    return most < PL_SORT_PAIRS_MAX ? most : PL_SORT_PAIRS_MAX;
}

static pl_status alloc(sorter *s) {
    s->capacity = pairs_max(&s->plan);
    PL_TRY(pl_alloc(s->n, sizeof *s->id, &s->id));
    PL_TRY(pl_alloc(s->n, sizeof *s->order, &s->order));
    PL_TRY(pl_alloc(s->n, sizeof *s->node, &s->node));
    PL_TRY(
        pl_alloc(s->plan.stages[s->plan.n_stages - 1].n_sorted + 2, sizeof *s->first, &s->first));
    PL_TRY(pl_alloc(s->n, sizeof *s->by_gap, &s->by_gap));
    PL_TRY(pl_alloc(s->n, sizeof *s->rank, &s->rank));
    PL_TRY(pl_alloc(s->capacity, sizeof *s->left, &s->left));
    PL_TRY(pl_alloc(s->capacity, sizeof *s->right, &s->right));
    return pl_alloc(pl_bit_words(s->capacity), 8, &s->less);
}

static void done(sorter *s) {
    for (size_t w = 0; w < PL_ROW_COLUMNS_MAX; w++) {
        pl_svec_done(&s->words[w]);
        pl_svec_done(&s->tree[w]);
    }
    free(s->id);
    free(s->order);
    free(s->node);
    free(s->first);
    free(s->by_gap);
    free(s->rank);
    free(s->left);
    free(s->right);
    free(s->less);
}

static pl_status order_rows(sorter *s) {
    for (size_t i = 0; i < s->n; i++)
        s->id[i] = s->order[i] = (uint32_t)i;
    for (unsigned i = 0; i < s->plan.n_stages; i++)
        PL_TRY(run_stage(s, &s->plan.stages[i]));
    for (size_t i = 0; i < s->n; i++)
        s->order[i] = s->id[s->order[i]];
    return PL_OK;
}

static pl_status reorder_columns(const sorter *s, pl_svec *const *columns, size_t n_columns) {
    void *scratch;
    PL_TRY(pl_secret_alloc(16 * s->n, &scratch));
    for (size_t c = 0; c < n_columns; c++)
        pl_rearrange(columns[c], 0, s->order, s->n, scratch);
    pl_secret_free(scratch, 16 * s->n);
    return PL_OK;
}

static pl_status check_table(const pl_sort_key *keys, size_t n_keys, pl_svec *const *columns,
                             size_t n_columns, unsigned *out_bits) {
    if (n_keys == 0 || n_columns == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "cannot sort without keys, or without columns");
    size_t n = keys[0].column->n;
    unsigned bits = bits_of_number(n);
    for (size_t k = 0; k < n_keys; k++) {
        if (keys[k].column->kind != PL_ARITH_64 || keys[k].column->n != n)
            return pl_fail(PL_INVALID_ARGUMENT,
                           "cannot sort by key %zu: it is not %zu elements of ring 2^64", k + 1, n);
        if (keys[k].bits < 1 || keys[k].bits > 64)
            return pl_fail(PL_INVALID_ARGUMENT, "cannot sort by key %zu: %u bits are not 1 to 64",
                           k + 1, keys[k].bits);
        bits += keys[k].bits;
        if (bits > 64 * PL_ROW_COLUMNS_MAX)
            return pl_fail(PL_LIMIT, "cannot sort by keys of more than %u bits in all",
                           64 * PL_ROW_COLUMNS_MAX - bits_of_number(n));
    }
    for (size_t c = 0; c < n_columns; c++) {
        if (columns[c]->n != n || columns[c]->kind == PL_BIT || n > UINT32_MAX)
            return pl_fail(PL_INVALID_ARGUMENT,
                           "cannot sort column %zu: it is packed bits, too long, or not as long as "
                           "the keys",
                           c + 1);
    }
    *out_bits = bits;
    return PL_OK;
}

pl_status pl_sort(pl_party *p, const pl_sort_key *keys, size_t n_keys, pl_svec *const *columns,
                  size_t n_columns) {
    unsigned bits = 0;
    PL_TRY(check_table(keys, n_keys, columns, n_columns, &bits));
    sorter s = {.p = p,
                .n = keys[0].column->n,
                .bits = bits,
                .n_words = (bits + 63) / 64,
                .counts = pl_party_counts(p)};
    if (s.n < 2)
        return PL_OK;
    pl_status status;
    pl_net net = pl_party_net(p);
    pl_sort_plan_make(&s.plan, s.n, bits, &net);
    PL_CHECK(status, alloc(&s));
    PL_CHECK(status, make_rows(&s, keys, n_keys));
    PL_CHECK(status, shuffle(&s, columns, n_columns));
    PL_CHECK(status, order_rows(&s));
    PL_CHECK(status, reorder_columns(&s, columns, n_columns));
out:
    done(&s);
    return pl_party_conclude(p, status);
}

pl_status pl_top_k(pl_party *p, const pl_sort_key *key, size_t k, pl_svec *const *columns,
                   size_t n_columns) {
    size_t n = key->column->n;
    PL_TRY(pl_sort(p, key, 1, columns, n_columns));
    for (size_t c = 0; c < n_columns && k < n; c++)
        PL_TRY(pl_party_conclude(p, pl_slice(columns[c], 0, k, columns[c])));
    return PL_OK;
}

pl_status pl_quantile(pl_party *p, const pl_svec *x, unsigned bits, const double *q, size_t n_q,
                      pl_svec *out) {
    pl_svec sorted = {0};
    size_t *positions = NULL;
    pl_status status;
    if (x->n == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "no elements have no quantile");
    PL_CHECK(status, pl_alloc(n_q, sizeof *positions, &positions));
    for (size_t j = 0; j < n_q; j++) {
        if (!(q[j] >= 0 && q[j] <= 1))
            PL_CHECK(status, pl_fail(PL_INVALID_ARGUMENT, "a quantile is from 0 to 1"));
        size_t rank = (size_t)ceil(q[j] * (double)x->n);
        positions[j] = rank == 0 ? 0 : rank - 1;
    }
    PL_CHECK(status, pl_svec_dup(x, &sorted));
    const pl_sort_key key = {&sorted, bits, false};
    PL_CHECK(status, pl_sort(p, &key, 1, (pl_svec *const[]){&sorted}, 1));
    PL_CHECK(status, pl_gather(&sorted, positions, n_q, out));
out:
    pl_svec_done(&sorted);
    free(positions);
    return pl_party_conclude(p, status);
}
