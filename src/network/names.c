/* The daemon's end of corten-dns: it is started with the first container that may ask for names,
 * told everything, told again what changes, and started anew when it ends. A daemon that starts
 * finds the one that is there. */
#include "network/names.h"
#include "base/log.h"
#include "base/time.h"
#include "kernel/spawn.h"
#include "loop/msg.h"
#include "loop/unix.h"
#include "network/private.h"
#include <arpa/inet.h>
#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#define AGAIN_NS (200 * NSEC_PER_MSEC)

struct names {
    struct networks *networks;
    char *program, *path; /* the program; the socket */
    struct map members;   /* container id → char *, its document */
    struct msg_conn *conn;
    struct child *child; /* ours; NULL: found, or none */
    int pidfd;
    struct timer *again;
    struct names_start *starting;
};

struct names_start {     /* a job on the pool */
    struct names *names; /* NULL: closed meanwhile */
    char *program, *path;
    int fd; /* connected */
    struct spawned spawned;
};

/* --- starting ------------------------------------------------------------------------------------
 */

static struct err start_program(struct names_start *s) {
    CLEAN_FD int listener = -1;
    TRY(unix_listen(AT_FDCWD, s->path, SOCK_SEQPACKET, 0600, (gid_t)-1, &listener));
    const struct spawn_fd fds[] = {{listener, 3}, {STDERR_FILENO, 2}};
    char *argv[] = {(char *)"corten-dns", NULL};
    const struct spawn what = {.program = s->program,
                               .argv = argv,
                               .fds = fds,
                               .fds_n = ARRAY_LEN(fds),
                               .cwd = "/",
                               .new_session = true};
    return spawn(&what, &s->spawned);
}

static struct err start_work(void *arg) {
    struct names_start *s = arg;
    struct err e = unix_dial(AT_FDCWD, s->path, SOCK_SEQPACKET, &s->fd);
    if (err_kind(e) != ERR_NOT_FOUND)
        return e;
    err_free(e); /* nobody is there */
    TRY(start_program(s));
    return unix_dial(AT_FDCWD, s->path, SOCK_SEQPACKET, &s->fd);
}

static void tell(struct names *n, enum names_type type, const char *text) {
    CLEAN_BUF struct buf body = {0};
    if (text)
        msg_putz(&body, NAMES_TAG_TEXT, text);
    msg_conn_send(n->conn, type, 0, buf_str(&body), NULL, 0);
}

static void need(struct names *n);

static void on_again(void *arg) {
    struct names *n = arg;
    n->again = timer_free(n->again);
    need(n);
}

static void try_later(struct names *n) {
    if (!n->again)
        n->again = timer_new(n->networks->loop, AGAIN_NS, 0, on_again, n);
}

static void on_message(void *arg UNUSED, struct msg *m UNUSED) {
}

static void on_closed(void *arg) {
    struct names *n = arg;
    n->conn = msg_conn_free(n->conn);
    if (n->members.n)
        try_later(n);
}

static void on_child(void *arg, int status UNUSED) {
    struct names *n = arg;
    n->child = child_free(n->child);
    n->pidfd = fd_close(n->pidfd);
}

static void tell_all(struct names *n) {
    size_t it = 0;
    void *text;
    tell(n, NAMES_RESET, NULL);
    while (map_next(&n->members, &it, NULL, &text))
        tell(n, NAMES_MEMBER, text);
    tell(n, NAMES_READY, NULL);
}

static void start_done(void *arg, struct err e) {
    struct names_start *s = arg;
    struct names *n = s->names;
    if (n && s->spawned.pid) {
        child_free(n->child);
        fd_close(n->pidfd);
        n->pidfd = s->spawned.pidfd;
        n->child = child_watch(n->networks->loop, s->spawned.pid, n->pidfd, on_child, n);
    }
    if (n) {
        n->starting = NULL;
        bool failed = err_failed(e);
        log_err(LOG_WARN, e, "start corten-dns");
        if (!failed) {
            n->conn = msg_conn_new(n->networks->loop, TAKE_FD(s->fd), on_message, on_closed, n);
            tell_all(n);
        } else if (n->members.n) {
            try_later(n);
        }
    } else {
        err_free(e);
    }
    fd_close(s->fd);
    free(s->program);
    free(s->path);
    free(s);
}

