/* Attacks of a container on its host that go by system calls: keyrings, terminals, abstract
 * sockets, cgroups, id maps. The rows are those of the security reference; further ones are in
 * runtime-isolation.c and runtime-mounts.c, next to what they attack.
 * attacker.c is the program in the container. */
#include "test.h"

#include "box.h"
#include <dirent.h>
#include <linux/keyctl.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/un.h>

static void plant(int rootfs) {
    CLEAN_BUF struct buf program = {0};
    const char *bin = getenv("CORTEN_BIN");
    if (!bin)
        SKIP("CORTEN_BIN does not say where the programs were built");
    CLEAN_FREE char *path = mem_printf("%s/../../test/kernel/attacker", bin);
    assert_ok(file_read(path, 16 << 20, &program));
    CLEAN_FD int fd = openat(rootfs, "bin/attacker", O_WRONLY | O_CREAT | O_CLOEXEC, 0755);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, program.data, program.len), 0);
}

TEST(keys_of_the_host_are_not_found) { /* row 79 */
    box_enter();
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, "corten-test") < 0)
        SKIP("no keyrings here");
    assert_true(syscall(SYS_add_key, "user", "corten-bait", "secret", 6, KEY_SPEC_SESSION_KEYRING) >
                0);
    assert_true(
        syscall(SYS_keyctl, KEYCTL_SEARCH, KEY_SPEC_SESSION_KEYRING, "user", "corten-bait", 0) > 0);
    box_expect(&(struct box_options){.args = "[\"/bin/attacker\",\"key\",\"corten-bait\"]",
                                     .no_seccomp = true,
                                     .prepare = plant},
               "session: ENOKEY\nrequest: ENOKEY\n");
    /* And with the default filter not even asked for. */
    box_expect(&(struct box_options){.args = "[\"/bin/attacker\",\"key\",\"corten-bait\"]",
                                     .prepare = plant},
               "session: EPERM\nrequest: EPERM\n");
    box_leave();
}

/* The caller's terminal as standard input, as `docker run -i` without -t from a shell. */
TEST(nothing_is_typed_into_the_terminal_of_the_host) {
    box_enter();
    CLEAN_FD int master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
    assert_true(master >= 0);
    assert_int_equal(unlockpt(master), 0);
    CLEAN_FD int slave = open(ptsname(master), O_RDWR | O_NOCTTY | O_NONBLOCK | O_CLOEXEC);
    assert_true(slave >= 0);
    int status;
    CLEAN_FREE char *out = box_run(&(struct box_options){.args = "[\"/bin/attacker\",\"terminal\"]",
                                                         .no_seccomp = true,
                                                         .in = slave,
                                                         .prepare = plant},
                                   &status);
    assert_int_equal(status, 0);
    assert_non_null(strstr(out, "TIOCSTI: E"));
    assert_non_null(strstr(out, "TIOCLINUX: E"));
    int typed = -1;
    assert_int_equal(ioctl(slave, FIONREAD, &typed), 0);
    assert_int_equal(typed, 0);
    box_leave();
}

static size_t abstract_sockets(void) {
    CLEAN_BUF struct buf b = {0};
    assert_ok(file_read("/proc/net/unix", 8 << 20, &b));
    size_t n = 0;
    for (const char *at = buf_cstr(&b); (at = strstr(at, " @")); at++)
        n++;
    return n;
}

TEST(abstract_sockets_are_out_of_reach) { /* row 38: CVE-2020-15257 */
    box_enter();
    assert_int_equal(unshare(CLONE_NEWNET), 0);
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    static const char name[] = "corten-bait";
    memcpy(a.sun_path + 1, name, sizeof(name) - 1);
    CLEAN_FD int bait = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name));
    assert_int_equal(bind(bait, (struct sockaddr *)&a, len), 0);
    assert_int_equal(listen(bait, 8), 0);
    assert_int_equal(abstract_sockets(), 1);
    struct box_options o = {.args = "[\"/bin/attacker\",\"abstract\",\"corten-bait\"]",
                            .prepare = plant};
    box_expect(&o, "abstract: ECONNREFUSED\n");
    /* It would be found from the host's own network, and nothing else is there to be found. */
    o.namespaces =
        "[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},{\"type\":\"uts\"}]";
    struct box_run r;
    assert_ok(box_create(&o, &r));
    assert_int_equal(abstract_sockets(), 1);
    assert_ok(runtime_start(r.box));
    CLEAN_FREE char *out = box_output(r.out);
    assert_int_equal(box_reap(&r), 0);
    box_delete(&r);
    assert_string_equal(out, "abstract: done\n");
    box_leave();
}

/* A container with CAP_SYS_ADMIN and no filter mounts the hierarchies itself: in its cgroup
 * namespace it sees its own cgroup as the root, and no release agent. */
