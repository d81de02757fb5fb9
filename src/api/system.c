/* _ping, version, info, events, auth. */
#include "api/build_lease.h"
#include "api/events.h"
#include "api/filter.h"
#include "api/handlers.h"
#include "api/host.h"
#include "api/metrics.h"
#include "base/file.h"
#include "base/time.h"
#include <dirent.h>
#include <string.h>
#include <sys/vfs.h>

void api_open(struct api *api) {
    api->facts = host_new();
    api->metrics = metrics_new();
    api->events = events_new(api);
    containers_announce(api->containers);
    build_restore(api);
}

void api_close(struct api *api) {
    events_free(api->events);
    api->metrics = metrics_free(api->metrics);
    (void)host_free((struct host *)(uintptr_t)api->facts);
    api->events = NULL;
    api->facts = NULL;
}

/* --- ping, version ------------------------------------------------------------------------- */

void api_ping(struct api_call *c) {
    if (c->x) {
        http_add_header(c->x, "Cache-Control", "no-cache, no-store, must-revalidate");
        http_add_header(c->x, "Pragma", "no-cache");
        http_add_header(c->x, "Builder-Version", "1"); /* POST /build with a context, no gRPC */
        http_add_header(c->x, "Swarm", "inactive");
    }
    api_reply_text(c, 200, "text/plain; charset=utf-8", STR("OK"));
}

/* The documents' strings are char *; nobody writes into them. */
static char *borrow(const char *z) {
    return (char *)(uintptr_t)z;
}

void api_reloaded(struct api *api) {
    struct strpair name = {.key = borrow("name"), .value = borrow(api->facts->name)};
    struct api_event e = {
        .type = borrow("daemon"),
        .action = borrow("reload"),
        .actor = {.id = borrow(api->id), .attributes = {.items = &name, .n = 1, .present = true}}};
    events_record(api->events, &e);
}

void api_version(struct api_call *c) {
    const struct host *host = c->api->facts;
    struct arena *a = &c->arena;
    char *newest = arena_printf(a, "1.%d", API_MINOR_MAX);
    char *oldest = arena_printf(a, "1.%d", API_MINOR_MIN);
    struct api_version doc = {
        .platform.name = borrow("corten"),
        .version = borrow(CORTEN_VERSION),
        .api_version = newest,
        .min_api_version = oldest,
        .go_version = borrow("C (" __VERSION__ ")"),
        .os = borrow("linux"),
        .arch = borrow(host->arch),
        .kernel_version = borrow(host->kernel),
    };
    struct api_component *engine = objs_add(&doc.components, a, sizeof(*engine));
    engine->name = borrow("Engine");
    engine->version = doc.version;
    const struct strpair details[] = {
        {borrow("ApiVersion"), newest},
        {borrow("MinAPIVersion"), oldest},
        {borrow("Os"), doc.os},
        {borrow("Arch"), doc.arch},
        {borrow("GoVersion"), doc.go_version},
        {borrow("KernelVersion"), doc.kernel_version},
        {borrow("GitCommit"), borrow("")},
        {borrow("BuildTime"), borrow("")},
        {borrow("Experimental"), borrow("false")},
    };
    for (size_t i = 0; i < ARRAY_LEN(details); i++)
        strmap_set(&engine->details, a, details[i].key, details[i].value);
    api_reply_doc(c, 200, &api_version_fields, &doc);
}

/* --- info ---------------------------------------------------------------------------------- */

static void info_counts(const struct api *api, struct api_info *d) {
    size_t n = 0;
    struct container *const *all = containers_all(api->containers, &n);
    d->containers = (int64_t)n;
    for (size_t i = 0; i < n; i++) {
        bool paused = all[i]->state == CONTAINER_PAUSED;
        bool running = all[i]->state == CONTAINER_RUNNING || all[i]->state == CONTAINER_RESTARTING;
        d->containers_paused += paused;
        d->containers_running += running;
        d->containers_stopped += !paused && !running;
    }
    d->images = (int64_t)images_count(api->images);
}

static void info_host(const struct host *h, struct api_info *d) {
    d->kernel_version = borrow(h->kernel);
    d->operating_system = borrow(h->system);
    d->os_version = borrow(h->system_version);
    d->os_type = borrow("linux");
    d->architecture = borrow(h->machine);
    d->n_cpu = h->cpus;
    d->mem_total = h->memory;
    d->name = borrow(h->name);
    d->ipv4_forwarding = host_forwards_ipv4();
    d->memory_limit = h->features.memory;
    d->swap_limit = h->features.swap;
    d->cpu_cfs_period = d->cpu_cfs_quota = d->cpu_shares = h->features.cpu;
    d->cpu_set = h->features.cpuset;
    d->pids_limit = h->features.pids;
    d->cgroup_driver = borrow("cgroupfs");
    d->cgroup_version = borrow(h->features.cgroup_v2 ? "2" : "1");
    d->oom_kill_disable = h->features.memory && !h->features.cgroup_v2;
}

