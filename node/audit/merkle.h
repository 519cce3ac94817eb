/* Merkle: the tree of RFC 6962, section 2.1, over SHA-256, and its two proofs. Pure: no file, no
 * clock. A tree over n leaves consists of complete subtrees; (level, index) names the one over the
 * leaves index * 2^level up to (index + 1) * 2^level - 1.
 *
 *   leaf = H(0x00 || record)   node = H(0x01 || left || right)   empty tree = H()
 *
 * Everything here is public; nothing is constant time. */
#ifndef PL_NODE_AUDIT_MERKLE_H
#define PL_NODE_AUDIT_MERKLE_H

#include "protocols/base/bytes.h"

#define PL_MERKLE_BYTES 32
#define PL_MERKLE_LEVELS 64
#define PL_MERKLE_PATH_MAX 65 /* hashes of a proof, of any tree */

typedef struct pl_merkle_hash {
    uint8_t bytes[PL_MERKLE_BYTES];
} pl_merkle_hash;

pl_merkle_hash pl_merkle_leaf(pl_view record);
pl_merkle_hash pl_merkle_node(const pl_merkle_hash *left, const pl_merkle_hash *right);
bool pl_merkle_equal(const pl_merkle_hash *a, const pl_merkle_hash *b);

/* ---- a growing tree: its size and the roots of its complete subtrees, largest first ---- */

typedef struct pl_merkle {
    uint64_t size;
    pl_merkle_hash peaks[PL_MERKLE_LEVELS]; /* of level i where bit i of size is set */
} pl_merkle;

/* pl_merkle_add adds a leaf. out_nodes, if not NULL, holds PL_MERKLE_LEVELS and gets the subtrees
 * that it completed, the leaf itself first; returns how many. Cost: O(1) hashes on average. */
size_t pl_merkle_add(pl_merkle *tree, const pl_merkle_hash *leaf, pl_merkle_hash *out_nodes);
/* Cost: O(log n) hashes. */
pl_merkle_hash pl_merkle_root(const pl_merkle *tree);

/* ---- proofs, read from wherever the subtrees are kept; cost: O(log n) reads and hashes ---- */

typedef struct pl_merkle_path {
    size_t n;
    pl_merkle_hash hashes[PL_MERKLE_PATH_MAX];
} pl_merkle_path;

typedef pl_status (*pl_merkle_reader)(unsigned level, uint64_t index, pl_merkle_hash *out,
                                      void *ctx);

/* pl_merkle_root_at: the root that the tree had with its first size leaves. */
PL_STATUS pl_merkle_root_at(pl_merkle_reader read, void *ctx, uint64_t size, pl_merkle_hash *out);
/* pl_merkle_inclusion proves that leaf index is in the tree of size leaves. index < size. */
PL_STATUS pl_merkle_inclusion(pl_merkle_reader read, void *ctx, uint64_t index, uint64_t size,
                              pl_merkle_path *out);
/* pl_merkle_consistency proves that the tree of `to` leaves begins with that of `from`.
 * 0 < from <= to. */
PL_STATUS pl_merkle_consistency(pl_merkle_reader read, void *ctx, uint64_t from, uint64_t to,
                                pl_merkle_path *out);

/* ---- checking proofs (RFC 9162, sections 2.1.3.2 and 2.1.4.2) ---- */

bool pl_merkle_check_inclusion(uint64_t index, uint64_t size, const pl_merkle_hash *leaf,
                               const pl_merkle_path *path, const pl_merkle_hash *root);
/* An empty tree is the beginning of every tree, with an empty path. */
bool pl_merkle_check_consistency(uint64_t from, uint64_t to, const pl_merkle_hash *from_root,
                                 const pl_merkle_hash *to_root, const pl_merkle_path *path);

#endif
