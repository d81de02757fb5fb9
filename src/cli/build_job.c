/* build: what is asked for, as the builder's job. */
#include "cli/build_job.h"
#include "base/file.h"
#include "base/path.h"
#include "base/random.h"
#include "cli/commands.h"
#include "cli/helper.h"
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LAYOUT "oci-layout://"
#define DOCKERFILE_MAX (4u << 20)

#define O struct build_options
static const struct option_row build_rows[] = {
    LIST(O, tags, 't', "tag", "NAME[:TAG]", "Name and optionally a tag"),
    TEXT(O, file, 'f', "file", "PATH", "Dockerfile; '-' reads it from standard input"),
    LIST(O, build_args, 0, "build-arg", "NAME[=VALUE]", "Set build-time variables"),
    LIST(O, contexts, 0, "build-context",
         "NAME=DIR|docker-image://REF|oci-layout://DIR[:NAME|@DIGEST]",
         "Another directory or image for COPY --from and FROM"),
    LIST(O, outputs, 'o', "output", "DIR|type=local|tar|oci|docker[,dest=PATH]",
         "Write the result somewhere besides"),
    LIST(O, secrets, 0, "secret", "id=NAME[,src=FILE|,env=VAR]",
         "Secret for RUN --mount=type=secret"),
    LIST(O, ssh, 0, "ssh", "default|NAME[=SOCKET]", "SSH agent's socket for RUN --mount=type=ssh"),
    LIST(O, allow, 0, "allow", "ENTITLEMENT", "Allow network.host or security.insecure to RUN"),
    LIST(O, annotations, 0, "annotation", "[manifest:|index:]KEY=VALUE",
         "Say something about the image in its manifest, or in its index with --provenance"),
    LIST(O, labels, 0, "label", "KEY=VALUE", "Set metadata for an image"),
    LIST(O, add_hosts, 0, "add-host", "HOST:IP", "Add a host to /etc/hosts of the steps"),
    LIST(O, ulimits, 0, "ulimit", "NAME=SOFT[:HARD]", "Limits of the steps"),
    LIST(O, security, 0, "security-opt", "OPTION", "Security options of the steps"),
    LIST(O, fresh, 0, "no-cache-filter", "STAGE", "Do not use the cache for this stage"),
    LIST(O, cache_from, 0, "cache-from", "IMAGE|type=registry,ref=IMAGE|type=local,src=DIR",
         "Take steps from there as well (those that the daemon has are used anyway)"),
    LIST(O, cache_to, 0, "cache-to",
         "IMAGE|type=registry,ref=IMAGE[,mode=max]|type=local,dest=DIR[,mode=max]|type=inline",
         "Keep the steps there as well"),
    TEXT(O, target, 0, "target", "STAGE", "Set the target build stage to build"),
    TEXT(O, network, 0, "network", "MODE", "Network of the steps: default, none, host"),
    TEXT(O, iidfile, 0, "iidfile", "FILE", "Write the image ID to the file"),
    TEXT(O, metadata, 0, "metadata-file", "FILE", "Write facts about the result to the file"),
    TEXT(O, platform, 0, "platform", "OS/ARCH", "Platform to build for"),
    TEXT(O, progress, 0, "progress", "MODE", "auto, plain, tty, rawjson or quiet"),
    TEXT(O, cgroup_parent, 0, "cgroup-parent", "PATH", "Parent cgroup of the steps"),
    TEXT(O, cpuset_cpus, 0, "cpuset-cpus", "LIST", "CPUs that the steps may use"),
    TEXT(O, cpuset_mems, 0, "cpuset-mems", "LIST", "Memory nodes that the steps may use"),
    BYTES(O, memory, 'm', "memory", "BYTES", "Memory limit of a step"),
    BYTES(O, memory_swap, 0, "memory-swap", "BYTES", "Memory and swap limit of a step"),
    BYTES(O, shm_size, 0, "shm-size", "BYTES", "Size of /dev/shm of a step"),
    INT(O, cpu_shares, 'c', "cpu-shares", "N", "CPU shares of a step"),
    INT(O, cpu_period, 0, "cpu-period", "USEC", "CPU period of a step"),
    INT(O, cpu_quota, 0, "cpu-quota", "USEC", "CPU quota of a step"),
    FLAG(O, no_cache, 0, "no-cache", "Do not use cache when building the image"),
    FLAG(O, squash, 0, "squash", "All layers above the base as one"),
    FLAG(O, pull, 0, "pull", "Always attempt to pull a newer version of the image"),
    FLAG(O, push, 0, "push", "Push all names of the result"),
    FLAG(O, load, 0, "load", "The result is an image of the daemon (it always is)"),
    FLAG(O, check, 0, "check", "Do not build: check the Dockerfile"),
    FLAG(O, explain, 0, "explain", "Say of each step that is not cached why"),
    FLAG(O, validate, 0, "validate",
         "Run the image and give it its names once its validate method is good"),
    FLAG(O, verify, 0, "verify", "Build twice without cache: both must give the same image"),
    TEXT(
        O, provenance, 0, "provenance", "true|false|min|max|mode=MODE",
        "As --attest type=provenance; false: no labels that say where the image comes from either"),
    LIST(O, attest, 0, "attest", "type=provenance[,mode=min|max][,builder-id=ID]",
         "Push and save the image with a statement of how it was built"),
    TEXT(O, sbom, 0, "sbom", "false", NULL),
    /* The context is not sent, and no container is left: these have nothing more to do. */
    FLAG(O, compress, 0, "compress", NULL),
    FLAG(O, force_rm, 0, "force-rm", NULL),
    {.name = "rm", .kind = OPTION_FLAG, .offset = offsetof(O, rm), .otherwise = "true"},
    {.name = "disable-content-trust",
     .kind = OPTION_FLAG,
     .offset = offsetof(O, disable_trust),
     .otherwise = "true"},
    TEXT(O, isolation, 0, "isolation", "NAME", NULL),
    FLAG(O, quiet, 'q', "quiet", "Suppress the build output and print image ID on success"),
};
#undef O

