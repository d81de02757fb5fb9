/* why_unreachable.c - `corten why unreachable CONTAINER[:PORT]`: why a port is not reached.
 *
 * Goes the way of a packet backwards: does it run, has it a network, does anything listen inside
 * (on which address), is the port published (where, for whom), does a connection come through from
 * here, directly and by the published port, and which chains of a firewall drop. What listens is
 * read from /proc/PID/net of the container, which needs the daemon's machine and root; where that
 * cannot be read it is said. */
#include "base/file.h"
#include "base/path.h"
#include "cli/helper.h"
#include "cli/why.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define TABLE_MAX (8u << 20)
#define LISTENERS_MAX 64
#define CONNECT_MS 1500
#define RULES_MAX (4u << 20)

enum { STATE_LISTEN = 0x0a, STATE_UDP_OPEN = 0x07 }; /* /proc/net/tcp, /proc/net/udp: proc(5) */

struct listener {
    unsigned port;
    bool udp, loopback;
};
struct look {
    struct why *w;
    struct client *client;
    struct api_container k;
    struct arena *arena;
    struct listener listeners[LISTENERS_MAX];
    size_t n;
    bool seen; /* listeners are known */
    unsigned port;
    bool udp;
};

/* --- what listens inside ---------------------------------------------------------------------- */

/* "  0: 0100007F:1F90 00000000:0000 0A …": the local address in the CPU's order, port, state. */
static void add_line(struct look *l, struct str line, bool udp) {
    char text[256], address[33];
    unsigned port, state;
    if (line.len >= sizeof text || l->n == LISTENERS_MAX)
        return;
    memcpy(text, line.p, line.len);
    text[line.len] = 0;
    if (sscanf(text, " %*d: %32[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x", address, &port, &state) != 3 ||
        state != (udp ? STATE_UDP_OPEN : STATE_LISTEN))
        return;
    bool six = strlen(address) == 32;
    bool loopback = six ? !strcmp(address, "00000000000000000000000001000000")
                        : !strncmp(address + 6, "7F", 2);
    for (size_t i = 0; i < l->n; i++)
        if (l->listeners[i].port == port && l->listeners[i].udp == udp) {
            l->listeners[i].loopback &= loopback;
            return;
        }
    l->listeners[l->n++] = (struct listener){port, udp, loopback};
}

static void read_listeners(struct look *l) {
    static const char *const files[] = {"tcp", "tcp6", "udp", "udp6"};
    for (size_t i = 0; i < ARRAY_LEN(files); i++) {
        CLEAN_BUF struct buf text = {0};
        CLEAN_FREE char *path = mem_printf("/proc/%lld/net/%s", (long long)l->k.state.pid,
                                           files[i]);
        struct err e = file_read(path, TABLE_MAX, &text);
        l->seen |= !err_failed(e) && i == 0;
        err_free(e); /* another machine, no rights, no IPv6: what is not seen is said */
        struct str rest = buf_str(&text), line;
        while (str_next(&rest, '\n', &line))
            add_line(l, line, i >= 2);
    }
}

static const struct listener *listener(const struct look *l) {
    for (size_t i = 0; i < l->n; i++)
        if (l->listeners[i].port == l->port && l->listeners[i].udp == l->udp)
            return &l->listeners[i];
    return NULL;
}

static void tell_listeners(struct look *l) {
    CLEAN_BUF struct buf text = {0};
    if (!l->seen) {
        why_fact(l->w, "what listens inside cannot be seen from here (that takes root on the "
                       "daemon's machine)");
        return;
    }
    for (size_t i = 0; i < l->n; i++)
        buf_addf(&text, "%s%u/%s%s", i ? ", " : "", l->listeners[i].port,
                 l->listeners[i].udp ? "udp" : "tcp",
                 l->listeners[i].loopback ? " (127.0.0.1 only)" : "");
    why_fact(l->w, "listening inside: %s", text.len ? buf_cstr(&text) : "nothing");
}

/* --- what is published ------------------------------------------------------------------------ */

static const struct objs *bindings(const struct look *l) {
    char key[24];
    snprintf(key, sizeof key, "%u/%s", l->port, l->udp ? "udp" : "tcp");
    return objmap_get(&l->k.network.ports, key);
}

