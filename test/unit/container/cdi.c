/* Devices by name: which specification counts, what its edits do, what is refused. */
#include "container/cdi.h"
#include "base/file.h"
#include "base/mem.h"
#include "test.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct world {
    char path[64];
    char *low, *high; /* directories */
    struct arena arena;
    struct oci_process process;
    struct oci_resources resources;
    struct oci_linux linux_;
    struct oci_config o;
    struct strs groups;
};

static void setup(struct world *w) {
    *w = (struct world){.o = {.process = &w->process, .linux_ = &w->linux_}};
    w->linux_.resources = &w->resources;
    snprintf(w->path, sizeof(w->path), "/tmp/corten-unit-cdi-XXXXXX");
    assert_non_null(mkdtemp(w->path));
    w->low = arena_printf(&w->arena, "%s/etc", w->path);
    w->high = arena_printf(&w->arena, "%s/run", w->path);
    assert_int_equal(mkdir(w->low, 0700), 0);
    assert_int_equal(mkdir(w->high, 0700), 0);
}

static void teardown(struct world *w) {
    assert_ok(dir_remove(AT_FDCWD, w->path));
    arena_done(&w->arena);
}

static void put(struct world *w, const char *dir, const char *name, const char *text) {
    CLEAN_FD int fd = -1;
    assert_ok(dir_open(dir, &fd));
    assert_ok(file_replace_at(fd, name, str_of(text), 0600, false));
    (void)w;
}

static struct err ask(struct world *w, const char *name) {
    const char *dirs[] = {w->low, w->high, "/does/not/exist", NULL};
    struct strs names = {0};
    strs_add(&names, &w->arena, name);
    return cdi_apply(dirs, &names, &w->arena, &w->o, &w->groups);
}

static void refused(struct world *w, const char *name, enum err_kind kind, const char *word) {
    struct err e = ask(w, name);
    if (err_kind(e) != kind || !strstr(err_msg(e), word))
        fail_msg("%s: got %s: %s", name, err_kind_name(err_kind(e)), err_msg(e));
    err_free(e);
}

#define SPEC(devices) \
    "{\"cdiVersion\":\"0.6.0\",\"kind\":\"acme.com/gpu\",\"devices\":[" devices "]}"

TEST(edits) {
    struct world w;
    setup(&w);
    put(&w, w.low, "acme.json",
        "{\"cdiVersion\":\"0.6.0\",\"kind\":\"acme.com/gpu\",\"containerEdits\":{\"env\":"
        "[\"DRIVER=1\"]},\"devices\":[{\"name\":\"0\",\"containerEdits\":{\"env\":[\"GPU=0\"],"
        "\"deviceNodes\":[{\"path\":\"/dev/gpu0\",\"hostPath\":\"/dev/null\"},{\"path\":"
        "\"/dev/made\",\"type\":\"c\",\"major\":195,\"minor\":7,\"permissions\":\"r\",\"gid\":44}],"
        "\"mounts\":[{\"hostPath\":\"/usr/lib/x.so\",\"containerPath\":\"/lib/x.so\",\"options\":"
        "[\"ro\",\"bind\"]}],\"hooks\":[{\"hookName\":\"createContainer\",\"path\":\"/bin/ldc\","
        "\"args\":[\"ldc\",\"-f\"]}],\"additionalGids\":[44,0]}},{\"name\":\"1\","
        "\"containerEdits\":{\"env\":[\"GPU=1\"]}}]}");
    const char *dirs[] = {w.low, w.high, NULL};
    struct strs names = {0};
    strs_add(&w.process.env, &w.arena, "GPU=none");
    strs_add(&names, &w.arena, "acme.com/gpu=0");
    strs_add(&names, &w.arena, "acme.com/gpu=1");
    assert_ok(cdi_apply(dirs, &names, &w.arena, &w.o, &w.groups));
    assert_int_equal(w.process.env.n, 2);
    assert_string_equal(w.process.env.items[0], "GPU=1");
    assert_string_equal(w.process.env.items[1], "DRIVER=1");
    const struct oci_device *d = w.linux_.devices.items;
    const struct oci_device_rule *r = w.resources.devices.items;
    assert_int_equal(w.linux_.devices.n, 2);
    assert_string_equal(d[0].path, "/dev/gpu0");
    assert_true(d[0].major == 1 && d[0].minor == 3 && d[1].major == 195 && d[1].gid == 44);
    assert_int_equal(w.resources.devices.n, 2);
    assert_string_equal(r[0].access, "rwm");
    assert_string_equal(r[1].access, "r");
    const struct oci_mount *m = w.o.mounts.items;
    assert_int_equal(w.o.mounts.n, 1);
    assert_string_equal(m[0].type, "bind");
    assert_string_equal(m[0].options.items[0], "ro");
    const struct oci_hook *h = w.o.hooks->create_container.items;
    assert_int_equal(w.o.hooks->create_container.n, 1);
    assert_string_equal(h[0].args.items[1], "-f");
    assert_int_equal(w.groups.n, 1);
    assert_string_equal(w.groups.items[0], "44");
    teardown(&w);
}

