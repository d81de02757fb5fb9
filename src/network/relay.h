/* network/relay.h - corten-relay: published ports that the kernel cannot translate. Private to
 * network/; the messages are in network.h ("the relay").
 *
 * One process for all containers, one thread, without root's rights. A client is one container: its
 * listening TCP and bound UDP sockets of IPv6, and the IPv4 address that they lead to. TCP: bytes
 * both ways, half-closed as the ends are, held back when the other side does not read (at most
 * RELAY_CHUNK bytes are kept for each direction). A container that refuses, or does not answer
 * within RELAY_CONNECT, is a reset. UDP: an exchange for each client address, forgotten after
 * RELAY_IDLE. The list of sources of a port is looked at here; the host itself is always let in.
 *
 * Limits: RELAY_FLOWS_MAX connections and as many exchanges, all containers together; one that is
 * too many is closed at once. Tests: test/e2e/t3110-publish.sh.
 */
#pragma once
#include "base/list.h"
#include "base/map.h"
#include "network/companion.h"
#include "network/network.h"
#include <sys/socket.h>

#define RELAY_FLOWS_MAX 8192
#define RELAY_CHUNK 65536
#define RELAY_CONNECT 20 /* seconds */
#define RELAY_IDLE 90    /* seconds */

struct relay {
    struct companion_service service;
    size_t flows_n, exchanges_n;
    struct timer *look; /* while there are exchanges */
    struct list ports;  /* UDP, those with exchanges */
    char chunk[RELAY_CHUNK];
};

struct relay_client {
    struct relay *relay;
    struct host_address to; /* any: nowhere */
    struct list ports;
};

/* One socket. */
struct relay_port {
    struct list link;
    struct relay_client *client;
    int fd;
    bool udp;
    uint16_t to;
    struct port_sources from;
    struct watch *watch;
    struct list flows;    /* TCP: struct flow of relay_tcp.c */
    struct map exchanges; /* UDP: client's sockaddr_in6 → struct exchange of relay_udp.c */
    struct list udp_link; /* relay.ports, while there are exchanges */
};

/* May whoever is at `peer` use a port, having called it `here`? */
bool relay_lets_in(const struct relay_port *p, const struct sockaddr_in6 *peer,
                   const struct in6_addr *here);
/* Where it leads to, and the length of that address. */
socklen_t relay_target(const struct relay_port *p, struct sockaddr_storage *ret);

void relay_tcp_open(struct relay_port *p); /* starts to accept */
void relay_tcp_close(struct relay_port *p);
void relay_udp_open(struct relay_port *p);
void relay_udp_close(struct relay_port *p);
