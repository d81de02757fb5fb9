/* build/cache_import.c - steps of a cache image into the daemon. */
#include "archive/layer_tar.h"
#include "base/file.h"
#include "base/map.h"
#include "build/cache.h"
#include "build/lane.h"
#include "build/reference.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static void map_clean(struct map *m) {
    map_done(m);
}

/* A step image of these layers, with its key. Steps of a chain have the same layers seldom, but
 * several keys may stand for one. */
static struct err adopt_step(struct build *b, const char *image, struct str key,
                             const struct cache_layers *l, struct map *made, unsigned *count) {
    CLEAN_BUF struct buf text = {0};
    char *step = NULL, *keyz = arena_str(b->arena, key);
    TRY(daemon_cache_get(b->client, keyz, b->arena, &step));
    if (step)
        return OK;
    cache_layers_print(l, &text);
    ++*count;
    step = map_get(made, buf_str(&text));
    if (step)
        return daemon_cache_put(b->client, keyz, step);
    TRY(daemon_stack(b->client, "scratch", keyz, image, l->numbers, l->n, b->arena, &step));
    map_set(made, str_of(arena_str(b->arena, buf_str(&text))), step);
    return OK;
}

static struct err adopt_steps(struct build *b, const struct build_base *base, const char *label,
                              size_t layers_n, unsigned *ret_count) {
    OWN(map_clean) struct map made = {0};
    struct str rest = str_of(label), key;
    struct cache_layers layers;
    for (size_t n = 0; n < CACHE_RECORDS_MAX; n++) {
        bool more;
        TRY(cache_next(&rest, layers_n, &key, &layers, &more));
        if (!more)
            return OK;
        TRY(adopt_step(b, base->image, key, &layers, &made, ret_count));
    }
    return err_new(ERR_INVALID, "more than %u steps", CACHE_RECORDS_MAX);
}

static struct err adopt(struct build *b, const char *image, const char *from) {
    struct build_base base = {0};
    struct oci_image_config c;
    unsigned count = 0;
    TRY(daemon_base(b->client, image, b->arena, &base));
    TRY(oci_image_config_parse(base.config, b->arena, &c));
    const char *label = strmap_get(&c.config.labels, CACHE_STEPS_LABEL);
    if (!label)
        return err_new(ERR_NOT_FOUND, "the image has no build cache in it");
    TRY(adopt_steps(b, &base, label, c.rootfs.diff_ids.n, &count));
    return report_text(b->report, "cache from %s: %u steps are new here\n", from, count);
}

/* --- from a registry, or an image that is here --------------------------------------------------
 */
static struct err take_registry(struct build *b, const struct build_cache *from) {
    struct build_base base = {0};
    struct loan loan;
    TRY(loan_take(b, from->name, &loan));
    if (loan.owner && from->local_first)
        return adopt(b, loan.owner, from->name);
    struct err e = base_pull(b, loan.name);
    if (!err_failed(e))
        e = daemon_base(b->client, loan.name, b->arena, &base);
    bool other = !err_failed(e) && (!loan.owner || strcmp(base.image, loan.owner) != 0);
    if (!err_failed(e))
        e = adopt(b, base.image, from->name);
    struct err back = other ? loan_return(b, &loan) : OK;
    if (err_failed(e)) {
        err_ignore(back); /* the first counts */
        return e;
    }
    return back;
}

/* --- from a directory ---------------------------------------------------------------------------
 */
static struct err to_file(void *arg, const void *p, size_t n) {
    int rc = fd_write_all(*(int *)arg, p, n);
    return rc < 0 ? err_errno(rc, "write") : OK;
}

static struct err pack_layout(struct build *b, const char *path, int *ret_fd) {
    CLEAN_FD int dir = -1;
    struct layer_tar done;
    const char *name = arena_printf(b->arena, "%u", context_serial(b->context));
    TRY(dir_open(path, &dir));
    if (faccessat(dir, "oci-layout", F_OK, AT_SYMLINK_NOFOLLOW) != 0)
        return err_new(ERR_NOT_FOUND, "no cache is there");
    CLEAN_FD int fd = openat(b->context->temp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                             0600);
    if (fd < 0 || unlinkat(b->context->temp_fd, name, 0) != 0)
        return err_errno(errno, "make a file for the cache");
    struct tar_sink sink = {to_file, &fd};
    TRY(layer_tar(dir, LAYER_TAR_PLAIN, &sink, &done));
    if (lseek(fd, 0, SEEK_SET) != 0)
        return err_errno(errno, "rewind");
    *ret_fd = TAKE_FD(fd);
    return OK;
}

static ssize_t layout_read(void *arg, void *p, size_t n) {
    ssize_t got = read(*(int *)arg, p, n);
    return got < 0 ? -errno : got;
}

struct loaded {
    struct build *build;
    const char *image;
};

static struct err loaded_message(void *arg, const struct api_message *m) {
    struct loaded *l = arg;
    static const char *const words[] = {"Loaded image ID: ", "Loaded image: "};
    for (size_t i = 0; m->stream && i < ARRAY_LEN(words); i++)
        if (str_starts(str_of(m->stream), str_of(words[i])))
            l->image = arena_str(l->build->arena,
                                 str_trim(str_from(str_of(m->stream), strlen(words[i]))));
    return OK;
}

static struct err take_layout(struct build *b, const struct build_cache *from) {
    CLEAN_FD int fd = -1;
    struct loaded l = {.build = b};
    TRY(pack_layout(b, from->name, &fd));
    struct client_call call = {.method = "POST",
                               .target = "/images/load?quiet=1",
                               .content_type = "application/x-tar",
                               .body_read = layout_read,
                               .body_arg = &fd};
    TRY(client_begin(b->client, &call));
    TRY(client_messages(b->client, loaded_message, &l));
    if (!l.image)
        return err_new(ERR_INVALID, "no image is in it");
    struct err e = adopt(b, l.image, from->name);
    struct err gone = image_forget(b, l.image);
    if (err_failed(e)) {
        err_ignore(gone); /* the first counts */
        return e;
    }
    return gone;
}

/* A cache that cannot be had makes a build slower, not wrong: as the peer, it is said. */
static struct err take(struct build *b, const struct build_cache *from) {
    struct err e = strcmp(from->type, "local") == 0 ? take_layout(b, from) : take_registry(b, from);
    if (!err_failed(e) || err_kind(e) == ERR_CANCELLED)
        return e;
    struct err told = report_text(b->report, "[Warning] cache from %s: %s\n", from->name,
                                  err_msg(e));
    err_free(e); /* was told */
    return told;
}

struct err cache_import(struct build *b) {
    const struct build_cache *from = b->job->cache_from.items;
    for (size_t i = 0; i < b->job->cache_from.n; i++)
        TRY(take(b, &from[i]));
    for (size_t i = 0; i < b->request->cache_from.n; i++)
        TRY(take(b, &(struct build_cache){.type = (char *)"registry",
                                          .name = b->request->cache_from.items[i],
                                          .local_first = true}));
    return OK;
}
