/* The defaults: what a container cannot see or do (security reference, rules 3, 4, 14 and the rows
 * that each test names). */
#include "test.h"

#include "box.h"
#include "kernel/beneath.h"
#include <sys/statvfs.h>
#include <sys/sysmacros.h>

TEST(capabilities_are_the_default_set) { /* row 15 */
    box_enter();
    box_expect(&(struct box_options){.script = "grep Cap /proc/self/status"},
               "CapInh:\t0000000000000000\nCapPrm:\t00000000a80425fb\nCapEff:\t00000000a80425fb\n"
               "CapBnd:\t00000000a80425fb\nCapAmb:\t0000000000000000\n");
    box_leave();
}

TEST(a_user_has_no_effective_capabilities) { /* row 70 */
    box_enter();
    box_expect(
        &(struct box_options){.script = "id -u; id -G; grep -E 'Cap(Prm|Eff)' /proc/self/status",
                              .user = "\"uid\":1000,\"gid\":1000,\"additionalGids\":[7,8]"},
        "1000\n1000 7 8\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\n");
    box_leave();
}

TEST(ambient_capabilities_are_given_when_asked_for) {
    box_enter();
    box_expect(
        &(struct box_options){
            .script = "grep -E 'Cap(Eff|Amb)' /proc/self/status",
            .user = "\"uid\":1000,\"gid\":1000",
            .capabilities = "{\"bounding\":[\"CAP_NET_RAW\"],\"permitted\":[\"CAP_NET_RAW\"],"
                            "\"effective\":[\"CAP_NET_RAW\"],\"inheritable\":[\"CAP_NET_RAW\"],"
                            "\"ambient\":[\"CAP_NET_RAW\"]}"},
        "CapEff:\t0000000000002000\nCapAmb:\t0000000000002000\n");
    box_leave();
}

TEST(every_namespace_is_its_own) {
    box_enter();
    static const char *const names[] = {"pid", "mnt", "ipc", "uts", "net", "cgroup"};
    CLEAN_FREE char *out = NULL;
    int status;
    out = box_run(&(struct box_options){.script = "for n in pid mnt ipc uts net cgroup; do "
                                                  "readlink /proc/self/ns/$n; done"},
                  &status);
    for (size_t i = 0; i < ARRAY_LEN(names); i++) {
        char path[64], text[64] = {0};
        snprintf(path, sizeof(path), "/proc/self/ns/%s", names[i]);
        assert_true(readlink(path, text, sizeof(text) - 1) > 0);
        assert_null(strstr(out, text));
    }
    box_leave();
}

TEST(nothing_but_the_standard_streams_is_open) { /* row 2, rule 3 */
    box_enter();
    int leak = open("/etc/passwd", O_RDONLY); /* not CLOEXEC on purpose */
    assert_true(leak >= 0);
    box_expect(&(struct box_options){.args = "[\"/bin/ls\",\"/proc/self/fd\"]"}, "0\n1\n2\n3\n");
    close(leak);
    box_leave();
}

TEST(the_working_directory_cannot_be_a_descriptor) { /* row 2: CVE-2024-21626 */
    box_enter();
    int leak = open("/", O_RDONLY | O_DIRECTORY);
    assert_true(leak >= 0);
    for (int fd = 3; fd < 24; fd++) {
        char cwd[64];
        snprintf(cwd, sizeof(cwd), "/proc/self/fd/%d", fd);
        char *out = NULL;
        int status;
        struct err e = box_try(&(struct box_options){.script = "ls", .cwd = cwd}, &out, &status);
        assert_true(err_failed(e));
        err_free(e);
        free(out);
    }
    close(leak);
    box_leave();
}

TEST(a_missing_working_directory_is_made) {
    box_enter();
    box_expect(&(struct box_options){.script = "pwd; stat -c '%a %u' .", .cwd = "/made/for/you"},
               "/made/for/you\n755 0\n");
    box_leave();
}

TEST(paths_are_masked) { /* rows 4, 79 */
    box_enter();
    box_expect(&(struct box_options){.script = "cat /proc/keys /proc/interrupts | wc -c;"
                                               "ls /sys/firmware | wc -l;"
                                               "touch /sys/firmware/x 2>/dev/null || echo ro"},
               "0\n0\nro\n");
    box_leave();
}

