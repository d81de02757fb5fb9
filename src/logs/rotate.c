/* rotate.c - the back buffer to the disk: write, mark a gap, rotate; one operation at a time.
 *
 * Each operation is started (by io_uring or a plain call) and its result taken, at once or when the
 * ring's descriptor becomes readable; what follows depends on the result alone, so both ways share
 * the code. */
#include "base/file.h"
#include "base/mem.h"
#include "base/time.h"
#include "logs/packed.h"
#include "logs/writer.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_MODE 0640
#define OPEN_FLAGS (O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC)

struct err rotate_open_first(struct logs_writer *w) {
    w->fd = openat(w->dir_fd, w->name, OPEN_FLAGS | O_NOFOLLOW, LOG_MODE);
    if (w->fd < 0)
        return err_errno(errno, "open log file '%s'", w->name);
    struct stat st;
    if (fstat(w->fd, &st) < 0)
        return err_errno(errno, "stat log file '%s'", w->name);
    if (!S_ISREG(st.st_mode))
        return err_new(ERR_INVALID, "log file '%s' is not a regular file", w->name);
    w->size = st.st_size;
    w->sizes = NEW_ARRAY((size_t)w->max_file + 1, int64_t);
    w->forms = NEW_ARRAY((size_t)w->max_file + 1, enum form);
    rotate_look(w);
    return OK;
}

static void count_removed(struct logs_writer *w, int64_t size) {
    if (size <= 0)
        return;
    w->missing.removed_files++;
    w->missing.removed_bytes += (uint64_t)size;
}

static struct half *back(struct logs_writer *w) {
    return &w->halves[!w->front];
}

static uint64_t count_records(const char *p, size_t n) {
    uint64_t count = 0;
    for (const char *end = p + n; (p = memchr(p, '\n', (size_t)(end - p))) != NULL; p++) {
        count++;
        if (p + 1 == end)
            break;
    }
    return count;
}

/* A record that was cut by a full disk is taken back, so that the file ends with a whole one. */
static void heal(struct logs_writer *w, size_t excess, int errnum) {
    if (excess == 0)
        return;
    struct stat st;
    bool full = errnum == ENOSPC || errnum == EDQUOT || errnum == EFBIG;
    if (full && fstat(w->fd, &st) == 0 && st.st_size >= (off_t)excess &&
        ftruncate(w->fd, st.st_size - (off_t)excess) == 0)
        w->size = st.st_size - (off_t)excess;
    else
        w->torn = true;
}

/* Bytes of the record that the last write ended in. */
static size_t cut_record(const char *data, size_t done) {
    size_t start = done;
    while (start > 0 && data[start - 1] != '\n')
        start--;
    return done - start;
}

/* The disk refused: what is left of the back buffer is dropped and counted. */
static void drop_back(struct logs_writer *w, int errnum) {
    struct half *b = back(w);
    heal(w, cut_record(b->data, w->done), errnum);
    writer_count_lost(w, count_records(b->data + w->done, b->len - w->done));
    w->lost_errno = errnum;
    w->settled += b->len - w->done;
    b->len = w->done = 0;
}

static void make_mark(struct logs_writer *w) {
    CLEAN_BUF struct buf record = {0};
    if (w->torn)
        buf_addc(&record, '\n');
    if (w->lost > 0) {
        char text[200];
        int n = snprintf(text, sizeof(text), "corten: %llu log records are missing here: %s",
                         (unsigned long long)w->lost,
                         w->lost_errno     ? strerror(w->lost_errno)
                         : w->non_blocking ? "the buffer of mode=non-blocking was full"
                                           : "the disk was too slow");
        logs_format(&record, LOGS_STDERR, str_n(text, MIN((size_t)n, sizeof(text) - 1)), true,
                    time_now());
    }
    w->mark_len = MIN(record.len, sizeof(w->mark));
    memcpy(w->mark, record.data, w->mark_len);
    w->mark_done = 0;
}

/* The file is full; an external truncation may have emptied it meanwhile. */
static bool rotation_due(struct logs_writer *w) {
    if (w->max_size <= 0 || w->size < w->max_size)
        return false;
    struct stat st;
    if (fstat(w->fd, &st) == 0 && st.st_size < w->max_size) {
        w->size = st.st_size;
        return false;
    }
    return true;
}

