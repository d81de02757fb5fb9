/* COPY and ADD: where files go, who owns them, and the layer's bytes; --chown, --chmod; keys. */
#include "build/copy.h"
#include "archive/tar_read.h"
#include "test.h"

struct world {
    struct arena arena;
    struct copy copy;
    struct place place;
    struct layer layer;
    struct source_root root;
};

static struct source_file *file_at(struct world *w, const char *path, enum tar_type type) {
    struct source_file *f = arena_alloc(&w->arena, sizeof(*f));
    *f = (struct source_file){.path = path,
                              .real = path,
                              .type = type,
                              .mode = type == TAR_DIR ? 0750 : 0640,
                              .uid = 5,
                              .gid = 6,
                              .target = "",
                              .mtime = 77};
    return f;
}
static struct source_item *item(struct world *w, const char *name, bool dir) {
    struct source_item *i = vec_add(&w->copy.items);
    i->root = &w->root;
    i->name = name;
    i->dir = dir;
    vec_push(&i->files, file_at(w, "", dir ? TAR_DIR : TAR_FILE));
    return i;
}
static void known(struct world *w, const char *path, const char *type, uint32_t mode) {
    struct build_stat *st = objs_add(&w->place.parents, &w->arena, sizeof(*st));
    *st = (struct build_stat){.path = (char *)path, .type = (char *)type, .mode = mode, .mtime = 9};
}
static void begin(struct world *w, const char *dest, const char *resolved, const char *type) {
    *w = (struct world){.copy.dest = dest, .place = {.path = resolved, .type = type, .now = 100}};
    w->copy.arena = &w->arena;
}
static void end(struct world *w) {
    layer_done(&w->layer);
    copy_done(&w->copy);
    arena_done(&w->arena);
}
static void entries_are(struct world *w, const struct owner *o, const char *chmod,
                        const char *want) {
    CLEAN_BUF struct buf b = {0};
    struct mode_change mode = {0};
    if (chmod)
        assert_ok(mode_parse(chmod, &mode));
    assert_ok(copy_entries(&w->copy, &w->place, o, &mode, &w->layer));
    for (size_t i = 0; i < w->layer.entries.n; i++) {
        const struct layer_entry *e = w->layer.entries.items[i];
        buf_addf(&b, "%s%s %o %u:%u %d\n", e->path, e->type == TAR_DIR ? "/" : "", e->mode, e->uid,
                 e->gid, (int)e->mtime);
    }
    assert_string_equal(buf_cstr(&b), want);
    end(w);
}
static void refused(struct world *w, const char *words) {
    struct mode_change mode = {0};
    struct err e = copy_entries(&w->copy, &w->place, NULL, &mode, &w->layer);
    if (!err_failed(e) || !strstr(err_msg(e), words))
        fail_msg("says '%s', not '%s'", err_msg(e), words);
    err_free(e);
    end(w);
}

TEST(a_file_into_a_directory_that_is_there) {
    struct world w;
    begin(&w, "/bin", "/usr/bin", "dir");
    known(&w, "/usr", "dir", 0711);
    known(&w, "/usr/bin", "dir", 0755);
    item(&w, "f", false);
    entries_are(&w, NULL, NULL, "usr/ 711 0:0 9\nusr/bin/ 755 0:0 9\nusr/bin/f 640 5:6 77\n");
}

TEST(a_file_under_a_new_name_with_new_parents) {
    struct world w;
    struct owner o = {1, 2};
    begin(&w, "/a/b/c", "/a/b/c", "");
    known(&w, "/a", "dir", 01777);
    known(&w, "/a/b", "", 0);
    item(&w, "f", false);
    entries_are(&w, &o, "u=rwX,g+x", "a/ 1777 0:0 9\na/b/ 755 1:2 100\na/b/c 650 1:2 77\n");
}

