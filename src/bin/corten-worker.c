/* corten-worker - moves and parses foreign bytes: one bulk job, then it ends. The jobs are their
 * folders'. */
#include "base/file.h"
#include "image/image.h"
#include "logs/logs.h"
#include "monitor/monitor.h"
#include "registry/registry.h"
#include <signal.h>

#define JOBS_MAX 32

/* Reading logs: logs/ does it; the wake-ups of a follower come from the container's monitor,
 * dialled here, because logs/ is to the left of monitor/. A monitor that is gone wakes nobody. */
static struct err logs_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                           struct buf *ret_result) {
    int with_wake[3] = {fds_n > 0 ? fds[0] : -1, fds_n > 1 ? fds[1] : -1, -1};
    if (fds_n > 2) {
        struct err e = monitor_follow_log(fds[2], &with_wake[2]);
        if (err_failed(e) && err_kind(e) != ERR_NOT_FOUND)
            return e;
        err_ignore(e);
    }
    return logs_read_job(ctx, args, with_wake, with_wake[2] >= 0 ? 3 : MIN(fds_n, (size_t)2),
                         ret_result);
}

static size_t add(struct worker_job *all, size_t n, const struct worker_job *more) {
    while (more->name && n < JOBS_MAX)
        all[n++] = *more++;
    return n;
}

int main(void) {
    struct worker_job all[JOBS_MAX] = {{"logs-read", logs_job}};
    fd_sanitize_std();
    signal(SIGPIPE, SIG_IGN);
    size_t n = add(all, 1, image_jobs);
    n = add(all, n, registry_jobs);
    return worker_main(all, n);
}