/* End of the records that go into this file: the one that fills it is the last, as with the peer.
 */
static size_t slice_end(const struct logs_writer *w, const struct half *b) {
    if (w->max_size <= 0)
        return b->len;
    size_t budget = (size_t)(w->max_size - w->size);
    if (b->len - w->done <= budget)
        return b->len;
    const char *nl = memchr(b->data + w->done + budget - 1, '\n', b->len - w->done - budget + 1);
    return nl ? (size_t)(nl - b->data) + 1 : b->len;
}

/* Chooses the next operation; STEP_NONE: nothing to do. */
static enum step choose(struct logs_writer *w) {
    struct half *b = back(w);
    enum step pack = rotate_pack_choose(w);
    if (pack != STEP_NONE)
        return pack;
    if (w->done >= b->len) {
        b->len = w->done = 0;
        if (w->halves[w->front].len == 0)
            return STEP_NONE;
        w->front = !w->front;
        b = back(w);
        if (w->reopen)
            return STEP_OPEN; /* once per buffer */
    }
    if (rotation_due(w)) {
        w->shift = w->max_file - 1;
        if (w->compress && w->forms[w->shift] != FORM_NONE)
            return STEP_DROP; /* a rename replaces only what has the same name */
        return w->max_file > 1 ? STEP_SHIFT : STEP_REMOVE;
    }
    if (w->lost > 0 || w->torn) {
        make_mark(w);
        return STEP_MARK;
    }
    w->end = slice_end(w, b);
    return STEP_WRITE;
}

static const char *suffix(const struct logs_writer *w, int index) {
    return w->forms[index] == FORM_PACKED ? PACKED_SUFFIX : "";
}

/* What a step works on. */
static void set_names(struct logs_writer *w) {
    int i = w->step == STEP_SHIFT ? w->shift - 1 : w->step == STEP_DROP ? w->shift : w->pack_index;
    if (w->step == STEP_PACK_RENAME)
        snprintf(w->from, sizeof(w->from), "%s", w->part);
    else if (i > 0)
        snprintf(w->from, sizeof(w->from), "%s.%d%s", w->name, i, suffix(w, i));
    else
        snprintf(w->from, sizeof(w->from), "%s", w->name);
    if (w->step == STEP_PACK_RENAME)
        snprintf(w->to, sizeof(w->to), "%s.%d%s", w->name, i, PACKED_SUFFIX);
    else
        snprintf(w->to, sizeof(w->to), "%s.%d%s", w->name, w->shift, suffix(w, i));
}

static bool is_rename(enum step s) {
    return s == STEP_SHIFT || s == STEP_PACK_RENAME;
}

static bool is_removal(enum step s) {
    return s == STEP_REMOVE || s == STEP_DROP || s == STEP_PACK_REMOVE;
}

static int plain_result(ssize_t r) {
    return r < 0 ? -errno : (int)r;
}

/* Starts the operation of w->step. True: *ret is its result already. */
static bool start(struct logs_writer *w, int *ret) {
    struct half *b = back(w);
    const char *bytes = w->step == STEP_MARK ? w->mark + w->mark_done : b->data + w->done;
    size_t n = w->step == STEP_MARK ? w->mark_len - w->mark_done : MIN(w->end - w->done, 1u << 30);
    set_names(w);
    bool pack_open = w->step == STEP_PACK_OPEN;
    const char *path = pack_open ? w->from : w->name;
    int flags = pack_open ? O_RDONLY | O_NOFOLLOW | O_CLOEXEC : OPEN_FLAGS;
    int refused = -1;
    if (w->ring != NULL) {
        if (w->step == STEP_WRITE || w->step == STEP_MARK)
            refused = uring_append(w->ring, w->fd, bytes, n);
        else if (is_rename(w->step))
            refused = uring_rename(w->ring, w->dir_fd, w->from, w->to);
        else if (is_removal(w->step))
            refused = uring_unlink(w->ring, w->dir_fd, w->from);
        else
            refused = uring_open(w->ring, w->dir_fd, path, flags, LOG_MODE);
    }
    if (refused == 0)
        return uring_result(w->ring, ret);
    if (w->step == STEP_WRITE || w->step == STEP_MARK)
        *ret = plain_result(write(w->fd, bytes, n));
    else if (is_rename(w->step))
        *ret = plain_result(renameat(w->dir_fd, w->from, w->dir_fd, w->to));
    else if (is_removal(w->step))
        *ret = plain_result(unlinkat(w->dir_fd, w->from, 0));
    else
        *ret = plain_result(openat(w->dir_fd, path, flags, LOG_MODE));
    return true;
}

