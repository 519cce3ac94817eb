#include "tests/unit/sweep.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

void must(pl_status status) {
    if (!pl_is_ok(status))
        fail_msg("%s", pl_status_message(status));
}

void must_refuse(pl_status status, pl_code code, const char *text) {
    if (pl_is_ok(status))
        fail_msg("accepted what must be refused with '%s'", text);
    if (pl_status_code(status) != code || strstr(pl_status_message(status), text) == NULL)
        fail_msg("expected %s '%s', got %s '%s'", pl_code_describe(code)->name, text,
                 pl_code_describe(pl_status_code(status))->name, pl_status_message(status));
    pl_status_done(&status);
}

static const sweep_row *find_row(sweep *s, const char *what) {
    for (size_t i = 0; i < s->n_rows; i++) {
        if (strcmp(s->rows[i].what, what) == 0) {
            s->used[i] = true;
            return &s->rows[i];
        }
    }
    return NULL;
}

static void check_one(const char *what, void *ctx) {
    sweep *s = ctx;
    char field[100];
    const sweep_row *row = s->any_text != NULL ? NULL : find_row(s, what);
    pl_status status = s->attempt(s->ctx);
    mutate_field(what, field, sizeof field);
    const char *text = s->any_text != NULL ? s->any_text : row != NULL ? row->text : field;
    if (text == NULL && !pl_is_ok(status))
        fail_msg("%s: '%s' must be accepted, got '%s'", s->name, what, pl_status_message(status));
    if (text != NULL && pl_is_ok(status))
        fail_msg("%s: '%s' was accepted", s->name, what);
    if (text != NULL && strstr(pl_status_message(status), text) == NULL)
        fail_msg("%s: '%s' must be refused with '%s', got '%s'", s->name, what, text,
                 pl_status_message(status));
    if (text != NULL && pl_status_code(status) == PL_INTERNAL)
        fail_msg("%s: '%s' ends as an internal error: %s", s->name, what,
                 pl_status_message(status));
    pl_status_done(&status);
}

void sweep_run(sweep *s, ProtobufCMessage *message, size_t n_min) {
    assert_true(s->n_rows <= SWEEP_ROWS_MAX);
    must(s->attempt(s->ctx)); /* unchanged, it passes: refusals below come from the change */
    size_t n = mutate_each(message, check_one, s);
    print_message("%s: %zu changes\n", s->name, n);
    assert_true(n >= n_min);
    for (size_t i = 0; i < s->n_rows; i++) {
        if (!s->used[i])
            fail_msg("%s: no change is called '%s'", s->name, s->rows[i].what);
    }
    must(s->attempt(s->ctx)); /* and everything was taken back */
}
