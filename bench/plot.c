#include "bench/plot.h"

#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define PATH_BYTES 600
#define ROUND_TRIP_N 100000

static pl_status open_in(const char *folder, const char *name, FILE **out) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    *out = fopen(path, "we");
    return *out != NULL ? PL_OK : pl_fail(PL_IO, "cannot write %s: %s", path, strerror(errno));
}

static pl_status measure_one(const pl_bench_setting *s, FILE *data, double x) {
    pl_bench_result result;
    PL_TRY(pl_wrap(pl_bench_run(s, &result), "%s with n = %zu", s->op->name, s->n));
    fprintf(data, "%.9g %.9g %.9g\n", x, result.seconds_median, result.per_second);
    fprintf(stderr, "%-9s n %10zu net %-12s %10.4f s\n", s->op->name, s->n, s->net_name,
            result.seconds_median);
    return PL_OK;
}

/* Blocks of lines, one per operation: gnuplot's `index`. */
static pl_status measure_lengths(const pl_bench_setting *base, size_t n_max, FILE *data) {
    for (size_t i = 0; i < pl_n_ops; i++) {
        pl_bench_setting s = *base;
        s.op = &pl_ops[i];
        if (s.op->n_plot == 0)
            continue;
        fprintf(data, "%s\"%s\"\n", ftell(data) > 0 ? "\n\n" : "", s.op->name);
        for (s.n = 1000; s.n <= n_max && s.n <= s.op->n_plot; s.n *= 10)
            PL_TRY(measure_one(&s, data, (double)s.n));
    }
    return PL_OK;
}

static pl_status measure_round_trips(const pl_bench_setting *base, FILE *data) {
    static const char *const ops[] = {"mul", "lt", "eq", "fixmul"};
    static const double round_trips_ms[] = {0.1, 0.3, 1, 3, 10, 30, 100};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        fprintf(data, "%s\"%s\"\n", i > 0 ? "\n\n" : "", ops[i]);
        for (size_t k = 0; k < sizeof round_trips_ms / sizeof round_trips_ms[0]; k++) {
            pl_bench_setting s = *base;
            char name[40];
            snprintf(name, sizeof name, "%gms,1gbit", round_trips_ms[k]);
            s.op = pl_op_find(ops[i]);
            s.n = ROUND_TRIP_N;
            s.has_net = true;
            s.net = (pl_net){round_trips_ms[k] * 1000, 1.25e8};
            s.net_name = name;
            PL_TRY(measure_one(&s, data, round_trips_ms[k]));
        }
    }
    return PL_OK;
}

static const char script[] =
    "set terminal svg size 900,600 dynamic background rgb 'white'\n"
    "set logscale xy\nset key outside\nset grid\nset style data linespoints\n"
    "set output 'throughput.svg'\n"
    "set title 'elements a second'\nset xlabel 'n'\nset ylabel 'per second'\n"
    "stats 'throughput.dat' using 1 nooutput\n"
    "plot for [i=0:STATS_blocks-1] 'throughput.dat' index i using 1:3 title columnhead(1)\n"
    "set output 'time.svg'\n"
    "set title 'seconds against n: linear (times log n for sort)'\nset ylabel 'seconds'\n"
    "plot for [i=0:STATS_blocks-1] 'throughput.dat' index i using 1:2 title columnhead(1)\n"
    "set output 'round-trip.svg'\n"
    "set title '100,000 elements at 1 Gbit/s'\nset xlabel 'round trip, ms'\nset ylabel 'seconds'\n"
    "stats 'round-trip.dat' using 1 nooutput\n"
    "plot for [i=0:STATS_blocks-1] 'round-trip.dat' index i using 1:2 title columnhead(1)\n";

static pl_status draw(const char *folder) {
    FILE *file;
    int state = 0;
    pid_t child;
    PL_TRY(open_in(folder, "plot.gnuplot", &file));
    fprintf(file, "cd '%s'\n%s", folder, script);
    if (fclose(file) != 0)
        return pl_fail(PL_IO, "cannot write %s/plot.gnuplot", folder);
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/plot.gnuplot", folder);
    char *const argv[] = {(char[]){"gnuplot"}, path, NULL};
    int error = posix_spawnp(&child, "gnuplot", NULL, NULL, argv, environ);
    if (error != 0)
        return pl_fail(PL_NOT_FOUND,
                       "cannot start gnuplot: %s; the numbers are in %s/*.dat, and with the Debian "
                       "package gnuplot-nox `gnuplot %s` draws them",
                       strerror(error), folder, path);
    if (waitpid(child, &state, 0) != child || !WIFEXITED(state) || WEXITSTATUS(state) != 0)
        return pl_fail(PL_IO, "gnuplot could not draw %s", path);
    return PL_OK;
}

pl_status pl_bench_plot(const pl_bench_setting *base, size_t n_max, const char *folder) {
    FILE *file;
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return pl_fail(PL_IO, "cannot make folder %s: %s", folder, strerror(errno));
    PL_TRY(open_in(folder, "throughput.dat", &file));
    pl_status status = measure_lengths(base, n_max, file);
    fclose(file);
    PL_TRY(status);
    PL_TRY(open_in(folder, "round-trip.dat", &file));
    status = measure_round_trips(base, file);
    fclose(file);
    PL_TRY(status);
    PL_TRY(draw(folder));
    printf("%s/throughput.svg %s/time.svg %s/round-trip.svg\n", folder, folder, folder);
    return PL_OK;
}