static void finish_write(struct logs_writer *w, int result) {
    w->step = STEP_NONE;
    if (result > 0) {
        w->done += (size_t)result;
        w->settled += (size_t)result;
        w->size += result;
        w->grew = true;
        w->lost_errno = 0;
    } else if (result != -EINTR && result != -EAGAIN) {
        drop_back(w, result < 0 ? -result : ENOSPC);
    }
}

static void finish_mark(struct logs_writer *w, int result) {
    if (result > 0) {
        w->mark_done += (size_t)result;
        w->size += result;
        if (w->mark_done < w->mark_len)
            return; /* the rest of it */
        w->lost = 0;
        w->torn = false;
        w->grew = true;
        w->step = STEP_NONE;
    } else if (result != -EINTR && result != -EAGAIN) {
        heal(w, w->mark_done, -result);
        w->step = STEP_NONE;
        drop_back(w, result < 0 ? -result : ENOSPC);
    }
}

static void finish_shift(struct logs_writer *w, int result) {
    if (result < 0 && result != -ENOENT && w->shift == 1) {
        w->size = 0; /* goes on in the same file; tried again a file's size later */
        w->step = STEP_NONE;
        return;
    }
    int64_t moved = w->shift == 1 ? w->size : w->sizes[w->shift - 1];
    if (result == 0) {
        count_removed(w, w->sizes[w->shift]); /* what was renamed over */
        w->sizes[w->shift] = moved;
        w->forms[w->shift] = w->shift > 1 ? w->forms[w->shift - 1] : FORM_PLAIN;
        if (w->shift > 1) {
            w->sizes[w->shift - 1] = 0;
            w->forms[w->shift - 1] = FORM_NONE;
            if (w->pack_index == w->shift - 1)
                w->pack_index = w->shift;
        }
    }
    if (--w->shift == 0)
        w->step = STEP_OPEN;
}

static void finish_drop(struct logs_writer *w, int result) {
    w->step = STEP_SHIFT;
    if (result < 0 && result != -ENOENT)
        return; /* it is replaced, or stays beside its successor: readers go by the plain one */
    if (result == 0)
        count_removed(w, w->sizes[w->shift]);
    w->sizes[w->shift] = 0;
    w->forms[w->shift] = FORM_NONE;
    if (w->pack_index == w->shift)
        w->pack_index = 0;
}

static void finish_open(struct logs_writer *w, int result) {
    if (result >= 0) {
        fd_close(w->fd);
        w->fd = result;
    }
    w->reopen = result < 0; /* until then the renamed file is written */
    w->size = 0;
    w->step = STEP_NONE;
    if (w->pack == PACK_FAILED)
        w->pack = PACK_IDLE;
}

static void finish(struct logs_writer *w, int result) {
    switch (w->step) {
    case STEP_WRITE:
        finish_write(w, result);
        break;
    case STEP_MARK:
        finish_mark(w, result);
        break;
    case STEP_SHIFT:
        finish_shift(w, result);
        break;
    case STEP_REMOVE:
        if (result == 0)
            count_removed(w, w->size);
        w->step = STEP_OPEN;
        break;
    case STEP_OPEN:
        finish_open(w, result);
        break;
    case STEP_DROP:
        finish_drop(w, result);
        break;
    case STEP_PACK_OPEN:
    case STEP_PACK_RENAME:
    case STEP_PACK_REMOVE:
        rotate_pack_finish(w, result);
        break;
    case STEP_NONE:
        break;
    }
}

void rotate_step(struct logs_writer *w) {
    int result;
    if (w->step != STEP_NONE) { /* under way */
        if (!uring_result(w->ring, &result))
            return;
        finish(w, result);
    }
    for (;;) {
        if (w->step == STEP_NONE)
            w->step = choose(w);
        if (w->step == STEP_NONE || !start(w, &result))
            return;
        finish(w, result);
    }
}
