#include "bench/print.h"

#include "protocols/base/prg.h"
#include "protocols/ring/kernels.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *pl_bench_transport_name(pl_bench_transport transport) {
    static const char *const names[] = {"memory", "tcp", "tls"};
    return names[transport];
}

/* The processor's name as the system has it, and what is used of it. */
static const char *machine(void) {
    static char text[200];
    char line[160], name[120] = "unknown processor";
    if (text[0] != 0)
        return text;
    FILE *file = fopen("/proc/cpuinfo", "re");
    while (file != NULL && fgets(line, sizeof line, file) != NULL) {
        const char *colon = strchr(line, ':');
        if (strncmp(line, "model name", 10) == 0 && colon != NULL) {
            snprintf(name, sizeof name, "%.100s", colon + 2);
            name[strcspn(name, "\n")] = 0;
            break;
        }
    }
    if (file != NULL)
        fclose(file);
    snprintf(text, sizeof text, "%s, %ld cores, %s, %s", name, sysconf(_SC_NPROCESSORS_ONLN),
             pl_kernels_here()->name, pl_prg_path_name());
    return text;
}

/* What goes over no link has no limit. */
static bool has_limit(const pl_bench_result *r) {
    return r->limit_seconds > 0 && r->seconds_median > 0;
}

static double ratio(const pl_bench_result *r) {
    return has_limit(r) ? r->limit_seconds / r->seconds_median : 0;
}

/* Four digits that say something, of small numbers too. */
static const char *figure(double value, char out[24]) {
    int places = 3;
    while (places < 8 && value > 0 && value * pow(10, places) < 999.5)
        places++;
    snprintf(out, 24, "%.*f", value >= 1000 ? 1 : places, value);
    return out;
}

static uint64_t most(const uint64_t bytes[3]) {
    uint64_t max = bytes[0] > bytes[1] ? bytes[0] : bytes[1];
    return bytes[2] > max ? bytes[2] : max;
}

/* A form is chosen for comparisons only. */
static const char *form_of(const pl_bench_setting *s) {
    static pl_cost_form_text form;
    if (strcmp(s->op->name, "lt") != 0 || strcmp(s->scheme, "plain") == 0)
        return NULL;
    form = pl_cost_form(s->n, s->bits, &s->net, s->n_lanes);
    return form.text;
}

static double elements(const pl_bench_setting *s) {
    double n = (double)s->n;
    return strcmp(s->op->name, "matmul") == 0  ? n * n
           : strcmp(s->op->name, "chain") == 0 ? n * 256
                                               : n;
}

static const char *prediction(const pl_bench_result *r) {
    if (!r->is_predicted)
        return "-";
    return r->rounds == r->rounds_predicted &&
                   memcmp(r->bytes_sent, r->bytes_predicted, sizeof r->bytes_sent) == 0
               ? "yes"
               : "NO";
}

static void print_row(const pl_bench_setting *s, const pl_bench_result *r) {
    char median[24], fastest[24], rate[24], limit[24] = "-";
    if (has_limit(r))
        snprintf(limit, sizeof limit, "%.2f", ratio(r));
    printf("%-9s %4u %10zu %10s %10s %11s %8llu %9.2f %9s %8.0f %7s\n", s->op->name, s->bits, s->n,
           figure(r->seconds_median, median), figure(r->seconds_min, fastest),
           figure(r->per_second / 1e6, rate), (unsigned long long)r->rounds,
           elements(s) > 0 ? (double)most(r->bytes_sent) / elements(s) : 0, prediction(r),
           (double)r->peak_rss_bytes / 1e6, limit);
    if (form_of(s) != NULL)
        printf("          %s\n", form_of(s));
}

static json_t *per_party(const uint64_t bytes[3]) {
    return json_pack("[I,I,I]", (json_int_t)bytes[0], (json_int_t)bytes[1], (json_int_t)bytes[2]);
}

