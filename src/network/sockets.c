/* Sockets to nf_tables that are kept open.
 *
 * Closing one waits until everything that was deleted anywhere in this namespace is really gone:
 * the kernel flushes its destroy work then, 8 ms and an RCU grace period (nft_rcv_nl_event). So a
 * few are passed on from job to job. Jobs run on several threads at once; a slot is taken and given
 * back by one atomic exchange, and whoever finds none makes a socket of its own. */
#include "network/private.h"
#include <stdatomic.h>
#include <sys/socket.h>

#define SLOTS 16 /* more than the pool has threads */

struct nft_sockets {
    atomic_int slots[SLOTS]; /* descriptor + 1; 0: empty */
};

struct nft_sockets *nft_sockets_new(void) {
    return NEW(struct nft_sockets);
}

struct nft_sockets *nft_sockets_free(struct nft_sockets *s) {
    for (size_t i = 0; s && i < SLOTS; i++)
        fd_close(atomic_load(&s->slots[i]) - 1);
    free(s);
    return NULL;
}

struct err nft_socket_take(struct nft_sockets *s, struct netlink *ret) {
    for (size_t i = 0; s && i < SLOTS; i++) {
        int fd = atomic_exchange(&s->slots[i], 0) - 1;
        if (fd < 0)
            continue;
        /* Whatever the last user was told and did not read. */
        char old[64];
        while (recv(fd, old, sizeof(old), MSG_DONTWAIT) >= 0)
            ;
        *ret = (struct netlink){.fd = fd};
        return OK;
    }
    return netlink_open(NETLINK_NETFILTER, ret);
}

void nft_socket_give(struct nft_sockets *s, struct netlink *nl) {
    for (size_t i = 0; s && nl->fd >= 0 && i < SLOTS; i++) {
        int empty = 0;
        if (atomic_compare_exchange_strong(&s->slots[i], &empty, nl->fd + 1))
            nl->fd = -1;
    }
    netlink_done(nl);
}
