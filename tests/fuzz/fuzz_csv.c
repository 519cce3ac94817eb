/* A data source. First byte: the encoding. */
#include "node/source/csv.h"
#include "tests/fuzz/fuzz.h"

#include <unistd.h>

#define N_COLUMNS 6

static void describe(Parley__V1__Column *columns, Parley__V1__SourceColumn *sources,
                     Parley__V1__SourceColumn **list) {
    static char *names[N_COLUMNS] = {"id", "name", "income", "born", "weight", "married"};
    static const Parley__V1__ColumnType types[N_COLUMNS] = {
        PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER, PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT,
        PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL, PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DATE,
        PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_REAL,    PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_BOOL,
    };
    for (int i = 0; i < N_COLUMNS; i++) {
        parley__v1__column__init(&columns[i]);
        parley__v1__source_column__init(&sources[i]);
        columns[i].name = sources[i].source_name = names[i];
        columns[i].type = types[i];
        columns[i].nullable = i != 0;
        columns[i].precision = 9;
        columns[i].scale = 2;
        sources[i].column = &columns[i];
        list[i] = &sources[i];
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    Parley__V1__Column columns[N_COLUMNS];
    Parley__V1__SourceColumn sources[N_COLUMNS], *list[N_COLUMNS];
    pl_value values[N_COLUMNS];
    pl_csv *csv = NULL;
    bool has = true;
    if (size == 0)
        return 0;
    describe(columns, sources, list);
    int fd = fuzz_file(data + 1, size - 1);
    pl_status status = pl_csv_open(fd, "north.csv", (data[0] & 1) != 0 ? "gb18030" : "utf-8", list,
                                   N_COLUMNS, 1000, &csv);
    while (pl_is_ok(status) && has)
        status = pl_csv_next(csv, values, &has);
    fuzz_settle(status);
    pl_csv_free(csv);
    close(fd);
    return 0;
}
