#include "cli/docker_archive.h"
#include "archive/inflate.h"
#include "archive/layer_tar.h"
#include "base/base64.h"
#include "base/file.h"
#include "base/map.h"
#include "base/mem.h"
#include "base/sha256.h"
#include "kernel/beneath.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#define LINE_MAX_BYTES (32u << 20) /* of a tar-split: what lies between two files */

/* --- a tar-split ------------------------------------------------------------------------------ */

struct split {               /* being read */
    int dir, split_fd, file; /* file: whose content goes next; -1: none */
    uint64_t file_left;
    struct stream *stream;
    struct buf in, out; /* lines; bytes of the tar that go next */
    size_t sent;
    bool sizes_only; /* files are counted, not opened */
    uint64_t counted;
    bool ended;
};

static void split_close(struct split *s) {
    s->stream = stream_free(s->stream);
    s->file = fd_close(s->file);
    s->dir = fd_close(s->dir);
    s->split_fd = fd_close(s->split_fd);
    buf_done(&s->in);
    buf_done(&s->out);
}

static struct err split_open(const struct docker_root *r, const struct docker_layer *l,
                             struct split *ret) {
    enum compression kind;
    *ret = (struct split){.dir = -1, .split_fd = -1, .file = -1};
    TRYF(beneath_open(r->fd, l->split, O_RDONLY, 0, &ret->split_fd), "'%s'", l->split);
    TRYF(beneath_open(r->fd, l->diff, O_RDONLY | O_DIRECTORY, 0, &ret->dir), "'%s'", l->diff);
    return inflate_open(stream_fd(ret->split_fd), 0, &ret->stream, &kind);
}

/* A line: {"type":1,"name":…,"size":…} is a file's content, {"type":2,"payload":…} bytes. */
static struct err take_line(struct split *s, struct str line) {
    CLEAN_JSON struct json *j = NULL;
    CLEAN_BUF struct buf name = {0};
    int64_t type = 0, size = 0;
    TRY(json_parse(line, &j));
    if (!json_i64(json_get(j, "type"), &type))
        return err_new(ERR_INVALID, "a line without a type");
    if (type == 2)
        return base64_decode(json_str(json_get(j, "payload")), &s->out);
    if (type != 1)
        return err_new(ERR_INVALID, "a line of type %lld", (long long)type);
    json_i64(json_get(j, "size"), &size);
    if (size <= 0)
        return OK;
    s->file_left = (uint64_t)size;
    if (s->sizes_only)
        return OK;
    struct str raw = json_str(json_get(j, "name_raw"));
    if (raw.len)
        TRY(base64_decode(raw, &name));
    else
        buf_add_str(&name, json_str(json_get(j, "name")));
    return beneath_open(s->dir, buf_cstr(&name), O_RDONLY | O_NOFOLLOW, 0, &s->file);
}

/* Goes on to what comes next. */
static struct err split_next(struct split *s) {
    for (;;) {
        char *nl = s->in.len ? memchr(s->in.data, '\n', s->in.len) : NULL;
        if (nl) {
            size_t n = (size_t)(nl - s->in.data);
            struct err e = take_line(s, str_n(s->in.data, n));
            buf_drop(&s->in, n + 1);
            return e;
        }
        size_t got;
        if (s->in.len > LINE_MAX_BYTES)
            return err_new(ERR_INVALID, "a line is too long");
        TRY(stream_read(s->stream, buf_room(&s->in, 65536), 65536, &got));
        buf_added(&s->in, got);
        if (got == 0) {
            s->ended = s->in.len == 0;
            return s->ended ? OK : err_new(ERR_INVALID, "its last line is cut off");
        }
    }
}

