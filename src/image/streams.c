/* streams.c - the tars in stream/ that are kept of layers of many files (image.h).
 *
 * The row says first that there is none any more (reap.c, one durable change), then the file goes.
 * A daemon that dies between the two, or a power cut before the directory has reached the disk,
 * leaves a file of up to 128 MB of which no row knows: the next start removes it, before any job
 * runs. Test: e2e t6025. */
#include "base/log.h"
#include "image/facts.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

/* Rows that are pending or being removed are not among these: who removes them removes the tar. */
static void remove_unwanted(struct images *im, int fd, const struct map *there) {
    size_t it = 0;
    void *p;
    while (map_next(&im->layers, &it, NULL, &p)) {
        const struct layer_fact *l = p;
        if (l->stream || !map_getz(there, l->layer.name))
            continue;
        if (unlinkat(fd, l->layer.name, 0) < 0)
            log_warn("images: remove image/stream/%s: %s", l->layer.name, strerror(errno));
    }
}

void streams_sweep(struct images *im) {
    CLEAN_MAP struct map there = {0};
    int fd = openat(im->root_fd, "stream", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    if (!d) {
        log_warn("images: read directory image/stream: %s", strerror(errno));
        fd_close(fd);
        return;
    }
    struct dirent *e;
    while ((e = readdir(d)) != NULL)
        map_set(&there, str_of(e->d_name), im);
    remove_unwanted(im, fd, &there);
    closedir(d);
}
