/* Links (--link NAME[:ALIAS]): the other container's address under its alias in /etc/hosts, and
 * variables about its ports and its environment. HostConfig.Links is kept as "ID:ALIAS", because
 * names change. On a user-defined network corten-dns answers the alias instead; when the linked
 * container starts again its new address reaches the file. Source: Engine API 1.51
 * HostConfig.Links; "Legacy container links" of the peer's documentation for the names of the
 * variables. */
#include "base/file.h"
#include "base/log.h"
#include "container/private.h"
#include <arpa/inet.h>
#include <ctype.h>
#include <stdlib.h>

#define HOSTS_MAX (1u << 20)

/* --- create
 * ---------------------------------------------------------------------------------------- */

struct err container_links_resolve(struct containers *cs, const struct strs *given, struct arena *a,
                                   struct strs *ret) {
    struct strs links = {.present = given->present};
    for (size_t i = 0; i < given->n; i++) {
        struct str name, alias;
        struct container *other = NULL;
        bool has_alias = str_cut(str_of(given->items[i]), ':', &name, &alias);
        if (name.len == 0 || (has_alias && (alias.len == 0 || str_find(alias, ':') >= 0)))
            return err_new(ERR_INVALID, "bad format for links: %s", given->items[i]);
        CLEAN_FREE char *ref = str_dup(name);
        struct err e = container_find(cs, ref, &other);
        if (err_failed(e))
            return err_as(err_wrap(e, "could not get container for %s", ref), ERR_INVALID);
        if (container_mode_is_host(other->host->network_mode))
            return err_new(ERR_INVALID,
                           "conflicting options: host type networking can't be used with links. "
                           "This would result in undefined behavior");
        if (!has_alias)
            alias = str_starts(name, STR("/")) ? str_from(name, 1) : name;
        else if (str_starts(alias, STR("/"))) /* "/web/db", as inspect shows it */
            alias = str_from(alias, (size_t)str_rfind(alias, '/') + 1);
        strs_add(&links, a, arena_printf(a, "%s:%.*s", other->id, STR_ARG(alias)));
    }
    *ret = links;
    return OK;
}

struct container *container_link_target(const struct container *c, size_t i,
                                        struct str *ret_alias) {
    struct str id;
    if (!str_cut(str_of(c->host->links.items[i]), ':', &id, ret_alias))
        return NULL;
    return map_get(&c->all->by_id, id);
}

/* --- start
 * ----------------------------------------------------------------------------------------- */

static const char *address_of(const struct container *other, struct arena *a) {
    const struct endpoint_plan *p = container_endpoint(other);
    char text[INET_ADDRSTRLEN];
    return p ? arena_strz(a, inet_ntop(AF_INET, &p->address, text, sizeof text)) : NULL;
}

static bool on_default(const struct container *c) {
    return !strcmp(c->host->network_mode, "bridge");
}

void container_links_names(const struct container *c, struct arena *a, struct strs *to) {
    for (size_t i = 0; i < c->host->links.n; i++) {
        struct str alias = STR("");
        const struct container *other = container_link_target(c, i, &alias);
        if (other)
            strs_add(to, a, arena_printf(a, "%s:%.*s", other->name, STR_ARG(alias)));
    }
}

struct err container_links_hosts(const struct container *c, struct arena *a, struct strs *hosts) {
    for (size_t i = 0; on_default(c) && i < c->host->links.n; i++) {
        struct str alias = STR("");
        const struct container *other = container_link_target(c, i, &alias);
        const char *address = other && container_is_alive(other) ? address_of(other, a) : NULL;
        if (!other)
            return err_new(ERR_NOT_FOUND, "the linked container %.*s is gone", STR_ARG(alias));
        if (!address)
            return err_new(ERR_CONFLICT, "Cannot link to a non running container: /%s AS /%s/%.*s",
                           other->name, c->name, STR_ARG(alias));
        const char *const names[] = {arena_str(a, alias), other->config->hostname, other->name};
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
            bool said = false;
            for (size_t m = 0; m < k; m++)
                said |= !strcmp(names[m], names[k]);
            if (!said)
                strs_add(hosts, a, arena_printf(a, "%s:%s", names[k], address));
        }
    }
    return OK;
}

static char *prefix_of(struct str alias, struct arena *a) {
    char *text = arena_str(a, alias);
    for (char *p = text; *p; p++)
        *p = *p == '-' ? '_' : (char)toupper((unsigned char)*p);
    return text;
}

struct port {
    uint16_t number;
    uint8_t proto;
};

static int port_order(const void *x, const void *y) {
    const struct port *a = x, *b = y;
    bool at = !strcmp(port_proto_name(a->proto), "tcp"),
         bt = !strcmp(port_proto_name(b->proto), "tcp");
    return a->number != b->number ? (int)a->number - b->number : (int)bt - at;
}

