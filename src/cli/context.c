/* context: daemons that commands can be sent to, kept as docker keeps them:
 * contexts/meta/HASH/meta.json and contexts/tls/HASH/docker/{ca,cert,key}.pem below ~/.docker,
 * HASH being the SHA-256 of the name. */
#include "archive/tar_read.h"
#include "archive/tar_write.h"
#include "base/file.h"
#include "cli/helper.h"
#include "cli/host.h"
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PEM_MAX (1u << 20)

static const char *const pem_files[] = {"ca.pem", "cert.pem", "key.pem"};
static const char *const pem_keys[] = {"ca", "cert", "key"};

/* libcrypto is loaded here only: no other call needs it. */
struct err cli_hash(const char *name, struct arena *a, char **ret) {
    unsigned char digest[32];
    CLEAN_BUF struct buf hex = {0};
    void *lib = dlopen("libcrypto.so.3", RTLD_NOW | RTLD_LOCAL);
    unsigned char *(*sha256)(const unsigned char *, size_t, unsigned char *) = NULL;
    if (lib)
        *(void **)&sha256 = dlsym(lib, "SHA256");
    if (!sha256)
        return err_new(ERR_UNAVAILABLE, "corten: libcrypto.so.3 (OpenSSL 3) cannot be loaded");
    sha256((const unsigned char *)name, strlen(name), digest);
    buf_add_hex(&hex, digest, sizeof digest);
    *ret = arena_str(a, buf_str(&hex));
    dlclose(lib);
    return OK;
}

static bool good_name(const char *name) {
    size_t n = strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._+-");
    return n == strlen(name) && n > 1 && n < 255 && name[0] != '.' && name[0] != '-' &&
           strcmp(name, "default") != 0;
}

static struct err check_name(const char *name) {
    if (good_name(name))
        return OK;
    return err_new(ERR_INVALID,
                   !strcmp(name, "default")
                       ? "corten: context \"%s\" is reserved: it is this machine's daemon"
                       : "corten: context name \"%s\" is invalid: letters, digits, '._+-', at "
                         "least two",
                   name);
}

struct setting {
    const char *name, *description, *host, *pem[3]; /* pem: texts, NULL: none */
    bool skip_verify;
};

static void meta_json(const struct setting *s, struct buf *out) {
    struct json_out jo = {.out = out};
    jo_obj(&jo);
    jo_kstr(&jo, "Name", s->name);
    jo_key(&jo, "Metadata");
    jo_obj(&jo);
    if (s->description && *s->description)
        jo_kstr(&jo, "Description", s->description);
    jo_obj_end(&jo);
    jo_key(&jo, "Endpoints");
    jo_obj(&jo);
    jo_key(&jo, "docker");
    jo_obj(&jo);
    jo_kstr(&jo, "Host", s->host);
    jo_kbool(&jo, "SkipTLSVerify", s->skip_verify);
    jo_obj_end(&jo);
    jo_obj_end(&jo);
    jo_obj_end(&jo);
}

static struct err store(const struct config *c, const struct setting *s, struct arena *a) {
    CLEAN_BUF struct buf meta = {0};
    char *hash;
    TRY(cli_hash(s->name, a, &hash));
    const char *meta_dir = arena_printf(a, "%s/contexts/meta/%s", c->dir, hash),
               *tls_dir = arena_printf(a, "%s/contexts/tls/%s/docker", c->dir, hash);
    meta_json(s, &meta);
    TRYF(dir_make(meta_dir, 0755), "corten: make %s", meta_dir);
    for (size_t i = 0; i < ARRAY_LEN(pem_files); i++) {
        if (!s->pem[i])
            continue;
        TRYF(dir_make(tls_dir, 0700), "corten: make %s", tls_dir);
        TRYF(file_replace(arena_printf(a, "%s/%s", tls_dir, pem_files[i]), str_of(s->pem[i]), 0600,
                          false),
             "corten: write %s", tls_dir);
    }
    return err_wrap(
        file_replace(arena_printf(a, "%s/meta.json", meta_dir), buf_str(&meta), 0644, false),
        "corten: write %s", meta_dir);
}

