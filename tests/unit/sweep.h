/* Sweep: changes every field of a document in turn and holds each outcome against a table. A change
 * that is not in the table must be refused by a message that has the field's name in it; a row may
 * say that it is accepted (text NULL), or by what text it is refused. A row that no change used
 * fails too: the table is exact. */
#ifndef PL_TESTS_SWEEP_H
#define PL_TESTS_SWEEP_H

#include "protocols/base/status.h"
#include "tests/unit/mutate.h"

typedef struct sweep_row {
    const char *what;
    const char *text; /* NULL: accepted */
} sweep_row;

#define SWEEP_ROWS_MAX 64

typedef struct sweep {
    const char *name;
    pl_status (*attempt)(void *ctx); /* sends and verifies the document as it now stands */
    void *ctx;
    const sweep_row *rows;
    size_t n_rows;
    const char *any_text; /* not NULL: every change is refused, by this text */
    bool used[SWEEP_ROWS_MAX];
} sweep;

/* Runs it over message; fails when there were fewer than n_min changes. */
void sweep_run(sweep *s, ProtobufCMessage *message, size_t n_min);

/* Fails unless status is a failure of that code whose message contains text; frees it. */
void must_refuse(pl_status status, pl_code code, const char *text);
void must(pl_status status);

#endif
