/* The platform that somebody asked for. Apart from what talks to registries: the daemon checks it
 * before it starts a worker, and links no transfer library for that. */
#include "registry/manifest.h"
#include <stdio.h>

/* Other names of machines, and the variant that goes without saying. */
static const struct {
    const char *name, *architecture, *variant;
} machines[] = {{"x86_64", "amd64", ""},  {"x86-64", "amd64", ""}, {"aarch64", "arm64", ""},
                {"armhf", "arm", "v7"},   {"armel", "arm", "v6"},  {"i386", "386", ""},
                {"arm64/v8", "arm64", ""}};

struct err platform_parse(struct str text, struct platform *ret) {
    struct str os = text, machine = STR_NONE, architecture, variant;
    *ret = (struct platform){0};
    str_cut(text, '/', &os, &machine);
    if (text.len > 0 && !str_eq_nocase(os, STR("linux")))
        return err_new(ERR_UNSUPPORTED,
                       "image operating system \"%.*s\" cannot be used on this "
                       "platform",
                       STR_ARG(os));
    if (machine.len == 0)
        machine = STR(IMAGE_ARCHITECTURE);
    str_cut(machine, '/', &architecture, &variant);
    for (size_t i = 0; i < ARRAY_LEN(machines); i++)
        if (str_eq_nocase(machine, str_of(machines[i].name))) {
            architecture = str_of(machines[i].architecture);
            variant = str_of(machines[i].variant);
        }
    if (architecture.len == 0 || architecture.len >= sizeof(ret->architecture) ||
        variant.len >= sizeof(ret->variant) || str_find(variant, '/') >= 0)
        return err_new(ERR_INVALID, "\"%.*s\" is an invalid platform", STR_ARG(text));
    snprintf(ret->architecture, sizeof(ret->architecture), "%.*s", STR_ARG(architecture));
    snprintf(ret->variant, sizeof(ret->variant), "%.*s", STR_ARG(variant));
    snprintf(ret->text, sizeof(ret->text), "linux/%s%s%s", ret->architecture,
             variant.len ? "/" : "", ret->variant);
    return OK;
}
