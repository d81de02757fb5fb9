/* lifecycle: methods from labels. */
#include "spec/lifecycle.h"
#include "base/time.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TIMEOUT_MIN (100 * NSEC_PER_MSEC)
#define TIMEOUT_MAX (24 * 3600 * NSEC_PER_SEC)
#define INTERVAL_MAX (30 * 24 * 3600 * NSEC_PER_SEC)
#define START_PERIOD_MAX (3600 * NSEC_PER_SEC)
#define ASK_TIMEOUT (30 * NSEC_PER_SEC)
#define WORK_TIMEOUT (600 * NSEC_PER_SEC)
#define START_PERIOD (30 * NSEC_PER_SEC)
#define SHOWN_MAX 80 /* bytes of a bad value in a problem */

const char *const lifecycle_known[] = {"start",   "validate", "update",  "monitor",
                                       "metrics", "backup",   "quiesce", NULL};

static const char *const failures[] = {"none", "restart", "stop", "kill", "rollback", "keep"};
static const char *const readings[] = {"auto", "exit", "plugin", "tap", "junit"};

const char *lifecycle_failure_name(enum lifecycle_failure f) {
    return failures[f];
}

const char *lifecycle_reading_name(enum lifecycle_reading r) {
    return readings[r];
}

void lifecycle_problem(struct strs *problems, struct arena *a, const char *fmt, ...) {
    if (problems->n >= LIFECYCLE_PROBLEMS_MAX)
        return;
    CLEAN_BUF struct buf clean = {0};
    va_list ap;
    va_start(ap, fmt);
    char text[512];
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    lifecycle_escape(&clean, str_of(text), false);
    strs_add(problems, a, buf_cstr(&clean));
}

bool lifecycle_name_ok(struct str name) {
    if (name.len == 0 || name.len > LIFECYCLE_NAME_MAX)
        return false;
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];
        bool letter = c >= 'a' && c <= 'z', digit = c >= '0' && c <= '9';
        bool hyphen = c == '-' && i > 0 && i + 1 < name.len && name.p[i - 1] != '-';
        if (!letter && !(digit && i > 0) && !hyphen)
            return false;
    }
    return true;
}

/* --- the command ------------------------------------------------------------------------------ */

static const char *exec_form(const char *text, struct arena *a, struct strs *ret) {
    CLEAN_JSON struct json *j = NULL;
    CLEAN_ERR struct err e = json_parse(str_of(text), &j);
    if (err_failed(e) || json_type(j) != JSON_ARRAY)
        return "is neither a JSON array nor a text";
    if (json_len(j) == 0 || json_len(j) > LIFECYCLE_WORDS_MAX)
        return "has no words, or more than 256";
    struct strs words = {.present = true};
    for (size_t i = 0; i < json_len(j); i++) {
        struct str word = json_str(json_at(j, i));
        if (json_type(json_at(j, i)) != JSON_STRING || str_has_nul(word))
            return "has a word that is no string";
        strs_add(&words, a, arena_str(a, word));
    }
    if (!words.items[0][0])
        return "has an empty first word";
    *ret = words;
    return NULL;
}

/* NULL, or what is wrong. */
static const char *parse_command(const char *text, struct arena *a, struct lifecycle_method *m) {
    size_t len = strlen(text);
    if (len > LIFECYCLE_COMMAND_MAX)
        return "is longer than 32 KiB";
    m->text = arena_strz(a, text);
    if (text[0] == '[')
        return exec_form(text, a, &m->command);
    m->shell = true;
    m->command.present = true;
    strs_add(&m->command, a, text);
    return NULL;
}

/* --- options ---------------------------------------------------------------------------------- */

static const char *parse_time(const char *value, int64_t min, int64_t max, int64_t *ret) {
    int64_t ns;
    CLEAN_ERR struct err e = duration_parse(str_of(value), &ns);
    if (err_failed(e))
        return "is no duration";
    if (ns < min || ns > max)
        return "is out of range";
    *ret = ns;
    return NULL;
}

static const char *parse_word(const char *value, const char *const *words, size_t n, int *ret) {
    for (size_t i = 0; i < n; i++)
        if (!strcmp(value, words[i])) {
            *ret = (int)i;
            return NULL;
        }
    return "is not one of the words that it may be";
}

static bool variable_ok(struct str name) {
    for (size_t i = 0; i < name.len; i++) {
        char c = name.p[i];
        bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
        if (!letter && !(i > 0 && c >= '0' && c <= '9'))
            return false;
    }
    return name.len > 0 && name.len <= 256;
}

static const char *parse_env(struct str name, const char *value, struct arena *a,
                             struct lifecycle_method *m) {
    if (!variable_ok(name))
        return "is no name of a variable";
    if (m->env.n >= LIFECYCLE_ENV_MAX)
        return "is one variable too many";
    strs_add(&m->env, a, arena_printf(a, "%.*s=%s", STR_ARG(name), value));
    return NULL;
}

static const char *parse_failure(const char *value, struct lifecycle_method *m) {
    int n = 0;
    const char *bad = parse_word(value, failures, ARRAY_LEN(failures), &n);
    bool update = !strcmp(m->name, "update");
    if (!bad && (n >= LIFECYCLE_ROLLBACK) != update)
        return update ? "is not one of rollback, keep" : "is for update alone";
    if (!bad)
        m->on_failure = (enum lifecycle_failure)n;
    return bad;
}

