#include "node/charter/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static pl_status read_all(int fd, const char *path, size_t bytes_max, pl_bytes *out) {
    struct stat st;
    if (fstat(fd, &st) != 0)
        return pl_fail(PL_IO, "cannot look at %s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode))
        return pl_fail(PL_INVALID_ARGUMENT, "%s is not a regular file", path);
    if ((size_t)st.st_size > bytes_max)
        return pl_fail(PL_LIMIT, "%s has %zu bytes: at most %zu are read", path, (size_t)st.st_size,
                       bytes_max);
    uint8_t *data;
    size_t len = 0, size = (size_t)st.st_size;
    PL_TRY(pl_alloc(size + 1, 1, &data));
    while (len < size) {
        ssize_t n = read(fd, data + len, size - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0) {
            free(data);
            return pl_fail(PL_IO, "cannot read %s: %s", path,
                           n < 0 ? strerror(errno) : "it was cut short while being read");
        }
        len += (size_t)n;
    }
    *out = (pl_bytes){data, len};
    return PL_OK;
}

pl_status pl_file_read(const char *path, size_t bytes_max, pl_bytes *out) {
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return pl_fail(errno == ENOENT ? PL_NOT_FOUND : PL_IO, "cannot open %s: %s", path,
                       strerror(errno));
    pl_status status = read_all(fd, path, bytes_max, out);
    close(fd);
    return status;
}

static bool write_all(int fd, pl_view content) {
    for (size_t done = 0; done < content.len;) {
        ssize_t n = write(fd, content.data + done, content.len - done);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        done += (size_t)n;
    }
    return fsync(fd) == 0;
}

pl_status pl_file_create(const char *path, pl_view content, unsigned mode) {
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, (mode_t)mode);
    if (fd < 0)
        return pl_fail(errno == EEXIST ? PL_ALREADY_EXISTS : PL_IO, "cannot create %s: %s", path,
                       strerror(errno));
    bool ok = write_all(fd, content);
    int why = errno;
    ok = close(fd) == 0 && ok;
    return ok ? PL_OK : pl_fail(PL_IO, "cannot write %s: %s", path, strerror(why));
}
