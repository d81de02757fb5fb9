/* client/connection.c - the connection, versions, requests and error bodies. */
#include "base/mem.h"
#include "client/client.h"
#include "client/dial.h"
#include "http/http.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

struct client {
    struct http_client *http;
    char *host, *headers;
    int minor;
    bool trace;
    struct http_answer answer; /* the last */
};

static struct err dial(const char *host, struct client **ret) {
    struct http_client *http;
    TRY(dial_is_foreign(host) ? http_dial_by(host, dial_foreign, &http) : http_dial(host, &http));
    struct client *c = NEW(struct client);
    c->http = http;
    c->host = mem_strdup(host);
    *ret = c;
    return OK;
}

void client_close(struct client *c) {
    if (!c)
        return;
    http_client_free(c->http);
    free(c->host);
    free(c->headers);
    http_answer_done(&c->answer);
    free(c);
}

void client_clean(struct client **c) {
    client_close(*c);
}

void client_set_headers(struct client *c, const char *lines) {
    free(c->headers);
    c->headers = mem_strdup_opt(lines);
}

void client_set_trace(struct client *c, bool on) {
    c->trace = on;
}

void client_on_wait(struct client *c, http_waiter *fn, void *arg) {
    http_client_on_wait(c->http, fn, arg);
}

int client_minor(const struct client *c) {
    return c->minor;
}

int client_fd(const struct client *c) {
    return http_client_fd(c->http);
}

void client_path(struct buf *b, const char *before, const char *name, const char *after) {
    buf_adds(b, before);
    http_escape(b, str_of(name));
    buf_adds(b, after);
}

void client_query(struct buf *b, const char *key, const char *value) {
    if (!value)
        return;
    buf_addc(b, str_find(buf_str(b), '?') < 0 ? '?' : '&');
    buf_adds(b, key);
    buf_addc(b, '=');
    http_escape(b, str_of(value));
}

void client_query_bool(struct buf *b, const char *key, bool on) {
    if (on)
        client_query(b, key, "1");
}

void client_query_i64(struct buf *b, const char *key, int64_t v) {
    CLEAN_BUF struct buf text = {0};
    buf_add_i64(&text, v);
    client_query(b, key, buf_cstr(&text));
}

static enum err_kind kind_of_status(int status) {
    switch (status) {
    case 304:
        return ERR_NOT_MODIFIED;
    case 400:
    case 405:
    case 411:
    case 413:
    case 414:
    case 431:
        return ERR_INVALID;
    case 401:
        return ERR_UNAUTHORIZED;
    case 403:
        return ERR_FORBIDDEN;
    case 404:
        return ERR_NOT_FOUND;
    case 409:
        return ERR_CONFLICT;
    case 501:
        return ERR_UNSUPPORTED;
    case 503:
        return ERR_UNAVAILABLE;
    case 504:
        return ERR_TIMEOUT;
    default:
        return ERR_SYSTEM;
    }
}

/* The words of an error answer: {"message"}, else the text itself, else the status. */
static struct err error_of(struct client *c, int status) {
    CLEAN_BUF struct buf body = {0};
    TRY(http_call_read_all(c->http, CLIENT_LINE_MAX, &body));
    enum err_kind kind = kind_of_status(status);
    CLEAN_ARENA struct arena a = {0};
    struct api_error e = {0};
    struct err bad = fields_decode(&api_error_fields, buf_str(&body), &a, &e);
    bool plain = err_failed(bad);
    err_free(bad); /* not our error body: the text is shown as it is */
    if (!plain && e.message && *e.message)
        return err_new(kind, "%s", e.message);
    struct str text = str_trim(buf_str(&body));
    if (text.len && str_is_utf8(text))
        return err_new(kind, "%.*s", STR_ARG(text));
    return err_new(kind, "the daemon answered %d %s", status, http_status_text(status));
}

struct err client_begin(struct client *c, const struct client_call *call) {
    CLEAN_BUF struct buf target = {0};
    CLEAN_BUF struct buf json = {0};
    CLEAN_BUF struct buf headers = {0};
    if (c->minor)
        buf_addf(&target, "/v1.%d", c->minor);
    buf_adds(&target, call->target);
    buf_adds(&headers, c->headers ? c->headers : "");
    buf_adds(&headers, call->headers ? call->headers : "");
    if (c->trace)
        fprintf(stderr, "%s %s\n", call->method, buf_cstr(&target));
    struct http_call h = {.method = call->method,
                          .target = buf_cstr(&target),
                          .content_type = call->content_type,
                          .body = call->body,
                          .body_read = call->body_read,
                          .body_arg = call->body_arg,
                          .headers = headers.len ? buf_cstr(&headers) : NULL,
                          .upgrade = call->upgrade};
    if (call->in_fields) {
        struct json_out o = {.out = &json};
        fields_encode(call->in_fields, call->in, c->minor, &o);
        h.body = buf_str(&json);
        h.content_type = "application/json";
    }
    http_answer_done(&c->answer);
    TRY(http_call(c->http, &h, &c->answer));
    int status = c->answer.status;
    if (status == 304 || status >= 400 || status < 100)
        return error_of(c, status);
    return OK;
}

