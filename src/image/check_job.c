/* check_job.c - the job "image-check": proves every blob and every layer directory, finds what no
 * row knows, and mends what can be mended.
 *
 * A blob is proved by its digest. A layer is proved by its blob: it is unpacked once more next to
 * it, and the two trees must give the same tar (layer_tar.h), and their roots the same attributes.
 * A layer without a blob must give its diff id, or the tree that an earlier check has proved. All
 * this may go on while containers use the layers: a damaged directory is exchanged in one step. */
#include "archive/layer_tar.h"
#include "base/file.h"
#include "base/path.h"
#include "image/check_tree.h"
#include "image/image.h"
#include "image/jobs.h"
#include "image/protocol.h"
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define ASK_MAX 1000 /* names in one question */

struct store_problem *check_problem(struct check *k, const char *kind, const char *name,
                                    char *what) {
    struct store_problem *p = objs_add(&k->doc.problems, &k->arena, sizeof(*p));
    *p = (struct store_problem){.kind = arena_strz(&k->arena, kind),
                                .name = arena_strz(&k->arena, name),
                                .what = what,
                                .repair = arena_strz(&k->arena, "")};
    return p;
}

static void know(struct check *k, char *path) {
    map_set(&k->known, str_of(path), k);
    free(path);
}

/* --- blobs
 * ------------------------------------------------------------------------------------------- */
