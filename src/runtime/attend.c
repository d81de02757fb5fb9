/* The foreground of run and exec: we are the parent of the process and the other end of its
 * terminal. */
#include "base/file.h"
#include "base/log.h"
#include "kernel/pidfd.h"
#include "kernel/pty.h"
#include "runtime/commands.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#define CHUNK 32768

struct attend {
    struct runtime_process *process;
    int signals, notify;
    bool raw; /* our own terminal is in raw mode; saved is how it was */
    struct termios saved;
};

struct err attend_begin(bool subreaper) {
    sigset_t all;
    sigfillset(&all);
    if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
        return err_errno(errno, "block signals");
    if (subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
        return err_errno(errno, "become a subreaper");
    return OK;
}

/* --- the terminal ----------------------------------------------------------------------------- */

static void copy_size(const struct attend *a) {
    struct winsize w;
    if (a->process->pty_master >= 0 && ioctl(0, TIOCGWINSZ, &w) == 0)
        err_ignore(pty_resize(a->process->pty_master, w.ws_row, w.ws_col)); /* only looks */
}

static void make_raw(struct attend *a) {
    if (a->process->pty_master < 0 || tcgetattr(0, &a->saved) < 0)
        return;
    struct termios t = a->saved;
    cfmakeraw(&t);
    a->raw = tcsetattr(0, TCSANOW, &t) == 0;
    copy_size(a);
}

static void restore(const struct attend *a) {
    if (a->raw)
        tcsetattr(0, TCSANOW, &a->saved);
}

/* False at the end. */
static bool copy(int from, int to) {
    char bytes[CHUNK];
    ssize_t n = read(from, bytes, sizeof(bytes));
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return true;
    return n > 0 && fd_write_all(to, bytes, (size_t)n) == 0;
}

/* What the terminal still holds when its process has ended. */
static void drain(const struct attend *a) {
    int master = a->process->pty_master;
    struct pollfd p = {.fd = master, .events = POLLIN};
    while (master >= 0 && poll(&p, 1, 0) == 1 && (p.revents & POLLIN) && copy(master, 1))
        ;
}

/* --- signals ---------------------------------------------------------------------------------- */

/* Orphans that came to us as the subreaper; the process itself is left for pidfd_reap. */
static void reap_others(const struct attend *a) {
    siginfo_t info = {0};
    while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0 &&
           info.si_pid != a->process->pid) {
        waitid(P_PID, (id_t)info.si_pid, &info, WEXITED | WNOHANG);
        info.si_pid = 0;
    }
}

static void take_signal(struct attend *a) {
    struct signalfd_siginfo info;
    if (read(a->signals, &info, sizeof(info)) != sizeof(info))
        return;
    int signo = (int)info.ssi_signo;
    if (signo == SIGCHLD)
        reap_others(a);
    else if (signo == SIGWINCH)
        copy_size(a);
    else
        err_ignore(pidfd_signal(a->process->pidfd, signo)); /* gone: its end is seen next */
}

/* A manager that cannot be told does not end the container. */
static void pass_word(const struct attend *a) {
    bool ready = false;
    log_err(LOG_WARN, notify_pass(a->notify, a->process->pid, &ready), "sd_notify");
}

/* --- the loop --------------------------------------------------------------------------------- */

static void serve(struct attend *a) {
    struct pollfd p[5] = {{.fd = a->process->pidfd, .events = POLLIN},
                          {.fd = a->signals, .events = POLLIN},
                          {.fd = a->process->pty_master, .events = POLLIN},
                          {.fd = a->process->pty_master >= 0 ? 0 : -1, .events = POLLIN},
                          {.fd = a->notify, .events = POLLIN}};
    for (;;) {
        if (poll(p, ARRAY_LEN(p), -1) < 0 && errno != EINTR)
            return;
        if (p[1].revents)
            take_signal(a);
        if (p[2].revents && !copy(a->process->pty_master, 1))
            p[2].fd = -1;
        if (p[3].revents && !copy(0, a->process->pty_master))
            p[3].fd = -1;
        if (p[4].revents)
            pass_word(a);
        if (p[0].revents)
            return;
    }
}

static struct err begin(struct attend *a) {
    sigset_t all;
    sigfillset(&all);
    a->signals = signalfd(-1, &all, SFD_CLOEXEC);
    if (a->signals < 0)
        return err_errno(errno, "signalfd");
    make_raw(a);
    return OK;
}

struct err attend(struct runtime_process *p, int notify, int *ret_status) {
    struct attend a = {.process = p, .signals = -1, .notify = notify};
    struct pidfd_exit x;
    struct err e = begin(&a);
    if (!err_failed(e)) {
        serve(&a);
        drain(&a);
        restore(&a);
        e = pidfd_reap(p->pidfd, &x);
    }
    fd_close(a.signals);
    p->pidfd = fd_close(p->pidfd);
    p->pty_master = fd_close(p->pty_master);
    TRY(e);
    *ret_status = pidfd_exit_status(&x);
    return OK;
}
