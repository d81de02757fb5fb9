/* images, history. */
#include "base/time.h"
#include "cli/commands.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct images_options {
    bool all, quiet, no_trunc, digests, tree;
    const char *format;
    struct strv filter;
};
static const struct option_row images_rows[] = {
    FLAG(struct images_options, all, 'a', "all", "Images that only others are made of, too"),
    FLAG(struct images_options, quiet, 'q', "quiet", "Only IDs"),
    FLAG(struct images_options, no_trunc, 0, "no-trunc", "Nothing is shortened"),
    FLAG(struct images_options, digests, 0, "digests", "Digests, too"),
    FLAG(struct images_options, tree, 0, "tree", "Platforms below each image"),
    FILTER(struct images_options, filter),
    FORMAT(struct images_options, format),
};

struct image_row {
    const struct api_image_summary *i;
    const char *repo, *tag, *digest;
    bool cut;
};

VIEW(v_id, struct image_row, view_id(r->i->id, r->cut))
VIEW(v_repo, struct image_row, template_strz(r->repo))
VIEW(v_tag, struct image_row, template_strz(r->tag))
VIEW(v_digest, struct image_row, template_strz(r->digest))
VIEW(v_since, struct image_row, view_since(r->i->created, a))
VIEW(v_at, struct image_row, view_time(r->i->created, a))

static struct template_value size_value(int64_t bytes, struct arena *a) {
    struct buf out = {0};
    if (bytes < 0)
        return template_strz("N/A");
    human_size((double)bytes, &out);
    return view_take(a, &out);
}

GETTER(v_virtual) {
    const struct image_row *r = self;
    struct buf out = {0};
    human_bytes((double)r->i->size, 4, &out);
    *ret = view_take(a, &out);
    return OK;
}

VIEW(v_size, struct image_row, size_value(r->i->size, a))
VIEW(v_shared, struct image_row, size_value(r->i->shared_size, a))
VIEW(v_unique, struct image_row,
     size_value(r->i->shared_size < 0 ? -1 : r->i->size - r->i->shared_size, a))
VIEW(v_containers, struct image_row,
     r->i->containers < 0 ? template_strz("N/A")
                          : template_strz(arena_printf(a, "%lld", (long long)r->i->containers)))

static const struct template_member image_members[] = {
    {"ID", v_id, 0, 0, "IMAGE ID"},
    {"Repository", v_repo, 0, 0, "REPOSITORY"},
    {"Tag", v_tag, 0, 0, "TAG"},
    {"Digest", v_digest, 0, 0, "DIGEST"},
    {"CreatedSince", v_since, 0, 0, "CREATED"},
    {"CreatedAt", v_at, 0, 0, "CREATED AT"},
    {"Size", v_size, 0, 0, "SIZE"},
    {"Containers", v_containers, 0, 0, "CONTAINERS"},
    {"VirtualSize", v_virtual, 0, 0, "SIZE"},
    {"SharedSize", v_shared, 0, 0, "SHARED SIZE"},
    {"UniqueSize", v_unique, 0, 0, "UNIQUE SIZE"},
};
TYPE_OF(image_type, "*formatter.imageContext", image_members);

static const char *digest_for(const struct api_image_summary *i, const char *repo) {
    for (size_t k = 0; k < i->repo_digests.n; k++) {
        struct str name, digest;
        if (str_cut(str_of(i->repo_digests.items[k]), '@', &name, &digest) && str_eqz(name, repo))
            return digest.p;
    }
    return "<none>";
}

/* A row for each tag; for a name that only digests have, one each; else one without a name. */
static struct err image_rows(struct listing *l, const struct api_image_summary *i, bool cut,
                             bool quiet, struct arena *a) {
    struct image_row r = {i, "<none>", "<none>", "<none>", cut};
    if (quiet || (i->repo_tags.n == 0 && i->repo_digests.n == 0))
        return listing_row(l, &r);
    for (size_t t = 0; t < i->repo_tags.n; t++) {
        cli_split_tag(i->repo_tags.items[t], a, &r.repo, &r.tag);
        r.digest = digest_for(i, r.repo);
        TRY(listing_row(l, &r));
    }
    for (size_t d = 0; i->repo_tags.n == 0 && d < i->repo_digests.n; d++) {
        struct str name, digest;
        str_cut(str_of(i->repo_digests.items[d]), '@', &name, &digest);
        r.repo = arena_str(a, name);
        r.digest = digest.len ? digest.p : "<none>";
        TRY(listing_row(l, &r));
    }
    return OK;
}

static struct err images_row(struct listing *l, const void *element, struct invocation *in) {
    const struct images_options *o = in->options;
    return image_rows(l, element, !o->no_trunc, o->quiet && !o->format, &in->arena);
}

