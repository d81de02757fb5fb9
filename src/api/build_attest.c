/* In-toto statements: the builder's are taken, an image's are shown (spec/corten_build.h). */
#include "api/handlers.h"
#include "base/log.h"
#include "image/image.h"

static void attested(void *arg UNUSED, struct err e) {
    log_err(LOG_WARN, e, "keep a build's statement");
}

/* The builder does not wait for the disk: a statement that a power cut takes is missed by nobody
 * who has the labels. */
static void attest_body(struct api_call *c, struct str body) {
    const char *id = api_query(c, "image");
    struct image *i = id ? image_by_id(c->api->images, str_of(id)) : NULL;
    if (!i) {
        api_reply_err(c, err_new(ERR_NOT_FOUND, "No such image: %s", id ? id : ""));
        return;
    }
    image_attest(c->api->images, i, body, attested, NULL);
    api_reply_status(c, 204);
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
