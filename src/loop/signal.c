/* Signals by signalfd(2), not by handlers: a forked child can never run a handler of ours on the
 * loop's memory or write to its pipe. */
#include "loop/state.h"

#include "base/log.h"
#include "base/mem.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <unistd.h>

struct sigwatch {
    struct loop *loop;
    struct watch *watch;
    signal_fn *fn;
    void *arg;
    int fd, signo;
    bool running, freed;
};

static void sigwatch_end(struct sigwatch *s) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, s->signo);
    watch_free(s->watch);
    fd_close(s->fd);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
    free(s);
}

static void on_signal(void *arg, unsigned events UNUSED) {
    struct sigwatch *s = arg;
    struct signalfd_siginfo info;
    s->running = true;
    while (!s->freed && read(s->fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
        s->fn(s->arg, (int)info.ssi_signo);
    s->running = false;
    if (s->freed)
        sigwatch_end(s);
}

struct sigwatch *sigwatch_new(struct loop *l, int signo, signal_fn *fn, void *arg) {
    struct sigwatch *s = NEW(struct sigwatch);
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, signo);
    /* An ignored signal (nohup) would never be queued. */
    signal(signo, SIG_DFL);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    s->fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    if (s->fd < 0)
        loop_must(-errno, "signalfd");
    s->loop = l;
    s->signo = signo;
    s->fn = fn;
    s->arg = arg;
    s->watch = watch_new(l, s->fd, WATCH_READ, on_signal, s);
    return s;
}

struct sigwatch *sigwatch_free(struct sigwatch *s) {
    if (!s || s->freed)
        return NULL;
    s->freed = true;
    if (!s->running)
        sigwatch_end(s);
    return NULL;
}
