/* Making and renewing an organisation's folder: what the command line does, never a node. A folder
 * is built beside its place and moved there when it is complete. */
#include "node/charter/descriptor.h"
#include "node/charter/document.h"
#include "node/charter/file.h"
#include "node/charter/manifest.h"
#include "node/charter/org.h"
#include "node/crypto/cert.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 1024
#define DAY_SECONDS 86400
#define ROOT_DAYS 3650
#define NODE_DAYS 397
#define DAYS_MAX 36500

static const char *const files[] = {"root.key", "root.crt", "node.key",      "seal.key",
                                    "tls.key",  "tls.crt",  "descriptor.pb", "member.pb"};

/* ---- the folder ---- */

static pl_status path_of(const char *folder, const char *name, char out[PATH_BYTES]) {
    int len = snprintf(out, PATH_BYTES, "%s%s", folder, name);
    return len > 0 && len < PATH_BYTES ? PL_OK
                                       : pl_fail(PL_LIMIT, "the path %.60s... is too long", folder);
}

static pl_status file_of(const char *folder, const char *file, char out[PATH_BYTES]) {
    char name[32];
    snprintf(name, sizeof name, "/%s", file);
    return path_of(folder, name, out);
}

static void remove_folder(const char *folder) {
    char path[PATH_BYTES];
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        pl_status status = file_of(folder, files[i], path);
        if (pl_is_ok(status))
            unlink(path);
        pl_status_done(&status); /* too long a path: then no such file was made */
    }
    rmdir(folder);
}

static pl_status sync_folder(const char *folder) {
    int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    bool ok = fd >= 0 && fsync(fd) == 0;
    int why = errno;
    if (fd >= 0)
        close(fd);
    return ok ? PL_OK : pl_fail(PL_IO, "cannot sync the folder %s: %s", folder, strerror(why));
}

static pl_status sync_parent(const char *folder) {
    char path[PATH_BYTES];
    PL_TRY(path_of(folder, "", path));
    char *slash = strrchr(path, '/');
    if (slash == NULL)
        return sync_folder(".");
    slash[slash == path ? 1 : 0] = 0;
    return sync_folder(path);
}

static pl_status make_folder(const char *folder) {
    if (mkdir(folder, 0700) == 0)
        return PL_OK;
    if (errno == EEXIST)
        return pl_fail(PL_ALREADY_EXISTS,
                       "%s is left over from an attempt that was interrupted: remove it", folder);
    return pl_fail(PL_IO, "cannot make the folder %s: %s", folder, strerror(errno));
}

static pl_status save_key(const pl_key *key, const char *folder, const char *name) {
    char path[PATH_BYTES];
    PL_TRY(file_of(folder, name, path));
    return pl_key_save(key, path);
}

static pl_status save_file(pl_view content, const char *folder, const char *name) {
    char path[PATH_BYTES];
    PL_TRY(file_of(folder, name, path));
    return pl_file_create(path, content, 0644);
}

static pl_status save_cert(const pl_bytes *der, const char *folder, const char *name) {
    pl_bytes pem;
    PL_TRY(pl_cert_to_pem(pl_bytes_view(der), &pem));
    pl_status status = save_file(pl_bytes_view(&pem), folder, name);
    pl_bytes_done(&pem);
    return status;
}

/* ---- the root ---- */

typedef struct root {
    pl_key *key;
    pl_bytes cert;
} root;

static void root_done(root *r) {
    pl_key_free(r->key);
    pl_bytes_done(&r->cert);
}

static pl_status write_member(const char *folder, const pl_org_params *p, const root *r) {
    Parley__V1__Member member = PARLEY__V1__MEMBER__INIT;
    pl_bytes packed;
    member.org = (char *)(uintptr_t)p->org;
    member.display_name = (char *)(uintptr_t)(p->display_name != NULL ? p->display_name : p->org);
    member.group = (char *)(uintptr_t)(p->group != NULL ? p->group : p->org);
    member.root_cert = (ProtobufCBinaryData){r->cert.len, r->cert.data};
    PL_TRY(pl_manifest_check_member(&member));
    PL_TRY(pl_document_pack(&member, &packed));
    pl_status status = save_file(pl_bytes_view(&packed), folder, "member.pb");
    pl_bytes_done(&packed);
    return status;
}

static pl_status make_root(const char *folder, const pl_org_params *p, root *out) {
    char name[80];
    snprintf(name, sizeof name, "%s root", p->org);
    uint32_t days = p->root_days != 0 ? p->root_days : ROOT_DAYS;
    pl_cert_params params = {.common_name = name,
                             .not_before = p->now - PL_CLOCK_SKEW_SECONDS,
                             .not_after = p->now + (int64_t)days * DAY_SECONDS};
    PL_TRY(pl_key_generate_signing(&out->key));
    PL_TRY(pl_cert_create(out->key, &params, true, &out->cert));
    PL_TRY(save_key(out->key, folder, "root.key"));
    PL_TRY(save_cert(&out->cert, folder, "root.crt"));
    return write_member(folder, p, out);
}

