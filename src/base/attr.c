#include "base/attr.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

void clean_free(void *pp) {
    void **p = pp;
    free(*p);
    *p = NULL;
}

void clean_fd(int *fd) {
    *fd = fd_close(*fd);
}

int fd_close(int fd) {
    if (fd >= 0) {
        int saved = errno;
        /* Linux frees the descriptor even on EINTR; there is nothing to retry. */
        close(fd);
        errno = saved;
    }
    return -1;
}
