/* Keys, signatures, seals and certificates: round trips, every field of a signature and a seal
 * changed, files that others could read. Digests are compared with values computed by another
 * program (sha256sum). It could be wrong where OpenSSL itself is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "node/crypto/cert.h"
#include "node/crypto/digest.h"
#include "node/crypto/seal.h"
#include "node/crypto/signed.h"
#include "proto/common.pb-c.h"
#include "tests/unit/sweep.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define N(rows) (sizeof(rows) / sizeof *(rows))
#define NOW INT64_C(1795000000)
/* printf 'parley/1/charter\0body' | sha256sum */
#define CHARTER_BODY_DIGEST "f6a594ed881f60e550374a7538af8c51d4bb4dcbbb850eda11f78f9de5fdb082"

static char folder[] = "/tmp/parley-test-XXXXXX";
static pl_key *key, *other;
static pl_bytes spki, other_spki;

static void path_of(const char *name, char out[100]) {
    snprintf(out, 100, "%s/%s", folder, name);
}

/* ---- digests and randomness ---- */

static void digests_separate_domains(void **state) {
    (void)state;
    uint8_t a[32], b[32], want[32];
    pl_digest("charter", pl_view_text("body"), a);
    must(pl_hex_decode(CHARTER_BODY_DIGEST, want, sizeof want));
    assert_memory_equal(a, want, 32);
    pl_digest("approval", pl_view_text("body"), b);
    assert_memory_not_equal(a, b, 32);
    pl_digest("char", pl_view_of("ter\0body", 8), b); /* the boundary is part of it */
    assert_memory_not_equal(a, b, 32);
    pl_digest("charter", (pl_view){0}, b);
    assert_memory_not_equal(a, b, 32);
    must(pl_random(a, 32));
    must(pl_random(b, 32));
    assert_memory_not_equal(a, b, 32);
}

/* ---- key files ---- */

static void a_key_file_is_private_and_kept(void **state) {
    (void)state;
    char path[100];
    struct stat st;
    pl_key *loaded;
    pl_bytes again;
    path_of("sign.key", path);
    umask(0); /* the mode must not depend on it */
    must(pl_key_save(key, path));
    umask(022);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    must_refuse(pl_key_save(other, path), PL_ALREADY_EXISTS, "keys are never overwritten");
    must(pl_key_load(path, &loaded));
    must(pl_key_spki(loaded, &again));
    assert_true(pl_view_equal(pl_bytes_view(&again), pl_bytes_view(&spki)));
    pl_bytes_done(&again);
    pl_key_free(loaded);
}

static void an_open_or_broken_key_file_is_refused(void **state) {
    (void)state;
    static const unsigned modes[] = {0640, 0604, 0660, 0610, 0601, 0602, 0777};
    char path[100], link_path[100], text[32];
    pl_key *loaded;
    path_of("open.key", path);
    must(pl_key_save(key, path));
    for (size_t i = 0; i < N(modes); i++) {
        assert_int_equal(chmod(path, modes[i]), 0);
        snprintf(text, sizeof text, "has mode %04o", modes[i]);
        must_refuse(pl_key_load(path, &loaded), PL_REFUSED, text);
    }
    must_refuse(pl_key_load(path, &loaded), PL_REFUSED, "run chmod 0600");
    assert_int_equal(chmod(path, 0600), 0);
    assert_int_equal(truncate(path, 40), 0);
    must_refuse(pl_key_load(path, &loaded), PL_CORRUPT, "holds no readable private key");
    path_of("nothing.key", path);
    must_refuse(pl_key_load(path, &loaded), PL_IO, "nothing.key");
    path_of("link.key", link_path);
    assert_int_equal(symlink(path, link_path), 0);
    must_refuse(pl_key_save(key, link_path), PL_ALREADY_EXISTS,
                "link.key"); /* not through a link */
    assert_int_equal(access(path, F_OK), -1);
}

static void seal_keys_have_files_too(void **state) {
    (void)state;
    char path[100];
    uint8_t a[32], b[32];
    pl_key *seal, *loaded;
    must(pl_key_generate_sealing(&seal));
    path_of("seal.key", path);
    must(pl_key_save(seal, path));
    must(pl_key_load(path, &loaded));
    must(pl_key_seal_public(seal, a));
    must(pl_key_seal_public(loaded, b));
    assert_memory_equal(a, b, 32);
    must_refuse(pl_key_seal_public(key, a), PL_INVALID_ARGUMENT, "not an X25519 key");
    pl_key_free(seal);
    pl_key_free(loaded);
}

