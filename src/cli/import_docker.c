/* import_docker.c - images, networks, volumes and stopped containers of a stopped dockerd.
 *
 * In this order, because each needs those before it. What is there already under its name stays as
 * it is and is said; what cannot be taken is said with the reason, and the rest goes on. */
#include "base/file.h"
#include "base/mem.h"
#include "base/path.h"
#include "cli/cli.h"
#include "cli/docker_archive.h"
#include "client/client.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

struct import {
    struct client *client;
    struct docker_root root;
    struct arena arena;
    bool apply, json;
    size_t failed, taken, there;
    const char **images; /* of each container: what it is made of */
};

static void say(struct import *m, const char *kind, const char *name, const char *what) {
    if (m->json) {
        CLEAN_BUF struct buf line = {0};
        struct json_out jo = {.out = &line};
        jo_obj(&jo);
        jo_kstr(&jo, "kind", kind);
        jo_kstr(&jo, "name", name);
        jo_kstr(&jo, "result", what);
        jo_obj_end(&jo);
        printf("%s\n", buf_cstr(&line));
    } else {
        printf("%-10s %-40s %s\n", kind, name, what);
    }
    fflush(stdout);
}

static void say_result(struct import *m, const char *kind, const char *name, struct err e) {
    if (err_failed(e)) {
        m->failed++;
        say(m, kind, name, arena_printf(&m->arena, "NOT TAKEN: %s", err_msg(e)));
    } else {
        m->taken++;
        say(m, kind, name, m->apply ? "taken" : "would be taken");
    }
    err_free(e);
}

/* True, and said, when something of that name is there. */
static bool is_there(struct import *m, const char *kind, const char *name, const char *before,
                     const char *after) {
    CLEAN_BUF struct buf target = {0};
    client_path(&target, before, name, after);
    struct client_call call = {.method = "GET", .target = buf_cstr(&target)};
    struct err e = client_do(m->client, &call);
    bool there = !err_failed(e);
    err_free(e); /* what else is wrong shows when it is made */
    if (there) {
        m->there++;
        say(m, kind, name, "is there already, stays as it is");
    }
    return there;
}

static struct err post(struct import *m, const char *target, struct str body) {
    struct client_call call = {
        .method = "POST", .target = target, .body = body, .content_type = "application/json"};
    return client_do(m->client, &call);
}

/* --- images ----------------------------------------------------------------------------------- */

static struct err on_message(void *arg, const struct api_message *msg) {
    (void)arg;
    (void)msg; /* an error in the stream is the result */
    return OK;
}

static struct err load(struct import *m, struct docker_archive *x) {
    struct client_call call = {.method = "POST",
                               .target = "/images/load?quiet=1",
                               .content_type = "application/x-tar",
                               .body_read = docker_archive_read,
                               .body_arg = x};
    struct err e = client_begin(m->client, &call);
    struct err own = docker_archive_error(x);
    if (err_failed(own)) {
        err_free(e);
        return own;
    }
    TRY(e);
    return client_messages(m->client, on_message, NULL);
}

static void say_image(struct import *m, const struct docker_image *image) {
    const char *tag = image->tags.n ? image->tags.items[0] : "<none>";
    for (size_t i = 0; i < MAX(image->tags.n, (size_t)1); i++)
        say(m, "image", i ? image->tags.items[i] : tag,
            arena_printf(&m->arena, "%.12s, %zu layers", image->id, image->layers_n));
}

static const char *changed_tag(struct import *m, const struct docker_container *c) {
    char *name = arena_printf(&m->arena, "corten-import/%s:latest", c->name);
    for (char *p = name; *p; p++)
        *p = *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p;
    return name;
}

