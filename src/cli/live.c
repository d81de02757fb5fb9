/* live.c - `corten top`: a screen of all containers, redrawn every second; sort, filter, look into
 * one (graphs, its last log lines, its processes, a shell). */
#include "cli/live.h"
#include "cli/live_view.h"
#include "kernel/pidfd.h"
#include "kernel/spawn.h"
#include <locale.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PERIOD_MS 1000
#define WIDE 130 /* columns that have room for the trend */

/* A line of the screen, never wider than it. */
static void put_line(const char *text, unsigned columns) {
    printf("%.*s\033[K\r\n", columns ? (int)columns - 1 : 120, text);
}

/* On the last line: one that wraps there would push the first one out at the top. */
static void put_keys(const char *text, unsigned rows, unsigned columns) {
    printf("\033[J\033[%u;1H%.*s\033[K", rows ? rows : 24, columns ? (int)columns - 1 : 120, text);
    fflush(stdout);
}

static void draw_list(struct live *v, unsigned rows, unsigned columns) {
    CLEAN_BUF struct buf table = {0}, text = {0}, title = {0};
    bool colour = cli_colour(1), wide = columns >= WIDE;
    live_headings(wide, &table);
    for (size_t i = 0; i < v->shown_n; i++)
        live_row(v->shown[i], wide, &table);
    table_align(buf_str(&table), columns, &text);
    live_title(v, &title);
    printf("\033[H");
    put_line(buf_cstr(&title), columns);
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
    put_keys(v->filtering ? "type to filter (name, image, health), Enter ends"
                          : "q quit  sort: c m n d p a, u pressure, h health, r reverse  / filter  "
                            "arrows  Enter logs  t ps  s graphs  e shell",
             rows, columns);
}

static void draw_one(const struct sample *x, unsigned rows, unsigned columns) {
    CLEAN_BUF struct buf text = {0};
    CLEAN_FREE char *title = mem_printf("%s  %s", x->name, x->status ? x->status : "");
    struct str rest, line;
    live_graphs(x, rows > 3 ? rows - 3 : 20, columns, &text);
    printf("\033[H");
    put_line(title, columns);
    rest = buf_str(&text);
    while (str_next(&rest, '\n', &line) && (line.len || rest.len))
        printf("%.*s\033[K\r\n", STR_ARG(line)); /* as wide as asked for; bars are three bytes */
    put_keys("q back  arrows next  Enter logs  t ps  e shell", rows, columns);
}

static void draw(struct live *v) {
    unsigned rows, columns;
    terminal_size(&rows, &columns);
    v->one = v->one && v->shown_n;
    if (v->one)
        draw_one(v->shown[v->chosen], rows, columns);
    else
        draw_list(v, rows, columns);
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
    char *shell[] = {(char *)"corten", (char *)"-H", host,         (char *)"exec",
                     (char *)"-it",    name,         (char *)"sh", NULL};
    terminal_restore(t);
    if (key != 'e') {
        look(key == 't' ? top : logs);
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
    } else if (c >= ' ' && n < LIVE_FILTER_MAX) {
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

/* One key of the list or of the graphs. */
static void act(struct live *v, struct terminal *t, char key) {
    static const char order[] = "cmndpuha"; /* as enum live_column */
    const char *column = key ? strchr(order, key) : NULL;
    if (key == 3 || (key == 'q' && !v->one))
        v->ends = true;
    else if (key == 'q' || (key == 's' && v->one) || key == 27)
        v->one = false;
    else if (key == 'k' || key == 'j')
        move(v, key == 'j' ? 1 : -1);
    else if (key == '\r' || key == 'l' || key == 't' || key == 'e')
        look_into(v, t, key == '\r' ? 'l' : key);
    else if (key == 's')
        v->one = true;
    else if (column && !v->one)
        v->by = (enum live_column)(column - order);
    else if (key == 'r')
        v->reverse = !v->reverse;
    else if (key == '/' && !v->one)
        v->filtering = true;
}

static void press(struct live *v, struct terminal *t, const char *keys, size_t n) {
    for (size_t i = 0; i < n; i++) {
        if (v->filtering) {
            filter_key(v, keys[i]);
        } else if (keys[i] == 27 && i + 2 < n && keys[i + 1] == '[') {
            move(v, keys[i + 2] == 'A' ? -1 : keys[i + 2] == 'B' ? 1 : 0);
            i += 2;
        } else {
            act(v, t, keys[i]);
        }
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
        live_choose(v);
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
    CLEAN_BUF struct buf text = {0};
    live_choose(v);
    if (!v->in->json)
        live_headings(false, &text);
    for (size_t i = 0; i < v->shown_n; i++)
        if (v->in->json)
            live_json(v->shown[i], &text);
        else
            live_row(v->shown[i], false, &text);
    if (v->in->json)
        printf("%s", buf_cstr(&text));
    else
        table_print(buf_str(&text), false);
    return 0;
}

static int show(struct live *v) {
    struct terminal t = {0};
    TRYF_STATUS(measure(v));
    sampler_pause(300);
    TRYF_STATUS(measure(v));
    if (v->in->json || !isatty(0) || !isatty(1))
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
