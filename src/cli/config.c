/* config.c - ~/.docker/config.json: formats, detach keys, headers, proxies, credentials.
 * Source: the documentation of the docker command line ("config.json properties"), the credential
 * helpers' protocol (docker-credential-NAME get, the registry's name on stdin, JSON on stdout; list
 * answers with an object of registries and users). */
#include "base/base64.h"
#include "base/file.h"
#include "base/path.h"
#include "cli/command.h"
#include "cli/helper.h"
#include "spec/api_system.h"
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define CONFIG_MAX (1u << 20)
#define HUB "https://index.docker.io/v1/"

struct err config_load(const char *dir, struct config *ret) {
    CLEAN_BUF struct buf text = {0};
    const char *home = getenv("HOME");
    struct config c = {.dir = dir && *dir ? mem_strdup(dir)
                                          : mem_printf("%s/.docker", home ? home : "")};
    CLEAN_FREE char *path = path_join(c.dir, "config.json");
    struct err e = file_read(path, CONFIG_MAX, &text);
    *ret = c;
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* most people have none */
        return OK;
    }
    TRYF(e, "corten: read %s", path);
    return str_trim(buf_str(&text)).len
               ? err_wrap(json_parse(buf_str(&text), &ret->root), "corten: %s", path)
               : OK;
}

void config_done(struct config *c) {
    json_free(c->root);
    free(c->dir);
}

const char *config_text(const struct config *c, const char *key, struct arena *a) {
    struct str s = json_str(json_get(c->root, key));
    return s.len ? arena_str(a, s) : NULL;
}

char *config_headers(const struct config *c, struct arena *a) {
    CLEAN_BUF struct buf out = {0};
    struct json_iter it = {0};
    struct json *headers = json_get(c->root, "HttpHeaders");
    while (headers && json_each(headers, &it)) {
        struct str v = json_str(it.value);
        bool clean = it.key.len > 0;
        for (size_t i = 0; i < it.key.len; i++)
            clean &= it.key.p[i] > ' ' && it.key.p[i] != ':' && it.key.p[i] < 0x7f;
        for (size_t i = 0; i < v.len; i++)
            clean &= (unsigned char)v.p[i] >= ' ' && v.p[i] != 0x7f;
        if (clean && !str_eq_nocase(it.key, STR("User-Agent")))
            buf_addf(&out, "%.*s: %.*s\r\n", STR_ARG(it.key), STR_ARG(v));
    }
    return out.len ? arena_str(a, buf_str(&out)) : NULL;
}

/* --- credentials ------------------------------------------------------------------------------ */

/* The key that a registry's credentials have in `auths`. */
static const char *registry_of(const char *image, struct arena *a) {
    struct str host, rest;
    bool has_host = str_cut(str_of(image), '/', &host, &rest);
    bool is_host = has_host && (str_find(host, '.') >= 0 || str_find(host, ':') >= 0 ||
                                str_eqz(host, "localhost"));
    if (!is_host || str_eqz(host, "docker.io") || str_eqz(host, "index.docker.io"))
        return HUB;
    return arena_str(a, host);
}

const char *config_registry(const char *server, struct arena *a) {
    if (!server || !*server || !strcmp(server, "docker.io") || !strcmp(server, "index.docker.io"))
        return HUB;
    struct str s = str_of(server), head, tail;
    ssize_t scheme = str_find_str(s, STR("://"));
    if (!strcmp(server, HUB))
        return server;
    if (scheme >= 0)
        s = str_from(s, (size_t)scheme + 3);
    str_cut(s, '/', &head, &tail);
    return arena_str(a, head);
}

const char *config_store(const struct config *c, const char *registry) {
    struct str own = json_str(json_get(json_get(c->root, "credHelpers"), registry));
    return own.len ? own.p : json_str(json_get(c->root, "credsStore")).p;
}

static struct err from_helper(const char *store, const char *registry, struct arena *a,
                              struct api_auth *ret) {
    CLEAN_BUF struct buf out = {0};
    CLEAN_JSON struct json *root = NULL;
    bool found = false;
    TRY(helper_run(store, "get", str_of(registry), &out, &found));
    if (!found)
        return OK;
    TRYF(json_parse(buf_str(&out), &root), "corten: credential helper %s", store);
    struct str user = json_str(json_get(root, "Username")),
               secret = json_str(json_get(root, "Secret"));
    if (str_eqz(user, "<token>"))
        ret->identity_token = arena_str(a, secret);
    else {
        ret->username = arena_str(a, user);
        ret->password = arena_str(a, secret);
    }
    ret->server_address = arena_strz(a, registry);
    return OK;
}

