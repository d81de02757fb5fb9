/* Tables, human sizes and durations. */
#include "base/time.h"
#include "cli/command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS_MAX 32
#define COLUMN_MIN 10 /* cells, as the peer pads */
#define COLUMN_GAP 3
#define COLUMN_CUT 8 /* no column is cut below this */

/* Display width: UTF-8 continuation bytes take no cell. */
static size_t cells(struct str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

/* Cell i of a row; *ret_last: nothing follows it. */
static bool cell_at(struct str row, size_t i, struct str *ret, bool *ret_last) {
    struct str head;
    for (;; i--) {
        bool more = str_cut(row, '\t', &head, &row);
        if (i == 0) {
            *ret = head;
            *ret_last = !more;
            return true;
        }
        if (!more)
            return false;
    }
}

struct rows VEC_BODY(struct str);

/* A column's width is that of the block of neighbouring rows that have it (and something behind
 * it), as Go's tabwriter has it. */
static size_t block_width(const struct rows *rows, size_t row, size_t column, size_t limit,
                          size_t least) {
    size_t widest = 0;
    struct str c;
    bool last;
    for (size_t i = row; i > 0 && cell_at(rows->items[i - 1], column, &c, &last) && !last; i--)
        row = i - 1;
    for (size_t i = row; i < rows->n && cell_at(rows->items[i], column, &c, &last) && !last; i++)
        widest = MAX(widest, cells(c));
    widest = MIN(widest, limit);
    return MAX(widest + COLUMN_GAP, least);
}

static struct str cut(struct str s, size_t limit, bool *ret_cut) {
    *ret_cut = cells(s) > limit;
    if (!*ret_cut)
        return s;
    size_t i = 0;
    for (size_t n = 0; i < s.len; i++) {
        n += (s.p[i] & 0xc0) != 0x80;
        if (n == limit)
            break;
    }
    return str_sub(s, 0, i);
}

/* Shortens the widest column until the whole fits. */
static void fit(const struct rows *rows, size_t width, size_t limits[COLUMNS_MAX]) {
    size_t widest[COLUMNS_MAX] = {0}, columns = 0;
    struct str c;
    bool last;
    for (size_t i = 0; i < rows->n; i++)
        for (size_t k = 0; k < COLUMNS_MAX && cell_at(rows->items[i], k, &c, &last); k++) {
            widest[k] = MAX(widest[k], cells(c));
            columns = MAX(columns, k + 1);
        }
    for (;;) {
        size_t total = 0, most = 0;
        for (size_t k = 0; k < columns; k++) {
            total += k + 1 < columns ? MAX(widest[k] + COLUMN_GAP, (size_t)COLUMN_MIN) : widest[k];
            if (widest[k] > widest[most])
                most = k;
        }
        if (!width || total <= width || widest[most] <= COLUMN_CUT)
            break;
        widest[most]--;
        limits[most] = widest[most];
    }
}

static void align(struct str text, size_t width, size_t least, struct buf *out) {
    struct rows rows = {0};
    size_t limits[COLUMNS_MAX], known[COLUMNS_MAX] = {0};
    struct str rest = text, row, c;
    for (size_t i = 0; i < COLUMNS_MAX; i++)
        limits[i] = SIZE_MAX;
    while (str_next(&rest, '\n', &row))
        vec_push(&rows, row);
    if (rows.n && rows.items[rows.n - 1].len == 0 && str_ends(text, STR("\n")))
        rows.n--;
    fit(&rows, width, limits);
    for (size_t i = 0; i < rows.n; i++) {
        bool last = false, shortened;
        for (size_t k = 0; !last && k < COLUMNS_MAX && cell_at(rows.items[i], k, &c, &last); k++) {
            struct str before;
            bool before_last = true;
            bool goes_on = i > 0 && cell_at(rows.items[i - 1], k, &before, &before_last) &&
                           !before_last && known[k];
            struct str shown = cut(c, limits[k], &shortened);
            buf_add_str(out, shown);
            buf_adds(out, shortened ? "\xe2\x80\xa6" : "");
            if (last)
                break;
            if (!goes_on)
                known[k] = block_width(&rows, i, k, limits[k], least);
            for (size_t n = cells(shown) + shortened; n < known[k]; n++)
                buf_addc(out, ' ');
        }
        buf_addc(out, '\n');
    }
    vec_done(&rows);
}

void table_align(struct str text, size_t width, struct buf *out) {
    align(text, width, COLUMN_MIN, out);
}

void table_align_wide(struct str text, size_t least, struct buf *out) {
    align(text, 0, least, out);
}

bool cli_colour(int fd) {
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fd) && !(no && *no) && term && strcmp(term, "dumb") != 0;
}

void table_print(struct str text, bool may_cut) {
    CLEAN_BUF struct buf out = {0};
    unsigned rows, columns;
    terminal_size(&rows, &columns);
    table_align(text, may_cut && isatty(1) ? columns : 0, &out);
    if (may_cut && cli_colour(1)) {
        struct str head, body;
        str_cut(buf_str(&out), '\n', &head, &body);
        printf("\033[1m%.*s\033[0m\n%.*s", STR_ARG(head), STR_ARG(body));
    } else {
        fwrite(buf_cstr(&out), 1, out.len, stdout);
    }
}

void human_duration(int64_t ns, struct buf *out) {
    int64_t s = ns / NSEC_PER_SEC, minutes = s / 60, hours = (s + 1800) / 3600;
    if (s < 1)
        buf_adds(out, "Less than a second");
    else if (s == 1)
        buf_adds(out, "1 second");
    else if (s < 60)
        buf_addf(out, "%lld seconds", (long long)s);
    else if (minutes == 1)
        buf_adds(out, "About a minute");
    else if (minutes < 60)
        buf_addf(out, "%lld minutes", (long long)minutes);
    else if (hours == 1)
        buf_adds(out, "About an hour");
    else if (hours < 48)
        buf_addf(out, "%lld hours", (long long)hours);
    else if (hours < 24 * 7 * 2)
        buf_addf(out, "%lld days", (long long)hours / 24);
    else if (hours < 24 * 30 * 2)
        buf_addf(out, "%lld weeks", (long long)hours / 24 / 7);
    else if (hours < 24 * 365 * 2)
        buf_addf(out, "%lld months", (long long)hours / 24 / 30);
    else
        buf_addf(out, "%lld years", (long long)(s / 3600 / 24 / 365));
}

void human_since(int64_t ns, struct buf *out) {
    human_duration(ns, out);
    buf_adds(out, " ago");
}

static void human(double bytes, int digits, double base, const char *const *units, size_t n,
                  struct buf *out) {
    char text[48];
    size_t i = 0;
    while (bytes >= base && i + 1 < n) {
        bytes /= base;
        i++;
    }
    snprintf(text, sizeof text, "%.*g", digits, bytes);
    if (strchr(text, 'e'))
        snprintf(text, sizeof text, "%.0f", bytes);
    buf_addf(out, "%s%s", text, units[i]);
}

void human_bytes(double bytes, int digits, struct buf *out) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    human(bytes, digits, 1000, units, ARRAY_LEN(units), out);
}

void human_bytes_binary(double bytes, int digits, struct buf *out) {
    static const char *const units[] = {"B", "KiB", "MiB", "GiB", "TiB", "PiB"};
    human(bytes, digits, 1024, units, ARRAY_LEN(units), out);
}

void human_size(double bytes, struct buf *out) {
    human_bytes(bytes, 3, out);
}
