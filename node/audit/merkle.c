#include "node/audit/merkle.h"

#include "node/crypto/digest.h"

#include <string.h>

/* ---- hashes ---- */

static pl_merkle_hash hash(uint8_t tag, pl_view a, pl_view b) {
    const pl_view parts[] = {pl_view_of(&tag, 1), a, b};
    pl_merkle_hash out;
    pl_sha256(parts, b.len == 0 ? 2 : 3, out.bytes);
    return out;
}

pl_merkle_hash pl_merkle_leaf(pl_view record) {
    return hash(0, record, pl_view_of(NULL, 0));
}

pl_merkle_hash pl_merkle_node(const pl_merkle_hash *left, const pl_merkle_hash *right) {
    return hash(1, pl_view_of(left->bytes, PL_MERKLE_BYTES),
                pl_view_of(right->bytes, PL_MERKLE_BYTES));
}

bool pl_merkle_equal(const pl_merkle_hash *a, const pl_merkle_hash *b) {
    return memcmp(a->bytes, b->bytes, PL_MERKLE_BYTES) == 0;
}

/* ---- a growing tree ---- */

size_t pl_merkle_add(pl_merkle *tree, const pl_merkle_hash *leaf, pl_merkle_hash *out_nodes) {
    pl_merkle_hash node = *leaf;
    unsigned level = 0;
    for (; (tree->size >> level & 1) != 0; level++) {
        if (out_nodes != NULL)
            out_nodes[level] = node;
        node = pl_merkle_node(&tree->peaks[level], &node);
    }
    if (out_nodes != NULL)
        out_nodes[level] = node;
    tree->peaks[level] = node;
    tree->size++;
    return level + 1;
}

pl_merkle_hash pl_merkle_root(const pl_merkle *tree) {
    pl_merkle_hash root;
    bool any = false;
    for (unsigned level = 0; level < PL_MERKLE_LEVELS; level++) {
        if ((tree->size >> level & 1) == 0)
            continue;
        root = any ? pl_merkle_node(&tree->peaks[level], &root) : tree->peaks[level];
        any = true;
    }
    if (!any)
        pl_sha256(NULL, 0, root.bytes);
    return root;
}

/* ---- making proofs: MTH, PATH and PROOF of RFC 6962 over a range of leaves ---- */

typedef struct source {
    pl_merkle_reader read;
    void *ctx;
} source;

/* The largest power of two smaller than n: where a tree of n > 1 leaves is split. */
static uint64_t split_of(uint64_t n) {
    return UINT64_C(1) << (63 - __builtin_clzll(n - 1));
}

/* MTH(D[first : first + n]), n > 0. Every range asked for begins at a multiple of its size rounded
 * up to a power of two. */
static pl_status range_hash(const source *s, uint64_t first, uint64_t n, pl_merkle_hash *out) {
    if ((n & (n - 1)) == 0) {
        unsigned level = (unsigned)__builtin_ctzll(n);
        return s->read(level, first >> level, out, s->ctx);
    }
    pl_merkle_hash left, right;
    uint64_t split = split_of(n);
    PL_TRY(range_hash(s, first, split, &left));
    PL_TRY(range_hash(s, first + split, n - split, &right));
    *out = pl_merkle_node(&left, &right);
    return PL_OK;
}

pl_status pl_merkle_root_at(pl_merkle_reader read, void *ctx, uint64_t size, pl_merkle_hash *out) {
    static const pl_merkle empty;
    if (size == 0) {
        *out = pl_merkle_root(&empty);
        return PL_OK;
    }
    return range_hash(&(source){read, ctx}, 0, size, out);
}

/* Paths are collected from the root downwards and turned round: the wire has the leaf's end first.
 */
static void turn_round(pl_merkle_path *path) {
    for (size_t i = 0; i < path->n / 2; i++) {
        pl_merkle_hash swap = path->hashes[i];
        path->hashes[i] = path->hashes[path->n - 1 - i];
        path->hashes[path->n - 1 - i] = swap;
    }
}

