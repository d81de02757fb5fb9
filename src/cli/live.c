/* live.c - `corten top`: a screen of all containers, redrawn every second; sort, filter, look into
 * one (its last log lines, its processes). */
#include "cli/live.h"
#include "cli/sampler.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include <langinfo.h>
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PERIOD_MS 1000
#define FILTER_MAX 40

enum column { BY_CPU, BY_MEMORY, BY_NET, BY_DISK, BY_PIDS, BY_NAME };
struct live {
    struct sampler sampler;
    struct invocation *in;
    enum column by;
    bool reverse, filtering, ends;
    char filter[FILTER_MAX + 1];
    size_t chosen;
    char chosen_id[65];
    struct sample **shown;
    size_t shown_n;
};

static double key_of(const struct sample *x, enum column by) {
    return by == BY_CPU      ? x->cpu_percent
           : by == BY_MEMORY ? (double)x->used
           : by == BY_NET    ? (double)x->rx + (double)x->tx
           : by == BY_DISK   ? (double)x->read + (double)x->written
                             : (double)x->pids;
}

/* Insertion sort: the order hardly changes from one second to the next. */
static void sort(struct live *v) {
    for (size_t i = 1; i < v->shown_n; i++)
        for (size_t k = i; k > 0; k--) {
            struct sample *a = v->shown[k - 1], *b = v->shown[k];
            double x = key_of(a, v->by), y = key_of(b, v->by);
            bool wrong = v->by == BY_NAME ? strcmp(a->name, b->name) > 0
                                          : x < y || (x == y && strcmp(a->name, b->name) > 0);
            if (wrong == v->reverse && !(x == y && v->by != BY_NAME))
                break;
            if (!wrong && !v->reverse)
                break;
            v->shown[k - 1] = b;
            v->shown[k] = a;
        }
}

static void choose(struct live *v) {
    struct sampler *s = &v->sampler;
    free(v->shown);
    v->shown = mem_array(s->samples.n + 1, sizeof *v->shown);
    v->shown_n = 0;
    for (size_t i = 0; i < s->samples.n; i++) {
        struct sample *x = &s->samples.items[i];
        if (x->fresh && (!*v->filter || strstr(x->name, v->filter) ||
                         (x->image && strstr(x->image, v->filter))))
            v->shown[v->shown_n++] = x;
    }
    sort(v);
    for (size_t i = 0; i < v->shown_n; i++)
        if (!strcmp(v->shown[i]->id, v->chosen_id))
            v->chosen = i;
    if (v->shown_n && v->chosen >= v->shown_n)
        v->chosen = v->shown_n - 1;
    snprintf(v->chosen_id, sizeof v->chosen_id, "%s", v->shown_n ? v->shown[v->chosen]->id : "");
}

/* A bar for each of the last rounds, the highest of them full: eighths of a block, or digits where
 * the terminal has no such characters. A round of nothing is blank. */
static void trend_text(const struct sample *x, struct buf *out) {
    bool blocks = !strcmp(nl_langinfo(CODESET), "UTF-8");
    float most = 1; /* less than a per cent is no hill */
    for (size_t i = 0; i < SAMPLE_TREND; i++)
        most = MAX(most, x->trend[i]);
    for (size_t i = 0; i < SAMPLE_TREND; i++) {
        int eighths = (int)(x->trend[i] / most * 8 + 0.5F);
        if (eighths == 0)
            buf_addc(out, '.');
        else if (blocks)
            buf_addf(out, "\xe2\x96%c", (char)(0x80 + eighths));
        else
            buf_addf(out, "%d", eighths);
    }
}

static void row_text(const struct sample *x, bool wide, struct buf *out) {
    buf_addf(out, "%s\t%.1f\t", x->name, x->cpu_percent < 0 ? 0.0 : x->cpu_percent);
    if (wide) {
        trend_text(x, out);
        buf_addc(out, '\t');
    }
    human_bytes_binary((double)x->used, 3, out);
    buf_addf(out, "\t%.1f\t", x->limit ? (double)x->used / (double)x->limit * 100 : 0.0);
    human_bytes((double)x->rx, 3, out);
    buf_addc(out, '/');
    human_bytes((double)x->tx, 3, out);
    buf_addc(out, '\t');
    human_bytes((double)x->read, 3, out);
    buf_addc(out, '/');
    human_bytes((double)x->written, 3, out);
    buf_addf(out, "\t%llu\t%s\n", (unsigned long long)x->pids, x->status ? x->status : "");
}

