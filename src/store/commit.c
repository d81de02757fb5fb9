/* Group commit: everything that waits goes to disk in one transaction of one job.
 *
 * Each change has a savepoint of its own: a constraint that it breaks fails that change alone. What
 * the disk refuses fails the whole batch. */
#include "base/log.h"
#include "base/mem.h"
#include "base/time.h"
#include "store/db.h"
#include <assert.h>
#include <stdlib.h>

/* Pages in the log from which it is checkpointed: after a quiet second, and at once. A checkpoint
 * waits for the disk, and the commits behind it wait too. */
#define CHECKPOINT_QUIET 256
#define CHECKPOINT_NOW 4096
#define QUIET_NS NSEC_PER_SEC

struct value {
    char type; /* s i b t, as in store_add */
    int64_t number;
    struct str bytes; /* p NULL: SQL NULL */
};

struct statement {
    const char *sql;
    struct value *values;
    int n;
};

struct store_txn {
    struct list link;
    struct arena arena;
    VEC(struct statement) statements;
    enum store_mode mode;
    struct err result;
    void (*done)(void *arg, struct err e);
    void *arg;
};

struct batch {
    struct list txns;
    bool durable;
};

struct store_txn *store_txn_new(void) {
    return NEW(struct store_txn);
}

struct store_txn *store_txn_free(struct store_txn *t) {
    if (t) {
        vec_done(&t->statements);
        arena_done(&t->arena);
        free(t);
    }
    return NULL;
}

static struct str keep(struct arena *a, struct str s) {
    return s.p ? str_n(arena_str(a, s), s.len) : STR_NONE;
}

void store_add(struct store_txn *t, const char *sql, const char *types, ...) {
    struct statement x = {.sql = sql, .n = (int)strlen(types)};
    va_list ap;
    x.values = arena_array(&t->arena, (size_t)x.n, sizeof(*x.values));
    va_start(ap, types);
    for (int i = 0; i < x.n; i++) {
        struct value *v = &x.values[i];
        v->type = types[i];
        if (v->type == 'i')
            v->number = va_arg(ap, int64_t);
        else if (v->type == 's')
            v->bytes = keep(&t->arena, str_of(va_arg(ap, const char *)));
        else if (v->type == 'b' || v->type == 't')
            v->bytes = keep(&t->arena, va_arg(ap, struct str));
        else
            abort(); /* a letter that does not exist: our bug */
    }
    va_end(ap);
    vec_push(&t->statements, x);
}

/* --- the job ------------------------------------------------------------------------------- */

static int bind(sqlite3_stmt *stmt, int column, const struct value *v) {
    if (v->type == 'i')
        return sqlite3_bind_int64(stmt, column, v->number);
    if (!v->bytes.p)
        return sqlite3_bind_null(stmt, column);
    if (v->type == 'b')
        return sqlite3_bind_blob64(stmt, column, v->bytes.p, v->bytes.len, SQLITE_STATIC);
    return sqlite3_bind_text64(stmt, column, v->bytes.p, v->bytes.len, SQLITE_STATIC, SQLITE_UTF8);
}

static struct err run(struct store *s, const struct statement *x) {
    sqlite3_stmt *stmt = NULL;
    struct err e = OK;
    TRY(store_prepare(s, x->sql, &stmt));
    if (sqlite3_bind_parameter_count(stmt) != x->n)
        return err_new(ERR_SYSTEM, "state database: %d values for: %s", x->n, x->sql);
    int rc = SQLITE_OK;
    for (int i = 0; i < x->n && rc == SQLITE_OK; i++)
        rc = bind(stmt, i + 1, &x->values[i]);
    if (rc == SQLITE_OK)
        while ((rc = sqlite3_step(stmt)) == SQLITE_ROW)
            ;
    if (rc != SQLITE_DONE)
        e = store_error(s, rc, x->sql);
    (void)sqlite3_reset(stmt); /* repeats the error of the step */
    (void)sqlite3_clear_bindings(stmt);
    return e;
}

/* Whether the failure is this change's own, so that the others can go on. */
static bool is_own(struct store *s) {
    int rc = sqlite3_errcode(s->db) & 0xff;
    bool disk = rc == SQLITE_FULL || rc == SQLITE_IOERR || rc == SQLITE_NOMEM ||
                rc == SQLITE_CORRUPT || rc == SQLITE_READONLY || rc == SQLITE_BUSY;
    return !disk && !sqlite3_get_autocommit(s->db);
}

