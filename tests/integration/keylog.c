/* parley-keylog.so, for LD_PRELOAD in tests: every TLS context of the process writes its secrets to
 * the file PARLEY_KEYLOG (NSS key log format), gRPC's too. The programs under test need no hook for
 * it. Never installed. */
#define _GNU_SOURCE /* RTLD_NEXT */
#include <dlfcn.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef SSL_CTX *ctx_new(const SSL_METHOD *method);

static void write_line(const SSL *ssl, const char *line) {
    (void)ssl;
    const char *path = getenv("PARLEY_KEYLOG");
    int fd = path == NULL ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    char text[600];
    size_t len = strlen(line);
    if (fd < 0 || len + 1 > sizeof text)
        abort(); /* a secret that is not logged would make the test prove nothing */
    memcpy(text, line, len);
    text[len] = '\n';
    if (write(fd, text, len + 1) != (ssize_t)(len + 1))
        abort();
    close(fd);
}

__attribute__((visibility("default"))) SSL_CTX *SSL_CTX_new(const SSL_METHOD *method) {
    ctx_new *real;
    void *symbol = dlsym(RTLD_NEXT, "SSL_CTX_new");
    memcpy(&real, &symbol, sizeof real);
    SSL_CTX *ctx = real(method);
    if (ctx != NULL)
        SSL_CTX_set_keylog_callback(ctx, write_line);
    return ctx;
}