static struct err split_read(struct split *s, void *p, size_t n, size_t *ret_n) {
    *ret_n = 0;
    while (s->sent == s->out.len && s->file_left == 0 && !s->ended) {
        buf_clear(&s->out);
        s->sent = 0;
        s->file = fd_close(s->file);
        TRY(split_next(s));
    }
    if (s->sent < s->out.len) {
        *ret_n = MIN(n, s->out.len - s->sent);
        memcpy(p, s->out.data + s->sent, *ret_n);
        s->sent += *ret_n;
    } else if (s->file_left > 0) {
        ssize_t got = read(s->file, p, (size_t)MIN((uint64_t)n, s->file_left));
        if (got <= 0)
            return got < 0 ? err_errno(errno, "read a layer's file")
                           : err_new(ERR_INVALID, "a layer's file is shorter than it was");
        s->file_left -= (uint64_t)got;
        *ret_n = (size_t)got;
    }
    return OK;
}

static struct err split_size(const struct docker_root *r, const struct docker_layer *l,
                             uint64_t *ret) {
    OWN(split_close) struct split s;
    TRYF(split_open(r, l, &s), "layer %s", l->diff_id);
    s.sizes_only = true;
    *ret = 0;
    while (!s.ended) {
        TRYF(split_next(&s), "layer %s", l->diff_id);
        *ret += s.out.len + s.file_left;
        buf_clear(&s.out);
        s.file_left = 0;
    }
    return OK;
}

/* --- the archive ------------------------------------------------------------------------------ */

struct part {
    struct buf bytes;                 /* first */
    const struct docker_layer *layer; /* then one of these, or none */
    int fd;
    uint64_t size; /* of it */
};
struct docker_archive {
    const struct docker_root *root;
    VEC(struct part) parts;
    struct map layers; /* by diff id: is in there */
    struct buf manifest;
    size_t at, sent; /* part, bytes of it */
    uint64_t left;   /* of the layer or file under way */
    struct split split;
    bool splitting;
    struct err error;
};

struct docker_archive *docker_archive_new(const struct docker_root *r) {
    struct docker_archive *x = NEW(struct docker_archive);
    x->root = r;
    return x;
}

void docker_archive_free(struct docker_archive *x) {
    if (!x)
        return;
    for (size_t i = 0; i < x->parts.n; i++) {
        buf_done(&x->parts.items[i].bytes);
        fd_close(x->parts.items[i].fd);
    }
    if (x->splitting)
        split_close(&x->split);
    vec_done(&x->parts);
    map_done(&x->layers);
    buf_done(&x->manifest);
    err_free(x->error);
    free(x);
}

void docker_archive_clean(struct docker_archive **x) {
    docker_archive_free(*x);
}

static struct err into_buf(void *arg, const void *p, size_t n) {
    buf_add(arg, p, n);
    return OK;
}

static struct part *add_part(struct docker_archive *x) {
    struct part *p = vec_add(&x->parts);
    p->fd = -1;
    return p;
}

static struct err put_header(struct buf *to, const char *path, uint64_t size) {
    struct tar_sink sink = {into_buf, to};
    struct tar_entry e = {.type = TAR_FILE, .path = path, .target = "", .size = size, .mode = 0644};
    return tar_put_header(&sink, &e);
}

static struct err put_file(struct docker_archive *x, const char *path, struct str text) {
    struct part *p = add_part(x);
    struct tar_sink sink = {into_buf, &p->bytes};
    TRY(put_header(&p->bytes, path, text.len));
    TRY(tar_put_data(&sink, text.p, text.len));
    return tar_put_padding(&sink, text.len);
}

/* A layer's header, what gives its bytes, and the padding behind it. */
static struct err put_layer(struct docker_archive *x, const char *diff_id,
                            const struct docker_layer *layer, int fd, uint64_t size) {
    CLEAN_FREE char *path = mem_printf("%s/layer.tar", diff_id);
    struct part *p = add_part(x);
    p->layer = layer;
    p->fd = fd;
    p->size = size;
    TRY(put_header(&p->bytes, path, size));
    struct tar_sink sink = {into_buf, &add_part(x)->bytes};
    map_set(&x->layers, str_of(diff_id), x);
    return tar_put_padding(&sink, size);
}

