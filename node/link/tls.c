#include "node/link/tls.h"

#include "protocols/base/secret.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define RECORD_BYTES 16384
#define RECORD_OVERHEAD 64
#define IDENTITY_BYTES 96

/* A flat buffer: bytes stand in data[begin .. end). */
typedef struct flat {
    uint8_t *data;
    size_t begin, end;
} flat;

struct pl_tls {
    int fd;
    bool plain;
    SSL_CTX *ctx;
    SSL *ssl;
    flat in, out;
    uint8_t psk[32];
    char identity[IDENTITY_BYTES];
    uint32_t records, records_max; /* under one key: so far, at most */
    bool eof;
};

/* ---- the BIO between OpenSSL and the buffers ---- */

static int flat_write(BIO *bio, const char *data, int len) {
    pl_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    if (tls->out.begin == tls->out.end)
        tls->out.begin = tls->out.end = 0;
    size_t room = PL_TLS_BUFFER_BYTES - tls->out.end;
    size_t n = (size_t)len < room ? (size_t)len : room;
    if (n == 0) {
        BIO_set_retry_write(bio);
        return -1;
    }
    memcpy(tls->out.data + tls->out.end, data, n);
    tls->out.end += n;
    return (int)n;
}

static int flat_read(BIO *bio, char *data, int len) {
    pl_tls *tls = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    size_t have = tls->in.end - tls->in.begin;
    size_t n = (size_t)len < have ? (size_t)len : have;
    if (n == 0) {
        BIO_set_retry_read(bio);
        return -1;
    }
    memcpy(data, tls->in.data + tls->in.begin, n);
    tls->in.begin += n;
    return (int)n;
}

static long flat_ctrl(BIO *bio, int command, long number, void *pointer) {
    (void)bio, (void)number, (void)pointer;
    return command == BIO_CTRL_FLUSH ? 1 : 0;
}

static BIO *flat_bio(pl_tls *tls) {
    static BIO_METHOD
        *method; /* made by pl_tls_warm or the first connection; one thread makes connections */
    if (method == NULL) {
        method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "flat buffer");
        BIO_meth_set_write(method, flat_write);
        BIO_meth_set_read(method, flat_read);
        BIO_meth_set_ctrl(method, flat_ctrl);
    }
    BIO *bio = BIO_new(method);
    if (bio != NULL) {
        BIO_set_data(bio, tls);
        BIO_set_init(bio, 1);
    }
    return bio;
}

/* ---- the pre-shared key ---- */

static SSL_SESSION *psk_session(SSL *ssl, const pl_tls *tls) {
    static const unsigned char aes_128_gcm_sha256[] = {0x13, 0x01};
    SSL_SESSION *session = SSL_SESSION_new();
    const SSL_CIPHER *cipher = SSL_CIPHER_find(ssl, aes_128_gcm_sha256);
    if (session == NULL || cipher == NULL ||
        SSL_SESSION_set1_master_key(session, tls->psk, sizeof tls->psk) != 1 ||
        SSL_SESSION_set_cipher(session, cipher) != 1 ||
        SSL_SESSION_set_protocol_version(session, TLS1_3_VERSION) != 1) {
        SSL_SESSION_free(session);
        return NULL;
    }
    return session;
}

static int offer_psk(SSL *ssl, const EVP_MD *md, const unsigned char **id, size_t *id_len,
                     SSL_SESSION **out) {
    (void)md;
    const pl_tls *tls = SSL_get_app_data(ssl);
    *id = (const unsigned char *)tls->identity;
    *id_len = strlen(tls->identity);
    *out = psk_session(ssl, tls);
    return *out != NULL;
}

/* An unknown identity gets no session: the handshake then fails for want of a certificate. */
static int find_psk(SSL *ssl, const unsigned char *id, size_t id_len, SSL_SESSION **out) {
    const pl_tls *tls = SSL_get_app_data(ssl);
    bool known = pl_view_equal(pl_view_of(id, id_len), pl_view_text(tls->identity));
    *out = known ? psk_session(ssl, tls) : NULL;
    return 1;
}

#ifdef PARLEY_TEST_HOOKS
static void log_key(const SSL *ssl, const char *line) {
    (void)ssl;
    const char *path = getenv("PARLEY_KEYLOG");
    FILE *file = path == NULL ? NULL : fopen(path, "ae");
    if (file == NULL)
        return;
    fprintf(file, "%s\n", line);
    fclose(file);
}
#endif