TEST(the_later_directory_goes_first_and_two_of_one_do_not_go) {
    struct world w;
    setup(&w);
    put(&w, w.low, "a.json", SPEC("{\"name\":\"x\",\"containerEdits\":{\"env\":[\"FROM=low\"]}}"));
    put(&w, w.high, "a.json",
        SPEC("{\"name\":\"x\",\"containerEdits\":{\"env\":[\"FROM=high\"]}}"));
    assert_ok(ask(&w, "acme.com/gpu=x"));
    assert_string_equal(w.process.env.items[0], "FROM=high");
    put(&w, w.high, "b.json", SPEC("{\"name\":\"x\",\"containerEdits\":{}}"));
    refused(&w, "acme.com/gpu=x", ERR_INVALID, "is in '");
    teardown(&w);
}

TEST(what_cannot_be_done_is_named) {
    struct world w;
    setup(&w);
    refused(&w, "acme.com/gpu=x", ERR_INVALID,
            "CDI device injection failed: unresolvable CDI devices acme.com/gpu=x");
    put(&w, w.low, "y.yaml", "cdiVersion: 0.6.0\n");
    put(&w, w.low, "bad.json", "{\"cdiVersion\":");
    refused(&w, "acme.com/gpu=x", ERR_INVALID, "y.yaml' is not read: it is YAML");
    refused(&w, "acme.com/gpu=x", ERR_INVALID, "bad.json' is not read");
    put(&w, w.low, "n.json", SPEC("{\"name\":\"new\",\"containerEdits\":{\"wings\":[]}}"));
    refused(&w, "acme.com/gpu=new", ERR_INVALID, "wings");
    put(&w, w.low, "n.json",
        SPEC("{\"name\":\"rdt\",\"containerEdits\":{\"intelRdt\":{}}},{\"name\":\"hook\","
             "\"containerEdits\":{\"hooks\":[{\"hookName\":\"poststop\",\"path\":\"/x\"}]}},"
             "{\"name\":\"gone\",\"containerEdits\":{\"deviceNodes\":[{\"path\":"
             "\"/dev/is-not-there\"}]}},{\"name\":\"file\",\"containerEdits\":{\"deviceNodes\":"
             "[{\"path\":\"/dev/x\",\"hostPath\":\"/etc/passwd\"}]}}"));
    refused(&w, "acme.com/gpu=rdt", ERR_UNSUPPORTED, "intelRdt");
    refused(&w, "acme.com/gpu=hook", ERR_UNSUPPORTED, "poststop");
    refused(&w, "acme.com/gpu=gone", ERR_INVALID, "/dev/is-not-there");
    refused(&w, "acme.com/gpu=file", ERR_INVALID, "no device node");
    static const char *const bad[] = {
        "gpu", "acme.com/gpu", "acme.com/gpu=", "/gpu=0", "a/b/c=d", "a b/c=d"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        refused(&w, bad[i], ERR_INVALID, "invalid CDI device name");
    teardown(&w);
}
