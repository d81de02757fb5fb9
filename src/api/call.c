#include "api/call.h"
#include "api/metrics.h"
#include "base/log.h"
#include "base/time.h"
#include <stdlib.h>
#include <string.h>

static void call_free(struct api_call *c) {
    if (c->route)
        metrics_call(c->api->metrics, c->route, time_monotonic() - c->begun);
    arena_done(&c->arena);
    free(c);
}

static void call_gone(void *arg) {
    struct api_call *c = arg;
    struct http_exchange *x = TAKE(c->x);
    c->r = NULL;
    http_abort(x);
}

/* --- dispatch ----------------------------------------------------------------------------------
 */

/* Matches path against pattern; path parameters are borrowed from path. "{}" is one segment, "{*}"
 * is one or more segments (image names contain slashes), matched as long as the rest allows. */
static bool route_match(struct str pattern, struct str path, struct str *args, size_t n) {
    struct str parg, prest, seg, rest;
    while (pattern.len > 0) {
        pattern = str_from(pattern, 1); /* the '/' */
        if (path.len == 0 || path.p[0] != '/')
            return false;
        path = str_from(path, 1);
        ssize_t pslash = str_find(pattern, '/');
        parg = pslash < 0 ? pattern : str_sub(pattern, 0, (size_t)pslash);
        prest = pslash < 0 ? STR_NONE : str_from(pattern, (size_t)pslash);
        if (str_eqz(parg, "{*}")) {
            for (size_t end = path.len; end > 0; end--)
                if ((end == path.len || path.p[end] == '/') && n > 0) {
                    args[0] = str_sub(path, 0, end);
                    if (route_match(prest, str_from(path, end), args + 1, n - 1))
                        return true;
                }
            return false;
        }
        ssize_t slash = str_find(path, '/');
        seg = slash < 0 ? path : str_sub(path, 0, (size_t)slash);
        rest = slash < 0 ? STR_NONE : str_from(path, (size_t)slash);
        if (str_eqz(parg, "{}")) {
            if (seg.len == 0 || n == 0)
                return false;
            *args++ = seg;
            n--;
        } else if (!str_eq(parg, seg)) {
            return false;
        }
        pattern = prest;
        path = rest;
    }
    return path.len == 0;
}

/* Strips "/v1.N" and sets the minor version. */
static struct err read_version(struct str *path, int *ret_minor) {
    *ret_minor = API_MINOR_MAX;
    if (!str_starts(*path, STR("/v")) || path->len < 3 || path->p[2] < '0' || path->p[2] > '9')
        return OK;
    ssize_t slash = str_find(str_from(*path, 1), '/');
    struct str version = slash < 0 ? str_from(*path, 2) : str_sub(*path, 2, (size_t)slash + 1);
    struct str major, minor;
    uint64_t ma = 0, mi = 0;
    str_cut(version, '.', &major, &minor);
    CLEAN_ERR struct err bad = str_to_u64(major, 1000, &ma);
    if (!err_failed(bad))
        bad = str_to_u64(minor, 1000, &mi);
    if (err_failed(bad))
        return err_new(ERR_INVALID, "malformed API version '%.*s' in the path", STR_ARG(version));
    if (ma > 1 || mi > API_MINOR_MAX)
        return err_new(ERR_INVALID,
                       "client version %.*s is too new. Maximum supported API version is 1.%d",
                       STR_ARG(version), API_MINOR_MAX);
    if (ma < 1 || mi < API_MINOR_MIN)
        return err_new(ERR_INVALID,
                       "client version %.*s is too old. Minimum supported API version is 1.%d, "
                       "please upgrade your client to a newer version",
                       STR_ARG(version), API_MINOR_MIN);
    *ret_minor = (int)mi;
    *path = slash < 0 ? STR("/") : str_from(*path, (size_t)slash + 1);
    return OK;
}

void api_handle(void *arg, struct http_exchange *x, const struct http_request *r) {
    const struct api_listener *listener = arg;
    struct api_call *c = NEW(struct api_call);
    c->api = listener->api;
    c->policy = listener->policy;
    c->x = x;
    c->r = r;
    http_on_gone(x, call_gone, c);
    struct str path = r->path, args[ARRAY_LEN(c->arg)] = {0};
    struct err e = read_version(&path, &c->minor);
    if (!err_failed(e))
        e = api_policy_check(listener->policy, r->method, path);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    for (size_t i = 0; i < api_routes_n; i++) {
        memset(args, 0, sizeof args);
        if (!str_eqz(r->method, api_routes[i].method) ||
            !route_match(str_of(api_routes[i].pattern), path, args, ARRAY_LEN(args)))
            continue;
        for (size_t k = 0; k < ARRAY_LEN(args); k++)
            c->arg[k] = args[k].len ? arena_str(&c->arena, args[k]) : NULL;
        c->route = &api_routes[i];
        c->begun = time_monotonic();
        e = api_policy_subject(c);
        if (err_failed(e))
            api_reply_err(c, e);
        else
            api_routes[i].fn(c);
        return;
    }
    api_reply_err(c, err_new(ERR_NOT_FOUND, "page not found"));
}

