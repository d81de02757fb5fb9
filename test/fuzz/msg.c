/* Messages between processes: the packet, the fields, the error fields. */
#include "loop/msg_wire.h"

#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void walk(struct str body) {
    uint16_t tag;
    struct str value, rest = body;
    while (msg_next(&rest, &tag, &value))
        if (value.p < body.p || value.p + value.len > body.p + body.len)
            abort();
    if (msg_body_ok(body) != (rest.len == 0))
        abort();
    msg_get_u64(body, 3);
    err_free(msg_get_err(body, 1));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int p[2];
    walk(str_n(data, size));
    if (size == 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, p) < 0)
        return 0;
    if (send(p[0], data, size, MSG_DONTWAIT) == (ssize_t)size) {
        struct msg m = {0};
        if (msg_wire_recv(p[1], &m) == 1) {
            if (!msg_body_ok(m.body))
                abort();
            walk(m.body);
        }
        msg_done(&m);
    }
    close(p[0]);
    close(p[1]);
    return 0;
}
