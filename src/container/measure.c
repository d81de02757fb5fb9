/* What containers wrote: the bytes below their upper directories, measured on the pool. */
#include "base/file.h"
#include "container/private.h"
#include <stdlib.h>

struct measure_job {
    struct container_size *sizes;
    char **paths;
    size_t n;
    container_measured *done;
    void *arg;
};

/* What goes away meanwhile takes no room any more: that is no error. */
static struct err measure_work(void *arg) {
    struct measure_job *j = arg;
    for (size_t i = 0; i < j->n; i++) {
        CLEAN_FD int fd = -1;
        uint64_t bytes = 0;
        struct err e = dir_open(j->paths[i], &fd);
        if (!err_failed(e))
            e = volume_usage(fd, &bytes);
        log_err(LOG_DEBUG, e, "measure '%s'", j->paths[i]);
        j->sizes[i].bytes = (int64_t)bytes;
    }
    return OK;
}

static void measure_done(void *arg, struct err e) {
    struct measure_job *j = arg;
    err_ignore(e); /* measure_work never fails */
    j->done(j->arg, j->sizes, j->n);
    for (size_t i = 0; i < j->n; i++)
        free(j->paths[i]);
    free(j->paths);
    free(j->sizes);
    free(j);
}

void containers_measure(struct containers *cs, struct container *const *list, size_t n,
                        container_measured *done, void *arg) {
    struct measure_job *j = NEW(struct measure_job);
    *j = (struct measure_job){.n = n, .done = done, .arg = arg};
    j->sizes = mem_resize(NULL, n + 1, sizeof *j->sizes);
    j->paths = mem_resize(NULL, n + 1, sizeof *j->paths);
    for (size_t i = 0; i < n; i++) {
        memcpy(j->sizes[i].id, list[i]->id, sizeof j->sizes[i].id);
        j->sizes[i].bytes = 0;
        j->paths[i] = mem_printf("%s/upper", list[i]->directory);
    }
    job_submit(cs->config.loop, measure_work, measure_done, j);
}
