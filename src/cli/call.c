/* Shapes of calls that several commands make. */
#include "cli/command.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static struct err read_all(struct client *c, struct buf *ret) {
    ret->max = CLIENT_BODY_MAX;
    for (;;) {
        char *room = buf_room(ret, 65536);
        ssize_t n = client_read(c, room, 65536);
        if (n < 0)
            return err_errno((int)-n, "corten: read the answer");
        if (n == 0)
            return ret->overflow ? err_new(ERR_INVALID, "corten: the answer is too long") : OK;
        buf_added(ret, (size_t)n);
    }
}

struct err cli_get_array(struct client *c, const char *target, const struct fields *table,
                         struct arena *a, struct objs *ret) {
    CLEAN_BUF struct buf body = {0};
    CLEAN_JSON struct json *root = NULL;
    struct client_call call = {.method = "GET", .target = target};
    TRY(client_begin(c, &call));
    TRY(read_all(c, &body));
    TRYF(json_parse(buf_str(&body), &root), "corten: the daemon's answer");
    ret->n = json_len(root);
    ret->items = arena_array(a, ret->n + 1, table->size);
    for (size_t i = 0; i < ret->n; i++)
        TRYF(fields_decode_json(table, json_at(root, i), "", a,
                                (char *)ret->items + i * table->size),
             "corten: the daemon's answer");
    return OK;
}

int cli_for_each(struct invocation *in,
                 struct err (*fn)(struct client *c, struct invocation *in, const char *arg)) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    int status = 0;
    if (!c)
        return 1;
    for (int i = 0; i < in->args_n; i++) {
        struct err e = fn(c, in, in->args[i]);
        if (err_failed(e))
            status = cli_fail(e, 1);
        else
            printf("%s\n", in->args[i]);
    }
    return status;
}

struct err cli_read_wait(struct client *c, int64_t *ret_code) {
    CLEAN_BUF struct buf body = {0};
    CLEAN_ARENA struct arena a = {0};
    struct api_wait doc;
    TRY(read_all(c, &body));
    TRYF(fields_decode(&api_wait_fields, buf_str(&body), &a, &doc), "corten: the daemon's answer");
    if (doc.error && doc.error->message && *doc.error->message)
        return err_new(ERR_SYSTEM, "%s", doc.error->message);
    *ret_code = doc.status_code;
    return OK;
}
