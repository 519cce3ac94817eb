/* Tree: the log's Merkle tree on disk, beside it: every complete subtree's hash, 32 bytes, in the
 * order in which they are completed (post-order), so that it only grows and any of them is found by
 * arithmetic. It is written after its record is durable and can be made again from the log; while
 * it is there it also tells which record of the log is not the one that was written.
 * Private to this folder. */
#ifndef PL_NODE_AUDIT_TREE_H
#define PL_NODE_AUDIT_TREE_H

#include "node/audit/merkle.h"

typedef struct pl_tree {
    int fd; /* -1: closed, or there is none */
    char *path;
    pl_merkle merkle;
    uint64_t n_stored; /* leaves that were in the file when it was opened */
} pl_tree;

/* pl_tree_open opens or creates path (0600); pl_tree_view opens it for reading, and no file is no
 * error. Both begin with an empty merkle. IO. */
PL_STATUS pl_tree_open(const char *path, pl_tree *out);
PL_STATUS pl_tree_view(const char *path, pl_tree *out);
void pl_tree_done(pl_tree *tree);

/* pl_tree_load takes the first size leaves over from the file: CORRUPT unless their root is root.
 */
PL_STATUS pl_tree_load(pl_tree *tree, uint64_t size, const pl_merkle_hash *root);

/* pl_tree_add adds a leaf and writes what it completes; on failure nothing has changed. IO, LIMIT.
 */
PL_STATUS pl_tree_add(pl_tree *tree, const pl_merkle_hash *leaf);

/* The leaf that the file holds under index; false: it holds none. */
bool pl_tree_stored(const pl_tree *tree, uint64_t index, pl_merkle_hash *out);

/* A pl_merkle_reader; ctx is the pl_tree. */
PL_STATUS pl_tree_read(unsigned level, uint64_t index, pl_merkle_hash *out, void *ctx);

PL_STATUS pl_tree_sync(const pl_tree *tree);

#endif
