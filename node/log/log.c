#include "node/log/log.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static void utc_now(char out[32]) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    struct tm parts;
    gmtime_r(&now.tv_sec, &parts);
    size_t len = strftime(out, 32, "%Y-%m-%dT%H:%M:%S", &parts);
    snprintf(out + len, 32 - len, ".%03dZ", (int)(now.tv_nsec / 1000000));
}

void pl_log_event(const char *level, const char *event, const pl_log_field *fields) {
    char time_text[32];
    utc_now(time_text);
    json_t *line = json_pack("{s:s, s:s, s:s}", "time", time_text, "level", level, "event", event);
    for (const pl_log_field *field = fields; line != NULL && field->name != NULL; field++) {
        if (field->text != NULL)
            json_object_set_new(line, field->name, json_string(field->text));
    }
    char *text = line == NULL ? NULL : json_dumps(line, JSON_COMPACT);
    fprintf(stderr, "%s\n", text == NULL ? "{\"event\":\"log.failed\"}" : text);
    free(text);
    json_decref(line);
}

void pl_log_status(const char *event, const char *job, pl_status status) {
    if (!pl_is_ok(status))
        PL_LOG_WARN(event, {"job", job}, {"code", pl_code_describe(pl_status_code(status))->name},
                    {"message", pl_status_message(status)});
    pl_status_done(&status);
}
