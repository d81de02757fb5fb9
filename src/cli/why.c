/* why.c - what every subject of `corten why` shares. */
#include "cli/why.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static char *words(const char *fmt, va_list ap) {
    char *text = NULL;
    if (vasprintf(&text, fmt, ap) < 0)
        abort();
    return text;
}

bool why_known(const struct why *w) {
    return w->cause.len > 0;
}

void why_cause(struct why *w, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    CLEAN_FREE char *text = words(fmt, ap);
    va_end(ap);
    if (!why_known(w))
        buf_adds(&w->cause, text);
}

void why_fact(struct why *w, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    CLEAN_FREE char *text = words(fmt, ap);
    va_end(ap);
    strv_add(&w->facts, text);
}

void why_next(struct why *w, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    CLEAN_FREE char *text = words(fmt, ap);
    va_end(ap);
    strv_add(&w->next, text);
}

static void json_list(struct json_out *jo, const char *key, const struct strv *v) {
    jo_key(jo, key);
    jo_arr(jo);
    for (size_t i = 0; i < v->n; i++)
        jo_strz(jo, v->items[i]);
    jo_arr_end(jo);
}

static void print_json(struct why *w) {
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    jo_obj(&jo);
    jo_kstr(&jo, "subject", w->subject);
    jo_kstr(&jo, "of", w->of);
    jo_kstr(&jo, "cause", buf_cstr(&w->cause));
    json_list(&jo, "facts", &w->facts);
    json_list(&jo, "next", &w->next);
    jo_obj_end(&jo);
    printf("%s\n", buf_cstr(&text));
}

int why_end(struct why *w, struct err e) {
    bool colour = cli_colour(1);
    if (!err_failed(e) && w->in->json) {
        print_json(w);
    } else if (!err_failed(e)) {
        printf("%s%s%s\n", colour ? "\033[1m" : "", buf_cstr(&w->cause), colour ? "\033[0m" : "");
        for (size_t i = 0; i < w->facts.n; i++)
            printf("  %s\n", w->facts.items[i]);
        for (size_t i = 0; i < w->next.n; i++)
            printf("%s  %s\n", i ? "" : "What helps:\n", w->next.items[i]);
    }
    buf_done(&w->cause);
    strv_done(&w->facts);
    strv_done(&w->next);
    return err_failed(e) ? cli_fail(e, 1) : 0;
}
