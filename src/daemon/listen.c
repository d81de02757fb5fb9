/* Listeners: from the configuration to sockets that are served. */
#include "daemon/listen.h"
#include "base/file.h"
#include "base/json.h"
#include "base/log.h"
#include "base/path.h"
#include "http/tls.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#define FIRST_INHERITED 3 /* sd_listen_fds(3) */
#define DEFAULT_TCP_PORT "2375"
#define DEFAULT_TLS_PORT "2376"

struct listener {
    const char *url;
    const char *path;           /* of a unix socket */
    const char *address, *port; /* of a TCP one */
    const char *group;
    int mode;
    int fd;
    bool inherited; /* not ours to remove */
    struct api_policy policy;
    struct api_listener api;
    struct http_server *server;
};

struct listeners {
    struct arena arena;
    const struct daemon_config *config;
    struct loop *loop;
    const struct api *api;
    struct listener items[LISTENERS_MAX + 1];
    size_t n;
    const char *local;
    struct tls_server *tls;
    int metrics_fd; /* -1: metrics have no listener of their own */
    struct http_server *metrics;
    int inherited[LISTENERS_MAX];
    size_t inherited_n;
};

/* --- configuration -----------------------------------------------------------------------------
 */

static bool is_tls(const struct daemon_config *c) {
    return c->tls == DAEMON_ON || c->tls_verify == DAEMON_ON;
}

static struct err parse_tcp(struct listeners *ls, struct listener *l, struct str rest) {
    struct str address = rest, port = STR_NONE;
    ssize_t colon = str_rfind(rest, ':');
    bool v6 = rest.len > 0 && rest.p[0] == '[';
    ssize_t bracket = v6 ? str_find(rest, ']') : -1;
    if (v6 && bracket < 0)
        return err_new(ERR_INVALID, "'%s': ']' is missing", l->url);
    if (colon > bracket) {
        address = str_sub(rest, 0, (size_t)colon);
        port = str_from(rest, (size_t)colon + 1);
    }
    if (v6)
        address = str_sub(address, 1, (size_t)bracket);
    uint64_t number = 0;
    if (port.len)
        TRYF(str_to_u64(port, 65535, &number), "'%s': port", l->url);
    l->address = arena_str(&ls->arena, address);
    l->port = port.len             ? arena_str(&ls->arena, port)
              : is_tls(ls->config) ? DEFAULT_TLS_PORT
                                   : DEFAULT_TCP_PORT;
    return OK;
}

static struct err add(struct listeners *ls, struct str url, struct listener **ret) {
    if (ls->n == LISTENERS_MAX)
        return err_new(ERR_INVALID, "more than %d listeners", LISTENERS_MAX);
    struct listener *l = &ls->items[ls->n];
    *l = (struct listener){
        .url = arena_str(&ls->arena, url), .fd = -1, .mode = 0660, .group = ls->config->group};
    if (str_starts(url, STR("unix://"))) {
        struct str path = str_from(url, strlen("unix://"));
        if (!path_is_abs(path) || str_has_nul(path))
            return err_new(ERR_INVALID, "'%s': the path is not absolute", l->url);
        l->path = arena_str(&ls->arena, path);
    } else if (str_starts(url, STR("tcp://"))) {
        TRY(parse_tcp(ls, l, str_from(url, strlen("tcp://"))));
    } else if (!str_eq(url, STR("fd://"))) {
        return err_new(ERR_UNSUPPORTED,
                       "host '%s' is none of unix:///PATH, tcp://ADDRESS:PORT, fd://", l->url);
    }
    for (size_t i = 0; i < ls->n; i++)
        if (!strcmp(ls->items[i].url, l->url))
            return err_new(ERR_INVALID, "host '%s' is given twice", l->url);
    ls->n++;
    *ret = l;
    return OK;
}

static struct err read_projects(struct listeners *ls, const struct json *list,
                                const char *const **ret) {
    size_t n = json_len(list);
    const char **names = arena_array(&ls->arena, n + 1, sizeof(*names));
    for (size_t i = 0; i < n; i++) {
        struct str name = json_str(json_at(list, i));
        if (name.len == 0 || str_has_nul(name))
            return err_new(ERR_INVALID, "policy: projects: names are expected");
        names[i] = arena_str(&ls->arena, name);
    }
    *ret = names;
    return OK;
}

