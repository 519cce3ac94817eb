/* A dataset: as a configuration file has it, and as another member publishes it. */
#include "node/catalog/catalog.h"
#include "node/catalog/dataset.h"
#include "tests/fuzz/fuzz.h"

static pl_status read_configured(pl_view text) {
    pl_yaml *root = NULL;
    pl_dataset_config dataset = {0};
    PL_TRY(pl_yaml_parse("parleyd.yaml", text, &root));
    pl_status status = pl_dataset_read(root, "", &dataset);
    pl_dataset_config_done(&dataset);
    pl_yaml_free(root);
    return status;
}

static pl_status read_published(pl_view body) {
    pl_catalog *catalog = NULL;
    PL_TRY(pl_catalog_new(&catalog));
    pl_status status = pl_catalog_add(catalog, "north", body);
    pl_catalog_free(catalog);
    return status;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    fuzz_settle(read_configured(pl_view_of(data, size)));
    fuzz_settle(read_published(pl_view_of(data, size)));
    return 0;
}
