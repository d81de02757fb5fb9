/* connect and disconnect: the set of networks of a container changes, also while it runs.
 *
 * The job works on copies of the endpoints' plans: the loop goes on reading the facts meanwhile. A
 * container that does not run only changes its record; the next start does the rest. */
#include "base/file.h"
#include "container/private.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HOSTS_MAX (1u << 20)

struct connect_job {
    struct container *c;
    struct op_run *run;
    container_done *done;
    void *arg;
    struct arena arena;
    char *network;                /* as the caller named it; then the network's name */
    const struct api_endpoint *e; /* connect; the caller's, valid until done */
    bool disconnect;
    struct network *w;
    bool alive;
    struct endpoint_plans plans; /* copies of all endpoints as they will be */
    struct endpoint_live live;   /* sockets of ports that nothing published before */
    struct endpoint_plan *given; /* the one that comes or goes; in plans when it comes */
    struct endpoint_plan *next;  /* becomes the way out, in plans; NULL: nothing changes */
    struct endpoint_plan *from;  /* was it until now, a copy of its own; NULL: none */
    bool moves;                  /* the way out changes */
    char *hostname;
    struct network_files files; /* of a container that is answered names from now on */
    int names_fds[2];           /* -1: it has them, or needs none */
};

static struct connect_job *job_free(struct connect_job *j) {
    for (size_t i = 0; i < j->plans.n; i++)
        endpoint_plan_free(j->plans.items[i]);
    vec_done(&j->plans);
    endpoint_plan_free(j->disconnect ? j->given : NULL);
    endpoint_plan_free(j->from);
    endpoint_live_done(&j->live);
    arena_done(&j->arena);
    free(j->network);
    free(j->hostname);
    fd_close(j->names_fds[0]);
    fd_close(j->names_fds[1]);
    free(j);
    return NULL;
}

/* --- prepare -------------------------------------------------------------------------------------
 */

struct endpoint_plan *container_plan_copy(const struct endpoint_plan *p) {
    CLEAN_BUF struct buf text = {0};
    struct endpoint_plan *copy = NULL;
    endpoint_encode(p, &text);
    err_ignore(endpoint_decode(buf_str(&text), &copy)); /* our own text: it can be read */
    assert(copy);
    copy->sockets = p->sockets;
    copy->relay = p->relay;
    copy->rules = p->rules;
    copy->user_defined = p->user_defined;
    return copy;
}

static struct err check_modes(const struct connect_job *j) {
    const char *mode = j->c->host->network_mode;
    if (container_joins(mode) || !strcmp(mode, "host"))
        return err_new(ERR_FORBIDDEN,
                       "container sharing network namespace with another container or host cannot "
                       "be connected to any other network");
    if (j->w->driver == NETWORK_HOST)
        return err_new(ERR_FORBIDDEN,
                       "container cannot be connected to or disconnected from the host network");
    if (!strcmp(mode, "none") || j->w->driver == NETWORK_NONE)
        return err_new(ERR_FORBIDDEN, "container cannot be connected to multiple networks with one "
                                      "of the networks in private (none) mode");
    return OK;
}

static int64_t priority(const struct container *c, const struct network *w) {
    const struct api_endpoint *e = container_endpoint_settings(c, w->name);
    return e ? e->gw_priority : 0;
}

/* Does the network a give a better way out than b? The order of container/network.c. */
static bool better(const struct network *a, int64_t pa, const struct network *b, int64_t pb) {
    if (pa != pb)
        return pa > pb;
    if (a->internal != b->internal)
        return b->internal;
    return strcmp(a->name, b->name) < 0;
}

static struct endpoint_plan *way_out(const struct endpoint_plans *v) {
    for (size_t i = 0; i < v->n; i++)
        if (v->items[i]->default_route)
            return v->items[i];
    return NULL;
}

static struct endpoint_plan *best(const struct container *c, const struct endpoint_plans *v) {
    struct endpoint_plan *found = NULL;
    struct network *at = NULL;
    for (size_t i = 0; i < v->n; i++) {
        struct network *w = network_find(container_networks(c), v->items[i]->network_id);
        if (w && (!at || better(w, priority(c, w), at, priority(c, at)))) {
            found = v->items[i];
            at = w;
        }
    }
    return found;
}

