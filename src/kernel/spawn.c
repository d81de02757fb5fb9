#include "kernel/spawn.h"
#include "kernel/cgroup.h"
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <sched.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) /* clang's way to say what gcc says with the macro */
#define __SANITIZE_ADDRESS__ 1
#endif
#endif
#ifdef __SANITIZE_ADDRESS__
#include <sanitizer/asan_interface.h>
/* The child's functions never return: what the sanitizer marked on their stack stays marked. */
#define STACK_IS_OURS_AGAIN(stack) __asan_unpoison_memory_region((stack), sizeof(stack))
#else
#define STACK_IS_OURS_AGAIN(stack) ((void)(stack))
#endif

/* ThreadSanitizer believes that a child on the caller's memory is the caller: descriptors that it
 * closes before exec would be taken for ours. Under it the child has a copy of the memory, and what
 * the two share lies in a page that both see. */
#ifdef __SANITIZE_THREAD__
#include <pthread.h>
#include <sys/mman.h>
#define CHILD_MEMORY 0
#else
#define CHILD_MEMORY CLONE_VM
#endif

#define STACK_SIZE (64 << 10)
#define FD_CEILING (1 << 20) /* fs.nr_open as it comes */

/* What parent and child share; the child writes errnum and what, the parent sleeps meanwhile. */
struct child {
    const struct spawn *spawn;
    pid_t parent;
    int errnum;
    const char *what;
    int (*fn)(void *arg);
    void *arg;
    int result;
    int cgroup_dir; /* of the cgroup2 tree, when clone3 has put the child there; else -1 */
};

static int child_failed(struct child *c, const char *what) {
    c->errnum = errno;
    c->what = what;
    return 127;
}

/* Handlers point into the caller's code and must not run on the caller's memory; ignored signals
 * would stay ignored across exec. */
