/* CSV: a department's table as a stream of typed, checked rows. RFC 4180: fields in quotes may hold
 * commas, quotes (doubled) and line ends; lines end in LF or CRLF. The first record is the header.
 * UTF-8 with or without BOM, or GB 18030. An empty field without quotes is NULL; "" is the empty
 * text.
 *
 * Every fault is an error with file, line, column and kind of fault, never the value:
 *     data/north.csv:14: column income: not a decimal(9,2) */
#ifndef PL_NODE_SOURCE_CSV_H
#define PL_NODE_SOURCE_CSV_H

#include "proto/session.pb-c.h"
#include "protocols/base/bytes.h"

#define PL_CSV_RECORD_BYTES_MAX (1u << 20)
#define PL_CSV_FIELDS_MAX 4096

__extension__ typedef __int128 pl_int128;

/* One field. integer: integer and decimal(p,s) (in units of 10^-s), bool (0, 1), date (days since
 * 2000-01-01). */
typedef struct pl_value {
    bool is_null;
    Parley__V1__ColumnType type;
    pl_int128 integer;
    double real;
    pl_view text; /* borrowed until the next row; the field as it stood, for every type */
} pl_value;

typedef struct pl_csv pl_csv;

/* pl_csv_open reads the header and finds every declared column in it by its source name. fd and
 * columns are borrowed. Errors: as above; UNSUPPORTED (encoding). */
PL_STATUS pl_csv_open(int fd, const char *display_path, const char *encoding,
                      Parley__V1__SourceColumn *const *columns, size_t n_columns, uint64_t rows_max,
                      pl_csv **out);

/* pl_csv_next fills values [n_columns], in the order of columns; *out_has_row false at the end.
 * Errors: INVALID_ARGUMENT (a field that does not fit), OUT_OF_RANGE (declared range or values),
 * LIMIT (rows, length), IO. */
PL_STATUS pl_csv_next(pl_csv *csv, pl_value *values, bool *out_has_row);

/* pl_csv_digest: SHA-256 over all bytes of the source; after the last row only. */
PL_STATUS pl_csv_digest(pl_csv *csv, uint8_t out[32]);

uint64_t pl_csv_rows(const pl_csv *csv);
void pl_csv_free(pl_csv *csv); /* wipes */

#endif
