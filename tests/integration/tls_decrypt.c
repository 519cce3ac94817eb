/* tls-decrypt KEYLOG CLIENT SERVER OUT: decrypts one recorded TLS 1.3 connection. CLIENT and SERVER
 * are all bytes that each side sent; what the application said is written to OUT.client and
 * OUT.server. Fails, naming side and record, if a single record cannot be decrypted: a capture that
 * was not read to the end proves nothing. A preamble of a session connection (64 bytes, "PLY1") is
 * copied.
 *
 * Source: RFC 8446, sections 5.2, 5.3, 7.1 to 7.3. For tests only. */
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PREAMBLE_BYTES 64
#define SECRET_BYTES_MAX 48

static _Noreturn void die(const char *what, const char *about) {
    fprintf(stderr, "tls-decrypt: %s: %s\n", about, what);
    exit(1);
}

typedef struct bytes {
    uint8_t *data;
    size_t len;
} bytes;

static bytes read_file(const char *path) {
    FILE *file = fopen(path, "rb");
    bytes b = {malloc(1), 0};
    if (file == NULL)
        die("cannot be read", path);
    for (size_t n = 1; n > 0; b.len += n) {
        b.data = realloc(b.data, b.len + 65536);
        n = fread(b.data + b.len, 1, 65536, file);
    }
    fclose(file);
    return b;
}

/* ---- key schedule ---- */

typedef struct suite {
    const EVP_CIPHER *cipher;
    const EVP_MD *md;
    size_t key_len, secret_len;
} suite;

typedef struct keys {
    const suite *suite;
    uint8_t secret[SECRET_BYTES_MAX], key[32], iv[12];
    uint64_t seq;
} keys;

static suite suite_of(unsigned id, const char *about) {
    switch (id) {
    case 0x1301:
        return (suite){EVP_aes_128_gcm(), EVP_sha256(), 16, 32};
    case 0x1302:
        return (suite){EVP_aes_256_gcm(), EVP_sha384(), 32, 48};
    case 0x1303:
        return (suite){EVP_chacha20_poly1305(), EVP_sha256(), 32, 32};
    default:
        die("a cipher suite this program does not know", about);
    }
}

/* HKDF-Expand-Label with an empty context. */
static void expand(const suite *s, const uint8_t *secret, const char *label, uint8_t *out,
                   size_t len) {
    uint8_t info[64];
    size_t label_len = strlen(label), n = 0;
    info[n++] = (uint8_t)(len >> 8);
    info[n++] = (uint8_t)len;
    info[n++] = (uint8_t)(6 + label_len);
    memcpy(info + n, "tls13 ", 6);
    memcpy(info + n + 6, label, label_len);
    n += 6 + label_len;
    info[n++] = 0;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_id(EVP_PKEY_HKDF, NULL);
    if (EVP_PKEY_derive_init(ctx) != 1 ||
        EVP_PKEY_CTX_set_hkdf_mode(ctx, EVP_PKEY_HKDEF_MODE_EXPAND_ONLY) != 1 ||
        EVP_PKEY_CTX_set_hkdf_md(ctx, s->md) != 1 ||
        EVP_PKEY_CTX_set1_hkdf_key(ctx, secret, (int)s->secret_len) != 1 ||
        EVP_PKEY_CTX_add1_hkdf_info(ctx, info, (int)n) != 1 || EVP_PKEY_derive(ctx, out, &len) != 1)
        die("HKDF failed", label);
    EVP_PKEY_CTX_free(ctx);
}

static void keys_from(keys *k) {
    expand(k->suite, k->secret, "key", k->key, k->suite->key_len);
    expand(k->suite, k->secret, "iv", k->iv, sizeof k->iv);
    k->seq = 0;
}

/* The line "LABEL client_random secret" of the key log. */
static void keys_find(const bytes *log, const char *label, const uint8_t random[32], const suite *s,
                      keys *out, const char *about) {
    char start[128];
    int n = snprintf(start, sizeof start, "%s ", label);
    for (int i = 0; i < 32; i++)
        n += snprintf(start + n, sizeof start - (size_t)n, "%02x", random[i]);
    const char *text = (const char *)log->data, *end = text + log->len;
    for (const char *line = text; line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        next = next == NULL ? end : next + 1;
        if ((size_t)(next - line) > (size_t)n + 1 && memcmp(line, start, (size_t)n) == 0) {
            out->suite = s;
            for (size_t i = 0; i < s->secret_len; i++)
                sscanf(line + n + 1 + 2 * i, "%2hhx", &out->secret[i]);
            keys_from(out);
            return;
        }
        line = next;
    }
    die("the key log has no secret for this connection", about);
}

/* ---- records ---- */

/* One direction of the connection while it is read. */
typedef struct side {
    const char *about;
    bytes in;
    size_t at, n_records;
    keys handshake, traffic;
    bool encrypted; /* handshake keys are in use */
    bool finished;  /* traffic keys are in use */
    FILE *out;
} side;

