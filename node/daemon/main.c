/* parleyd: the node's daemon. */
#include "node/daemon/node.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>

static const char help[] = "parleyd: the daemon of a Parley node\n"
                           "\n"
                           "usage: parleyd --config FILE [--accept-audit REASON]\n"
                           "\n"
                           "  --config FILE   the node's configuration (parleyd.yaml)\n"
                           "  --accept-audit REASON\n"
                           "                  go on though the audit log is not the one this node\n"
                           "                  signed; recorded with the reason\n"
                           "  --version       print the version\n"
                           "  --help          print this\n"
                           "\n"
                           "It prints one line on stdout when it is ready, and JSON log lines on "
                           "stderr. SIGTERM ends it in order.\n"
                           "\n"
                           "example:\n"
                           "  parleyd --config /etc/parley/parleyd.yaml\n";

/* Keys stay out of core files and out of other processes' reach. */
static void harden(void) {
    struct rlimit none = {0, 0};
    setrlimit(RLIMIT_CORE, &none);
    prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a limit on file sizes is a full disk: an error, not an end */
}

static int run(const char *config_path, const char *accept_audit) {
    uv_loop_t loop;
    uv_loop_init(&loop);
    pl_node *node = NULL;
    pl_status status = pl_node_open(&loop, config_path, accept_audit, &node);
    if (pl_is_ok(status)) {
        printf("parleyd ready: org %s, session port %s\n", node->own, node->endpoint);
        fflush(stdout);
        uv_run(&loop, UV_RUN_DEFAULT);
    } else if (node != NULL) {
        pl_node_stop(node);
        uv_run(&loop, UV_RUN_DEFAULT);
    }
    int code = pl_code_describe(pl_status_code(status))->exit_code;
    if (code != 0)
        fprintf(stderr, "parleyd: %s\n", pl_status_message(status));
    pl_status_done(&status);
    pl_node_free(node);
    if (uv_loop_close(&loop) != 0)
        PL_LOG_WARN("loop.busy", {"message", "handles were still open at the end"});
    return code;
}

int main(int argc, char **argv) {
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"accept-audit", required_argument, NULL, 'a'},
                                            {"version", no_argument, NULL, 'v'},
                                            {"help", no_argument, NULL, 'h'},
                                            {0}};
    const char *config_path = NULL, *accept_audit = NULL;
    for (int option; (option = getopt_long(argc, argv, "c:vh", options, NULL)) != -1;) {
        switch (option) {
        case 'c':
            config_path = optarg;
            break;
        case 'a':
            accept_audit = optarg;
            break;
        case 'v':
            printf("parleyd " PARLEY_VERSION "\n");
            return 0;
        case 'h':
            fputs(help, stdout);
            return 0;
        default:
            fprintf(stderr, "parleyd: try --help\n");
            return 2;
        }
    }
    if (config_path == NULL || optind != argc) {
        fprintf(stderr, "parleyd: which node? give --config FILE (see --help)\n");
        return 2;
    }
    harden();
    pl_rpc_init();
    int code = run(config_path, accept_audit);
    pl_rpc_shutdown();
    return code;
}
