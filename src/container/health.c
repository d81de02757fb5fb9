/* health: what is asked, from the create call, the image and labels; what the monitor reports; and
 * what follows when it has ended an unhealthy container.
 *
 * Labels are for clients that know only the peer's form, and for images:
 *   corten.health.probe         "HTTP [ADDRESS]:PORT[/PATH]", "TCP [ADDRESS]:PORT", "FILE PATH
 * [MAXAGE]" corten.health.on-unhealthy  restart, stop, kill or none They say what Healthcheck.Test
 * ("HTTP", "TCP", "FILE" as its first word) and Healthcheck.OnUnhealthy say as well; those win. */
#include "container/private.h"
#include "kernel/signal.h"
#include <arpa/inet.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#define INTERVAL_DEFAULT (30 * NSEC_PER_SEC)
#define START_INTERVAL_DEFAULT (5 * NSEC_PER_SEC)
#define RETRIES_DEFAULT 3
#define LABEL_PROBE "corten.health.probe"
#define LABEL_ACTION "corten.health.on-unhealthy"
#define BACKOFF_MIN NSEC_PER_SEC
#define BACKOFF_MAX (300 * NSEC_PER_SEC)
#define BACKOFF_RUN_GOOD (600 * NSEC_PER_SEC) /* a run so long that was healthy begins anew */

/* --- settings --------------------------------------------------------------------------------- */

static struct err parse_port(struct str text, unsigned *ret) {
    uint64_t port;
    TRYF(str_to_u64(text, 65535, &port), "port");
    if (port == 0)
        return err_new(ERR_INVALID, "port 0");
    *ret = (unsigned)port;
    return OK;
}

/* "8080", ":8080", "127.0.0.1:8080", "[::1]:8080", "localhost:8080". Names are not looked up: the
 * probe must not hang in a resolver. */
static struct err parse_endpoint(struct str text, struct arena *a, struct monitor_health *h) {
    struct str host = STR_NONE, port = text;
    ssize_t colon = str_rfind(text, ':');
    if (colon >= 0) {
        host = str_sub(text, 0, (size_t)colon);
        port = str_from(text, (size_t)colon + 1);
    }
    if (str_starts(host, STR("[")) && str_ends(host, STR("]")))
        host = str_sub(host, 1, host.len - 1);
    if (host.len == 0 || str_eqz(host, "localhost"))
        host = STR("127.0.0.1");
    unsigned char bytes[sizeof(struct in6_addr)];
    h->address = arena_str(a, host);
    if (inet_pton(AF_INET, h->address, bytes) != 1 && inet_pton(AF_INET6, h->address, bytes) != 1)
        return err_new(ERR_INVALID, "'%s' is not an address (names are not looked up)", h->address);
    return parse_port(port, &h->port);
}

static struct err parse_http(const struct strs *words, struct arena *a, struct monitor_health *h) {
    if (words->n != 1)
        return err_new(ERR_INVALID, "HTTP takes one word: [ADDRESS]:PORT[/PATH]");
    struct str text = str_of(words->items[0]);
    if (str_starts(text, STR("http://")))
        text = str_from(text, 7);
    else if (str_find_str(text, STR("://")) >= 0)
        return err_new(ERR_INVALID, "only http:// can be asked");
    ssize_t slash = str_find(text, '/');
    struct str path = slash < 0 ? STR("/") : str_from(text, (size_t)slash);
    for (size_t i = 0; i < path.len; i++)
        if ((unsigned char)path.p[i] <= 0x20 || path.p[i] == 0x7f)
            return err_new(ERR_INVALID, "the path holds a blank or a control byte");
    h->path = arena_str(a, path);
    struct str host = slash < 0 ? text : str_sub(text, 0, (size_t)slash);
    bool no_port = str_find(host, ':') < 0 && str_find(host, '.') >= 0;
    if (no_port) /* http://127.0.0.1/ready */
        host = str_of(arena_printf(a, "%.*s:80", STR_ARG(host)));
    return parse_endpoint(host, a, h);
}

