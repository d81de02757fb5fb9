/* file.h - whole files and directories of *our own* state (paths that we made).
 * Never for paths that a container, image or client controls: see kernel/beneath.h for those.
 * Every descriptor is O_CLOEXEC. */
#pragma once
#include "base/buf.h"

/* Reads the whole file; longer than max bytes is an error. ENOENT gives ERR_NOT_FOUND. */
struct err file_read(const char *path, size_t max, struct buf *ret);
struct err file_read_at(int dirfd, const char *path, size_t max, struct buf *ret);
/* For proc and sys files and cgroups: one write(2), no O_CREAT. */
struct err file_write_at(int dirfd, const char *path, struct str text);
/* New contents for a file that is there, in the same inode: it may be mounted somewhere. */
struct err file_rewrite_at(int dirfd, const char *path, struct str text);
/* Atomic replace: temp, write, fsync when durable, rename, fsync of the directory when durable. */
struct err file_replace(const char *path, struct str text, int mode, bool durable);
struct err file_replace_at(int dirfd, const char *name, struct str text, int mode, bool durable);
/* mkdir -p; existing directories are left as they are. */
struct err dir_make(const char *path, int mode);
/* Opens an own directory O_PATH-less (O_RDONLY|O_DIRECTORY). */
struct err dir_open(const char *path, int *ret_fd);
/* rm -rf below dirfd without following links or crossing into other mounts; missing is success.
 * Runs without recursion depth limits (no recursion over input). */
struct err dir_remove(int dirfd, const char *name);
/* Which names are in directory `name` (of dirfd) is on the disk when this returns. What has to come
 * before a row goes that said "to be removed": a row is committed by fdatasync, which need not take
 * along what was removed before it. */
struct err dir_sync(int dirfd, const char *name);
/* Loops over EINTR and short writes. Returns 0 or -errno. */
int fd_write_all(int fd, const void *p, size_t n);
/* For a file that is written from its start and fsynced at its end: called after each write with
 * the bytes before and after it, hands every FD_FLUSH_STEP to the disk without waiting. */
#define FD_FLUSH_STEP (8u << 20)
void fd_flush_on(int fd, uint64_t before, uint64_t after);
/* Reads until EOF or n bytes; returns the count or -errno. */
ssize_t fd_read_all(int fd, void *p, size_t n);
/* Reads until EOF into b (b->max honoured: overflow is set). Returns 0 or -errno. */
int fd_read_buf(int fd, struct buf *b);
struct err fd_set_nonblock(int fd, bool on);
/* Makes sure that descriptors 0, 1 and 2 are open (on /dev/null); call first in every main. */
void fd_sanitize_std(void);
/* How many descriptors this process has open. */
int64_t fd_count(void);