#define WIDE 110 /* columns that have room for the trend */

static void headings(bool wide, struct buf *out) {
    buf_addf(out, "NAME\tCPU %%\t%sMEM\tMEM %%\tNET I/O\tBLOCK I/O\tPIDS\tSTATUS\n",
             wide ? "CPU TREND\t" : "");
}

static void draw(struct live *v) {
    CLEAN_BUF struct buf table = {0}, text = {0};
    unsigned rows, columns;
    bool colour = cli_colour(1);
    double cpu = 0, memory = 0;
    terminal_size(&rows, &columns);
    for (size_t i = 0; i < v->shown_n; i++) {
        cpu += MAX(v->shown[i]->cpu_percent, 0.0);
        memory += (double)v->shown[i]->used;
    }
    bool wide = columns >= WIDE;
    headings(wide, &table);
    for (size_t i = 0; i < v->shown_n; i++)
        row_text(v->shown[i], wide, &table);
    table_align(buf_str(&table), columns, &text);
    CLEAN_BUF struct buf used = {0};
    human_bytes_binary(memory, 3, &used);
    CLEAN_FREE char *title = mem_printf("%zu containers, CPU %.1f%%, memory %s%s%s", v->shown_n,
                                        cpu, buf_cstr(&used),
                                        *v->filter || v->filtering ? ", filter: " : "", v->filter);
    printf("\033[H%.*s\033[K\r\n", columns ? (int)columns - 1 : 120, title);
    struct str rest = buf_str(&text), line;
    size_t room = rows > 3 ? rows - 3 : 20, first = v->chosen + 2 > room ? v->chosen + 2 - room : 0;
    for (size_t i = 0; str_next(&rest, '\n', &line) && i <= room + first; i++) {
        bool heading = i == 0, is_chosen = i == v->chosen + 1;
        if (rest.len == 0 && line.len == 0)
            break;
        if (!heading && i <= first)
            continue;
        printf("%s%s%.*s%s\033[K\r\n", is_chosen && !colour ? ">" : "",
               heading && colour     ? "\033[1m"
               : is_chosen && colour ? "\033[7m"
                                     : "",
               STR_ARG(line), colour ? "\033[0m" : "");
    }
    /* A line that wraps at the bottom would push the first one out at the top. */
    printf("\033[J\033[%u;1H%.*s\033[K", rows ? rows : 24, columns ? (int)columns - 1 : 120,
           v->filtering ? "type to filter, Enter ends"
                        : "q quit  c m n d p a sort  r reverse  / filter  arrows  Enter logs  t "
                          "processes  s stats  e shell");
    fflush(stdout);
}

/* Another command of ours on the whole screen. */
static void look(char *const *argv) {
    const struct spawn_fd fds[] = {{0, 0}, {1, 1}, {2, 2}};
    struct spawn s = {.program = "/proc/self/exe",
                      .argv = argv,
                      .env = environ,
                      .fds = fds,
                      .fds_n = ARRAY_LEN(fds)};
    struct spawned p;
    struct pidfd_exit x;
    printf("\033[H\033[J");
    fflush(stdout);
    struct err e = spawn(&s, &p);
    if (!err_failed(e)) {
        e = pidfd_reap(p.pidfd, &x);
        fd_close(p.pidfd);
    }
    if (err_failed(e))
        printf("%s\r\n", err_msg(e));
    err_free(e);
}

static void look_into(struct live *v, struct terminal *t, char key) {
    if (!v->shown_n)
        return;
    char *name = v->shown[v->chosen]->name, *host = (char *)v->in->host;
    char *logs[] = {(char *)"corten", (char *)"-H", host, (char *)"logs",
                    (char *)"--tail", (char *)"30", name, NULL};
    char *top[] = {(char *)"corten", (char *)"-H", host, (char *)"top", name, NULL};
    char *stats[] = {(char *)"corten",      (char *)"-H", host, (char *)"stats",
                     (char *)"--no-stream", name,         NULL};
    char *shell[] = {(char *)"corten", (char *)"-H", host,         (char *)"exec",
                     (char *)"-it",    name,         (char *)"sh", NULL};
    terminal_restore(t);
    if (key != 'e') {
        look(key == 't' ? top : key == 's' ? stats : logs);
        printf("\r\n-- any key --");
        fflush(stdout);
    } else {
        look(shell);
    }
    terminal_raw(t);
    if (key != 'e') {
        char any;
        if (read(0, &any, 1) != 1)
            v->ends = true;
    }
    printf("\033[H\033[J");
}

