/* What commands print: tables, human sizes and times, progress. */
#include "base/time.h"
#include "cli/command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS_MAX 16
#define COLUMN_MIN 10 /* cells, as the peer pads */

/* Display width: UTF-8 continuation bytes take no cell. */
static size_t width(struct str s) {
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++)
        n += (s.p[i] & 0xc0) != 0x80;
    return n;
}

void table_print(struct str text) {
    size_t widths[COLUMNS_MAX] = {0};
    struct str rest = text, row, cell;
    while (str_next(&rest, '\n', &row))
        for (size_t i = 0; i < COLUMNS_MAX && str_next(&row, '\t', &cell); i++)
            widths[i] = MAX(widths[i], width(cell));
    for (rest = text; str_next(&rest, '\n', &row);) {
        if (row.len == 0)
            continue;
        for (size_t i = 0; str_next(&row, '\t', &cell); i++) {
            printf("%.*s", STR_ARG(cell));
            if (row.len > 0 && i < COLUMNS_MAX)
                printf("%*s", (int)(MAX(widths[i] + 3, (size_t)COLUMN_MIN) - width(cell)), "");
        }
        printf("\n");
    }
}

void human_since(int64_t ns, struct buf *out) {
    int64_t s = ns / NSEC_PER_SEC;
    const struct {
        int64_t below, unit;
        const char *name;
    } steps[] = {{60, 1, "seconds"},         {3600, 60, "minutes"},
                 {172800, 3600, "hours"},    {1209600, 86400, "days"},
                 {5184000, 604800, "weeks"}, {63072000, 2592000, "months"}};
    if (s < 1) {
        buf_adds(out, "Less than a second ago");
        return;
    }
    if (s == 1 || (s >= 60 && s < 120) || (s >= 3600 && s < 5400)) {
        buf_adds(out, s == 1    ? "1 second ago"
                      : s < 120 ? "About a minute ago"
                                : "About an hour ago");
        return;
    }
    for (size_t i = 0; i < ARRAY_LEN(steps); i++)
        if (s < steps[i].below) {
            buf_addf(out, "%lld %s ago", (long long)(s / steps[i].unit), steps[i].name);
            return;
        }
    buf_addf(out, "%lld years ago", (long long)(s / 31536000));
}

void human_size(double bytes, struct buf *out) {
    static const char *const units[] = {"B", "kB", "MB", "GB", "TB", "PB"};
    size_t i = 0;
    while (bytes >= 1000 && i + 1 < ARRAY_LEN(units)) {
        bytes /= 1000;
        i++;
    }
    char text[32];
    snprintf(text, sizeof text, "%.3g", bytes);
    if (strchr(text, 'e'))
        snprintf(text, sizeof text, "%.0f", bytes);
    buf_addf(out, "%s%s", text, units[i]);
}

/* --- progress
 * --------------------------------------------------------------------------------------------------------
 */

static size_t line_of(struct progress *p, const char *id) {
    for (size_t i = 0; i < p->ids.n; i++)
        if (!strcmp(p->ids.items[i], id))
            return i;
    vec_push(&p->ids, mem_strdup(id));
    printf("\n");
    return p->ids.n - 1;
}

static void show_status(struct progress *p, const struct api_message *m) {
    char bar[64] = "";
    if (m->progress_detail && m->progress_detail->current > 0) {
        CLEAN_BUF struct buf text = {0};
        human_size((double)m->progress_detail->current, &text);
        if (m->progress_detail->total > 0) {
            buf_addc(&text, '/');
            human_size((double)m->progress_detail->total, &text);
        }
        snprintf(bar, sizeof bar, "%s", buf_cstr(&text));
    }
    if (!m->id || !*m->id) {
        printf("%s\n", m->status);
    } else if (p->tty) {
        size_t up = p->ids.n - line_of(p, m->id);
        up = MAX(up, (size_t)1);
        printf("\033[%zuA\033[2K\r%s: %s %s\033[%zuB\r", up, m->id, m->status, bar, up);
    } else if (!*bar) {
        printf("%s: %s\n", m->id, m->status);
    }
    fflush(stdout);
}

struct err progress_show(void *arg, const struct api_message *m) {
    struct progress *p = arg;
    if (m->error && *m->error)
        return err_new(ERR_SYSTEM, "corten: %s", m->error);
    if (m->stream && !p->quiet)
        printf("%s", m->stream);
    else if (m->status && *m->status && !p->quiet)
        show_status(p, m);
    fflush(stdout);
    return OK;
}

void progress_done(struct progress *p) {
    for (size_t i = 0; i < p->ids.n; i++)
        free(p->ids.items[i]);
    vec_done(&p->ids);
    free(p->aux_id);
}
