#include "node/audit/kept.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pl_status path_of(const char *log_path, pl_bytes *out) {
    pl_buf buf = {0};
    pl_buf_printf(&buf, "%s.heads", log_path);
    return pl_buf_take(&buf, out);
}

static pl_status add(const char *path, pl_view signed_head) {
    uint8_t frame[4 + PL_KEPT_HEAD_BYTES_MAX];
    if (signed_head.len > PL_KEPT_HEAD_BYTES_MAX)
        return pl_fail(PL_LIMIT, "a signed head of %zu bytes is too large", signed_head.len);
    pl_put_u32(frame, (uint32_t)signed_head.len);
    memcpy(frame + 4, signed_head.data, signed_head.len);
    int fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    off_t end = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);
    ssize_t len = (ssize_t)signed_head.len + 4;
    bool ok = end >= 0 && write(fd, frame, (size_t)len) == len;
    pl_status status = ok ? PL_OK
                          : pl_fail(errno == ENOSPC ? PL_LIMIT : PL_IO, "cannot write to %s: %s",
                                    path, strerror(errno));
    if (!ok && end >= 0 && ftruncate(fd, end) != 0) /* half a frame would hide those after it */
        status = pl_wrap(status, "cannot take it back either");
    if (fd >= 0)
        close(fd);
    return status;
}

pl_status pl_kept_add(const char *log_path, pl_view signed_head) {
    pl_bytes path;
    PL_TRY(path_of(log_path, &path));
    pl_status status = add((const char *)path.data, signed_head);
    pl_bytes_done(&path);
    return status;
}

pl_status pl_kept_each(const char *log_path, pl_kept_visitor visit, void *ctx) {
    pl_bytes path;
    uint8_t prefix[4], body[PL_KEPT_HEAD_BYTES_MAX];
    PL_TRY(path_of(log_path, &path));
    FILE *file = fopen((const char *)path.data, "rbe");
    pl_bytes_done(&path);
    pl_status status = PL_OK;
    while (file != NULL && pl_is_ok(status) && fread(prefix, 1, 4, file) == 4) {
        size_t len = pl_get_u32(prefix);
        if (len > sizeof body || fread(body, 1, len, file) != len)
            break;
        status = visit(pl_view_of(body, len), ctx);
    }
    if (file != NULL)
        fclose(file);
    return status;
}