TEST(a_mounted_cgroup_ends_at_the_containers_own) { /* row 80: CVE-2022-0492 */
    box_enter();
    box_expect(
        &(struct box_options){
            .script = "mount -t cgroup -o memory x /tmp 2>/dev/null || mount -t cgroup2 x /tmp;"
                      "test -e /tmp/cgroup.procs && echo mounted;"
                      "test -e /tmp/release_agent && echo agent;"
                      "ls /tmp | grep corten-test; ls /tmp/.. | grep corten-test;"
                      "cut -d: -f3 /proc/self/cgroup | sort -u",
            .capabilities = "{\"bounding\":[\"CAP_SYS_ADMIN\"],\"effective\":[\"CAP_SYS_ADMIN\"],"
                            "\"permitted\":[\"CAP_SYS_ADMIN\"]}",
            .no_seccomp = true},
        "mounted\n/\n");
    box_leave();
}

/* Words by which other runtimes can be steered: they come from whoever wrote the pod, so none of
 * them may do anything here. Files, sockets and cgroups that they name are not touched. */
TEST(annotations_steer_nothing) { /* row 24: CVE-2024-3154, CVE-2023-6476 */
    box_enter();
    put_dir("steered");
    CLEAN_FREE char *here = getcwd(NULL, 0);
    CLEAN_FREE char *top = mem_printf(
        ",\"annotations\":{"
        "\"run.oci.hooks.stdout\":\"%1$s/steered/out\",\"run.oci.hooks.stderr\":\"%1$s/steered/"
        "err\","
        "\"run.oci.seccomp.receiver\":\"%1$s/steered/receiver\",\"run.oci.handler\":\"krun\","
        "\"run.oci.pidfd_receiver\":\"%1$s/steered/pidfd\",\"run.oci.systemd.subgroup\":\"../..\","
        "\"run.oci.delegate-cgroup\":\"/steered\",\"run.oci.mount_context_type\":\"rootcontext\","
        "\"run.oci.seccomp_bpf_data\":\"AAAA\",\"run.oci.timens_offset\":\"7\","
        "\"org.criu.config\":\"%1$s/steered/criu\",\"module.wasm.image/variant\":\"compat\","
        "\"org.systemd.property.ExecStopPost\":\"['/bin/true']\","
        "\"io.katacontainers.config\":\"%1$s/steered/kata\",\"com.docker.network\":\"host\","
        "\"../../steered\":\"x\",\"\":\"\"}",
        here);
    box_expect(&(struct box_options){.script = "grep -c steered /proc/self/cgroup;"
                                               "grep Seccomp: /proc/self/status;"
                                               "cut -d: -f3 /proc/self/cgroup | sort -u",
                                     .top = top},
               "0\nSeccomp:\t2\n/\n");
    DIR *d = opendir("steered");
    assert_non_null(d);
    for (struct dirent *x; (x = readdir(d));)
        if (x->d_name[0] != '.')
            fail_msg("'%s' was made", x->d_name);
    closedir(d);
    box_leave();
}

static void expect_refused(const char *linux_, const char *word) {
    struct box_run r;
    struct err e =
        box_create(&(struct box_options){.script = "true",
                                         .namespaces = "[{\"type\":\"pid\"},{\"type\":\"mount\"},"
                                                       "{\"type\":\"user\"},{\"type\":\"ipc\"}]",
                                         .linux_ = linux_},
                   &r);
    assert_true(err_failed(e));
    if (!strstr(err_msg(e), word))
        fail_msg("'%s' is not in: %s", word, err_msg(e));
    err_free(e);
    char path[256];
    snprintf(path, sizeof(path), "/sys/fs/cgroup/pids%s", r.cgroup);
    assert_true(access(path, F_OK) < 0);
}

TEST(id_maps_that_lie_are_refused) { /* rows 14, 17 */
    box_enter();
    static const char gids[] =
        "],\"gidMappings\":[{\"containerID\":0,\"hostID\":100000,\"size\":1000}]";
    static const char *const maps[][2] = {
        {"{\"containerID\":0,\"hostID\":100000,\"size\":0}", "uidMappings"},
        {"{\"containerID\":0,\"hostID\":4294967290,\"size\":100}", "uidMappings"},
        {"{\"containerID\":4294967290,\"hostID\":0,\"size\":100}", "uidMappings"},
        {"{\"containerID\":0,\"hostID\":100000,\"size\":9},"
         "{\"containerID\":5,\"hostID\":200000,\"size\":9}",
         "uidMappings"},
        {"{\"containerID\":0,\"hostID\":-1,\"size\":1}", "hostID"},
        {"{\"containerID\":0,\"hostID\":4294967296,\"size\":1}", "hostID"},
    };
    for (size_t i = 0; i < ARRAY_LEN(maps); i++) {
        CLEAN_FREE char *text = mem_printf(",\"uidMappings\":[%s%s", maps[i][0], gids);
        expect_refused(text, maps[i][1]);
    }
    /* More than the kernel takes, and more than a message between the processes would hold. */
    CLEAN_BUF struct buf many = {0};
    buf_adds(&many, ",\"uidMappings\":[");
    for (int i = 0; i < 400; i++)
        buf_addf(&many, "%s{\"containerID\":%d,\"hostID\":%d,\"size\":1}", i ? "," : "", i,
                 100000 + i);
    buf_adds(&many, gids);
    expect_refused(buf_cstr(&many), "uidMappings");
    box_leave();
}
