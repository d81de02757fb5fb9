/* auth.c - credentials: X-Registry-Auth, Basic, and Bearer tokens from the server that the registry
 * names (token authentication specification of the distribution project). */
#include "base/base64.h"
#include "base/mem.h"
#include "registry/challenge.h"
#include "registry/client.h"
#include "spec/distribution.h"
#include <ctype.h>
#include <stdlib.h>

#define AUTH_HEADER_MAX 65536
#define CREDENTIAL_MAX 16384

void registry_credentials_done(struct registry_credentials *c) {
    free(c->username);
    free(c->password);
    free(c->bearer);
    *c = (struct registry_credentials){0};
}

/* The header is base64url of a JSON object: AuthConfig of the Engine API. */
struct err registry_read_auth(struct str header, struct registry_credentials *ret) {
    CLEAN_BUF struct buf text = {0};
    CLEAN_JSON struct json *j = NULL;
    if (header.len == 0)
        return OK;
    if (header.len > AUTH_HEADER_MAX)
        return err_new(ERR_INVALID, "X-Registry-Auth is larger than %d bytes", AUTH_HEADER_MAX);
    TRYF(base64_decode(header, &text), "X-Registry-Auth");
    if (text.len == 0)
        return OK;
    TRYF(json_parse(buf_str(&text), &j), "X-Registry-Auth");
    struct str user = json_str(json_get(j, "username")), word = json_str(json_get(j, "password"));
    struct str identity = json_str(json_get(j, "identitytoken"));
    struct str bearer = json_str(json_get(j, "registrytoken")),
               both = json_str(json_get(j, "auth"));
    CLEAN_BUF struct buf pair = {0};
    if (identity.len)
        return err_new(ERR_UNSUPPORTED, "X-Registry-Auth: identity tokens are not supported");
    if (user.len == 0 && both.len) {
        TRYF(base64_decode(both, &pair), "X-Registry-Auth: auth");
        str_cut(buf_str(&pair), ':', &user, &word);
    }
    if (user.len > CREDENTIAL_MAX || word.len > CREDENTIAL_MAX || str_has_nul(user) ||
        str_has_nul(word))
        return err_new(ERR_INVALID, "X-Registry-Auth: bad user name or password");
    ret->username = user.len ? str_dup(user) : NULL;
    ret->password = user.len ? str_dup(word) : NULL;
    ret->bearer = bearer.len ? str_dup(bearer) : NULL;
    return OK;
}

static void set_authorization(struct registry *r, const char *scheme, struct str value) {
    free(r->authorization);
    r->authorization = mem_printf("Authorization: %s %.*s", scheme, STR_ARG(value));
}

static void basic_value(const struct registry *r, struct buf *out) {
    CLEAN_BUF struct buf pair = {0};
    buf_addf(&pair, "%s:%s", r->credentials.username, r->credentials.password);
    base64_encode(buf_str(&pair), out);
}

/* A token becomes part of a header line. */
static bool token_is_text(const char *t) {
    for (; *t; t++)
        if ((unsigned char)*t <= ' ' || (unsigned char)*t >= 0x7f)
            return false;
    return true;
}

static void add_parameter(struct buf *url, const char *key, const char *value) {
    static const char digits[] = "0123456789ABCDEF";
    buf_addc(url, strchr(url->data, '?') ? '&' : '?');
    buf_addf(url, "%s=", key);
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (isalnum(c) || strchr("-_.~", c)) {
            buf_addc(url, (char)c);
        } else {
            buf_addc(url, '%');
            buf_addc(url, digits[c >> 4]);
            buf_addc(url, digits[c & 15]);
        }
    }
}

static void token_url(const struct registry *r, const struct challenge *c, struct buf *url) {
    CLEAN_BUF struct buf scope = {0};
    buf_adds(url, c->realm);
    if (c->service[0])
        add_parameter(url, "service", c->service);
    /* The scope is ours to say, not the registry's: it gets what this job needs and no more. */
    buf_addf(&scope, "repository:%s:%s", r->path, r->actions);
    add_parameter(url, "scope", buf_cstr(&scope));
    if (r->from_path) {
        buf_clear(&scope);
        buf_addf(&scope, "repository:%s:pull", r->from_path);
        add_parameter(url, "scope", buf_cstr(&scope));
    }
    if (r->credentials.username)
        add_parameter(url, "account", r->credentials.username);
}

static struct err fetch_token(struct registry *r, const struct challenge *c) {
    CLEAN_BUF struct buf url = {0};
    CLEAN_ARENA struct arena a = {0};
    CLEAN_ANSWER struct registry_answer answer = {0};
    struct dist_token token;
    if (!realm_allowed(str_of(c->realm), str_of(r->authority)))
        return err_new(ERR_FORBIDDEN, "registry %s names a token server that may not be asked",
                       r->shown);
    token_url(r, c, &url);
    CLEAN_FREE
    char *saved = TAKE(r->authorization);
    /* For this one request the authorization is the password. */
    CLEAN_BUF struct buf basic = {0};
    if (r->credentials.username) {
        basic_value(r, &basic);
        set_authorization(r, "Basic", buf_str(&basic));
    }
    struct registry_call call = {.method = "GET", .body_fd = -1, .max = REGISTRY_TOKEN_MAX};
    struct err e = registry_transfer(r, &call, buf_cstr(&url), PEER_TOKEN_SERVER, &answer);
    free(TAKE(r->authorization));
    TRY(e);
    if (answer.status != 200)
        return err_as(registry_error(r, &answer, "token server"), ERR_UNAUTHORIZED);
    TRYF(fields_decode(&dist_token_fields, buf_str(&answer.body), &a, &token),
         "token of registry %s", r->shown);
    const char *text = token.token && token.token[0] ? token.token : token.access_token;
    if (!text || !text[0] || !token_is_text(text))
        return err_new(ERR_INVALID, "token server of registry %s gave no token", r->shown);
    set_authorization(r, "Bearer", str_of(text));
    return OK;
}

struct err registry_authenticate(struct registry *r, struct str www) {
    CLEAN_ARENA struct arena a = {0};
    struct challenge c;
    TRY(challenge_parse(www, &a, &c));
    if (c.scheme == CHALLENGE_BEARER) {
        if (!r->credentials.bearer)
            return fetch_token(r, &c);
        set_authorization(r, "Bearer", str_of(r->credentials.bearer));
        return OK;
    }
    if (!r->credentials.username)
        return err_new(ERR_UNAUTHORIZED, "registry %s: no basic auth credentials", r->shown);
    CLEAN_BUF struct buf basic = {0};
    basic_value(r, &basic);
    set_authorization(r, "Basic", buf_str(&basic));
    return OK;
}
