#define _GNU_SOURCE /* close_range */
#include "node/worker/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <seccomp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

pl_status pl_sandbox_prepare(int keep_fds) {
    struct rlimit no_core = {0, 0}, files = {256, 256};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0 || setrlimit(RLIMIT_CORE, &no_core) != 0 ||
        setrlimit(RLIMIT_NOFILE, &files) != 0 || close_range((unsigned)keep_fds, ~0u, 0) != 0)
        return pl_fail(PL_INTERNAL, "cannot set a worker's limits: %s", strerror(errno));
    if (getppid() == 1)
        return pl_fail(PL_UNAVAILABLE, "a worker is started by parleyd");
    return PL_OK;
}

static const int common_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(write),
    SCMP_SYS(readv),
    SCMP_SYS(writev),
    SCMP_SYS(close),
    SCMP_SYS(fstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(lseek),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(brk),
    SCMP_SYS(mlock),
    SCMP_SYS(munlock),
    SCMP_SYS(futex),
    SCMP_SYS(getrandom),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(sched_yield),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(getuid),
    SCMP_SYS(rseq),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(getrusage),
    SCMP_SYS(sysinfo), /* the C library asks for the size of memory before it sorts much */
};

static const int session_calls[] = {
    SCMP_SYS(send),        SCMP_SYS(sendto),      SCMP_SYS(sendmsg),    SCMP_SYS(recvfrom),
    SCMP_SYS(recvmsg),     SCMP_SYS(shutdown),    SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
    SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(seccomp), /* for end_dialling: it can
                                                                        only forbid more */
};

/* A thread's start in sanitized builds. */
static const int sanitizer_calls[] = {SCMP_SYS(sched_getaffinity)};

#ifdef PARLEY_TEST_HOOKS
/* Tests that record secrets or what passes a link write files; only when they say so. */
static const int recording_calls[] = {SCMP_SYS(open), SCMP_SYS(openat)};

static bool is_recording(void) {
    return getenv("PARLEY_KEYLOG") != NULL || getenv("PARLEY_CAPTURE") != NULL;
}
#endif

static bool allow(scmp_filter_ctx filter, const int *calls, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        if (error != 0 && error != -EDOM &&
            error != -EEXIST) /* not on this architecture; twice in the lists */
            return false;
    }
    return true;
}

static bool allow_if(scmp_filter_ctx filter, int call, struct scmp_arg_cmp test) {
    return seccomp_rule_add(filter, SCMP_ACT_ALLOW, call, 1, test) == 0;
}

/* Memory is never executable, and signals go to this process only. */
static bool allow_harmless_forms(scmp_filter_ctx filter) {
    struct scmp_arg_cmp not_executable = SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0),
                        to_itself = SCMP_A0(SCMP_CMP_EQ, (uint64_t)getpid());
    return allow_if(filter, SCMP_SYS(mmap), not_executable) &&
           allow_if(filter, SCMP_SYS(mprotect), not_executable) &&
           allow_if(filter, SCMP_SYS(kill), to_itself) &&
           allow_if(filter, SCMP_SYS(tgkill), to_itself);
}

/* A session dials stream sockets of the internet families, and sets their flags. */
static bool allow_dialling(scmp_filter_ctx filter) {
    static const uint64_t families[] = {AF_INET, AF_INET6},
                          commands[] = {F_GETFL, F_SETFL, F_GETFD};
    static const uint64_t TYPE_MASK = 0xf;
    bool ok = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(connect), 0) == 0;
    for (size_t i = 0; i < 2; i++)
        ok = ok && seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                                    SCMP_A0(SCMP_CMP_EQ, families[i]),
                                    SCMP_A1(SCMP_CMP_MASKED_EQ, TYPE_MASK, SOCK_STREAM)) == 0;
    for (size_t i = 0; i < 3; i++)
        ok = ok && allow_if(filter, SCMP_SYS(fcntl), SCMP_A1(SCMP_CMP_EQ, commands[i]));
    return ok;
}

/* All threads, those that were there before included. No new privileges: prepare said so. */
static bool load(scmp_filter_ctx filter) {
    return seccomp_attr_set(filter, SCMP_FLTATR_CTL_NNP, 0) == 0 &&
           seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1) == 0 && seccomp_load(filter) == 0;
}

static pl_status limit_memory(uint64_t memory_bytes) {
    if (memory_bytes == 0 || SANITIZED)
        return PL_OK;
    struct rlimit limit = {memory_bytes, memory_bytes};
    if (setrlimit(RLIMIT_DATA, &limit) != 0)
        return pl_fail(PL_INTERNAL, "cannot limit a worker's memory: %s", strerror(errno));
    return PL_OK;
}

pl_status pl_sandbox_enter(pl_sandbox_mode mode, uint64_t memory_bytes) {
    PL_TRY(limit_memory(memory_bytes));
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_KILL_PROCESS);
    bool ok = filter != NULL &&
              allow(filter, common_calls, sizeof common_calls / sizeof *common_calls) &&
              allow_harmless_forms(filter);
    if (mode == PL_SANDBOX_SESSION)
        ok = ok && allow(filter, session_calls, sizeof session_calls / sizeof *session_calls) &&
             allow_dialling(filter);
    if (SANITIZED)
        ok = ok && allow(filter, sanitizer_calls, sizeof sanitizer_calls / sizeof *sanitizer_calls);
#ifdef PARLEY_TEST_HOOKS
    if (is_recording())
        ok = ok && allow(filter, recording_calls, sizeof recording_calls / sizeof *recording_calls);
#endif
    ok = ok && load(filter);
    seccomp_release(filter);
    return ok ? PL_OK
              : pl_fail(PL_INTERNAL, "cannot enter the sandbox: does this kernel have seccomp?");
}

pl_status pl_sandbox_end_dialling(void) {
    static const int calls[] = {SCMP_SYS(socket), SCMP_SYS(connect)};
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    bool ok = filter != NULL;
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        ok = ok && seccomp_rule_add(filter, SCMP_ACT_KILL_PROCESS, calls[i], 0) == 0;
    ok = ok && load(filter);
    seccomp_release(filter);
    return ok ? PL_OK : pl_fail(PL_INTERNAL, "cannot close the sandbox");
}