TEST(a_directory_gives_its_content) {
    struct world w;
    begin(&w, "/d", "/d", "");
    struct source_item *i = item(&w, "src", true);
    vec_push(&i->files, file_at(&w, "sub", TAR_DIR));
    vec_push(&i->files, file_at(&w, "sub/x", TAR_FILE));
    entries_are(&w, NULL, "4711", "d/ 755 0:0 100\nd/sub/ 4711 5:6 77\nd/sub/x 4711 5:6 77\n");
}

TEST(to_the_root) {
    struct world w;
    begin(&w, "/", "/", "dir");
    struct source_item *i = item(&w, "", true);
    vec_push(&i->files, file_at(&w, "x", TAR_FILE));
    item(&w, "y", false);
    entries_are(&w, NULL, NULL, "x 640 5:6 77\ny 640 5:6 77\n");
}

TEST(later_sources_win) {
    struct world w;
    begin(&w, "/d/", "/d", "");
    item(&w, "f", false)->files.items[0]->mode = 0600;
    item(&w, "f", false)->files.items[0]->mode = 0644;
    entries_are(&w, NULL, NULL, "d/ 755 0:0 100\nd/f 644 5:6 77\n");
}

TEST(entries_come_in_the_order_of_a_walk) {
    struct world w;
    begin(&w, "/", "/", "dir");
    item(&w, "b", false);
    item(&w, "a-b", false);
    struct source_item *i = item(&w, "src", true);
    vec_push(&i->files, file_at(&w, "a", TAR_DIR));
    vec_push(&i->files, file_at(&w, "a/x", TAR_FILE));
    entries_are(&w, NULL, NULL, "a/ 750 5:6 77\na/x 640 5:6 77\na-b 640 5:6 77\nb 640 5:6 77\n");
}

TEST(refusals) {
    struct world w;
    begin(&w, "/f", "/f", "");
    item(&w, "a", false);
    item(&w, "b", false);
    refused(&w, "must be a directory and end with a /");
    begin(&w, "/f", "/f", "file");
    item(&w, "a", true);
    refused(&w, "cannot copy to non-directory: /f");
    begin(&w, "/f/", "/f", "file");
    item(&w, "a", false);
    refused(&w, "cannot copy to non-directory: /f");
    begin(&w, "/d/", "/d", "");
    struct source_item *i = item(&w, "one", true);
    vec_push(&i->files, file_at(&w, "x", TAR_DIR));
    item(&w, "x", false);
    refused(&w, "'/d/x' would be a file and a directory");
}

struct reader_stream {
    struct stream base;
    struct layer_reader *r;
};
static struct err read_some(struct stream *s, void *p, size_t n, size_t *ret_n) {
    struct reader_stream *x = (struct reader_stream *)s;
    ssize_t got = layer_read(x->r, p, MIN(n, (size_t)700));
    if (got < 0)
        return err_errno((int)got, "layer");
    *ret_n = (size_t)got;
    return OK;
}
static void nothing(struct stream *s) {
    (void)s;
}

TEST(the_layer_is_a_tar_stream) {
    struct world w;
    begin(&w, "/d/", "/d", "");
    source_doc("doc", STR("hello\n"), &w.arena, &w.copy.items);
    source_doc("empty", STR(""), &w.arena, &w.copy.items);
    struct mode_change mode = {0};
    assert_ok(copy_entries(&w.copy, &w.place, NULL, &mode, &w.layer));
    struct reader_stream rs = {{.read = read_some, .done = nothing}, layer_reader_new(&w.layer)};
    CLEAN_TAR_READER struct tar_reader *t = tar_reader_new(&rs.base);
    const struct tar_entry *e;
    CLEAN_BUF struct buf b = {0};
    assert_ok(tar_next(t, &e));
    assert_string_equal(e->path, "d/");
    assert_ok(tar_next(t, &e));
    assert_string_equal(e->path, "d/doc");
    assert_int_equal(e->mode, 0644);
    assert_ok(tar_read_all(t, 100, &b));
    assert_string_equal(buf_cstr(&b), "hello\n");
    assert_ok(tar_next(t, &e));
    assert_string_equal(e->path, "d/empty");
    assert_ok(tar_next(t, &e));
    assert_null(e);
    assert_ok(tar_finish(t));
    layer_reader_free(rs.r);
    end(&w);
}

