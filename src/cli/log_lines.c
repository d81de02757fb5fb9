/* log_lines.c - frames of logs into lines: looked at, marked with names, put in order. */
#include "base/file.h"
#include "cli/logs.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define COLOURS 6

static int write_json(const char *name, int stream, struct str time, struct str line) {
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    jo_obj(&jo);
    jo_kstr(&jo, "container", name);
    jo_kstr(&jo, "stream", stream == 2 ? "stderr" : "stdout");
    jo_key(&jo, "time");
    jo_str(&jo, time);
    jo_key(&jo, "line");
    jo_str(&jo, line);
    jo_obj_end(&jo);
    buf_addc(&text, '\n');
    return fd_write_all(1, text.data, text.len);
}

/* A name has the same colour in every call. */
static int colour_of(const char *name) {
    return 31 + (int)(str_hash(str_of(name)) % COLOURS);
}

static int write_line(const struct log_view *v, const char *name, int stream, struct str time,
                      struct str line) {
    const struct logs_options *o = v->in->options;
    CLEAN_BUF struct buf out = {0};
    if (v->in->json)
        return write_json(name, stream, time, line);
    if (v->named && v->colour)
        buf_addf(&out, "\033[%dm%-*s |\033[0m ", colour_of(name), (int)v->width, name);
    else if (v->named)
        buf_addf(&out, "%-*s | ", (int)v->width, name);
    if (o->timestamps)
        buf_addf(&out, "%.*s ", STR_ARG(time));
    buf_add_str(&out, line);
    buf_addc(&out, '\n');
    return fd_write_all(v->named ? 1 : stream, out.data, out.len);
}

/* line: with its time in front. */
static int take_line(struct log_view *v, const struct log_source *s, int stream, struct str line) {
    struct str time, text;
    str_cut(line, ' ', &time, &text);
    CLEAN_FREE char *z = str_dup(text);
    if (v->pattern && regexec(v->pattern, z, 0, NULL, 0) != 0)
        return 0;
    if (v->keep) {
        strv_addf(v->keep, "%.*s\t%d%s", STR_ARG(line), stream, s->name);
        return 0;
    }
    return write_line(v, s->name, stream, time, text);
}

static int emit(struct log_view *v, struct log_source *s, const char *bytes, size_t n) {
    if (!v->whole_lines)
        return fd_write_all(s->stream, bytes, n);
    struct buf *b = &s->partial[s->stream];
    buf_add(b, bytes, n);
    for (ssize_t nl; (nl = str_find(buf_str(b), '\n')) >= 0;) {
        struct str line = str_sub(buf_str(b), 0, (size_t)nl);
        if (s->tty && line.len && line.p[line.len - 1] == '\r')
            line.len--;
        int r = take_line(v, s, s->stream, line);
        if (r < 0)
            return r;
        buf_drop(b, (size_t)nl + 1);
    }
    return 0;
}

int log_feed(struct log_view *v, struct log_source *s, const char *bytes, size_t n) {
    while (n > 0) {
        size_t part = n;
        if (!s->tty && s->left == 0) {
            part = MIN(n, sizeof s->head - s->have);
            memcpy(s->head + s->have, bytes, part);
            s->have += part;
            if (s->have == sizeof s->head) {
                const unsigned char *h = s->head;
                s->have = 0;
                s->stream = h[0] == 2 ? 2 : 1;
                s->left = (size_t)h[4] << 24 | (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7];
            }
        } else {
            part = s->tty ? n : MIN(n, s->left);
            s->stream = s->tty ? 1 : s->stream;
            int r = emit(v, s, bytes, part);
            if (r < 0)
                return r;
            s->left -= s->tty ? 0 : part;
        }
        bytes += part;
        n -= part;
    }
    return 0;
}

int log_end(struct log_view *v, struct log_source *s) {
    int r = 0;
    for (int i = 1; i <= 2; i++) {
        if (s->partial[i].len && r == 0)
            r = take_line(v, s, i, buf_str(&s->partial[i]));
        buf_done(&s->partial[i]);
    }
    return r;
}

static int compare_lines(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

int log_print_kept(const struct log_view *v, struct strv *lines) {
    int r = 0;
    if (lines->n)
        qsort(lines->items, lines->n, sizeof *lines->items, compare_lines);
    for (size_t i = 0; i < lines->n && r == 0; i++) {
        struct str line = str_of(lines->items[i]), time, text;
        ssize_t tab = str_rfind(line, '\t');
        str_cut(str_sub(line, 0, (size_t)tab), ' ', &time, &text);
        r = write_line(v, line.p + tab + 2, line.p[tab + 1] - '0', time, text);
    }
    return r;
}
