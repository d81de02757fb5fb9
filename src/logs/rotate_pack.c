/* rotate_pack.c - rotated files become compressed ones, while rotation goes on.
 *
 * Somebody else compresses (the monitor starts a program: logs_writer_pack), one file at a time,
 * into a file of its own. Names are this process's business alone: only it renames and removes, so
 * a rotation in between merely gives the file that is being compressed another number. */
#include "base/file.h"
#include "logs/packed.h"
#include "logs/writer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

/* Bytes that a compressed file holds; its own size when it has no index. */
static int64_t raw_size(const struct logs_writer *w, const char *name, const struct stat *st) {
    unsigned char h[PACKED_AT_PARTS];
    CLEAN_FD int fd = openat(w->dir_fd, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || pread(fd, h, sizeof(h), 0) != (ssize_t)sizeof(h) || h[0] != 0x1f ||
        h[PACKED_AT_FIELD] != 'C' || h[PACKED_AT_FIELD + 1] != 'T')
        return st->st_size;
    uint64_t raw = 0;
    for (size_t i = 8; i-- > 0;)
        raw = raw << 8 | h[PACKED_AT_RAW + i];
    return (int64_t)MIN(raw, (uint64_t)INT64_MAX);
}

void rotate_look(struct logs_writer *w) {
    char name[300];
    struct stat st;
    for (int i = 1; i < w->max_file; i++) {
        snprintf(name, sizeof(name), "%s.%d", w->name, i);
        if (fstatat(w->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0) {
            w->sizes[i] = st.st_size;
            w->forms[i] = FORM_PLAIN;
        }
        snprintf(name, sizeof(name), "%s.%d%s", w->name, i, PACKED_SUFFIX);
        if (!w->compress || fstatat(w->dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        if (w->forms[i] == FORM_PLAIN) {
            unlinkat(w->dir_fd, name, 0); /* its original was not removed: made once more */
            continue;
        }
        w->sizes[i] = raw_size(w, name, &st);
        w->forms[i] = FORM_PACKED;
    }
    if (w->compress) {
        snprintf(w->part, sizeof(w->part), "%s%s", w->name, PACKED_PART_SUFFIX);
        unlinkat(w->dir_fd, w->part, 0);
    }
}

enum step rotate_pack_choose(struct logs_writer *w) {
    if (!w->compress)
        return STEP_NONE;
    if (w->pack == PACK_DONE && (w->pack_index == 0 || w->ended))
        w->pack = PACK_IDLE; /* the next one overwrites what was made */
    if (w->pack == PACK_DONE)
        return STEP_PACK_RENAME;
    if (w->pack == PACK_NAMED)
        return STEP_PACK_REMOVE;
    if (w->pack != PACK_IDLE || w->ended || w->reopen)
        return STEP_NONE;
    for (int i = 1; i < w->max_file; i++)
        if (w->forms[i] == FORM_PLAIN) {
            w->pack_index = i;
            return STEP_PACK_OPEN;
        }
    return STEP_NONE;
}

void rotate_pack_finish(struct logs_writer *w, int result) {
    enum step s = w->step;
    w->step = STEP_NONE;
    if (result == -EINTR || result == -EAGAIN)
        return; /* chosen again */
    if (result < 0) {
        w->pack = PACK_FAILED;
        return;
    }
    if (s == STEP_PACK_OPEN) {
        w->pack_fd = result;
        w->pack = PACK_READY;
    } else if (s == STEP_PACK_RENAME) {
        w->pack = PACK_NAMED;
    } else {
        w->forms[w->pack_index] = FORM_PACKED;
        w->pack = PACK_IDLE;
    }
}

bool logs_writer_pack(struct logs_writer *w, struct logs_pack *ret) {
    if (w->pack != PACK_READY)
        return false;
    w->pack = PACK_RUNNING;
    *ret =
        (struct logs_pack){.source_fd = TAKE_FD(w->pack_fd), .dir_fd = w->dir_fd, .name = w->part};
    return true;
}

void logs_writer_packed(struct logs_writer *w, bool done) {
    if (w->pack != PACK_RUNNING)
        return;
    w->pack = done ? PACK_DONE : PACK_FAILED;
    rotate_step(w);
}
