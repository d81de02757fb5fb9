/* build/memory.c - the file of steps, and the comparison. */
#include "build/memory.h"
#include "base/file.h"
#include "base/path.h"
#include "build/build.h"
#include "spec/corten_build.h"
#include <fcntl.h>
#include <stdlib.h>

static const char magic[8] = "cortenM1";
#define SHOWN_MAX 3u /* files that are named */

struct steps VEC_BODY(struct memory_step);
struct memory {
    char *path;
    struct arena arena;
    struct steps steps; /* the last build's at the end */
    bool changed;
};

static void step_done(struct memory_step *s) {
    vec_done(&s->parts);
    vec_done(&s->files);
}

/* --- the file -----------------------------------------------------------------------------------
 */
static void put_text(struct buf *b, const char *z) {
    uint32_t n = (uint32_t)strlen(z);
    buf_add(b, &n, sizeof(n));
    buf_add(b, z, n);
}

static void put_u64(struct buf *b, uint64_t n) {
    buf_add(b, &n, sizeof(n));
}

static void write_step(const struct memory_step *s, struct buf *b) {
    const char *const texts[] = {s->dockerfile, s->stage, s->text, s->key, s->parent, s->why};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        put_text(b, texts[i]);
    put_u64(b, s->place);
    put_u64(b, s->parts.n);
    put_u64(b, s->files.n);
    for (size_t i = 0; i < s->parts.n; i++) {
        put_text(b, s->parts.items[i].name);
        put_u64(b, s->parts.items[i].hash);
    }
    for (size_t i = 0; i < s->files.n; i++) {
        put_text(b, s->files.items[i].path);
        put_u64(b, s->files.items[i].attributes);
        put_u64(b, s->files.items[i].content);
    }
}

static bool get(struct str *rest, void *p, size_t n) {
    if (rest->len < n)
        return false;
    memcpy(p, rest->p, n);
    *rest = str_from(*rest, n);
    return true;
}

static bool get_text(struct str *rest, struct arena *a, const char **ret) {
    uint32_t n;
    if (!get(rest, &n, sizeof(n)) || n > rest->len)
        return false;
    *ret = arena_str(a, str_sub(*rest, 0, n));
    *rest = str_from(*rest, n);
    return true;
}

static bool read_lists(struct str *rest, struct arena *a, struct memory_step *s) {
    uint64_t place, parts, files;
    if (!get(rest, &place, 8) || !get(rest, &parts, 8) || !get(rest, &files, 8))
        return false;
    s->place = (uint32_t)place;
    for (uint64_t i = 0; i < parts; i++) {
        struct key_part p;
        if (!get_text(rest, a, &p.name) || !get(rest, &p.hash, 8))
            return false;
        vec_push(&s->parts, p);
    }
    for (uint64_t i = 0; i < files; i++) {
        struct memory_file f;
        if (!get_text(rest, a, &f.path) || !get(rest, &f.attributes, 8) ||
            !get(rest, &f.content, 8))
            return false;
        vec_push(&s->files, f);
    }
    return true;
}

static bool read_step(struct str *rest, struct arena *a, struct memory_step *s) {
    const char **const texts[] = {&s->dockerfile, &s->stage,  &s->text,
                                  &s->key,        &s->parent, &s->why};
    for (size_t i = 0; i < ARRAY_LEN(texts); i++)
        if (!get_text(rest, a, texts[i]))
            return false;
    return read_lists(rest, a, s);
}

struct memory *memory_open(const char *path) {
    struct memory *m = NEW(struct memory);
    CLEAN_BUF struct buf text = {0};
    m->path = mem_strdup(path);
    struct err e = file_read_at(AT_FDCWD, path, MEMORY_FILE_MAX, &text);
    bool ours = !err_failed(e) && str_starts(buf_str(&text), str_n(magic, sizeof(magic)));
    err_free(e); /* as good as none */
    struct str rest = ours ? str_from(buf_str(&text), sizeof(magic)) : STR_NONE;
    while (rest.len && m->steps.n < MEMORY_STEPS_MAX) {
        struct memory_step *s = vec_add(&m->steps);
        if (read_step(&rest, &m->arena, s))
            continue;
        step_done(s); /* half a file */
        m->steps.n--;
        break;
    }
    return m;
}

struct err memory_save(struct memory *m) {
    CLEAN_BUF struct buf b = {0};
    if (!m->changed)
        return OK;
    buf_add(&b, magic, sizeof(magic));
    size_t first = m->steps.n > MEMORY_STEPS_MAX ? m->steps.n - MEMORY_STEPS_MAX : 0;
    for (size_t i = first; i < m->steps.n && b.len < MEMORY_FILE_MAX; i++)
        write_step(&m->steps.items[i], &b);
    CLEAN_FREE char *dir = str_dup(path_dir(str_of(m->path)));
    TRY(dir_make(dir, 0700));
    return file_replace(m->path, buf_str(&b), 0600, false);
}

struct memory *memory_free(struct memory *m) {
    if (!m)
        return NULL;
    for (size_t i = 0; i < m->steps.n; i++)
        step_done(&m->steps.items[i]);
    vec_done(&m->steps);
    arena_done(&m->arena);
    free(m->path);
    free(m);
    return NULL;
}

