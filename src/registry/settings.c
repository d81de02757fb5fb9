#include "registry/settings.h"
#include "base/file.h"
#include "registry/authority.h"
#include "registry/registry.h"
#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>

/* --- reading -------------------------------------------------------------------------------- */
static struct err read_list(const struct json *j, const char *what, struct arena *a,
                            const char ***ret, size_t *ret_n) {
    if (j && json_type(j) != JSON_ARRAY)
        return err_new(ERR_INVALID, "%s: expected array, got %s", what,
                       json_type_name(json_type(j)));
    if (json_len(j) > SETTINGS_LIST_MAX)
        return err_new(ERR_INVALID, "%s: more than %d members", what, SETTINGS_LIST_MAX);
    const char **list = arena_array(a, json_len(j) + 1, sizeof(*list));
    for (size_t i = 0; i < json_len(j); i++) {
        struct str s = json_str(json_at(j, i));
        if (s.len == 0 || str_has_nul(s))
            return err_new(ERR_INVALID, "%s: a member is empty or no string", what);
        list[i] = arena_str(a, s);
    }
    *ret = list;
    *ret_n = json_len(j);
    return OK;
}

static struct err check_mirror(const char *url) {
    struct str scheme, authority;
    if (!url_split(str_of(url), &scheme, &authority) ||
        (!str_eqz(scheme, "https") && !str_eqz(scheme, "http")) || strpbrk(url, "?#"))
        return err_new(ERR_INVALID, "invalid mirror '%s': not http(s)://HOST[:PORT][/PATH]", url);
    return OK;
}

static struct err read_mirrors(const struct json *j, const char *what, struct arena *a,
                               struct registry_rule *ret) {
    TRY(read_list(j, what, a, &ret->mirrors.items, &ret->mirrors.n));
    for (size_t i = 0; i < ret->mirrors.n; i++) {
        TRYF(check_mirror(ret->mirrors.items[i]), "%s", what);
        char *end = (char *)ret->mirrors.items[i] + strlen(ret->mirrors.items[i]);
        while (end[-1] == '/') /* the arena's own copy */
            *--end = '\0';
    }
    return OK;
}

static struct err read_rule(const struct json *j, struct arena *a, struct registry_rule *ret) {
    struct json_iter it = {0};
    *ret = (struct registry_rule){.fallback = true};
    if (json_type(j) != JSON_OBJECT)
        return err_new(ERR_INVALID, "registries: expected objects");
    while (json_each(j, &it)) {
        if (str_eqz(it.key, "prefix") && json_type(it.value) == JSON_STRING)
            ret->prefix = arena_str(a, json_str(it.value));
        else if (str_eqz(it.key, "mirrors"))
            TRY(read_mirrors(it.value, "registries: mirrors", a, ret));
        else if (str_eqz(it.key, "fallback") && json_type(it.value) == JSON_BOOL)
            ret->fallback = json_bool(it.value, true);
        else
            return err_new(ERR_UNSUPPORTED, "registries: '%.*s' is not supported", STR_ARG(it.key));
    }
    if (!ret->prefix || !ret->prefix[0] || str_ends(str_of(ret->prefix), STR("/")))
        return err_new(ERR_INVALID, "registries: every rule needs a prefix such as "
                                    "\"registry.example/team\"");
    if (!ret->fallback && ret->mirrors.n == 0)
        return err_new(ERR_INVALID, "registries: '%s' has neither mirrors nor a fallback",
                       ret->prefix);
    return OK;
}

static struct err read_rules(const struct json *root, struct arena *a,
                             struct registry_settings *ret) {
    const struct json *j = json_get(root, "registries");
    if (j && json_type(j) != JSON_ARRAY)
        return err_new(ERR_INVALID, "registries: expected array, got %s",
                       json_type_name(json_type(j)));
    if (json_len(j) > SETTINGS_LIST_MAX)
        return err_new(ERR_INVALID, "registries: more than %d rules", SETTINGS_LIST_MAX);
    ret->rules = arena_array(a, json_len(j) + 1, sizeof(*ret->rules));
    for (size_t i = 0; i < json_len(j); i++)
        TRY(read_rule(json_at(j, i), a, &ret->rules[ret->rules_n++]));
    struct registry_rule hub = {.prefix = "docker.io", .fallback = true};
    TRY(read_mirrors(json_get(root, "registry-mirrors"), "registry-mirrors", a, &hub));
    if (hub.mirrors.n > 0)
        ret->rules[ret->rules_n++] = hub;
    return OK;
}

