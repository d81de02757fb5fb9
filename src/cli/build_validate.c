/* build --validate: the new image runs, is asked by its own method whether it is what it should be,
 * and gets its names only then. */
#include "base/time.h"
#include "cli/build_job.h"
#include "cli/life.h"
#include "spec/api_method.h"
#include <stdio.h>
#include <time.h>

#define LOOK (200 * NSEC_PER_MSEC)

static void wait_a_moment(void) {
    const struct timespec t = {.tv_nsec = LOOK};
    nanosleep(&t, NULL);
}

static struct err look(struct client *c, const char *id, struct arena *a, struct api_lifecycle *l,
                       struct api_container *k) {
    CLEAN_BUF struct buf target = {0}, body = {0};
    client_path(&target, "/containers/", id, "/methods");
    client_query(&target, "method", "validate");
    TRY(cli_get_raw(c, buf_cstr(&target), &body));
    TRY(fields_decode(&api_lifecycle_fields, buf_str(&body), a, l));
    return client_container_inspect(c, id, a, k);
}

/* The first result that counts. */
static struct err await(struct client *c, struct invocation *in, const char *id) {
    for (;;) {
        CLEAN_ARENA struct arena a = {0};
        struct api_lifecycle l;
        struct api_container k;
        TRY(look(c, id, &a, &l, &k));
        if (!objmap_get(&l.methods, "validate"))
            return err_new(ERR_INVALID, "corten: the image has no validate method: not tagged");
        const struct method_result *r = l.results.items;
        if (l.results.n) {
            CLEAN_BUF struct buf text = {0};
            method_result_text(&r[l.results.n - 1], &text);
            life_say(in, "new image", &r[l.results.n - 1]);
            return method_result_good(&r[l.results.n - 1])
                       ? OK
                       : err_new(ERR_CONFLICT, "corten: not tagged: %s", buf_cstr(&text));
        }
        if (!k.state.running)
            return err_new(ERR_CONFLICT,
                           "corten: not tagged: it exited (%lld) before it was validated",
                           (long long)k.state.exit_code);
        wait_a_moment();
    }
}

static struct err run_and_ask(struct client *c, struct invocation *in, const char *image) {
    struct api_container_created made = {0};
    struct api_container_create doc = {.config.image = (char *)(uintptr_t)image};
    TRY(client_container_create(c, NULL, NULL, &doc, &in->arena, &made));
    struct err e = client_container_start(c, made.id, NULL);
    if (!err_failed(e))
        e = await(c, in, made.id);
    struct err gone = client_container_remove(c, made.id, true, true);
    if (!err_failed(e))
        return gone;
    err_ignore(gone); /* the first one is the one to tell */
    return e;
}

struct err build_validate(struct invocation *in, const char *image, const struct strv *tags) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c || !image)
        return err_new(ERR_UNAVAILABLE, "corten: the new image cannot be validated");
    TRY(run_and_ask(c, in, image));
    for (size_t i = 0; i < tags->n; i++) {
        const char *repo, *tag;
        cli_split_tag(tags->items[i], &in->arena, &repo, &tag);
        TRY(client_image_tag(c, image, repo, *tag ? tag : "latest"));
        fprintf(stderr, "tagged %s\n", tags->items[i]);
    }
    return OK;
}
