/* build/metadata.c - the instructions that only change the image's config. */
#include "build/state.h"
#include "build/words.h"
#include <assert.h>
#include <signal.h>

/* Expands every string of a list in place. */
static struct err expand_list(struct state *s, const struct instr *in, char **items, size_t n,
                              struct strs *ret) {
    struct strs out = {.present = true};
    for (size_t i = 0; i < n; i++) {
        char *x;
        TRY(state_expand(s, in, items[i], &x));
        strs_add(&out, s->arena, x);
    }
    *ret = out;
    return OK;
}

/* Go's %v and %q of a list of strings. */
static void print_list(struct buf *b, const struct strs *v, bool quote) {
    buf_addc(b, '[');
    for (size_t i = 0; i < v->n; i++) {
        buf_adds(b, i ? " " : "");
        if (quote)
            words_quote(b, str_of(v->items[i]));
        else
            buf_adds(b, v->items[i]);
    }
    buf_addc(b, ']');
}

static void history(struct state *s, const struct buf *b) {
    state_history(s, buf_cstr(b), false, false);
}

/* Replaces NAME=… in a list of variables, or adds it. */
static void env_set(struct strs *env, struct arena *a, const char *key, const char *value) {
    char *text = arena_printf(a, "%s=%s", key, value);
    size_t len = strlen(key) + 1;
    for (size_t i = 0; i < env->n; i++) {
        if (strncmp(env->items[i], text, len) != 0)
            continue;
        env->items[i] = text;
        return;
    }
    strs_add(env, a, text);
}

static struct err pairs(struct state *s, const struct instr *in) {
    CLEAN_BUF struct buf b = {0};
    struct strmap out = {0};
    bool env = in->kind == I_ENV;
    buf_adds(&b, instruction_name(in->kind));
    /* All of them are expanded with the values from before the instruction. */
    for (size_t i = 0; i < in->pairs.n; i++) {
        char *k, *v;
        TRY(state_expand(s, in, in->pairs.items[i].key, &k));
        TRY(state_expand(s, in, in->pairs.items[i].value, &v));
        if (!*k || (env && strchr(k, '=')))
            return dockerfile_error(s->file, in->node, 0, "%s names can not be blank or hold '='",
                                    instruction_name(in->kind));
        strmap_set(&out, s->arena, k, v);
        buf_addf(&b, " %s=%s", k, v);
    }
    for (size_t i = 0; i < out.n; i++) {
        if (env) {
            env_set(&s->image.config.env, s->arena, out.items[i].key, out.items[i].value);
            strmap_set(&s->vars, s->arena, out.items[i].key, out.items[i].value);
        } else {
            state_label(s, out.items[i].key, out.items[i].value);
        }
    }
    history(s, &b);
    return OK;
}

/* --build-arg beats the default, which beats a global ARG of the same name. */
static struct err arg_value(struct state *s, const struct instr *in, const struct pair *p,
                            const char **ret) {
    struct build_arg *given = request_arg(s->request, p->key);
    if (given && given->value) {
        *ret = given->value;
        return OK;
    }
    if (!p->value) {
        *ret = strmap_get(s->globals, p->key);
        return OK;
    }
    char *v;
    TRY(state_expand(s, in, p->value, &v));
    *ret = v;
    return OK;
}

static struct err arg(struct state *s, const struct instr *in) {
    CLEAN_BUF struct buf b = {0};
    buf_adds(&b, "ARG");
    for (size_t i = 0; i < in->pairs.n; i++) {
        const struct pair *p = &in->pairs.items[i];
        const char *v = NULL;
        TRY(arg_value(s, in, p, &v));
        if (v)
            strmap_set(&s->vars, s->arena, p->key, v);
        strmap_set(&s->args, s->arena, p->key, v ? v : "");
        buf_addf(&b, v ? " %s=%s" : " %s", p->key, v);
    }
    history(s, &b);
    return OK;
}

static struct err command(struct state *s, const struct instr *in) {
    CLEAN_BUF struct buf b = {0};
    struct strs words = state_command(s, &in->command);
    buf_addf(&b, "%s ", instruction_name(in->kind));
    print_list(&b, &words, true);
    if (in->kind == I_CMD) {
        s->image.config.cmd = words;
        s->image.config.args_escaped = true;
        s->cmd_set = true;
    } else {
        s->image.config.entrypoint = words.n ? words : (struct strs){0};
        if (!s->cmd_set)
            s->image.config.cmd = (struct strs){0};
    }
    history(s, &b);
    return OK;
}

static struct err shell(struct state *s, const struct instr *in) {
    CLEAN_BUF struct buf b = {0};
    struct strs words = state_command(s, &in->command);
    s->image.config.shell = words;
    buf_adds(&b, "SHELL ");
    print_list(&b, &words, false);
    history(s, &b);
    return OK;
}

/* Go's time.Duration as text: "1h2m3s", "1m30s", "500ms", "0s". */
static void print_duration(struct buf *b, int64_t ns) {
    const int64_t second = 1000000000;
    if (ns == 0) {
        buf_adds(b, "0s");
        return;
    }
    if (ns < second) {
        buf_addf(b, "%gms", (double)ns / 1e6);
        return;
    }
    int64_t s = ns / second;
    if (s >= 3600)
        buf_addf(b, "%lldh", (long long)(s / 3600));
    if (s >= 60)
        buf_addf(b, "%lldm", (long long)(s / 60 % 60));
    buf_addf(b, "%.10gs", (double)(ns % (60 * second)) / 1e9);
}

