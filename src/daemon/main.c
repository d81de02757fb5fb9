/* Start order, listener, signals, end. */
#include "api/api.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/random.h"
#include "base/time.h"
#include "container/container.h"
#include "daemon/daemon.h"
#include "daemon/defaults.h"
#include "daemon/dump.h"
#include "daemon/home.h"
#include "daemon/listen.h"
#include "daemon/notify.h"
#include "kernel/oom.h"
#include "runtime/runtime.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define POOL_THREADS 8
#define LEAVE_TRIES 30
#define LEAVE_STEP_NS (10 * INT64_C(1000000))

struct daemon {
    struct daemon_config config;
    struct arena arena;
    struct loop *loop;
    struct api api;
    struct listeners *listeners;
    struct container_defaults defaults;
    int argc;
    char **argv;
    const char *parent_cgroup;
    struct home home;
    struct timer *leaving;
    int leave_tries;
    struct sigwatch *term, *interrupt, *hangup, *dump;
};

/* --- steps of the start
 * ------------------------------------------------------------------------------------ */

/* The other programs lie beside this one. */
static struct err program_path(struct daemon *d, const char *name, const char **ret) {
    char self[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n <= 0)
        return err_errno(errno, "find this program's own path");
    struct str dir = path_dir(str_n(self, (size_t)n));
    *ret = arena_printf(&d->arena, "%.*s/%s", STR_ARG(dir), name);
    if (access(*ret, X_OK) != 0)
        return err_errno(errno, "program '%s'", *ret);
    return OK;
}

static struct err make_roots(const struct daemon_config *c) {
    TRY(dir_make(c->data_root, 0711));
    TRY(dir_make(c->run_root, 0711));
    return OK;
}

/* As many descriptors as the host allows: every client, monitor and log is one. */
static void raise_descriptor_limit(void) {
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0 && r.rlim_cur < r.rlim_max) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r); /* a refusal leaves the limit as it is */
    }
}

static struct err load_id_row(void *arg, struct store_row *r) {
    snprintf(arg, 65, "%s", row_text(r, 0) ? row_text(r, 0) : "");
    return OK;
}

/* The daemon's id is made once and kept. */
static struct err load_id(struct daemon *d) {
    char *id = arena_alloc(&d->arena, 65);
    TRY(store_load(d->api.store, "SELECT value FROM meta WHERE key = 'daemon_id'", load_id_row,
                   id));
    if (!*id) {
        random_id(id);
        struct store_txn *t = store_txn_new();
        store_add(t, "INSERT OR REPLACE INTO meta (key, value) VALUES ('daemon_id', ?)", "s", id);
        store_commit(d->api.store, t, STORE_LAZY, NULL, NULL);
    }
    d->api.id = id;
    return OK;
}

#define GC_MIN_FREE (INT64_C(2) << 30) /* bytes, unless the settings say otherwise */

/* The settings were checked when they were read. */
static struct err gc_policy(struct daemon *d, struct image_gc_policy *ret) {
    const struct daemon_config *c = &d->config;
    CLEAN_JSON struct json *keep = NULL;
    if (c->gc_keep)
        TRYF(json_parse(str_of(c->gc_keep), &keep), "gc-keep");
    const char **patterns = arena_array(&d->arena, json_len(keep) + 1, sizeof(*patterns));
    for (size_t i = 0; i < json_len(keep); i++)
        patterns[i] = arena_str(&d->arena, json_str(json_at(keep, i)));
    *ret = (struct image_gc_policy){
        .max_bytes = (uint64_t)c->gc_max_bytes,
        .min_free = (uint64_t)(c->gc_min_free ? c->gc_min_free : GC_MIN_FREE),
        .max_age = c->gc_max_age * NSEC_PER_SEC,
        .keep = patterns,
        .keep_n = json_len(keep),
        .images = c->gc_images == DAEMON_ON,
    };
    return OK;
}

/* Where devices by name are specified. */
static struct err cdi_dirs(struct daemon *d, const char *const **ret) {
    CLEAN_JSON struct json *list = NULL;
    const char *text = d->config.cdi_spec_dirs;
    TRYF(json_parse(str_of(text ? text : "[\"/etc/cdi\",\"/var/run/cdi\"]"), &list),
         "cdi-spec-dirs");
    const char **dirs = arena_array(&d->arena, json_len(list) + 1, sizeof(*dirs));
    struct strs shown = {.present = true};
    for (size_t i = 0; i < json_len(list); i++) {
        dirs[i] = arena_str(&d->arena, json_str(json_at(list, i)));
        if (dirs[i][0] != '/')
            return err_new(ERR_INVALID, "cdi-spec-dirs: '%s' is not an absolute path", dirs[i]);
        strs_add(&shown, &d->arena, dirs[i]);
    }
    d->api.cdi_spec_dirs = shown;
    *ret = dirs;
    return OK;
}

