/* The Merkle tree against transparency-dev's published vectors (merkle.txt beside this file): every
 * leaf, node and root; every proof both made and checked; each proof spoilt in the ways that the
 * same source lists (wrong index, size, leaf, root, bit, garbage before and behind, a hash removed
 * or put in) refused. Then every proof of every tree up to 70 leaves. It could be wrong if the file
 * were read past: the counts at the end are exact. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/audit/merkle.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define SIZE_MAX_TESTED 70

/* ---- a tree whose complete subtrees are all kept ---- */

typedef struct kept {
    pl_merkle tree;
    pl_merkle_hash nodes[8][SIZE_MAX_TESTED], roots[SIZE_MAX_TESTED + 1];
    size_t n_reads;
} kept;

static void keep(kept *k, pl_view record) {
    pl_merkle_hash leaf = pl_merkle_leaf(record), made[PL_MERKLE_LEVELS];
    uint64_t index = k->tree.size;
    size_t n = pl_merkle_add(&k->tree, &leaf, made);
    for (size_t level = 0; level < n; level++)
        k->nodes[level][index >> level] = made[level];
    k->roots[k->tree.size] = pl_merkle_root(&k->tree);
}

static pl_status read_kept(unsigned level, uint64_t index, pl_merkle_hash *out, void *ctx) {
    kept *k = ctx;
    assert_true(level < 8 && (index + 1) << level <= k->tree.size);
    *out = k->nodes[level][index];
    k->n_reads++;
    return PL_OK;
}

static void must(pl_status status) {
    if (!pl_is_ok(status))
        fail_msg("%s", pl_status_message(status));
}

/* ---- spoiling ---- */

static const pl_merkle_hash some = {{0xab, 0xac, 0xab, 0xa0}};

static pl_merkle_path with_front(const pl_merkle_path *path, const pl_merkle_hash *hash) {
    pl_merkle_path out = {.n = path->n + 1};
    out.hashes[0] = *hash;
    memcpy(out.hashes + 1, path->hashes, path->n * sizeof *path->hashes);
    return out;
}

static pl_merkle_path with_back(const pl_merkle_path *path, const pl_merkle_hash *hash) {
    pl_merkle_path out = *path;
    out.hashes[out.n++] = *hash;
    return out;
}

static size_t spoil_inclusion(uint64_t index, uint64_t size, const pl_merkle_hash *leaf,
                              const pl_merkle_path *path, const pl_merkle_hash *root) {
    const pl_merkle_hash none = {{0}};
    pl_merkle_path p;
    size_t n = 0;
#define REFUSED(...) (assert_false(pl_merkle_check_inclusion(__VA_ARGS__)), n++)
    assert_true(pl_merkle_check_inclusion(index, size, leaf, path, root));
    REFUSED(index - 1, size, leaf, path, root);
    REFUSED(index + 1, size, leaf, path, root);
    REFUSED(index ^ 2, size, leaf, path, root);
    REFUSED(index, size * 2, leaf, path, root);
    REFUSED(index, size / 2, leaf, path, root);
    REFUSED(index, size, &some, path, root);
    REFUSED(index, size, leaf, path, &none);
    REFUSED(index, size, leaf, path, &some);
    const pl_merkle_hash *garbage[] = {&none, root};
    for (size_t i = 0; i < 2; i++) {
        p = with_back(path, garbage[i]);
        REFUSED(index, size, leaf, &p, root);
        p = with_front(path, garbage[i]);
        REFUSED(index, size, leaf, &p, root);
    }
    for (size_t i = 0; i < path->n; i++) {
        p = *path;
        p.hashes[i].bytes[0] ^= 8;
        REFUSED(index, size, leaf, &p, root);
    }
    if (path->n > 0) {
        p = *path;
        p.n--;
        REFUSED(index, size, leaf, &p, root);
        p = with_front(path, &some);
        p.hashes[0] = path->hashes[0];
        p.hashes[1] = some;
        REFUSED(index, size, leaf, &p, root);
    }
#undef REFUSED
    return n;
}

