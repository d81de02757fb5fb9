/* Progress of pulls, pushes, loads and builds. */
#include "cli/command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- progress
 * --------------------------------------------------------------------------------------------------------
 */

static size_t line_of(struct progress *p, const char *id) {
    for (size_t i = 0; i < p->ids.n; i++)
        if (!strcmp(p->ids.items[i], id))
            return i;
    vec_push(&p->ids, mem_strdup(id));
    fprintf(p->out ? p->out : stdout, "\n");
    return p->ids.n - 1;
}

static void show_status(struct progress *p, const struct api_message *m) {
    char bar[64] = "";
    FILE *out = p->out ? p->out : stdout;
    if (m->progress_detail && m->progress_detail->current > 0) {
        CLEAN_BUF struct buf text = {0};
        human_size((double)m->progress_detail->current, &text);
        if (m->progress_detail->total > 0) {
            buf_addc(&text, '/');
            human_size((double)m->progress_detail->total, &text);
        }
        snprintf(bar, sizeof bar, "%s", buf_cstr(&text));
    }
    if ((!m->id || !*m->id) && *bar) {
        p->bar = p->tty;
        if (p->tty)
            fprintf(out, "\033[2K\r%s %s\r", m->status, bar);
    } else if (!m->id || !*m->id) {
        fprintf(out, "%s%s\n", p->bar ? "\033[2K" : "", m->status);
        p->bar = false;
    } else if (p->tty) {
        size_t up = p->ids.n - line_of(p, m->id);
        up = MAX(up, (size_t)1);
        fprintf(out, "\033[%zuA\033[2K\r%s: %s %s\033[%zuB\r", up, m->id, m->status, bar, up);
    } else if (!*bar) {
        fprintf(out, "%s: %s\n", m->id, m->status);
    }
    fflush(out);
}

struct err progress_show(void *arg, const struct api_message *m) {
    struct progress *p = arg;
    if (m->error && *m->error)
        return err_new(ERR_SYSTEM, "corten: %s", m->error);
    if (m->stream && !p->quiet)
        fprintf(p->out ? p->out : stdout, "%s", m->stream);
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
