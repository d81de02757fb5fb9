/* image/stack.c - a layer from the kept tar of another and from what differs. */
#include "image/stack.h"
#include "base/file.h"
#include "base/map.h"
#include "base/path.h"
#include "kernel/mount.h"
#include "spec/corten_build.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* --- the kept tar
 * ------------------------------------------------------------------------------------------- */
static struct err keep_read(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct stack_keep *k = CONTAINER_OF(s, struct stack_keep, s);
    TRY(stream_read(s->from, p, n, ret_n));
    if (k->failed || *ret_n == 0)
        return OK;
    k->bytes += *ret_n;
    k->failed = k->bytes > STACK_STREAM_MAX || fd_write_all(k->fd, p, *ret_n) < 0;
    return OK;
}

static void keep_done(struct stream *s) {
    struct stack_keep *k = CONTAINER_OF(s, struct stack_keep, s);
    k->fd = fd_close(k->fd);
}

struct err stack_keep_begin(struct ingest *in, struct stack_keep *keep, struct stream *from) {
    *keep = (struct stack_keep){.s = {keep_read, keep_done, from}, .fd = -1};
    struct err e = ingest_file(in, keep->file, &keep->fd);
    if (err_failed(e))
        stream_free(from);
    return e;
}

void stack_keep_end(struct ingest *in, struct stack_keep *keep, uint64_t entries,
                    struct ingest_layer *l) {
    if (keep->failed || entries < STACK_ENTRIES_MIN) {
        (void)unlinkat(in->dir_fd, keep->file, 0); /* else it goes with the job */
        return;
    }
    l->stream = keep->bytes;
    memcpy(l->stream_file, keep->file, sizeof(l->stream_file));
}

/* --- an archive in memory, entry by entry
 * ----------------------------------------------------------------------------------------- */
struct item {
    const char *path; /* clean, no slash at the end */
    enum tar_type type;
    uint64_t size;
    uint64_t begin; /* in the archive */
    bool taken;     /* of the base: it stays; of what is new: it was sent */
};
struct archive {
    struct str bytes;
    VEC(struct item) items; /* and one more: where the last one ends */
    struct map by_path;     /* index + 1 */
};

static void archive_done(struct archive *a) {
    vec_done(&a->items);
    map_done(&a->by_path);
}

static struct err misfit(const char *what, const char *path) {
    return err_new(ERR_CONFLICT, "the layer cannot be stacked: %s: '%s'", what, path);
}

static struct err archive_add(struct archive *a, const struct tar_reader *t,
                              const struct tar_entry *e, struct arena *arena) {
    CLEAN_FREE char *clean = path_clean(str_of(e->path));
    struct item i = {.type = e->type, .size = e->size, .begin = tar_begin(t)};
    struct str path = str_of(e->path);
    if (path.len && path.p[path.len - 1] == '/')
        path.len--;
    i.path = arena_str(arena, path);
    if (strcmp(clean, i.path) != 0 || *clean == '/' || str_starts(path, STR("..")))
        return misfit("a path that is not clean", e->path);
    if (e->type == TAR_LINK)
        return misfit("a hard link", i.path);
    if (str_starts(path_base(path), STR(".wh.")))
        return misfit("a whiteout", i.path);
    if (map_set(&a->by_path, str_of(i.path), (void *)(a->items.n + 1)))
        return misfit("a path twice", i.path);
    vec_push(&a->items, i);
    return OK;
}

/* The rest of an archive that is being read. */
static struct err archive_rest(struct archive *a, struct tar_reader *t, struct arena *arena) {
    const struct tar_entry *e;
    for (;;) {
        TRY(tar_next(t, &e));
        if (!e)
            break;
        TRY(archive_add(a, t, e, arena));
    }
    vec_push(&a->items, ((struct item){.path = "", .begin = tar_begin(t)}));
    return tar_finish(t);
}

static size_t archive_n(const struct archive *a) {
    return a->items.n - 1;
}

static struct str archive_part(const struct archive *a, size_t first, size_t n) {
    uint64_t from = a->items.items[first].begin, to = a->items.items[first + n].begin;
    return str_sub(a->bytes, (size_t)from, (size_t)to);
}

/* --- the layer
 * --------------------------------------------------------------------------------------------- */
/* `keep` entries of the base from `first` on, then `add` new ones. */
struct segment {
    uint64_t first, keep, add;
};
struct stack {
    struct arena arena;
    struct archive base, more;
    struct buf body;
    VEC(struct segment) segments;
    void *map;
    size_t map_len;
    uint64_t size; /* of all files */
};

