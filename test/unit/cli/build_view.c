/* A build's events as text: plain, tty, and events that are none. */
#include "cli/build_view.h"
#include "test.h"

static void collect(void *arg, struct str text) {
    buf_add_str(arg, text);
}

static const char events[] =
    "{\"Step\":1,\"Total\":2,\"Stage\":\"a\",\"Name\":\"RUN x\",\"State\":\"start\"}\n"
    "{\"Step\":1,\"Log\":\"one\\ntw\"}\n{\"Step\":1,\"Log\":\"o\\n\"}\n"
    "{\"Step\":1,\"State\":\"done\",\"Nanos\":1500000000}\n"
    "{\"Step\":2,\"Total\":2,\"Stage\":\"a\",\"Name\":\"COPY\\u001b[2J\",\"State\":\"start\"}\n"
    "{\"Step\":2,\"State\":\"cached\"}\n{\"Step\":2,\"State\":\"done\"}\n"
    "{\"State\":\"built\",\"Image\":\"sha256:1\",\"Tags\":[\"t:1\"]}\n";

TEST(plain) {
    CLEAN_BUF struct buf out = {0};
    CLEAN_BUILD_VIEW struct build_view v = {.write = collect, .arg = &out};
    for (size_t i = 0; i < sizeof(events) - 1; i++) /* in any pieces */
        assert_ok(build_view_feed(&v, str_n(events + i, 1)));
    build_view_end(&v);
    const char *text = buf_cstr(&out);
    assert_non_null(strstr(text, "#1 [a 1/2] RUN x\n"));
    assert_non_null(strstr(text, " one\n"));
    assert_non_null(strstr(text, " two\n"));
    assert_non_null(strstr(text, "#1 DONE 1.5s\n"));
    assert_non_null(strstr(text, "#2 [a 2/2] COPY [2J\n"));
    assert_non_null(strstr(text, "#2 CACHED\n"));
    assert_non_null(strstr(text, "image sha256:1\ntagged t:1\n"));
    assert_string_equal(v.image, "sha256:1");
    assert_int_equal(v.tags.n, 1);
}

TEST(tty_leaves_nothing_drawn) {
    CLEAN_BUF struct buf out = {0};
    CLEAN_BUILD_VIEW struct build_view v = {
        .write = collect, .arg = &out, .mode = VIEW_TTY, .columns = 80};
    assert_ok(build_view_feed(&v, str_of(events)));
    assert_int_equal(v.drawn, 0);
    assert_non_null(strstr(buf_cstr(&out), " => [a 1/2] RUN x 1.5s\n"));
    assert_non_null(strstr(buf_cstr(&out), " => CACHED [a 2/2] COPY"));
    assert_ok(
        build_view_feed(&v, STR("{\"Step\":3,\"Total\":3,\"Name\":\"X\",\"State\":\"start\"}\n")));
    assert_int_equal(v.drawn, 1);
    build_view_end(&v);
    assert_int_equal(v.drawn, 0);
}

TEST(no_event) {
    CLEAN_BUF struct buf out = {0};
    CLEAN_BUILD_VIEW struct build_view v = {.write = collect, .arg = &out};
    assert_err(build_view_feed(&v, STR("what\n")), ERR_INVALID);
}
