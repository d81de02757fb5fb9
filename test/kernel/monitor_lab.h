/* monitor_lab.h - a daemon in miniature for tests of the monitor: spawns one for a busybox
 * container, keeps what it reports, gives it client sockets. */
#include "base/log.h"
#include "base/time.h"
#include "box.h"
#include "loop/loop.h"
#include "loop/msg.h"
#include "monitor/monitor.h"
#include <sys/socket.h>
#include <time.h>

#define LAB_EXEC_ID "%064d"

struct lab_options {
    const char *script; /* sh -c */
    bool terminal, open_stdin, stdin_once, auto_remove, hold_exit_ack;
    bool predecessor;     /* the monitor of a run before leaves only after 300 ms */
    int64_t log_max_size; /* 0: unbounded */
    const char *user, *log_driver;
    int log_dir; /* 0: the data directory */
    struct monitor_prestart *prestart;
    size_t prestart_n;
    struct monitor_health health;
    struct box_options box; /* further settings of the configuration */
};
struct lab_exec {
    int code;
    bool ended;
};
struct lab {
    struct loop *loop;
    struct timer *timer;
    bool timeout;
    int run, data, layers, log;
    int number;
    struct monitor *m;
    struct monitor_started started;
    bool hold_exit_ack;
    /* reported */
    unsigned exited, closed, oom, waiters_back, execs_ended, replies, failures;
    struct monitor_exit exit;
    enum err_kind last_failure;
    pid_t last_pid;
    int exec_codes[2048]; /* by the number in the id; -1: not ended */
    int waiter_fd;
    enum monitor_health_status health;
    unsigned probes;
    int64_t streak;
    int probe_code;
    char probe_output[8192];
};

/* --- events ------------------------------------------------------------------------------------
 */

static inline void lab_exited(void *arg, const struct monitor_exit *x) {
    struct lab *b = arg;
    b->exited++;
    b->exit = *x;
    b->exit.error = "";
    if (!b->hold_exit_ack)
        monitor_ack_exit(b->m);
    loop_stop(b->loop);
}
static inline void lab_exec_exited(void *arg, const char *id, int code, int64_t at UNUSED) {
    struct lab *b = arg;
    b->exec_codes[strtol(id, NULL, 10)] = code;
    b->execs_ended++;
    loop_stop(b->loop);
}
static inline void lab_oom(void *arg) {
    struct lab *b = arg;
    b->oom++;
}
static inline void lab_waiter_back(void *arg, int fd, int code UNUSED) {
    struct lab *b = arg;
    b->waiters_back++;
    b->waiter_fd = fd;
    loop_stop(b->loop);
}
static inline void lab_closed(void *arg) {
    struct lab *b = arg;
    b->closed++;
    b->m = monitor_free(b->m);
    loop_stop(b->loop);
}
static inline void lab_health(void *arg, const struct monitor_health_state *s) {
    struct lab *b = arg;
    const struct monitor_health_result *r = &s->results[s->results_n - 1];
    assert_true(s->results_n > 0);
    b->probes++;
    b->health = s->status;
    b->streak = s->streak;
    b->probe_code = r->code;
    assert_true(r->start > 0 && r->end >= r->start);
    snprintf(b->probe_output, sizeof(b->probe_output), "%.*s", STR_ARG(r->output));
    loop_stop(b->loop);
}
static const struct monitor_events lab_events = {.exited = lab_exited,
                                                 .exec_exited = lab_exec_exited,
                                                 .oom = lab_oom,
                                                 .health = lab_health,
                                                 .waiter_back = lab_waiter_back,
                                                 .closed = lab_closed};

static inline void lab_replied(void *arg, struct err e) {
    struct lab *b = arg;
    b->replies++;
    if (err_failed(e)) {
        b->failures++;
        b->last_failure = err_kind(e);
    }
    err_free(e);
    loop_stop(b->loop);
}
static inline void lab_exec_replied(void *arg, struct err e, pid_t pid) {
    struct lab *b = arg;
    b->last_pid = pid;
    lab_replied(b, e);
}

/* --- running -----------------------------------------------------------------------------------
 */

/* Of an amount, a tenth is enough where the processor is emulated. */
static inline int lab_much(int n) {
    return getenv("CORTEN_GUEST") ? n / 10 : n;
}

