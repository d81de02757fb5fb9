/* box.h - run a small container in a test: busybox as the image, the default isolation as
 * container/ composes it, output and exit status back. Everything is in a mount namespace, below a
 * tmpfs and a cgroup of the test's own. */
#pragma once
#include "base/time.h"
#include "kernel/mount.h"
#include "kernel/pidfd.h"
#include "runtime/runtime.h"
#include "scratch.h"
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>

/* The test program itself must be safe from its containers. */
__attribute__((constructor)) static void box_protect(int argc, char **argv, char **env) {
    (void)argc;
    if (geteuid() != 0)
        return; /* every test skips */
    struct err e = runtime_protect(argv, env);
    if (err_failed(e)) {
        fprintf(stderr, "%s\n", err_msg(e));
        exit(1);
    }
}

/* A helper program of the machine. 0: it worked. */
static inline int system_ok(const char *script) {
    pid_t pid = fork();
    if (pid == 0) {
        execl("/bin/sh", "sh", "-c", script, (char *)NULL);
        _exit(127);
    }
    int status = -1;
    waitpid(pid, &status, 0);
    return status;
}

struct box_options {
    const char *script;       /* for sh -c */
    const char *args;         /* instead: JSON array */
    const char *process;      /* JSON members, each with a leading comma */
    const char *capabilities; /* JSON value; NULL: the default set */
    const char *linux_;       /* ditto for linux */
    const char *namespaces;   /* JSON array; NULL: all but user */
    const char *mounts;       /* further mounts: ", {...}" */
    const char *no_dev;       /* not NULL: without the default mounts */
    const char *top;          /* members of the whole */
    const char *root;         /* '"readonly": true' */
    const char *user;         /* '"uid":1,"gid":1' */
    const char *cwd;
    bool no_seccomp, no_masks;
    int in, netns, init_fd;      /* 0: none */
    void (*prepare)(int rootfs); /* plants things in the rootfs (a directory descriptor) */
};
struct box_run {
    struct runtime_box *box;
    struct runtime_process init;
    int out; /* read end of stdout and stderr */
    char cgroup[128];
    int64_t create_ns; /* what runtime_create took */
};

#define BOX_CAPS                                                                      \
    "\"CAP_CHOWN\",\"CAP_DAC_OVERRIDE\",\"CAP_FSETID\",\"CAP_FOWNER\",\"CAP_MKNOD\"," \
    "\"CAP_NET_RAW\",\"CAP_SETGID\",\"CAP_SETUID\",\"CAP_SETFCAP\",\"CAP_SETPCAP\","  \
    "\"CAP_NET_BIND_SERVICE\",\"CAP_SYS_CHROOT\",\"CAP_KILL\",\"CAP_AUDIT_WRITE\""