TEST(paths_are_read_only) { /* row 25 */
    box_enter();
    box_expect(
        &(struct box_options){
            .script = "for f in /proc/sysrq-trigger /proc/sys/kernel/core_pattern "
                      "/sys/kernel/mm/ksm/run; do"
                      "  (echo x > $f) 2>/dev/null && echo wrote $f; done;"
                      "(echo 1 > /proc/sys/kernel/domainname) 2>/dev/null && echo wrote;"
                      "for d in /sys/fs/cgroup/*; do test -f $d/cgroup.procs || continue;"
                      "  (echo 0 > $d/cgroup.procs) 2>/dev/null && echo wrote; mkdir $d/x "
                      "2>/dev/null && echo made; done;"
                      "mkdir /sys/fs/cgroup/x 2>/dev/null && echo made; echo done"},
        "done\n");
    box_leave();
}

TEST(the_root_can_be_read_only) {
    box_enter();
    box_expect(
        &(struct box_options){
            .script = "touch /x 2>/dev/null || echo ro; touch /dev/shm/x && echo rw",
            .root = "\"readonly\":true"},
        "ro\nrw\n");
    box_leave();
}

TEST(devices_are_denied) { /* row 21 */
    box_enter();
    struct stat st;
    assert_int_equal(stat("/", &st), 0);
    char script[512];
    snprintf(script, sizeof(script),
             "mknod /dev/a c 1 1; mknod /dev/b c 1 11; mknod /dev/c b %u %u; mknod /tmp/null c 1 3;"
             "for d in /dev/a /dev/b /dev/c; do head -c 1 $d >/dev/null 2>&1 && echo read $d; done;"
             "head -c 1 /dev/zero | wc -c; echo x > /dev/null && echo fine",
             major(254), minor(0));
    box_expect(&(struct box_options){.script = script}, "1\nfine\n");
    box_leave();
}

TEST(devices_and_links_of_the_specification_are_there) {
    box_enter();
    box_expect(
        &(struct box_options){
            .script = "cd /dev; stat -c '%n %t:%T %a' null zero full random urandom tty;"
                      "for l in fd stdin stdout stderr ptmx; do readlink $l; done"},
        "null 1:3 666\nzero 1:5 666\nfull 1:7 666\nrandom 1:8 666\nurandom 1:9 666\ntty 5:0 666\n"
        "/proc/self/fd\n/proc/self/fd/0\n/proc/self/fd/1\n/proc/self/fd/2\npts/ptmx\n");
    box_leave();
}

TEST(no_new_privileges_and_seccomp_are_on) {
    box_enter();
    box_expect(&(struct box_options){.script = "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status",
                                     .process = ",\"noNewPrivileges\":true"},
               "NoNewPrivs:\t1\nSeccomp:\t2\n");
    box_expect(
        &(struct box_options){.script = "grep -E '^(NoNewPrivs|Seccomp):' /proc/self/status"},
        "NoNewPrivs:\t0\nSeccomp:\t2\n");
    box_leave();
}

TEST(mounting_and_unsharing_are_refused) { /* row 80 */
    box_enter();
    box_expect(
        &(struct box_options){.script = "mount -t tmpfs x /tmp 2>/dev/null && echo mounted;"
                                        "unshare -U true 2>/dev/null && echo unshared;"
                                        "unshare -m true 2>/dev/null && echo unshared; echo done"},
        "done\n");
    box_leave();
}

/* Rule 4, row 1: CVE-2019-5736. The container runs our own program through /proc/self/exe and tries
 * to open it for writing; the file is on a read-only mount. */