static pl_status make_context(pl_tls *tls, bool dialler) {
    SSL_CTX *ctx = SSL_CTX_new(dialler ? TLS_client_method() : TLS_server_method());
    if (ctx == NULL || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, TLS1_3_VERSION) != 1 ||
        SSL_CTX_set_ciphersuites(ctx, "TLS_AES_128_GCM_SHA256") != 1 ||
        SSL_CTX_set_num_tickets(ctx, 0) != 1) {
        SSL_CTX_free(ctx);
        return pl_fail(PL_INTERNAL, "cannot set TLS up");
    }
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    SSL_CTX_set_options(ctx, SSL_OP_NO_TICKET);
    SSL_CTX_set_mode(ctx, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    SSL_CTX_set_read_ahead(ctx, 1);
    SSL_CTX_set_psk_use_session_callback(ctx, offer_psk);
    SSL_CTX_set_psk_find_session_callback(ctx, find_psk);
#ifdef PARLEY_TEST_HOOKS
    SSL_CTX_set_keylog_callback(ctx, log_key);
#endif
    tls->ctx = ctx;
    return PL_OK;
}

static pl_status make_ssl(pl_tls *tls, bool dialler) {
    PL_TRY(make_context(tls, dialler));
    tls->ssl = SSL_new(tls->ctx);
    BIO *bio = flat_bio(tls);
    if (tls->ssl == NULL || bio == NULL) {
        BIO_free(bio);
        return pl_fail(PL_LIMIT, "no memory for a TLS connection");
    }
    SSL_set_bio(tls->ssl, bio, bio);
    SSL_set_app_data(tls->ssl, tls);
    if (dialler)
        SSL_set_connect_state(tls->ssl);
    else
        SSL_set_accept_state(tls->ssl);
    return PL_OK;
}

pl_status pl_tls_new(const pl_tls_params *params, pl_tls **out) {
    pl_tls *tls;
    PL_TRY(pl_alloc(1, sizeof *tls, &tls));
    tls->fd = params->fd;
    tls->plain = params->plain;
    tls->records_max = PL_TLS_KEY_UPDATE_RECORDS;
    pl_status status;
    PL_CHECK(status, pl_alloc(PL_TLS_BUFFER_BYTES, 1, &tls->in.data));
    PL_CHECK(status, pl_alloc(PL_TLS_BUFFER_BYTES, 1, &tls->out.data));
    if (!params->plain) {
        memcpy(tls->psk, params->psk, sizeof tls->psk);
        snprintf(tls->identity, sizeof tls->identity, "%s", params->identity);
        PL_CHECK(status, make_ssl(tls, params->dialler));
    }
    *out = tls;
    return PL_OK;
out:
    tls->fd = -1; /* stays the caller's */
    pl_tls_free(tls);
    return status;
}

void pl_tls_free(pl_tls *tls) {
    if (tls == NULL)
        return;
    SSL_free(tls->ssl);
    SSL_CTX_free(tls->ctx);
    if (tls->fd >= 0)
        close(tls->fd);
    if (tls->in.data != NULL)
        pl_wipe(tls->in.data, PL_TLS_BUFFER_BYTES);
    free(tls->in.data);
    free(tls->out.data);
    pl_wipe(tls, sizeof *tls);
    free(tls);
}

int pl_tls_fd(const pl_tls *tls) {
    return tls->fd;
}

/* ---- the socket ---- */

bool pl_tls_is_flushed(const pl_tls *tls) {
    return tls->out.begin == tls->out.end;
}

static pl_status lost(const char *what) {
    return pl_fail(PL_PEER_LOST, "the connection %s", what);
}

pl_status pl_tls_flush(pl_tls *tls) {
    while (!pl_tls_is_flushed(tls)) {
        ssize_t n = send(tls->fd, tls->out.data + tls->out.begin, tls->out.end - tls->out.begin,
                         MSG_NOSIGNAL);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
            return PL_OK;
        if (n <= 0)
            return lost("broke while sending");
        tls->out.begin += (size_t)n;
    }
    tls->out.begin = tls->out.end = 0;
    return PL_OK;
}

/* Refills the empty input buffer; what is there stays. */
static pl_status refill(pl_tls *tls) {
    if (tls->in.begin != tls->in.end || tls->eof)
        return PL_OK;
    tls->in.begin = tls->in.end = 0;
    ssize_t n;
    do
        n = recv(tls->fd, tls->in.data, PL_TLS_BUFFER_BYTES, 0);
    while (n < 0 && errno == EINTR);
    if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK))
        return PL_OK;
    if (n < 0)
        return lost("broke while receiving");
    tls->eof = n == 0;
    tls->in.end = (size_t)n;
    return PL_OK;
}

/* ---- TLS ---- */

static pl_status tls_failed(pl_tls *tls, bool handshake) {
    unsigned long error = ERR_peek_last_error();
    int reason = ERR_GET_REASON(error);
    ERR_clear_error();
    (void)tls;
    if (!handshake)
        return pl_fail(PL_PROTOCOL, "the peer broke TLS");
    /* What both sides see of a wrong key: a binder that does not verify, or no session and then no
     * certificate. */
    if (reason == SSL_R_BINDER_DOES_NOT_VERIFY || reason == SSL_R_NO_SUITABLE_SIGNATURE_ALGORITHM ||
        reason == SSL_R_SSLV3_ALERT_ILLEGAL_PARAMETER ||
        reason == SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE || reason == SSL_R_NO_SHARED_CIPHER ||
        reason == SSL_R_TLSV1_ALERT_DECRYPT_ERROR)
        return pl_fail(PL_UNAUTHENTICATED, "the peer does not hold this session's key");
    return pl_fail(PL_PROTOCOL, "the peer does not speak TLS 1.3 with this session's key");
}

