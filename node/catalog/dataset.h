/* Dataset: one entry of `datasets:` in parleyd.yaml, as a catalogue body and a source. */
#ifndef PL_NODE_CATALOG_DATASET_H
#define PL_NODE_CATALOG_DATASET_H

#include "node/catalog/config.h"
#include "node/catalog/yaml.h"

#define PL_NAME_BYTES_MAX 63 /* PostgreSQL's identifiers: longer ones are refused, not cut */
#define PL_COLUMNS_MAX 1000
#define PL_VALUES_MAX 10000 /* declared, over all columns of a dataset */
#define PL_TITLE_BYTES_MAX 200

/* pl_dataset_read checks everything that can be told without the rows: names, types, ranges,
 * declared values. */
PL_STATUS pl_dataset_read(const pl_yaml *entry, const char *folder, pl_dataset_config *out);
void pl_dataset_config_done(pl_dataset_config *dataset);

/* pl_dataset_check holds a body that another member published against the same rules. */
PL_STATUS pl_dataset_check(const Parley__V1__Dataset *dataset);

#endif