const struct command command_build = {.name = "build",
                                      .alias = "image build, builder build",
                                      .usage = "build [OPTIONS] PATH | URL | -",
                                      .summary = "Build an image from a Dockerfile",
                                      OPTIONS_OF(build_rows, struct build_options),
                                      .args_min = 1,
                                      .args_max = 1,
                                      .json = true,
                                      .run = build_run};

static int why_cache_run(struct invocation *in) {
    struct build_options *o = in->options;
    o->explain = true;
    return build_run(in);
}

const struct command command_why_cache = {
    .name = "why cache",
    .usage = "why cache [OPTIONS] PATH | URL | -",
    .summary = "Build, and say of each step that is not cached why",
    .examples = "corten why cache .\twhich file of the context it was",
    OPTIONS_OF(build_rows, struct build_options),
    .args_min = 1,
    .args_max = 1,
    .json = true,
    .run = why_cache_run};

/* --- the query of POST /build -------------------------------------------------------------------
 */
static bool has_name(const struct strv *pairs, const char *name) {
    for (size_t i = 0; i < pairs->n; i++) {
        struct str k, v;
        str_cut(str_of(pairs->items[i]), '=', &k, &v);
        if (str_eqz(k, name))
            return true;
    }
    return false;
}

/* NAME=VALUE pairs as the JSON object that the API takes; NAME alone: our environment's value. */
static void pairs_query(struct buf *query, const char *key, const struct strv *pairs,
                        const char *from_env) {
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    bool extra = from_env && getenv(from_env) && !has_name(pairs, from_env);
    if (pairs->n == 0 && !extra)
        return;
    jo_obj(&jo);
    for (size_t i = 0; i < pairs->n; i++) {
        struct str name, value;
        bool has_value = str_cut(str_of(pairs->items[i]), '=', &name, &value);
        jo_keys(&jo, name);
        CLEAN_FREE char *z = str_dup(name);
        if (has_value)
            jo_str(&jo, value);
        else
            jo_strz(&jo, getenv(z));
    }
    if (extra)
        jo_kstr(&jo, from_env, getenv(from_env));
    jo_obj_end(&jo);
    client_query(query, key, buf_cstr(&text));
}

