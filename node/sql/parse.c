#include "node/sql/parse.h"

#include <pg_query.h>
#include <protobuf-c/protobuf-c.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

/* ---- places ---- */

/* "line L, column C: " of a byte offset; columns count characters. */
static void print_place(const char *text, int location, char *out, size_t room) {
    out[0] = '\0';
    if (location < 0)
        return;
    unsigned line = 1, column = 1;
    for (int i = 0; i < location && text[i] != '\0'; i++) {
        if (text[i] == '\n') {
            line++;
            column = 1;
        } else if (((unsigned char)text[i + 1] & 0xC0) != 0x80) {
            column++;
        }
    }
    snprintf(out, room, "line %u, column %u: ", line, column);
}

pl_status pl_sql_fail(const pl_sql *sql, int location, pl_code code, const char *format, ...) {
    char place[64], message[512];
    print_place(sql->text, location, place, sizeof place);
    va_list args;
    va_start(args, format);
    vsnprintf(message, sizeof message, format, args);
    va_end(args);
    return pl_fail(code, "%s%s", place, message);
}

pl_status pl_sql_wrap(const pl_sql *sql, int location, pl_status cause) {
    if (pl_is_ok(cause))
        return cause;
    pl_status status =
        pl_sql_fail(sql, location, pl_status_code(cause), "%s", pl_status_message(cause));
    pl_status_done(&cause);
    return status;
}

/* ---- the guard ---- */

/* Length of the UTF-8 sequence at s; 0: malformed. */
static size_t utf8_length(const unsigned char *s) {
    size_t n = s[0] < 0x80                   ? 1
               : s[0] >= 0xC2 && s[0] < 0xE0 ? 2
               : (s[0] & 0xF0) == 0xE0       ? 3
               : s[0] >= 0xF0 && s[0] < 0xF5 ? 4
                                             : 0;
    for (size_t i = 1; i < n; i++)
        if ((s[i] & 0xC0) != 0x80)
            return 0;
    if ((s[0] == 0xE0 && s[1] < 0xA0) || (s[0] == 0xED && s[1] > 0x9F) ||
        (s[0] == 0xF0 && s[1] < 0x90) || (s[0] == 0xF4 && s[1] > 0x8F))
        return 0;
    return n;
}

static pl_status check_text(const pl_sql *sql) {
    size_t len = strlen(sql->text);
    if (len > PL_SQL_BYTES_MAX)
        return pl_fail(PL_LIMIT, "the SQL text has %zu bytes; the limit is %d", len,
                       PL_SQL_BYTES_MAX);
    for (size_t i = 0; i < len;) {
        size_t n = utf8_length((const unsigned char *)sql->text + i);
        if (n == 0)
            return pl_sql_fail(sql, (int)i, PL_INVALID_ARGUMENT, "the SQL text is not valid UTF-8");
        i += n;
    }
    return PL_OK;
}

static pl_status syntax_error(const pl_sql *sql, const PgQueryError *error) {
    int location = error->cursorpos > 0 ? error->cursorpos - 1 : -1;
    /* PostgreSQL counts the cursor in characters: find the byte. */
    if (location >= 0) {
        int characters = location, at = 0;
        while (characters > 0 && sql->text[at] != '\0') {
            at++;
            if (((unsigned char)sql->text[at] & 0xC0) != 0x80)
                characters--;
        }
        location = at;
    }
    return pl_sql_fail(sql, location, PL_INVALID_ARGUMENT, "%s", error->message);
}

static int nesting_step(const PgQuery__ScanToken *token) {
    switch (token->token) {
    case PG_QUERY__TOKEN__ASCII_40: /* ( */
    case PG_QUERY__TOKEN__ASCII_91: /* [ */
    case PG_QUERY__TOKEN__CASE:
        return 1;
    case PG_QUERY__TOKEN__ASCII_41:
    case PG_QUERY__TOKEN__ASCII_93:
    case PG_QUERY__TOKEN__END_P:
        return -1;
    default:
        return 0;
    }
}

