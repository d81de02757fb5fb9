/* kernel/pidfd.h - processes by descriptor: pidfd_open(2), pidfd_send_signal(2), waitid(2) P_PIDFD.
 *
 * A pid can be reused, a pidfd cannot. It becomes readable when the process has ended. Where a pid
 * must be remembered across a restart of ours it is kept together with the start time.
 * Any thread. Tests: test/kernel/spawn.c.
 */
#pragma once
#include "base/err.h"
#include <sys/types.h>

/* Opens a pidfd for pid. ERR_NOT_FOUND when there is no such process. */
struct err pidfd_of(pid_t pid, int *ret_fd);
/* The same, but only when the process is the one that started at start_time. */
struct err pidfd_of_started(pid_t pid, uint64_t start_time, int *ret_fd);
/* Sends a signal (0: only looks). ERR_NOT_FOUND when the process is gone. */
struct err pidfd_signal(int pidfd, int signo);
/* True when the process has ended (or was reaped). Never blocks. */
bool pidfd_ended(int pidfd);
/* Waits at most timeout_ms (-1: for ever) for the end. False on timeout. */
bool pidfd_wait(int pidfd, int timeout_ms);

/* How a child ended. */
struct pidfd_exit {
    int code;  /* exit status, or -1 when killed by a signal */
    int signo; /* 0 when it exited */
    bool core; /* dumped core */
};
/* Reaps our child; blocks until it has ended. ERR_NOT_FOUND when it is not our child (any more). */
struct err pidfd_reap(int pidfd, struct pidfd_exit *ret);
/* The status as shells and the API say it: the code, or 128 + signal. */
int pidfd_exit_status(const struct pidfd_exit *x);

/* Field 22 of /proc/PID/stat, in clock ticks since boot: with the pid the identity of a process. */
struct err pidfd_start_time(pid_t pid, uint64_t *ret);