static void tell_ports(struct look *l) {
    const struct objmap *m = &l->k.network.ports;
    for (size_t i = 0; i < m->n; i++) {
        const struct objs *list = m->items[i].value;
        const struct api_port_binding *b = list ? list->items : NULL;
        for (size_t n = 0; list && n < list->n; n++) {
            CLEAN_BUF struct buf from = {0};
            for (size_t x = 0; x < b[n].from.n; x++)
                buf_addf(&from, "%s%s", x ? ", " : ", for ", b[n].from.items[x]);
            bool six = strchr(b[n].host_ip, ':') != NULL;
            if (!*b[n].host_port) {
                why_fact(l->w, "open to the outside by the container's own address (%s): %s",
                         six ? "IPv6" : "IPv4", m->items[i].key);
                continue;
            }
            why_fact(l->w, "published: %s%s%s:%s -> %s%s", six ? "[" : "",
                     *b[n].host_ip ? b[n].host_ip : "0.0.0.0", six ? "]" : "", b[n].host_port,
                     m->items[i].key, from.len ? buf_cstr(&from) : "");
        }
    }
}

/* PORT[/PROTO]: one inside, else one of the host that is published. Without: the only one. */
static struct err choose_port(struct look *l, const char *text) {
    const struct objmap *m = &l->k.network.ports;
    struct str number, proto;
    uint64_t port = 0;
    if (!text) {
        for (size_t i = 0; i < m->n && !l->port; i++)
            if (m->items[i].value || m->n == 1)
                text = m->items[i].key;
        for (size_t i = 0; !text && i < l->n; i++)
            if (!l->listeners[i].udp)
                text = arena_printf(l->arena, "%u", l->listeners[i].port);
        if (!text)
            return OK;
    }
    bool named = str_cut(str_of(text), '/', &number, &proto);
    if (named && !str_eqz(proto, "tcp") && !str_eqz(proto, "udp"))
        return err_new(ERR_INVALID, "corten: '%s': want PORT, PORT/tcp or PORT/udp", text);
    TRYF(str_to_u64(number, 65535, &port), "corten: '%s'", text);
    l->port = (unsigned)port;
    l->udp = named && str_eqz(proto, "udp");
    if (bindings(l) || listener(l))
        return OK;
    for (size_t i = 0; i < m->n; i++) { /* the host's number of it? */
        const struct objs *list = m->items[i].value;
        const struct api_port_binding *b = list ? list->items : NULL;
        for (size_t n = 0; list && n < list->n; n++)
            if (str_eqz(number, b[n].host_port))
                return choose_port(l, m->items[i].key);
    }
    return OK;
}

/* --- does a connection come through? ---------------------------------------------------------- */

/* 0, or the errno of it. */
static int try_connect(const char *address, unsigned port) {
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    bool is_six = strchr(address, ':') != NULL;
    if (inet_pton(is_six ? AF_INET6 : AF_INET, address,
                  is_six ? (void *)&six.sin6_addr : &four.sin_addr) != 1)
        return EAFNOSUPPORT;
    const struct sockaddr *to = is_six ? (const void *)&six : (const void *)&four;
    CLEAN_FD int fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    if (connect(fd, to, is_six ? sizeof six : sizeof four) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    struct pollfd p = {fd, POLLOUT, 0};
    int error = ETIMEDOUT;
    socklen_t n = sizeof error;
    if (poll(&p, 1, CONNECT_MS) == 1 && getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) != 0)
        return errno;
    return error;
}

static const char *own_address(const struct api_container *k) {
    for (size_t i = 0; i < k->network.networks.n; i++) {
        const struct api_endpoint *e = k->network.networks.items[i].value;
        if (e && e->ip_address && *e->ip_address)
            return e->ip_address;
        if (e && e->global_ipv6_address && *e->global_ipv6_address)
            return e->global_ipv6_address;
    }
    return NULL;
}