static size_t spoil_consistency(uint64_t from, uint64_t to, const pl_merkle_hash *a,
                                const pl_merkle_hash *b, const pl_merkle_path *path) {
    const pl_merkle_hash none = {{0}};
    pl_merkle_path p = {0};
    size_t n = 0;
#define REFUSED(...) (assert_false(pl_merkle_check_consistency(__VA_ARGS__)), n++)
    assert_true(pl_merkle_check_consistency(from, to, a, b, path));
    if (from > 1 || path->n > 0)
        REFUSED(from - 1, to, a, b, path);
    REFUSED(from + 1, to, a, b, path);
    if (from != 2 || path->n > 0) /* nothing is the beginning of everything */
        REFUSED(from ^ 2, to, a, b, path);
    REFUSED(from, to * 2, a, b, path);
    REFUSED(from, to / 2, a, b, path);
    REFUSED(from, to, &some, b, path);
    REFUSED(from, to, a, &some, path);
    if (from != to) {
        REFUSED(from, to, b, a, path);
        REFUSED(from, to, a, b, &p);
        p = with_front(path, &path->hashes[0]);
        REFUSED(from, to, a, b, &p);
    }
    const pl_merkle_hash *garbage[] = {&none, a, b};
    for (size_t i = 0; i < 3; i++) {
        p = with_back(path, garbage[i]);
        REFUSED(from, to, a, b, &p);
        p = with_front(path, garbage[i]);
        REFUSED(from, to, a, b, &p);
    }
    for (size_t i = 0; i < path->n; i++) {
        p = *path;
        p.hashes[i].bytes[0] ^= 16;
        REFUSED(from, to, a, b, &p);
    }
    if (path->n > 0) {
        p = *path;
        p.n--;
        REFUSED(from, to, a, b, &p);
    }
#undef REFUSED
    return n;
}

/* ---- the published file ---- */

typedef struct published {
    kept tree;
    size_t n_leaf, n_node, n_root, n_inclusion, n_consistency, n_refused;
} published;

static pl_merkle_hash hash_of(const char *hex) {
    pl_merkle_hash out;
    must(pl_hex_decode(hex, out.bytes, sizeof out.bytes));
    return out;
}

/* The hashes that are left in the line. */
static void read_path(char *rest, pl_merkle_path *out) {
    *out = (pl_merkle_path){0};
    for (char *word; (word = strtok_r(NULL, " \n", &rest)) != NULL;)
        out->hashes[out->n++] = hash_of(word);
}

static void same_path(const pl_merkle_path *a, const pl_merkle_path *b) {
    assert_int_equal(a->n, b->n);
    assert_memory_equal(a->hashes, b->hashes, a->n * sizeof *a->hashes);
}

static void take_proof(published *v, bool inclusion, uint64_t x, uint64_t size, char *rest) {
    pl_merkle_path wanted, made;
    kept *k = &v->tree;
    read_path(rest, &wanted);
    if (inclusion) {
        must(pl_merkle_inclusion(read_kept, k, x, size, &made));
        v->n_refused += spoil_inclusion(x, size, &k->nodes[0][x], &wanted, &k->roots[size]);
        v->n_inclusion++;
    } else {
        must(pl_merkle_consistency(read_kept, k, x, size, &made));
        v->n_refused += spoil_consistency(x, size, &k->roots[x], &k->roots[size], &wanted);
        v->n_consistency++;
    }
    same_path(&wanted, &made);
}

static void take_line(published *v, char *line) {
    char *rest, *kind = strtok_r(line, " \n", &rest);
    if (kind == NULL || *kind == '#')
        return;
    uint64_t x = strtoull(strtok_r(NULL, " \n", &rest), NULL, 10);
    char *word = strtok_r(NULL, " \n", &rest);
    if (strcmp(kind, "leaf") == 0) {
        uint8_t record[32];
        size_t len = strcmp(word, "-") == 0 ? 0 : strlen(word) / 2;
        assert_int_equal(x, v->n_leaf++);
        if (len > 0)
            must(pl_hex_decode(word, record, len));
        keep(&v->tree, pl_view_of(record, len));
    } else if (strcmp(kind, "node") == 0) {
        pl_merkle_hash wanted = hash_of(strtok_r(NULL, " \n", &rest));
        assert_true(pl_merkle_equal(&wanted, &v->tree.nodes[x][strtoull(word, NULL, 10)]));
        v->n_node++;
    } else if (strcmp(kind, "root") == 0) {
        pl_merkle_hash wanted = hash_of(word), again;
        must(pl_merkle_root_at(read_kept, &v->tree, x, &again));
        assert_true(pl_merkle_equal(&wanted, &v->tree.roots[x]));
        assert_true(pl_merkle_equal(&wanted, &again));
        v->n_root++;
    } else {
        take_proof(v, strcmp(kind, "inclusion") == 0, x, strtoull(word, NULL, 10), rest);
    }
}

