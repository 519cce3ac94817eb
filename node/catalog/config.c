#include "node/catalog/config.h"

#include "node/catalog/dataset.h"
#include "node/catalog/yaml.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LANES_MAX 8 /* of a session */

enum { N_ROLES = 4 };
static const char *const roles[N_ROLES + 1] = {"analyst", "approver", "operator", "auditor", NULL};

struct pl_config {
    char *folder; /* of the file, with a slash, or empty */
    char *org, *manifest, *state, *sockets, *policy;
    char *groups[N_ROLES];
    char *scheduler_address, *session_listen;
    pl_bytes scheduler_roots;
    char **advertise;
    size_t n_advertise;
    int64_t sessions, memory_mb, lanes, member_jobs, job_seconds, session_seconds;
    pl_dataset_config *datasets;
    size_t n_datasets;
};

static pl_status path_of(const pl_config *c, const pl_yaml *map, const char *key, char **out) {
    char *given;
    PL_TRY(pl_yaml_text(map, key, NULL, &given));
    pl_buf path = {0};
    pl_buf_printf(&path, "%s%s", *given == '/' ? "" : c->folder, given);
    free(given);
    pl_bytes bytes;
    PL_TRY(pl_buf_take(&path, &bytes));
    *out = (char *)bytes.data;
    return PL_OK;
}

static pl_status set_folder(pl_config *c, const char *path) {
    PL_TRY(pl_strdup(path, &c->folder));
    char *slash = strrchr(c->folder, '/');
    *(slash == NULL ? c->folder : slash + 1) = 0;
    return PL_OK;
}

static pl_status read_groups(pl_config *c, const pl_yaml *root) {
    const pl_yaml *groups = pl_yaml_get(root, "groups");
    if (groups == NULL)
        return PL_OK;
    PL_TRY(pl_yaml_only(groups, roles));
    for (int i = 0; i < N_ROLES; i++) {
        if (pl_yaml_get(groups, roles[i]) != NULL)
            PL_TRY(pl_yaml_text(groups, roles[i], NULL, &c->groups[i]));
    }
    return PL_OK;
}

/* host:port or [v6]:port, as far as that can be told without resolving it. */
static pl_status check_address(const pl_yaml *node, const char *address) {
    const char *colon = strrchr(address, ':');
    size_t host_len = colon == NULL ? 0 : (size_t)(colon - address);
    size_t digits = colon == NULL ? 0 : strspn(colon + 1, "0123456789");
    bool bracketed = host_len > 2 && address[0] == '[' && colon[-1] == ']';
    bool good = host_len > 0 && digits > 0 && digits <= 5 && colon[1 + digits] == 0 &&
                strtol(colon + 1, NULL, 10) <= 65535 &&
                (bracketed || memchr(address, ':', host_len) == NULL);
    return good ? PL_OK
                : pl_yaml_fault(node, "%s must be an address: \"host:port\" or \"[v6]:port\"",
                                node->key == NULL ? "an entry of advertise" : node->key);
}

static pl_status read_scheduler(pl_config *c, const pl_yaml *root) {
    static const char *const keys[] = {"address", "certificate", NULL};
    const pl_yaml *map;
    char *path = NULL;
    PL_TRY(pl_yaml_need(root, "scheduler", PL_YAML_MAP, &map));
    PL_TRY(pl_yaml_only(map, keys));
    PL_TRY(pl_yaml_text(map, "address", NULL, &c->scheduler_address));
    PL_TRY(check_address(pl_yaml_get(map, "address"), c->scheduler_address));
    PL_TRY(path_of(c, map, "certificate", &path));
    pl_status status = pl_wrap(pl_text_file_read(path, 65536, &c->scheduler_roots),
                               "the scheduler's pinned certificate");
    free(path);
    return status;
}

