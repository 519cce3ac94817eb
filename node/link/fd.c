#define _GNU_SOURCE /* MSG_CMSG_CLOEXEC */
#include "node/link/fd.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

typedef union control_space {
    char space[CMSG_SPACE(4 * sizeof(int))];
    struct cmsghdr align;
} control_space;

pl_status pl_fd_send(int socket, int fd, pl_view bytes) {
    control_space control = {{0}};
    struct iovec iov = {(void *)(uintptr_t)bytes.data, bytes.len};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = CMSG_SPACE(sizeof fd)};
    struct cmsghdr *header = CMSG_FIRSTHDR(&message);
    header->cmsg_level = SOL_SOCKET;
    header->cmsg_type = SCM_RIGHTS;
    header->cmsg_len = CMSG_LEN(sizeof fd);
    memcpy(CMSG_DATA(header), &fd, sizeof fd);
    ssize_t n = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n != (ssize_t)bytes.len)
        return pl_fail(PL_UNAVAILABLE, "cannot hand a connection over: %s",
                       n < 0 ? strerror(errno) : "cut short");
    return PL_OK;
}

/* Closes all descriptors of a message but the one that is wanted; false unless there was exactly
 * one. */
static bool take_one(struct msghdr *message, int *out_fd) {
    size_t n = 0;
    *out_fd = -1;
    for (struct cmsghdr *h = CMSG_FIRSTHDR(message); h != NULL; h = CMSG_NXTHDR(message, h)) {
        if (h->cmsg_level != SOL_SOCKET || h->cmsg_type != SCM_RIGHTS)
            continue;
        size_t here = (h->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < here; i++) {
            int fd;
            memcpy(&fd, CMSG_DATA(h) + i * sizeof fd, sizeof fd);
            if (n++ == 0)
                *out_fd = fd;
            else
                close(fd);
        }
    }
    return n == 1;
}

pl_status pl_fd_recv(int socket, uint8_t *out, size_t len, int *out_fd) {
    control_space control;
    struct iovec iov = {out, len};
    struct msghdr message = {.msg_iov = &iov,
                             .msg_iovlen = 1,
                             .msg_control = control.space,
                             .msg_controllen = sizeof control.space};
    ssize_t n;
    do
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return pl_fail(PL_IO, "cannot take a connection: %s", strerror(errno));
    int fd;
    bool one = take_one(&message, &fd);
    if (n == 0 && !one)
        return pl_fail(PL_NOT_FOUND, "no more connections come");
    if (!one || (size_t)n != len || (message.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) != 0) {
        if (fd >= 0)
            close(fd);
        return pl_fail(PL_PROTOCOL, "a connection was handed over in a wrong form");
    }
    *out_fd = fd;
    return PL_OK;
}