TEST(owners) {
    struct owner o;
    struct str passwd = STR("root:x:0:0::/:/bin/sh\nweb:x:33:44:a:/:\nbad:x\n");
    struct str group = STR("root:x:0:\nstaff:x:50:web\n");
    static const struct {
        const char *text;
        uint32_t uid, gid;
    } good[] = {{"12", 12, 12},        {"12:13", 12, 13}, {"web", 33, 44},
                {"web:staff", 33, 50}, {":staff", 0, 50}, {"web:7", 33, 7}};
    for (size_t i = 0; i < ARRAY_LEN(good); i++) {
        assert_ok(owner_parse(good[i].text, passwd, group, &o));
        assert_int_equal(o.uid, good[i].uid);
        assert_int_equal(o.gid, good[i].gid);
    }
    static const char *const bad[] = {"",    ":",          "nobody", "web:nogroup",
                                      "bad", "4294967295", "1:x:y"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(owner_parse(bad[i], passwd, group, &o), ERR_INVALID);
    assert_true(owner_has_names("a") && owner_has_names("1:b") && !owner_has_names("1:2"));
}

TEST(modes) {
    static const struct {
        const char *text;
        uint32_t mode;
        bool dir;
        uint32_t want;
    } t[] = {
        {"755", 0600, false, 0755},    {"0", 0777, false, 0},          {"a+x", 0644, false, 0755},
        {"go-w", 0666, false, 0644},   {"u=rwX", 0044, true, 0744},    {"u=rwX", 0644, false, 0644},
        {"+r,o-r", 0200, false, 0640}, {"u+s,+t", 0755, false, 05755}, {"g=u-w", 0, false, 0}};
    struct mode_change m;
    for (size_t i = 0; i + 1 < ARRAY_LEN(t); i++) {
        assert_ok(mode_parse(t[i].text, &m));
        assert_int_equal(mode_apply(&m, t[i].mode, t[i].dir), t[i].want);
    }
    static const char *const bad[] = {"", "999", "10000", "0o7", "rwx", "u", "u+q", "u+x,", "+r g"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++)
        assert_err(mode_parse(bad[i], &m), ERR_INVALID);
}

static void key_of(const char *op, const char *parent, const char *a, const char *b,
                   char out[KEY_TEXT]) {
    CLEAN_KEY struct key k = {0};
    key_begin(&k, op, parent);
    key_addz(&k, a);
    key_addz(&k, b);
    key_end(&k, out);
}

TEST(keys_tell_steps_apart) {
    char all[6][KEY_TEXT];
    key_of("run", "p", "ab", "c", all[0]);
    key_of("run", "p", "a", "bc", all[1]);
    key_of("run", "q", "ab", "c", all[2]);
    key_of("copy", "p", "ab", "c", all[3]);
    key_of("run", "p", "abc", NULL, all[4]);
    key_of("run", "p", "abc", "", all[5]);
    for (size_t i = 0; i < 6; i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(all[i], all[j]);
    key_of("run", "p", "a", "bc", all[0]);
    assert_string_equal(all[0], all[1]);
}

static void content_key(struct copy *c, char ret[KEY_TEXT]) {
    CLEAN_KEY struct key k = {0};
    assert_ok(copy_key(c, &k));
    memcpy(ret, k.text, KEY_TEXT);
}

TEST(copy_keys) {
    char one[KEY_TEXT], two[KEY_TEXT];
    struct world w;
    begin(&w, "/d", "/d", "");
    w.copy.parent = "sha256:x";
    source_doc("doc", STR("hello"), &w.arena, &w.copy.items);
    content_key(&w.copy, one);
    w.copy.chmod = "755";
    content_key(&w.copy, two);
    assert_string_not_equal(one, two);
    w.copy.chmod = NULL;
    content_key(&w.copy, two);
    assert_string_equal(one, two);
    w.copy.items.items[0].content = STR("hellO");
    content_key(&w.copy, two);
    assert_string_not_equal(one, two);
    end(&w);
}
