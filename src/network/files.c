/* /etc/hosts, /etc/resolv.conf and /etc/hostname of a container. */
#include "base/file.h"
#include "network/private.h"
#include <arpa/inet.h>

#define HOST_FILE_MAX (1 << 20)
#define RESOLV "/etc/resolv.conf"
/* Where systemd-resolved writes the servers that it asks itself; its own 127.0.0.53 cannot be
 * reached from a container (systemd-resolved.service(8), "/etc/resolv.conf"). */
#define RESOLV_UPSTREAM "/run/systemd/resolve/resolv.conf"

/* --- hosts -------------------------------------------------------------------------------------
 */

static const char standard_hosts[] = "127.0.0.1\tlocalhost\n"
                                     "::1\tlocalhost ip6-localhost ip6-loopback\n"
                                     "fe00::0\tip6-localnet\n"
                                     "ff00::0\tip6-mcastprefix\n"
                                     "ff02::1\tip6-allnodes\n"
                                     "ff02::2\tip6-allrouters\n";

static bool is_address(struct str s) {
    struct in6_addr six;
    struct in_addr four;
    CLEAN_FREE
    char *z = str_dup(s);
    return inet_pton(AF_INET, z, &four) == 1 || inet_pton(AF_INET6, z, &six) == 1;
}

/* "name:ip", also with an IPv6 address in it, or "name=ip". */
static bool extra_host_cut(const char *text, struct str *ret_name, struct str *ret_ip) {
    struct str s = str_of(text);
    return str_cut(s, str_find(s, '=') >= 0 ? '=' : ':', ret_name, ret_ip);
}

static bool is_host_name(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] <= ' ' || s.p[i] == '#' || s.p[i] == 0x7f)
            return false;
    return s.len > 0;
}

struct err network_extra_host_check(const char *text) {
    struct str name, ip;
    if (!extra_host_cut(text, &name, &ip) || !is_host_name(name))
        return err_new(ERR_INVALID, "bad format for add-host: \"%s\"", text);
    if (ip.len > 2 && ip.p[0] == '[' && ip.p[ip.len - 1] == ']')
        ip = str_sub(ip, 1, ip.len - 1);
    if (!str_eqz(ip, "host-gateway") && !is_address(ip))
        return err_new(ERR_INVALID, "invalid IP address in add-host: \"%.*s\"", STR_ARG(ip));
    return OK;
}

static struct err add_extra_host(const struct network_files *f, const char *text, struct buf *out) {
    struct str name, ip;
    if (!extra_host_cut(text, &name, &ip))
        return OK; /* checked when the container was made */
    if (ip.len > 2 && ip.p[0] == '[')
        ip = str_sub(ip, 1, ip.len - 1);
    char gateway[INET6_ADDRSTRLEN];
    if (str_eqz(ip, "host-gateway")) {
        if (f->host_gateway)
            ip = str_of(f->host_gateway);
        else if (f->driver == NETWORK_HOST)
            ip = STR("127.0.0.1");
        else if (f->gateway.s_addr)
            ip = str_of(address_format(f->gateway, gateway));
        else if (six_is_set(&f->gateway6))
            ip = str_of(six_format(&f->gateway6, gateway));
        else
            return err_new(ERR_INVALID, "add-host %s: this container has no way to the host", text);
    }
    buf_addf(out, "%.*s\t%.*s\n", STR_ARG(ip), STR_ARG(name));
    return OK;
}

static void add_own_names(const struct network_files *f, const char *ip, struct buf *out) {
    buf_addf(out, "%s\t", ip);
    if (f->domainname && *f->domainname)
        buf_addf(out, "%s.%s ", f->hostname, f->domainname);
    buf_addf(out, "%s\n", f->hostname);
}

struct err network_hosts(const struct network_files *f, struct buf *out) {
    if (f->driver == NETWORK_HOST && f->host_hosts && *f->host_hosts) {
        buf_adds(out, f->host_hosts);
        if (out->data[out->len - 1] != '\n')
            buf_addc(out, '\n');
    } else {
        buf_adds(out, standard_hosts);
    }
    for (size_t i = 0; i < f->extra_hosts.n; i++)
        TRY(add_extra_host(f, f->extra_hosts.items[i], out));
    char ip[INET6_ADDRSTRLEN];
    for (size_t i = 0; i < f->addresses_n; i++)
        add_own_names(f, address_format(f->addresses[i], ip), out);
    for (size_t i = 0; i < f->addresses6_n; i++)
        add_own_names(f, six_format(&f->addresses6[i], ip), out);
    return OK;
}

void network_hostname(const struct network_files *f, struct buf *out) {
    buf_addf(out, "%s\n", f->hostname);
}

/* --- resolv.conf -------------------------------------------------------------------------------
 */