static void stack_done(struct stack *s) {
    archive_done(&s->base);
    archive_done(&s->more);
    vec_done(&s->segments);
    buf_done(&s->body);
    arena_done(&s->arena);
    if (s->map)
        munmap(s->map, s->map_len);
}

/* Read and hashed side by side. */
static struct err read_base(struct stack *s, const struct digest *diff_id) {
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    CLEAN_STREAM struct stream *tar = NULL;
    struct stream *tee = stream_tee(stream_mem(s->base.bytes), h, NULL);
    struct err e = stream_threaded(tee, &tar);
    if (err_failed(e)) {
        stream_free(tee);
        return e;
    }
    CLEAN_TAR_READER struct tar_reader *t = tar_reader_new(tar);
    TRY(archive_rest(&s->base, t, &s->arena));
    tar = stream_free(tar);
    struct digest got;
    sha256_end(h, got.bytes);
    return digest_eq(&got, diff_id) ? OK
                                    : err_new(ERR_CONFLICT, "the kept tar of the layer is damaged");
}

static struct err open_base(const struct ingest *in, struct stack *s, struct ingest_layer *l) {
    const struct json *j = json_get(in->args, "base");
    struct str name = json_str(json_get(j, "name"));
    struct stat st;
    char path[32];
    if (!path_is_name(name) || name.len >= sizeof(l->base))
        return err_new(ERR_INVALID, "layer without a name");
    snprintf(l->base, sizeof(l->base), "%.*s", STR_ARG(name));
    TRY(digest_parse(json_str(json_get(j, "diff_id")), &l->base_id));
    snprintf(path, sizeof(path), "stream/%s", l->base);
    CLEAN_FD int fd = openat(in->root_fd, path, O_RDONLY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0 || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode) || st.st_size <= 0 ||
        st.st_size > STACK_STREAM_MAX)
        return err_new(ERR_CONFLICT, "the layer's tar was not kept");
    s->map = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (s->map == MAP_FAILED) {
        s->map = NULL;
        return err_errno(errno, "map the kept tar of a layer");
    }
    s->map_len = (size_t)st.st_size;
    s->base.bytes = str_n(s->map, s->map_len);
    struct err e = read_base(s, &l->base_id);
    /* It was written here: what is wrong with it is no fault of the request. */
    return err_kind(e) == ERR_INVALID ? err_as(e, ERR_CONFLICT) : e;
}

static struct err read_segments(struct stack *s, struct str text) {
    struct str line;
    while (str_next(&text, '\n', &line)) {
        struct str number;
        struct segment g;
        uint64_t *const fields[] = {&g.first, &g.keep, &g.add};
        if (line.len == 0)
            continue;
        for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
            if (!str_next(&line, ' ', &number))
                return err_new(ERR_INVALID, "%s: three numbers a line", BUILD_STACK_LIST);
            TRYF(str_to_u64(number, UINT32_MAX, fields[i]), BUILD_STACK_LIST);
        }
        vec_push(&s->segments, g);
    }
    return OK;
}

static struct err read_body(struct ingest *in, struct stack *s) {
    CLEAN_STREAM struct stream *body = stream_limit(ingest_body(in), STACK_BODY_MAX,
                                                    "what differs of a layer");
    const struct tar_entry *e;
    size_t n;
    do {
        char *p = buf_room(&s->body, 256 << 10);
        TRY(stream_read(body, p, 256 << 10, &n));
        buf_added(&s->body, n);
    } while (n > 0);
    s->more.bytes = buf_str(&s->body);
    CLEAN_STREAM struct stream *bytes = stream_mem(s->more.bytes);
    CLEAN_TAR_READER struct tar_reader *t = tar_reader_new(bytes);
    CLEAN_BUF struct buf list = {0};
    TRY(tar_next(t, &e));
    if (!e || strcmp(e->path, BUILD_STACK_LIST) != 0 || e->type != TAR_FILE)
        return err_new(ERR_INVALID, "the first entry must be " BUILD_STACK_LIST);
    TRY(tar_read_all(t, STACK_BODY_MAX, &list));
    TRY(read_segments(s, buf_str(&list)));
    return archive_rest(&s->more, t, &s->arena);
}

