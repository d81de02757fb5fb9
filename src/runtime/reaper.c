/* reaper.c - corten-init, PID 1 of a container that asks for one (--init): starts the program,
 * hands signals on to it, reaps whatever is left to it, and ends as the program ends.
 *
 *     corten-init [--] PROGRAM [ARGUMENT…]
 *
 * Static, no library of ours: it is executed in the container, from a descriptor (runtime.h,
 * init_fd), so nothing of the image is needed or trusted. Exit status as a shell says it: that of
 * the program, 128 + signal, 127 when there is no such program, 126 when it cannot be executed. The
 * program gets a process group of its own, and the terminal's foreground where there is one, so
 * that ^C reaches it once. Tests: test/e2e/t2030-create-fields.sh. */

#include "runtime/runtime.h"
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static void say(const char *name, const char *why) {
    char text[512] = "corten-init: ";
    size_t n = strlen(text), name_n = strnlen(name, 256), why_n = strnlen(why, 128);
    memcpy(text + n, name, name_n);
    n += name_n;
    memcpy(text + n, ": ", 2);
    n += 2;
    memcpy(text + n, why, why_n);
    n += why_n;
    text[n++] = '\n';
    (void)!write(2, text, n);
}

/* In the child: everything as PID 1 found it. */
static void become(char **argv, const sigset_t *mask) {
    /* Without a terminal tcsetpgrp fails, and nothing is lost. SIGTTOU would stop us here. */
    setpgid(0, 0);
    tcsetpgrp(0, getpgrp());
    sigprocmask(SIG_SETMASK, mask, NULL);
    execvp(argv[0], argv);
    int errnum = errno;
    say(argv[0], strerror(errnum));
    _exit(errnum == ENOENT || errnum == ENOTDIR ? 127 : 126);
}

/* Reaps everything that has ended. True when the program is among it: *ret_status is its own. */
static int reap(pid_t program, int *ret_status) {
    int status, ended = 0;
    pid_t pid;
    while ((pid = waitpid(-1, &status, WNOHANG)) > 0)
        if (pid == program) {
            *ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
            ended = 1;
        }
    return ended;
}

static int serve(pid_t program, const sigset_t *all) {
    for (;;) {
        siginfo_t info;
        int signo = sigwaitinfo(all, &info), status = 0;
        if (signo < 0)
            continue;
        if (signo != SIGCHLD) {
            kill(program, signo); /* gone already: its end is about to be reaped */
            continue;
        }
        if (reap(program, &status))
            return status;
    }
}

int reaper_main(int argc, char **argv) {
    int first = argc > 1 && strcmp(argv[1], "--") == 0 ? 2 : 1;
    if (first >= argc) {
        say("usage", "corten-init [--] PROGRAM [ARGUMENT...]");
        return 2;
    }
    prctl(PR_SET_NAME, "corten-init"); /* executed by descriptor, the name would be a number */
    /* Not PID 1 (a shared pid namespace): orphans of ours come to us all the same. */
    if (getpid() != 1)
        prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
    sigset_t all, old;
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old);
    pid_t program = fork();
    if (program < 0) {
        say("fork", strerror(errno));
        return 126;
    }
    if (program == 0)
        become(argv + first, &old);
    return serve(program, &all);
}
