#define _GNU_SOURCE /* memfd_create */
#include "tests/fuzz/fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

void fuzz_settle(pl_status status) {
    switch (pl_status_code(status)) {
    case PL_INTERNAL:
    case PL_IO:
        fprintf(stderr, "the input's fault is called ours: %s\n", pl_status_message(status));
        abort();
    default:
        pl_status_done(&status);
    }
}

size_t fuzz_edit(const uint8_t *script, size_t n, uint8_t *body, size_t len, size_t cap) {
    for (; n >= 3 && len > 0; n -= 3, script += 3) {
        size_t at = ((size_t)script[0] | (size_t)script[1] << 8) % len;
        if (script[2] == body[at]) {
            memmove(body + at, body + at + 1, --len - at);
        } else if ((script[0] & 1) == 0 || len == cap) {
            body[at] = script[2];
        } else {
            memmove(body + at + 1, body + at, len++ - at);
            body[at] = script[2];
        }
    }
    return len;
}

int fuzz_file(const uint8_t *data, size_t size) {
    int fd = memfd_create("input", MFD_CLOEXEC);
    if (fd < 0 || (size > 0 && write(fd, data, size) != (ssize_t)size) ||
        lseek(fd, 0, SEEK_SET) != 0)
        abort();
    return fd;
}
