/* inside.c - our own program in the container asks (src/bin/corten-container.c).
 *
 * One line comes: "metadata", "examine", "methods", or the name of a method. The answer is frames:
 * type 'o', 'e' or 'x', a length of four bytes, little-endian, bytes. Whoever has the socket is in
 * the container: it can ask for what the image offers and nothing else. What it does not read is
 * kept up to INSIDE_QUEUE_MAX, then left out. */
#include "base/file.h"
#include "base/mem.h"
#include "monitor/life.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#define INSIDE_LINE_MAX 64
#define INSIDE_QUEUE_MAX (1u << 20)
#define STATUS_TIMEOUT 124

struct inside {
    struct exec *owner;
    int fd;
    struct watch *watch;
    char line[INSIDE_LINE_MAX];
    size_t line_n;
    bool asked, answered;
    bool waits; /* for the daemon */
    struct buf out;
    struct buf metadata, examine;
    struct run *run;
    struct exec *exec;
    struct exec_own own;
};

/* --- answers ---------------------------------------------------------------------------------- */

static void flush(struct inside *x) {
    while (x->out.len > 0) {
        ssize_t n = send(x->fd, x->out.data, x->out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            break; /* full, or gone: the watch tells */
        buf_drop(&x->out, (size_t)n);
    }
    watch_set(x->watch, WATCH_READ | (x->out.len > 0 ? WATCH_WRITE : 0u));
}

static void answer(struct inside *x, char type, const char *p, size_t n) {
    if (type != 'x' && x->out.len + n > INSIDE_QUEUE_MAX)
        return;
    const unsigned char head[5] = {(unsigned char)type, (unsigned char)n, (unsigned char)(n >> 8),
                                   (unsigned char)(n >> 16), (unsigned char)(n >> 24)};
    buf_add(&x->out, head, sizeof(head));
    buf_add(&x->out, p, n);
    flush(x);
}

static void end(struct inside *x, int status) {
    char text[16];
    int n = snprintf(text, sizeof(text), "%d", status);
    x->answered = true;
    answer(x, 'x', text, (size_t)n);
}

static void text(struct inside *x, struct str s) {
    answer(x, 'o', s.p, s.len);
    if (s.len > 0 && s.p[s.len - 1] != '\n')
        answer(x, 'o', "\n", 1);
    end(x, 0);
}

static void refuse(struct inside *x, const char *words) {
    answer(x, 'e', "container: ", 11);
    answer(x, 'e', words, strlen(words));
    answer(x, 'e', "\n", 1);
    end(x, 1);
}

/* --- a method --------------------------------------------------------------------------------- */

static void said(void *arg, const char *p, size_t n) {
    struct inside *x = arg;
    if (x->run)
        run_output(x->run, p, n);
    answer(x, 'o', p, n);
}

static void done(void *arg, const struct method_result *r) {
    struct inside *x = arg;
    CLEAN_BUF struct buf words = {0};
    x->run = NULL;
    x->exec = NULL;
    method_result_text(r, &words);
    buf_addc(&words, '\n');
    answer(x, 'e', words.data, words.len);
    if (r->exit_code == METHOD_TIMED_OUT)
        end(x, STATUS_TIMEOUT);
    else
        end(x, r->exit_code || method_result_good(r) ? (int)r->exit_code : 1);
}

static void ended(void *arg, int code, struct err e) {
    struct inside *x = arg;
    bool failed = err_failed(e);
    x->exec = NULL;
    if (x->run)
        run_end(TAKE(x->run), code, failed ? err_msg(e) : NULL);
    err_free(e);
}

static void call(struct inside *x, const struct monitor_method *m) {
    struct keeper *k = x->owner->keeper;
    const struct run_options o = {.method = m->name,
                                  .trigger = "inside",
                                  .reading = (enum lifecycle_reading)m->reading,
                                  .timeout = m->timeout,
                                  .done = done,
                                  .arg = x};
    x->run = run_new(k, NULL, &o);
    if (x->run == NULL) {
        refuse(x, "too many methods are running");
        return;
    }
    if (m->refused && *m->refused) {
        run_end(TAKE(x->run), -1, m->refused);
        return;
    }
    x->own = (struct exec_own){said, ended, x};
    struct exec *e = exec_run(k, m->process, m->user, &x->own);
    if (e && x->run) {
        x->exec = e;
        run_begin(x->run, e);
    }
}

/* An update is a transaction: the daemon's. */
static void ask_daemon(struct inside *x) {
    struct keeper *k = x->owner->keeper;
    CLEAN_BUF struct buf body = {0};
    if (k->daemon == NULL || !k->daemon->taken) {
        refuse(x, "the daemon is away");
        return;
    }
    x->waits = true;
    msg_putz(&body, TAG_EXEC_ID, x->owner->id);
    server_notice(k, PROTOCOL_ASK_UPDATE, &body, NULL, 0);
}

/* --- questions -------------------------------------------------------------------------------- */

static void ask(struct inside *x, struct str word) {
    struct keeper *k = x->owner->keeper;
    CLEAN_BUF struct buf names = {0};
    x->asked = true;
    if (str_eqz(word, "metadata")) {
        text(x, buf_str(&x->metadata));
    } else if (str_eqz(word, "examine")) {
        text(x, buf_str(&x->examine));
    } else if (str_eqz(word, "methods")) {
        life_names(k, &names);
        text(x, buf_str(&names));
    } else {
        const struct monitor_method *m = lifecycle_name_ok(word) ? life_method(k, word) : NULL;
        if (m == NULL)
            refuse(x, "this container has no such method");
        else if (k->exited || k->box == NULL)
            refuse(x, "the container is ending");
        else if (str_eqz(word, "update"))
            ask_daemon(x);
        else
            call(x, m);
    }
}

void inside_told(struct keeper *k, struct str body) {
    struct exec *owner = exec_find(k, msg_get(body, TAG_EXEC_ID));
    struct inside *x = owner ? owner->inside : NULL;
    struct str words = msg_get(body, TAG_INSIDE_TEXT);
    uint64_t type = msg_get_u64(body, TAG_INSIDE_TYPE);
    if (x == NULL || !x->waits || (type != 'o' && type != 'e' && type != 'x'))
        return;
    x->waits = type != 'x';
    x->answered |= type == 'x';
    answer(x, (char)type, words.p, words.len);
}

void insides_forget(struct keeper *k) {
    LIST_FOR (&k->execs, n) {
        struct inside *x = CONTAINER_OF(n, struct exec, link)->inside;
        if (x && x->waits) {
            x->waits = false;
            refuse(x, "the daemon ended meanwhile: the update is taken back");
        }
    }
}

static void on_socket(void *arg, unsigned events) {
    struct inside *x = arg;
    char bytes[INSIDE_LINE_MAX];
    if (events & WATCH_WRITE)
        flush(x);
    if (!(events & WATCH_READ))
        return;
    ssize_t n = recv(x->fd, bytes, sizeof(bytes), MSG_DONTWAIT);
    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return;
    if (n <= 0) {
        x->owner->inside = NULL;
        inside_free(x);
        return;
    }
    for (ssize_t i = 0; i < n && !x->asked; i++) {
        if (bytes[i] == '\n')
            ask(x, str_n(x->line, x->line_n));
        else if (x->line_n == sizeof(x->line))
            refuse(x, "a question that is none");
        else
            x->line[x->line_n++] = bytes[i];
        x->asked |= x->answered;
    }
}

struct inside *inside_new(struct exec *owner, int fd, struct str metadata, struct str examine) {
    struct inside *x = NEW(struct inside);
    x->owner = owner;
    x->fd = fd;
    buf_add_str(&x->metadata, metadata);
    buf_add_str(&x->examine, examine);
    x->watch = watch_new(owner->keeper->loop, fd, WATCH_READ, on_socket, x);
    return x;
}

struct inside *inside_free(struct inside *x) {
    if (x == NULL)
        return NULL;
    x->run = run_free(x->run);
    if (x->exec)
        exec_cancel(TAKE(x->exec));
    watch_free(x->watch);
    fd_close(x->fd);
    buf_done(&x->out);
    buf_done(&x->metadata);
    buf_done(&x->examine);
    free(x);
    return NULL;
}
