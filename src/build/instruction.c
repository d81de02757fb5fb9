/* build/instruction.c - grammar of each instruction. */
#include "build/instruction.h"
#include "base/time.h"
#include "build/words.h"
#include <stdlib.h>

struct reader {
    const struct dockerfile *file;
    const struct node *node;
    struct arena *arena;
    struct instr *out;
};

#define FAIL(r, ...) dockerfile_error((r)->file, (r)->node, 0, __VA_ARGS__)

static const char *name(const struct reader *r) {
    return instruction_name(r->node->kind);
}

static struct err no_flags(struct reader *r) {
    return flags_read(r->file, r->node, r->arena, NULL, 0);
}

static struct err exactly_one(struct reader *r) {
    TRY(no_flags(r));
    if (r->node->args.n != 1)
        return FAIL(r, "%s requires exactly one argument", name(r));
    return OK;
}

static struct err at_least_one(struct reader *r) {
    if (r->node->args.n == 0)
        return FAIL(r, "%s requires at least one argument", name(r));
    return OK;
}

static void list_set(struct reader *r) {
    const struct words *w = &r->node->args;
    r->out->list.n = w->n;
    r->out->list.items = arena_array(r->arena, w->n, sizeof(char *));
    for (size_t i = 0; i < w->n; i++)
        r->out->list.items[i] = w->items[i].text;
}

static void command_set(struct reader *r, size_t first, struct command *c) {
    const struct words *w = &r->node->args;
    c->n = w->n - first;
    c->shell = !r->node->json;
    c->words = arena_array(r->arena, c->n + 1, sizeof(char *));
    for (size_t i = 0; i < c->n; i++)
        c->words[i] = w->items[first + i].text;
}

/* "[a-z][a-z0-9-_.]*" after lowering, as the peer. */
static bool stage_name(const char *given, char *lowered) {
    for (size_t i = 0; given[i]; i++) {
        char c = given[i];
        if (c >= 'A' && c <= 'Z')
            c |= 0x20;
        bool letter = c >= 'a' && c <= 'z';
        bool other = (c >= '0' && c <= '9') || c == '-' || c == '_' || c == '.';
        if (!letter && !(i && other))
            return false;
        lowered[i] = c;
    }
    return *given;
}

static struct err read_from(struct reader *r) {
    const struct words *w = &r->node->args;
    struct flag flags[] = {{.name = "platform", .text = &r->out->from.platform}};
    TRY(flags_read(r->file, r->node, r->arena, flags, ARRAY_LEN(flags)));
    bool named = w->n == 3 && str_eq_nocase(str_of(w->items[1].text), STR("as"));
    if (!named && w->n != 1)
        return FAIL(r, "FROM requires either one or three arguments");
    r->out->from.image = w->items[0].text;
    if (!named)
        return OK;
    r->out->from.stage = arena_strz(r->arena, w->items[2].text);
    if (!stage_name(w->items[2].text, r->out->from.stage))
        return dockerfile_error(r->file, r->node, w->items[2].at,
                                "invalid name for build stage: \"%s\": a name starts with a letter "
                                "and has only letters, digits, '-', '_' and '.'",
                                w->items[2].text);
    if (str_eqz(str_of("scratch"), r->out->from.stage))
        return dockerfile_error(r->file, r->node, w->items[2].at,
                                "the stage name \"scratch\" is reserved");
    return OK;
}

static struct err read_pairs(struct reader *r) {
    TRY(no_flags(r));
    TRY(at_least_one(r));
    const struct words *w = &r->node->args;
    struct pairs_list *p = &r->out->pairs;
    p->n = w->n / 3;
    p->items = arena_array(r->arena, p->n, sizeof(struct pair));
    for (size_t i = 0; i < p->n; i++) {
        const struct word *row = &w->items[i * 3];
        if (!*row[0].text)
            return dockerfile_error(r->file, r->node, row[0].at, "%s names can not be blank",
                                    name(r));
        p->items[i] = (struct pair){row[0].text, row[1].text, !*row[2].text};
    }
    return OK;
}

