#include "protocols/base/bytes.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

pl_view pl_view_text(const char *text) {
    return pl_view_of(text, strlen(text));
}

void pl_text_tame(char *text) {
    for (uint8_t *at = (uint8_t *)text; *at != 0; at++) {
        if (*at < 0x20 || *at == 0x7f)
            *at = '?';
        else if (at[0] == 0xc2 && at[1] >= 0x80 && at[1] < 0xa0)
            at[0] = at[1] = '?';
    }
}

bool pl_view_equal(pl_view a, pl_view b) {
    return a.len == b.len && (a.len == 0 || memcmp(a.data, b.data, a.len) == 0);
}

pl_status pl_alloc(size_t n, size_t size, void *out_ptr) {
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        return pl_fail(PL_LIMIT, "an allocation of %zu elements is too large", n);
    void *data = calloc(1, bytes == 0 ? 1 : bytes);
    if (data == NULL)
        return pl_fail(PL_LIMIT, "no memory for %zu bytes", bytes);
    memcpy(out_ptr, &data, sizeof data);
    return PL_OK;
}

pl_status pl_strdup(const char *text, char **out) {
    pl_bytes copy = {0};
    PL_TRY(pl_bytes_dup(pl_view_text(text), &copy));
    *out = (char *)copy.data;
    return PL_OK;
}

pl_status pl_bytes_dup(pl_view view, pl_bytes *out) {
    uint8_t *data = NULL;
    PL_TRY(pl_alloc(view.len + 1, 1, &data));
    if (view.len != 0)
        memcpy(data, view.data, view.len);
    *out = (pl_bytes){data, view.len};
    return PL_OK;
}

void pl_bytes_done(pl_bytes *bytes) {
    free(bytes->data);
    *bytes = (pl_bytes){0};
}

static bool buf_reserve(pl_buf *buf, size_t more) {
    size_t need;
    if (buf->failed || __builtin_add_overflow(buf->len + 1, more, &need)) {
        buf->failed = true;
        return false;
    }
    if (need <= buf->cap)
        return true;
    size_t cap = buf->cap < 64 ? 64 : buf->cap;
    while (cap < need)
        cap += cap / 2;
    uint8_t *data = realloc(buf->data, cap);
    if (data == NULL) {
        buf->failed = true;
        return false;
    }
    buf->data = data;
    buf->cap = cap;
    return true;
}

void pl_buf_append(pl_buf *buf, const void *data, size_t len) {
    if (!buf_reserve(buf, len))
        return;
    if (len != 0)
        memcpy(buf->data + buf->len, data, len);
    buf->len += len;
    buf->data[buf->len] = 0;
}

void pl_buf_printf(pl_buf *buf, const char *format, ...) {
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int len = vsnprintf(NULL, 0, format, again);
    va_end(again);
    if (len >= 0 && buf_reserve(buf, (size_t)len)) {
        vsnprintf((char *)buf->data + buf->len, (size_t)len + 1, format, args);
        buf->len += (size_t)len;
    } else {
        buf->failed = true;
    }
    va_end(args);
}

pl_status pl_buf_take(pl_buf *buf, pl_bytes *out) {
    if (buf->failed || !buf_reserve(buf, 0)) {
        pl_buf_done(buf);
        return pl_fail(PL_LIMIT, "no memory for a buffer");
    }
    buf->data[buf->len] = 0;
    *out = (pl_bytes){buf->data, buf->len};
    *buf = (pl_buf){0};
    return PL_OK;
}

void pl_buf_done(pl_buf *buf) {
    free(buf->data);
    *buf = (pl_buf){0};
}

void pl_hex_encode(pl_view view, char *out_hex) {
    static const char digits[] = "0123456789abcdef";
    for (size_t i = 0; i < view.len; i++) {
        out_hex[2 * i] = digits[view.data[i] >> 4];
        out_hex[2 * i + 1] = digits[view.data[i] & 15];
    }
    out_hex[2 * view.len] = 0;
}

static int hex_digit(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

pl_status pl_hex_decode(const char *hex, uint8_t *out, size_t len) {
    if (strlen(hex) != 2 * len)
        return pl_fail(PL_INVALID_ARGUMENT, "expected %zu hex digits", 2 * len);
    for (size_t i = 0; i < len; i++) {
        int high = hex_digit(hex[2 * i]), low = hex_digit(hex[2 * i + 1]);
        if (high < 0 || low < 0)
            return pl_fail(PL_INVALID_ARGUMENT, "character %zu is not a hex digit", 2 * i + 1);
        out[i] = (uint8_t)(high * 16 + low);
    }
    return PL_OK;
}

void pl_put_u16(uint8_t *out, uint16_t value) {
    for (int i = 0; i < 2; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

void pl_put_u32(uint8_t *out, uint32_t value) {
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

void pl_put_u64(uint8_t *out, uint64_t value) {
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (8 * i));
}

uint16_t pl_get_u16(const uint8_t *in) {
    return (uint16_t)(in[0] | in[1] << 8);
}

uint32_t pl_get_u32(const uint8_t *in) {
    uint32_t value = 0;
    for (int i = 3; i >= 0; i--)
        value = value << 8 | in[i];
    return value;
}

uint64_t pl_get_u64(const uint8_t *in) {
    uint64_t value = 0;
    for (int i = 7; i >= 0; i--)
        value = value << 8 | in[i];
    return value;
}
