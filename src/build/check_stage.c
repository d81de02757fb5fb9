/* build/check_stage.c - rules about single instructions and the stage that they are in. */
#include "base/path.h"
#include "build/check.h"
#include <ctype.h>
#include <string.h>

static const char *const platform_names[] = {"BUILDPLATFORM", "BUILDOS",         "BUILDOSVERSION",
                                             "BUILDARCH",     "BUILDVARIANT",    "TARGETPLATFORM",
                                             "TARGETOS",      "TARGETOSVERSION", "TARGETARCH",
                                             "TARGETVARIANT", "TARGETSTAGE"};

static bool is_platform_name(struct str name) {
    for (size_t i = 0; i < ARRAY_LEN(platform_names); i++)
        if (str_eqz(name, platform_names[i]))
            return true;
    return false;
}

/* Calls fn for each $name and ${name…} of text; *modified: it has a modifier, so unset may be
 * meant. */
static void variables(struct checker *c, const struct node *n, const char *text,
                      void (*fn)(struct checker *c, const struct node *n, struct str name)) {
    bool quoted = false;
    for (const char *p = text; *p; p++) {
        if (*p == c->file->escape && p[1]) {
            p++;
            continue;
        }
        if (*p == '\'')
            quoted = !quoted;
        if (*p != '$' || quoted)
            continue;
        bool brace = p[1] == '{';
        const char *start = p + 1 + brace, *end = start;
        while (isalnum((unsigned char)*end) || *end == '_')
            end++;
        if (end > start && (!brace || *end == '}'))
            fn(c, n, str_n(start, (size_t)(end - start)));
    }
}

/* --- FROM ---------------------------------------------------------------------------------------
 */
static void from_variable(struct checker *c, const struct node *n, struct str name) {
    if (check_has(&c->globals, name) || is_platform_name(name))
        return;
    if (check_has(&c->empty, name)) {
        check_warn(c, "InvalidDefaultArgInFrom", n, 0,
                   "Default value for ARG %.*s results in empty or invalid base image name",
                   STR_ARG(name));
        return;
    }
    const char *meant = suggest(name, (const char *const *)c->globals.items, c->globals.n);
    check_warn(c, "UndefinedArgInFrom", n, 0, "FROM argument '%.*s' is not declared%s%s%s",
               STR_ARG(name), meant ? " (did you mean " : "", meant ? meant : "",
               meant ? "?)" : "");
}

/* A comment right above FROM … AS or ARG describes it, beginning with its name. */
static void description(struct checker *c, const struct node *n, const char *what,
                        const char *name) {
    if (!name || n->line < 2 || !check_wants(c, "InvalidDefinitionDescription"))
        return;
    struct str line = str_trim(check_line_of(c->file, n->line - 1)), first, rest;
    bool directives = n->line - 1 <= (c->file->check ? 1u : 0u) + (c->file->syntax ? 1u : 0u);
    if (line.len == 0 || line.p[0] != '#' || directives)
        return;
    str_cut(str_trim(str_from(line, 1)), ' ', &first, &rest);
    if (!str_eqz(first, name))
        check_warn(c, "InvalidDefinitionDescription", n, 0,
                   "Comment for %s should follow the format: `# %s <description>`", what, name);
}

static void stage_name(struct checker *c, const struct node *n) {
    struct str name = str_of(n->args.items[2].text);
    CLEAN_BUF struct buf lower = {0};
    for (size_t i = 0; i < name.len; i++)
        buf_addc(&lower, (char)tolower((unsigned char)name.p[i]));
    if (!str_eq(buf_str(&lower), name))
        check_warn(c, "StageNameCasing", n, n->args.items[2].at,
                   "Stage name '%.*s' should be lowercase", STR_ARG(name));
    bool upper_from = isupper((unsigned char)n->name[0]);
    bool upper_as = isupper((unsigned char)n->args.items[1].text[0]);
    if (upper_from != upper_as)
        check_warn(c, "FromAsCasing", n, n->args.items[1].at,
                   "'%s' and '%s' keywords' casing do not match", n->args.items[1].text, n->name);
    if (str_eqz(buf_str(&lower), "context")) /* the other one, scratch, is an error */
        check_warn(c, "ReservedStageName", n, n->args.items[2].at,
                   "Stage name should not use the same name as reserved stage \"context\"");
    description(c, n, "build stage", n->args.items[2].text);
    if (check_has(&c->stages, buf_str(&lower)))
        check_warn(c, "DuplicateStageName", n, n->args.items[2].at,
                   "Duplicate stage name \"%.*s\", stage names should be unique", STR_ARG(name));
    strv_add(&c->stages, buf_cstr(&lower));
}

static void base_pinned(struct checker *c, const struct instr *in) {
    struct str image = str_of(in->from.image);
    ssize_t slash = str_rfind(image, '/');
    struct str last = str_from(image, (size_t)(slash + 1));
    if (str_find(image, '$') >= 0 || str_eqz(image, "scratch") || check_has(&c->stages, image))
        return;
    if (str_find(last, ':') < 0 || str_ends(last, STR(":latest")))
        check_advise(c, "UnpinnedBase", in->node,
                     "base image '%.*s' names no version: another build may start from another",
                     STR_ARG(image));
}