static struct err read_arg(struct reader *r) {
    TRY(no_flags(r));
    TRY(at_least_one(r));
    const struct words *w = &r->node->args;
    struct pairs_list *p = &r->out->pairs;
    p->n = w->n;
    p->items = arena_array(r->arena, p->n, sizeof(struct pair));
    for (size_t i = 0; i < w->n; i++) {
        struct str k, v;
        bool has_value = str_cut(str_of(w->items[i].text), '=', &k, &v);
        if (k.len == 0)
            return dockerfile_error(r->file, r->node, w->items[i].at, "ARG names can not be blank");
        p->items[i].key = arena_str(r->arena, k);
        p->items[i].value = has_value ? arena_str(r->arena, v) : NULL;
    }
    return OK;
}

static const struct heredoc *heredoc_named(const struct node *n, const char *wanted) {
    for (size_t i = 0; i < n->heredocs_n; i++)
        if (str_eqz(str_of(n->heredocs[i].name), wanted))
            return &n->heredocs[i];
    return NULL;
}

static struct err read_sources(struct reader *r) {
    const struct words *w = &r->node->args;
    struct copy_spec *c = &r->out->copy;
    struct heredoc h;
    if (w->n < 2)
        return FAIL(r,
                    "%s requires at least two arguments, but only %s provided: the destination "
                    "could not be determined",
                    name(r), w->n ? "one was" : "none were");
    size_t last = w->n - 1;
    if (!r->node->json && heredoc_word(str_of(w->items[last].text), r->arena, &h))
        return dockerfile_error(r->file, r->node, w->items[last].at,
                                "%s cannot accept a heredoc as a destination", name(r));
    c->dest = w->items[last].text;
    c->sources = arena_array(r->arena, last, sizeof(char *));
    c->docs = arena_array(r->arena, last, sizeof(struct source_doc));
    for (size_t i = 0; i < last; i++) {
        char *text = w->items[i].text;
        bool doc = !r->node->json && heredoc_word(str_of(text), r->arena, &h);
        const struct heredoc *body = doc ? heredoc_named(r->node, h.name) : NULL;
        if (!body)
            c->sources[c->sources_n++] = text;
        else
            c->docs[c->docs_n++] = (struct source_doc){
                .name = h.name, .content = heredoc_text(body, r->arena), .expand = h.expand};
    }
    return OK;
}

bool source_is_git(const char *s) {
    struct str t = str_of(s), repo, fragment;
    if (str_starts(t, STR("git://")) || str_starts(t, STR("git@")) || str_starts(t, STR("ssh://")))
        return true;
    if (!str_starts(t, STR("http://")) && !str_starts(t, STR("https://")))
        return false;
    str_cut(t, '#', &repo, &fragment);
    str_cut(repo, '?', &repo, &fragment);
    return str_ends(repo, STR(".git"));
}

bool source_is_url(const char *s) {
    struct str t = str_of(s);
    return (str_starts(t, STR("http://")) || str_starts(t, STR("https://"))) && !source_is_git(s);
}

static struct err check_checksum(struct reader *r) {
    const struct copy_spec *c = &r->out->copy;
    if (!c->checksum)
        return OK;
    if (c->sources_n + c->docs_n != 1)
        return FAIL(r, "checksum can't be specified for multiple sources");
    if (c->sources_n == 0 || (!source_is_git(c->sources[0]) && !source_is_url(c->sources[0])))
        return FAIL(r, "checksum requires HTTP(S) or Git sources");
    return OK;
}

static struct err read_add(struct reader *r) {
    struct copy_spec *c = &r->out->copy;
    struct flag flags[] = {
        {.name = "chown", .text = &c->chown},
        {.name = "chmod", .text = &c->chmod},
        {.name = "link", .kind = FLAG_BOOL, .on = &c->link},
        {.name = "keep-git-dir", .kind = FLAG_BOOL, .on = &c->keep_git_dir},
        {.name = "checksum", .text = &c->checksum},
        {.name = "unpack", .kind = FLAG_BOOL, .on = &c->unpack},
        {.name = "exclude", .kind = FLAG_LIST, .list = &c->exclude},
    };
    TRY(flags_read(r->file, r->node, r->arena, flags, ARRAY_LEN(flags)));
    c->unpack_given = flags[5].used;
    TRY(read_sources(r));
    return check_checksum(r);
}