static struct err read_policy(struct listeners *ls, struct listener *l, const struct json *j) {
    struct json_iter it = {0};
    if (json_type(j) != JSON_OBJECT)
        return err_new(ERR_INVALID, "policy: expected an object");
    l->api.policy = &l->policy;
    while (json_each(j, &it)) {
        if (str_eqz(it.key, "read-only") && json_type(it.value) == JSON_BOOL) {
            l->policy.read_only = json_bool(it.value, false);
        } else if (str_eqz(it.key, "allow") && json_type(it.value) == JSON_ARRAY) {
            size_t n = json_len(it.value);
            const char **allow = arena_array(&ls->arena, n + 1, sizeof(*allow));
            for (size_t i = 0; i < n; i++) {
                struct str rule = json_str(json_at(it.value, i));
                if (str_find(rule, ' ') <= 0 || str_has_nul(rule))
                    return err_new(ERR_INVALID, "policy: allow: \"METHOD /path\" is expected");
                allow[i] = arena_str(&ls->arena, rule);
            }
            l->policy.allow = allow;
        } else if (str_eqz(it.key, "projects") && json_type(it.value) == JSON_ARRAY) {
            TRY(read_projects(ls, it.value, &l->policy.projects));
        } else {
            return err_new(ERR_UNSUPPORTED, "policy: '%.*s' is not supported with this value",
                           STR_ARG(it.key));
        }
    }
    return OK;
}

static struct err read_mode(struct str text, int *ret) {
    int mode = 0;
    for (size_t i = 0; i < text.len; i++) {
        if (text.p[i] < '0' || text.p[i] > '7' || text.len > 4)
            return err_new(ERR_INVALID, "mode: '%.*s' is no octal mode", STR_ARG(text));
        mode = mode * 8 + (text.p[i] - '0');
    }
    if (text.len == 0 || mode & ~0666)
        return err_new(ERR_INVALID, "mode: only read and write bits have a meaning");
    *ret = mode;
    return OK;
}

static struct err read_listener(struct listeners *ls, const struct json *j) {
    struct listener *l = NULL;
    struct json_iter it = {0};
    if (json_type(j) != JSON_OBJECT || json_type(json_get(j, "host")) != JSON_STRING)
        return err_new(ERR_INVALID, "expected objects with a \"host\"");
    TRY(add(ls, json_str(json_get(j, "host")), &l));
    while (json_each(j, &it)) {
        if (str_eqz(it.key, "host"))
            continue;
        if (str_eqz(it.key, "group") && json_type(it.value) == JSON_STRING)
            l->group = arena_str(&ls->arena, json_str(it.value));
        else if (str_eqz(it.key, "mode") && json_type(it.value) == JSON_STRING)
            TRYF(read_mode(json_str(it.value), &l->mode), "'%s'", l->url);
        else if (str_eqz(it.key, "policy"))
            TRYF(read_policy(ls, l, it.value), "'%s'", l->url);
        else
            return err_new(ERR_UNSUPPORTED, "'%s': '%.*s' is not supported with this value", l->url,
                           STR_ARG(it.key));
    }
    return OK;
}

static struct err read_all(struct listeners *ls) {
    CLEAN_JSON struct json *hosts = NULL, *more = NULL;
    struct listener *l;
    if (ls->config->hosts)
        TRY(json_parse(str_of(ls->config->hosts), &hosts));
    if (ls->config->listeners)
        TRY(json_parse(str_of(ls->config->listeners), &more));
    for (size_t i = 0; i < json_len(hosts); i++)
        TRY(add(ls, json_str(json_at(hosts, i)), &l));
    if (more && json_type(more) != JSON_ARRAY)
        return err_new(ERR_INVALID, "listeners: expected an array");
    for (size_t i = 0; i < json_len(more); i++)
        TRYF(read_listener(ls, json_at(more, i)), "listeners");
    if (ls->n == 0)
        return err_new(ERR_INVALID, "hosts: there is no listener");
    return OK;
}

/* --- opening -----------------------------------------------------------------------------------
 */

