/* Files with holes in archives: all four ways of GNU tar, what lies, and what is unpacked of them.
 */
#include "archive/extract.h"
#include "archive/tar_read.h"
#include "base/file.h"
#include "base/mem.h"
#include "test.h"
#include <fcntl.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SIZE (8 << 20)

static char dir[] = "/tmp/corten-sparse.XXXXXX";

static bool run(const char *command) {
    char *argv[] = {(char[]){"sh"}, (char[]){"-c"}, mem_strdup(command), NULL};
    pid_t pid;
    int status = -1;
    assert_int_equal(posix_spawnp(&pid, "sh", NULL, NULL, argv, environ), 0);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    free(argv[2]);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* A file with a piece every MiB, so that more than four are there; begins and ends with a hole. */
static void make_file(void) {
    char text[64];
    int fd;
    assert_non_null(mkdtemp(dir));
    assert_int_equal(chdir(dir), 0);
    fd = open("file", O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    assert_true(fd >= 0);
    for (int i = 1; i < 8; i++) {
        int n = snprintf(text, sizeof text, "piece %d", i);
        assert_int_equal(pwrite(fd, text, (size_t)n, (off_t)i << 20), n);
    }
    assert_int_equal(ftruncate(fd, SIZE), 0);
    close(fd);
}

static void unpack_and_compare(const char *options) {
    CLEAN_FREE char *pack = mem_printf("tar -S %s -cf a.tar file && rm -rf out && mkdir out",
                                       options);
    struct extracted done;
    struct stat st;
    if (!run(pack))
        fail_msg("tar -S %s", options);
    CLEAN_FD int archive = open("a.tar", O_RDONLY | O_CLOEXEC);
    CLEAN_FD int out = open("out", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEAN_STREAM struct stream *s = stream_fd(archive);
    assert_ok(extract(s, out, 0, &extract_default_limits, &done));
    assert_int_equal(done.bytes, SIZE);
    assert_true(run("cmp file out/file"));
    assert_int_equal(stat("out/file", &st), 0);
    assert_true(st.st_blocks * 512 < SIZE / 2); /* the holes are holes */
}

TEST(all_formats_of_gnu_tar) {
    if (!run("tar --version 2>/dev/null | grep -q GNU"))
        SKIP("no GNU tar");
    make_file();
    unpack_and_compare("--format=gnu");
    unpack_and_compare("--format=pax --sparse-version=0.0");
    unpack_and_compare("--format=pax --sparse-version=0.1");
    unpack_and_compare("--format=pax --sparse-version=1.0");
    /* Read in pieces, as by who wants zeros. */
    CLEAN_FD int archive = open("a.tar", O_RDONLY | O_CLOEXEC);
    CLEAN_STREAM struct stream *s = stream_fd(archive);
    CLEAN_TAR_READER struct tar_reader *t = tar_reader_new(s);
    CLEAN_BUF struct buf all = {0}, want = {0};
    const struct tar_entry *e;
    assert_ok(tar_next(t, &e));
    assert_string_equal(e->path, "file");
    assert_int_equal(e->size, SIZE);
    assert_ok(tar_read_all(t, SIZE, &all));
    assert_ok(file_read("file", SIZE, &want));
    assert_true(str_eq(buf_str(&all), buf_str(&want)));
    assert_ok(tar_next(t, &e));
    assert_null(e);
    assert_int_equal(chdir("/"), 0);
    CLEAN_FD int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_ok(dir_remove(tmp, dir + strlen("/tmp/")));
}

/* --- lies --------------------------------------------------------------------------------------
 */

static void block(struct buf *b, const char *name, char type, size_t size) {
    char h[512] = "";
    unsigned sum = 0;
    snprintf(h, 100, "%s", name);
    snprintf(h + 100, 8, "0000644");
    snprintf(h + 108, 8, "0000000");
    snprintf(h + 116, 8, "0000000");
    snprintf(h + 124, 12, "%011zo", size);
    snprintf(h + 136, 12, "00000000000");
    h[156] = type;
    memcpy(h + 257,
           "ustar\0"
           "00",
           8);
    memset(h + 148, ' ', 8);
    for (int i = 0; i < 512; i++)
        sum += (unsigned char)h[i];
    snprintf(h + 148, 8, "%06o", sum);
    buf_add(b, h, 512);
}

static void data(struct buf *b, struct str s) {
    static const char zeros[512];
    buf_add_str(b, s);
    buf_add(b, zeros, (512 - s.len % 512) % 512);
}

/* An entry of `size` bytes with these pax records: "key=value" each. */
static enum err_kind verdict(const char *const *records, size_t size) {
    CLEAN_BUF struct buf b = {0}, pax = {0}, bytes = {0};
    for (size_t i = 0; records[i]; i++) {
        size_t n = strlen(records[i]) + 2;
        size_t digits = n + 1 < 10 ? 1 : n + 2 < 100 ? 2 : 3;
        buf_addf(&pax, "%zu %s\n", n + digits, records[i]);
    }
    block(&b, "pax", 'x', pax.len);
    data(&b, buf_str(&pax));
    block(&b, "file", '0', size);
    for (size_t i = 0; i < size; i++)
        buf_addc(&bytes, 'x');
    data(&b, buf_str(&bytes));
    CLEAN_STREAM struct stream *s = stream_mem(buf_str(&b));
    CLEAN_TAR_READER struct tar_reader *t = tar_reader_new(s);
    CLEAN_BUF struct buf all = {0};
    const struct tar_entry *e;
    struct err r = tar_next(t, &e);
    if (!err_failed(r) && e)
        r = tar_read_all(t, 1 << 20, &all);
    enum err_kind k = err_kind(r);
    err_free(r);
    return k;
}
#define SPARSE(size, ...) verdict((const char *const[]){__VA_ARGS__, NULL}, size)

TEST(maps_that_lie) {
    assert_int_equal(SPARSE(4, "GNU.sparse.size=100", "GNU.sparse.map=10,4"), ERR_OK);
    assert_int_equal(SPARSE(4, "GNU.sparse.map=10,4"), ERR_INVALID);
    assert_int_equal(SPARSE(5, "GNU.sparse.size=100", "GNU.sparse.map=10,4"), ERR_INVALID);
    assert_int_equal(SPARSE(4, "GNU.sparse.size=12", "GNU.sparse.map=10,4"), ERR_INVALID);
    assert_int_equal(SPARSE(8, "GNU.sparse.size=100", "GNU.sparse.map=10,4,12,4"), ERR_INVALID);
    assert_int_equal(SPARSE(8, "GNU.sparse.size=100", "GNU.sparse.map=20,4,10,4"), ERR_INVALID);
    assert_int_equal(SPARSE(4, "GNU.sparse.size=100", "GNU.sparse.map=10"), ERR_INVALID);
    assert_int_equal(SPARSE(4, "GNU.sparse.size=100", "GNU.sparse.map=-1,4"), ERR_INVALID);
    assert_int_equal(
        SPARSE(4, "GNU.sparse.size=100", "GNU.sparse.map=9223372036854775807,9223372036854775807"),
        ERR_INVALID);
    assert_int_equal(SPARSE(4, "GNU.sparse.size=9", "GNU.sparse.offset=1"), ERR_INVALID);
    assert_int_equal(SPARSE(4, "GNU.sparse.size=9", "GNU.sparse.numbytes=1"), ERR_INVALID);
    assert_int_equal(SPARSE(4, "GNU.sparse.size=9", "GNU.sparse.major=1"), ERR_INVALID);
    assert_int_equal(SPARSE(4, "GNU.sparse.size=9", "GNU.sparse.major=2"), ERR_UNSUPPORTED);
    assert_int_equal(SPARSE(4, "GNU.sparse.size=9", "GNU.sparse.colour=2"), ERR_INVALID);
    assert_int_equal(SPARSE(0, "GNU.sparse.size=9"), ERR_OK); /* a hole alone */
}