static struct err read_copy(struct reader *r) {
    struct copy_spec *c = &r->out->copy;
    struct flag flags[] = {
        {.name = "from", .text = &c->from},
        {.name = "chown", .text = &c->chown},
        {.name = "chmod", .text = &c->chmod},
        {.name = "link", .kind = FLAG_BOOL, .on = &c->link},
        {.name = "parents", .kind = FLAG_BOOL, .on = &c->parents},
        {.name = "exclude", .kind = FLAG_LIST, .list = &c->exclude},
    };
    TRY(flags_read(r->file, r->node, r->arena, flags, ARRAY_LEN(flags)));
    TRY(read_sources(r));
    for (size_t i = 0; i < c->sources_n; i++) {
        if (source_is_git(c->sources[i]))
            return FAIL(r, "source can't be a git ref for COPY");
        if (source_is_url(c->sources[i]))
            return FAIL(r, "source can't be a URL for COPY");
    }
    if (c->from && strchr(c->from, '$'))
        return FAIL(r, "variable expansion is not supported for --from, define a new stage with "
                       "FROM using ARG from global scope as a workaround");
    return OK;
}

static struct err read_run(struct reader *r) {
    TRY(run_flags(r->file, r->node, r->arena, &r->out->run));
    command_set(r, 0, &r->out->command);
    if (r->out->command.n == 0)
        return FAIL(r, "RUN requires at least one argument");
    return OK;
}

static struct err read_command(struct reader *r) {
    TRY(no_flags(r));
    command_set(r, 0, &r->out->command);
    return OK;
}

static struct err read_shell(struct reader *r) {
    TRY(no_flags(r));
    TRY(at_least_one(r));
    if (!r->node->json)
        return FAIL(r, "SHELL requires the arguments to be in JSON form");
    command_set(r, 0, &r->out->command);
    return OK;
}

static struct err read_interval(struct reader *r, const char *flag, const char *text,
                                int64_t *ret) {
    if (!text || !*text)
        return OK;
    int64_t ns;
    TRY(dockerfile_locate(r->file, r->node,
                          err_wrap(duration_parse(str_of(text), &ns), "--%s", flag)));
    if (ns && ns < NSEC_PER_MSEC)
        return FAIL(r, "Interval \"%s\" cannot be less than 1ms", flag);
    *ret = ns;
    return OK;
}

static struct err read_probe(struct reader *r) {
    struct health_spec *h = &r->out->health;
    char *interval = NULL, *timeout = NULL, *period = NULL, *start = NULL, *retries = NULL;
    struct flag flags[] = {{.name = "interval", .text = &interval},
                           {.name = "timeout", .text = &timeout},
                           {.name = "start-period", .text = &period},
                           {.name = "start-interval", .text = &start},
                           {.name = "retries", .text = &retries}};
    TRY(flags_read(r->file, r->node, r->arena, flags, ARRAY_LEN(flags)));
    if (!str_eq_nocase(str_of(r->node->args.items[0].text), STR("CMD")))
        return FAIL(r, "Unknown type \"%s\" in HEALTHCHECK (try CMD)", r->node->args.items[0].text);
    command_set(r, 1, &h->test);
    if (h->test.n == 0)
        return FAIL(r, "Missing command after HEALTHCHECK CMD");
    TRY(read_interval(r, "interval", interval, &h->interval));
    TRY(read_interval(r, "timeout", timeout, &h->timeout));
    TRY(read_interval(r, "start-period", period, &h->start_period));
    TRY(read_interval(r, "start-interval", start, &h->start_interval));
    if (retries && *retries)
        TRY(dockerfile_locate(
            r->file, r->node,
            err_wrap(str_to_i64(str_of(retries), 0, INT32_MAX, &h->retries), "--retries")));
    return OK;
}

static struct err read_health(struct reader *r) {
    TRY(at_least_one(r));
    if (!str_eq_nocase(str_of(r->node->args.items[0].text), STR("NONE")))
        return read_probe(r);
    TRY(no_flags(r));
    if (r->node->args.n != 1)
        return FAIL(r, "HEALTHCHECK NONE takes no arguments");
    r->out->health.none = true;
    return OK;
}

