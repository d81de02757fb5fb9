/* loop/unix.h - unix sockets on the file system: bind with the right mode from the first moment,
 * replace the socket of a dead server but never that of a living one, names longer than sun_path.
 * unix(7). Used by msg_listen and the HTTP listener.
 */
#pragma once
#include "base/err.h"
#include <sys/types.h>

/* Binds and listens. name is relative to dirfd (AT_FDCWD allowed). type is SOCK_STREAM or
 * SOCK_SEQPACKET. The path gets mode and, unless (gid_t)-1, group gid. A stale socket is replaced,
 * a served one is ERR_CONFLICT, and so is a path that is no socket. */
struct err unix_listen(int dirfd, const char *name, int type, int mode, gid_t gid, int *ret_fd);
/* Connects; waits at most two seconds for room in a full backlog. ERR_NOT_FOUND when nobody
 * listens. The descriptor is in blocking mode. */
struct err unix_dial(int dirfd, const char *name, int type, int *ret_fd);
