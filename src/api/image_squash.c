/* POST /corten/images/{name}/squash: layers merged into one. Not the peer's. */
#include "api/handlers.h"
#include "base/time.h"
#include "spec/api_image.h"

static void squashed(void *arg, struct image *i, struct err e) {
    struct api_call *c = arg;
    if (err_failed(e)) {
        api_reply_err(c, e);
        return;
    }
    struct api_id doc = {.id = i->id_text};
    api_reply_doc(c, 201, &api_id_fields, &doc);
}

static struct err read_squash(struct api_call *c, struct image_squash *s) {
    const char *base = api_query(c, "base"), *tag, *created = api_query(c, "created");
    size_t n = 0;
    while (c->r && http_query_nth(c->r, "tag", n))
        n++;
    struct reference *tags = arena_array(&c->arena, n + 1, sizeof(*tags));
    TRY(image_find_rootfs(c->api->images, str_of(c->arg[0]), &s->image));
    if (base && *base)
        TRYF(image_find_rootfs(c->api->images, str_of(base), &s->base), "base");
    for (size_t i = 0; i < n && (tag = http_query_nth(c->r, "tag", i)); i++) {
        TRY(reference_parse(str_of(tag), &tags[i]));
        if (tags[i].has_digest)
            return err_new(ERR_INVALID, "refusing to create a tag with a digest reference");
    }
    if (created && *created)
        TRYF(time_parse(str_of(created), &s->created), "query parameter 'created'");
    s->tags = tags;
    s->tags_n = n;
    return OK;
}

void api_image_squash(struct api_call *c) {
    struct image_squash s = {0};
    struct err e = read_squash(c, &s);
    if (err_failed(e))
        api_reply_err(c, e);
    else
        image_squash(c->api->images, &s, squashed, c);
}
