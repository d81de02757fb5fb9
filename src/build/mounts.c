/* build/mounts.c - the flags of RUN. */
#include "build/instruction.h"
#include <stdlib.h>

enum option {
    O_TYPE,
    O_FROM,
    O_SOURCE,
    O_TARGET,
    O_READ_ONLY,
    O_READ_WRITE,
    O_REQUIRED,
    O_SIZE,
    O_ID,
    O_SHARING,
    O_MODE,
    O_UID,
    O_GID,
    O_ENV,
};
static const struct {
    const char *name;
    enum option option;
} options[] = {
    {"type", O_TYPE},
    {"from", O_FROM},
    {"source", O_SOURCE},
    {"src", O_SOURCE},
    {"target", O_TARGET},
    {"dst", O_TARGET},
    {"destination", O_TARGET},
    {"readonly", O_READ_ONLY},
    {"ro", O_READ_ONLY},
    {"readwrite", O_READ_WRITE},
    {"rw", O_READ_WRITE},
    {"required", O_REQUIRED},
    {"size", O_SIZE},
    {"id", O_ID},
    {"sharing", O_SHARING},
    {"mode", O_MODE},
    {"uid", O_UID},
    {"gid", O_GID},
    {"env", O_ENV},
};
static const char *const kinds[] = {[MOUNT_BIND] = "bind",
                                    [MOUNT_CACHE] = "cache",
                                    [MOUNT_TMPFS] = "tmpfs",
                                    [MOUNT_SECRET] = "secret",
                                    [MOUNT_SSH] = "ssh"};
static const char *const sharings[] = {
    [SHARING_SHARED] = "shared", [SHARING_PRIVATE] = "private", [SHARING_LOCKED] = "locked"};

struct reader {
    struct run_mount *m;
    struct arena *arena;
    bool read_only_given, sharing_given;
};

/* One of a list of words, case ignored. */
static struct err word_of(const char *what, const char *value, const char *const *words, size_t n,
                          unsigned *ret) {
    for (size_t i = 0; i < n; i++)
        if (str_eq_nocase(str_of(value), str_of(words[i]))) {
            *ret = (unsigned)i;
            return OK;
        }
    const char *meant = suggest(str_of(value), words, n);
    return err_new(ERR_INVALID, "unsupported %s \"%s\"%s%s%s", what, value,
                   meant ? " (did you mean " : "", meant ? meant : "", meant ? "?)" : "");
}

static struct err truth(const char *key, const char *value, bool *ret) {
    static const char *const yes[] = {"1", "t", "T", "true", "TRUE", "True"};
    static const char *const no[] = {"0", "f", "F", "false", "FALSE", "False"};
    for (size_t i = 0; i < ARRAY_LEN(yes); i++) {
        if (strcmp(value, yes[i]) != 0 && strcmp(value, no[i]) != 0)
            continue;
        *ret = strcmp(value, yes[i]) == 0;
        return OK;
    }
    return err_new(ERR_INVALID, "invalid value for %s: %s", key, value);
}

static struct err number(const char *key, const char *value, int base, uint32_t *ret) {
    char *end;
    unsigned long long n = strtoull(value, &end, base);
    if (*value < '0' || *value > '9' || *end || n > UINT32_MAX)
        return err_new(ERR_INVALID, "invalid value %s for %s", value, key);
    *ret = (uint32_t)n;
    return OK;
}

/* "64m", "1GiB", "4096": powers of 1024. */
static struct err size_of(const char *value, int64_t *ret) {
    static const char units[] = "bkmgtp";
    char *end;
    double n = strtod(value, &end);
    if (end == value || n < 0)
        return err_new(ERR_INVALID, "invalid value for size: %s", value);
    while (*end == ' ')
        end++;
    const char *unit = *end ? strchr(units, *end | 0x20) : NULL;
    struct str rest = str_of(*end ? end + 1 : end);
    bool tail = rest.len == 0 || str_eq_nocase(rest, STR("b")) || str_eq_nocase(rest, STR("ib"));
    if ((*end && !unit) || !tail)
        return err_new(ERR_INVALID, "invalid value for size: %s", value);
    for (long i = unit ? unit - units : 0; i > 0; i--)
        n *= 1024;
    if (n > 1e18)
        return err_new(ERR_INVALID, "invalid value for size: %s", value);
    *ret = (int64_t)n;
    return OK;
}