static void only_p256_signs(void **state) {
    (void)state;
    pl_key *seal;
    pl_bytes bytes;
    must(pl_key_check_signing(pl_bytes_view(&spki)));
    must(pl_key_generate_sealing(&seal));
    must(pl_key_spki(seal, &bytes));
    must_refuse(pl_key_check_signing(pl_bytes_view(&bytes)), PL_UNAUTHENTICATED,
                "no P-256 public key");
    pl_bytes_done(&bytes);
    must_refuse(pl_sign(seal, "test", "tax", pl_view_text("x"), &bytes), PL_INTERNAL, "P-256");
    pl_key_free(seal);
    must(pl_bytes_dup(pl_bytes_view(&spki), &bytes));
    must_refuse(pl_key_check_signing(pl_view_of(bytes.data, bytes.len - 1)), PL_UNAUTHENTICATED,
                "P-256");
    must_refuse(pl_key_check_signing(pl_view_of(bytes.data, bytes.len + 1)), PL_UNAUTHENTICATED,
                "P-256");
    bytes.data[bytes.len - 1] ^= 1; /* no point of the curve */
    must_refuse(pl_key_check_signing(pl_bytes_view(&bytes)), PL_UNAUTHENTICATED, "P-256");
    must_refuse(pl_key_check_signing((pl_view){0}), PL_UNAUTHENTICATED, "P-256");
    pl_bytes_done(&bytes);
}

/* ---- signatures ---- */

static pl_status verify(pl_view bytes, const char *domain, const char *signer, const pl_bytes *by) {
    pl_bytes body = {0};
    pl_status status = pl_signed_verify(bytes, domain, signer, pl_bytes_view(by), &body);
    if (pl_is_ok(status))
        assert_true(pl_view_equal(pl_bytes_view(&body), pl_view_text("body")));
    pl_bytes_done(&body);
    return status;
}

static void a_signature_is_of_one_key_signer_and_domain(void **state) {
    (void)state;
    pl_bytes one, two, body;
    must(pl_sign(key, "charter", "tax", pl_view_text("body"), &one));
    must(verify(pl_bytes_view(&one), "charter", "tax", &spki));
    must_refuse(verify(pl_bytes_view(&one), "approval", "tax", &spki), PL_UNAUTHENTICATED,
                "approval: the signature of tax does not verify");
    must_refuse(verify(pl_bytes_view(&one), "charter", "north", &spki), PL_UNAUTHENTICATED,
                "charter: there is no signature of north");
    must_refuse(verify(pl_bytes_view(&one), "charter", "tax", &other_spki), PL_UNAUTHENTICATED,
                "by another key");
    must(pl_sign_add(other, "charter", "north", pl_bytes_view(&one), &two));
    must(verify(pl_bytes_view(&two), "charter", "tax", &spki));
    must(verify(pl_bytes_view(&two), "charter", "north", &other_spki));
    must(pl_signed_body(pl_bytes_view(&two), &body));
    assert_true(pl_view_equal(pl_bytes_view(&body), pl_view_text("body")));
    pl_bytes_done(&body);
    pl_bytes_done(&one);
    pl_bytes_done(&two);
}

static pl_status verify_packed(void *ctx) {
    Parley__V1__Signed *message = ctx;
    size_t len = parley__v1__signed__get_packed_size(message);
    uint8_t *packed = malloc(len + 1);
    parley__v1__signed__pack(message, packed);
    pl_status status = verify(pl_view_of(packed, len), "charter", "tax", &spki);
    free(packed);
    return status;
}

static void every_field_of_a_signature(void **state) {
    (void)state;
    static const sweep_row rows[] = {
        {"body longer", "does not verify"},
        {"body changed", "does not verify"},
        {"signatures dropped", "no signature of tax"},
        {"signatures doubled", NULL},
        {"signatures[0].signer changed", "no signature of tax"},
        {"signatures[0].signer escaped", "no signature of tax"},
        {"signatures[0].key_id changed", "another key"},
        {"signatures[0].key_id longer", "another key"},
        {"signatures[0].value changed", "does not verify"},
        {"signatures[0].value longer", "does not verify"},
        {"signatures[0].suite +1", "suite 2, this version knows 1"},
    };
    pl_bytes bytes;
    must(pl_sign(key, "charter", "tax", pl_view_text("body"), &bytes));
    Parley__V1__Signed *message = parley__v1__signed__unpack(NULL, bytes.len, bytes.data);
    sweep s = {.name = "signed",
               .attempt = verify_packed,
               .ctx = message,
               .rows = rows,
               .n_rows = N(rows)};
    sweep_run(&s, &message->base, 10);
    parley__v1__signed__free_unpacked(message, NULL);
    pl_bytes_done(&bytes);
}

