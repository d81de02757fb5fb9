/* system check, system gc: the image store proves itself, and makes room. */
#include "base/time.h"
#include "cli/command.h"
#include "spec/corten_store.h"
#include <stdio.h>
#include <string.h>

static int print_json(const struct fields *table, const void *doc) {
    CLEAN_BUF struct buf out = {0};
    fields_print(table, doc, &out);
    printf("%s\n", buf_cstr(&out));
    return 0;
}

/* --- check ------------------------------------------------------------------------------------ */

struct check_options {
    bool repair;
};
static const struct option_row check_rows[] = {
    FLAG(struct check_options, repair, 0, "repair",
         "Unpack damaged layers again from their blobs, remove what nothing refers to"),
};

static int check_run(struct invocation *in) {
    const struct check_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf size = {0};
    struct store_check doc = {0};
    size_t open = 0;
    if (!c)
        return 1;
    TRYF_STATUS(
        cli_post_document(c, o->repair ? "/corten/system/check?repair=1" : "/corten/system/check",
                          NULL, NULL, &store_check_fields, &doc, &in->arena));
    const struct store_problem *p = doc.problems.items;
    for (size_t i = 0; i < doc.problems.n; i++)
        open += !p[i].repair || !*p[i].repair;
    if (in->json)
        return print_json(&store_check_fields, &doc), open > 0;
    for (size_t i = 0; i < doc.problems.n; i++)
        printf("%s %s: %s%s%s\n", p[i].kind, p[i].name, p[i].what,
               p[i].repair && *p[i].repair ? "; " : "", p[i].repair ? p[i].repair : "");
    human_size((double)doc.bytes, &size);
    printf("%lld blobs and %lld layers looked at, %s read: ", (long long)doc.blobs,
           (long long)doc.layers, buf_cstr(&size));
    if (doc.problems.n == 0)
        printf("all is well\n");
    else
        printf("%zu problems, %zu of them repaired\n", doc.problems.n, doc.problems.n - open);
    return open > 0;
}

const struct command command_system_check = {
    .name = "system check",
    .usage = "system check [OPTIONS]",
    .summary = "Prove every byte and every directory of the image store",
    .examples = "corten system check\tfind damage; the status is 1 when there is some\n"
                "corten system check --repair\tand mend it, while containers run",
    .json = true,
    OPTIONS_OF(check_rows, struct check_options),
    .run = check_run};

/* --- gc --------------------------------------------------------------------------------------- */

struct gc_options {
    int64_t max_bytes, min_free;
    const char *max_age;
    struct strv keep;
    bool images, dry_run, all;
};
static const struct option_row gc_rows[] = {
    FLAG(struct gc_options, all, 'a', "all", "Also say what stays, and why"),
    FLAG(struct gc_options, dry_run, 'n', "dry-run", "Only say what would be removed"),
    FLAG(struct gc_options, images, 0, "images", "Named images may be removed as well"),
    LIST(struct gc_options, keep, 0, "keep", "PATTERN", "Images of such a name stay"),
    TEXT(struct gc_options, max_age, 0, "max-age", "DURATION",
         "Remove what was unused for longer ('72h')"),
    BYTES(struct gc_options, max_bytes, 0, "max-size", "BYTES",
          "Make images and build cache this small"),
    BYTES(struct gc_options, min_free, 0, "min-free", "BYTES",
          "Make this much room on the file system"),
};

static struct err gc_query(struct invocation *in, struct store_gc_query *q) {
    struct gc_options *o = in->options;
    q->dry_run = o->dry_run;
    if (option_given(in, "max-size"))
        q->max_bytes = &o->max_bytes;
    if (option_given(in, "min-free"))
        q->min_free = &o->min_free;
    if (o->max_age) {
        q->max_age = arena_alloc(&in->arena, sizeof(*q->max_age));
        TRYF(duration_parse(str_of(o->max_age), q->max_age), "corten: --max-age");
    }
    if (option_given(in, "images"))
        q->images = &o->images;
    for (size_t i = 0; i < o->keep.n; i++)
        strs_add(&q->keep, &in->arena, o->keep.items[i]);
    return OK;
}

static void print_items(const struct objs *items, const char *verb) {
    const struct store_gc_item *g = items->items;
    for (size_t i = 0; i < items->n; i++) {
        CLEAN_BUF struct buf size = {0};
        human_size((double)g[i].bytes, &size);
        printf("%s %s %.12s %s%s(%s): %s\n", verb, g[i].kind,
               strncmp(g[i].id, "sha256:", 7) == 0 ? g[i].id + 7 : g[i].id, g[i].name,
               *g[i].name ? " " : "", buf_cstr(&size), g[i].reason);
    }
}

static int gc_run(struct invocation *in) {
    const struct gc_options *o = in->options;
    struct store_gc_query q = {0};
    struct store_gc doc = {0};
    CLEAN_BUF struct buf size = {0};
    TRYF_STATUS(gc_query(in, &q));
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    TRYF_STATUS(cli_post_document(c, "/corten/system/gc", &store_gc_query_fields, &q,
                                  &store_gc_fields, &doc, &in->arena));
    if (in->json)
        return print_json(&store_gc_fields, &doc);
    print_items(&doc.removed, doc.dry_run ? "would remove" : "removed");
    if (o->all)
        print_items(&doc.kept, "kept");
    human_size((double)doc.reclaimed, &size);
    printf("Total %s: %s\n", doc.dry_run ? "reclaimable" : "reclaimed space", buf_cstr(&size));
    return 0;
}

const struct command command_system_gc = {
    .name = "system gc",
    .usage = "system gc [OPTIONS]",
    .summary = "Remove build cache and images by a policy",
    .examples = "corten system gc --max-age 168h\twhat nobody used for a week\n"
                "corten system gc --images --max-size 20g --keep 'postgres:*' -n\twhat would go",
    .json = true,
    OPTIONS_OF(gc_rows, struct gc_options),
    .run = gc_run};
