/* settings.h - what the administrator said about registries, as the daemon hands it to its workers.
 *
 * One JSON object with the keys of the daemon's configuration file, all optional:
 *   certs-dirs          directories with one directory per registry, "host:port"; the first that
 * has one counts (default /etc/corten/certs.d, /etc/docker/certs.d) insecure-registries "host",
 * "host:port" or a subnet: certificates are not checked there, and plain HTTP will do where TLS is
 * not spoken registry-mirrors    URLs asked before docker.io registries          [{"prefix":
 * "host/path", "mirrors": [URL…], "fallback": true}]: the longest prefix of an image's name counts;
 * its mirrors are asked in order, then the registry itself unless fallback is false proxies
 * {"http-proxy", "https-proxy", "no-proxy"}; what is left out comes from HTTP_PROXY, HTTPS_PROXY,
 * NO_PROXY (or in small letters) of the environment A mirror's URL has a scheme (http only to
 * loopback and insecure registries), a host and possibly a path, below which its /v2/ lies. Private
 * to registry/; pure but for name look-ups of settings_insecure. Tests:
 * test/unit/registry/settings.c.
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"

#define SETTINGS_LIST_MAX 1000 /* members of a list */

struct registry_rule {
    const char *prefix;
    struct {
        const char **items;
        size_t n;
    } mirrors;
    bool fallback;
};
struct registry_settings {
    const char **certs_dirs, **insecure; /* end with NULL; never NULL themselves */
    struct registry_rule *rules;
    size_t rules_n;
    const char *http_proxy, *https_proxy, *no_proxy; /* NULL: none */
};
/* j may be NULL. environment: look there for proxies that j does not name. */
struct err settings_parse(const struct json *j, bool environment, struct arena *a,
                          struct registry_settings *ret);
/* The rule for "domain/path", or NULL. */
const struct registry_rule *settings_rule(const struct registry_settings *s, struct str name);
bool settings_insecure(const struct registry_settings *s, struct str authority);
/* The proxy for a URL, or NULL: never for loopback, nor for what no-proxy lists (hosts with their
 * subdomains, ".suffix", "host:port", addresses, subnets, "*"). */
const char *settings_proxy(const struct registry_settings *s, struct str url);
