/* files.h - the files of one log, newest first; private to logs/.
 *
 * The writer shifts names upwards (name → name.1 → name.2 …) while a reader looks. The reader opens
 * in the same direction, so a file can be met twice but never be missed; twice is seen by the
 * inode. A compressed file takes its original's place; that they are the same is seen by the head
 * of what was written. */
#pragma once
#include "base/vec.h"
#include "logs/logs.h"
#include "logs/packed.h"
#include <sys/stat.h>

#define FILES_MAX 1000 /* of one log: the limit of max-file */

struct file {
    int fd;
    dev_t dev;
    ino_t ino;
    off_t size;            /* when it was opened; of a compressed one that of the original */
    struct packed *packed; /* NULL: it is not compressed */
    bool told;             /* tells is known */
    uint64_t tells;        /* of packed_tell */
};
struct files VEC_BODY(struct file);
void file_done(struct file *f);
void files_done(struct files *f);
/* As pread(2) of what was written into it. */
struct err file_pread(const struct file *f, void *to, size_t n, off_t offset, size_t *ret_n);
/* Nothing in it is of `since` or later; only asked of files that nobody writes any more. */
bool file_before(const struct file *f, int64_t since);
/* All files that exist. None: success with n == 0. */
struct err files_open(int dir_fd, const char *name, struct files *ret);
/* The file that was begun after `current` was rotated away; *ret_fd is -1 while current is the
 * newest. */
struct err files_next(int dir_fd, const char *name, struct file *current, struct file *ret);
/* Where the last n records of all files begin: *ret_index (into f) and *ret_offset. */
struct err files_tail(const struct files *f, uint64_t n, size_t *ret_index, off_t *ret_offset);
