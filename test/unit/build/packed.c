/* Packed trees: the same as unpacked ones, whatever the archive says. */
#include "build/packed.h"
#include "archive/tar_write.h"
#include "base/file.h"
#include "build/source.h"
#include "build/unpack.h"
#include "test.h"
#include <fcntl.h>
#include <unistd.h>

struct box {
    char path[64];
    int fd;
    unsigned serial;
    struct buf tar;
    struct arena arena;
    struct packed *packed;
};

static struct err sink(void *arg, const void *p, size_t n) {
    buf_add(arg, p, n);
    return OK;
}

static void begin(struct box *b) {
    *b = (struct box){.path = "/tmp/corten-packed-XXXXXX"};
    assert_non_null(mkdtemp(b->path));
    b->fd = open(b->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    (void)umask(0);
}
static void end(struct box *b) {
    b->packed = packed_free(b->packed);
    buf_done(&b->tar);
    arena_done(&b->arena);
    close(b->fd);
    assert_ok(dir_remove(AT_FDCWD, b->path));
}
static void add(struct box *b, enum tar_type type, const char *path, const char *text) {
    struct tar_sink s = {sink, &b->tar};
    bool file = type == TAR_FILE;
    struct tar_entry e = {.type = type,
                          .path = path,
                          .target = file || type == TAR_DIR ? "" : text,
                          .size = file ? strlen(text) : 0,
                          .mode = type == TAR_DIR ? 0755 : 0644,
                          .mtime = 1000000000};
    assert_ok(tar_put_header(&s, &e));
    if (file) {
        assert_ok(tar_put_data(&s, text, e.size));
        assert_ok(tar_put_padding(&s, e.size));
    }
}
static struct err receive(struct box *b, const struct extract_limits *limits) {
    struct tar_sink s = {sink, &b->tar};
    assert_ok(tar_put_end(&s));
    return packed_receive(stream_mem(buf_str(&b->tar)), b->fd, &b->serial, limits, &b->packed);
}
static void refused(struct box *b, const char *what) {
    struct err e = receive(b, &extract_default_limits);
    assert_int_equal(err_kind(e), ERR_INVALID);
    if (!strstr(err_msg(e), what))
        fail_msg("'%s' does not say '%s'", err_msg(e), what);
    err_free(e);
    end(b);
}
static void text_is(struct box *b, const char *path, const char *want) {
    CLEAN_BUF struct buf text = {0};
    assert_ok(packed_read(b->packed, path, 100, &text));
    assert_string_equal(buf_cstr(&text), want);
}
static void digest_of_root(struct box *b, const struct source_root *root, char out[65]) {
    CLEAN_SOURCES struct source_items items = {0};
    struct sha256 *h = sha256_new();
    struct digest d;
    assert_ok(source_find(root, "/", &b->arena, &items));
    for (size_t i = 0; i < items.n; i++)
        assert_ok(source_hash(&items.items[i], h));
    sha256_end(h, d.bytes);
    sha256_free(h);
    digest_hex(&d, out);
}
/* The same archive, unpacked by archive/extract.h, has the same digest. */
static void as_unpacked(struct box *b) {
    int fd = -1;
    char one[65], two[65];
    assert_ok(receive(b, &extract_default_limits));
    assert_ok(unpack_stream(stream_mem(buf_str(&b->tar)), b->fd, &b->serial, &fd));
    struct source_root packed = {.fd = -1, .packed = b->packed, .owners = true};
    struct source_root disk = {.fd = fd, .owners = true};
    digest_of_root(b, &packed, one);
    digest_of_root(b, &disk, two);
    assert_string_equal(one, two);
    close(fd);
}

TEST(a_tree_with_everything_is_as_unpacked) {
    struct box b;
    begin(&b);
    add(&b, TAR_DIR, "./", "");
    add(&b, TAR_FILE, "a", "one");
    add(&b, TAR_DIR, "d/", "");
    add(&b, TAR_FILE, "d/x", "two");
    add(&b, TAR_FILE, "d/.hidden", "");
    add(&b, TAR_FILE, "e/made/by/itself", "three");
    add(&b, TAR_SYMLINK, "link", "d");
    add(&b, TAR_FILE, "link/through", "four");
    add(&b, TAR_LINK, "hard", "d/x");
    add(&b, TAR_FIFO, "fifo", "");
    as_unpacked(&b);
    text_is(&b, "d/through", "four");
    text_is(&b, "link/x", "two");
    text_is(&b, "/e/../hard", "two");
    end(&b);
}

TEST(the_last_of_several_entries_wins) {
    struct box b;
    begin(&b);
    add(&b, TAR_FILE, "a", "old");
    add(&b, TAR_LINK, "kept", "a");
    add(&b, TAR_FILE, "a", "new");
    add(&b, TAR_DIR, "d", "");
    add(&b, TAR_FILE, "d/inside", "1");
    add(&b, TAR_DIR, "d", "");
    add(&b, TAR_DIR, "gone/deep", "");
    add(&b, TAR_FILE, "gone/deep/f", "2");
    add(&b, TAR_FILE, "gone", "a file now");
    add(&b, TAR_FILE, "f", "3");
    add(&b, TAR_DIR, "f", "");
    add(&b, TAR_FILE, "f/g", "4");
    add(&b, TAR_SYMLINK, "s", "d");
    add(&b, TAR_FILE, "s/one", "5");
    add(&b, TAR_SYMLINK, "s", "f");
    add(&b, TAR_FILE, "s/two", "6");
    as_unpacked(&b);
    text_is(&b, "a", "new");
    text_is(&b, "kept", "old");
    text_is(&b, "d/inside", "1");
    text_is(&b, "gone", "a file now");
    text_is(&b, "d/one", "5");
    text_is(&b, "f/two", "6");
    end(&b);
}

TEST(links_stay_inside) {
    struct box b;
    const struct packed_inode *i;
    begin(&b);
    add(&b, TAR_SYMLINK, "up", "../../../../etc");
    add(&b, TAR_SYMLINK, "abs", "/etc");
    add(&b, TAR_FILE, "up/passwd", "ours");
    add(&b, TAR_FILE, "abs/group", "ours, too");
    as_unpacked(&b);
    text_is(&b, "etc/passwd", "ours");
    text_is(&b, "up/group", "ours, too");
    assert_err(packed_find(b.packed, "up/shadow", true, &i), ERR_NOT_FOUND);
    assert_err(packed_find(b.packed, "etc/passwd/x", true, &i), ERR_NOT_FOUND);
    end(&b);
}

TEST(a_ring_of_links_is_an_error) {
    struct box b;
    const struct packed_inode *i;
    begin(&b);
    add(&b, TAR_SYMLINK, "a", "b");
    add(&b, TAR_SYMLINK, "b", "a");
    assert_ok(receive(&b, &extract_default_limits));
    assert_err(packed_find(b.packed, "a", true, &i), ERR_INVALID);
    assert_ok(packed_find(b.packed, "a", false, &i));
    assert_string_equal(i->target, "b");
    end(&b);
    begin(&b);
    add(&b, TAR_SYMLINK, "a", "a");
    add(&b, TAR_FILE, "a/f", "x");
    refused(&b, "a/f");
}

TEST(what_no_directory_could_hold_is_refused) {
    struct box b;
    char deep[2 * 600 + 1];
    begin(&b);
    add(&b, TAR_FILE, "../out", "x");
    refused(&b, "leads out");
    begin(&b);
    for (size_t i = 0; i < 600; i++)
        memcpy(deep + 2 * i, "d/", 3);
    add(&b, TAR_DIR, deep, "");
    refused(&b, "deeper");
    begin(&b);
    memset(deep, 'n', 300);
    deep[300] = '\0';
    add(&b, TAR_FILE, deep, "x");
    refused(&b, "255");
    begin(&b);
    add(&b, TAR_FILE, ".", "x");
    refused(&b, "root is not a directory");
    begin(&b);
    add(&b, TAR_SYMLINK, "s", "");
    refused(&b, "without a target");
    begin(&b);
    add(&b, TAR_CHAR, "c", "");
    refused(&b, "whiteout");
}

TEST(hard_links_need_a_file_inside) {
    struct box b;
    begin(&b);
    add(&b, TAR_LINK, "l", "nothing");
    refused(&b, "nothing");
    begin(&b);
    add(&b, TAR_LINK, "l", "../etc/passwd");
    refused(&b, "leads out");
    begin(&b);
    add(&b, TAR_DIR, "d", "");
    add(&b, TAR_LINK, "l", "d");
    refused(&b, "directory");
    begin(&b);
    add(&b, TAR_LINK, "l", "/");
    refused(&b, "directory");
}

TEST(limits_hold) {
    struct box b;
    struct extract_limits few = {.bytes = 100, .entries = 2}, small = {.bytes = 5, .entries = 9};
    begin(&b);
    add(&b, TAR_FILE, "a", "1");
    add(&b, TAR_FILE, "b", "2");
    add(&b, TAR_FILE, "c", "3");
    assert_err(receive(&b, &few), ERR_INVALID);
    end(&b);
    begin(&b);
    add(&b, TAR_FILE, "a", "1234");
    add(&b, TAR_FILE, "b", "56");
    assert_err(receive(&b, &small), ERR_INVALID);
    end(&b);
    begin(&b);
    add(&b, TAR_FILE, "a", "1234");
    b.tar.len -= 300;
    assert_err(packed_receive(stream_mem(buf_str(&b.tar)), b.fd, &b.serial, &extract_default_limits,
                              &b.packed),
               ERR_INVALID);
    end(&b);
}

TEST(data_of_many_files_is_each_ones_own) {
    struct box b;
    char name[16], text[5000];
    begin(&b);
    for (unsigned i = 0; i < 700; i++) {
        memset(text, 'a' + (int)(i % 26), sizeof(text));
        text[i * 7 % sizeof(text)] = '\0';
        snprintf(name, sizeof(name), "d%u/f%u", i % 7, i);
        add(&b, TAR_FILE, name, text);
    }
    as_unpacked(&b);
    for (unsigned i = 0; i < 700; i += 13) {
        CLEAN_BUF struct buf got = {0};
        snprintf(name, sizeof(name), "d%u/f%u", i % 7, i);
        assert_ok(packed_read(b.packed, name, 10000, &got));
        assert_int_equal(got.len, i * 7 % sizeof(text));
        if (got.len)
            assert_int_equal(got.data[got.len - 1], 'a' + (int)(i % 26));
    }
    end(&b);
}

TEST(attributes_travel_in_order_and_once) {
    struct box b;
    struct tar_sink s;
    const struct packed_inode *i;
    begin(&b);
    s = (struct tar_sink){sink, &b.tar};
    struct tar_xattr x[] = {{"user.b", STR("2")},
                            {"user.a", STR("1")},
                            {"trusted.overlay.opaque", STR("y")},
                            {"user.overlay.redirect", STR("/")}};
    struct tar_entry e = {.type = TAR_FILE,
                          .path = "f",
                          .target = "",
                          .mode = 04755,
                          .uid = 7,
                          .xattrs = {.items = x, .n = ARRAY_LEN(x)}};
    assert_ok(tar_put_header(&s, &e));
    assert_ok(receive(&b, &extract_default_limits));
    assert_ok(packed_find(b.packed, "f", true, &i));
    assert_int_equal(i->xattrs_n, 2);
    assert_string_equal(i->xattrs[0].name, "user.a");
    assert_string_equal(i->xattrs[1].name, "user.b");
    assert_int_equal(i->mode, 04755);
    assert_int_equal(i->uid, 7);
    end(&b);
}
