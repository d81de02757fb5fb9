/* bare - what the kernel asks for a container with network none, with no engine around it: the
 * reference for "from the API's start to the first instruction".
 *
 *   bare CGROUP IMAGE WORK FILTER N
 *
 * N times: cgroup directories as corten makes them (one per hierarchy, device rules, cpuset), an
 * overlay over IMAGE, clone3 into new namespaces, the default mounts, devices, masked and read-only
 * paths, pivot_root, loopback up, capabilities, the seccomp program in FILTER, execve of /stamp.
 * Prints "min MEDIAN max" in microseconds from the first system call to the stamp. It checks
 * nothing but that every call works, and looks at nothing hostile: that is the engine's part. WORK
 * is a directory of its own on the same file system as IMAGE. */
#include "base/file.h"
#include "base/time.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/sched.h>
#include <linux/seccomp.h>
#include <net/if.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#define TREES_MAX 16
#define CHECK(call)                                                                       \
    do {                                                                                  \
        if ((call) < 0) {                                                                 \
            fprintf(stderr, "bare: line %d: %s: %s\n", __LINE__, #call, strerror(errno)); \
            _exit(1);                                                                     \
        }                                                                                 \
    } while (0)

static const char *const controllers[] = {"cpu",     "cpuacct", "cpuset", "memory",
                                          "devices", "blkio",   "pids",   "unified"};
struct bare {
    const char *image, *work;
    char trees[TREES_MAX][256]; /* directories of this container */
    char mounts[TREES_MAX][64];
    size_t trees_n;
    struct sock_fprog filter;
    int out; /* of the stamp */
};

static void put(const char *dir, const char *file, const char *text) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", dir, file);
    int fd = open(path, O_WRONLY | O_CLOEXEC);
    CHECK(fd);
    CHECK(write(fd, text, strlen(text)));
    close(fd);
}

static void copy(const char *from, const char *to, const char *file) {
    char path[512], text[256] = "";
    snprintf(path, sizeof path, "%s/%s", from, file);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    CHECK(fd);
    CHECK(read(fd, text, sizeof text - 1));
    close(fd);
    put(to, file, text);
}

/* --- cgroups ---------------------------------------------------------------------------------- */

static void find_trees(struct bare *b, const char *cgroup) {
    for (size_t i = 0; i < sizeof controllers / sizeof *controllers; i++) {
        char parent[192];
        snprintf(b->mounts[b->trees_n], sizeof b->mounts[0], "/sys/fs/cgroup/%s", controllers[i]);
        if (access(b->mounts[b->trees_n], F_OK) < 0)
            continue;
        snprintf(parent, sizeof parent, "%s/%s", b->mounts[b->trees_n], cgroup);
        if (mkdir(parent, 0755) == 0 && strcmp(controllers[i], "cpuset") == 0) {
            copy(b->mounts[b->trees_n], parent, "cpuset.cpus");
            copy(b->mounts[b->trees_n], parent, "cpuset.mems");
        }
        snprintf(b->trees[b->trees_n++], sizeof b->trees[0], "%s/box", parent);
    }
}

static void allow_devices(const char *dir) {
    static const char *const rules[] = {"c *:* m",   "b *:* m",    "c 1:3 rwm", "c 1:5 rwm",
                                        "c 1:7 rwm", "c 1:8 rwm",  "c 1:9 rwm", "c 5:0 rwm",
                                        "c 5:2 rwm", "c 136:* rwm"};
    put(dir, "devices.deny", "a");
    for (size_t i = 0; i < sizeof rules / sizeof *rules; i++)
        put(dir, "devices.allow", rules[i]);
}

static void make_cgroups(struct bare *b) {
    for (size_t i = 0; i < b->trees_n; i++) {
        CHECK(mkdir(b->trees[i], 0755));
        if (strstr(b->mounts[i], "devices"))
            allow_devices(b->trees[i]);
        if (!strstr(b->mounts[i], "cpuset"))
            continue;
        char parent[256];
        snprintf(parent, sizeof parent, "%.*s", (int)(strlen(b->trees[i]) - 4), b->trees[i]);
        copy(parent, b->trees[i], "cpuset.cpus");
        copy(parent, b->trees[i], "cpuset.mems");
    }
}

/* --- the root --------------------------------------------------------------------------------- */

static void mount_at(const char *type, const char *target, unsigned long flags, const char *data) {
    CHECK(mkdir(target, 0755) < 0 && errno != EEXIST ? -1 : 0);
    CHECK(mount(type, target, type, flags, data));
}

