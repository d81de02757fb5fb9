/* http/send.h - inside of http/: blocking writes and reads of a socket, whatever its mode. */
#pragma once
#include "base/str.h"
#include <sys/types.h>

/* All of it, no SIGPIPE. 0 or -errno. Works on pipes and files too. */
int http_send(int fd, struct str data);
/* Some bytes; 0: end; -errno. Waits. */
ssize_t http_recv(int fd, void *p, size_t n);
