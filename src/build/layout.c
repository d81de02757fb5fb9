/* build/layout.c - OCI image layouts in directories, brought into the daemon. */
#include "archive/layer_tar.h"
#include "base/file.h"
#include "build/lane.h"
#include "build/named.h"
#include "kernel/beneath.h"
#include "spec/oci_image.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define DOCUMENT_MAX (4u << 20)

/* --- all of it ----------------------------------------------------------------------------------
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
        return err_new(ERR_NOT_FOUND, "no image layout is there");
    CLEAN_FD int fd = openat(b->context->temp_fd, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC,
                             0600);
    if (fd < 0 || unlinkat(b->context->temp_fd, name, 0) != 0)
        return err_errno(errno, "make a file for the layout");
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

struct err layout_load(struct build *b, const char *path, const char **ret_image) {
    CLEAN_FD int fd = -1;
    struct loaded l = {.build = b};
    TRY(pack_layout(b, path, &fd));
    struct client_call call = {.method = "POST",
                               .target = "/images/load?quiet=1",
                               .content_type = "application/x-tar",
                               .body_read = layout_read,
                               .body_arg = &fd};
    TRY(client_begin(b->client, &call));
    TRY(client_messages(b->client, loaded_message, &l));
    *ret_image = l.image;
    return OK;
}

/* --- one image of it ----------------------------------------------------------------------------
 */
struct chosen {
    struct str path, name, digest; /* name, digest: empty when not given */
};

/* "DIR:NAME": what follows the last ':' is no part of a path. */
static struct chosen split(struct str value) {
    struct chosen c = {.path = value};
    ssize_t at = str_rfind(value, '@'), colon = str_rfind(value, ':');
    if (at > 0 && str_starts(str_from(value, (size_t)at + 1), STR("sha256:"))) {
        c.path = str_sub(value, 0, (size_t)at);
        c.digest = str_from(value, (size_t)at + 1);
    } else if (colon > str_rfind(value, '/')) {
        c.path = str_sub(value, 0, (size_t)colon);
        c.name = str_from(value, (size_t)colon + 1);
    }
    return c;
}

static struct err read_blob(int dir, const char *digest, struct arena *a, struct str *ret) {
    CLEAN_BUF struct buf text = {0};
    struct digest wanted, got;
    TRY(digest_parse(str_of(digest), &wanted));
    const char *path = arena_printf(a, "blobs/sha256/%s", digest + strlen("sha256:"));
    TRYF(beneath_read(dir, path, DOCUMENT_MAX, &text), "%s", path);
    digest_of(buf_str(&text), &got);
    if (!digest_eq(&wanted, &got))
        return err_new(ERR_INVALID, "%s has another digest", path);
    *ret = str_n(arena_str(a, buf_str(&text)), text.len);
    return OK;
}

static bool is_here(const struct oci_descriptor *d) {
    struct platform here = platform_here();
    return !d->platform || !d->platform->architecture ||
           (strcmp(d->platform->architecture, here.arch) == 0 &&
            (!d->platform->os || strcmp(d->platform->os, here.os) == 0));
}

static bool is_index(const struct oci_descriptor *d) {
    return d->media_type && (str_ends(str_of(d->media_type), STR("image.index.v1+json")) ||
                             str_ends(str_of(d->media_type), STR("manifest.list.v2+json")));
}

/* The manifest of an index that is wanted. */
static struct err choose(const struct oci_index *index, const struct chosen *c,
                         const struct oci_descriptor **ret) {
    const struct oci_descriptor *all = index->manifests.items, *found = NULL;
    size_t n = 0;
    for (size_t i = 0; i < index->manifests.n; i++) {
        const char *name = strmap_get(&all[i].annotations, "org.opencontainers.image.ref.name");
        bool fits = c->digest.len ? str_eqz(c->digest, all[i].digest ? all[i].digest : "")
                    : c->name.len ? name && str_eqz(c->name, name)
                                  : is_here(&all[i]);
        if (!fits)
            continue;
        found = &all[i];
        n++;
    }
    if (n == 0)
        return err_new(ERR_NOT_FOUND, "no such image in the layout");
    if (n > 1)
        return err_new(ERR_INVALID, "%zu images in the layout: name one by :NAME or @DIGEST", n);
    *ret = found;
    return OK;
}

static struct err image_of(int dir, struct chosen *c, struct arena *a, const char **ret) {
    CLEAN_BUF struct buf text = {0};
    const struct oci_descriptor *d;
    struct oci_index index;
    struct oci_manifest manifest;
    struct str document;
    TRY(beneath_read(dir, "index.json", DOCUMENT_MAX, &text));
    TRYF(oci_index_parse(buf_str(&text), a, &index), "index.json");
    TRY(choose(&index, c, &d));
    TRY(read_blob(dir, d->digest, a, &document));
    if (is_index(d)) {
        TRYF(oci_index_parse(document, a, &index), "%s", d->digest);
        TRY(choose(&index, &(struct chosen){0}, &d));
        TRY(read_blob(dir, d->digest, a, &document));
    }
    TRYF(oci_manifest_parse(document, a, &manifest), "%s", d->digest);
    *ret = manifest.config.digest;
    return OK;
}

struct err layout_image(struct build *b, const char *value, const char **ret_image) {
    struct chosen c = split(str_of(value));
    const char *path = arena_str(b->arena, c.path), *any = NULL;
    struct build_base base = {0};
    CLEAN_FD int dir = -1;
    TRYF(dir_open(path, &dir), "layout '%s'", path);
    TRYF(image_of(dir, &c, b->arena, ret_image), "layout '%s'", path);
    struct err e = daemon_base(b->client, *ret_image, b->arena, &base);
    if (err_kind(e) != ERR_NOT_FOUND)
        return e;
    err_free(e); /* not here yet */
    TRYF(layout_load(b, path, &any), "layout '%s'", path);
    return err_wrap(daemon_base(b->client, *ret_image, b->arena, &base), "layout '%s'", path);
}
