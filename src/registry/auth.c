/* auth.c - credentials: X-Registry-Auth, Basic, and Bearer tokens from the server that the registry
 * names (token authentication specification of the distribution project). */
#include "base/base64.h"
#include "base/mem.h"
#include "registry/challenge.h"
#include "registry/client.h"
#include "registry/registry.h"
#include "spec/distribution.h"
#include <ctype.h>
#include <stdlib.h>

#define AUTH_HEADER_MAX 65536
#define CREDENTIAL_MAX 16384
#define CLIENT_ID "corten"

void registry_credentials_done(struct registry_credentials *c) {
    free(c->username);
    free(c->password);
    free(c->identity);
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
    if (user.len == 0 && both.len) {
        TRYF(base64_decode(both, &pair), "X-Registry-Auth: auth");
        str_cut(buf_str(&pair), ':', &user, &word);
    }
    if (user.len > CREDENTIAL_MAX || word.len > CREDENTIAL_MAX || str_has_nul(user) ||
        str_has_nul(word))
        return err_new(ERR_INVALID, "X-Registry-Auth: bad user name or password");
    if (identity.len > CREDENTIAL_MAX || str_has_nul(identity))
        return err_new(ERR_INVALID, "X-Registry-Auth: bad identity token");
    ret->username = user.len ? str_dup(user) : NULL;
    ret->password = user.len ? str_dup(word) : NULL;
    ret->identity = identity.len ? str_dup(identity) : NULL;
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

static void add_encoded(struct buf *out, const char *value) {
    static const char digits[] = "0123456789ABCDEF";
    for (; *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (isalnum(c) || strchr("-_.~", c)) {
            buf_addc(out, (char)c);
        } else {
            buf_addc(out, '%');
            buf_addc(out, digits[c >> 4]);
            buf_addc(out, digits[c & 15]);
        }
    }
}

static void add_parameter(struct buf *url, const char *key, const char *value) {
    buf_addc(url, strchr(buf_cstr(url), '?') ? '&' : '?');
    buf_addf(url, "%s=", key);
    add_encoded(url, value);
}

static void add_field(struct buf *form, const char *key, const char *value) {
    buf_addf(form, "%s%s=", form->len ? "&" : "", key);
    add_encoded(form, value);
}

/* The scopes are ours to say, not the registry's: it gets what this job needs and no more. */
static void scopes_of(const struct registry *r, struct buf scopes[2]) {
    if (r->actions[0])
        buf_addf(&scopes[0], "repository:%s:%s", r->path, r->actions);
    if (r->from_path)
        buf_addf(&scopes[1], "repository:%s:pull", r->from_path);
}

static void token_url(const struct registry *r, const struct challenge *c, struct buf *url) {
    struct buf scopes[2] = {{0}, {0}};
    buf_adds(url, c->realm);
    if (c->service[0])
        add_parameter(url, "service", c->service);
    scopes_of(r, scopes);
    for (size_t i = 0; i < ARRAY_LEN(scopes); i++) {
        if (scopes[i].len > 0)
            add_parameter(url, "scope", buf_cstr(&scopes[i]));
        buf_done(&scopes[i]);
    }
    if (r->credentials.username)
        add_parameter(url, "account", r->credentials.username);
    if (r->want_identity) {
        add_parameter(url, "client_id", CLIENT_ID);
        add_parameter(url, "offline_token", "true");
    }
}

/* OAuth2 (RFC 6749, 6): the identity token is a refresh token. */
static void token_form(const struct registry *r, const struct challenge *c, struct buf *form) {
    struct buf scopes[2] = {{0}, {0}};
    add_field(form, "grant_type", "refresh_token");
    add_field(form, "service", c->service);
    add_field(form, "client_id", CLIENT_ID);
    add_field(form, "refresh_token", r->credentials.identity);
    scopes_of(r, scopes);
    CLEAN_BUF struct buf both = {0};
    buf_addf(&both, "%s%s%s", buf_cstr(&scopes[0]), scopes[0].len && scopes[1].len ? " " : "",
             buf_cstr(&scopes[1]));
    if (both.len > 0)
        add_field(form, "scope", buf_cstr(&both));
    buf_done(&scopes[0]);
    buf_done(&scopes[1]);
}

/* For this one request the authorization is the password. */
static struct err ask_token_server(struct registry *r, const struct challenge *c,
                                   struct registry_answer *answer) {
    CLEAN_BUF struct buf url = {0}, form = {0}, basic = {0};
    free(TAKE(r->authorization));
    struct registry_call call = {.method = "GET", .body_fd = -1, .max = REGISTRY_TOKEN_MAX};
    if (r->credentials.identity) {
        buf_adds(&url, c->realm);
        token_form(r, c, &form);
        call.method = "POST";
        call.text = buf_str(&form);
        call.content_type = "application/x-www-form-urlencoded";
    } else {
        token_url(r, c, &url);
        if (r->credentials.username) {
            basic_value(r, &basic);
            set_authorization(r, "Basic", buf_str(&basic));
        }
    }
    for (int attempt = 0;; attempt++) {
        struct err e = registry_transfer(r, &call, buf_cstr(&url), PEER_TOKEN_SERVER, answer);
        if (attempt + 1 >= REGISTRY_ATTEMPTS || !registry_again(e, answer)) {
            free(TAKE(r->authorization));
            return e;
        }
        err_ignore(e); /* the next attempt has its own */
        registry_pause(attempt, answer);
    }
}

static struct err fetch_token(struct registry *r, const struct challenge *c) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_ANSWER struct registry_answer answer = {0};
    struct dist_token token;
    if (!realm_allowed(str_of(c->realm), str_of(r->authority), r->insecure))
        return err_new(ERR_FORBIDDEN, "registry %s names a token server that may not be asked",
                       r->shown);
    TRY(ask_token_server(r, c, &answer));
    if (answer.status != 200) {
        struct err e = registry_error(r, &answer, "token server");
        return answer.status == 400 || answer.status == 403 || answer.status == 404
                   ? err_as(e, ERR_UNAUTHORIZED)
                   : e;
    }
    TRYF(fields_decode(&dist_token_fields, buf_str(&answer.body), &a, &token),
         "token of registry %s", r->shown);
    const char *text = token.token && token.token[0] ? token.token : token.access_token;
    if (!text || !text[0] || !token_is_text(text))
        return err_new(ERR_INVALID, "token server of registry %s gave no token", r->shown);
    set_authorization(r, "Bearer", str_of(text));
    if (r->want_identity && token.refresh_token && token_is_text(token.refresh_token)) {
        free(r->granted);
        r->granted = mem_strdup(token.refresh_token);
    }
    return OK;
}

struct err registry_authenticate(struct registry *r, struct str www) {
    CLEAN_ARENA struct arena a = {0};
    struct challenge c;
    TRY(challenge_parse(www, &a, &c));
    CLEAN_FREE char *before = TAKE(r->challenge);
    r->challenge = str_dup(www);
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