static int word_order(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct err read_list(struct reader *r) {
    TRY(no_flags(r));
    TRY(at_least_one(r));
    list_set(r);
    if (r->node->kind == I_EXPOSE)
        qsort(r->out->list.items, r->out->list.n, sizeof(char *), word_order);
    for (size_t i = 0; i < r->out->list.n; i++)
        if (str_trim(str_of(r->out->list.items[i])).len == 0)
            return FAIL(r, "%s specified can not be an empty string", name(r));
    return OK;
}

static struct err read_one(struct reader *r) {
    TRY(exactly_one(r));
    list_set(r);
    return OK;
}

/* The trigger is kept as text, heredoc bodies included: it runs in another build. */
static struct err read_onbuild(struct reader *r) {
    TRY(no_flags(r));
    const struct node *sub = r->node->sub;
    if (!sub)
        return FAIL(r, "ONBUILD requires at least one argument");
    if (sub->kind == I_ONBUILD)
        return FAIL(r, "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed");
    if (sub->kind == I_FROM || sub->kind == I_MAINTAINER)
        return FAIL(r, "%s isn't allowed as an ONBUILD trigger", instruction_name(sub->kind));
    struct instr checked;
    TRY(instruction_parse(r->file, sub, r->arena, &checked));
    CLEAN_BUF struct buf b = {0};
    buf_add_str(&b, sub->text);
    for (size_t i = 0; i < r->node->heredocs_n; i++)
        buf_addf(&b, "\n%s%s", r->node->heredocs[i].content, r->node->heredocs[i].name);
    r->out->list.n = 1;
    r->out->list.items = arena_array(r->arena, 1, sizeof(char *));
    r->out->list.items[0] = arena_str(r->arena, buf_str(&b));
    return OK;
}

static struct err read_unknown(struct reader *r) {
    const char *names[I_COUNT - 1];
    for (size_t i = 1; i < I_COUNT; i++)
        names[i - 1] = instruction_name((enum instruction)i);
    const char *meant = suggest(str_of(r->node->name), names, ARRAY_LEN(names));
    if (meant)
        return FAIL(r, "unknown instruction: %s (did you mean %s?)", r->node->name, meant);
    return FAIL(r, "unknown instruction: %s", r->node->name);
}

size_t instr_sources(const struct instr *in, char *const **ret) {
    if (in->kind == I_RUN) {
        *ret = in->run.froms;
        return in->run.froms_n;
    }
    *ret = (char *const *)&in->copy.from;
    return (in->kind == I_COPY && in->copy.from) ? 1 : 0;
}

struct err instruction_parse(const struct dockerfile *f, const struct node *n, struct arena *a,
                             struct instr *ret) {
    static struct err (*const readers[I_COUNT])(struct reader *) = {
        [I_UNKNOWN] = read_unknown,    [I_ADD] = read_add,     [I_ARG] = read_arg,
        [I_CMD] = read_command,        [I_COPY] = read_copy,   [I_ENTRYPOINT] = read_command,
        [I_ENV] = read_pairs,          [I_EXPOSE] = read_list, [I_FROM] = read_from,
        [I_HEALTHCHECK] = read_health, [I_LABEL] = read_pairs, [I_MAINTAINER] = read_one,
        [I_ONBUILD] = read_onbuild,    [I_RUN] = read_run,     [I_SHELL] = read_shell,
        [I_STOPSIGNAL] = read_one,     [I_USER] = read_one,    [I_VOLUME] = read_list,
        [I_WORKDIR] = read_one,
    };
    for (size_t i = 0; i < n->args.n; i++)
        if (strlen(n->args.items[i].text) != n->args.items[i].len)
            return dockerfile_error(f, n, n->args.items[i].at, "argument with a NUL character");
    struct instr in = {.kind = n->kind, .node = n};
    struct reader r = {.file = f, .node = n, .arena = a, .out = &in};
    TRY(readers[n->kind](&r));
    *ret = in;
    return OK;
}
