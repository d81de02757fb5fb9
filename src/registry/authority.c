#include "registry/authority.h"
#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

static enum address_class class_of_v4(uint32_t a) {
    if (a >> 24 == 127)
        return ADDRESS_LOOPBACK;
    if (a >> 16 == 0xa9fe) /* 169.254/16, the metadata services of clouds among them */
        return ADDRESS_LINK_LOCAL;
    if (a >> 24 == 10 || a >> 20 == 0xac1 || a >> 16 == 0xc0a8 ||
        a >> 22 == 0x191 || /* 100.64/10 */
        a >> 24 == 0)
        return ADDRESS_PRIVATE;
    return ADDRESS_PUBLIC;
}

enum address_class address_class(const struct sockaddr *a) {
    if (a->sa_family == AF_INET) {
        struct sockaddr_in in;
        memcpy(&in, a, sizeof(in));
        return class_of_v4(ntohl(in.sin_addr.s_addr));
    }
    if (a->sa_family != AF_INET6)
        return ADDRESS_LOOPBACK; /* unix sockets and whatever else is not a registry's */
    struct sockaddr_in6 in6;
    memcpy(&in6, a, sizeof(in6));
    const unsigned char *b = in6.sin6_addr.s6_addr;
    if (IN6_IS_ADDR_LOOPBACK(&in6.sin6_addr))
        return ADDRESS_LOOPBACK;
    if (IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr) ||
        (b[0] == 0 && b[1] == 0x64 && b[2] == 0xff && b[3] == 0x9b))
        return class_of_v4((uint32_t)b[12] << 24 | (uint32_t)b[13] << 16 | (uint32_t)b[14] << 8 |
                           b[15]);
    if (b[0] == 0xfe && (b[1] & 0xc0) == 0x80)
        return ADDRESS_LINK_LOCAL;
    if ((b[0] & 0xfe) == 0xfc || IN6_IS_ADDR_UNSPECIFIED(&in6.sin6_addr))
        return ADDRESS_PRIVATE;
    return ADDRESS_PUBLIC;
}

struct str authority_host(struct str authority) {
    ssize_t colon = str_rfind(authority, ':');
    if (str_starts(authority, STR("["))) {
        ssize_t end = str_find(authority, ']');
        return end < 0 ? authority : str_sub(authority, 0, (size_t)end + 1);
    }
    return colon < 0 ? authority : str_sub(authority, 0, (size_t)colon);
}

bool authority_is_loopback(struct str authority) {
    struct str host = authority_host(authority);
    char text[64];
    struct in_addr a;
    if (str_eq_nocase(host, STR("localhost")) || str_eqz(host, "[::1]"))
        return true;
    snprintf(text, sizeof(text), "%.*s", STR_ARG(host));
    return host.len < sizeof(text) && inet_pton(AF_INET, text, &a) == 1 &&
           ntohl(a.s_addr) >> 24 == 127;
}

bool url_split(struct str url, struct str *ret_scheme, struct str *ret_authority) {
    ssize_t colon = str_find_str(url, STR("://"));
    if (colon <= 0)
        return false;
    struct str rest = str_from(url, (size_t)colon + 3);
    size_t n = 0;
    while (n < rest.len && rest.p[n] != '/' && rest.p[n] != '?' && rest.p[n] != '#')
        n++;
    *ret_scheme = str_sub(url, 0, (size_t)colon);
    *ret_authority = str_sub(rest, 0, n);
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.p[i] <= ' ' || url.p[i] == 0x7f || url.p[i] == '\\')
            return false;
    return n > 0 && str_find(*ret_authority, '@') < 0;
}

static bool url_allowed(struct str url, struct str registry, bool insecure, bool same_host) {
    struct str scheme, authority;
    if (!url_split(url, &scheme, &authority))
        return false;
    if (str_eq_nocase(scheme, STR("https")))
        return true; /* the address is judged when it is connected to */
    if (!str_eq_nocase(scheme, STR("http")))
        return false;
    bool same = str_eq_nocase(authority_host(authority), authority_host(registry));
    if (insecure && same)
        return true;
    return authority_is_loopback(registry) && authority_is_loopback(authority) &&
           (same || !same_host);
}

bool realm_allowed(struct str realm, struct str registry_authority, bool insecure) {
    return url_allowed(realm, registry_authority, insecure, true);
}

bool redirect_allowed(struct str url, struct str registry_authority, bool insecure) {
    return url_allowed(url, registry_authority, insecure, false);
}
