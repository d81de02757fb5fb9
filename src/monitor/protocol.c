/* protocol.c - the bodies of messages, both directions. */
#include "monitor/protocol.h"
#include "base/file.h"
#include "base/mem.h"
#include <stdlib.h>

/* --- start ------------------------------------------------------------------------------------ */

static unsigned start_flags(const struct monitor_start *s) {
    return (s->terminal ? START_TERMINAL : 0u) | (s->open_stdin ? START_OPEN_STDIN : 0u) |
           (s->stdin_once ? START_STDIN_ONCE : 0u) | (s->auto_remove ? START_AUTO_REMOVE : 0u) |
           (s->hold_mounts ? START_HOLD_MOUNTS : 0u) |
           (s->network_follows ? START_NETWORK_FOLLOWS : 0u);
}

/* wanted, and what is given: bits of enum start_fd. */
static unsigned choose_fds(const struct monitor_start *s, unsigned wanted, int fds[START_FDS_N],
                           size_t *ret_fds_n) {
    const int given[START_FDS_N] = {
        [START_RUN_DIR] = s->run_dir_fd,
        [START_LAYERS_DIR] = s->layers_dir_fd,
        [START_DATA_DIR] = s->data_dir_fd,
        [START_NETNS] = s->netns_fd,
        [START_SECCOMP] = s->seccomp_fd,
        [START_LOG_DIR] = s->log_dir_fd,
        [START_NAMES_UDP] = s->names_path ? s->names_fds[0] : -1,
        [START_NAMES_TCP] = s->names_path ? s->names_fds[1] : -1,
        [START_INIT] = s->init_fd > 0 ? s->init_fd : -1,
        [START_SHM] = s->shm_fd > 0 ? s->shm_fd : -1,
    };
    unsigned mask = 0;
    size_t n = 0;
    for (unsigned i = 0; i < START_FDS_N; i++)
        if (given[i] >= 0 && wanted >> i & 1) {
            mask |= 1u << i;
            fds[n++] = given[i];
        }
    *ret_fds_n = n;
    return mask;
}

#define NETWORK_FDS (1u << START_NETNS | 1u << START_NAMES_UDP | 1u << START_NAMES_TCP)

void protocol_put_network(struct buf *body, const struct monitor_start *s, int fds[START_FDS_N],
                          size_t *ret_fds_n) {
    msg_put_u64(body, TAG_START_FDS, choose_fds(s, NETWORK_FDS, fds, ret_fds_n));
}

void protocol_put_start(struct buf *body, const struct monitor_start *s, int fds[START_FDS_N],
                        size_t *ret_fds_n) {
    unsigned mask = choose_fds(s, s->network_follows ? ~NETWORK_FDS : ~0u, fds, ret_fds_n);
    msg_putz(body, TAG_ID, s->id);
    msg_put(body, TAG_CONFIG, s->config);
    for (size_t i = 0; i < s->layers_n; i++)
        msg_putz(body, TAG_LAYER, s->layers[i]);
    msg_put_u64(body, TAG_START_FDS, mask);
    msg_putz(body, TAG_USER, s->user);
    for (size_t i = 0; i < s->groups_n; i++)
        msg_putz(body, TAG_GROUP, s->groups[i]);
    msg_put_u64(body, TAG_FLAGS, start_flags(s));
    msg_putz(body, TAG_LOG_DRIVER, s->log_driver);
    msg_putz(body, TAG_LOG_NAME, s->log_name);
    msg_put_i64(body, TAG_LOG_MAX_SIZE, s->log_max_size);
    msg_put_i64(body, TAG_LOG_MAX_FILE, s->log_max_file);
    if (s->log_attrs.len > 0)
        msg_put(body, TAG_LOG_ATTRS, s->log_attrs);
    msg_put_i64(body, TAG_LOG_MAX_BUFFER, s->log_max_buffer);
    if (s->log_packer)
        msg_putz(body, TAG_LOG_PACKER, s->log_packer);
    protocol_put_health(body, &s->health);
    protocol_put_methods(body, s->methods, s->methods_n);
    msg_putz(body, TAG_NAMES_PATH, s->names_path);
}