static struct err inherit(struct listeners *ls) {
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    uint64_t who = 0, n = 0;
    if (!pid || !fds)
        return OK;
    TRYF(str_to_u64(str_of(pid), INT32_MAX, &who), "LISTEN_PID");
    TRYF(str_to_u64(str_of(fds), LISTENERS_MAX, &n), "LISTEN_FDS");
    if ((pid_t)who != getpid())
        return OK;
    for (int fd = FIRST_INHERITED; fd < FIRST_INHERITED + (int)n; fd++) {
        if (fcntl(fd, F_SETFD, FD_CLOEXEC) != 0)
            return err_errno(errno, "LISTEN_FDS: descriptor %d", fd);
        TRY(fd_set_nonblock(fd, true));
        ls->inherited[ls->inherited_n++] = fd;
    }
    return OK;
}

/* The inherited socket bound to this path, taken out of the list; -1. */
static int take_inherited(struct listeners *ls, const char *path) {
    for (size_t i = 0; i < ls->inherited_n; i++) {
        struct sockaddr_un a = {0};
        socklen_t len = sizeof(a);
        if (getsockname(ls->inherited[i], (struct sockaddr *)&a, &len) < 0 ||
            a.sun_family != AF_UNIX || strncmp(a.sun_path, path, sizeof(a.sun_path)) != 0)
            continue;
        int fd = ls->inherited[i];
        ls->inherited[i] = ls->inherited[--ls->inherited_n];
        return fd;
    }
    return -1;
}

static struct err open_unix(struct listeners *ls, struct listener *l) {
    gid_t gid = (gid_t)-1;
    if (l->group) {
        struct group *g = getgrnam(l->group);
        if (!g)
            return err_new(ERR_INVALID, "no group '%s' on this host", l->group);
        gid = g->gr_gid;
    }
    CLEAN_FREE char *dir = str_dup(path_dir(str_of(l->path)));
    TRY(dir_make(dir, 0711));
    l->fd = take_inherited(ls, l->path);
    l->inherited = l->fd >= 0;
    return l->inherited ? OK : http_listen_unix(l->path, l->mode, gid, &l->fd);
}

static struct err open_tls(struct listeners *ls) {
    const struct daemon_config *c = ls->config;
    if (ls->tls)
        return OK;
    return tls_server_new(c->tls_cert ? c->tls_cert : "/etc/corten/cert.pem",
                          c->tls_key ? c->tls_key : "/etc/corten/key.pem",
                          c->tls_ca ? c->tls_ca : "/etc/corten/ca.pem", c->tls_verify == DAEMON_ON,
                          &ls->tls);
}

static struct err open_tcp(struct listeners *ls, struct listener *l) {
    bool loopback = false;
    const struct daemon_config *c = ls->config;
    if (is_tls(c))
        TRY(open_tls(ls));
    TRY(http_listen_tcp(l->address, l->port, &l->fd, &loopback));
    if (is_tls(c))
        return OK;
    if (!loopback && c->tls != DAEMON_OFF)
        return err_new(ERR_FORBIDDEN, "whoever reaches this address would be root here: use "
                                      "--tlsverify, or say --tls=false to have it all the same");
    log_warn("%s is served without TLS: who can reach it is root on this host", l->url);
    return OK;
}

static struct err open_inherited(struct listeners *ls, struct listener *l) {
    if (ls->inherited_n == 0)
        return err_new(ERR_INVALID, "no socket was handed over (LISTEN_FDS)");
    l->fd = ls->inherited[--ls->inherited_n];
    l->inherited = true;
    while (ls->inherited_n > 0) {
        struct listener *more = &ls->items[ls->n];
        if (ls->n == LISTENERS_MAX)
            return err_new(ERR_INVALID, "more than %d listeners", LISTENERS_MAX);
        *more = *l;
        more->fd = ls->inherited[--ls->inherited_n];
        ls->n++;
    }
    return OK;
}

static struct err open_local(struct listeners *ls) {
    for (size_t i = 0; i < ls->n && !ls->local; i++)
        if (ls->items[i].path && !ls->items[i].api.policy)
            ls->local = ls->items[i].url;
    if (ls->local)
        return OK;
    struct listener *l = &ls->items[ls->n];
    ls->local = arena_printf(&ls->arena, "unix://%s/local.sock", ls->config->run_root);
    *l = (struct listener){
        .url = ls->local, .path = ls->local + strlen("unix://"), .fd = -1, .mode = 0600};
    ls->n++;
    return open_unix(ls, l);
}

