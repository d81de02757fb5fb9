/* kernel/diag.h - which sockets a network namespace has: sock_diag(7), inet_diag.
 *
 * Any thread; blocks shortly; looks into the namespace of the calling thread. TCP: sockets that
 * listen, and from Linux 6.8 those that are bound and do nothing; UDP: all that are bound. Tests:
 * test/e2e/t3110-publish.sh.
 */
#pragma once
#include "base/err.h"
#include <stdbool.h>
#include <stdint.h>

struct diag_socket {
    bool six, six_only; /* six_only: an IPv6 socket that takes no IPv4 */
    bool listening;     /* TCP; UDP always */
    uint16_t port;      /* host order */
    uint8_t address[16];
    uint32_t inode, uid;
};
/* family: AF_INET or AF_INET6; proto: IPPROTO_TCP or IPPROTO_UDP. fn returns false to end. */
struct err diag_sockets(int family, int proto, bool (*fn)(void *arg, const struct diag_socket *s),
                        void *arg);
/* Who has this socket open: "nginx, pid 4711"; false: nobody that can be seen. Reads all of /proc:
 * for error messages. */
bool diag_holder(uint32_t inode, char *out, size_t size);
