/* Stages: names, targets, what is needed for them, and global ARGs. */
#include "build/plan.h"
#include "test.h"

struct made {
    struct arena arena;
    struct request request;
    struct dockerfile *file;
    struct plan *plan;
};

static struct err make(struct made *m, const char *text, const char *query) {
    TRY(dockerfile_parse(str_of(text), "Dockerfile", &m->arena, &m->file));
    TRY(request_parse(str_of(query), &m->arena, &m->request));
    return plan_make(m->file, &m->request, &m->arena, &m->plan);
}
static void refused(const char *text, const char *query, const char *words) {
    struct made m = {0};
    struct err e = make(&m, text, query);
    if (!err_failed(e) || !strstr(err_msg(e), words))
        fail_msg("'%s' says '%s', not '%s'", text, err_msg(e), words);
    err_free(e);
    arena_done(&m.arena);
}

TEST(needed_stages) {
    struct made m = {0};
    const char *text = "FROM a AS one\nRUN x\nFROM b AS two\nFROM one AS three\nCOPY --from=1 x y\n"
                       "FROM c AS four\nCOPY --from=image:tag x y\n";
    assert_ok(make(&m, text, "target=Three"));
    assert_int_equal(m.plan->stages_n, 4);
    assert_ptr_equal(m.plan->target, &m.plan->stages[2]);
    assert_ptr_equal(m.plan->target->parent, &m.plan->stages[0]);
    assert_true(m.plan->stages[0].needed && m.plan->stages[1].needed && m.plan->stages[2].needed);
    assert_false(m.plan->stages[3].needed);
    assert_int_equal(m.plan->steps_n, 5);
    arena_done(&m.arena);
    m = (struct made){0};
    assert_ok(make(&m, text, ""));
    assert_false(m.plan->stages[0].needed);
    assert_true(m.plan->stages[3].needed);
    arena_done(&m.arena);
    m = (struct made){0};
    assert_ok(make(&m, text, "target=1"));
    assert_ptr_equal(m.plan->target, &m.plan->stages[1]);
    arena_done(&m.arena);
}

TEST(global_args) {
    struct made m = {0};
    assert_ok(make(&m, "ARG A=debian\nARG B=${A}:12\nARG C\nFROM $B\nFROM ${C:-x}-$TARGETOS\n",
                   "buildargs=%7B%22A%22%3A%22alpine%22%7D"));
    assert_string_equal(m.plan->stages[0].base, "alpine:12");
    assert_string_equal(m.plan->stages[1].base, "x-linux");
    assert_int_equal(m.plan->steps_n, 4);
    arena_done(&m.arena);
}

TEST(refusals) {
    refused("RUN x\nFROM a", "", "Dockerfile:1:1: no build stage in current context");
    refused("ARG a", "", "there is no FROM");
    refused("FROM $X", "", "base name ($X) should not be blank: not set: X");
    refused("FROM a AS build", "target=biuld", "could not be found (did you mean build?)");
    refused("FROM a\nCOPY --from=0 x y", "", "invalid stage index 0");
    refused("FROM a\nCOPY --from=b x y\nFROM c AS b\nFROM 0", "target=0",
            "needs to be defined before");
    refused("FROM --platform=linux/z80 a", "", "unknown architecture 'z80'");
    refused("FROM a", "platform=windows/amd64", "is not supported: only linux");
}