static void what_is_too_large_or_broken(void **state) {
    (void)state;
    static uint8_t large[PL_SIGNED_BYTES_MAX + 1];
    pl_bytes bytes, more;
    must_refuse(verify(pl_view_of(large, sizeof large), "charter", "tax", &spki), PL_LIMIT,
                "too large");
    must_refuse(verify(pl_view_text("\x0a\x7f"), "charter", "tax", &spki), PL_INVALID_ARGUMENT,
                "charter: a signed document cannot be read");
    must(pl_sign(key, "charter", "tax", pl_view_text("body"), &bytes));
    for (size_t i = 0; i < PL_SIGNATURES_MAX; i++) {
        char signer[16];
        snprintf(signer, sizeof signer, "s%zu", i);
        pl_status status = pl_sign_add(key, "charter", signer, pl_bytes_view(&bytes), &more);
        must(status);
        pl_bytes_done(&bytes);
        bytes = more;
    }
    must_refuse(verify(pl_bytes_view(&bytes), "charter", "tax", &spki), PL_LIMIT,
                "more than 64 signatures");
    must_refuse(pl_sign_add(key, "charter", "one", pl_bytes_view(&bytes), &more), PL_LIMIT,
                "signatures");
    pl_bytes_done(&bytes);
}

static void signatures_merge_over_one_body(void **state) {
    (void)state;
    pl_bytes a, b, c, merged;
    must(pl_sign(key, "receipt", "tax", pl_view_text("body"), &a));
    must(pl_sign(other, "receipt", "north", pl_view_text("body"), &b));
    must(pl_sign(other, "receipt", "north", pl_view_text("corpse"), &c));
    must(pl_signed_merge(pl_bytes_view(&a), pl_bytes_view(&b), &merged));
    must(verify(pl_bytes_view(&merged), "receipt", "tax", &spki));
    must(verify(pl_bytes_view(&merged), "receipt", "north", &other_spki));
    must_refuse(pl_signed_merge(pl_bytes_view(&a), pl_bytes_view(&c), &merged), PL_CORRUPT,
                "differ");
    pl_bytes_done(&merged);
    pl_bytes_done(&a);
    pl_bytes_done(&b);
    pl_bytes_done(&c);
}

/* ---- seals ---- */

static pl_key *seal_key;
static uint8_t seal_public[32];

static pl_status unseal_packed(void *ctx) {
    Parley__V1__Sealed *message = ctx;
    pl_bytes out = {0};
    size_t len = parley__v1__sealed__get_packed_size(message);
    uint8_t *packed = malloc(len + 1);
    parley__v1__sealed__pack(message, packed);
    pl_status status = pl_unseal(seal_key, "health", "tax", pl_view_of(packed, len), &out);
    if (pl_is_ok(status))
        assert_true(pl_view_equal(pl_bytes_view(&out), pl_view_text("SELECT 1")));
    pl_bytes_done(&out);
    free(packed);
    return status;
}

static void every_field_of_a_seal(void **state) {
    (void)state;
    static const sweep_row rows[] = {
        {"ephemeral changed", "ciphertext"},
        {"nonce changed", "ciphertext"},
        {"suite +1", "suite 2 is unknown"},
        {"ciphertext longer", "changed on the way"},
    };
    pl_bytes sealed;
    must(pl_seal("health", "tax", pl_view_of(seal_public, 32), pl_view_text("SELECT 1"), &sealed));
    Parley__V1__Sealed *message = parley__v1__sealed__unpack(NULL, sealed.len, sealed.data);
    sweep s = {.name = "sealed",
               .attempt = unseal_packed,
               .ctx = message,
               .rows = rows,
               .n_rows = N(rows)};
    sweep_run(&s, &message->base, 10);
    parley__v1__sealed__free_unpacked(message, NULL);
    pl_bytes_done(&sealed);
}

static void a_seal_opens_for_one_key(void **state) {
    (void)state;
    pl_key *stranger;
    pl_bytes sealed, again, out;
    must(pl_key_generate_sealing(&stranger));
    must(pl_seal("health", "tax", pl_view_of(seal_public, 32), pl_view_text("SELECT 1"), &sealed));
    must(pl_seal("health", "tax", pl_view_of(seal_public, 32), pl_view_text("SELECT 1"), &again));
    assert_false(
        pl_view_equal(pl_bytes_view(&sealed), pl_bytes_view(&again))); /* fresh every time */
    must_refuse(pl_unseal(stranger, "health", "tax", pl_bytes_view(&sealed), &out),
                PL_UNAUTHENTICATED, "another seal key");
    must_refuse(pl_unseal(seal_key, "south", "tax", pl_bytes_view(&sealed), &out),
                PL_UNAUTHENTICATED, "sender is health");
    must_refuse(pl_unseal(seal_key, "health", "tax", pl_view_text("\x12\x7f"), &out),
                PL_INVALID_ARGUMENT, "cannot be read");
    static const uint8_t zero[32];
    must_refuse(pl_seal("health", "tax", pl_view_of(zero, 32), pl_view_text("x"), &out),
                PL_UNAUTHENTICATED, "key agreement"); /* the point of small order */
    must_refuse(pl_seal("health", "tax", pl_view_of(zero, 31), pl_view_text("x"), &out),
                PL_INVALID_ARGUMENT, "tax");
    pl_bytes_done(&sealed);
    pl_bytes_done(&again);
    pl_key_free(stranger);
}

