/* The table of settings, and how one value is taken from text or JSON. */
#include "daemon/setting.h"
#include <stdio.h>
#include <string.h>

#define SETTING(member, ...) \
    { .offset = offsetof(struct daemon_config, member), __VA_ARGS__ }

#define FIXED(option_, key_, allowed_, why) \
    { .option = option_, .key = key_, .kind = SETTING_FIXED, .allowed = allowed_, .help = why }

const struct setting settings[] = {
    SETTING(hosts, .option = "host", .key = "hosts", .argument = "URL", .letter = 'H',
            .kind = SETTING_LIST,
            .help = "listener: unix:///PATH, tcp://ADDRESS:PORT or fd:// (repeatable; default "
                    "unix://<run-root>/corten.sock)"),
    SETTING(listeners, .key = "listeners", .kind = SETTING_RAW),
    SETTING(group, .option = "group", .key = "group", .argument = "NAME", .letter = 'G',
            .help = "group of the unix sockets (default: root alone)"),
    SETTING(tls, .option = "tls", .key = "tls", .kind = SETTING_BOOL,
            .help = "serve TCP listeners over TLS; off allows TCP in the clear beyond loopback"),
    SETTING(tls_verify, .option = "tlsverify", .key = "tlsverify", .kind = SETTING_BOOL,
            .help = "TLS, and clients must show a certificate of the CA"),
    SETTING(tls_ca, .option = "tlscacert", .key = "tlscacert", .argument = "FILE",
            .help = "certificates that clients' are checked with (default /etc/corten/ca.pem)"),
    SETTING(tls_cert, .option = "tlscert", .key = "tlscert", .argument = "FILE",
            .help = "the daemon's certificate (default /etc/corten/cert.pem)"),
    SETTING(tls_key, .option = "tlskey", .key = "tlskey", .argument = "FILE",
            .help = "its key (default /etc/corten/key.pem)"),
    SETTING(data_root, .option = "data-root", .key = "data-root", .argument = "DIR",
            .help = "durable state (default " DAEMON_DATA_ROOT ")"),
    SETTING(run_root, .option = "run-root", .key = "run-root", .argument = "DIR",
            .help = "volatile state (default " DAEMON_RUN_ROOT ")"),
    SETTING(pidfile, .option = "pidfile", .key = "pidfile", .argument = "FILE", .letter = 'p',
            .help = "file that holds the daemon's pid (default: none)"),
    SETTING(bridge, .option = "bridge", .key = "bridge", .argument = "NAME", .letter = 'b',
            .help = "name of the default bridge (default: from the data root)"),
    SETTING(bip, .option = "bip", .key = "bip", .argument = "CIDR",
            .help = "address and subnet of the default bridge (default: first free pool)"),
    SETTING(mtu, .option = "mtu", .key = "mtu", .argument = "BYTES", .kind = SETTING_INT, .min = 68,
            .max = 65535, .help = "MTU of the default bridge (default 1500)"),
    SETTING(default_ip, .option = "ip", .key = "ip", .argument = "ADDRESS",
            .help = "host address that published ports bind to (default 0.0.0.0)"),
    SETTING(fixed_cidr, .option = "fixed-cidr", .key = "fixed-cidr", .argument = "CIDR",
            .help = "part of the default bridge's subnet that addresses are given from"),
    SETTING(ipv6, .option = "ipv6", .key = "ipv6", .kind = SETTING_BOOL,
            .help = "IPv6 on the default bridge (default off)"),
    SETTING(bip6, .option = "bip6", .key = "bip6", .argument = "CIDR",
            .help = "IPv6 address and subnet of the default bridge"),
    SETTING(fixed_cidr6, .option = "fixed-cidr-v6", .key = "fixed-cidr-v6", .argument = "CIDR",
            .help = "IPv6 subnet of the default bridge, or the part of bip6's that addresses are "
                    "given from (default: a local one)"),
    SETTING(network_opts, .option = "default-network-opt", .argument = "DRIVER=KEY=VALUE",
            .kind = SETTING_LIST,
            .help = "option of new networks of that driver that do not say otherwise (repeatable)"),
    SETTING(network_opts_json, .key = "default-network-opts", .kind = SETTING_RAW),
    SETTING(icc, .option = "icc", .key = "icc", .kind = SETTING_BOOL,
            .help = "containers on the default bridge reach each other (default on)"),
    SETTING(ip_masq, .option = "ip-masq", .key = "ip-masq", .kind = SETTING_BOOL,
            .help = "containers on the default bridge reach the outside under the host's address "
                    "(default on)"),
    SETTING(ip_forward, .option = "ip-forward", .key = "ip-forward", .kind = SETTING_BOOL,
            .help = "switch forwarding on when a container needs it (default on)"),
    SETTING(plugin_dirs, .option = "plugin-dir", .key = "plugin-dirs", .argument = "DIR",
            .kind = SETTING_LIST,
            .help = "where volume plugins are looked for (repeatable; default /run/docker/plugins, "
                    "/etc/docker/plugins, /usr/lib/docker/plugins)"),
    SETTING(host_gateway, .option = "host-gateway-ip", .key = "host-gateway-ip",
            .argument = "ADDRESS",
            .help = "what host-gateway of --add-host stands for (default: the network's gateway)"),
    SETTING(dns_forwards, .option = "dns-forward", .key = "dns-forwards",
            .argument = "DOMAIN=ADDRESS[,ADDRESS]", .kind = SETTING_LIST,
            .help = "name servers for one domain, for containers whose names corten answers "
                    "(repeatable)"),
    SETTING(bridge_names, .option = "bridge-names", .key = "bridge-names", .kind = SETTING_BOOL,
            .help = "names of containers are answered on the default bridge too (default off)"),
    SETTING(iptables, .option = "iptables", .key = "iptables", .kind = SETTING_BOOL,
            .help = "use the packet filter; off: corten-relay publishes all ports, nothing is "
                    "translated or kept apart (default true)"),
    SETTING(ip6tables, .option = "ip6tables", .key = "ip6tables", .kind = SETTING_BOOL,
            .help = "use the packet filter for IPv6; off: as iptables, for IPv6 alone "
                    "(default true)"),
    SETTING(publish_by_relay, .option = "publish-by-relay", .key = "publish-by-relay",
            .kind = SETTING_BOOL,
            .help = "published ports are sockets of the host, which its input policy decides about "
                    "(default off: the kernel translates)"),
    SETTING(address_pools, .option = "default-address-pool", .key = "default-address-pool",
            .argument = "base=CIDR,size=N", .kind = SETTING_LIST,
            .help = "where networks take their subnets from (repeatable)"),
    SETTING(address_pools_json, .key = "default-address-pools", .kind = SETTING_RAW),
    SETTING(userland_proxy, .option = "userland-proxy", .key = "userland-proxy",
            .kind = SETTING_BOOL,
            .help = "corten-relay serves published ports on ::1 and of IPv6 (default true)"),
    SETTING(registry_mirrors, .option = "registry-mirror", .key = "registry-mirrors",
            .argument = "URL", .kind = SETTING_LIST, .help = "asked before docker.io (repeatable)"),
    SETTING(insecure_registries, .option = "insecure-registry", .key = "insecure-registries",
            .argument = "HOST", .kind = SETTING_LIST,
            .help = "registry or subnet whose certificates are not checked (repeatable)"),
    SETTING(certs_dirs, .option = "certs-dir", .key = "certs-dirs", .argument = "DIR",
            .kind = SETTING_LIST,
            .help = "TLS files of registries (default /etc/corten/certs.d, /etc/docker/certs.d)"),
    SETTING(registry_rules, .key = "registries", .kind = SETTING_RAW),
    SETTING(proxies, .option = "proxy", .key = "proxies", .argument = "NAME=VALUE",
            .kind = SETTING_MAP,
            .help = "http-proxy, https-proxy or no-proxy for registries (default: environment)"),
    SETTING(gc_max_bytes, .option = "gc-max-bytes", .key = "gc-max-bytes", .argument = "BYTES",
            .kind = SETTING_INT, .max = INT64_MAX,
            .help = "images and build cache together (default: no limit)"),
    SETTING(gc_min_free, .option = "gc-min-free", .key = "gc-min-free", .argument = "BYTES",
            .kind = SETTING_INT, .max = INT64_MAX,
            .help = "of the data root's file system (default 2 GiB)"),
    SETTING(gc_max_age, .option = "gc-max-age", .key = "gc-max-age", .argument = "SECONDS",
            .kind = SETTING_INT, .max = INT32_MAX,
            .help = "what was unused for longer is removed (default: no limit)"),
    SETTING(gc_keep, .option = "gc-keep", .key = "gc-keep", .argument = "PATTERN",
            .kind = SETTING_LIST, .help = "image names that stay in any case (repeatable)"),
    SETTING(gc_images, .option = "gc-images", .key = "gc-images", .kind = SETTING_BOOL,
            .help = "named images may be removed as well, not only dangling ones and build cache"),
    SETTING(storage_driver, .option = "storage-driver", .key = "storage-driver", .argument = "NAME",
            .letter = 's', .help = "how containers get their root: overlay2 (default), btrfs, vfs"),
    SETTING(labels, .option = "label", .key = "labels", .argument = "KEY=VALUE",
            .kind = SETTING_LIST, .live = true, .help = "label of the daemon (repeatable)"),
    SETTING(default_ulimit, .option = "default-ulimit", .key = "default-ulimit",
            .argument = "NAME=SOFT[:HARD]", .kind = SETTING_LIST,
            .help = "ulimit of containers that name none of this kind (repeatable)"),
    SETTING(default_ulimits, .key = "default-ulimits", .kind = SETTING_RAW),
    SETTING(default_shm_size, .option = "default-shm-size", .key = "default-shm-size",
            .argument = "SIZE", .help = "size of /dev/shm of containers (default 64m)"),
    SETTING(dns, .option = "dns", .key = "dns", .argument = "ADDRESS", .kind = SETTING_LIST,
            .help = "name server of containers (repeatable; default: the host's)"),
    SETTING(dns_options, .option = "dns-opt", .key = "dns-opts", .argument = "OPTION",
            .kind = SETTING_LIST, .help = "option of containers' resolv.conf (repeatable)"),
    SETTING(dns_search, .option = "dns-search", .key = "dns-search", .argument = "DOMAIN",
            .kind = SETTING_LIST, .help = "domain that containers search in (repeatable)"),
    SETTING(cdi_spec_dirs, .option = "cdi-spec-dir", .key = "cdi-spec-dirs", .argument = "DIR",
            .kind = SETTING_LIST,
            .help = "specifications of devices by name, the later going first (repeatable; "
                    "default /etc/cdi, /var/run/cdi)"),
    SETTING(log_driver, .option = "log-driver", .key = "log-driver", .argument = "DRIVER",
            .help = "log driver of containers (default json-file)"),
    SETTING(log_options, .option = "log-opt", .key = "log-opts", .argument = "NAME=VALUE",
            .kind = SETTING_MAP, .help = "option of that log driver (repeatable)"),
    SETTING(init, .option = "init", .key = "init", .kind = SETTING_BOOL,
            .help = "an init runs as the first process of containers"),
    SETTING(no_new_privileges, .option = "no-new-privileges", .key = "no-new-privileges",
            .kind = SETTING_BOOL, .help = "containers cannot gain privileges by exec"),
    SETTING(default_ipc_mode, .option = "default-ipc-mode", .key = "default-ipc-mode",
            .argument = "MODE", .help = "private or shareable (default private)"),
    SETTING(default_cgroupns_mode, .option = "default-cgroupns-mode",
            .key = "default-cgroupns-mode", .argument = "MODE",
            .help = "private or host (default private)"),
    SETTING(cgroup_parent, .option = "cgroup-parent", .key = "cgroup-parent", .argument = "PATH",
            .help = "cgroup that containers' cgroups lie in"),
    SETTING(seccomp_profile, .option = "seccomp-profile", .key = "seccomp-profile",
            .argument = "FILE", .help = "profile of containers; builtin (default) or unconfined"),
    FIXED("exec-opt", "exec-opts", "native.cgroupdriver=cgroupfs",
          "cgroups are made without a manager"),
    FIXED("default-runtime", "default-runtime", "corten runc",
          "there is one runtime, corten's own"),
    FIXED("add-runtime", "runtimes", NULL, "there is one runtime, corten's own"),
    FIXED("userns-remap", "userns-remap", NULL, "ids in containers are the host's"),
    FIXED("cpu-rt-period", "cpu-rt-period", "0", "real-time scheduling is not given to containers"),
    FIXED("cpu-rt-runtime", "cpu-rt-runtime", "0",
          "real-time scheduling is not given to containers"),
    FIXED("experimental", "experimental", "false", "there is nothing experimental"),
    FIXED("selinux-enabled", "selinux-enabled", "false", "there are no labels of SELinux"),
    FIXED("rootless", "rootless", "false", "the daemon needs root"),
    FIXED("raw-logs", "raw-logs", "true false", "the daemon's log never has colours"),
    FIXED("feature", "features", "buildkit=true", "it is no feature that can be switched"),
    FIXED("authorization-plugin", "authorization-plugins", NULL,
          "there are no plugins; a listener can have a policy"),
    FIXED("containerd", "containerd", NULL, "there is no containerd"),
    FIXED("exec-root", "exec-root", NULL, "here it is run-root"),
    FIXED("shutdown-timeout", "shutdown-timeout", NULL, "containers outlive the daemon"),
    FIXED("init-path", "init-path", NULL, "--init runs corten-init"),
    FIXED("userland-proxy-path", "userland-proxy-path", NULL, "there is no proxy"),
    SETTING(live_restore, .option = "live-restore", .key = "live-restore", .kind = SETTING_BOOL,
            .help = "always on: containers outlive the daemon"),
    SETTING(metrics_addr, .option = "metrics-addr", .key = "metrics-addr", .argument = "HOST:PORT",
            .help = "serve Prometheus metrics there, at /metrics (default: not served)"),
    SETTING(debug, .option = "debug", .key = "debug", .letter = 'D', .kind = SETTING_BOOL,
            .live = true, .help = "log level debug"),
    SETTING(log_level, .option = "log-level", .key = "log-level", .argument = "LEVEL",
            .letter = 'l', .live = true, .help = "debug, info, warn or error (default info)"),
    SETTING(log_format, .option = "log-format", .key = "log-format", .argument = "FORMAT",
            .help = "text or json (default text)"),
};
const size_t settings_n = ARRAY_LEN(settings);

