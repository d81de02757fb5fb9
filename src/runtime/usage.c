/* A container's cgroup by its path, for a caller that is not the parent; and its OOM kills. */
#include "runtime/box.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>

static struct err open_cgroup(const char *path, struct cgroup *ret) {
    struct cgroup_host host;
    TRY(cgroup_detect(&host));
    return cgroup_open(&host, path, ret);
}

struct err runtime_cgroup_update(const char *cgroup_path, const struct oci_resources *r) {
    TRY(oci_resources_check(r));
    if (r->devices.n)
        return err_new(ERR_UNSUPPORTED, "linux.resources.devices cannot be changed later");
    CLEAN_CGROUP struct cgroup g = {0};
    TRY(open_cgroup(cgroup_path, &g));
    return limits_apply(&g, r);
}

struct err runtime_cgroup_freeze(const char *cgroup_path, bool frozen) {
    CLEAN_CGROUP struct cgroup g = {0};
    TRY(open_cgroup(cgroup_path, &g));
    return cgroup_freeze(&g, frozen);
}

struct err runtime_cgroup_frozen(const char *cgroup_path, bool *ret) {
    CLEAN_CGROUP struct cgroup g = {0};
    TRY(open_cgroup(cgroup_path, &g));
    *ret = cgroup_frozen(&g);
    return OK;
}

struct err runtime_cgroup_kill(const char *cgroup_path) {
    CLEAN_CGROUP struct cgroup g = {0};
    TRY(open_cgroup(cgroup_path, &g));
    return cgroup_kill(&g);
}

struct err runtime_cgroup_pids(const char *cgroup_path, pid_t **ret_pids, size_t *ret_n) {
    CLEAN_CGROUP struct cgroup g = {0};
    TRY(open_cgroup(cgroup_path, &g));
    return cgroup_pids(&g, ret_pids, ret_n);
}

struct err runtime_cgroup_remove(const char *cgroup_path) {
    struct cgroup_host host;
    TRY(cgroup_detect(&host));
    CLEAN_CGROUP struct cgroup g = {0};
    struct err e = cgroup_open(&host, cgroup_path, &g);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return OK;
    }
    TRY(e);
    if (cgroup_populated(&g))
        TRY(cgroup_kill(&g));
    return cgroup_remove(&host, cgroup_path);
}

/* --- usage
 * ----------------------------------------------------------------------------------------------------
 */

static void read_cpu(const struct cgroup *g, struct runtime_usage *u) {
    bool v2 = cgroup_is_v2(&g->host, CGROUP_CPUACCT);
    if (v2) {
        cgroup_look_key(g, CGROUP_CPUACCT, "cpu.stat", "usage_usec", &u->cpu_ns);
        cgroup_look_key(g, CGROUP_CPUACCT, "cpu.stat", "user_usec", &u->cpu_user_ns);
        cgroup_look_key(g, CGROUP_CPUACCT, "cpu.stat", "system_usec", &u->cpu_system_ns);
        u->cpu_ns *= 1000;
        u->cpu_user_ns *= 1000;
        u->cpu_system_ns *= 1000;
    } else {
        cgroup_look_u64(g, CGROUP_CPUACCT, "cpuacct.usage", &u->cpu_ns);
        cgroup_look_u64(g, CGROUP_CPUACCT, "cpuacct.usage_user", &u->cpu_user_ns);
        cgroup_look_u64(g, CGROUP_CPUACCT, "cpuacct.usage_sys", &u->cpu_system_ns);
    }
    cgroup_look_key(g, CGROUP_CPU, "cpu.stat", "nr_periods", &u->periods);
    cgroup_look_key(g, CGROUP_CPU, "cpu.stat", "nr_throttled", &u->throttled_periods);
    if (cgroup_is_v2(&g->host, CGROUP_CPU)) {
        cgroup_look_key(g, CGROUP_CPU, "cpu.stat", "throttled_usec", &u->throttled_ns);
        u->throttled_ns *= 1000;
    } else {
        cgroup_look_key(g, CGROUP_CPU, "cpu.stat", "throttled_time", &u->throttled_ns);
    }
}