pl_status pl_tls_handshake(pl_tls *tls, bool *out_done) {
    *out_done = tls->plain;
    if (tls->plain)
        return PL_OK;
    for (;;) {
        PL_TRY(refill(tls));
        ERR_clear_error(); /* SSL_get_error reads this thread's queue: what others left is not ours
                            */
        int result = SSL_do_handshake(tls->ssl);
        pl_status flushed = pl_tls_flush(tls);
        if (result == 1) {
            *out_done = true;
            pl_wipe(tls->psk, sizeof tls->psk);
            return flushed;
        }
        int error = SSL_get_error(tls->ssl, result);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE) {
            pl_status_done(&flushed); /* the handshake's failure says more */
            return tls_failed(tls, true);
        }
        PL_TRY(flushed);
        if (tls->eof)
            return lost("was closed during the handshake");
        if (tls->in.begin == tls->in.end && (error == SSL_ERROR_WANT_READ)) {
            PL_TRY(refill(tls));
            if (tls->in.begin == tls->in.end && !tls->eof)
                return PL_OK;
        }
    }
}

static pl_status update_key(pl_tls *tls) {
    if (++tls->records < tls->records_max)
        return PL_OK;
    tls->records = 0;
    return SSL_key_update(tls->ssl, SSL_KEY_UPDATE_NOT_REQUESTED) == 1 ? PL_OK
                                                                       : tls_failed(tls, false);
}

static pl_status send_plain(pl_tls *tls, const void *data, size_t len, size_t *out_done) {
    ssize_t n = send(tls->fd, data, len, MSG_NOSIGNAL);
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return lost("broke while sending");
    *out_done = n < 0 ? 0 : (size_t)n;
    return PL_OK;
}

pl_status pl_tls_send(pl_tls *tls, const void *data, size_t len, size_t *out_done) {
    const uint8_t *bytes = data;
    *out_done = 0;
    if (tls->plain)
        return send_plain(tls, data, len, out_done);
    ERR_clear_error();
    while (*out_done < len &&
           tls->out.end + RECORD_BYTES + RECORD_OVERHEAD <= PL_TLS_BUFFER_BYTES) {
        size_t n = len - *out_done < RECORD_BYTES ? len - *out_done : RECORD_BYTES;
        size_t written = 0;
        PL_TRY(update_key(tls));
        if (SSL_write_ex(tls->ssl, bytes + *out_done, n, &written) != 1)
            return tls_failed(tls, false);
        *out_done += written;
    }
    return pl_tls_flush(tls);
}

static pl_status recv_plain(pl_tls *tls, void *data, size_t len, size_t *out_done) {
    ssize_t n = recv(tls->fd, data, len, 0);
    if (n == 0)
        return lost("was closed by the peer");
    if (n < 0 && errno != EAGAIN && errno != EWOULDBLOCK && errno != EINTR)
        return lost("broke while receiving");
    *out_done = n < 0 ? 0 : (size_t)n;
    return PL_OK;
}

pl_status pl_tls_recv(pl_tls *tls, void *data, size_t len, size_t *out_done) {
    uint8_t *bytes = data;
    *out_done = 0;
    if (tls->plain)
        return recv_plain(tls, data, len, out_done);
    ERR_clear_error();
    while (*out_done < len) {
        size_t n = 0;
        if (SSL_read_ex(tls->ssl, bytes + *out_done, len - *out_done, &n) == 1) {
            *out_done += n;
            continue;
        }
        int error = SSL_get_error(tls->ssl, 0);
        if (error == SSL_ERROR_ZERO_RETURN)
            return lost("was closed by the peer");
        if (error != SSL_ERROR_WANT_READ)
            return tls_failed(tls, false);
        PL_TRY(refill(tls));
        if (tls->eof)
            return *out_done > 0 ? PL_OK : lost("was closed by the peer");
        if (tls->in.begin == tls->in.end)
            break;
    }
    return PL_OK;
}

#ifdef PARLEY_TEST_HOOKS
void pl_tls_set_records_max(pl_tls *tls, uint32_t records_max) {
    tls->records_max = records_max;
}
#endif

pl_status pl_tls_warm(void) {
    uint8_t key[32] = {0};
    pl_tls *tls;
    int fds[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, fds) != 0)
        return pl_fail(PL_LIMIT, "no socket to set TLS up");
    close(fds[1]);
    pl_tls_params params = {.fd = fds[0], .dialler = true, .psk = key, .identity = "warm"};
    PL_TRY(pl_tls_new(&params, &tls));
    bool done;
    pl_status status = pl_tls_handshake(tls, &done);
    pl_status_done(&status); /* nobody is there: what counts is that the algorithms were fetched */
    pl_tls_free(tls);
    return PL_OK;
}
