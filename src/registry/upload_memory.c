/* See upload_memory.h. */
#include "registry/upload_memory.h"
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/sha256.h"
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOCATION_MAX 16384

static void file_name(const struct registry *r, const char *digest, char out[65]) {
    CLEAN_FREE char *text = mem_printf("%s/%s@%s", r->shown, r->path, digest);
    struct digest d;
    digest_of(str_of(text), &d);
    digest_hex(&d, out);
}

static void forget_old(int dir_fd) {
    int copy = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    const struct dirent *x;
    struct stat st;
    if (!d)
        fd_close(copy);
    while (d && (x = readdir(d)) != NULL)
        if (x->d_name[0] != '.' && fstatat(dir_fd, x->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
            st.st_mtime + UPLOAD_KEEP < time(NULL))
            (void)unlinkat(dir_fd, x->d_name, 0);
    if (d)
        closedir(d);
}

int upload_memory_open(int root_fd) {
    (void)mkdirat(root_fd, "upload", 0700); /* it may be there */
    int fd = openat(root_fd, "upload", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd >= 0)
        forget_old(fd);
    return fd;
}

void upload_remember(int dir_fd, const struct registry *r, const char *digest,
                     const char *location) {
    char name[65];
    if (dir_fd < 0 || !location)
        return;
    file_name(r, digest, name);
    log_err(LOG_DEBUG, file_replace_at(dir_fd, name, str_of(location), 0600, false),
            "remember an upload");
}

char *upload_recall(int dir_fd, const struct registry *r, const char *digest) {
    CLEAN_BUF struct buf text = {0};
    char name[65];
    if (dir_fd < 0)
        return NULL;
    file_name(r, digest, name);
    struct err e = file_read_at(dir_fd, name, LOCATION_MAX, &text);
    bool there = !err_failed(e) && text.len > 0;
    err_ignore(e); /* then it is begun anew */
    return there ? str_dup(buf_str(&text)) : NULL;
}

void upload_forget(int dir_fd, const struct registry *r, const char *digest) {
    char name[65];
    if (dir_fd < 0)
        return;
    file_name(r, digest, name);
    (void)unlinkat(dir_fd, name, 0);
}
