/* kernel/uring.h - io_uring(7) for one operation at a time, without threads of ours.
 *
 * For a single-threaded program that must not wait for a disk: the operation is handed to the
 * kernel, the descriptor becomes readable when its result is there. Needs Linux 5.11; where the
 * kernel or a sysctl refuses it, uring_new gives NULL and the caller makes plain calls. Strings and
 * buffers are borrowed until the result came. Tests: test/unit/kernel, test/unit/logs.
 */
#pragma once
#include "base/attr.h"
#include <sys/types.h>

struct uring;
struct uring *uring_new(void); /* NULL: not available here */
/* NULL allowed. An operation under way is left to the kernel: its buffers must outlive it, so only
 * a program that ends may free a busy ring. */
struct uring *uring_free(struct uring *u);
int uring_fd(const struct uring *u); /* for poll: readable when uring_result has one */
bool uring_busy(const struct uring *u);
/* Start an operation; none may be under way. 0 or -errno when it could not be handed over. */
int uring_append(struct uring *u, int fd, const void *p,
                 size_t n); /* write(2) at the file's position */
int uring_rename(struct uring *u, int dirfd, const char *from, const char *to);
int uring_unlink(struct uring *u, int dirfd, const char *name);
int uring_open(struct uring *u, int dirfd, const char *name, int flags, mode_t mode);
struct open_how;
struct statx;
/* openat2(2) without waiting for the file system; statx(2) of an O_PATH descriptor (all basic
 * fields).
 */
int uring_open_how(struct uring *u, int dirfd, const char *path, const struct open_how *how);
int uring_statx(struct uring *u, int fd, struct statx *ret);
/* Takes the result (as the system call's, -errno on failure) of the operation under way; false: not
 * yet. */
bool uring_result(struct uring *u, int *ret_result);