static struct err from_file(const struct config *c, const char *registry, struct arena *a,
                            struct api_auth *ret) {
    struct json *entry = json_get(json_get(c->root, "auths"), registry);
    CLEAN_BUF struct buf pair = {0};
    struct str user, password;
    if (!entry)
        return OK;
    ret->identity_token = arena_str(a, json_str(json_get(entry, "identitytoken")));
    ret->server_address = arena_strz(a, registry);
    struct str auth = json_str(json_get(entry, "auth"));
    if (!auth.len)
        return OK;
    TRYF(base64_decode(auth, &pair), "corten: credentials of %s in config.json", registry);
    str_cut(buf_str(&pair), ':', &user, &password);
    ret->username = arena_str(a, user);
    ret->password = arena_str(a, password);
    return OK;
}

struct err config_auth_of(const struct config *c, const char *registry, struct arena *a,
                          struct api_auth *ret) {
    const char *store = config_store(c, registry);
    *ret = (struct api_auth){0};
    return store ? from_helper(store, registry, a, ret) : from_file(c, registry, a, ret);
}

static bool is_known(const struct api_auth *auth) {
    return (auth->username && *auth->username) || (auth->identity_token && *auth->identity_token);
}

struct err config_auth(const struct config *c, const char *image, struct arena *a,
                       const char **ret) {
    struct api_auth auth;
    CLEAN_BUF struct buf text = {0}, encoded = {0};
    const char *registry = registry_of(image, a);
    TRY(config_auth_of(c, registry, a, &auth));
    *ret = "";
    if (!is_known(&auth))
        return OK;
    fields_print(&api_auth_fields, &auth, &text);
    base64url_encode(buf_str(&text), &encoded);
    *ret = arena_str(a, buf_str(&encoded));
    return OK;
}

/* --- all that is known, for a build ------------------------------------------------------------
 */

static struct err add_auth(const struct config *c, const char *registry, struct arena *a,
                           struct json_out *out) {
    struct api_auth auth;
    CLEAN_BUF struct buf text = {0};
    TRY(config_auth_of(c, registry, a, &auth));
    if (!is_known(&auth))
        return OK;
    fields_print(&api_auth_fields, &auth, &text);
    jo_key(out, registry);
    jo_raw(out, buf_str(&text));
    return OK;
}

/* One that cannot be had is told and left out: the build may do without it. */
static void add_all(const struct config *c, const struct json *names, bool own, struct arena *a,
                    struct json_out *out) {
    const struct json *helpers = json_get(c->root, "credHelpers");
    struct json_iter it = {0};
    while (json_type(names) == JSON_OBJECT && json_each(names, &it)) {
        const char *registry = arena_str(a, it.key);
        if (!own && json_str(json_get(helpers, registry)).len)
            continue; /* a helper of its own comes before the store of all */
        CLEAN_ERR struct err e = add_auth(c, registry, a, out);
        if (err_failed(e))
            fprintf(stderr, "WARNING: %s: %s\n", registry, err_msg(e));
    }
}

static struct err stored_names(const char *store, struct json **ret) {
    CLEAN_BUF struct buf out = {0};
    bool found = false;
    TRY(helper_run(store, "list", STR(""), &out, &found));
    return found ? err_wrap(json_parse(str_trim(buf_str(&out)), ret),
                            "corten: credential helper %s", store)
                 : OK;
}

char *config_auths(const struct config *c, struct arena *a) {
    CLEAN_BUF struct buf text = {0};
    CLEAN_JSON struct json *stored = NULL;
    struct json_out out = {.out = &text};
    const char *store = config_text(c, "credsStore", a);
    jo_obj(&out);
    if (store) {
        CLEAN_ERR struct err e = stored_names(store, &stored);
        if (err_failed(e))
            fprintf(stderr, "WARNING: %s\n", err_msg(e));
    }
    add_all(c, store ? stored : json_get(c->root, "auths"), false, a, &out);
    add_all(c, json_get(c->root, "credHelpers"), true, a, &out);
    jo_obj_end(&out);
    return arena_str(a, buf_str(&text));
}