static void published_vectors(void **state) {
    (void)state;
    static published v;
    v.tree.roots[0] = pl_merkle_root(&v.tree.tree);
    char line[2048];
    FILE *file = fopen("tests/vectors/merkle.txt", "re");
    assert_non_null(file);
    while (fgets(line, sizeof line, file) != NULL)
        take_line(&v, line);
    fclose(file);
    assert_int_equal(v.n_leaf, 8);
    assert_int_equal(v.n_node, 15);
    assert_int_equal(v.n_root, 9);
    assert_int_equal(v.n_inclusion, 7);
    assert_int_equal(v.n_consistency, 5);
    assert_true(v.n_refused > 170);
}

/* TestVerifyConsistency of the same source: sizes alone decide, whatever the roots. */
static void published_edges(void **state) {
    (void)state;
    const pl_merkle_hash a = {{1}}, b = {{2}};
    const pl_merkle_path none = {0}, one = {.n = 1};
    const struct {
        uint64_t from, to;
        const pl_merkle_hash *x, *y;
        const pl_merkle_path *path;
        bool good;
    } rows[] = {
        {0, 0, &a, &b, &none, false}, {1, 1, &a, &b, &none, false}, {0, 0, &a, &a, &none, true},
        {0, 1, &a, &b, &none, true},  {1, 1, &b, &b, &none, true},  {1, 0, &a, &b, &none, false},
        {2, 1, &a, &b, &none, false}, {1, 2, &a, &b, &none, false}, {0, 0, &a, &a, &one, false},
        {0, 1, &a, &a, &one, false},  {1, 1, &a, &a, &one, false}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(pl_merkle_check_consistency(rows[i].from, rows[i].to, rows[i].x, rows[i].y,
                                                     rows[i].path),
                         rows[i].good);
    const pl_merkle_path long_path = {.n = PL_MERKLE_PATH_MAX + 1};
    assert_false(pl_merkle_check_consistency(3, 9, &a, &b, &long_path));
    assert_false(pl_merkle_check_inclusion(3, 9, &a, &long_path, &b));
    const uint64_t probes[][2] = {{0, 0}, {0, 1}, {1, 0}, {2, 1}};
    for (size_t i = 0; i < 4; i++)
        assert_false(pl_merkle_check_inclusion(probes[i][0], probes[i][1], &a, &none, &b));
}

/* ---- all of them ---- */

static kept *tree_of(uint64_t size) {
    kept *k = calloc(1, sizeof *k);
    assert_non_null(k);
    k->roots[0] = pl_merkle_root(&k->tree);
    for (uint32_t i = 0; i < size; i++)
        keep(k, pl_view_of(&i, sizeof i));
    return k;
}

static void every_proof_of_small_trees(void **state) {
    (void)state;
    kept *k = tree_of(SIZE_MAX_TESTED);
    pl_merkle_path path;
    pl_merkle_hash root;
    for (uint64_t to = 1; to <= SIZE_MAX_TESTED; to++) {
        must(pl_merkle_root_at(read_kept, k, to, &root));
        assert_true(pl_merkle_equal(&root, &k->roots[to]));
        for (uint64_t i = 0; i < to; i++) {
            k->n_reads = 0;
            must(pl_merkle_inclusion(read_kept, k, i, to, &path));
            assert_true(k->n_reads <= 14);
            spoil_inclusion(i, to, &k->nodes[0][i], &path, &root);
            k->n_reads = 0;
            must(pl_merkle_consistency(read_kept, k, i + 1, to, &path));
            assert_true(k->n_reads <= 14);
            spoil_consistency(i + 1, to, &k->roots[i + 1], &root, &path);
        }
    }
    free(k);
}

/* Two trees that differ in one leaf: no proof of the one links to the other. */
static void a_fork_has_no_proof(void **state) {
    (void)state;
    kept *k = tree_of(40), *fork = calloc(1, sizeof *fork);
    assert_non_null(fork);
    for (uint64_t at = 0; at < 20; at++) {
        memset(fork, 0, sizeof *fork);
        for (uint32_t i = 0; i < 40; i++)
            keep(fork, pl_view_of(&i, i == at ? 3 : 4));
        for (uint64_t from = at + 1; from < 40; from++) {
            pl_merkle_path path;
            must(pl_merkle_consistency(read_kept, fork, from, 40, &path));
            assert_true(
                pl_merkle_check_consistency(from, 40, &fork->roots[from], &fork->roots[40], &path));
            assert_false(
                pl_merkle_check_consistency(from, 40, &k->roots[from], &fork->roots[40], &path));
        }
    }
    free(fork);
    free(k);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_vectors),
        cmocka_unit_test(published_edges),
        cmocka_unit_test(every_proof_of_small_trees),
        cmocka_unit_test(a_fork_has_no_proof),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