/* Opens a record in place; gives the length of the plaintext and its inner type. */
static size_t open_record(side *s, uint8_t *record, size_t len, uint8_t *type) {
    keys *k = s->finished ? &s->traffic : &s->handshake;
    uint8_t nonce[12];
    int n, m;
    memcpy(nonce, k->iv, sizeof nonce);
    for (int i = 0; i < 8; i++)
        nonce[11 - i] ^= (uint8_t)(k->seq >> (8 * i));
    EVP_CIPHER_CTX *ctx = EVP_CIPHER_CTX_new();
    bool ok = len > 16 && EVP_DecryptInit_ex(ctx, k->suite->cipher, NULL, k->key, nonce) == 1 &&
              EVP_DecryptUpdate(ctx, NULL, &n, record, 5) == 1 &&
              EVP_DecryptUpdate(ctx, record + 5, &n, record + 5, (int)len - 16) == 1 &&
              EVP_CIPHER_CTX_ctrl(ctx, EVP_CTRL_AEAD_SET_TAG, 16, record + 5 + len - 16) == 1 &&
              EVP_DecryptFinal_ex(ctx, record + 5 + n, &m) == 1;
    EVP_CIPHER_CTX_free(ctx);
    if (!ok) {
        fprintf(stderr, "record %zu: ", s->n_records);
        die("cannot be decrypted", s->about);
    }
    k->seq++;
    while (n > 0 && record[5 + n - 1] == 0)
        n--;
    *type = n > 0 ? record[5 + n - 1] : 0;
    return n > 0 ? (size_t)n - 1 : 0;
}

/* Messages of the handshake: Finished changes the keys, so does KeyUpdate. Those of TLS libraries
 * fit into whole records; one that is cut in two is followed by its length. */
static void on_handshake(side *s, const uint8_t *data, size_t len, size_t *pending) {
    while (len > 0) {
        size_t n = *pending < len ? *pending : len;
        if (n > 0) {
            *pending -= n;
            data += n;
            len -= n;
            continue;
        }
        if (len < 4)
            die("a handshake message is cut in its header", s->about);
        uint8_t type = data[0];
        *pending = 4 + ((size_t)data[1] << 16 | (size_t)data[2] << 8 | data[3]);
        if (type == 20 && !s->finished) {
            s->finished = true;
            return;
        }
        if (type == 24) {
            uint8_t next[SECRET_BYTES_MAX];
            expand(s->traffic.suite, s->traffic.secret, "traffic upd", next,
                   s->traffic.suite->secret_len);
            memcpy(s->traffic.secret, next, sizeof next);
            keys_from(&s->traffic);
            *pending = 0;
            return;
        }
    }
}

/* Reads one record; false at the end. first: the handshake record of a hello, plain. */
static void read_records(side *s) {
    size_t pending = 0;
    while (s->at < s->in.len) {
        uint8_t *record = s->in.data + s->at, inner;
        if (s->in.len - s->at < 5)
            die("ends within a record", s->about);
        size_t len = (size_t)record[3] << 8 | record[4];
        if (s->in.len - s->at < 5 + len)
            die("ends within a record", s->about);
        s->at += 5 + len;
        s->n_records++;
        if (record[0] == 20 || record[0] == 22)
            continue; /* change cipher spec, hello: plain by design */
        if (record[0] != 23)
            die("a record of another type in the clear", s->about);
        size_t n = open_record(s, record, len, &inner);
        if (inner == 23)
            fwrite(record + 5, 1, n, s->out);
        else if (inner == 22) {
            on_handshake(s, record + 5, n, &pending);
            if (s->finished)
                pending = 0;
        } else if (inner != 21)
            die("a record of unknown inner type", s->about);
    }
}

static void side_open(side *s, const char *path, const char *out, const char *name) {
    char file[1100];
    snprintf(file, sizeof file, "%s.%s", out, name);
    s->about = path;
    s->in = read_file(path);
    s->out = fopen(file, "wb");
    if (s->out == NULL)
        die("cannot be written", file);
    if (s->in.len >= PREAMBLE_BYTES && memcmp(s->in.data, "PLY1", 4) == 0) {
        fwrite(s->in.data, 1, PREAMBLE_BYTES, s->out);
        s->at = PREAMBLE_BYTES;
    }
}

int main(int argc, char **argv) {
    side client = {0}, server = {0};
    if (argc != 5)
        die("usage: tls-decrypt KEYLOG CLIENT SERVER OUT", "arguments");
    bytes log = read_file(argv[1]);
    side_open(&client, argv[2], argv[4], "client");
    side_open(&server, argv[3], argv[4], "server");
    const uint8_t *hello = client.in.data + client.at, *answer = server.in.data + server.at;
    if (client.in.len - client.at < 43 || server.in.len - server.at < 80 || hello[0] != 22 ||
        answer[0] != 22 || answer[5] != 2)
        die("is no whole TLS handshake", argv[2]);
    size_t session_id_len = answer[43];
    suite s =
        suite_of((unsigned)answer[44 + session_id_len] << 8 | answer[45 + session_id_len], argv[3]);
    const uint8_t *random = hello + 11;
    keys_find(&log, "CLIENT_HANDSHAKE_TRAFFIC_SECRET", random, &s, &client.handshake, argv[2]);
    keys_find(&log, "SERVER_HANDSHAKE_TRAFFIC_SECRET", random, &s, &server.handshake, argv[3]);
    keys_find(&log, "CLIENT_TRAFFIC_SECRET_0", random, &s, &client.traffic, argv[2]);
    keys_find(&log, "SERVER_TRAFFIC_SECRET_0", random, &s, &server.traffic, argv[3]);
    read_records(&client);
    read_records(&server);
    printf("%zu %zu\n", client.n_records, server.n_records);
    fclose(client.out);
    fclose(server.out);
    free(client.in.data);
    free(server.in.data);
    free(log.data);
    return 0;
}
