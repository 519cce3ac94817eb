/* File: small documents and certificates on disk. Private to this folder. */
#ifndef PL_NODE_CHARTER_FILE_H
#define PL_NODE_CHARTER_FILE_H

#include "protocols/base/bytes.h"

/* pl_file_read reads a regular file of at most bytes_max. IO, NOT_FOUND, LIMIT, naming the path. */
PL_STATUS pl_file_read(const char *path, size_t bytes_max, pl_bytes *out);

/* pl_file_create writes a file that must not exist yet, with this mode, and syncs it. */
PL_STATUS pl_file_create(const char *path, pl_view content, unsigned mode);

#endif