static void from(struct checker *c, const struct instr *in) {
    const struct node *n = in->node;
    bool stage = check_has(&c->stages, str_of(in->from.image));
    base_pinned(c, in);
    variables(c, n, in->from.image, from_variable);
    if (in->from.platform) {
        struct str p = str_of(in->from.platform);
        if (str_eqz(p, "$TARGETPLATFORM") || str_eqz(p, "${TARGETPLATFORM}"))
            check_warn(c, "RedundantTargetPlatform", n, 0,
                       "Setting platform to predefined %.*s in FROM is redundant", STR_ARG(p));
        else if (str_find(p, '$') < 0)
            check_warn(c, "FromPlatformFlagConstDisallowed", n, 0,
                       "FROM --platform flag should not use constant value \"%.*s\"", STR_ARG(p));
    }
    if (n->args.n == 3)
        stage_name(c, n);
    c->in_stage = true;
    c->absolute = stage; /* what the other stage did is not followed: no false alarm */
    c->scratch = str_eqz(str_of(in->from.image), "scratch");
    c->shell_set = c->user_set = c->whole_context = false;
    memset(c->seen, 0, sizeof(c->seen));
    if (!stage) {
        strv_done(&c->vars);
        c->vars = (struct strv){0};
    }
}

/* --- the others ---------------------------------------------------------------------------------
 */
/* Words of a name that say what is in it ("DB_PASSWORD", "apiKey"). */
static bool secret_name(const char *name) {
    static const char *const words[] = {"apikey",   "auth",  "credential", "credentials", "key",
                                        "password", "pword", "passwd",     "secret",      "token"};
    static const char *const not_secret[] = {"public", "keyring"};
    CLEAN_BUF struct buf word = {0};
    bool secret = false;
    for (const char *p = name;; p++) {
        if (*p && *p != '_' && *p != '-') {
            buf_addc(&word, (char)tolower((unsigned char)*p));
            continue;
        }
        for (size_t i = 0; i < ARRAY_LEN(not_secret); i++)
            if (str_eqz(buf_str(&word), not_secret[i]))
                return false;
        for (size_t i = 0; i < ARRAY_LEN(words); i++)
            secret |= str_eqz(buf_str(&word), words[i]);
        buf_clear(&word);
        if (!*p)
            return secret;
    }
}

static void pairs(struct checker *c, const struct instr *in) {
    const char *kind = instruction_name(in->kind);
    if (in->kind == I_ARG && in->pairs.n == 1)
        description(c, in->node, "build argument", in->pairs.items[0].key);
    for (size_t i = 0; i < in->pairs.n; i++) {
        const struct pair *p = &in->pairs.items[i];
        if (in->kind != I_LABEL && secret_name(p->key))
            check_warn(c, "SecretsUsedInArgOrEnv", in->node, 0,
                       "Do not use ARG or ENV instructions for sensitive data (%s \"%s\")", kind,
                       p->key);
        if (p->legacy)
            check_warn(c, "LegacyKeyValueFormat", in->node, 0,
                       "\"%s key=value\" should be used instead of legacy \"%s key value\" format",
                       kind, kind);
        if (in->kind == I_ARG && !c->in_stage)
            strv_add(p->value && *p->value ? &c->globals : &c->empty, p->key);
        else if (in->kind != I_LABEL)
            strv_add(&c->vars, p->key);
    }
}

/* A base image may bring any variable: only a name that is nearly a known one is reported, or any
 * when there is no base image. */
static void variable(struct checker *c, const struct node *n, struct str name) {
    if (check_has(&c->vars, name) || is_platform_name(name) || str_eqz(name, "PATH"))
        return;
    const char *meant = suggest(name, (const char *const *)c->vars.items, c->vars.n);
    if (!meant && !c->scratch)
        return;
    check_warn(c, "UndefinedVar", n, 0, "Usage of undefined variable '$%.*s'%s%s%s", STR_ARG(name),
               meant ? " (did you mean $" : "", meant ? meant : "", meant ? "?)" : "");
}

static void only_one(struct checker *c, const struct instr *in) {
    if (c->seen[in->kind])
        check_warn(c, "MultipleInstructionsDisallowed", c->seen[in->kind], 0,
                   "Multiple %s instructions should not be used in the same stage because only the "
                   "last one will be used",
                   instruction_name(in->kind));
    c->seen[in->kind] = in->node;
}

static void command(struct checker *c, const struct instr *in) {
    only_one(c, in);
    if (in->command.shell && in->command.n && !c->shell_set)
        check_warn(c, "JSONArgsRecommended", in->node, 0,
                   "JSON arguments recommended for %s to prevent unintended behavior related to OS "
                   "signals",
                   instruction_name(in->kind));
}

