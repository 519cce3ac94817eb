#define _GNU_SOURCE /* close_range */
#include "node/worker/sandbox.h"

#include <errno.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

pl_status pl_sandbox_prepare(int keep_fds) {
    struct rlimit no_core = {0, 0}, files = {256, 256};
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0 || prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        setrlimit(RLIMIT_CORE, &no_core) != 0 || setrlimit(RLIMIT_NOFILE, &files) != 0 ||
        close_range((unsigned)keep_fds, ~0u, 0) != 0)
        return pl_fail(PL_INTERNAL, "cannot set a worker's limits: %s", strerror(errno));
    /* Dumpable off also hides /proc/self from the leak checker, which runs only in test builds. */
    if (!SANITIZED && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
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
    SCMP_SYS(mmap),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(mprotect),
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
    SCMP_SYS(tgkill),
    SCMP_SYS(kill),
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
};

static const int session_calls[] = {
    SCMP_SYS(connect),    SCMP_SYS(send),        SCMP_SYS(sendto),      SCMP_SYS(sendmsg),
    SCMP_SYS(recvfrom),   SCMP_SYS(recvmsg),     SCMP_SYS(shutdown),    SCMP_SYS(getsockopt),
    SCMP_SYS(setsockopt), SCMP_SYS(getpeername), SCMP_SYS(getsockname), SCMP_SYS(fcntl),
    SCMP_SYS(clone3),     SCMP_SYS(clone),
};

/* The leak checker of test builds forks a tracer and reads /proc; only there. */
static const int sanitizer_calls[] = {
    SCMP_SYS(clone),
    SCMP_SYS(ptrace),
    SCMP_SYS(wait4),
    SCMP_SYS(open),
    SCMP_SYS(openat),
    SCMP_SYS(readlink),
    SCMP_SYS(prctl),
    SCMP_SYS(getdents64),
    SCMP_SYS(prlimit64),
    SCMP_SYS(arch_prctl),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(fcntl),
    SCMP_SYS(getppid),
    SCMP_SYS(ioctl),
    SCMP_SYS(pipe),
    SCMP_SYS(pipe2),
    SCMP_SYS(unlink),
    SCMP_SYS(dup),
    SCMP_SYS(process_vm_readv),
};

static bool allow(scmp_filter_ctx filter, const int *calls, size_t n) {
    for (size_t i = 0; i < n; i++) {
        int error = seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
        if (error != 0 && error != -EDOM &&
            error != -EEXIST) /* not on this architecture; twice in the lists */
            return false;
    }
    return true;
}

/* A session dials: stream sockets of the internet families, nothing else. */
static bool allow_dialling(scmp_filter_ctx filter) {
    static const uint64_t families[] = {2 /* AF_INET */, 10 /* AF_INET6 */};
    for (size_t i = 0; i < 2; i++) {
        if (seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
                             SCMP_A0(SCMP_CMP_EQ, families[i])) != 0)
            return false;
    }
    return true;
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
    bool ok =
        filter != NULL && allow(filter, common_calls, sizeof common_calls / sizeof *common_calls);
    if (mode == PL_SANDBOX_SESSION)
        ok = ok && allow(filter, session_calls, sizeof session_calls / sizeof *session_calls) &&
             allow_dialling(filter);
    if (SANITIZED)
        ok = ok && allow(filter, sanitizer_calls, sizeof sanitizer_calls / sizeof *sanitizer_calls);
    ok = ok && seccomp_load(filter) == 0;
    seccomp_release(filter);
    return ok ? PL_OK
              : pl_fail(PL_INTERNAL, "cannot enter the sandbox: does this kernel have seccomp?");
}
