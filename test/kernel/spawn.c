#include "test.h"

#include "kernel/cgroup.h"
#include "kernel/mount.h"
#include "kernel/oom.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include "scratch.h"
#include <signal.h>
#include <sys/wait.h>

#define WORDS(...) ((char *const *)(const char *const[]){__VA_ARGS__})

static int run(struct spawn *s, struct pidfd_exit *x) {
    struct spawned p;
    assert_ok(spawn(s, &p));
    assert_ok(pidfd_reap(p.pidfd, x));
    close(p.pidfd);
    return pidfd_exit_status(x);
}

static int shell(const char *script, const struct spawn_fd *fds, size_t n) {
    char *const *argv = WORDS("sh", "-c", script, NULL);
    char *const *env = WORDS("PATH=/usr/bin:/bin", NULL);
    struct spawn s = {.program = "/bin/sh", .argv = argv, .env = env, .fds = fds, .fds_n = n};
    struct pidfd_exit x;
    return run(&s, &x);
}

TEST(exit_codes_and_signals) {
    assert_int_equal(shell("exit 7", NULL, 0), 7);
    assert_int_equal(shell("kill -9 $$", NULL, 0), 128 + 9);
}

TEST(descriptors_are_mapped_and_nothing_else_is_open) {
    int p[2], extra = open("/etc/passwd", O_RDONLY); /* not CLOEXEC on purpose */
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    assert_true(extra >= 0);
    struct spawn_fd map[] = {{p[1], 1}, {p[1], 5}};
    assert_int_equal(shell("ls /proc/self/fd | tr '\\n' ' '; echo five >&5", map, 2), 0);
    close(p[1]);
    char text[128] = {0};
    assert_true(fd_read_all(p[0], text, sizeof(text) - 1) > 0);
    close(p[0]);
    close(extra);
    /* ls itself holds one for the directory */
    assert_string_equal(text, "0 1 2 3 5 five\n");
}

TEST(sources_and_targets_may_cross) {
    int a[2], b[2];
    assert_int_equal(pipe2(a, O_CLOEXEC), 0);
    assert_int_equal(pipe2(b, O_CLOEXEC), 0);
    /* a's writer becomes number of b's writer and the other way round */
    struct spawn_fd map[] = {{a[1], b[1]}, {b[1], a[1]}};
    char script[64];
    snprintf(script, sizeof(script), "printf A >&%d; printf B >&%d", b[1], a[1]);
    assert_int_equal(shell(script, map, 2), 0);
    char from_a = 0, from_b = 0;
    assert_int_equal(read(a[0], &from_a, 1), 1);
    assert_int_equal(read(b[0], &from_b, 1), 1);
    assert_int_equal(from_a, 'A');
    assert_int_equal(from_b, 'B');
    for (int i = 0; i < 2; i++) {
        close(a[i]);
        close(b[i]);
    }
}

TEST(errors_of_exec_are_told) {
    char *const *argv = WORDS("x", NULL);
    struct spawn s = {.program = "/no/such/program", .argv = argv};
    struct spawned p;
    assert_err(spawn(&s, &p), ERR_NOT_FOUND);
    s.program = "/etc/passwd";
    assert_err(spawn(&s, &p), ERR_FORBIDDEN);
    s.program = "/bin/true";
    s.cwd = "/no/such/directory";
    assert_err(spawn(&s, &p), ERR_NOT_FOUND);
    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* no child is left */
    assert_int_equal(errno, ECHILD);
}

TEST(signals_of_the_caller_are_not_inherited) {
    sigset_t set, old;
    sigfillset(&set);
    sigprocmask(SIG_SETMASK, &set, &old);
    signal(SIGPIPE, SIG_IGN);
    int status = shell("grep -E '^Sig(Blk|Ign):' /proc/$$/status | grep -qv 0000000000000000", NULL,
                       0);
    sigprocmask(SIG_SETMASK, &old, NULL);
    signal(SIGPIPE, SIG_DFL);
    assert_int_equal(status, 1);
}

TEST(a_program_by_descriptor_runs_from_its_mount) {
    if (geteuid() != 0)
        SKIP("needs root");
    CLEAN_FD int fd = -1;
    assert_ok(mount_readonly_program("/bin/busybox", &fd));
    char *const *argv = WORDS("sh", "-c", "exec 3>/proc/self/exe", NULL);
    struct spawn s = {.program_fd = fd, .argv = argv};
    struct pidfd_exit x;
    assert_int_not_equal(run(&s, &x), 0); /* cannot be opened for writing */
    s.argv = WORDS("sh", "-c", "exit 0", NULL);
    assert_int_equal(run(&s, &x), 0);
}

