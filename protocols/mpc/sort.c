/* Rows are made of packed words: the row's number lowest, then the last key, and so on. They are
 * shuffled with the columns, then put in order by a quicksort that compares all rows of all
 * segments of a level at once; rows move with their segments, so that every pass goes through
 * memory in order; the columns move once, at the end. */
#include "protocols/mpc/sort.h"

#include "protocols/base/secret.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#define SMALL 16          /* segments up to this are finished by comparing all pairs */
#define PAIRS_MAX 2000000 /* of one batch of small segments */
#define SAMPLES_MAX 63

typedef struct segment {
    uint32_t begin, n;
} segment;

typedef struct sorter {
    pl_party *p;
    size_t n, n_words;
    unsigned bits;
    pl_svec words[PL_ROW_COLUMNS_MAX];
    uint32_t *id;           /* [n]: where a row stood after the shuffle */
    uint32_t *left, *right; /* [capacity]: pairs to compare */
    uint64_t *less;         /* [capacity] bits: the outcome */
    size_t n_pairs, capacity;
    uint32_t *from;              /* [n] */
    void *scratch;               /* [n] words */
    segment *now, *next, *small; /* [n] each at most */
    size_t n_now, n_next, n_small;
    uint32_t *pivots; /* [n_now] */
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

static bool is_less(const sorter *s, size_t pair) {
    return (s->less[pair / 64] >> pair % 64 & 1) != 0;
}

static pl_status compare_pairs(sorter *s) {
    const pl_svec *columns[PL_ROW_COLUMNS_MAX];
    pl_svec bits = {0};
    pl_status status = PL_OK;
    if (s->n_pairs == 0)
        return PL_OK;
    for (size_t w = 0; w < s->n_words; w++)
        columns[w] = &s->words[w];
    const pl_row_pairs pairs = {.columns = columns,
                                .n_columns = s->n_words,
                                .bits = s->bits,
                                .left = s->left,
                                .right = s->right,
                                .n = s->n_pairs};
    PL_CHECK(status, pl_less_rows(s->p, &pairs, &bits));
    PL_CHECK(status, pl_open(s->p, &bits, PL_BIT, s->n_pairs, pl_party_compute_mask(s->p),
                             "order of shuffled rows", s->less));
out:
    pl_svec_done(&bits);
    return status;
}

/* Moves the rows begin .. begin + n as from says. */
static void move_rows(sorter *s, size_t begin, size_t n) {
    uint32_t *ids = s->scratch;
    for (size_t w = 0; w < s->n_words; w++)
        pl_rearrange(&s->words[w], begin, s->from, n, s->scratch);
    for (size_t i = 0; i < n; i++)
        ids[i] = s->id[begin + s->from[i]];
    memcpy(s->id + begin, ids, n * sizeof *ids);
}

/* ---- one level: a pivot for each segment, then all rows against theirs ---- */

static size_t samples_of(size_t n) {
    return n >= 65536 ? SAMPLES_MAX : n >= 4096 ? 15 : n >= 512 ? 7 : 3;
}

static size_t sample(const segment *g, size_t i) {
    return g->begin + i * g->n / samples_of(g->n);
}

/* The median of some rows of every segment, by comparing all pairs of them. */
static pl_status choose_pivots(sorter *s) {
    s->n_pairs = 0;
    for (size_t g = 0; g < s->n_now; g++) {
        size_t k = samples_of(s->now[g].n);
        for (size_t i = 0; i < k; i++)
            for (size_t j = i + 1; j < k; j++)
                add_pair(s, sample(&s->now[g], i), sample(&s->now[g], j));
    }
    PL_TRY(compare_pairs(s));
    for (size_t g = 0, pair = 0; g < s->n_now; g++) {
        size_t k = samples_of(s->now[g].n), rank[SAMPLES_MAX] = {0};
        for (size_t i = 0; i < k; i++)
            for (size_t j = i + 1; j < k; j++, pair++)
                rank[is_less(s, pair) ? j : i]++;
        for (size_t i = 0; i < k; i++)
            if (rank[i] == k / 2)
                s->pivots[g] = (uint32_t)sample(&s->now[g], i);
    }
    return PL_OK;
}

static void add_segment(sorter *s, size_t begin, size_t n) {
    segment g = {(uint32_t)begin, (uint32_t)n};
    if (n > SMALL)
        s->next[s->n_next++] = g;
    else if (n > 1)
        s->small[s->n_small++] = g;
}

/* Smaller rows, the pivot, the others: in the order they were in. first: of the segment's pairs.
 * What is opened is as good as random, so no branch depends on it: it would be mispredicted every
 * other time. */
static void divide(sorter *s, const segment *g, uint32_t pivot, size_t first) {
    uint32_t *others = s->scratch;
    size_t n_less = 0, n_others = 0;
    for (size_t i = 0; i < g->n; i++) {
        size_t less = is_less(s, first + i);
        s->from[n_less] = (uint32_t)i;
        others[n_others] = (uint32_t)i;
        n_less += less;
        n_others += !less & (g->begin + i != pivot);
    }
    s->from[n_less] = pivot - g->begin;
    memcpy(s->from + n_less + 1, others, n_others * sizeof *others);
    move_rows(s, g->begin, g->n);
    add_segment(s, g->begin, n_less);
    add_segment(s, g->begin + n_less + 1, n_others);
}

static pl_status run_level(sorter *s) {
    PL_TRY(choose_pivots(s));
    s->n_pairs = 0;
    for (size_t g = 0; g < s->n_now; g++)
        for (size_t i = 0; i < s->now[g].n; i++)
            add_pair(s, s->now[g].begin + i, s->pivots[g]);
    PL_TRY(compare_pairs(s));
    s->n_next = 0;
    for (size_t g = 0, first = 0; g < s->n_now; first += s->now[g++].n)
        divide(s, &s->now[g], s->pivots[g], first);
    segment *now = s->now;
    s->now = s->next;
    s->n_now = s->n_next;
    s->next = now;
    return PL_OK;
}

/* ---- small segments: all pairs, many segments at once ---- */

static void place_small(sorter *s, const segment *g, size_t *pair) {
    size_t rank[SMALL] = {0};
    for (size_t i = 0; i < g->n; i++)
        for (size_t j = i + 1; j < g->n; j++, (*pair)++)
            rank[is_less(s, *pair) ? j : i]++;
    for (size_t i = 0; i < g->n; i++)
        s->from[rank[i]] = (uint32_t)i;
    move_rows(s, g->begin, g->n);
}

static pl_status finish_small(sorter *s) {
    for (size_t begin = 0, end = 0; begin < s->n_small; begin = end) {
        s->n_pairs = 0;
        for (; end < s->n_small && s->n_pairs + SMALL * SMALL / 2 <= s->capacity; end++) {
            const segment *g = &s->small[end];
            for (size_t i = 0; i < g->n; i++)
                for (size_t j = i + 1; j < g->n; j++)
                    add_pair(s, g->begin + i, g->begin + j);
        }
        PL_TRY(compare_pairs(s));
        for (size_t g = begin, pair = 0; g < end; g++)
            place_small(s, &s->small[g], &pair);
    }
    return PL_OK;
}

/* ---- all of it ---- */

/* A level compares at most n rows with pivots, and at most all pairs of the samples: 3 of the 17
 * rows that the smallest segment has, 1953 of 65536. Small segments take what they can get. */
static pl_status alloc(sorter *s) {
    size_t pairs = s->n + 1000, small = s->n * SMALL / 2;
    small = small < PAIRS_MAX ? small : PAIRS_MAX;
    s->capacity = pairs > small ? pairs : small;
    PL_TRY(pl_alloc(s->n, sizeof *s->id, &s->id));
    PL_TRY(pl_alloc(s->capacity, sizeof *s->left, &s->left));
    PL_TRY(pl_alloc(s->capacity, sizeof *s->right, &s->right));
    PL_TRY(pl_alloc(pl_bit_words(s->capacity), 8, &s->less));
    PL_TRY(pl_alloc(s->n, sizeof *s->from, &s->from));
    PL_TRY(pl_secret_alloc(8 * s->n, &s->scratch));
    PL_TRY(pl_alloc(s->n / SMALL + 1, sizeof *s->now, &s->now));
    PL_TRY(pl_alloc(s->n / SMALL + 1, sizeof *s->next, &s->next));
    PL_TRY(pl_alloc(s->n / 2 + 1, sizeof *s->small, &s->small));
    return pl_alloc(s->n / SMALL + 1, sizeof *s->pivots, &s->pivots);
}

static void done(sorter *s) {
    for (size_t w = 0; w < PL_ROW_COLUMNS_MAX; w++)
        pl_svec_done(&s->words[w]);
    pl_secret_free(s->scratch, 8 * s->n);
    free(s->id);
    free(s->left);
    free(s->right);
    free(s->less);
    free(s->from);
    free(s->now);
    free(s->next);
    free(s->small);
    free(s->pivots);
}

static pl_status order_rows(sorter *s) {
    for (size_t i = 0; i < s->n; i++)
        s->id[i] = (uint32_t)i;
    add_segment(s, 0, s->n);
    s->now[0] = (segment){0, (uint32_t)s->n};
    s->n_now = s->n_next;
    while (s->n_now > 0)
        PL_TRY(run_level(s));
    return finish_small(s);
}

static pl_status reorder_columns(const sorter *s, pl_svec *const *columns, size_t n_columns) {
    void *scratch;
    PL_TRY(pl_secret_alloc(16 * s->n, &scratch));
    for (size_t c = 0; c < n_columns; c++)
        pl_rearrange(columns[c], 0, s->id, s->n, scratch);
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
    sorter s = {.p = p, .n = keys[0].column->n, .bits = bits, .n_words = (bits + 63) / 64};
    if (s.n < 2)
        return PL_OK;
    pl_status status;
    PL_CHECK(status, alloc(&s));
    PL_CHECK(status, make_rows(&s, keys, n_keys));
    PL_CHECK(status, shuffle(&s, columns, n_columns));
    PL_CHECK(status, order_rows(&s));
    PL_CHECK(status, reorder_columns(&s, columns, n_columns));
out:
    done(&s);
    return status;
}

pl_status pl_top_k(pl_party *p, const pl_sort_key *key, size_t k, pl_svec *const *columns,
                   size_t n_columns) {
    size_t n = key->column->n;
    PL_TRY(pl_sort(p, key, 1, columns, n_columns));
    for (size_t c = 0; c < n_columns && k < n; c++)
        PL_TRY(pl_slice(columns[c], 0, k, columns[c]));
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
    return status;
}
