/* connect.c - the first words with a registry: TLS or not, who we are. */
#include "base/base64.h"
#include "base/mem.h"
#include "registry/client.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HUB "docker.io"
#define HUB_SERVER "registry-1.docker.io"
#define HUB_SEARCH "index.docker.io"

char *registry_find_certs(const struct registry_settings *s, const char *authority) {
    for (const char **d = s->certs_dirs; *d; d++) {
        char *path = mem_printf("%s/%s", *d, authority);
        if (access(path, F_OK) == 0)
            return path;
        free(path);
    }
    return NULL;
}

void registry_free(struct registry *r) {
    if (!r)
        return;
    if (r->curl)
        curl_easy_cleanup(r->curl);
    free(r->authority);
    free(r->base);
    free(r->shown);
    free(r->path);
    free(r->from_path);
    free(r->certs_dir);
    free(r->authorization);
    free(r->challenge);
    free(r->granted);
    registry_credentials_done(&r->credentials);
    free(r);
}

void registry_clean(struct registry **r) {
    registry_free(*r);
    *r = NULL;
}

struct registry *registry_clone(const struct registry *r) {
    struct registry *c = mem_dup(r, sizeof(*r));
    c->curl = NULL;
    c->authority = mem_strdup(r->authority);
    c->base = mem_strdup(r->base);
    c->shown = mem_strdup(r->shown);
    c->path = mem_strdup(r->path);
    c->from_path = mem_strdup_opt(r->from_path);
    c->certs_dir = mem_strdup_opt(r->certs_dir);
    c->authorization = mem_strdup_opt(r->authorization);
    c->challenge = mem_strdup_opt(r->challenge);
    c->granted = mem_strdup_opt(r->granted);
    c->credentials = (struct registry_credentials){
        mem_strdup_opt(r->credentials.username), mem_strdup_opt(r->credentials.password),
        mem_strdup_opt(r->credentials.identity), mem_strdup_opt(r->credentials.bearer)};
    return c;
}

static struct err ping(struct registry *r, struct registry_answer *ret) {
    CLEAN_FREE
    char *url = mem_printf("%s://%s%s/v2/", r->scheme, r->authority, r->base);
    struct registry_call c = {.method = "GET", .body_fd = -1, .max = REGISTRY_ERROR_MAX};
    for (int attempt = 0;; attempt++) {
        struct err e = registry_transfer(r, &c, url, PEER_REGISTRY, ret);
        /* What does not connect is said at once; a server that is busy is asked again. */
        if (err_failed(e) || attempt + 1 >= 3 || !registry_again(e, ret))
            return e;
        err_ignore(e); /* it is none */
        registry_pause(attempt, ret);
    }
}

/* Plain HTTP only where TLS is not spoken: on loopback, when nobody laid a certificate out for it,
 * and to registries that the settings call insecure. */
static struct err choose_scheme(struct registry *r, struct registry_answer *ret) {
    r->scheme = "https";
    struct err e = ping(r, ret);
    bool plain = r->insecure || (!r->certs_dir && authority_is_loopback(str_of(r->authority)));
    if (!err_failed(e) || !ret->transport || !plain)
        return e;
    err_ignore(e); /* the second way says what is wrong */
    r->scheme = "http";
    return ping(r, ret);
}

/* A mirror's URL says how it is reached; plain HTTP still needs loopback or the settings' word. */
static struct err mirror_ping(struct registry *r, bool plain, struct registry_answer *ret) {
    if (plain && !r->insecure && !authority_is_loopback(str_of(r->authority)))
        return err_new(ERR_FORBIDDEN, "mirror %s: plain HTTP needs an entry in insecure-registries",
                       r->authority);
    r->scheme = plain ? "http" : "https";
    return ping(r, ret);
}

static void set_place(struct registry *r, const struct registry_open *o) {
    struct str scheme, authority;
    if (o->mirror && url_split(str_of(o->mirror), &scheme, &authority)) {
        r->authority = str_dup(authority);
        r->shown = str_dup(authority);
        r->base = mem_strdup(authority.p + authority.len);
        return;
    }
    r->shown = mem_strdup(o->ref->domain);
    const char *hub = o->service == REGISTRY_SEARCH ? HUB_SEARCH : HUB_SERVER;
    r->authority = mem_strdup(strcmp(o->ref->domain, HUB) == 0 ? hub : o->ref->domain);
    r->base = mem_strdup("");
}

struct registry *registry_at(const struct registry_settings *s, const char *url,
                             const char *basic) {
    struct registry *r = NEW(struct registry);
    struct str scheme, authority;
    url_split(str_of(url), &scheme, &authority); /* who calls has looked */
    r->settings = s;
    r->noun = "GET";
    r->scheme = str_eq_nocase(scheme, STR("https")) ? "https" : "http";
    r->authority = str_dup(authority);
    r->shown = mem_strdup(url);
    r->base = mem_strdup("");
    r->path = mem_strdup("");
    r->actions = "";
    r->certs_dir = registry_find_certs(s, r->authority);
    if (basic) {
        CLEAN_BUF struct buf value = {0};
        base64_encode(str_of(basic), &value);
        r->authorization = mem_printf("Authorization: Basic %s", buf_cstr(&value));
    }
    return r;
}

struct err registry_open(const struct registry_open *o, struct registry **ret) {
    CLEAN_REGISTRY struct registry *r = NEW(struct registry);
    CLEAN_ANSWER struct registry_answer answer = {0};
    r->settings = o->settings;
    r->noun = "registry";
    r->path = mem_strdup(o->ref->path);
    r->actions = o->actions;
    r->want_identity = o->want_identity;
    set_place(r, o);
    r->certs_dir = registry_find_certs(o->settings, r->authority);
    r->insecure = settings_insecure(o->settings, str_of(r->authority));
    if (o->mirror)
        TRY(mirror_ping(r, str_starts(str_of(o->mirror), STR("http://")), &answer));
    else
        TRY(registry_read_auth(o->auth, &r->credentials));
    if (!o->mirror)
        TRY(choose_scheme(r, &answer));
    if (o->service == REGISTRY_SEARCH) {
        *ret = TAKE(r);
        return OK;
    }
    if (answer.status == 401 && answer.www)
        TRY(registry_authenticate(r, str_of(answer.www)));
    else if (answer.status != 200 && answer.status != 401)
        return registry_error(r, &answer, "not a registry of version 2");
    *ret = TAKE(r);
    return OK;
}