static struct err collect(struct import *m, struct docker_archive *x) {
    struct docker_root *r = &m->root;
    for (size_t i = 0; i < r->images.n; i++) {
        say_image(m, &r->images.items[i]);
        if (m->apply)
            TRY(docker_archive_add(x, &r->images.items[i]));
    }
    for (size_t i = 0; i < r->containers.n; i++) {
        const struct docker_container *c = &r->containers.items[i];
        bool any = false;
        m->images[i] = arena_printf(&m->arena, "sha256:%s", c->image);
        const struct docker_image *image = docker_image_of(r, c->image);
        const char *asked = arena_str(&m->arena,
                                      json_str(json_get(json_get(c->config, "Config"), "Image")));
        for (size_t k = 0; k < image->tags.n; k++) { /* by the name that it was made with */
            const char *tag = image->tags.items[k];
            if (!strcmp(tag, asked) || !strcmp(tag, arena_printf(&m->arena, "%s:latest", asked)))
                m->images[i] = asked;
        }
        if (m->apply)
            TRY(docker_archive_add_changed(x, c, changed_tag(m, c), &any));
        if (any)
            m->images[i] = changed_tag(m, c);
    }
    return OK;
}

static struct err import_images(struct import *m) {
    CLEAN_DOCKER_ARCHIVE struct docker_archive *x = docker_archive_new(&m->root);
    TRY(collect(m, x));
    if (m->root.unnamed)
        say(m, "image", "<none>",
            arena_printf(&m->arena, "%zu without a name or a container are left where they are",
                         m->root.unnamed));
    if (!m->apply || !m->root.images.n)
        return OK;
    TRY(docker_archive_end(x));
    return load(m, x);
}

/* --- networks --------------------------------------------------------------------------------- */

/* The documents in the document are JSON texts. */
static struct json *inner(struct import *m, const struct json *j, const char *key) {
    struct json *root = NULL;
    struct str text = json_str(json_get(j, key));
    if (!text.len)
        return NULL;
    struct err e = json_parse(text, &root);
    if (err_failed(e)) {
        err_ignore(e); /* then the engine chooses the addresses */
        return NULL;
    }
    vec_push(&m->root.documents, root);
    return root;
}

static void put_pools(struct import *m, const struct docker_network *n, const char *config,
                      const char *info, struct json_out *jo) {
    struct json *pools = inner(m, n->root, config), *given = inner(m, n->root, info);
    for (size_t i = 0; i < json_len(pools); i++) {
        const struct json *p = json_at(pools, i);
        struct str pool = json_str(json_get(p, "PreferredPool"));
        const struct json *data = inner(m, json_at(given, i), "IPAMData");
        if (!pool.len) /* chosen by the engine then: the same now */
            pool = json_str(json_get(data, "Pool"));
        if (!pool.len)
            continue;
        jo_obj(jo);
        jo_kstr(jo, "Subnet", arena_str(&m->arena, pool));
        struct str gateway = json_str(json_get(p, "Gateway"));
        if (gateway.len)
            jo_kstr(jo, "Gateway", arena_str(&m->arena, gateway));
        struct str range = json_str(json_get(p, "SubPool"));
        if (range.len)
            jo_kstr(jo, "IPRange", arena_str(&m->arena, range));
        jo_obj_end(jo);
    }
}

static void put_object(struct json_out *jo, const char *key, const struct json *value) {
    CLEAN_BUF struct buf text = {0};
    if (json_type(value) != JSON_OBJECT)
        return;
    json_print(value, &text);
    jo_key(jo, key);
    jo_raw(jo, buf_str(&text));
}