static struct err load_pem(const struct config *c, const struct context *x, struct arena *a,
                           struct setting *s) {
    *s = (struct setting){.name = x->name,
                          .description = x->description,
                          .host = x->host,
                          .skip_verify = x->skip_verify};
    for (size_t i = 0; i < ARRAY_LEN(pem_files); i++) {
        CLEAN_BUF struct buf text = {0};
        struct err e =
            file_read(arena_printf(a, "%s/contexts/tls/%s/docker/%s", c->dir, x->dir, pem_files[i]),
                      PEM_MAX, &text);
        if (err_kind(e) == ERR_NOT_FOUND)
            err_free(e); /* not every context has all of them */
        else if (err_failed(e))
            return e;
        else
            s->pem[i] = arena_str(a, buf_str(&text));
    }
    return OK;
}

static struct err find(const struct config *c, const char *name, struct arena *a,
                       struct setting *ret) {
    struct contexts all = {0};
    struct err e = contexts_load(c, a, &all);
    const struct context *x = err_failed(e) ? NULL : contexts_find(&all, name);
    if (x)
        e = load_pem(c, x, a, ret);
    else if (!err_failed(e))
        e = err_new(ERR_NOT_FOUND, "corten: context \"%s\": context not found", name);
    contexts_done(&all);
    return e;
}

static bool exists(const struct config *c, const char *name, struct arena *a) {
    struct setting s;
    struct err e = find(c, name, a, &s);
    bool there = !err_failed(e);
    err_free(e); /* whatever it is, a context of that name cannot be read */
    return there;
}

/* --- ls, show, use, inspect ------------------------------------------------------------------- */

struct context_row {
    const char *name, *description, *host, *error;
    bool current;
};
VIEW(v_name, struct context_row, template_strz(r->name))
VIEW(v_description, struct context_row, template_strz(r->description))
VIEW(v_host, struct context_row, template_strz(r->host))
VIEW(v_error, struct context_row, template_strz(r->error))
VIEW(v_current, struct context_row, template_bool(r->current))
GETTER(v_marked) {
    const struct context_row *r = self;
    *ret = template_strz(r->current ? arena_printf(a, "%s *", r->name) : r->name);
    return OK;
}
static const struct template_member context_members[] = {
    {"Name", v_name, 0, 0, "NAME"},
    {"Description", v_description, 0, 0, "DESCRIPTION"},
    {"DockerEndpoint", v_host, 0, 0, "DOCKER ENDPOINT"},
    {"Current", v_current, 0, 0, "CURRENT"},
    {"Error", v_error, 0, 0, "ERROR"},
    {"Marked", v_marked, 1, 1, "NAME"},
};
TYPE_OF(context_type, "*formatter.clientContext", context_members);

struct ls_options {
    bool quiet;
    const char *format;
};
static const struct option_row ls_rows[] = {
    FLAG(struct ls_options, quiet, 'q', "quiet", "Only names"), FORMAT(struct ls_options, format)};

static void warn_of_environment(void) {
    const char *host = getenv("DOCKER_HOST"), *own = getenv("CORTEN_HOST");
    fflush(stdout);
    if ((host && *host) || (own && *own))
        fprintf(stderr,
                "Warning: %s environment variable overrides the active context. To use a context, "
                "either set the global --context flag, or unset it.\n",
                own && *own ? "CORTEN_HOST" : "DOCKER_HOST");
}

static int ls_run(struct invocation *in) {
    const struct ls_options *o = in->options;
    struct contexts all = {0};
    struct listing l = {0};
    const char *host = !strcmp(in->context, "default") && in->host ? in->host : DEFAULT_HOST;
    TRYF_STATUS(contexts_load(in->config, &in->arena, &all));
    struct err e = listing_begin(&l, o->format, o->quiet ? "{{.Name}}" : NULL,
                                 "{{.Marked 0}}\t{{.Description}}\t{{.DockerEndpoint}}\t{{.Error}}",
                                 &context_type);
    struct context_row first = {"default", "This machine's daemon (DOCKER_HOST, or the default)",
                                host, "", !strcmp(in->context, "default")};
    bool shown = false;
    for (size_t i = 0; i <= all.n && !err_failed(e); i++) {
        if (!shown && (i == all.n || strcmp("default", all.items[i].name) < 0)) {
            e = listing_row(&l, &first);
            shown = true;
        }
        if (i < all.n && !err_failed(e)) {
            const struct context *x = &all.items[i];
            e = listing_row(&l, &(struct context_row){x->name, x->description, x->host, "",
                                                      !strcmp(in->context, x->name)});
        }
    }
    contexts_done(&all);
    int status = listing_end(&l, e);
    warn_of_environment();
    return status;
}

