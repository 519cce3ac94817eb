/* make-cert ORG_DIR FROM TO OUT: a TLS key and a certificate of the organisation's root, valid from
 * FROM to TO seconds from now: OUT.key and OUT.crt. ORG_DIR "-": self-signed, named
 * parley-scheduler. For tests of what is refused. */
#include "node/charter/org.h"
#include "node/crypto/cert.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void must(pl_status status) {
    if (pl_is_ok(status))
        return;
    fprintf(stderr, "make-cert: %s\n", pl_status_message(status));
    exit(1);
}

static void root_of(const char *folder, pl_key **key, pl_bytes *der) {
    char path[1100], *name = NULL, pem[8192];
    must(pl_org_load_root(folder, key, &name));
    free(name);
    snprintf(path, sizeof path, "%s/root.crt", folder);
    FILE *file = fopen(path, "r");
    size_t len = file == NULL ? 0 : fread(pem, 1, sizeof pem, file);
    if (file != NULL)
        fclose(file);
    must(pl_cert_from_pem(pl_view_of(pem, len), der));
}

int main(int argc, char **argv) {
    pl_key *key = NULL, *root_key = NULL;
    pl_bytes root = {0}, der = {0}, pem = {0};
    char path[1100];
    if (argc != 5)
        return 2;
    int64_t now = (int64_t)time(NULL);
    pl_cert_params params = {.common_name = "node",
                             .dns_name = "node",
                             .not_before = now + atoll(argv[2]),
                             .not_after = now + atoll(argv[3])};
    must(pl_key_generate_signing(&key));
    if (strcmp(argv[1], "-") == 0) {
        params.common_name = params.dns_name = "parley-scheduler";
        must(pl_cert_create(key, &params, false, &der));
    } else {
        root_of(argv[1], &root_key, &root);
        must(pl_cert_issue(root_key, pl_bytes_view(&root), key, &params, &der));
    }
    must(pl_cert_to_pem(pl_bytes_view(&der), &pem));
    snprintf(path, sizeof path, "%s.key", argv[4]);
    must(pl_key_save(key, path));
    snprintf(path, sizeof path, "%s.crt", argv[4]);
    FILE *file = fopen(path, "w");
    if (file == NULL || fwrite(pem.data, 1, pem.len, file) != pem.len || fclose(file) != 0)
        return 1;
    pl_bytes_done(&pem);
    pl_bytes_done(&der);
    pl_bytes_done(&root);
    pl_key_free(root_key);
    pl_key_free(key);
    return 0;
}
