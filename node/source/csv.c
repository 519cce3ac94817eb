#include "node/source/csv.h"

#include "node/source/value.h"
#include "protocols/base/secret.h"

#include <errno.h>
#include <iconv.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define RAW_BYTES 65536
#define RAW_BYTES_MIN 16
#define TEXT_BYTES (4 * RAW_BYTES) /* GB 18030 grows at most threefold in UTF-8 */

typedef struct field {
    size_t begin, len; /* in record */
    bool quoted;
} field;

struct pl_csv {
    int fd;
    char *path;
    const char *encoding;
    Parley__V1__SourceColumn *const *columns;
    size_t n_columns;
    pl_value_rule *rules;
    size_t *field_of; /* column -> field of the file */
    size_t n_header;
    uint64_t rows, rows_max, line, record_line;

    iconv_t converter; /* (iconv_t)-1: none */
    uint8_t raw[RAW_BYTES];
    size_t raw_len;
    bool raw_end;
    uint8_t text[TEXT_BYTES];
    size_t text_at, text_len;
    bool started; /* the BOM is behind us */

    uint8_t *record; /* PL_CSV_RECORD_BYTES_MAX + 1 */
    size_t record_len;
    field *fields; /* PL_CSV_FIELDS_MAX */
    size_t n_fields;
    EVP_MD_CTX *digest;
    uint8_t version[32]; /* the digest, once ended */
    bool ended;
    bool failed; /* nothing can be read after a fault */
};

static pl_status fault(const pl_csv *csv, pl_code code, const char *what) {
    return pl_fail(code, "%s:%llu: %s", csv->path, (unsigned long long)csv->record_line, what);
}

static pl_status column_fault(const pl_csv *csv, pl_code code, size_t column, const char *what) {
    return pl_fail(code, "%s:%llu: column %s: %s", csv->path, (unsigned long long)csv->record_line,
                   csv->columns[column]->column->name, what);
}

/* A fault of the bytes at this very place: names the column being read where there is one. */
static pl_status byte_fault(const pl_csv *csv, const char *what) {
    size_t at = csv->n_fields == 0 ? 0 : csv->n_fields - 1;
    for (size_t i = 0; csv->n_header > 0 && i < csv->n_columns; i++) {
        if (csv->field_of[i] == at)
            return pl_fail(PL_INVALID_ARGUMENT, "%s:%llu: column %s: %s", csv->path,
                           (unsigned long long)csv->line, csv->columns[i]->column->name, what);
    }
    return pl_fail(PL_INVALID_ARGUMENT, "%s:%llu: field %zu: %s", csv->path,
                   (unsigned long long)csv->line, at + 1, what);
}

/* ---- bytes: file -> raw -> text (UTF-8) ---- */