static pl_status check_tokens(const pl_sql *sql, const PgQuery__ScanResult *scan) {
    if (scan->n_tokens > PL_SQL_TOKENS_MAX)
        return pl_fail(PL_LIMIT, "the SQL text has %zu tokens; the limit is %d", scan->n_tokens,
                       PL_SQL_TOKENS_MAX);
    int depth = 0;
    for (size_t i = 0; i < scan->n_tokens; i++) {
        const PgQuery__ScanToken *token = scan->tokens[i];
        depth += nesting_step(token);
        if (depth > PL_SQL_NESTING_MAX)
            return pl_sql_fail(sql, token->start, PL_LIMIT,
                               "brackets are nested deeper than %d levels: write the query flatter",
                               PL_SQL_NESTING_MAX);
        bool is_quoted = sql->text[token->start] == '"';
        if ((token->token == PG_QUERY__TOKEN__IDENT) &&
            token->end - token->start - 2 * is_quoted > PL_SQL_NAME_BYTES_MAX)
            return pl_sql_fail(sql, token->start, PL_LIMIT,
                               "a name is longer than %d bytes: shorten it", PL_SQL_NAME_BYTES_MAX);
    }
    return PL_OK;
}

static pl_status guard(const pl_sql *sql) {
    PL_TRY(check_text(sql));
    PgQueryScanResult result = pg_query_scan(sql->text);
    pl_status status = PL_OK;
    if (result.error != NULL) {
        status = syntax_error(sql, result.error);
    } else {
        PgQuery__ScanResult *scan =
            pg_query__scan_result__unpack(NULL, result.pbuf.len, (const uint8_t *)result.pbuf.data);
        status = scan ? check_tokens(sql, scan)
                      : pl_fail(PL_INTERNAL, "the SQL scanner's answer cannot be read");
        if (scan)
            pg_query__scan_result__free_unpacked(scan, NULL);
    }
    pg_query_free_scan_result(result);
    return status;
}

/* ---- the parser ---- */

/* libpg_query exports a protobuf-c of its own: the loader must have bound ours, or descriptors and
 * code disagree. */
static pl_status check_protobuf(void) {
    if (protobuf_c_version_number() != PROTOBUF_C_VERSION_NUMBER)
        return pl_fail(PL_INTERNAL,
                       "protobuf-c %s is loaded, but this program was built with %s: link "
                       "libprotobuf-c before libpg_query",
                       protobuf_c_version(), PROTOBUF_C_VERSION);
    return PL_OK;
}

static pl_status take_select(pl_sql *sql) {
    if (sql->tree->n_stmts == 0)
        return pl_fail(PL_INVALID_ARGUMENT, "the SQL text is empty: write one SELECT");
    if (sql->tree->n_stmts > 1)
        return pl_sql_fail(sql, sql->tree->stmts[1]->stmt_location, PL_UNSUPPORTED,
                           "a second statement is not supported: send one SELECT at a time");
    const PgQuery__Node *node = sql->tree->stmts[0]->stmt;
    if (node == NULL || node->node_case != PG_QUERY__NODE__NODE_SELECT_STMT)
        return pl_sql_fail(sql, 0, PL_UNSUPPORTED, "only SELECT is supported");
    sql->select = node->select_stmt;
    return PL_OK;
}

static pl_status parse(pl_sql *sql) {
    PgQueryProtobufParseResult result = pg_query_parse_protobuf(sql->text);
    pl_status status = PL_OK;
    if (result.error != NULL) {
        status = syntax_error(sql, result.error);
    } else {
        sql->tree = pg_query__parse_result__unpack(NULL, result.parse_tree.len,
                                                   (const uint8_t *)result.parse_tree.data);
        if (sql->tree == NULL)
            status = pl_fail(PL_INTERNAL, "the SQL parser's answer cannot be read");
    }
    pg_query_free_protobuf_parse_result(result);
    return status;
}

pl_status pl_sql_parse(const char *text, pl_sql *out) {
    pl_sql sql = {.text = text};
    pl_status status;
    PL_CHECK(status, check_protobuf());
    PL_CHECK(status, guard(&sql));
    PL_CHECK(status, parse(&sql));
    PL_CHECK(status, take_select(&sql));
    *out = sql;
    return PL_OK;
out:
    pl_sql_done(&sql);
    return status;
}

void pl_sql_done(pl_sql *sql) {
    if (sql->tree != NULL)
        pg_query__parse_result__free_unpacked(sql->tree, NULL);
    *sql = (pl_sql){0};
}