/* Every entry of the base stays once, in its order, or has one of its kind in its place. */
static struct err check_segments(struct stack *s) {
    uint64_t at = 0, added = 0, kept = 0, replaced = 0;
    for (size_t i = 0; i < s->segments.n; i++) {
        const struct segment *g = &s->segments.items[i];
        if (g->first < at || g->first + g->keep > archive_n(&s->base))
            return err_new(ERR_INVALID, BUILD_STACK_LIST ": entries out of order");
        for (uint64_t k = g->first; k < g->first + g->keep; k++) {
            s->base.items.items[k].taken = true;
            s->size += s->base.items.items[k].size;
        }
        at = g->first + g->keep;
        kept += g->keep;
        added += g->add;
    }
    if (added != archive_n(&s->more))
        return err_new(ERR_INVALID, BUILD_STACK_LIST ": not the number of entries that came");
    for (size_t i = 0; i < archive_n(&s->more); i++) {
        const struct item *is = &s->more.items.items[i];
        uintptr_t n = (uintptr_t)map_getz(&s->base.by_path, is->path);
        const struct item *was = n ? &s->base.items.items[n - 1] : NULL;
        s->size += is->size;
        if (was && was->taken)
            return misfit("a path twice", is->path);
        if (was && (was->type == TAR_DIR) != (is->type == TAR_DIR))
            return misfit("it was or is a directory", is->path);
        replaced += was != NULL;
    }
    return kept + replaced == archive_n(&s->base)
               ? OK
               : err_new(ERR_CONFLICT, "the layer cannot be stacked: something of it is gone");
}

static void hash_part(struct sha256 *h, struct str part) {
    sha256_add(h, part.p, part.len);
}

static void hash_whole(const struct stack *s, struct digest *ret) {
    static const char end[2 * TAR_BLOCK];
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    uint64_t at = 0;
    for (size_t i = 0; i < s->segments.n; i++) {
        const struct segment *g = &s->segments.items[i];
        hash_part(h, archive_part(&s->base, g->first, g->keep));
        hash_part(h, archive_part(&s->more, at, g->add));
        at += g->add;
    }
    hash_part(h, str_n(end, sizeof(end)));
    sha256_end(h, ret->bytes);
}

/* The directories above an entry of its own: those that stay are entries of the base. */
static struct err put_above(struct stack *s, const struct item *is, struct map *put,
                            struct buf *own) {
    struct str path = str_of(is->path);
    for (size_t i = 1; i < path.len; i++) {
        if (path.p[i] != '/')
            continue;
        struct str dir = str_sub(path, 0, i);
        if (map_set(put, dir, s))
            continue; /* by an entry before */
        uintptr_t n = (uintptr_t)map_get(&s->base.by_path, dir);
        const struct item *was = n ? &s->base.items.items[n - 1] : NULL;
        if (!was || !was->taken || was->type != TAR_DIR)
            return misfit("no directory above it", is->path);
        buf_add_str(own, archive_part(&s->base, n - 1, 1));
    }
    map_set(put, path, s);
    return OK;
}

static struct err unpack_own(struct ingest *in, struct stack *s, struct ingest_layer *l) {
    CLEAN_BUF struct buf own = {0};
    CLEAN_MAP struct map put = {0};
    struct extracted x;
    for (size_t i = 0; i < archive_n(&s->more); i++) {
        TRY(put_above(s, &s->more.items.items[i], &put, &own));
        buf_add_str(&own, archive_part(&s->more, i, 1));
    }
    CLEAN_STREAM struct stream *tar = stream_mem(buf_str(&own));
    TRY(ingest_unpack(in, INGEST_TREE, tar, &x));
    l->own = x.bytes;
    return OK;
}

struct err stack_fill(struct ingest *in, struct ingest_layer *l, uint64_t *ret_entries) {
    OWN(stack_done) struct stack s = {0};
    if (!in->body)
        return err_new(ERR_INVALID, "image commit without its archive");
    TRY(read_body(in, &s));
    TRY(open_base(in, &s, l));
    TRY(check_segments(&s));
    hash_whole(&s, &l->diff_id);
    TRY(unpack_own(in, &s, l));
    l->size = s.size;
    *ret_entries = archive_n(&s.base) + archive_n(&s.more);
    return OK;
}

/* --- reading one
 * ------------------------------------------------------------------------------------------ */
struct err layer_open(int layers_fd, const char *name, const char *base, int *ret_fd) {
    const char *names[] = {name, base};
    struct mount_overlay o = {
        .layers_fd = layers_fd, .layers = names, .layers_n = 2, .upper_fd = -1, .work_fd = -1};
    CLEAN_FD int tree = -1;
    if (*base)
        TRY(mount_overlay_detached(&o, &tree));
    int fd = openat(*base ? tree : layers_fd, *base ? "." : name,
                    O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return err_errno(errno, "open layer directory");
    *ret_fd = fd;
    return OK;
}

struct err ingest_open_layer(const struct ingest *in, const char *name, const char *base,
                             int *ret_fd) {
    return layer_open(in->layer_fd, name, base, ret_fd);
}
