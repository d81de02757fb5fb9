/* protocol_health.c - health checks in messages. */
#include "monitor/protocol.h"

void protocol_put_health(struct buf *body, const struct monitor_health *h) {
    CLEAN_BUF struct buf b = {0};
    if (h->probe == MONITOR_PROBE_NONE)
        return;
    msg_put_u64(&b, TAG_HEALTH_PROBE, h->probe);
    msg_put(&b, TAG_HEALTH_PROCESS, h->process);
    msg_putz(&b, TAG_HEALTH_ADDRESS, h->address);
    msg_put_u64(&b, TAG_HEALTH_PORT, h->port);
    msg_putz(&b, TAG_HEALTH_PATH, h->path);
    msg_put_i64(&b, TAG_HEALTH_MAX_AGE, h->max_age);
    msg_put_i64(&b, TAG_HEALTH_INTERVAL, h->interval);
    msg_put_i64(&b, TAG_HEALTH_TIMEOUT, h->timeout);
    msg_put_i64(&b, TAG_HEALTH_START_PERIOD, h->start_period);
    msg_put_i64(&b, TAG_HEALTH_START_INTERVAL, h->start_interval);
    msg_put_i64(&b, TAG_HEALTH_RETRIES, h->retries);
    msg_put_u64(&b, TAG_HEALTH_ACTION, h->action);
    msg_put_i64(&b, TAG_HEALTH_STOP_SIGNO, h->stop_signo);
    msg_put_i64(&b, TAG_HEALTH_STOP_TIMEOUT, h->stop_timeout);
    msg_put(body, TAG_HEALTH, buf_str(&b));
}

struct err protocol_get_health(struct str body, struct arena *a, struct monitor_health *ret) {
    *ret = (struct monitor_health){0};
    if (!msg_has(body, TAG_HEALTH))
        return OK;
    struct str b = msg_get(body, TAG_HEALTH);
    uint64_t probe = msg_get_u64(b, TAG_HEALTH_PROBE), action = msg_get_u64(b, TAG_HEALTH_ACTION);
    *ret = (struct monitor_health){
        .probe = (enum monitor_probe)probe,
        .process = msg_get(b, TAG_HEALTH_PROCESS),
        .address = arena_str(a, msg_get(b, TAG_HEALTH_ADDRESS)),
        .port = (unsigned)msg_get_u64(b, TAG_HEALTH_PORT),
        .path = arena_str(a, msg_get(b, TAG_HEALTH_PATH)),
        .max_age = msg_get_i64(b, TAG_HEALTH_MAX_AGE),
        .interval = msg_get_i64(b, TAG_HEALTH_INTERVAL),
        .timeout = msg_get_i64(b, TAG_HEALTH_TIMEOUT),
        .start_period = msg_get_i64(b, TAG_HEALTH_START_PERIOD),
        .start_interval = msg_get_i64(b, TAG_HEALTH_START_INTERVAL),
        .retries = msg_get_i64(b, TAG_HEALTH_RETRIES),
        .action = (enum monitor_action)action,
        .stop_signo = (int)msg_get_i64(b, TAG_HEALTH_STOP_SIGNO),
        .stop_timeout = msg_get_i64(b, TAG_HEALTH_STOP_TIMEOUT),
    };
    if (!msg_body_ok(b) || probe > MONITOR_PROBE_FILE || action > MONITOR_ACTION_KILL ||
        ret->interval <= 0 || ret->timeout <= 0 || ret->start_interval <= 0 || ret->retries <= 0)
        return err_new(ERR_INVALID, "start: impossible health checks");
    return OK;
}

void protocol_put_state(struct buf *body, const struct monitor_health_state *s, bool newest_only) {
    CLEAN_BUF struct buf b = {0};
    msg_put_u64(&b, TAG_HEALTH_STATUS, s->status);
    msg_put_i64(&b, TAG_HEALTH_STREAK, s->streak);
    for (size_t i = newest_only && s->results_n ? s->results_n - 1 : 0; i < s->results_n; i++) {
        const struct monitor_health_result *r = &s->results[i];
        CLEAN_BUF struct buf one = {0};
        msg_put_i64(&one, TAG_RESULT_START, r->start);
        msg_put_i64(&one, TAG_RESULT_END, r->end);
        msg_put_i64(&one, TAG_RESULT_CODE, r->code);
        msg_put(&one, TAG_RESULT_OUTPUT, r->output);
        msg_put(&b, TAG_HEALTH_RESULT, buf_str(&one));
    }
    msg_put(body, TAG_HEALTH, buf_str(&b));
}

bool protocol_get_state(struct str body, struct monitor_health_state *ret) {
    struct str b = msg_get(body, TAG_HEALTH), value;
    uint16_t tag;
    if (!msg_has(body, TAG_HEALTH) || !msg_body_ok(b) ||
        msg_get_u64(b, TAG_HEALTH_STATUS) > MONITOR_UNHEALTHY)
        return false;
    *ret = (struct monitor_health_state){
        .status = (enum monitor_health_status)msg_get_u64(b, TAG_HEALTH_STATUS),
        .streak = msg_get_i64(b, TAG_HEALTH_STREAK),
    };
    while (ret->results_n < MONITOR_HEALTH_RESULTS && msg_next(&b, &tag, &value))
        if (tag == TAG_HEALTH_RESULT && msg_body_ok(value))
            ret->results[ret->results_n++] = (struct monitor_health_result){
                .start = msg_get_i64(value, TAG_RESULT_START),
                .end = msg_get_i64(value, TAG_RESULT_END),
                .code = (int)msg_get_i64(value, TAG_RESULT_CODE),
                .output = str_sub(msg_get(value, TAG_RESULT_OUTPUT), 0, MONITOR_HEALTH_OUTPUT + 3),
            };
    return true;
}

bool monitor_hello_health(const struct monitor_hello *h, struct monitor_health_state *ret) {
    return protocol_get_state(buf_str(&h->health), ret);
}