#define BOX_MOUNTS                                                                              \
    "{\"destination\":\"/proc\",\"type\":\"proc\",\"source\":\"proc\","                         \
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"                                           \
    "{\"destination\":\"/dev\",\"type\":\"tmpfs\",\"source\":\"tmpfs\","                        \
    "\"options\":[\"nosuid\",\"strictatime\",\"mode=755\",\"size=65536k\"]},"                   \
    "{\"destination\":\"/dev/pts\",\"type\":\"devpts\",\"source\":\"devpts\","                  \
    "\"options\":[\"nosuid\",\"noexec\",\"newinstance\",\"ptmxmode=0666\",\"mode=0620\",\"gid=" \
    "5\"]},"                                                                                    \
    "{\"destination\":\"/sys\",\"type\":\"sysfs\",\"source\":\"sysfs\","                        \
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"ro\"]},"                                    \
    "{\"destination\":\"/sys/fs/cgroup\",\"type\":\"cgroup\",\"source\":\"cgroup\","            \
    "\"options\":[\"ro\",\"nosuid\",\"noexec\",\"nodev\"]},"                                    \
    "{\"destination\":\"/dev/mqueue\",\"type\":\"mqueue\",\"source\":\"mqueue\","               \
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\"]},"                                           \
    "{\"destination\":\"/dev/shm\",\"type\":\"tmpfs\",\"source\":\"shm\","                      \
    "\"options\":[\"nosuid\",\"noexec\",\"nodev\",\"mode=1777\",\"size=65536k\"]}"

static inline const char *or_empty(const char *text) {
    return text ? text : "";
}

static inline char *box_list(const char *const *list) {
    struct buf b = {0};
    for (; *list; list++)
        buf_addf(&b, "%s\"%s\"", b.len ? "," : "", *list);
    return buf_take(&b);
}

static inline char *box_config(const struct box_options *o, const char *cgroup) {
    CLEAN_BUF struct buf args = {0};
    CLEAN_FREE char *masked = box_list(runtime_masked_paths);
    CLEAN_FREE char *readonly = box_list(runtime_readonly_paths);
    if (o->script) {
        buf_adds(&args, "[\"/bin/sh\",\"-c\",");
        json_quote(&args, str_of(o->script));
        buf_adds(&args, "]");
    }
    const char *caps = o->capabilities ? o->capabilities
                                       : "{\"bounding\":[" BOX_CAPS "],\"effective\":[" BOX_CAPS
                                         "],\"permitted\":[" BOX_CAPS "]}";
    return mem_printf(
        "{\"ociVersion\":\"1.2.0\",\"process\":{\"args\":%s,\"cwd\":\"%s\",\"user\":{%s},"
        "\"env\":[\"PATH=/bin:/usr/bin\",\"TERM=xterm\"],\"capabilities\":%s%s},"
        "\"root\":{\"path\":\"/rootfs\"%s%s},\"mounts\":[%s%s],"
        "\"linux\":{\"cgroupsPath\":\"%s\",\"namespaces\":%s%s%s%s%s%s%s}%s}",
        o->args ? o->args : buf_cstr(&args), o->cwd ? o->cwd : "/",
        o->user ? o->user : "\"uid\":0,\"gid\":0", caps, or_empty(o->process), o->root ? "," : "",
        or_empty(o->root), o->no_dev ? "" : BOX_MOUNTS, or_empty(o->mounts), cgroup,
        o->namespaces ? o->namespaces
                      : "[{\"type\":\"pid\"},{\"type\":\"mount\"},{\"type\":\"ipc\"},"
                        "{\"type\":\"uts\"},{\"type\":\"network\"},{\"type\":\"cgroup\"}]",
        o->no_masks ? "" : ",\"maskedPaths\":[", o->no_masks ? "" : masked,
        o->no_masks ? "" : "],\"readonlyPaths\":[", o->no_masks ? "" : readonly,
        o->no_masks ? "" : "]", or_empty(o->linux_), or_empty(o->top));
}

/* image/: busybox and what a rootfs needs. */
static inline void box_image(void) {
    static const char *const links[] = {
        "sh",    "cat",   "ls",   "id",       "sleep", "echo", "true",     "false", "mount",
        "mknod", "grep",  "stat", "head",     "dd",    "kill", "hostname", "touch", "tty",
        "stty",  "mkdir", "ip",   "readlink", "test",  "wc",   "umount",   "od",    "unshare",
        "env",   "pwd",   "ln",   "chmod",    "cut",   "sort", "tr",       "sed",   "yes"};
    put_dir("image/base/bin");
    put_dir("image/base/etc");
    put_dir("image/base/tmp");
    assert_int_equal(link("/bin/busybox", "image/base/bin/busybox") == 0 || errno == EXDEV, 1);
    if (access("image/base/bin/busybox", F_OK) != 0) {
        CLEAN_BUF struct buf b = {0};
        if (access("/bin/busybox", X_OK) != 0)
            SKIP("needs busybox-static");
        assert_ok(file_read("/bin/busybox", 16 << 20, &b));
        assert_ok(file_replace("image/base/bin/busybox", buf_str(&b), 0755, false));
    }
    for (size_t i = 0; i < ARRAY_LEN(links); i++) {
        char path[64];
        snprintf(path, sizeof(path), "image/base/bin/%s", links[i]);
        assert_int_equal(symlink("busybox", path), 0);
    }
    put_file("image/base/etc/passwd", "root:x:0:0::/:/bin/sh\n");
}

/* A rootfs: overlay over the image, made ready by prepare. */
static inline int box_rootfs(const struct box_options *o) {
    static const char *const layers[] = {"base"};
    char upper[64], work[64];
    static int n;
    snprintf(upper, sizeof(upper), "boxes/%d/upper", n);
    snprintf(work, sizeof(work), "boxes/%d/work", n++);
    put_dir(upper);
    put_dir(work);
    CLEAN_FD int dir = open("image", O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEAN_FD int up = open(upper, O_PATH | O_DIRECTORY | O_CLOEXEC);
    CLEAN_FD int wk = open(work, O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct mount_overlay ov = {
        .layers_fd = dir, .layers = layers, .layers_n = 1, .upper_fd = up, .work_fd = wk};
    int fd = -1;
    assert_ok(mount_overlay_detached(&ov, &fd));
    if (o->prepare)
        o->prepare(fd);
    return fd;
}

static inline struct err box_create(const struct box_options *o, struct box_run *r) {
    static int n;
    CLEAN_ARENA struct arena a = {0};
    snprintf(r->cgroup, sizeof(r->cgroup), "/corten-test-%d/%d", (int)getpid(), n++);
    CLEAN_FREE char *text = box_config(o, r->cgroup);
    struct oci_config c;
    TRY(fields_decode_strict(&oci_config_fields, str_of(text), &a, &c));
    CLEAN_FD int rootfs = box_rootfs(o), seccomp = -1;
    if (!o->no_seccomp && c.process->capabilities)
        assert_ok(runtime_seccomp_default(NULL, &c.process->capabilities->bounding, &seccomp));
    int p[2];
    assert_int_equal(pipe2(p, O_CLOEXEC), 0);
    struct runtime_create_options co = {
        .id = "test",
        .config = &c,
        .rootfs_fd = rootfs,
        .netns_fd = o->netns ? o->netns : -1,
        .seccomp_fd = seccomp,
        .init_fd = o->init_fd,
        .stdio = {o->in ? o->in : -1, p[1], p[1]},
    };
    r->create_ns = time_monotonic();
    struct err e = runtime_create(&co, &r->box, &r->init);
    r->create_ns = time_monotonic() - r->create_ns;
    close(p[1]);
    r->out = p[0];
    if (err_failed(e))
        close(p[0]);
    return e;
}

static inline int box_reap(struct box_run *r) {
    struct pidfd_exit x;
    assert_ok(pidfd_reap(r->init.pidfd, &x));
    close(r->init.pidfd);
    if (r->init.pty_master >= 0)
        close(r->init.pty_master);
    return pidfd_exit_status(&x);
}

static inline void box_delete(struct box_run *r) {
    assert_ok(runtime_delete(r->box));
    close(r->out);
}

/* All output until the end of file. */
static inline char *box_output(int fd) {
    struct buf b = {.max = 1 << 20};
    assert_int_equal(fd_read_buf(fd, &b), 0);
    return buf_take(&b);
}

/* Runs to its end; the output is the caller's. */
static inline struct err box_try(const struct box_options *o, char **ret_output, int *ret_status) {
    struct box_run r;
    TRY(box_create(o, &r));
    struct err e = runtime_start(r.box);
    if (err_failed(e)) {
        box_reap(&r);
        box_delete(&r);
        return e;
    }
    *ret_output = box_output(r.out);
    *ret_status = box_reap(&r);
    box_delete(&r);
    return OK;
}

static inline char *box_run(const struct box_options *o, int *ret_status) {
    char *out = NULL;
    assert_ok(box_try(o, &out, ret_status));
    return out;
}

/* Runs and compares; prints both when they differ. */
static inline void box_expect(const struct box_options *o, const char *want) {
    int status;
    CLEAN_FREE char *out = box_run(o, &status);
    if (status != 0)
        fail_msg("exit status %d, output: %s", status, out);
    assert_string_equal(out, want);
}

static inline void box_enter(void) {
    scratch_enter();
    box_image();
}
/* The parent of this process's boxes' cgroups: also for a child that made boxes. */
static inline void box_forget_cgroup(void) {
    char path[64];
    snprintf(path, sizeof(path), "/corten-test-%d", (int)getpid());
    assert_ok(runtime_cgroup_remove(path));
}
static inline void box_leave(void) {
    box_forget_cgroup();
    /* Nothing is left: no child of ours, no mount. */
    assert_int_equal(waitpid(-1, NULL, WNOHANG | __WALL), -1);
    scratch_leave();
}