struct str client_header(const struct client *c, const char *name) {
    return http_answer_header(&c->answer, name);
}

ssize_t client_read(struct client *c, void *p, size_t n) {
    return http_call_read(c->http, p, n);
}

bool client_buffered(const struct client *c) {
    return http_call_buffered(c->http);
}

static struct err drain(struct client *c) {
    char p[4096];
    ssize_t n;
    while ((n = http_call_read(c->http, p, sizeof(p))) > 0)
        ;
    return n < 0 ? err_errno((int)n, "read the daemon's answer") : OK;
}

struct err client_do(struct client *c, const struct client_call *call) {
    TRY(client_begin(c, call));
    if (!call->out_fields)
        return drain(c);
    CLEAN_BUF struct buf body = {0};
    TRY(http_call_read_all(c->http, CLIENT_BODY_MAX, &body));
    return err_wrap(fields_decode(call->out_fields, buf_str(&body), call->arena, call->out),
                    "the daemon's answer to %s %s", call->method, call->target);
}

/* Hands every whole line in b to fn; what is left is the begin of the next one. */
static struct err lines_in(struct buf *b, struct err (*fn)(void *, struct str), void *arg) {
    for (ssize_t nl; (nl = str_find(buf_str(b), '\n')) >= 0;) {
        struct str line = str_trim(str_sub(buf_str(b), 0, (size_t)nl));
        if (line.len)
            TRY(fn(arg, line));
        buf_drop(b, (size_t)nl + 1);
    }
    return OK;
}

struct err client_lines(struct client *c, struct err (*fn)(void *arg, struct str line), void *arg) {
    CLEAN_BUF struct buf b = {0};
    for (;;) {
        ssize_t n = http_call_read(c->http, buf_room(&b, 65536), 65536);
        if (n < 0)
            return err_errno((int)n, "read the daemon's answer");
        if (n == 0)
            break;
        buf_added(&b, (size_t)n);
        TRY(lines_in(&b, fn, arg));
        if (b.len > CLIENT_LINE_MAX)
            return err_new(ERR_INVALID, "the daemon sent a line of more than %u bytes",
                           CLIENT_LINE_MAX);
    }
    struct str last = str_trim(buf_str(&b));
    return last.len ? fn(arg, last) : OK;
}

/* The highest version that both speak. "1.51" → 51. */
static struct err negotiate(struct client *c, struct str version) {
    struct str major, minor;
    uint64_t n;
    if (!str_cut(version, '.', &major, &minor) || !str_eqz(major, "1"))
        return err_new(ERR_INVALID, "the daemon speaks API version '%.*s'", STR_ARG(version));
    TRYF(str_to_u64(minor, 10000, &n), "the daemon's API version");
    if (n < CLIENT_MINOR_MIN)
        return err_new(ERR_UNSUPPORTED, "the daemon's API version 1.%d is too old (1.%d is needed)",
                       (int)n, CLIENT_MINOR_MIN);
    c->minor = (int)MIN(n, (uint64_t)CLIENT_MINOR);
    return OK;
}

static struct err ping(struct client *c) {
    struct http_call h = {.method = "GET", .target = "/_ping"};
    struct http_answer answer;
    TRY(http_call(c->http, &h, &answer));
    struct str version = http_answer_header(&answer, "Api-Version");
    struct err e = version.len ? negotiate(c, version)
                               : err_new(ERR_INVALID, "%s: no API version in the answer to a ping",
                                         c->host);
    int status = answer.status;
    http_answer_done(&answer);
    TRY(e);
    if (status >= 400)
        return error_of(c, status);
    return drain(c);
}

struct err client_open(const char *host, struct client **ret) {
    CLEAN_CLIENT struct client *c = NULL;
    TRY(dial(host, &c));
    TRY(ping(c));
    *ret = TAKE(c);
    return OK;
}

struct err client_open_version(const char *host, const char *version, struct client **ret) {
    CLEAN_CLIENT struct client *c = NULL;
    struct str major, minor;
    uint64_t n = 0;
    bool known = str_cut(str_of(version), '.', &major, &minor) && str_eqz(major, "1");
    struct err bad = known ? str_to_u64(minor, CLIENT_MINOR, &n) : OK;
    known &= !err_failed(bad) && n >= CLIENT_MINOR_MIN;
    err_free(bad);
    if (!known)
        return err_new(ERR_INVALID, "corten: API version '%s': want 1.%d to 1.%d", version,
                       CLIENT_MINOR_MIN, CLIENT_MINOR);
    TRY(dial(host, &c));
    c->minor = (int)n;
    *ret = TAKE(c);
    return OK;
}

struct err client_open_like(const struct client *c, struct client **ret) {
    TRY(dial(c->host, ret));
    (*ret)->minor = c->minor;
    client_set_headers(*ret, c->headers);
    (*ret)->trace = c->trace;
    return OK;
}

struct err client_hijack(struct client *c, bool tty, struct client_stream *ret) {
    *ret = (struct client_stream){.raw = tty, .fd = -1};
    ret->fd = http_client_hijack(c->http, &ret->in);
    if (ret->fd < 0)
        return err_new(ERR_SYSTEM, "the daemon did not upgrade the connection");
    return OK;
}