/* The name on stdout, what became of it on stderr. */
static void said(const struct invocation *in, const char *name, const char *words) {
    cli_say(in, "name", name);
    if (!in->json)
        fprintf(stderr, words, name);
}

static int show_run(struct invocation *in) {
    cli_say(in, "name", in->context);
    return 0;
}

static int use_run(struct invocation *in) {
    const char *name = in->args[0];
    CLEAN_BUF struct buf json = {0};
    struct setting s;
    if (strcmp(name, "default") != 0)
        TRYF_STATUS(find(in->config, name, &in->arena, &s));
    json_quote(&json, str_of(name));
    TRYF_STATUS(config_write(in->config, "currentContext", NULL,
                             strcmp(name, "default") ? buf_cstr(&json) : NULL));
    said(in, name, "Current context is now \"%s\"\n");
    warn_of_environment();
    return 0;
}

struct inspect_options {
    const char *format;
};
static const struct option_row inspect_rows[] = {
    {.letter = 'f',
     .name = "format",
     .argument = "TEMPLATE",
     .help = "Print each by this Go template",
     .kind = OPTION_FORMAT,
     .offset = offsetof(struct inspect_options, format)}};

static void inspect_json(struct invocation *in, const struct setting *s, const char *hash,
                         struct buf *out) {
    CLEAN_BUF struct buf meta = {0};
    struct json_out jo = {.out = out};
    meta_json(s, &meta);
    buf_truncate(&meta, meta.len - 1);
    buf_adds(&meta, ",\"TLSMaterial\":{");
    bool any = false;
    for (size_t i = 0; i < ARRAY_LEN(pem_files); i++) {
        if (!s->pem[i])
            continue;
        buf_addf(&meta, "%s\"%s\"", any ? "," : "\"docker\":[", pem_files[i]);
        any = true;
    }
    buf_addf(&meta, "%s},\"Storage\":{\"MetadataPath\":", any ? "]" : "");
    CLEAN_FREE char *meta_path = *hash ? mem_printf("%s/contexts/meta/%s", in->config->dir, hash)
                                       : mem_strdup("<IN MEMORY>");
    CLEAN_FREE char *tls_path = *hash ? mem_printf("%s/contexts/tls/%s", in->config->dir, hash)
                                      : mem_strdup("<IN MEMORY>");
    json_quote(&meta, str_of(meta_path));
    buf_adds(&meta, ",\"TLSPath\":");
    json_quote(&meta, str_of(tls_path));
    buf_adds(&meta, "}}");
    jo_raw(&jo, buf_str(&meta));
}

static int inspect_run(struct invocation *in) {
    const struct inspect_options *o = in->options;
    CLEAN_BUF struct buf out = {0};
    size_t shown = 0;
    for (int i = 0; i < MAX(in->args_n, 1); i++) {
        const char *name = in->args_n ? in->args[i] : in->context;
        CLEAN_BUF struct buf json = {0};
        struct setting s = {.name = name, .host = in->host ? in->host : DEFAULT_HOST};
        char *hash = arena_strz(&in->arena, "");
        if (strcmp(name, "default") != 0) {
            TRYF_STATUS(find(in->config, name, &in->arena, &s));
            TRYF_STATUS(cli_hash(name, &in->arena, &hash));
        }
        inspect_json(in, &s, hash, &json);
        if (o->format && *o->format) {
            TRYF_STATUS(document_print(o->format, buf_str(&json), NULL, &out));
        } else {
            buf_adds(&out, shown++ ? ",\n    " : "\n    ");
            json_pretty(buf_str(&json), 1, 4, &out);
        }
    }
    printf(o->format && *o->format ? "%s" : "[%s\n]\n", buf_cstr(&out));
    return 0;
}

