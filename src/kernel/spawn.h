/* kernel/spawn.h - start a program, or run one function in a short-lived child: clone(2),
 * execve(2).
 *
 * The only place outside runtime/ that makes processes. Both calls are vfork-like: the child shares
 * the caller's memory and the calling thread sleeps until the child has exec'ed or ended, so the
 * cost does not grow with the size of the caller, and both are safe from any thread of the
 * multi-threaded daemon (other threads keep running). No signal handler of the caller ever runs in
 * the child: all signals are blocked across the clone and reset before they are unblocked.
 *
 * Owns nothing; keeps no state. Tests: test/kernel/spawn.c.
 */
#pragma once
#include "base/err.h"
#include <sys/types.h>

/* Highest descriptor number that a program can be given. */
#define SPAWN_FD_MAX 1023
#define SPAWN_FDS_MAX 64 /* entries in the map */

struct cgroup;

struct spawn_fd {
    int source; /* borrowed descriptor of the caller */
    int target; /* its number in the program, 0..SPAWN_FD_MAX */
};

struct spawn {
    const char *program; /* absolute path; NULL: program_fd */
    int program_fd;    /* when program is NULL: executed by descriptor (execveat, AT_EMPTY_PATH) */
    char *const *argv; /* NULL-terminated, at least argv[0] */
    char *const *env;  /* NULL-terminated; NULL: an empty environment */
    /* What the program has open, and nothing else. 0, 1 and 2 are /dev/null when not mentioned. */
    const struct spawn_fd *fds;
    size_t fds_n;
    const char *cwd;   /* NULL: the caller's */
    bool new_session;  /* setsid(2): does not get the caller's terminal signals */
    int death_signal;  /* sent to the program when the calling *thread* ends; 0: none */
    bool new_mount_ns; /* own mount namespace, everything private */
    /* Born in it (kernel/cgroup.h), in every hierarchy that it has a directory in; NULL: the
     * caller's. */
    const struct cgroup *cgroup;
};

struct spawned {
    pid_t pid;
    int pidfd; /* owned by the receiver, CLOEXEC; reap with pidfd_reap() of kernel/pidfd.h */
};

/* Starts the program. When execve itself fails the child is reaped and the error tells why
 * (ERR_NOT_FOUND for ENOENT, ERR_FORBIDDEN for EACCES, else ERR_SYSTEM). The caller is the parent
 * and must reap. Signal mask empty, all signal actions default, umask 022. */
struct err spawn(const struct spawn *s, struct spawned *ret);

/* Marks every descriptor from `first` on to be closed by the next execve; system calls only, for
 * use between clone and exec. Where close_range(2) is missing they are gone through one by one. 0
 * or -errno. */
int spawn_close_from(int first);

/* Runs fn(arg) in a child with the given CLONE_NEW* flags and waits for it. Memory and descriptor
 * table are shared, so a descriptor opened there is the caller's as well; working directory, root
 * and the named namespaces are the child's own. fn must use system calls only (no allocation, no
 * stdio) and returns 0 or -errno, which is handed back; a child that dies gives -ECHILD.
 * stack: fn may use up to 32 KiB. */
int spawn_call(unsigned flags, int (*fn)(void *arg), void *arg);