static void info_plugins(struct arena *a, struct api_info *d) {
    static const char *const networks[] = {"bridge", "host", "null"};
    const char *const *logs = logs_drivers();
    strs_add(&d->plugins.volume, a, "local");
    for (size_t i = 0; i < ARRAY_LEN(networks); i++)
        strs_add(&d->plugins.network, a, networks[i]);
    for (size_t i = 0; logs[i]; i++)
        strs_add(&d->plugins.log, a, logs[i]);
    d->logging_driver = borrow("json-file");
    struct api_runtime *r = objmap_add(&d->runtimes, a, "corten", sizeof(*r));
    r->path = borrow("corten-runtime");
    d->default_runtime = borrow("corten");
    d->init_binary = borrow("corten-init");
}

static void info_registries(struct arena *a, struct api_info *d) {
    struct api_registry_config *r = &d->registry_config;
    strs_add(&r->insecure_cidrs, a, "127.0.0.0/8");
    strs_add(&r->insecure_cidrs, a, "::1/128");
    struct api_index_config *hub = objmap_add(&r->index_configs, a, "docker.io", sizeof(*hub));
    *hub = (struct api_index_config){.name = borrow("docker.io"), .secure = true, .official = true};
    d->index_server_address = borrow("https://index.docker.io/v1/");
}

static void add_pair(struct objs *to, struct arena *a, const char *key, const char *value) {
    struct strs *pair = objs_add(to, a, sizeof(*pair));
    strs_add(pair, a, key);
    strs_add(pair, a, value);
}

/* Of the file systems that overlay is used on. */
static const char *file_system_name(const char *path) {
    static const struct {
        unsigned long magic;
        const char *name;
    } names[] = {{0xef53, "extfs"},       {0x58465342, "xfs"},     {0x9123683e, "btrfs"},
                 {0x01021994, "tmpfs"},   {0x2fc12fc1, "zfs"},     {0xf2f52010, "f2fs"},
                 {0x794c7630, "overlay"}, {0xca451a4e, "bcachefs"}};
    struct statfs s;
    if (statfs(path, &s) == 0)
        for (size_t i = 0; i < ARRAY_LEN(names); i++)
            if (names[i].magic == (unsigned long)s.f_type)
                return names[i].name;
    return "<unknown>";
}

static void info_security(const struct api *api, const struct host *h, struct arena *a,
                          struct api_info *d) {
    if (h->features.apparmor)
        strs_add(&d->security_options, a, "name=apparmor");
    if (h->features.seccomp)
        strs_add(&d->security_options, a, "name=seccomp,profile=builtin");
    strs_add(&d->security_options, a, "name=cgroupns");
    const struct strv *warnings = networks_warnings(api->networks);
    for (size_t i = 0; i < warnings->n; i++)
        strs_add(&d->warnings, a, arena_printf(a, "WARNING: %s", warnings->items[i]));
    if (h->features_known && !h->features.memory)
        strs_add(&d->warnings, a, "WARNING: No memory limit support");
    if (h->features_known && h->features.memory && !h->features.swap)
        strs_add(&d->warnings, a, "WARNING: No swap limit support");
}

void api_info(struct api_call *c) {
    struct arena *a = &c->arena;
    const struct api *api = c->api;
    struct api_firewall firewall = {.driver = borrow("nftables")};
    struct api_info doc = {
        .id = borrow(api->id),
        .driver = borrow(rootfs_driver_name(images_driver(api->images))),
        .system_time = time_now(),
        .n_fd = fd_count(),
        .n_events_listener = (int64_t)events_listeners(api->events),
        .docker_root_dir = borrow(api->data_root),
        .server_version = borrow(CORTEN_VERSION),
        .swarm.local_node_state = borrow("inactive"),
        .live_restore_enabled = true,
        .firewall_backend = &firewall,
    };
    add_pair(&doc.driver_status, a, "Backing Filesystem", file_system_name(api->data_root));
    add_pair(&doc.driver_status, a, "Mounts", "detached");
    info_counts(api, &doc);
    doc.labels = api->labels;
    doc.cdi_spec_dirs = api->cdi_spec_dirs;
    info_host(api->facts, &doc);
    info_plugins(a, &doc);
    info_registries(a, &doc);
    info_security(api, api->facts, a, &doc);
    api_reply_doc(c, 200, &api_info_fields, &doc);
}

/* --- events -------------------------------------------------------------------------------- */

static struct err read_time(struct api_call *c, const char *name, int64_t *ret) {
    const char *text = api_query(c, name);
    *ret = 0;
    if (!text || !*text)
        return OK;
    return err_wrap(time_parse_api(str_of(text), ret), "query parameter '%s'", name);
}

void api_events(struct api_call *c) {
    struct api_filters f;
    int64_t since = 0, until = 0;
    struct err e = read_time(c, "since", &since);
    if (!err_failed(e))
        e = read_time(c, "until", &until);
    if (!err_failed(e) && until && until < since)
        e = err_new(ERR_INVALID, "`since` time (%s) cannot be after `until` time (%s)",
                    api_query(c, "since"), api_query(c, "until"));
    if (!err_failed(e))
        e = api_read_filters(c, events_filters, &f);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        events_serve(c->api->events, c, &f, since, until);
}