static struct err only_for(const struct run_mount *m, bool allowed, const char *key) {
    if (allowed)
        return OK;
    return err_new(ERR_INVALID, "unexpected key '%s' for mount type '%s'", key, kinds[m->kind]);
}

static struct err set(struct reader *r, enum option o, const char *key, char *value) {
    struct run_mount *m = r->m;
    unsigned which;
    bool on;
    switch (o) {
    case O_TYPE:
        TRY(word_of("mount type", value, kinds, ARRAY_LEN(kinds), &which));
        m->kind = (enum mount_kind)which;
        return OK;
    case O_FROM:
        m->from = value;
        return OK;
    case O_SOURCE:
        m->source = value;
        return OK;
    case O_TARGET:
        m->target = value;
        return OK;
    case O_READ_ONLY:
    case O_READ_WRITE:
        TRY(truth(key, value, &on));
        m->read_only = on == (o == O_READ_ONLY);
        r->read_only_given = true;
        return OK;
    case O_REQUIRED:
        TRY(only_for(m, m->kind == MOUNT_SECRET || m->kind == MOUNT_SSH, key));
        return truth(key, value, &m->required);
    case O_SIZE:
        TRY(only_for(m, m->kind == MOUNT_TMPFS, key));
        return size_of(value, &m->size);
    case O_ID:
        m->id = value;
        return OK;
    case O_SHARING:
        TRY(word_of("sharing value", value, sharings, ARRAY_LEN(sharings), &which));
        m->sharing = (enum mount_sharing)which;
        r->sharing_given = true;
        return OK;
    case O_MODE:
        m->mode_given = true;
        return number(key, value, 8, &m->mode);
    case O_UID:
        m->uid_given = true;
        return number(key, value, 10, &m->uid);
    case O_GID:
        m->gid_given = true;
        return number(key, value, 10, &m->gid);
    case O_ENV:
        m->env = value;
        return OK;
    }
    return OK;
}

static struct err field(struct reader *r, struct str text,
                        struct err (*expand)(void *arg, const char *in, char **ret), void *arg) {
    struct str k, v;
    const char *names[ARRAY_LEN(options)];
    bool has_value = str_cut(text, '=', &k, &v);
    const char *key = arena_str(r->arena, k);
    char *value = has_value ? arena_str(r->arena, v) : arena_strz(r->arena, "true");
    for (size_t i = 0; i < ARRAY_LEN(options); i++) {
        names[i] = options[i].name;
        if (!str_eq_nocase(k, str_of(options[i].name)))
            continue;
        enum option o = options[i].option;
        if (!has_value && o != O_READ_ONLY && o != O_READ_WRITE && o != O_REQUIRED)
            return err_new(ERR_INVALID, "invalid field '%s' must be a key=value pair", key);
        const char *dollar = strchr(value, '$');
        if (o == O_FROM && dollar && dollar[1])
            return err_new(ERR_INVALID, "'from' doesn't support variable expansion, define alias "
                                        "stage instead");
        if (dollar && !expand)
            return OK;
        if (expand)
            TRY(expand(arg, value, &value));
        return set(r, o, key, value);
    }
    const char *meant = suggest(k, names, ARRAY_LEN(names));
    return err_new(ERR_INVALID, "unexpected key '%s' in '%.*s'%s%s%s", key, STR_ARG(text),
                   meant ? " (did you mean " : "", meant ? meant : "", meant ? "?)" : "");
}

/* The next field of a line of comma separated values (RFC 4180, one line). */
static struct err next_field(struct str *rest, struct arena *a, struct str *ret) {
    if (rest->len == 0 || rest->p[0] != '"') {
        str_cut(*rest, ',', ret, rest);
        return OK;
    }
    CLEAN_BUF struct buf b = {0};
    size_t i = 1;
    for (; i < rest->len; i++) {
        if (rest->p[i] == '"' && (i + 1 == rest->len || rest->p[i + 1] != '"'))
            break;
        if (rest->p[i] == '"')
            i++;
        buf_addc(&b, rest->p[i]);
    }
    if (i == rest->len || (i + 1 < rest->len && rest->p[i + 1] != ','))
        return err_new(ERR_INVALID, "failed to parse csv mounts: bare or missing quote");
    *ret = str_n(arena_str(a, buf_str(&b)), b.len);
    *rest = str_from(*rest, MIN(i + 2, rest->len));
    return OK;
}

