/* client/image.c - calls on images, and progress streams. */
#include "client/client.h"

struct err client_version(struct client *c, struct arena *a, struct api_version *ret) {
    struct client_call call = {.method = "GET",
                               .target = "/version",
                               .out_fields = &api_version_fields,
                               .out = ret,
                               .arena = a};
    return client_do(c, &call);
}

struct err client_image_inspect(struct client *c, const char *name, struct arena *a,
                                struct api_image *ret) {
    CLEAN_BUF struct buf t = {0};
    client_path(&t, "/images/", name, "/json");
    struct client_call call = {.method = "GET",
                               .target = buf_cstr(&t),
                               .out_fields = &api_image_fields,
                               .out = ret,
                               .arena = a};
    return client_do(c, &call);
}

struct listener {
    client_progress *fn;
    void *arg;
};

static struct err message(void *arg, struct str line) {
    struct listener *l = arg;
    CLEAN_ARENA struct arena a = {0};
    struct api_message m = {0};
    TRYF(fields_decode(&api_message_fields, line, &a, &m), "the daemon's progress message");
    if (l->fn)
        TRY(l->fn(l->arg, &m));
    if (m.error_detail && m.error_detail->message)
        return err_new(ERR_SYSTEM, "%s", m.error_detail->message);
    if (m.error && *m.error)
        return err_new(ERR_SYSTEM, "%s", m.error);
    return OK;
}

struct err client_messages(struct client *c, client_progress *fn, void *arg) {
    struct listener l = {fn, arg};
    return client_lines(c, message, &l);
}

/* The value of a header that the caller was given from outside. */
static struct err header_value(struct str v) {
    for (size_t i = 0; i < v.len; i++)
        if ((unsigned char)v.p[i] < 0x20 || v.p[i] == 0x7f)
            return err_new(ERR_INVALID, "registry credentials hold a control character");
    return OK;
}

struct err client_image_pull(struct client *c, const char *ref, const char *auth,
                             const char *platform, client_progress *fn, void *arg) {
    CLEAN_BUF struct buf t = {0};
    CLEAN_BUF struct buf headers = {0};
    buf_adds(&t, "/images/create");
    client_query(&t, "fromImage", ref);
    client_query(&t, "platform", platform);
    if (auth && *auth) {
        TRY(header_value(str_of(auth)));
        buf_addf(&headers, "X-Registry-Auth: %s\r\n", auth);
    }
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&t),
                               .headers = headers.len ? buf_cstr(&headers) : NULL};
    TRY(client_begin(c, &call));
    return client_messages(c, fn, arg);
}

struct err client_image_tag(struct client *c, const char *image, const char *repo,
                            const char *tag) {
    CLEAN_BUF struct buf t = {0};
    client_path(&t, "/images/", image, "/tag");
    client_query(&t, "repo", repo);
    client_query(&t, "tag", tag);
    struct client_call call = {.method = "POST", .target = buf_cstr(&t)};
    return client_do(c, &call);
}
