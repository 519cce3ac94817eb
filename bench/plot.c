#define _GNU_SOURCE /* posix_spawn_file_actions_addchdir_np */
#include "bench/plot.h"

#include "bench/print.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

#define PATH_BYTES 600
#define N_MIN ((size_t)1000)
#define ROUND_TRIP_N ((size_t)100000)

static pl_status open_in(const char *folder, const char *name, FILE **out) {
    char path[PATH_BYTES];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    *out = fopen(path, "we");
    return *out != NULL ? PL_OK : pl_fail(PL_IO, "cannot write %s: %s", path, strerror(errno));
}

/* Whether all of it has been written; the first failure counts. */
static pl_status close_in(const char *folder, const char *name, FILE *file, pl_status status) {
    bool was_written = !ferror(file);
    was_written = fclose(file) == 0 && was_written;
    if (!pl_is_ok(status) || was_written)
        return status;
    return pl_fail(PL_IO, "cannot write %s/%s: %s", folder, name, strerror(errno));
}

static bool is_plotted(const pl_bench_setting *s, const pl_op *op) {
    return op->n_plot != 0 && (s->bits == 64 || op->has_32);
}

static pl_status measure_one(const pl_bench_setting *s, FILE *data, double x) {
    pl_bench_result result;
    pl_bench_wait_begin(s);
    pl_status status = pl_bench_run(s, &result);
    pl_bench_wait_end();
    PL_TRY(pl_wrap(status, "%s with n = %zu", s->op->name, s->n));
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
        if (!is_plotted(base, s.op))
            continue;
        fprintf(data, "%s\"%s\"\n", ftell(data) > 0 ? "\n\n" : "", s.op->name);
        for (s.n = N_MIN; s.n <= n_max && s.n <= s.op->n_plot; s.n *= 10)
            PL_TRY(measure_one(&s, data, (double)s.n));
    }
    return PL_OK;
}

static pl_status measure_round_trip(const pl_bench_setting *base, const pl_op *op, size_t n,
                                    double round_trip_ms, FILE *data) {
    pl_bench_setting s = *base;
    char name[40];
    snprintf(name, sizeof name, "%gms,1gbit", round_trip_ms);
    s.op = op;
    s.n = n;
    s.has_net = true;
    s.net = (pl_net){round_trip_ms * 1000, 1.25e8};
    s.net_name = name;
    return measure_one(&s, data, round_trip_ms);
}

static pl_status measure_round_trips(const pl_bench_setting *base, size_t n, FILE *data) {
    static const char *const ops[] = {"mul", "lt", "eq", "fixmul"};
    static const double round_trips_ms[] = {0.1, 0.3, 1, 3, 10, 30, 100};
    for (size_t i = 0; i < sizeof ops / sizeof ops[0]; i++) {
        const pl_op *op = pl_op_find(ops[i]);
        if (!is_plotted(base, op))
            continue;
        fprintf(data, "%s\"%s\"\n", i > 0 ? "\n\n" : "", ops[i]); /* mul is always there */
        for (size_t k = 0; k < sizeof round_trips_ms / sizeof round_trips_ms[0]; k++)
            PL_TRY(measure_round_trip(base, op, n, round_trips_ms[k], data));
    }
    return PL_OK;
}

/* Run in the folder where the numbers are. */
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
    "set title sprintf('%d elements at 1 Gbit/s', n_elements)\nset xlabel 'round trip, ms'\nset "
    "ylabel 'seconds'\n"
    "stats 'round-trip.dat' using 1 nooutput\n"
    "plot for [i=0:STATS_blocks-1] 'round-trip.dat' index i using 1:2 title columnhead(1)\n";

/* gnuplot with one argument, in the folder; what it prints is shown, or not. */
static pl_status run_gnuplot(const char *folder, char *argument, bool is_shown) {
    char *const argv[] = {(char[]){"gnuplot"}, argument, NULL};
    posix_spawn_file_actions_t actions;
    pid_t child;
    int state = 0;
    if (posix_spawn_file_actions_init(&actions) != 0)
        return pl_fail(PL_LIMIT, "no memory to start gnuplot");
    int error = posix_spawn_file_actions_addchdir_np(&actions, folder);
    if (error == 0 && !is_shown)
        error = posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    if (error == 0)
        error = posix_spawnp(&child, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    if (error != 0)
        return pl_fail(PL_NOT_FOUND,
                       "cannot start gnuplot, which draws the plots: %s; install it (Debian "
                       "package gnuplot-nox)",
                       strerror(error));
    if (waitpid(child, &state, 0) != child || !WIFEXITED(state) || WEXITSTATUS(state) != 0)
        return pl_fail(PL_IO, "gnuplot %s failed in %s", argument, folder);
    return PL_OK;
}

static pl_status draw(const char *folder, size_t n_round_trip) {
    FILE *file;
    PL_TRY(open_in(folder, "plot.gnuplot", &file));
    fprintf(file, "n_elements = %zu\n%s", n_round_trip, script);
    PL_TRY(close_in(folder, "plot.gnuplot", file, PL_OK));
    return pl_wrap(run_gnuplot(folder, (char[]){"plot.gnuplot"}, true),
                   "the numbers are in the .dat files of %s", folder);
}

/* What would be found out only after everything was measured. */
static pl_status check(size_t n_max, const char *folder) {
    if (n_max < N_MIN)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "plot begins at n = %zu: --n, where it ends, must be that or more", N_MIN);
    if (folder[0] == 0 || strlen(folder) > PATH_BYTES - 40)
        return pl_fail(PL_INVALID_ARGUMENT,
                       "--output takes the name of a folder, of 1 to %d characters",
                       PATH_BYTES - 40);
    return run_gnuplot(".", (char[]){"--version"}, false);
}

pl_status pl_bench_plot(const pl_bench_setting *base, size_t n_max, const char *folder) {
    FILE *file;
    size_t n_round_trip = n_max < ROUND_TRIP_N ? n_max : ROUND_TRIP_N;
    PL_TRY(check(n_max, folder));
    if (mkdir(folder, 0777) != 0 && errno != EEXIST)
        return pl_fail(PL_IO, "cannot make folder %s: %s", folder, strerror(errno));
    PL_TRY(open_in(folder, "throughput.dat", &file));
    PL_TRY(close_in(folder, "throughput.dat", file, measure_lengths(base, n_max, file)));
    PL_TRY(open_in(folder, "round-trip.dat", &file));
    PL_TRY(close_in(folder, "round-trip.dat", file, measure_round_trips(base, n_round_trip, file)));
    PL_TRY(draw(folder, n_round_trip));
    printf("%s/throughput.svg %s/time.svg %s/round-trip.svg\n", folder, folder, folder);
    return PL_OK;
}
