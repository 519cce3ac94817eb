#include "node/audit/tree.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* ---- where a subtree stands ---- */

/* Subtrees complete before leaf n is added: n leaves and, over them, n - popcount(n) nodes. */
static uint64_t n_before(uint64_t n) {
    return 2 * n - (uint64_t)__builtin_popcountll(n);
}

/* A subtree of this level is completed `level` nodes after its last leaf. */
static off_t place_of(unsigned level, uint64_t index) {
    uint64_t last_leaf = ((index + 1) << level) - 1;
    return (off_t)((n_before(last_leaf) + level) * PL_MERKLE_BYTES);
}

/* How many leaves have all their subtrees in a file of that many hashes: at most half and a bit. */
static uint64_t leaves_in(uint64_t n_hashes) {
    uint64_t n = n_hashes / 2;
    while (n_before(n + 1) <= n_hashes)
        n++;
    return n;
}

/* ---- opening ---- */

static pl_status open_with(const char *path, int flags, pl_tree *out) {
    struct stat info;
    *out = (pl_tree){.fd = open(path, flags | O_CLOEXEC | O_NOFOLLOW, 0600)};
    if (out->fd < 0 && errno == ENOENT)
        return PL_OK;
    if (out->fd < 0 || fstat(out->fd, &info) != 0 || !S_ISREG(info.st_mode)) {
        pl_tree_done(out);
        return pl_fail(PL_IO, "cannot open the audit log's tree %s: %s", path, strerror(errno));
    }
    out->n_stored = leaves_in((uint64_t)info.st_size / PL_MERKLE_BYTES);
    pl_status status = pl_strdup(path, &out->path);
    if (!pl_is_ok(status))
        pl_tree_done(out);
    return status;
}

pl_status pl_tree_open(const char *path, pl_tree *out) {
    return open_with(path, O_RDWR | O_CREAT, out);
}

pl_status pl_tree_view(const char *path, pl_tree *out) {
    return open_with(path, O_RDONLY, out);
}

void pl_tree_done(pl_tree *tree) {
    if (tree->fd >= 0)
        close(tree->fd);
    free(tree->path);
    *tree = (pl_tree){.fd = -1};
}

/* ---- reading ---- */

pl_status pl_tree_read(unsigned level, uint64_t index, pl_merkle_hash *out, void *ctx) {
    const pl_tree *tree = ctx;
    if (pread(tree->fd, out->bytes, PL_MERKLE_BYTES, place_of(level, index)) != PL_MERKLE_BYTES)
        return pl_fail(
            PL_CORRUPT,
            "the audit log's tree %s is too short: remove it and restart the node, which "
            "makes it again",
            tree->path);
    return PL_OK;
}

/* After a power loss the end of a file may be zeros: no hash is. */
bool pl_tree_stored(const pl_tree *tree, uint64_t index, pl_merkle_hash *out) {
    static const pl_merkle_hash zero;
    if (index >= tree->n_stored)
        return false;
    pl_merkle_hash found;
    pl_status status = pl_tree_read(0, index, &found, (void *)(uintptr_t)tree);
    bool there = pl_is_ok(status) && !pl_merkle_equal(&found, &zero);
    pl_status_done(&status); /* not there, then */
    if (there)
        *out = found;
    return there;
}

pl_status pl_tree_load(pl_tree *tree, uint64_t size, const pl_merkle_hash *root) {
    pl_merkle merkle = {.size = size};
    if (tree->fd < 0 || size > tree->n_stored)
        return pl_fail(PL_CORRUPT, "the audit log's tree is shorter than its checkpoint");
    for (unsigned level = 0; level < PL_MERKLE_LEVELS; level++) {
        if ((size >> level & 1) != 0)
            PL_TRY(pl_tree_read(level, (size >> level) - 1, &merkle.peaks[level], tree));
    }
    pl_merkle_hash found = pl_merkle_root(&merkle);
    if (!pl_merkle_equal(&found, root))
        return pl_fail(PL_CORRUPT, "the audit log's tree is not that of its checkpoint");
    tree->merkle = merkle;
    return PL_OK;
}

/* ---- growing ---- */

pl_status pl_tree_add(pl_tree *tree, const pl_merkle_hash *leaf) {
    pl_merkle_hash made[PL_MERKLE_LEVELS];
    pl_merkle before = tree->merkle;
    off_t at = place_of(0, before.size);
    size_t len = pl_merkle_add(&tree->merkle, leaf, made) * PL_MERKLE_BYTES;
    for (size_t done = 0; done < len;) {
        ssize_t n = pwrite(tree->fd, (const uint8_t *)made + done, len - done, at + (off_t)done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            pl_status status =
                pl_fail(errno == ENOSPC ? PL_LIMIT : PL_IO,
                        "cannot write to the audit log's tree %s: %s", tree->path, strerror(errno));
            tree->merkle = before;
            if (ftruncate(tree->fd, at) != 0)
                return pl_wrap(status, "cannot take it back either");
            return status;
        }
        done += (size_t)n;
    }
    return PL_OK;
}

pl_status pl_tree_sync(const pl_tree *tree) {
    return fdatasync(tree->fd) == 0 ? PL_OK
                                    : pl_fail(PL_IO, "cannot sync the audit log's tree %s: %s",
                                              tree->path, strerror(errno));
}