static void port_variables(const struct container *other, const char *prefix, const char *address,
                           struct arena *a, struct strs *env) {
    VEC(struct port) ports = {0};
    for (size_t i = 0; i < other->config->exposed_ports.n; i++) {
        struct port p;
        struct err e = port_parse(str_of(other->config->exposed_ports.items[i]), &p.proto,
                                  &p.number);
        if (!err_failed(e))
            vec_push(&ports, p);
        err_ignore(e); /* checked at create */
    }
    if (ports.n > 1)
        qsort(ports.items, ports.n, sizeof *ports.items, port_order);
    for (size_t i = 0; i < ports.n; i++) {
        const char *proto = port_proto_name(ports.items[i].proto);
        const char *url = arena_printf(a, "%s://%s:%u", proto, address, ports.items[i].number);
        CLEAN_FREE char *upper = mem_strdup(proto);
        for (char *p = upper; *p; p++)
            *p = (char)toupper((unsigned char)*p);
        const char *base = arena_printf(a, "%s_PORT_%u_%s", prefix, ports.items[i].number, upper);
        if (i == 0)
            strs_add(env, a, arena_printf(a, "%s_PORT=%s", prefix, url));
        strs_add(env, a, arena_printf(a, "%s=%s", base, url));
        strs_add(env, a, arena_printf(a, "%s_ADDR=%s", base, address));
        strs_add(env, a, arena_printf(a, "%s_PORT=%u", base, ports.items[i].number));
        strs_add(env, a, arena_printf(a, "%s_PROTO=%s", base, proto));
    }
    vec_done(&ports);
}

void container_links_env(const struct container *c, struct arena *a, struct strs *env) {
    for (size_t i = 0; on_default(c) && i < c->host->links.n; i++) {
        struct str alias = STR("");
        const struct container *other = container_link_target(c, i, &alias);
        const char *address = other && container_is_alive(other) ? address_of(other, a) : NULL;
        if (!address)
            continue;
        const char *prefix = prefix_of(alias, a);
        port_variables(other, prefix, address, a, env);
        strs_add(env, a, arena_printf(a, "%s_NAME=/%s/%.*s", prefix, c->name, STR_ARG(alias)));
        for (size_t k = 0; k < other->config->env.n; k++) {
            const char *one = other->config->env.items[k];
            if (strchr(one, '=') && strncmp(one, "HOME=", 5) != 0 && strncmp(one, "PATH=", 5) != 0)
                strs_add(env, a, arena_printf(a, "%s_ENV_%s", prefix, one));
        }
    }
}

/* --- a linked container has started again
 * ------------------------------------------------------- */

struct hosts_job { /* an op of the one whose file it is: nobody else writes it meanwhile */
    struct container *c;
    char started[65]; /* its id: it may be gone when its turn comes */
    struct arena arena;
    struct strs names, lines;
};

static bool names_one(struct str line, const struct strs *names) {
    struct str ip, rest, first;
    if (!str_cut(line, '\t', &ip, &rest))
        return false;
    str_cut(rest, ' ', &first, &rest);
    for (size_t i = 0; i < names->n; i++)
        if (str_eqz(first, names->items[i]))
            return true;
    return false;
}

/* In place: the file is mounted in the container. */
static struct err hosts_work(void *arg) {
    struct hosts_job *j = arg;
    CLEAN_BUF struct buf old = {0};
    CLEAN_BUF struct buf text = {0};
    const char *path = arena_printf(&j->arena, "%s/hosts", j->c->id);
    if (!j->lines.n)
        return OK;
    TRY(file_read_at(j->c->all->run_fd, path, HOSTS_MAX, &old));
    struct str rest = buf_str(&old), line;
    while (str_next(&rest, '\n', &line))
        if ((line.len || rest.len) && !names_one(line, &j->names))
            buf_addf(&text, "%.*s\n", STR_ARG(line));
    for (size_t i = 0; i < j->lines.n; i++)
        buf_addf(&text, "%s\n", j->lines.items[i]);
    return file_rewrite_at(j->c->all->run_fd, path, buf_str(&text));
}

static struct err hosts_prepare(void *arg) {
    struct hosts_job *j = arg;
    const struct container *started = map_getz(&j->c->all->by_id, j->started);
    const char *address = started ? address_of(started, &j->arena) : NULL;
    for (size_t i = 0; address && container_is_alive(j->c) && i < j->c->host->links.n; i++) {
        struct str alias = STR("");
        if (container_link_target(j->c, i, &alias) != started)
            continue;
        char *const names[] = {arena_str(&j->arena, alias), started->config->hostname,
                               started->name};
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
            if (strs_has(&j->names, names[k]))
                continue;
            strs_add(&j->names, &j->arena, names[k]);
            strs_add(&j->lines, &j->arena, arena_printf(&j->arena, "%s\t%s", address, names[k]));
        }
    }
    return OK;
}

