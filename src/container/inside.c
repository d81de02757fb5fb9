/* inside: an update that was asked for in the container, by `container --update`; told there. */
#include "container/private.h"
#include <stdlib.h>

struct asker {
    struct containers *cs;
    char container[65], exec[65];
    bool heard; /* something of this step */
};

static void say(const struct asker *x, char type, struct str text) {
    struct container *c = map_getz(&x->cs->by_id, x->container);
    if (c && c->monitor && *x->exec)
        monitor_inside(c->monitor, x->exec, type, text);
}

static void output(void *arg, const char *name UNUSED, struct str text) {
    struct asker *x = arg;
    x->heard = true;
    say(x, 'o', text);
}

static void step(void *arg, const char *name, const struct method_result *r, const char *text) {
    CLEAN_BUF struct buf line = {0};
    struct asker *x = arg;
    if (r) {
        if (!x->heard) /* of an older monitor: its end */
            say(arg, 'o', str_of(r->output));
        x->heard = false;
        method_result_text(r, &line);
    } else {
        buf_addf(&line, "%s%s", name, text && *text && *text != '{' ? ": " : "");
        lifecycle_escape(&line, str_of(text && *text != '{' ? text : ""), false);
    }
    buf_addc(&line, '\n');
    say(arg, 'e', buf_str(&line));
}

static void done(void *arg, const char *outcome, const char *why, bool good) {
    CLEAN_BUF struct buf line = {0};
    buf_addf(&line, "%s%s", outcome, *why ? ": " : "");
    lifecycle_escape(&line, str_of(why), false);
    buf_addc(&line, '\n');
    say(arg, 'e', buf_str(&line));
    say(arg, 'x', good ? STR("0") : STR("1"));
    free(arg);
}

static const struct container_update_observer observer = {output, step, done};

void container_update_inside(struct container *c, const char *exec_id) {
    const struct container_update_options o = {.trigger = *exec_id ? "inside" : "interval"};
    struct asker *x = NEW(struct asker);
    x->cs = c->all;
    memcpy(x->container, c->id, sizeof x->container);
    if (strlen(exec_id) == 64)
        memcpy(x->exec, exec_id, sizeof x->exec);
    struct err e = container_transaction(c, &o, &observer, x);
    if (err_failed(e)) {
        done(x, "nothing done", err_msg(e), false);
        err_free(e);
    }
}
