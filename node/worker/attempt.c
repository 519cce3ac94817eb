#define _GNU_SOURCE /* memfd_create, process_vm_readv, clone's system call */
#include "node/worker/attempt.h"

#ifdef PARLEY_TEST_HOOKS
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define NOT_STOPPED 77

static void try_open(const char *path) {
    (void)!open(path, O_RDONLY | O_CLOEXEC);
}

static void try_write(const char *path) {
    (void)!open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
}

static void try_unlink(const char *path) {
    (void)!unlink(path);
}

static void try_exec(const char *path) {
    char *const arguments[] = {(char *)(uintptr_t)path, NULL};
    (void)!execv(path, arguments);
}

static void try_fork(const char *path) {
    (void)path;
    if (syscall(SYS_fork) == 0)
        _exit(0);
}

static void try_clone(const char *path) {
    (void)path;
    if (syscall(SYS_clone, SIGCHLD, NULL, NULL, NULL, 0) == 0)
        _exit(0);
}

static void try_socket_tcp(const char *path) {
    (void)path;
    (void)!socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void try_socket_udp(const char *path) {
    (void)path;
    (void)!socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
}

static void try_socket_unix(const char *path) {
    (void)path;
    (void)!socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static void try_listen(const char *path) {
    (void)path;
    struct sockaddr_in any = {.sin_family = AF_INET};
    (void)!bind(STDIN_FILENO, (const struct sockaddr *)&any, sizeof any);
}

static void try_signal(const char *path) {
    (void)path;
    (void)!kill(1, 0);
}

static void try_trace(const char *path) {
    (void)path;
    (void)!ptrace(PTRACE_ATTACH, 1, NULL, NULL);
}

static void try_read_parent(const char *path) {
    (void)path;
    char byte = 0;
    struct iovec here = {&byte, 1},
                 there = {&byte, 1}; /* there is nothing, but it may not even ask */
    (void)!process_vm_readv(1, &here, 1, &there, 1, 0);
}

static void try_code(const char *path) {
    (void)path;
    (void)!mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void try_make_code(const char *path) {
    (void)path;
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    (void)!mprotect(page, 4096, PROT_READ | PROT_EXEC);
}

static void try_memfd(const char *path) {
    (void)!memfd_create(path, 0);
}

static void try_io_uring(const char *path) {
    (void)path;
    (void)!syscall(SYS_io_uring_setup, 1, NULL);
}

static void try_core(const char *path) {
    (void)path;
    (void)!prctl(PR_SET_DUMPABLE, 1, 0, 0, 0);
}

static void try_limit(const char *path) {
    (void)path;
    struct rlimit more = {RLIM_INFINITY, RLIM_INFINITY};
    (void)!setrlimit(RLIMIT_DATA, &more);
}

static void try_descriptor(const char *path) {
    (void)path;
    (void)!fcntl(STDERR_FILENO, F_DUPFD, 0);
}

/* No descriptor but those that belong to the mode: this one is not stopped, it finds nothing. */
static void look_at_descriptors(const char *path) {
    int n = 0, allowed = atoi(path);
    struct stat about;
    for (int fd = 0; fd < 4096; fd++)
        n += fstat(fd, &about) == 0;
    if (n > allowed)
        _exit(NOT_STOPPED);
}

static const struct {
    const char *name;
    void (*run)(const char *path);
} ATTEMPTS[] = {
    {"open", try_open},
    {"write", try_write},
    {"unlink", try_unlink},
    {"exec", try_exec},
    {"fork", try_fork},
    {"clone", try_clone},
    {"socket-tcp", try_socket_tcp},
    {"socket-udp", try_socket_udp},
    {"socket-unix", try_socket_unix},
    {"listen", try_listen},
    {"signal", try_signal},
    {"trace", try_trace},
    {"read-parent", try_read_parent},
    {"code", try_code},
    {"make-code", try_make_code},
    {"memfd", try_memfd},
    {"io-uring", try_io_uring},
    {"core", try_core},
    {"limit", try_limit},
    {"descriptor", try_descriptor},
};

void pl_attempt(const char *mode) {
    const char *wanted = getenv("PARLEY_ATTEMPT");
    size_t len = strlen(mode);
    if (wanted == NULL || strncmp(wanted, mode, len) != 0 || wanted[len] != ':')
        return;
    char name[32] = "";
    const char *path = strchr(wanted + len + 1, ':');
    snprintf(name, sizeof name, "%.*s",
             (int)(path == NULL ? strlen(wanted + len + 1) : (size_t)(path - wanted) - len - 1),
             wanted + len + 1);
    path = path == NULL ? "/bin/true" : path + 1;
    if (strcmp(name, "descriptors") == 0) {
        look_at_descriptors(path);
        return;
    }
    for (size_t i = 0; i < sizeof ATTEMPTS / sizeof *ATTEMPTS; i++) {
        if (strcmp(ATTEMPTS[i].name, name) == 0)
            ATTEMPTS[i].run(path);
    }
    _exit(NOT_STOPPED);
}
#endif