static void hosts_finish(void *arg, struct err e, struct op_run *run) {
    struct hosts_job *j = arg;
    log_err(LOG_WARN, e, "the address of a linked container");
    arena_done(&j->arena);
    free(j);
    op_end(run);
}

static const struct op hosts_op = {"container links", hosts_prepare, hosts_work, hosts_finish};

static bool is_linked(const struct container *c, const struct container *other) {
    struct str alias = STR("");
    for (size_t k = 0; k < c->host->links.n; k++)
        if (container_link_target(c, k, &alias) == other)
            return true;
    return false;
}

/* --- where nobody may talk to anybody
 * ---------------------------------------------------------------------------------- */

static void add_rules(const struct container *other, struct link_rules *to) {
    const struct endpoint_plan *p = container_endpoint(other);
    for (size_t i = 0; p && i < other->config->exposed_ports.n; i++) {
        struct link_rule r = {.to = p->address};
        struct err e = port_parse(str_of(other->config->exposed_ports.items[i]), &r.proto, &r.port);
        bool known = err_failed(e);
        err_ignore(e); /* checked at create */
        for (size_t k = 0; !known && k < to->n; k++)
            known = to->items[k].to.s_addr == r.to.s_addr && to->items[k].proto == r.proto &&
                    to->items[k].port == r.port;
        if (!known)
            vec_push(to, r);
    }
}

struct err container_links_allow(const struct container *c, const char *endpoint_id) {
    struct link_rules rules = {0};
    for (size_t i = 0; on_default(c) && i < c->host->links.n; i++) {
        struct str alias = STR("");
        const struct container *other = container_link_target(c, i, &alias);
        if (other && container_is_alive(other) && on_default(other))
            add_rules(other, &rules);
    }
    struct err e = endpoint_links_set(c->all->config.networks, endpoint_id, &rules);
    vec_done(&rules);
    return e;
}

static void allow_again(const struct container *c) {
    const struct endpoint_plan *p = container_endpoint(c);
    if (p)
        log_err(LOG_WARN, container_links_allow(c, p->endpoint_id), "container %s", c->id);
}

void container_links_restored(struct containers *cs) {
    for (size_t i = 0; i < cs->n; i++)
        if (cs->sorted[i]->host->links.n && container_is_alive(cs->sorted[i]))
            allow_again(cs->sorted[i]);
}

void container_links_ended(struct container *ended) {
    const struct containers *cs = ended->all;
    for (size_t i = 0; i < cs->n && on_default(ended); i++) {
        struct container *c = cs->sorted[i];
        if (c->host->links.n && c != ended && container_is_alive(c) && is_linked(c, ended))
            allow_again(c);
    }
}

void container_links_started(struct container *started) {
    const struct containers *cs = started->all;
    for (size_t i = 0; i < cs->n && on_default(started); i++) {
        struct container *c = cs->sorted[i];
        if (!c->host->links.n || c == started || !container_is_alive(c) || !on_default(c) ||
            !is_linked(c, started))
            continue;
        allow_again(c);
        struct hosts_job *j = NEW(struct hosts_job);
        j->c = c;
        memcpy(j->started, started->id, sizeof j->started);
        op_start(cs->config.loop, &c->queue, &hosts_op, j);
    }
}

/* --- removing one
 * ---------------------------------------------------------------------------------- */

struct unlink_job {
    struct container *c;
    struct strs before;
    container_done *done;
    void *arg;
};

static void unlinked(void *arg, struct err e) {
    struct unlink_job *j = arg;
    if (err_failed(e))
        j->c->host->links = j->before;
    j->done(j->arg, e);
    free(j);
}

void container_unlink(struct container *c, const char *alias, container_done *done, void *arg) {
    struct strs kept = {.present = true}, before = c->host->links;
    for (size_t i = 0; i < before.n; i++) {
        struct str id, name;
        str_cut(str_of(before.items[i]), ':', &id, &name);
        if (!str_eqz(name, alias))
            strs_add(&kept, &c->arena, before.items[i]);
    }
    if (kept.n == before.n) {
        done(arg, err_new(ERR_NOT_FOUND, "Cannot get parent /%s for link /%s/%s", c->name, c->name,
                          alias));
        return;
    }
    struct unlink_job *j = NEW(struct unlink_job);
    *j = (struct unlink_job){.c = c, .before = before, .done = done, .arg = arg};
    c->host->links = kept;
    struct store_txn *t = store_txn_new();
    container_record_config(c, t);
    store_commit(c->all->config.store, t, c->brief ? STORE_LAZY : STORE_DURABLE, unlinked, j);
}