static pl_status read_session(pl_config *c, const pl_yaml *root) {
    static const char *const keys[] = {"listen", "advertise", NULL};
    const pl_yaml *map;
    PL_TRY(pl_yaml_need(root, "session", PL_YAML_MAP, &map));
    PL_TRY(pl_yaml_only(map, keys));
    PL_TRY(pl_yaml_text(map, "listen", NULL, &c->session_listen));
    PL_TRY(check_address(pl_yaml_get(map, "listen"), c->session_listen));
    PL_TRY(pl_yaml_texts(map, "advertise", &c->advertise, &c->n_advertise));
    for (size_t i = 0; i < c->n_advertise; i++)
        PL_TRY(check_address(pl_yaml_get(map, "advertise")->items[i], c->advertise[i]));
    return PL_OK;
}

/* A lane has a stack, buffers for its links and blocks in flight: so much of a session's memory. */
#define LANE_MB 16

/* Half the processors: the other parties' sessions, and the rest of the machine, want some too. */
static int64_t default_lanes(int64_t memory_mb) {
    int64_t lanes = sysconf(_SC_NPROCESSORS_ONLN) / 2;
    lanes = lanes > LANES_MAX ? LANES_MAX : lanes;
    lanes = lanes > memory_mb / LANE_MB ? memory_mb / LANE_MB : lanes;
    return lanes < 1 ? 1 : lanes;
}

static pl_status read_lanes(pl_config *c, const pl_yaml *map) {
    const int64_t lanes = default_lanes(c->memory_mb);
    PL_TRY(pl_yaml_number(map, "lanes", 1, LANES_MAX, &lanes, &c->lanes));
    if (c->lanes * LANE_MB > c->memory_mb && c->lanes > 1)
        return pl_yaml_fault(pl_yaml_get(map, "lanes"),
                             "%lld lanes need memory_mb of %lld at least: raise it, or take fewer",
                             (long long)c->lanes, (long long)c->lanes * LANE_MB);
    return PL_OK;
}

static pl_status read_limits(pl_config *c, const pl_yaml *root) {
    static const char *const keys[] = {"sessions",    "memory_mb",       "lanes", "member_jobs",
                                       "job_seconds", "session_seconds", NULL};
    static const int64_t sessions = 4, memory_mb = 1024, member_jobs = 100, job_seconds = 86400,
                         session_seconds = 60;
    const pl_yaml *map = pl_yaml_get(root, "limits");
    const pl_yaml none = {.kind = PL_YAML_MAP, .file = root->file, .line = root->line};
    if (map == NULL)
        map = &none;
    PL_TRY(pl_yaml_only(map, keys));
    PL_TRY(pl_yaml_number(map, "sessions", 1, 1000, &sessions, &c->sessions));
    PL_TRY(pl_yaml_number(map, "memory_mb", 16, 1 << 20, &memory_mb, &c->memory_mb));
    PL_TRY(read_lanes(c, map));
    PL_TRY(pl_yaml_number(map, "member_jobs", 1, 100000, &member_jobs, &c->member_jobs));
    PL_TRY(pl_yaml_number(map, "job_seconds", 1, 90 * 86400, &job_seconds, &c->job_seconds));
    return pl_yaml_number(map, "session_seconds", 1, 86400, &session_seconds, &c->session_seconds);
}

static pl_status read_datasets(pl_config *c, const pl_yaml *root) {
    const pl_yaml *list = pl_yaml_get(root, "datasets");
    if (list == NULL)
        return PL_OK; /* a member may hold no data */
    PL_TRY(pl_yaml_expect(list, PL_YAML_LIST, "datasets"));
    PL_TRY(pl_alloc(list->n_items, sizeof *c->datasets, &c->datasets));
    for (size_t i = 0; i < list->n_items; i++) {
        PL_TRY(pl_dataset_read(list->items[i], c->folder, &c->datasets[i]));
        c->n_datasets++;
        for (size_t k = 0; k < i; k++) {
            if (strcmp(c->datasets[k].dataset->name, c->datasets[i].dataset->name) == 0)
                return pl_yaml_fault(list->items[i], "dataset %s is given twice",
                                     c->datasets[i].dataset->name);
        }
    }
    return PL_OK;
}