static struct err make_network(struct import *m, const struct docker_network *n) {
    CLEAN_BUF struct buf body = {0};
    struct json_out jo = {.out = &body};
    jo_obj(&jo);
    jo_kstr(&jo, "Name", n->name);
    jo_kstr(&jo, "Driver", n->driver);
    jo_kbool(&jo, "Internal", json_bool(json_get(n->root, "internal"), false));
    jo_kbool(&jo, "Attachable", json_bool(json_get(n->root, "attachable"), false));
    jo_kbool(&jo, "EnableIPv6", json_bool(json_get(n->root, "enableIPv6"), false));
    put_object(&jo, "Labels", json_get(n->root, "labels"));
    put_object(&jo, "Options",
               json_get(json_get(n->root, "generic"), "com.docker.network.generic"));
    jo_key(&jo, "IPAM");
    jo_obj(&jo);
    jo_kstr(&jo, "Driver", "default");
    jo_key(&jo, "Config");
    jo_arr(&jo);
    put_pools(m, n, "ipamV4Config", "ipamV4Info", &jo);
    put_pools(m, n, "ipamV6Config", "ipamV6Info", &jo);
    jo_arr_end(&jo);
    jo_obj_end(&jo);
    jo_obj_end(&jo);
    return post(m, "/networks/create", buf_str(&body));
}

static void import_networks(struct import *m) {
    for (size_t i = 0; i < m->root.networks.n; i++) {
        const struct docker_network *n = &m->root.networks.items[i];
        if (!strcmp(n->name, "bridge") || !strcmp(n->name, "host") || !strcmp(n->name, "none"))
            continue;
        if (!is_there(m, "network", n->name, "/networks/", ""))
            say_result(m, "network", n->name, m->apply ? make_network(m, n) : OK);
    }
}

/* --- volumes ---------------------------------------------------------------------------------- */

static struct err make_volume(struct import *m, const struct docker_volume *v) {
    CLEAN_BUF struct buf body = {0};
    struct json_out jo = {.out = &body};
    jo_obj(&jo);
    jo_kstr(&jo, "Name", v->name);
    jo_kstr(&jo, "Driver", *v->driver ? v->driver : "local");
    if (v->labels) {
        jo_key(&jo, "Labels");
        jo_raw(&jo, str_of(v->labels));
    }
    if (v->options) {
        jo_key(&jo, "DriverOpts");
        jo_raw(&jo, str_of(v->options));
    }
    jo_obj_end(&jo);
    return post(m, "/volumes/create", buf_str(&body));
}

static ssize_t read_pipe(void *arg, void *p, size_t n) {
    ssize_t got;
    do
        got = read(*(int *)arg, p, n);
    while (got < 0 && errno == EINTR);
    return got < 0 ? -errno : got;
}

/* GNU tar says what a directory is, with owners as numbers and all attributes. */
static struct err start_tar(const char *dir, int *ret_fd, struct spawned *ret) {
    char *argv[] = {(char *)"tar",
                    (char *)"--create",
                    (char *)"--file=-",
                    (char *)"--format=pax",
                    (char *)"--numeric-owner",
                    (char *)"--xattrs",
                    (char *)"--sparse",
                    (char *)"-C",
                    (char *)(uintptr_t)dir,
                    (char *)".",
                    NULL};
    int pipes[2];
    CLEAN_FREE char *path = path_find_program("tar");
    if (!path)
        return err_new(ERR_NOT_FOUND, "'tar' is not in $PATH");
    if (pipe2(pipes, O_CLOEXEC) < 0)
        return err_errno(errno, "pipe");
    CLEAN_FD int from = pipes[0];
    CLEAN_FD int into = pipes[1];
    const struct spawn_fd fds[] = {{into, 1}, {2, 2}};
    struct spawn s = {.program = path, .argv = argv, .env = environ, .fds = fds, .fds_n = 2};
    TRYF(spawn(&s, ret), "start tar");
    *ret_fd = TAKE_FD(from);
    return OK;
}