void api_attach(const struct api_listener *listener UNUSED, struct http_server *server) {
    http_server_set_common_headers(server, api_common_headers);
}

/* --- bodies ------------------------------------------------------------------------------------
 */

struct body_state {
    struct api_call *c;
    void (*fn)(struct api_call *c, struct str body);
    const struct fields *table;
    void (*doc_fn)(struct api_call *c, void *doc);
};

static void body_done(void *arg, struct http_exchange *x UNUSED, struct str body) {
    struct body_state *s = arg;
    s->fn(s->c, body);
}

void api_read_body(struct api_call *c, void (*fn)(struct api_call *c, struct str body)) {
    struct body_state *s = arena_alloc(&c->arena, sizeof *s);
    *s = (struct body_state){.c = c, .fn = fn};
    http_read_body(c->x, API_BODY_MAX, body_done, s);
}

/* A document that takes long to read (40,000 published ports: 20 ms) is read on the pool. */
#define POOL_BODY_MIN (64u << 10)

struct big_body {
    struct body_state *state;
    struct buf text;
    void *doc; /* in the call's arena, which nobody touches meanwhile */
};

static struct err big_body_decode(void *arg) {
    struct big_body *b = arg;
    return fields_decode(b->state->table, buf_str(&b->text), &b->state->c->arena, b->doc);
}

static void big_body_decoded(void *arg, struct err e) {
    struct big_body *b = arg;
    struct body_state *s = b->state;
    void *doc = b->doc;
    buf_done(&b->text);
    free(b);
    if (err_failed(e))
        api_reply_err(s->c, err_wrap(e, "invalid JSON"));
    else if (!s->c->x) /* who asked is gone: nothing has begun */
        api_reply_status(s->c, 200);
    else
        s->doc_fn(s->c, doc);
}

static void big_body_read(struct body_state *s, struct str body, void *doc) {
    struct big_body *b = NEW(struct big_body);
    b->state = s;
    b->doc = doc;
    buf_add(&b->text, body.p, body.len);
    job_submit(s->c->api->loop, big_body_decode, big_body_decoded, b);
}

static void json_done(void *arg, struct http_exchange *x UNUSED, struct str body) {
    struct body_state *s = arg;
    void *doc = arena_alloc(&s->c->arena, s->table->size);
    if (str_trim(body).len > 0) {
        struct str type = http_header_get(s->c->r, "Content-Type"), main_type, params;
        str_cut(type, ';', &main_type, &params);
        if (!str_eq_nocase(str_trim(main_type), STR("application/json"))) {
            api_reply_err(s->c, err_new(ERR_INVALID,
                                        "unsupported Content-Type header (%.*s): must "
                                        "be 'application/json'",
                                        STR_ARG(type)));
            return;
        }
        if (body.len >= POOL_BODY_MIN) {
            big_body_read(s, body, doc);
            return;
        }
        struct err e = fields_decode(s->table, body, &s->c->arena, doc);
        if (err_failed(e)) {
            api_reply_err(s->c, err_wrap(e, "invalid JSON"));
            return;
        }
    }
    s->doc_fn(s->c, doc);
}

void api_read_json(struct api_call *c, const struct fields *table,
                   void (*fn)(struct api_call *c, void *doc)) {
    struct body_state *s = arena_alloc(&c->arena, sizeof *s);
    *s = (struct body_state){.c = c, .table = table, .doc_fn = fn};
    http_read_body(c->x, API_BODY_MAX, json_done, s);
}

/* --- parameters --------------------------------------------------------------------------------
 */

const char *api_query(struct api_call *c, const char *name) {
    return c->r ? arena_strz(&c->arena, http_query(c->r, name)) : NULL;
}

bool api_query_bool(struct api_call *c, const char *name, bool otherwise) {
    return c->r ? http_query_bool(c->r, name, otherwise) : otherwise;
}

struct err api_query_i64(struct api_call *c, const char *name, int64_t min, int64_t max,
                         int64_t *ret) {
    const char *v = c->r ? http_query(c->r, name) : NULL;
    if (!v || !*v)
        return OK;
    return err_wrap(str_to_i64(str_of(v), min, max, ret), "query parameter '%s'", name);
}

