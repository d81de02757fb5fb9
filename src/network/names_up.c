/* The sockets of corten-dns in a container's network namespace. */
#include "kernel/nft_rule.h"
#include "kernel/ns.h"
#include "network/private.h"
#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <sys/socket.h>
#include <unistd.h>

#define TABLE "corten-dns"
#define PORT 53
#define BACKLOG 16
#define PRIORITY_DNAT (-100)
#define AT_DESTINATION 16 /* of the IPv4 header */
#define AT_PORT 2         /* of the UDP and TCP headers: destination */

struct inside_names {
    int fds[2]; /* UDP, TCP */
};

static struct err open_one(int type, int *ret_fd, uint16_t *ret_port) {
    struct sockaddr_in a = {.sin_family = AF_INET};
    socklen_t len = sizeof(a);
    inet_pton(AF_INET, NAMES_ADDRESS, &a.sin_addr);
    CLEAN_FD int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return err_errno(errno, "socket for names");
    if (bind(fd, (struct sockaddr *)&a, sizeof(a)) < 0 ||
        (type == SOCK_STREAM && listen(fd, BACKLOG) < 0) ||
        getsockname(fd, (struct sockaddr *)&a, &len) < 0)
        return err_errno(errno, "socket for names on %s", NAMES_ADDRESS);
    *ret_port = a.sin_port;
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static void redirect(struct netlink_batch *b, uint8_t proto, uint16_t to) {
    uint32_t address = inet_addr(NAMES_ADDRESS);
    uint16_t from = htons(PORT);
    struct nft_rule r = nft_rule_begin(b, TABLE, "output");
    nft_match_payload(&r, NFT_PAYLOAD_NETWORK_HEADER, AT_DESTINATION, &address, sizeof(address));
    nft_match_meta(&r, NFT_META_L4PROTO, &proto, sizeof(proto));
    nft_match_payload(&r, NFT_PAYLOAD_TRANSPORT_HEADER, AT_PORT, &from, sizeof(from));
    nft_dnat(&r, &address, &to);
    nft_rule_end(&r);
}

static struct err set_up(struct inside_names *s) {
    uint16_t udp = 0, tcp = 0;
    TRY(open_one(SOCK_DGRAM, &s->fds[0], &udp));
    TRY(open_one(SOCK_STREAM, &s->fds[1], &tcp));
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    TRY(netlink_open(NETLINK_NETFILTER, &nl));
    nft_begin(&b);
    nft_new_table(&b, TABLE);
    nft_new_chain(&b, TABLE, "output", "nat", NF_INET_LOCAL_OUT, PRIORITY_DNAT);
    redirect(&b, IPPROTO_UDP, udp);
    redirect(&b, IPPROTO_TCP, tcp);
    struct err e = nft_end(&nl, &b);
    if (err_failed(e) && err_errnum(e) == EEXIST) { /* an earlier network of this container */
        err_free(e);
        s->fds[0] = fd_close(s->fds[0]);
        s->fds[1] = fd_close(s->fds[1]);
        return OK;
    }
    return err_wrap(e, "lead port 53 to the sockets for names");
}

struct err network_names_up(int netns_fd, int ret_udp_tcp[2]) {
    struct inside_names s = {.fds = {-1, -1}};
    int back = -1;
    TRY(ns_enter_net(netns_fd, &back));
    struct err e = set_up(&s);
    ns_leave_net(back);
    if (err_failed(e)) {
        fd_close(s.fds[0]);
        fd_close(s.fds[1]);
        return e;
    }
    ret_udp_tcp[0] = s.fds[0];
    ret_udp_tcp[1] = s.fds[1];
    return OK;
}