/* ---- certificates ---- */

static void certificates_are_checked_against_their_root(void **state) {
    (void)state;
    pl_bytes root, leaf, pem, der, bytes;
    pl_cert_params params = {
        .common_name = "tax root", .not_before = NOW - 100, .not_after = NOW + 1000};
    must(pl_cert_create(key, &params, true, &root));
    params.common_name = params.dns_name = "tax.parley";
    params.not_after = NOW + 100;
    must(pl_cert_issue(key, pl_bytes_view(&root), other, &params, &leaf));
    must(pl_cert_check(pl_bytes_view(&leaf), pl_bytes_view(&root), NOW));
    must(pl_cert_check(pl_bytes_view(&root), pl_bytes_view(&root), NOW));
    must_refuse(pl_cert_check(pl_bytes_view(&root), pl_bytes_view(&leaf), NOW), PL_UNAUTHENTICATED,
                "not issued by");
    must_refuse(pl_cert_check(pl_bytes_view(&leaf), pl_bytes_view(&root), NOW + 101),
                PL_UNAUTHENTICATED, "has expired");
    must_refuse(pl_cert_check(pl_bytes_view(&leaf), pl_bytes_view(&root), NOW - 101),
                PL_UNAUTHENTICATED, "not valid yet");
    must(pl_cert_check_issued(pl_bytes_view(&leaf), pl_bytes_view(&root)));
    must(pl_cert_spki(pl_bytes_view(&leaf), &bytes));
    assert_true(pl_view_equal(pl_bytes_view(&bytes), pl_bytes_view(&other_spki)));
    pl_bytes_done(&bytes);
    must(pl_cert_to_pem(pl_bytes_view(&leaf), &pem));
    must(pl_cert_from_pem(pl_bytes_view(&pem), &der));
    assert_true(pl_view_equal(pl_bytes_view(&der), pl_bytes_view(&leaf)));
    leaf.data[leaf.len / 2] ^= 1;
    pl_status status = pl_cert_check(pl_bytes_view(&leaf), pl_bytes_view(&root), NOW);
    assert_false(pl_is_ok(status));
    pl_status_done(&status);
    must_refuse(pl_cert_spki(pl_view_of(root.data, root.len + 1), &bytes), PL_INVALID_ARGUMENT,
                "cannot be read"); /* something follows */
    must_refuse(pl_cert_from_pem(pl_view_text("-----BEGIN"), &bytes), PL_INVALID_ARGUMENT,
                "cannot be read");
    pl_bytes_done(&root);
    pl_bytes_done(&leaf);
    pl_bytes_done(&pem);
    pl_bytes_done(&der);
}

static int open_all(void **state) {
    (void)state;
    assert_non_null(mkdtemp(folder));
    must(pl_key_generate_signing(&key));
    must(pl_key_generate_signing(&other));
    must(pl_key_spki(key, &spki));
    must(pl_key_spki(other, &other_spki));
    must(pl_key_generate_sealing(&seal_key));
    must(pl_key_seal_public(seal_key, seal_public));
    return 0;
}

static int close_all(void **state) {
    (void)state;
    static const char *const files[] = {"sign.key", "open.key", "link.key", "seal.key"};
    char path[100];
    for (size_t i = 0; i < N(files); i++) {
        path_of(files[i], path);
        unlink(path);
    }
    pl_key_free(key);
    pl_key_free(other);
    pl_key_free(seal_key);
    pl_bytes_done(&spki);
    pl_bytes_done(&other_spki);
    return rmdir(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(digests_separate_domains),
        cmocka_unit_test(a_key_file_is_private_and_kept),
        cmocka_unit_test(an_open_or_broken_key_file_is_refused),
        cmocka_unit_test(seal_keys_have_files_too),
        cmocka_unit_test(only_p256_signs),
        cmocka_unit_test(a_signature_is_of_one_key_signer_and_domain),
        cmocka_unit_test(every_field_of_a_signature),
        cmocka_unit_test(what_is_too_large_or_broken),
        cmocka_unit_test(signatures_merge_over_one_body),
        cmocka_unit_test(every_field_of_a_seal),
        cmocka_unit_test(a_seal_opens_for_one_key),
        cmocka_unit_test(certificates_are_checked_against_their_root),
    };
    return cmocka_run_group_tests(tests, open_all, close_all);
}
