/* method_result: exit status and output into counts. */
#include "spec/method_result.h"
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#define SUMMARY_MAX 200

#define F(m, json, kind, ...) FIELD(struct method_perf, m, json, kind, ##__VA_ARGS__)
FIELDS(method_perf_fields, struct method_perf, F(label, "Label", F_STR),
       F(value, "Value", F_DOUBLE), F(unit, "Unit", F_STR),
       F(warn, "Warn", F_STR, .flags = OMIT_EMPTY), F(crit, "Crit", F_STR, .flags = OMIT_EMPTY),
       F(min, "Min", F_STR, .flags = OMIT_EMPTY), F(max, "Max", F_STR, .flags = OMIT_EMPTY), );
#undef F

#define F(m, json, kind, ...) FIELD(struct method_result, m, json, kind, ##__VA_ARGS__)
FIELDS(method_result_fields, struct method_result, F(id, "Id", F_STR), F(method, "Method", F_STR),
       F(trigger, "Trigger", F_STR), F(start, "Start", F_TIME), F(end, "End", F_TIME),
       F(exit_code, "ExitCode", F_I64), F(status, "Status", F_STR), F(reading, "Format", F_STR),
       F(examples, "Examples", F_I64), F(failures, "Failures", F_I64), F(skipped, "Skipped", F_I64),
       F(perf, "Performance", F_ARRAY, .flags = OMIT_EMPTY, .sub = &method_perf_fields),
       F(summary, "Summary", F_STR), F(output, "Output", F_STR),
       F(truncated, "Truncated", F_BOOL, .flags = OMIT_EMPTY), );
#undef F

/* --- monitoring plugins ----------------------------------------------------------------------- */

static const char *const levels[] = {"OK", "WARNING", "CRITICAL", "UNKNOWN"};

static bool has_word(struct str line, const char *word) {
    size_t n = strlen(word);
    for (size_t i = 0; i + n <= line.len; i++) {
        bool before = i == 0 || !((line.p[i - 1] | 32) >= 'a' && (line.p[i - 1] | 32) <= 'z');
        bool after = i + n == line.len ||
                     !((line.p[i + n] | 32) >= 'a' && (line.p[i + n] | 32) <= 'z');
        if (before && after && !memcmp(line.p + i, word, n))
            return true;
    }
    return false;
}

/* A finite number and what follows it. */
static bool take_number(struct str *s, double *ret) {
    char text[64], *end;
    size_t n = MIN(s->len, sizeof text - 1);
    memcpy(text, s->p, n);
    text[n] = '\0';
    if (strspn(text, "+-.0123456789") == 0)
        return false; /* no "inf", no "nan" */
    double v = strtod(text, &end);
    size_t hex = strcspn(text, "xX");
    if (end == text || !isfinite(v) || hex < (size_t)(end - text))
        return false;
    *s = str_from(*s, (size_t)(end - text));
    *ret = v;
    return true;
}

static bool unit_ok(struct str u) {
    static const char *const units[] = {"", "s", "us", "ms", "%", "B", "KB", "MB", "GB", "TB", "c"};
    for (size_t i = 0; i < ARRAY_LEN(units); i++)
        if (str_eqz(u, units[i]))
            return true;
    return false;
}

static bool plain(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if ((unsigned char)s.p[i] < 0x20 || s.p[i] == 0x7f)
            return false;
    return str_is_utf8(s) && s.len <= 128;
}

/* 'label'=value[UOM];[warn];[crit];[min];[max] */
static bool take_perf(struct str *rest, struct arena *a, struct method_perf *ret) {
    struct str label, word, fields[4] = {{0}};
    *rest = str_trim(*rest);
    if (str_starts(*rest, STR("'"))) {
        ssize_t end = str_find(str_from(*rest, 1), '\'');
        if (end < 0)
            return false;
        label = str_sub(*rest, 1, (size_t)end + 1);
        *rest = str_from(*rest, (size_t)end + 2);
        if (!str_starts(*rest, STR("=")))
            return false;
        *rest = str_from(*rest, 1);
    } else if (!str_cut(*rest, '=', &label, rest) || str_find(label, ' ') >= 0) {
        return false;
    }
    size_t n = 0;
    while (n < rest->len && rest->p[n] != ' ' && rest->p[n] != '\t' && rest->p[n] != '\n')
        n++;
    word = str_sub(*rest, 0, n);
    *rest = str_from(*rest, n);
    struct str value, tail;
    str_cut(word, ';', &value, &tail);
    for (size_t i = 0; i < 4 && tail.len; i++)
        str_cut(tail, ';', &fields[i], &tail);
    if (label.len == 0 || !plain(label) || !plain(word) || !take_number(&value, &ret->value) ||
        !unit_ok(value))
        return false;
    ret->label = arena_str(a, label);
    ret->unit = arena_str(a, value);
    char **texts[] = {&ret->warn, &ret->crit, &ret->min, &ret->max};
    for (size_t i = 0; i < 4; i++)
        *texts[i] = arena_str(a, fields[i]);
    return true;
}

