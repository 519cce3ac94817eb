/* parleyd.yaml becomes a configuration, and each thing wrong with it is told with file, line and
 * key; the catalogue takes only sound entries and no older schema. Each fault replaces one piece of
 * a configuration that loads, so that nothing else can be what is refused. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/catalog/catalog.h"
#include "node/catalog/config.h"
#include "node/catalog/yaml.h"
#include "node/crypto/digest.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void must(pl_status status) {
    if (!pl_is_ok(status))
        fail_msg("%s", pl_status_message(status));
}

static void must_fail(pl_status status, pl_code code, const char *text) {
    if (pl_status_code(status) != code || strstr(pl_status_message(status), text) == NULL)
        fail_msg("got \"%s\" (%s), wanted \"%s\"", pl_status_message(status),
                 pl_code_describe(pl_status_code(status))->name, text);
    pl_status_done(&status);
}

static const char CONFIG[] =
    "org: keys/north\n"
    "federation: federation.manifest\n"
    "state: /var/lib/parley\n"
    "sockets: run\n"
    "groups: {analyst: staff}\n"
    "scheduler: {address: \"127.0.0.1:7000\", certificate: scheduler.crt}\n"
    "session: {listen: \"[::1]:0\", advertise: [\"node.north.example:7101\"]}\n"
    "policy: policy.yaml\n"
    "limits: {sessions: 2, memory_mb: 96, lanes: 5}\n"
    "datasets:\n" /* line 10 */
    "  - name: residents\n"
    "    title: Residents of the northern regions\n"
    "    schema_version: 4\n"
    "    rows_max: 100000\n"
    "    source: {csv: data/north.csv, encoding: gb18030}\n"
    "    columns:\n"
    "      - {name: region, source: db040, type: text, values: [Tyrol, Wien]}\n" /* line 17 */
    "      - {name: income, type: \"decimal(9,2)\", range: [\"0\", \"10\"], nullable: true}\n"
    "      - {name: 年龄, type: integer, range: [0, 130]}\n"
    "      - {name: share, type: real}\n"
    "      - {name: member, type: bool}\n"
    "      - {name: born, type: date, range: [1900-01-01, 2026-12-31]}\n"
    "  - name: empty\n"
    "    rows_max: 1\n"
    "    source: {csv: /srv/empty.csv}\n"
    "    columns: [{name: id, type: integer}]\n";

typedef struct fixture {
    char dir[64], path[90], certificate[90];
} fixture;

static void write_text(const char *path, const char *text) {
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(text, 1, strlen(text), file), strlen(text));
    assert_int_equal(fclose(file), 0);
}

