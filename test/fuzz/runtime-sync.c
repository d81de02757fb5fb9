/* Any bytes as the message of a container's first process to its parent. */
#include "runtime/sync.h"
#include <sys/socket.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    int pair[2];
    struct err e = sync_pair(pair);
    if (err_failed(e)) {
        err_free(e);
        return 0;
    }
    if (send(pair[1], data, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0) {
        enum sync_type type = 0;
        int fd = -1;
        err_free(sync_receive(pair[0], &type, &fd));
        fd_close(fd);
    }
    fd_close(pair[0]);
    fd_close(pair[1]);
    return 0;
}
