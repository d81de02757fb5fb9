/* Opening, the lock of the data root, loading, closing. */
#include "base/file.h"
#include "base/log.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include "store/db.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

#define LOCK_TEXT_MAX 32
/* Somebody may look at the database with other tools while the daemon runs. */
#define BUSY_TIMEOUT_MS 10000

struct store_row {
    sqlite3_stmt *stmt;
};

struct err store_error(struct store *s, int rc, const char *what) {
    int number = s->db ? sqlite3_system_errno(s->db) : 0;
    const char *said = s->db ? sqlite3_errmsg(s->db) : sqlite3_errstr(rc);
    switch (rc & 0xff) {
    case SQLITE_CONSTRAINT:
        return err_new(ERR_CONFLICT, "state database: %s: %s", what, said);
    case SQLITE_FULL:
        return err_errno(ENOSPC, "state database %s: %s", s->path, what);
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return err_new(ERR_SYSTEM,
                       "state database %s is damaged: %s: %s; restore it from a backup or move it "
                       "away to start with an empty one",
                       s->path, what, said);
    case SQLITE_IOERR:
    case SQLITE_CANTOPEN:
    case SQLITE_READONLY:
        if (number)
            return err_errno(number, "state database %s: %s: %s", s->path, what, said);
        break;
    default:
        break;
    }
    return err_new(ERR_SYSTEM, "state database %s: %s: %s", s->path, what, said);
}

struct err store_exec(struct store *s, const char *sql) {
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? OK : store_error(s, rc, "execute");
}

struct err store_prepare(struct store *s, const char *sql, sqlite3_stmt **ret) {
    sqlite3_stmt *stmt = map_getz(&s->statements, sql);
    if (!stmt) {
        int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL);
        if (rc != SQLITE_OK)
            return store_error(s, rc, sql);
        (void)map_set(&s->statements, str_of(sql), stmt);
    }
    *ret = stmt;
    return OK;
}

/* --- the lock ------------------------------------------------------------------------------ */

static struct err lock_held(int fd, const char *path) {
    char pid[LOCK_TEXT_MAX] = "";
    ssize_t n = pread(fd, pid, sizeof(pid) - 1, 0);
    struct str holder = str_trim(str_n(pid, n > 0 ? (size_t)n : 0));
    return err_new(ERR_CONFLICT, "%s is locked: another daemon (pid %.*s) uses this data root",
                   path, STR_ARG(holder.len ? holder : STR("unknown")));
}

