/* lifecycle_show: the human view. */
#include "base/time.h"
#include "spec/lifecycle.h"
#include "spec/method_result.h"
#include <stdio.h>

/* Code points that turn text around or hide it, and C1 controls. */
static bool is_trick(struct str s, size_t n) {
    const unsigned char *p = (const unsigned char *)s.p;
    if (n == 2)
        return p[0] == 0xc2 && p[1] < 0xa0;
    if (n != 3 || p[0] != 0xe2)
        return n == 3 && p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf;
    if (p[1] == 0x80)
        return (p[2] >= 0x8b && p[2] <= 0x8f) || (p[2] >= 0xa8 && p[2] <= 0xae);
    return p[1] == 0x81 && p[2] >= 0xa0 && p[2] <= 0xaf;
}

void lifecycle_escape(struct buf *out, struct str s, bool lines) {
    while (s.len) {
        unsigned char c = (unsigned char)s.p[0];
        size_t n = str_utf8_len(s);
        if (n == 1 && c == '\\') {
            buf_adds(out, "\\\\");
        } else if (n == 1 && ((c >= 0x20 && c < 0x7f) || (lines && (c == '\n' || c == '\t')))) {
            buf_addc(out, (char)c);
        } else if (n > 1 && !is_trick(s, n)) {
            buf_add(out, s.p, n);
        } else {
            for (size_t i = 0; i < MAX(n, (size_t)1); i++)
                buf_addf(out, "\\x%02x", (unsigned char)s.p[i]);
        }
        s = str_from(s, MAX(n, (size_t)1));
    }
}

/* Of two or three bytes, which all tricks are. */
static unsigned code_point(struct str s, size_t n) {
    const unsigned char *p = (const unsigned char *)s.p;
    return n == 2 ? (p[0] & 31u) << 6 | (p[1] & 63u)
                  : (p[0] & 15u) << 12 | (p[1] & 63u) << 6 | (p[2] & 63u);
}

void lifecycle_escape_json(struct buf *out, struct str s) {
    while (s.len) {
        size_t n = MAX(str_utf8_len(s), (size_t)1);
        if (n > 1 && is_trick(s, n))
            buf_addf(out, "\\u%04x", code_point(s, n));
        else if (s.p[0] == 0x7f)
            buf_adds(out, "\\u007f");
        else
            buf_add(out, s.p, n);
        s = str_from(s, n);
    }
}

char *lifecycle_duration(int64_t ns, struct arena *a) {
    CLEAN_BUF struct buf b = {0};
    if (ns <= 0)
        return arena_strz(a, "");
    if (ns < NSEC_PER_SEC) {
        buf_addf(&b, "%.9gms", (double)ns / (double)NSEC_PER_MSEC);
        return arena_str(a, buf_str(&b));
    }
    int64_t hours = ns / (3600 * NSEC_PER_SEC), minutes = ns / (60 * NSEC_PER_SEC) % 60;
    int64_t rest = ns % (60 * NSEC_PER_SEC);
    if (hours)
        buf_addf(&b, "%lldh", (long long)hours);
    if (minutes)
        buf_addf(&b, "%lldm", (long long)minutes);
    if (rest)
        buf_addf(&b, "%.9gs", (double)rest / (double)NSEC_PER_SEC);
    return arena_str(a, buf_str(&b));
}

/* --- examine ---------------------------------------------------------------------------------- */

#define INDENT 18         /* of the first column */
#define NAME_SHOWN_MAX 80 /* bytes of an annotation's name */

static void row(struct buf *out, const char *name, const char *value) {
    if (!value || !*value)
        return;
    buf_addf(out, "  %-*s", INDENT, name);
    lifecycle_escape(out, str_sub(str_of(value), 0, LIFECYCLE_VALUE_MAX), false);
    buf_addc(out, '\n');
}

static void row_list(struct buf *out, const char *name, const struct strs *v) {
    CLEAN_BUF struct buf text = {0};
    for (size_t i = 0; i < v->n; i++)
        buf_addf(&text, "%s%s", i ? " " : "", v->items[i]);
    row(out, name, buf_cstr(&text));
}

static void source(const struct lifecycle_metadata *m, struct buf *out) {
    CLEAN_BUF struct buf text = {0};
    if (!*m->git_remote && !*m->gitref)
        return;
    buf_addf(&text, "%s%s%s%s%s%s", m->git_remote, *m->gitref ? " at " : "", m->gitref,
             *m->git_branch ? " on " : "", m->git_branch, m->git_dirty ? ", with changes" : "");
    row(out, "source", buf_cstr(&text));
}

static void built(const struct lifecycle_metadata *m, struct buf *out) {
    CLEAN_BUF struct buf text = {0};
    buf_adds(&text, m->build_time);
    if (*m->build_host)
        buf_addf(&text, "%son %s", text.len ? " " : "", m->build_host);
    if (*m->build_version)
        buf_addf(&text, "%sby corten %s", text.len ? " " : "", m->build_version);
    if (*m->build_cause)
        buf_addf(&text, "%scause %s", text.len ? ", " : "", m->build_cause);
    if (*m->build_tag)
        buf_addf(&text, "%sbuild %s", text.len ? ", " : "", m->build_tag);
    if (m->ci)
        buf_addf(&text, "%sCI", text.len ? ", " : "");
    row(out, "built", buf_cstr(&text));
}