static struct err ulimits_query(struct buf *query, const struct strv *list) {
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    if (list->n == 0)
        return OK;
    jo_arr(&jo);
    for (size_t i = 0; i < list->n; i++) {
        struct str name, values, soft, hard;
        int64_t s, h;
        if (!str_cut(str_of(list->items[i]), '=', &name, &values))
            return err_new(ERR_INVALID, "corten: --ulimit '%s': NAME=SOFT[:HARD] is wanted",
                           list->items[i]);
        bool both = str_cut(values, ':', &soft, &hard);
        TRYF(str_to_i64(soft, -1, INT64_MAX, &s), "corten: --ulimit '%s'", list->items[i]);
        h = s;
        if (both)
            TRYF(str_to_i64(hard, -1, INT64_MAX, &h), "corten: --ulimit '%s'", list->items[i]);
        jo_obj(&jo);
        jo_key(&jo, "Name");
        jo_str(&jo, name);
        jo_ki64(&jo, "Soft", s);
        jo_ki64(&jo, "Hard", h);
        jo_obj_end(&jo);
    }
    jo_arr_end(&jo);
    client_query(query, "ulimits", buf_cstr(&text));
    return OK;
}

static void number_query(struct buf *query, const char *key, int64_t n) {
    if (n)
        client_query_i64(query, key, n);
}

static struct err make_query(const struct build_options *o, const char *dockerfile,
                             struct buf *query) {
    CLEAN_BUF struct buf security = {0};
    for (size_t i = 0; i < o->tags.n && !o->validate; i++) /* else it gets them later */
        client_query(query, "t", o->tags.items[i]);
    client_query(query, "dockerfile", dockerfile);
    client_query(query, "target", o->target);
    client_query(query, "networkmode", o->network);
    client_query(query, "platform", o->platform);
    client_query(query, "cgroupparent", o->cgroup_parent);
    client_query(query, "cpusetcpus", o->cpuset_cpus);
    client_query(query, "cpusetmems", o->cpuset_mems);
    number_query(query, "memory", o->memory);
    number_query(query, "memswap", o->memory_swap);
    number_query(query, "shmsize", o->shm_size);
    number_query(query, "cpushares", o->cpu_shares);
    number_query(query, "cpuperiod", o->cpu_period);
    number_query(query, "cpuquota", o->cpu_quota);
    for (size_t i = 0; i < o->add_hosts.n; i++)
        client_query(query, "extrahosts", o->add_hosts.items[i]);
    client_query_bool(query, "nocache", o->no_cache);
    client_query_bool(query, "squash", o->squash);
    client_query_bool(query, "pull", o->pull);
    client_query_bool(query, "rm", true);
    pairs_query(query, "buildargs", &o->build_args, "SOURCE_DATE_EPOCH");
    pairs_query(query, "labels", &o->labels, NULL);
    if (o->security.n) {
        struct json_out jo = {.out = &security};
        jo_arr(&jo);
        for (size_t i = 0; i < o->security.n; i++)
            jo_strz(&jo, o->security.items[i]);
        jo_arr_end(&jo);
        client_query(query, "securityopt", buf_cstr(&security));
    }
    return ulimits_query(query, &o->ulimits);
}

/* --- grants -------------------------------------------------------------------------------------
 */
struct err build_path(struct arena *a, const char *path, char **ret) {
    char cwd[PATH_MAX];
    if (!path_is_abs(str_of(path)) && !getcwd(cwd, sizeof(cwd)))
        return err_errno(errno, "corten: find the working directory");
    CLEAN_FREE char *joined = path_is_abs(str_of(path)) ? mem_strdup(path) : path_join(cwd, path);
    *ret = arena_strz(a, joined);
    return OK;
}

