/* host.c - global options, and which daemon they mean. */
#include "cli/host.h"
#include "base/file.h"
#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define META_MAX (1u << 20)

static const struct {
    const char *name;
    char letter;
    size_t text, flag; /* where it goes, +1; one of both */
} globals[] = {
    {"host", 'H', offsetof(struct globals, host) + 1, 0},
    {"context", 'c', offsetof(struct globals, context) + 1, 0},
    {"config", 0, offsetof(struct globals, config_dir) + 1, 0},
    {"log-level", 'l', offsetof(struct globals, log_level) + 1, 0},
    {"tlscacert", 0, offsetof(struct globals, tls_ca) + 1, 0},
    {"tlscert", 0, offsetof(struct globals, tls_cert) + 1, 0},
    {"tlskey", 0, offsetof(struct globals, tls_key) + 1, 0},
    {"tls", 0, 0, offsetof(struct globals, tls) + 1},
    {"tlsverify", 0, 0, offsetof(struct globals, tls_verify) + 1},
    {"debug", 'D', 0, offsetof(struct globals, debug) + 1},
    {"version", 'v', 0, offsetof(struct globals, version) + 1},
    {"help", 'h', 0, offsetof(struct globals, help) + 1},
};

static struct err set_global(struct globals *g, size_t row, const char *value) {
    if (globals[row].text) {
        *(const char **)((char *)g + globals[row].text - 1) = value;
        return OK;
    }
    bool on = !value || !strcmp(value, "true") || !strcmp(value, "1");
    if (!on && strcmp(value, "false") != 0 && strcmp(value, "0") != 0)
        return err_new(ERR_INVALID, "corten: --%s is true or false, not '%s'", globals[row].name,
                       value);
    *(bool *)((char *)g + globals[row].flag - 1) = on;
    return OK;
}

/* One word (and the next when it is its value). */
static struct err parse_global(struct globals *g, char **argv, int *i) {
    struct str word = str_of(argv[*i]), name, value;
    bool is_long = str_starts(word, STR("--"));
    bool has_value = str_cut(str_from(word, 2), '=', &name, &value) && is_long;
    for (size_t k = 0; k < ARRAY_LEN(globals); k++) {
        bool same = is_long ? str_eqz(name, globals[k].name)
                            : globals[k].letter && word.p[1] == globals[k].letter;
        if (!same)
            continue;
        if (!globals[k].text) {
            TRY(set_global(g, k, has_value ? value.p : NULL));
        } else if (has_value) {
            TRY(set_global(g, k, value.p));
        } else if (!is_long && word.len > 2) {
            TRY(set_global(g, k, word.p + 2 + (word.p[2] == '=')));
        } else if (argv[*i + 1]) {
            TRY(set_global(g, k, argv[++*i]));
        } else {
            return err_new(ERR_INVALID, "corten: flag needs an argument: %s", argv[*i]);
        }
        ++*i;
        return OK;
    }
    return err_new(ERR_INVALID, "corten: unknown flag: %s", argv[*i]);
}

struct err globals_parse(int argc, char **argv, struct globals *ret, int *ret_first) {
    static const char *const levels[] = {"debug", "info", "warn", "error", "fatal"};
    int i = 1;
    ret->config_dir = getenv("DOCKER_CONFIG");
    const char *verify = getenv("DOCKER_TLS_VERIFY");
    ret->tls_verify = verify && *verify;
    while (i < argc && argv[i][0] == '-' && argv[i][1])
        TRY(parse_global(ret, argv, &i));
    bool known = !ret->log_level;
    for (size_t k = 0; !known && k < ARRAY_LEN(levels); k++)
        known = !strcmp(levels[k], ret->log_level);
    if (!known)
        return err_new(ERR_INVALID, "corten: unable to parse logging level: %s", ret->log_level);
    if (ret->host && ret->context)
        return err_new(ERR_INVALID,
                       "corten: conflicting options: cannot specify both --host and --context");
    *ret_first = i;
    return OK;
}

/* --- contexts --------------------------------------------------------------------------------- */

static int compare_contexts(const void *a, const void *b) {
    return strcmp(((const struct context *)a)->name, ((const struct context *)b)->name);
}

static struct err load_one(const char *dir, const char *entry, struct arena *a,
                           struct contexts *all) {
    CLEAN_BUF struct buf text = {0};
    CLEAN_FREE char *path = mem_printf("%s/%s/meta.json", dir, entry);
    CLEAN_JSON struct json *root = NULL;
    struct err e = file_read(path, META_MAX, &text);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* some other directory */
        return OK;
    }
    TRYF(e, "corten: read %s", path);
    TRYF(json_parse(buf_str(&text), &root), "corten: %s", path);
    struct json *docker = json_get(json_get(root, "Endpoints"), "docker");
    struct context x = {
        .name = arena_str(a, json_str(json_get(root, "Name"))),
        .description = arena_str(a, json_str(json_get(json_get(root, "Metadata"), "Description"))),
        .host = arena_str(a, json_str(json_get(docker, "Host"))),
        .skip_verify = json_bool(json_get(docker, "SkipTLSVerify"), false),
        .dir = arena_strz(a, entry)};
    if (*x.name) {
        x.root = TAKE(root);
        vec_push(all, x);
    }
    return OK;
}