/* Base chains that drop what no rule of theirs takes, in words. */
static void tell_firewall(struct look *l) {
    CLEAN_BUF struct buf text = {.max = RULES_MAX};
    CLEAN_FREE char *nft = path_find_program("nft");
    char *argv[] = {(char *)"nft", (char *)"list", (char *)"chains", NULL};
    struct spawned p;
    struct pidfd_exit x = {0};
    int ends[2], null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (!nft || null < 0 || pipe2(ends, O_CLOEXEC) != 0) {
        fd_close(null);
        return;
    }
    const struct spawn_fd fds[] = {{ends[1], 1}, {null, 2}};
    struct spawn s = {
        .program = nft, .argv = argv, .env = environ, .fds = fds, .fds_n = ARRAY_LEN(fds)};
    struct err e = spawn(&s, &p);
    fd_close(ends[1]);
    fd_close(null);
    if (!err_failed(e)) {
        for (ssize_t n; (n = read(ends[0], buf_room(&text, 4096), 4096)) > 0;)
            buf_added(&text, (size_t)n);
        e = pidfd_reap(p.pidfd, &x);
        fd_close(p.pidfd);
    }
    fd_close(ends[0]);
    err_free(e); /* no rights to see rules: nothing is said about them */
    struct str rest = buf_str(&text), line, table = STR_NONE, chain = STR_NONE;
    while (str_next(&rest, '\n', &line)) {
        line = str_trim(line);
        if (str_starts(line, STR("table ")))
            table = str_sub(line, 6, line.len - 2);
        else if (str_starts(line, STR("chain ")))
            chain = str_sub(line, 6, line.len - 2);
        else if (str_find_str(line, STR("policy drop")) >= 0)
            why_fact(l->w, "firewall: chain %.*s of table %.*s drops what no rule of it takes",
                     STR_ARG(chain), STR_ARG(table));
    }
}

static bool forwards(void) {
    CLEAN_BUF struct buf text = {0};
    struct err e = file_read("/proc/sys/net/ipv4/ip_forward", 16, &text);
    bool yes = err_failed(e) || !str_starts(buf_str(&text), STR("0"));
    err_free(e); /* not to be seen: not the cause that we know */
    return yes;
}

static void of_connection(struct look *l, const struct objs *list) {
    struct why *w = l->w;
    const struct api_port_binding *b = list ? list->items : NULL;
    const char *inside = own_address(&l->k);
    int direct = inside ? try_connect(inside, l->port) : EAFNOSUPPORT;
    if (inside)
        why_fact(w, "from here to %s:%u: %s", inside, l->port,
                 direct ? strerror(direct) : "connects");
    for (size_t i = 0; list && i < list->n; i++) {
        bool any = !*b[i].host_ip || !strcmp(b[i].host_ip, "0.0.0.0");
        const char *at = any ? "127.0.0.1" : b[i].host_ip;
        if (strchr(at, ':') || !*b[i].host_port)
            continue;
        unsigned port = (unsigned)strtoul(b[i].host_port, NULL, 10);
        int r = try_connect(at, port);
        why_fact(w, "from here to %s:%u: %s", at, port, r ? strerror(r) : "connects");
        if (!r && !strncmp(at, "127.", 4) && !any)
            why_cause(w,
                      "%s is reached, but only from this machine: its port %u is published on "
                      "%s",
                      w->of, l->port, at);
        else if (!r)
            why_cause(w, "%s is reached: port %u answers at %s:%u", w->of, l->port, at, port);
        else if (!direct && b[i].from.n)
            why_cause(w,
                      "port %u of %s is published for some networks only, and this is none of "
                      "them",
                      l->port, w->of);
        else if (!direct)
            why_cause(w,
                      "%s answers at its own address, but not at the published one: something "
                      "stands between (rules that drop, another program's address translation)",
                      w->of);
    }
    if (!why_known(w) && !direct && list && list->n)
        why_cause(w, "%s is reached by its own address: port %u answers at %s", w->of, l->port,
                  inside);
    if (!why_known(w) && !forwards())
        why_cause(w, "this machine forwards no packets (net.ipv4.ip_forward is 0)");
    if (!why_known(w) && direct == ECONNREFUSED)
        why_cause(w, "%s refuses connections to port %u", w->of, l->port);
    if (!why_known(w))
        why_cause(w,
                  "no answer from %s at port %u: its own firewall, a hung program, or rules "
                  "that drop",
                  w->of, l->port);
}

/* --- the way ---------------------------------------------------------------------------------- */

static bool shares_network(struct look *l) {
    const char *mode = l->k.host->network_mode;
    struct why *w = l->w;
    if (!strncmp(mode, "container:", 10)) {
        why_cause(w, "%s has no network of its own: it uses that of container %.12s", w->of,
                  mode + 10);
        why_next(w, "corten why unreachable %.12s", mode + 10);
    } else if (!strcmp(mode, "none")) {
        why_cause(w, "%s has no network (--network none)", w->of);
        why_next(w, "corten network connect bridge %s", w->of);
    } else if (l->k.network.networks.n == 0 && strcmp(mode, "host") != 0) {
        why_cause(w, "%s is on no network", w->of);
        why_next(w, "corten network connect bridge %s", w->of);
    }
    return why_known(w);
}