void protocol_ports_begin(const struct monitor_ports *from, struct protocol_ports *p) {
    *p = (struct protocol_ports){.from = from, .lines = from->relay_lines};
}

bool protocol_ports_next(struct protocol_ports *p) {
    const struct monitor_ports *from = p->from;
    struct str line;
    bool first = !p->begun && from->relay_path;
    p->begun = true;
    buf_done(&p->body);
    if (p->held == from->held_n && p->relayed == from->relay_n && !(first && from->relay_address))
        return false;
    if (first) {
        msg_putz(&p->body, TAG_RELAY_PATH, from->relay_path);
        msg_putz(&p->body, TAG_RELAY_ADDRESS, from->relay_address);
    }
    if (p->held < from->held_n) {
        p->fds = from->held_fds + p->held;
        p->n = MIN(from->held_n - p->held, (size_t)MSG_FDS_MAX);
        p->held += p->n;
        return true;
    }
    CLEAN_BUF struct buf lines = {0};
    p->fds = from->relay_fds + p->relayed;
    p->n = MIN(from->relay_n - p->relayed, (size_t)MSG_FDS_MAX);
    p->relayed += p->n;
    for (size_t i = 0; i < p->n && str_next(&p->lines, '\n', &line); i++)
        buf_addf(&lines, "%.*s\n", STR_ARG(line));
    msg_put(&p->body, TAG_PORT_LINES, buf_str(&lines));
    return true;
}

static const char **strings(struct str body, uint16_t wanted, struct arena *a, size_t *ret_n) {
    uint16_t tag;
    struct str value, rest = body;
    size_t n = 0;
    while (msg_next(&rest, &tag, &value))
        n += tag == wanted;
    const char **items = arena_array(a, n + 1, sizeof(*items));
    rest = body;
    for (size_t i = 0; i < n && msg_next(&rest, &tag, &value);)
        if (tag == wanted)
            items[i++] = arena_str(a, value);
    *ret_n = n;
    return items;
}

/* Takes what came. Those that are there already are replaced. */
static struct err get_fds(struct msg *m, struct protocol_start *s) {
    uint64_t mask = msg_get_u64(m->body, TAG_START_FDS);
    if (mask >> START_FDS_N != 0 || (size_t)__builtin_popcountll(mask) != m->fds_n)
        return err_new(ERR_INVALID, "start: %zu descriptors do not fit mask %llx", m->fds_n,
                       (unsigned long long)mask);
    size_t n = 0;
    for (unsigned i = 0; i < START_FDS_N; i++)
        if (mask >> i & 1) {
            fd_close(s->fds[i]);
            s->fds[i] = TAKE_FD(m->fds[n]);
            n++;
        }
    return OK;
}

struct err protocol_get_network(struct msg *m, struct protocol_start *s) {
    if (msg_get_u64(m->body, TAG_START_FDS) & ~(uint64_t)NETWORK_FDS)
        return err_new(ERR_INVALID, "network: descriptors that are not a network's");
    return get_fds(m, s);
}

struct err protocol_get_start(struct msg *m, struct arena *a, struct protocol_start *ret) {
    struct protocol_start s = {
        .id = arena_str(a, msg_get(m->body, TAG_ID)),
        .config = msg_get(m->body, TAG_CONFIG),
        .user = arena_str(a, msg_get(m->body, TAG_USER)),
        .flags = (unsigned)msg_get_u64(m->body, TAG_FLAGS),
        .log_driver = arena_str(a, msg_get(m->body, TAG_LOG_DRIVER)),
        .log_name = arena_str(a, msg_get(m->body, TAG_LOG_NAME)),
        .log_max_size = msg_get_i64(m->body, TAG_LOG_MAX_SIZE),
        .log_max_file = (int)msg_get_i64(m->body, TAG_LOG_MAX_FILE),
        .log_attrs = msg_get(m->body, TAG_LOG_ATTRS),
        .log_max_buffer = msg_get_i64(m->body, TAG_LOG_MAX_BUFFER),
    };
    if (msg_has(m->body, TAG_LOG_PACKER))
        s.log_packer = arena_str(a, msg_get(m->body, TAG_LOG_PACKER));
    if (msg_has(m->body, TAG_NAMES_PATH))
        s.names_path = arena_str(a, msg_get(m->body, TAG_NAMES_PATH));
    s.layers = strings(m->body, TAG_LAYER, a, &s.layers_n);
    s.groups = strings(m->body, TAG_GROUP, a, &s.groups_n);
    for (unsigned i = 0; i < START_FDS_N; i++)
        s.fds[i] = -1;
    TRY(get_fds(m, &s));
    struct err e = protocol_get_health(m->body, a, &s.health);
    if (!err_failed(e))
        e = protocol_get_methods(m->body, a, &s.methods, &s.methods_n);
    *ret = s;
    TRY(e);
    if (s.fds[START_RUN_DIR] < 0 || *s.id == '\0' || s.config.len == 0)
        return err_new(ERR_INVALID, "start: incomplete");
    return OK;
}