static struct err parse_file(const struct strs *words, struct arena *a, struct monitor_health *h) {
    if (words->n < 1 || words->n > 2 || words->items[0][0] != '/')
        return err_new(ERR_INVALID, "FILE takes an absolute path and perhaps its greatest age");
    h->path = arena_strz(a, words->items[0]);
    if (words->n == 1)
        return OK;
    TRYF(duration_parse(str_of(words->items[1]), &h->max_age), "greatest age");
    return h->max_age > 0 ? OK : err_new(ERR_INVALID, "greatest age '%s'", words->items[1]);
}

/* words: without the kind. */
static struct err parse_probe(const char *kind, const struct strs *words, struct arena *a,
                              struct monitor_health *h) {
    if (!strcmp(kind, "HTTP")) {
        h->probe = MONITOR_PROBE_HTTP;
        return parse_http(words, a, h);
    }
    if (!strcmp(kind, "TCP")) {
        h->probe = MONITOR_PROBE_TCP;
        h->path = "";
        if (words->n != 1)
            return err_new(ERR_INVALID, "TCP takes one word: [ADDRESS]:PORT");
        return parse_endpoint(str_of(words->items[0]), a, h);
    }
    if (!strcmp(kind, "FILE")) {
        h->probe = MONITOR_PROBE_FILE;
        return parse_file(words, a, h);
    }
    return err_new(ERR_INVALID,
                   "unknown type '%s' (expected NONE, CMD, CMD-SHELL, HTTP, TCP or FILE)", kind);
}

static struct err parse_test(const struct strs *test, struct arena *a, struct monitor_health *h) {
    const char *kind = test->items[0];
    struct strs words = {test->items + 1, test->n - 1, true};
    if (!strcmp(kind, "NONE"))
        return OK;
    if (strcmp(kind, "CMD") != 0 && strcmp(kind, "CMD-SHELL") != 0)
        return parse_probe(kind, &words, a, h);
    if (words.n == 0)
        return err_new(ERR_INVALID, "%s without a command", kind);
    h->probe = MONITOR_PROBE_EXEC;
    return OK;
}

static struct err parse_label(const char *text, struct arena *a, struct monitor_health *h) {
    struct strs words = {.present = true};
    struct str rest = str_of(text), word;
    char *kind = NULL;
    while (str_next(&rest, ' ', &word)) {
        if (word.len == 0)
            continue;
        if (kind)
            strs_add(&words, a, arena_str(a, word));
        else
            kind = arena_str(a, word);
    }
    return parse_probe(kind ? kind : "", &words, a, h);
}

static struct err parse_action(const char *text, enum monitor_action *ret) {
    static const char *const names[] = {"none", "restart", "stop", "kill"};
    for (size_t i = 0; i < ARRAY_LEN(names); i++)
        if (!strcmp(text, names[i])) {
            *ret = (enum monitor_action)i;
            return OK;
        }
    return err_new(ERR_INVALID, "on-unhealthy '%s' is not one of restart, stop, kill, none", text);
}

static struct err check_numbers(const struct api_health_config *c) {
    const struct {
        const char *name;
        int64_t value;
    } times[] = {{"Interval", c->interval},
                 {"Timeout", c->timeout},
                 {"StartPeriod", c->start_period},
                 {"StartInterval", c->start_interval}};
    for (size_t i = 0; i < ARRAY_LEN(times); i++)
        if (times[i].value != 0 && times[i].value < NSEC_PER_MSEC)
            return err_new(ERR_INVALID, "%s in Healthcheck cannot be less than 1ms", times[i].name);
    if (c->retries < 0)
        return err_new(ERR_INVALID, "Retries in Healthcheck cannot be negative");
    return OK;
}