static void one_method(const char *name, const struct lifecycle_method_view *v, struct buf *out) {
    buf_addf(out, "  %-*s", INDENT, name);
    if (!v) {
        buf_adds(out, "-\n");
        return;
    }
    lifecycle_escape(out, str_sub(str_of(v->command), 0, LIFECYCLE_VALUE_MAX), false);
    const char *more[][2] = {{"every", v->interval}, {"user", v->user}};
    for (size_t i = 0; i < ARRAY_LEN(more); i++)
        if (*more[i][1]) {
            buf_addf(out, "  (%s ", more[i][0]);
            lifecycle_escape(out, str_of(more[i][1]), false);
            buf_addc(out, ')');
        }
    buf_addc(out, '\n');
}

static bool is_known(const char *name) {
    for (size_t i = 0; lifecycle_known[i]; i++)
        if (!strcmp(name, lifecycle_known[i]))
            return true;
    return false;
}

static void methods(const struct lifecycle_metadata *m, struct buf *out) {
    for (size_t i = 0; lifecycle_known[i]; i++)
        one_method(lifecycle_known[i], objmap_get(&m->methods, lifecycle_known[i]), out);
    for (size_t i = 0; i < m->methods.n; i++)
        if (!is_known(m->methods.items[i].key))
            one_method(m->methods.items[i].key, m->methods.items[i].value, out);
}

/* What the rows above do not show. */
static void annotations(const struct lifecycle_metadata *m, struct buf *out) {
    static const char *const shown[] = {"title",   "source",    "revision",
                                        "created", "base.name", "base.digest"};
    for (size_t i = 0; i < m->annotations.n; i++) {
        const struct strpair *x = &m->annotations.items[i];
        struct str key = str_of(x->key);
        bool oci = str_starts(key, STR(LIFECYCLE_OCI)), known = false;
        if (oci)
            key = str_from(key, strlen(LIFECYCLE_OCI));
        for (size_t k = 0; oci && k < ARRAY_LEN(shown); k++)
            known |= str_eqz(key, shown[k]);
        if (known || !*x->value)
            continue;
        CLEAN_BUF struct buf name = {0};
        lifecycle_escape(&name, str_sub(key, 0, NAME_SHOWN_MAX), false);
        buf_addf(out, "  %-*s%s", INDENT, buf_cstr(&name), name.len >= INDENT ? " " : "");
        lifecycle_escape(out, str_of(x->value), false);
        buf_addc(out, '\n');
    }
}

static void image(const char *kind, const struct lifecycle_metadata *m, struct buf *out) {
    buf_addf(out, "%s ", kind);
    lifecycle_escape(out, str_of(*m->image_name ? m->image_name : m->image_id), false);
    buf_addc(out, '\n');
    row(out, "id", m->image_id);
    row(out, "digest", m->image_digest);
    row(out, "project", m->project);
    row_list(out, "tags", &m->image_tag_names);
    built(m, out);
    source(m, out);
    row(out, "dockerfile", m->dockerfile);
    row(out, "base", m->base_name);
    if (m->metadata.len)
        row(out, "metadata", m->metadata.p);
    annotations(m, out);
    methods(m, out);
}

static void row_time(struct buf *out, const char *name, int64_t t) {
    char text[TIME_TEXT_MAX];
    if (t)
        row(out, name, time_format(t, text));
}

static void container(const struct lifecycle_container *c, struct buf *out) {
    buf_adds(out, "container ");
    lifecycle_escape(out, str_of(c->name), false);
    buf_addc(out, '\n');
    row(out, "id", c->id);
    CLEAN_BUF struct buf state = {0};
    buf_addf(&state, "%s%s", c->state, c->ready ? ", ready" : "");
    row(out, "state", buf_cstr(&state));
    row(out, "image", c->image);
    row(out, "digest", c->image_digest);
    row(out, "node", c->node);
    row_time(out, "deployed", c->created);
    row(out, "deployed by", c->deployed_by);
    row(out, "cause", c->cause);
    row_time(out, "first started", c->first_started);
    row_time(out, "started", c->started);
    if (c->restarts)
        buf_addf(out, "  %-*s%lld\n", INDENT, "restarts", (long long)c->restarts);
    const struct method_result *r = c->results.items;
    for (size_t i = 0; i < c->results.n; i++) {
        char when[TIME_TEXT_MAX];
        CLEAN_BUF struct buf text = {0};
        method_result_text(&r[i], &text);
        buf_addf(out, "  %-*s%s  %s\n", INDENT, i ? "" : "last results",
                 time_format(r[i].end, when), buf_cstr(&text));
    }
}

void lifecycle_examine(const struct lifecycle_metadata *m, struct buf *out) {
    const struct lifecycle_metadata *above = m->ancestors.items;
    for (size_t i = 0; i < m->ancestors.n; i++) {
        image(strcmp(above[i].by, "copy") ? "ancestor" : "copied from", &above[i], out);
        buf_addc(out, '\n');
    }
    image("image", m, out);
    if (m->container) {
        buf_addc(out, '\n');
        container(m->container, out);
    }
    for (size_t i = 0; i < m->problems.n; i++)
        buf_addf(out, "problem: %s\n", m->problems.items[i]);
}