static struct err open_nouns(struct daemon *d) {
    const struct daemon_config *c = &d->config;
    struct api *a = &d->api;
    const char *monitor, *dns, *relay;
    TRY(program_path(d, "corten-worker", &a->worker_program));
    a->registries = d->config.registries;
    TRY(program_path(d, "corten-build", &a->build_program));
    TRY(program_path(d, "corten-monitor", &monitor));
    TRY(program_path(d, "corten-dns", &dns));
    TRY(program_path(d, "corten-relay", &relay));
    TRYF(store_open(c->data_root, d->loop, &a->store), "state database");
    TRY(load_id(d));
    struct images_options images = {.store = a->store,
                                    .loop = d->loop,
                                    .data_root = c->data_root,
                                    .worker_program = a->worker_program,
                                    .driver = c->storage_driver};
    TRY(gc_policy(d, &images.gc));
    TRYF(images_open(&images, &a->images), "images");
    TRYF(volumes_open(a->store, d->loop, c->data_root, &a->volumes), "volumes");
    volumes_set_worker(a->volumes, a->worker_program);
    TRY(volumes_set_plugins(a->volumes, c->plugin_dirs));
    const char *dash = strchr(c->instance, '-');
    struct networks_config networks = {
        .instance = dash ? dash + 1 : "",
        .bridge_name = c->bridge,
        .bip = c->bip,
        .bind_ip = c->default_ip,
        .run_dir = arena_printf(&d->arena, "%s/network", c->run_root),
        .mtu = (unsigned)c->mtu,
        .fixed_cidr = c->fixed_cidr,
        .six = c->ipv6 == DAEMON_ON,
        .bip6 = c->bip6,
        .fixed_cidr6 = c->fixed_cidr6,
        .options = {c->network_opts, c->network_opts_json},
        .host_gateway = c->host_gateway,
        .dns_forwards = c->dns_forwards,
        .default_names = c->bridge_names == DAEMON_ON,
        .icc_off = c->icc == DAEMON_OFF,
        .masquerade_off = c->ip_masq == DAEMON_OFF,
        .forward_off = c->ip_forward == DAEMON_OFF,
        .rules_off = c->iptables == DAEMON_OFF,
        .rules6_off = c->ip6tables == DAEMON_OFF,
        .relay_all = c->publish_by_relay == DAEMON_ON,
        .pools = {c->address_pools, c->address_pools_json},
        .cgroup = home_cgroup(&d->home),
        .dns_program = dns,
        .relay_program = c->userland_proxy == DAEMON_OFF ? NULL : relay,
    };
    TRYF(networks_open(a->store, d->loop, &networks, &a->networks), "networks");
    struct containers_config containers = {
        .loop = d->loop,
        .store = a->store,
        .images = a->images,
        .networks = a->networks,
        .volumes = a->volumes,
        .data_root = c->data_root,
        .run_root = c->run_root,
        .instance = c->instance,
        .monitor_program = monitor,
        .worker_program = a->worker_program,
        .cgroup = home_cgroup(&d->home),
        .defaults = &d->defaults,
    };
    TRY(cdi_dirs(d, &containers.cdi_dirs));
    TRY(defaults_read(c, &d->arena, &d->defaults));
    return err_wrap(containers_open(&containers, &a->containers), "containers");
}

/* --- end
 * -----------------------------------------------------------------------------------------------------
 */

static void set_log_level(const struct daemon_config *c) {
    enum log_level level = LOG_INFO;
    log_level_from_name(c->log_level, &level);
    log_set_level(c->debug == DAEMON_ON ? LOG_DEBUG : level);
}

static struct err set_labels(struct daemon *d) {
    CLEAN_JSON struct json *list = NULL;
    struct strs labels = {.present = true};
    if (d->config.labels)
        TRY(json_parse(str_of(d->config.labels), &list));
    for (size_t i = 0; i < json_len(list); i++)
        strs_add(&labels, &d->arena, arena_str(&d->arena, json_str(json_at(list, i))));
    d->api.labels = labels;
    return OK;
}

static void reload(struct daemon *d) {
    char state[64];
    snprintf(state, sizeof state, "RELOADING=1\nMONOTONIC_USEC=%lld",
             (long long)(time_monotonic() / 1000));
    notify_manager(state);
    struct err e = daemon_config_reload(d->argc, d->argv, &d->config);
    if (err_failed(e)) {
        log_err(LOG_ERROR, e, "reload: everything stays as it was");
        notify_manager("READY=1");
        return;
    }
    set_log_level(&d->config);
    err_ignore(set_labels(d)); /* they were checked when they were read */
    api_reloaded(&d->api);
    notify_manager("READY=1");
    log_info("the configuration was read again");
}