struct err container_health_parse(const struct api_config *config, struct arena *a,
                                  struct monitor_health *ret) {
    static const struct api_health_config nothing;
    const struct api_health_config *c = config->healthcheck ? config->healthcheck : &nothing;
    const char *probe = strmap_get(&config->labels, LABEL_PROBE);
    const char *action = c->on_unhealthy && *c->on_unhealthy
                             ? c->on_unhealthy
                             : strmap_get(&config->labels, LABEL_ACTION);
    struct monitor_health h = {
        .interval = c->interval ? c->interval : INTERVAL_DEFAULT,
        .timeout = c->timeout ? c->timeout : INTERVAL_DEFAULT,
        .start_period = c->start_period,
        .start_interval = c->start_interval ? c->start_interval : START_INTERVAL_DEFAULT,
        .retries = c->retries ? c->retries : RETRIES_DEFAULT,
    };
    TRY(check_numbers(c));
    if (c->test.n)
        TRYF(parse_test(&c->test, a, &h), "Healthcheck.Test");
    else if (probe)
        TRYF(parse_label(probe, a, &h), "label " LABEL_PROBE);
    if (action)
        TRY(parse_action(action, &h.action));
    *ret = h;
    return OK;
}

void container_health_merge(struct api_config *c, const struct api_config *image, struct arena *a) {
    const struct api_health_config *from = image->healthcheck;
    if (!from)
        return;
    struct api_health_config *to = arena_alloc(a, sizeof *to);
    *to = c->healthcheck ? *c->healthcheck : (struct api_health_config){0};
    if (to->test.n == 0)
        to->test = from->test;
    int64_t *numbers[] = {&to->interval, &to->timeout, &to->start_period, &to->start_interval,
                          &to->retries};
    const int64_t given[] = {from->interval, from->timeout, from->start_period,
                             from->start_interval, from->retries};
    for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
        if (*numbers[i] == 0)
            *numbers[i] = given[i];
    if (!to->on_unhealthy || !*to->on_unhealthy)
        to->on_unhealthy = from->on_unhealthy;
    c->healthcheck = to;
}

struct err container_health_check(const struct api_container_create *doc, struct arena *a) {
    struct monitor_health h;
    TRY(container_health_parse(&doc->config, a, &h));
    if (h.action == MONITOR_ACTION_RESTART && doc->host->auto_remove)
        return err_new(ERR_INVALID, "an auto-removed container cannot be restarted when unhealthy");
    return OK;
}

/* The process object of CMD and CMD-SHELL. */
static struct err make_process(const struct container *c, struct arena *a, struct buf *ret) {
    const struct strs *test = &c->config->healthcheck->test;
    struct api_exec_create e = {.cmd.present = true};
    if (!strcmp(test->items[0], "CMD-SHELL")) {
        const struct strs *shell = &c->config->shell;
        for (size_t i = 0; i < shell->n; i++)
            strs_add(&e.cmd, a, shell->items[i]);
        if (shell->n == 0) {
            strs_add(&e.cmd, a, "/bin/sh");
            strs_add(&e.cmd, a, "-c");
        }
    }
    for (size_t i = 1; i < test->n; i++)
        strs_add(&e.cmd, a, test->items[i]);
    struct container_exec x = {.container = (struct container *)c, .config = &e};
    return container_exec_process(&x, a, ret);
}

struct err container_health_settings(const struct container *c, struct arena *a,
                                     struct monitor_health *ret) {
    TRY(container_health_parse(c->config, a, ret));
    if (ret->probe == MONITOR_PROBE_EXEC) {
        CLEAN_BUF struct buf process = {0};
        TRY(make_process(c, a, &process));
        ret->process = str_of(arena_str(a, buf_str(&process)));
    }
    ret->stop_signo = SIGTERM;
    if (c->config->stop_signal && *c->config->stop_signal)
        signal_parse(c->config->stop_signal, &ret->stop_signo); /* checked at create */
    int64_t seconds = c->config->stop_timeout ? *c->config->stop_timeout : CONTAINER_STOP_TIMEOUT;
    ret->stop_timeout = seconds < 0 ? -1 : seconds * NSEC_PER_SEC;
    return OK;
}

/* --- state ------------------------------------------------------------------------------------ */

void container_health_free(struct container *c) {
    struct container_health *h = c->health;
    c->health = NULL;
    for (size_t i = 0; h && i < h->results_n; i++)
        free(h->results[i].output);
    free(h);
}

