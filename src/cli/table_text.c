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

struct cell {
    struct str text;
    size_t wide;
};
struct row {
    size_t first, n; /* in the cells */
};
struct grid {
    VEC(struct cell) cells;
    VEC(struct row) rows;
};

/* Display width: UTF-8 continuation bytes take no cell. */
static size_t width_of(struct str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

static void split(struct str text, struct grid *g) {
    struct str row, cell;
    bool more = text.len > 0;
    if (str_ends(text, STR("\n")))
        text.len--;
    while (more) {
        more = str_cut(text, '\n', &row, &text);
        struct row r = {.first = g->cells.n};
        for (bool another = true; another && r.n < COLUMNS_MAX; r.n++) {
            another = str_cut(row, '\t', &cell, &row);
            vec_push(&g->cells, ((struct cell){cell, width_of(cell)}));
        }
        vec_push(&g->rows, r);
    }
}

/* NULL: the row has no such column, or nothing behind it. */
static const struct cell *inner_cell(const struct grid *g, size_t row, size_t column) {
    const struct row *r = &g->rows.items[row];
    return column + 1 < r->n ? &g->cells.items[r->first + column] : NULL;
}

/* A column's width is that of the block of neighbouring rows that have it (and something behind
 * it), as Go's tabwriter has it. row is the first of the block. */
static size_t block_width(const struct grid *g, size_t row, size_t column, size_t limit,
                          size_t least) {
    size_t widest = 0;
    const struct cell *c;
    for (; row < g->rows.n && (c = inner_cell(g, row, column)); row++)
        widest = MAX(widest, c->wide);
    return MAX(MIN(widest, limit) + COLUMN_GAP, least);
}

static struct str cut(const struct cell *c, size_t limit, bool *ret_cut) {
    *ret_cut = c->wide > limit;
    if (!*ret_cut)
        return c->text;
    size_t i = 0;
    for (size_t n = 0; i < c->text.len; i++) {
        n += (c->text.p[i] & 0xc0) != 0x80;
        if (n == limit)
            break;
    }
    return str_sub(c->text, 0, i);
}

/* Shortens the widest column until the whole fits. */
static void fit(const struct grid *g, size_t width, size_t limits[COLUMNS_MAX]) {
    size_t widest[COLUMNS_MAX] = {0}, columns = 0;
    for (size_t i = 0; i < g->rows.n; i++)
        for (size_t k = 0; k < g->rows.items[i].n; k++) {
            widest[k] = MAX(widest[k], g->cells.items[g->rows.items[i].first + k].wide);
            columns = MAX(columns, k + 1);
        }
    for (;;) {
        size_t total = 0, most = 0;
        for (size_t k = 0; k < columns; k++) {
            total += k + 1 < columns ? MAX(widest[k] + COLUMN_GAP, (size_t)COLUMN_MIN) : widest[k];
            if (widest[k] > widest[most])
                most = k;
        }
        if (total <= width || widest[most] <= COLUMN_CUT)
            break;
        widest[most]--;
        limits[most] = widest[most];
    }
}

static void print_row(const struct grid *g, size_t i, const size_t limits[COLUMNS_MAX],
                      size_t known[COLUMNS_MAX], size_t least, struct buf *out) {
    const struct row *r = &g->rows.items[i];
    for (size_t k = 0; k < r->n; k++) {
        const struct cell *c = &g->cells.items[r->first + k];
        bool shortened;
        struct str shown = cut(c, limits[k], &shortened);
        buf_add_str(out, shown);
        buf_adds(out, shortened ? "\xe2\x80\xa6" : "");
        if (k + 1 == r->n)
            break;
        if (i == 0 || !inner_cell(g, i - 1, k))
            known[k] = block_width(g, i, k, limits[k], least);
        size_t blanks = known[k] - MIN(c->wide, limits[k]);
        memset(buf_room(out, blanks), ' ', blanks);
        buf_added(out, blanks);
    }
    buf_addc(out, '\n');
}

static void align(struct str text, size_t width, size_t least, struct buf *out) {
    struct grid g = {0};
    size_t limits[COLUMNS_MAX], known[COLUMNS_MAX] = {0};
    for (size_t i = 0; i < COLUMNS_MAX; i++)
        limits[i] = SIZE_MAX;
    split(text, &g);
    if (width)
        fit(&g, width, limits);
    for (size_t i = 0; i < g.rows.n; i++)
        print_row(&g, i, limits, known, least, out);
    vec_done(&g.rows);
    vec_done(&g.cells);
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
