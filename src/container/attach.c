/* attach: the client's socket goes to the monitor. A client that comes before the start gets its
 * head now and its first byte from the monitor. */
#include "container/private.h"
#include <stdlib.h>
#include <sys/socket.h>

struct err container_attach_check(const struct container *c) {
    if (c->state == CONTAINER_PAUSED)
        return err_new(ERR_CONFLICT, "container %s is paused, unpause the container before attach",
                       c->id);
    if (c->state == CONTAINER_RESTARTING)
        return err_new(ERR_CONFLICT,
                       "container %s is restarting, wait until the container is running", c->id);
    if (c->state == CONTAINER_REMOVING || c->state == CONTAINER_DEAD)
        return err_new(ERR_CONFLICT, "container %s is marked for removal and cannot be attached to",
                       c->id);
    return OK;
}

static void attach_sent(void *arg UNUSED, struct err e) {
    err_ignore(e); /* the monitor has told the client */
}

void container_attach(struct container *c, const struct monitor_attach *a, const char *content_type,
                      struct http_taken *taken) {
    container_publish(c, "attach", NULL, NULL);
    if (container_is_alive(c) && c->monitor) {
        struct monitor_client client = {.taken = taken, .content_type = content_type};
        monitor_attach(c->monitor, client, a, attach_sent, NULL);
        return;
    }
    CLEAN_BUF struct buf head = {0};
    http_hijack_head(&head, taken->upgrade, content_type);
    if (send(taken->fd, head.data, head.len, MSG_NOSIGNAL | MSG_DONTWAIT) != (ssize_t)head.len) {
        http_taken_done(taken);
        return;
    }
    struct container_waiter *w = NEW(struct container_waiter);
    w->taken = *taken;
    *taken = (struct http_taken){.fd = -1};
    w->attach = *a;
    w->content_type = mem_strdup(content_type);
    w->detach_keys = mem_strdup_opt(a->detach_keys);
    w->attach.detach_keys = w->detach_keys;
    list_push(&c->prestart, &w->link);
}
