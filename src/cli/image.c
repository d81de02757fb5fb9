/* images and what is done to them. */
#include "base/file.h"
#include "base/time.h"
#include "cli/commands.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- tag, rmi
 * ----------------------------------------------------------------------------------------------------------------
 */

static int tag_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    const char *repo, *tag;
    if (!c)
        return 1;
    cli_split_tag(in->args[1], &in->arena, &repo, &tag);
    const char *slash = strrchr(repo, '/');
    if (strchr(slash ? slash : repo, ':'))
        return cli_fail(err_new(ERR_INVALID,
                                "corten: Error parsing reference: \"%s\" is not a valid "
                                "repository/tag: invalid reference format",
                                in->args[1]),
                        1);
    TRYF_STATUS(client_image_tag(c, in->args[0], repo, tag));
    if (in->json)
        cli_say(in, "name", in->args[1]);
    return 0;
}

struct rmi_options {
    bool force, no_prune;
    struct strv platform;
};
static const struct option_row rmi_rows[] = {
    FLAG(struct rmi_options, force, 'f', "force", "Force removal of the image"),
    COMMAS(struct rmi_options, platform, 0, "platform", "OS/ARCH", "Only of this platform"),
    FLAG(struct rmi_options, no_prune, 0, "no-prune", "Do not delete untagged parents"),
};

static struct err delete_image(struct client *c, const struct invocation *in, const char *name) {
    const struct rmi_options *o = in->options;
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf target = {0}, body = {0};
    CLEAN_JSON struct json *root = NULL;
    client_path(&target, "/images/", name, "");
    client_query_bool(&target, "force", o->force);
    client_query_bool(&target, "noprune", o->no_prune);
    for (size_t i = 0; i < o->platform.n; i++)
        client_query(&target, "platforms", o->platform.items[i]);
    struct client_call call = {.method = "DELETE", .target = buf_cstr(&target)};
    TRY(client_begin(c, &call));
    TRY(cli_read_body(c, &body));
    TRYF(json_parse(buf_str(&body), &root), "corten: the daemon's answer");
    for (size_t i = 0; i < json_len(root); i++) {
        struct api_image_deleted d;
        TRY(fields_decode_json(&api_image_deleted_fields, json_at(root, i), "", &a, &d));
        if (in->json)
            cli_say(in, d.untagged && *d.untagged ? "untagged" : "deleted",
                    d.untagged && *d.untagged ? d.untagged : d.deleted);
        else if (d.untagged && *d.untagged)
            printf("Untagged: %s\n", d.untagged);
        else if (d.deleted)
            printf("Deleted: %s\n", d.deleted);
    }
    return OK;
}

static int rmi_run(struct invocation *in) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    int status = 0;
    if (!c)
        return 1;
    for (int i = 0; i < in->args_n; i++) {
        const struct rmi_options *o = in->options;
        struct err e = delete_image(c, in, in->args[i]);
        bool was_gone = o->force && err_kind(e) == ERR_NOT_FOUND;
        if (err_failed(e))
            status = cli_fail(e, was_gone ? status : 1);
    }
    return status;
}

/* --- pull, push
 * -----------------------------------------------------------------------------------------------------------------
 */

struct pull_options {
    bool quiet, all_tags, disable_trust;
    const char *platform;
};
#define PULL_ROWS                                                                                 \
    FLAG(struct pull_options, quiet, 'q', "quiet", "No progress"),                                \
        FLAG(struct pull_options, all_tags, 'a', "all-tags", "Every tag of the repository"),      \
        TEXT(struct pull_options, platform, 0, "platform", "OS/ARCH", "Platform of the image"), { \
        .name = "disable-content-trust", .kind = OPTION_FLAG, .otherwise = "true",                \
        .offset = offsetof(struct pull_options, disable_trust)                                    \
    }
static const struct option_row pull_rows[] = {PULL_ROWS};

