/* reader.h - one reader of a log; private to logs/.
 *
 * A state machine that never waits for its client, so that one process serves many: each step reads
 * at most a block of the log, which may wait for the disk, and sends what the socket takes. */
#pragma once
#include "logs/files.h"

enum reader_phase {
    READER_BEGIN,
    READER_EXISTING, /* what was there when it came */
    READER_LOOK,     /* is there a newer file */
    READER_ADDED,    /* what was added since */
    READER_WAIT,     /* for more */
    READER_END,
    READER_OVER,
};
enum reader_wants {
    READER_WANTS_TURN,    /* call again soon */
    READER_WANTS_WRITE,   /* the client's socket is full */
    READER_WANTS_WAKE,    /* reader_woken when the log grew, or after reader_timeout */
    READER_WANTS_NOTHING, /* it is over: reader_done */
};

struct reader {
    int client, dir_fd; /* owned */
    struct json *args;
    const char *name;
    bool attach; /* a hijacked stream that goes on elsewhere */
    bool follow, streams[2], timestamps, details, multiplexed;
    int64_t since, until; /* 0: none */
    enum reader_phase phase;
    struct files files; /* that existed, newest first */
    size_t left;        /* of them */
    off_t first_offset; /* in the first of them */
    struct file file;   /* being read */
    struct file next;   /* fd -1: none is known */
    off_t offset;       /* of what goes into `in` next */
    off_t limit;        /* -1: to the end */
    struct buf in, out, text;
    size_t sent; /* bytes of out */
    bool sealed; /* out is complete and on its way */
    struct logs_record record;
    bool log_ended;  /* nothing is added any more */
    bool past_until; /* a record after `until` was met: the end */
    bool gone;       /* the client */
};

/* Takes the descriptors over. After an error the client was answered; reader_done in any case. */
struct err reader_init(struct reader *r, int client, int dir_fd, struct str args);
struct err reader_step(struct reader *r, enum reader_wants *ret);
void reader_woken(struct reader *r, bool log_ended);
int reader_timeout(const struct reader *r); /* ms until `until`; -1: none */
void reader_done(struct reader *r);