static struct err run_txn(struct store *s, struct store_txn *t) {
    struct err e = store_exec(s, "SAVEPOINT change");
    for (size_t i = 0; i < t->statements.n && !err_failed(e); i++)
        e = run(s, &t->statements.items[i]);
    if (!err_failed(e))
        return store_exec(s, "RELEASE change");
    if (!is_own(s))
        return e;
    t->result = e;
    return store_exec(s, "ROLLBACK TO change; RELEASE change");
}

static struct err batch_run(struct store *s, struct batch *b) {
    /* Cannot change inside of a transaction, so it is set for each. */
    TRY(store_exec(s, b->durable ? "PRAGMA synchronous = FULL" : "PRAGMA synchronous = NORMAL"));
    TRY(store_exec(s, "BEGIN IMMEDIATE"));
    LIST_FOR (&b->txns, n)
        TRY(run_txn(s, CONTAINER_OF(n, struct store_txn, link)));
    return store_exec(s, "COMMIT");
}

static struct err batch_work(void *arg) {
    struct store *s = arg;
    struct err e = batch_run(s, s->batch);
    if (err_failed(e) && !sqlite3_get_autocommit(s->db))
        err_ignore(store_exec(s, "ROLLBACK")); /* the first error is the one to tell */
    return e;
}

static struct err checkpoint_work(void *arg) {
    struct store *s = arg;
    int rc = sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
    s->wal_pages = 0;
    return rc == SQLITE_OK ? OK : store_error(s, rc, "checkpoint");
}

/* --- the loop's side ----------------------------------------------------------------------- */

static void txn_done(struct store_txn *t, struct err e) {
    if (t->done)
        t->done(t->arg, e);
    else
        log_err(LOG_ERROR, e, "a change was not saved");
    (void)store_txn_free(t);
}

static void batch_done(void *arg, struct err result) {
    struct store *s = arg;
    struct batch *b = TAKE(s->batch);
    s->busy = false;
    s->batches++;
    store_pump(s); /* the disk need not wait for what is done below */
    for (struct list *n; (n = list_pop(&b->txns));) {
        struct store_txn *t = CONTAINER_OF(n, struct store_txn, link);
        struct err e = t->result;
        if (err_failed(result)) {
            err_free(e);
            e = err_new(err_kind(result), "%s", err_msg(result));
        }
        txn_done(t, e);
    }
    err_free(result);
    free(b);
}

static void checkpoint_done(void *arg, struct err e) {
    struct store *s = arg;
    s->busy = false;
    log_err(LOG_WARN, e, "the log stays longer than it should"); /* retried after a later commit */
    store_pump(s);
}

static void start_batch(struct store *s) {
    struct batch *b = NEW(struct batch);
    list_init(&b->txns);
    for (struct list *n; (n = list_pop(&s->waiting));) {
        struct store_txn *t = CONTAINER_OF(n, struct store_txn, link);
        b->durable |= t->mode == STORE_DURABLE;
        list_push(&b->txns, n);
    }
    s->batch = b;
    job_submit(s->loop, batch_work, batch_done, s);
}

static void start_checkpoint(struct store *s) {
    s->busy = true;
    job_submit(s->loop, checkpoint_work, checkpoint_done, s);
}

static void quiet(void *arg) {
    struct store *s = arg;
    s->quiet = timer_free(s->quiet);
    if (!s->busy && list_empty(&s->waiting))
        start_checkpoint(s);
}

void store_pump(void *arg) {
    struct store *s = arg;
    if (s->busy)
        return;
    s->quiet = timer_free(s->quiet);
    if (s->wal_pages > CHECKPOINT_NOW) {
        start_checkpoint(s);
    } else if (!list_empty(&s->waiting)) {
        s->busy = true;
        start_batch(s);
    } else if (s->wal_pages > CHECKPOINT_QUIET) {
        s->quiet = timer_new(s->loop, QUIET_NS, 0, quiet, s);
    }
}

static void pump_posted(void *arg) {
    struct store *s = arg;
    s->posted = false;
    store_pump(s);
}

void store_commit(struct store *s, struct store_txn *t, enum store_mode mode,
                  void (*done)(void *arg, struct err e), void *arg) {
    assert(s->loop);
    t->mode = mode;
    t->done = done;
    t->arg = arg;
    list_push(&s->waiting, &t->link);
    /* After the current callback, so that all it changes is one transaction. */
    if (!s->busy && !s->posted) {
        s->posted = true;
        loop_post(s->loop, pump_posted, s);
    }
}
