#include "base/log.h"
#include "base/file.h"
#include "test.h"

#include <fcntl.h>
#include <unistd.h>

static struct buf logged(int fd) {
    struct buf b = {0};
    fd_read_buf(fd, &b);
    return b;
}

TEST(foreign_text_cannot_inject_lines) {
    int ends[2];
    assert_int_equal(pipe2(ends, O_CLOEXEC | O_NONBLOCK), 0);
    log_init("unit", LOG_INFO, ends[1]);
    log_info("name=%s", "a\nb\x1b[31m\xff\xc2\x9b\xe2\x82\xac");
    log_debug("not shown");
    log_err(LOG_WARN, err_new(ERR_INVALID, "inner"), "outer");
    log_err(LOG_WARN, OK, "nothing to say");
    CLEAN_BUF struct buf b = logged(ends[0]);
    struct str rest = buf_str(&b), line;
    assert_true(str_next(&rest, '\n', &line));
    /* 2026-11-21T08:02:36.123456Z */
    assert_true(str_eq(str_from(line, 27),
                       STR(" info unit: name=a\\nb\\x1b[31m\\xff\\xc2\\x9b\xe2\x82\xac")));
    assert_int_equal(line.p[26], 'Z');
    assert_true(str_next(&rest, '\n', &line));
    assert_true(str_eq(str_from(line, 27), STR(" warn unit: outer: inner")));
    assert_true(str_next(&rest, '\n', &line) && line.len == 0);
    log_init("unit", LOG_INFO, STDERR_FILENO);
    close(ends[0]);
    close(ends[1]);
}

TEST(level_names) {
    enum log_level level;
    assert_true(log_level_from_name("debug", &level) && level == LOG_DEBUG);
    assert_true(log_level_from_name("fatal", &level) && level == LOG_ERROR);
    assert_false(log_level_from_name("loud", &level));
}