static void expose(struct checker *c, const struct instr *in) {
    for (size_t i = 0; i < in->list.n; i++) {
        struct str spec = str_of(in->list.items[i]), port, proto;
        bool has = str_cut(spec, '/', &port, &proto);
        if (str_find(spec, '$') >= 0)
            continue;
        if (str_find(port, ':') >= 0)
            check_warn(c, "ExposeInvalidFormat", in->node, 0,
                       "EXPOSE instruction should not define an IP address or host-port mapping, "
                       "found '%.*s'",
                       STR_ARG(spec));
        for (size_t k = 0; has && k < proto.len; k++)
            if (isupper((unsigned char)proto.p[k])) {
                check_warn(c, "ExposeProtoCasing", in->node, 0,
                           "Defined protocol '%.*s' in EXPOSE instruction should be lowercase",
                           STR_ARG(spec));
                break;
            }
    }
}

/* A source that the context's rules leave out. */
static void copy_ignored(struct checker *c, const struct instr *in, const char *source) {
    CLEAN_FREE char *joined = path_join("/", source);
    CLEAN_FREE char *clean = path_clean(str_of(joined));
    if (!c->ignore || in->copy.from || source_is_git(source) || source_is_url(source) ||
        strpbrk(source, "$*?[") || !clean[1])
        return;
    if (ignore_match(c->ignore, str_of(clean + 1)))
        check_warn(c, "CopyIgnoredFile", in->node, 0,
                   "Attempting to Copy file \"%s\" that is excluded by .dockerignore", source);
}

static void copy(struct checker *c, const struct instr *in) {
    const struct copy_spec *s = &in->copy;
    bool plain = in->kind == I_ADD && s->sources_n > 0;
    for (size_t i = 0; i < s->sources_n; i++) {
        struct str t = str_of(s->sources[i]);
        variables(c, in->node, s->sources[i], variable);
        copy_ignored(c, in, s->sources[i]);
        c->whole_context |= !s->from && (str_eqz(t, ".") || str_eqz(t, "./"));
        plain &= !source_is_git(s->sources[i]) && !source_is_url(s->sources[i]) &&
                 str_find_str(t, STR(".t")) < 0 && str_find(t, '$') < 0;
    }
    variables(c, in->node, s->dest, variable);
    if (plain)
        check_advise(c, "AddInsteadOfCopy", in->node,
                     "COPY does the same as this ADD, and no more");
}

static void run(struct checker *c, const struct instr *in) {
    struct str text = in->node->text;
    bool cached = in->run.mounts.n > 0;
    if (!cached && str_find_str(text, STR("apt-get install")) >= 0 &&
        str_find_str(text, STR("/var/lib/apt/lists")) < 0)
        check_advise(
            c, "CleanupInSameLayer", in->node,
            "package lists stay in this layer: remove /var/lib/apt/lists/* in the same RUN, "
            "or use a cache mount");
    static const char *const installs[] = {"apt-get install", "apk add",       "pip install",
                                           "pip3 install",    "npm install",   "npm ci",
                                           "go mod download", "bundle install"};
    for (size_t i = 0; c->whole_context && i < ARRAY_LEN(installs); i++)
        if (str_find_str(text, str_of(installs[i])) >= 0) {
            check_advise(c, "CacheOrder", in->node,
                         "every change in the context repeats this '%s': copy what it needs "
                         "first, the rest after it",
                         installs[i]);
            break;
        }
    if (str_find_str(text, STR("apt-get upgrade")) >= 0)
        check_advise(c, "UpgradeInBuild", in->node,
                     "an upgrade makes the result depend on the day");
}

static void workdir(struct checker *c, const struct instr *in) {
    const char *path = in->list.items[0];
    variables(c, in->node, path, variable);
    if (*path == '/')
        c->absolute = true;
    else if (*path != '$' && !c->absolute)
        check_warn(c, "WorkdirRelativePath", in->node, 0,
                   "Relative workdir \"%s\" can have unexpected results if the base image changes",
                   path);
}

void check_instruction(struct checker *c, const struct instr *in) {
    switch (in->kind) {
    case I_FROM:
        from(c, in);
        break;
    case I_ARG:
    case I_ENV:
    case I_LABEL:
        for (size_t i = 0; c->in_stage && i < in->pairs.n; i++)
            if (in->pairs.items[i].value)
                variables(c, in->node, in->pairs.items[i].value, variable);
        pairs(c, in);
        break;
    case I_CMD:
    case I_ENTRYPOINT:
        command(c, in);
        break;
    case I_HEALTHCHECK:
        only_one(c, in);
        break;
    case I_EXPOSE:
        expose(c, in);
        break;
    case I_ADD:
    case I_COPY:
        copy(c, in);
        break;
    case I_RUN:
        run(c, in);
        break;
    case I_WORKDIR:
        workdir(c, in);
        break;
    case I_SHELL:
        c->shell_set = true;
        break;
    case I_USER:
        c->user_set = true;
        break;
    case I_MAINTAINER:
        check_warn(c, "MaintainerDeprecated", in->node, 0,
                   "Maintainer instruction is deprecated in favor of using label");
        break;
    default:
        break;
    }
}

void check_end(struct checker *c, const struct node *last) {
    if (c->in_stage && !c->user_set && !c->scratch)
        check_advise(c, "RootUser", last,
                     "the last stage sets no USER: its containers run as root");
}