static void read_perf(struct method_result *r, struct str text, struct arena *a) {
    struct method_perf p;
    while (r->perf.n < METHOD_PERF_MAX && str_trim(text).len && take_perf(&text, a, &p))
        *(struct method_perf *)objs_add(&r->perf, a, sizeof p) = p;
}

/* Of the first line, and of everything after a bar in the lines that follow. */
static void find_perf(struct method_result *r, struct str output, struct arena *a) {
    struct str line, rest = output, head, perf;
    if (!str_next(&rest, '\n', &line))
        return;
    if (str_cut(line, '|', &head, &perf))
        read_perf(r, perf, a);
    if (str_cut(rest, '|', &head, &perf))
        read_perf(r, perf, a);
}

static struct str first_line(struct str output) {
    struct str line = STR_NONE;
    str_next(&output, '\n', &line);
    return line;
}

static bool looks_like_plugin(const struct method_result *r, struct str output) {
    if (r->exit_code < 0 || r->exit_code > 3)
        return false;
    struct str line = first_line(output);
    return r->perf.n > 0 || has_word(str_sub(line, 0, 256), levels[r->exit_code]);
}

static void read_plugin(struct method_result *r) {
    static const char *const names[] = {"ok", "warning", "critical", "unknown"};
    r->status = (char *)(uintptr_t)(r->exit_code >= 0 && r->exit_code <= 3 ? names[r->exit_code]
                                                                           : "unknown");
    r->examples = 1;
    r->failures = r->exit_code > 1 || r->exit_code < 0;
}

/* --- TAP -------------------------------------------------------------------------------------- */

struct tap {
    int64_t plan, seen, failures, skipped; /* plan -1: none yet */
    bool bail;
};

static bool directive(struct str line, const char *word) {
    ssize_t hash = str_rfind(line, '#');
    if (hash < 0)
        return false;
    struct str d = str_trim(str_from(line, (size_t)hash + 1));
    return str_eq_nocase(str_sub(d, 0, strlen(word)), str_of(word));
}

static bool tap_word(struct str line, struct str word) {
    return str_starts(line, word) && (line.len == word.len || line.p[word.len] == ' ' ||
                                      line.p[word.len] == '\t' || line.p[word.len] == '\r');
}

static void tap_line(struct tap *t, struct str line) {
    uint64_t n;
    if (str_starts(line, STR("Bail out!"))) {
        t->bail = true;
    } else if (str_starts(line, STR("1.."))) {
        struct str number = str_from(line, 3);
        size_t k = 0;
        while (k < number.len && number.p[k] >= '0' && number.p[k] <= '9')
            k++;
        CLEAN_ERR struct err e = str_to_u64(str_sub(number, 0, k), INT32_MAX, &n);
        if (!err_failed(e))
            t->plan = (int64_t)n;
    } else if (tap_word(line, STR("ok"))) {
        t->seen++;
        t->skipped += directive(line, "skip");
    } else if (tap_word(line, STR("not ok"))) {
        t->seen++;
        t->failures += !directive(line, "todo");
    }
}

static bool tap_count(struct str output, struct tap *ret) {
    struct tap t = {.plan = -1};
    struct str rest = output, line;
    bool version = str_starts(output, STR("TAP version "));
    while (str_next(&rest, '\n', &line))
        tap_line(&t, line);
    *ret = t;
    return version || (t.plan >= 0 && (t.seen > 0 || t.plan == 0)) || (t.bail && t.seen > 0);
}

static void read_tap(struct method_result *r, struct str output) {
    struct tap t;
    tap_count(output, &t);
    r->examples = MAX(t.seen, t.plan);
    /* What was planned and did not come has failed; so has a plan that never came. */
    r->failures = t.failures + (t.plan > t.seen ? t.plan - t.seen : 0);
    r->skipped = t.skipped;
    bool good = r->failures == 0 && !t.bail && r->exit_code == 0 && t.plan >= 0 && t.plan >= t.seen;
    r->status = (char *)(uintptr_t)(good ? "ok" : "failed");
    if (!good && r->failures == 0)
        r->failures = 1;
}