struct err contexts_load(const struct config *c, struct arena *a, struct contexts *ret) {
    CLEAN_FREE char *dir = mem_printf("%s/contexts/meta", c->dir);
    struct contexts all = {0};
    DIR *d = opendir(dir);
    struct err e = OK;
    if (!d && errno != ENOENT)
        return err_errno(errno, "corten: open %s", dir);
    for (struct dirent *x; d && !err_failed(e) && (x = readdir(d));)
        if (x->d_name[0] != '.')
            e = load_one(dir, x->d_name, a, &all);
    if (d)
        closedir(d);
    if (err_failed(e)) {
        contexts_done(&all);
        return e;
    }
    if (all.n > 1)
        qsort(all.items, all.n, sizeof *all.items, compare_contexts);
    *ret = all;
    return OK;
}

void contexts_done(struct contexts *v) {
    for (size_t i = 0; i < v->n; i++)
        json_free(v->items[i].root);
    vec_done(v);
}

const struct context *contexts_find(const struct contexts *v, const char *name) {
    for (size_t i = 0; i < v->n; i++)
        if (!strcmp(v->items[i].name, name))
            return &v->items[i];
    return NULL;
}

/* --- the daemon ------------------------------------------------------------------------------- */

static const char *env_host(void) {
    const char *own = getenv("CORTEN_HOST"), *docker = getenv("DOCKER_HOST");
    return own && *own ? own : docker && *docker ? docker : NULL;
}

const char *context_current(const struct globals *g, struct arena *a) {
    const char *own = getenv("CORTEN_CONTEXT"), *docker = getenv("DOCKER_CONTEXT"), *name;
    if (g->context)
        return g->context;
    if (g->host || env_host())
        return "default";
    name = own && *own         ? own
           : docker && *docker ? docker
                               : config_text(&g->config, "currentContext", a);
    return name ? name : "default";
}

static const char *tls_host(const char *host, const char *ca, const char *cert, const char *key,
                            bool verify, struct arena *a) {
    CLEAN_BUF struct buf out = {0};
    buf_addf(&out, "tls://%s", host + strlen("tcp://"));
    client_query(&out, "ca", verify ? ca : NULL);
    client_query(&out, "cert", cert);
    client_query(&out, "key", key);
    return arena_str(a, buf_str(&out));
}

static struct err of_context(const struct globals *g, const char *name, struct arena *a,
                             const char **ret) {
    struct contexts all = {0};
    TRY(contexts_load(&g->config, a, &all));
    const struct context *x = contexts_find(&all, name);
    if (!x) {
        contexts_done(&all);
        return err_new(ERR_NOT_FOUND,
                       "corten: context '%s' does not exist; 'corten context ls' shows those that "
                       "do, 'corten context use default' goes back to this machine",
                       name);
    }
    const char *tls = arena_printf(a, "%s/contexts/tls/%s/docker", g->config.dir, x->dir),
               *ca = arena_printf(a, "%s/ca.pem", tls), *cert = arena_printf(a, "%s/cert.pem", tls),
               *key = arena_printf(a, "%s/key.pem", tls);
    bool has_ca = access(ca, R_OK) == 0, has_cert = access(cert, R_OK) == 0;
    *ret = x->host;
    if (!strncmp(x->host, "tcp://", 6) && (has_ca || has_cert || x->skip_verify))
        *ret = tls_host(x->host, has_ca ? ca : "", has_cert ? cert : NULL, has_cert ? key : NULL,
                        !x->skip_verify, a);
    contexts_done(&all);
    return OK;
}

struct err host_find(const struct globals *g, struct arena *a, const char **ret) {
    const char *name = context_current(g, a), *host = g->host ? g->host : env_host();
    const char *certs = getenv("DOCKER_CERT_PATH");
    if (strcmp(name, "default") != 0)
        return of_context(g, name, a, ret);
    if (!host)
        host = DEFAULT_HOST;
    if (!strstr(host, "://"))
        host = arena_printf(a, "%s%s", host[0] == '/' ? "unix://" : "tcp://", host);
    if (!strncmp(host, "tcp://", 6) && !strchr(host + 6, ':'))
        host = arena_printf(a, "%s:%s", host, g->tls || g->tls_verify ? "2376" : "2375");
    bool tls = g->tls || g->tls_verify || g->tls_ca || g->tls_cert || g->tls_key;
    if (!strncmp(host, "tcp://", 6) && tls) {
        const char *dir = certs && *certs ? certs : g->config.dir;
        const char *ca = g->tls_ca ? g->tls_ca : arena_printf(a, "%s/ca.pem", dir),
                   *cert = g->tls_cert ? g->tls_cert : arena_printf(a, "%s/cert.pem", dir),
                   *key = g->tls_key ? g->tls_key : arena_printf(a, "%s/key.pem", dir);
        bool has_cert = g->tls_cert || access(cert, R_OK) == 0;
        host = tls_host(host, ca, has_cert ? cert : NULL, has_cert ? key : NULL, g->tls_verify, a);
    }
    *ret = host;
    return OK;
}
