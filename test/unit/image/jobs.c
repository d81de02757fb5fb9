/* Load, save, import, commit, tag, remove: through the real worker. */
#include "archive/layer_tar.h"
#include "archive/tar_write.h"
#include "base/time.h"
#include "harness.h"
#include <errno.h>

static struct err to_buf(void *arg, const void *p, size_t n) {
    buf_add(arg, p, n);
    return OK;
}

static void put(struct buf *b, enum tar_type type, const char *path, const char *data,
                const char *target) {
    struct tar_sink s = {to_buf, b};
    struct tar_entry e = {.type = type,
                          .path = path,
                          .target = target ? target : "",
                          .size = data ? strlen(data) : 0,
                          .mode = type == TAR_DIR ? 0755 : 0644};
    assert_ok(tar_put_header(&s, &e));
    if (data) {
        assert_ok(tar_put_data(&s, data, e.size));
        assert_ok(tar_put_padding(&s, e.size));
    }
}

static void end(struct buf *b) {
    assert_ok(tar_put_end(&(struct tar_sink){to_buf, b}));
}

/* A layer of a few files; what makes it differ from others is `word`. */
static void small_layer(struct buf *b, const char *word) {
    put(b, TAR_DIR, "etc/", NULL, NULL);
    put(b, TAR_FILE, "etc/word", word, NULL);
    put(b, TAR_SYMLINK, "link", NULL, "etc/word");
    end(b);
}

static void add_member(struct buf *b, const char *path, struct str data) {
    assert_ok(tar_put_file(&(struct tar_sink){to_buf, b}, path, data, 0));
}

struct recipe {
    const char *tag;       /* NULL: none */
    const char *layers[3]; /* words */
    size_t n;
    const char *bad_diff_id; /* in place of the first one */
};

/* docker-archive of one image as `docker save` wrote it before OCI. */
static void make_archive(struct buf *out, const struct recipe *r) {
    CLEAN_BUF struct buf config = {0}, manifest = {0}, ids = {0}, paths = {0};
    for (size_t i = 0; i < r->n; i++) {
        CLEAN_BUF struct buf layer = {0};
        struct digest d;
        char text[DIGEST_TEXT_MAX], path[64];
        small_layer(&layer, r->layers[i]);
        digest_of(buf_str(&layer), &d);
        buf_addf(&ids, "%s\"%s\"", i ? "," : "",
                 i == 0 && r->bad_diff_id ? r->bad_diff_id : digest_text(&d, text));
        snprintf(path, sizeof(path), "%zu/layer.tar", i);
        buf_addf(&paths, "%s\"%s\"", i ? "," : "", path);
        add_member(out, path, buf_str(&layer));
    }
    buf_addf(
        &config,
        "{\"architecture\":\"" PLATFORM_ARCHITECTURE "\",\"os\":\"linux\",\"created\":"
        "\"2024-01-02T03:04:05Z\",\"config\":{\"Cmd\":[\"sh\"]},\"rootfs\":{\"type\":\"layers\","
        "\"diff_ids\":[%s]}}",
        buf_cstr(&ids));
    buf_addf(&manifest, "[{\"Config\":\"c.json\",\"RepoTags\":[%s%s%s],\"Layers\":[%s]}]",
             r->tag ? "\"" : "", r->tag ? r->tag : "", r->tag ? "\"" : "", buf_cstr(&paths));
    add_member(out, "c.json", buf_str(&config));
    add_member(out, "manifest.json", buf_str(&manifest));
    end(out);
}

static enum err_kind load(struct house *h, const struct buf *archive, struct client *c) {
    client_open(h, c, buf_str(archive));
    image_load(h->images, &c->taken, false, NULL, client_done, c);
    client_wait(c);
    return c->kind;
}

static void load_recipe(struct house *h, const struct recipe *r) {
    CLEAN_BUF struct buf archive = {0};
    struct client c;
    make_archive(&archive, r);
    if (load(h, &archive, &c) != ERR_OK)
        fail_msg("%s\n%s", c.message, buf_cstr(&c.answer));
    client_close(&c);
}

static bool answered(const struct client *c, const char *text) {
    return str_find_str(buf_str(&c->answer), str_of(text)) >= 0;
}

