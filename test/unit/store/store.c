#include "store/store.h"
#include "base/file.h"
#include "base/path.h"
#include "base/time.h"
#include "store/db.h"
#include "test.h"
#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

/* A data root of its own, on disk (fsync must mean something). */
struct root {
    char path[64];
    struct loop *loop;
    struct store *store;
};

static void root_open(struct root *r) {
    assert_ok(store_open(r->path, r->loop, &r->store));
}

static void root_init(struct root *r) {
    snprintf(r->path, sizeof(r->path), "/var/tmp/corten-store-XXXXXX");
    assert_non_null(mkdtemp(r->path));
    r->loop = loop_new();
    root_open(r);
}

static void root_done(struct root *r) {
    store_close(r->store);
    loop_free(r->loop);
    int at = open("/var/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_ok(dir_remove(at, strrchr(r->path, '/') + 1));
    close(at);
}

struct outcome {
    int called, failed;
    enum err_kind kind;
    char message[256];
};

static void note(void *arg, struct err e) {
    struct outcome *o = arg;
    o->called++;
    o->failed += err_failed(e);
    o->kind = err_kind(e);
    snprintf(o->message, sizeof(o->message), "%s", err_msg(e));
    err_free(e);
}

static void wait_for(struct root *r, const struct outcome *o, int calls) {
    int64_t end = time_monotonic() + 20 * NSEC_PER_SEC;
    while (o->called < calls && time_monotonic() < end)
        loop_step(r->loop);
    assert_int_equal(o->called, calls);
}

static struct store_txn *put(const char *key, const char *value) {
    struct store_txn *t = store_txn_new();
    store_add(t, "INSERT INTO meta (key, value) VALUES (?, ?)", "ss", key, value);
    return t;
}

static struct err count_row(void *arg, struct store_row *r) {
    *(int64_t *)arg = row_int(r, 0);
    return OK;
}

static int64_t count(struct root *r) {
    int64_t n = -1;
    assert_ok(store_load(r->store, "SELECT count(*) FROM meta", count_row, &n));
    return n;
}

TEST(changes_survive_a_close) {
    struct root r;
    struct outcome o = {0};
    root_init(&r);
    store_commit(r.store, put("a", "1"), STORE_DURABLE, note, &o);
    assert_int_equal(o.called, 0); /* never before it returns */
    store_commit(r.store, put("b", NULL), STORE_LAZY, note, &o);
    store_close(r.store);
    assert_int_equal(o.called, 2); /* close commits what waits */
    assert_int_equal(o.failed, 0);
    root_open(&r);
    assert_int_equal(count(&r), 2);
    root_done(&r);
}

static struct err value_row(void *arg, struct store_row *row) {
    int *seen = arg;
    assert_string_equal(row_text(row, 0), "k");
    assert_int_equal(row_int(row, 1), INT64_MIN);
    assert_true(str_eq(row_blob(row, 2), str_n("a\0b", 3)));
    assert_true(row_null(row, 3) && !row_text(row, 3));
    assert_true(str_eqz(row_blob(row, 4), "text"));
    assert_true(row_null(row, 5) && row_blob(row, 5).len == 0);
    (*seen)++;
    return OK;
}

TEST(all_value_types_round_trip) {
    struct root r;
    struct outcome o = {0};
    int seen = 0;
    root_init(&r);
    struct store_txn *t = store_txn_new();
    char key[] = "k";
    store_add(t, "CREATE TABLE x (a, b, c, d, e, f)", "");
    store_add(t, "INSERT INTO x VALUES (?, ?, ?, ?, ?, ?)", "sibstb", key, INT64_MIN,
              str_n("a\0b", 3), NULL, STR("text"), STR_NONE);
    key[0] = '!'; /* values are copied */
    store_commit(r.store, t, STORE_LAZY, note, &o);
    wait_for(&r, &o, 1);
    assert_string_equal(o.message, "");
    assert_ok(store_load(r.store, "SELECT * FROM x", value_row, &seen));
    assert_int_equal(seen, 1);
    root_done(&r);
}

TEST(a_thousand_lazy_changes_are_few_transactions) {
    struct root r;
    struct outcome o = {0};
    char key[16];
    root_init(&r);
    int64_t begin = time_monotonic();
    for (int i = 0; i < 1000; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        store_commit(r.store, put(key, "v"), STORE_LAZY, note, &o);
    }
    wait_for(&r, &o, 1000);
    assert_int_equal(o.failed, 0);
    assert_true(r.store->batches <= 2);
    assert_true(time_monotonic() - begin < 5 * NSEC_PER_SEC);
    assert_int_equal(count(&r), 1000);
    root_done(&r);
}

TEST(a_broken_constraint_fails_its_own_change_only) {
    struct root r;
    struct outcome first = {0}, broken = {0}, last = {0};
    root_init(&r);
    store_commit(r.store, put("a", "1"), STORE_LAZY, note, &first);
    struct store_txn *t = put("b", "1"); /* undone together with what breaks */
    store_add(t, "INSERT INTO meta (key, value) VALUES (?, ?)", "ss", "a", "2");
    store_commit(r.store, t, STORE_DURABLE, note, &broken);
    store_commit(r.store, put("c", "1"), STORE_LAZY, note, &last);
    wait_for(&r, &last, 1);
    assert_int_equal(first.failed, 0);
    assert_int_equal(broken.kind, ERR_CONFLICT);
    assert_int_equal(last.failed, 0);
    assert_int_equal(r.store->batches, 1);
    assert_int_equal(count(&r), 2);
    root_done(&r);
}

TEST(bad_sql_and_wrong_value_counts_are_told) {
    struct root r;
    struct outcome o = {0};
    root_init(&r);
    struct store_txn *t = store_txn_new();
    store_add(t, "INSERT INTO nowhere VALUES (1)", "");
    store_commit(r.store, t, STORE_LAZY, note, &o);
    wait_for(&r, &o, 1);
    assert_non_null(strstr(o.message, "nowhere"));
    t = store_txn_new();
    store_add(t, "INSERT INTO meta (key) VALUES (?)", "");
    store_commit(r.store, t, STORE_LAZY, note, &o);
    wait_for(&r, &o, 2);
    assert_non_null(strstr(o.message, "0 values for"));
    store_commit(r.store, put("fine", "1"), STORE_LAZY, note, &o);
    wait_for(&r, &o, 3);
    assert_int_equal(o.failed, 2);
    root_done(&r);
}

static void commit_again(void *arg, struct err e) {
    struct root *r = arg;
    assert_false(err_failed(e));
    err_free(e);
    store_commit(r->store, put("again", "1"), STORE_LAZY, NULL, NULL);
}

TEST(done_may_commit_again_even_while_closing) {
    struct root r;
    root_init(&r);
    store_commit(r.store, put("first", "1"), STORE_LAZY, commit_again, &r);
    store_close(r.store);
    root_open(&r);
    assert_int_equal(count(&r), 2);
    root_done(&r);
}

TEST(a_second_opener_is_refused_with_the_holders_pid) {
    struct root r;
    char want[32];
    root_init(&r);
    struct store *second = NULL;
    struct err e = store_open(r.path, r.loop, &second);
    assert_int_equal(err_kind(e), ERR_CONFLICT);
    snprintf(want, sizeof(want), "pid %d", (int)getpid());
    assert_non_null(strstr(err_msg(e), want));
    err_free(e);
    assert_null(second);
    root_done(&r);
}

/* Runs SQL on the closed database. */
static void meddle(struct root *r, const char *sql) {
    CLEAN_FREE
    char *path = path_join(r->path, "store/corten.db");
    sqlite3 *db = NULL;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static void open_fails(struct root *r, enum err_kind kind, const char *message) {
    struct store *s = NULL;
    struct err e = store_open(r->path, r->loop, &s);
    assert_int_equal(err_kind(e), kind);
    assert_non_null(strstr(err_msg(e), message));
    err_free(e);
}

/* The version of a database that has just been made: the newest. */
static int newest_version(struct root *r) {
    CLEAN_FREE
    char *path = path_join(r->path, "store/corten.db");
    sqlite3 *db;
    sqlite3_stmt *stmt;
    assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
    assert_int_equal(sqlite3_prepare_v2(db, "PRAGMA user_version", -1, &stmt, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(stmt), SQLITE_ROW);
    int version = sqlite3_column_int(stmt, 0);
    sqlite3_finalize(stmt);
    sqlite3_close(db);
    return version;
}

TEST(a_newer_version_is_refused_by_name_and_left_alone) {
    struct root r;
    root_init(&r);
    store_close(r.store);
    CLEAN_FREE
    char *back = mem_printf("PRAGMA user_version = %d", newest_version(&r));
    meddle(&r, "PRAGMA user_version = 4711");
    open_fails(&r, ERR_UNSUPPORTED, "version 4711 is newer");
    meddle(&r, back);
    root_open(&r); /* the failed open gave the lock back */
    root_done(&r);
}

TEST(a_database_of_another_program_is_refused) {
    struct root r;
    root_init(&r);
    store_close(r.store);
    meddle(&r, "PRAGMA application_id = 1");
    open_fails(&r, ERR_INVALID, "another program");
    meddle(&r, "PRAGMA application_id = 0x636f7274");
    root_open(&r);
    root_done(&r);
}

TEST(a_damaged_file_gives_a_clear_error) {
    struct root r;
    root_init(&r);
    store_close(r.store);
    CLEAN_FREE
    char *path = path_join(r.path, "store/corten.db");
    CLEAN_FD
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char page[4096];
    assert_int_equal(pread(fd, page, sizeof(page), 0), sizeof(page));
    assert_int_equal(pwrite(fd, "this is not a database at all", 29, 0), 29);
    open_fails(&r, ERR_SYSTEM, "is damaged");
    /* A good header, but the pages behind it are garbage. */
    assert_int_equal(pwrite(fd, page, sizeof(page), 0), sizeof(page));
    memset(page, 0xa5, sizeof(page));
    for (int i = 1; i < 40; i++)
        assert_int_equal(pwrite(fd, page, sizeof(page), i * (off_t)sizeof(page)), sizeof(page));
    root_open(&r);
    int64_t n = 0;
    struct err e = store_load(r.store, "SELECT count(*) FROM container", count_row, &n);
    assert_int_equal(err_kind(e), ERR_SYSTEM);
    assert_non_null(strstr(err_msg(e), "is damaged"));
    err_free(e);
    root_done(&r);
}

static struct err refuse_row(void *arg, struct store_row *r UNUSED) {
    ++*(int64_t *)arg;
    return err_new(ERR_INVALID, "no");
}

TEST(an_error_of_the_row_function_stops_the_load) {
    struct root r;
    root_init(&r);
    struct outcome o = {0};
    int64_t n = 0;
    store_commit(r.store, put("a", NULL), STORE_LAZY, note, &o);
    wait_for(&r, &o, 1);
    assert_err(store_load(r.store, "SELECT key FROM meta", refuse_row, &n), ERR_INVALID);
    assert_int_equal(n, 1);
    assert_err(store_load(r.store, "SELECT no_such_column FROM meta", count_row, &n), ERR_SYSTEM);
    assert_ok(store_load(r.store, "SELECT key FROM meta", count_row, &n));
    root_done(&r);
}

/* The child writes one byte for each change that was reported as committed, then is killed. */
static void child_writes(const char *path, int pipe_fd, enum store_mode mode) {
    struct loop *loop = loop_new();
    struct store *s = NULL;
    struct outcome o = {0};
    char key[16];
    err_ignore(store_open(path, loop, &s));
    for (int i = 0; s; i++) {
        snprintf(key, sizeof(key), "k%d", i);
        store_commit(s, put(key, "v"), mode, note, &o);
        while (o.called <= i)
            loop_step(loop);
        if (o.failed || write(pipe_fd, "x", 1) != 1)
            break;
    }
    _exit(1);
}

static void survives_kill(enum store_mode mode) {
    struct root r;
    int fds[2], confirmed = 0;
    char byte;
    root_init(&r);
    store_close(r.store);
    assert_int_equal(pipe2(fds, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0)
        child_writes(r.path, fds[1], mode);
    close(fds[1]);
    while (confirmed < 100 && read(fds[0], &byte, 1) == 1)
        confirmed++;
    assert_int_equal(confirmed, 100);
    assert_int_equal(kill(pid, SIGKILL), 0);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    while (read(fds[0], &byte, 1) == 1)
        confirmed++;
    close(fds[0]);
    root_open(&r); /* the lock died with its holder */
    int64_t n = count(&r);
    assert_true(n >= confirmed);
    assert_true(n <= confirmed + 1); /* one was committed, but not reported any more */
    root_done(&r);
}

TEST(durable_changes_survive_kill_9) {
    survives_kill(STORE_DURABLE);
}

TEST(lazy_changes_survive_kill_9) {
    survives_kill(STORE_LAZY);
}

TEST(the_log_is_copied_back_when_it_is_quiet) {
    struct root r;
    struct outcome o = {0};
    root_init(&r);
    CLEAN_FREE
    char *big = mem_zero(4 << 20);
    memset(big, 'x', (4 << 20) - 1);
    store_commit(r.store, put("big", big), STORE_LAZY, note, &o);
    wait_for(&r, &o, 1);
    int64_t end = time_monotonic() + 20 * NSEC_PER_SEC;
    while ((r.store->busy || r.store->wal_pages > 0) && time_monotonic() < end)
        loop_step(r.loop);
    assert_int_equal(r.store->wal_pages, 0);
    root_done(&r);
}

TEST(an_unused_change_is_freed) {
    struct store_txn *t = put("a", "b");
    assert_null(store_txn_free(t));
    assert_null(store_txn_free(NULL));
}