/* The directory that all containers' cgroups lie in goes when none of them is alive. The monitor of
 * one that has just ended is still clearing its own away, and needs this loop for that. */
static void leave(void *arg) {
    struct daemon *d = arg;
    size_t n = 0;
    bool alive = false;
    struct container *const *all = containers_all(d->api.containers, &n);
    for (size_t i = 0; i < n; i++)
        alive |= all[i]->pid != 0;
    if (!alive && d->leave_tries++ < LEAVE_TRIES) {
        if (!home_leave(d->config.instance))
            return; /* a monitor that is ending, or corten-dns, which stays for a while */
        struct err e = runtime_cgroup_remove(d->parent_cgroup);
        bool busy = err_failed(e);
        err_ignore(e);
        if (busy)
            return;
    }
    loop_stop(d->loop);
}

static void on_signal(void *arg, int signo) {
    struct daemon *d = arg;
    if (signo == SIGHUP) {
        reload(d);
        return;
    }
    if (signo == SIGUSR1) {
        dump_write(&d->api);
        return;
    }
    log_info("signal %d: going down; containers stay up", signo);
    notify_manager("STOPPING=1");
    listeners_stop(d->listeners);
    containers_rest(d->api.containers);
    if (d->leaving)
        loop_stop(d->loop); /* asked twice */
    else
        d->leaving = timer_new(d->loop, 0, LEAVE_STEP_NS, leave, d);
}

static void daemon_done(struct daemon *d) {
    /* The nouns' memory goes with the process: containers, monitors and networks live on, and what
     * must be on disk is there once the store is closed. */
    api_close(&d->api);
    store_close(d->api.store);
    listeners_free(d->listeners);
    if (d->config.pidfile)
        unlink(d->config.pidfile);
    daemon_config_done(&d->config);
}

static struct err write_pidfile(const struct daemon_config *c) {
    char text[16];
    if (!c->pidfile)
        return OK;
    snprintf(text, sizeof text, "%d\n", getpid());
    return err_wrap(file_replace(c->pidfile, str_of(text), 0644, false), "pidfile '%s'",
                    c->pidfile);
}

static struct err start(struct daemon *d) {
    const struct daemon_config *c = &d->config;
    int64_t before = time_monotonic();
    TRY(make_roots(c));
    raise_descriptor_limit();
    oom_score_keep();
    home_make(&d->home, c->instance);
    d->parent_cgroup = arena_printf(&d->arena, "/%s", c->instance);
    loop_set_pool_size(POOL_THREADS);
    d->loop = loop_new();
    d->api.loop = d->loop;
    d->api.data_root = c->data_root;
    d->api.run_root = c->run_root;
    d->api.started_at = time_now();
    TRY(listeners_open(c, d->loop, &d->api, &d->listeners));
    d->api.host = listeners_local(d->listeners);
    TRY(write_pidfile(c));
    TRY(set_labels(d));
    TRY(open_nouns(d));
    api_open(&d->api);
    listeners_serve(d->listeners);
    d->term = sigwatch_new(d->loop, SIGTERM, on_signal, d);
    d->interrupt = sigwatch_new(d->loop, SIGINT, on_signal, d);
    d->hangup = sigwatch_new(d->loop, SIGHUP, on_signal, d);
    d->dump = sigwatch_new(d->loop, SIGUSR1, on_signal, d);
    notify_manager("READY=1");
    CLEAN_BUF struct buf hosts = {0};
    listeners_print(d->listeners, &hosts);
    log_info("serving the API on %s, up in %lld us", buf_cstr(&hosts),
             (long long)((time_monotonic() - before) / 1000));
    return OK;
}

int daemon_main(int argc, char **argv) {
    bool help = false;
    struct daemon d = {.argc = argc, .argv = argv};
    umask(022);
    signal(SIGPIPE, SIG_IGN);
    struct err e = daemon_config_read(argc, argv, &d.config, &help);
    if (err_failed(e)) {
        fprintf(stderr, "cortend: %s\nTry 'cortend --help'.\n", err_msg(e));
        err_free(e);
        return 2;
    }
    if (!help && d.config.validate)
        e = listeners_check(&d.config);
    if (err_failed(e)) {
        fprintf(stderr, "cortend: %s\n", err_msg(e));
        err_free(e);
        return 1;
    }
    if (help || d.config.validate) {
        if (d.config.validate)
            printf("configuration OK\n");
        daemon_config_done(&d.config);
        return 0;
    }
    log_init("cortend", LOG_INFO, 2);
    log_set_format(!strcmp(d.config.log_format, "json") ? LOG_JSON : LOG_TEXT);
    set_log_level(&d.config);
    e = start(&d);
    if (err_failed(e)) {
        log_err(LOG_ERROR, e, "cannot start");
        listeners_free(d.listeners);
        return 1;
    }
    loop_run(d.loop);
    daemon_done(&d);
    return 0;
}