/* ---- the node: keys, TLS certificate, descriptor ---- */

typedef struct node_spec {
    const char *org, *node, *federation;
    char **endpoints;
    size_t n_endpoints;
    uint64_t serial;
    int64_t now;
    uint32_t days;
} node_spec;

typedef struct node_keys {
    pl_key *sign, *seal, *tls;
    pl_bytes sign_spki, tls_cert;
    uint8_t seal_public[PL_SEAL_KEY_BYTES];
} node_keys;

static void node_keys_done(node_keys *keys) {
    pl_key_free(keys->sign);
    pl_key_free(keys->seal);
    pl_key_free(keys->tls);
    pl_bytes_done(&keys->sign_spki);
    pl_bytes_done(&keys->tls_cert);
}

static int64_t valid_until(const node_spec *spec) {
    return spec->now + (int64_t)(spec->days != 0 ? spec->days : NODE_DAYS) * DAY_SECONDS;
}

static pl_status make_keys(const node_spec *spec, const root *r, node_keys *out) {
    char name[64]; /* decides nothing: the key is pinned by the descriptor */
    snprintf(name, sizeof name, "%s.parley", spec->org);
    pl_cert_params params = {.common_name = name,
                             .dns_name = name,
                             .not_before = spec->now - PL_CLOCK_SKEW_SECONDS,
                             .not_after = valid_until(spec)};
    PL_TRY(pl_key_generate_signing(&out->sign));
    PL_TRY(pl_key_generate_sealing(&out->seal));
    PL_TRY(pl_key_generate_signing(&out->tls));
    PL_TRY(pl_key_spki(out->sign, &out->sign_spki));
    PL_TRY(pl_key_seal_public(out->seal, out->seal_public));
    return pl_cert_issue(r->key, pl_bytes_view(&r->cert), out->tls, &params, &out->tls_cert);
}

static pl_status sign_descriptor(const node_spec *spec, const root *r, node_keys *keys,
                                 pl_bytes *out_signed) {
    char signer[64];
    uint32_t version = PL_PROTOCOL_VERSION, planner = PL_PLANNER_VERSION_KNOWN;
    Parley__V1__Descriptor d = PARLEY__V1__DESCRIPTOR__INIT;
    d.version = PL_DOCUMENT_VERSION;
    d.federation = (char *)(uintptr_t)spec->federation;
    d.org = (char *)(uintptr_t)spec->org;
    d.node = (char *)(uintptr_t)spec->node;
    d.sign_key = (ProtobufCBinaryData){keys->sign_spki.len, keys->sign_spki.data};
    d.seal_key = (ProtobufCBinaryData){PL_SEAL_KEY_BYTES, keys->seal_public};
    d.tls_cert = (ProtobufCBinaryData){keys->tls_cert.len, keys->tls_cert.data};
    d.endpoints = spec->endpoints;
    d.n_endpoints = spec->n_endpoints;
    d.serial = spec->serial;
    d.not_before = spec->now - PL_CLOCK_SKEW_SECONDS;
    d.not_after = valid_until(spec);
    d.protocol_versions = &version;
    d.n_protocol_versions = 1;
    d.planner_versions = &planner;
    d.n_planner_versions = 1;
    PL_TRY(pl_wrap(pl_descriptor_check(&d, spec->org), "descriptor"));
    snprintf(signer, sizeof signer, "root:%.40s", spec->org);
    return pl_document_sign(&d, "descriptor", signer, r->key, out_signed);
}

static pl_status save_node(const char *folder, const node_keys *keys, pl_view descriptor) {
    PL_TRY(save_key(keys->sign, folder, "node.key"));
    PL_TRY(save_key(keys->seal, folder, "seal.key"));
    PL_TRY(save_key(keys->tls, folder, "tls.key"));
    PL_TRY(save_cert(&keys->tls_cert, folder, "tls.crt"));
    return save_file(descriptor, folder, "descriptor.pb");
}

static pl_status make_node(const char *folder, const node_spec *spec, const root *r) {
    node_keys keys = {0};
    pl_bytes descriptor = {0};
    pl_status status = make_keys(spec, r, &keys);
    if (pl_is_ok(status))
        status = sign_descriptor(spec, r, &keys, &descriptor);
    if (pl_is_ok(status))
        status = save_node(folder, &keys, pl_bytes_view(&descriptor));
    if (pl_is_ok(status))
        status = sync_folder(folder);
    pl_bytes_done(&descriptor);
    node_keys_done(&keys);
    return status;
}

/* ---- creating ---- */

static pl_status fill(const char *folder, const pl_org_params *p) {
    root r = {0};
    node_spec spec = {.org = p->org,
                      .node = p->node != NULL ? p->node : "node1",
                      .federation = "",
                      .endpoints = (char **)(uintptr_t)p->endpoints,
                      .n_endpoints = p->n_endpoints,
                      .serial = 1,
                      .now = p->now,
                      .days = p->node_days};
    pl_status status = make_root(folder, p, &r);
    if (pl_is_ok(status))
        status = make_node(folder, &spec, &r);
    root_done(&r);
    return status;
}

