/* The daemon's end of corten-dns, a companion that is wanted while a container may ask for names:
 * it is told everything, and told again what changes. */
#include "network/names.h"
#include "base/json.h"
#include "loop/msg.h"
#include "network/companion.h"
#include "network/dns_forward.h"
#include "network/private.h"
#include <arpa/inet.h>

struct names {
    struct networks *networks;
    struct map members; /* container id → char *, its document */
    struct companion *dns;
};

static void tell(struct names *n, enum names_type type, const char *text) {
    CLEAN_BUF struct buf body = {0};
    if (text)
        msg_putz(&body, NAMES_TAG_TEXT, text);
    msg_conn_send(companion_conn(n->dns), type, 0, buf_str(&body), NULL, 0);
}

static void tell_all(void *arg) {
    struct names *n = arg;
    size_t it = 0;
    void *text;
    tell(n, NAMES_RESET, NULL);
    tell(n, NAMES_FORWARDS, n->networks->dns_forwards ? n->networks->dns_forwards : "");
    while (map_next(&n->members, &it, NULL, &text))
        tell(n, NAMES_MEMBER, text);
    tell(n, NAMES_READY, NULL);
}

static bool wanted(void *arg) {
    return ((struct names *)arg)->members.n != 0;
}

/* --- domains of others ---------------------------------------------------------------------------
 */

static struct err forward_parse(struct str text, struct buf *lines) {
    struct str domain, addresses, one;
    uint8_t wire[DNS_NAME_MAX];
    if (!str_cut(text, '=', &domain, &addresses) || !domain.len || !addresses.len)
        return err_new(ERR_INVALID, "'%.*s' is not DOMAIN=ADDRESS", STR_ARG(text));
    if (domain.p[domain.len - 1] == '.')
        domain.len--;
    CLEAN_FREE char *z = str_dup(domain);
    if (!*z || !dns_name_write(z, wire))
        return err_new(ERR_INVALID, "'%s' is no domain", z);
    for (char *c = z; *c; c++)
        buf_addc(lines, (char)(*c >= 'A' && *c <= 'Z' ? *c + 32 : *c));
    for (size_t n = 0; str_next(&addresses, ',', &one); n++) {
        CLEAN_FREE char *address = str_dup(one);
        struct in6_addr a;
        if (n == DNS_SERVERS_MAX)
            return err_new(ERR_INVALID, "more than %d servers for '%s'", DNS_SERVERS_MAX, z);
        if (inet_pton(AF_INET, address, &a) != 1 && inet_pton(AF_INET6, address, &a) != 1)
            return err_new(ERR_INVALID, "'%s' is no address", address);
        buf_addf(lines, " %s", address);
    }
    buf_addc(lines, '\n');
    return OK;
}

struct err names_forwards_parse(const char *json, char **ret) {
    CLEAN_JSON struct json *list = NULL;
    CLEAN_BUF struct buf lines = {0};
    *ret = NULL;
    if (!json)
        return OK;
    TRYF(json_parse(str_of(json), &list), "dns-forward");
    if (json_len(list) > DNS_DOMAINS_MAX)
        return err_new(ERR_INVALID, "dns-forward: more than %d domains", DNS_DOMAINS_MAX);
    for (size_t i = 0; i < json_len(list); i++)
        TRYF(forward_parse(json_str(json_at(list, i)), &lines), "dns-forward");
    *ret = buf_take(&lines);
    return OK;
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
    if (p->prefix) {
        to->address = arena_strz(a, address_format(p->address, text));
        to->subnet = with_prefix(a, p->subnet, p->prefix);
    }
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
        .ports = names_ports(&m->ports, &a),
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
    if (companion_conn(n->dns))
        tell(n, NAMES_MEMBER, z);
    else
        companion_need(n->dns);
}

void network_member_drop(struct networks *networks, const char *container_id) {
    struct names *n = networks->names;
    char *old = map_del(&n->members, str_of(container_id));
    if (old && companion_conn(n->dns))
        tell(n, NAMES_DROP, container_id);
    free(old);
}

const char *networks_names_socket(const struct networks *n) {
    return companion_path(n->names->dns);
}

/* --- life ----------------------------------------------------------------------------------------
 */

struct names *names_new(struct networks *networks, const char *program) {
    struct names *n = NEW(struct names);
    n->networks = networks;
    n->dns = companion_new(&(struct companion_config){.loop = networks->loop,
                                                      .program = program,
                                                      .name = "corten-dns",
                                                      .run_dir = networks->run_dir,
                                                      .socket = NAMES_SOCKET,
                                                      .cgroup = networks->cgroup,
                                                      .up = tell_all,
                                                      .wanted = wanted,
                                                      .arg = n});
    return n;
}

struct names *names_free(struct names *n) {
    if (!n)
        return NULL;
    n->dns = companion_free(n->dns);
    size_t it = 0;
    void *text;
    while (map_next(&n->members, &it, NULL, &text))
        free(text);
    map_done(&n->members);
    free(n);
    return NULL;
}
