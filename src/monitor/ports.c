/* The sockets of published ports: bound ones that nobody reads, so that the ports are seen to be
 * taken; and those of corten-relay, kept for it with the line that says where they lead. */
#include "monitor/keeper.h"
#include "network/network.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <sys/socket.h>

struct port {
    int fd;
    char *line; /* NULL: only held */
};

struct ports {
    VEC(struct port) all;
    char *path, *address; /* of corten-relay; of the container */
    struct handing *handing;
};

struct ports *ports_new(void) {
    return NEW(struct ports);
}

static void port_done(struct port *p) {
    fd_close(p->fd);
    free(p->line);
}

struct ports *ports_free(struct ports *p) {
    if (!p)
        return NULL;
    handing_free(p->handing);
    for (size_t i = 0; i < p->all.n; i++)
        port_done(&p->all.items[i]);
    vec_done(&p->all);
    free(p->path);
    free(p->address);
    free(p);
    return NULL;
}

/* --- to corten-relay ----------------------------------------------------------------------------
 */

static struct err send_address(const struct ports *p, int conn) {
    CLEAN_BUF struct buf body = {0};
    msg_putz(&body, RELAY_TAG_ADDRESS, p->address);
    return msg_send(conn, RELAY_ADDRESS, 0, buf_str(&body), NULL, 0);
}

static struct err send_from(const struct ports *p, int conn, size_t first) {
    for (size_t i = first; i < p->all.n;) {
        CLEAN_BUF struct buf body = {0};
        CLEAN_BUF struct buf lines = {0};
        int fds[MSG_FDS_MAX];
        size_t n = 0;
        for (; i < p->all.n && n < MSG_FDS_MAX; i++) {
            if (!p->all.items[i].line)
                continue;
            fds[n++] = p->all.items[i].fd;
            buf_addf(&lines, "%s\n", p->all.items[i].line);
        }
        msg_put(&body, RELAY_TAG_LINES, buf_str(&lines));
        if (n)
            TRY(msg_send(conn, RELAY_SOCKETS, 0, buf_str(&body), fds, n));
    }
    return OK;
}

static struct err send_all(void *arg, int conn) {
    struct ports *p = arg;
    TRY(send_address(p, conn));
    return send_from(p, conn, 0);
}

static bool has_lines(const struct ports *p) {
    for (size_t i = 0; i < p->all.n; i++)
        if (p->all.items[i].line)
            return true;
    return false;
}

/* An error is the end of the connection as well, which is seen elsewhere. */
void ports_start(struct ports *p, struct loop *l) {
    if (!p->handing && p->path && has_lines(p))
        p->handing = handing_new(l, p->path, send_all, p);
}

/* --- from the daemon ----------------------------------------------------------------------------
 */

static void set_text(char **to, struct msg *m, uint16_t tag) {
    if (!msg_has(m->body, tag))
        return;
    free(*to);
    *to = str_dup(msg_get(m->body, tag));
}

struct err ports_add(struct ports *p, struct msg *m) {
    struct str lines = msg_get(m->body, TAG_PORT_LINES), line;
    size_t first = p->all.n;
    int conn = handing_conn(p->handing);
    if (p->all.n + m->fds_n > PROTOCOL_HELD_MAX)
        return err_new(ERR_INVALID, "more than %d held sockets", PROTOCOL_HELD_MAX);
    set_text(&p->path, m, TAG_RELAY_PATH);
    set_text(&p->address, m, TAG_RELAY_ADDRESS);
    for (size_t i = 0; i < m->fds_n; i++)
        vec_push(&p->all,
                 (struct port){.fd = TAKE_FD(m->fds[i]),
                               .line = str_next(&lines, '\n', &line) ? str_dup(line) : NULL});
    if (conn < 0)
        return OK;
    if (msg_has(m->body, TAG_RELAY_ADDRESS))
        TRY(send_address(p, conn));
    return send_from(p, conn, first);
}

/* "tcp 0.0.0.0 8080", as a line of RELAY_RELEASE. */
static char *name_of(int fd) {
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof(a), type_len = sizeof(int);
    char text[INET6_ADDRSTRLEN] = "";
    int proto = 0;
    const struct sockaddr_in *four = (const void *)&a;
    const struct sockaddr_in6 *six = (const void *)&a;
    getsockname(fd, (struct sockaddr *)&a, &len); /* of a bound socket: cannot fail, nor the next */
    getsockopt(fd, SOL_SOCKET, SO_PROTOCOL, &proto, &type_len);
    bool mapped = a.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr);
    if (mapped) /* IPv4 that corten-relay serves */
        inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, text, sizeof(text));
    else
        inet_ntop(a.ss_family,
                  a.ss_family == AF_INET6 ? (const void *)&six->sin6_addr
                                          : (const void *)&four->sin_addr,
                  text, sizeof(text));
    return mem_printf("%s %s %u",
                      proto == IPPROTO_UDP    ? "udp"
                      : proto == IPPROTO_SCTP ? "sctp"
                                              : "tcp",
                      text, ntohs(four->sin_port));
}

static void release_one(struct ports *p, struct str line) {
    for (size_t i = 0; i < p->all.n; i++) {
        CLEAN_FREE char *name = name_of(p->all.items[i].fd);
        if (!str_eqz(line, name))
            continue;
        port_done(&p->all.items[i]);
        vec_remove(&p->all, i);
        i--;
    }
}

struct err ports_release(struct ports *p, struct str lines) {
    CLEAN_BUF struct buf body = {0};
    struct str line;
    int conn = handing_conn(p->handing);
    msg_put(&body, RELAY_TAG_LINES, lines);
    if (conn >= 0)
        err_ignore(msg_send(conn, RELAY_RELEASE, 0, buf_str(&body), NULL, 0)); /* its end follows */
    while (str_next(&lines, '\n', &line))
        release_one(p, line);
    return OK;
}
