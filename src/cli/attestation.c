/* image attestation: the in-toto statements that are kept about an image. */
#include "base/json.h"
#include "cli/commands.h"
#include <stdio.h>

static int attestation_run(struct invocation *in) {
    CLEAN_BUF struct buf target = {0}, raw = {0};
    CLEAN_JSON struct json *all = NULL;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    client_path(&target, "/corten/images/", in->args[0], "/attestation");
    TRYF_STATUS(cli_get_raw(c, buf_cstr(&target), &raw));
    TRYF_STATUS(err_wrap(json_parse(str_trim(buf_str(&raw)), &all), "corten: the daemon's answer"));
    if (in->json) {
        printf("%.*s\n", STR_ARG(str_trim(buf_str(&raw))));
        return 0;
    }
    if (json_len(all) == 0) {
        fprintf(stderr, "corten: %s has no attestation\n", in->args[0]);
        return 1;
    }
    for (size_t i = 0; i < json_len(all); i++) {
        CLEAN_BUF struct buf one = {0};
        json_print(json_at(all, i), &one);
        printf("%.*s\n", STR_ARG(buf_str(&one)));
    }
    return 0;
}

const struct command command_image_attestation = {
    .name = "image attestation",
    .usage = "image attestation IMAGE",
    .summary = "Print the in-toto statements about an image, newest first, one a line",
    .names = "image",
    .json = true,
    .args_min = 1,
    .args_max = 1,
    .run = attestation_run};
