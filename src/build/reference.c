/* build/reference.c - names that are borrowed. */
#include "build/reference.h"

void split_tag(const char *name, struct str *ret_repo, struct str *ret_tag) {
    struct str s = str_of(name);
    ssize_t slash = str_rfind(s, '/'), colon = str_rfind(s, ':');
    *ret_repo = s;
    *ret_tag = STR("latest");
    if (colon > slash) {
        *ret_repo = str_sub(s, 0, (size_t)colon);
        *ret_tag = str_from(s, (size_t)colon + 1);
    }
}

struct err loan_take(struct build *b, const char *name, struct loan *ret) {
    struct build_base base = {0};
    struct str repo, tag;
    split_tag(name, &repo, &tag);
    *ret = (struct loan){.repo = arena_str(b->arena, repo), .tag = arena_str(b->arena, tag)};
    ret->name = arena_printf(b->arena, "%s:%s", ret->repo, ret->tag);
    struct err e = daemon_base(b->client, ret->name, b->arena, &base);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* free */
        return OK;
    }
    TRY(e);
    ret->owner = base.image;
    return OK;
}

/* Untagged parents are steps, which have to stay. */
static struct err image_delete(struct build *b, const char *name) {
    CLEAN_BUF struct buf t = {0};
    client_path(&t, "/images/", name, "");
    client_query_bool(&t, "noprune", true);
    struct client_call call = {.method = "DELETE", .target = buf_cstr(&t)};
    struct err e = client_do(b->client, &call);
    if (err_kind(e) != ERR_NOT_FOUND && err_kind(e) != ERR_CONFLICT)
        return e;
    err_ignore(e); /* gone already, or somebody uses it by now */
    return OK;
}

struct err loan_return(struct build *b, const struct loan *l) {
    if (l->owner)
        return client_image_tag(b->client, l->owner, l->repo, l->tag);
    return image_delete(b, l->name);
}

struct err image_forget(struct build *b, const char *image) {
    struct api_image i = {0};
    struct err e = client_image_inspect(b->client, image, b->arena, &i);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* went with its name */
        return OK;
    }
    TRY(e);
    return i.repo_tags.n ? OK : image_delete(b, image);
}