static unsigned free_index(const struct endpoint_plans *v) {
    unsigned index = 0;
    for (size_t i = 0; i < v->n; i++)
        if (v->items[i]->index == index) {
            index++;
            i = (size_t)-1;
        }
    return index;
}

static struct err prepare_connect(struct connect_job *j) {
    struct container *c = j->c;
    if (container_endpoint_settings(c, j->network) && j->alive)
        return err_new(ERR_FORBIDDEN, "endpoint with name %s already exists in network %s", c->name,
                       j->network);
    TRY(container_endpoint_check(j->e));
    if (!j->alive)
        return OK;
    struct endpoint_plan *p = NULL;
    struct endpoint_plan *now = way_out(&j->plans);
    struct network *old = now ? network_find(container_networks(c), now->network_id) : NULL;
    int64_t mine = j->e ? j->e->gw_priority : 0;
    bool moves = !old || better(j->w, mine, old, priority(c, old));
    /* Ports that an internal or macvlan network did not publish. */
    bool publishes = moves && !c->idle && !(old && network_publishes(old));
    TRY(container_reserve_endpoint(c, j->w, j->e, free_index(&j->plans), false, publishes,
                                   &j->arena, &p));
    vec_push(&j->plans, p);
    j->given = p;
    if (!moves)
        return OK;
    j->moves = true;
    j->next = p;
    j->from = c->idle ? container_plan_copy(c->idle) : now ? container_plan_copy(now) : NULL;
    if (now) {
        now->default_route = false;
        now->ports.n = 0;
    }
    return OK;
}

static struct err prepare_disconnect(struct connect_job *j) {
    struct container *c = j->c;
    for (size_t i = 0; j->alive && i < j->plans.n; i++) {
        if (strcmp(j->plans.items[i]->network_id, j->w->id) != 0)
            continue;
        j->given = j->plans.items[i];
        vec_remove(&j->plans, i);
        break;
    }
    if (!j->given && !container_endpoint_settings(c, j->network))
        return err_new(ERR_FORBIDDEN, "container %s is not connected to network %s", c->id,
                       j->network);
    if (!j->given || !j->given->default_route)
        return OK;
    j->moves = true;
    j->from = container_plan_copy(j->given);
    j->given->ports.n = 0;
    j->next = best(c, &j->plans);
    return OK;
}

static struct err prepare(void *arg) {
    struct connect_job *j = arg;
    struct container *c = j->c;
    if (c->gone || c->state == CONTAINER_REMOVING || c->state == CONTAINER_DEAD)
        return err_new(ERR_CONFLICT,
                       "container %s is marked for removal and cannot be connected "
                       "or disconnected",
                       c->id);
    TRY(network_get(container_networks(c), j->network, &j->w));
    free(j->network);
    j->network = mem_strdup(j->w->name);
    TRY(check_modes(j));
    j->alive = container_is_alive(c);
    j->hostname = mem_strdup(c->config->hostname ? c->config->hostname : "");
    j->files = (struct network_files){.driver = NETWORK_BRIDGE,
                                      .dns = c->host->dns,
                                      .dns_search = c->host->dns_search,
                                      .dns_options = c->host->dns_options};
    for (size_t i = 0; i < c->endpoints.n; i++)
        vec_push(&j->plans, container_plan_copy(c->endpoints.items[i]));
    TRY(j->disconnect ? prepare_disconnect(j) : prepare_connect(j));
    return OK;
}

/* --- work ----------------------------------------------------------------------------------------
 */

/* The file is mounted in the container, so it is changed in place: the line of an address that is
 * gone is taken out, that of a new one is added. What the container itself wrote stays. */
