/* parley-bench: how fast the protocols are on this machine, beside what its network allows. */
#include "bench/plot.h"
#include "bench/print.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char usage[] =
    "usage: parley-bench run OP [options]    one operation\n"
    "       parley-bench suite [options]     a table of all of them\n"
    "       parley-bench plot [options]      throughput against n, time against the round trip, as "
    "SVG\n"
    "       parley-bench list                the operations\n"
    "\n"
    "  --scheme rep3|plain          the sharing scheme (rep3)\n"
    "  --n N                        elements; of matmul: rows and columns (each operation has its "
    "own, a\n"
    "                               tenth of it with --net); of plot: where it ends, 1000 at "
    "least\n"
    "  --bits 32|64                 of an element (64)\n"
    "  --transport memory|tcp|tls   three threads, or three processes over TCP or TLS 1.3 (tls)\n"
    "  --net lan|wan|RTT,RATE       put a network between the parties: lan is 0.3ms,1gbit; wan is\n"
    "                               40ms,100mbit; or any like 5ms,200mbit (none: this machine's "
    "loopback)\n"
    "  --runs N                     timed runs, after one to warm up; the median counts (5)\n"
    "  --seed N                     the same shares in every run; for comparing, never for "
    "secrets\n"
    "  --deadline SECONDS           of one run (300): an operation's runs, limits, inputs and "
    "check "
    "may take\n"
    "                               together as many times that\n"
    "  --format table|json|csv      (table)\n"
    "  --output FOLDER              of plot (bench-plots)\n"
    "  --lanes N                    threads of each party, 1 to 8, each with links and keys of its "
    "own\n"
    "                               (1); they gain where there are cores for all\n"
    "  --version                    print the version\n"
    "\n"
    "Every result is checked. `predicted` says whether rounds and bytes were as the cost model "
    "says, `limit` is the\n"
    "time for the same bytes through the same links and nothing else, divided by the operation's "
    "(-: no links).\n"
    "`million/s` (per_second) counts elements, but of chain the rounds, one after the other, and "
    "of "
    "matmul the n^3\n"
    "products of two numbers. Use a release build.\n"
    "\n"
    "examples:\n"
    "  parley-bench run mul --n 10000000\n"
    "  parley-bench run lt --n 100000 --net wan\n"
    "  parley-bench suite --format json\n";

typedef struct arguments {
    pl_bench_setting setting;
    pl_bench_format format;
    const char *command, *op, *output;
    bool has_n, has_bits, has_transport;
    char net_name[60];
} arguments;

static pl_status parse_number(const char *option, const char *text, uint64_t min, uint64_t max,
                              uint64_t *out) {
    char *end = NULL;
    unsigned long long value = strtoull(text, &end, 10);
    if (*text < '0' || *text > '9' || *end != 0 || value < min || value > max)
        return pl_fail(PL_INVALID_ARGUMENT, "%s takes a number from %llu to %llu, not '%s'", option,
                       (unsigned long long)min, (unsigned long long)max, text);
    *out = value;
    return PL_OK;
}

static pl_status parse_choice(const char *option, const char *text, const char *const *choices,
                              size_t n, size_t *out) {
    char list[100] = "";
    for (size_t i = 0; i < n; i++) {
        if (strcmp(text, choices[i]) == 0) {
            *out = i;
            return PL_OK;
        }
        snprintf(list + strlen(list), sizeof list - strlen(list), "%s%s", i > 0 ? ", " : "",
                 choices[i]);
    }
    return pl_fail(PL_INVALID_ARGUMENT, "%s takes one of %s, not '%s'", option, list, text);
}