static pl_status read_all(pl_config *c, const pl_yaml *root) {
    static const char *const keys[] = {"org",    "federation", "state",   "sockets",
                                       "groups", "scheduler",  "session", "policy",
                                       "limits", "datasets",   NULL};
    PL_TRY(pl_yaml_only(root, keys));
    PL_TRY(path_of(c, root, "org", &c->org));
    PL_TRY(path_of(c, root, "federation", &c->manifest));
    PL_TRY(path_of(c, root, "state", &c->state));
    PL_TRY(path_of(c, root, "sockets", &c->sockets));
    PL_TRY(path_of(c, root, "policy", &c->policy));
    PL_TRY(read_groups(c, root));
    PL_TRY(read_scheduler(c, root));
    PL_TRY(read_session(c, root));
    PL_TRY(read_limits(c, root));
    return read_datasets(c, root);
}

pl_status pl_config_load(const char *path, pl_config **out) {
    pl_yaml *root;
    PL_TRY(pl_yaml_load(path, &root));
    pl_config *c;
    pl_status status = pl_alloc(1, sizeof *c, &c);
    if (pl_is_ok(status)) {
        status = set_folder(c, path);
        if (pl_is_ok(status))
            status = read_all(c, root);
        if (pl_is_ok(status))
            *out = c;
        else
            pl_config_free(c);
    }
    pl_yaml_free(root);
    return status;
}

void pl_config_free(pl_config *c) {
    if (c == NULL)
        return;
    for (int i = 0; i < N_ROLES; i++)
        free(c->groups[i]);
    for (size_t i = 0; i < c->n_datasets; i++)
        pl_dataset_config_done(&c->datasets[i]);
    pl_texts_free(c->advertise, c->n_advertise);
    pl_bytes_done(&c->scheduler_roots);
    free(c->datasets);
    free(c->scheduler_address);
    free(c->session_listen);
    free(c->org);
    free(c->manifest);
    free(c->state);
    free(c->sockets);
    free(c->policy);
    free(c->folder);
    free(c);
}

const char *pl_config_org(const pl_config *c) {
    return c->org;
}
const char *pl_config_manifest(const pl_config *c) {
    return c->manifest;
}
const char *pl_config_state(const pl_config *c) {
    return c->state;
}
const char *pl_config_sockets(const pl_config *c) {
    return c->sockets;
}
const char *pl_config_policy(const pl_config *c) {
    return c->policy;
}
const char *pl_config_scheduler_address(const pl_config *c) {
    return c->scheduler_address;
}
const char *pl_config_scheduler_roots(const pl_config *c) {
    return (const char *)c->scheduler_roots.data;
}
const char *pl_config_session_listen(const pl_config *c) {
    return c->session_listen;
}
char **pl_config_advertise(const pl_config *c, size_t *out_n) {
    *out_n = c->n_advertise;
    return c->advertise;
}
uint32_t pl_config_sessions(const pl_config *c) {
    return (uint32_t)c->sessions;
}
uint64_t pl_config_memory_bytes(const pl_config *c) {
    return (uint64_t)c->memory_mb << 20;
}
uint32_t pl_config_lanes(const pl_config *c) {
    return (uint32_t)c->lanes;
}
uint64_t pl_config_member_jobs(const pl_config *c) {
    return (uint64_t)c->member_jobs;
}
uint32_t pl_config_job_seconds(const pl_config *c) {
    return (uint32_t)c->job_seconds;
}
uint32_t pl_config_session_seconds(const pl_config *c) {
    return (uint32_t)c->session_seconds;
}
size_t pl_config_n_datasets(const pl_config *c) {
    return c->n_datasets;
}
const pl_dataset_config *pl_config_dataset_at(const pl_config *c, size_t i) {
    return &c->datasets[i];
}

const char *pl_config_group(const pl_config *c, const char *role) {
    for (int i = 0; i < N_ROLES; i++) {
        if (strcmp(roles[i], role) == 0)
            return c->groups[i];
    }
    return NULL;
}

const pl_dataset_config *pl_config_dataset(const pl_config *c, const char *name) {
    for (size_t i = 0; i < c->n_datasets; i++) {
        if (strcmp(c->datasets[i].dataset->name, name) == 0)
            return &c->datasets[i];
    }
    return NULL;
}
