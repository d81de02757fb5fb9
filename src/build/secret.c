/* build/secret.c - values that no image and no disk may keep. */
#include "base/file.h"
#include "build/run_mounts.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define SECRET_MAX (512u << 10) /* bytes, as the peer's */

static struct err read_file(const char *path, struct buf *ret) {
    CLEAN_FD
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open secret '%s'", path);
    ret->max = SECRET_MAX;
    int rc = fd_read_buf(fd, ret);
    if (rc < 0)
        return err_errno(rc, "read secret '%s'", path);
    return ret->overflow
               ? err_new(ERR_INVALID, "secret '%s' is larger than %u bytes", path, SECRET_MAX)
               : OK;
}

struct err secret_read(const struct build_job *job, const char *id, struct buf *ret) {
    const struct build_secret *all = job->secrets.items;
    for (size_t i = 0; i < job->secrets.n; i++) {
        if (strcmp(all[i].id, id) != 0)
            continue;
        if (all[i].path && *all[i].path)
            return read_file(all[i].path, ret);
        const char *value = getenv(all[i].env && *all[i].env ? all[i].env : id);
        if (!value)
            return err_new(ERR_INVALID, "secret '%s': the variable %s is not set", id, all[i].env);
        buf_adds(ret, value);
        return OK;
    }
    return err_new(ERR_NOT_FOUND, "secret '%s' was not given to the build (corten build --secret)",
                   id);
}
