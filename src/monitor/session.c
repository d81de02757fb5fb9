/* session.c - the streams of a program: out to log and clients, in from clients. */
#include "base/file.h"
#include "base/time.h"
#include "kernel/pidfd.h"
#include "monitor/keeper.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#define READS_PER_TURN 16     /* then others get their turn */
#define PIPE_FLOOD (1 << 20)  /* of a pipe that was met full: fewer changes between the two */
#define PIPE_QUIET (64 << 10) /* the kernel's default */

void session_init(struct session *s, struct keeper *k, bool terminal, bool close_stdin) {
    *s = (struct session){.keeper = k, .terminal = terminal, .close_stdin = close_stdin, .in = -1};
    list_init(&s->clients);
    for (int i = 0; i < 2; i++)
        s->sources[i] = (struct source){.session = s, .fd = -1, .stream = (enum logs_stream)i};
}

bool session_open(const struct session *s) {
    return s->sources[0].fd >= 0 || s->sources[1].fd >= 0;
}

/* --- output ----------------------------------------------------------------------------------- */

static void source_end(struct source *x) {
    x->watch = watch_free(x->watch);
    x->fd = fd_close(x->fd);
}

/* Somebody who must not lose bytes has not read enough yet. */
static bool held_back(const struct session *s) {
    if (s->draining)
        return false;
    if (s->logged && logs_writer_full(s->keeper->log))
        return true;
    LIST_FOR (&s->clients, n)
        if (client_queued(client_of(n)) >= CLIENT_QUEUE_MAX)
            return true;
    return false;
}

static void deliver(struct source *x, size_t n) {
    struct session *s = x->session;
    struct keeper *k = s->keeper;
    if (s->logged) {
        logs_write(k->log, x->stream, k->chunk, n, time_now());
        log_pump(k);
    }
    if (s->output)
        s->output(s, k->chunk, n);
    LIST_FOR (&s->clients, link) {
        struct client *c = client_of(link);
        if (client_wants(c, x->stream))
            client_send(c, x->stream, k->chunk, n);
    }
    keeper_active(k);
}

/* One read. False: nothing more for now, or the end. */
static bool source_read(struct source *x) {
    ssize_t n;
    do
        n = read(x->fd, x->session->keeper->chunk, CHUNK_SIZE);
    while (n < 0 && errno == EINTR);
    if (n > 0) {
        if (n == CHUNK_SIZE && !x->wide) { /* no pipe, or not allowed: as it was */
            x->wide = true;
            (void)!fcntl(x->fd, F_SETPIPE_SZ, PIPE_FLOOD);
        }
        deliver(x, (size_t)n);
        return true;
    }
    /* EIO: the last descriptor on the other side of the pty was closed */
    if (n == 0 || errno != EAGAIN)
        source_end(x);
    return false;
}

static void check_ended(struct session *s) {
    if (!session_open(s) && s->ended)
        s->ended(s);
}

static void on_source(void *arg, unsigned events) {
    (void)events;
    struct source *x = arg;
    struct session *s = x->session;
    for (int i = 0; i < READS_PER_TURN && x->fd >= 0; i++)
        if (held_back(s) || !source_read(x))
            break;
    session_update(s);
    if (x->fd < 0)
        check_ended(s);
}

void session_update(struct session *s) {
    bool held = held_back(s);
    for (int i = 0; i < 2; i++) {
        struct source *x = &s->sources[i];
        if (x->watch)
            watch_set(x->watch, held ? 0 : WATCH_READ);
    }
}

void session_trim(struct session *s) {
    for (int i = 0; i < 2; i++)
        if (s->sources[i].wide && s->sources[i].fd >= 0) {
            (void)!fcntl(s->sources[i].fd, F_SETPIPE_SZ, PIPE_QUIET); /* full again: stays */
            s->sources[i].wide = false;
        }
}

void session_drain(struct session *s, bool close) {
    s->draining = true;
    for (int i = 0; i < 2; i++) {
        struct source *x = &s->sources[i];
        /* Bounded: a writer outside the container could keep a pipe full for ever. */
        for (size_t turns = 0; x->fd >= 0 && turns < 64 && source_read(x); turns++)
            ;
        if (close && x->fd >= 0)
            source_end(x);
    }
    session_update(s);
}

/* --- input ------------------------------------------------------------------------------------ */

static void input_close(struct session *s) {
    s->in_watch = watch_free(s->in_watch);
    s->in = fd_close(s->in);
    s->in_ending = false;
    buf_done(&s->in_queue);
}

/* Writes as much as the program takes; returns the count, or closes the stream. */
static size_t input_write(struct session *s, const char *p, size_t n) {
    size_t done = 0;
    while (done < n) {
        ssize_t w = write(s->in, p + done, n - done);
        if (w < 0 && errno == EINTR)
            continue;
        if (w < 0 && errno == EAGAIN)
            break;
        if (w < 0) { /* EPIPE: the program has closed its stdin; the rest goes nowhere */
            input_close(s);
            return n;
        }
        done += (size_t)w;
    }
    return done;
}

static void on_input(void *arg, unsigned events) {
    (void)events;
    struct session *s = arg;
    size_t done = input_write(s, s->in_queue.data, s->in_queue.len);
    if (s->in >= 0) {
        buf_drop(&s->in_queue, done);
        if (s->in_queue.len > 0)
            return;
        buf_done(&s->in_queue);
        watch_set(s->in_watch, 0);
        if (s->in_ending)
            input_close(s);
    }
    LIST_FOR (&s->clients, n)
        client_resume(client_of(n));
}

bool session_input_full(const struct session *s) {
    return s->in_queue.len >= STDIN_QUEUE_MAX;
}

void session_input(struct session *s, const char *p, size_t n) {
    if (s->in < 0 || s->in_ending)
        return; /* read and forgotten, as with the peer */
    size_t done = s->in_queue.len > 0 ? 0 : input_write(s, p, n);
    if (done == n || s->in < 0)
        return;
    buf_add(&s->in_queue, p + done, n - done);
    watch_set(s->in_watch, WATCH_WRITE);
}

bool session_input_end(struct session *s) {
    if (!s->close_stdin || s->terminal)
        return true;
    if (s->in >= 0 && s->in_queue.len > 0)
        s->in_ending = true;
    else
        input_close(s);
    return false;
}

/* --- life ------------------------------------------------------------------------------------- */

void session_set(struct session *s, int in, int out, int err) {
    struct loop *l = s->keeper->loop;
    const int fds[2] = {out, err};
    for (int i = 0; i < 2; i++) {
        s->sources[i].fd = fds[i];
        if (fds[i] >= 0)
            s->sources[i].watch = watch_new(l, fds[i], WATCH_READ, on_source, &s->sources[i]);
    }
    s->in = in;
    if (in >= 0)
        s->in_watch = watch_new(l, in, 0, on_input, s);
}

void session_close(struct session *s) {
    for (int i = 0; i < 2; i++)
        source_end(&s->sources[i]);
    input_close(s);
}