static const char *parse_option(struct str option, const char *value, struct arena *a,
                                struct lifecycle_method *m) {
    int n = 0;
    if (!*value)
        return NULL; /* taken away */
    if (strlen(value) > LIFECYCLE_VALUE_MAX)
        return "is longer than 4 KiB";
    if (str_starts(option, STR("env.")))
        return parse_env(str_from(option, 4), value, a, m);
    if (str_eqz(option, "user")) {
        m->user = arena_strz(a, value);
        return NULL;
    }
    if (str_eqz(option, "timeout"))
        return parse_time(value, TIMEOUT_MIN, TIMEOUT_MAX, &m->timeout);
    if (str_eqz(option, "interval"))
        return !strcmp(value, "0") ? NULL
                                   : parse_time(value, NSEC_PER_SEC, INTERVAL_MAX, &m->interval);
    if (str_eqz(option, "start-period"))
        return parse_time(value, 0, START_PERIOD_MAX, &m->start_period);
    if (str_eqz(option, "on-failure"))
        return parse_failure(value, m);
    if (!str_eqz(option, "result"))
        return "is no option of a method";
    const char *bad = parse_word(value, readings, ARRAY_LEN(readings), &n);
    m->reading = bad ? LIFECYCLE_AUTO : (enum lifecycle_reading)n;
    return bad;
}

/* --- all of them ------------------------------------------------------------------------------ */

static struct lifecycle_method *find(struct objs *methods, struct str name) {
    struct lifecycle_method *items = methods->items;
    for (size_t i = 0; i < methods->n; i++)
        if (str_eqz(name, items[i].name))
            return &items[i];
    return NULL;
}

const struct lifecycle_method *lifecycle_method(const struct lifecycle *l, const char *name) {
    return find((struct objs *)&l->methods, str_of(name));
}

/* Told once. */
static void too_many(struct lifecycle *l, struct arena *a) {
    static const char words[] = "there are more than 32 methods: the rest is not read";
    if (!strs_has(&l->problems, words))
        lifecycle_problem(&l->problems, a, "%s", words);
}

static void add_method(struct lifecycle *l, struct arena *a, struct str name, const char *value) {
    struct lifecycle_method m = {.name = arena_str(a, name), .user = arena_strz(a, "")};
    bool asks = str_eqz(name, "validate") || str_eqz(name, "monitor") || str_eqz(name, "metrics");
    m.timeout = asks ? ASK_TIMEOUT : WORK_TIMEOUT;
    m.start_period = START_PERIOD;
    m.on_failure = str_eqz(name, "update") ? LIFECYCLE_ROLLBACK : LIFECYCLE_NOTHING;
    if (l->methods.n >= LIFECYCLE_METHODS_MAX) {
        too_many(l, a);
        return;
    }
    const char *bad = parse_command(value, a, &m);
    if (bad)
        lifecycle_problem(&l->problems, a, "method %s: its command %s", m.name, bad);
    else
        *(struct lifecycle_method *)objs_add(&l->methods, a, sizeof m) = m;
}

static int by_name(const void *x, const void *y) {
    const struct lifecycle_method *a = x, *b = y;
    return strcmp(a->name, b->name);
}

static void add_option(struct lifecycle *l, struct arena *a, struct str name, struct str option,
                       const char *value) {
    struct lifecycle_method *m = find(&l->methods, name);
    if (!m)
        return; /* of a method that was taken away, or is wrong itself */
    const char *bad = parse_option(option, value, a, m);
    if (bad)
        lifecycle_problem(&l->problems, a, "method %s: %.*s \"%.*s\" %s", m->name,
                          (int)MIN(option.len, (size_t)SHOWN_MAX), option.p, SHOWN_MAX, value, bad);
}

void lifecycle_methods(const struct strmap *labels, struct arena *a, struct lifecycle *ret) {
    struct lifecycle l = {.methods.present = true, .problems.present = true};
    /* Options may come before their command. */
    for (int pass = 0; pass < 2; pass++) {
        size_t total = 0;
        for (size_t i = 0; i < labels->n; i++) {
            struct str key = str_of(labels->items[i].key), name, option;
            const char *value = labels->items[i].value;
            if (!value || !str_starts(key, STR(LIFECYCLE_METHOD)))
                continue;
            if (total + key.len + strlen(value) > LIFECYCLE_LABELS_MAX) {
                if (pass == 0)
                    lifecycle_problem(&l.problems, a,
                                      "more than 1 MiB of labels: the rest is not read");
                break;
            }
            total += key.len + strlen(value);
            bool whole = !str_cut(str_from(key, strlen(LIFECYCLE_METHOD)), '.', &name, &option);
            if (!lifecycle_name_ok(name)) {
                if (pass == 0)
                    lifecycle_problem(&l.problems, a, "\"%.*s\" is no name of a method",
                                      (int)MIN(name.len, (size_t)SHOWN_MAX), name.p);
            } else if (whole && pass == 0 && *value) {
                add_method(&l, a, name, value);
            } else if (!whole && pass == 1) {
                add_option(&l, a, name, option, value);
            }
        }
    }
    if (l.methods.n)
        qsort(l.methods.items, l.methods.n, sizeof(struct lifecycle_method), by_name);
    *ret = l;
}

struct strs lifecycle_words(const struct lifecycle_method *m, const struct strs *shell,
                            struct arena *a) {
    if (!m->shell)
        return m->command;
    struct strs words = {.present = true};
    for (size_t i = 0; shell && i < shell->n; i++)
        strs_add(&words, a, shell->items[i]);
    if (words.n == 0) {
        strs_add(&words, a, "/bin/sh");
        strs_add(&words, a, "-c");
    }
    strs_add(&words, a, m->command.items[0]);
    return words;
}
