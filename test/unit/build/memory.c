/* What steps were made of is remembered, and differences are said in words. */
#include "build/memory.h"
#include "base/file.h"
#include "test.h"
#include <stdlib.h>
#include <unistd.h>

static struct memory_step step(const char *text, uint32_t place) {
    return (struct memory_step){.dockerfile = "D",
                                .stage = "0",
                                .text = text,
                                .place = place,
                                .key = "k",
                                .parent = "p",
                                .why = "w"};
}

static void part(struct memory_step *s, const char *name, uint64_t hash) {
    vec_push(&s->parts, ((struct key_part){name, hash}));
}

static void file(struct memory_step *s, const char *path, uint64_t attributes, uint64_t content) {
    vec_push(&s->files, ((struct memory_file){path, attributes, content}));
}

static void done(struct memory_step *s) {
    vec_done(&s->parts);
    vec_done(&s->files);
}

static void says(const struct memory_step *a, const struct memory_step *b, const char *wanted) {
    CLEAN_BUF struct buf out = {0};
    memory_compare(a, b, false, &out);
    assert_string_equal(buf_cstr(&out), wanted);
}

TEST(words) {
    struct memory_step a = step("RUN x", 1), b = step("RUN x", 1);
    says(&a, &b, "the cache has not got it any more");
    part(&a, "the user", 1);
    part(&b, "the user", 2);
    part(&b, "variable X", 1);
    says(&a, &b, "the user has changed; variable X is new");
    says(&b, &a, "the user has changed; variable X is gone");
    b.parent = "q";
    says(&a, &b, "the user has changed; variable X is new; it stands on another image");
    done(&a);
    done(&b);
    a = step("COPY", 1), b = step("COPY", 1);
    file(&a, "a", 1, 1), file(&a, "c", 1, 1), file(&a, "d", 1, 1);
    file(&b, "b", 1, 1), file(&b, "c", 2, 1), file(&b, "d", 1, 2);
    says(&a, &b, "'a' is gone; 'b' is new; 'c' has another mode, owner or type; and 1 more files");
    done(&a);
    done(&b);
}

TEST(comes_back) {
    char path[] = "/tmp/corten-memory.XXXXXX";
    assert_int_equal(close(mkstemp(path)), 0);
    struct memory *m = memory_open(path);
    struct memory_step a = step("RUN a", 1), b = step("COPY b /", 2);
    part(&a, "the user", 7);
    file(&b, "b", 3, 4);
    memory_put(m, &a);
    memory_put(m, &b);
    assert_ok(memory_save(m));
    memory_free(m);
    m = memory_open(path);
    struct memory_step moved = step("COPY b /", 9), other = step("RUN other", 1);
    const struct memory_step *found = memory_find(m, &moved);
    assert_true(found && found->files.n == 1 && found->files.items[0].content == 4);
    found = memory_find(m, &other); /* the one at its place */
    assert_true(found && found->parts.n == 1 && found->parts.items[0].hash == 7);
    other.place = 5;
    assert_null(memory_find(m, &other));
    other.stage = "1";
    assert_null(memory_find(m, &other));
    memory_put(m, &moved);
    size_t n;
    (void)memory_all(m, &n);
    assert_int_equal(n, 2);
    assert_ok(memory_save(m));
    memory_free(m);
    /* Cut anywhere, it is a shorter file. */
    CLEAN_BUF struct buf text = {0};
    assert_ok(file_read(path, 1 << 20, &text));
    for (size_t cut = 0; cut < text.len; cut++) {
        assert_ok(file_replace(path, str_n(text.data, cut), 0600, false));
        m = memory_open(path);
        (void)memory_all(m, &n);
        assert_true(n < 2);
        memory_free(m);
    }
    unlink(path);
    done(&a);
    done(&b);
}
