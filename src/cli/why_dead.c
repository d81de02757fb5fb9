/* why_dead.c - `corten why dead CONTAINER`: why it does not run. */
#include "base/time.h"
#include "cli/why.h"
#include <signal.h>
#include <stdio.h>
#include <string.h>

#define TAIL_LINES 5
#define SIGNALLED 128 /* exit codes above it: ended by that signal */

/* What the events of a container's last hour of life tell. */
struct traces {
    bool stopped, killed;
    char signal[16]; /* of the last kill */
};

static struct err trace(void *arg, struct str line) {
    struct traces *t = arg;
    CLEAN_ARENA struct arena a = {0};
    struct api_event e = {0};
    TRYF(fields_decode(&api_event_fields, line, &a, &e), "corten: an event");
    const char *sig = strmap_get(&e.actor.attributes, "signal");
    if (!strcmp(e.action, "start"))
        *t = (struct traces){0}; /* what was before belongs to an earlier life */
    t->stopped |= !strcmp(e.action, "stop");
    if (!strcmp(e.action, "kill")) {
        t->killed = true;
        snprintf(t->signal, sizeof t->signal, "%s", sig ? sig : "");
    }
    return OK;
}

static struct err traces_of(struct client *c, const struct api_container *k, struct traces *ret) {
    CLEAN_BUF struct buf target = {0};
    CLEAN_STRV struct strv filters = {0};
    CLEAN_ARENA struct arena a = {0};
    buf_adds(&target, "/events");
    client_query(&target, "since", "0");
    client_query(&target, "until", cli_time_option("0s", &a));
    strv_addf(&filters, "container=%s", k->id);
    TRY(filter_query(&filters, &target));
    struct client_call call = {.method = "GET", .target = buf_cstr(&target)};
    TRY(client_begin(c, &call));
    return client_lines(c, trace, ret);
}

/* --- a start that failed ---------------------------------------------------------------------- */

static void of_start(struct why *w, const struct api_container *k) {
    const char *error = k->state.error, *image = k->config->image;
    if (!error || !*error)
        return;
    why_cause(w, "%s could not be started: %s", w->of, error);
    if (strstr(error, "executable file not found") || strstr(error, "no such file"))
        why_next(w,
                 "corten image inspect -f '{{.Config.Entrypoint}} {{.Config.Cmd}}' %s   "
                 "(is the program in the image?)",
                 image);
    else if (strstr(error, "permission denied"))
        why_next(w, "make '%s' executable in the image, or run it by an interpreter",
                 k->path ? k->path : "");
    else if (strstr(error, "exec format error"))
        why_next(w, "corten image inspect -f '{{.Architecture}}' %s   (is it this machine's?)",
                 image);
    else if (strstr(error, "in use") || strstr(error, "already allocated"))
        why_next(w, "corten ps --format 'table {{.Names}}\\t{{.Ports}}'   (who has the port?)");
    else if (strstr(error, "network"))
        why_next(w, "corten network ls");
}

/* --- an end ----------------------------------------------------------------------------------- */

static const char *signal_words(int signo) {
    return signo == SIGSEGV   ? "it touched memory that it does not have (SIGSEGV)"
           : signo == SIGABRT ? "it gave up by itself (SIGABRT)"
           : signo == SIGBUS  ? "it touched memory that is not there (SIGBUS)"
           : signo == SIGILL  ? "it has an instruction that this CPU does not know (SIGILL)"
           : signo == SIGFPE  ? "it calculated what cannot be (SIGFPE)"
           : signo == SIGPIPE ? "nobody reads what it writes (SIGPIPE)"
           : signo == SIGSYS  ? "a system call is forbidden by its seccomp profile (SIGSYS)"
                              : NULL;
}

