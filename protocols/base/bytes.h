/* Bytes: borrowed views, owned byte strings, and a growable buffer. All valid as {0}; _done accepts
 * {0} and wipes nothing: memory that held a secret is released with pl_secret_free (secret.h). */
#ifndef PL_BASE_BYTES_H
#define PL_BASE_BYTES_H

#include "protocols/base/status.h"

#include <stdint.h>

/* A view borrows: the memory belongs to somebody else and outlives the view. */
typedef struct pl_view {
    const uint8_t *data;
    size_t len;
} pl_view;

/* Owned bytes; always followed by one NUL byte that len does not count, so text can be read as a C
 * string. */
typedef struct pl_bytes {
    uint8_t *data;
    size_t len;
} pl_bytes;

/* A growable buffer for building messages and text; a failed append is remembered and reported by
 * pl_buf_take. */
typedef struct pl_buf {
    uint8_t *data;
    size_t len, cap;
    bool failed;
} pl_buf;

static inline pl_view pl_view_of(const void *data, size_t len) {
    return (pl_view){(const uint8_t *)data, len};
}
static inline pl_view pl_bytes_view(const pl_bytes *bytes) {
    return (pl_view){bytes->data, bytes->len};
}
pl_view pl_view_text(const char *text); /* without the NUL */
/* pl_text_tame replaces control characters (C0, DEL, C1 in UTF-8) by '?': for text from elsewhere
 * that people will see in a terminal. */
void pl_text_tame(char *text);
bool pl_view_equal(pl_view a, pl_view b); /* not constant time: public data only */

PL_STATUS pl_bytes_dup(pl_view view, pl_bytes *out);
void pl_bytes_done(pl_bytes *bytes);

void pl_buf_append(pl_buf *buf, const void *data, size_t len);
void pl_buf_printf(pl_buf *buf, const char *format, ...) PL_PRINTF(2, 3);
/* pl_buf_take moves what was built into out (LIMIT when memory ran out) and empties the buffer. */
PL_STATUS pl_buf_take(pl_buf *buf, pl_bytes *out);
void pl_buf_done(pl_buf *buf);

/* pl_alloc gives n zeroed elements of size bytes: LIMIT on overflow or when there is no memory.
 * out_ptr is a T**. */
PL_STATUS pl_alloc(size_t n, size_t size, void *out_ptr);
PL_STATUS pl_strdup(const char *text, char **out);

/* Lower-case hex; out_hex holds 2 * view.len + 1 characters. */
void pl_hex_encode(pl_view view, char *out_hex);
/* INVALID_ARGUMENT unless hex is exactly 2 * len hex digits. */
PL_STATUS pl_hex_decode(const char *hex, uint8_t *out, size_t len);

/* Little-endian loads and stores for wire bodies. */
void pl_put_u16(uint8_t *out, uint16_t value);
void pl_put_u32(uint8_t *out, uint32_t value);
void pl_put_u64(uint8_t *out, uint64_t value);
uint16_t pl_get_u16(const uint8_t *in);
uint32_t pl_get_u32(const uint8_t *in);
uint64_t pl_get_u64(const uint8_t *in);

#endif
