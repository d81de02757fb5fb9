/* Volumes: create, hold, remove, prune, over a restart. */
#include "test.h"

#include "base/file.h"
#include "volume/private.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct place {
    char dir[64];
    struct loop *loop;
    struct store *store;
    struct volumes *volumes;
    struct err result;
    struct volume *made;
    struct strv removed;
    uint64_t bytes;
    int waiting;
};

static void open_place(struct place *p) {
    if (!p->dir[0]) {
        (void)snprintf(p->dir, sizeof(p->dir), "/tmp/corten-unit-volume.XXXXXX");
        assert_non_null(mkdtemp(p->dir));
    }
    p->loop = loop_new();
    assert_ok(store_open(p->dir, p->loop, &p->store));
    assert_ok(volumes_open(p->store, p->loop, p->dir, &p->volumes));
}

static void close_place(struct place *p, bool for_good) {
    volumes_close(p->volumes);
    store_close(p->store);
    loop_free(p->loop);
    strv_done(&p->removed);
    if (!for_good)
        return;
    CLEAN_FD
    int tmp = -1;
    assert_ok(dir_open("/tmp", &tmp));
    assert_ok(dir_remove(tmp, p->dir + strlen("/tmp/")));
}

static void made(void *arg, struct err e, struct volume *x) {
    struct place *p = arg;
    p->result = e;
    p->made = x;
    if (--p->waiting <= 0)
        loop_stop(p->loop);
}

static void gone(void *arg, struct err e) {
    made(arg, e, NULL);
}

static struct err create(struct place *p, const struct volume_request *r) {
    p->waiting = 1;
    volume_create(p->volumes, r, made, p);
    assert_int_equal(p->waiting, 1); /* never before the call returns */
    loop_run(p->loop);
    return p->result;
}

static struct err destroy(struct place *p, const char *name) {
    p->waiting = 1;
    volume_remove(p->volumes, name, gone, p);
    assert_int_equal(p->waiting, 1);
    loop_run(p->loop);
    return p->result;
}