/* First word of a line, and the rest. */
static struct str keyword(struct str line, struct str *ret_rest) {
    line = str_trim(line);
    size_t n = 0;
    while (n < line.len && line.p[n] != ' ' && line.p[n] != '\t')
        n++;
    *ret_rest = str_trim(str_from(line, n));
    return str_sub(line, 0, n);
}

static bool is_loopback(struct str address) {
    return str_starts(address, STR("127.")) || str_eqz(address, "::1");
}

static bool has_server(const char *text, bool loopback_too) {
    struct str rest = str_of(text), line, value;
    while (str_next(&rest, '\n', &line))
        if (str_eqz(keyword(line, &value), "nameserver") && (loopback_too || !is_loopback(value)))
            return true;
    return false;
}

/* Lines of the host's file that are not replaced by the container's own settings. */
static void copy_host_lines(const struct network_files *f, bool all_servers, struct buf *out) {
    struct str rest = str_of(f->host_resolv), line, value;
    while (str_next(&rest, '\n', &line)) {
        struct str key = keyword(line, &value);
        bool server = str_eqz(key, "nameserver");
        if (key.len == 0 || key.p[0] == '#' || key.p[0] == ';')
            continue;
        if (server && (f->dns.n || (!all_servers && is_loopback(value))))
            continue;
        if ((str_eqz(key, "search") || str_eqz(key, "domain")) && f->dns_search.n)
            continue;
        if (str_eqz(key, "options") && f->dns_options.n)
            continue;
        buf_addf(out, "%.*s %.*s\n", STR_ARG(key), STR_ARG(value));
    }
}

static void add_list(struct buf *out, const char *key, const struct strs *list) {
    buf_adds(out, key);
    for (size_t i = 0; i < list->n; i++)
        buf_addf(out, " %s", list->items[i]);
    buf_addc(out, '\n');
}

/* One server, ours; it asks the others. ndots:0, as the peer: names of containers have no dots, and
 * every name is tried as it is first. */
static void resolv_names(const struct network_files *f, struct buf *out) {
    struct network_files host = *f;
    struct strs ours = {.items = (char *[]){(char *)NAMES_ADDRESS}, .n = 1};
    bool ndots = false;
    buf_adds(out, "nameserver " NAMES_ADDRESS "\n");
    host.dns = ours; /* the host's servers are not copied */
    if (f->host_resolv)
        copy_host_lines(&host, false, out);
    if (f->dns_search.n && !(f->dns_search.n == 1 && strcmp(f->dns_search.items[0], ".") == 0))
        add_list(out, "search", &f->dns_search);
    buf_adds(out, "options");
    for (size_t i = 0; i < f->dns_options.n; i++) {
        buf_addf(out, " %s", f->dns_options.items[i]);
        ndots |= strncmp(f->dns_options.items[i], "ndots:", 6) == 0;
    }
    buf_adds(out, ndots ? "\n" : " ndots:0\n");
}

void network_resolv(const struct network_files *f, struct buf *out) {
    const char *host = f->host_resolv ? f->host_resolv : "";
    if (f->names) {
        resolv_names(f, out);
        return;
    }
    bool own = f->dns.n || f->dns_search.n || f->dns_options.n;
    /* On the host's own network its loopback servers answer; elsewhere they do not, but when there
     * is nothing else the host's file as it is says at least what is wrong. We invent no servers.
     */
    bool as_is = f->driver == NETWORK_HOST || !has_server(host, false);
    if (!own && as_is) {
        buf_adds(out, host);
        return;
    }
    if (f->host_resolv)
        copy_host_lines(f, as_is, out);
    /* "." asks for no search list at all. */
    if (f->dns_search.n && !(f->dns_search.n == 1 && strcmp(f->dns_search.items[0], ".") == 0))
        add_list(out, "search", &f->dns_search);
    for (size_t i = 0; i < f->dns.n; i++)
        buf_addf(out, "nameserver %s\n", f->dns.items[i]);
    if (f->dns_options.n)
        add_list(out, "options", &f->dns_options);
}

static struct err read_text(const char *path, char **ret) {
    CLEAN_BUF struct buf b = {0};
    struct err e = file_read(path, HOST_FILE_MAX, &b);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e);
        buf_clear(&b);
    } else {
        TRY(e);
    }
    *ret = buf_take(&b);
    return OK;
}

struct err network_host_files(char **ret_resolv, char **ret_hosts) {
    CLEAN_FREE
    char *resolv = NULL;
    CLEAN_FREE
    char *hosts = NULL;
    TRY(read_text(RESOLV, &resolv));
    if (has_server(resolv, true) && !has_server(resolv, false)) {
        CLEAN_FREE
        char *upstream = NULL;
        TRY(read_text(RESOLV_UPSTREAM, &upstream));
        if (has_server(upstream, false)) {
            free(resolv);
            resolv = TAKE(upstream);
        }
    }
    TRY(read_text("/etc/hosts", &hosts));
    *ret_resolv = TAKE(resolv);
    *ret_hosts = TAKE(hosts);
    return OK;
}
