/* client/container.c - calls on containers. */
#include "client/client.h"

struct err client_container_create(struct client *c, const char *name, const char *platform,
                                   const struct api_container_create *in, struct arena *a,
                                   struct api_container_created *ret) {
    CLEAN_BUF struct buf t = {0};
    buf_adds(&t, "/containers/create");
    client_query(&t, "name", name);
    client_query(&t, "platform", platform);
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&t),
                               .in_fields = &api_container_create_fields,
                               .in = in,
                               .out_fields = &api_container_created_fields,
                               .out = ret,
                               .arena = a};
    return client_do(c, &call);
}

struct err client_container_start(struct client *c, const char *id, const char *detach_keys) {
    CLEAN_BUF struct buf t = {0};
    client_path(&t, "/containers/", id, "/start");
    client_query(&t, "detachKeys", detach_keys);
    struct client_call call = {.method = "POST", .target = buf_cstr(&t)};
    struct err e = client_do(c, &call);
    if (err_kind(e) == ERR_NOT_MODIFIED) {
        err_free(e); /* it runs already */
        return OK;
    }
    return e;
}

struct err client_container_attach(struct client *c, const char *id, const struct client_attach *w,
                                   struct client_stream *ret) {
    CLEAN_BUF struct buf t = {0};
    client_path(&t, "/containers/", id, "/attach");
    client_query_bool(&t, "stream", true);
    client_query_bool(&t, "stdin", w->in);
    client_query_bool(&t, "stdout", w->out);
    client_query_bool(&t, "stderr", w->err);
    client_query_bool(&t, "logs", w->logs);
    client_query(&t, "detachKeys", w->detach_keys);
    struct client_call call = {.method = "POST", .target = buf_cstr(&t), .upgrade = true};
    TRY(client_begin(c, &call));
    return client_hijack(c, w->tty, ret);
}

struct err client_container_wait(struct client *c, const char *id, const char *condition,
                                 int64_t *ret_status) {
    CLEAN_BUF struct buf t = {0};
    CLEAN_ARENA struct arena a = {0};
    struct api_wait wait = {0};
    client_path(&t, "/containers/", id, "/wait");
    client_query(&t, "condition", condition);
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&t),
                               .out_fields = &api_wait_fields,
                               .out = &wait,
                               .arena = &a};
    TRY(client_do(c, &call));
    if (wait.error && wait.error->message && *wait.error->message)
        return err_new(ERR_SYSTEM, "%s", wait.error->message);
    *ret_status = wait.status_code;
    return OK;
}

struct err client_container_remove(struct client *c, const char *id, bool force, bool volumes) {
    CLEAN_BUF struct buf t = {0};
    client_path(&t, "/containers/", id, "");
    client_query_bool(&t, "force", force);
    client_query_bool(&t, "v", volumes);
    struct client_call call = {.method = "DELETE", .target = buf_cstr(&t)};
    return client_do(c, &call);
}

struct err client_container_inspect(struct client *c, const char *id, struct arena *a,
                                    struct api_container *ret) {
    CLEAN_BUF struct buf t = {0};
    client_path(&t, "/containers/", id, "/json");
    struct client_call call = {.method = "GET",
                               .target = buf_cstr(&t),
                               .out_fields = &api_container_fields,
                               .out = ret,
                               .arena = a};
    return client_do(c, &call);
}