TEST(new_session_and_mount_namespace) {
    if (geteuid() != 0)
        SKIP("needs root");
    size_t before = mount_count();
    char *const *argv = WORDS("sh", "-c",
                              "mount -t tmpfs x /mnt && test \"$(ps -o sid= -p $$)\" -eq $$", NULL);
    char *const *env = WORDS("PATH=/usr/bin:/bin", NULL);
    struct spawn s = {.program = "/bin/sh",
                      .argv = argv,
                      .env = env,
                      .new_session = true,
                      .new_mount_ns = true,
                      .cwd = "/tmp"};
    struct pidfd_exit x;
    assert_int_equal(run(&s, &x), 0);
    assert_int_equal(mount_count(), before);
}

static int open_null(void *arg) {
    int fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    *(int *)arg = fd;
    return fd < 0 ? -errno : 0;
}
static int die(void *arg) {
    (void)arg;
    raise(SIGKILL);
    return 0;
}

TEST(a_function_in_a_child_shares_descriptors) {
    int fd = -1;
    assert_int_equal(spawn_call(0, open_null, &fd), 0);
    assert_true(fcntl(fd, F_GETFD) >= 0);
    close(fd);
    assert_int_equal(spawn_call(0, die, NULL), -ECHILD);
    assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
}

TEST(a_pidfd_knows_its_process) {
    uint64_t start;
    assert_ok(pidfd_start_time(getpid(), &start));
    int fd;
    assert_ok(pidfd_of_started(getpid(), start, &fd));
    assert_false(pidfd_ended(fd));
    close(fd);
    assert_err(pidfd_of_started(getpid(), start + 1, &fd), ERR_NOT_FOUND);
    char *const *argv = WORDS("true", NULL);
    struct spawn s = {.program = "/bin/true", .argv = argv};
    struct spawned p;
    assert_ok(spawn(&s, &p));
    assert_true(pidfd_wait(p.pidfd, 5000));
    struct pidfd_exit x;
    assert_ok(pidfd_reap(p.pidfd, &x));
    assert_err(pidfd_reap(p.pidfd, &x), ERR_NOT_FOUND);
    assert_err(pidfd_signal(p.pidfd, 0), ERR_NOT_FOUND);
    close(p.pidfd);
}

/* The hierarchy's own answer: the child's is the first pid in it, and its word is what it read. */
static void check_cgroup(const struct cgroup_host *all, size_t tree) {
    struct cgroup_host host = *all;
    for (int c = 0; c < CGROUP_COUNT; c++)
        host.tree_of[c] = host.tree_of[c] == (int8_t)tree ? 0 : -1;
    host.trees[0] = host.trees[tree];
    host.trees[0].on_demand = false;
    host.trees_n = 1;
    char path[64], script[128];
    snprintf(path, sizeof(path), "/corten-test-spawn-%d", getpid());
    struct cgroup g = {0};
    assert_ok(cgroup_adopt(&host, path, &g));
    snprintf(script, sizeof(script), "grep -q ':%s$' /proc/self/cgroup && exit 7; exit 8", path);
    char *const *argv = WORDS("sh", "-c", script, NULL);
    char *const *env = WORDS("PATH=/usr/bin:/bin", NULL);
    struct spawn s = {.program = "/bin/sh", .argv = argv, .env = env, .cgroup = &g};
    struct pidfd_exit x;
    assert_int_equal(run(&s, &x), 7);
    assert_ok(cgroup_remove(&host, path));
    struct spawned p;
    assert_err(spawn(&s, &p), ERR_SYSTEM); /* it is there no longer */
    assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    cgroup_done(&g);
}

TEST(born_in_a_cgroup_of_every_hierarchy) {
    struct cgroup_host host;
    if (geteuid() != 0)
        SKIP("needs root");
    assert_ok(cgroup_detect(&host));
    for (size_t i = 0; i < host.trees_n; i++)
        check_cgroup(&host, i);
}

TEST(an_ordinary_score_for_who_is_protected_by_inheritance) {
    char *const *argv = WORDS("cat", "/proc/self/oom_score_adj", NULL);
    int p[2];
    char text[16] = {0};
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    oom_score_keep(); /* lower where we may */
    oom_score_ordinary();
    struct spawn_fd map[] = {{p[1], 1}};
    struct spawn s = {.program = "/bin/cat", .argv = argv, .fds = map, .fds_n = 1};
    struct pidfd_exit x;
    assert_int_equal(run(&s, &x), 0);
    close(p[1]);
    assert_true(fd_read_all(p[0], text, sizeof(text) - 1) > 0);
    close(p[0]);
    assert_true(strtol(text, NULL, 10) >= 0);
}
