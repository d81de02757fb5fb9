/* User namespaces, hooks, time namespaces and what else a config.json may ask of a process. */
#include "test.h"

#include "box.h"
#include "kernel/ns.h"

#define ALL_AND_USER                                                                  \
    "[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"uts\"}," \
    "{\"type\":\"network\"},{\"type\":\"cgroup\"},{\"type\":\"user\"}]"
#define MAPS                                                                   \
    ",\"uidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":65536}]," \
    "\"gidMappings\":[{\"containerID\":0,\"hostID\":200000,\"size\":65536}]"

/* The overlay's upper directory belongs to the host's root: places of mounts are made by hand. */
static void make_places(int rootfs) {
    static const char *const names[] = {"proc", "dev", "sys", "tmp/x"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        assert_true(mkdirat(rootfs, names[i], 0755) == 0 || errno == EEXIST);
}

TEST(the_root_of_a_user_namespace_is_nobody_outside) {
    box_enter();
    box_expect(&(struct box_options){.script = "id -u; id -g; tr -s ' ' < /proc/self/uid_map;"
                                               "tr -s ' ' < /proc/self/gid_map; cat /dev/zero | "
                                               "head -c 1 | od -An -tx1; echo x > /dev/stdout",
                                     .namespaces = ALL_AND_USER,
                                     .linux_ = MAPS,
                                     .prepare = make_places},
               "0\n0\n 0 100000 65536\n 0 200000 65536\n 00\nx\n");
    box_leave();
}

TEST(files_of_the_hosts_root_are_closed_to_it) {
    box_enter();
    put_dir("host");
    put_file("host/secret", "secret");
    chmod("host/secret", 0600);
    put_file("host/theirs", "theirs");
    assert_int_equal(chown("host/theirs", 100000, 200000), 0);
    chmod("host/theirs", 0600);
    CLEAN_FREE char *cwd = getcwd(NULL, 0);
    CLEAN_FREE char *mounts = mem_printf(",{\"destination\":\"/tmp/x\",\"type\":\"bind\","
                                         "\"source\":\"%s/host\",\"options\":[\"rbind\"]}",
                                         cwd);
    box_expect(
        &(struct box_options){
            .script =
                "cat /tmp/x/secret 2>&1; cat /tmp/x/theirs; echo;"
                "mknod /tmp/x/n c 1 3 2>/dev/null || echo no; chown 0 /tmp/x/secret 2>&1 || true",
            .namespaces = ALL_AND_USER,
            .linux_ = MAPS,
            .mounts = mounts,
            .prepare = make_places},
        "cat: can't open '/tmp/x/secret': Permission denied\ntheirs\n"
        "no\n"
        "chown: /tmp/x/secret: Operation not permitted\n");
    box_leave();
}

TEST(an_idmapped_mount_shows_other_owners) {
    box_enter();
    put_dir("host");
    put_file("host/file", "");
    CLEAN_FREE char *cwd = getcwd(NULL, 0);
    CLEAN_FREE char *mounts =
        mem_printf(",{\"destination\":\"/tmp/x\",\"type\":\"bind\",\"source\":\"%s/host\","
                   "\"options\":[\"bind\",\"idmap\"],"
                   "\"uidMappings\":[{\"containerID\":0,\"hostID\":1234,\"size\":1}],"
                   "\"gidMappings\":[{\"containerID\":0,\"hostID\":4321,\"size\":1}]}",
                   cwd);
    char *out = NULL;
    int status;
    struct err e =
        box_try(&(struct box_options){.script = "stat -c '%u %g' /tmp/x/file", .mounts = mounts},
                &out, &status);
    CLEAN_FREE char *owned = out;
    if (err_errnum(e) == EINVAL) {
        err_free(e);
        box_leave();
        SKIP("this kernel has no idmapped mounts of this file system");
    }
    assert_ok(e);
    assert_string_equal(out, "1234 4321\n");
    box_leave();
}

TEST(a_namespace_of_somebody_else_is_joined_below_a_user_namespace) {
    box_enter();
    int net = -1;
    assert_ok(ns_new_net(&net));
    struct stat st;
    assert_int_equal(fstat(net, &st), 0);
    char want[64];
    snprintf(want, sizeof(want), "net:[%lu]\n", (unsigned long)st.st_ino);
    box_expect(&(struct box_options){.script = "readlink /proc/self/ns/net",
                                     .namespaces = ALL_AND_USER,
                                     .linux_ = MAPS,
                                     .prepare = make_places,
                                     .netns = net},
               want);
    close(net);
    box_leave();
}

TEST(an_exec_is_in_the_user_namespace) {
    box_enter();
    struct box_run r;
    assert_ok(box_create(&(struct box_options){.script = "sleep 100",
                                               .namespaces = ALL_AND_USER,
                                               .linux_ = MAPS,
                                               .prepare = make_places},
                         &r));
    assert_ok(runtime_start(r.box));
    CLEAN_ARENA struct arena a = {0};
    struct oci_process p;
    assert_ok(fields_decode_strict(
        &oci_process_fields,
        STR("{\"args\":[\"/bin/sh\",\"-c\",\"id -u; tr -s ' ' < /proc/self/uid_map; grep CapEff "
            "/proc/self/status\"],\"cwd\":\"/\",\"user\":{\"uid\":7,\"gid\":7},\"env\":[\"PATH=/"
            "bin\"]}"),
        &a, &p));
    int pipes[2];
    assert_int_equal(pipe2(pipes, O_CLOEXEC), 0);
    struct runtime_process x;
    assert_ok(runtime_exec(r.box, &p, &(struct runtime_stdio){-1, pipes[1], pipes[1]}, &x));
    close(pipes[1]);
    CLEAN_FREE char *out = box_output(pipes[0]);
    close(pipes[0]);
    assert_string_equal(out, "7\n 0 100000 65536\nCapEff:\t0000000000000000\n");
    struct pidfd_exit end;
    assert_ok(pidfd_reap(x.pidfd, &end));
    close(x.pidfd);
    assert_ok(runtime_kill_all(r.box));
    box_reap(&r);
    box_delete(&r);
    box_leave();
}

TEST(a_time_namespace_has_its_offset) {
    box_enter();
    char *out = NULL;
    int status;
    if (access("/proc/self/ns/time", F_OK) != 0) {
        box_leave();
        SKIP("this kernel has no time namespaces");
    }
    assert_ok(
        box_try(&(struct box_options){.script = "cut -d. -f1 /proc/uptime",
                                      .namespaces = "[{\"type\":\"pid\"},{\"type\":\"mount\"},"
                                                    "{\"type\":\"time\"}]",
                                      .no_dev = "x",
                                      .mounts = "{\"destination\":\"/proc\",\"type\":\"proc\"}",
                                      .no_masks = true,
                                      .linux_ = ",\"timeOffsets\":{\"boottime\":{\"secs\":"
                                                "1000000000}}"},
                &out, &status));
    CLEAN_FREE char *owned = out;
    assert_true(strlen(out) >= 11);
    box_leave();
}

/* --- hooks ------------------------------------------------------------------------------------ */

TEST(hooks_run_in_their_namespaces_and_read_the_state) {
    box_enter();
    put_dir("host");
    CLEAN_FREE char *cwd = getcwd(NULL, 0);
    CLEAN_FREE char *top = mem_printf(
        ",\"annotations\":{\"a\":\"b\"},\"hostname\":\"inside\",\"hooks\":{"
        "\"createRuntime\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"cat > %s/host/state; "
        "hostname > %s/host/one\"]}],"
        "\"createContainer\":[{\"path\":\"/bin/sh\",\"args\":[\"sh\",\"-c\",\"hostname > "
        "%s/host/two\"],\"env\":[\"PATH=/bin:/usr/bin\"]}],"
        "\"startContainer\":[{\"path\":\"/bin/touch\",\"args\":[\"touch\",\"/tmp/three\"]}]}",
        cwd, cwd, cwd);
    box_expect(&(struct box_options){.script = "ls /tmp", .top = top}, "three\n");
    CLEAN_BUF struct buf text = {0}, one = {0}, two = {0};
    assert_ok(file_read("host/state", 65536, &text));
    assert_ok(file_read("host/one", 256, &one));
    assert_ok(file_read("host/two", 256, &two));
    assert_non_null(strstr(buf_cstr(&text), "\"id\":\"test\""));
    assert_non_null(strstr(buf_cstr(&text), "\"a\":\"b\""));
    assert_string_equal(buf_cstr(&two), "inside\n");
    assert_string_not_equal(buf_cstr(&one), "inside\n");
    box_leave();
}

TEST(a_hook_that_fails_or_hangs_fails_the_create) {
    box_enter();
    static const struct {
        const char *hooks, *word;
    } cases[] = {
        {"\"prestart\":[{\"path\":\"/bin/false\"}]", "prestart"},
        {"\"createContainer\":[{\"path\":\"/nowhere\"}]", "createContainer"},
        {"\"createRuntime\":[{\"path\":\"/bin/sleep\",\"args\":[\"sleep\",\"9\"],\"timeout\":1}]",
         "not done within 1 s"},
        {"\"startContainer\":[{\"path\":\"/bin/false\"}]", "startContainer"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        CLEAN_FREE char *top = mem_printf(",\"hooks\":{%s}", cases[i].hooks);
        char *out = NULL;
        int status;
        struct err e = box_try(&(struct box_options){.script = "true", .top = top}, &out, &status);
        if (!err_failed(e) || !strstr(err_msg(e), cases[i].word))
            fail_msg("case %zu: %s", i, err_msg(e));
        err_free(e);
    }
    box_leave();
}

/* --- the process ------------------------------------------------------------------------------ */

TEST(attributes_of_the_process_are_set) {
    box_enter();
    box_expect(
        &(struct box_options){.script = "cut -d' ' -f18,19 /proc/self/stat; uname -m",
                              .process = ",\"scheduler\":{\"policy\":\"SCHED_BATCH\",\"nice\":5},"
                                         "\"ioPriority\":{\"class\":\"IOPRIO_CLASS_IDLE\","
                                         "\"priority\":7}",
                              .linux_ = ",\"personality\":{\"domain\":\"LINUX\"}"},
#if defined(__x86_64__)
        "25 5\nx86_64\n");
#else
        "25 5\naarch64\n");
#endif
    box_leave();
}

static void put_skeleton(int rootfs) {
    assert_int_equal(mkdirat(rootfs, "skel", 0751), 0);
    assert_int_equal(mkdirat(rootfs, "skel/deep", 0700), 0);
    int fd = openat(rootfs, "skel/deep/file", O_CREAT | O_WRONLY | O_CLOEXEC, 0640);
    assert_int_equal(write(fd, "text\n", 5), 5);
    close(fd);
    assert_int_equal(symlinkat("/etc/passwd", rootfs, "skel/link"), 0);
}

TEST(a_tmpfs_begins_with_what_is_there) {
    box_enter();
    box_expect(&(struct box_options){.script = "cat /skel/deep/file; readlink /skel/link;"
                                               "stat -c %a /skel/deep/file /skel/deep; echo new > "
                                               "/skel/new; grep -c '/skel tmpfs' /proc/mounts",
                                     .prepare = put_skeleton,
                                     .mounts = ",{\"destination\":\"/skel\",\"type\":\"tmpfs\","
                                               "\"options\":[\"tmpcopyup\"]}"},
               "text\n/etc/passwd\n640\n700\n1\n");
    box_leave();
}

TEST(corten_init_reaps_and_tells_the_status) {
    box_enter();
    const char *bin = getenv("CORTEN_BIN");
    if (!bin) {
        box_leave();
        SKIP("CORTEN_BIN names no directory of programs");
    }
    CLEAN_FREE char *path = mem_printf("%s/corten-init", bin);
    int fd = -1;
    assert_ok(mount_readonly_program(path, &fd));
    struct box_options o = {.script =
                                "cat /proc/1/comm; (sleep 0.1 &) ; sleep 0.4; grep -l '^State:.Z' "
                                "/proc/[0-9]*/status 2>/dev/null; exit 9",
                            .init_fd = fd};
    int status;
    CLEAN_FREE char *out = box_run(&o, &status);
    assert_string_equal(out, "corten-init\n");
    assert_int_equal(status, 9);
    /* A program that is not there is told before anything runs. */
    char *none = NULL;
    assert_err(
        box_try(&(struct box_options){.args = "[\"/nowhere\"]", .init_fd = fd}, &none, &status),
        ERR_NOT_FOUND);
    close(fd);
    box_leave();
}