static void reset_signals(void) {
    struct sigaction dfl = {.sa_handler = SIG_DFL};
    for (int s = 1; s < NSIG; s++)
        if (s != SIGKILL && s != SIGSTOP)
            sigaction(s, &dfl, NULL); /* fails for the two that libc keeps: those have no handler */
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static bool is_target(const struct spawn *s, int fd) {
    for (size_t i = 0; i < s->fds_n; i++)
        if (s->fds[i].target == fd)
            return true;
    return false;
}

int spawn_close_from(int first) {
    if (close_range((unsigned)first, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
        return 0;
    if (errno != ENOSYS && errno != EINVAL)
        return -errno;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0)
        return -errno;
    /* Numbers beyond the limit were opened before it was lowered; the kernel's own ceiling is this.
     */
    int end = (int)(limit.rlim_max < FD_CEILING ? limit.rlim_max : FD_CEILING);
    for (int fd = first; fd < end; fd++)
        fcntl(fd, F_SETFD, FD_CLOEXEC); /* most are not open */
    return 0;
}

/* Sources are first lifted above every target, so that no dup3 can hit a source still needed. */
static int map_fds(const struct spawn *s) {
    int high = 2, lifted[SPAWN_FDS_MAX];
    for (size_t i = 0; i < s->fds_n; i++)
        high = s->fds[i].target > high ? s->fds[i].target : high;
    for (size_t i = 0; i < s->fds_n; i++) {
        lifted[i] = fcntl(s->fds[i].source, F_DUPFD_CLOEXEC, high + 1);
        if (lifted[i] < 0)
            return -1;
    }
    int program = -1;
    if (!s->program) {
        program = fcntl(s->program_fd, F_DUPFD_CLOEXEC, high + 1);
        if (program < 0)
            return -1;
    }
    int null = -1;
    for (int fd = 0; fd <= high; fd++) {
        if (is_target(s, fd))
            continue;
        close(fd);
        if (fd > 2)
            continue;
        if (null < 0 && (null = open("/dev/null", O_RDWR | O_CLOEXEC)) < 0)
            return -1;
        if (null != fd && dup3(null, fd, 0) < 0)
            return -1;
        if (null == fd && fcntl(fd, F_SETFD, 0) < 0)
            return -1;
    }
    for (size_t i = 0; i < s->fds_n; i++)
        if (dup3(lifted[i], s->fds[i].target, 0) < 0)
            return -1;
    if (spawn_close_from(high + 1) < 0)
        return -1;
    return program < 0 ? 0 : program;
}

static int run_program(void *p) {
    struct child *c = p;
    const struct spawn *s = c->spawn;
    static char *const no_env[] = {NULL};
    reset_signals();
    if (s->cgroup) {
        int r = cgroup_attach(s->cgroup, 0, c->cgroup_dir);
        if (r < 0) {
            errno = r == -ENOENT ? ENODEV : -r; /* removed: not the program that is missing */
            return child_failed(c, "enter cgroup");
        }
    }
    if (s->new_session && setsid() < 0)
        return child_failed(c, "setsid");
    if (s->death_signal && prctl(PR_SET_PDEATHSIG, s->death_signal) < 0)
        return child_failed(c, "prctl(PR_SET_PDEATHSIG)");
    if (s->death_signal && getppid() != c->parent) {
        errno = ESRCH;
        return child_failed(c, "parent ended");
    }
    if (s->new_mount_ns && mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return child_failed(c, "make mounts private");
    if (s->cwd && chdir(s->cwd) < 0)
        return child_failed(c, "change to working directory");
    umask(022);
    int program = map_fds(s);
    if (program < 0)
        return child_failed(c, "set up descriptors");
    char *const *env = s->env ? s->env : no_env;
    if (s->program)
        execve(s->program, s->argv, env);
    else
        syscall(SYS_execveat, program, "", s->argv, env, AT_EMPTY_PATH);
    return child_failed(c, "exec");
}

/* clone3 with the new stack and the function to be called there; libc has no such call. 0 where it
 * cannot be: then the child enters by itself, which costs a wait for the kernel's readers. */
#if defined(__x86_64__) && !defined(__SANITIZE_THREAD__)
static long clone_into(int (*fn)(void *), void *stack, size_t size, unsigned flags, struct child *c,
                       int *ret_pidfd) {
    struct clone_args a = {.flags = (flags & ~(unsigned)CSIGNAL) | CLONE_VFORK | CLONE_INTO_CGROUP,
                           .exit_signal = flags & CSIGNAL,
                           .pidfd = (uintptr_t)ret_pidfd,
                           .stack = (uintptr_t)stack,
                           .stack_size = size,
                           .cgroup = (unsigned)c->cgroup_dir};
    long pid;
    register int (*callee)(void *) __asm__("r8") = fn; /* the kernel keeps these two */
    register void *argument __asm__("r9") = c;
    __asm__ volatile("syscall\n\t"
                     "test %%rax, %%rax\n\t"
                     "jnz 1f\n\t"
                     "xor %%ebp, %%ebp\n\t"
                     "mov %%r9, %%rdi\n\t"
                     "call *%%r8\n\t"
                     "mov %%eax, %%edi\n\t"
                     "mov %[exit], %%eax\n\t"
                     "syscall\n"
                     "1:"
                     : "=a"(pid)
                     : "0"((long)SYS_clone3), "D"(&a), "S"(sizeof(a)), "r"(callee),
                       "r"(argument), [exit] "i"(SYS_exit)
                     : "rcx", "r11", "memory", "cc");
    return pid == -ENOSYS || pid == -EINVAL ? 0 : pid;
}
#else
static long clone_into(int (*fn)(void *) UNUSED, void *stack UNUSED, size_t size UNUSED,
                       unsigned flags UNUSED, struct child *c UNUSED, int *ret_pidfd UNUSED) {
    return 0;
}
#endif

static pid_t clone_child(int (*fn)(void *), char *stack, unsigned flags, struct child *c,
                         int *ret_pidfd) {
    long pid = c->cgroup_dir >= 0 ? clone_into(fn, stack, STACK_SIZE, flags, c, ret_pidfd) : 0;
    if (pid > 0)
        return (pid_t)pid;
    if (pid < 0) {
        errno = (int)-pid;
        return -1;
    }
    c->cgroup_dir = -1;
    return clone(fn, stack + STACK_SIZE, (int)(flags | CLONE_VFORK), c, ret_pidfd);
}

/* The child's stack lies in this frame: the caller sleeps in clone() until the child is done with
 * it. noinline keeps it out of the frames above. */
__attribute__((noinline, no_sanitize("address"))) static pid_t
clone_vfork(int (*fn)(void *), unsigned flags, struct child *c, int *ret_pidfd) {
    char stack[STACK_SIZE] __attribute__((aligned(16), uninitialized));
    sigset_t all, old;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    pid_t pid = clone_child(fn, stack, flags, c, ret_pidfd);
    int errnum = errno;
    STACK_IS_OURS_AGAIN(stack);
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    errno = errnum;
    return pid;
}

static struct err check_map(const struct spawn *s) {
    if (s->fds_n > SPAWN_FDS_MAX)
        return err_new(ERR_INVALID, "spawn: more than %d descriptors", SPAWN_FDS_MAX);
    for (size_t i = 0; i < s->fds_n; i++)
        if (s->fds[i].source < 0 || s->fds[i].target < 0 || s->fds[i].target > SPAWN_FD_MAX)
            return err_new(ERR_INVALID, "spawn: descriptor %d cannot become number %d",
                           s->fds[i].source, s->fds[i].target);
    return OK;
}

static enum err_kind exec_kind(int errnum) {
    return errnum == ENOENT ? ERR_NOT_FOUND : errnum == EACCES ? ERR_FORBIDDEN : ERR_SYSTEM;
}

#ifdef __SANITIZE_THREAD__
static struct child *child_new(void) {
    void *page = mmap(NULL, sizeof(struct child), PROT_READ | PROT_WRITE,
                      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    assert(page != MAP_FAILED);
    return page;
}
static void child_free(struct child **c) {
    munmap(*c, sizeof(**c));
}
#define CHILD(name) __attribute__((cleanup(child_free))) struct child *name = child_new()
#else
#define CHILD(name)                        \
    struct child *name = &(struct child) { \
        0                                  \
    }
#endif

struct err spawn(const struct spawn *s, struct spawned *ret) {
    TRY(check_map(s));
    const char *name = s->program ? s->program : s->argv[0];
    CHILD(c);
    c->spawn = s;
    c->parent = getpid();
    c->cgroup_dir = s->cgroup ? cgroup_dir(s->cgroup, CGROUP_CORE) : -1;
    CLEAN_FD int pidfd = -1;
    unsigned flags = CHILD_MEMORY | CLONE_PIDFD | SIGCHLD | (s->new_mount_ns ? CLONE_NEWNS : 0);
    pid_t pid = clone_vfork(run_program, flags, c, &pidfd);
    if (pid < 0) {
        int errnum = errno;
        pidfd = -1;
        return err_errno(errnum, "start '%s': clone", name);
    }
    if (c->what) {
        while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
            ;
        return err_kind_errno(exec_kind(c->errnum), c->errnum, "start '%s': %s", name, c->what);
    }
    *ret = (struct spawned){.pid = pid, .pidfd = TAKE_FD(pidfd)};
    return OK;
}

#ifdef __SANITIZE_THREAD__
/* A thread that shares no more with the others than the child would: ThreadSanitizer goes blind in
 * a thread that has cloned a child on its memory. */
struct call {
    unsigned flags;
    struct child c;
};

static void *run_thread(void *arg) {
    struct call *call = arg;
    if (unshare((int)call->flags | CLONE_FS) < 0)
        call->c.result = -errno;
    else
        call->c.result = call->c.fn(call->c.arg);
    return NULL;
}

int spawn_call(unsigned flags, int (*fn)(void *arg), void *arg) {
    struct call call = {.flags = flags, .c = {.fn = fn, .arg = arg, .result = -ECHILD}};
    pthread_t thread;
    int r = pthread_create(&thread, NULL, run_thread, &call);
    if (r != 0)
        return -r;
    pthread_join(thread, NULL);
    return call.c.result;
}
#else
static int run_fn(void *p) {
    struct child *c = p;
    c->result = c->fn(c->arg);
    return 0;
}

int spawn_call(unsigned flags, int (*fn)(void *arg), void *arg) {
    struct child c = {.fn = fn, .arg = arg, .result = -ECHILD, .cgroup_dir = -1};
    /* No exit signal: a SIGCHLD handler or waitpid(-1) of the caller never sees this child. */
    pid_t pid = clone_vfork(run_fn, flags | CLONE_VM | CLONE_FILES, &c, NULL);
    if (pid < 0)
        return -errno;
    while (waitpid(pid, NULL, __WALL) < 0 && errno == EINTR)
        ;
    return c.result;
}
#endif
