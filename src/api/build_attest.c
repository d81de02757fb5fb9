/* In-toto statements: the builder's are taken, an image's are shown (spec/corten_build.h). */
#include "api/handlers.h"
#include "base/log.h"
#include "image/image.h"

static void kept(void *arg UNUSED, struct err e) {
    log_err(LOG_WARN, e, "keep a build's statement");
}

static void attested(void *arg, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_status(c, 204);
}

/* The builder does not wait for the disk: a statement that a power cut takes is missed by nobody
 * who has the labels. One that shall travel was asked for: it is there when the build has ended. */
static void attest_body(struct api_call *c, struct str body) {
    const char *id = api_query(c, "image"), *annotations = api_query(c, "annotations");
    struct image *i = id ? image_by_id(c->api->images, str_of(id)) : NULL;
    struct image_attestation a = {.statement = body,
                                  .travels = api_query_bool(c, "travels", false),
                                  .annotations = str_of(annotations ? annotations : "")};
    struct oci_annotations checked;
    struct err e = OK;
    if (!i)
        e = err_new(ERR_NOT_FOUND, "No such image: %s", id ? id : "");
    else if (a.annotations.len)
        e = oci_annotations_parse(a.annotations, &c->arena, &checked);
    if (err_failed(e)) {
        api_reply_err(c, e);
    } else if (a.travels) {
        image_attest(c->api->images, i, &a, attested, c);
    } else {
        image_attest(c->api->images, i, &a, kept, NULL);
        api_reply_status(c, 204);
    }
}

void api_build_attest(struct api_call *c) {
    api_read_body(c, attest_body);
}

static void statements(void *arg, struct str json, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e))
        api_reply_err(c, e);
    else
        api_reply_json(c, 200, json);
}

void api_image_attestation(struct api_call *c) {
    struct image *i = NULL;
    struct err e = image_find(c->api->images, str_of(c->arg[0]), &i);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        image_statements(c->api->images, i, statements, c);
}