const struct setting *setting_by_key(struct str key) {
    for (size_t i = 0; i < settings_n; i++)
        if (str_eqz(key, settings[i].key))
            return &settings[i];
    return NULL;
}

static void *at(const struct daemon_config *c, const struct setting *s) {
    return (char *)(uintptr_t)c + s->offset;
}

static const char *name_of(const struct setting *s) {
    return s->option ? s->option : s->key;
}

/* json: the text of an array or object, or NULL; what is added lies in member. */
static char *with_member(struct arena *a, const char *json, const char *brackets,
                         struct str member) {
    size_t n = json ? strlen(json) : 0;
    return n > 2 ? arena_printf(a, "%.*s,%.*s%c", (int)n - 1, json, STR_ARG(member), brackets[1])
                 : arena_printf(a, "%c%.*s%c", brackets[0], STR_ARG(member), brackets[1]);
}

static struct err add_to_map(struct daemon_config *c, const struct setting *s, struct str value) {
    CLEAN_BUF struct buf member = {0};
    struct str name, rest;
    if (!str_cut(value, '=', &name, &rest) || name.len == 0)
        return err_new(ERR_INVALID, "'%.*s' is not NAME=VALUE", STR_ARG(value));
    json_quote(&member, name);
    buf_addc(&member, ':');
    json_quote(&member, rest);
    *(char **)at(c, s) = with_member(&c->arena, *(char **)at(c, s), "{}", buf_str(&member));
    return OK;
}