static const char *from_environment(const char *upper, const char *lower) {
    const char *v = getenv(upper);
    if (!v || !v[0])
        v = getenv(lower);
    return v && v[0] ? v : NULL;
}

static struct err read_proxies(const struct json *root, bool environment, struct arena *a,
                               struct registry_settings *ret) {
    struct {
        const char *key, *upper, *lower, **at;
    } rows[] = {{"http-proxy", "HTTP_PROXY", "http_proxy", &ret->http_proxy},
                {"https-proxy", "HTTPS_PROXY", "https_proxy", &ret->https_proxy},
                {"no-proxy", "NO_PROXY", "no_proxy", &ret->no_proxy}};
    const struct json *j = json_get(root, "proxies");
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        const struct json *v = json_get(j, rows[i].key);
        if (v && json_type(v) != JSON_STRING)
            return err_new(ERR_INVALID, "proxies: %s: expected string, got %s", rows[i].key,
                           json_type_name(json_type(v)));
        if (json_str(v).len > 0)
            *rows[i].at = arena_str(a, json_str(v));
        else if (environment)
            *rows[i].at = arena_strz(a, from_environment(rows[i].upper, rows[i].lower));
    }
    return OK;
}

struct err settings_parse(const struct json *j, bool environment, struct arena *a,
                          struct registry_settings *ret) {
    size_t n;
    *ret = (struct registry_settings){0};
    TRY(read_list(json_get(j, "certs-dirs"), "certs-dirs", a, &ret->certs_dirs, &n));
    if (n == 0) {
        ret->certs_dirs = arena_array(a, 3, sizeof(*ret->certs_dirs));
        ret->certs_dirs[0] = "/etc/corten/certs.d";
        ret->certs_dirs[1] = "/etc/docker/certs.d";
    }
    TRY(read_list(json_get(j, "insecure-registries"), "insecure-registries", a, &ret->insecure,
                  &n));
    for (size_t i = 0; i < n; i++)
        if (strstr(ret->insecure[i], "://"))
            return err_new(ERR_INVALID,
                           "insecure-registries: '%s': a host or subnet is wanted, without scheme",
                           ret->insecure[i]);
    TRY(read_rules(j, a, ret));
    return read_proxies(j, environment, a, ret);
}

struct err registry_settings_check(struct str text) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_JSON struct json *j = NULL;
    struct registry_settings s;
    if (text.len == 0)
        return OK;
    TRY(json_parse(text, &j));
    return settings_parse(j, false, &a, &s);
}

/* --- rules ----------------------------------------------------------------------------------- */
const struct registry_rule *settings_rule(const struct registry_settings *s, struct str name) {
    const struct registry_rule *best = NULL;
    for (size_t i = 0; i < s->rules_n; i++) {
        struct str prefix = str_of(s->rules[i].prefix);
        bool fits = str_starts(name, prefix) &&
                    (name.len == prefix.len || name.p[prefix.len] == '/');
        if (fits && (!best || prefix.len > strlen(best->prefix)))
            best = &s->rules[i];
    }
    return best;
}

/* --- addresses and subnets ---------------------------------------------------------------------
 */
struct address {
    unsigned char bytes[16]; /* IPv4 mapped into ::ffff:0:0/96 */
};

static bool address_parse(struct str text, struct address *ret) {
    char z[INET6_ADDRSTRLEN];
    struct in_addr v4;
    if (text.len > 2 && text.p[0] == '[' && text.p[text.len - 1] == ']')
        text = str_sub(text, 1, text.len - 1);
    if (text.len == 0 || text.len >= sizeof(z))
        return false;
    snprintf(z, sizeof(z), "%.*s", STR_ARG(text));
    *ret = (struct address){.bytes = {[10] = 0xff, [11] = 0xff}};
    if (inet_pton(AF_INET, z, &v4) == 1) {
        memcpy(ret->bytes + 12, &v4, 4);
        return true;
    }
    return inet_pton(AF_INET6, z, ret->bytes) == 1;
}