/* --- create, update, rm ----------------------------------------------------------------------- */

struct create_options {
    const char *description, *docker, *from;
    bool force;
};
#define C struct create_options
static const struct option_row create_rows[] = {
    TEXT(C, description, 0, "description", "TEXT", "What it is"),
    TEXT(C, docker, 0, "docker", "FIELDS",
         "host=…[,ca=FILE][,cert=FILE][,key=FILE][,skip-tls-verify=true]"),
    TEXT(C, from, 0, "from", "CONTEXT", "Begin with a copy of this one"),
};
static const struct option_row update_rows[] = {
    TEXT(C, description, 0, "description", "TEXT", "What it is"),
    TEXT(C, docker, 0, "docker", "FIELDS",
         "host=…[,ca=FILE][,cert=FILE][,key=FILE][,skip-tls-verify=true]"),
};
static const struct option_row rm_rows[] = {FLAG(C, force, 'f', "force", "The current one, too")};
#undef C

static struct err docker_fields(const char *text, struct arena *a, struct setting *s) {
    struct str rest = str_of(text), one, key, value;
    while (str_next(&rest, ',', &one)) {
        size_t i = 0;
        str_cut(one, '=', &key, &value);
        while (i < ARRAY_LEN(pem_keys) && !str_eqz(key, pem_keys[i]))
            i++;
        if (i < ARRAY_LEN(pem_keys)) {
            CLEAN_BUF struct buf pem = {0};
            const char *path = arena_str(a, value);
            TRYF(file_read(path, PEM_MAX, &pem), "corten: read %s", path);
            s->pem[i] = arena_str(a, buf_str(&pem));
        } else if (str_eqz(key, "host")) {
            s->host = arena_str(a, value);
        } else if (str_eqz(key, "skip-tls-verify")) {
            s->skip_verify = str_eqz(value, "true") || str_eqz(value, "1");
        } else if (str_eqz(key, "from")) {
            return err_new(ERR_UNSUPPORTED, "corten: --docker from=… is not supported: use --from");
        } else {
            return err_new(ERR_INVALID, "corten: --docker: unrecognized config key: %.*s",
                           STR_ARG(key));
        }
    }
    return OK;
}

static int create_run(struct invocation *in) {
    const struct create_options *o = in->options;
    struct setting s = {0};
    const char *name = in->args[0];
    TRYF_STATUS(check_name(name));
    if (exists(in->config, name, &in->arena))
        return cli_fail(err_new(ERR_CONFLICT, "corten: context \"%s\" already exists", name), 1);
    if (o->from && strcmp(o->from, "default") != 0)
        TRYF_STATUS(find(in->config, o->from, &in->arena, &s));
    else if (o->from || !o->docker)
        s.host = in->host ? in->host : DEFAULT_HOST;
    s.name = name;
    if (o->description)
        s.description = o->description;
    if (o->docker)
        TRYF_STATUS(docker_fields(o->docker, &in->arena, &s));
    if (!s.host)
        return cli_usage(in, "--docker needs host=…");
    TRYF_STATUS(store(in->config, &s, &in->arena));
    said(in, name, "Successfully created context \"%s\"\n");
    return 0;
}

static int update_run(struct invocation *in) {
    const struct create_options *o = in->options;
    struct setting s = {0};
    TRYF_STATUS(check_name(in->args[0]));
    TRYF_STATUS(find(in->config, in->args[0], &in->arena, &s));
    if (o->description)
        s.description = o->description;
    if (o->docker)
        TRYF_STATUS(docker_fields(o->docker, &in->arena, &s));
    TRYF_STATUS(store(in->config, &s, &in->arena));
    said(in, in->args[0], "Successfully updated context \"%s\"\n");
    return 0;
}