static struct err set_bool(struct daemon_config *c, const struct setting *s, struct str value) {
    bool on = str_eqz(value, "true") || str_eqz(value, "1");
    if (!on && !str_eqz(value, "false") && !str_eqz(value, "0"))
        return err_new(ERR_INVALID, "'%.*s' is neither true nor false", STR_ARG(value));
    *(enum daemon_flag *)at(c, s) = on ? DAEMON_ON : DAEMON_OFF;
    return OK;
}

static struct err check_fixed(const struct setting *s, const char *name, struct str value) {
    struct str rest = str_of(s->allowed ? s->allowed : ""), word;
    while (str_next(&rest, ' ', &word))
        if (str_eq(word, value))
            return OK;
    return err_new(ERR_UNSUPPORTED, "%s: '%.*s' is not supported: %s", name, STR_ARG(value),
                   s->help);
}

struct err setting_set(struct daemon_config *c, const struct setting *s, struct str value) {
    if (value.len == 0 || str_has_nul(value))
        return err_new(ERR_INVALID, "%s: empty value", name_of(s));
    CLEAN_BUF struct buf member = {0};
    switch (s->kind) {
    case SETTING_BOOL:
        return err_wrap(set_bool(c, s, value), "%s", name_of(s));
    case SETTING_INT:
        return err_wrap(str_to_i64(value, s->min, s->max, at(c, s)), "%s", name_of(s));
    case SETTING_MAP:
        return err_wrap(add_to_map(c, s, value), "%s", name_of(s));
    case SETTING_FIXED:
        return check_fixed(s, s->option, value);
    case SETTING_LIST:
        json_quote(&member, value);
        *(char **)at(c, s) = with_member(&c->arena, *(char **)at(c, s), "[]", buf_str(&member));
        return OK;
    default:
        *(char **)at(c, s) = arena_str(&c->arena, value);
        return OK;
    }
}