void protocol_start_done(struct protocol_start *s) {
    for (int i = 0; i < START_FDS_N; i++)
        s->fds[i] = fd_close(s->fds[i]);
}

/* --- clients ---------------------------------------------------------------------------------- */

void protocol_put_client(struct buf *body, const struct monitor_client *c, unsigned flags,
                         const char *detach_keys) {
    flags |= (c->head_sent ? CLIENT_HEAD_SENT : 0u) | (c->taken->upgrade ? CLIENT_UPGRADE : 0u) |
             (c->taken->head_request ? CLIENT_HEAD_REQUEST : 0u);
    msg_put_u64(body, TAG_FLAGS, flags);
    msg_putz(body, TAG_CONTENT_TYPE, c->content_type);
    msg_putz(body, TAG_DETACH_KEYS, detach_keys);
    if (c->taken->early.len > 0)
        msg_put(body, TAG_EARLY, buf_str(&c->taken->early));
}

void protocol_get_client(struct msg *m, struct protocol_client *ret) {
    *ret = (struct protocol_client){
        .fd = m->fds_n >= 1 ? TAKE_FD(m->fds[0]) : -1,
        .flags = (unsigned)msg_get_u64(m->body, TAG_FLAGS),
        .content_type = str_dup(msg_get(m->body, TAG_CONTENT_TYPE)),
    };
    if (msg_has(m->body, TAG_DETACH_KEYS))
        ret->detach_keys = str_dup(msg_get(m->body, TAG_DETACH_KEYS));
    struct str early = msg_get(m->body, TAG_EARLY);
    if (early.len > 0)
        buf_add_str(&ret->early, early);
}

void protocol_client_done(struct protocol_client *c) {
    c->fd = fd_close(c->fd);
    free(c->content_type);
    free(c->detach_keys);
    c->content_type = c->detach_keys = NULL;
    buf_done(&c->early);
}

/* --- facts ------------------------------------------------------------------------------------ */

void protocol_put_started(struct buf *body, const struct monitor_started *s) {
    msg_put_i64(body, TAG_MONITOR_PID, s->monitor_pid);
    msg_put_i64(body, TAG_PID, s->pid);
    msg_put_u64(body, TAG_START_TIME, s->start_time);
    msg_put_i64(body, TAG_STARTED_AT, s->started_at);
}

void protocol_get_started(struct str body, struct monitor_started *ret) {
    ret->monitor_pid = (pid_t)msg_get_i64(body, TAG_MONITOR_PID);
    ret->pid = (pid_t)msg_get_i64(body, TAG_PID);
    ret->start_time = msg_get_u64(body, TAG_START_TIME);
    ret->started_at = msg_get_i64(body, TAG_STARTED_AT);
}

void protocol_put_exit(struct buf *body, const struct monitor_exit *x) {
    msg_put_i64(body, TAG_EXIT_CODE, x->code);
    msg_put_i64(body, TAG_EXIT_AT, x->finished_at);
    msg_put_u64(body, TAG_EXIT_OOM, x->oom_killed);
    const char *error = x->error ? x->error : "";
    msg_put(body, TAG_EXIT_ERROR,
            str_n(error, strlen(error) + 1)); /* with its NUL: read in place */
    msg_put_u64(body, TAG_EXIT_UNHEALTHY, x->unhealthy);
    protocol_put_missing(body, &x->log);
}