static int pull_run(struct invocation *in) {
    const struct pull_options *o = in->options;
    const char *auth = "", *repo, *tag;
    const char *platform = o->platform ? o->platform : getenv("DOCKER_DEFAULT_PLATFORM");
    cli_split_tag(in->args[0], &in->arena, &repo, &tag);
    if (!o->disable_trust)
        return cli_usage(in, "--disable-content-trust=false is not supported: there is no notary");
    if (o->all_tags && *tag)
        return cli_usage(in, "tag can't be used with --all-tags/-a");
    const char *name = o->all_tags ? in->args[0] : cli_with_tag(in->args[0], &in->arena);
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    TRYF_STATUS(config_auth(in->config, in->args[0], &in->arena, &auth));
    bool quiet = o->quiet || in->json;
    if (name != in->args[0] && !quiet)
        printf("Using default tag: latest\n");
    struct progress p = {.quiet = quiet, .tty = isatty(1)};
    struct err e = client_image_pull(c, name, auth, platform, progress_show, &p);
    progress_done(&p);
    if (err_failed(e))
        return cli_fail(e, 1);
    ssize_t slash = str_find(str_of(name), '/');
    bool has_host = slash > 0 &&
                    (strcspn(name, ".:") < (size_t)slash || !strncmp(name, "localhost/", 10));
    cli_say(in, "name",
            arena_printf(&in->arena, "%s%s",
                         has_host    ? ""
                         : slash > 0 ? "docker.io/"
                                     : "docker.io/library/",
                         name));
    return 0;
}

static const struct option_row push_rows[] = {PULL_ROWS};

struct err cli_push(struct invocation *in, struct client *c, const struct cli_push *p) {
    CLEAN_BUF struct buf target = {0};
    const char *repo, *tag, *auth = "";
    cli_split_tag(p->name, &in->arena, &repo, &tag);
    TRY(config_auth(in->config, p->name, &in->arena, &auth));
    client_path(&target, "/images/", repo, "/push");
    client_query(&target, "tag", *tag ? tag : p->all_tags ? NULL : "latest");
    client_query(&target, "platform", p->platform);
    struct progress shown = {.quiet = p->quiet, .tty = isatty(1)};
    struct client_call call = {
        .method = "POST",
        .target = buf_cstr(&target),
        .headers = arena_printf(&in->arena, "X-Registry-Auth: %s\r\n", *auth ? auth : "e30=")};
    struct err e = client_begin(c, &call);
    if (!err_failed(e))
        e = client_messages(c, progress_show, &shown);
    progress_done(&shown);
    return e;
}

static int push_run(struct invocation *in) {
    const struct pull_options *o = in->options;
    CLEAN_CLIENT struct client *c = NULL;
    const char *repo, *tag;
    cli_split_tag(in->args[0], &in->arena, &repo, &tag);
    if (!o->disable_trust)
        return cli_usage(in, "--disable-content-trust=false is not supported: there is no notary");
    if (o->all_tags && *tag)
        return cli_usage(in, "tag can't be used with --all-tags/-a");
    if (!(c = cli_connect(in)))
        return 1;
    bool quiet = o->quiet || in->json;
    if (!*tag && !o->all_tags && !quiet)
        printf("Using default tag: latest\n");
    TRYF_STATUS(cli_push(in, c,
                         &(struct cli_push){.name = in->args[0],
                                            .platform = o->platform,
                                            .all_tags = o->all_tags,
                                            .quiet = quiet}));
    if (quiet)
        cli_say(in, "name", in->args[0]);
    return 0;
}

/* --- load, save, import
 * -----------------------------------------------------------------------------------------------------------
 */

/* What is loaded, of all that a daemon says about it. */
static struct err message_json(void *arg, const struct api_message *m) {
    static const char *const words[] = {"Loaded image ID: ", "Loaded image: "};
    const struct invocation *in = arg;
    if (m->error && *m->error)
        return err_new(ERR_SYSTEM, "corten: %s", m->error);
    for (size_t i = 0; i < ARRAY_LEN(words); i++) {
        struct str text = str_trim(str_of(m->stream));
        if (!str_starts(text, str_of(words[i])))
            continue;
        CLEAN_FREE char *name = str_dup(str_from(text, strlen(words[i])));
        cli_say(in, i ? "name" : "id", name);
    }
    if (m->status && !strncmp(m->status, "sha256:", 7))
        cli_say(in, "id", m->status);
    return OK;
}

/* fd: the body, -1: none. */
static struct err upload(struct invocation *in, struct client *c, const char *target, int fd) {
    struct progress p = {.tty = isatty(1)};
    struct client_call call = {.method = "POST", .target = target};
    if (fd >= 0) {
        call.content_type = "application/x-tar";
        call.body_read = cli_read_fd;
        call.body_arg = &fd;
    }
    struct err e = client_begin(c, &call);
    if (!err_failed(e))
        e = in->json ? client_messages(c, message_json, in) : client_messages(c, progress_show, &p);
    progress_done(&p);
    return e;
}