/* Names in a directory below image/ of the data root. */
static size_t count_entries(const struct house *h, const char *sub) {
    char path[256];
    snprintf(path, sizeof(path), "%s/image/%s", h->root, sub);
    CLEAN_FD
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct layer_tar t;
    CLEAN_BUF struct buf out = {0};
    assert_ok(layer_tar(fd, LAYER_TAR_PLAIN, &(struct tar_sink){to_buf, &out}, &t));
    return t.entries;
}

TEST(load_a_docker_archive) {
    struct house h;
    house_open(&h);
    CLEAN_BUF struct buf archive = {0};
    struct client c;
    make_archive(&archive, &(struct recipe){"busybox:1", {"one", "two"}, 2, NULL});
    assert_int_equal(load(&h, &archive, &c), ERR_OK);
    assert_true(answered(&c, "HTTP/1.1 200"));
    assert_true(answered(&c, "Loaded image: busybox:1\\n"));
    assert_true(answered(&c, "Loading layer"));
    client_close(&c);
    struct image *i = must_find(&h, "busybox:1");
    assert_int_equal(i->layers_n, 2);
    assert_int_equal(i->size, 6);
    assert_true(i->created == INT64_C(1704164645) * NSEC_PER_SEC);
    assert_string_equal(image_config(i)->config.cmd.items[0], "sh");
    assert_ptr_equal(must_find(&h, i->id_text + 7), i);
    char prefix[13];
    snprintf(prefix, sizeof(prefix), "%.12s", i->id_text + 7);
    assert_ptr_equal(must_find(&h, prefix), i);
    CLEAN_ARENA struct arena a = {0};
    const char *const *names;
    size_t n;
    assert_ok(image_layer_names(i, &a, &names, &n));
    assert_int_equal(n, 2);
    CLEAN_BUF struct buf text = {0};
    CLEAN_FREE
    char *path = mem_printf("%s/etc/word", names[0]);
    assert_ok(file_read_at(images_layers_dirfd(h.images), path, 10, &text));
    assert_string_equal(buf_cstr(&text), "two");
    uint64_t layers, blobs;
    images_usage(h.images, &layers, &blobs);
    assert_true(layers == 6 && blobs > 0);
    /* Again: nothing new. */
    assert_int_equal(load(&h, &archive, &c), ERR_OK);
    client_close(&c);
    assert_int_equal(images_count(h.images), 1);
    house_settle(&h, 100 * NSEC_PER_MSEC);
    assert_int_equal(count_entries(&h, "ingest"), 0);
    house_close(&h);
}

TEST(facts_survive_a_restart) {
    struct house h;
    house_open(&h);
    load_recipe(&h, &(struct recipe){"a:1", {"one"}, 1, NULL});
    load_recipe(&h, &(struct recipe){"b:1", {"one", "two"}, 2, NULL});
    char id[DIGEST_TEXT_MAX];
    memcpy(id, must_find(&h, "a:1")->id_text, sizeof(id));
    house_shut(&h);
    house_open_again(&h);
    assert_int_equal(images_count(h.images), 2);
    assert_string_equal(must_find(&h, "a:1")->id_text, id);
    assert_ptr_equal(must_find(&h, "a:1")->layers[0], must_find(&h, "b:1")->layers[0]);
    house_close(&h);
}

TEST(archives_that_lie) {
    struct house h;
    house_open(&h);
    struct client c;
    CLEAN_BUF struct buf archive = {0};
    make_archive(&archive,
                 &(struct recipe){
                     "x:1",
                     {"one"},
                     1,
                     "sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"});
    assert_int_equal(load(&h, &archive, &c), ERR_INVALID);
    assert_true(answered(&c, "{\"errorDetail\":{\"message\":\"layer 1: layer has another diff id"));
    assert_true(answered(&c, "\r\n0\r\n\r\n"));
    client_close(&c);
    buf_clear(&archive);
    buf_adds(&archive,
             "this is not an archive at all, but it is text that goes on for a while, longer "
             "than a block of a tar would be, so that a header is there to be looked at and "
             "found to be none, because its checksum is not right, which is what the reader "
             "must say in the end. Some more words are needed to come to five hundred and "
             "twelve bytes, which is the size of a block in an archive, so here they are, "
             "and a few more, and then it is enough of them for this purpose, surely now.");
    assert_int_equal(load(&h, &archive, &c), ERR_INVALID);
    assert_true(answered(&c, "HTTP/1.1 200") && answered(&c, "{\"errorDetail\":{\"message\":"));
    client_close(&c);
    buf_clear(&archive);
    add_member(&archive, "../../manifest.json", STR("[]"));
    end(&archive);
    assert_int_equal(load(&h, &archive, &c), ERR_INVALID);
    client_close(&c);
    buf_clear(&archive);
    add_member(&archive, "manifest.json", STR("[{\"Config\":\"../x\",\"Layers\":[]}]"));
    end(&archive);
    assert_int_equal(load(&h, &archive, &c), ERR_INVALID);
    client_close(&c);
    assert_int_equal(images_count(h.images), 0);
    house_settle(&h, 300 * NSEC_PER_MSEC);
    assert_int_equal(count_entries(&h, "ingest"), 0);
    assert_int_equal(count_entries(&h, "layer"), 0);
    house_close(&h);
}

