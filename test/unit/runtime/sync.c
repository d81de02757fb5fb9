#include "test.h"

#include "base/attr.h"
#include "runtime/sync.h"
#include <fcntl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

TEST(messages_and_descriptors_go_across) {
    int pair[2], fd = -1;
    enum sync_type type = 0;
    assert_ok(sync_pair(pair));
    assert_true(pair[0] > 2 && pair[1] > 2);
    assert_ok(sync_send(pair[1], SYNC_TERMINAL, STDOUT_FILENO));
    assert_ok(sync_send(pair[1], SYNC_READY, -1));
    assert_ok(sync_receive(pair[0], &type, &fd));
    assert_int_equal(type, SYNC_TERMINAL);
    assert_true(fd > 2 && (fcntl(fd, F_GETFD) & FD_CLOEXEC));
    close(fd);
    assert_ok(sync_receive(pair[0], &type, &fd));
    assert_int_equal(type, SYNC_READY);
    assert_int_equal(fd, -1);
    close(pair[1]);
    assert_ok(sync_receive(pair[0], &type, &fd));
    assert_int_equal(type, 0);
    close(pair[0]);
}

TEST(an_error_keeps_kind_and_text) {
    int pair[2];
    assert_ok(sync_pair(pair));
    pid_t pid = fork();
    if (pid == 0)
        sync_fail(pair[1], err_new(ERR_FORBIDDEN, "no: %d", 5));
    close(pair[1]);
    enum sync_type type = 0;
    struct err e = sync_receive(pair[0], &type, NULL);
    assert_int_equal(err_kind(e), ERR_FORBIDDEN);
    assert_string_equal(err_msg(e), "no: 5");
    err_free(e);
    close(pair[0]);
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(WEXITSTATUS(status), 1);
}

TEST(garbage_is_refused) { /* row 14 */
    static const struct {
        const char *bytes;
        size_t n;
    } cases[] = {{"x", 1},
                 {"\1\0\0\0", 4},
                 {"\377\377\377\377\0\0\0\0aaaaaaaaaaaaaaaa", 24},
                 {"\0\0\0\0\0\0\0\0aaaaaaaaaaaaaaaa", 24}};
    for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
        int pair[2], fd = -1;
        enum sync_type type = 0;
        assert_ok(sync_pair(pair));
        assert_int_equal(send(pair[1], cases[i].bytes, cases[i].n, 0), (ssize_t)cases[i].n);
        assert_err(sync_receive(pair[0], &type, &fd), ERR_INVALID);
        close(pair[0]);
        close(pair[1]);
    }
    /* longer than any message, and an error text without an end */
    int pair[2];
    enum sync_type type = 0;
    char big[8192];
    memset(big, 'A', sizeof(big));
    assert_ok(sync_pair(pair));
    memcpy(big, "\2\0\0\0\0\0\0\0", 8);
    assert_int_equal(send(pair[1], big, sizeof(big), 0), (ssize_t)sizeof(big));
    assert_err(sync_receive(pair[0], &type, NULL), ERR_INVALID);
    assert_int_equal(send(pair[1], big, 8 + 16 + SYNC_TEXT_MAX, 0), 8 + 16 + SYNC_TEXT_MAX);
    struct err e = sync_receive(pair[0], &type, NULL);
    assert_int_equal(err_kind(e), ERR_SYSTEM); /* an unknown kind */
    assert_int_equal(strlen(err_msg(e)), SYNC_TEXT_MAX - 1);
    err_free(e);
    close(pair[0]);
    close(pair[1]);
}