TEST(our_own_program_cannot_be_overwritten) {
    box_enter();
    struct stat before, after;
    assert_int_equal(stat("/proc/self/exe", &before), 0);
    struct box_options o = {.script = "sleep 60",
                            .capabilities =
                                "{\"bounding\":[" BOX_CAPS ",\"CAP_SYS_PTRACE\",\"CAP_SYS_ADMIN\"],"
                                "\"effective\":[" BOX_CAPS
                                ",\"CAP_SYS_PTRACE\",\"CAP_SYS_ADMIN\"],\"permitted\":[" BOX_CAPS
                                ",\"CAP_SYS_PTRACE\",\"CAP_SYS_ADMIN\"]}"};
    struct box_run r;
    assert_ok(box_create(&o, &r));
    /* Not started yet: the first process still is our program. */
    char path[64];
    snprintf(path, sizeof(path), "/proc/%d/exe", r.init.pid);
    assert_true(open(path, O_WRONLY | O_CLOEXEC) < 0);
    assert_true(errno == EROFS || errno == ETXTBSY);
    int exe = open(path, O_PATH | O_CLOEXEC);
    assert_true(exe >= 0);
    assert_ok(runtime_start(r.box));
    assert_ok(runtime_kill_all(r.box));
    box_reap(&r);
    box_delete(&r);
    /* While this test runs the program, ETXTBSY alone would hide a writable mount. */
    struct statvfs fs;
    assert_int_equal(fstatvfs(exe, &fs), 0);
    assert_true(fs.f_flag & ST_RDONLY);
    close(exe);
    assert_int_equal(stat("/proc/self/exe", &after), 0);
    assert_int_equal(before.st_mtime, after.st_mtime);
    assert_int_equal(before.st_size, after.st_size);
    box_leave();
}

TEST(an_exec_of_proc_self_exe_cannot_write_it) {
    box_enter();
    /* Our program, run inside, ends at once: it has no libraries there. It must not be writable for
     * the container while and after it is run. */
    struct box_options o = {.script = "sleep 60"};
    struct box_run r;
    assert_ok(box_create(&o, &r));
    assert_ok(runtime_start(r.box));
    for (int i = 0; i < 50; i++) {
        CLEAN_ARENA struct arena a = {0};
        struct oci_process p;
        static const char text[] =
            "{\"args\":[\"/proc/self/exe\"],\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0}}";
        assert_ok(fields_decode_strict(&oci_process_fields, str_of(text), &a, &p));
        struct runtime_process x;
        struct err e = runtime_exec(r.box, &p, &(struct runtime_stdio){-1, -1, -1}, &x);
        if (!err_failed(e)) {
            char path[64];
            snprintf(path, sizeof(path), "/proc/%d/exe", x.pid);
            assert_true(open(path, O_WRONLY | O_CLOEXEC) < 0);
            struct pidfd_exit end;
            assert_ok(pidfd_reap(x.pidfd, &end));
            close(x.pidfd);
        }
        err_free(e);
    }
    assert_ok(runtime_kill_all(r.box));
    box_reap(&r);
    box_delete(&r);
    box_leave();
}

TEST(the_first_process_cannot_be_looked_into) { /* row 3: CVE-2016-9962 */
    box_enter();
    struct box_options o = {.script = "true"};
    struct box_run r;
    assert_ok(box_create(&o, &r));
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "/proc/%d/environ", r.init.pid);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_uid, 0); /* non-dumpable: its files in /proc belong to root */
    assert_ok(runtime_start(r.box));
    box_reap(&r);
    box_delete(&r);
    box_leave();
}

TEST(names_rlimits_oom_score) {
    box_enter();
    box_expect(
        &(struct box_options){
            .script = "hostname; cat /proc/sys/kernel/domainname; ulimit -n; ulimit -c; cat "
                      "/proc/self/oom_score_adj",
            .top = ",\"hostname\":\"box\",\"domainname\":\"test\"",
            .process = ",\"rlimits\":[{\"type\":\"RLIMIT_NOFILE\",\"soft\":100,\"hard\":200},"
                       "{\"type\":\"RLIMIT_CORE\",\"soft\":0,\"hard\":18446744073709551615}],"
                       "\"oomScoreAdj\":500"},
        "box\ntest\n100\n0\n500\n");
    box_leave();
}