static void print_json(const pl_bench_setting *s, const pl_bench_result *r) {
    json_t *o = json_pack(
        "{s:s, s:s, s:i, s:I, s:s, s:s, s:i, s:f, s:f, s:f, s:I, s:o, s:I, s:o, s:s, s:s}", "op",
        s->op->name, "scheme", s->scheme, "bits", (int)s->bits, "n", (json_int_t)s->n, "transport",
        pl_bench_transport_name(s->transport), "net", s->net_name, "lanes", (int)s->n_lanes,
        "seconds_min", r->seconds_min, "seconds_median", r->seconds_median, "per_second",
        r->per_second, "rounds", (json_int_t)r->rounds, "bytes_sent_per_party",
        per_party(r->bytes_sent), "peak_rss_bytes", (json_int_t)r->peak_rss_bytes, "limit_ratio",
        has_limit(r) ? json_real(ratio(r)) : json_null(), "machine", machine(), "version",
        PARLEY_VERSION);
    if (o != NULL && r->is_predicted) {
        json_object_set_new(o, "rounds_predicted", json_integer((json_int_t)r->rounds_predicted));
        json_object_set_new(o, "bytes_predicted_per_party", per_party(r->bytes_predicted));
    }
    if (o != NULL && s->seed != 0)
        json_object_set_new(
            o, "transcript",
            json_pack("[s,s,s]", r->transcript[0], r->transcript[1], r->transcript[2]));
    if (o != NULL && form_of(s) != NULL)
        json_object_set_new(o, "form", json_string(form_of(s)));
    char *text = o == NULL ? NULL : json_dumps(o, JSON_REAL_PRECISION(9));
    printf("%s\n", text == NULL ? "{}" : text);
    free(text);
    json_decref(o);
}

static void print_csv(const pl_bench_setting *s, const pl_bench_result *r) {
    char limit[24] = "";
    if (has_limit(r))
        snprintf(limit, sizeof limit, "%.4f", ratio(r));
    printf("%s,%s,%u,%zu,%s,\"%s\",%zu,%.9g,%.9g,%.9g,%llu,%llu,%llu,%llu,%llu,%s,\"%s\",%s\n",
           s->op->name, s->scheme, s->bits, s->n, pl_bench_transport_name(s->transport),
           s->net_name, s->n_lanes, r->seconds_min, r->seconds_median, r->per_second,
           (unsigned long long)r->rounds, (unsigned long long)r->bytes_sent[0],
           (unsigned long long)r->bytes_sent[1], (unsigned long long)r->bytes_sent[2],
           (unsigned long long)r->peak_rss_bytes, limit, machine(), PARLEY_VERSION);
}

static void print_head(pl_bench_format format) {
    static bool is_printed;
    if (format == PL_BENCH_TABLE && !is_printed)
        printf("%s\n%-9s %4s %10s %10s %10s %11s %8s %9s %9s %8s %7s\n", machine(), "op", "bits",
               "n", "median s", "fastest s", "million/s", "rounds", "bytes/el.", "predicted",
               "RSS MB", "limit");
    else if (format == PL_BENCH_CSV && !is_printed)
        printf("op,scheme,bits,n,transport,net,lanes,seconds_min,seconds_median,per_second,rounds,"
               "bytes_sent_party_0,bytes_sent_party_1,bytes_sent_party_2,peak_rss_bytes,"
               "limit_ratio,machine,version\n");
    is_printed = true;
}

pl_status pl_bench_output_check(void) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return PL_OK;
    return pl_fail(PL_IO, "cannot write the output: %s",
                   errno != 0 ? strerror(errno) : "an earlier write failed");
}

pl_status pl_bench_print(pl_bench_format format, const pl_bench_setting *setting,
                         const pl_bench_result *result) {
    print_head(format);
    if (format == PL_BENCH_TABLE)
        print_row(setting, result);
    else if (format == PL_BENCH_JSON)
        print_json(setting, result);
    else
        print_csv(setting, result);
    return pl_bench_output_check();
}

void pl_bench_wait_begin(const pl_bench_setting *s) {
    if (isatty(STDERR_FILENO))
        fprintf(stderr, "measuring %s, %u bits, n %zu, net %s ...", s->op->name, s->bits, s->n,
                s->net_name);
}

void pl_bench_wait_end(void) {
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}