TEST(a_client_that_leaves) {
    struct house h;
    house_open(&h);
    struct client c;
    client_open(&h, &c, STR("not all"));
    c.taken.body.remaining = 1 << 20;
    image_load(h.images, &c.taken, false, NULL, client_done, &c);
    house_settle(&h, 100 * NSEC_PER_MSEC);
    close(c.peer);
    int64_t before = time_monotonic();
    while (!c.done && time_monotonic() < before + 5 * NSEC_PER_SEC)
        loop_step(h.loop);
    assert_true(c.done);
    assert_int_equal(c.kind, ERR_CANCELLED);
    house_settle(&h, 200 * NSEC_PER_MSEC);
    assert_int_equal(count_entries(&h, "ingest"), 0);
    buf_done(&c.answer);
    house_close(&h);
}

/* The answer's body without its chunk framing. */
static void body_of(const struct client *c, struct buf *out) {
    struct str rest = buf_str(&c->answer);
    rest = str_from(rest, (size_t)str_find_str(rest, STR("\r\n\r\n")) + 4);
    for (;;) {
        size_t n = strtoul(rest.p, NULL, 16);
        rest = str_from(rest, (size_t)str_find(rest, '\n') + 1);
        if (n == 0)
            return;
        buf_add(out, rest.p, n);
        rest = str_from(rest, n + 2);
    }
}

TEST(save_and_load_again) {
    struct house h, other;
    house_open(&h);
    house_open(&other);
    load_recipe(&h, &(struct recipe){"a:1", {"one", "two"}, 2, NULL});
    char id[DIGEST_TEXT_MAX];
    memcpy(id, must_find(&h, "a:1")->id_text, sizeof(id));
    struct client c, d;
    CLEAN_STRV struct strv refs = {0};
    strv_add(&refs, "a");
    client_open(&h, &c, STR_NONE);
    c.taken.body.framing = HTTP_BODY_NONE;
    image_save(h.images, &c.taken, &refs, client_done, &c);
    client_wait(&c);
    assert_int_equal(c.kind, ERR_OK);
    CLEAN_BUF struct buf archive = {0};
    body_of(&c, &archive);
    client_close(&c);
    assert_int_equal(load(&other, &archive, &d), ERR_OK);
    client_close(&d);
    assert_string_equal(must_find(&other, "a:1")->id_text, id);
    /* By id: no names. */
    strv_done(&refs);
    strv_add(&refs, id);
    client_open(&h, &c, STR_NONE);
    image_save(h.images, &c.taken, &refs, client_done, &c);
    client_wait(&c);
    assert_true(answered(&c, "\"RepoTags\":[]"));
    client_close(&c);
    strv_add(&refs, "nobody");
    client_open(&h, &c, STR_NONE);
    image_save(h.images, &c.taken, &refs, client_done, &c);
    client_wait(&c);
    assert_true(answered(&c, "HTTP/1.1 404") && answered(&c, "No such image: nobody:latest"));
    client_close(&c);
    house_close(&h);
    house_close(&other);
}

static void import(struct house *h, const char *repo, const struct buf *tar) {
    struct client c;
    client_open(h, &c, buf_str(tar));
    struct image_import o = {.repo = repo, .config = STR("{\"Cmd\":[\"/bin/x\"]}")};
    image_import(h->images, &c.taken, &o, client_done, &c);
    client_wait(&c);
    if (c.kind != ERR_OK)
        fail_msg("%s", c.message);
    assert_true(answered(&c, "{\"status\":\"sha256:"));
    client_close(&c);
}