static struct err secret_option(struct arena *a, const char *text, struct build_secret *ret) {
    struct str rest = str_of(text), one, k, v;
    *ret = (struct build_secret){0};
    while (str_next(&rest, ',', &one)) {
        bool has_value = str_cut(one, '=', &k, &v);
        char *value = arena_str(a, v);
        if (has_value && str_eqz(k, "id"))
            ret->id = value;
        else if (has_value && (str_eqz(k, "src") || str_eqz(k, "source")))
            TRY(build_path(a, value, &ret->path));
        else if (has_value && str_eqz(k, "env"))
            ret->env = value;
        else if (!has_value || !str_eqz(k, "type") || (!str_eqz(v, "file") && !str_eqz(v, "env")))
            return err_new(ERR_INVALID, "corten: unexpected '%.*s' in --secret '%s'", STR_ARG(one),
                           text);
    }
    if (!ret->id || !*ret->id)
        return err_new(ERR_INVALID, "corten: --secret '%s' has no id", text);
    /* As the peer: an id alone is a variable of that name, or a file. */
    if (!ret->path && !ret->env && getenv(ret->id))
        ret->env = ret->id;
    else if (!ret->path && !ret->env)
        TRY(build_path(a, ret->id, &ret->path));
    return OK;
}

static struct err ssh_option(struct arena *a, const char *text, struct strmap *ret) {
    struct str id, path;
    bool has_path = str_cut(str_of(text), '=', &id, &path);
    const char *socket = has_path ? arena_str(a, path) : getenv("SSH_AUTH_SOCK");
    struct stat st;
    char *full;
    if (!socket || !*socket)
        return err_new(ERR_INVALID, "corten: --ssh %s: SSH_AUTH_SOCK is not set", text);
    if (stat(socket, &st) != 0)
        return err_errno(errno, "corten: --ssh %s", text);
    if (!S_ISSOCK(st.st_mode))
        return err_new(ERR_UNSUPPORTED,
                       "corten: --ssh %s: keys are not supported, give an agent's socket", text);
    TRY(build_path(a, socket, &full));
    strmap_set(ret, a, arena_str(a, id), full);
    return OK;
}

static struct err context_option(struct arena *a, const char *text, struct strmap *ret) {
    struct str name, value;
    char *path;
    if (!str_cut(str_of(text), '=', &name, &value) || name.len == 0 || value.len == 0)
        return err_new(ERR_INVALID, "corten: --build-context '%s': NAME=VALUE is wanted", text);
    if (str_starts(value, STR("docker-image://"))) {
        path = arena_str(a, value);
    } else if (str_starts(value, STR(LAYOUT))) {
        TRY(build_path(a, arena_str(a, str_from(value, strlen(LAYOUT))), &path));
        path = arena_printf(a, "%s%s", LAYOUT, path);
    } else if (str_find_str(value, STR("://")) >= 0) {
        return err_new(ERR_UNSUPPORTED,
                       "corten: --build-context '%s': only directories, docker-image:// and "
                       "oci-layout:// are supported",
                       text);
    } else {
        TRY(build_path(a, arena_str(a, value), &path));
    }
    strmap_set(ret, a, arena_str(a, name), path);
    return OK;
}

static struct err grants(const struct build_options *o, struct arena *a, struct build_job *job) {
    for (size_t i = 0; i < o->secrets.n; i++)
        TRY(secret_option(a, o->secrets.items[i],
                          objs_add(&job->secrets, a, sizeof(struct build_secret))));
    for (size_t i = 0; i < o->ssh.n; i++)
        TRY(ssh_option(a, o->ssh.items[i], &job->ssh));
    for (size_t i = 0; i < o->contexts.n; i++)
        TRY(context_option(a, o->contexts.items[i], &job->contexts));
    for (size_t i = 0; i < o->allow.n; i++) {
        const char *what = o->allow.items[i];
        if (strcmp(what, "network.host") != 0 && strcmp(what, "security.insecure") != 0)
            return err_new(ERR_INVALID, "corten: unknown entitlement '%s'", what);
        strs_add(&job->allow, a, what);
    }
    for (size_t i = 0; i < o->fresh.n; i++)
        strs_add(&job->fresh, a, o->fresh.items[i]);
    return build_cache_options(o, a, job);
}

