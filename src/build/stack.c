/* build/stack.c - marks of a layer's entries, their comparison, the file. */
#include "build/stack.h"
#include "base/file.h"
#include "base/path.h"
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>

static const char magic[8] = "cortenS1";

/* --- marks
 * -------------------------------------------------------------------------------------------------
 */
static struct err mark_of(struct sha256 *h, const struct layer_entry *e, struct stack_mark *ret) {
    const struct source_file *f = e->file;
    uint64_t numbers[] = {(uint64_t)e->type,  e->mode,         e->uid,           e->gid,
                          (uint64_t)e->mtime, f ? f->size : 0, f ? f->major : 0, f ? f->minor : 0};
    struct digest d = {0};
    unsigned char out[SHA256_SIZE];
    if (f && e->type == TAR_FILE)
        TRY(source_content(e->item, e->file, &d));
    uint64_t path = 14695981039346656037u; /* FNV-1a, 64 bits; a directory is another path */
    for (const char *p = e->path; *p; p++)
        path = (path ^ (unsigned char)*p) * 1099511628211u;
    path = (path ^ (e->type == TAR_DIR)) * 1099511628211u;
    sha256_add(h, e->path, strlen(e->path) + 1);
    sha256_add(h, numbers, sizeof(numbers));
    if (f && f->target)
        sha256_add(h, f->target, strlen(f->target) + 1);
    sha256_add(h, d.bytes, sizeof(d.bytes));
    sha256_end(h, out);
    ret->path = path;
    memcpy(ret->whole, out, sizeof(ret->whole));
    return OK;
}

struct err stack_marks(const struct layer *l, struct stack_marks *ret, bool *ret_fits) {
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    uint64_t bytes = 0;
    *ret_fits = false;
    for (size_t i = 0; i < l->entries.n; i++) {
        const struct layer_entry *e = l->entries.items[i];
        if (e->link || (e->file && e->file->same))
            return OK;
        bytes += e->file && e->type == TAR_FILE ? e->file->size : 0;
    }
    if (l->entries.n < STACK_ENTRIES_MIN || bytes > STACK_BYTES_MAX)
        return OK;
    for (size_t i = 0; i < l->entries.n; i++)
        TRY(mark_of(h, l->entries.items[i], vec_add(ret)));
    *ret_fits = true;
    return OK;
}

/* --- comparison
 * -------------------------------------------------------------------------------------------- */
void stack_change_done(struct stack_change *c) {
    buf_done(&c->list);
    layer_done(&c->more);
}

struct segment {
    size_t first, keep, add;
};

static void segment_end(struct stack_change *c, struct segment *s) {
    if (s->keep || s->add)
        buf_addf(&c->list, "%zu %zu %zu\n", s->first, s->keep, s->add);
    *s = (struct segment){0};
}

static struct str path_key(const struct stack_mark *m) {
    return str_n(&m->path, sizeof(m->path));
}

bool stack_compare(const struct stack_marks *was, const struct layer *l,
                   const struct stack_marks *is, struct stack_change *ret) {
    CLEAN_MAP struct map places = {0};
    struct segment s = {0};
    size_t next = 0, found = 0;
    uint64_t bytes = 0;
    for (size_t i = 0; i < was->n; i++)
        if (map_set(&places, path_key(&was->items[i]), (void *)(i + 1)))
            return false;
    for (size_t i = 0; i < is->n; i++) {
        size_t at = (size_t)(uintptr_t)map_get(&places, path_key(&is->items[i]));
        found += at != 0;
        if (at && at <= next)
            return false; /* another order */
        if (at && memcmp(was->items[at - 1].whole, is->items[i].whole, 16) == 0) {
            if (s.add || s.first + s.keep != at - 1) {
                segment_end(ret, &s);
                s.first = at - 1;
            }
            s.keep++;
            next = at;
            continue;
        }
        struct layer_entry *e = l->entries.items[i];
        if (!s.keep && !s.add)
            s.first = next;
        s.add++;
        bytes += e->file && e->type == TAR_FILE ? e->file->size : 0;
        vec_push(&ret->more.entries, e);
        map_set(&ret->more.by_path, str_of(e->path), e);
    }
    segment_end(ret, &s);
    return found == was->n && bytes <= STACK_MORE_MAX && ret->more.entries.n <= was->n / 8;
}

/* --- the file
 * ---------------------------------------------------------------------------------------------- */