static void of_listener(struct look *l) {
    const struct listener *is = listener(l);
    struct why *w = l->w;
    const char *proto = l->udp ? "udp" : "tcp";
    if (!l->seen)
        return;
    if (!is && l->n) {
        why_cause(w, "nothing in %s listens on port %u/%s", w->of, l->port, proto);
        for (size_t i = 0; i < l->n; i++)
            if (l->listeners[i].udp == l->udp && !l->listeners[i].loopback) {
                why_next(w, "publish the port that it listens on: -p HOST_PORT:%u",
                         l->listeners[i].port);
                break;
            }
    } else if (!is) {
        why_cause(w, "nothing in %s listens on any port", w->of);
        why_next(w, "corten logs --tail 50 %s   (has it started what it should?)", w->of);
    } else if (is->loopback) {
        why_cause(w, "%s listens on port %u of 127.0.0.1 only, which is inside of the container",
                  w->of, l->port);
        why_next(w, "make the program listen on 0.0.0.0");
    }
}

static void of_publication(struct look *l) {
    const struct objs *list = bindings(l);
    struct why *w = l->w;
    if (list && list->n)
        return;
    why_cause(w, "port %u of %s is not published: only containers on its networks reach it",
              l->port, w->of);
    why_next(w, "corten update --publish-add HOST_PORT:%u%s %s", l->port, l->udp ? "/udp" : "",
             w->of);
}

static struct err explain(struct look *l, const char *port) {
    struct why *w = l->w;
    TRY(client_container_inspect(l->client, w->of, l->arena, &l->k));
    if (!l->k.host || !l->k.host->network_mode)
        return err_new(ERR_INVALID, "corten: the daemon's answer has no configuration");
    if (!l->k.state.running) {
        why_cause(w, "%s does not run (%s)", w->of, l->k.state.status);
        why_next(w, "corten why dead %s", w->of);
        return OK;
    }
    if (l->k.state.paused) {
        why_cause(w, "%s is paused: it answers nobody", w->of);
        why_next(w, "corten unpause %s", w->of);
    }
    if (shares_network(l))
        return OK;
    read_listeners(l);
    TRY(choose_port(l, port));
    tell_ports(l);
    tell_listeners(l);
    if (l->k.state.health && l->k.state.health->status &&
        !strcmp(l->k.state.health->status, "unhealthy"))
        why_fact(w, "its health check fails");
    if (!l->port) {
        why_cause(w, "%s publishes no port%s", w->of, l->seen ? ", and nothing in it listens" : "");
        why_next(w, "corten update --publish-add HOST_PORT:PORT %s", w->of);
        return OK;
    }
    of_listener(l);
    bool host = !strcmp(l->k.host->network_mode, "host");
    if (!host)
        of_publication(l);
    if (!why_known(w) && !l->udp && !host)
        of_connection(l, bindings(l));
    else if (!why_known(w))
        why_cause(w, "%s listens on port %u%s, as far as can be seen", w->of, l->port,
                  host ? " of the host" : "");
    tell_firewall(l);
    return OK;
}

static int unreachable_run(struct invocation *in) {
    struct str name, port;
    bool pair = str_cut(str_of(in->args[0]), ':', &name, &port); /* no name has a colon */
    if (pair && in->args_n > 1)
        return cli_fail(err_new(ERR_INVALID, "corten: '%s' names a port, and '%s' another",
                                in->args[0], in->args[1]),
                        1);
    struct why w = {.in = in, .subject = "unreachable", .of = arena_str(&in->arena, name)};
    CLEAN_CLIENT struct client *c = cli_connect(in);
    struct look l = {.w = &w, .client = c, .arena = &in->arena};
    const char *wanted = pair ? arena_str(&in->arena, port) : in->args_n > 1 ? in->args[1] : NULL;
    return c ? why_end(&w, explain(&l, wanted)) : 1;
}

const struct command command_why_unreachable = {
    .name = "why unreachable",
    .usage = "why unreachable CONTAINER[:PORT[/PROTO]] | CONTAINER [PORT[/PROTO]]",
    .summary = "Say why a port of a container is not reached",
    .examples = "corten why unreachable web:80\tthe port inside, or the host's",
    .args_min = 1,
    .args_max = 2,
    .json = true,
    .names = "container",
    .run = unreachable_run};
