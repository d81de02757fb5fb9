/* POST /commit: an image of what a container wrote. */
#include "api/changes.h"
#include "api/handlers.h"
#include <string.h>

static void committed(void *arg, struct err e, const char *id) {
    struct api_call *c = arg;
    struct api_id doc = {.id = (char *)(uintptr_t)id};
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_doc(c, 201, &api_id_fields, &doc);
}

/* The body's config, or the container's own when there is none; then the changes; then what is
 * still open from the container. What belongs to the container alone stays out of the image. */
static struct err read_config(struct api_call *c, const struct container *k, struct str body,
                              struct str *ret) {
    CLEAN_BUF struct buf json = {0};
    struct api_config config = *k->config;
    body = str_trim(body);
    if (body.len > 0 && !str_eqz(body, "null")) {
        config = (struct api_config){0};
        TRYF(fields_decode(&api_config_fields, body, &c->arena, &config), "body");
    }
    TRY(changes_read(c, &config));
    container_merge_config(&config, k->config, &c->arena);
    config.hostname = config.domainname = config.image = config.mac_address = NULL;
    config.attach_stdin = config.attach_stdout = config.attach_stderr = false;
    config.tty = config.open_stdin = config.stdin_once = config.network_disabled = false;
    fields_print(&oci_run_fields, &config, &json);
    *ret = str_n(arena_str(&c->arena, buf_str(&json)), json.len);
    return OK;
}

static struct err read_tag(struct api_call *c, struct reference *ret, bool *ret_tagged) {
    const char *repo = api_query(c, "repo"), *tag = api_query(c, "tag");
    if (!repo || !*repo)
        return OK;
    TRY(reference_parse_with_tag(str_of(repo), str_of(tag ? tag : ""), ret));
    if (ret->has_digest)
        return err_new(ERR_INVALID, "refusing to create a tag with a digest reference");
    reference_default_tag(ret);
    *ret_tagged = true;
    return OK;
}

static void commit_body(struct api_call *c, struct str body) {
    struct container *k = NULL;
    struct reference tag;
    bool tagged = false;
    const char *name = api_query(c, "container");
    struct container_commit o = {
        .author = api_query(c, "author"),
        .comment = api_query(c, "comment"),
        .pause = api_query_bool(c, "pause", true), /* since 1.13 unless said otherwise */
    };
    struct err e = container_find(c->api->containers, name ? name : "", &k);
    if (!err_failed(e))
        e = read_tag(c, &tag, &tagged);
    if (!err_failed(e))
        e = read_config(c, k, body, &o.config);
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    o.tag = tagged ? &tag : NULL;
    container_commit(k, &o, committed, c);
}

void api_commit(struct api_call *c) {
    api_read_body(c, commit_body);
}