static struct err remove_one(struct invocation *in, const char *name) {
    const struct create_options *o = in->options;
    const char *kept = config_text(in->config, "currentContext", &in->arena);
    struct setting s;
    char *hash;
    TRY(check_name(name));
    TRY(find(in->config, name, &in->arena, &s));
    if (kept && !strcmp(kept, name)) {
        if (!o->force)
            return err_new(ERR_CONFLICT,
                           "corten: context \"%s\" is in use, set -f flag to force remove", name);
        TRY(config_write(in->config, "currentContext", NULL, NULL));
    }
    TRY(cli_hash(name, &in->arena, &hash));
    TRY(dir_remove(AT_FDCWD,
                   arena_printf(&in->arena, "%s/contexts/tls/%s", in->config->dir, hash)));
    return dir_remove(AT_FDCWD,
                      arena_printf(&in->arena, "%s/contexts/meta/%s", in->config->dir, hash));
}

static int rm_run(struct invocation *in) {
    int status = 0;
    for (int i = 0; i < in->args_n; i++) {
        struct err e = remove_one(in, in->args[i]);
        if (err_failed(e))
            status = cli_fail(e, 1);
        else
            cli_say(in, "name", in->args[i]);
    }
    return status;
}

/* --- export, import --------------------------------------------------------------------------- */

static struct err write_out(void *arg, const void *p, size_t n) {
    int r = fd_write_all(*(const int *)arg, p, n);
    return r < 0 ? err_errno(-r, "corten: write") : OK;
}

static int export_run(struct invocation *in) {
    CLEAN_BUF struct buf meta = {0};
    struct setting s;
    const char *name = in->args[0],
               *path = in->args_n > 1 ? in->args[1]
                                      : arena_printf(&in->arena, "%s.dockercontext", name);
    TRYF_STATUS(find(in->config, name, &in->arena, &s));
    bool standard = !strcmp(path, "-");
    if (standard && in->json)
        return cli_usage(in, "--json: only with a file");
    if (standard && isatty(1))
        return cli_usage(in, "cowardly refusing to export to a terminal, specify a file path");
    CLEAN_FD int fd = standard ? fcntl(1, F_DUPFD_CLOEXEC, 3)
                               : open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return cli_fail(err_errno(errno, "corten: open %s", path), 1);
    struct tar_sink sink = {.write = write_out, .arg = &fd};
    meta_json(&s, &meta);
    TRYF_STATUS(tar_put_file(&sink, "meta.json", buf_str(&meta), 0));
    for (size_t i = 0; i < ARRAY_LEN(pem_files); i++)
        if (s.pem[i])
            TRYF_STATUS(tar_put_file(&sink, arena_printf(&in->arena, "tls/docker/%s", pem_files[i]),
                                     str_of(s.pem[i]), 0));
    TRYF_STATUS(tar_put_end(&sink));
    if (in->json)
        cli_say(in, "path", path);
    else if (!standard)
        fprintf(stderr, "Written file \"%s\"\n", path);
    return 0;
}

static struct err take_meta(struct str text, struct arena *a, struct setting *s) {
    CLEAN_JSON struct json *root = NULL;
    TRYF(json_parse(str_trim(text), &root), "corten: meta.json");
    struct json *docker = json_get(json_get(root, "Endpoints"), "docker");
    s->description = arena_str(a, json_str(json_get(json_get(root, "Metadata"), "Description")));
    s->host = arena_str(a, json_str(json_get(docker, "Host")));
    s->skip_verify = json_bool(json_get(docker, "SkipTLSVerify"), false);
    return *s->host ? OK : err_new(ERR_INVALID, "corten: meta.json names no host");
}

static struct err take_entries(struct tar_reader *t, struct arena *a, struct setting *s) {
    const struct tar_entry *e;
    for (;;) {
        CLEAN_BUF struct buf text = {0};
        TRY(tar_next(t, &e));
        if (!e)
            return s->host ? OK : err_new(ERR_INVALID, "corten: invalid context: no meta.json");
        const char *path = arena_strz(a, e->path);
        TRY(tar_read_all(t, PEM_MAX, &text));
        if (!strcmp(path, "meta.json"))
            TRY(take_meta(buf_str(&text), a, s));
        for (size_t i = 0; i < ARRAY_LEN(pem_files); i++)
            if (!strcmp(path, arena_printf(a, "tls/docker/%s", pem_files[i])))
                s->pem[i] = arena_str(a, buf_str(&text));
    }
}