static struct err lock_take(const char *data_root, int *ret_fd) {
    CLEAN_FREE
    char *path = path_join(data_root, "lock");
    char pid[LOCK_TEXT_MAX];
    CLEAN_FD
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return err_errno(errno, "open %s", path);
    if (flock(fd, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? lock_held(fd, path) : err_errno(errno, "lock %s", path);
    int n = snprintf(pid, sizeof(pid), "%d\n", (int)getpid());
    if (ftruncate(fd, 0) < 0 || pwrite(fd, pid, (size_t)n, 0) != n)
        return err_errno(errno ? errno : ENOSPC, "write %s", path);
    *ret_fd = TAKE_FD(fd);
    return OK;
}

/* --- open, close --------------------------------------------------------------------------- */

/* Of the file (sqlite.org/fileformat2.html, "WAL Format"): its head, and a page with its own. */
#define LOG_HEAD 32
#define LOG_PAGE (24 + 4096)
#define LOG_LIMIT INT64_C(4194304) /* journal_size_limit */

/* The log is checkpointed by commit.c when it is quiet, never inside of somebody's commit. */
static const char settings[] = "PRAGMA journal_mode = WAL;"
                               "PRAGMA wal_autocheckpoint = 0;"
                               "PRAGMA journal_size_limit = 4194304;"
                               "PRAGMA cache_size = -512;"
                               "PRAGMA temp_store = MEMORY;"
                               "PRAGMA trusted_schema = OFF;";

/* Blocks for what the log will have next, so that who removes something from a full disk can write
 * that down. Where the file system cannot, it goes without. */
static void log_reserve(struct store *s) {
    int64_t end = LOG_HEAD + (int64_t)s->wal_pages * LOG_PAGE;
    if (s->log_fd < 0 || end + STORE_LOG_RESERVE / 2 <= s->log_reserved)
        return;
    if (fallocate(s->log_fd, FALLOC_FL_KEEP_SIZE, end, STORE_LOG_RESERVE) == 0)
        s->log_reserved = end + STORE_LOG_RESERVE;
    else if (errno != ENOSPC)
        s->log_fd = fd_close(s->log_fd);
}

static int wal_grew(void *arg, sqlite3 *db UNUSED, const char *name UNUSED, int pages) {
    struct store *s = arg;
    if (pages < s->wal_pages) /* from its start again, and cut to its limit */
        s->log_reserved = MIN(s->log_reserved, LOG_LIMIT);
    s->wal_pages = pages;
    log_reserve(s);
    return SQLITE_OK;
}

static struct err db_open(struct store *s) {
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    int rc = sqlite3_open_v2(s->path, &s->db, flags, NULL);
    if (rc != SQLITE_OK)
        return store_error(s, rc, "open");
    (void)sqlite3_extended_result_codes(s->db, 1);
    (void)sqlite3_busy_timeout(s->db, BUSY_TIMEOUT_MS);
    TRY(store_exec(s, settings));
    (void)sqlite3_wal_hook(s->db, wal_grew, s);
    TRY(store_migrate(s));
    CLEAN_FREE char *log = mem_printf("%s-wal", s->path);
    s->log_fd = open(log, O_WRONLY | O_CLOEXEC);
    log_reserve(s);
    return OK;
}

static void store_free(struct store *s) {
    size_t at = 0;
    void *stmt;
    while (map_next(&s->statements, &at, NULL, &stmt))
        (void)sqlite3_finalize(stmt); /* repeats an error that was told before */
    map_done(&s->statements);
    int rc = sqlite3_close(s->db);
    if (rc != SQLITE_OK)
        log_error("state database %s: close: %s", s->path, sqlite3_errstr(rc));
    (void)fd_close(s->lock_fd);
    (void)fd_close(s->log_fd);
    free(s->path);
    free(s);
}

struct err store_open(const char *data_root, struct loop *loop, struct store **ret) {
    CLEAN_FREE
    char *dir = path_join(data_root, "store");
    TRYF(dir_make(data_root, 0710), "make the data root");
    TRYF(dir_make(dir, 0700), "make the store");
    int lock_fd = -1;
    TRY(lock_take(data_root, &lock_fd));
    struct store *s = NEW(struct store);
    s->loop = loop;
    s->lock_fd = lock_fd;
    s->log_fd = -1;
    s->path = path_join(dir, "corten.db");
    list_init(&s->waiting);
    struct err e = db_open(s);
    if (err_failed(e)) {
        store_free(s);
        return e;
    }
    *ret = s;
    return OK;
}

void store_close(struct store *s) {
    if (!s)
        return;
    /* The loop has stopped: its rounds are driven from here until the last done was called. */
    while (s->busy || s->posted || !list_empty(&s->waiting)) {
        loop_step(s->loop);
        if (s->busy)
            (void)nanosleep(&(struct timespec){.tv_nsec = NSEC_PER_MSEC / 5}, NULL);
    }
    s->quiet = timer_free(s->quiet);
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_TRUNCATE, NULL, NULL);
    if (rc != SQLITE_OK) /* nothing is lost: the next start reads the log */
        log_warn("state database %s: checkpoint: %s", s->path, sqlite3_errmsg(s->db));
    store_free(s);
}

/* --- load ---------------------------------------------------------------------------------- */

static struct err load_rows(struct store *s, sqlite3_stmt *stmt,
                            struct err (*row)(void *arg, struct store_row *r), void *arg) {
    struct store_row r = {stmt};
    int rc;
    while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
        TRY(row(arg, &r));
    return rc == SQLITE_DONE ? OK : store_error(s, rc, "read");
}

struct err store_load(struct store *s, const char *sql,
                      struct err (*row)(void *arg, struct store_row *r), void *arg) {
    assert(!s->busy); /* start-up only: the connection is the loop's */
    sqlite3_stmt *stmt = NULL;
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &stmt, NULL);
    if (rc != SQLITE_OK)
        return store_error(s, rc, "read");
    struct err e = load_rows(s, stmt, row, arg);
    (void)sqlite3_finalize(stmt); /* repeats the error of the step */
    return e;
}

const char *row_text(struct store_row *r, int column) {
    return (const char *)sqlite3_column_text(r->stmt, column);
}

struct str row_blob(struct store_row *r, int column) {
    const void *p = sqlite3_column_blob(r->stmt, column);
    int n = sqlite3_column_bytes(r->stmt, column);
    return str_n(p, p && n > 0 ? (size_t)n : 0);
}

int64_t row_int(struct store_row *r, int column) {
    return sqlite3_column_int64(r->stmt, column);
}

bool row_null(struct store_row *r, int column) {
    return sqlite3_column_type(r->stmt, column) == SQLITE_NULL;
}
