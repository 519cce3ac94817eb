/* Passing one file descriptor with a few bytes over a unix socket (SOCK_SEQPACKET). */
#ifndef PL_NODE_LINK_FD_H
#define PL_NODE_LINK_FD_H

#include "protocols/base/bytes.h"

/* pl_fd_send: the descriptor stays open here too. */
PL_STATUS pl_fd_send(int socket, int fd, pl_view bytes);
/* pl_fd_recv takes exactly one descriptor (close-on-exec) and exactly len bytes. NOT_FOUND: the
 * other side has closed; PROTOCOL: none or several descriptors, or another length. Never blocks
 * longer than one message is away. */
PL_STATUS pl_fd_recv(int socket, uint8_t *out, size_t len, int *out_fd);

#endif
