/* build_view: events to text. */
#include "cli/build_view.h"
#include "base/mem.h"
#include "base/time.h"
#include <stdlib.h>

#define EVENT_MAX (16u << 20) /* bytes of one line */
#define RUNNING_MAX 8         /* steps that are drawn */

void build_view_done(struct build_view *v) {
    for (size_t i = 0; i < v->steps.n; i++) {
        struct view_step *s = &v->steps.items[i];
        free(s->stage);
        free(s->name);
        free(s->last);
        buf_done(&s->line);
    }
    vec_done(&v->steps);
    buf_done(&v->pending);
    strv_done(&v->tags);
    free(v->image);
}

static void say(const struct build_view *v, struct buf *b) {
    v->write(v->arg, buf_str(b));
    buf_clear(b);
}

static double seconds(int64_t ns) {
    return (double)ns / 1e9;
}

static struct view_step *step_of(struct build_view *v, unsigned number) {
    for (size_t i = 0; i < v->steps.n; i++)
        if (v->steps.items[i].number == number)
            return &v->steps.items[i];
    return NULL;
}

/* One line of a step's name: no line breaks, no terminal control. */
static void add_name(struct buf *b, const char *text, size_t max) {
    size_t n = 0;
    for (const char *p = text; *p && n < max; p++, n++)
        buf_addc(b, (unsigned char)*p < 0x20 || *p == 0x7f ? ' ' : *p);
}

static void add_title(struct buf *b, const struct view_step *s, size_t max) {
    buf_addf(b, "[%s%s%u/%u] ", s->stage ? s->stage : "", s->stage && *s->stage ? " " : "",
             s->number, s->total);
    add_name(b, s->name ? s->name : "", max);
}

/* --- the lines at the bottom --------------------------------------------------------------------
 */
static void erase(struct build_view *v) {
    CLEAN_BUF struct buf b = {0};
    if (v->drawn)
        buf_addf(&b, "\033[%uA\r\033[J", v->drawn);
    v->drawn = 0;
    if (b.len)
        say(v, &b);
}

static void draw(struct build_view *v) {
    CLEAN_BUF struct buf b = {0};
    size_t width = v->columns > 40 ? v->columns - 1 : 79;
    int64_t now = time_monotonic();
    unsigned running = 0;
    for (size_t i = 0; i < v->steps.n && running < RUNNING_MAX; i++) {
        const struct view_step *s = &v->steps.items[i];
        CLEAN_BUF struct buf line = {0};
        if (!s->running)
            continue;
        running++;
        buf_adds(&line, " => ");
        add_title(&line, s, width - MIN(width, (size_t)24));
        str_sub(buf_str(&line), 0, width);
        buf_addf(&b, "%.*s %6.1fs\n", STR_ARG(str_sub(buf_str(&line), 0, width - 9)),
                 seconds(now - s->began));
        v->drawn++;
        if (!s->last)
            continue;
        buf_adds(&b, "    ");
        add_name(&b, s->last, width - 5);
        buf_addc(&b, '\n');
        v->drawn++;
    }
    if (b.len)
        say(v, &b);
}

void build_view_tick(struct build_view *v) {
    if (v->mode != VIEW_TTY)
        return;
    erase(v);
    draw(v);
}

/* --- events -------------------------------------------------------------------------------------
 */
static void begin(struct build_view *v, const struct build_event *e) {
    CLEAN_BUF struct buf b = {0};
    struct view_step *s = step_of(v, e->step);
    if (!s)
        s = vec_add(&v->steps);
    else {
        free(s->stage);
        free(s->name);
        free(s->last);
        buf_done(&s->line);
    }
    *s = (struct view_step){.number = e->step,
                            .total = e->total,
                            .stage = mem_strdup_opt(e->stage),
                            .name = mem_strdup_opt(e->name),
                            .began = time_monotonic(),
                            .running = true};
    if (v->mode != VIEW_PLAIN)
        return;
    buf_addf(&b, "#%u ", s->number);
    add_title(&b, s, SIZE_MAX);
    buf_addc(&b, '\n');
    say(v, &b);
}

static void missed(struct build_view *v, const struct view_step *s, const char *why) {
    CLEAN_BUF struct buf b = {0};
    if (v->mode == VIEW_PLAIN)
        buf_addf(&b, "#%u not cached: ", s->number);
    else {
        buf_adds(&b, " => ");
        add_title(&b, s, v->columns > 60 ? v->columns - 40 : 40);
        buf_adds(&b, "\n    not cached: ");
    }
    add_name(&b, why, SIZE_MAX);
    buf_addc(&b, '\n');
    say(v, &b);
}