static struct err hash_file(int fd, struct check *k, struct digest *ret) {
    static const size_t size = 1u << 20;
    CLEAN_FREE char *buffer = mem_alloc(size);
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    for (;;) {
        ssize_t n = read(fd, buffer, size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_errno(errno, "read a blob");
        if (n == 0)
            break;
        sha256_add(h, buffer, (size_t)n);
        k->doc.bytes += n;
    }
    sha256_end(h, ret->bytes);
    return OK;
}

/* One whose bytes cannot be read (EIO) is damaged. */
static struct err check_blob(struct check *k, const struct json *j) {
    struct digest d, got;
    char text[DIGEST_TEXT_MAX], hex[65];
    uint64_t size = 0;
    CLEAN_FD int fd = -1;
    struct stat st;
    TRY(digest_parse(json_str(json_get(j, "digest")), &d));
    json_u64(json_get(j, "size"), &size);
    digest_text(&d, text);
    digest_hex(&d, hex);
    k->doc.blobs++;
    know(k, mem_printf("blob/sha256/%.2s/%s", hex, hex));
    CLEAN_ERR struct err e = ingest_open_blob(&k->in, &d, &fd);
    if (err_failed(e) || fstat(fd, &st) < 0 || !S_ISREG(st.st_mode))
        check_problem(k, "blob-missing", text, arena_strz(&k->arena, "its file is not there"));
    else if ((uint64_t)st.st_size != size)
        check_problem(k, "blob-truncated", text,
                      arena_printf(&k->arena, "its file has %lld bytes, not %llu",
                                   (long long)st.st_size, (unsigned long long)size));
    else {
        CLEAN_ERR struct err r = hash_file(fd, k, &got);
        if (!err_failed(r) && digest_eq(&got, &d))
            map_set(&k->good, str_of(text), k);
        else
            check_problem(k, "blob-damaged", text,
                          arena_strz(&k->arena,
                                     err_failed(r) ? err_msg(r) : "its bytes have another digest"));
    }
    return OK;
}

/* --- layers
 * ------------------------------------------------------------------------------------------ */
static struct err hash_write(void *arg, const void *p, size_t n) {
    sha256_add(arg, p, n);
    return OK;
}

struct err check_tree_digest(struct check *k, int parent, const char *name, const char *base,
                             struct digest *ret, struct stat *ret_root, bool *ret_there) {
    CLEAN_FD int own = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    struct sha256 *h OWN(sha256_clean) = sha256_new();
    struct tar_sink sink = {hash_write, h};
    struct layer_tar t;
    CLEAN_FD int dir = -1;
    if (own < 0 && (errno == ENOENT || errno == ENOTDIR || errno == ELOOP)) {
        *ret_there = false;
        return OK;
    }
    if (own < 0 || fstat(own, ret_root) < 0)
        return err_errno(errno, "open layer directory");
    TRY(layer_open(parent, name, base, &dir));
    TRY(layer_tar(dir, 0, &sink, &t));
    sha256_end(h, ret->bytes);
    k->doc.bytes += (int64_t)t.bytes;
    *ret_there = true;
    return OK;
}

/* The blob unpacked to INGEST_TREE. *ret_right false: it is the blob of another layer. */
static struct err unpack_reference(struct check *k, const struct digest *blob,
                                   const struct digest *diff_id, bool *ret_right) {
    CLEAN_FD int fd = -1;
    CLEAN_STREAM struct stream *plain = NULL;
    enum compression kind;
    struct ingest_layer l = {0};
    uint64_t entries;
    TRY(ingest_open_blob(&k->in, blob, &fd));
    TRY(inflate_open(stream_fd(fd), 0, &plain, &kind));
    TRY(ingest_fill_unknown(&k->in, &l, INGEST_TREE, plain, false, &entries));
    *ret_right = digest_eq(&l.diff_id, diff_id);
    return OK;
}

static struct err restore(struct check *k, const char *name, bool there) {
    unsigned flags = there ? RENAME_EXCHANGE : RENAME_NOREPLACE;
    if (renameat2(k->in.dir_fd, INGEST_TREE, k->in.layer_fd, name, flags) < 0)
        return err_errno(errno, "move the layer into place");
    return syncfs(k->in.layer_fd) < 0 ? err_errno(errno, "syncfs") : OK;
}

struct subject {
    struct digest diff_id, blob, tree;
    char diff_text[DIGEST_TEXT_MAX];
    char name[16], base[16];
    bool has_blob, has_tree, used;
};

static void tell_tree(struct check *k, const struct subject *s, const struct digest *tree) {
    struct store_tree *t = objs_add(&k->doc.trees, &k->arena, sizeof(*t));
    char text[DIGEST_TEXT_MAX];
    t->diff_id = arena_strz(&k->arena, s->diff_text);
    t->tree = arena_strz(&k->arena, digest_text(tree, text));
}

static struct err compare_with_blob(struct check *k, const struct subject *s) {
    struct digest want, got;
    struct stat want_root, got_root;
    bool right, there, ref;
    TRY(unpack_reference(k, &s->blob, &s->diff_id, &right));
    if (!right) {
        char text[DIGEST_TEXT_MAX];
        check_problem(k, "blob-damaged", digest_text(&s->blob, text),
                      arena_printf(&k->arena, "it is not the blob of layer %s", s->diff_text));
        return OK;
    }
    TRY(check_tree_digest(k, k->in.dir_fd, INGEST_TREE, "", &want, &want_root, &ref));
    CLEAN_ERR struct err e = check_tree_digest(k, k->in.layer_fd, s->name, s->base, &got, &got_root,
                                               &there);
    bool same = !err_failed(e) && there && digest_eq(&want, &got) &&
                want_root.st_mode == got_root.st_mode && want_root.st_uid == got_root.st_uid &&
                want_root.st_gid == got_root.st_gid;
    if (same && !digest_eq(&want, &s->diff_id))
        tell_tree(k, s, &want);
    if (same)
        return OK;
    bool missing = !err_failed(e) && !there;
    struct store_problem *p = check_problem(
        k, missing ? "layer-missing" : "layer-damaged", s->diff_text,
        err_failed(e) ? arena_strz(&k->arena, err_msg(e))
                      : arena_printf(&k->arena,
                                     missing ? "its directory image/layer/%s is not there"
                                             : "image/layer/%s is not what its blob has",
                                     s->name));
    if (k->repair && s->used && !missing)
        p->what = arena_printf(&k->arena, "%s; stop the containers that use it and repair again",
                               p->what);
    if (!k->repair || (s->used && !missing))
        return OK;
    TRYF(restore(k, s->name, !missing), "repair layer %s", s->diff_text);
    p->repair = arena_strz(&k->arena, "unpacked again from its blob");
    return OK;
}

/* Nothing but the directory is left. */
static struct err compare_alone(struct check *k, const struct subject *s) {
    struct digest got;
    struct stat root;
    bool there;
    CLEAN_ERR struct err e = check_tree_digest(k, k->in.layer_fd, s->name, s->base, &got, &root,
                                               &there);
    if (!err_failed(e) && there &&
        (digest_eq(&got, &s->diff_id) || (s->has_tree && digest_eq(&got, &s->tree))))
        return OK;
    bool unproved = !err_failed(e) && there && s->has_blob && !s->has_tree;
    bool missing = !err_failed(e) && !there;
    if (unproved && k->repair) /* its blob goes: from now on it is what it is */
        tell_tree(k, s, &got);
    check_problem(k,
                  unproved  ? "layer-unproved"
                  : missing ? "layer-missing"
                            : "layer-damaged",
                  s->diff_text,
                  err_failed(e)
                      ? arena_strz(&k->arena, err_msg(e))
                      : arena_printf(&k->arena,
                                     unproved  ? "image/layer/%s: its blob is damaged, "
                                                 "nothing is left to compare it with"
                                     : missing ? "its directory image/layer/%s is not there, "
                                                 "and no blob to restore it from"
                                               : "image/layer/%s has changed, and there is no "
                                                 "blob to restore it from",
                                     s->name));
    return OK;
}

static struct err check_layer(struct check *k, const struct json *j) {
    struct subject s = {0};
    struct str name = json_str(json_get(j, "name"));
    struct str blob = json_str(json_get(j, "blob")), tree = json_str(json_get(j, "tree"));
    if (!path_is_name(name) || name.len >= sizeof(s.name))
        return err_new(ERR_INVALID, "layer without a name");
    memcpy(s.name, name.p, name.len);
    struct str base = json_str(json_get(j, "base"));
    snprintf(s.base, sizeof(s.base), "%.*s", STR_ARG(base));
    TRY(digest_parse(json_str(json_get(j, "diff_id")), &s.diff_id));
    digest_text(&s.diff_id, s.diff_text);
    s.has_blob = blob.len > 0;
    s.has_tree = tree.len > 0;
    s.used = json_bool(json_get(j, "used"), true);
    if (s.has_blob)
        TRY(digest_parse(blob, &s.blob));
    if (s.has_tree)
        TRY(digest_parse(tree, &s.tree));
    k->doc.layers++;
    know(k, mem_printf("layer/%s", s.name));
    if (json_bool(json_get(j, "stream"), false))
        know(k, mem_printf("stream/%s", s.name));
    if (!s.has_blob || !map_get(&k->good, blob))
        return compare_alone(k, &s);
    struct err e = compare_with_blob(k, &s);
    struct err gone = dir_remove(k->in.dir_fd, INGEST_TREE);
    if (!err_failed(e))
        return gone;
    err_ignore(gone); /* the job's directory goes in any case */
    return e;
}

/* --- what nobody knows
 * ------------------------------------------------------------------------------- */
static struct err list_unknown(struct check *k, int fd, const char *prefix, struct strv *ret) {
    int copy = openat(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    if (!d) {
        int r = errno;
        fd_close(copy);
        return err_errno(r, "read directory image/%s", prefix);
    }
    struct dirent *e;
    while ((e = readdir(d)) != NULL) {
        CLEAN_FREE char *path = mem_printf("%s%s", prefix, e->d_name);
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0 &&
            !map_getz(&k->known, path))
            strv_add(ret, path);
    }
    closedir(d);
    return OK;
}

/* Rows come before what they name, so what the daemon does not know now was never wanted. */
static struct err ask_about(struct check *k, char *const *paths, size_t n) {
    CLEAN_BUF struct buf body = {0};
    CLEAN_MSG struct msg m = {0};
    for (size_t i = 0; i < n; i++)
        msg_putz(&body, TAG_NAME, paths[i]);
    TRY(worker_ask(k->in.ctx, IMAGE_KNOWN, buf_str(&body), &m));
    struct str rest = m.body, value;
    uint16_t tag;
    for (size_t i = 0; i < n; i++) {
        uint64_t have = 1;
        if (!msg_next(&rest, &tag, &value) || tag != TAG_HAVE || value.len != sizeof(have))
            return err_new(ERR_SYSTEM, "the daemon's answer is too short");
        memcpy(&have, value.p, sizeof(have));
        if (have || faccessat(k->in.root_fd, paths[i], F_OK, AT_SYMLINK_NOFOLLOW) < 0)
            continue;
        struct store_problem *p = check_problem(k, "orphan", paths[i],
                                                arena_strz(&k->arena, "nothing refers to it"));
        if (k->repair) {
            TRYF(dir_remove(k->in.root_fd, paths[i]), "remove %s", paths[i]);
            p->repair = arena_strz(&k->arena, "removed");
        }
    }
    return OK;
}

/* What may lie in the image directory itself. */
static struct err list_top(struct check *k, struct strv *ret) {
    static const char *const top[] = {"layer", "stream", "blob",     "ingest",
                                      "base",  "upload", GROUND_NAME};
    CLEAN_FD int blob = openat(k->in.root_fd, "blob", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEAN_FD int base = openat(k->in.root_fd, "base",
                               O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    for (size_t i = 0; i < ARRAY_LEN(top); i++)
        know(k, mem_strdup(top[i]));
    know(k, mem_strdup("blob/sha256"));
    know(k, mem_strdup("blob/partial"));
    for (int x = 0; x < 256; x++)
        know(k, mem_printf("blob/sha256/%02x", x));
    if (blob < 0)
        return err_errno(errno, "open directory image/blob");
    TRY(list_unknown(k, k->in.root_fd, "", ret));
    TRY(list_unknown(k, blob, "blob/", ret));
    TRY(list_unknown(k, k->in.blob_fd, "blob/sha256/", ret));
    return base < 0 ? OK : list_unknown(k, base, "base/", ret);
}

static struct err find_orphans(struct check *k) {
    CLEAN_STRV struct strv paths = {0};
    TRY(list_top(k, &paths));
    CLEAN_FD int ingest = openat(k->in.root_fd, "ingest", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (ingest < 0)
        return err_errno(errno, "open directory image/ingest");
    TRY(list_unknown(k, k->in.layer_fd, "layer/", &paths));
    TRY(list_unknown(k, ingest, "ingest/", &paths));
    CLEAN_FD int stream = openat(k->in.root_fd, "stream",
                                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (stream >= 0)
        TRY(list_unknown(k, stream, "stream/", &paths));
    CLEAN_FD int partial = openat(k->in.root_fd, "blob/partial",
                                  O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (partial >= 0)
        TRY(list_unknown(k, partial, "blob/partial/", &paths));
    for (int x = 0; x < 256; x++) {
        char name[3], prefix[32];
        snprintf(name, sizeof(name), "%02x", x);
        snprintf(prefix, sizeof(prefix), "blob/sha256/%s/", name);
        CLEAN_FD int fd = openat(k->in.blob_fd, name,
                                 O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0)
            TRY(list_unknown(k, fd, prefix, &paths));
    }
    for (size_t i = 0; i < paths.n; i += ASK_MAX)
        TRY(ask_about(k, paths.items + i, MIN(paths.n - i, (size_t)ASK_MAX)));
    return OK;
}

/* A base cannot be proved by layers that are wrong themselves. */
static bool layers_are_whole(const struct check *k) {
    const struct store_problem *p = k->doc.problems.items;
    for (size_t i = 0; i < k->doc.problems.n; i++)
        if (str_starts(str_of(p[i].kind), STR("layer-")) && !*p[i].repair)
            return false;
    return true;
}

static struct err check_run(struct check *k, struct buf *ret_result) {
    const struct json *blobs = json_get(k->in.args, "blobs");
    const struct json *layers = json_get(k->in.args, "layers");
    const struct json *bases = json_get(k->in.args, "bases");
    k->repair = json_bool(json_get(k->in.args, "repair"), false);
    k->doc.problems.present = true;
    for (size_t i = 0; i < json_len(blobs); i++)
        TRY(check_blob(k, json_at(blobs, i)));
    for (size_t i = 0; i < json_len(layers); i++)
        TRY(check_layer(k, json_at(layers, i)));
    for (size_t i = 0; layers_are_whole(k) && i < json_len(bases); i++)
        TRY(check_base(k, json_at(bases, i)));
    TRY(find_orphans(k));
    fields_print(&store_check_fields, &k->doc, ret_result);
    return OK;
}

struct err image_check_job(struct worker_ctx *ctx, struct str args, const int *fds, size_t fds_n,
                           struct buf *ret_result) {
    struct check k = {0};
    struct err e = ingest_open(ctx, args, fds, fds_n, false, &k.in);
    if (!err_failed(e))
        e = check_run(&k, ret_result);
    ingest_done(&k.in);
    map_done(&k.good);
    map_done(&k.known);
    arena_done(&k.arena);
    return e;
}