static struct err edit_hosts(struct connect_job *j, int run_dir) {
    CLEAN_BUF struct buf old = {0};
    CLEAN_BUF struct buf text = {0};
    char ip[INET6_ADDRSTRLEN], four[INET6_ADDRSTRLEN + 2], six[INET6_ADDRSTRLEN + 2];
    struct err e = file_read_at(run_dir, "hosts", HOSTS_MAX, &old);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return OK;
    }
    TRY(e);
    bool has_four = j->given->prefix != 0, has_six = j->given->six;
    (void)snprintf(four, sizeof four, "%s\t",
                   inet_ntop(AF_INET, &j->given->address, ip, sizeof ip));
    (void)snprintf(six, sizeof six, "%s\t",
                   inet_ntop(AF_INET6, &j->given->address6, ip, sizeof ip));
    struct str rest = buf_str(&old), line;
    while (str_next(&rest, '\n', &line)) {
        bool ours = (has_four && str_starts(line, str_of(four))) ||
                    (has_six && str_starts(line, str_of(six)));
        if ((line.len || rest.len) && !(j->disconnect && ours))
            buf_addf(&text, "%.*s\n", STR_ARG(line));
    }
    if (!j->disconnect && has_four)
        buf_addf(&text, "%s%s\n", four, j->hostname);
    if (!j->disconnect && has_six)
        buf_addf(&text, "%s%s\n", six, j->hostname);
    return file_rewrite_at(run_dir, "hosts", buf_str(&text));
}

/* resolv.conf names ours from now on, unless the container has written one of its own. */
static struct err edit_resolv(struct connect_job *j, int run_dir) {
    CLEAN_BUF struct buf now = {0};
    CLEAN_BUF struct buf before = {0};
    CLEAN_BUF struct buf after = {0};
    CLEAN_FREE char *resolv = NULL;
    CLEAN_FREE char *hosts = NULL;
    TRY(file_read_at(run_dir, "resolv.conf", HOSTS_MAX, &now));
    TRY(network_host_files(&resolv, &hosts));
    struct network_files f = j->files;
    f.host_resolv = resolv;
    network_resolv(&f, &before);
    f.names = true;
    network_resolv(&f, &after);
    if (!str_eq(buf_str(&now), buf_str(&before)))
        return OK;
    return file_rewrite_at(run_dir, "resolv.conf", buf_str(&after));
}

static struct err bring_names(struct connect_job *j, int netns, int run_dir) {
    if (!j->given->user_defined || j->disconnect)
        return OK;
    TRY(network_names_up(netns, j->names_fds));
    return j->names_fds[0] >= 0 ? edit_resolv(j, run_dir) : OK;
}

static struct err change_network(struct connect_job *j, int netns) {
    if (!j->disconnect) {
        TRY(endpoint_up(j->given, netns, &j->live));
    }
    if (j->moves) {
        struct err e = endpoint_make_default(j->next, j->from, netns);
        if (err_failed(e) && !j->disconnect)
            err_ignore(endpoint_disconnect(j->given, netns)); /* e is the one to tell */
        TRY(e);
    }
    return j->disconnect ? endpoint_disconnect(j->given, netns) : OK;
}

static struct err change_files(struct connect_job *j, int netns, int run_dir) {
    TRY(container_net_write(&j->plans, run_dir));
    TRY(bring_names(j, netns, run_dir));
    return edit_hosts(j, run_dir);
}

/* Kernel and file as they were before a connection. */
static struct err undo(struct connect_job *j, int netns, int run_dir) {
    /* An op of this container: nobody changes its endpoints meanwhile. */
    err_ignore(container_net_write(&j->c->endpoints, run_dir)); /* else the next daemon mends it */
    struct err e = j->moves ? endpoint_make_default(j->from, j->next, netns) : OK;
    struct err gone = endpoint_disconnect(j->given, netns);
    if (!err_failed(e))
        return gone;
    err_ignore(gone); /* the first is the one to tell */
    return e;
}

