#include "daemon/dump.h"
#include "base/file.h"
#include "base/log.h"
#include "base/time.h"
#include "container/container.h"
#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#define LINES_MAX 8192 /* of descriptors */

static void put_file(struct buf *out, const char *tid, const char *name) {
    char path[64];
    CLEAN_BUF struct buf text = {0};
    (void)snprintf(path, sizeof path, "/proc/self/task/%s/%s", tid, name);
    struct err e = file_read(path, 4096, &text);
    buf_addf(out, " %s=%.*s", name, STR_ARG(str_trim(buf_str(&text))));
    err_ignore(e); /* a kernel without this file says nothing */
}

static void put_threads(struct buf *out) {
    DIR *d = opendir("/proc/self/task");
    buf_adds(out, "\nthreads\n");
    for (struct dirent *e; d && (e = readdir(d));) {
        if (e->d_name[0] == '.')
            continue;
        buf_addf(out, "  %s", e->d_name);
        put_file(out, e->d_name, "comm");
        put_file(out, e->d_name, "wchan");
        put_file(out, e->d_name, "syscall");
        buf_addc(out, '\n');
    }
    if (d)
        closedir(d);
}

static void put_containers(const struct api *api, struct buf *out) {
    size_t n = 0;
    struct container *const *all = containers_all(api->containers, &n);
    buf_adds(out, "\ncontainers\n");
    for (size_t i = 0; i < n; i++) {
        const struct container *c = all[i];
        buf_addf(out, "  %.12s %s %s pid=%d operations=%u monitor=%s restarts=%lld%s\n", c->id,
                 c->name, container_state_name(c->state), (int)c->pid, c->queue.length,
                 c->monitor ? "connected" : "none", (long long)c->restart_count,
                 c->restart_timer ? " restart-waits" : "");
    }
}

static void put_descriptors(struct buf *out) {
    DIR *d = opendir("/proc/self/fd");
    unsigned lines = 0;
    buf_adds(out, "\ndescriptors\n");
    for (struct dirent *e; d && lines < LINES_MAX && (e = readdir(d));) {
        char target[PATH_MAX];
        ssize_t len = readlinkat(dirfd(d), e->d_name, target, sizeof target - 1);
        if (len <= 0)
            continue;
        buf_addf(out, "  %s %.*s\n", e->d_name, (int)len, target);
        lines++;
    }
    if (d)
        closedir(d);
}

void dump_write(const struct api *api) {
    CLEAN_BUF struct buf out = {0};
    CLEAN_FREE char *path = mem_printf("%s/dump-%lld.txt", api->run_root,
                                       (long long)(time_now() / NSEC_PER_SEC));
    char now[TIME_TEXT_MAX], began[TIME_TEXT_MAX];
    buf_addf(&out, "cortend %s, pid %d, at %s, up since %s\n", CORTEN_VERSION, getpid(),
             time_format(time_now(), now), time_format(api->started_at, began));
    put_threads(&out);
    put_containers(api, &out);
    put_descriptors(&out);
    buf_adds(&out, "\nfigures\n");
    api_metrics(api, &out);
    struct err e = file_replace(path, buf_str(&out), 0600, false);
    if (!err_failed(e))
        log_info("what this daemon is at: %s", path);
    log_err(LOG_WARN, e, "write '%s'", path);
}
