/* image squash: the layers of an image as one. */
#include "cli/command.h"
#include "spec/api_image.h"

struct squash_options {
    const char *base;
    struct strv tags;
};
static const struct option_row rows[] = {
    TEXT(struct squash_options, base, 0, "base", "IMAGE",
         "Keep the layers of this image, on which it was built"),
    LIST(struct squash_options, tags, 't', "tag", "NAME[:TAG]", "Name of the result"),
};

static int squash_run(struct invocation *in) {
    const struct squash_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0};
    if (!c)
        return 1;
    client_path(&target, "/corten/images/", in->args[0], "/squash");
    if (o->base)
        client_query(&target, "base", o->base);
    for (size_t i = 0; i < o->tags.n; i++)
        client_query(&target, "tag", o->tags.items[i]);
    return cli_make(in, c, buf_cstr(&target));
}

const struct command command_image_squash = {
    .name = "image squash",
    .waits = true,
    .usage = "image squash [OPTIONS] IMAGE",
    .summary = "Make an image of one layer out of several",
    .examples = "corten image squash -t app:flat app\tall layers become one\n"
                "corten image squash --base debian:12 -t app:flat app\tbut those of its base",
    .args_min = 1,
    .args_max = 1,
    OPTIONS_OF(rows, struct squash_options),
    .json = true,
    .names = "image",
    .run = squash_run};
