/* connect.c - the first words with a registry: TLS or not, who we are. */
#include "base/mem.h"
#include "registry/client.h"
#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define HUB "docker.io"
#define HUB_SERVER "registry-1.docker.io"

static char *find_certs(const char *const *dirs, const char *authority) {
    static const char *const defaults[] = {"/etc/corten/certs.d", "/etc/docker/certs.d", NULL};
    for (const char *const *d = dirs && dirs[0] ? dirs : defaults; *d; d++) {
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
    free(r->shown);
    free(r->path);
    free(r->from_path);
    free(r->certs_dir);
    free(r->authorization);
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
    c->shown = mem_strdup(r->shown);
    c->path = mem_strdup(r->path);
    c->from_path = mem_strdup_opt(r->from_path);
    c->certs_dir = mem_strdup_opt(r->certs_dir);
    c->authorization = mem_strdup_opt(r->authorization);
    c->credentials = (struct registry_credentials){mem_strdup_opt(r->credentials.username),
                                                   mem_strdup_opt(r->credentials.password),
                                                   mem_strdup_opt(r->credentials.bearer)};
    return c;
}

static struct err ping(struct registry *r, struct registry_answer *ret) {
    CLEAN_FREE
    char *url = mem_printf("%s://%s/v2/", r->scheme, r->authority);
    struct registry_call c = {.method = "GET", .body_fd = -1, .max = REGISTRY_ERROR_MAX};
    return registry_transfer(r, &c, url, PEER_REGISTRY, ret);
}

/* Plain HTTP only where TLS is not spoken, on loopback, and nobody laid a certificate out for it.
 */
static struct err choose_scheme(struct registry *r, struct registry_answer *ret) {
    r->scheme = "https";
    struct err e = ping(r, ret);
    if (!err_failed(e) || !ret->transport || r->certs_dir ||
        !authority_is_loopback(str_of(r->authority)))
        return e;
    err_ignore(e); /* the second way says what is wrong */
    r->scheme = "http";
    return ping(r, ret);
}

struct err registry_open(const struct registry_open *o, struct registry **ret) {
    CLEAN_REGISTRY struct registry *r = NEW(struct registry);
    CLEAN_ANSWER struct registry_answer answer = {0};
    bool hub = strcmp(o->ref->domain, HUB) == 0;
    r->shown = mem_strdup(o->ref->domain);
    r->authority = mem_strdup(hub ? HUB_SERVER : o->ref->domain);
    r->path = mem_strdup(o->ref->path);
    r->actions = o->actions;
    r->certs_dir = find_certs(o->certs_dirs, r->authority);
    TRY(registry_read_auth(o->auth, &r->credentials));
    TRY(choose_scheme(r, &answer));
    if (answer.status == 401 && answer.www)
        TRY(registry_authenticate(r, str_of(answer.www)));
    else if (answer.status != 200 && answer.status != 401)
        return registry_error(r, &answer, "not a registry of version 2");
    *ret = TAKE(r);
    return OK;
}
