/* db.h - what the files of store/ share. Private.
 *
 * The connection is opened without SQLite's mutexes: it belongs to the loop thread while busy is
 * false and to the one running job while busy is true; the job pool's hand-over orders the two. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"
#include "base/list.h"
#include "base/map.h"
#include "base/vec.h"
#include "store/store.h"
#include <sqlite3.h>

struct store {
    struct loop *loop;
    sqlite3 *db;
    char *path;
    int lock_fd;
    struct map statements; /* SQL text → sqlite3_stmt *, prepared once */
    struct list waiting;   /* struct store_txn: handed over, not in a batch yet */
    struct batch *batch;   /* in the job; NULL: none */
    bool busy;             /* a job has the connection */
    bool posted;           /* store_pump is on its way */
    int log_fd;            /* of the log, for its reserve; -1: it gets none */
    int64_t log_reserved;  /* its blocks are there up to this offset */
    int wal_pages;         /* in the log after the last commit; set by the job */
    struct timer *quiet;   /* checkpoints when nothing comes for a while */
    uint64_t batches;      /* transactions so far */
};

/* ERR_* of a failed call, with the database's own message and the path. */
struct err store_error(struct store *s, int rc, const char *what);
struct err store_exec(struct store *s, const char *sql);
/* The cached statement, reset. Errors are those of our own SQL: ERR_SYSTEM. */
struct err store_prepare(struct store *s, const char *sql, sqlite3_stmt **ret);

/* commit.c: takes what waits into a batch and starts the job. */
void store_pump(void *arg);
/* schema.c: brings the database to the newest version; ERR_UNSUPPORTED when it is newer. */
struct err store_migrate(struct store *s);