TEST(import_a_tree) {
    struct house h;
    house_open(&h);
    CLEAN_BUF struct buf tar = {0};
    small_layer(&tar, "imported");
    import(&h, "mine:v", &tar);
    struct image *i = must_find(&h, "mine:v");
    assert_int_equal(i->layers_n, 1);
    assert_string_equal(image_config(i)->config.cmd.items[0], "/bin/x");
    assert_int_equal(image_config(i)->history.n, 1);
    house_close(&h);
}

struct made {
    bool done;
    struct image *image;
    enum err_kind kind;
};

static void image_made(void *arg, struct image *i, struct err e) {
    struct made *m = arg;
    m->done = true;
    m->image = i;
    m->kind = err_kind(e);
    if (err_failed(e))
        fprintf(stderr, "# commit: %s\n", err_msg(e));
    err_free(e);
}

static struct made commit(struct house *h, const struct image_commit *c) {
    struct made m = {0};
    int64_t end_at = time_monotonic() + 30 * NSEC_PER_SEC;
    image_commit(h->images, c, image_made, &m);
    while (!m.done && time_monotonic() < end_at)
        loop_step(h->loop);
    assert_true(m.done);
    return m;
}

static int make_upper(struct house *h, const char *text) {
    char path[128];
    snprintf(path, sizeof(path), "%s/box", h->root);
    assert_true(mkdir(path, 0700) == 0 || errno == EEXIST);
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(fd, "upper", 0755), 0);
    assert_int_equal(mkdirat(fd, "upper/etc", 0755), 0);
    assert_int_equal(mkdirat(fd, "upper/proc", 0555), 0);
    assert_int_equal(mknodat(fd, "upper/gone", S_IFCHR, 0), 0);
    int f = openat(fd, "upper/etc/hosts", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
    close(f);
    if (text) {
        f = openat(fd, "upper/new", O_CREAT | O_WRONLY | O_CLOEXEC, 0644);
        assert_int_equal(write(f, text, strlen(text)), strlen(text));
        close(f);
    } else {
        assert_int_equal(unlinkat(fd, "upper/gone", 0), 0);
    }
    return fd;
}

TEST(commit_a_container) {
    struct house h;
    house_open(&h);
    load_recipe(&h, &(struct recipe){"base:1", {"one"}, 1, NULL});
    struct image *base = must_find(&h, "base:1");
    CLEAN_FD
    int dir = make_upper(&h, "changed");
    struct reference tag;
    assert_ok(reference_parse(STR("made"), &tag));
    struct image_commit c = {.parent = base,
                             .upper_dirfd = dir,
                             .upper = "upper",
                             .tar_fd = -1,
                             .config = STR("{\"Cmd\":[\"y\"]}"),
                             .comment = "a comment",
                             .created_by = "sh",
                             .tags = &tag,
                             .tags_n = 1};
    struct made m = commit(&h, &c);
    assert_int_equal(m.kind, ERR_OK);
    assert_ptr_equal(m.image, must_find(&h, "made:latest"));
    assert_int_equal(m.image->layers_n, 2);
    assert_ptr_equal(m.image->parent, base);
    assert_int_equal(image_config(m.image)->history.n, 1);
    char path[64];
    struct stat st;
    snprintf(path, sizeof(path), "%s/gone", m.image->layers[1]->name);
    assert_int_equal(fstatat(images_layers_dirfd(h.images), path, &st, 0), 0);
    assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
    snprintf(path, sizeof(path), "%s/etc/hosts", m.image->layers[1]->name);
    assert_int_equal(fstatat(images_layers_dirfd(h.images), path, &st, 0), -1);
    assert_int_equal(faccessat(dir, "upper/new", F_OK, 0), 0); /* copied: still the container's */
    /* Its layer has no blob; saving makes one, with the same diff id. */
    struct client k;
    CLEAN_STRV struct strv refs = {0};
    strv_add(&refs, "made");
    client_open(&h, &k, STR_NONE);
    image_save(h.images, &k.taken, &refs, client_done, &k);
    client_wait(&k);
    assert_int_equal(k.kind, ERR_OK);
    client_close(&k);
    house_close(&h);
}