pl_status pl_merkle_inclusion(pl_merkle_reader read, void *ctx, uint64_t index, uint64_t size,
                              pl_merkle_path *out) {
    const source s = {read, ctx};
    PL_ASSERT(index < size);
    pl_merkle_path path = {0};
    for (uint64_t first = 0; size > 1;) {
        uint64_t split = split_of(size);
        bool left = index - first < split;
        uint64_t other = left ? first + split : first, n_other = left ? size - split : split;
        PL_TRY(range_hash(&s, other, n_other, &path.hashes[path.n++]));
        first += left ? 0 : split;
        size = left ? split : size - split;
    }
    turn_round(&path);
    *out = path;
    return PL_OK;
}

pl_status pl_merkle_consistency(pl_merkle_reader read, void *ctx, uint64_t from, uint64_t to,
                                pl_merkle_path *out) {
    const source s = {read, ctx};
    PL_ASSERT(from > 0 && from <= to);
    pl_merkle_path path = {0};
    uint64_t first = 0;
    bool known = true; /* the subtree that is left is the old tree itself */
    while (from < to) {
        uint64_t split = split_of(to);
        bool left = from <= split;
        uint64_t other = left ? first + split : first, n_other = left ? to - split : split;
        PL_TRY(range_hash(&s, other, n_other, &path.hashes[path.n++]));
        first += left ? 0 : split;
        from -= left ? 0 : split;
        to = left ? split : to - split;
        known = known && left;
    }
    if (!known)
        PL_TRY(range_hash(&s, first, to, &path.hashes[path.n++]));
    turn_round(&path);
    *out = path;
    return PL_OK;
}

/* ---- checking proofs ---- */

bool pl_merkle_check_inclusion(uint64_t index, uint64_t size, const pl_merkle_hash *leaf,
                               const pl_merkle_path *path, const pl_merkle_hash *root) {
    if (index >= size || path->n > PL_MERKLE_PATH_MAX)
        return false;
    uint64_t at = index, last = size - 1;
    pl_merkle_hash r = *leaf;
    for (size_t i = 0; i < path->n; i++) {
        if (last == 0)
            return false;
        if ((at & 1) != 0 || at == last) {
            r = pl_merkle_node(&path->hashes[i], &r);
            for (; (at & 1) == 0 && at != 0; at >>= 1)
                last >>= 1;
        } else {
            r = pl_merkle_node(&r, &path->hashes[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && pl_merkle_equal(&r, root);
}

/* Climbs from both trees' last common subtree to both roots. */
static bool climb(uint64_t from, uint64_t to, const pl_merkle_hash *begin,
                  const pl_merkle_hash *path, size_t n, const pl_merkle_hash *from_root,
                  const pl_merkle_hash *to_root) {
    uint64_t at = from - 1, last = to - 1;
    pl_merkle_hash old = *begin, new = *begin;
    for (; (at & 1) != 0; at >>= 1)
        last >>= 1;
    for (size_t i = 0; i < n; i++) {
        if (last == 0)
            return false;
        if ((at & 1) != 0 || at == last) {
            old = pl_merkle_node(&path[i], &old);
            new = pl_merkle_node(&path[i], &new);
            for (; (at & 1) == 0 && at != 0; at >>= 1)
                last >>= 1;
        } else {
            new = pl_merkle_node(&new, &path[i]);
        }
        at >>= 1;
        last >>= 1;
    }
    return last == 0 && pl_merkle_equal(&old, from_root) && pl_merkle_equal(&new, to_root);
}

bool pl_merkle_check_consistency(uint64_t from, uint64_t to, const pl_merkle_hash *from_root,
                                 const pl_merkle_hash *to_root, const pl_merkle_path *path) {
    if (from > to || path->n > PL_MERKLE_PATH_MAX)
        return false;
    if (from == to)
        return path->n == 0 && pl_merkle_equal(from_root, to_root);
    if (from == 0)
        return path->n == 0;
    if ((from & (from - 1)) == 0) /* the old tree is a subtree of the new one */
        return climb(from, to, from_root, path->hashes, path->n, from_root, to_root);
    return path->n > 0 &&
           climb(from, to, &path->hashes[0], path->hashes + 1, path->n - 1, from_root, to_root);
}