/* --- all -------------------------------------------------------------------------------------- */

static void read_junit(struct method_result *r, struct str output) {
    bool is = method_junit_count(output, &r->examples, &r->failures, &r->skipped);
    bool good = is && r->failures == 0 && r->exit_code == 0;
    r->status = (char *)(uintptr_t)(good ? "ok" : is ? "failed" : "unknown");
}

static void read_exit(struct method_result *r) {
    r->examples = 1;
    r->failures = r->exit_code != 0;
    r->status = (char *)(uintptr_t)(r->exit_code == 0 ? "ok" : "failed");
}

static enum lifecycle_reading recognize(const struct method_result *r, struct str output) {
    struct tap t;
    int64_t n[3];
    if (str_find_str(str_sub(output, 0, 4096), STR("<testsuite")) >= 0 &&
        method_junit_count(output, &n[0], &n[1], &n[2]))
        return LIFECYCLE_JUNIT;
    if (tap_count(output, &t))
        return LIFECYCLE_TAP;
    return looks_like_plugin(r, output) ? LIFECYCLE_PLUGIN : LIFECYCLE_EXIT;
}

static void summarize(struct method_result *r, struct str output, struct arena *a) {
    CLEAN_BUF struct buf text = {0};
    struct str line, rest = output;
    if (!strcmp(r->reading, "tap") || !strcmp(r->reading, "junit")) {
        buf_addf(&text, "%lld examples, %lld failures", (long long)r->examples,
                 (long long)r->failures);
        if (r->skipped)
            buf_addf(&text, ", %lld skipped", (long long)r->skipped);
    } else {
        struct str last = STR_NONE;
        while (str_next(&rest, '\n', &line)) {
            if (str_trim(line).len == 0)
                continue;
            last = str_trim(line);
            if (!strcmp(r->reading, "plugin"))
                break; /* its first line says it */
        }
        if (!strcmp(r->reading, "plugin"))
            str_cut(last, '|', &last, &rest);
        lifecycle_escape(&text, str_sub(str_trim(last), 0, SUMMARY_MAX), false);
    }
    r->summary = arena_str(a, buf_str(&text));
}

void method_result_read(struct method_result *r, enum lifecycle_reading how, struct str output,
                        struct arena *a) {
    if (output.len > METHOD_CAPTURE) {
        output = str_sub(output, 0, METHOD_CAPTURE);
        r->truncated = true;
    }
    r->perf = (struct objs){.present = true};
    r->examples = r->failures = r->skipped = 0;
    if (how == LIFECYCLE_AUTO || how == LIFECYCLE_PLUGIN)
        find_perf(r, output, a);
    if (r->exit_code == METHOD_TIMED_OUT)
        how = LIFECYCLE_EXIT; /* what it has said is not all that it wanted to say */
    else if (how == LIFECYCLE_AUTO)
        how = recognize(r, output);
    if (how != LIFECYCLE_PLUGIN)
        r->perf = (struct objs){.present = true};
    r->reading = (char *)(uintptr_t)lifecycle_reading_name(how);
    if (how == LIFECYCLE_PLUGIN)
        read_plugin(r);
    else if (how == LIFECYCLE_TAP)
        read_tap(r, output);
    else if (how == LIFECYCLE_JUNIT)
        read_junit(r, output);
    else
        read_exit(r);
    bool counts = how == LIFECYCLE_TAP || how == LIFECYCLE_JUNIT;
    if (r->truncated && counts && !strcmp(r->status, "ok"))
        r->status = (char *)(uintptr_t) "unknown"; /* not all of it was read */
    summarize(r, output, a);
}

bool method_result_good(const struct method_result *r) {
    return r->status && (!strcmp(r->status, "ok") || !strcmp(r->status, "warning"));
}

void method_result_text(const struct method_result *r, struct buf *out) {
    lifecycle_escape(out, str_of(r->method), false);
    buf_addf(out, ": %s", r->status);
    if (r->exit_code > 0)
        buf_addf(out, " (exit status %lld)", (long long)r->exit_code);
    if (r->summary && *r->summary) {
        buf_adds(out, ": ");
        buf_adds(out, r->summary);
    }
}