void protocol_get_exit(struct str body, struct monitor_exit *ret) {
    struct str error = msg_get(body, TAG_EXIT_ERROR);
    bool whole = error.len > 0 && error.p[error.len - 1] == '\0';
    *ret = (struct monitor_exit){
        .code = (int)msg_get_i64(body, TAG_EXIT_CODE),
        .finished_at = msg_get_i64(body, TAG_EXIT_AT),
        .oom_killed = msg_get_u64(body, TAG_EXIT_OOM) != 0,
        .error = whole ? error.p : "",
        .unhealthy = (enum monitor_action)MIN(msg_get_u64(body, TAG_EXIT_UNHEALTHY),
                                              (uint64_t)MONITOR_ACTION_KILL),
    };
    protocol_get_missing(body, &ret->log);
}

void protocol_put_missing(struct buf *body, const struct logs_missing *m) {
    msg_put_u64(body, TAG_LOG_DROPPED, m->dropped);
    msg_put_u64(body, TAG_LOG_REMOVED_FILES, m->removed_files);
    msg_put_u64(body, TAG_LOG_REMOVED_BYTES, m->removed_bytes);
}

void protocol_get_missing(struct str body, struct logs_missing *ret) {
    *ret = (struct logs_missing){
        .dropped = msg_get_u64(body, TAG_LOG_DROPPED),
        .removed_files = msg_get_u64(body, TAG_LOG_REMOVED_FILES),
        .removed_bytes = msg_get_u64(body, TAG_LOG_REMOVED_BYTES),
    };
}

void protocol_put_exec(struct buf *body, const struct monitor_hello_exec *x) {
    CLEAN_BUF struct buf nested = {0};
    msg_putz(&nested, TAG_EXEC_ID, x->id);
    msg_put_i64(&nested, TAG_PID, x->pid);
    if (!x->running)
        msg_put_i64(&nested, TAG_EXIT_CODE, x->code);
    msg_put(body, TAG_EXEC, buf_str(&nested));
}

void protocol_get_hello(struct msg *m, struct monitor_hello *ret) {
    struct str body = m->body;
    int conn = ret->started.conn;
    *ret = (struct monitor_hello){.started.conn = conn};
    protocol_get_started(body, &ret->started);
    ret->exited = msg_has(body, TAG_EXIT_CODE);
    protocol_get_exit(body, &ret->exit);
    ret->exit.error = mem_strdup(ret->exit.error);
    protocol_get_missing(body, &ret->log);
    protocol_get_keeps(m, &ret->keeps, &ret->keeps_n);
    if (msg_has(body, TAG_HEALTH))
        msg_put(&ret->health, TAG_HEALTH, msg_get(body, TAG_HEALTH));
    uint16_t tag;
    struct str value, rest = body;
    size_t n = 0;
    while (msg_next(&rest, &tag, &value))
        n += tag == TAG_EXEC;
    if (n == 0)
        return;
    ret->execs = NEW_ARRAY(n, struct monitor_hello_exec);
    rest = body;
    while (ret->execs_n < n && msg_next(&rest, &tag, &value))
        if (tag == TAG_EXEC)
            ret->execs[ret->execs_n++] = (struct monitor_hello_exec){
                .id = str_dup(msg_get(value, TAG_EXEC_ID)),
                .pid = (pid_t)msg_get_i64(value, TAG_PID),
                .running = !msg_has(value, TAG_EXIT_CODE),
                .code = (int)msg_get_i64(value, TAG_EXIT_CODE),
            };
}

void monitor_hello_done(struct monitor_hello *h) {
    for (size_t i = 0; i < h->execs_n; i++)
        free(h->execs[i].id);
    free(h->execs);
    protocol_keeps_done(h->keeps, h->keeps_n);
    free((char *)h->exit.error); /* ours: a copy */
    buf_done(&h->health);
    h->started.conn = fd_close(h->started.conn);
    *h = (struct monitor_hello){.started.conn = -1};
}
