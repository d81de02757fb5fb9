/* system dial-stdio: our stdin and stdout become a connection to the daemon. What ssh:// starts at
 * the far end. */
#include "base/file.h"
#include "cli/commands.h"
#include <errno.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

/* One piece from one to the other; false at the end. */
static bool pass(int from, int to) {
    char bytes[65536];
    ssize_t n = read(from, bytes, sizeof bytes);
    if (n < 0 && errno == EINTR)
        return true;
    return n > 0 && fd_write_all(to, bytes, (size_t)n) == 0;
}

static int dial_stdio_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_STREAM_CLIENT struct client_stream s = {.fd = -1};
    bool in_open = true;
    if (!c)
        return 1;
    TRYF_STATUS(client_hijack(c, true, &s));
    for (;;) {
        struct pollfd p[2] = {{s.fd, POLLIN, 0}, {in_open ? 0 : -1, POLLIN, 0}};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return cli_fail(err_errno(errno, "corten: poll"), 1);
        if (p[1].revents && !pass(0, s.fd)) {
            in_open = false;
            shutdown(s.fd, SHUT_WR);
        }
        if (p[0].revents && !pass(s.fd, 1))
            return 0;
    }
}

const struct command command_dial_stdio = {
    .name = "system dial-stdio",
    .usage = "system dial-stdio",
    .summary = "Join stdin and stdout with the daemon's socket",
    .hidden = true,
    .run = dial_stdio_run};
