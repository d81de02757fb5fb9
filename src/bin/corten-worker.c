/* corten-worker - one bulk job: moves and parses foreign bytes, then ends. Started by cortend with a
 * message socket as descriptor 3 (loop/worker.h); cancelled by killing it. */
#include "base/file.h"
#include "base/log.h"
#include "image/image.h"
#include "loop/worker.h"
#include <signal.h>

#define JOBS_MAX 64

/* Each folder that has jobs lists them in an array that ends with a NULL name. */
static const struct worker_job *const folders[] = {image_jobs};

int main(void) {
    fd_sanitize_std();
    signal(SIGPIPE, SIG_IGN);
    log_init("corten-worker", LOG_INFO, 2);
    struct worker_job jobs[JOBS_MAX];
    size_t n = 0;
    for (size_t i = 0; i < ARRAY_LEN(folders); i++)
        for (const struct worker_job *j = folders[i]; j->name && n < JOBS_MAX; j++)
            jobs[n++] = *j;
    return worker_main(jobs, n);
}
