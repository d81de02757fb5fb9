/* samples: four forms of numbers into one. */
#include "spec/samples.h"
#include "base/json.h"
#include <math.h>
#include <stdlib.h>

#define JSON_LEVELS 6

struct sink {
    struct buf *out;
    size_t lines, begin;
};

static bool letter(char c, bool first) {
    bool alpha = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_' || c == ':';
    return alpha || (!first && c >= '0' && c <= '9');
}

static void put_name(struct buf *b, struct str name) {
    bool digit = name.len && name.p[0] >= '0' && name.p[0] <= '9';
    name = str_sub(name, 0, SAMPLES_NAME_MAX - digit);
    if (digit)
        buf_addc(b, '_');
    for (size_t i = 0; i < name.len; i++)
        buf_addc(b, letter(name.p[i], false) ? name.p[i] : '_');
}

/* Label names have no colon. */
static void put_label(struct buf *b, struct str name, struct str value) {
    size_t from = b->len;
    put_name(b, name);
    for (size_t i = from; i < b->len; i++)
        if (b->data[i] == ':')
            b->data[i] = '_';
    buf_adds(b, "=\"");
    for (size_t i = 0; i < value.len && i < SAMPLES_NAME_MAX; i++) {
        char c = value.p[i];
        if (c == '\\' || c == '"')
            buf_addc(b, '\\');
        if (c == '\n')
            buf_adds(b, "\\n");
        else
            buf_addc(b, (unsigned char)c < 0x20 || c == 0x7f ? '_' : c);
    }
    buf_addc(b, '"');
}

/* A finite decimal number and nothing else. */
static bool number(struct str s, double *ret) {
    char text[64], *end;
    if (s.len == 0 || s.len >= sizeof text)
        return false;
    for (size_t i = 0; i < s.len; i++)
        if (!strchr("+-.0123456789eE", s.p[i]))
            return false;
    memcpy(text, s.p, s.len);
    text[s.len] = '\0';
    *ret = strtod(text, &end);
    return *end == '\0' && end != text && isfinite(*ret);
}

static void emit(struct sink *k, struct str name, struct str labels, double value) {
    CLEAN_BUF struct buf line = {0};
    put_name(&line, name);
    if (labels.len)
        buf_addf(&line, "{%.*s}", STR_ARG(labels));
    buf_addf(&line, " %.17g\n", value);
    if (name.len == 0 || k->lines >= SAMPLES_MAX ||
        k->out->len - k->begin + line.len > SAMPLES_TEXT || !str_is_utf8(buf_str(&line)))
        return;
    k->lines++;
    buf_add_str(k->out, buf_str(&line));
}

/* --- Prometheus ------------------------------------------------------------------------------- */

/* One name="value" of the braces. The value is as it is written, escapes and all, up to its quote.
 */
static bool take_label(struct str *rest, struct str *ret_name, struct buf *value) {
    struct str name, tail;
    *rest = str_trim(*rest);
    if (!str_cut(*rest, '=', &name, &tail))
        return false;
    tail = str_trim(tail);
    if (!str_starts(tail, STR("\"")))
        return false;
    size_t i = 1;
    for (; i < tail.len && tail.p[i] != '"'; i++) {
        if (tail.p[i] == '\\' && i + 1 < tail.len) {
            i++;
            buf_addc(value, tail.p[i] == 'n' ? '\n' : tail.p[i]);
        } else {
            buf_addc(value, tail.p[i]);
        }
    }
    if (i >= tail.len)
        return false;
    *rest = str_trim(str_from(tail, i + 1));
    if (str_starts(*rest, STR(",")))
        *rest = str_trim(str_from(*rest, 1));
    *ret_name = str_trim(name);
    return ret_name->len > 0;
}

static bool prometheus(struct sink *k, struct str line) {
    CLEAN_BUF struct buf labels = {0};
    size_t n = 0;
    double value;
    while (n < line.len && letter(line.p[n], n == 0))
        n++;
    struct str name = str_sub(line, 0, n), rest = str_from(line, n), word, time;
    if (n == 0)
        return false;
    if (str_starts(rest, STR("{"))) {
        rest = str_from(rest, 1);
        size_t count = 0;
        while (!str_starts(str_trim(rest), STR("}"))) {
            CLEAN_BUF struct buf v = {0};
            struct str label;
            if (!take_label(&rest, &label, &v) || ++count > SAMPLES_LABELS_MAX)
                return false;
            buf_adds(&labels, labels.len ? "," : "");
            put_label(&labels, label, buf_str(&v));
        }
        rest = str_from(str_trim(rest), 1);
    } else if (!str_starts(rest, STR(" ")) && !str_starts(rest, STR("\t"))) {
        return false;
    }
    str_cut(str_trim(rest), ' ', &word, &time);
    if (!number(word, &value))
        return false;
    emit(k, name, buf_str(&labels), value);
    return true;
}

/* --- StatsD, Graphite ------------------------------------------------------------------------- */