static struct err fill_volume(struct import *m, const struct docker_volume *v) {
    CLEAN_BUF struct buf target = {0};
    CLEAN_FD int fd = -1;
    struct spawned tar;
    struct pidfd_exit x = {0};
    const char *dir = arena_printf(&m->arena, "%s/volumes/%s/_data", m->root.path, v->name);
    TRY(start_tar(dir, &fd, &tar));
    client_path(&target, "/corten/volumes/", v->name, "/archive");
    client_query(&target, "path", "/");
    struct client_call call = {.method = "PUT",
                               .target = buf_cstr(&target),
                               .content_type = "application/x-tar",
                               .body_read = read_pipe,
                               .body_arg = &fd};
    struct err e = client_do(m->client, &call);
    fd = fd_close(fd); /* a tar that is not read to its end ends now */
    struct err end = pidfd_reap(tar.pidfd, &x);
    fd_close(tar.pidfd);
    if (err_failed(e)) {
        err_free(end);
        return e;
    }
    TRY(end);
    return x.code == 0 ? OK : err_new(ERR_SYSTEM, "tar failed with status %d", x.code);
}

static struct err take_volume(struct import *m, const struct docker_volume *v) {
    struct stat st;
    const char *dir = arena_printf(&m->arena, "volumes/%s/_data", v->name);
    if (*v->driver && strcmp(v->driver, "local") != 0)
        return err_new(ERR_UNSUPPORTED, "its driver is '%s'", v->driver);
    bool data = !v->options;
    if (!path_is_name(str_of(v->name)) ||
        (data && fstatat(m->root.fd, dir, &st, AT_SYMLINK_NOFOLLOW) != 0))
        return err_new(ERR_NOT_FOUND, "its directory is not there");
    if (!m->apply)
        return OK;
    TRY(make_volume(m, v));
    return data ? fill_volume(m, v) : OK; /* with options its data lie elsewhere */
}

static void import_volumes(struct import *m) {
    for (size_t i = 0; i < m->root.volumes.n; i++) {
        const struct docker_volume *v = &m->root.volumes.items[i];
        if (!is_there(m, "volume", v->name, "/volumes/", ""))
            say_result(m, "volume", v->name, take_volume(m, v));
    }
}

/* --- containers ------------------------------------------------------------------------------- */

static bool in_binds(const struct json *host, struct str volume) {
    const struct json *binds = json_get(host, "Binds"), *mounts = json_get(host, "Mounts");
    for (size_t i = 0; i < json_len(binds); i++) {
        struct str source, rest;
        if (str_cut(json_str(json_at(binds, i)), ':', &source, &rest) && str_eq(source, volume))
            return true;
    }
    for (size_t i = 0; i < json_len(mounts); i++)
        if (str_eq(json_str(json_get(json_at(mounts, i), "Source")), volume))
            return true;
    return false;
}

/* Binds, with the volumes that have no name but their own. */
static void put_binds(const struct docker_container *c, struct json_out *jo) {
    const struct json *binds = json_get(c->host, "Binds");
    struct json_iter it = {0};
    jo_key(jo, "Binds");
    jo_arr(jo);
    for (size_t i = 0; i < json_len(binds); i++)
        jo_str(jo, json_str(json_at(binds, i)));
    while (json_each(json_get(c->config, "MountPoints"), &it)) {
        struct str name = json_str(json_get(it.value, "Name"));
        if (!str_eqz(json_str(json_get(it.value, "Type")), "volume") || in_binds(c->host, name))
            continue;
        CLEAN_FREE char *bind = mem_printf("%.*s:%.*s%s", STR_ARG(name), STR_ARG(it.key),
                                           json_bool(json_get(it.value, "RW"), true) ? "" : ":ro");
        jo_strz(jo, bind);
    }
    jo_arr_end(jo);
}

static void put_members(const struct json *from, const char *but, struct json_out *jo) {
    struct json_iter it = {0};
    while (json_each(from, &it)) {
        CLEAN_BUF struct buf text = {0};
        if (str_eqz(it.key, but))
            continue;
        json_print(it.value, &text);
        jo_keys(jo, it.key);
        jo_raw(jo, buf_str(&text));
    }
}

