/* protocol_life.c - methods in messages. */
#include "monitor/protocol.h"

void protocol_put_methods(struct buf *body, const struct monitor_method *methods, size_t n) {
    for (size_t i = 0; i < n; i++) {
        const struct monitor_method *m = &methods[i];
        CLEAN_BUF struct buf b = {0};
        msg_putz(&b, TAG_METHOD_NAME, m->name);
        msg_put(&b, TAG_PROCESS, m->process);
        msg_putz(&b, TAG_USER, m->user);
        msg_putz(&b, TAG_METHOD_REFUSED, m->refused);
        msg_put_i64(&b, TAG_TIMEOUT, m->timeout);
        msg_put_i64(&b, TAG_METHOD_INTERVAL, m->interval);
        msg_put_i64(&b, TAG_METHOD_START_PERIOD, m->start_period);
        msg_put_u64(&b, TAG_METHOD_AT_START, m->at_start);
        msg_put_u64(&b, TAG_METHOD_READING, m->reading);
        msg_put_u64(&b, TAG_HEALTH_ACTION, m->action);
        msg_put_i64(&b, TAG_HEALTH_STOP_SIGNO, m->stop_signo);
        msg_put_i64(&b, TAG_HEALTH_STOP_TIMEOUT, m->stop_timeout);
        msg_put(body, TAG_METHOD, buf_str(&b));
    }
}

static struct err get_method(struct str b, struct arena *a, struct monitor_method *ret) {
    uint64_t action = msg_get_u64(b, TAG_HEALTH_ACTION), how = msg_get_u64(b, TAG_METHOD_READING);
    *ret = (struct monitor_method){
        .name = arena_str(a, msg_get(b, TAG_METHOD_NAME)),
        .process = msg_get(b, TAG_PROCESS),
        .user = arena_str(a, msg_get(b, TAG_USER)),
        .refused = arena_str(a, msg_get(b, TAG_METHOD_REFUSED)),
        .timeout = msg_get_i64(b, TAG_TIMEOUT),
        .interval = msg_get_i64(b, TAG_METHOD_INTERVAL),
        .start_period = msg_get_i64(b, TAG_METHOD_START_PERIOD),
        .at_start = msg_get_u64(b, TAG_METHOD_AT_START) != 0,
        .reading = (unsigned)how,
        .action = (enum monitor_action)action,
        .stop_signo = (int)msg_get_i64(b, TAG_HEALTH_STOP_SIGNO),
        .stop_timeout = msg_get_i64(b, TAG_HEALTH_STOP_TIMEOUT),
    };
    if (!msg_body_ok(b) || !*ret->name || ret->timeout <= 0 || ret->interval < 0 ||
        action > MONITOR_ACTION_KILL || how > LIFECYCLE_JUNIT)
        return err_new(ERR_INVALID, "start: an impossible method");
    return OK;
}

struct err protocol_get_methods(struct str body, struct arena *a, struct monitor_method **ret,
                                size_t *ret_n) {
    uint16_t tag;
    struct str value, rest = body;
    size_t n = 0, at = 0;
    while (msg_next(&rest, &tag, &value))
        n += tag == TAG_METHOD;
    if (n > LIFECYCLE_METHODS_MAX)
        return err_new(ERR_INVALID, "start: too many methods");
    struct monitor_method *items = arena_array(a, n + 1, sizeof *items);
    rest = body;
    while (msg_next(&rest, &tag, &value))
        if (tag == TAG_METHOD)
            TRY(get_method(value, a, &items[at++]));
    *ret = items;
    *ret_n = n;
    return OK;
}