struct stacks {
    char *path;
    VEC(struct stack_known *) known; /* the last one at the end */
    VEC(struct stack_known *) old;   /* replaced, but a lane may look at them */
    bool changed;
};

static void known_done(struct stack_known *k) {
    free(k->image);
    vec_done(&k->marks);
    free(k);
}

static bool take(struct str *rest, void *p, size_t n) {
    if (rest->len < n)
        return false;
    memcpy(p, rest->p, n);
    *rest = str_from(*rest, n);
    return true;
}

static bool read_known(struct str *rest, struct stack_known *k) {
    uint32_t len, n;
    if (!take(rest, k->copy, KEY_TEXT) || k->copy[KEY_TEXT - 1] || !take(rest, &len, sizeof(len)) ||
        len > DIGEST_TEXT_MAX || len > rest->len)
        return false;
    k->image = str_dup(str_sub(*rest, 0, len));
    *rest = str_from(*rest, len);
    if (!take(rest, &n, sizeof(n)) || n > rest->len / sizeof(struct stack_mark))
        return false;
    for (uint32_t i = 0; i < n; i++) {
        struct stack_mark m;
        take(rest, &m, sizeof(m));
        vec_push(&k->marks, m);
    }
    return true;
}

struct stacks *stacks_open(const char *path) {
    struct stacks *s = NEW(struct stacks);
    CLEAN_BUF struct buf text = {0};
    s->path = mem_strdup(path);
    struct err e = file_read_at(AT_FDCWD, path,
                                STACKS_MAX * SOURCE_FILES_MAX * sizeof(struct stack_mark), &text);
    bool ours = !err_failed(e) && str_starts(buf_str(&text), str_n(magic, sizeof(magic)));
    err_free(e); /* as good as none */
    struct str rest = ours ? str_from(buf_str(&text), sizeof(magic)) : STR_NONE;
    while (rest.len && s->known.n < STACKS_MAX) {
        struct stack_known *k = NEW(struct stack_known);
        if (!read_known(&rest, k)) {
            known_done(k); /* half a file */
            break;
        }
        vec_push(&s->known, k);
    }
    return s;
}

const struct stack_known *stacks_find(struct stacks *s, const char *copy) {
    for (size_t i = 0; i < s->known.n; i++)
        if (strcmp(s->known.items[i]->copy, copy) == 0)
            return s->known.items[i];
    return NULL;
}

void stacks_put(struct stacks *s, const char *copy, const char *image, struct stack_marks *marks) {
    for (size_t i = 0; i < s->known.n; i++)
        if (strcmp(s->known.items[i]->copy, copy) == 0) {
            vec_push(&s->old, s->known.items[i]);
            vec_remove(&s->known, i);
            break;
        }
    struct stack_known *k = NEW(struct stack_known);
    vec_push(&s->known, k);
    snprintf(k->copy, sizeof(k->copy), "%s", copy);
    k->image = mem_strdup(image);
    k->marks = *marks;
    *marks = (struct stack_marks){0};
    s->changed = true;
}

struct err stacks_save(struct stacks *s) {
    CLEAN_BUF struct buf b = {0};
    if (!s->changed)
        return OK;
    buf_add(&b, magic, sizeof(magic));
    for (size_t i = s->known.n > STACKS_MAX ? s->known.n - STACKS_MAX : 0; i < s->known.n; i++) {
        const struct stack_known *k = s->known.items[i];
        uint32_t len = (uint32_t)strlen(k->image), n = (uint32_t)k->marks.n;
        buf_add(&b, k->copy, KEY_TEXT);
        buf_add(&b, &len, sizeof(len));
        buf_add(&b, k->image, len);
        buf_add(&b, &n, sizeof(n));
        buf_add(&b, k->marks.items, n * sizeof(struct stack_mark));
    }
    CLEAN_FREE char *dir = str_dup(path_dir(str_of(s->path)));
    TRY(dir_make(dir, 0700));
    return file_replace(s->path, buf_str(&b), 0600, false);
}

struct stacks *stacks_free(struct stacks *s) {
    if (!s)
        return NULL;
    for (size_t i = 0; i < s->known.n; i++)
        known_done(s->known.items[i]);
    for (size_t i = 0; i < s->old.n; i++)
        known_done(s->old.items[i]);
    vec_done(&s->known);
    vec_done(&s->old);
    free(s->path);
    free(s);
    return NULL;
}