static bool statsd(struct sink *k, struct str line) {
    struct str name, rest, value, type, more, tags = STR_NONE, field;
    CLEAN_BUF struct buf labels = {0};
    double v, rate = 1;
    if (!str_cut(line, ':', &name, &rest) || !str_cut(rest, '|', &value, &more) ||
        !number(value, &v) || name.len == 0)
        return false;
    str_cut(more, '|', &type, &more);
    if (!str_eqz(type, "c") && !str_eqz(type, "g") && !str_eqz(type, "ms") && !str_eqz(type, "h") &&
        !str_eqz(type, "d"))
        return false;
    while (str_next(&more, '|', &field)) {
        if (str_starts(field, STR("@")) && number(str_from(field, 1), &rate) && rate > 0 &&
            rate <= 1)
            v = str_eqz(type, "c") ? v / rate : v;
        else if (str_starts(field, STR("#")))
            tags = str_from(field, 1);
    }
    for (size_t n = 0; n < SAMPLES_LABELS_MAX && str_next(&tags, ',', &field); n++) {
        struct str key, val;
        str_cut(field, ':', &key, &val);
        if (key.len == 0)
            continue;
        buf_adds(&labels, labels.len ? "," : "");
        put_label(&labels, key, val);
    }
    emit(k, name, buf_str(&labels), v);
    return true;
}

static bool graphite(struct sink *k, struct str line) {
    struct str name, rest, value, time;
    double v;
    if (!str_cut(line, ' ', &name, &rest))
        return false;
    str_cut(str_trim(rest), ' ', &value, &time);
    for (size_t i = 0; i < name.len; i++)
        if (!letter(name.p[i], false) && name.p[i] != '.' && name.p[i] != '-')
            return false;
    if (!number(value, &v))
        return false;
    emit(k, name, STR_NONE, v);
    return true;
}

/* --- JSON ------------------------------------------------------------------------------------- */

static void object(struct sink *k, const struct json *j, const char *path, int level) {
    struct json_iter it = {0};
    while (k->lines < SAMPLES_MAX && json_each(j, &it)) {
        CLEAN_BUF struct buf name = {0};
        double v;
        buf_adds(&name, path);
        buf_adds(&name, *path ? "_" : "");
        buf_add_str(&name, str_sub(it.key, 0, SAMPLES_NAME_MAX));
        enum json_type t = json_type(it.value);
        if (t == JSON_OBJECT && level < JSON_LEVELS)
            object(k, it.value, buf_cstr(&name), level + 1);
        else if (t == JSON_BOOL)
            emit(k, buf_str(&name), STR_NONE, json_bool(it.value, false) ? 1 : 0);
        else if ((t == JSON_INT || t == JSON_DOUBLE) && json_double(it.value, &v) && isfinite(v))
            emit(k, buf_str(&name), STR_NONE, v);
    }
}

static bool json(struct sink *k, struct str output) {
    CLEAN_JSON struct json *j = NULL;
    if (!str_starts(str_trim(output), STR("{")))
        return false;
    CLEAN_ERR struct err e = json_parse(str_trim(output), &j);
    if (err_failed(e))
        return false;
    object(k, j, "", 0);
    return true;
}

void samples_read(struct str output, struct buf *out) {
    struct sink k = {.out = out, .begin = out->len};
    struct str rest = output, line;
    if (json(&k, output))
        return;
    while (k.lines < SAMPLES_MAX && str_next(&rest, '\n', &line)) {
        line = str_trim(line);
        if (line.len == 0 || line.p[0] == '#' || line.len > 4096)
            continue;
        if (!statsd(&k, line) && !prometheus(&k, line))
            graphite(&k, line);
    }
}

/* --- exposition ------------------------------------------------------------------------------- */

static bool has_label(const char *labels, struct str name) {
    struct str rest = str_of(labels), label;
    CLEAN_BUF struct buf value = {0};
    while (rest.len && take_label(&rest, &label, &value)) {
        if (str_eq(label, name))
            return true;
        buf_clear(&value);
    }
    return false;
}

void samples_label(struct str samples, const char *prefix, const char *labels, struct buf *out) {
    struct str line;
    while (str_next(&samples, '\n', &line)) {
        size_t n = 0;
        while (n < line.len && letter(line.p[n], n == 0))
            n++;
        ssize_t space = str_rfind(line, ' ');
        if (n == 0 || space < (ssize_t)n)
            continue;
        buf_addf(out, "%s%.*s{%s", prefix, (int)n, line.p, labels);
        struct str own = str_sub(line, n, (size_t)space), label;
        if (own.len > 2) {
            own = str_sub(own, 1, own.len - 1);
            while (own.len) {
                CLEAN_BUF struct buf value = {0};
                if (!take_label(&own, &label, &value))
                    break;
                if (has_label(labels, label))
                    continue;
                buf_addc(out, ',');
                put_label(out, label, buf_str(&value));
            }
        }
        buf_addf(out, "}%.*s\n", STR_ARG(str_from(line, (size_t)space)));
    }
}