static struct err check(struct reader *r, bool final) {
    struct run_mount *m = r->m;
    bool owned = m->kind == MOUNT_SECRET || m->kind == MOUNT_SSH || m->kind == MOUNT_CACHE;
    if (!r->read_only_given)
        m->read_only = m->kind != MOUNT_CACHE && m->kind != MOUNT_TMPFS;
    if (!owned && (m->mode_given || m->uid_given || m->gid_given))
        return err_new(ERR_INVALID, "%s not allowed for \"%s\" type mounts",
                       m->mode_given  ? "mode"
                       : m->uid_given ? "uid"
                                      : "gid",
                       kinds[m->kind]);
    if (r->sharing_given && m->kind != MOUNT_CACHE)
        return err_new(ERR_INVALID, "invalid cache sharing set for %s mount", kinds[m->kind]);
    if (m->env && m->kind != MOUNT_SECRET)
        return err_new(ERR_INVALID, "unexpected key 'env' for mount type '%s'", kinds[m->kind]);
    if (m->kind == MOUNT_SECRET) {
        if (m->from)
            return err_new(ERR_INVALID, "secret mount should not have a from");
        if (m->source && m->id)
            return err_new(ERR_INVALID, "both source and id can't be set");
        if (final && !m->source && !m->target && !m->id)
            return err_new(ERR_INVALID, "invalid secret mount. one of source, target required");
    } else if (final && m->kind != MOUNT_SSH && (!m->target || !*m->target)) {
        return err_new(ERR_INVALID, "%s mount without a target", kinds[m->kind]);
    }
    return OK;
}

struct err mount_read(const char *text, struct err (*expand)(void *arg, const char *in, char **ret),
                      void *arg, struct arena *a, struct run_mount *ret) {
    struct run_mount m = {0};
    struct reader r = {.m = &m, .arena = a};
    struct str rest = str_of(text), one;
    bool variables = strchr(text, '$');
    while (rest.len) {
        TRY(next_field(&rest, a, &one));
        TRY(field(&r, one, expand, arg));
    }
    TRY(check(&r, expand || !variables));
    *ret = m;
    return OK;
}

static struct err enumerated(const struct dockerfile *f, const struct node *node, const char *flag,
                             const char *value, const char *const *words, size_t n, unsigned *ret) {
    *ret = 0;
    return value ? dockerfile_locate(f, node, word_of(flag, value, words, n, ret)) : OK;
}

struct err run_flags(const struct dockerfile *f, const struct node *node, struct arena *a,
                     struct run_spec *ret) {
    static const char *const networks[] = {"default", "none", "host"};
    static const char *const modes[] = {"sandbox", "insecure"};
    char *network = NULL, *security = NULL;
    struct run_spec run = {0};
    struct flag flags[] = {{.name = "mount", .kind = FLAG_LIST, .list = &run.mounts},
                           {.name = "network", .text = &network},
                           {.name = "security", .text = &security},
                           {.name = "device", .kind = FLAG_REFUSED}};
    unsigned which;
    TRY(flags_read(f, node, a, flags, ARRAY_LEN(flags)));
    TRY(enumerated(f, node, "network mode", network, networks, ARRAY_LEN(networks), &which));
    run.network = (enum run_network)which;
    TRY(enumerated(f, node, "security", security, modes, ARRAY_LEN(modes), &which));
    run.insecure = which == 1;
    run.froms = arena_array(a, run.mounts.n + 1, sizeof(char *));
    for (size_t i = 0, at = 0; i < node->flags.n; i++) {
        struct run_mount m;
        if (!str_starts(str_of(node->flags.items[i].text), STR("--mount=")))
            continue;
        TRY(dockerfile_locate_at(f, node, node->flags.items[i].at,
                                 mount_read(run.mounts.items[at++], NULL, NULL, a, &m)));
        if (m.from && *m.from)
            run.froms[run.froms_n++] = m.from;
    }
    *ret = run;
    return OK;
}
