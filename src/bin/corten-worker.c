/* corten-worker - moves and parses foreign bytes: one bulk job, then it ends. The jobs are their
 * folders'. */
#include "base/file.h"
#include "container/container.h"
#include "image/image.h"
#include "monitor/monitor.h"
#include "registry/registry.h"
#include "volume/volume.h"
#include <signal.h>

#define JOBS_MAX 32

static size_t add(struct worker_job *all, size_t n, const struct worker_job *more) {
    while (more->name && n < JOBS_MAX)
        all[n++] = *more++;
    return n;
}

int main(void) {
    struct worker_job all[JOBS_MAX] = {{"logs-read", monitor_logs_job},
                                       {"logs-serve", monitor_serve_logs_job}};
    size_t n = 2;
    fd_sanitize_std();
    signal(SIGPIPE, SIG_IGN);
    all[n++] = container_websocket_job;
    n = add(all, n, image_jobs);
    n = add(all, n, registry_jobs);
    n = add(all, n, container_jobs);
    n = add(all, n, volume_jobs);
    return worker_main(all, n);
}
