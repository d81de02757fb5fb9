/* kernel/ns.h - namespaces by descriptor: unshare(2), setns(2), /proc/PID/ns.
 *
 * A namespace lives while somebody is in it or holds a descriptor of it. Nothing here is visible in
 * the file system. Any thread: what a call changes about the calling thread it changes back.
 * Tests: test/kernel/ns.c.
 */
#pragma once
#include "base/err.h"
#include <sys/types.h>

/* A new, empty network namespace (lo down). The calling thread stays where it is. */
struct err ns_new_net(int *ret_fd);
/* The same by way of the calling thread itself, which is in the new namespace while setup(arg) runs
 * and then comes back (or the program is aborted, as in ns_leave_net): for what has to be set from
 * inside, without a process and two more changes (a fifth of the time). No descriptor when setup
 * fails. */
struct err ns_setup_net(struct err (*setup)(void *arg), void *arg, int *ret_fd);
/* Opens a namespace of a process: name is "net", "pid", "mnt", "ipc", "uts", "cgroup", "user" or
 * "time". Verified to be on nsfs. pid 0: the calling thread. */
struct err ns_open(pid_t pid, const char *name, int *ret_fd);
/* Opens a namespace by the path that a configuration gives; verified to be a namespace of `type`
 * (a CLONE_NEW* flag, see ioctl_ns(2)). */
struct err ns_open_path(const char *path, int type, int *ret_fd);

/* Moves the calling thread into the network namespace fd and gives what is needed to leave it.
 * Every ns_enter_net is followed by ns_leave_net on the same thread; a thread that cannot get back
 * must not go on working, so ns_leave_net aborts the program when it fails. */
struct err ns_enter_net(int fd, int *ret_back_fd);
void ns_leave_net(int back_fd); /* closes back_fd */
/* A socket that lives in network namespace fd; the thread itself comes back at once. */
struct err ns_socket(int fd, int domain, int type, int protocol, int *ret_fd);
