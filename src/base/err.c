#include "base/err.h"
#include "base/mem.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct err_info {
    enum err_kind kind;
    int errnum;
    char *msg;
};

static const char *const kind_names[ERR_KIND_COUNT] = {
    [ERR_OK] = "ok",
    [ERR_INVALID] = "invalid",
    [ERR_NOT_FOUND] = "not-found",
    [ERR_CONFLICT] = "conflict",
    [ERR_FORBIDDEN] = "forbidden",
    [ERR_UNAUTHORIZED] = "unauthorized",
    [ERR_NOT_MODIFIED] = "not-modified",
    [ERR_UNAVAILABLE] = "unavailable",
    [ERR_UNSUPPORTED] = "unsupported",
    [ERR_CANCELLED] = "cancelled",
    [ERR_TIMEOUT] = "timeout",
    [ERR_SYSTEM] = "system",
};

static char *format(const char *fmt, va_list ap) {
    char *text = NULL;
    if (vasprintf(&text, fmt, ap) < 0)
        return mem_strdup("message cannot be formatted");
    return text;
}

/* Takes msg. */
static struct err make(enum err_kind kind, int errnum, char *msg) {
    assert(kind > ERR_OK && kind < ERR_KIND_COUNT);
    struct err_info *info = NEW(struct err_info);
    info->kind = kind;
    info->errnum = errnum < 0 ? -errnum : errnum;
    info->msg = msg;
    return (struct err){info};
}

static struct err make_errno(enum err_kind kind, int errnum, const char *fmt, va_list ap) {
    char reason[128];
    CLEAN_FREE
    char *words = format(fmt, ap);
    int n = errnum < 0 ? -errnum : errnum;
    /* The GNU strerror_r: thread-safe, may return a constant instead of filling the buffer. */
    const char *text = strerror_r(n, reason, sizeof(reason));
    return make(kind, n, mem_printf("%s: %s", words, text));
}

struct err err_new(enum err_kind kind, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    char *msg = format(fmt, ap);
    va_end(ap);
    return make(kind, 0, msg);
}

struct err err_restore(enum err_kind kind, int errnum, const char *msg, size_t msg_len) {
    if (kind <= ERR_OK || kind >= ERR_KIND_COUNT)
        kind = ERR_SYSTEM;
    return make(kind, errnum,
                mem_printf("%.*s", (int)MIN(msg_len, (size_t)INT32_MAX), msg ? msg : ""));
}

struct err err_errno(int errnum, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    struct err e = make_errno(ERR_SYSTEM, errnum, fmt, ap);
    va_end(ap);
    return e;
}

struct err err_kind_errno(enum err_kind kind, int errnum, const char *fmt, ...) {
    va_list ap;
    va_start(ap, fmt);
    struct err e = make_errno(kind, errnum, fmt, ap);
    va_end(ap);
    return e;
}

struct err err_wrap(struct err e, const char *fmt, ...) {
    if (!e.info)
        return e;
    va_list ap;
    va_start(ap, fmt);
    CLEAN_FREE
    char *words = format(fmt, ap);
    va_end(ap);
    CLEAN_FREE
    char *inner = e.info->msg;
    e.info->msg = mem_printf("%s: %s", words, inner);
    return e;
}

struct err err_as(struct err e, enum err_kind kind) {
    assert(kind > ERR_OK && kind < ERR_KIND_COUNT);
    if (e.info)
        e.info->kind = kind;
    return e;
}

enum err_kind err_kind(struct err e) {
    return e.info ? e.info->kind : ERR_OK;
}

int err_errnum(struct err e) {
    return e.info ? e.info->errnum : 0;
}

const char *err_msg(struct err e) {
    return e.info ? e.info->msg : "";
}

const char *err_kind_name(enum err_kind kind) {
    assert(kind >= ERR_OK && kind < ERR_KIND_COUNT);
    return kind_names[kind];
}

enum err_kind err_kind_from_name(const char *name) {
    for (int k = 0; name && k < ERR_KIND_COUNT; k++)
        if (!strcmp(name, kind_names[k]))
            return (enum err_kind)k;
    return ERR_SYSTEM;
}

void err_free(struct err e) {
    if (!e.info)
        return;
    free(e.info->msg);
    free(e.info);
}

void err_clean(struct err *e) {
    err_free(*e);
    *e = OK;
}
