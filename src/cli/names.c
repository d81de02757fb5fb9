/* names.c - the names that a daemon knows, for completion, and for the one that was meant. */
#include "cli/commands.h"
#include "spec/api_volume.h"
#include <stdio.h>
#include <string.h>

static struct err containers(struct client *c, struct arena *a, struct strs *ret) {
    struct objs list = {0};
    TRY(cli_get_array(c, "/containers/json?all=1", &api_container_summary_fields, a, &list));
    const struct api_container_summary *k = list.items;
    for (size_t i = 0; i < list.n; i++)
        if (k[i].names.n)
            strs_add(ret, a, k[i].names.items[0] + 1);
    return OK;
}

static struct err images(struct client *c, struct arena *a, struct strs *ret) {
    struct objs list = {0};
    TRY(cli_get_array(c, "/images/json", &api_image_summary_fields, a, &list));
    const struct api_image_summary *k = list.items;
    for (size_t i = 0; i < list.n; i++)
        for (size_t t = 0; t < k[i].repo_tags.n; t++)
            strs_add(ret, a, k[i].repo_tags.items[t]);
    return OK;
}

static struct err networks(struct client *c, struct arena *a, struct strs *ret) {
    struct objs list = {0};
    TRY(cli_get_array(c, "/networks", &api_network_fields, a, &list));
    const struct api_network *k = list.items;
    for (size_t i = 0; i < list.n; i++)
        strs_add(ret, a, k[i].name);
    return OK;
}

static struct err volumes(struct client *c, struct arena *a, struct strs *ret) {
    struct api_volume_list list = {0};
    struct client_call call = {.method = "GET",
                               .target = "/volumes",
                               .out_fields = &api_volume_list_fields,
                               .out = &list,
                               .arena = a};
    TRY(client_do(c, &call));
    const struct api_volume *k = list.volumes.items;
    for (size_t i = 0; i < list.volumes.n; i++)
        strs_add(ret, a, k[i].name);
    return OK;
}

struct err cli_names(struct client *c, const char *kind, struct arena *a, struct strs *ret) {
    static const struct {
        const char *kind;
        struct err (*fn)(struct client *c, struct arena *a, struct strs *ret);
    } kinds[] = {
        {"container", containers}, {"image", images}, {"network", networks}, {"volume", volumes}};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++)
        if (!strcmp(kind, kinds[i].kind))
            return kinds[i].fn(c, a, ret);
    return OK;
}

/* The one that is nearest to a word that is none of them; NULL: it is one, or nothing is near. */
static const char *meant(const struct strs *names, const char *word, struct arena *a) {
    const char *best = NULL, *tagged = cli_with_tag(word, a);
    size_t least = 3;
    for (size_t i = 0; i < names->n; i++) {
        const char *name = names->items[i];
        if (!strcmp(name, word) || !strcmp(name, tagged))
            return NULL;
        name_nearer(word, name, &least, &best);
        if (str_ends(str_of(name), STR(":latest"))) /* as people call it */
            name_nearer(word, arena_str(a, str_n(name, strlen(name) - strlen(":latest"))), &least,
                        &best);
    }
    return best;
}

/* cp: NAME:PATH names a container. */
static const char *object_of(const struct invocation *in, int i, struct arena *a) {
    struct str name, path;
    if (strcmp(in->command->name, "cp") != 0)
        return in->args[i];
    return str_cut(str_of(in->args[i]), ':', &name, &path) ? arena_str(a, name) : "";
}

void cli_suggest(struct invocation *in) {
    const struct command *k = in->command;
    bool is_cp = !strcmp(k->name, "cp"), joins = strstr(k->name, "connect") != NULL;
    int n = (k->args_max < 0 && !k->stop_at_args) || is_cp || joins ? in->args_n
                                                                    : MIN(in->args_n, 1);
    CLEAN_CLIENT struct client *c = NULL;
    struct strs names = {0};
    if (!k->names || n == 0 || strncmp(in->host, "unix://", 7) != 0)
        return;
    struct err e = client_open(in->host, &c);
    for (int i = 0; i < n && !err_failed(e); i++) {
        if (i == 0 || (joins && i == 1)) {
            names = (struct strs){0};
            e = cli_names(c, joins && i == 1 ? "container" : k->names, &in->arena, &names);
        }
        const char *near = meant(&names, object_of(in, i, &in->arena), &in->arena);
        if (near && !err_failed(e))
            fprintf(stderr, "Did you mean '%s'?\n", near);
    }
    err_free(e); /* what went wrong has been said; this is only a hint */
}