/* "40ms,100mbit": units us, ms, s; kbit, mbit, gbit. */
static bool parse_net(const char *text, pl_net *out) {
    static const struct {
        const char *name;
        double factor;
    } times[] = {{"us", 1}, {"ms", 1e3}, {"s", 1e6}},
      rates[] = {{"kbit", 125}, {"mbit", 125e3}, {"gbit", 125e6}};
    char *end;
    double round_trip = strtod(text, &end), rate;
    const char *comma = strchr(end, ',');
    *out = (pl_net){0};
    for (size_t i = 0; i < 3 && comma != NULL; i++) {
        if (strlen(times[i].name) == (size_t)(comma - end) &&
            strncmp(times[i].name, end, (size_t)(comma - end)) == 0)
            out->round_trip_us = round_trip * times[i].factor;
    }
    if (comma == NULL)
        return false;
    rate = strtod(comma + 1, &end);
    for (size_t i = 0; i < 3; i++) {
        if (strcmp(rates[i].name, end) == 0)
            out->bytes_per_second = rate * rates[i].factor;
    }
    return out->round_trip_us >= 1 && out->round_trip_us <= 1e7 && out->bytes_per_second >= 1e3 &&
           out->bytes_per_second <= 1e11;
}

static pl_status set_net(arguments *a, const char *text) {
    const char *words = strcmp(text, "lan") == 0   ? "0.3ms,1gbit"
                        : strcmp(text, "wan") == 0 ? "40ms,100mbit"
                                                   : text;
    if (!parse_net(words, &a->setting.net))
        return pl_fail(PL_INVALID_ARGUMENT,
                       "--net takes lan, wan or a round trip and a rate like 40ms,100mbit (1us to "
                       "10s, 8kbit to 800gbit), not '%s'",
                       text);
    snprintf(a->net_name, sizeof a->net_name, "%s", text);
    a->setting.net_name = a->net_name;
    a->setting.has_net = true;
    return PL_OK;
}

static pl_status set_option(arguments *a, const char *option, const char *value) {
    static const char *const schemes[] = {"rep3", "plain"}, *const widths[] = {"32", "64"};
    static const char *const transports[] = {"memory", "tcp", "tls"};
    static const char *const formats[] = {"table", "json", "csv"};
    size_t choice = 0;
    uint64_t number = 0;
    if (strcmp(option, "--scheme") == 0) {
        PL_TRY(parse_choice(option, value, schemes, 2, &choice));
        a->setting.scheme = schemes[choice];
    } else if (strcmp(option, "--bits") == 0) {
        PL_TRY(parse_choice(option, value, widths, 2, &choice));
        a->setting.bits = choice == 0 ? 32 : 64;
        a->has_bits = true;
    } else if (strcmp(option, "--transport") == 0) {
        PL_TRY(parse_choice(option, value, transports, 3, &choice));
        a->setting.transport = (pl_bench_transport)choice;
        a->has_transport = true;
    } else if (strcmp(option, "--format") == 0) {
        PL_TRY(parse_choice(option, value, formats, 3, &choice));
        a->format = (pl_bench_format)choice;
    } else if (strcmp(option, "--net") == 0) {
        PL_TRY(set_net(a, value));
    } else if (strcmp(option, "--n") == 0) {
        PL_TRY(parse_number(option, value, 1, 100000000, &number));
        a->setting.n = (size_t)number;
        a->has_n = true;
    } else if (strcmp(option, "--runs") == 0) {
        PL_TRY(parse_number(option, value, 1, PL_BENCH_RUNS_MAX, &number));
        a->setting.n_runs = (unsigned)number;
    } else if (strcmp(option, "--seed") == 0) {
        PL_TRY(parse_number(option, value, 1, UINT64_MAX, &a->setting.seed));
    } else if (strcmp(option, "--deadline") == 0) {
        PL_TRY(parse_number(option, value, 1, 100000, &number));
        a->setting.deadline_s = (unsigned)number;
    } else if (strcmp(option, "--lanes") == 0) {
        PL_TRY(parse_number(option, value, 1, PL_LANES_MAX, &number));
        a->setting.n_lanes = (size_t)number;
    } else if (strcmp(option, "--output") == 0) {
        a->output = value;
    }
    return PL_OK;
}

static pl_status check_command(const char *command) {
    static const char *const commands[] = {"run", "suite", "plot", "list"};
    for (size_t i = 0; i < sizeof commands / sizeof *commands; i++) {
        if (strcmp(command, commands[i]) == 0)
            return PL_OK;
    }
    return pl_fail(PL_INVALID_ARGUMENT, "there is no command '%s' (parley-bench --help)", command);
}

