/* network/names.h - what daemon, monitors and corten-dns say to each other. Private to network/;
 * the message of a monitor is in network.h, because monitor/ sends it.
 *
 * Messages of loop/msg.h on <run-dir>/dns.sock (SEQPACKET, root only). Numbers and tags are
 * append-only: a corten-dns of yesterday goes on serving under a daemon of today.
 *   daemon    RESET, MEMBER*, READY, then MEMBER and DROP as facts change. A member that is not
 *             named between RESET and READY is gone; until READY nothing is taken away, so names
 *             are answered while daemons change.
 *             FORWARDS at first: lines "domain address…", as many as there are; none forgets all.
 *   monitor   NAMES_SOCKETS once: container id, UDP socket, listening TCP socket. The end of the
 *             connection is the end of the sockets.
 * Bodies: one field, TAG_TEXT: the document below as JSON, or an id.
 */
#pragma once
#include "network/network.h"

#define NAMES_SOCKET "dns.sock"
#define NAMES_DOC_MAX (256u << 10)

enum names_type {
    NAMES_RESET = 1,
    NAMES_MEMBER = 2,
    NAMES_DROP = 3,
    NAMES_READY = 4,
    NAMES_FORWARDS = 5
};

/* One container on one network, as corten-dns needs it. */
struct names_place {
    char *network, *network_name;
    char *address, *subnet; /* "10.1.0.5", "10.1.0.0/24"; "" : none */
    char *address6, *subnet6;
    bool internal;
    bool user_defined;          /* names are shared here */
    struct strs aliases, links; /* links: "container:alias" */
};
struct names_member {
    char *id, *name, *hostname;
    bool live;           /* others may see it */
    struct objs places;  /* struct names_place */
    struct strs servers; /* asked instead of the host's */
    struct strs ports;   /* "80/tcp", "20000-39999/udp", for SRV */
    struct strmap labels;
};
extern const struct fields names_member_fields;
/* Ports as a document has them: many become ranges, so that 40,000 fit. Memory in a. */
struct strs names_ports(const struct strs *ports, struct arena *a);
