#include "kernel/diag.h"
#include "base/file.h"
#include "kernel/netlink.h"
#include <arpa/inet.h>
#include <dirent.h>
#include <linux/inet_diag.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define STATE_BOUND 13 /* TCP_BOUND_INACTIVE, Linux 6.8 */
#define TEXT_MAX 64

struct walk {
    bool (*fn)(void *arg, const struct diag_socket *s);
    void *arg;
    int proto;
    bool ended;
};

static struct err one(void *arg, const struct nlmsghdr *h) {
    struct walk *w = arg;
    if (w->ended || h->nlmsg_len < NLMSG_LENGTH(sizeof(struct inet_diag_msg)))
        return OK;
    const struct inet_diag_msg *m = NLMSG_DATA(h);
    const struct nlattr *a[INET_DIAG_SKV6ONLY + 1];
    netlink_parse_message(h, sizeof(*m), a, INET_DIAG_SKV6ONLY);
    const struct nlattr *only = a[INET_DIAG_SKV6ONLY];
    struct diag_socket s = {
        .six = m->idiag_family == AF_INET6,
        .six_only = only && netlink_len(only) >= 1 && *(const uint8_t *)netlink_data(only),
        .listening = w->proto == IPPROTO_UDP || m->idiag_state == TCP_LISTEN,
        .port = ntohs(m->id.idiag_sport),
        .inode = m->idiag_inode,
        .uid = m->idiag_uid,
    };
    memcpy(s.address, m->id.idiag_src, s.six ? 16 : 4);
    w->ended = !w->fn(w->arg, &s);
    return OK;
}

struct err diag_sockets(int family, int proto, bool (*fn)(void *arg, const struct diag_socket *s),
                        void *arg) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    CLEAN_NETLINK_BATCH struct netlink_batch b = {0};
    struct walk w = {.fn = fn, .arg = arg, .proto = proto};
    struct inet_diag_req_v2 r = {
        .sdiag_family = (uint8_t)family,
        .sdiag_protocol = (uint8_t)proto,
        .idiag_states = proto == IPPROTO_UDP ? UINT32_MAX : 1U << TCP_LISTEN | 1U << STATE_BOUND,
    };
    TRY(netlink_open(NETLINK_SOCK_DIAG, &nl));
    netlink_message(&b, SOCK_DIAG_BY_FAMILY, NLM_F_DUMP, &r, sizeof(r));
    return err_wrap(netlink_ask(&nl, &b, one, &w), "list sockets");
}

static bool has_socket(const char *fd_dir, const char *wanted) {
    DIR *d = opendir(fd_dir);
    bool found = false;
    for (struct dirent *e; d && !found && (e = readdir(d));) {
        char path[TEXT_MAX + 600], link[TEXT_MAX] = "";
        (void)snprintf(path, sizeof(path), "%s/%s", fd_dir, e->d_name);
        ssize_t n = readlink(path, link, sizeof(link) - 1);
        found = n > 0 && strcmp(link, wanted) == 0;
    }
    if (d)
        closedir(d);
    return found;
}

bool diag_holder(uint32_t inode, char *out, size_t size) {
    char wanted[TEXT_MAX];
    (void)snprintf(wanted, sizeof(wanted), "socket:[%u]", inode);
    DIR *d = inode ? opendir("/proc") : NULL;
    bool found = false;
    for (struct dirent *e; d && !found && (e = readdir(d));) {
        char path[TEXT_MAX + 300];
        CLEAN_BUF struct buf name = {0};
        if (e->d_name[0] < '1' || e->d_name[0] > '9')
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%s/fd", e->d_name);
        if (!has_socket(path, wanted))
            continue;
        (void)snprintf(path, sizeof(path), "/proc/%s/comm", e->d_name);
        err_ignore(file_read(path, TEXT_MAX, &name)); /* gone meanwhile: the number says enough */
        struct str comm = str_trim(buf_str(&name));
        (void)snprintf(out, size, "%.*s, pid %s", STR_ARG(comm), e->d_name);
        found = true;
    }
    if (d)
        closedir(d);
    return found;
}
