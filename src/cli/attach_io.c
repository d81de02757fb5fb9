/* Joins this process's standard streams and a container's: one poll loop over stdin, the stream,
 * and signals. */
#include "base/file.h"
#include "base/log.h"
#include "cli/create.h"
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define KEYS_MAX 32

struct pump {
    struct attach_io *io;
    int signals;
    bool in_open;
    size_t held;   /* bytes of the detach keys that were pressed and not sent yet */
    int killed_by; /* a signal that ends us, once the terminal is as it was */
};

static void send_resize(struct attach_io *io) {
    unsigned rows, columns;
    CLEAN_BUF struct buf target = {0};
    terminal_size(&rows, &columns);
    if (!io->tty || !io->control || !rows)
        return;
    client_path(&target, io->is_exec ? "/exec/" : "/containers/", io->id, "/resize");
    client_query_i64(&target, "h", rows);
    client_query_i64(&target, "w", columns);
    struct client_call call = {.method = "POST", .target = buf_cstr(&target)};
    err_ignore(client_do(io->control, &call)); /* it may have ended already */
}

static void send_signal(struct attach_io *io, int signo) {
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/containers/", io->id, "/kill");
    client_query_i64(&target, "signal", signo);
    struct client_call call = {.method = "POST", .target = buf_cstr(&target)};
    err_ignore(client_do(io->control, &call)); /* it may have ended already */
}

static void on_signal(struct pump *p) {
    struct signalfd_siginfo s;
    if (read(p->signals, &s, sizeof s) != sizeof s)
        return;
    if (s.ssi_signo == SIGWINCH)
        send_resize(p->io);
    else if (p->io->tty)
        p->killed_by = (int)s.ssi_signo;
    else if (p->io->proxy_signals && p->io->control)
        send_signal(p->io, (int)s.ssi_signo);
}

static int open_signals(struct attach_io *io) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGWINCH);
    /* With a terminal they are meant for us, and it must be put back before. */
    const int all[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2, SIGALRM};
    for (size_t i = 0; (io->proxy_signals || io->tty) && i < ARRAY_LEN(all); i++)
        sigaddset(&set, all[i]);
    sigprocmask(SIG_BLOCK, &set, NULL);
    return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* The detach keys end the attachment on this side; the container goes on. What may begin them is
 * held back until the next byte decides. Writes what is to be sent to out. */
static bool detaches(struct pump *p, const char *bytes, size_t n, struct buf *out) {
    struct str keys = p->io->keys;
    for (size_t i = 0; i < n; i++) {
        if (!p->io->tty || !keys.len) {
            buf_addc(out, bytes[i]);
            continue;
        }
        if (bytes[i] != keys.p[p->held]) {
            buf_add(out, keys.p, p->held);
            p->held = 0;
        }
        if (bytes[i] != keys.p[p->held])
            buf_addc(out, bytes[i]);
        else if (++p->held == keys.len)
            return true;
    }
    return false;
}

static void read_stdin(struct pump *p) {
    char bytes[32768];
    CLEAN_BUF struct buf out = {0};
    ssize_t n = read(0, bytes, sizeof bytes);
    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return;
    if (n > 0 && detaches(p, bytes, (size_t)n, &out)) {
        p->io->detached = true;
        return;
    }
    if (n <= 0 || fd_write_all(p->io->stream->fd, buf_cstr(&out), out.len) < 0) {
        p->in_open = false;
        shutdown(p->io->stream->fd, SHUT_WR);
    }
}

static struct err read_stream(struct pump *p, bool *ret_more) {
    char bytes[65536];
    int which = 1;
    ssize_t n = client_stream_read(p->io->stream, bytes, sizeof bytes, &which);
    if (n < 0)
        return err_errno((int)-n, "corten: stream");
    int r = fd_write_all(which == 2 ? 2 : 1, bytes, (size_t)n);
    if (r < 0)
        return err_errno(-r, "corten: write to standard %s", which == 2 ? "error" : "output");
    *ret_more = n > 0;
    return OK;
}

static struct err pump(struct pump *p) {
    struct attach_io *io = p->io;
    while (!io->detached && !p->killed_by) {
        struct pollfd fds[3] = {
            {io->stream->fd, POLLIN, 0}, {p->signals, POLLIN, 0}, {p->in_open ? 0 : -1, POLLIN, 0}};
        bool buffered = io->stream->in.len > 0;
        int r = poll(fds, 3, buffered ? 0 : -1);
        if (r < 0 && errno != EINTR)
            return err_errno(errno, "corten: poll");
        if (r > 0 && fds[1].revents)
            on_signal(p);
        if (r > 0 && fds[2].revents)
            read_stdin(p);
        if (buffered || (r > 0 && fds[0].revents)) {
            bool more = false;
            TRY(read_stream(p, &more));
            if (!more)
                return OK;
        }
    }
    return OK;
}

struct err attach_run(struct attach_io *io) {
    struct pump p = {.io = io, .in_open = io->in};
    struct terminal t = {0};
    p.signals = open_signals(io);
    if (io->tty && io->in)
        terminal_raw(&t);
    send_resize(io);
    struct err e = pump(&p);
    terminal_restore(&t);
    if (io->detached)
        fprintf(stderr, "read escape sequence\n");
    fd_close(p.signals);
    if (p.killed_by) {
        sigset_t set;
        sigemptyset(&set);
        sigaddset(&set, p.killed_by);
        raise(p.killed_by);
        sigprocmask(SIG_UNBLOCK, &set, NULL);
    }
    return e;
}

/* "ctrl-p", "a", "ctrl-@" … */
static struct err one_key(struct str word, struct buf *ret) {
    static const char others[] = "@[\\]^_";
    const char *other;
    if (word.len == 1) {
        buf_addc(ret, word.p[0]);
        return OK;
    }
    if (str_starts(word, STR("ctrl-")) && word.len == 6) {
        char c = word.p[5];
        if (c >= 'a' && c <= 'z') {
            buf_addc(ret, (char)(c - 'a' + 1));
            return OK;
        }
        if ((other = strchr(others, c))) {
            buf_addc(ret, other == others ? 0 : (char)(26 + (other - others)));
            return OK;
        }
    }
    return err_new(ERR_INVALID, "corten: invalid detach keys: '%.*s'", STR_ARG(word));
}

struct err detach_keys_option(const char *given, const struct invocation *in, struct buf *ret) {
    struct str rest = str_of(given), word;
    if (!given)
        rest = json_str(json_get(in->config->root, "detachKeys"));
    if (!given && !rest.len)
        rest = STR("ctrl-p,ctrl-q");
    while (str_next(&rest, ',', &word) && ret->len < KEYS_MAX)
        TRY(one_key(word, ret));
    return OK;
}
