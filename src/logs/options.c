/* options.c - log drivers and their options by name, and the attributes that they ask for. */
#include "base/json.h"
#include "base/mem.h"
#include "base/template.h"
#include "base/vec.h"
#include "logs/logs.h"
#include <regex.h>
#include <stdlib.h>

#define REGEX_MAX 1024 /* bytes of a pattern */

/* --- sizes ------------------------------------------------------------------------------------ */

/* Sizes as the peer's units package reads them: number, optional fraction, optional unit of 1,024
 * with an optional "b" or "ib", a blank in between allowed. */
struct err logs_parse_size(struct str text, int64_t *ret) {
    if (str_eqz(text, "-1")) {
        *ret = -1;
        return OK;
    }
    struct str digits = text;
    size_t n = 0;
    while (n < text.len && text.p[n] >= '0' && text.p[n] <= '9')
        n++;
    digits.len = n;
    struct str unit = str_from(text, n);
    if (unit.len > 0 && unit.p[0] == ' ')
        unit = str_from(unit, 1);
    int shift = 0;
    if (unit.len > 0) {
        static const char letters[] = "bkmgtp";
        const char *at = unit.p[0] ? strchr(letters, unit.p[0] | 0x20) : NULL;
        struct str rest = str_from(unit, 1);
        bool suffix = rest.len == 0 || str_eq_nocase(rest, STR("b")) ||
                      str_eq_nocase(rest, STR("ib"));
        if (at == NULL || !suffix || (at == letters && rest.len > 0))
            return err_new(ERR_INVALID, "invalid size: '%.*s'", STR_ARG(text));
        shift = (int)(at - letters) * 10;
    }
    uint64_t v;
    TRYF(str_to_u64(digits, (uint64_t)INT64_MAX >> shift, &v), "invalid size: '%.*s'",
         STR_ARG(text));
    if (v == 0)
        return err_new(ERR_INVALID, "size should be a positive number or -1, got '%.*s'",
                       STR_ARG(text));
    *ret = (int64_t)(v << shift);
    return OK;
}

/* --- drivers ---------------------------------------------------------------------------------- */

static const char *const drivers[] = {"json-file", "local", "none", NULL};

const char *const *logs_drivers(void) {
    return drivers;
}

struct err logs_check_driver(const char *driver) {
    static const struct {
        const char *name, *remedy;
    } others[] = {
        {"journald", "run a shipper that reads the json-file logs into the journal"},
        {"syslog", "run a shipper that reads the json-file logs and forwards them"},
        {"fluentd", "let fluentd's or fluent-bit's tail input read the json-file logs"},
        {"gelf", "run a shipper that reads the json-file logs and forwards them as GELF"},
        {"awslogs", "let the CloudWatch agent read the json-file logs"},
        {"gcplogs", "let the Ops agent read the json-file logs"},
        {"splunk", "let Splunk's universal forwarder read the json-file logs"},
        {"logentries", "run a shipper that reads the json-file logs"},
        {"etwlogs", "that is Windows only"},
    };
    for (size_t i = 0; driver && drivers[i]; i++)
        if (strcmp(driver, drivers[i]) == 0)
            return OK;
    for (size_t i = 0; driver && i < ARRAY_LEN(others); i++)
        if (strcmp(driver, others[i].name) == 0)
            return err_new(ERR_UNSUPPORTED, "log driver '%s' is not supported: %s", driver,
                           others[i].remedy);
    return err_new(ERR_INVALID, "logger: no log driver named '%s' is registered",
                   driver ? driver : "");
}

/* --- options ---------------------------------------------------------------------------------- */