/* "10.0.0.0/8": is a in it? */
static bool subnet_has(struct str subnet, const struct address *a) {
    struct str base, bits_text;
    struct address net;
    uint64_t bits;
    if (!str_cut(subnet, '/', &base, &bits_text) || !address_parse(base, &net))
        return false;
    bool v4 = str_find(base, ':') < 0;
    struct err e = str_to_u64(bits_text, v4 ? 32 : 128, &bits);
    if (err_failed(e)) {
        err_ignore(e); /* no subnet: it has nothing */
        return false;
    }
    bits += v4 ? 96 : 0;
    for (unsigned i = 0; i < bits; i++)
        if ((net.bytes[i / 8] ^ a->bytes[i / 8]) & (0x80 >> i % 8))
            return false;
    return true;
}

static bool any_subnet(const struct registry_settings *s, const struct address *a) {
    for (const char **p = s->insecure; *p; p++)
        if (subnet_has(str_of(*p), a))
            return true;
    return false;
}

/* Does the name resolve into a subnet of the list? */
static bool resolves_insecure(const struct registry_settings *s, struct str host) {
    struct addrinfo *list = NULL, hints = {.ai_socktype = SOCK_STREAM};
    CLEAN_FREE char *name = str_dup(host);
    bool found = false, subnets = false;
    for (const char **p = s->insecure; *p; p++)
        subnets |= strchr(*p, '/') != NULL;
    if (!subnets || getaddrinfo(name, NULL, &hints, &list) != 0)
        return false;
    for (const struct addrinfo *i = list; i && !found; i = i->ai_next) {
        struct address a = {.bytes = {[10] = 0xff, [11] = 0xff}};
        if (i->ai_family == AF_INET)
            memcpy(a.bytes + 12, &((const struct sockaddr_in *)(const void *)i->ai_addr)->sin_addr,
                   4);
        else if (i->ai_family == AF_INET6)
            memcpy(a.bytes, &((const struct sockaddr_in6 *)(const void *)i->ai_addr)->sin6_addr,
                   16);
        else
            continue;
        found = any_subnet(s, &a);
    }
    freeaddrinfo(list);
    return found;
}

bool settings_insecure(const struct registry_settings *s, struct str authority) {
    struct str host = authority_host(authority);
    struct address a;
    for (const char **p = s->insecure; *p; p++)
        if (str_eq_nocase(str_of(*p), authority) || str_eq_nocase(str_of(*p), host))
            return true;
    return address_parse(host, &a) ? any_subnet(s, &a) : resolves_insecure(s, host);
}

/* --- proxies -----------------------------------------------------------------------------------
 */
static bool proxy_spares(struct str rule, struct str host, struct str authority) {
    struct address a;
    if (str_eqz(rule, "*") || str_eq_nocase(rule, authority) || str_eq_nocase(rule, host))
        return true;
    if (address_parse(host, &a))
        return subnet_has(rule, &a);
    if (str_starts(rule, STR("*.")))
        rule = str_from(rule, 1);
    if (rule.len == 0 || host.len <= rule.len ||
        !str_eq_nocase(str_from(host, host.len - rule.len), rule))
        return false;
    return rule.p[0] == '.' || host.p[host.len - rule.len - 1] == '.';
}

const char *settings_proxy(const struct registry_settings *s, struct str url) {
    struct str scheme, authority, rule, rest = str_of(s->no_proxy);
    if (!url_split(url, &scheme, &authority) || authority_is_loopback(authority))
        return NULL;
    const char *proxy = str_eqz(scheme, "https") ? s->https_proxy : s->http_proxy;
    while (proxy && str_next(&rest, ',', &rule))
        if (proxy_spares(str_trim(rule), authority_host(authority), authority))
            return NULL;
    return proxy;
}
