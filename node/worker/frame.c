#include "node/worker/frame.h"

#include "protocols/base/secret.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static pl_status write_all(int fd, const uint8_t *data, size_t len) {
    while (len > 0) {
        ssize_t n = write(fd, data, len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return pl_fail(PL_UNAVAILABLE, "cannot write to the other process: %s",
                           strerror(errno));
        data += n;
        len -= (size_t)n;
    }
    return PL_OK;
}

pl_status pl_frame_write(int fd, pl_view body) {
    uint8_t prefix[4];
    if (body.len > PL_FRAME_BYTES_MAX)
        return pl_fail(PL_LIMIT, "a message of %zu bytes between processes is too large", body.len);
    pl_put_u32(prefix, (uint32_t)body.len);
    PL_TRY(write_all(fd, prefix, sizeof prefix));
    return write_all(fd, body.data, body.len);
}

/* Reads len bytes; *out_got is what came before the other side closed. */
static pl_status read_all(int fd, uint8_t *data, size_t len, size_t *out_got) {
    *out_got = 0;
    while (*out_got < len) {
        ssize_t n = read(fd, data + *out_got, len - *out_got);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pl_fail(PL_UNAVAILABLE, "cannot read from the other process: %s",
                           strerror(errno));
        if (n == 0)
            return PL_OK;
        *out_got += (size_t)n;
    }
    return PL_OK;
}

pl_status pl_frame_read(int fd, pl_bytes *out) {
    uint8_t prefix[4], *data;
    size_t got;
    PL_TRY(read_all(fd, prefix, sizeof prefix, &got));
    if (got == 0)
        return pl_fail(PL_NOT_FOUND, "the other process closed");
    size_t len = got == sizeof prefix ? pl_get_u32(prefix) : 0;
    if (got < sizeof prefix || len > PL_FRAME_BYTES_MAX)
        return pl_fail(PL_PROTOCOL, "the other process sent no proper message");
    PL_TRY(pl_alloc(len + 1, 1, &data));
    pl_status status = read_all(fd, data, len, &got);
    if (pl_is_ok(status) && got < len)
        status = pl_fail(PL_PROTOCOL, "the other process closed inside a message");
    if (pl_is_ok(status))
        *out = (pl_bytes){data, len};
    else
        free(data);
    return status;
}

/* ---- decoder ---- */

static void compact(pl_frame_decoder *d) {
    if (d->begin == 0)
        return;
    memmove(d->data, d->data + d->begin, d->len);
    d->begin = 0;
}

static pl_status reserve(pl_frame_decoder *d, size_t more) {
    compact(d);
    if (d->len + more <= d->cap)
        return PL_OK;
    size_t cap = d->cap < 4096 ? 4096 : d->cap;
    while (cap < d->len + more)
        cap *= 2;
    uint8_t *data;
    PL_TRY(pl_alloc(cap, 1, &data));
    if (d->data != NULL) {
        memcpy(data, d->data, d->len);
        pl_wipe(d->data, d->cap);
        free(d->data);
    }
    d->data = data;
    d->cap = cap;
    return PL_OK;
}

pl_status pl_frame_decoder_feed(pl_frame_decoder *d, pl_view bytes) {
    PL_TRY(reserve(d, bytes.len));
    memcpy(d->data + d->begin + d->len, bytes.data, bytes.len);
    d->len += bytes.len;
    return PL_OK;
}

pl_status pl_frame_decoder_next(pl_frame_decoder *d, pl_view *out, bool *out_complete) {
    *out_complete = false;
    if (d->len < 4)
        return PL_OK;
    size_t len = pl_get_u32(d->data + d->begin);
    if (len > PL_FRAME_BYTES_MAX)
        return pl_fail(PL_LIMIT, "a message of %zu bytes between processes is too large", len);
    if (d->len < 4 + len)
        return PL_OK;
    *out = pl_view_of(d->data + d->begin + 4, len);
    *out_complete = true;
    d->begin += 4 + len;
    d->len -= 4 + len;
    return PL_OK;
}

void pl_frame_decoder_done(pl_frame_decoder *d) {
    if (d->data != NULL)
        pl_wipe(d->data, d->cap);
    free(d->data);
    *d = (pl_frame_decoder){0};
}
