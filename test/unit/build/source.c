/* Sources below a root: which files, which digest. */
#include "build/source.h"
#include "base/file.h"
#include "test.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

struct tree {
    char path[64];
    int fd;
    struct arena arena;
    struct source_items items;
};

static void tree_make(struct tree *t) {
    *t = (struct tree){.path = "/tmp/corten-source-XXXXXX"};
    assert_non_null(mkdtemp(t->path));
    t->fd = open(t->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(t->fd >= 0);
}
static void put(struct tree *t, const char *name, const char *text, mode_t mode) {
    int fd = openat(t->fd, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    assert_true(fd >= 0);
    assert_int_equal(fd_write_all(fd, text, strlen(text)), 0);
    assert_int_equal(fchmod(fd, mode), 0);
    close(fd);
}
static void tree_done(struct tree *t) {
    source_items_done(&t->items);
    arena_done(&t->arena);
    close(t->fd);
    assert_ok(dir_remove(AT_FDCWD, t->path));
}
static void some_files(struct tree *t) {
    mkdirat(t->fd, "d", 0755);
    mkdirat(t->fd, "d/e", 0700);
    put(t, "a.txt", "a", 0644);
    put(t, "d/b.txt", "b", 0755);
    put(t, "d/e/c.txt", "c", 0600);
    assert_int_equal(symlinkat("/d/b.txt", t->fd, "link"), 0);
    assert_int_equal(symlinkat("../../../etc/passwd", t->fd, "out"), 0);
    assert_int_equal(linkat(t->fd, "d/b.txt", t->fd, "d/hard", 0), 0);
}
static void names_are(const struct tree *t, const char *want) {
    CLEAN_BUF struct buf b = {0};
    for (size_t i = 0; i < t->items.n; i++)
        for (size_t j = 0; j < t->items.items[i].files.n; j++)
            buf_addf(&b, "%s:%s ", t->items.items[i].name, t->items.items[i].files.items[j]->path);
    assert_string_equal(buf_cstr(&b), want);
}
static void digest_is(struct tree *t, const char *path, char out[65]) {
    struct source_root root = {.fd = t->fd};
    CLEAN_SOURCES struct source_items items = {0};
    struct sha256 *h = sha256_new();
    struct digest d;
    assert_ok(source_find(&root, path, &t->arena, &items));
    for (size_t i = 0; i < items.n; i++)
        assert_ok(source_hash(&items.items[i], h));
    sha256_end(h, d.bytes);
    sha256_free(h);
    digest_hex(&d, out);
}

TEST(a_directory_with_everything_in_order) {
    struct tree t;
    tree_make(&t);
    some_files(&t);
    struct source_root root = {.fd = t.fd};
    assert_ok(source_find(&root, "./d/", &t.arena, &t.items));
    names_are(&t, "d: d:b.txt d:e d:e/c.txt d:hard ");
    assert_true(t.items.items[0].dir);
    assert_ptr_equal(t.items.items[0].files.items[4]->same, t.items.items[0].files.items[1]);
    assert_int_equal(t.items.items[0].files.items[3]->uid, 0);
    tree_done(&t);
}

TEST(links_are_followed_inside_only) {
    struct tree t;
    tree_make(&t);
    some_files(&t);
    struct source_root root = {.fd = t.fd};
    assert_ok(source_find(&root, "link", &t.arena, &t.items));
    assert_int_equal(t.items.items[0].files.items[0]->type, TAR_FILE);
    assert_int_equal(t.items.items[0].files.items[0]->size, 1);
    assert_err(source_find(&root, "out", &t.arena, &t.items), ERR_NOT_FOUND);
    assert_err(source_find(&root, "../../etc/passwd", &t.arena, &t.items), ERR_NOT_FOUND);
    source_items_done(&t.items);
    t.items = (struct source_items){0};
    assert_ok(source_find(&root, "/", &t.arena, &t.items));
    const struct source_files *f = &t.items.items[0].files;
    assert_string_equal(f->items[f->n - 1]->path, "out");
    assert_int_equal(f->items[f->n - 1]->type, TAR_SYMLINK);
    assert_string_equal(f->items[f->n - 1]->target, "../../../etc/passwd");
    tree_done(&t);
}

TEST(patterns) {
    struct tree t;
    tree_make(&t);
    some_files(&t);
    struct source_root root = {.fd = t.fd};
    assert_ok(source_find(&root, "*/*.txt", &t.arena, &t.items));
    assert_ok(source_find(&root, "[a-b]*", &t.arena, &t.items));
    assert_ok(source_find(&root, "nothing*", &t.arena, &t.items));
    assert_ok(source_find(&root, "d/?", &t.arena, &t.items));
    names_are(&t, "b.txt: a.txt: e: e:c.txt ");
    tree_done(&t);
}

TEST(ignored_files_are_not_there) {
    struct tree t;
    tree_make(&t);
    some_files(&t);
    CLEAN_IGNORE struct ignore ig = {0};
    assert_ok(ignore_parse(STR("a.txt\nd\n!d/e/c.txt\nlink\nout\n"), ".dockerignore", &ig));
    struct source_root root = {.fd = t.fd, .ignore = &ig};
    assert_ok(source_find(&root, ".", &t.arena, &t.items));
    names_are(&t, ": :d :d/e :d/e/c.txt ");
    assert_ok(source_find(&root, "*.txt", &t.arena, &t.items));
    assert_int_equal(t.items.n, 1);
    tree_done(&t);
}

TEST(digests) {
    struct tree t;
    char one[65], two[65];
    tree_make(&t);
    some_files(&t);
    digest_is(&t, "d", one);
    struct timespec past[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    assert_int_equal(utimensat(t.fd, "d/b.txt", past, 0), 0);
    assert_int_equal(fchmodat(t.fd, "d", 0700, 0), 0);
    digest_is(&t, "d", two);
    assert_string_equal(one, two); /* neither times nor the copied directory's own mode count */
    assert_int_equal(fchmodat(t.fd, "d/e", 0755, 0), 0);
    digest_is(&t, "d", two);
    assert_string_not_equal(one, two);
    put(&t, "d/e/c.txt", "C", 0600);
    assert_int_equal(fchmodat(t.fd, "d/e", 0700, 0), 0);
    digest_is(&t, "d", two);
    assert_string_not_equal(one, two);
    put(&t, "d/e/c.txt", "c", 0600);
    digest_is(&t, "d", two);
    assert_string_equal(one, two);
    tree_done(&t);
}

TEST(a_file_that_changes_is_noticed) {
    struct tree t;
    tree_make(&t);
    some_files(&t);
    struct source_root root = {.fd = t.fd};
    struct source_data data;
    assert_ok(source_find(&root, "a.txt", &t.arena, &t.items));
    put(&t, "a.txt", "longer", 0644);
    assert_err(source_open(&root, t.items.items[0].files.items[0], &data), ERR_INVALID);
    tree_done(&t);
}