static struct err put_layers(struct docker_archive *x, const struct docker_image *image) {
    for (size_t i = 0; i < image->layers_n; i++) {
        const struct docker_layer *l = &image->layers[i];
        uint64_t size = 0;
        if (map_getz(&x->layers, l->diff_id))
            continue;
        TRY(split_size(x->root, l, &size));
        TRY(put_layer(x, l->diff_id, l, -1, size));
    }
    return OK;
}

static void put_manifest(struct docker_archive *x, const char *config,
                         const struct docker_image *image, const char *more,
                         const struct strs *tags) {
    struct json_out jo = {.out = &x->manifest};
    buf_addc(&x->manifest, x->manifest.len ? ',' : '[');
    jo_obj(&jo);
    CLEAN_FREE char *name = mem_printf("%s.json", config);
    jo_kstr(&jo, "Config", name);
    jo_key(&jo, "RepoTags");
    jo_arr(&jo);
    for (size_t i = 0; i < tags->n; i++)
        jo_strz(&jo, tags->items[i]);
    jo_arr_end(&jo);
    jo_key(&jo, "Layers");
    jo_arr(&jo);
    for (size_t i = 0; i < image->layers_n + (more ? 1 : 0); i++) {
        const char *diff_id = i < image->layers_n ? image->layers[i].diff_id : more;
        CLEAN_FREE char *path = mem_printf("%s/layer.tar", diff_id);
        jo_strz(&jo, path);
    }
    jo_arr_end(&jo);
    jo_obj_end(&jo);
}

struct err docker_archive_add(struct docker_archive *x, const struct docker_image *image) {
    CLEAN_FREE char *path = mem_printf("%s.json", image->id);
    TRYF(put_layers(x, image), "image %s", image->id);
    TRY(put_file(x, path, str_of(image->config)));
    put_manifest(x, image->id, image, NULL, &image->tags);
    return OK;
}

/* --- what a container has written ------------------------------------------------------------- */

struct spool {
    int fd;
    struct sha256 *hash;
    uint64_t size;
};

static struct err into_spool(void *arg, const void *p, size_t n) {
    struct spool *s = arg;
    sha256_add(s->hash, p, n);
    s->size += n;
    int r = fd_write_all(s->fd, p, n);
    return r < 0 ? err_errno(-r, "write to a temporary file") : OK;
}