static struct err check_regex(const char *name, const char *pattern) {
    regex_t r;
    if (strlen(pattern) > REGEX_MAX)
        return err_new(ERR_INVALID, "log option %s: longer than %d bytes", name, REGEX_MAX);
    if (regcomp(&r, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return err_new(ERR_INVALID, "log option %s: '%s' is no regular expression", name, pattern);
    regfree(&r);
    return OK;
}

static struct err check_tag(const char *text) {
    CLEAN_TEMPLATE struct template *t = NULL;
    return err_wrap(template_parse("log-tag", str_of(text), NULL, 0, &t), "log option tag");
}

static struct err parse_bool(const char *name, const char *text, bool *ret) {
    static const char *const words[2][6] = {{"0", "f", "F", "false", "FALSE", "False"},
                                            {"1", "t", "T", "true", "TRUE", "True"}};
    for (size_t i = 0; i < 2 * ARRAY_LEN(words[0]); i++)
        if (strcmp(text, words[i % 2][i / 2]) == 0) {
            *ret = i % 2 == 1;
            return OK;
        }
    return err_new(ERR_INVALID, "log option %s: '%s' is neither true nor false", name, text);
}

static struct err unknown(const char *key, const struct logs_options *o) {
    return err_new(ERR_INVALID, "unknown log opt '%s' for %s log driver", key, o->driver);
}

/* Attributes of records are json-file's alone, as with the peer. */
static bool is_attribute(const char *key) {
    static const char *const keys[] = {"labels", "labels-regex", "env", "env-regex", "tag"};
    for (size_t i = 0; i < ARRAY_LEN(keys); i++)
        if (!strcmp(key, keys[i]))
            return true;
    return false;
}

static struct err parse_one(const char *key, const char *value, struct logs_options *o) {
    if (!strcmp(o->driver, "local") && is_attribute(key))
        return unknown(key, o);
    if (!strcmp(key, "max-size"))
        return err_wrap(logs_parse_size(str_of(value), &o->max_size), "log option max-size");
    if (!strcmp(key, "max-file")) {
        int64_t files;
        TRYF(str_to_i64(str_of(value), 1, LOGS_MAX_FILE_MOST, &files), "log option max-file");
        o->max_file = (int)files;
        return OK;
    }
    if (!strcmp(key, "mode")) {
        o->non_blocking = !strcmp(value, "non-blocking");
        if (!o->non_blocking && strcmp(value, "blocking") != 0)
            return err_new(ERR_INVALID, "logger: logging mode not supported: %s", value);
        return OK;
    }
    if (!strcmp(key, "max-buffer-size")) {
        TRYF(logs_parse_size(str_of(value), &o->max_buffer), "log option max-buffer-size");
        if (o->max_buffer < 0 || o->max_buffer > LOGS_BUFFER_MOST)
            return err_new(ERR_INVALID, "log option max-buffer-size: at most %dm",
                           (int)(LOGS_BUFFER_MOST >> 20));
        return OK;
    }
    if (!strcmp(key, "compress"))
        return parse_bool(key, value, &o->compress);
    if (!strcmp(key, "tag"))
        return check_tag(o->tag = value);
    if (!strcmp(key, "labels-regex"))
        return check_regex(key, o->labels_regex = value);
    if (!strcmp(key, "env-regex"))
        return check_regex(key, o->env_regex = value);
    if (!strcmp(key, "labels"))
        o->labels = value;
    else if (!strcmp(key, "env"))
        o->env = value;
    else
        return unknown(key, o);
    return OK;
}

struct err logs_options_parse(const char *driver, const struct strmap *given,
                              struct logs_options *ret) {
    struct logs_options o = {
        .driver = driver && *driver ? driver : "json-file",
        .max_size = LOGS_MAX_SIZE,
        .max_file = LOGS_MAX_FILE,
        .max_buffer = LOGS_BUFFER,
    };
    TRY(logs_check_driver(o.driver));
    if (!strcmp(o.driver, "local")) {
        o.max_size = LOGS_LOCAL_MAX_SIZE;
        o.max_file = LOGS_LOCAL_MAX_FILE;
    }
    bool none = !strcmp(o.driver, "none");
    for (size_t i = 0; i < given->n; i++) {
        if (none)
            return err_new(ERR_INVALID, "unknown log opt '%s' for none log driver",
                           given->items[i].key);
        TRY(parse_one(given->items[i].key, given->items[i].value ? given->items[i].value : "", &o));
    }
    if (strmap_get(given, "max-buffer-size") && !o.non_blocking)
        return err_new(ERR_INVALID,
                       "logger: max-buffer-size option is only supported with 'mode=non-blocking'");
    if (strmap_get(given, "compress") == NULL)
        o.compress = !strcmp(o.driver, "local") && o.max_file > 1 && o.max_size > 0;
    if (o.compress && (o.max_file < 2 || o.max_size <= 0))
        return err_new(ERR_INVALID,
                       "compress cannot be true when max-file is less than 2 or max-size is -1");
    *ret = o;
    return OK;
}

/* --- attributes ------------------------------------------------------------------------------- */

struct attribute {
    struct str key, value;
};
struct attributes VEC_BODY(struct attribute);

static void add(struct attributes *v, struct str key, struct str value) {
    for (size_t i = 0; i < v->n; i++)
        if (str_eq(v->items[i].key, key)) {
            v->items[i].value = value;
            return;
        }
    vec_push(v, ((struct attribute){key, value}));
}

/* name is in the comma separated list, or matches the pattern. */
static bool chosen(struct str name, const char *list, const regex_t *pattern, struct arena *a) {
    struct str rest = str_of(list), one;
    while (str_next(&rest, ',', &one))
        if (str_eq(one, name))
            return true;
    return pattern && regexec(pattern, arena_str(a, name), 0, NULL, 0) == 0;
}

static void choose(const struct logs_options *o, const struct logs_subject *s, struct arena *a,
                   struct attributes *v) {
    regex_t labels, env;
    bool has_labels = o->labels_regex &&
                      regcomp(&labels, o->labels_regex, REG_EXTENDED | REG_NOSUB) == 0;
    bool has_env = o->env_regex && regcomp(&env, o->env_regex, REG_EXTENDED | REG_NOSUB) == 0;
    for (size_t i = 0; i < s->labels->n; i++) {
        struct str key = str_of(s->labels->items[i].key);
        if (chosen(key, o->labels, has_labels ? &labels : NULL, a))
            add(v, key, str_of(s->labels->items[i].value));
    }
    for (size_t i = 0; i < s->env->n; i++) {
        struct str key, value;
        if (str_cut(str_of(s->env->items[i]), '=', &key, &value) &&
            chosen(key, o->env, has_env ? &env : NULL, a))
            add(v, key, value);
    }
    if (has_labels)
        regfree(&labels);
    if (has_env)
        regfree(&env);
}

/* The members that the peer's tag templates have. */
static struct err make_tag(const struct logs_options *o, const struct logs_subject *s,
                           struct buf *ret) {
    CLEAN_TEMPLATE struct template *t = NULL;
    CLEAN_JSON struct json *j = NULL;
    CLEAN_BUF struct buf text = {0};
    struct json_out out = {.out = &text};
    struct str image = str_of(s->image_id);
    ssize_t colon = str_find(image, ':');
    struct str short_image = str_sub(str_from(image, colon < 0 ? 0 : (size_t)colon + 1), 0, 12);
    jo_obj(&out);
    jo_key(&out, "ID");
    jo_str(&out, str_sub(str_of(s->id), 0, 12));
    jo_kstr(&out, "FullID", s->id);
    jo_kstr(&out, "Name", s->name);
    jo_key(&out, "ImageID");
    jo_str(&out, short_image);
    jo_kstr(&out, "ImageFullID", s->image_id);
    jo_kstr(&out, "ImageName", s->image_name);
    jo_kstr(&out, "Command", s->command);
    jo_kstr(&out, "Hostname", s->host_name);
    jo_kstr(&out, "DaemonName", "docker");
    jo_obj_end(&out);
    TRY(json_parse(buf_str(&text), &j));
    TRY(template_parse("log-tag", str_of(o->tag), NULL, 0, &t));
    struct template_value v = template_json(j);
    return template_run(t, &v, ret);
}

static int by_key(const void *a, const void *b) {
    return str_cmp(((const struct attribute *)a)->key, ((const struct attribute *)b)->key);
}

/* As Go prints a map: by key, with the three characters escaped that matter in HTML. */
static void print(struct attributes *v, struct buf *ret) {
    CLEAN_BUF struct buf plain = {0};
    struct json_out out = {.out = &plain};
    qsort(v->items, v->n, sizeof(*v->items), by_key);
    jo_obj(&out);
    for (size_t i = 0; i < v->n; i++) {
        jo_keys(&out, v->items[i].key);
        jo_str(&out, v->items[i].value);
    }
    jo_obj_end(&out);
    for (size_t i = 0; i < plain.len; i++) {
        char c = plain.data[i];
        if (c == '<' || c == '>' || c == '&')
            buf_addf(ret, "\\u%04x", (unsigned)c);
        else
            buf_addc(ret, c);
    }
}

struct err logs_attributes(const struct logs_options *o, const struct logs_subject *s,
                           struct buf *ret) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf tag = {0};
    struct attributes v = {0};
    if (o->tag && *o->tag)
        TRYF(make_tag(o, s, &tag), "log option tag");
    choose(o, s, &a, &v);
    if (tag.len > 0)
        add(&v, STR("tag"), buf_str(&tag));
    if (v.n > 0)
        print(&v, ret);
    vec_done(&v);
    if (ret->len > LOGS_ATTRS_MAX)
        return err_new(ERR_INVALID, "log attributes of more than %u bytes", LOGS_ATTRS_MAX);
    return OK;
}