static struct err read_filter_values(struct api_call *c, const struct json *j, const char *name,
                                     struct strs *ret) {
    if (json_type(j) == JSON_ARRAY) {
        for (size_t i = 0; i < json_len(j); i++) {
            const struct json *v = json_at(j, i);
            if (json_type(v) != JSON_STRING || str_has_nul(json_str(v)))
                return err_new(ERR_INVALID, "invalid filter '%s': values must be strings", name);
            strs_add(ret, &c->arena, arena_str(&c->arena, json_str(v)));
        }
        return OK;
    }
    if (json_type(j) == JSON_OBJECT) {
        struct json_iter it = {0};
        while (json_each(j, &it))
            if (json_bool(it.value, false) && !str_has_nul(it.key))
                strs_add(ret, &c->arena, arena_str(&c->arena, it.key));
        return OK;
    }
    return err_new(ERR_INVALID, "invalid filter '%s': expected a list of values", name);
}

struct err api_read_filters(struct api_call *c, const char *const *allowed,
                            struct api_filters *ret) {
    *ret = (struct api_filters){0};
    const char *text = api_query(c, "filters");
    if (!text || !*text)
        return OK;
    CLEAN_JSON struct json *root = NULL;
    TRYF(json_parse(str_of(text), &root), "invalid filters");
    if (json_type(root) != JSON_OBJECT)
        return err_new(ERR_INVALID, "invalid filters: expected an object");
    ret->items = arena_array(&c->arena, json_len(root) + 1, sizeof *ret->items);
    struct json_iter it = {0};
    while (json_each(root, &it)) {
        bool known = false;
        for (size_t i = 0; allowed[i]; i++)
            known |= str_eqz(it.key, allowed[i]);
        if (!known)
            return err_new(ERR_INVALID, "invalid filter '%.*s'", STR_ARG(it.key));
        struct api_filter *f = &ret->items[ret->n++];
        f->name = arena_str(&c->arena, it.key);
        TRY(read_filter_values(c, it.value, f->name, &f->values));
    }
    return OK;
}

const struct strs *api_filter(const struct api_filters *f, const char *name) {
    for (size_t i = 0; i < f->n; i++)
        if (!strcmp(f->items[i].name, name) && f->items[i].values.n > 0)
            return &f->items[i].values;
    return NULL;
}

bool api_filter_labels(const struct strs *wanted, const struct strmap *labels) {
    for (size_t i = 0; wanted && i < wanted->n; i++) {
        struct str key, value;
        bool has_value = str_cut(str_of(wanted->items[i]), '=', &key, &value);
        bool found = false;
        for (size_t k = 0; k < labels->n && !found; k++)
            found = str_eqz(key, labels->items[k].key) &&
                    (!has_value || str_eqz(value, labels->items[k].value));
        if (!found)
            return false;
    }
    return true;
}

/* --- answers -----------------------------------------------------------------------------------
 */

void api_reply_text(struct api_call *c, int status, const char *content_type, struct str body) {
    if (c->x)
        http_reply(c->x, status, content_type, body);
    call_free(c);
}

void api_reply_status(struct api_call *c, int status) {
    api_reply_text(c, status, NULL, STR_NONE);
}

void api_reply_json(struct api_call *c, int status, struct str json) {
    api_reply_text(c, status, "application/json", json);
}

void api_reply_doc(struct api_call *c, int status, const struct fields *table, const void *doc) {
    CLEAN_BUF struct buf out = {0};
    fields_encode(table, doc, c->minor, &(struct json_out){.out = &out});
    buf_addc(&out, '\n');
    api_reply_json(c, status, buf_str(&out));
}

void api_reply_err(struct api_call *c, struct err e) {
    int status = http_error_status(err_kind(e));
    if (status == 304 || !err_failed(e)) {
        err_free(e);
        api_reply_status(c, status);
        return;
    }
    CLEAN_BUF struct buf out = {0};
    http_error_body(&out, err_msg(e));
    if (status >= 500 && c->x)
        log_warn("%.*s %.*s: %s", STR_ARG(c->r->method), STR_ARG(c->r->path), err_msg(e));
    err_free(e);
    api_reply_json(c, status, buf_str(&out));
}

struct http_exchange *api_take_exchange(struct api_call *c) {
    struct http_exchange *x = TAKE(c->x);
    if (x)
        http_on_gone(x, NULL, NULL);
    call_free(c);
    return x;
}

bool api_take_socket(struct api_call *c, struct http_taken *ret) {
    struct http_exchange *x = api_take_exchange(c);
    if (x)
        http_take(x, ret);
    return x != NULL;
}
