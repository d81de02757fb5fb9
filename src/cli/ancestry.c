/* image ancestry: what an image is built on, oldest first. */
#include "cli/commands.h"
#include "spec/api_image.h"
#include "spec/lifecycle.h"

struct ancestry_options {
    bool no_trunc;
    const char *format;
};
static const struct option_row ancestry_rows[] = {
    FLAG(struct ancestry_options, no_trunc, 0, "no-trunc", "Nothing is shortened"),
    FORMAT(struct ancestry_options, format),
};

/* Foreign text: a terminal's control bytes are shown, not obeyed. */
static struct template_value plain(const char *z, struct arena *a) {
    CLEAN_BUF struct buf out = {0};
    lifecycle_escape(&out, str_of(z ? z : ""), true);
    return template_strz(arena_str(a, buf_str(&out)));
}
static const char *label(const struct lifecycle_ancestor *r, const char *name) {
    return strmap_get(&r->labels, name);
}

VIEW(v_name, struct lifecycle_ancestor, plain(r->name, a))
VIEW(v_id, struct lifecycle_ancestor, plain(r->id, a))
VIEW(v_digest, struct lifecycle_ancestor, plain(r->digest, a))
VIEW(v_created, struct lifecycle_ancestor, plain(r->created, a))
VIEW(v_by, struct lifecycle_ancestor, plain(r->by && * r->by ? r->by : "from", a))
VIEW(v_project, struct lifecycle_ancestor, plain(label(r, LIFECYCLE_BUILD "project"), a))
VIEW(v_revision, struct lifecycle_ancestor, plain(label(r, LIFECYCLE_OCI "revision"), a))
VIEW(v_source, struct lifecycle_ancestor, plain(label(r, LIFECYCLE_OCI "source"), a))
VIEW(v_labels, struct lifecycle_ancestor, view_labels(&r->labels, a))

GETTER(v_short) {
    struct str id = str_of(((const struct lifecycle_ancestor *)self)->id);
    if (str_starts(id, STR("sha256:")))
        id = str_sub(str_from(id, strlen("sha256:")), 0, 12);
    *ret = plain(arena_str(a, id), a);
    return OK;
}

static const struct template_member members[] = {
    {"Name", v_name, 0, 0, "NAME"},
    {"ShortID", v_short, 0, 0, "IMAGE ID"},
    {"ID", v_id, 0, 0, "IMAGE ID"},
    {"Digest", v_digest, 0, 0, "DIGEST"},
    {"CreatedAt", v_created, 0, 0, "CREATED AT"},
    {"By", v_by, 0, 0, "BY"},
    {"Project", v_project, 0, 0, "PROJECT"},
    {"Source", v_source, 0, 0, "SOURCE"},
    {"Revision", v_revision, 0, 0, "REVISION"},
    {"Labels", v_labels, 0, 0, "LABELS"},
};
static const struct template_type row_type = {"*lifecycle.ancestor", members, ARRAY_LEN(members)};

static int ancestry_run(struct invocation *in) {
    const struct ancestry_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    struct api_image image = {0};
    struct objs found = {0};
    struct strs problems = {0};
    if (!c)
        return 1;
    TRYF_STATUS(client_image_inspect(c, in->args[0], &in->arena, &image));
    if (image.config)
        lifecycle_ancestors(&image.config->labels, &in->arena, &found, &problems);
    struct lifecycle_ancestor *self = objs_add(&found, &in->arena, sizeof(*self));
    *self = (struct lifecycle_ancestor){
        .name = image.repo_tags.n ? image.repo_tags.items[0] : in->args[0],
        .id = image.id,
        .created = image.created,
        .by = arena_strz(&in->arena, "this"),
        .labels = image.config ? image.config->labels : (struct strmap){0}};
    for (size_t i = 0; i < problems.n; i++)
        fprintf(stderr, "corten: %s\n", problems.items[i]);
    return cli_rows(in,
                    &(struct cli_list){.fields = &lifecycle_ancestor_fields,
                                       .format = o->format,
                                       .otherwise = o->no_trunc
                                                        ? "{{.Name}}\t{{.ID}}\t{{.CreatedAt}}\t"
                                                          "{{.By}}\t{{.Project}}\t{{.Revision}}"
                                                        : "{{.Name}}\t{{.ShortID}}\t"
                                                          "{{.CreatedAt}}\t{{.By}}\t{{.Project}}",
                                       .type = &row_type,
                                       .whole = o->no_trunc},
                    &found);
}

const struct command command_image_ancestry = {
    .name = "image ancestry",
    .usage = "image ancestry [OPTIONS] IMAGE",
    .summary = "List what an image is built on, oldest first, and the image itself",
    OPTIONS_OF(ancestry_rows, struct ancestry_options),
    .names = "image",
    .json = true,
    .args_min = 1,
    .args_max = 1,
    .run = ancestry_run};