/* Lists and maps hold strings only; which is what the option could have said. */
static struct err check_members(const struct setting *s, const struct json *j) {
    struct json_iter it = {0};
    if (json_type(j) != (s->kind == SETTING_LIST ? JSON_ARRAY : JSON_OBJECT))
        return err_new(ERR_INVALID, "%s: expected %s, got %s", s->key,
                       s->kind == SETTING_LIST ? "an array of strings" : "an object of strings",
                       json_type_name(json_type(j)));
    for (size_t i = 0; s->kind == SETTING_LIST && i < json_len(j); i++)
        if (json_type(json_at(j, i)) != JSON_STRING)
            return err_new(ERR_INVALID, "%s: member %zu is no string", s->key, i);
    while (s->kind == SETTING_MAP && json_each(j, &it))
        if (json_type(it.value) != JSON_STRING)
            return err_new(ERR_INVALID, "%s: '%.*s' is no string", s->key, STR_ARG(it.key));
    return OK;
}

static struct err scalar(struct daemon_config *c, const struct setting *s, const struct json *j) {
    static const enum json_type types[] = {
        [SETTING_STRING] = JSON_STRING, [SETTING_INT] = JSON_INT, [SETTING_BOOL] = JSON_BOOL};
    if (json_type(j) != types[s->kind])
        return err_new(ERR_INVALID, "%s: expected %s, got %s", s->key,
                       json_type_name(types[s->kind]), json_type_name(json_type(j)));
    if (s->kind == SETTING_STRING)
        return setting_set(c, s, json_str(j));
    CLEAN_BUF struct buf text = {0};
    json_print(j, &text);
    return setting_set(c, s, buf_str(&text));
}