/* Reads until there are enough bytes to tell a BOM, however short the reads are. */
static pl_status read_raw(pl_csv *csv) {
    while (csv->raw_len < RAW_BYTES_MIN && !csv->raw_end) {
        ssize_t n = read(csv->fd, csv->raw + csv->raw_len, sizeof csv->raw - csv->raw_len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return pl_fail(PL_IO, "cannot read %s: %s", csv->path, strerror(errno));
        csv->raw_end = n == 0;
        if (n > 0 && EVP_DigestUpdate(csv->digest, csv->raw + csv->raw_len, (size_t)n) != 1)
            return pl_fail(PL_INTERNAL, "cannot hash %s", csv->path);
        csv->raw_len += (size_t)n;
    }
    return PL_OK;
}

/* Converts what is whole of raw; an unfinished character stays for the next block. What stands
 * before a wrong character is handed on first, so that the fault has the right line. */
static pl_status convert(pl_csv *csv) {
    char *in = (char *)csv->raw, *out = (char *)csv->text;
    size_t in_left = csv->raw_len, out_left = sizeof csv->text;
    if (csv->converter == (iconv_t)-1) {
        memcpy(csv->text, csv->raw, csv->raw_len);
        csv->text_len = csv->raw_len;
        csv->raw_len = 0;
        return PL_OK;
    }
    size_t done = iconv(csv->converter, &in, &in_left, &out, &out_left);
    bool wrong = done == (size_t)-1 && (errno == EILSEQ || (errno == EINVAL && csv->raw_end));
    if (wrong && in_left == csv->raw_len)
        return byte_fault(csv, "not valid GB 18030");
    memmove(csv->raw, in, in_left);
    csv->raw_len = in_left;
    csv->text_len = sizeof csv->text - out_left;
    return PL_OK;
}

static void skip_bom(pl_csv *csv) {
    if (!csv->started && csv->text_len >= 3 && memcmp(csv->text, "\xef\xbb\xbf", 3) == 0)
        csv->text_at = 3;
    csv->started = true;
}

/* The next byte of UTF-8 text, or -1 at the end. */
static pl_status next_byte(pl_csv *csv, int *out) {
    while (csv->text_at == csv->text_len) {
        if (csv->raw_end && csv->raw_len == 0) {
            *out = -1;
            return PL_OK;
        }
        csv->text_at = csv->text_len = 0;
        PL_TRY(read_raw(csv));
        PL_TRY(convert(csv));
        skip_bom(csv);
    }
    *out = csv->text[csv->text_at++];
    return PL_OK;
}

static pl_status peek_byte(pl_csv *csv, int *out) {
    PL_TRY(next_byte(csv, out));
    if (*out >= 0)
        csv->text_at--;
    return PL_OK;
}

/* ---- records ---- */

static pl_status put(pl_csv *csv, int byte) {
    if (csv->record_len == PL_CSV_RECORD_BYTES_MAX)
        return fault(csv, PL_LIMIT, "the record is longer than 1 MiB");
    if (byte == 0)
        return fault(csv, PL_INVALID_ARGUMENT, "a NUL byte stands in the text");
    csv->record[csv->record_len++] = (uint8_t)byte;
    return PL_OK;
}

/* After the opening quote: up to and with the closing one. */
static pl_status read_quoted(pl_csv *csv) {
    for (;;) {
        int c, after;
        PL_TRY(next_byte(csv, &c));
        if (c < 0)
            return fault(csv, PL_INVALID_ARGUMENT,
                         "a quoted field is not closed before the end of the file");
        csv->line += c == '\n';
        if (c == '"') {
            PL_TRY(peek_byte(csv, &after));
            if (after != '"')
                return PL_OK;
            PL_TRY(next_byte(csv, &after));
        }
        PL_TRY(put(csv, c));
    }
}

typedef enum field_end { END_FIELD, END_RECORD, END_FILE } field_end;

static pl_status end_of_field(pl_csv *csv, int c, bool *out_is_end, field_end *out) {
    *out_is_end = true;
    if (c == ',') {
        *out = END_FIELD;
    } else if (c < 0) {
        *out = END_FILE;
    } else if (c == '\n') {
        csv->line++;
        *out = END_RECORD;
    } else if (c == '\r') {
        int after;
        PL_TRY(next_byte(csv, &after));
        if (after != '\n' && after >= 0)
            return fault(csv, PL_INVALID_ARGUMENT, "a carriage return stands without a line feed");
        csv->line += after == '\n';
        *out = after < 0 ? END_FILE : END_RECORD;
    } else {
        *out_is_end = false;
    }
    return PL_OK;
}

static pl_status read_field(pl_csv *csv, field_end *out_end) {
    if (csv->n_fields == PL_CSV_FIELDS_MAX)
        return fault(csv, PL_LIMIT, "the record has more than 4096 fields");
    field *f = &csv->fields[csv->n_fields++];
    *f = (field){.begin = csv->record_len};
    bool at_end = false;
    int c;
    PL_TRY(next_byte(csv, &c));
    if (c == '"') {
        f->quoted = true;
        PL_TRY(read_quoted(csv));
        PL_TRY(next_byte(csv, &c));
        PL_TRY(end_of_field(csv, c, &at_end, out_end));
        if (!at_end)
            return fault(csv, PL_INVALID_ARGUMENT, "text stands after a closing quote");
    }
    while (!at_end) {
        PL_TRY(end_of_field(csv, c, &at_end, out_end));
        if (at_end)
            break;
        if (c == '"')
            return fault(csv, PL_INVALID_ARGUMENT, "a quote stands inside a field without quotes");
        PL_TRY(put(csv, c));
        PL_TRY(next_byte(csv, &c));
    }
    f->len = csv->record_len - f->begin;
    return PL_OK;
}

/* One record into fields; *out_has false at the end of the file. An empty last line is no record.
 */
static pl_status read_record(pl_csv *csv, bool *out_has) {
    csv->record_len = csv->n_fields = 0;
    csv->record_line = csv->line;
    int c;
    PL_TRY(peek_byte(csv, &c));
    *out_has = c >= 0;
    field_end end = c >= 0 ? END_FIELD : END_FILE;
    while (end == END_FIELD)
        PL_TRY(read_field(csv, &end));
    return PL_OK;
}

static pl_view field_text(const pl_csv *csv, size_t i) {
    return pl_view_of(csv->record + csv->fields[i].begin, csv->fields[i].len);
}

/* ---- header ---- */

static pl_status find_column(pl_csv *csv, size_t column) {
    const char *wanted = csv->columns[column]->source_name;
    bool found = false;
    for (size_t i = 0; i < csv->n_fields; i++) {
        if (!pl_view_equal(field_text(csv, i), pl_view_text(wanted)))
            continue;
        if (found)
            return column_fault(csv, PL_INVALID_ARGUMENT, column, "the header names it twice");
        csv->field_of[column] = i;
        found = true;
    }
    return found ? PL_OK
                 : pl_fail(PL_INVALID_ARGUMENT, "%s:1: the header has no column %s", csv->path,
                           wanted);
}

static pl_status read_header(pl_csv *csv) {
    bool has = false;
    PL_TRY(read_record(csv, &has));
    if (!has)
        return fault(csv, PL_INVALID_ARGUMENT, "the file is empty: a header line is needed");
    if (!pl_utf8_is_valid(pl_view_of(csv->record, csv->record_len)))
        return fault(csv, PL_INVALID_ARGUMENT,
                     "the header is not valid UTF-8: is the encoding in parleyd.yaml right?");
    for (size_t i = 0; i < csv->n_columns; i++) {
        PL_TRY(find_column(csv, i));
        PL_TRY(pl_wrap(pl_value_rule_init(csv->columns[i]->column, &csv->rules[i]),
                       "the configuration of %s", csv->path));
    }
    csv->n_header = csv->n_fields;
    return PL_OK;
}

/* ---- interface ---- */

static pl_status open_converter(pl_csv *csv, const char *encoding) {
    csv->converter = (iconv_t)-1;
    csv->encoding = encoding;
    if (strcmp(encoding, "utf-8") == 0 || *encoding == 0)
        return PL_OK;
    if (strcmp(encoding, "gb18030") != 0)
        return pl_fail(PL_UNSUPPORTED, "%s: encoding %s is not known: utf-8 and gb18030 are",
                       csv->path, encoding);
    csv->converter = iconv_open("UTF-8", "GB18030");
    return csv->converter == (iconv_t)-1
               ? pl_fail(PL_UNAVAILABLE, "this system cannot read GB 18030")
               : PL_OK;
}

pl_status pl_csv_open(int fd, const char *display_path, const char *encoding,
                      Parley__V1__SourceColumn *const *columns, size_t n_columns, uint64_t rows_max,
                      pl_csv **out) {
    pl_csv *csv;
    PL_TRY(pl_alloc(1, sizeof *csv, &csv));
    csv->fd = fd;
    csv->columns = columns;
    csv->n_columns = n_columns;
    csv->rows_max = rows_max;
    csv->line = 1;
    csv->converter = (iconv_t)-1;
    pl_status status;
    PL_CHECK(status, pl_strdup(display_path, &csv->path));
    PL_CHECK(status, open_converter(csv, encoding));
    PL_CHECK(status, pl_alloc(PL_CSV_RECORD_BYTES_MAX + 1, 1, &csv->record));
    PL_CHECK(status, pl_alloc(PL_CSV_FIELDS_MAX, sizeof *csv->fields, &csv->fields));
    PL_CHECK(status, pl_alloc(n_columns, sizeof *csv->rules, &csv->rules));
    PL_CHECK(status, pl_alloc(n_columns, sizeof *csv->field_of, &csv->field_of));
    csv->digest = EVP_MD_CTX_new();
    if (csv->digest == NULL || EVP_DigestInit_ex(csv->digest, EVP_sha256(), NULL) != 1)
        PL_CHECK(status, pl_fail(PL_LIMIT, "no memory to hash %s", display_path));
    PL_CHECK(status, read_header(csv));
    *out = csv;
    return PL_OK;
out:
    pl_csv_free(csv);
    return status;
}

static pl_status read_value(pl_csv *csv, size_t column, pl_value *out) {
    const field *f = &csv->fields[csv->field_of[column]];
    pl_view text = field_text(csv, csv->field_of[column]);
    char why[80];
    if (!pl_utf8_is_valid(text))
        return column_fault(csv, PL_INVALID_ARGUMENT, column, "not valid UTF-8");
    if (text.len == 0 && !f->quoted)
        *out =
            (pl_value){.is_null = true, .type = csv->columns[column]->column->type, .text = text};
    else if (!pl_value_parse(csv->columns[column]->column, text, out, why))
        return column_fault(csv, PL_INVALID_ARGUMENT, column, why);
    if (!pl_value_check(&csv->rules[column], out, why))
        return column_fault(csv, PL_OUT_OF_RANGE, column, why);
    return PL_OK;
}

static pl_status check_shape(const pl_csv *csv) {
    if (csv->n_fields == 1 && csv->n_header > 1 && csv->record_len == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "%s:%llu: an empty line, but the header has %zu fields",
                       csv->path, (unsigned long long)csv->record_line, csv->n_header);
    if (csv->n_fields != csv->n_header)
        return pl_fail(PL_INVALID_ARGUMENT, "%s:%llu: found %zu field(s), but the header has %zu",
                       csv->path, (unsigned long long)csv->record_line, csv->n_fields,
                       csv->n_header);
    if (csv->rows == csv->rows_max)
        return pl_fail(PL_LIMIT, "%s:%llu: more rows than the declared rows_max of %llu", csv->path,
                       (unsigned long long)csv->record_line, (unsigned long long)csv->rows_max);
    return PL_OK;
}

static pl_status end_of_source(pl_csv *csv) {
    if (!csv->ended && EVP_DigestFinal_ex(csv->digest, csv->version, NULL) != 1)
        return pl_fail(PL_INTERNAL, "cannot hash %s", csv->path);
    csv->ended = true;
    return PL_OK;
}

static pl_status next_row(pl_csv *csv, pl_value *values, bool *out_has_row) {
    PL_TRY(read_record(csv, out_has_row));
    if (!*out_has_row)
        return end_of_source(csv);
    PL_TRY(check_shape(csv));
    csv->rows++;
    for (size_t i = 0; i < csv->n_columns; i++)
        PL_TRY(read_value(csv, i, &values[i]));
    return PL_OK;
}

pl_status pl_csv_next(pl_csv *csv, pl_value *values, bool *out_has_row) {
    if (csv->failed)
        return pl_fail(PL_FAILED_PRECONDITION, "%s could not be read before", csv->path);
    pl_status status = next_row(csv, values, out_has_row);
    csv->failed = !pl_is_ok(status);
    return status;
}

pl_status pl_csv_digest(pl_csv *csv, uint8_t out[32]) {
    if (!csv->ended)
        return pl_fail(PL_INTERNAL, "the digest of %s was asked for before its end", csv->path);
    memcpy(out, csv->version, sizeof csv->version);
    return PL_OK;
}

uint64_t pl_csv_rows(const pl_csv *csv) {
    return csv->rows;
}

void pl_csv_free(pl_csv *csv) {
    if (csv == NULL)
        return;
    for (size_t i = 0; csv->rules != NULL && i < csv->n_columns; i++)
        pl_value_rule_done(&csv->rules[i]);
    if (csv->converter != (iconv_t)-1)
        iconv_close(csv->converter);
    if (csv->record != NULL)
        pl_wipe(csv->record, PL_CSV_RECORD_BYTES_MAX);
    EVP_MD_CTX_free(csv->digest);
    free(csv->record);
    free(csv->fields);
    free(csv->rules);
    free(csv->field_of);
    free(csv->path);
    pl_wipe(csv, sizeof *csv);
    free(csv);
}