static void filter_key(struct live *v, char c) {
    size_t n = strlen(v->filter);
    if (c == '\r' || c == '\n' || c == 27) {
        v->filtering = false;
    } else if (c == 127 || c == 8) {
        if (n)
            v->filter[n - 1] = '\0';
    } else if (c >= ' ' && n < FILTER_MAX) {
        v->filter[n] = c;
        v->filter[n + 1] = '\0';
    }
}

static void move(struct live *v, int by) {
    if (by < 0 && v->chosen > 0)
        v->chosen--;
    if (by > 0 && v->chosen + 1 < v->shown_n)
        v->chosen++;
    snprintf(v->chosen_id, sizeof v->chosen_id, "%s", v->shown_n ? v->shown[v->chosen]->id : "");
}

static void press(struct live *v, struct terminal *t, const char *keys, size_t n) {
    static const char order[] = "cmndpa";
    for (size_t i = 0; i < n; i++) {
        const char *column = keys[i] ? strchr(order, keys[i]) : NULL;
        if (v->filtering)
            filter_key(v, keys[i]);
        else if (keys[i] == 27 && i + 2 < n && keys[i + 1] == '[') {
            move(v, keys[i + 2] == 'A' ? -1 : keys[i + 2] == 'B' ? 1 : 0);
            i += 2;
        } else if (keys[i] == 'k' || keys[i] == 'j')
            move(v, keys[i] == 'j' ? 1 : -1);
        else if (keys[i] == 'q' || keys[i] == 3)
            v->ends = true;
        else if (column)
            v->by = (enum column)(column - order);
        else if (keys[i] == 'r')
            v->reverse = !v->reverse;
        else if (keys[i] == '/')
            v->filtering = true;
        else if (keys[i] == '\r' || keys[i] == 'l' || keys[i] == 't' || keys[i] == 's' ||
                 keys[i] == 'e')
            look_into(v, t, keys[i] == '\r' ? 'l' : keys[i]);
    }
}

static struct err measure(struct live *v) {
    TRY(sampler_list(&v->sampler, NULL, 0, false));
    return sampler_take(&v->sampler);
}

static struct err loop(struct live *v, struct terminal *t) {
    while (!v->ends) {
        struct pollfd p = {0, POLLIN, 0};
        char keys[64];
        choose(v);
        draw(v);
        int r = poll(&p, 1, PERIOD_MS);
        ssize_t n = r > 0 ? read(0, keys, sizeof keys) : 0;
        if (r > 0 && n <= 0)
            return OK;
        press(v, t, keys, (size_t)n);
        if (r == 0)
            TRY(measure(v));
    }
    return OK;
}

static int once(struct live *v) {
    CLEAN_BUF struct buf table = {0};
    choose(v);
    headings(false, &table);
    for (size_t i = 0; i < v->shown_n; i++)
        row_text(v->shown[i], false, &table);
    table_print(buf_str(&table), false);
    return 0;
}

static int show(struct live *v) {
    struct terminal t = {0};
    TRYF_STATUS(measure(v));
    sampler_pause(300);
    TRYF_STATUS(measure(v));
    if (!isatty(0) || !isatty(1))
        return once(v);
    if (!terminal_raw(&t))
        return 1;
    printf("\033[?1049h\033[?25l\033[H\033[J");
    struct err e = loop(v, &t);
    printf("\033[?25h\033[?1049l");
    fflush(stdout);
    terminal_restore(&t);
    return err_failed(e) ? cli_fail(e, 1) : 0;
}

int live_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    struct live v = {.in = in, .sampler.client = c};
    if (!c)
        return 1;
    setlocale(LC_CTYPE, ""); /* what characters the terminal has */
    int status = show(&v);
    free(v.shown);
    sampler_done(&v.sampler);
    return status;
}