/* Its directory as the tar of a layer, in a file without a name. */
static struct err spool_changes(int dir, struct spool *s) {
    const char *tmp = getenv("TMPDIR");
    struct layer_tar counts;
    s->fd = open(tmp && *tmp ? tmp : "/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    if (s->fd < 0)
        return err_errno(errno, "make a temporary file");
    s->hash = sha256_new();
    struct tar_sink sink = {into_spool, s};
    return layer_tar(dir, LAYER_TAR_NO_MOUNTPOINTS, &sink, &counts);
}

/* The image's configuration with one layer more. */
static void change_config(const struct docker_image *image, const char *diff_id, const char *name,
                          struct buf *out) {
    CLEAN_JSON struct json *root = NULL;
    err_ignore(json_parse(str_of(image->config), &root)); /* it was read before */
    struct json_out jo = {.out = out};
    struct json_iter it = {0};
    jo_obj(&jo);
    while (json_each(root, &it)) {
        CLEAN_BUF struct buf text = {0};
        jo_keys(&jo, it.key);
        json_print(it.value, &text);
        if (str_eqz(it.key, "rootfs")) {
            buf_clear(&text);
            buf_adds(&text, "{\"type\":\"layers\",\"diff_ids\":[");
            for (size_t i = 0; i < image->layers_n; i++)
                buf_addf(&text, "\"sha256:%s\",", image->layers[i].diff_id);
            buf_addf(&text, "\"sha256:%s\"]}", diff_id);
        } else if (str_eqz(it.key, "history") && json_type(it.value) == JSON_ARRAY) {
            buf_truncate(&text, text.len - 1);
            buf_addf(&text,
                     "%s{\"created\":\"1970-01-01T00:00:00Z\",\"created_by\":\"corten system "
                     "import-docker: what container %s has written\"}]",
                     json_len(it.value) ? "," : "", name);
        }
        jo_raw(&jo, buf_str(&text));
    }
    jo_obj_end(&jo);
}

struct err docker_archive_add_changed(struct docker_archive *x, const struct docker_container *c,
                                      const char *tag, bool *ret_any) {
    CLEAN_FD int dir = -1;
    OWN(sha256_clean) struct sha256 *hash = NULL;
    const struct docker_image *image = docker_image_of(x->root, c->image);
    struct spool s = {.fd = -1};
    struct digest digest;
    char diff_id[65], id[65];
    uint64_t bytes;
    bool empty;
    TRYF(beneath_open(x->root->fd, c->changes, O_RDONLY | O_DIRECTORY, 0, &dir), "'%s'",
         c->changes);
    TRY(layer_size(dir, &bytes, &empty));
    *ret_any = !empty;
    if (empty)
        return OK;
    struct err e = spool_changes(dir, &s);
    CLEAN_FD int fd = s.fd;
    hash = s.hash;
    TRYF(e, "container %s", c->name);
    sha256_end(hash, digest.bytes);
    digest_hex(&digest, diff_id);
    CLEAN_BUF struct buf config = {0};
    change_config(image, diff_id, c->name, &config);
    sha256_of(buf_str(&config), digest.bytes);
    digest_hex(&digest, id);
    CLEAN_FREE char *path = mem_printf("%s.json", id);
    TRY(put_layers(x, image));
    if (!map_getz(&x->layers, diff_id))
        TRY(put_layer(x, diff_id, NULL, TAKE_FD(fd), s.size));
    TRY(put_file(x, path, buf_str(&config)));
    char *tags[] = {(char *)(uintptr_t)tag};
    put_manifest(x, id, image, diff_id, &(struct strs){.items = tags, .n = 1});
    return OK;
}

struct err docker_archive_end(struct docker_archive *x) {
    buf_adds(&x->manifest, x->manifest.len ? "]" : "[]");
    TRY(put_file(x, "manifest.json", buf_str(&x->manifest)));
    struct tar_sink sink = {into_buf, &add_part(x)->bytes};
    return tar_put_end(&sink);
}

/* --- reading it ------------------------------------------------------------------------------- */

static struct err read_some(struct docker_archive *x, void *p, size_t n, size_t *ret_n) {
    for (*ret_n = 0; x->at < x->parts.n; x->at++, x->sent = 0) {
        struct part *now = &x->parts.items[x->at];
        if (x->sent < now->bytes.len) {
            *ret_n = MIN(n, now->bytes.len - x->sent);
            memcpy(p, now->bytes.data + x->sent, *ret_n);
            x->sent += *ret_n;
            if (x->sent == now->bytes.len)
                x->left = now->size;
            return OK;
        }
        if (x->left > 0 && now->layer && !x->splitting) {
            x->splitting = true;
            TRY(split_open(x->root, now->layer, &x->split));
        }
        if (x->left > 0) {
            n = (size_t)MIN((uint64_t)n, x->left);
            ssize_t got = now->layer ? 0 : pread(now->fd, p, n, (off_t)(now->size - x->left));
            if (got < 0)
                return err_errno(errno, "read a temporary file");
            *ret_n = (size_t)got;
            if (now->layer)
                TRYF(split_read(&x->split, p, n, ret_n), "layer %s", now->layer->diff_id);
            if (*ret_n == 0)
                return err_new(ERR_INVALID, "a layer is shorter than it was");
            x->left -= *ret_n;
            return OK;
        }
        if (x->splitting)
            split_close(&x->split);
        x->splitting = false;
    }
    return OK;
}

ssize_t docker_archive_read(void *arg, void *p, size_t n) {
    struct docker_archive *x = arg;
    size_t got;
    x->error = read_some(x, p, n, &got);
    return err_failed(x->error) ? -EIO : (ssize_t)got;
}

struct err docker_archive_error(struct docker_archive *x) {
    struct err e = x->error;
    x->error = OK;
    return e;
}
