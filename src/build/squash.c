/* build/squash.c - the layers of this build as one. */
#include "build/lane.h"
#include "build/reference.h"

/* As the peer's: the entries of this build have no layers any more, one more stands for all. */
static void merge_history(struct build *b, struct state *s) {
    struct oci_history *h = s->image.history.items;
    for (size_t i = s->history_from; i < s->image.history.n; i++)
        h[i].empty_layer = true;
    struct oci_history *one = objs_add(&s->image.history, b->arena, sizeof(*one));
    *one = (struct oci_history){
        .created_by = arena_strz(b->arena, ""),
        .comment = s->base_name
                       ? arena_printf(b->arena, "merge %s to %s", s->layers, s->base_layers)
                       : arena_printf(b->arena, "create new from %s", s->layers)};
}

struct err squash(struct build *b, struct state *s, char **ret_layers) {
    CLEAN_BUF struct buf t = {0};
    struct api_id made = {0};
    if (strcmp(s->base_layers, s->layers) == 0) {
        *ret_layers = s->layers; /* nothing was made */
        return OK;
    }
    client_path(&t, "/corten/images/", s->layers, "/squash");
    if (s->base_name) /* else everything is above nothing */
        client_query(&t, "base", s->base_layers);
    struct client_call call = {.method = "POST",
                               .target = buf_cstr(&t),
                               .out_fields = &api_id_fields,
                               .out = &made,
                               .arena = b->arena};
    TRYF(client_do(b->client, &call), "squash");
    merge_history(b, s);
    *ret_layers = made.id;
    return OK;
}