TEST(steps_of_a_build) {
    struct house h;
    house_open(&h);
    load_recipe(&h, &(struct recipe){"base:1", {"one"}, 1, NULL});
    struct image *base = must_find(&h, "base:1");
    CLEAN_FD
    int dir = make_upper(&h, "changed");
    struct image_commit c = {.parent = base,
                             .upper_dirfd = dir,
                             .upper = "upper",
                             .tar_fd = -1,
                             .adopt = true,
                             .drop_empty = true,
                             .step = true,
                             .cache_key = "k1"};
    struct made m = commit(&h, &c);
    assert_int_equal(m.kind, ERR_OK);
    assert_true(m.image->step);
    assert_ptr_equal(image_cache_get(h.images, STR("k1")), m.image);
    assert_int_equal(faccessat(dir, "upper", F_OK, 0), -1); /* moved */
    char path[64];
    snprintf(path, sizeof(path), "%s/etc", m.image->layers[1]->name);
    assert_int_equal(faccessat(images_layers_dirfd(h.images), path, F_OK, 0), -1);
    /* Nothing written: the parent comes back, and the key says so. */
    CLEAN_FD
    int dir2 = make_upper(&h, NULL);
    c.upper_dirfd = dir2;
    c.parent = m.image;
    c.cache_key = "k2";
    struct made same = commit(&h, &c);
    assert_ptr_equal(same.image, m.image);
    assert_ptr_equal(image_cache_get(h.images, STR("k2")), m.image);
    /* The result: a whole document on those layers. */
    struct image_commit d = {
        .parent = m.image,
        .upper_dirfd = -1,
        .tar_fd = -1,
        .document = STR("{\"created\":\"2020-01-01T00:00:00Z\",\"config\":{"
                        "\"Cmd\":[\"z\"]},\"history\":[{},{\"empty_layer\":true},"
                        "{}]}")};
    struct made result = commit(&h, &d);
    assert_int_equal(result.kind, ERR_OK);
    assert_int_equal(result.image->layers_n, 2);
    assert_false(result.image->step);
    d.document = STR("{\"config\":{},\"history\":[{}]}");
    assert_int_equal(commit(&h, &d).kind, ERR_INVALID);
    house_shut(&h);
    house_open_again(&h);
    assert_non_null(image_cache_get(h.images, STR("k2")));
    assert_true(image_cache_get(h.images, STR("k2"))->step);
    house_close(&h);
}

/* --- tags and removing
 * ------------------------------------------------------------------------------- */
struct removed {
    bool done;
    enum err_kind kind;
    char message[256];
    char list[1024];
};

static void was_removed(void *arg, const struct image_removals *r, struct err e) {
    struct removed *v = arg;
    v->done = true;
    v->kind = err_kind(e);
    snprintf(v->message, sizeof(v->message), "%s", err_msg(e));
    for (size_t i = 0; i < r->n; i++) {
        size_t n = strlen(v->list);
        snprintf(v->list + n, sizeof(v->list) - n, "%s %.19s\n",
                 r->items[i].untagged ? "untagged" : "deleted",
                 r->items[i].untagged ? r->items[i].untagged : r->items[i].deleted);
    }
    err_free(e);
}

static struct removed rm(struct house *h, const char *ref, bool force) {
    struct removed v = {0};
    image_remove(h->images, str_of(ref), force, false, was_removed, &v);
    for (int i = 0; i < 5000 && !v.done; i++) {
        loop_step(h->loop);
        usleep(500);
    }
    assert_true(v.done);
    return v;
}

static void tag(struct house *h, struct image *i, const char *text) {
    struct reference r;
    struct client c = {0};
    assert_ok(reference_parse(str_of(text), &r));
    image_tag(h->images, i, &r, client_done, &c);
    for (int n = 0; n < 5000 && !c.done; n++) {
        loop_step(h->loop);
        usleep(500);
    }
    assert_true(c.done && c.kind == ERR_OK);
}

