/* keeps.c - volumes that are mounts, on their way between daemon and monitor: names in the body,
 * descriptors beside it, in the same order. */
#include "base/mem.h"
#include "monitor/protocol.h"
#include <stdlib.h>

void protocol_put_keeps(struct buf *body, const struct monitor_keep *keeps, size_t n, int *fds) {
    for (size_t i = 0; i < n; i++) {
        msg_putz(body, TAG_KEEP, keeps[i].name);
        fds[i] = keeps[i].fd;
    }
}

void protocol_get_keeps(struct msg *m, struct monitor_keep **ret, size_t *ret_n) {
    uint16_t tag;
    struct str value, rest = m->body;
    struct monitor_keep *keeps = NULL;
    size_t n = 0;
    while (n < m->fds_n && n < MONITOR_KEEPS_MAX && msg_next(&rest, &tag, &value)) {
        if (tag != TAG_KEEP)
            continue;
        if (!keeps)
            keeps = NEW_ARRAY(MONITOR_KEEPS_MAX, struct monitor_keep);
        keeps[n] = (struct monitor_keep){str_dup(value), TAKE_FD(m->fds[n])};
        n++;
    }
    *ret = keeps;
    *ret_n = n;
}

void protocol_keeps_done(struct monitor_keep *keeps, size_t n) {
    for (size_t i = 0; i < n; i++) {
        free(keeps[i].name);
        fd_close(keeps[i].fd);
    }
    free(keeps);
}