/* Figures only, and they name containers: whoever may see them is said by the address. */
static struct err open_metrics(struct listeners *ls) {
    struct listener l = {.url = ls->config->metrics_addr};
    bool loopback;
    if (!l.url)
        return OK;
    TRY(parse_tcp(ls, &l, str_of(l.url)));
    return http_listen_tcp(l.address, l.port, &ls->metrics_fd, &loopback);
}

static struct err open_all(struct listeners *ls) {
    struct listener *rest = NULL;
    TRY(inherit(ls));
    for (size_t i = 0, n = ls->n; i < n; i++) {
        struct listener *l = &ls->items[i];
        if (l->path)
            TRYF(open_unix(ls, l), "listen on '%s'", l->url);
        else if (l->port)
            TRYF(open_tcp(ls, l), "listen on '%s'", l->url);
        else
            rest = l;
    }
    if (rest)
        TRYF(open_inherited(ls, rest), "listen on 'fd://'");
    if (ls->inherited_n > 0)
        return err_new(ERR_INVALID, "LISTEN_FDS: %zu sockets that no host names; add fd://",
                       ls->inherited_n);
    TRYF(open_metrics(ls), "metrics-addr '%s'", ls->config->metrics_addr);
    return open_local(ls);
}

struct err listeners_check(const struct daemon_config *c) {
    struct listeners ls = {.config = c};
    struct err e = read_all(&ls);
    if (!err_failed(e) && is_tls(c)) {
        e = open_tls(&ls);
        tls_server_free(ls.tls);
    }
    arena_done(&ls.arena);
    return e;
}

struct err listeners_open(const struct daemon_config *c, struct loop *l, const struct api *api,
                          struct listeners **ret) {
    struct listeners *ls = NEW(struct listeners);
    ls->config = c;
    ls->loop = l;
    ls->api = api;
    ls->metrics_fd = -1;
    struct err e = read_all(ls);
    if (!err_failed(e))
        e = open_all(ls);
    if (err_failed(e)) {
        listeners_free(ls);
        return e;
    }
    *ret = ls;
    return OK;
}

/* --- life --------------------------------------------------------------------------------------
 */

const char *listeners_local(const struct listeners *ls) {
    return ls->local;
}

void listeners_serve(struct listeners *ls) {
    for (size_t i = 0; i < ls->n; i++) {
        struct listener *l = &ls->items[i];
        l->api.api = ls->api;
        l->server = http_server_new(ls->loop, TAKE_FD(l->fd), api_handle, &l->api);
        api_attach(&l->api, l->server);
        if (l->port && ls->tls)
            http_server_set_tls(l->server, ls->tls);
    }
    if (ls->metrics_fd >= 0)
        ls->metrics = http_server_new(ls->loop, TAKE_FD(ls->metrics_fd), api_metrics_handle,
                                      (void *)(uintptr_t)ls->api);
}

void listeners_print(const struct listeners *ls, struct buf *out) {
    for (size_t i = 0; i < ls->n; i++)
        buf_addf(out, "%s%s", i ? ", " : "", ls->items[i].url);
}

void listeners_stop(struct listeners *ls) {
    for (size_t i = 0; i < ls->n; i++)
        http_server_stop(ls->items[i].server);
    if (ls->metrics)
        http_server_stop(ls->metrics);
}

struct listeners *listeners_free(struct listeners *ls) {
    if (!ls)
        return NULL;
    for (size_t i = 0; i < ls->n; i++) {
        struct listener *l = &ls->items[i];
        if (l->path && !l->inherited && (l->server || l->fd >= 0))
            unlink(l->path);
        if (l->fd >= 0)
            fd_close(l->fd);
        http_server_free(l->server);
    }
    if (ls->metrics_fd >= 0)
        fd_close(ls->metrics_fd);
    http_server_free(ls->metrics);
    tls_server_free(ls->tls);
    arena_done(&ls->arena);
    free(ls);
    return NULL;
}
