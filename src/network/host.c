/* The host's side of a network: bridge, rules, switches under /proc/sys. Every step may find its
 * work done already, by an earlier daemon or by another pool thread at this moment. */
#include "base/file.h"
#include "network/private.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define IP_FORWARD "/proc/sys/net/ipv4/ip_forward"
#define IP6_FORWARD "/proc/sys/net/ipv6/conf/all/forwarding"
#define IP6_CONF "/proc/sys/net/ipv6/conf"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"
#define SWITCH_TEXT_MAX 128

/* Writes a switch unless it stands right already: some have side effects when written. */
static struct err set_switch(const char *path, const char *value) {
    CLEAN_BUF struct buf now = {0};
    TRY(file_read(path, SWITCH_TEXT_MAX, &now));
    if (str_eqz(str_trim(buf_str(&now)), value))
        return OK;
    return file_write_at(AT_FDCWD, path, str_of(value));
}

/* Without IPv6 in the kernel there is nothing to switch off. */
static struct err set_switch_six(const char *path, const char *value) {
    struct err e = set_switch(path, value);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        return OK;
    }
    return e;
}

static char *forward_mark(const char *run_dir, bool six) {
    return mem_printf("%s/%s", run_dir, six ? "ip6-forward" : "ip-forward");
}

static bool forwarding_ours(const char *run_dir, bool six) {
    CLEAN_FREE
    char *path = forward_mark(run_dir, six);
    CLEAN_BUF struct buf mark = {0};
    CLEAN_BUF struct buf boot = {0};
    struct err e = file_read(path, SWITCH_TEXT_MAX, &mark);
    if (!err_failed(e))
        e = file_read(BOOT_ID, SWITCH_TEXT_MAX, &boot);
    bool ours = !err_failed(e) && str_eq(buf_str(&mark), buf_str(&boot));
    err_free(e); /* no mark, no claim */
    return ours;
}

bool host_forwarding_ours(const char *run_dir) {
    return forwarding_ours(run_dir, false);
}

/* A host that forwards ignores router advertisements unless told otherwise: it would lose its
 * default route. */
static struct err keep_advertisements(void) {
    DIR *d = opendir(IP6_CONF);
    if (!d)
        return err_errno(errno, "open '%s'", IP6_CONF);
    struct err e = OK;
    for (struct dirent *entry; !err_failed(e) && (entry = readdir(d));) {
        CLEAN_BUF struct buf now = {0};
        CLEAN_FREE char *path = mem_printf(IP6_CONF "/%s/accept_ra", entry->d_name);
        if (entry->d_name[0] == '.')
            continue;
        e = file_read(path, SWITCH_TEXT_MAX, &now);
        if (!err_failed(e) && str_eqz(str_trim(buf_str(&now)), "1"))
            e = file_write_at(AT_FDCWD, path, STR("2"));
        if (err_kind(e) == ERR_NOT_FOUND) { /* it went away meanwhile */
            err_free(e);
            e = OK;
        }
    }
    closedir(d);
    return e;
}

/* Recorded before it is done: a crash in between makes us stricter than needed, never laxer. */
static struct err forwarding_on(const char *run_dir, bool six) {
    const char *file = six ? IP6_FORWARD : IP_FORWARD;
    CLEAN_BUF struct buf now = {0};
    TRY(file_read(file, SWITCH_TEXT_MAX, &now));
    if (str_eqz(str_trim(buf_str(&now)), "1"))
        return OK;
    CLEAN_BUF struct buf boot = {0};
    TRY(file_read(BOOT_ID, SWITCH_TEXT_MAX, &boot));
    CLEAN_FREE
    char *path = forward_mark(run_dir, six);
    TRY(file_replace(path, buf_str(&boot), 0600, false));
    if (six)
        TRY(keep_advertisements());
    return file_write_at(AT_FDCWD, file, STR("1"));
}

static struct err bridge_switch(const char *family, const char *bridge, const char *name,
                                const char *value) {
    CLEAN_FREE
    char *path = mem_printf("/proc/sys/net/%s/conf/%s/%s", family, bridge, name);
    if (strcmp(family, "ipv6") == 0)
        return set_switch_six(path, value);
    return set_switch(path, value);
}

static struct err prepare_six(const struct host_plan *h, struct netlink *nl) {
    if (h->forward)
        TRYF(forwarding_on(h->run_dir, true), "switch IPv6 forwarding on");
    /* Nobody else has its address. While the kernel made sure of that, for a second or two, it would
     * ask for no neighbour on behalf of what it forwards. */
    TRY(bridge_switch("ipv6", h->bridge, "accept_dad", "0"));
    TRY(bridge_switch("ipv6", h->bridge, "disable_ipv6", "0"));
    if (h->mode6 != GATEWAY_ISOLATED)
        TRY(link_bridge_six(nl, h));
    return h->rules6 ? rules_load_six(h, forwarding_ours(h->run_dir, true)) : OK;
}

/* Containers of such a network reach only the host. So that links work, the host answers for the
 * others when they are asked for (RFC 3069) and forwards what the rules of links let through. */
static struct err prepare_closed(const struct host_plan *h) {
    CLEAN_FREE char *delay = mem_printf("/proc/sys/net/ipv4/neigh/%s/proxy_delay", h->bridge);
    TRY(rules_load_bridge(h));
    TRY(bridge_switch("ipv4", h->bridge, "proxy_arp_pvlan", "1"));
    return set_switch(delay, "0");
}

struct err host_prepare(const struct host_plan *h, bool *ret_table_loaded) {
    if (h->forward && h->prefix)
        TRYF(forwarding_on(h->run_dir, false), "switch IPv4 forwarding on");
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(netlink_open(NETLINK_ROUTE, &nl));
    TRY(link_bridge(&nl, h));
    TRY(bridge_switch("ipv6", h->bridge, "accept_ra", "0"));
    if (h->six)
        TRY(prepare_six(h, &nl));
    else
        TRY(bridge_switch("ipv6", h->bridge, "disable_ipv6", "1"));
    *ret_table_loaded = false;
    if (!h->rules)
        return OK;
    TRY(rules_load(h, host_forwarding_ours(h->run_dir), ret_table_loaded));
    if (!h->icc)
        TRY(prepare_closed(h));
    TRY(rules_add_network(h));
    /* Only now: the rule that keeps containers off the host's 127.0.0.1 is in force. */
    return bridge_switch("ipv4", h->bridge, "route_localnet", "1");
}

struct err host_remove(const struct host_plan *h) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(netlink_open(NETLINK_ROUTE, &nl));
    TRY(link_remove(&nl, h->bridge));
    return h->rules ? rules_remove_network(h) : OK;
}

struct err host_warnings(const char *table, struct strv *ret) {
    CLEAN_NETLINK struct netlink nl = NETLINK_NONE;
    TRY(netlink_open(NETLINK_NETFILTER, &nl));
    CLEAN_STRV struct strv drops = {0};
    TRY(nft_foreign_drops(&nl, table, &drops));
    for (size_t i = 0; i < drops.n; i++)
        strv_addf(ret,
                  "nftables chain '%s' drops forwarded packets by policy: published ports and "
                  "containers' connections to the outside may not work",
                  drops.items[i]);
    return OK;
}
