/* What differs from the layer before: the list of entries, and the file that remembers them. */
#include "build/stack.h"
#include "test.h"
#include <stdio.h>
#include <unistd.h>

#define N 1000

struct world {
    struct arena arena;
    struct layer layer;
    struct stack_marks marks;
};

static struct layer_entry *add(struct world *w, const char *path, enum tar_type type) {
    struct layer_entry *e = layer_put(&w->layer, &w->arena, path);
    e->type = type;
    e->mode = 0644;
    return e;
}

/* d/0000 … d/0999 */
static void fill(struct world *w) {
    *w = (struct world){0};
    add(w, "d", TAR_DIR);
    for (int i = 0; i < N; i++)
        add(w, arena_printf(&w->arena, "d/%04d", i), TAR_SYMLINK);
}

static void mark(struct world *w) {
    bool fits;
    layer_sort(&w->layer);
    assert_ok(stack_marks(&w->layer, &w->marks, &fits));
    assert_true(fits);
}

static void world_end(struct world *w) {
    layer_done(&w->layer);
    vec_done(&w->marks);
    arena_done(&w->arena);
}

static void compared(struct world *was, struct world *is, const char *want, size_t more) {
    struct stack_change c = {0};
    mark(is);
    bool can = stack_compare(&was->marks, &is->layer, &is->marks, &c);
    assert_int_equal(can, want != NULL);
    if (want) {
        assert_string_equal(buf_cstr(&c.list), want);
        assert_int_equal(c.more.entries.n, more);
    }
    stack_change_done(&c);
    world_end(is);
}

TEST(changes) {
    struct world was, is;
    fill(&was);
    mark(&was);
    fill(&is);
    compared(&was, &is, "0 1001 0\n", 0);
    fill(&is);
    layer_get(&is.layer, "d/0500")->mode = 0600;
    compared(&was, &is, "0 501 1\n502 499 0\n", 1);
    fill(&is);
    layer_get(&is.layer, "d")->mtime = 7;
    layer_get(&is.layer, "d/0999")->uid = 7;
    compared(&was, &is, "0 0 1\n1 999 1\n", 2);
    fill(&is);
    add(&is, "d/0000-new", TAR_DIR);
    add(&is, "z", TAR_FIFO);
    compared(&was, &is, "0 2 1\n2 999 1\n", 2);
    world_end(&was);
}

TEST(what_cannot_be_stacked) {
    struct world was, is;
    fill(&was);
    add(&was, "gone", TAR_FIFO);
    mark(&was);
    fill(&is);
    compared(&was, &is, NULL, 0); /* a path is gone */
    fill(&is);
    add(&is, "gone", TAR_DIR);
    compared(&was, &is, NULL, 0); /* or has become a directory */
    fill(&is);
    add(&is, "gone", TAR_FIFO);
    for (int i = 0; i < N / 4; i++)
        layer_get(&is.layer, arena_printf(&is.arena, "d/%04d", i))->gid = 1;
    compared(&was, &is, NULL, 0); /* too much is new */
    world_end(&was);
    bool fits = true;
    is = (struct world){0};
    add(&is, "one", TAR_FIFO);
    assert_ok(stack_marks(&is.layer, &is.marks, &fits));
    assert_false(fits);
    world_end(&is);
    fill(&is);
    add(&is, "link", TAR_SYMLINK)->link = "d/0000";
    assert_ok(stack_marks(&is.layer, &is.marks, &fits));
    assert_false(fits);
    world_end(&is);
}

TEST(what_was_sent_is_remembered) {
    struct world w;
    char path[] = "/tmp/corten-stacks-XXXXXX", name[KEY_TEXT];
    close(mkstemp(path));
    memset(name, 'a', sizeof(name) - 1);
    name[sizeof(name) - 1] = '\0';
    struct stacks *s = stacks_open(path);
    assert_null(stacks_find(s, name));
    fill(&w);
    mark(&w);
    stacks_put(s, name, "sha256:1", &w.marks);
    mark(&w);
    stacks_put(s, name, "sha256:2", &w.marks);
    assert_ok(stacks_save(s));
    stacks_free(s);
    s = stacks_open(path);
    const struct stack_known *k = stacks_find(s, name);
    assert_non_null(k);
    assert_string_equal(k->image, "sha256:2");
    assert_int_equal(k->marks.n, N + 1);
    mark(&w);
    assert_memory_equal(k->marks.items, w.marks.items, k->marks.n * sizeof(k->marks.items[0]));
    stacks_free(s);
    assert_int_equal(truncate(path, 3000), 0); /* half a file is none */
    s = stacks_open(path);
    assert_null(stacks_find(s, name));
    stacks_free(s);
    unlink(path);
    world_end(&w);
}