static void of_signal(struct why *w, const struct api_container *k, const struct traces *t) {
    int signo = (int)k->state.exit_code - SIGNALLED;
    if (t->stopped) {
        why_cause(w, "%s was stopped by a command (stop, restart or kill%s%s)", w->of,
                  *t->signal ? ", last signal " : "", t->signal);
        if (signo == SIGKILL) {
            why_fact(w, "it did not end within its stop time, and was killed");
            why_next(w,
                     "corten stop -t SECONDS %s   (more time), or let the program handle SIGTERM",
                     w->of);
        }
        return;
    }
    if (t->killed) {
        why_cause(w, "%s was sent signal %s by a command (corten kill, or a client's Ctrl-C)",
                  w->of, t->signal);
        return;
    }
    const char *text = signal_words(signo);
    if (text)
        why_cause(w, "%s crashed: %s", w->of, text);
    else if (signo == SIGKILL)
        why_cause(w,
                  "%s was killed (SIGKILL), and not by a command of the daemon: by the host, "
                  "which may have been short of memory, or by hand",
                  w->of);
    else
        why_cause(w, "%s was ended by signal %d (%s)", w->of, signo, sigabbrev_np(signo));
    if (signo == SIGKILL)
        why_next(w, "dmesg | grep -i 'killed process'");
}

static bool is_shell(const char *path) {
    const char *slash = path ? strrchr(path, '/') : NULL, *name = slash ? slash + 1 : path;
    return name && (!strcmp(name, "sh") || !strcmp(name, "bash") || !strcmp(name, "ash"));
}

static void of_code(struct why *w, const struct api_container *k) {
    int64_t code = k->state.exit_code;
    const char *path = k->path ? k->path : "its program";
    if (code == 0 && is_shell(k->path) && k->args.n == 0 && !k->config->open_stdin) {
        why_cause(w, "%s has ended because a shell without input has nothing to do", w->of);
        why_next(w, "corten run -it %s   (a shell with a terminal)", k->config->image);
    } else if (code == 0) {
        why_cause(w, "%s has done its work: '%s' ended by itself with status 0", w->of, path);
        why_next(w, "a container lives as long as its first process: run that in the foreground");
    } else if (code == 127) {
        why_cause(w, "%s has ended with status 127: a command that '%s' called was not found",
                  w->of, path);
    } else if (code == 126) {
        why_cause(w, "%s has ended with status 126: a command that '%s' called cannot be executed",
                  w->of, path);
    } else {
        why_cause(w, "%s has ended because '%s' failed with status %lld", w->of, path,
                  (long long)code);
    }
    if (code)
        why_next(w, "corten logs --tail 50 %s", w->of);
}

static void of_memory(struct why *w, const struct api_container *k) {
    CLEAN_BUF struct buf limit = {0};
    int64_t bytes = k->host->resources.memory;
    human_bytes_binary((double)bytes, 4, &limit);
    if (!k->state.oom_killed)
        return;
    why_cause(w, "%s was out of memory: the kernel ended a process of it%s%s", w->of,
              bytes > 0 ? ", at its limit of " : "", bytes > 0 ? buf_cstr(&limit) : "");
    if (bytes > 0)
        why_next(w, "corten update -m %lldm %s   (twice the memory)",
                 (long long)(bytes / (1 << 20) * 2), w->of);
    else
        why_next(w, "corten stats %s   (it has no limit: the whole machine was short)", w->of);
}

static void of_health(struct why *w, const struct api_container *k) {
    const struct api_health *h = k->state.health;
    const struct api_health_result *r = h ? h->log.items : NULL;
    if (!h || strcmp(h->status, "unhealthy") != 0)
        return;
    why_fact(w, "its health check failed %lld times in a row", (long long)h->failing_streak);
    if (h->log.n)
        why_fact(w, "the last one said: %.200s (status %lld)", r[h->log.n - 1].output,
                 (long long)r[h->log.n - 1].exit_code);
}

static void of_restart(struct why *w, const struct api_container *k, const struct traces *t) {
    const struct api_restart_policy *p = &k->host->restart_policy;
    const char *name = p->name && *p->name ? p->name : "no";
    if (k->restart_count)
        why_fact(w, "it was started again %lld times by its policy '%s'",
                 (long long)k->restart_count, name);
    if (!strcmp(name, "no"))
        why_fact(w,
                 "it is not started again: it has no restart policy (corten update --restart "
                 "on-failure %s)",
                 w->of);
    else if (t->stopped)
        why_fact(w, "its policy '%s' does not start what was stopped by a command", name);
    else if (!strcmp(name, "on-failure") && k->state.exit_code == 0)
        why_fact(w, "its policy 'on-failure' does not start what ended well");
    else if (!strcmp(name, "on-failure") && p->maximum_retry_count > 0)
        why_fact(w, "its policy allows %lld tries", (long long)p->maximum_retry_count);
}