static void bind_at(const char *from, const char *to, unsigned long flags) {
    CHECK(mount(from, to, NULL, MS_BIND, NULL));
    if (flags)
        CHECK(mount(NULL, to, NULL, MS_BIND | MS_REMOUNT | flags, NULL));
}

static void make_devices(void) {
    static const struct {
        const char *name;
        unsigned minor, major;
    } nodes[] = {{"dev/null", 3, 1},   {"dev/zero", 5, 1},    {"dev/full", 7, 1},
                 {"dev/random", 8, 1}, {"dev/urandom", 9, 1}, {"dev/tty", 0, 5}};
    static const char *const links[][2] = {
        {"/proc/self/fd", "dev/fd"},       {"/proc/self/fd/0", "dev/stdin"},
        {"/proc/self/fd/1", "dev/stdout"}, {"/proc/self/fd/2", "dev/stderr"},
        {"pts/ptmx", "dev/ptmx"},          {"/proc/kcore", "dev/core"}};
    for (size_t i = 0; i < sizeof nodes / sizeof *nodes; i++) {
        CHECK(mknod(nodes[i].name, S_IFCHR | 0666, makedev(nodes[i].major, nodes[i].minor)));
        CHECK(chmod(nodes[i].name, 0666));
    }
    for (size_t i = 0; i < sizeof links / sizeof *links; i++)
        CHECK(symlink(links[i][0], links[i][1]));
}

static void make_mounts(const struct bare *b) {
    const unsigned long safe = MS_NOSUID | MS_NODEV | MS_NOEXEC;
    mount_at("proc", "proc", safe, NULL);
    mount_at("tmpfs", "dev", MS_NOSUID, "size=65536k,mode=755");
    mount_at("devpts", "dev/pts", MS_NOSUID | MS_NOEXEC, "gid=5,mode=620,ptmxmode=666");
    mount_at("sysfs", "sys", safe | MS_RDONLY, NULL);
    mount_at("tmpfs", "sys/fs/cgroup", safe, "mode=755");
    for (size_t i = 0; i < b->trees_n; i++) {
        const char *name = b->mounts[i] + 1;
        CHECK(mkdir(name, 0755));
        bind_at(b->trees[i], name, safe | MS_RDONLY);
    }
    CHECK(mount(NULL, "sys/fs/cgroup", NULL, MS_BIND | MS_REMOUNT | MS_RDONLY | safe, NULL));
    mount_at("mqueue", "dev/mqueue", safe, NULL);
    mount_at("tmpfs", "dev/shm", safe, "size=65536k,mode=1777");
    for (int i = 0; i < 3; i++) { /* hosts, hostname, resolv.conf */
        static const char *const names[] = {"etc/hosts", "etc/hostname", "etc/resolv.conf"};
        int fd = open(names[i], O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
        CHECK(fd);
        close(fd);
        bind_at("/etc/hostname", names[i], 0);
    }
}

static void protect(void) {
    static const char *const fixed[] = {"proc/bus", "proc/fs", "proc/irq", "proc/sys"};
    static const char *const files[] = {"proc/interrupts", "proc/keys", "proc/timer_list"};
    static const char *const dirs[] = {"proc/acpi", "sys/firmware"};
    for (size_t i = 0; i < 4; i++)
        bind_at(fixed[i], fixed[i], MS_RDONLY | MS_NOSUID | MS_NODEV | MS_NOEXEC);
    for (size_t i = 0; i < 3; i++)
        if (access(files[i], F_OK) == 0)
            bind_at("dev/null", files[i], 0);
    for (size_t i = 0; i < 2; i++)
        if (access(dirs[i], F_OK) == 0)
            CHECK(mount("tmpfs", dirs[i], "tmpfs", MS_RDONLY, "size=0k,nr_inodes=1"));
}

static void make_root(const struct bare *b) {
    char data[1024], root[256];
    CHECK(mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL));
    snprintf(root, sizeof root, "%s/root", b->work);
    snprintf(data, sizeof data, "lowerdir=%s,upperdir=%s/upper,workdir=%s/inner", b->image, b->work,
             b->work);
    CHECK(mount("overlay", root, "overlay", 0, data));
    CHECK(chdir(root));
    make_mounts(b);
    make_devices();
    protect();
    CHECK(syscall(SYS_pivot_root, ".", "."));
    CHECK(umount2(".", MNT_DETACH));
    CHECK(chdir("/"));
}

/* --- the process ------------------------------------------------------------------------------ */

static void loopback_up(void) {
    struct ifreq r = {.ifr_name = "lo", .ifr_flags = IFF_UP};
    int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    CHECK(s);
    CHECK(ioctl(s, SIOCSIFFLAGS, &r));
    close(s);
}

