/* build/digests.c - the remembered digests of a context's files. */
#include "build/digests.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/path.h"
#include "base/time.h"
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>

static const char magic[8] = "cortenD1";

/* As in the file. */
struct record {
    struct digest_stamp stamp;
    struct digest digest;
};
struct fresh {
    struct fresh *next;
    struct record record;
};
struct digests {
    char *path;
    struct buf text;     /* the file as it was read */
    struct map known;    /* device and inode → struct record in text */
    struct fresh *fresh; /* pushed by any thread */
};

static struct str key_of(const struct digest_stamp *s) {
    _Static_assert(offsetof(struct digest_stamp, ino) == sizeof(uint64_t), "dev and ino are a key");
    return str_n(s, 2 * sizeof(uint64_t));
}

static void index_records(struct digests *d) {
    size_t n = (d->text.len - sizeof(magic)) / sizeof(struct record);
    struct record *all = (struct record *)(void *)(d->text.data + sizeof(magic));
    for (size_t i = 0; i < n; i++)
        map_set(&d->known, key_of(&all[i].stamp), &all[i]);
}

struct digests *digests_open(const char *path) {
    struct digests *d = NEW(struct digests);
    d->path = mem_strdup(path);
    struct err e = file_read_at(AT_FDCWD, path, sizeof(magic) + DIGESTS_MAX * sizeof(struct record),
                                &d->text);
    bool whole = !err_failed(e) && d->text.len >= sizeof(magic) &&
                 memcmp(d->text.data, magic, sizeof(magic)) == 0 &&
                 (d->text.len - sizeof(magic)) % sizeof(struct record) == 0;
    err_free(e); /* as good as none: the files are read */
    if (whole)
        index_records(d);
    else
        buf_clear(&d->text);
    return d;
}

static const struct record *find(const struct digests *d, const struct digest_stamp *s) {
    const struct record *r = map_get(&d->known, key_of(s));
    return r && memcmp(&r->stamp, s, sizeof(*s)) == 0 ? r : NULL;
}

bool digests_find(const struct digests *d, const struct digest_stamp *s, struct digest *ret) {
    const struct record *r = find(d, s);
    if (r)
        *ret = r->digest;
    return r;
}

void digests_add(struct digests *d, const struct digest_stamp *s, const struct digest *digest) {
    int64_t settled = time_now() - DIGESTS_SETTLE;
    if (s->mtime > settled || s->ctime > settled)
        return;
    struct fresh *f = NEW(struct fresh);
    f->record = (struct record){*s, *digest};
    f->next = __atomic_load_n(&d->fresh, __ATOMIC_RELAXED);
    while (!__atomic_compare_exchange_n(&d->fresh, &f->next, f, true, __ATOMIC_RELEASE,
                                        __ATOMIC_RELAXED))
        ;
}

struct err digests_save(struct digests *d) {
    CLEAN_BUF struct buf out = {0};
    CLEAN_MAP struct map written = {0};
    if (!d->fresh)
        return OK;
    buf_add(&out, magic, sizeof(magic));
    size_t n = 0, it = 0;
    for (struct fresh *f = d->fresh; f && n < DIGESTS_MAX; f = f->next) {
        if (map_set(&written, key_of(&f->record.stamp), f))
            continue;
        buf_add(&out, &f->record, sizeof(f->record));
        n++;
    }
    /* Files that this build did not ask for are kept: another Dockerfile may. */
    void *value;
    while (map_next(&d->known, &it, NULL, &value) && n < DIGESTS_MAX) {
        const struct record *r = value;
        if (map_get(&written, key_of(&r->stamp)))
            continue;
        buf_add(&out, r, sizeof(*r));
        n++;
    }
    CLEAN_FREE char *dir = str_dup(path_dir(str_of(d->path)));
    TRY(dir_make(dir, 0700));
    return file_replace(d->path, buf_str(&out), 0600, false);
}

struct digests *digests_free(struct digests *d) {
    if (!d)
        return NULL;
    while (d->fresh) {
        struct fresh *f = d->fresh;
        d->fresh = f->next;
        free(f);
    }
    map_done(&d->known);
    buf_done(&d->text);
    free(d->path);
    free(d);
    return NULL;
}