/* --- outputs ------------------------------------------------------------------------------------
 */
bool build_output_pushes(const char *text) {
    struct str rest = str_of(text), one;
    bool registry = false, image = false, push = false;
    while (str_next(&rest, ',', &one)) {
        registry |= str_eqz(one, "type=registry");
        image |= str_eqz(one, "type=image");
        push |= str_eqz(one, "push=true");
    }
    return registry || (image && push);
}

/* The result is an image of the daemon in any case. */
static bool is_image_output(const char *text) {
    return strcmp(text, "type=image") == 0 || strcmp(text, "type=image,push=true") == 0 ||
           strcmp(text, "type=image,push=false") == 0 || strcmp(text, "type=registry") == 0;
}

static struct err output_option(struct arena *a, const char *text, struct build_job *job,
                                bool *ret_stdout) {
    static const char *const types[] = {"local", "tar", "oci", "docker"};
    if (is_image_output(text))
        return OK;
    struct build_output *out = objs_add(&job->outputs, a, sizeof(*out));
    struct str rest = str_of(text), one, k, v;
    const char *dest = NULL;
    bool known = false;
    out->type = arena_strz(a, "local");
    if (str_find(rest, '=') < 0) { /* a directory, or the archive to stdout */
        dest = text;
        if (strcmp(text, "-") == 0)
            out->type = arena_strz(a, "tar");
        rest = STR_NONE;
    }
    while (str_next(&rest, ',', &one)) {
        str_cut(one, '=', &k, &v);
        if (str_eqz(k, "type"))
            out->type = arena_str(a, v);
        else if (str_eqz(k, "dest"))
            dest = arena_str(a, v);
        else
            return err_new(ERR_UNSUPPORTED, "corten: --output '%s': '%.*s' is not supported", text,
                           STR_ARG(k));
    }
    for (size_t i = 0; i < ARRAY_LEN(types); i++)
        known |= strcmp(out->type, types[i]) == 0;
    if (!known)
        return err_new(ERR_UNSUPPORTED, "corten: --output type '%s' is not supported", out->type);
    bool standard = (!dest && strcmp(out->type, "local") != 0) || (dest && !strcmp(dest, "-"));
    if (!dest && !standard)
        return err_new(ERR_INVALID, "corten: --output '%s' has no dest", text);
    if (standard && (strcmp(out->type, "local") == 0 || isatty(STDOUT_FILENO) || *ret_stdout))
        return err_new(ERR_INVALID, "corten: --output '%s': standard output cannot take it", text);
    *ret_stdout |= standard;
    if (standard)
        out->dest = arena_strz(a, "-");
    else
        TRY(build_path(a, dest, &out->dest));
    return OK;
}

/* --- the job ------------------------------------------------------------------------------------
 */
/* Where this user's builds of this context remember the digests of its files. */
char *build_digests_file(struct arena *a, const char *context) {
    const char *cache = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
    char *hex = NULL;
    struct err e = cli_hash(context, a, &hex);
    if (err_failed(e)) {
        err_free(e); /* without OpenSSL nothing is remembered */
        return arena_strz(a, "");
    }
    if (cache && *cache == '/')
        return arena_printf(a, "%s/corten/build/%.32s", cache, hex);
    if (home && *home == '/')
        return arena_printf(a, "%s/.cache/corten/build/%.32s", home, hex);
    return arena_strz(a, "");
}