static void drop(const struct bare *b) {
    static const cap_value_t keep[] = {
        CAP_CHOWN,   CAP_DAC_OVERRIDE, CAP_FSETID,      CAP_FOWNER,          CAP_MKNOD,
        CAP_NET_RAW, CAP_SETGID,       CAP_SETUID,      CAP_SETFCAP,         CAP_SETPCAP,
        CAP_KILL,    CAP_SYS_CHROOT,   CAP_AUDIT_WRITE, CAP_NET_BIND_SERVICE};
    struct __user_cap_header_struct h = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct d[2] = {{0}};
    for (size_t i = 0; i < sizeof keep / sizeof *keep; i++)
        d[0].effective |= 1u << keep[i];
    d[0].permitted = d[0].effective;
    for (int c = 0; c <= CAP_LAST_CAP; c++)
        if (c > 31 || !(d[0].effective >> c & 1))
            prctl(PR_CAPBSET_DROP, c);
    CHECK(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &b->filter));
    CHECK(syscall(SYS_capset, &h, d));
}

static void become(const struct bare *b) {
    char *argv[] = {(char *)"/stamp", NULL}, *env[] = {NULL};
    for (size_t i = 0; i < b->trees_n; i++)
        if (!strstr(b->mounts[i], "unified"))
            put(b->trees[i], "cgroup.procs", "0");
    CHECK(unshare(CLONE_NEWCGROUP));
    CHECK(setsid());
    loopback_up();
    CHECK(sethostname("bare", 4));
    make_root(b);
    CHECK(dup2(b->out, 1));
    drop(b);
    CHECK(execve(argv[0], argv, env));
}

static void clean(const struct bare *b) {
    char upper[256], inner[256];
    for (size_t i = 0; i < b->trees_n; i++)
        for (int k = 0; rmdir(b->trees[i]) < 0 && k < 1000; k++)
            usleep(1000);
    snprintf(upper, sizeof upper, "%s/upper", b->work);
    snprintf(inner, sizeof inner, "%s/inner", b->work);
    err_ignore(dir_remove(AT_FDCWD, upper)); /* what is left fails the next mkdir */
    err_ignore(dir_remove(AT_FDCWD, inner));
}

static int64_t one(struct bare *b) {
    char path[256], text[32] = "";
    int p[2], core = -1;
    for (int i = 0; i < 3; i++) {
        static const char *const dirs[] = {"upper", "inner", "root"};
        snprintf(path, sizeof path, "%s/%s", b->work, dirs[i]);
        CHECK(mkdir(path, 0755) < 0 && errno != EEXIST ? -1 : 0);
    }
    CHECK(pipe2(p, O_CLOEXEC));
    b->out = p[1];
    int64_t began = time_monotonic();
    make_cgroups(b);
    for (size_t i = 0; i < b->trees_n; i++)
        if (strstr(b->mounts[i], "unified"))
            core = open(b->trees[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct clone_args a = {.flags = CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS |
                                    CLONE_NEWNET | (core >= 0 ? CLONE_INTO_CGROUP : 0),
                           .exit_signal = SIGCHLD,
                           .cgroup = core >= 0 ? (uint64_t)core : 0};
    long pid = syscall(SYS_clone3, &a, sizeof a);
    CHECK(pid);
    if (pid == 0)
        become(b);
    close(p[1]);
    CHECK(read(p[0], text, sizeof text - 1));
    int status;
    CHECK(waitpid((pid_t)pid, &status, 0));
    close(p[0]);
    fd_close(core);
    clean(b);
    if (status != 0)
        exit(1);
    return strtoll(text, NULL, 10) - began;
}

static int by_value(const void *x, const void *y) {
    int64_t a = *(const int64_t *)x, b = *(const int64_t *)y;
    return a < b ? -1 : a > b;
}

int main(int argc, char **argv) {
    struct bare b = {0};
    CLEAN_BUF struct buf program = {0};
    if (argc != 6)
        return 2;
    b.image = argv[2];
    b.work = argv[3];
    find_trees(&b, argv[1]);
    if (err_failed(file_read(argv[4], 1 << 20, &program)))
        return 1;
    b.filter =
        (struct sock_fprog){.len = (unsigned short)(program.len / sizeof(struct sock_filter)),
                            .filter = (struct sock_filter *)program.data};
    size_t n = strtoul(argv[5], NULL, 10);
    int64_t *times = calloc(n, sizeof *times);
    for (size_t i = 0; i < n; i++)
        times[i] = one(&b);
    qsort(times, n, sizeof *times, by_value);
    printf("%lld %lld %lld\n", (long long)times[0] / 1000, (long long)times[n / 2] / 1000,
           (long long)times[n - 1] / 1000);
    return 0;
}
