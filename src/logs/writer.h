/* writer.h - the state of a log writer; private to logs/. writer.c fills the front buffer, rotate.c
 * moves the back one to the disk, one operation at a time. */
#pragma once
#include "kernel/uring.h"
#include "logs/format.h"

#define WRITER_FULL \
    (256u << 10) /* waiting bytes at which the source is to be held: fits the cache */
/* Of a half. Worst case on top of that: a read of 64 KiB of empty lines becomes 4.7 MB of records,
 * and more with attributes. */
#define WRITER_BUFFER ((size_t)16 << 20)

enum step {
    STEP_NONE,
    STEP_WRITE,  /* records of the back buffer */
    STEP_MARK,   /* the record about a gap */
    STEP_SHIFT,  /* name.(shift-1) becomes name.shift */
    STEP_REMOVE, /* max_file is 1: the only file goes */
    STEP_OPEN,   /* the new file */
    /* With compress: */
    STEP_DROP,        /* the oldest goes before the others move up */
    STEP_PACK_OPEN,   /* the file that is to be compressed */
    STEP_PACK_RENAME, /* the compressed one gets its name */
    STEP_PACK_REMOVE, /* then the original goes */
};

enum form { FORM_NONE, FORM_PLAIN, FORM_PACKED }; /* of an older file */

enum pack_state {
    PACK_IDLE,
    PACK_READY,   /* pack_fd waits for somebody who compresses it */
    PACK_RUNNING, /* somebody does */
    PACK_DONE,    /* has done it */
    PACK_NAMED,   /* the original is still there */
    PACK_FAILED,  /* tried again when the next file is full */
};

struct logs_writer {
    bool discard; /* driver "none" */
    int dir_fd, fd;
    char *name;
    int64_t max_size, size; /* size: what the file holds, as far as we wrote it */
    int max_file;
    struct uring *ring; /* NULL: plain calls */
    void *area;
    size_t area_size, half_size;
    bool non_blocking;
    struct str attrs;            /* in area */
    struct format_tail tails[2]; /* of this read; of the first piece of a long line */
    struct half {
        char *data;
        size_t len;
    } halves[2];
    int front;
    struct carry { /* an unfinished line */
        unsigned char *bytes;
        size_t n;
        bool partial; /* pieces of it were written already */
        int64_t partial_at;
    } carries[2];
    enum step step;
    size_t done, end; /* of the back buffer: written; end of the slice under way */
    size_t mark_done; /* of the mark */
    int shift;
    bool reopen; /* the file was renamed, the new one could not be opened yet */
    bool torn;   /* the file may end inside a record: a newline goes first */
    bool grew;
    uint64_t lost; /* records dropped since the last mark */
    int lost_errno;
    struct logs_missing missing;
    uint64_t accepted, settled; /* bytes of records: taken; written or given up */
    int64_t *sizes;             /* of the older files, by number; [max_file] */
    bool compress, ended;       /* ended: nothing is begun any more */
    enum form *forms;           /* [max_file] */
    enum pack_state pack;
    int pack_index; /* number that the file has now; 0: rotation has removed it meanwhile */
    int pack_fd;
    char part[272]; /* name of the file that is being made */
    char mark[384];
    size_t mark_len;
    char from[272], to[272]; /* names of a shift */
};

struct err rotate_open_first(struct logs_writer *w);
/* Goes on as far as possible without waiting. */
void rotate_step(struct logs_writer *w);

/* --- compressing (rotate_pack.c) --- */
/* The forms of the older files; mends what an end in the middle left. */
void rotate_look(struct logs_writer *w);
/* The next operation, STEP_NONE: nothing to do. */
enum step rotate_pack_choose(struct logs_writer *w);
void rotate_pack_finish(struct logs_writer *w, int result);
void writer_count_lost(struct logs_writer *w, uint64_t records);