static void read_memory(const struct cgroup *g, struct runtime_usage *u) {
    bool v2 = cgroup_is_v2(&g->host, CGROUP_MEMORY);
    cgroup_look_u64(g, CGROUP_MEMORY, v2 ? "memory.current" : "memory.usage_in_bytes",
                    &u->memory_bytes);
    cgroup_look_u64(g, CGROUP_MEMORY, v2 ? "memory.max" : "memory.limit_in_bytes",
                    &u->memory_limit_bytes);
    cgroup_look_u64(g, CGROUP_MEMORY, v2 ? "memory.peak" : "memory.max_usage_in_bytes",
                    &u->memory_peak_bytes);
    cgroup_look_key(g, CGROUP_MEMORY, "memory.stat", v2 ? "inactive_file" : "total_inactive_file",
                    &u->memory_inactive_file_bytes);
    cgroup_look_key(g, CGROUP_MEMORY, v2 ? "memory.events" : "memory.oom_control", "oom_kill",
                    &u->oom_kills);
}

/* v2: "8:0 rbytes=1 wbytes=2 …"; v1: "8:0 Read 1". Summed over devices. */
static void read_io(const struct cgroup *g, struct runtime_usage *u) {
    if (cgroup_dir(g, CGROUP_BLKIO) < 0)
        return;
    bool v2 = cgroup_is_v2(&g->host, CGROUP_BLKIO);
    CLEAN_BUF struct buf b = {0};
    err_ignore(cgroup_read(g, CGROUP_BLKIO,
                           v2 ? "io.stat" : "blkio.throttle.io_service_bytes_recursive", &b));
    struct str rest = buf_str(&b), line, word, device;
    while (str_next(&rest, '\n', &line)) {
        str_cut(line, ' ', &device, &line);
        while (str_next(&line, ' ', &word)) {
            struct str key = word, value = line;
            if (v2)
                str_cut(word, '=', &key, &value);
            uint64_t n = 0;
            err_ignore(str_to_u64(value, UINT64_MAX, &n));
            if (str_eqz(key, v2 ? "rbytes" : "Read"))
                u->io_read_bytes += n;
            else if (str_eqz(key, v2 ? "wbytes" : "Write"))
                u->io_write_bytes += n;
        }
    }
}

struct err runtime_cgroup_usage(const char *cgroup_path, struct runtime_usage *ret) {
    CLEAN_CGROUP struct cgroup g = {0};
    TRY(open_cgroup(cgroup_path, &g));
    struct runtime_usage u = {0};
    read_cpu(&g, &u);
    read_memory(&g, &u);
    cgroup_look_u64(&g, CGROUP_PIDS, "pids.current", &u.pids);
    cgroup_look_u64(&g, CGROUP_PIDS, "pids.max", &u.pids_limit);
    read_io(&g, &u);
    *ret = u;
    return OK;
}

/* --- out of memory
 * --------------------------------------------------------------------------------------------- */

static int oom_by_eventfd(const struct cgroup *g) {
    int dir = cgroup_dir(g, CGROUP_MEMORY);
    CLEAN_FD int event = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    CLEAN_FD int control = openat(dir, "memory.oom_control", O_RDONLY | O_CLOEXEC);
    CLEAN_FD int registry = openat(dir, "cgroup.event_control", O_WRONLY | O_CLOEXEC);
    char text[32];
    int n = snprintf(text, sizeof(text), "%d %d", event, control);
    if (event < 0 || control < 0 || registry < 0 || write(registry, text, (size_t)n) != n)
        return -1;
    return TAKE_FD(event);
}

static int oom_by_inotify(const struct cgroup *g) {
    CLEAN_FD int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    char path[CGROUP_MOUNT_MAX + CGROUP_PATH_MAX + 32];
    snprintf(path, sizeof(path), "%s%s/memory.events",
             g->host.trees[g->host.tree_of[CGROUP_MEMORY]].mount, g->path);
    if (watch < 0 || inotify_add_watch(watch, path, IN_MODIFY) < 0)
        return -1;
    return TAKE_FD(watch);
}

int runtime_oom_fd(struct runtime_box *b) {
    if (b->oom_fd < 0 && cgroup_dir(&b->cgroup, CGROUP_MEMORY) >= 0)
        b->oom_fd = cgroup_is_v2(&b->cgroup.host, CGROUP_MEMORY) ? oom_by_inotify(&b->cgroup)
                                                                 : oom_by_eventfd(&b->cgroup);
    return b->oom_fd;
}

uint64_t runtime_oom_count(struct runtime_box *b) {
    uint64_t n = 0;
    bool v2 = cgroup_is_v2(&b->cgroup.host, CGROUP_MEMORY);
    cgroup_look_key(&b->cgroup, CGROUP_MEMORY, v2 ? "memory.events" : "memory.oom_control",
                    "oom_kill", &n);
    return n;
}
