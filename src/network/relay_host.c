/* The daemon's end of corten-relay, a companion that is wanted while a port is published on IPv6.
 * It is told nothing: the monitors say what there is to know. */
#include "network/companion.h"
#include "network/private.h"

#define RELAY_SOCKET "relay.sock"

struct relay_host {
    struct networks *networks;
    struct companion *companion;
};

static bool wanted(void *arg) {
    const struct relay_host *h = arg;
    size_t it = 0;
    void *value;
    while (map_next(&h->networks->endpoints, &it, NULL, &value)) {
        const struct endpoint *e = value;
        for (size_t i = 0; i < e->ports.n; i++)
            if (e->relayed || e->ports.items[i].host_ip.six)
                return true;
    }
    return false;
}

void relay_need(struct networks *n) {
    if (n->relay)
        companion_need(n->relay->companion);
}

const char *networks_relay_socket(const struct networks *n) {
    return n->relay ? companion_path(n->relay->companion) : NULL;
}

struct relay_host *relay_new(struct networks *n, const char *program) {
    if (!program)
        return NULL;
    struct relay_host *h = NEW(struct relay_host);
    h->networks = n;
    h->companion = companion_new(&(struct companion_config){.loop = n->loop,
                                                            .program = program,
                                                            .name = "corten-relay",
                                                            .run_dir = n->run_dir,
                                                            .socket = RELAY_SOCKET,
                                                            .cgroup = n->cgroup,
                                                            .wanted = wanted,
                                                            .arg = h});
    return h;
}

struct relay_host *relay_free(struct relay_host *h) {
    if (h)
        companion_free(h->companion);
    free(h);
    return NULL;
}