static struct err open_input(const char *path, int *ret_fd) {
    *ret_fd = !path || !strcmp(path, "-") ? fcntl(0, F_DUPFD_CLOEXEC, 3)
                                          : open(path, O_RDONLY | O_CLOEXEC);
    return *ret_fd < 0
               ? err_new(ERR_INVALID, "corten: open %s: %s", path ? path : "stdin", strerror(errno))
               : OK;
}

/* OS/ARCH[/VARIANT] texts as the documents that the API takes, one parameter each. */
static void platforms_query(struct buf *target, const struct strv *platforms) {
    for (size_t i = 0; i < platforms->n; i++) {
        CLEAN_BUF struct buf text = {0};
        struct json_out jo = {.out = &text};
        struct str rest = str_of(platforms->items[i]), os, arch, variant;
        str_cut(rest, '/', &os, &rest);
        str_cut(rest, '/', &arch, &variant);
        jo_obj(&jo);
        jo_keys(&jo, STR("architecture"));
        jo_str(&jo, arch);
        jo_keys(&jo, STR("os"));
        jo_str(&jo, os);
        if (variant.len) {
            jo_keys(&jo, STR("variant"));
            jo_str(&jo, variant);
        }
        jo_obj_end(&jo);
        client_query(target, "platform", buf_cstr(&text));
    }
}

struct load_options {
    const char *input;
    bool quiet;
    struct strv platform;
};
static const struct option_row load_rows[] = {
    TEXT(struct load_options, input, 'i', "input", "FILE",
         "Read from a tar archive file instead of STDIN"),
    FLAG(struct load_options, quiet, 'q', "quiet", "Suppress the load output"),
    COMMAS(struct load_options, platform, 0, "platform", "OS/ARCH", "Only of this platform"),
};

static int load_run(struct invocation *in) {
    const struct load_options *o = in->options;
    CLEAN_CLIENT struct client *c = NULL;
    CLEAN_FD int fd = -1;
    if (!o->input && isatty(0)) {
        fprintf(stderr, "requested load from stdin, but stdin is empty\n");
        return 1;
    }
    CLEAN_BUF struct buf target = {0};
    buf_adds(&target, "/images/load");
    client_query(&target, "quiet", o->quiet ? "1" : NULL);
    platforms_query(&target, &o->platform);
    struct err e = open_input(o->input, &fd);
    if (!err_failed(e) && !(c = cli_connect(in)))
        return 1;
    if (!err_failed(e))
        e = upload(in, c, buf_cstr(&target), fd);
    return err_failed(e) ? cli_fail(e, 1) : 0;
}

struct import_options {
    const char *message, *platform;
    struct strv changes;
};
static const struct option_row import_rows[] = {
    TEXT(struct import_options, message, 'm', "message", "TEXT",
         "Set commit message for imported image"),
    LIST(struct import_options, changes, 'c', "change", "INSTRUCTION",
         "Apply Dockerfile instruction to the created image"),
    TEXT(struct import_options, platform, 0, "platform", "OS/ARCH", "Platform of the image"),
};

static int import_run(struct invocation *in) {
    const struct import_options *o = in->options;
    CLEAN_CLIENT struct client *c = NULL;
    CLEAN_BUF struct buf target = {0};
    CLEAN_FD int fd = -1;
    const char *repo = "", *tag = "", *from = in->args[0];
    bool is_url = !strncmp(from, "http://", 7) || !strncmp(from, "https://", 8);
    struct err e = is_url ? OK : open_input(from, &fd);
    if (!err_failed(e) && !(c = cli_connect(in)))
        return 1;
    if (in->args_n > 1)
        cli_split_tag(in->args[1], &in->arena, &repo, &tag);
    buf_adds(&target, "/images/create");
    client_query(&target, "fromSrc", is_url ? from : "-");
    client_query(&target, "repo", repo);
    client_query(&target, "tag", *tag ? tag : NULL);
    client_query(&target, "message", o->message);
    client_query(&target, "platform",
                 o->platform ? o->platform : getenv("DOCKER_DEFAULT_PLATFORM"));
    for (size_t i = 0; i < o->changes.n; i++)
        client_query(&target, "changes", o->changes.items[i]);
    if (!err_failed(e))
        e = upload(in, c, buf_cstr(&target), fd);
    return err_failed(e) ? cli_fail(e, 1) : 0;
}

