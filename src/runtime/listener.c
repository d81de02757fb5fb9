#include "runtime/listener.h"
#include "base/file.h"
#include "base/json.h"
#include "base/mem.h"
#include "base/time.h"
#include "kernel/pidfd.h"
#include "runtime/sync.h"
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define PAGE 4096
#define TURNS_MAX (1ull << 32) /* a minute or two */
#define SERVE_TIMEOUT_MS 60000

struct page {
    _Atomic int fd; /* its number plus one, or -errno; 0: not yet */
    _Atomic int taken;
};

/* --- what is told ----------------------------------------------------------------------------- */

bool listener_wanted(const struct oci_seccomp *s) {
    static const char notify[] = "SCMP_ACT_NOTIFY";
    const struct oci_seccomp_rule *r = s->syscalls.items;
    bool yes = s->default_action && strcmp(s->default_action, notify) == 0;
    for (size_t i = 0; i < s->syscalls.n; i++)
        yes |= r[i].action && strcmp(r[i].action, notify) == 0;
    return yes;
}

struct err listener_new(const struct runtime_create_options *o, struct listener **ret) {
    const struct oci_seccomp *s = o->config->linux_->seccomp;
    *ret = NULL;
    if (o->seccomp_fd >= 0 || !s || !listener_wanted(s))
        return OK;
    if (!s->listener_path || s->listener_path[0] != '/')
        return err_new(ERR_INVALID,
                       "linux.seccomp: SCMP_ACT_NOTIFY needs an absolute listenerPath");
    struct listener *l = NEW(struct listener);
    CLEAN_BUF struct buf text = {0};
    struct json_out out = {.out = &text};
    const struct strmap *a = &o->config->annotations;
    jo_obj(&out);
    for (size_t i = 0; i < a->n; i++)
        jo_kstr(&out, a->items[i].key, a->items[i].value);
    jo_obj_end(&out);
    l->path = mem_strdup(s->listener_path);
    l->metadata = mem_strdup(s->listener_metadata ? s->listener_metadata : "");
    l->oci_version = mem_strdup(o->config->oci_version);
    l->id = mem_strdup(o->id);
    l->bundle = mem_strdup(o->bundle ? o->bundle : "/");
    l->annotations = mem_strdup(buf_cstr(&text));
    *ret = l;
    return OK;
}

struct listener *listener_free(struct listener *l) {
    if (!l)
        return NULL;
    free(l->path);
    free(l->metadata);
    free(l->oci_version);
    free(l->id);
    free(l->bundle);
    free(l->annotations);
    free(l);
    return NULL;
}

static void process_state(const struct listener *l, pid_t pid, const char *status,
                          struct buf *text) {
    struct json_out o = {.out = text};
    jo_obj(&o);
    jo_kstr(&o, "ociVersion", l->oci_version);
    jo_key(&o, "fds");
    jo_raw(&o, STR("[\"seccompFd\"]"));
    jo_ki64(&o, "pid", pid);
    jo_kstr(&o, "metadata", l->metadata);
    jo_key(&o, "state");
    jo_obj(&o);
    jo_kstr(&o, "ociVersion", l->oci_version);
    jo_kstr(&o, "id", l->id);
    jo_kstr(&o, "status", status);
    jo_ki64(&o, "pid", pid);
    jo_kstr(&o, "bundle", l->bundle);
    jo_key(&o, "annotations");
    jo_raw(&o, str_of(l->annotations));
    jo_obj_end(&o);
    jo_obj_end(&o);
}

/* --- child ------------------------------------------------------------------------------------ */

static void turn_once(void) {
#if defined(__x86_64__)
    __builtin_ia32_pause();
#else
    __asm__ volatile("" ::: "memory");
#endif
}

static struct err share_page(int sync, struct page **ret) {
    CLEAN_FD int fd = memfd_create("listener", MFD_CLOEXEC);
    if (fd < 0 || ftruncate(fd, PAGE) < 0)
        return err_errno(errno, "memfd_create");
    struct page *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        return err_errno(errno, "mmap");
    *ret = p;
    return sync_send(sync, SYNC_LISTENER, fd);
}

struct err listener_install(int sync, const struct seccomp_program *program, unsigned flags,
                            bool open_up) {
    struct page *p;
    TRY(share_page(sync, &p));
    /* A parent without rights fetches nothing from a process that is not dumpable. There nobody
     * else is nearer to us than the user who started us. */
    if (open_up && prctl(PR_SET_DUMPABLE, 1, 0, 0, 0) < 0)
        return err_errno(errno, "prctl(PR_SET_DUMPABLE)");
    int fd = seccomp_install_listener(program->items, program->n, flags);
    atomic_store(&p->fd, fd < 0 ? fd : fd + 1);
    if (fd < 0)
        return err_errno(fd, "load seccomp filter");
    for (unsigned long long i = 0; !atomic_load_explicit(&p->taken, memory_order_acquire); i++) {
        if (i == TURNS_MAX)
            __builtin_trap(); /* the parent is gone; even exit may be a call that is asked about */
        turn_once();
    }
    return OK;
}

/* --- parent ----------------------------------------------------------------------------------- */

static struct err await_number(struct page *p, int pidfd, int *ret) {
    int64_t deadline = time_monotonic() + SERVE_TIMEOUT_MS * NSEC_PER_MSEC;
    int fd;
    while ((fd = atomic_load(&p->fd)) == 0) {
        const struct timespec little = {.tv_nsec = 50000};
        if (pidfd_ended(pidfd))
            return err_new(ERR_SYSTEM, "the process died");
        if (time_monotonic() > deadline)
            return err_new(ERR_TIMEOUT, "the process does not load its seccomp filter");
        nanosleep(&little, NULL);
    }
    if (fd < 0)
        return err_errno(fd, "load seccomp filter");
    *ret = fd - 1;
    return OK;
}

static struct err fetch(int pidfd, int number, int *ret) {
    char path[40], target[64];
    CLEAN_FD int fd = (int)syscall(SYS_pidfd_getfd, pidfd, number, 0);
    if (fd < 0)
        return err_errno(errno, "pidfd_getfd");
    snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    ssize_t n = readlink(path, target, sizeof(target));
    if (!str_eqz(str_n(target, n > 0 ? (size_t)n : 0), "anon_inode:seccomp notify"))
        return err_new(ERR_SYSTEM, "descriptor %d of the process is no seccomp listener", number);
    *ret = TAKE_FD(fd);
    return OK;
}

static struct err hand_over(const struct listener *l, struct page *p, pid_t pid, int pidfd,
                            const char *status) {
    int number;
    CLEAN_FD int sock = -1, fd = -1;
    CLEAN_BUF struct buf text = {0};
    TRY(await_number(p, pidfd, &number));
    TRY(fetch(pidfd, number, &fd));
    TRY(sync_dial(l->path, &sock));
    process_state(l, pid, status, &text);
    TRY(sync_hand_over(sock, buf_str(&text), fd));
    atomic_store_explicit(&p->taken, 1, memory_order_release);
    return OK;
}

struct err listener_serve(const struct listener *l, int page, pid_t pid, int pidfd,
                          const char *status) {
    if (!l || page < 0)
        return err_new(ERR_SYSTEM, "unexpected message from a process on its way in");
    struct page *p = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, page, 0);
    if (p == MAP_FAILED)
        return err_errno(errno, "mmap");
    struct err e = hand_over(l, p, pid, pidfd, status);
    munmap(p, PAGE);
    return err_wrap(e, "linux.seccomp.listenerPath '%s'", l->path);
}
