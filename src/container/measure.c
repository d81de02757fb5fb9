/* What containers wrote: the bytes on disk, measured on the pool. */
#include "container/private.h"
#include <stdlib.h>

struct measure_job {
    struct container_size *sizes;
    struct container_written *written;
    size_t n;
    struct arena arena; /* of written */
    container_measured *done;
    void *arg;
};

/* What goes away meanwhile takes no room any more: that is no error. */
static struct err measure_work(void *arg) {
    struct measure_job *j = arg;
    for (size_t i = 0; i < j->n; i++) {
        uint64_t bytes = 0;
        struct err e = container_written_bytes(&j->written[i], &bytes);
        log_err(LOG_DEBUG, e, "measure '%s'", j->written[i].directory);
        j->sizes[i].bytes = (int64_t)bytes;
    }
    return OK;
}

static void measure_done(void *arg, struct err e) {
    struct measure_job *j = arg;
    err_ignore(e); /* measure_work never fails */
    j->done(j->arg, j->sizes, j->n);
    arena_done(&j->arena);
    free(j->sizes);
    free(j);
}

void containers_measure(struct containers *cs, struct container *const *list, size_t n,
                        container_measured *done, void *arg) {
    struct measure_job *j = NEW(struct measure_job);
    *j = (struct measure_job){.n = n, .done = done, .arg = arg};
    j->sizes = mem_resize(NULL, n + 1, sizeof *j->sizes);
    j->written = arena_array(&j->arena, n + 1, sizeof *j->written);
    for (size_t i = 0; i < n; i++) {
        memcpy(j->sizes[i].id, list[i]->id, sizeof j->sizes[i].id);
        j->sizes[i].bytes = 0;
        err_ignore(container_written_plan(list[i], &j->arena, &j->written[i])); /* 0 bytes, then */
    }
    job_submit(cs->config.loop, measure_work, measure_done, j);
}