struct save_options {
    const char *output;
    struct strv platform;
};
static const struct option_row save_rows[] = {
    TEXT(struct save_options, output, 'o', "output", "FILE", "Write to a file, instead of STDOUT"),
    COMMAS(struct save_options, platform, 0, "platform", "OS/ARCH", "Only of this platform"),
};

static int save_run(struct invocation *in) {
    const struct save_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0};
    CLEAN_FD int fd = -1;
    if (!c)
        return 1;
    if (!o->output && in->json)
        return cli_usage(in, "--json: only with --output");
    if (!o->output && isatty(1)) {
        fprintf(stderr, "cowardly refusing to save to a terminal. Use the -o flag or redirect\n");
        return 1;
    }
    buf_adds(&target, "/images/get");
    for (int i = 0; i < in->args_n; i++)
        client_query(&target, "names", in->args[i]);
    platforms_query(&target, &o->platform);
    struct client_call call = {.method = "GET", .target = buf_cstr(&target)};
    struct err e = client_begin(c, &call);
    if (!err_failed(e)) {
        fd = o->output ? open(o->output, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600)
                       : fcntl(1, F_DUPFD_CLOEXEC, 3);
        e = fd < 0 ? err_new(ERR_INVALID, "corten: open %s: %s", o->output, strerror(errno))
                   : cli_copy_out(c, fd, NULL);
    }
    if (!err_failed(e) && in->json)
        cli_say(in, "path", o->output);
    return err_failed(e) ? cli_fail(e, 1) : 0;
}

const struct command command_tag = {.name = "tag",
                                    .names = "image",
                                    .alias = "image tag",
                                    .usage = "tag SOURCE_IMAGE[:TAG] TARGET_IMAGE[:TAG]",
                                    .summary = "Give an image one more name",
                                    .args_min = 2,
                                    .args_max = 2,
                                    .json = true,
                                    .run = tag_run};
const struct command command_rmi = {.name = "rmi",
                                    .waits = true,
                                    .names = "image",
                                    .alias = "image rm, image remove",
                                    .usage = "rmi [OPTIONS] IMAGE [IMAGE...]",
                                    .summary = "Remove images",
                                    OPTIONS_OF(rmi_rows, struct rmi_options),
                                    .args_min = 1,
                                    .args_max = -1,
                                    .json = true,
                                    .run = rmi_run};
const struct command command_pull = {.name = "pull",
                                     .alias = "image pull",
                                     .usage = "pull [OPTIONS] NAME[:TAG|@DIGEST]",
                                     .summary = "Download an image from a registry",
                                     OPTIONS_OF(pull_rows, struct pull_options),
                                     .args_min = 1,
                                     .args_max = 1,
                                     .json = true,
                                     .run = pull_run};
const struct command command_push = {.name = "push",
                                     .names = "image",
                                     .alias = "image push",
                                     .usage = "push [OPTIONS] NAME[:TAG]",
                                     .summary = "Upload an image to a registry",
                                     OPTIONS_OF(push_rows, struct pull_options),
                                     .args_min = 1,
                                     .args_max = 1,
                                     .json = true,
                                     .run = push_run};
const struct command command_load = {.name = "load",
                                     .waits = true,
                                     .alias = "image load",
                                     .usage = "load [OPTIONS]",
                                     .summary = "Load images from an archive",
                                     OPTIONS_OF(load_rows, struct load_options),
                                     .json = true,
                                     .run = load_run};
const struct command command_import = {.name = "import",
                                       .waits = true,
                                       .alias = "image import",
                                       .usage = "import [OPTIONS] FILE|URL|- [REPOSITORY[:TAG]]",
                                       .summary = "Make an image from a tar of files",
                                       OPTIONS_OF(import_rows, struct import_options),
                                       .args_min = 1,
                                       .args_max = 2,
                                       .json = true,
                                       .run = import_run};
const struct command command_save = {.name = "save",
                                     .names = "image",
                                     .alias = "image save",
                                     .usage = "save [OPTIONS] IMAGE [IMAGE...]",
                                     .summary = "Write images to an archive (to stdout)",
                                     OPTIONS_OF(save_rows, struct save_options),
                                     .args_min = 1,
                                     .args_max = -1,
                                     .json = true,
                                     .run = save_run};
