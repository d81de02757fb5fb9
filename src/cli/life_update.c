/* update without limits: containers bring their content up to date by their own method, as a
 * transaction each, in order, up to the first that was not good. */
#include "cli/life.h"
#include "spec/api_method.h"
#include <stdio.h>

struct telling {
    struct invocation *in;
    const char *container;
    bool good;
    bool heard, in_line; /* output of this step; its last line has not ended */
};

static void put_output(struct telling *t, const char *output) {
    CLEAN_BUF struct buf text = {0};
    lifecycle_escape(&text, str_of(output), true);
    if (text.len)
        t->in_line = text.data[text.len - 1] != '\n';
    fputs(buf_cstr(&text), stdout);
    fflush(stdout);
}

static struct err tell(void *arg, struct str line) {
    struct telling *t = arg;
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf words = {0};
    struct api_update_step s;
    TRYF(fields_decode(&api_update_step_fields, line, &a, &s), "corten: the daemon's answer");
    t->good |= s.outcome && s.good && *s.good;
    if (t->in->json) {
        printf("%.*s\n", STR_ARG(line));
        fflush(stdout);
        return OK;
    }
    if (s.outcome) {
        lifecycle_escape(&words, str_of(s.why ? s.why : ""), false);
        fprintf(stderr, "%s: %s%s%s\n", t->container, s.outcome, words.len ? ": " : "",
                buf_cstr(&words));
        return OK;
    }
    if (s.output) {
        t->heard = true;
        put_output(t, s.output);
        return OK;
    }
    if (s.result) {
        if (!t->heard) /* of a container that an older corten has started: its end */
            put_output(t, s.result->output);
        if (t->in_line)
            put_output(t, "\n");
        t->heard = false;
        method_result_text(s.result, &words);
    } else {
        lifecycle_escape(&words, str_of(s.step), false);
        if (s.text && *s.text != '{' && *s.text) {
            buf_adds(&words, ": ");
            lifecycle_escape(&words, str_of(s.text), false);
        }
    }
    fprintf(stderr, "%s: %s\n", t->container, buf_cstr(&words));
    return OK;
}

static struct err update_one(struct client *c, struct invocation *in, const char *container,
                             const struct api_method_update *doc, bool *ret_good) {
    CLEAN_BUF struct buf target = {0};
    struct telling t = {.in = in, .container = container};
    client_path(&target, "/containers/", container, "/lifecycle/update");
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&target),
                               .in_fields = &api_method_update_fields,
                               .in = doc};
    TRY(client_begin(c, &call));
    TRY(client_lines(c, tell, &t));
    *ret_good = t.good;
    return OK;
}

int life_update(struct invocation *in, const struct strv *volumes, bool dry_run) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    struct api_method_update doc = {.dry_run = dry_run};
    if (!c)
        return 1;
    for (size_t i = 0; i < volumes->n; i++)
        strs_add(&doc.volumes, &in->arena, volumes->items[i]);
    for (int i = 0; i < in->args_n; i++) {
        bool good = false;
        struct err e = update_one(c, in, in->args[i], &doc, &good);
        if (!err_failed(e) && good)
            continue;
        int status = err_failed(e) ? cli_fail(e, 1) : 1;
        if (i + 1 < in->args_n)
            fprintf(stderr, "not updated: %d more\n", in->args_n - i - 1);
        return status;
    }
    return 0;
}