static int set_up(void **state) {
    fixture *f = calloc(1, sizeof *f);
    assert_non_null(f);
    snprintf(f->dir, sizeof f->dir, "/tmp/parley-catalog-XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    snprintf(f->path, sizeof f->path, "%s/parleyd.yaml", f->dir);
    snprintf(f->certificate, sizeof f->certificate, "%s/scheduler.crt", f->dir);
    write_text(f->path, CONFIG);
    write_text(f->certificate, "certificate\n");
    *state = f;
    return 0;
}

static int tear_down(void **state) {
    fixture *f = *state;
    unlink(f->path);
    unlink(f->certificate);
    assert_int_equal(rmdir(f->dir), 0);
    free(f);
    return 0;
}

/* ---- a configuration that loads ---- */

static void expect_path(const fixture *f, const char *given, const char *wanted) {
    char whole[200];
    snprintf(whole, sizeof whole, "%s/%s", f->dir, wanted);
    assert_string_equal(given, whole);
}

static void test_config(void **state) {
    fixture *f = *state;
    pl_config *c;
    size_t n;
    must(pl_config_load(f->path, &c));
    expect_path(f, pl_config_org(c), "keys/north");
    expect_path(f, pl_config_manifest(c), "federation.manifest");
    expect_path(f, pl_config_sockets(c), "run");
    expect_path(f, pl_config_policy(c), "policy.yaml");
    assert_string_equal(pl_config_state(c), "/var/lib/parley");
    assert_string_equal(pl_config_group(c, "analyst"), "staff");
    assert_null(pl_config_group(c, "approver"));
    assert_null(pl_config_group(c, "nobody"));
    assert_string_equal(pl_config_scheduler_address(c), "127.0.0.1:7000");
    assert_string_equal(pl_config_scheduler_roots(c), "certificate\n");
    assert_string_equal(pl_config_session_listen(c), "[::1]:0");
    char **advertise = pl_config_advertise(c, &n);
    assert_int_equal(n, 1);
    assert_string_equal(advertise[0], "node.north.example:7101");
    assert_int_equal(pl_config_sessions(c), 2);
    assert_int_equal(pl_config_memory_bytes(c), 96 << 20);
    assert_int_equal(pl_config_lanes(c), 5);
    assert_int_equal(pl_config_job_seconds(c), 86400);
    assert_int_equal(pl_config_session_seconds(c), 60);
    assert_int_equal(pl_config_n_datasets(c), 2);
    assert_null(pl_config_dataset(c, "nothing"));
    assert_ptr_equal(pl_config_dataset(c, "empty"), pl_config_dataset_at(c, 1));
    pl_config_free(c);
    pl_config_free(NULL);
}

static void test_dataset(void **state) {
    fixture *f = *state;
    static const struct {
        const char *name, *source, *min, *max;
        int type;
        unsigned precision, scale;
        bool nullable;
        size_t n_values;
    } wanted[] = {
        {"region", "db040", "", "", 6, 0, 0, false, 2},
        {"income", "income", "0", "10", 2, 9, 2, true, 0},
        {"年龄", "年龄", "0", "130", 1, 0, 0, false, 0},
        {"share", "share", "", "", 3, 0, 0, false, 0},
        {"member", "member", "", "", 4, 0, 0, false, 0},
        {"born", "born", "1900-01-01", "2026-12-31", 5, 0, 0, false, 0},
    };
    pl_config *c;
    must(pl_config_load(f->path, &c));
    const pl_dataset_config *d = pl_config_dataset(c, "residents");
    assert_non_null(d);
    expect_path(f, d->path, "data/north.csv");
    assert_string_equal(d->encoding, "gb18030");
    assert_string_equal(d->dataset->title, "Residents of the northern regions");
    assert_int_equal(d->dataset->version, 1);
    assert_int_equal(d->dataset->schema_version, 4);
    assert_int_equal(d->dataset->rows_max, 100000);
    assert_int_equal(d->n_columns, 6);
    for (size_t i = 0; i < 6; i++) {
        const Parley__V1__Column *column = d->dataset->columns[i];
        assert_ptr_equal(d->columns[i]->column, column);
        assert_string_equal(column->name, wanted[i].name);
        assert_string_equal(d->columns[i]->source_name, wanted[i].source);
        assert_int_equal(column->type, wanted[i].type);
        assert_int_equal(column->precision, wanted[i].precision);
        assert_int_equal(column->scale, wanted[i].scale);
        assert_int_equal(column->nullable, wanted[i].nullable);
        assert_string_equal(column->min, wanted[i].min);
        assert_string_equal(column->max, wanted[i].max);
        assert_int_equal(column->n_values, wanted[i].n_values);
    }
    assert_string_equal(d->dataset->columns[0]->values[1], "Wien");
    const pl_dataset_config *empty = pl_config_dataset_at(c, 1);
    assert_string_equal(empty->path, "/srv/empty.csv");
    assert_string_equal(empty->encoding, "utf-8");
    assert_int_equal(empty->dataset->schema_version, 1);
    pl_config_free(c);
}

/* ---- configurations that do not ---- */

#define NAME_63 "abcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabcdefghijabc"

static const struct {
    const char *piece, *instead, *message;
} FAULTS[] = {
    /* keys */
    {"org: keys/north\n", "", ": key org is missing"},
    {"org: keys/north", "org:", ":1: org must not be empty"},
    {"org: keys/north", "org: [a]", ":1: org must be a single value"},
    {"federation: federation.manifest\n", "", "key federation is missing"},
    {"state: /var/lib/parley\n", "", "key state is missing"},
    {"sockets: run\n", "", "key sockets is missing"},
    {"sockets: run", "socket: run", ":4: key socket is not known here; known are: org, federation"},
    {"sockets: run", "org: run", ":4: key org is given twice"},
    {"policy: policy.yaml\n", "", "key policy is missing"},
    {"{analyst: staff}", "{root: staff}", ":5: key root is not known"},
    {"{analyst: staff}", "staff", ":5: groups must be a map of keys"},
    /* scheduler, session, limits */
    {"scheduler: {address: \"127.0.0.1:7000\", certificate: scheduler.crt}\n", "",
     "key scheduler is missing"},
    {"certificate: scheduler.crt", "cert: scheduler.crt", ":6: key cert is not known"},
    {", certificate: scheduler.crt", "", ":6: key certificate is missing"},
    {"127.0.0.1:7000", "127.0.0.1", ":6: address must be an address"},
    {"127.0.0.1:7000", ":7000", ":6: address must be an address"},
    {"127.0.0.1:7000", "127.0.0.1:70000", ":6: address must be an address"},
    {"127.0.0.1:7000", "127.0.0.1:port", ":6: address must be an address"},
    {"[::1]:0", "::1:0", ":7: listen must be an address"},
    {"node.north.example:7101", "node.north.example", ":7: an entry of advertise must be"},
    {"advertise: [\"node.north.example:7101\"]", "advertise: here", ":7: advertise must be a list"},
    {"sessions: 2", "sessions: 0", ":9: sessions must be a whole number from 1 to 1000"},
    {"sessions: 2", "sessions: 2x", ":9: sessions must be a whole number"},
    {"memory_mb: 96", "memory_mb: 1", ":9: memory_mb must be a whole number from 16"},
    {"memory_mb: 96", "job_seconds: 99999999999999999999", ":9: job_seconds must be"},
    {"lanes: 5", "lanes: 0", ":9: lanes must be a whole number from 1 to 8"},
    {"lanes: 5", "lanes: 7", ":9: 7 lanes need memory_mb of 112 at least"},
    {"lanes: 5", "lanes: 9", ":9: lanes must be a whole number from 1 to 8"},
    {"lanes: 5", "lanes: two", ":9: lanes must be a whole number from 1 to 8"},
    {"memory_mb: 96", "hours: 1", ":9: key hours is not known"},
    /* datasets */
    {"  - name: residents\n", "  - nom: residents\n", ":11: key nom is not known"},
    {"name: empty", "name: residents", ":23: dataset residents is given twice"},
    {"name: empty", "name: " NAME_63 "d", "a dataset name has 64 bytes: at most 63"},
    {"name: empty", "name: \"a\\\"b\"", "holds a quote or a control character"},
    {"name: empty", "name: \"a\\u202eb\"", "characters that cannot be seen"},
    {"name: empty", "name: \"a\\u200bb\"", "characters that cannot be seen"},
    {"name: empty", "name: \"a\\u0085b\"", "characters that cannot be seen"},
    {"title: Residents", "title: \"Resi\\e[1mdents\"\n    #", ":11: dataset residents: its title"},
    {"schema_version: 4", "schema_version: 0", ":13: schema_version must be a whole number"},
    {"    rows_max: 100000\n", "", ":11: key rows_max is missing"},
    {"rows_max: 100000", "rows_max: 0", ":14: rows_max must be a whole number from 1"},
    {"encoding: gb18030", "encoding: latin-1", ":15: encoding must be utf-8 or gb18030"},
    {"encoding: gb18030", "format: csv", ":15: key format is not known"},
    {"csv: data/north.csv, ", "", ":15: key csv is missing"},
    {"    columns: [{name: id, type: integer}]\n", "", ":23: key columns is missing"},
    {"[{name: id, type: integer}]", "[]", ":23: dataset empty: it has 0 columns"},
    /* columns */
    {"{name: share, type: real}", "{type: real}", ":20: key name is missing"},
    {"{name: share, type: real}", "{name: share}", ":20: key type is missing"},
    {"{name: share, type: real}", "share", ":20: this must be a map of keys"},
    {"{name: share, type: real}", "{name: region, type: real}", "column region is given twice"},
    {"type: real", "type: float", ":20: type must be integer, decimal(p,s), real"},
    {"decimal(9,2)", "decimal(39,2)", ":18: column income: decimal(39,2) is not possible"},
    {"decimal(9,2)", "decimal(0,0)", ":18: column income: decimal(0,0) is not possible"},
    {"decimal(9,2)", "decimal(2,9)", ":18: column income: decimal(2,9) is not possible"},
    {"decimal(9,2)", "decimal(9)", ":18: type must be"},
    {"decimal(9,2)", "decimal(9,2) ", ":18: type must be"},
    {"[\"0\", \"10\"]", "[0]", ":18: range must be a list of two"},
    {"[\"0\", \"10\"]", "[0, x]", ":18: column income: the largest value of its range is not a"},
    {"[\"0\", \"10\"]", "[0, 1.234]", "the largest value of its range is too many digits"},
    {"[\"0\", \"10\"]", "[11, 10]", ":18: column income: its range is empty"},
    {"[\"0\", \"10\"]", "[\"\", 10]", ":18: column income: a range needs both"},
    {"2026-12-31", "2026-02-30", ":22: column born: the largest value of its range is not a date"},
    {"nullable: true", "nullable: maybe", ":18: nullable must be true or false"},
    {"[Tyrol, Wien]", "[Tyrol, Tyrol]", ":17: column region: value 2 of its declared values"},
    {"[Tyrol, Wien]", "[[Tyrol]]", ":17: an entry of this list must be a single value"},
    /* YAML */
    {"sockets: run", "sockets: \"run", "this is no valid YAML"},
    {"sockets: run", "sockets: *run", "aliases are not supported"},
    {"sockets: run", "sockets: !!str run", ":4: tags (!) are not supported"},
    {"sockets: run", "[sockets]: run", ":4: a key must be a single word"},
    {"sockets: run", "\"\": run", ":4: a key is empty"},
    {"sockets: run", "sockets: \"run\\0\"", ":4: a NUL byte stands in a value"},
    {"sockets: run\n", "sockets: run\n---\nmore: 1\n", "parleyd.yaml:5: a second document"},
};

static void test_config_faults(void **state) {
    fixture *f = *state;
    for (size_t i = 0; i < sizeof FAULTS / sizeof *FAULTS; i++) {
        char changed[4000];
        const char *at = strstr(CONFIG, FAULTS[i].piece);
        assert_non_null(at);
        snprintf(changed, sizeof changed, "%.*s%s%s", (int)(at - CONFIG), CONFIG, FAULTS[i].instead,
                 at + strlen(FAULTS[i].piece));
        write_text(f->path, changed);
        pl_config *c = NULL;
        pl_status status = pl_config_load(f->path, &c);
        if (strstr(pl_status_message(status), "parleyd.yaml:") == NULL)
            fail_msg("%s: \"%s\" names no place", FAULTS[i].instead, pl_status_message(status));
        must_fail(status, PL_INVALID_ARGUMENT, FAULTS[i].message);
        assert_null(c);
    }
}

static void test_missing_files(void **state) {
    fixture *f = *state;
    pl_config *c = NULL;
    unlink(f->certificate);
    must_fail(pl_config_load(f->path, &c), PL_NOT_FOUND, "the scheduler's pinned certificate");
    unlink(f->path);
    must_fail(pl_config_load(f->path, &c), PL_NOT_FOUND, "parleyd.yaml");
    must_fail(pl_config_load(f->dir, &c), PL_IO, "cannot read");
    write_text(f->path, "# nothing\n");
    must_fail(pl_config_load(f->path, &c), PL_INVALID_ARGUMENT,
              "parleyd.yaml:1: the file is empty");
    assert_null(c);
}

/* A member without data, with every default. */
static void test_small_config(void **state) {
    fixture *f = *state;
    pl_config *c;
    size_t n;
    write_text(f->path, "org: a\nfederation: b\nstate: c\nsockets: d\npolicy: e\n"
                        "scheduler: {address: \"h:1\", certificate: scheduler.crt}\n"
                        "session: {listen: \"h:1\"}\n");
    must(pl_config_load(f->path, &c));
    assert_int_equal(pl_config_n_datasets(c), 0);
    assert_null(pl_config_advertise(c, &n));
    assert_int_equal(n, 0);
    assert_int_equal(pl_config_sessions(c), 4);
    assert_int_equal(pl_config_memory_bytes(c), UINT64_C(1024) << 20);
    long half = sysconf(_SC_NPROCESSORS_ONLN) / 2;
    assert_int_equal(pl_config_lanes(c), half < 1 ? 1 : half > 8 ? 8 : half);
    pl_config_free(c);
}

static void test_yaml_limits(void **state) {
    (void)state;
    pl_yaml *root = NULL;
    char deep[200];
    memset(deep, '[', 100);
    memset(deep + 100, ']', 100);
    must_fail(pl_yaml_parse("x.yaml", pl_view_of(deep, 200), &root), PL_INVALID_ARGUMENT,
              "too deep or too large");
    pl_buf buf = {0};
    for (int i = 0; i < 100001; i++)
        pl_buf_printf(&buf, "- a\n");
    pl_bytes many;
    must(pl_buf_take(&buf, &many));
    must_fail(pl_yaml_parse("x.yaml", pl_bytes_view(&many), &root), PL_INVALID_ARGUMENT,
              "too deep or too large");
    pl_bytes_done(&many);
    must_fail(pl_yaml_parse("x.yaml", pl_view_text("a: \xff"), &root), PL_INVALID_ARGUMENT,
              "this is no valid YAML");
    assert_null(root);
}

static void test_large_file(void **state) {
    fixture *f = *state;
    pl_bytes bytes = {0};
    must(pl_text_file_read(f->certificate, 12, &bytes));
    assert_int_equal(bytes.len, 12);
    pl_bytes_done(&bytes);
    must_fail(pl_text_file_read(f->certificate, 11, &bytes), PL_LIMIT, "is larger than 11 bytes");
}

/* ---- the catalogue ---- */

static char *text(const char *given) {
    return (char *)(uintptr_t)given;
}

typedef struct entry {
    Parley__V1__Column column, *columns[2];
    Parley__V1__Dataset dataset;
} entry;

static void entry_init(entry *e, const char *org, const char *name, uint32_t schema_version) {
    parley__v1__column__init(&e->column);
    parley__v1__dataset__init(&e->dataset);
    e->column.name = text("id");
    e->column.type = PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_INTEGER;
    e->columns[0] = e->columns[1] = &e->column;
    e->dataset.version = 1;
    e->dataset.org = text(org);
    e->dataset.name = text(name);
    e->dataset.schema_version = schema_version;
    e->dataset.rows_max = 10;
    e->dataset.columns = e->columns;
    e->dataset.n_columns = 1;
}

static pl_status add(pl_catalog *catalog, const entry *e, const char *org) {
    uint8_t body[4096];
    size_t len = parley__v1__dataset__get_packed_size(&e->dataset);
    assert_true(len <= sizeof body);
    parley__v1__dataset__pack(&e->dataset, body);
    return pl_catalog_add(catalog, org, pl_view_of(body, len));
}

static void test_catalog(void **state) {
    (void)state;
    static const char *const names[][2] = {
        {"south", "b"}, {"north", "z"}, {"south", "a"}, {"east", "m"}, {"north", "a"}};
    static const char *const sorted[][2] = {
        {"east", "m"}, {"north", "a"}, {"north", "z"}, {"south", "a"}, {"south", "b"}};
    pl_catalog *catalog;
    entry e;
    size_t at;
    must(pl_catalog_new(&catalog));
    for (size_t i = 0; i < 5; i++) {
        entry_init(&e, names[i][0], names[i][1], 2);
        must(add(catalog, &e, names[i][0]));
    }
    assert_int_equal(pl_catalog_count(catalog), 5);
    for (size_t i = 0; i < 5; i++) {
        assert_string_equal(pl_catalog_at(catalog, i)->org, sorted[i][0]);
        assert_string_equal(pl_catalog_at(catalog, i)->name, sorted[i][1]);
        assert_true(pl_catalog_find(catalog, sorted[i][0], sorted[i][1], &at));
        assert_int_equal(at, i);
    }
    assert_false(pl_catalog_find(catalog, "north", "b", &at));
    pl_catalog_free(catalog);
    pl_catalog_free(NULL);
}

static void test_catalog_versions(void **state) {
    (void)state;
    pl_catalog *catalog;
    entry e;
    uint8_t body[400], digest[32], wanted[32];
    must(pl_catalog_new(&catalog));
    entry_init(&e, "north", "residents", 2);
    must(add(catalog, &e, "north"));
    must(add(catalog, &e, "north"));
    e.dataset.schema_version = 1;
    must_fail(add(catalog, &e, "north"), PL_FAILED_PRECONDITION,
              "north.residents: schema_version 1 is older than 2");
    assert_int_equal(pl_catalog_at(catalog, 0)->schema_version, 2);
    e.dataset.schema_version = 3;
    must(add(catalog, &e, "north"));
    assert_int_equal(pl_catalog_count(catalog), 1);
    assert_int_equal(pl_catalog_at(catalog, 0)->schema_version, 3);
    size_t len = parley__v1__dataset__pack(&e.dataset, body);
    pl_digest("dataset", pl_view_of(body, len), wanted);
    pl_catalog_digest(catalog, 0, digest);
    assert_memory_equal(digest, wanted, 32);
    pl_catalog_free(catalog);
}

/* What another member publishes is held against the same rules. */
static void test_foreign_entries(void **state) {
    (void)state;
    pl_catalog *catalog;
    entry e;
    must(pl_catalog_new(&catalog));
    must_fail(pl_catalog_add(catalog, "north", pl_view_text("\xff\xff")), PL_INVALID_ARGUMENT,
              "a dataset of north cannot be read");
#define REFUSED(change, code, message)                                                             \
    do {                                                                                           \
        entry_init(&e, "north", "residents", 1);                                                   \
        change;                                                                                    \
        must_fail(add(catalog, &e, "north"), code, message);                                       \
    } while (0)
    REFUSED(e.dataset.org = text("south"), PL_INVALID_ARGUMENT, "org is south, but north");
    REFUSED(e.dataset.version = 2, PL_UNSUPPORTED, "version 2 is not known");
    REFUSED(e.dataset.name = text(""), PL_INVALID_ARGUMENT, "name is empty");
    REFUSED(e.dataset.name = text("\xff"), PL_INVALID_ARGUMENT, "not UTF-8");
    REFUSED(e.dataset.name = text(NAME_63 "d"), PL_INVALID_ARGUMENT, "64 bytes");
    REFUSED(e.dataset.title = text("a\nb"), PL_INVALID_ARGUMENT, "its title must be one line");
    REFUSED(e.dataset.schema_version = 0, PL_INVALID_ARGUMENT, "schema_version is missing");
    REFUSED(e.dataset.rows_max = 0, PL_INVALID_ARGUMENT, "rows_max");
    REFUSED(e.dataset.rows_max = UINT64_MAX, PL_INVALID_ARGUMENT, "rows_max");
    REFUSED(e.dataset.n_columns = 0, PL_INVALID_ARGUMENT, "it has 0 columns");
    REFUSED(e.dataset.n_columns = 2, PL_INVALID_ARGUMENT, "column id is given twice");
    REFUSED(e.column.type = 0, PL_INVALID_ARGUMENT, "its type is not known");
    REFUSED(e.column.type = 77, PL_INVALID_ARGUMENT, "its type is not known");
    REFUSED(e.column.name = text("a\tb"), PL_INVALID_ARGUMENT, "control character");
    REFUSED(e.column.min = text("1"), PL_INVALID_ARGUMENT, "a range needs both");
    assert_int_equal(pl_catalog_count(catalog), 0);
    pl_catalog_free(catalog);
}

/* Ten thousand declared values and one: refused before they are compared with each other. */
static void test_many_values(void **state) {
    (void)state;
    enum { N = 10001 };
    static char numbers[N][16], *values[N];
    pl_catalog *catalog;
    entry e;
    must(pl_catalog_new(&catalog));
    entry_init(&e, "north", "residents", 1);
    for (int i = 0; i < N; i++) {
        snprintf(numbers[i], sizeof numbers[i], "%d", i);
        values[i] = numbers[i];
    }
    e.column.values = values;
    e.column.n_values = N;
    size_t len = parley__v1__dataset__get_packed_size(&e.dataset);
    uint8_t *body = malloc(len);
    assert_non_null(body);
    parley__v1__dataset__pack(&e.dataset, body);
    must_fail(pl_catalog_add(catalog, "north", pl_view_of(body, len)), PL_LIMIT,
              "it declares 10001 values");
    free(body);
    pl_catalog_free(catalog);
}

#define WITH_FILES(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void) {
    const struct CMUnitTest tests[] = {
        WITH_FILES(test_config),
        WITH_FILES(test_dataset),
        WITH_FILES(test_config_faults),
        WITH_FILES(test_missing_files),
        WITH_FILES(test_small_config),
        WITH_FILES(test_large_file),
        cmocka_unit_test(test_yaml_limits),
        cmocka_unit_test(test_catalog),
        cmocka_unit_test(test_catalog_versions),
        cmocka_unit_test(test_foreign_entries),
        cmocka_unit_test(test_many_values),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
