/* corten-dns: the process. The daemon says what there is to know, monitors hand sockets over. */
#include "base/log.h"
#include "base/mem.h"
#include "network/companion.h"
#include "network/dns_serve.h"
#include <stdlib.h>

struct dns {
    struct companion_service service;
    struct dns_server *server;
};

struct peer {
    struct dns_client *client; /* a monitor's */
    bool resetting;
};

static void add_sockets(struct dns *d, struct peer *p, struct msg *m) {
    if (m->fds_n != 2 || p->client)
        return;
    int udp = TAKE_FD(m->fds[0]), tcp = TAKE_FD(m->fds[1]);
    p->client = dns_client_new(d->server, msg_get(m->body, NAMES_TAG_TEXT), udp, tcp);
}

static struct peer *peer_of(struct companion_peer *c) {
    if (!c->own)
        c->own = NEW(struct peer);
    return c->own;
}

static void on_message(void *arg, struct companion_peer *from, struct msg *m) {
    struct dns *d = arg;
    struct peer *p = peer_of(from);
    struct dns_names *names = dns_server_names(d->server);
    struct str text = msg_get(m->body, NAMES_TAG_TEXT);
    switch (m->type) {
    case NAMES_RESET:
        p->resetting = true;
        dns_names_begin(names);
        break;
    case NAMES_MEMBER:
        log_err(LOG_WARN, dns_names_put(names, text), "corten-dns");
        break;
    case NAMES_DROP: {
        CLEAN_FREE char *id = str_dup(text);
        dns_names_drop(names, id);
        break;
    }
    case NAMES_FORWARDS:
        dns_server_domains(d->server, text);
        break;
    case NAMES_READY:
        if (p->resetting)
            dns_names_end(names);
        p->resetting = false;
        dns_server_ready(d->server);
        break;
    case NAMES_SOCKETS:
        add_sockets(d, p, m);
        break;
    default:
        break; /* of a later version */
    }
}

static void on_gone(void *arg UNUSED, struct companion_peer *from) {
    struct peer *p = from->own;
    if (p)
        dns_client_free(p->client);
    free(p);
}

static void on_open(void *arg) {
    struct dns *d = arg;
    d->server = dns_server_new(d->service.loop);
}

static void on_close(void *arg) {
    struct dns *d = arg;
    d->server = dns_server_free(d->server);
}

int dns_main(void) {
    struct dns d = {.service = {.name = "corten-dns",
                                .peers_max = DNS_CLIENTS_MAX + 64,
                                .open = on_open,
                                .message = on_message,
                                .gone = on_gone,
                                .close = on_close}};
    d.service.arg = &d;
    return companion_main(&d.service);
}
