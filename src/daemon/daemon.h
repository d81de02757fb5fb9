/* daemon.h - cortend: configuration, start order, restore, shutdown.
 *
 * daemon_main is the whole program: options and configuration file → struct daemon_config → nouns
 * opened in the order of the server line → listener → loop. SIGTERM and SIGINT end the daemon and
 * leave every container running (live restore always); crash-only: kill -9 is an ordinary end.
 * Tests: test/unit/daemon (configuration), test/e2e/t0*.sh.
 */
#pragma once
#include "base/arena.h"
#include "base/err.h"

#define DAEMON_DATA_ROOT "/var/lib/corten"
#define DAEMON_RUN_ROOT "/run/corten"
#define DAEMON_CONFIG "/etc/corten/daemon.json"

enum daemon_flag { DAEMON_UNSET, DAEMON_OFF, DAEMON_ON };

/* One row of daemon/setting.c per member up to log_format. JSON texts are NULL when not set. */
struct daemon_config {
    struct arena arena;
    char *hosts;              /* JSON array of "unix:///path", "tcp://address:port", "fd://" */
    char *listeners;          /* JSON array of objects: docs/daemon.md */
    char *group;              /* of the unix sockets; NULL: root */
    char *data_root;          /* absolute */
    char *run_root;           /* absolute */
    char *pidfile;            /* absolute; NULL: none */
    char *bridge;             /* name of the default bridge; NULL: from the instance */
    char *bip;                /* "172.20.0.1/16"; NULL: first free pool */
    char *fixed_cidr;         /* part of bip's subnet; NULL: all of it */
    char *bip6, *fixed_cidr6; /* of the default bridge with ipv6; NULL: a local subnet */
    char *network_opts, *network_opts_json;   /* JSON: array of "DRIVER=KEY=VALUE"; object */
    char *address_pools, *address_pools_json; /* JSON arrays of "base=…,size=…", of objects */
    char *plugin_dirs;                        /* JSON array; NULL: the peer's */
    char *host_gateway, *dns_forwards;        /* NULL: none; the second a JSON array */
    char *default_ip;                         /* host address that ports bind to; "0.0.0.0" */
    char *tls_ca, *tls_cert, *tls_key;
    enum daemon_flag tls, tls_verify, live_restore, debug;
    /* Of registries (docs/registries.md): JSON texts, or NULL; `registries` is all of them as
     * registry_options.settings. */
    char *registry_mirrors, *insecure_registries, *certs_dirs, *registry_rules, *proxies;
    char *registries;
    char *storage_driver; /* as it was asked for, checked; NULL: nobody did */
    char *labels;         /* JSON array of "key=value" */
    char *metrics_addr;   /* "127.0.0.1:9323"; NULL: not served */
    char *log_level;      /* debug info warn error */
    char *log_format;     /* text json */
    enum daemon_flag icc, ip_masq, ip_forward, userland_proxy, bridge_names, iptables, ip6tables,
        ipv6, publish_by_relay;
    int64_t mtu; /* of the default bridge; 0: the kernel's default */
    /* Of garbage collection (docs/images.md); 0: not set. */
    int64_t gc_max_bytes, gc_min_free, gc_max_age;
    char *gc_keep; /* JSON array of patterns, or NULL */
    enum daemon_flag gc_images;
    /* For containers that leave it open (daemon/defaults.h); JSON texts: lists, ulimits, options.
     */
    char *cdi_spec_dirs; /* JSON array; NULL: the usual two */
    char *default_ulimit, *default_ulimits, *default_shm_size, *dns, *dns_options, *dns_search;
    char *log_driver, *log_options, *default_ipc_mode, *default_cgroupns_mode, *cgroup_parent;
    char *seccomp_profile; /* builtin, unconfined, or a file's absolute path */
    enum daemon_flag init, no_new_privileges;
    /* Derived: names of things outside our roots. "corten" for the default data root, else
     * "corten-<4 hex of a hash of the data root>". */
    char *instance;
    bool validate; /* --validate: check the configuration and end */
};

/* Command line over configuration file over defaults (docs/daemon.md). *ret_help: usage or version
 * was printed. Unknown options and keys are ERR_INVALID by name. */
struct err daemon_config_read(int argc, char **argv, struct daemon_config *ret, bool *ret_help);
/* Reads everything again; *c takes what has changed of the settings that can change while the
 * daemon runs, and a warning names each that cannot. On an error *c is as it was. */
struct err daemon_config_reload(int argc, char **argv, struct daemon_config *c);
void daemon_config_done(struct daemon_config *c);

/* Exit status of main: 0 orderly, 1 start failed, 2 usage. */
int daemon_main(int argc, char **argv);
