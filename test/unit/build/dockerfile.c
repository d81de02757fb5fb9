/* Dockerfile text → tree, against golden trees of our own, and the errors with their positions. */
#include "build/dockerfile.h"
#include "test.h"

static void tree(const char *text, const char *want) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf got = {0};
    struct dockerfile *f;
    assert_ok(dockerfile_parse(str_of(text), "Dockerfile", &a, &f));
    dockerfile_print_tree(f, &got);
    assert_string_equal(buf_cstr(&got), want);
}

static void fails(const char *text, const char *want) {
    CLEAN_ARENA struct arena a = {0};
    struct dockerfile *f;
    struct err e = dockerfile_parse(str_of(text), "Dockerfile", &a, &f);
    assert_int_equal(err_kind(e), ERR_INVALID);
    assert_string_equal(err_msg(e), want);
    err_free(e);
}

TEST(words_and_json) {
    tree("FROM a AS b\nCMD [\"x\", \"y z\"]\nCMD x y  z \nCMD [\"x\",]\n",
         "(from \"a\" \"AS\" \"b\")\n(cmd \"x\" \"y z\")\n(cmd \"x y  z\")\n(cmd "
         "\"[\\\"x\\\",]\")\n");
    tree("copy [\"a b\", \"/c\"]\nadd a  b\tc\n",
         "(copy \"a b\" \"/c\")\n(add \"a\" \"b\" \"c\")\n");
    tree("CMD []\nENTRYPOINT [ ]\nRUN", "(cmd)\n(entrypoint)\n(run)\n");
}

TEST(pairs) {
    tree("ENV a=b c=\"d e\" f=g\\ h\n",
         "(env \"a\" \"b\" \"=\" \"c\" \"\\\"d e\\\"\" \"=\" \"f\" \"g\\\\ h\" \"=\")\n");
    tree("ENV a  b c=d \n", "(env \"a\" \"b c=d\" \"\")\n");
    tree("LABEL x='a b'\nARG a b=c\n", "(label \"x\" \"'a b'\" \"=\")\n(arg \"a\" \"b=c\")\n");
}

TEST(continuations_and_comments) {
    tree("RUN a \\\n  # no\n\n   b \\  \n c\n# x\nRUN d\\\\\nRUN e \\",
         "(run \"a    b  c\")\n(run \"d\\\\\\\\\")\n(run \"e\")\n");
    tree("\xef\xbb\xbf# escape=`\r\nRUN a `\r\n b\\\r\n", "(run \"a  b\\\\\")\n");
    tree("# a comment ends the directives\n# escape=`\nRUN a \\\n b\n", "(run \"a  b\")\n");
}

TEST(flags) {
    tree("COPY --from=a --chown=\"x y\" -- --b c\n",
         "(copy [\"--from=a\" \"--chown=x y\"] \"--b\" \"c\")\n");
    tree("HEALTHCHECK --interval=5s CMD [\"a\"]\nHEALTHCHECK NONE\n",
         "(healthcheck [\"--interval=5s\"] \"CMD\" \"a\")\n(healthcheck \"NONE\")\n");
}

TEST(onbuild) {
    tree("ONBUILD RUN x y\nONBUILD COPY --from=a b c\n",
         "(onbuild (run \"x y\"))\n(onbuild (copy [\"--from=a\"] \"b\" \"c\"))\n");
}

TEST(heredocs) {
    CLEAN_ARENA struct arena a = {0};
    struct dockerfile *f;
    const char *text =
        "COPY <<A <<-\"B\" /d\nx $y\nA\n\tz\n\tB\nRUN cat <<E | wc\n1\nE\nRUN <<E\nls\nE\n";
    assert_ok(dockerfile_parse(str_of(text), "Dockerfile", &a, &f));
    assert_int_equal(f->n, 3);
    const struct heredoc *h = f->nodes[0]->heredocs;
    assert_int_equal(f->nodes[0]->heredocs_n, 2);
    assert_string_equal(h[0].content, "x $y\n");
    assert_true(h[0].expand && !h[0].chomp);
    assert_string_equal(h[1].name, "B");
    assert_string_equal(heredoc_text(&h[1], &a), "z\n");
    assert_true(!h[1].expand && h[1].chomp);
    assert_false(f->nodes[1]->heredocs[0].whole);
    assert_true(f->nodes[2]->heredocs[0].whole);
    assert_int_equal(f->nodes[2]->line, 9);
    assert_int_equal(f->nodes[2]->last_line, 11);
}

TEST(heredoc_is_not_one) {
    tree("RUN echo '<<A'\nCOPY [\"<<A\", \"b\"]\nCMD <<A\n",
         "(run \"echo '<<A'\")\n(copy \"<<A\" \"b\")\n(cmd \"<<A\")\n");
}

TEST(directives) {
    CLEAN_ARENA struct arena a = {0};
    struct dockerfile *f;
    assert_ok(
        dockerfile_parse(STR("#syntax=docker/dockerfile:1\n# Escape = `\n# check=skip=all\nFROM x"),
                         "Dockerfile", &a, &f));
    assert_string_equal(f->syntax, "docker/dockerfile:1");
    assert_string_equal(f->check, "skip=all");
    assert_int_equal(f->escape, '`');
}

TEST(errors_point_at_the_place) {
    fails("FROM a\n  ENV x\n",
          "Dockerfile:2:7: ENV must have two arguments\n    2 |   ENV x\n      |       ^");
    fails("ENV a=b \\\n  c\n", "Dockerfile:2:3: can't find = in \"c\": it must be of the form "
                               "name=value\n    2 |   c\n      |   ^");
    fails("", "Dockerfile: file with no instructions");
    fails("# only\n\n", "Dockerfile: file with no instructions");
    fails("CMD [\"a\", [\"b\"]]",
          "Dockerfile:1:5: when using JSON array syntax, arrays must be comprised of strings "
          "only\n    1 | CMD [\"a\", [\"b\"]]\n      |     ^");
    fails("# escape=x\nFROM a",
          "Dockerfile:1:1: invalid escape token 'x': it must be ` or \\\n    1 | # escape=x\n"
          "      | ^");
    fails("# escape=`\n# escape=`\n",
          "Dockerfile:2:1: only one escape parser directive can be used\n"
          "    2 | # escape=`\n      | ^");
    fails("RUN <<A\nx\n",
          "Dockerfile:1:1: unterminated heredoc: no line \"A\"\n    1 | RUN <<A\n      | ^");
}

TEST(limits) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf b = {0};
    struct dockerfile *f;
    assert_err(dockerfile_parse(str_n("RUN a\0b", 7), "Dockerfile", &a, &f), ERR_INVALID);
    buf_adds(&b, "RUN ");
    for (size_t i = 0; i < DOCKERFILE_LINE_MAX; i++)
        buf_addc(&b, 'x');
    assert_err(dockerfile_parse(buf_str(&b), "Dockerfile", &a, &f), ERR_INVALID);
    buf_clear(&b);
    for (size_t i = 0; i < 20; i++)
        buf_adds(&b, "ONBUILD ");
    assert_err(dockerfile_parse(buf_str(&b), "Dockerfile", &a, &f), ERR_INVALID);
}