TEST(names_are_checked) {
    assert_ok(volume_name_check("a1"));
    assert_ok(volume_name_check("A_b.c-d"));
    static const char *const bad[] = {"", "a", "-a", ".a", "_a", "a/b", "a b", "..", "\xc3\xa4x"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(volume_name_check(bad[i]), ERR_INVALID);
    char longest[VOLUME_NAME_LEN_MAX + 2];
    memset(longest, 'a', sizeof(longest));
    longest[VOLUME_NAME_LEN_MAX] = '\0';
    assert_ok(volume_name_check(longest));
    longest[VOLUME_NAME_LEN_MAX] = 'a';
    longest[VOLUME_NAME_LEN_MAX + 1] = '\0';
    assert_err(volume_name_check(longest), ERR_INVALID);
}

static void log_event(void *arg, const void *event) {
    const struct volume_event *e = event;
    strncat(arg, e->action, 32);
    strncat(arg, " ", 2);
}

TEST(options_become_words) {
    struct arena a = {0};
    struct volume_words w;
    assert_ok(volume_options_words("ro,,nosuid,size=1m,noac,rbind,mode=0700,suid", &a, &w));
    assert_true(w.bind && w.recursive);
    assert_int_equal(w.attrs, MOUNT_ATTR_RDONLY);
    assert_int_equal(w.n, 3);
    assert_string_equal(w.items[0].key, "size");
    assert_string_equal(w.items[0].value, "1m");
    assert_string_equal(w.items[1].key, "noac");
    assert_null(w.items[1].value);
    assert_string_equal(w.items[2].value, "0700");
    arena_done(&a);
}

TEST(volumes_survive_a_restart) {
    struct place p = {0};
    open_place(&p);
    char log[128] = "";
    struct bus_sub sub = {0};
    bus_subscribe(volumes_bus(p.volumes), &sub, log_event, log);
    struct arena a = {0};
    struct volume_request r = {.name = "data"};
    strmap_set(&r.labels, &a, "k", "v");
    strmap_set(&r.options, &a, "type", "tmpfs");
    strmap_set(&r.options, &a, "device", "t");
    assert_ok(create(&p, &r));
    arena_done(&a);
    struct stat st;
    assert_int_equal(stat(p.made->mountpoint, &st), 0);
    assert_int_equal(st.st_mode & 07777, 0755);
    int64_t created = p.made->created;
    assert_ok(create(&p, &(struct volume_request){.name = "data"})); /* exists: unchanged */
    assert_int_equal(p.made->created, created);
    assert_ok(create(&p, &(struct volume_request){0}));
    assert_true(p.made->anonymous);
    assert_int_equal(strlen(p.made->name), 64);
    assert_string_equal(strmap_get(&p.made->labels, "com.docker.volume.anonymous"), "");
    assert_string_equal(log, "create create ");
    bus_unsubscribe(&sub);
    close_place(&p, false);
    open_place(&p);
    struct volume *x = volume_find(p.volumes, "data");
    assert_non_null(x);
    assert_string_equal(strmap_get(&x->labels, "k"), "v");
    assert_string_equal(strmap_get(&x->options, "device"), "t");
    assert_true(volume_is_mounted(x));
    assert_int_equal(volume_keep(x), -1);
    assert_int_equal(x->created, created);
    assert_false(x->anonymous);
    size_t it = 0, n = 0;
    while (volume_next(p.volumes, &it))
        n++;
    assert_int_equal(n, 2);
    close_place(&p, true);
}

TEST(bad_requests_are_refused_by_name) {
    struct place p = {0};
    open_place(&p);
    struct arena a = {0};
    struct err e = create(&p, &(struct volume_request){.name = "a/b"});
    assert_int_equal(err_kind(e), ERR_INVALID);
    assert_non_null(strstr(err_msg(e), "create a/b: \"a/b\" includes invalid characters"));
    err_free(e);
    assert_err(create(&p, &(struct volume_request){.name = "ab", .driver = "nfs"}), ERR_NOT_FOUND);
    struct volume_request r = {.name = "ab", .driver = "local"};
    strmap_set(&r.options, &a, "type", "tmpfs");
    e = create(&p, &r);
    assert_int_equal(err_kind(e), ERR_INVALID);
    assert_non_null(strstr(err_msg(e), "missing required option: \"device\""));
    err_free(e);
    strmap_set(&r.options, &a, "device", "tmpfs");
    strmap_set(&r.options, &a, "o", "size=1m,shared");
    assert_err(create(&p, &r), ERR_UNSUPPORTED);
    strmap_set(&r.options, &a, "size", "1m");
    assert_err(create(&p, &r), ERR_INVALID);
    assert_null(volume_find(p.volumes, "ab"));
    assert_err(destroy(&p, "ab"), ERR_NOT_FOUND);
    arena_done(&a);
    close_place(&p, true);
}

TEST(creating_at_once_makes_one) {
    struct place p = {0};
    open_place(&p);
    p.waiting = 3;
    struct volume_request r = {.name = "once"};
    for (int i = 0; i < 3; i++)
        volume_create(p.volumes, &r, made, &p);
    assert_null(volume_find(p.volumes, "once")); /* not before it is durable */
    loop_run(p.loop);
    assert_ok(p.result);
    assert_ptr_equal(p.made, volume_find(p.volumes, "once"));
    close_place(&p, true);
}

TEST(held_volumes_stay) {
    struct place p = {0};
    open_place(&p);
    assert_err(volume_hold(p.volumes, "data", "c1"), ERR_NOT_FOUND);
    assert_ok(create(&p, &(struct volume_request){.name = "data"}));
    assert_ok(volume_hold(p.volumes, "data", "c1"));
    assert_ok(volume_hold(p.volumes, "data", "c1"));
    assert_ok(volume_hold(p.volumes, "data", "c2"));
    struct err e = destroy(&p, "data");
    assert_int_equal(err_kind(e), ERR_CONFLICT);
    assert_string_equal(err_msg(e), "remove data: volume is in use - [c1, c2]");
    err_free(e);
    volume_unhold(p.volumes, "data", "c1");
    volume_unhold(p.volumes, "data", "c9");
    volume_unhold(p.volumes, "none", "c1");
    volume_unhold(p.volumes, "data", "c2");
    CLEAN_FREE
    char *dir = mem_strdup(volume_find(p.volumes, "data")->mountpoint);
    assert_ok(destroy(&p, "data"));
    assert_int_equal(access(dir, F_OK), -1);
    assert_null(volume_find(p.volumes, "data"));
    close_place(&p, false);
    open_place(&p);
    assert_null(volume_find(p.volumes, "data"));
    close_place(&p, true);
}

static bool starts_with_x(void *arg, const struct volume *x) {
    (void)arg;
    return x->name[0] == 'x';
}

static void pruned(void *arg, struct err e, const struct strv *removed, uint64_t bytes) {
    struct place *p = arg;
    p->result = e;
    p->bytes = bytes;
    for (size_t i = 0; i < removed->n; i++)
        strv_add(&p->removed, removed->items[i]);
    loop_stop(p->loop);
}

TEST(prune_takes_what_nobody_holds) {
    struct place p = {0};
    open_place(&p);
    static const char *const names[] = {"x1", "x2", "y1"};
    for (size_t i = 0; i < 3; i++)
        assert_ok(create(&p, &(struct volume_request){.name = names[i]}));
    CLEAN_FREE
    char *file = mem_printf("%s/f", volume_find(p.volumes, "x2")->mountpoint);
    char bytes[100000];
    memset(bytes, 'x', sizeof(bytes));
    assert_ok(file_replace(file, str_n(bytes, sizeof(bytes)), 0600, false));
    CLEAN_FREE
    char *second = mem_printf("%s2", file);
    assert_int_equal(link(file, second), 0); /* counts once */
    assert_ok(volume_hold(p.volumes, "x1", "c"));
    volumes_prune(p.volumes, starts_with_x, pruned, &p);
    loop_run(p.loop);
    assert_ok(p.result);
    assert_int_equal(p.removed.n, 1);
    assert_string_equal(p.removed.items[0], "x2");
    assert_true(p.bytes >= sizeof(bytes) && p.bytes < 2 * sizeof(bytes));
    assert_non_null(volume_find(p.volumes, "x1"));
    assert_non_null(volume_find(p.volumes, "y1"));
    strv_done(&p.removed);
    volumes_prune(p.volumes, starts_with_x, pruned, &p);
    loop_run(p.loop);
    assert_ok(p.result);
    assert_int_equal(p.removed.n, 0);
    close_place(&p, true);
}

/* A crash between row and directory: opening makes it again. */
TEST(directory_is_made_again) {
    struct place p = {0};
    open_place(&p);
    assert_ok(create(&p, &(struct volume_request){.name = "data"}));
    CLEAN_FREE
    char *dir = mem_strdup(p.made->mountpoint);
    assert_int_equal(rmdir(dir), 0);
    CLEAN_FD
    int fd = -1;
    assert_ok(volume_open_dir(dir, &fd));
    assert_int_equal(access(dir, F_OK), 0);
    assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
    close_place(&p, true);
}