static void need(struct names *n) {
    if (n->conn || n->starting || n->again || !n->program || !n->members.n)
        return;
    struct names_start *s = NEW(struct names_start);
    s->names = n;
    s->program = mem_strdup(n->program);
    s->path = mem_strdup(n->path);
    s->fd = -1;
    n->starting = s;
    job_submit(n->networks->loop, start_work, start_done, s);
}

/* --- the documents -------------------------------------------------------------------------------
 */

static char *with_prefix(struct arena *a, struct in_addr ip, unsigned prefix) {
    char text[INET_ADDRSTRLEN];
    return arena_printf(a, "%s/%u", address_format(ip, text), prefix);
}

static void add_place(const struct networks *n, struct names_member *doc, struct arena *a,
                      const struct endpoint_plan *p) {
    const struct network *w = network_find(n, p->network_id);
    char text[INET_ADDRSTRLEN];
    if (!w)
        return;
    struct names_place *to = objs_add(&doc->places, a, sizeof(*to));
    to->network = arena_strz(a, p->network_id);
    to->network_name = w->name;
    to->address = arena_strz(a, address_format(p->address, text));
    to->subnet = with_prefix(a, p->subnet, p->prefix);
    if (p->six) {
        char six[INET6_ADDRSTRLEN];
        to->address6 = arena_strz(a, six_format(&p->address6, six));
        to->subnet6 = arena_printf(a, "%s/%u", six, p->prefix6);
    }
    to->internal = p->internal;
    to->user_defined = p->user_defined;
    for (size_t i = 0; i < p->aliases.n; i++)
        strs_add(&to->aliases, a, p->aliases.items[i]);
    for (size_t i = 0; i < p->links.n; i++)
        strs_add(&to->links, a, p->links.items[i]);
}

void network_member_put(struct networks *networks, const struct network_member *m) {
    struct names *n = networks->names;
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    struct names_member doc = {
        .id = (char *)m->id,
        .name = (char *)m->name,
        .hostname = (char *)m->hostname,
        .live = m->live,
        .servers = m->servers,
        .ports = m->ports,
        .labels = m->labels,
    };
    for (size_t i = 0; i < m->plans_n; i++)
        add_place(networks, &doc, &a, m->plans[i]);
    fields_print(&names_member_fields, &doc, &text);
    if (text.len > NAMES_DOC_MAX) { /* names matter, labels can be looked up elsewhere */
        doc.labels = (struct strmap){0};
        buf_clear(&text);
        fields_print(&names_member_fields, &doc, &text);
    }
    char *z = buf_take(&text);
    free(map_set(&n->members, str_of(m->id), z));
    if (n->conn)
        tell(n, NAMES_MEMBER, z);
    else
        need(n);
}

void network_member_drop(struct networks *networks, const char *container_id) {
    struct names *n = networks->names;
    char *old = map_del(&n->members, str_of(container_id));
    if (old && n->conn)
        tell(n, NAMES_DROP, container_id);
    free(old);
}

const char *networks_names_socket(const struct networks *n) {
    return n->names->path;
}

/* --- life ----------------------------------------------------------------------------------------
 */

struct names *names_new(struct networks *networks, const char *program) {
    struct names *n = NEW(struct names);
    n->networks = networks;
    n->program = mem_strdup_opt(program);
    n->path = mem_printf("%s/" NAMES_SOCKET, networks->run_dir);
    n->pidfd = -1;
    return n;
}

struct names *names_free(struct names *n) {
    if (!n)
        return NULL;
    if (n->starting)
        n->starting->names = NULL;
    msg_conn_free(n->conn);
    child_free(n->child);
    fd_close(n->pidfd);
    timer_free(n->again);
    size_t it = 0;
    void *text;
    while (map_next(&n->members, &it, NULL, &text))
        free(text);
    map_done(&n->members);
    free(n->program);
    free(n->path);
    free(n);
    return NULL;
}