static struct err work(void *arg) {
    struct connect_job *j = arg;
    struct container *c = j->c;
    if (!j->alive || !j->given)
        return OK;
    CLEAN_FD int netns = -1;
    CLEAN_FD int run_dir = openat(c->all->run_fd, c->id, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (run_dir < 0)
        return err_errno(errno, "open the run directory");
    TRY(container_netns_open(c->pid, c->start_time, &netns));
    TRY(change_network(j, netns));
    struct err e = change_files(j, netns, run_dir);
    if (err_failed(e) && !j->disconnect) {
        log_err(LOG_WARN, undo(j, netns, run_dir), "container %s: undo a connection", c->id);
        return e;
    }
    log_err(LOG_WARN, e, "container %s: disconnected, but", c->id);
    return OK; /* there is no way back; the next daemon compares the file with the kernel */
}

/* --- finish --------------------------------------------------------------------------------------
 */

static void end(struct connect_job *j, struct err e) {
    struct op_run *run = j->run;
    j->done(j->arg, e);
    job_free(j);
    op_end(run);
}

static void committed(void *arg, struct err e) {
    end(arg, e);
}

static void drop_setting(struct container *c, const char *name) {
    struct objmap *m = &c->networking->endpoints;
    for (size_t i = 0; i < m->n; i++) {
        if (strcmp(m->items[i].key, name) != 0)
            continue;
        memmove(&m->items[i], &m->items[i + 1], (m->n - i - 1) * sizeof m->items[0]);
        m->n--;
        return;
    }
}

static void put_setting(struct container *c, const char *name, const struct api_endpoint *e) {
    if (!c->networking)
        c->networking = arena_alloc(&c->arena, sizeof *c->networking);
    struct api_endpoint *to = objmap_get(&c->networking->endpoints, name);
    if (!to)
        to = objmap_add(&c->networking->endpoints, &c->arena, name, sizeof *to);
    if (!e)
        return;
    CLEAN_BUF struct buf text = {0};
    fields_print(&api_endpoint_fields, e, &text);
    err_ignore(fields_decode(&api_endpoint_fields, buf_str(&text), &c->arena, to)); /* our own */
}

static void names_given(void *arg UNUSED, struct err e) {
    log_err(LOG_WARN, e, "hand over the sockets for names");
}

static void relay_told(void *arg UNUSED, struct err e) {
    log_err(LOG_WARN, e, "tell where published ports lead to");
}

/* corten-relay, too, leads to the way out. */
static void tell_relay(struct container *c, const struct endpoint_live *live,
                       const struct endpoint_plan *way_out) {
    char address[INET6_ADDRSTRLEN];
    struct monitor_ports p = container_ports_held(c, live, way_out, address);
    if (c->monitor && (p.relay_path || p.held_n))
        monitor_hold(c->monitor, &p, relay_told, NULL);
}

/* The facts as the kernel has them now. */
static void take_over(struct connect_job *j) {
    struct container *c = j->c;
    struct networks *n = container_networks(c);
    if (!j->alive || !j->given)
        return;
    container_net_take(c, &j->plans);
    if (j->disconnect)
        endpoint_release(n, j->given->endpoint_id);
    else
        endpoint_settle(n, j->given);
    container_names_tell(c, c->endpoints.items, c->endpoints.n, true);
    if (j->names_fds[0] >= 0 && c->monitor)
        monitor_names(c->monitor, networks_names_socket(n), j->names_fds, names_given, NULL);
    if (!j->moves)
        return;
    endpoint_ports_moved(n, j->next, j->from);
    tell_relay(c, &j->live, j->next);
    c->idle = endpoint_plan_free(c->idle);
    if (j->from && j->from->ports.n) /* bound, but nowhere to lead to */
        c->idle = TAKE(j->from);
}

static void finish(void *arg, struct err e, struct op_run *run) {
    struct connect_job *j = arg;
    struct container *c = j->c;
    j->run = run;
    if (err_failed(e)) {
        if (j->given && !j->disconnect)
            endpoint_release(container_networks(c), j->given->endpoint_id);
        end(j, e);
        return;
    }
    take_over(j);
    if (j->disconnect)
        drop_setting(c, j->network);
    else
        put_setting(c, j->network, j->e);
    struct store_txn *t = store_txn_new();
    container_record_config(c, t);
    store_commit(c->all->config.store, t, c->brief ? STORE_LAZY : STORE_DURABLE, committed, j);
}

static const struct op connect_op = {"container connect", prepare, work, finish};

static void start(struct container *c, struct connect_job *j, const char *network,
                  container_done *done, void *arg) {
    j->c = c;
    j->names_fds[0] = j->names_fds[1] = j->live.netns_fd = -1;
    j->done = done;
    j->arg = arg;
    j->network = mem_strdup(network);
    op_start(c->all->config.loop, &c->queue, &connect_op, j);
}

void container_connect(struct container *c, const char *network, const struct api_endpoint *e,
                       container_done *done, void *arg) {
    struct connect_job *j = NEW(struct connect_job);
    j->e = e;
    start(c, j, network, done, arg);
}

void container_disconnect(struct container *c, const char *network, container_done *done,
                          void *arg) {
    struct connect_job *j = NEW(struct connect_job);
    j->disconnect = true;
    start(c, j, network, done, arg);
}
