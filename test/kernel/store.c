/* The store on a disk that is full: a tmpfs of its own, in a mount namespace of its own. */
#include "store/store.h"
#include "base/time.h"
#include "test.h"
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <sys/mount.h>
#include <unistd.h>

#define ROOT "/mnt"

struct outcome {
    int called, failed;
    char message[256];
};

static void note(void *arg, struct err e) {
    struct outcome *o = arg;
    o->called++;
    o->failed += err_failed(e);
    if (err_failed(e))
        snprintf(o->message, sizeof(o->message), "%s", err_msg(e));
    err_free(e);
}

static void commit(struct store *s, struct loop *l, const char *key, const char *value,
                   struct outcome *o) {
    struct store_txn *t = store_txn_new();
    store_add(t, "INSERT INTO meta (key, value) VALUES (?, ?)", "ss", key, value);
    int want = o->called + 1;
    store_commit(s, t, STORE_DURABLE, note, o);
    int64_t end = time_monotonic() + 20 * NSEC_PER_SEC;
    while (o->called < want && time_monotonic() < end)
        loop_step(l);
    assert_int_equal(o->called, want);
}

static struct err count_row(void *arg, struct store_row *r) {
    *(int64_t *)arg = row_int(r, 0);
    return OK;
}

TEST(a_full_disk_fails_the_change_and_the_next_one_works) {
    static char big[1 << 20];
    struct store *s = NULL;
    struct outcome o = {0};
    int64_t n = 0;
    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        SKIP("needs root: %s", strerror(errno));
    assert_int_equal(mount("tmpfs", ROOT, "tmpfs", 0, "size=1m"), 0);
    struct loop *l = loop_new();
    assert_ok(store_open(ROOT, l, &s));
    memset(big, 'x', sizeof(big) - 1);
    commit(s, l, "before", "1", &o);
    assert_int_equal(o.failed, 0);
    commit(s, l, "too big", big, &o);
    assert_int_equal(o.failed, 1);
    assert_non_null(strstr(o.message, "No space left on device"));
    commit(s, l, "after", "1", &o);
    assert_int_equal(o.failed, 1);
    store_close(s);
    assert_ok(store_open(ROOT, l, &s));
    assert_ok(store_load(s, "SELECT count(*) FROM meta", count_row, &n));
    assert_int_equal(n, 2);
    store_close(s);
    loop_free(l);
    assert_int_equal(umount(ROOT), 0);
}