static inline void lab_timeout(void *arg) {
    struct lab *b = arg;
    b->timeout = true;
    loop_stop(b->loop);
}
/* Runs the loop until the expression holds. */
#define lab_until(b, expr)                                                        \
    do {                                                                          \
        (b)->timeout = false;                                                     \
        timer_set((b)->timer, 60 * NSEC_PER_SEC);                                 \
        while (!(expr) && !(b)->timeout)                                          \
            loop_run((b)->loop);                                                  \
        if (!(expr))                                                              \
            fail_msg("%s:%d: timeout waiting for %s", __FILE__, __LINE__, #expr); \
    } while (0)
/* Lets time pass on the loop. */
static inline void lab_pass(struct lab *b, int64_t ns) {
    b->timeout = false;
    timer_set(b->timer, ns);
    while (!b->timeout)
        loop_run(b->loop);
}

static inline const char *lab_program(void) {
    static char path[4096];
    const char *dir = getenv("CORTEN_BIN");
    snprintf(path, sizeof(path), "%s/corten-monitor", dir ? dir : "build/src/bin");
    return path;
}

static inline void lab_enter(void) {
    box_enter();
    assert_int_equal(mount("none", "/mnt", NULL, MS_REMOUNT, "size=2g"), 0);
}
static inline void lab_leave(void) {
    box_leave();
}

static inline pid_t lab_predecessor(int run) {
    int fd;
    assert_ok(msg_listen(run, "monitor.sock", 0600, &fd));
    pid_t pid = fork();
    if (pid == 0) {
        nanosleep(&(struct timespec){.tv_nsec = 300 * NSEC_PER_MSEC}, NULL);
        _exit(0);
    }
    close(fd);
    return pid;
}

static inline struct err lab_spawn(struct lab *b, const struct lab_options *o) {
    static int n;
    char path[64], cgroup[128];
    memset(b, 0, sizeof(*b));
    b->number = n++;
    b->waiter_fd = -1;
    b->hold_exit_ack = o->hold_exit_ack;
    for (size_t i = 0; i < ARRAY_LEN(b->exec_codes); i++)
        b->exec_codes[i] = -1;
    snprintf(path, sizeof(path), "run/%d", b->number);
    put_dir(path);
    assert_ok(dir_open(path, &b->run));
    pid_t before = o->predecessor ? lab_predecessor(b->run) : 0;
    snprintf(path, sizeof(path), "data/%d", b->number);
    put_dir(path);
    assert_ok(dir_open(path, &b->data));
    assert_ok(dir_open("image", &b->layers));
    snprintf(cgroup, sizeof(cgroup), "/corten-test-%d/m%d", (int)getpid(), b->number);
    struct box_options box = o->box;
    if (!box.args)
        box.script = o->script;
    CLEAN_FREE char *config = box_config(&box, cgroup);
    static const char *const layers[] = {"base"};
    struct monitor_start s = {
        .id = "lab",
        .run_dir_fd = b->run,
        .config = str_of(config),
        .layers_dir_fd = b->layers,
        .data_dir_fd = b->data,
        .layers = layers,
        .layers_n = 1,
        .netns_fd = -1,
        .seccomp_fd = -1,
        .user = o->user ? o->user : "",
        .terminal = o->terminal,
        .open_stdin = o->open_stdin,
        .stdin_once = o->stdin_once,
        .log_driver = o->log_driver ? o->log_driver : "json-file",
        .log_dir_fd = o->log_dir ? o->log_dir : b->data,
        .log_name = "log",
        .log_max_size = o->log_max_size ? o->log_max_size : -1,
        .log_max_file = 10,
        .auto_remove = o->auto_remove,
        .health = o->health,
        .prestart = o->prestart,
        .prestart_n = o->prestart_n,
    };
    b->loop = loop_new();
    b->timer = timer_new(b->loop, 3600 * NSEC_PER_SEC, 0, lab_timeout, b);
    struct monitor_born born = MONITOR_UNBORN;
    assert_ok(monitor_bear(lab_program(), -1, NULL, &born));
    struct err e = monitor_spawn(&s, &born, &b->started);
    if (before)
        waitpid(before, NULL, 0);
    TRY(e);
    b->m = monitor_new(b->loop, b->started.conn, &lab_events, b);
    return OK;
}
static inline void lab_start(struct lab *b, const struct lab_options *o) {
    assert_ok(lab_spawn(b, o));
}
/* The monitor process is gone and reaped. */
static inline bool lab_monitor_gone(const struct lab *b) {
    return kill(b->started.monitor_pid, 0) < 0;
}
static inline void lab_finish(struct lab *b) {
    unsigned failures = b->failures; /* it may have ended already */
    if (b->m) {
        monitor_stop(b->m, SIGKILL, 0, lab_replied, b);
        b->hold_exit_ack = false;
        lab_until(b, b->closed > 0);
    }
    for (int i = 0; i < 400 && b->started.monitor_pid > 0 && !lab_monitor_gone(b); i++)
        lab_pass(b, 50 * NSEC_PER_MSEC);
    assert_true(b->started.monitor_pid == 0 || lab_monitor_gone(b));
    b->failures = failures;
    timer_free(b->timer);
    loop_step(b->loop);
    loop_free(b->loop);
    close(b->run);
    close(b->data);
    close(b->layers);
}
/* Runs to the end and expects the exit code. */
static inline void lab_run(const struct lab_options *o, int code) {
    struct lab b;
    lab_start(&b, o);
    lab_until(&b, b.exited > 0);
    assert_int_equal(b.exit.code, code);
    lab_until(&b, b.closed > 0);
    lab_finish(&b);
}

/* --- clients -----------------------------------------------------------------------------------
 */

/* A connection as http_take gives it; *ret_fd is the client's end. */
static inline struct http_taken lab_client(int *ret_fd, const char *early) {
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    struct http_taken t = {.fd = fds[1], .upgrade = true};
    buf_adds(&t.early, early);
    *ret_fd = fds[0];
    return t;
}
static inline struct monitor_client lab_monitor_client(struct http_taken *t) {
    return (struct monitor_client){.taken = t, .content_type = "application/vnd.docker.raw-stream"};
}
static inline int lab_attach(struct lab *b, struct monitor_attach a, const char *early) {
    int fd;
    struct http_taken t = lab_client(&fd, early);
    unsigned before = b->replies;
    monitor_attach(b->m, lab_monitor_client(&t), &a, lab_replied, b);
    lab_until(b, b->replies > before);
    return fd;
}
static inline int lab_wait(struct lab *b, enum monitor_wait_for w) {
    int fd;
    struct http_taken t = lab_client(&fd, "");
    unsigned before = b->replies;
    monitor_wait(b->m, lab_monitor_client(&t), w, lab_replied, b);
    lab_until(b, b->replies > before);
    return fd;
}

/* Everything until the end of the stream, with the loop running. */
static inline char *lab_read(struct lab *b, int fd) {
    struct buf text = {.max = 256u << 20};
    int64_t end = time_monotonic() + 180 * NSEC_PER_SEC;
    while (time_monotonic() < end) {
        ssize_t n = recv(fd, buf_room(&text, 65536), 65536, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN)) {
            close(fd);
            buf_addc(&text, '\0');
            return buf_take(&text);
        }
        if (n > 0)
            buf_added(&text, (size_t)n);
        if (b)
            lab_pass(b, NSEC_PER_MSEC);
        else
            usleep(1000);
    }
    fail_msg("a stream does not end; so far: %.200s", buf_cstr(&text));
    return NULL;
}
/* Reads at least n bytes, or until the text ends with `tail`. */
static inline char *lab_expect(struct lab *b, int fd, const char *tail) {
    struct buf text = {0};
    int64_t end = time_monotonic() + 20 * NSEC_PER_SEC;
    while (time_monotonic() < end) {
        char c;
        while (recv(fd, &c, 1, MSG_DONTWAIT) == 1) {
            buf_addc(&text, c);
            if (str_ends(buf_str(&text), str_of(tail)))
                return buf_take(&text);
        }
        lab_pass(b, NSEC_PER_MSEC);
    }
    fail_msg("'%s' does not come; got: %.400s", tail, buf_cstr(&text));
    return NULL;
}
static inline const char *lab_body(const char *answer) {
    const char *body = strstr(answer, "\r\n\r\n");
    return body ? body + 4 : answer;
}
/* Takes the frames of a multiplexed stream apart: [1] stdout, [2] stderr. */
static inline void lab_frames(const char *answer, size_t n, struct buf out[3]) {
    const unsigned char *p = (const unsigned char *)lab_body(answer);
    const unsigned char *end = (const unsigned char *)answer + n;
    while (p < end) {
        assert_true(end - p >= 8 && (p[0] == 1 || p[0] == 2) && p[1] == 0 && p[2] == 0 &&
                    p[3] == 0);
        size_t len = (size_t)p[4] << 24 | (size_t)p[5] << 16 | (size_t)p[6] << 8 | p[7];
        assert_true((size_t)(end - p) >= 8 + len);
        buf_add(&out[p[0]], p + 8, len);
        p += 8 + len;
    }
}
/* lab_read for multiplexed streams. */
static inline void lab_read_frames(struct lab *b, int fd, struct buf out[3]) {
    struct buf text = {0};
    int64_t end = time_monotonic() + 180 * NSEC_PER_SEC;
    for (;;) {
        ssize_t n = recv(fd, buf_room(&text, 65536), 65536, MSG_DONTWAIT);
        if (n == 0 || (n < 0 && errno != EAGAIN))
            break;
        if (n > 0)
            buf_added(&text, (size_t)n);
        else
            lab_pass(b, NSEC_PER_MSEC);
        assert_true(time_monotonic() < end);
    }
    close(fd);
    lab_frames(buf_cstr(&text), text.len, out);
    buf_done(&text);
}

/* --- execs -------------------------------------------------------------------------------------
 */

static inline char *lab_process(const char *args, const char *more) {
    return mem_printf("{\"args\":%s,\"cwd\":\"/\",\"user\":{\"uid\":0,\"gid\":0},"
                      "\"env\":[\"PATH=/bin\"]%s}",
                      args, more ? more : "");
}
static inline void lab_exec(struct lab *b, int number, const char *args, struct monitor_exec x) {
    char id[65];
    snprintf(id, sizeof(id), LAB_EXEC_ID, number);
    CLEAN_FREE char *process = lab_process(args, NULL);
    x.id = id;
    x.process = str_of(process);
    monitor_exec(b->m, &x, lab_exec_replied, b);
}
