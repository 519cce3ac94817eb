/* Text that somebody else wrote, changed at random: a policy, a configuration's dataset, a CSV
 * source and a published dataset. Whatever comes, the readers answer with a thing or with an error
 * of a known kind; the sanitizers look on, and no row's value stands in an error. It could be wrong
 * by changing so much that every text fails at its first byte: it counts both outcomes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "node/catalog/catalog.h"
#include "node/catalog/dataset.h"
#include "node/policy/policy.h"
#include "node/source/csv.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ROUNDS 800
#define MARKER "8675309"

static uint64_t rng;
static size_t n_good, n_bad;

static uint32_t draw(size_t below) {
    rng = rng * 6364136223846793005u + 1442695040888963407u;
    return (uint32_t)((rng >> 33) % below);
}

/* One to three changes: a byte replaced, taken out or put in, or a piece doubled. */
static void change(const char *original, size_t len, pl_bytes *out) {
    static const char likely[] = "\",\n\r:-[]{}&*!|>#'%@\t 0aZ\\\xff\xe5\xb1";
    uint8_t text[3000];
    assert_true(len < sizeof text / 2);
    memcpy(text, original, len);
    for (uint32_t n = 1 + draw(3); n > 0; n--) {
        size_t at = draw(len);
        uint8_t byte = draw(4) ? (uint8_t)likely[draw(sizeof likely)] : (uint8_t)draw(256);
        size_t piece = draw(40) % (len - at);
        switch (draw(4)) {
        case 0:
            text[at] = byte;
            break;
        case 1:
            memmove(text + at, text + at + 1, --len - at);
            break;
        case 2:
            memmove(text + at + 1, text + at, len++ - at);
            text[at] = byte;
            break;
        default:
            memmove(text + at + piece, text + at, len - at);
            len += piece;
        }
    }
    pl_status status = pl_bytes_dup(pl_view_of(text, len), out);
    assert_true(pl_is_ok(status));
}

/* Counts an outcome; an error is of a kind that is the text's fault, and says nothing of rows. */
static void count(pl_status status) {
    pl_code code = pl_status_code(status);
    if (code != PL_CODE_OK && code != PL_INVALID_ARGUMENT && code != PL_OUT_OF_RANGE &&
        code != PL_LIMIT && code != PL_UNSUPPORTED)
        fail_msg("%s", pl_status_message(status));
    if (strstr(pl_status_message(status), MARKER) != NULL)
        fail_msg("a value stands in \"%s\"", pl_status_message(status));
    *(code == PL_CODE_OK ? &n_good : &n_bad) += 1;
    pl_status_done(&status);
}

static void run(const char *original, size_t len, pl_status (*attempt)(pl_view text)) {
    n_good = n_bad = 0;
    for (int i = 0; i < ROUNDS; i++) {
        pl_bytes text;
        change(original, len, &text);
        count(attempt(pl_bytes_view(&text)));
        pl_bytes_done(&text);
    }
    print_message("%zu read, %zu refused\n", n_good, n_bad);
    assert_true(n_good > ROUNDS / 50 && n_bad > ROUNDS / 50);
}

/* ---- the readers ---- */

static const char POLICY[] =
    "policy: 3\norg: north\nnot_after: 2027-12-31\nrules:\n"
    "  - dataset: residents\n    members: [south, \"east\"]\n    purposes: [official-statistics]\n"
    "    columns:\n      \"*\": [aggregate]\n      收入: [aggregate, filter]\n"
    "    cohort: 10\n    uses: 5\n    approval: ask\n    protocols: [rep3]\n"
    "    compute: [[north, south, east], any]\n"
    "take_part: {members: any, purposes: any, kinds: [query], protocols: any, compute: any,\n"
    "            approval: automatic}\n";

static pl_status read_policy(pl_view text) {
    pl_policy *policy = NULL;
    pl_status status = pl_policy_parse("policy.yaml", "north", text, &policy);
    pl_policy_free(policy);
    return status;
}

static const char DATASET[] =
    "name: residents\ntitle: Residents of the north\nschema_version: 4\nrows_max: 100000\n"
    "source: {csv: data/north.csv, encoding: gb18030}\ncolumns:\n"
    "  - {name: region, source: db040, type: text, values: [Tyrol, Wien]}\n"
    "  - {name: income, type: \"decimal(9,2)\", range: [\"0\", \"10\"], nullable: true}\n"
    "  - {name: 年龄, type: integer, range: [0, 130]}\n"
    "  - {name: born, type: date, range: [1900-01-01, 2026-12-31]}\n";

