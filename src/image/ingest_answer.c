/* ingest_answer.c - progress lines as the docker CLI draws them (moby pkg/jsonmessage). */
#include "base/file.h"
#include "base/time.h"
#include "image/ingest.h"
#include "image/protocol.h"
#include <stdarg.h>
#include <stdio.h>

struct err answer_bytes(struct ingest *in, const void *p, size_t n) {
    if (in->client < 0)
        return OK;
    int r = http_answer_write(in->client, str_n(p, n));
    return r < 0 ? err_kind_errno(ERR_CANCELLED, r, "write to the client") : OK;
}

struct err answer_begin(struct ingest *in, const char *content_type) {
    if (in->client < 0 || in->head_sent)
        return OK;
    worker_notice(in->ctx, IMAGE_HEAD, STR_NONE, NULL, 0);
    in->head_sent = true;
    int r = http_answer_begin(in->client, 200, content_type ? content_type : "application/json",
                              NULL);
    return r < 0 ? err_kind_errno(ERR_CANCELLED, r, "write to the client") : OK;
}

struct err answer_end(struct ingest *in) {
    if (in->client < 0 || !in->head_sent)
        return OK;
    int r = http_answer_end(in->client);
    return r < 0 ? err_kind_errno(ERR_CANCELLED, r, "write to the client") : OK;
}

static struct err answer_line(struct ingest *in, struct buf *line) {
    TRY(answer_begin(in, NULL));
    buf_adds(line, "\r\n");
    return answer_bytes(in, line->data, line->len);
}

struct err answer_status_line(struct ingest *in, const char *id, const char *fmt, ...) {
    CLEAN_BUF struct buf line = {0}, text = {0};
    struct json_out o = {.out = &line};
    va_list ap;
    va_start(ap, fmt);
    buf_vaddf(&text, fmt, ap);
    va_end(ap);
    jo_obj(&o);
    jo_kstr(&o, "status", buf_cstr(&text));
    if (id)
        jo_kstr(&o, "id", id);
    jo_obj_end(&o);
    return answer_line(in, &line);
}

struct err answer_stream_line(struct ingest *in, const char *fmt, ...) {
    CLEAN_BUF struct buf line = {0}, text = {0};
    struct json_out o = {.out = &line};
    va_list ap;
    va_start(ap, fmt);
    buf_vaddf(&text, fmt, ap);
    va_end(ap);
    jo_obj(&o);
    jo_kstr(&o, "stream", buf_cstr(&text));
    jo_obj_end(&o);
    return answer_line(in, &line);
}

struct err answer_aux(struct ingest *in, struct str json) {
    CLEAN_BUF struct buf line = {0};
    struct json_out o = {.out = &line};
    jo_obj(&o);
    jo_key(&o, "progressDetail");
    jo_raw(&o, STR("{}"));
    jo_key(&o, "aux");
    jo_raw(&o, json);
    jo_obj_end(&o);
    return answer_line(in, &line);
}

/* Four digits and a decimal unit, as Go's units.HumanSize. */
static void add_size(struct buf *out, uint64_t n, int width) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB", "EB"};
    double v = (double)n;
    size_t unit = 0;
    char text[32];
    while (v >= 1000 && unit + 1 < ARRAY_LEN(units)) {
        v /= 1000;
        unit++;
    }
    snprintf(text, sizeof(text), "%.4g%s", v, units[unit]);
    buf_addf(out, "%*s", width, text);
}

static void add_bar(struct buf *out, uint64_t current, uint64_t total) {
    if (total > 0) {
        int filled = (int)MIN((double)current / (double)total * 50, 50.0);
        buf_addc(out, '[');
        for (int i = 0; i < filled; i++)
            buf_addc(out, '=');
        buf_addf(out, ">%*s] ", 50 - filled, "");
    }
    add_size(out, current, 8);
    if (total > 0 && current <= total) {
        buf_addc(out, '/');
        add_size(out, total, 0);
    }
}

struct err answer_progress(struct ingest *in, const char *id, const char *status, uint64_t current,
                           uint64_t total) {
    CLEAN_BUF struct buf line = {0}, bar = {0};
    struct json_out o = {.out = &line};
    if (in->quiet)
        return OK;
    jo_obj(&o);
    jo_kstr(&o, "status", status);
    jo_key(&o, "progressDetail");
    jo_obj(&o);
    if (current > 0 || total > 0) {
        jo_ki64(&o, "current", (int64_t)current);
        if (total > 0)
            jo_ki64(&o, "total", (int64_t)total);
    }
    jo_obj_end(&o);
    if (current > 0 || total > 0) {
        add_bar(&bar, current, total);
        jo_kstr(&o, "progress", buf_cstr(&bar));
    }
    if (id)
        jo_kstr(&o, "id", id);
    jo_obj_end(&o);
    return answer_line(in, &line);
}

struct err ingest_end(struct ingest *in, struct err e) {
    if (!err_failed(e))
        return answer_end(in);
    if (in->client < 0 || err_kind(e) == ERR_CANCELLED || !in->head_sent)
        return e; /* the daemon answers, or nobody listens */
    CLEAN_BUF struct buf line = {0};
    struct json_out o = {.out = &line};
    jo_obj(&o);
    jo_key(&o, "errorDetail");
    jo_obj(&o);
    jo_kstr(&o, "message", err_msg(e));
    jo_obj_end(&o);
    jo_kstr(&o, "error", err_msg(e));
    jo_obj_end(&o);
    err_ignore(answer_line(in, &line)); /* the first failure is the one to tell */
    err_ignore(answer_end(in));
    return e;
}
