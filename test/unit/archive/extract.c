/* Unpacking hostile archives, and the way back: a tree as a layer. Root only: owners, devices. */
#include "archive/extract.h"
#include "archive/layer_tar.h"
#include "base/buf.h"
#include "base/file.h"
#include "base/mem.h"
#include "test.h"
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

struct box { /* <dir>/root is unpacked into, <dir>/canary must not change */
    char dir[40];
    int fd, root;
};

static void box_open(struct box *b) {
    snprintf(b->dir, sizeof(b->dir), "/tmp/corten-extract-XXXXXX");
    if (geteuid() != 0)
        SKIP("needs root: owners and devices");
    assert_non_null(mkdtemp(b->dir));
    b->fd = open(b->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkdirat(b->fd, "root", 0755), 0);
    b->root = openat(b->fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int c = openat(b->fd, "canary", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(c, "alive", 5), 5);
    close(c);
    umask(0);
}

static void box_close(struct box *b) {
    CLEAN_BUF struct buf text = {0};
    assert_ok(file_read_at(b->fd, "canary", 100, &text));
    assert_string_equal(buf_cstr(&text), "alive");
    struct stat st;
    assert_int_equal(fstatat(b->fd, "canary", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(st.st_nlink, 1);
    assert_int_equal(faccessat(b->fd, "evil", F_OK, 0), -1);
    close(b->root);
    close(b->fd);
    CLEAN_FD
    int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_ok(dir_remove(tmp, b->dir + 5));
}

static struct err to_buf(void *arg, const void *p, size_t n) {
    buf_add(arg, p, n);
    return OK;
}

static void put(struct buf *b, struct tar_entry e, const char *data) {
    struct tar_sink s = {to_buf, b};
    if (!e.target)
        e.target = "";
    e.size = data ? strlen(data) : 0;
    if (!e.mode)
        e.mode = e.type == TAR_DIR ? 0755 : 0644;
    assert_ok(tar_put_header(&s, &e));
    if (data) {
        assert_ok(tar_put_data(&s, data, e.size));
        assert_ok(tar_put_padding(&s, e.size));
    }
}
#define PUT(b, data, ...) put((b), (struct tar_entry){__VA_ARGS__}, (data))

static struct err unpack_limited(struct box *box, struct buf *b, const struct extract_limits *l) {
    assert_ok(tar_put_end(&(struct tar_sink){to_buf, b}));
    CLEAN_STREAM struct stream *s = stream_mem(buf_str(b));
    struct extracted x;
    struct err e = extract(s, box->root, EXTRACT_LAYER, l, &x);
    buf_clear(b);
    return e;
}

static struct err unpack(struct box *box, struct buf *b) {
    return unpack_limited(box, b, &extract_default_limits);
}

TEST(an_ordinary_tree) {
    struct box box;
    CLEAN_BUF struct buf b = {0};
    box_open(&box);
    struct tar_xattr attributes[] = {
        {"user.a", STR("1")}, {"trusted.overlay.opaque", STR("y")}, {"security.selinux", STR("x")}};
    PUT(&b, NULL, .type = TAR_DIR, .path = "./", .mode = 0751, .mtime = 5000000000);
    PUT(&b, NULL, .type = TAR_DIR, .path = "usr/", .mode = 0755, .uid = 10, .mtime = 1000000007);
    PUT(&b, "text", .type = TAR_FILE, .path = "usr/bin", .mode = 06755, .uid = 1, .gid = 2,
        .mtime = 1234567891234, .xattrs = {attributes, 3, 3});
    PUT(&b, NULL, .type = TAR_LINK, .path = "usr/twin", .target = "/usr/bin");
    PUT(&b, NULL, .type = TAR_SYMLINK, .path = "usr/link", .target = "../../../etc/passwd");
    PUT(&b, NULL, .type = TAR_CHAR, .path = "null", .mode = 0666, .major = 1, .minor = 3);
    PUT(&b, NULL, .type = TAR_FIFO, .path = "fifo", .mode = 0600);
    PUT(&b, "deep", .type = TAR_FILE, .path = "/made/on/the/way");
    assert_ok(unpack(&box, &b));
    struct stat st, twin;
    assert_int_equal(fstatat(box.root, "usr/bin", &st, 0), 0);
    assert_int_equal(st.st_mode, S_IFREG | 06755);
    assert_true(st.st_uid == 1 && st.st_gid == 2);
    assert_true(st.st_mtim.tv_sec == 1234 && st.st_mtim.tv_nsec == 567891234);
    assert_int_equal(fstatat(box.root, "usr/twin", &twin, 0), 0);
    assert_int_equal(st.st_ino, twin.st_ino);
    assert_int_equal(fstatat(box.root, "usr", &st, 0), 0);
    assert_true(st.st_mtim.tv_sec == 1 && st.st_uid == 10);
    assert_int_equal(fstat(box.root, &st), 0);
    assert_true(st.st_mtim.tv_sec == 5 && (st.st_mode & 07777) == 0751);
    assert_int_equal(fstatat(box.root, "null", &st, 0), 0);
    assert_true(S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3));
    assert_int_equal(fstatat(box.root, "made/on/the/way", &st, 0), 0);
    char value[8], path[80];
    snprintf(path, sizeof(path), "%s/root/usr/bin", box.dir);
    assert_int_equal(getxattr(path, "user.a", value, 8), 1);
    assert_int_equal(getxattr(path, "trusted.overlay.opaque", value, 8), -1);
    assert_int_equal(getxattr(path, "security.selinux", value, 8), -1);
    box_close(&box);
}

TEST(names_that_lead_out) {
    struct box box;
    CLEAN_BUF struct buf b = {0};
    box_open(&box);
    static const char *const bad[] = {"../evil", "a/../../evil", "./../../evil", "..", "/../evil"};
    for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
        PUT(&b, "x", .type = TAR_FILE, .path = bad[i]);
        assert_err(unpack(&box, &b), ERR_INVALID);
    }
    PUT(&b, "x", .type = TAR_FILE, .path = "/////evil2");
    assert_ok(unpack(&box, &b));
    assert_int_equal(faccessat(box.root, "evil2", F_OK, 0), 0);
    box_close(&box);
}

TEST(links_that_lead_out) {
    struct box box;
    CLEAN_BUF struct buf b = {0};
    char absolute[80];
    box_open(&box);
    snprintf(absolute, sizeof(absolute), "%s", box.dir);
    PUT(&b, NULL, .type = TAR_SYMLINK, .path = "up", .target = "..");
    PUT(&b, "x", .type = TAR_FILE, .path = "up/evil");
    PUT(&b, NULL, .type = TAR_SYMLINK, .path = "abs", .target = absolute);
    PUT(&b, "x", .type = TAR_FILE, .path = "abs/evil");
    PUT(&b, NULL, .type = TAR_SYMLINK, .path = "file", .target = "../canary");
    PUT(&b, "overwritten", .type = TAR_FILE, .path = "file");
    PUT(&b, NULL, .type = TAR_DIR, .path = "up", .mode = 0777);
    PUT(&b, NULL, .type = TAR_SYMLINK, .path = "c", .target = "../canary");
    PUT(&b, NULL, .type = TAR_DIR, .path = "c", .mode = 0777);
    assert_ok(unpack(&box, &b));
    struct stat st;
    assert_int_equal(fstatat(box.root, "evil", &st, 0), 0); /* ".." of the root is the root */
    PUT(&b, NULL, .type = TAR_SYMLINK, .path = "out", .target = "../canary");
    PUT(&b, NULL, .type = TAR_LINK, .path = "hard", .target = "out");
    assert_ok(unpack(&box, &b)); /* a second name of the link itself */
    assert_int_equal(fstatat(box.root, "hard", &st, AT_SYMLINK_NOFOLLOW), 0);
    assert_true(S_ISLNK(st.st_mode));
    PUT(&b, NULL, .type = TAR_LINK, .path = "hard2", .target = "../canary");
    assert_err(unpack(&box, &b), ERR_INVALID);
    PUT(&b, NULL, .type = TAR_SYMLINK, .path = "d", .target = "..");
    PUT(&b, NULL, .type = TAR_LINK, .path = "hard3", .target = "d/../../canary");
    assert_err(unpack(&box, &b), ERR_INVALID);
    PUT(&b, NULL, .type = TAR_LINK, .path = "hard4", .target = "d/canary");
    assert_err(unpack(&box, &b), ERR_INVALID);
    box_close(&box);
}

TEST(whiteouts) {
    struct box box;
    CLEAN_BUF struct buf b = {0};
    char path[80], value[4];
    struct stat st;
    box_open(&box);
    PUT(&b, NULL, .type = TAR_DIR, .path = "opaque/");
    PUT(&b, "", .type = TAR_FILE, .path = "opaque/.wh..wh..opq");
    PUT(&b, "", .type = TAR_FILE, .path = "etc/.wh.gone");
    PUT(&b, "", .type = TAR_FILE, .path = ".wh..wh.plnk");
    PUT(&b, "", .type = TAR_FILE, .path = ".wh.both");
    PUT(&b, NULL, .type = TAR_DIR, .path = "both/");
    PUT(&b, "kept", .type = TAR_FILE, .path = "again");
    PUT(&b, "", .type = TAR_FILE, .path = ".wh.again");
    assert_ok(unpack(&box, &b));
    assert_int_equal(fstatat(box.root, "etc/gone", &st, 0), 0);
    assert_true(S_ISCHR(st.st_mode) && st.st_rdev == 0);
    snprintf(path, sizeof(path), "%s/root/opaque", box.dir);
    assert_int_equal(getxattr(path, "trusted.overlay.opaque", value, 4), 1);
    snprintf(path, sizeof(path), "%s/root/both", box.dir);
    assert_int_equal(getxattr(path, "trusted.overlay.opaque", value, 4), 1);
    assert_int_equal(fstatat(box.root, "again", &st, 0), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(faccessat(box.root, ".wh..wh.plnk", F_OK, 0), -1);
    box_close(&box);
}

TEST(whiteout_attacks) {
    struct box box;
    CLEAN_BUF struct buf b = {0};
    box_open(&box);
    static const char *const bad[] = {".wh.", "a/.wh..", ".wh..", ".wh..."};
    for (size_t i = 0; i < 3; i++) {
        PUT(&b, "", .type = TAR_FILE, .path = bad[i]);
        assert_err(unpack(&box, &b), ERR_INVALID);
    }
    PUT(&b, "", .type = TAR_FILE, .path = bad[3]);
    assert_err(unpack(&box, &b), ERR_INVALID);
    PUT(&b, NULL, .type = TAR_SYMLINK, .path = "up", .target = "..");
    PUT(&b, "", .type = TAR_FILE, .path = "up/.wh.canary");
    assert_ok(unpack(&box, &b)); /* inside: "up" is the root */
    PUT(&b, NULL, .type = TAR_CHAR, .path = "wh", .major = 0, .minor = 0);
    assert_err(unpack(&box, &b), ERR_INVALID);
    PUT(&b, NULL, .type = TAR_LINK, .path = "second", .target = "canary");
    assert_err(unpack(&box, &b), ERR_INVALID); /* of a whiteout */
    box_close(&box);
}

TEST(too_much) {
    struct box box;
    CLEAN_BUF struct buf b = {0};
    struct extract_limits l = {.bytes = 10, .entries = 3};
    box_open(&box);
    PUT(&b, "0123456789a", .type = TAR_FILE, .path = "a");
    assert_err(unpack_limited(&box, &b, &l), ERR_INVALID);
    for (int i = 0; i < 4; i++)
        PUT(&b, NULL, .type = TAR_DIR, .path = "d");
    assert_err(unpack_limited(&box, &b, &l), ERR_INVALID);
    char name[300];
    memset(name, 'n', sizeof(name));
    name[sizeof(name) - 1] = '\0';
    PUT(&b, "x", .type = TAR_FILE, .path = name);
    assert_err(unpack(&box, &b), ERR_INVALID);
    CLEAN_BUF struct buf deep = {0};
    for (int i = 0; i < 600; i++)
        buf_adds(&deep, "d/");
    PUT(&b, NULL, .type = TAR_DIR, .path = buf_cstr(&deep));
    assert_err(unpack(&box, &b), ERR_INVALID);
    buf_clear(&deep);
    for (int i = 0; i < 5000; i++)
        buf_addc(&deep, 'n');
    PUT(&b, NULL, .type = TAR_SYMLINK, .path = "l", .target = buf_cstr(&deep));
    assert_err(unpack(&box, &b), ERR_INVALID);
    box_close(&box);
}

TEST(entries_replace_each_other) {
    struct box box;
    CLEAN_BUF struct buf b = {0}, text = {0};
    struct stat st;
    box_open(&box);
    PUT(&b, "one", .type = TAR_FILE, .path = "x");
    PUT(&b, "two", .type = TAR_FILE, .path = "x");
    PUT(&b, "in", .type = TAR_FILE, .path = "dir/in");
    PUT(&b, "now a file", .type = TAR_FILE, .path = "dir");
    PUT(&b, "and below", .type = TAR_FILE, .path = "y/z");
    PUT(&b, NULL, .type = TAR_DIR, .path = "y", .mode = 0700);
    assert_ok(unpack(&box, &b));
    assert_ok(file_read_at(box.root, "x", 10, &text));
    assert_string_equal(buf_cstr(&text), "two");
    assert_int_equal(fstatat(box.root, "dir", &st, 0), 0);
    assert_true(S_ISREG(st.st_mode));
    assert_int_equal(fstatat(box.root, "y/z", &st, 0), 0);
    assert_int_equal(fstatat(box.root, "y", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    PUT(&b, "below a file", .type = TAR_FILE, .path = "x/y");
    CLEAN_ERR struct err below = unpack(&box, &b);
    assert_true(err_failed(below));
    box_close(&box);
}

/* The tree of a layer as a tar, unpacked elsewhere, as a tar again: the same bytes. */
TEST(layer_there_and_back) {
    struct box one, two;
    CLEAN_BUF struct buf b = {0}, first = {0}, second = {0};
    box_open(&one);
    box_open(&two);
    struct tar_xattr a = {"user.k", STR("v")};
    PUT(&b, NULL, .type = TAR_DIR, .path = "a/", .mtime = 1111111111);
    PUT(&b, "1", .type = TAR_FILE, .path = "a/f", .mode = 04711, .uid = 70000, .mtime = 3000000001,
        .xattrs = {&a, 1, 1});
    PUT(&b, NULL, .type = TAR_LINK, .path = "b", .target = "a/f");
    PUT(&b, "", .type = TAR_FILE, .path = "a/.wh..wh..opq");
    PUT(&b, "", .type = TAR_FILE, .path = "a/.wh.x");
    PUT(&b, NULL, .type = TAR_SYMLINK, .path = "s", .target = "nowhere", .mtime = 77);
    PUT(&b, NULL, .type = TAR_BLOCKDEV, .path = "blk", .major = 7, .minor = 1);
    assert_ok(unpack(&one, &b));
    struct layer_tar t;
    assert_ok(layer_tar(one.root, 0, &(struct tar_sink){to_buf, &first}, &t));
    assert_int_equal(t.entries, 7);
    CLEAN_STREAM struct stream *s = stream_mem(buf_str(&first));
    struct extracted x;
    assert_ok(extract(s, two.root, EXTRACT_LAYER, &extract_default_limits, &x));
    assert_ok(layer_tar(two.root, 0, &(struct tar_sink){to_buf, &second}, &t));
    assert_true(str_eq(buf_str(&first), buf_str(&second)));
    box_close(&one);
    box_close(&two);
}

/* user::rwx user:70000:rw- group::r-x mask::rwx other::r-x, as linux/posix_acl_xattr.h says. */
static const char acl_bytes[] = "\2\0\0\0"
                                "\1\0\7\0\xff\xff\xff\xff"
                                "\2\0\6\0\x70\x11\1\0"
                                "\4\0\5\0\xff\xff\xff\xff"
                                "\x10\0\7\0\xff\xff\xff\xff"
                                "\x20\0\5\0\xff\xff\xff\xff";
#define ACL str_n(acl_bytes, sizeof(acl_bytes) - 1)

static ssize_t attribute(const struct box *box, const char *name, const char *attr, char out[64]) {
    char path[80];
    snprintf(path, sizeof(path), "%s/root/%s", box->dir, name);
    return lgetxattr(path, attr, out, 64);
}

/* What is unpacked into such a directory is as the archive says, not as the directory would have
 * it. */
TEST(acls_and_what_they_hand_on) {
    struct box box;
    CLEAN_BUF struct buf b = {0};
    struct stat st;
    char value[64];
    struct tar_xattr both[] = {{"system.posix_acl_access", ACL}, {"system.posix_acl_default", ACL}};
    box_open(&box);
    PUT(&b, NULL, .type = TAR_DIR, .path = "d", .mode = 0775, .mtime = 9000000000,
        .xattrs = {both, 2, 2});
    PUT(&b, "x", .type = TAR_FILE, .path = "d/file", .mode = 0640);
    PUT(&b, NULL, .type = TAR_DIR, .path = "d/sub", .mode = 0750);
    PUT(&b, "x", .type = TAR_FILE, .path = "d/own", .mode = 0675, .xattrs = {both, 1, 1});
    PUT(&b, NULL, .type = TAR_DIR, .path = "g", .mode = 02755, .gid = 70001);
    PUT(&b, "x", .type = TAR_FILE, .path = "g/file", .mode = 0644);
    PUT(&b, NULL, .type = TAR_DIR, .path = "g/sub", .mode = 0755);
    PUT(&b, NULL, .type = TAR_SYMLINK, .path = "g/link", .target = "file");
    assert_ok(unpack(&box, &b));
    assert_int_equal(attribute(&box, "d", "system.posix_acl_default", value), ACL.len);
    assert_memory_equal(value, acl_bytes, ACL.len);
    assert_int_equal(attribute(&box, "d", "system.posix_acl_access", value), ACL.len);
    assert_int_equal(attribute(&box, "d/own", "system.posix_acl_access", value), ACL.len);
    assert_int_equal(attribute(&box, "d/file", "system.posix_acl_access", value), -1);
    assert_int_equal(attribute(&box, "d/sub", "system.posix_acl_default", value), -1);
    assert_int_equal(fstatat(box.root, "d/file", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0640);
    assert_int_equal(fstatat(box.root, "d", &st, 0), 0);
    assert_int_equal(st.st_mtim.tv_sec, 9);
    const char *inside[] = {"g/file", "g/sub", "g/link"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fstatat(box.root, inside[i], &st, AT_SYMLINK_NOFOLLOW), 0);
        assert_true(st.st_gid == 0 && !(st.st_mode & S_ISGID));
    }
    box_close(&box);
}

/* The archive's own root may be such a directory, too. */
TEST(a_root_with_a_group) {
    struct box box;
    CLEAN_BUF struct buf b = {0};
    struct stat st;
    box_open(&box);
    PUT(&b, "x", .type = TAR_FILE, .path = "before");
    PUT(&b, NULL, .type = TAR_DIR, .path = "./", .mode = 02775, .gid = 50);
    PUT(&b, "x", .type = TAR_FILE, .path = "after");
    PUT(&b, NULL, .type = TAR_DIR, .path = "dir", .mode = 0755);
    assert_ok(unpack(&box, &b));
    assert_int_equal(fstat(box.root, &st), 0);
    assert_true(st.st_gid == 50 && (st.st_mode & 07777) == 02775);
    const char *inside[] = {"before", "after", "dir"};
    for (size_t i = 0; i < 3; i++) {
        assert_int_equal(fstatat(box.root, inside[i], &st, 0), 0);
        assert_true(st.st_gid == 0 && !(st.st_mode & S_ISGID));
    }
    box_close(&box);
}

TEST(an_empty_layer) {
    struct box box;
    uint64_t bytes;
    bool empty;
    box_open(&box);
    assert_ok(layer_size(box.root, &bytes, &empty));
    assert_true(empty && bytes == 0);
    box_close(&box);
}
