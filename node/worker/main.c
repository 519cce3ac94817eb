/* parley-worker: short-lived, sandboxed, one per foreign text, source or session. */
#include "node/worker/oneshot.h"
#include "node/worker/session.h"

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#if defined(__SANITIZE_ADDRESS__)
/* The leak checker stops the process with ptrace from a clone of it: not inside the sandbox. */
__attribute__((visibility("default"))) const char *__asan_default_options(void);
const char *__asan_default_options(void) {
    return "detect_leaks=0";
}
#endif

static const char help[] =
    "parley-worker: a sandboxed child of parleyd\n"
    "\n"
    "It is started by parleyd, never by hand. Modes:\n"
    "  parley-worker plan      plans one foreign text (request on stdin, plan on stdout)\n"
    "  parley-worker source    reads one data source (descriptors 3 and 4)\n"
    "  parley-worker session   runs one session (descriptors 3 and 4)\n"
    "  parley-worker session kept   the same, with a source child that stays (descriptor 5)\n"
    "  parley-worker --version\n";

int main(int argc, char **argv) {
    signal(SIGPIPE, SIG_IGN);
    const char *mode = argc == 2 ? argv[1] : "";
    if (strcmp(mode, "plan") == 0)
        return pl_worker_plan();
    if (strcmp(mode, "source") == 0)
        return pl_worker_source();
    if (strcmp(mode, "session") == 0)
        return pl_worker_session(false);
    if (argc == 3 && strcmp(argv[1], "session") == 0 && strcmp(argv[2], "kept") == 0)
        return pl_worker_session(true);
    if (strcmp(mode, "--version") == 0) {
        printf("parley-worker " PARLEY_VERSION "\n");
        return 0;
    }
    bool asked = strcmp(mode, "--help") == 0;
    fputs(help, asked ? stdout : stderr);
    return asked ? 0 : 2;
}
