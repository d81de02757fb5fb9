/* runtime/sync.h - the few words between the runtime and the process that becomes the container's:
 * one SOCK_SEQPACKET pair, fixed-size messages, checked lengths. Private to runtime/.
 *
 * Child to parent: SYNC_TERMINAL (with the pty master), SYNC_READY, SYNC_FAILED (an error), and
 * SYNC_HOOKS (run those of the host's side; a SYNC_GO is awaited), SYNC_LISTENER (with a page of
 * memory; runtime/listener.h). Parent to child: SYNC_GO. The
 * child's end is CLOEXEC: end of file after SYNC_GO means that execve succeeded. The parent's end
 * closing makes a waiting child exit. Tests: test/unit/runtime/sync.c.
 */
#pragma once
#include "base/err.h"
#include "base/str.h"
#include <sys/types.h>

enum sync_type {
    SYNC_READY = 1,
    SYNC_FAILED,
    SYNC_TERMINAL,
    SYNC_GO,
    SYNC_HOOKS,
    SYNC_LISTENER,
};

#define SYNC_TEXT_MAX 2048
#define SYNC_TIMEOUT_MS 60000 /* a child that says nothing for so long hangs in a file system */

struct err sync_pair(int ret_fds[2]); /* [0]: parent, [1]: child; CLOEXEC, never 0..2 */
/* fd -1: none. Errors of the socket only. */
struct err sync_send(int sock, enum sync_type type, int fd);
/* Tells the parent why and ends the child. */
void sync_fail(int sock, struct err e) NORETURN;
/* Parent: the next message. *ret_type 0: end of file. A SYNC_FAILED is returned as the error that
 * it carries. *ret_fd (may be NULL) gets SYNC_TERMINAL's descriptor or -1. */
struct err sync_receive(int sock, enum sync_type *ret_type, int *ret_fd);
/* Parent: the pid that the process in between wrote (birth.c), or its error. */
struct err sync_receive_pid(int sock, pid_t *ret);
/* Child: waits for SYNC_GO; exits when the parent is gone. */
void sync_wait_go(int sock);
/* Child: waits for a connection that says SYNC_GO; *ret_sock is that connection. One that ends
 * without a word (its process was killed) does not count. */
struct err sync_accept_go(int listener, int *ret_sock);
/* A connection to somebody else's AF_UNIX stream socket (console socket, seccomp listener), and
 * text sent there, its first byte with a descriptor. */
struct err sync_dial(const char *path, int *ret_fd);
struct err sync_hand_over(int sock, struct str text, int fd);