/* --- steps --------------------------------------------------------------------------------------
 */
static struct memory_step *find(const struct memory *m, const struct memory_step *like) {
    struct memory_step *by_place = NULL;
    for (size_t i = 0; i < m->steps.n; i++) {
        struct memory_step *s = &m->steps.items[i];
        if (strcmp(s->stage, like->stage) != 0 || strcmp(s->dockerfile, like->dockerfile) != 0)
            continue;
        if (strcmp(s->text, like->text) == 0)
            return s;
        if (s->place == like->place)
            by_place = s;
    }
    return by_place;
}

const struct memory_step *memory_find(const struct memory *m, const struct memory_step *like) {
    return find(m, like);
}

void memory_put(struct memory *m, const struct memory_step *s) {
    struct memory_step *old = find(m, s);
    struct arena *a = &m->arena;
    if (old) {
        step_done(old);
        vec_remove(&m->steps, (size_t)(old - m->steps.items));
    }
    struct memory_step *n = vec_add(&m->steps);
    *n = (struct memory_step){.dockerfile = arena_strz(a, s->dockerfile),
                              .stage = arena_strz(a, s->stage),
                              .text = arena_strz(a, s->text),
                              .place = s->place,
                              .key = arena_strz(a, s->key),
                              .parent = arena_strz(a, s->parent),
                              .why = arena_strz(a, s->why)};
    for (size_t i = 0; i < s->parts.n; i++)
        vec_push(&n->parts, ((struct key_part){arena_strz(a, s->parts.items[i].name),
                                               s->parts.items[i].hash}));
    for (size_t i = 0; i < s->files.n; i++) {
        struct memory_file f = s->files.items[i];
        f.path = arena_strz(a, f.path);
        vec_push(&n->files, f);
    }
    m->changed = true;
}

void memory_cached(struct memory *m, const struct memory_step *s) {
    struct memory_step *old = find(m, s);
    if (!old || !*old->why)
        return;
    old->why = "";
    m->changed = true;
}

/* --- in words -----------------------------------------------------------------------------------
 */
static void say(struct buf *out, const char *fmt, const char *what, const char *more) {
    buf_adds(out, out->len ? "; " : "");
    buf_addf(out, fmt, what, more);
}

static const struct key_part *part(const struct key_parts *v, const char *name) {
    for (size_t i = 0; i < v->n; i++)
        if (strcmp(v->items[i].name, name) == 0)
            return &v->items[i];
    return NULL;
}

static void compare_parts(const struct memory_step *was, const struct memory_step *is,
                          struct buf *out) {
    for (size_t i = 0; i < is->parts.n; i++) {
        const struct key_part *p = &is->parts.items[i], *old = part(&was->parts, p->name);
        if (!old)
            say(out, "%s %s", p->name, "is new");
        else if (old->hash != p->hash)
            say(out, "%s %s", p->name, "has changed");
    }
    for (size_t i = 0; i < was->parts.n; i++)
        if (!part(&is->parts, was->parts.items[i].name))
            say(out, "%s %s", was->parts.items[i].name, "is gone");
}

static void compare_files(const struct memory_step *was, const struct memory_step *is,
                          struct buf *out) {
    size_t i = 0, k = 0, n = 0;
    while (i < was->files.n || k < is->files.n) {
        const struct memory_file *a = i < was->files.n ? &was->files.items[i] : NULL;
        const struct memory_file *b = k < is->files.n ? &is->files.items[k] : NULL;
        int order = !a ? 1 : !b ? -1 : strcmp(a->path, b->path);
        i += order <= 0;
        k += order >= 0;
        const char *how = order < 0                        ? "is gone"
                          : order > 0                      ? "is new"
                          : a->content != b->content       ? "has changed"
                          : a->attributes != b->attributes ? "has another mode, owner or type"
                                                           : NULL;
        if (how && n++ < SHOWN_MAX)
            say(out, "'%s' %s", order < 0 ? a->path : b->path, how);
    }
    if (n > SHOWN_MAX)
        buf_addf(out, "; and %zu more files", n - SHOWN_MAX);
}

void memory_compare(const struct memory_step *was, const struct memory_step *is, bool cascade,
                    struct buf *out) {
    compare_parts(was, is, out);
    compare_files(was, is, out);
    if (strcmp(was->parent, is->parent) != 0)
        say(out, "%s%s",
            cascade ? "the step before it was made anew" : "it stands on another image", "");
    if (out->len == 0)
        buf_adds(out, "the cache has not got it any more");
}

const struct memory_step *memory_all(const struct memory *m, size_t *ret_n) {
    *ret_n = m->steps.n;
    return m->steps.items;
}

void build_misses(const char *digests, struct buf *out) {
    CLEAN_FREE char *path = mem_printf("%s" BUILD_MEMORY, digests);
    struct memory *m = memory_open(path);
    size_t n;
    const struct memory_step *all = memory_all(m, &n);
    for (size_t i = 0; i < n; i++)
        if (*all[i].why)
            buf_addf(out, "%s [%s] %s: %s\n", all[i].dockerfile, all[i].stage, all[i].text,
                     all[i].why);
    memory_free(m);
}
