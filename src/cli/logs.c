/* logs, of one container or of many. */
#include "cli/logs.h"
#include "base/time.h"
#include "cli/commands.h"
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define NAME_CELLS 24

static const struct option_row logs_rows[] = {
    FLAG(struct logs_options, follow, 'f', "follow", "Go on with what comes"),
    FLAG(struct logs_options, timestamps, 't', "timestamps", "When each line was written"),
    FLAG(struct logs_options, details, 0, "details", "Labels and variables of the log driver"),
    TEXT(struct logs_options, tail, 'n', "tail", "N", "Only the last N lines (or 'all')"),
    TEXT(struct logs_options, since, 0, "since", "TIME", "From then on (a time, or '10m' ago)"),
    TEXT(struct logs_options, until, 0, "until", "TIME", "Until then"),
    TEXT(struct logs_options, grep, 0, "grep", "REGEX", "Only lines that match"),
    FLAG(struct logs_options, ignore_case, 0, "ignore-case", "--grep does not care for capitals"),
};

/* Which part of the logs one round asks for. */
struct span {
    bool follow;
    const char *tail, *since, *until;
};

struct log_sources VEC_BODY(struct log_source);

static void sources_done(struct log_sources *v) {
    for (size_t i = 0; i < v->n; i++) {
        client_close(v->items[i].client);
        for (int k = 0; k < 3; k++)
            buf_done(&v->items[i].partial[k]);
    }
    vec_done(v);
}

static struct err begin(struct log_source *s, struct log_view *v, const struct span *span) {
    const struct logs_options *o = v->in->options;
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/containers/", s->id, "/logs");
    client_query_bool(&target, "stdout", true);
    client_query_bool(&target, "stderr", true);
    client_query_bool(&target, "follow", span->follow);
    client_query_bool(&target, "timestamps", o->timestamps || v->whole_lines);
    client_query_bool(&target, "details", o->details);
    client_query(&target, "tail", span->tail);
    client_query(&target, "since", span->since);
    client_query(&target, "until", span->until);
    struct client_call call = {.method = "GET", .target = buf_cstr(&target)};
    s->ended = false;
    return client_begin(s->client, &call);
}

/* Reads once. *ret_written: -errno of our output. */
static struct err pull(struct log_view *v, struct log_source *s, int *ret_written) {
    char bytes[65536];
    ssize_t n = client_read(s->client, bytes, sizeof bytes);
    if (n < 0)
        return err_errno((int)-n, "corten: read logs");
    s->ended = n == 0;
    *ret_written = n ? log_feed(v, s, bytes, (size_t)n) : log_end(v, s);
    return OK;
}

static struct err written(int r) {
    return r < 0 ? err_errno(-r, "corten: write") : OK;
}

/* All of it, one after the other. */
static struct err read_all(struct log_view *v, struct log_sources *all, const struct span *span) {
    int r = 0;
    for (size_t i = 0; i < all->n && r == 0; i++) {
        TRY(begin(&all->items[i], v, span));
        while (!all->items[i].ended && r == 0)
            TRY(pull(v, &all->items[i], &r));
    }
    return written(r);
}

/* All at the same time, as it comes. */
static struct err read_together(struct log_view *v, struct log_sources *all,
                                const struct span *span) {
    CLEAN_FREE struct pollfd *fds = mem_array(all->n, sizeof *fds);
    size_t open = all->n;
    int r = 0;
    for (size_t i = 0; i < all->n; i++)
        TRY(begin(&all->items[i], v, span));
    while (open > 0 && r == 0) {
        bool ready = false;
        for (size_t i = 0; i < all->n; i++) {
            struct log_source *s = &all->items[i];
            fds[i] = (struct pollfd){s->ended ? -1 : client_fd(s->client), POLLIN, 0};
            ready |= !s->ended && client_buffered(s->client);
        }
        if (poll(fds, all->n, ready ? 0 : -1) < 0 && errno != EINTR)
            return err_errno(errno, "corten: poll");
        for (size_t i = 0; i < all->n && r == 0; i++) {
            struct log_source *s = &all->items[i];
            if (s->ended || (!fds[i].revents && !client_buffered(s->client)))
                continue;
            TRY(pull(v, s, &r));
            open -= s->ended;
        }
    }
    return written(r);
}