static void whole_line(struct build_view *v, struct view_step *s, struct str line) {
    CLEAN_BUF struct buf b = {0};
    while (line.len && line.p[line.len - 1] == '\r')
        line.len--;
    free(s->last);
    s->last = str_dup(line);
    if (v->mode != VIEW_PLAIN)
        return;
    buf_addf(&b, "#%u %.3f %.*s\n", s->number, seconds(time_monotonic() - s->began), STR_ARG(line));
    say(v, &b);
}

static void output(struct build_view *v, struct view_step *s, const char *text) {
    struct str rest = str_of(text), line;
    while (rest.len) {
        bool whole = str_cut(rest, '\n', &line, &rest);
        buf_add_str(&s->line, line);
        if (!whole)
            return;
        whole_line(v, s, buf_str(&s->line));
        buf_clear(&s->line);
    }
}

static void finish(struct build_view *v, struct view_step *s, const struct build_event *e) {
    CLEAN_BUF struct buf b = {0};
    bool failed = str_eqz(str_of(e->state), "error");
    if (s->line.len)
        whole_line(v, s, buf_str(&s->line));
    buf_clear(&s->line);
    s->running = false;
    const char *word = failed ? "ERROR" : s->cached ? "CACHED" : "DONE";
    if (v->mode == VIEW_PLAIN) {
        buf_addf(&b, "#%u %s", s->number, word);
        buf_addf(&b, s->cached ? "\n" : " %.1fs\n", seconds(e->nanos));
    } else {
        buf_addf(&b, " => %s", s->cached ? "CACHED " : failed ? "ERROR " : "");
        add_title(&b, s, v->columns > 60 ? v->columns - 40 : 40);
        buf_addf(&b, " %.1fs\n", seconds(e->nanos));
    }
    say(v, &b);
}

static void built(struct build_view *v, const struct build_event *e) {
    CLEAN_BUF struct buf b = {0};
    free(v->image);
    v->image = mem_strdup_opt(e->image);
    buf_addf(&b, "image %s\n", e->image ? e->image : "");
    for (size_t i = 0; i < e->tags.n; i++) {
        strv_add(&v->tags, e->tags.items[i]);
        buf_addf(&b, "tagged %s\n", e->tags.items[i]);
    }
    if (v->mode == VIEW_PLAIN || v->mode == VIEW_TTY)
        say(v, &b);
}

static void show(struct build_view *v, const struct build_event *e) {
    struct str state = str_of(e->state);
    struct view_step *s = e->step ? step_of(v, e->step) : NULL;
    if (str_eqz(state, "built"))
        built(v, e);
    else if (v->mode == VIEW_JSON || v->mode == VIEW_QUIET)
        return;
    else if (str_eqz(state, "start"))
        begin(v, e);
    else if (s && str_eqz(state, "cached"))
        s->cached = true;
    else if (s && str_eqz(state, "missed"))
        missed(v, s, e->why ? e->why : "");
    else if (s && (str_eqz(state, "done") || str_eqz(state, "error")))
        finish(v, s, e);
    else if (s && e->log)
        output(v, s, e->log);
    else if (e->log) {
        CLEAN_BUF struct buf b = {0};
        buf_adds(&b, e->log);
        say(v, &b);
    }
}

static struct err event(struct build_view *v, struct str line) {
    CLEAN_ARENA struct arena a = {0};
    struct build_event e = {0};
    TRYF(fields_decode(&build_event_fields, line, &a, &e), "the builder's progress");
    if (v->mode == VIEW_JSON) {
        CLEAN_BUF struct buf b = {0};
        buf_add_str(&b, line);
        buf_addc(&b, '\n');
        say(v, &b);
    }
    show(v, &e);
    return OK;
}

struct err build_view_feed(struct build_view *v, struct str bytes) {
    struct str line;
    if (v->mode == VIEW_TTY)
        erase(v);
    while (bytes.len) {
        bool whole = str_cut(bytes, '\n', &line, &bytes);
        if (v->pending.len + line.len > EVENT_MAX)
            return err_new(ERR_INVALID, "an event of the builder is larger than %u bytes",
                           EVENT_MAX);
        buf_add_str(&v->pending, line);
        if (!whole)
            break;
        struct err e = event(v, buf_str(&v->pending));
        buf_clear(&v->pending);
        TRY(e);
    }
    if (v->mode == VIEW_TTY)
        draw(v);
    return OK;
}

void build_view_end(struct build_view *v) {
    if (v->mode == VIEW_TTY)
        erase(v);
}
