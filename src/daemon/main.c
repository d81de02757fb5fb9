/* Start order, listener, signals, end. */
#include "api/api.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "base/random.h"
#include "base/time.h"
#include "container/container.h"
#include "daemon/daemon.h"
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

struct daemon {
    struct daemon_config config;
    struct arena arena;
    struct loop *loop;
    struct api api;
    struct http_server *server;
    bool inherited; /* the listener is not ours to remove */
    struct sigwatch *term, *interrupt, *hangup;
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

static struct err open_nouns(struct daemon *d) {
    const struct daemon_config *c = &d->config;
    struct api *a = &d->api;
    const char *monitor;
    TRY(program_path(d, "corten-worker", &a->worker_program));
    TRY(program_path(d, "corten-build", &a->build_program));
    TRY(program_path(d, "corten-monitor", &monitor));
    TRYF(store_open(c->data_root, d->loop, &a->store), "state database");
    TRY(load_id(d));
    struct images_options images = {.store = a->store,
                                    .loop = d->loop,
                                    .data_root = c->data_root,
                                    .worker_program = a->worker_program};
    TRYF(images_open(&images, &a->images), "images");
    TRYF(volumes_open(a->store, d->loop, c->data_root, &a->volumes), "volumes");
    const char *dash = strchr(c->instance, '-');
    struct networks_config networks = {
        .instance = dash ? dash + 1 : "",
        .bridge_name = c->bridge,
        .bip = c->bip,
        .bind_ip = c->default_ip,
        .run_dir = arena_printf(&d->arena, "%s/network", c->run_root),
        .mtu = (unsigned)c->mtu,
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
    };
    return err_wrap(containers_open(&containers, &a->containers), "containers");
}

/* A listener that somebody else holds open (sd_listen_fds(3): LISTEN_PID, LISTEN_FDS, descriptor
 * 3): clients that dial while no daemon runs wait in its queue for the next one. -1: there is none.
 */
static struct err inherited_listener(int *ret_fd) {
    const char *pid = getenv("LISTEN_PID"), *fds = getenv("LISTEN_FDS");
    uint64_t who = 0, n = 0;
    *ret_fd = -1;
    if (!pid || !fds)
        return OK;
    TRYF(str_to_u64(str_of(pid), INT32_MAX, &who), "LISTEN_PID");
    TRYF(str_to_u64(str_of(fds), 64, &n), "LISTEN_FDS");
    if ((pid_t)who != getpid() || n == 0)
        return OK;
    if (n > 1)
        return err_new(ERR_UNSUPPORTED, "LISTEN_FDS: exactly one listener is supported");
    if (fcntl(3, F_SETFD, FD_CLOEXEC) != 0)
        return err_errno(errno, "LISTEN_FDS: descriptor 3");
    TRY(fd_set_nonblock(3, true));
    *ret_fd = 3;
    return OK;
}

static struct err listen_on(struct daemon *d) {
    const char *path = d->config.host + strlen("unix://");
    gid_t gid = (gid_t)-1;
    if (d->config.group) {
        struct group *g = getgrnam(d->config.group);
        if (!g)
            return err_new(ERR_INVALID, "--group: no group '%s' on this host", d->config.group);
        gid = g->gr_gid;
    }
    CLEAN_FREE char *dir = str_dup(path_dir(str_of(path)));
    TRY(dir_make(dir, 0711));
    int fd = -1;
    TRY(inherited_listener(&fd));
    d->inherited = fd >= 0;
    if (!d->inherited)
        TRYF(http_listen_unix(path, gid, &fd), "listen on '%s'", d->config.host);
    d->server = http_server_new(d->loop, fd, api_handle, &d->api);
    api_attach(&d->api, d->server);
    return OK;
}

/* --- end
 * -----------------------------------------------------------------------------------------------------
 */

static void on_signal(void *arg, int signo) {
    struct daemon *d = arg;
    if (signo == SIGHUP) {
        log_warn("SIGHUP: the configuration is read at the start only");
        return;
    }
    log_info("signal %d: going down; containers stay up", signo);
    http_server_stop(d->server);
    loop_stop(d->loop);
}

static void daemon_done(struct daemon *d) {
    /* The nouns' memory goes with the process: containers, monitors and networks live on, and what
     * must be on disk is there once the store is closed. */
    api_close(&d->api);
    store_close(d->api.store);
    if (d->server && !d->inherited)
        unlink(d->config.host + strlen("unix://"));
    daemon_config_done(&d->config);
}

static struct err start(struct daemon *d) {
    const struct daemon_config *c = &d->config;
    int64_t before = time_monotonic();
    TRY(make_roots(c));
    raise_descriptor_limit();
    loop_set_pool_size(POOL_THREADS);
    d->loop = loop_new();
    d->api.loop = d->loop;
    d->api.data_root = c->data_root;
    d->api.run_root = c->run_root;
    d->api.host = c->host;
    d->api.started_at = time_now();
    TRY(open_nouns(d));
    api_open(&d->api);
    TRY(listen_on(d));
    d->term = sigwatch_new(d->loop, SIGTERM, on_signal, d);
    d->interrupt = sigwatch_new(d->loop, SIGINT, on_signal, d);
    d->hangup = sigwatch_new(d->loop, SIGHUP, on_signal, d);
    log_info("serving the API on %s, up in %lld us", c->host,
             (long long)((time_monotonic() - before) / 1000));
    return OK;
}

int daemon_main(int argc, char **argv) {
    bool help = false;
    struct daemon d = {0};
    umask(022);
    signal(SIGPIPE, SIG_IGN);
    struct err e = daemon_config_read(argc, argv, &d.config, &help);
    if (err_failed(e)) {
        fprintf(stderr, "cortend: %s\nTry 'cortend --help'.\n", err_msg(e));
        err_free(e);
        return 2;
    }
    if (help || d.config.validate) {
        if (d.config.validate)
            printf("configuration OK\n");
        daemon_config_done(&d.config);
        return 0;
    }
    enum log_level level = LOG_INFO;
    log_level_from_name(d.config.log_level, &level);
    log_init("cortend", level, 2);
    e = start(&d);
    if (err_failed(e)) {
        log_err(LOG_ERROR, e, "cannot start");
        return 1;
    }
    loop_run(d.loop);
    daemon_done(&d);
    return 0;
}