/* What was asked of each network; not what it had there. */
static void put_endpoints(const struct docker_container *c, struct json_out *jo) {
    struct json_iter it = {0};
    const struct json *networks = json_get(json_get(c->config, "NetworkSettings"), "Networks");
    jo_key(jo, "NetworkingConfig");
    jo_obj(jo);
    jo_key(jo, "EndpointsConfig");
    jo_obj(jo);
    while (json_each(networks, &it)) {
        const struct json *aliases = json_get(it.value, "Aliases");
        if (str_eqz(it.key, "host") || str_eqz(it.key, "none"))
            continue;
        jo_keys(jo, it.key);
        jo_obj(jo);
        put_object(jo, "IPAMConfig", json_get(it.value, "IPAMConfig"));
        put_object(jo, "DriverOpts", json_get(it.value, "DriverOpts"));
        jo_key(jo, "Aliases");
        jo_arr(jo);
        for (size_t i = 0; i < json_len(aliases); i++)
            if (strncmp(json_str(json_at(aliases, i)).p, c->id, 12) != 0) /* its old id */
                jo_str(jo, json_str(json_at(aliases, i)));
        jo_arr_end(jo);
        jo_obj_end(jo);
    }
    jo_obj_end(jo);
    jo_obj_end(jo);
}

static struct err make_container(struct import *m, const struct docker_container *c,
                                 const char *image) {
    CLEAN_BUF struct buf body = {0}, target = {0};
    struct json_out jo = {.out = &body};
    jo_obj(&jo);
    put_members(json_get(c->config, "Config"), "Image", &jo);
    jo_kstr(&jo, "Image", image);
    jo_key(&jo, "HostConfig");
    jo_obj(&jo);
    put_members(c->host, "Binds", &jo);
    put_binds(c, &jo);
    jo_obj_end(&jo);
    put_endpoints(c, &jo);
    jo_obj_end(&jo);
    buf_adds(&target, "/containers/create");
    client_query(&target, "name", c->name);
    return post(m, buf_cstr(&target), buf_str(&body));
}

static void import_containers(struct import *m) {
    for (size_t i = 0; i < m->root.containers.n; i++) {
        const struct docker_container *c = &m->root.containers.items[i];
        if (is_there(m, "container", c->name, "/containers/", "/json"))
            continue;
        say_result(m, "container", c->name, m->apply ? make_container(m, c, m->images[i]) : OK);
        if (c->was_running)
            say(m, m->json ? "container" : "", m->json ? c->name : "",
                "ran when its engine ended; it is stopped now");
    }
}

/* --- the whole -------------------------------------------------------------------------------- */

static struct err run(struct import *m, const char *host, const char *path) {
    TRY(docker_root_read(path, &m->arena, &m->root));
    TRY(client_open(host, &m->client));
    m->images = arena_array(&m->arena, m->root.containers.n + 1, sizeof(*m->images));
    TRYF(import_images(m), "images");
    import_networks(m);
    import_volumes(m);
    import_containers(m);
    if (m->json)
        return OK;
    printf(
        "%zu images; of networks, volumes and containers %zu %s, %zu were there, %zu not taken\n",
        m->root.images.n, m->taken, m->apply ? "taken" : "would be taken", m->there, m->failed);
    if (!m->apply)
        printf("Nothing was done: --apply does it. '%s' is only read.\n", path);
    return OK;
}

int import_docker_main(int argc, char **argv) {
    struct import m = {0};
    if (argc != 4 && argc != 5) {
        fprintf(stderr, "corten-import is started by: corten system import-docker\n");
        return 2;
    }
    signal(SIGPIPE, SIG_IGN);
    m.apply = strcmp(argv[3], "--apply") == 0;
    m.json = argc == 5;
    m.root.fd = -1;
    struct err e = run(&m, argv[1], argv[2]);
    bool failed = err_failed(e) || m.failed > 0;
    if (err_failed(e))
        fprintf(stderr, "corten: %s\n", err_msg(e));
    err_free(e);
    docker_root_done(&m.root);
    client_close(m.client);
    arena_done(&m.arena);
    return failed;
}