/* The last lines of its log, as facts. */
static struct err of_log(struct why *w, struct client *c, const struct api_container *k) {
    CLEAN_BUF struct buf target = {0}, body = {0};
    client_path(&target, "/containers/", k->id, "/logs");
    client_query_i64(&target, "tail", TAIL_LINES);
    client_query_bool(&target, "stdout", true);
    client_query_bool(&target, "stderr", true);
    struct err e = cli_get_raw(c, buf_cstr(&target), &body);
    if (err_failed(e)) {
        why_fact(w, "its log cannot be read: %s", err_msg(e));
        err_free(e); /* the cause is known without */
        return OK;
    }
    struct str rest = buf_str(&body), line;
    while (rest.len) {
        size_t n = rest.len;
        if (!k->config->tty && rest.len >= 8) {
            const unsigned char *h = (const unsigned char *)rest.p;
            n = MIN((size_t)h[4] << 24 | (size_t)h[5] << 16 | (size_t)h[6] << 8 | h[7],
                    rest.len - 8);
            rest = str_from(rest, 8);
        }
        struct str part = str_sub(rest, 0, n);
        while (str_next(&part, '\n', &line))
            if (str_trim(line).len)
                why_fact(w, "log: %.*s", (int)MIN(line.len, (size_t)300), line.p);
        rest = str_from(rest, n);
    }
    return OK;
}

static void of_times(struct why *w, const struct api_container *k) {
    CLEAN_BUF struct buf ago = {0}, lived = {0};
    if (k->state.finished_at <= 0 || k->state.started_at <= 0)
        return;
    human_since(time_now() - k->state.finished_at, &ago);
    human_duration(k->state.finished_at - k->state.started_at, &lived);
    why_fact(w, "it ended %s, having run for %s", buf_cstr(&ago), buf_cstr(&lived));
}

static bool lives(struct why *w, const struct api_container *k) {
    const char *status = k->state.status;
    CLEAN_BUF struct buf since = {0};
    if (!strcmp(status, "created") && (!k->state.error || !*k->state.error)) {
        why_cause(w, "%s was created, and never started", w->of);
        why_next(w, "corten start %s", w->of);
        return true;
    }
    if (strcmp(status, "running") != 0 && strcmp(status, "paused") != 0)
        return false;
    human_since(time_now() - k->state.started_at, &since);
    why_cause(w, "%s is not dead: it is %s, started %s", w->of, status, buf_cstr(&since));
    if (!strcmp(status, "paused"))
        why_next(w, "corten unpause %s", w->of);
    if (k->restart_count)
        why_fact(w, "it was started again %lld times by its restart policy",
                 (long long)k->restart_count);
    return true;
}

static struct err explain(struct why *w, struct client *c, struct arena *a) {
    struct api_container k = {0};
    struct traces t = {0};
    TRY(client_container_inspect(c, w->of, a, &k));
    if (!k.config || !k.host)
        return err_new(ERR_INVALID, "corten: the daemon's answer has no configuration");
    bool is_alive = lives(w, &k);
    of_health(w, &k);
    if (is_alive)
        return OK;
    TRY(traces_of(c, &k, &t));
    of_start(w, &k);
    of_memory(w, &k);
    if (!why_known(w) && k.state.exit_code > SIGNALLED && k.state.exit_code <= SIGNALLED + 64)
        of_signal(w, &k, &t);
    else if (!why_known(w) && t.stopped)
        why_cause(w, "%s was stopped by a command, and ended with status %lld", w->of,
                  (long long)k.state.exit_code);
    if (!why_known(w))
        of_code(w, &k);
    of_times(w, &k);
    of_restart(w, &k, &t);
    return of_log(w, c, &k);
}

static int dead_run(struct invocation *in) {
    struct why w = {.in = in, .subject = "dead", .of = in->args[0]};
    CLEAN_CLIENT struct client *c = cli_connect(in);
    return c ? why_end(&w, explain(&w, c, &in->arena)) : 1;
}

const struct command command_why_dead = {
    .name = "why dead",
    .usage = "why dead CONTAINER",
    .summary = "Say why a container does not run",
    .examples = "corten why dead web\tits end, its last words, what helps",
    .args_min = 1,
    .args_max = 1,
    .json = true,
    .names = "container",
    .run = dead_run};