TEST(rules_of_removing) {
    struct house h;
    house_open(&h);
    load_recipe(&h, &(struct recipe){"a:1", {"one"}, 1, NULL});
    struct image *i = must_find(&h, "a:1");
    char id[65], expected[256];
    snprintf(id, sizeof(id), "%s", i->id_text + 7);
    tag(&h, i, "b:2");
    struct removed v = rm(&h, id, false);
    assert_int_equal(v.kind, ERR_CONFLICT);
    snprintf(expected, sizeof(expected),
             "conflict: unable to delete %.12s (must be forced) - image is "
             "referenced in multiple repositories",
             id);
    assert_string_equal(v.message, expected);
    v = rm(&h, "b:2", false);
    assert_string_equal(v.list, "untagged b:2\n");
    struct image_hold hold = {.container_id = "c0ffee000000ffff", .running = true};
    image_hold(i, &hold);
    v = rm(&h, "a:1", false);
    snprintf(expected, sizeof(expected),
             "conflict: unable to remove repository reference \"a:1\" (must "
             "force) - container c0ffee000000 is using its referenced image "
             "%.12s",
             id);
    assert_string_equal(v.message, expected);
    v = rm(&h, id, true);
    snprintf(expected, sizeof(expected),
             "conflict: unable to delete %.12s (cannot be forced) - image is "
             "being used by running container c0ffee000000",
             id);
    assert_string_equal(v.message, expected);
    hold.running = false;
    v = rm(&h, id, false);
    snprintf(expected, sizeof(expected),
             "conflict: unable to delete %.12s (must be forced) - image is "
             "being used by stopped container c0ffee000000",
             id);
    assert_string_equal(v.message, expected);
    v = rm(&h, id, true);
    assert_int_equal(v.kind, ERR_OK);
    assert_non_null(strstr(v.list, "untagged a:1\ndeleted sha256:"));
    assert_int_equal(images_count(h.images), 0);
    /* Hidden, but its layers are there for the container. */
    assert_ptr_equal(image_by_id(h.images, str_of(id)), i);
    CLEAN_ARENA struct arena a = {0};
    const char *const *names;
    size_t n;
    assert_ok(image_layer_names(i, &a, &names, &n));
    assert_int_equal(faccessat(images_layers_dirfd(h.images), names[0], F_OK, 0), 0);
    image_unhold(h.images, &hold);
    house_settle(&h, 300 * NSEC_PER_MSEC);
    assert_null(image_by_id(h.images, str_of(id)));
    assert_int_equal(faccessat(images_layers_dirfd(h.images), names[0], F_OK, 0), -1);
    v = rm(&h, "a:1", false);
    assert_int_equal(v.kind, ERR_NOT_FOUND);
    assert_string_equal(v.message, "No such image: a:1");
    /* And it can come again. */
    load_recipe(&h, &(struct recipe){"a:1", {"one"}, 1, NULL});
    house_close(&h);
}

TEST(a_tag_moves) {
    struct house h;
    house_open(&h);
    load_recipe(&h, &(struct recipe){"a:1", {"one"}, 1, NULL});
    load_recipe(&h, &(struct recipe){"a:1", {"two"}, 1, NULL});
    assert_int_equal(images_count(h.images), 2);
    size_t it = 0, dangling = 0;
    struct image *i;
    while ((i = images_next(h.images, &it)))
        dangling += image_is_dangling(i);
    assert_int_equal(dangling, 1);
    house_shut(&h);
    house_open_again(&h);
    assert_int_equal(must_find(&h, "a:1")->size, 3);
    house_close(&h);
}

static void update_committed(void *arg, struct err e) {
    *(bool *)arg = true;
    assert_ok(e);
}

/* A power cut before the layers were synced: the next boot unpacks them again from their blobs. */
TEST(layers_come_back_after_an_unclean_boot) {
    struct house h;
    CLEAN_BUF struct buf text = {0};
    CLEAN_ARENA struct arena a = {0};
    const char *const *names;
    size_t n;
    bool done = false;
    house_open(&h);
    load_recipe(&h, &(struct recipe){"a:1", {"one"}, 1, NULL});
    assert_ok(image_layer_names(must_find(&h, "a:1"), &a, &names, &n));
    CLEAN_FREE char *path = mem_printf("%s/etc/word", names[0]);
    assert_int_equal(unlinkat(images_layers_dirfd(h.images), path, 0), 0);
    struct store_txn *t = store_txn_new();
    store_add(t, "UPDATE layer SET unsynced = 'another boot'", "");
    store_commit(h.store, t, STORE_DURABLE, update_committed, &done);
    for (int i = 0; i < 5000 && !done; i++)
        house_settle(&h, NSEC_PER_MSEC);
    house_shut(&h);
    house_open_again(&h);
    struct image *i = must_find(&h, "a:1");
    assert_err(image_layer_names(i, &a, &names, &n), ERR_UNAVAILABLE);
    bool back = false;
    for (int k = 0; k < 5000 && !back; k++) {
        house_settle(&h, NSEC_PER_MSEC);
        struct err e = image_layer_names(i, &a, &names, &n);
        back = !err_failed(e);
        err_free(e);
    }
    assert_true(back);
    assert_ok(file_read_at(images_layers_dirfd(h.images), path, 10, &text));
    assert_string_equal(buf_cstr(&text), "one");
    house_close(&h);
}