void container_health_begin(struct container *c) {
    CLEAN_ARENA struct arena a = {0};
    struct monitor_health settings;
    struct err e = container_health_parse(c->config, &a, &settings);
    bool checked = !err_failed(e) && settings.probe != MONITOR_PROBE_NONE;
    err_ignore(e); /* the start has told */
    if (!checked) {
        container_health_free(c);
        return;
    }
    if (!c->health)
        c->health =
            NEW(struct container_health); /* results of earlier runs stay, as with the peer */
    c->health->status = MONITOR_STARTING;
    c->health->streak = 0;
    c->health->was_healthy = false;
}

static void add_result(struct container_health *h, const struct monitor_health_result *r) {
    if (h->results_n == MONITOR_HEALTH_RESULTS) {
        free(h->results[0].output);
        memmove(h->results, h->results + 1, (h->results_n - 1) * sizeof h->results[0]);
        h->results_n--;
    }
    h->results[h->results_n++] = (struct container_health_result){r->start, r->end, r->code,
                                                                  str_dup(r->output)};
}

const char *container_health_name(const struct container *c) {
    static const char *const names[] = {"starting", "healthy", "unhealthy"};
    const char *validated = c->health ? NULL : container_life_health(c);
    if (!c->health)
        return validated ? validated : "none";
    /* As the peer: what is not being asked is unhealthy. */
    return c->state == CONTAINER_RUNNING ? names[c->health->status] : names[MONITOR_UNHEALTHY];
}

struct api_health *container_health_view(const struct container *c, struct arena *a) {
    const struct container_health *h = c->health;
    if (!h)
        return container_life_health_view(c, a);
    struct api_health *v = arena_alloc(a, sizeof *v);
    v->status = arena_strz(a, container_health_name(c));
    v->failing_streak = h->streak;
    v->log.present = true;
    for (size_t i = 0; i < h->results_n; i++) {
        struct api_health_result *r = objs_add(&v->log, a, sizeof *r);
        *r = (struct api_health_result){h->results[i].start, h->results[i].end, h->results[i].code,
                                        arena_strz(a, h->results[i].output)};
    }
    return v;
}

void container_health_report(struct container *c, const struct monitor_health_state *s) {
    if (!c->health)
        c->health = NEW(struct container_health);
    struct container_health *h = c->health;
    bool changed = h->status != s->status;
    h->status = s->status;
    h->streak = s->streak;
    h->was_healthy |= s->status == MONITOR_HEALTHY;
    for (size_t i = 0; i < s->results_n; i++)
        add_result(h, &s->results[i]);
    if (!changed)
        return;
    static const char *const actions[] = {"health_status: starting", "health_status: healthy",
                                          "health_status: unhealthy"};
    container_publish(c, actions[s->status], NULL, NULL);
}

void container_health_adopt(struct container *c, const struct monitor_hello *hello) {
    struct monitor_health_state s;
    if (!monitor_hello_health(hello, &s))
        return;
    container_health_free(c);
    c->health = NEW(struct container_health);
    c->health->status = s.status; /* no event: it may have been so for long */
    container_health_report(c, &s);
}

/* --- after the end ---------------------------------------------------------------------------- */

void container_health_ended(struct container *c, const struct monitor_exit *x) {
    c->unhealthy_end = x->unhealthy;
    if (x->unhealthy == MONITOR_ACTION_STOP)
        c->stopped_by_user = true; /* by the user's standing order */
    bool good = c->health && c->health->was_healthy &&
                x->finished_at - c->started_at >= BACKOFF_RUN_GOOD;
    if (good || x->unhealthy != MONITOR_ACTION_RESTART)
        c->unhealthy_delay = 0;
}

bool container_health_wants_restart(const struct container *c) {
    return c->unhealthy_end == MONITOR_ACTION_RESTART && !c->stopped_by_user && !c->auto_remove;
}

int64_t container_health_delay(struct container *c) {
    int64_t delay = c->unhealthy_delay;
    c->unhealthy_delay = delay == 0 ? BACKOFF_MIN : MIN(delay * 2, BACKOFF_MAX);
    return MAX(delay, 100 * NSEC_PER_MSEC);
}
