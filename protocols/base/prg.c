#include "protocols/base/prg.h"

#include "protocols/base/cpu.h"
#include "protocols/base/prg_aes.h"
#include "protocols/base/secret.h"

#include <openssl/evp.h>
#include <string.h>

struct pl_prg {
    pl_prg_path path;
    /* The processor's own paths: round keys, the counter of the next block, and what is left of the
     * last one. */
    pl_aes_keys keys;
    uint64_t high, low;
    uint8_t rest[PL_AES_BLOCK_BYTES];
    size_t rest_len;
    EVP_CIPHER_CTX *evp; /* the portable path: OpenSSL keeps the position */
};

static pl_prg_path forced_path = PL_PRG_AUTO;

static bool path_runs_here(pl_prg_path path) {
    pl_cpu cpu = pl_cpu_features();
    switch (path) {
    case PL_PRG_AESNI:
        return cpu.aesni;
    case PL_PRG_VAES:
        return cpu.vaes && cpu.aesni;
    case PL_PRG_VAES512:
        return cpu.vaes && cpu.aesni && cpu.avx512;
    default:
        return true;
    }
}

static pl_prg_path choose_path(void) {
    if (forced_path != PL_PRG_AUTO)
        return forced_path;
    if (path_runs_here(PL_PRG_VAES512))
        return PL_PRG_VAES512;
    if (path_runs_here(PL_PRG_VAES))
        return PL_PRG_VAES;
    return path_runs_here(PL_PRG_AESNI) ? PL_PRG_AESNI : PL_PRG_EVP;
}

pl_status pl_prg_force_path(pl_prg_path path) {
    if (!path_runs_here(path))
        return pl_fail(PL_UNSUPPORTED, "this processor has no instructions for this PRG path");
    forced_path = path;
    return PL_OK;
}

const char *pl_prg_path_name(void) {
    switch (choose_path()) {
    case PL_PRG_AESNI:
        return "aes-ni";
    case PL_PRG_VAES:
        return "vaes-256";
    case PL_PRG_VAES512:
        return "vaes-512";
    default:
        return "openssl";
    }
}

static void put_big_endian(uint8_t *out, uint64_t value) {
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(value >> (56 - 8 * i));
}

static pl_status start_evp(pl_prg *prg, const uint8_t *key) {
    uint8_t counter[PL_AES_BLOCK_BYTES];
    put_big_endian(counter, prg->high);
    put_big_endian(counter + 8, prg->low);
    prg->evp = EVP_CIPHER_CTX_new();
    if (prg->evp == NULL ||
        EVP_EncryptInit_ex(prg->evp, EVP_aes_128_ctr(), NULL, key, counter) != 1)
        return pl_fail(PL_INTERNAL, "cannot start a PRG stream: OpenSSL has no AES-128-CTR");
    return PL_OK;
}

pl_status pl_prg_new_at(const uint8_t key[PL_PRG_KEY_BYTES], uint64_t high, uint64_t low,
                        pl_prg **out) {
    pl_prg *prg;
    PL_TRY(pl_secret_alloc(sizeof *prg, &prg));
    prg->path = choose_path();
    prg->high = high;
    prg->low = low;
    pl_status status = PL_OK;
#if defined(__x86_64__)
    if (prg->path != PL_PRG_EVP)
        pl_aes_expand(key, &prg->keys);
    else
#endif
        status = start_evp(prg, key);
    if (!pl_is_ok(status)) {
        pl_prg_free(prg);
        return status;
    }
    *out = prg;
    return PL_OK;
}

pl_status pl_prg_new(const uint8_t key[PL_PRG_KEY_BYTES], uint64_t nonce, pl_prg **out) {
    return pl_prg_new_at(key, nonce, 0, out);
}

void pl_prg_free(pl_prg *prg) {
    if (prg == NULL)
        return;
    EVP_CIPHER_CTX_free(prg->evp); /* wipes its key */
    pl_secret_free(prg, sizeof *prg);
}

static pl_status fill_evp(pl_prg *prg, uint8_t *out, size_t len) {
    const size_t step_max = (size_t)1 << 30; /* OpenSSL counts in int */
    memset(out, 0, len);
    while (len != 0) {
        int step = (int)(len < step_max ? len : step_max), done = 0;
        if (EVP_EncryptUpdate(prg->evp, out, &done, out, step) != 1 || done != step)
            return pl_fail(PL_INTERNAL, "cannot continue a PRG stream: OpenSSL refused");
        out += step;
        len -= (size_t)step;
    }
    return PL_OK;
}

static void take_blocks(pl_prg *prg, uint8_t *out, size_t n_blocks) {
#if defined(__x86_64__)
    if (prg->path == PL_PRG_VAES512)
        pl_aes_ctr_vaes512(&prg->keys, prg->high, prg->low, out, n_blocks);
    else if (prg->path == PL_PRG_VAES)
        pl_aes_ctr_vaes(&prg->keys, prg->high, prg->low, out, n_blocks);
    else
        pl_aes_ctr_aesni(&prg->keys, prg->high, prg->low, out, n_blocks);
#else
    (void)out;
#endif
    prg->low += n_blocks;
}

static void take_rest(pl_prg *prg, uint8_t **out, size_t *len) {
    size_t take = *len < prg->rest_len ? *len : prg->rest_len;
    uint8_t *from = prg->rest + PL_AES_BLOCK_BYTES - prg->rest_len;
    memcpy(*out, from, take);
    pl_wipe(from, take);
    prg->rest_len -= take;
    *out += take;
    *len -= take;
}

pl_status pl_prg_fill(pl_prg *prg, void *out, size_t len) {
    uint8_t *to = out;
    if (len == 0)
        return PL_OK;
    if (prg->path == PL_PRG_EVP)
        return fill_evp(prg, to, len);
    if (prg->rest_len != 0)
        take_rest(prg, &to, &len);
    size_t n_blocks = len / PL_AES_BLOCK_BYTES;
    if (prg->low + n_blocks + 1 < prg->low)
        return pl_fail(PL_LIMIT, "a PRG stream is used up: start a new session");
    take_blocks(prg, to, n_blocks);
    to += n_blocks * PL_AES_BLOCK_BYTES;
    len -= n_blocks * PL_AES_BLOCK_BYTES;
    if (len != 0) {
        take_blocks(prg, prg->rest, 1);
        prg->rest_len = PL_AES_BLOCK_BYTES;
        take_rest(prg, &to, &len);
    }
    return PL_OK;
}
