/* parley: the command line. */
#include "node/cli/cli.h"

#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const pl_command *const groups[] = {
    pl_query_commands, pl_train_commands, pl_job_commands,  pl_approval_commands,
    pl_view_commands,  pl_audit_commands, pl_admin_commands};
#define N_GROUPS (sizeof groups / sizeof *groups)

static void print_help(FILE *out) {
    fputs("parley: joint statistics over data that nobody hands over\n\nusage: parley COMMAND "
          "[options]\n\n",
          out);
    for (size_t g = 0; g < N_GROUPS; g++) {
        for (const pl_command *c = groups[g]; c->name != NULL; c++)
            fprintf(out, "  %-20s %s\n", c->name, c->summary);
    }
    fputs("\noptions of every command:\n"
          "  --node DIR   the node's folder of sockets (default: $PARLEY_NODE, or run)\n"
          "  --json       machine-readable output\n"
          "  --help       usage and examples of a command\n"
          "  --version    print the version\n\n"
          "example:\n"
          "  parley query \"SELECT sex, COUNT(*), AVG(income) FROM residents GROUP BY sex\" "
          "--purpose official-statistics\n",
          out);
}

/* The command whose one or two words begin the arguments; *out_words of them. */
static const pl_command *find(int argc, char **argv, int *out_words) {
    char two[128];
    snprintf(two, sizeof two, "%s %s", argc > 0 ? argv[0] : "", argc > 1 ? argv[1] : "");
    for (size_t g = 0; g < N_GROUPS; g++) {
        for (const pl_command *c = groups[g]; c->name != NULL; c++) {
            *out_words = strchr(c->name, ' ') == NULL ? 1 : 2;
            if (argc > 0 && strcmp(c->name, *out_words == 1 ? argv[0] : two) == 0)
                return c;
        }
    }
    return NULL;
}

static void print_group(const char *word) {
    size_t len = strlen(word);
    for (size_t g = 0; g < N_GROUPS; g++) {
        for (const pl_command *c = groups[g]; c->name != NULL; c++) {
            if (strncmp(c->name, word, len) == 0 && c->name[len] == ' ')
                fprintf(stderr, "  parley %-18s %s\n", c->name, c->summary);
        }
    }
}

static const char *hint(pl_code code) {
    switch (code) {
    case PL_REFUSED:
        return "see the plan with --explain, the rules with the data owner";
    case PL_UNAVAILABLE:
        return "see parley status";
    case PL_UNAUTHENTICATED:
        return "see parley federation show and parley org show for keys and dates";
    default:
        return NULL;
    }
}

static int report(const pl_cli *cli, pl_status status) {
    pl_code code = pl_status_code(status);
    const pl_code_info *info = pl_code_describe(code);
    if (code != PL_CODE_OK && cli->json) {
        pl_cli_print_json(json_pack("{s:{s:s, s:s}}", "error", "code", info->name, "message",
                                    pl_status_message(status)));
    } else if (code != PL_CODE_OK) {
        fprintf(stderr, "parley: %s\n", pl_status_message(status));
        if (hint(code) != NULL)
            fprintf(stderr, "hint: %s\n", hint(code));
    }
    pl_status_done(&status);
    return info->exit_code;
}

static int run(const pl_command *command, pl_cli *cli) {
    if (pl_cli_flag(cli, "--help")) {
        printf("parley %s: %s\n%s", command->name, command->summary, command->help);
        return 0;
    }
    const char *sockets = pl_cli_option(cli, "--node");
    if (sockets == NULL)
        sockets = getenv("PARLEY_NODE");
    cli->sockets = sockets == NULL ? "run" : sockets;
    cli->json = pl_cli_flag(cli, "--json");
    pl_cli_connection connection = {0};
    cli->connection = &connection;
    pl_rpc_init();
    int code = report(cli, command->run(cli));
    pl_rpc_client_close(connection.client);
    pl_rpc_shutdown();
    return code;
}

static int command_line(int argc, char **argv) {
    int words = 0;
    const pl_command *command = find(argc - 1, argv + 1, &words);
    if (command != NULL) {
        pl_cli cli = {.argc = argc - 1 - words, .argv = argv + 1 + words};
        return run(command, &cli);
    }
    if (argc > 1 && strcmp(argv[1], "--version") == 0) {
        printf("parley " PARLEY_VERSION "\n");
        return 0;
    }
    if (argc > 1 && strcmp(argv[1], "--help") == 0) {
        print_help(stdout);
        return 0;
    }
    if (argc > 1) {
        fprintf(stderr, "parley: there is no command \"%s%s%s\"\n", argv[1], argc > 2 ? " " : "",
                argc > 2 ? argv[2] : "");
        print_group(argv[1]);
        fprintf(stderr, "hint: parley --help lists all commands\n");
        return 2;
    }
    print_help(stderr);
    return 2;
}

/* A result that was not written is not a success. */
static int check_output(int code) {
    errno = 0;
    if (fflush(stdout) == 0 && !ferror(stdout))
        return code;
    fprintf(stderr, "parley: cannot write the output: %s\n",
            errno != 0 ? strerror(errno) : "an earlier write failed");
    return code != 0 ? code : pl_code_describe(PL_IO)->exit_code;
}

int main(int argc, char **argv) {
    setlocale(LC_CTYPE, "C.UTF-8");
    return check_output(command_line(argc, argv));
}