TEST(sysctls_of_the_own_namespaces) { /* rows 6, 22, 23 */
    box_enter();
    box_expect(
        &(struct box_options){
            .script = "cat /proc/sys/kernel/msgmax /proc/sys/net/ipv4/ip_forward",
            .linux_ = ",\"sysctl\":{\"kernel.msgmax\":\"4096\",\"net/ipv4/ip_forward\":\"1\"}"},
        "4096\n1\n");
    static const char *const bad[] = {
        "kernel.core_pattern",      "vm.swappiness",
        "kernel.hostname",          "fs.file-max",
        "kernel/core_pattern",      "net.ipv4/../../kernel/core_pattern",
        "kernel.shm_rmid_forced+x",
    };
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        char text[128], *out = NULL;
        int status;
        snprintf(text, sizeof(text), ",\"sysctl\":{\"%s\":\"1\"}", bad[i]);
        assert_err(box_try(&(struct box_options){.script = "true", .linux_ = text}, &out, &status),
                   ERR_INVALID);
    }
    char *out = NULL;
    int status;
    assert_err(
        box_try(&(struct box_options){.script = "true",
                                      .linux_ = ",\"sysctl\":{\"net.ipv4.ip_forward\":\"1\"}",
                                      .namespaces = "[{\"type\":\"mount\"},{\"type\":\"pid\"}]"},
                &out, &status),
        ERR_INVALID);
    box_leave();
}

TEST(an_apparmor_profile_that_cannot_be_applied_is_an_error) { /* row 10 */
    box_enter();
    char *out = NULL;
    int status;
    struct err e =
        box_try(&(struct box_options){.script = "true",
                                      .process = ",\"apparmorProfile\":\"no-such-profile\""},
                &out, &status);
    assert_true(err_failed(e));
    assert_non_null(strstr(err_msg(e), "no-such-profile"));
    err_free(e);
    box_leave();
}

/* Where AppArmor is (the VM has it), and its parser is installed. */
TEST(an_apparmor_profile_confines_the_container) {
    box_enter();
    char on = 'N';
    CLEAN_FD int fd = open("/sys/module/apparmor/parameters/enabled", O_RDONLY | O_CLOEXEC);
    if (fd < 0 || read(fd, &on, 1) != 1 || on != 'Y' || access("/sbin/apparmor_parser", X_OK) < 0) {
        box_leave();
        SKIP("needs AppArmor and apparmor_parser");
        return;
    }
    put_file("profile", "profile corten-kernel-test flags=(attach_disconnected,mediate_deleted) {\n"
                        "  file, capability, network, signal, ptrace, mount, umount, pivot_root,\n"
                        "  unix, dbus,\n"
                        "  deny /tmp/** w,\n"
                        "}\n");
    mkdir("/sys/kernel/security", 0755); /* is there, and not always mounted */
    if (access("/sys/kernel/security/apparmor", F_OK) < 0)
        mount("securityfs", "/sys/kernel/security", "securityfs", 0, NULL);
    assert_int_equal(system_ok("/sbin/apparmor_parser -K -r profile"), 0);
    int status;
    CLEAN_FREE char *out = box_run(
        &(struct box_options){.script = "cat /proc/self/attr/current; echo x >/tmp/x; echo $?",
                              .process = ",\"apparmorProfile\":\"corten-kernel-test\""},
        &status);
    system_ok("/sbin/apparmor_parser -R profile");
    assert_non_null(strstr(out, "corten-kernel-test (enforce)\n"));
    assert_non_null(strstr(out, "/tmp/x: Permission denied\n1\n"));
    box_leave();
}

TEST(errors_of_exec_are_the_peers) {
    box_enter();
    static const struct {
        const char *args;
        enum err_kind kind;
        const char *text;
    } cases[] = {
        {"[\"nope\"]", ERR_NOT_FOUND, "exec: \"nope\": executable file not found in $PATH"},
        {"[\"/nope\"]", ERR_NOT_FOUND, "exec: \"/nope\": stat /nope: no such file or directory"},
        {"[\"/etc/passwd\"]", ERR_FORBIDDEN, "exec: \"/etc/passwd\": permission denied"},
        {"[\"/etc\"]", ERR_FORBIDDEN, "exec: \"/etc\": is a directory"},
    };
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        char *out = NULL;
        int status;
        struct err e = box_try(&(struct box_options){.args = cases[i].args}, &out, &status);
        assert_int_equal(err_kind(e), cases[i].kind);
        assert_string_equal(err_msg(e), cases[i].text);
        err_free(e);
    }
    box_leave();
}
