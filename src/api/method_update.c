/* POST /containers/{id}/lifecycle/update: an update as a transaction, told step by step. It goes on
 * when its client leaves. */
#include "api/handlers.h"
#include "base/mem.h"
#include "spec/api_method.h"
#include <stdlib.h>
#include <string.h>

#define PENDING_MAX (4u << 20) /* bytes that a client has not read */

/* A client that looks on. */
struct onlooker {
    const struct api *api;
    struct http_exchange *x; /* NULL: gone */
    char container[65];
    char tail[4]; /* the beginning of a character whose end has not come */
    size_t tail_n;
};

static void put(struct onlooker *o, const struct api_update_step *s) {
    CLEAN_BUF struct buf line = {0};
    if (!o->x)
        return;
    if (s->output && http_stream_pending(o->x) > PENDING_MAX)
        return; /* it does not read: nothing waits for it */
    fields_print(&api_update_step_fields, s, &line);
    buf_addc(&line, '\n');
    (void)http_stream_write(o->x, buf_str(&line)); /* bounded above */
}

static char *text_of(const char *z) {
    return (char *)(uintptr_t)z;
}

/* Bytes at the end that are the beginning of a character. */
static size_t unfinished(struct str s) {
    for (size_t n = 1; n <= 3 && n <= s.len; n++) {
        unsigned char c = (unsigned char)s.p[s.len - n];
        size_t whole = c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1;
        if (c >= 0xc0 || c < 0x80)
            return n < whole ? n : 0;
    }
    return 0;
}

static void output(void *arg, const char *name, struct str text) {
    struct onlooker *o = arg;
    CLEAN_BUF struct buf whole = {0};
    buf_add(&whole, o->tail, o->tail_n);
    buf_add_str(&whole, text);
    o->tail_n = unfinished(buf_str(&whole));
    memcpy(o->tail, whole.data + whole.len - o->tail_n, o->tail_n);
    buf_truncate(&whole, whole.len - o->tail_n);
    if (whole.len)
        put(o,
            &(struct api_update_step){.step = text_of(name), .output = text_of(buf_cstr(&whole))});
}

static void step(void *arg, const char *name, const struct method_result *r, const char *text) {
    ((struct onlooker *)arg)->tail_n = 0;
    put(arg, &(struct api_update_step){.step = text_of(name),
                                       .result = (struct method_result *)(uintptr_t)r,
                                       .text = text_of(text)});
}

static void done(void *arg, const char *outcome, const char *why, bool good) {
    struct onlooker *o = arg;
    put(o,
        &(struct api_update_step){.outcome = text_of(outcome), .why = text_of(why), .good = &good});
    if (o->x)
        http_stream_end(o->x);
    free(o);
}

static void gone(void *arg) {
    struct onlooker *o = arg;
    struct http_exchange *x = TAKE(o->x);
    http_abort(x); /* o is the transaction's until its end */
}

static const struct container_update_observer observer = {output, step, done};

static void plan(struct api_call *c, struct container *k,
                 const struct container_update_options *o) {
    CLEAN_BUF struct buf out = {0};
    struct strs steps = {0};
    bool good = true;
    struct err e = container_transaction_plan(k, o, &c->arena, &steps);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    for (size_t i = 0; i < steps.n; i++) {
        fields_print(&api_update_step_fields, &(struct api_update_step){.step = steps.items[i]},
                     &out);
        buf_addc(&out, '\n');
    }
    fields_print(&api_update_step_fields,
                 &(struct api_update_step){.outcome = text_of("dry run"), .good = &good}, &out);
    buf_addc(&out, '\n');
    api_reply_text(c, 200, "application/json", buf_str(&out));
}

static void update_body(struct api_call *c, void *body) {
    const struct api_method_update *doc = body;
    struct container *k = NULL;
    struct container_update_options o = {.trigger = "call", .volumes = doc->volumes};
    struct strs steps = {0};
    struct err e = container_find(c->api->containers, c->arg[0], &k);
    if (!err_failed(e) && doc->dry_run) {
        plan(c, k, &o);
        return;
    }
    if (!err_failed(e)) /* refused before there is a stream */
        e = container_transaction_plan(k, &o, &c->arena, &steps);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct onlooker *l = NEW(struct onlooker);
    CLEAN_ARENA struct arena a = c->arena; /* the volumes' names outlive the call */
    c->arena = (struct arena){0};
    l->api = c->api;
    l->x = api_take_exchange(c);
    if (l->x) {
        http_on_gone(l->x, gone, l);
        http_stream_begin(l->x, 200, "application/json");
    }
    e = container_transaction(k, &o, &observer, l);
    if (err_failed(e)) { /* checked above */
        done(l, "nothing done", err_msg(e), false);
        err_free(e);
    }
}

void api_method_update(struct api_call *c) {
    api_read_json(c, &api_method_update_fields, update_body);
}