/* The Dockerfile's name in the context; one that lies elsewhere goes along as text. */
static struct err dockerfile_option(const char *file, const char *context, struct arena *a,
                                    struct build_job *job, const char **ret) {
    CLEAN_BUF struct buf text = {.max = DOCKERFILE_MAX};
    struct stat st;
    *ret = file ? file : "Dockerfile";
    if (!file)
        return OK;
    if (strcmp(file, "-") == 0) {
        if (job->stdin_context)
            return err_new(ERR_INVALID, "corten: context and Dockerfile cannot both be '-'");
        int r = fd_read_buf(STDIN_FILENO, &text);
        if (r < 0)
            return err_errno(r, "corten: read the Dockerfile from standard input");
        if (text.overflow)
            return err_new(ERR_INVALID, "corten: the Dockerfile is too large");
        *ret = "Dockerfile";
        job->dockerfile = arena_str(a, buf_str(&text));
        return OK;
    }
    /* As the peer: a path of ours, which may lie in the context, or one of the context. */
    CLEAN_FREE char *inside = path_join(context, file);
    char real[PATH_MAX];
    struct str root = str_of(context), found;
    if (!*context || !realpath(file, real))
        return OK;
    found = str_of(real);
    if (str_starts(found, root) && found.p[root.len] == '/') {
        *ret = arena_strz(a, real + root.len + 1);
        return OK;
    }
    if (stat(inside, &st) == 0 && !path_is_abs(str_of(file)))
        return OK;
    TRYF(file_read_at(AT_FDCWD, real, DOCKERFILE_MAX, &text), "corten: '%s'", file);
    job->dockerfile = arena_str(a, buf_str(&text));
    *ret = arena_str(a, path_base(found));
    return OK;
}

static bool is_remote(const char *context) {
    static const char *const schemes[] = {"http://", "https://", "git://", "git@", "ssh://"};
    for (size_t i = 0; i < ARRAY_LEN(schemes); i++)
        if (str_starts(str_of(context), str_of(schemes[i])))
            return true;
    return false;
}

struct err build_job_make(struct invocation *in, struct build_job *ret, bool *ret_stdout) {
    const struct build_options *o = in->options;
    struct arena *a = &in->arena;
    const char *given = in->args[0], *dockerfile, *tmp = getenv("TMPDIR");
    CLEAN_BUF struct buf query = {0};
    char context[PATH_MAX], id[65];
    bool remote = is_remote(given), standard = strcmp(given, "-") == 0, labels = true;
    *ret_stdout = false;
    if (!realpath(remote || standard ? "/" : given, context))
        return err_errno(errno, "corten: context '%s'", given);
    random_id(id);
    struct build_job job = {
        .host = (char *)in->host,
        .id = arena_strz(a, id),
        .temp_dir = arena_strz(a, tmp && *tmp ? tmp : "/tmp"),
        .registry_config = in->config ? config_auths(in->config, a) : arena_strz(a, ""),
        .context = arena_strz(a, context),
        .stdin_context = standard,
        .digests = remote || standard ? NULL : build_digests_file(a, context),
        .events = true,
        .explain = o->explain,
    };
    TRY(dockerfile_option(o->file, remote || standard ? "" : context, a, &job, &dockerfile));
    TRY(make_query(o, dockerfile, &query));
    if (remote)
        client_query(&query, "remote", given);
    job.query = arena_strz(a, buf_cstr(&query) + 1);
    if (o->iidfile)
        TRY(build_path(a, o->iidfile, &job.id_file));
    if (o->metadata)
        TRY(build_path(a, o->metadata, &job.metadata_file));
    TRY(grants(o, a, &job));
    TRY(build_attest_options(o, a, &job, &labels));
    for (size_t i = 0; i < o->outputs.n; i++)
        TRY(output_option(a, o->outputs.items[i], &job, ret_stdout));
    if (labels)
        TRY(build_origin(o, remote ? given : NULL, remote || standard ? NULL : context, dockerfile,
                         a, &job.provenance));
    *ret = job;
    return OK;
}