static int images_run(struct invocation *in) {
    const struct images_options *o = in->options;
    CLEAN_STRV struct strv filters = {0};
    if (o->tree)
        return cli_usage(in, "--tree is not supported: images here have one platform");
    for (size_t i = 0; i < o->filter.n; i++)
        strv_add(&filters, o->filter.items[i]);
    if (in->args_n)
        strv_addf(&filters, "reference=%s", in->args[0]);
    return cli_list(
        in, &(struct cli_list){
                .target = o->all ? "/images/json?all=1" : "/images/json",
                .filter = &filters,
                .fields = &api_image_summary_fields,
                .format = o->format,
                .config = "imagesFormat",
                .otherwise = o->digests ? "{{.Repository}}\t{{.Tag}}\t{{.Digest}}\t{{.ID}}\t"
                                          "{{.CreatedSince}}\t{{.Size}}"
                                        : "{{.Repository}}\t{{.Tag}}\t{{.ID}}\t{{.CreatedSince}}\t"
                                          "{{.Size}}",
                .quiet = o->quiet ? "{{.ID}}" : NULL,
                .type = &image_type,
                .whole = o->no_trunc,
                .row = images_row});
}

/* --- history ---------------------------------------------------------------------------------- */

struct history_options {
    bool human, no_trunc, quiet;
    const char *format, *platform;
};
static const struct option_row history_rows[] = {
    FLAG_ON(struct history_options, human, 'H', "human", "Sizes and times for people"),
    FLAG(struct history_options, no_trunc, 0, "no-trunc", "Nothing is shortened"),
    FLAG(struct history_options, quiet, 'q', "quiet", "Only IDs"),
    TEXT(struct history_options, platform, 0, "platform", "OS/ARCH", "Of which platform"),
    FORMAT(struct history_options, format),
};

struct history_row {
    const struct api_image_history *h;
    const struct history_options *o;
};

VIEW(h_id, struct history_row, view_id(r->h->id, !r->o->no_trunc))
VIEW(h_at, struct history_row, template_strz(({
         char text[TIME_TEXT_MAX];
         arena_strz(a, time_format(r->h->created * NSEC_PER_SEC, text));
     })))
VIEW(h_size, struct history_row,
     r->o->human ? size_value(r->h->size, a)
                 : template_strz(arena_printf(a, "%lld", (long long)r->h->size)))
VIEW(h_comment, struct history_row, template_strz(r->h->comment))

GETTER(h_since) {
    const struct history_row *r = self;
    if (!r->o->human)
        return h_at(self, a, args, args_n, ret);
    *ret = r->h->created > 0 ? view_since(r->h->created, a) : template_strz("N/A");
    return OK;
}

GETTER(h_by) {
    const struct history_row *r = self;
    char *text = arena_strz(a, r->h->created_by ? r->h->created_by : "");
    for (char *p = text; *p; p++)
        if (*p == '\t')
            *p = ' ';
    *ret = r->o->no_trunc ? template_strz(text) : view_ellipsis(text, 45, a);
    return OK;
}

static const struct template_member history_members[] = {
    {"ID", h_id, 0, 0, "IMAGE"},
    {"CreatedSince", h_since, 0, 0, "CREATED"},
    {"CreatedAt", h_at, 0, 0, "CREATED AT"},
    {"CreatedBy", h_by, 0, 0, "CREATED BY"},
    {"Size", h_size, 0, 0, "SIZE"},
    {"Comment", h_comment, 0, 0, "COMMENT"},
};
TYPE_OF(history_type, "*image.historyContext", history_members);

static struct err history_row(struct listing *l, const void *element, struct invocation *in) {
    return listing_row(l, &(struct history_row){element, in->options});
}

static int history_run(struct invocation *in) {
    const struct history_options *o = in->options;
    CLEAN_BUF struct buf target = {0};
    client_path(&target, "/images/", in->args[0], "/history");
    client_query(&target, "platform", o->platform);
    return cli_list(in, &(struct cli_list){.target = buf_cstr(&target),
                                           .fields = &api_image_history_fields,
                                           .format = o->format,
                                           .otherwise = "{{.ID}}\t{{.CreatedSince}}\t"
                                                        "{{.CreatedBy}}\t{{.Size}}\t{{.Comment}}",
                                           .quiet = o->quiet ? "{{.ID}}" : NULL,
                                           .type = &history_type,
                                           .whole = o->no_trunc,
                                           .row = history_row});
}

const struct command command_images = {
    .name = "images",
    .alias = "image ls, image list",
    .usage = "images [OPTIONS] [REPOSITORY[:TAG]]",
    .summary = "List images",
    .examples = "corten images 'example/*'\tthose of one name\n"
                "corten images -f dangling=true -q\tIDs of those without a name",
    OPTIONS_OF(images_rows, struct images_options),
    .args_max = 1,
    .names = "image",
    .run = images_run};
const struct command command_history = {.name = "history",
                                        .alias = "image history",
                                        .usage = "history [OPTIONS] IMAGE",
                                        .summary = "Show how an image was made",
                                        OPTIONS_OF(history_rows, struct history_options),
                                        .args_min = 1,
                                        .args_max = 1,
                                        .names = "image",
                                        .run = history_run};
