#include "base/log.h"
#include "base/buf.h"
#include "base/json.h"
#include "base/time.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 16 * 1024 };

/* Process-wide on purpose: set once in main before any thread; only the level changes after. */
static struct {
    const char *component;
    _Atomic enum log_level level;
    int fd;
    enum log_format format;
} sink = {"corten", LOG_INFO, STDERR_FILENO, LOG_TEXT};

static const char *const level_names[] = {"error", "warn", "info", "debug"};

void log_init(const char *component, enum log_level max_level, int fd) {
    sink.component = component;
    sink.level = max_level;
    sink.fd = fd;
}

void log_set_format(enum log_format format) {
    sink.format = format;
}

void log_set_level(enum log_level max_level) {
    sink.level = max_level;
}

bool log_enabled(enum log_level level) {
    return level <= sink.level;
}

bool log_level_from_name(const char *name, enum log_level *ret) {
    for (size_t i = 0; i < ARRAY_LEN(level_names); i++)
        if (!strcmp(name, level_names[i])) {
            *ret = (enum log_level)i;
            return true;
        }
    /* The peer knows "fatal": only what ends the process. Our errors are that rare. */
    if (!strcmp(name, "fatal")) {
        *ret = LOG_ERROR;
        return true;
    }
    return false;
}

static void add_escaped(struct buf *out, struct str text) {
    while (text.len) {
        size_t n = str_utf8_len(text);
        unsigned char c = (unsigned char)text.p[0];
        /* C1 controls (U+0080 to U+009F) drive terminals as C0 controls do. */
        bool c1 = n == 2 && c == 0xc2 && (unsigned char)text.p[1] < 0xa0;
        if (c == '\n')
            buf_adds(out, "\\n");
        else if (n == 0 || c < 0x20 || c == 0x7f || c1)
            for (size_t i = 0; i < MAX(n, (size_t)1); i++)
                buf_addf(out, "\\x%02x", (unsigned char)text.p[i]);
        else
            buf_add(out, text.p, n);
        text = str_from(text, MAX(n, (size_t)1));
    }
}

static void add_json(struct buf *line, const char *when, enum log_level level, struct str message) {
    struct json_out o = {.out = line};
    char time[32];
    snprintf(time, sizeof time, "%.26sZ", when);
    jo_obj(&o);
    jo_kstr(&o, "time", time);
    jo_kstr(&o, "level", level_names[level]);
    jo_kstr(&o, "component", sink.component);
    jo_key(&o, "msg");
    jo_str(&o, message);
    jo_obj_end(&o);
}

static void write_line(enum log_level level, struct str message) {
    CLEAN_BUF struct buf line = {0};
    char when[TIME_TEXT_MAX];
    int saved = errno;
    time_format_fixed(time_now(), when);
    message = str_sub(message, 0, LINE_MAX_BYTES);
    if (sink.format == LOG_JSON) {
        add_json(&line, when, level, message);
    } else {
        /* Microseconds: nine digits cut to six. */
        buf_addf(&line, "%.26sZ %s %s: ", when, level_names[level], sink.component);
        add_escaped(&line, message);
    }
    buf_addc(&line, '\n');
    /* One write(2), so that lines of several threads and processes do not mix; a log that cannot
     * be written has nobody to be reported to. */
    ssize_t n = write(sink.fd, line.data, line.len);
    (void)n;
    errno = saved;
}

void log_line(enum log_level level, const char *fmt, ...) {
    if (!log_enabled(level))
        return;
    CLEAN_BUF struct buf message = {0};
    va_list ap;
    va_start(ap, fmt);
    buf_vaddf(&message, fmt, ap);
    va_end(ap);
    write_line(level, buf_str(&message));
}

void log_err(enum log_level level, struct err e, const char *fmt, ...) {
    if (!err_failed(e))
        return;
    if (log_enabled(level)) {
        CLEAN_BUF struct buf message = {0};
        va_list ap;
        va_start(ap, fmt);
        buf_vaddf(&message, fmt, ap);
        va_end(ap);
        buf_addf(&message, ": %s", err_msg(e));
        write_line(level, buf_str(&message));
    }
    err_free(e);
}