static int import_run(struct invocation *in) {
    struct setting s = {.name = in->args[0]};
    bool standard = !strcmp(in->args[1], "-");
    TRYF_STATUS(check_name(in->args[0]));
    if (exists(in->config, in->args[0], &in->arena))
        return cli_fail(err_new(ERR_CONFLICT, "corten: context \"%s\" already exists", in->args[0]),
                        1);
    CLEAN_FD int fd = standard ? fcntl(0, F_DUPFD_CLOEXEC, 3)
                               : open(in->args[1], O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return cli_fail(err_errno(errno, "corten: open %s", in->args[1]), 1);
    OWN(stream_clean) struct stream *stream = stream_fd(fd);
    OWN(tar_reader_clean) struct tar_reader *t = tar_reader_new(stream);
    TRYF_STATUS(err_wrap(take_entries(t, &in->arena, &s), "corten: %s", in->args[1]));
    TRYF_STATUS(store(in->config, &s, &in->arena));
    said(in, in->args[0], "Successfully imported context \"%s\"\n");
    return 0;
}

const struct command command_context_ls = {.name = "context ls",
                                           .alias = "context list",
                                           .usage = "context ls [OPTIONS]",
                                           .summary = "List contexts",
                                           OPTIONS_OF(ls_rows, struct ls_options),
                                           .run = ls_run};
const struct command command_context_show = {.name = "context show",
                                             .usage = "context show",
                                             .summary = "Print the name of the current context",
                                             .json = true,
                                             .run = show_run};
const struct command command_context_use = {.name = "context use",
                                            .usage = "context use CONTEXT",
                                            .summary = "Send commands to this one from now on",
                                            .args_min = 1,
                                            .args_max = 1,
                                            .names = "context",
                                            .json = true,
                                            .run = use_run};
const struct command command_context_inspect = {.name = "context inspect",
                                                .usage = "context inspect [OPTIONS] [CONTEXT...]",
                                                .summary = "Show all that is known about contexts",
                                                OPTIONS_OF(inspect_rows, struct inspect_options),
                                                .args_max = -1,
                                                .names = "context",
                                                .run = inspect_run};
const struct command command_context_create = {
    .name = "context create",
    .usage = "context create [OPTIONS] CONTEXT",
    .summary = "Create a context",
    .examples = "corten context create far --docker host=ssh://me@far.example\tover ssh\n"
                "corten context create lab --docker "
                "host=tcp://lab:2376,ca=ca.pem,cert=cert.pem,key=key.pem\tover TLS",
    OPTIONS_OF(create_rows, struct create_options),
    .args_min = 1,
    .args_max = 1,
    .json = true,
    .run = create_run};
const struct command command_context_update = {.name = "context update",
                                               .usage = "context update [OPTIONS] CONTEXT",
                                               .summary = "Change a context",
                                               OPTIONS_OF(update_rows, struct create_options),
                                               .args_min = 1,
                                               .args_max = 1,
                                               .names = "context",
                                               .json = true,
                                               .run = update_run};
const struct command command_context_rm = {.name = "context rm",
                                           .alias = "context remove",
                                           .usage = "context rm [OPTIONS] CONTEXT [CONTEXT...]",
                                           .summary = "Remove contexts",
                                           OPTIONS_OF(rm_rows, struct create_options),
                                           .args_min = 1,
                                           .args_max = -1,
                                           .names = "context",
                                           .json = true,
                                           .run = rm_run};
const struct command command_context_export = {.name = "context export",
                                               .usage = "context export CONTEXT [FILE|-]",
                                               .summary = "Write a context to an archive",
                                               .args_min = 1,
                                               .args_max = 2,
                                               .names = "context",
                                               .json = true,
                                               .run = export_run};
const struct command command_context_import = {.name = "context import",
                                               .usage = "context import CONTEXT FILE|-",
                                               .summary = "Read a context from an archive",
                                               .args_min = 2,
                                               .args_max = 2,
                                               .json = true,
                                               .run = import_run};