/* rename onto an empty folder replaces it; onto one with anything in it fails. */
static pl_status move_into_place(const char *from, const char *to) {
    if (rename(from, to) == 0)
        return sync_parent(to);
    if (errno == ENOTEMPTY || errno == EEXIST || errno == ENOTDIR)
        return pl_fail(PL_ALREADY_EXISTS, "%s exists and is not empty: keys are never overwritten",
                       to);
    return pl_fail(PL_IO, "cannot move the new folder to %s: %s", to, strerror(errno));
}

static pl_status check_params(const pl_org_params *p) {
    if (p->org == NULL || !pl_name_is_org(p->org))
        return pl_fail(
            PL_INVALID_ARGUMENT,
            "'%.40s' cannot name an organisation: a small letter, then up to 30 small letters, "
            "digits or underscores",
            p->org == NULL ? "" : p->org);
    if (p->root_days > DAYS_MAX || p->node_days > DAYS_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "keys can be valid for at most %d days", DAYS_MAX);
    return PL_OK;
}

pl_status pl_org_create(const char *folder, const pl_org_params *params) {
    char partial[PATH_BYTES];
    PL_TRY(check_params(params));
    PL_TRY(path_of(folder, ".partial", partial));
    PL_TRY(make_folder(partial));
    pl_status status = fill(partial, params);
    if (pl_is_ok(status))
        status = move_into_place(partial, folder);
    if (!pl_is_ok(status))
        remove_folder(partial);
    return pl_wrap(status, "cannot create organisation %s", params->org);
}

/* ---- renewing ---- */

static pl_status copy_file(const char *from, const char *to, const char *name) {
    char source[PATH_BYTES], target[PATH_BYTES];
    PL_TRY(file_of(from, name, source));
    PL_TRY(file_of(to, name, target));
    return link(source, target) == 0
               ? PL_OK
               : pl_fail(PL_IO, "cannot link %s to %s: %s", source, target, strerror(errno));
}

static pl_status read_root(const char *folder, root *out) {
    char path[PATH_BYTES], *org = NULL;
    pl_bytes pem;
    PL_TRY(pl_org_load_root(folder, &out->key, &org));
    free(org);
    PL_TRY(file_of(folder, "root.crt", path));
    PL_TRY(pl_file_read(path, PL_DOCUMENT_BYTES_MAX, &pem));
    pl_status status = pl_wrap(pl_cert_from_pem(pl_bytes_view(&pem), &out->cert), "%s", path);
    pl_bytes_done(&pem);
    return status;
}

static pl_status fill_renewed(const char *partial, const char *folder, const pl_org *before,
                              int64_t now, uint32_t days) {
    const Parley__V1__Descriptor *d = pl_org_descriptor(before);
    node_spec spec = {.org = d->org,
                      .node = d->node,
                      .federation = d->federation,
                      .endpoints = d->endpoints,
                      .n_endpoints = d->n_endpoints,
                      .serial = d->serial + 1,
                      .now = now,
                      .days = days};
    root r = {0};
    pl_status status = read_root(folder, &r);
    if (pl_is_ok(status))
        status = make_node(partial, &spec, &r);
    root_done(&r);
    for (size_t i = 0; pl_is_ok(status) && i < 3; i++)
        status =
            copy_file(folder, partial, (const char *[]){"root.key", "root.crt", "member.pb"}[i]);
    return status;
}

/* Two renames: between them only the kept folder is there, and its name says what it is. */
static pl_status swap(const char *partial, const char *folder, uint64_t serial) {
    char kept[PATH_BYTES], name[32];
    snprintf(name, sizeof name, ".serial%" PRIu64, serial);
    PL_TRY(path_of(folder, name, kept));
    if (access(kept, F_OK) == 0)
        return pl_fail(PL_ALREADY_EXISTS, "%s is there already: keys are never overwritten", kept);
    if (rename(folder, kept) != 0)
        return pl_fail(PL_IO, "cannot move %s aside: %s", folder, strerror(errno));
    return move_into_place(partial, folder);
}

pl_status pl_org_renew(const char *folder, int64_t now, uint32_t node_days) {
    pl_org *before;
    char partial[PATH_BYTES];
    if (node_days > DAYS_MAX)
        return pl_fail(PL_INVALID_ARGUMENT, "keys can be valid for at most %d days", DAYS_MAX);
    PL_TRY(pl_org_load(folder, &before));
    pl_status status = path_of(folder, ".partial", partial);
    if (pl_is_ok(status))
        status = make_folder(partial);
    if (pl_is_ok(status)) {
        status = fill_renewed(partial, folder, before, now, node_days);
        if (pl_is_ok(status))
            status = swap(partial, folder, pl_org_descriptor(before)->serial);
        if (!pl_is_ok(status))
            remove_folder(partial);
    }
    pl_org_free(before);
    return pl_wrap(status, "cannot renew the node's keys in %s", folder);
}