static pl_status read_dataset(pl_view text) {
    pl_yaml *root;
    pl_dataset_config dataset = {0};
    PL_TRY(pl_yaml_parse("parleyd.yaml", text, &root));
    pl_status status = pl_dataset_read(root, "", &dataset);
    pl_dataset_config_done(&dataset);
    pl_yaml_free(root);
    return status;
}

static pl_status read_body(pl_view text) {
    pl_catalog *catalog;
    PL_TRY(pl_catalog_new(&catalog));
    pl_status status = pl_catalog_add(catalog, "north", text);
    pl_catalog_free(catalog);
    return status;
}

static const char ROWS[] = "id,name,income\n1,\"a, \"\"b\"\"\n\",8675309.5\n2,北京,8675309\n"
                           "3,,\n4,\"\",8675309.25\r\n5,x8675309y,-0\n";

static pl_status read_csv_as(pl_view text, const char *encoding) {
    Parley__V1__Column columns[2] = {PARLEY__V1__COLUMN__INIT, PARLEY__V1__COLUMN__INIT};
    Parley__V1__SourceColumn sources[2] = {PARLEY__V1__SOURCE_COLUMN__INIT,
                                           PARLEY__V1__SOURCE_COLUMN__INIT};
    Parley__V1__SourceColumn *list[] = {&sources[0], &sources[1]};
    columns[0].name = sources[0].source_name = (char[]){"name"};
    columns[0].type = PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_TEXT;
    columns[1].name = sources[1].source_name = (char[]){"income"};
    columns[1].type = PARLEY__V1__COLUMN_TYPE__COLUMN_TYPE_DECIMAL;
    columns[1].precision = 9;
    columns[1].scale = 2;
    for (int i = 0; i < 2; i++) {
        columns[i].nullable = true;
        sources[i].column = &columns[i];
    }
    FILE *file = tmpfile();
    assert_non_null(file);
    assert_int_equal(fwrite(text.data, 1, text.len, file), text.len);
    rewind(file);
    pl_csv *csv = NULL;
    pl_value values[2];
    bool has = true;
    pl_status status = pl_csv_open(fileno(file), "north.csv", encoding, list, 2, 9, &csv);
    while (pl_is_ok(status) && has)
        status = pl_csv_next(csv, values, &has);
    pl_csv_free(csv);
    fclose(file);
    return status;
}

static pl_status read_utf8(pl_view text) {
    return read_csv_as(text, "utf-8");
}

static pl_status read_gb18030(pl_view text) {
    return read_csv_as(text, "gb18030");
}

/* ---- the tests ---- */

static void test_policy(void **state) {
    (void)state;
    run(POLICY, strlen(POLICY), read_policy);
}

static void test_dataset(void **state) {
    (void)state;
    run(DATASET, strlen(DATASET), read_dataset);
}

static void test_csv(void **state) {
    (void)state;
    run(ROWS, strlen(ROWS), read_utf8);
    run(ROWS, strlen(ROWS), read_gb18030); /* 北京 in UTF-8 is also valid, if odd, GB 18030 */
}

static void test_body(void **state) {
    (void)state;
    pl_yaml *root;
    pl_dataset_config dataset = {0};
    pl_status status = pl_yaml_parse("parleyd.yaml", pl_view_text(DATASET), &root);
    assert_true(pl_is_ok(status));
    status = pl_dataset_read(root, "", &dataset);
    assert_true(pl_is_ok(status));
    Parley__V1__Dataset copy = *dataset.dataset;
    copy.org = (char[]){"north"};
    uint8_t body[1000];
    size_t len = parley__v1__dataset__pack(&copy, body);
    run((const char *)body, len, read_body);
    pl_dataset_config_done(&dataset);
    pl_yaml_free(root);
}

static int set_up(void **state) {
    (void)state;
    const char *given = getenv("PARLEY_TEST_SEED");
    rng = given != NULL ? strtoull(given, NULL, 10) : 20261123;
    print_message("seed %llu\n", (unsigned long long)rng);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_policy, set_up),
        cmocka_unit_test_setup(test_dataset, set_up),
        cmocka_unit_test_setup(test_csv, set_up),
        cmocka_unit_test_setup(test_body, set_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
