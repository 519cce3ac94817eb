/* Parse: text to PostgreSQL's own parse tree, after a guard. PostgreSQL's parser recurses, so
 * length, tokens and nesting are bounded by its scanner, which does not recurse, before the parser
 * sees the text. */
#ifndef PL_SQL_PARSE_H
#define PL_SQL_PARSE_H

#include "protocols/base/bytes.h"

#include <pg_query/pg_query.pb-c.h>

#define PL_SQL_BYTES_MAX 8192
#define PL_SQL_TOKENS_MAX 1024
#define PL_SQL_NESTING_MAX 64
#define PL_SQL_NAME_BYTES_MAX 63 /* PostgreSQL cuts longer names: here they are refused */

typedef struct pl_sql {
    const char *text; /* borrowed */
    PgQuery__ParseResult *tree;
    const PgQuery__SelectStmt *select; /* inside tree */
} pl_sql;

/* pl_sql_parse reads exactly one SELECT. Borrows text.
 * Errors: LIMIT (bytes, tokens, nesting, name), INVALID_ARGUMENT (encoding, syntax, with position),
 * UNSUPPORTED (another statement); INTERNAL when the protobuf-c that was loaded is not the one
 * compiled against. */
PL_STATUS pl_sql_parse(const char *text, pl_sql *out);
void pl_sql_done(pl_sql *sql);

/* pl_sql_fail makes an error that begins with the place: "line 1, column 23: ". location: byte
 * offset, -1: no place. */
PL_STATUS pl_sql_fail(const pl_sql *sql, int location, pl_code code, const char *format, ...)
    PL_PRINTF(4, 5);
PL_STATUS pl_sql_wrap(const pl_sql *sql, int location, pl_status cause);

#endif