/* Text, a number, an array of them, or an object (NAME=VALUE each); nothing in it is nothing said.
 */
static struct err fixed_json(const struct setting *s, const struct json *j) {
    struct json_iter it = {0};
    CLEAN_BUF struct buf text = {0};
    for (size_t i = 0; json_type(j) == JSON_ARRAY && i < json_len(j); i++)
        TRY(check_fixed(s, s->key, json_str(json_at(j, i))));
    while (json_type(j) == JSON_OBJECT && json_each(j, &it)) {
        buf_truncate(&text, 0);
        buf_addf(&text, "%.*s=", STR_ARG(it.key));
        json_print(it.value, &text);
        TRY(check_fixed(s, s->key, buf_str(&text)));
    }
    if (json_type(j) == JSON_ARRAY || json_type(j) == JSON_OBJECT)
        return OK;
    if (json_type(j) == JSON_STRING)
        return json_str(j).len ? check_fixed(s, s->key, json_str(j)) : OK;
    json_print(j, &text);
    return check_fixed(s, s->key, buf_str(&text));
}

struct err setting_set_json(struct daemon_config *c, const struct setting *s,
                            const struct json *j) {
    if (s->kind == SETTING_FIXED)
        return fixed_json(s, j);
    if (s->kind < SETTING_LIST)
        return scalar(c, s, j);
    if (s->kind != SETTING_RAW)
        TRY(check_members(s, j));
    CLEAN_BUF struct buf text = {0};
    json_print(j, &text);
    *(char **)at(c, s) = arena_str(&c->arena, buf_str(&text));
    return OK;
}

bool setting_is_set(const struct daemon_config *c, const struct setting *s) {
    if (s->kind == SETTING_FIXED)
        return false;
    return s->kind == SETTING_INT    ? *(int64_t *)at(c, s) != 0
           : s->kind == SETTING_BOOL ? *(enum daemon_flag *)at(c, s) != DAEMON_UNSET
                                     : *(char **)at(c, s) != NULL;
}

void setting_copy(struct daemon_config *to, const struct daemon_config *from,
                  const struct setting *s) {
    if (s->kind == SETTING_INT)
        *(int64_t *)at(to, s) = *(int64_t *)at(from, s);
    else if (s->kind == SETTING_BOOL)
        *(enum daemon_flag *)at(to, s) = *(enum daemon_flag *)at(from, s);
    else
        *(char **)at(to, s) = arena_strz(&to->arena, *(char **)at(from, s));
}

bool setting_equal(const struct daemon_config *a, const struct daemon_config *b,
                   const struct setting *s) {
    if (s->kind == SETTING_FIXED)
        return true;
    if (s->kind == SETTING_INT)
        return *(int64_t *)at(a, s) == *(int64_t *)at(b, s);
    if (s->kind == SETTING_BOOL)
        return *(enum daemon_flag *)at(a, s) == *(enum daemon_flag *)at(b, s);
    const char *x = *(char **)at(a, s), *y = *(char **)at(b, s);
    return !strcmp(x ? x : "", y ? y : "");
}