/* There is such an option, and the command takes it. */
static pl_status check_option(const char *command, const char *option) {
    static const struct {
        const char *name, *commands;
    } options[] = {{"--scheme", "run, suite"},
                   {"--n", "run, suite, plot"},
                   {"--bits", "run, suite, plot"},
                   {"--transport", "run, suite, plot"},
                   {"--net", "run, suite, plot"},
                   {"--runs", "run, suite, plot"},
                   {"--seed", "run, suite, plot"},
                   {"--lanes", "run, suite, plot"},
                   {"--deadline", "run, suite, plot"},
                   {"--format", "run, suite"},
                   {"--output", "plot"}};
    for (size_t i = 0; i < sizeof options / sizeof *options; i++) {
        if (strcmp(option, options[i].name) != 0)
            continue;
        return strstr(options[i].commands, command) != NULL
                   ? PL_OK
                   : pl_fail(PL_INVALID_ARGUMENT, "%s is an option of %s, not of %s", option,
                             options[i].commands, command);
    }
    return pl_fail(PL_INVALID_ARGUMENT, "there is no option %s (parley-bench --help)", option);
}

/* One party has no links. */
static pl_status check_scheme(arguments *a) {
    if (strcmp(a->setting.scheme, "plain") != 0)
        return PL_OK;
    if (a->setting.has_net || a->setting.n_lanes > 1 ||
        (a->has_transport && a->setting.transport != PL_BENCH_MEMORY))
        return pl_fail(PL_INVALID_ARGUMENT,
                       "--scheme plain has one party and no links: leave out --net, --lanes and "
                       "--transport");
    a->setting.transport = PL_BENCH_MEMORY;
    return PL_OK;
}

/* "--n=100" is "--n 100". */
static pl_status parse_option(arguments *a, const char *word, const char *next, bool *out_two) {
    char option[20];
    size_t len = strcspn(word, "=");
    const char *value = word[len] == '=' ? word + len + 1 : next;
    if (len >= sizeof option)
        return pl_fail(PL_INVALID_ARGUMENT, "there is no option %s (parley-bench --help)", word);
    snprintf(option, sizeof option, "%.*s", (int)len, word);
    PL_TRY(check_option(a->command, option));
    if (value == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "%s needs a value (parley-bench --help)", option);
    *out_two = word[len] != '=';
    return set_option(a, option, value);
}

static pl_status parse(int argc, char **argv, arguments *a) {
    a->command = argc > 1 ? argv[1] : "";
    PL_TRY(check_command(a->command));
    for (int i = 2; i < argc; i++) {
        bool two = false;
        if (argv[i][0] != '-') {
            if (a->op != NULL || strcmp(a->command, "run") != 0)
                return pl_fail(PL_INVALID_ARGUMENT,
                               "'%s' is one word too many (parley-bench --help)", argv[i]);
            a->op = argv[i];
            continue;
        }
        PL_TRY(parse_option(a, argv[i], argv[i + 1], &two)); /* behind the last one stands NULL */
        i += two;
    }
    return PL_OK;
}

/* A network makes runs slow: then a tenth of the elements will do, where there are many. What is
 * left is limited by its rounds. */
static size_t default_n(const arguments *a, const pl_op *op) {
    bool is_matrix = op->length != NULL;
    if (!a->setting.has_net || (!is_matrix && op->n_suite < 1000))
        return op->n_suite;
    return is_matrix ? op->n_suite / 3 : op->n_suite / 10;
}

static pl_status run_one(const arguments *a, const pl_op *op) {
    pl_bench_setting s = a->setting;
    pl_bench_result result;
    s.op = op;
    s.n = a->has_n ? a->setting.n : default_n(a, op);
    if (s.n > op->n_max)
        return pl_fail(PL_LIMIT, "%s takes n up to %zu", op->name, op->n_max);
    if (s.bits == 32 && !op->has_32)
        return pl_fail(PL_UNSUPPORTED, "%s has elements of 64 bits only", op->name);
    pl_bench_wait_begin(&s);
    pl_status status = pl_bench_run(&s, &result);
    pl_bench_wait_end();
    PL_TRY(pl_wrap(status, "%s", op->name));
    return pl_bench_print(a->format, &s, &result);
}

