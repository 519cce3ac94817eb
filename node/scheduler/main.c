/* parley-scheduler: lightweight, and trusted by nobody. */
#include "node/catalog/yaml.h"
#include "node/log/log.h"
#include "node/scheduler/scheduler.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char help[] = "parley-scheduler: brings the nodes of a federation together; reads no "
                           "job, holds no share, key or result\n"
                           "\n"
                           "usage: parley-scheduler --config FILE\n"
                           "\n"
                           "  --config FILE   scheduler.yaml, with the keys\n"
                           "                    listen: \"0.0.0.0:7000\"       address of the "
                           "nodes' streams (port 0: any)\n"
                           "                    certificate: scheduler.crt   pinned by the nodes; "
                           "made by parley scheduler create\n"
                           "                    key: scheduler.key\n"
                           "                    manifest: federation.manifest\n"
                           "                    state: state                 folder of the queue\n"
                           "  --version       print the version\n"
                           "  --help          print this\n"
                           "\n"
                           "It prints one line on stdout when it is ready, and JSON log lines on "
                           "stderr. SIGTERM ends it in order.\n";

typedef struct config {
    char *listen, *certificate, *key, *manifest, *state;
} config;

/* Relative paths are relative to the file's folder. */
static pl_status path_of(const pl_yaml *root, const char *file, const char *name, char **out) {
    char *given;
    PL_TRY(pl_yaml_text(root, name, NULL, &given));
    const char *slash = strrchr(file, '/');
    pl_buf path = {0};
    pl_buf_printf(&path, "%.*s%s", *given == '/' || slash == NULL ? 0 : (int)(slash + 1 - file),
                  file, given);
    free(given);
    pl_bytes bytes;
    PL_TRY(pl_buf_take(&path, &bytes));
    *out = (char *)bytes.data;
    return PL_OK;
}

static pl_status read_config(const char *file, config *out) {
    static const char *const keys[] = {"listen", "certificate", "key", "manifest", "state", NULL};
    pl_yaml *root;
    PL_TRY(pl_yaml_load(file, &root));
    pl_status status;
    PL_CHECK(status, pl_yaml_only(root, keys));
    PL_CHECK(status, pl_yaml_text(root, "listen", NULL, &out->listen));
    PL_CHECK(status, path_of(root, file, "certificate", &out->certificate));
    PL_CHECK(status, path_of(root, file, "key", &out->key));
    PL_CHECK(status, path_of(root, file, "manifest", &out->manifest));
    PL_CHECK(status, path_of(root, file, "state", &out->state));
out:
    pl_yaml_free(root);
    return status;
}

static pl_status run(const char *file) {
    uv_loop_t loop;
    config c = {0};
    pl_scheduler *s = NULL;
    uv_loop_init(&loop);
    pl_status status = read_config(file, &c);
    pl_scheduler_params params = {c.listen, c.certificate, c.key, c.manifest, c.state};
    if (pl_is_ok(status))
        status = pl_scheduler_open(&loop, &params, &s);
    if (pl_is_ok(status)) {
        printf("parley-scheduler ready on %s\n", s->address);
        fflush(stdout);
    } else if (s != NULL) {
        pl_scheduler_stop(s);
    }
    uv_run(&loop, UV_RUN_DEFAULT);
    pl_scheduler_free(s);
    if (uv_loop_close(&loop) != 0)
        PL_LOG_WARN("loop.busy", {"message", "handles were still open at the end"});
    free(c.listen);
    free(c.certificate);
    free(c.key);
    free(c.manifest);
    free(c.state);
    return status;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *file = NULL;
    for (int option; (option = getopt_long(argc, argv, "c:vh", options, NULL)) != -1;) {
        if (option == 'c') {
            file = optarg;
        } else if (option == 'v') {
            printf("parley-scheduler " PARLEY_VERSION "\n");
            return 0;
        } else {
            fputs(help, option == 'h' ? stdout : stderr);
            return option == 'h' ? 0 : 2;
        }
    }
    if (file == NULL || optind != argc) {
        fprintf(stderr, "parley-scheduler: which configuration? give --config FILE (see --help)\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is a full disk: an error, not an end */
    pl_rpc_init();
    pl_status status = run(file);
    int code = pl_code_describe(pl_status_code(status))->exit_code;
    if (code != 0)
        fprintf(stderr, "parley-scheduler: %s\n", pl_status_message(status));
    pl_status_done(&status);
    pl_rpc_shutdown();
    return code;
}
