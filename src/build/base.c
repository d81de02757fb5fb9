/* build/base.c - base images. */
#include "build/auth.h"
#include "build/lane.h"

struct str image_short(const char *id) {
    struct str s = str_of(id);
    if (str_starts(s, STR("sha256:")))
        s = str_from(s, strlen("sha256:"));
    return str_sub(s, 0, 12);
}

static struct err pull_show(struct build *b, const struct api_message *m) {
    CLEAN_BUF struct buf line = {0};
    if (b->report->out->socket < 0) {
        if (m->status && (!m->progress_detail || m->progress_detail->total == 0))
            return report_text(b->report, "%s%s%s\n", m->id ? m->id : "", m->id ? ": " : "",
                               m->status);
        return OK;
    }
    if (m->error || m->error_detail)
        return OK; /* becomes the build's own error */
    fields_print(&api_message_fields, m, &line);
    return report_raw(b->report, buf_str(&line));
}

static struct err pull_message(void *arg, const struct api_message *m) {
    turn_take(arg);
    struct err e = pull_show(arg, m);
    turn_leave(arg);
    return e;
}

/* A name without tag and digest means :latest. */
static const char *with_tag(struct build *b, const char *name) {
    const char *slash = strrchr(name, '/');
    if (strchr(slash ? slash : name, ':') || strchr(name, '@'))
        return name;
    return arena_printf(b->arena, "%s:latest", name);
}

struct err base_pull(struct build *b, const char *name) {
    struct client *puller;
    char *auth;
    TRY(auth_for_image(b->job->registry_config, name, b->arena, &auth));
    TRY(client_open_like(b->client, &puller));
    const struct platform *p = b->platform ? b->platform : &b->plan->platform;
    const char *wanted = platform_is_here(p) ? b->request->platform
                                             : arena_printf(b->arena, "%s/%s", p->os, p->arch);
    struct err e =
        AWAIT(b, client_image_pull(puller, with_tag(b, name), auth, wanted, pull_message, b));
    client_close(puller);
    return err_wrap(e, "pull %s", name);
}

struct err base_find(struct build *b, const char *name, struct build_base *ret) {
    bool id = str_starts(str_of(name), STR("sha256:")); /* of a layout: it is here */
    if (!b->request->pull || id) {
        struct err e = AWAIT(b, daemon_base(b->client, name, b->arena, ret));
        if (err_kind(e) != ERR_NOT_FOUND || id)
            return e;
        err_free(e); /* not here yet */
    }
    TRY(base_pull(b, name));
    return AWAIT(b, daemon_base(b->client, name, b->arena, ret));
}

/* A config with nothing in it but the platform: RUN containers then get nothing that the builder
 * did not set (no volumes, no health check, no entrypoint). */
static struct oci_image_config bare(struct arena *a) {
    struct platform here = platform_here();
    return (struct oci_image_config){.os = arena_strz(a, here.os),
                                     .architecture = arena_strz(a, here.arch)};
}

struct err base_layers(struct build *b, const char *image, char **ret_step) {
    CLEAN_KEY struct key k = {0};
    char key[KEY_TEXT];
    key_begin(&k, "base", image);
    key_end(&k, key);
    TRY(AWAIT(b, daemon_cache_get(b->client, key, b->arena, ret_step)));
    if (*ret_step)
        return OK;
    struct oci_image_config config = bare(b->arena);
    return AWAIT(b, daemon_image(b->client, image, key, true, &config, b->arena, ret_step));
}