static pl_status run_command(const arguments *a) {
    if (a->op == NULL)
        return pl_fail(PL_INVALID_ARGUMENT, "run needs an operation (parley-bench list)");
    const pl_op *op = pl_op_find(a->op);
    if (op == NULL)
        return pl_fail(PL_NOT_FOUND, "there is no operation '%s' (parley-bench list)", a->op);
    return run_one(a, op);
}

/* An operation that fails does not keep the others from being measured; the first failure is told
 * at the end. */
static void run_of_suite(const arguments *a, const pl_op *op, unsigned bits, pl_status *first) {
    arguments now = *a;
    now.setting.bits = bits;
    pl_status status = run_one(&now, op);
    if (pl_is_ok(status))
        return;
    fprintf(stderr, "parley-bench: %s\n", pl_status_message(status));
    if (pl_is_ok(*first))
        *first = status;
    else
        pl_status_done(&status);
}

static bool lacks_width(const arguments *a, const pl_op *op) {
    return a->setting.bits == 32 && !op->has_32;
}

static bool lacks_length(const arguments *a, const pl_op *op) {
    return a->has_n && a->setting.n > op->n_max;
}

static void say_left_out(const arguments *a) {
    const char *before = "parley-bench: left out: ";
    for (size_t i = 0; i < pl_n_ops; i++) {
        const pl_op *op = &pl_ops[i];
        if (lacks_width(a, op))
            fprintf(stderr, "%s%s (64 bits only)", before, op->name);
        else if (lacks_length(a, op))
            fprintf(stderr, "%s%s (n up to %zu)", before, op->name, op->n_max);
        else
            continue;
        before = ", ";
    }
    if (before[0] == ',')
        fputc('\n', stderr);
}

static pl_status suite_command(const arguments *a) {
    pl_status first = PL_OK;
    say_left_out(a);
    for (size_t i = 0; i < pl_n_ops && !ferror(stdout); i++) {
        const pl_op *op = &pl_ops[i];
        if (lacks_width(a, op) || lacks_length(a, op))
            continue;
        if (op->is_twice && !a->has_bits)
            run_of_suite(a, op, 32, &first);
        run_of_suite(a, op, a->setting.bits, &first);
    }
    return first;
}

static pl_status list_command(void) {
    for (size_t i = 0; i < pl_n_ops; i++)
        printf("%-9s %s%s\n", pl_ops[i].name, pl_ops[i].what,
               pl_ops[i].has_32 ? " (also --bits 32)" : "");
    return PL_OK;
}

static pl_status run(const arguments *a) {
    if (strcmp(a->command, "run") == 0)
        return run_command(a);
    if (strcmp(a->command, "suite") == 0)
        return suite_command(a);
    if (strcmp(a->command, "plot") == 0)
        return pl_bench_plot(&a->setting, a->has_n ? a->setting.n : 10000000, a->output);
    return list_command();
}

static pl_status parse_and_run(int argc, char **argv, arguments *a) {
    PL_TRY(parse(argc, argv, a));
    PL_TRY(check_scheme(a));
    return run(a);
}

int main(int argc, char **argv) {
    arguments a = {.setting = {.scheme = "rep3",
                               .bits = 64,
                               .transport = PL_BENCH_TLS,
                               .net = PL_NET_DEFAULT,
                               .net_name = "none",
                               .n_lanes = 1,
                               .n_runs = 5,
                               .deadline_s = 300},
                   .output = "bench-plots"};
    bool help = false;
    pl_status status = PL_OK;
    for (int i = 1; i < argc; i++)
        help = help || strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0;
    if (argc < 2) {
        fputs(usage, stderr);
        return pl_code_describe(PL_INVALID_ARGUMENT)->exit_code;
    }
    if (help)
        fputs(usage, stdout);
    else if (strcmp(argv[1], "--version") == 0)
        puts("parley-bench " PARLEY_VERSION);
    else
        status = parse_and_run(argc, argv, &a);
    if (pl_is_ok(status))
        status = pl_bench_output_check();
    if (!pl_is_ok(status))
        fprintf(stderr, "parley-bench: %s\n", pl_status_message(status));
    int code = pl_code_describe(pl_status_code(status))->exit_code;
    pl_status_done(&status);
    return code;
}