/* The daemon's clock, in whole seconds: where what was ends and what comes begins. */
static const char *daemon_time(struct client *c, struct arena *a) {
    struct tm tm = {0};
    struct str date = client_header(c, "Date");
    const char *end = strptime(arena_str(a, date), "%a, %d %b %Y %T GMT", &tm);
    int64_t t = end ? (int64_t)timegm(&tm) : time_now() / NSEC_PER_SEC;
    return arena_printf(a, "%lld", (long long)t);
}

/* Of several that are followed: first what was, in the order of time, then what comes. */
static struct err history_then_follow(struct log_view *v, struct log_sources *all,
                                      const struct span *span, const char *now) {
    CLEAN_STRV struct strv kept = {0};
    struct span past = *span, future = {.follow = true, .since = now};
    past.follow = false;
    past.until = now;
    v->keep = &kept;
    TRY(read_all(v, all, &past));
    v->keep = NULL;
    TRY(written(log_print_kept(v, &kept)));
    return read_together(v, all, &future);
}

static struct err find(struct client *c, struct log_view *v, struct log_sources *all) {
    struct invocation *in = v->in;
    for (int i = 0; i < in->args_n; i++) {
        struct api_container k = {0};
        TRY(client_container_inspect(c, in->args[i], &in->arena, &k));
        struct log_source *s = vec_add(all);
        *s = (struct log_source){.name = in->args[i], .id = k.id, .tty = k.config && k.config->tty};
        TRY(client_open_like(c, &s->client));
        v->width = MAX(v->width, strlen(s->name));
    }
    v->width = MIN(v->width, (size_t)NAME_CELLS);
    return OK;
}

static struct err show(struct client *c, struct log_view *v) {
    const struct logs_options *o = v->in->options;
    OWN(sources_done) struct log_sources all = {0};
    CLEAN_STRV struct strv kept = {0};
    struct arena *a = &v->in->arena;
    struct span span = {.follow = o->follow,
                        .tail = o->tail,
                        .since = cli_time_option(o->since, a),
                        .until = cli_time_option(o->until, a)};
    TRY(find(c, v, &all));
    if (all.n == 1)
        return read_together(v, &all, &span);
    if (o->follow && !o->until)
        return history_then_follow(v, &all, &span, daemon_time(c, a));
    v->keep = &kept;
    TRY(read_all(v, &all, &span));
    return written(log_print_kept(v, &kept));
}

static int logs_run(struct invocation *in) {
    const struct logs_options *o = in->options;
    regex_t pattern;
    bool many = in->args_n > 1;
    struct log_view v = {.in = in,
                         .named = many,
                         .colour = cli_colour(1),
                         .whole_lines = many || o->grep || in->json};
    int bad = 0;
    if (o->grep && (bad = regcomp(&pattern, o->grep,
                                  REG_EXTENDED | REG_NOSUB | (o->ignore_case ? REG_ICASE : 0)))) {
        char words[128];
        regerror(bad, &pattern, words, sizeof words);
        return cli_usage(in, "--grep '%s': %s", o->grep, words);
    }
    v.pattern = o->grep ? &pattern : NULL;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    struct err e = c ? show(c, &v) : OK;
    if (v.pattern)
        regfree(&pattern);
    if (!c)
        return 1;
    return err_failed(e) ? cli_fail(e, 1) : 0;
}

const struct command command_logs = {
    .name = "logs",
    .alias = "container logs",
    .usage = "logs [OPTIONS] CONTAINER [CONTAINER...]",
    .summary = "Show what a container wrote",
    .examples = "corten logs -f --tail 20 web\tthe last lines, and what follows\n"
                "corten logs --since 10m --grep 'error|warn' web db\tof two, in the order of time\n"
                "corten logs -f web db\tof two, as it comes, each with its name",
    OPTIONS_OF(logs_rows, struct logs_options),
    .args_min = 1,
    .args_max = -1,
    .json = true,
    .names = "container",
    .run = logs_run};