static struct err health(struct state *s, const struct instr *in) {
    const struct health_spec *h = &in->health;
    CLEAN_BUF struct buf b = {0};
    struct api_health_config *c = arena_alloc(s->arena, sizeof(*c));
    c->test.present = true;
    strs_add(&c->test, s->arena, h->none ? "NONE" : h->test.shell ? "CMD-SHELL" : "CMD");
    for (size_t i = 0; i < h->test.n; i++)
        strs_add(&c->test, s->arena, h->test.words[i]);
    c->interval = h->interval;
    c->timeout = h->timeout;
    c->start_period = h->start_period;
    c->start_interval = h->start_interval;
    c->retries = h->retries;
    s->image.config.healthcheck = c;
    buf_adds(&b, "HEALTHCHECK {Test:");
    print_list(&b, &c->test, false);
    buf_adds(&b, " Interval:");
    print_duration(&b, c->interval);
    buf_adds(&b, " Timeout:");
    print_duration(&b, c->timeout);
    buf_adds(&b, " StartPeriod:");
    print_duration(&b, c->start_period);
    buf_adds(&b, " StartInterval:");
    print_duration(&b, c->start_interval);
    buf_addf(&b, " Retries:%lld}", (long long)c->retries);
    history(s, &b);
    return OK;
}

static void set_add(struct strs *set, struct arena *a, const char *value) {
    if (!strs_has(set, value))
        strs_add(set, a, value);
}

static struct err expose(struct state *s, const struct instr *in) {
    CLEAN_BUF struct buf b = {0};
    struct strs given, ports = {0};
    TRY(expand_list(s, in, in->list.items, in->list.n, &given));
    for (size_t i = 0; i < given.n; i++) {
        /* A variable may hold several. */
        struct words w;
        words_plain(str_of(given.items[i]), 0, s->arena, &w);
        for (size_t j = 0; j < w.n; j++)
            TRY(dockerfile_locate(s->file, in->node,
                                  expose_ports(str_of(w.items[j].text), s->arena, &ports)));
    }
    for (size_t i = 0; i < ports.n; i++)
        set_add(&s->image.config.exposed_ports, s->arena, ports.items[i]);
    buf_adds(&b, "EXPOSE ");
    print_list(&b, &ports, false);
    history(s, &b);
    return OK;
}

static struct err volume(struct state *s, const struct instr *in) {
    CLEAN_BUF struct buf b = {0};
    struct strs paths;
    TRY(expand_list(s, in, in->list.items, in->list.n, &paths));
    for (size_t i = 0; i < paths.n; i++) {
        if (!*paths.items[i])
            return dockerfile_error(s->file, in->node, 0,
                                    "VOLUME specified can not be an empty string");
        set_add(&s->image.config.volumes, s->arena, paths.items[i]);
    }
    buf_adds(&b, "VOLUME ");
    print_list(&b, &paths, false);
    history(s, &b);
    return OK;
}

bool signal_known(const char *text) {
    struct str t = str_of(text);
    uint64_t n;
    struct err e = str_to_u64(t, 64, &n);
    bool number = !err_failed(e);
    err_free(e); /* a name, then */
    if (number)
        return n > 0;
    if (t.len > 3 && str_eq_nocase(str_sub(t, 0, 3), STR("SIG")))
        t = str_from(t, 3);
    for (int i = 1; i < SIGRTMIN; i++)
        if (sigabbrev_np(i) && str_eq_nocase(t, str_of(sigabbrev_np(i))))
            return true;
    struct str base = str_sub(t, 0, 5), offset = str_from(t, 5);
    bool min = str_eq_nocase(base, STR("RTMIN")), max = str_eq_nocase(base, STR("RTMAX"));
    if (!min && !max)
        return false;
    if (offset.len == 0)
        return true;
    if (offset.p[0] != (min ? '+' : '-'))
        return false;
    e = str_to_u64(str_from(offset, 1), min ? 15 : 14, &n);
    bool in_range = !err_failed(e);
    err_free(e); /* no number: no signal */
    return in_range;
}

static struct err one_word(struct state *s, const struct instr *in) {
    struct oci_image_config *i = &s->image;
    char *v = in->list.items[0];
    if (in->kind != I_MAINTAINER)
        TRY(state_expand(s, in, v, &v));
    if (in->kind == I_STOPSIGNAL && !signal_known(v))
        return dockerfile_error(s->file, in->node, 0, "invalid signal: %s", v);
    if (in->kind == I_USER)
        i->config.user = v;
    else if (in->kind == I_STOPSIGNAL)
        i->config.stop_signal = v;
    else
        i->author = v;
    CLEAN_BUF struct buf b = {0};
    buf_addf(&b, "%s %s", instruction_name(in->kind), v);
    history(s, &b);
    return OK;
}

struct err state_apply(struct state *s, const struct instr *in) {
    switch (in->kind) {
    case I_ENV:
    case I_LABEL:
        return pairs(s, in);
    case I_ARG:
        return arg(s, in);
    case I_CMD:
    case I_ENTRYPOINT:
        return command(s, in);
    case I_SHELL:
        return shell(s, in);
    case I_HEALTHCHECK:
        return health(s, in);
    case I_EXPOSE:
        return expose(s, in);
    case I_VOLUME:
        return volume(s, in);
    case I_USER:
    case I_STOPSIGNAL:
    case I_MAINTAINER:
        return one_word(s, in);
    case I_ONBUILD:
        strs_add(&s->image.config.on_build, s->arena, in->list.items[0]);
        return OK;
    default:
        assert(!"not a metadata instruction");
        return OK;
    }
}
