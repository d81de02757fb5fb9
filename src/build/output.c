/* build/output.c - the result as files, and facts about it. */
#include "archive/extract.h"
#include "base/file.h"
#include "base/time.h"
#include "build/execute.h"
#include "build/tree_stream.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* Files are written as the caller: below a directory that exists or is made. */
static struct err save_files(struct build *b, const char *image, const char *dest) {
    CLEAN_FD
    int dir = -1;
    struct extracted done;
    TRY(dir_make(dest, 0755));
    TRY(dir_open(dest, &dir));
    TRY(daemon_tree(b->client, image, "/"));
    CLEAN_STREAM struct stream *in = tree_stream(b->client);
    return extract(in, dir, 0, &extract_default_limits, &done);
}

static struct err begin_archive(struct build *b, const char *image, const char *type) {
    CLEAN_BUF struct buf t = {0};
    if (strcmp(type, "tar") == 0)
        return daemon_tree(b->client, image, "/");
    const struct strs *tags = &b->request->tags;
    buf_adds(&t, "/images/get");
    for (size_t i = 0; i < tags->n; i++)
        client_query(&t, "names", tags->items[i]);
    if (tags->n == 0)
        client_query(&t, "names", image);
    struct client_call call = {.method = "GET", .target = buf_cstr(&t)};
    return client_begin(b->client, &call);
}

static struct err save_archive(struct build *b, const char *image, const struct build_output *o) {
    CLEAN_FD
    int file = -1;
    uint64_t size;
    bool standard = strcmp(o->dest, "-") == 0;
    if (!standard) {
        file = open(o->dest, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
        if (file < 0)
            return err_errno(errno, "open");
    }
    TRY(begin_archive(b, image, o->type));
    CLEAN_STREAM struct stream *in = tree_stream(b->client);
    return stream_copy_fd(in, standard ? BUILD_SOCKET_FD : file, &size);
}

/* --- facts --------------------------------------------------------------------------------------
 */
static bool is_secret_name(const char *name) {
    static const char *const words[] = {"passw", "secret", "token", "key", "auth", "credential"};
    for (size_t i = 0; i < ARRAY_LEN(words); i++)
        if (strcasestr(name, words[i]))
            return true;
    return false;
}

static void add_arguments(const struct build *b, struct json_out *o) {
    jo_key(o, "args");
    jo_obj(o);
    for (size_t i = 0; i < b->request->args_n; i++) {
        const struct build_arg *arg = &b->request->args[i];
        if (arg->value)
            jo_kstr(o, arg->key, is_secret_name(arg->key) ? "****" : arg->value);
    }
    jo_obj_end(o);
}

static void add_digest(struct json_out *o, const char *id) {
    jo_key(o, "digest");
    jo_obj(o);
    jo_kstr(o, "sha256", id + strlen("sha256:"));
    jo_obj_end(o);
}

/* Base images of every stage that ran. */
static void add_bases(const struct build *b, struct json_out *o) {
    jo_key(o, "resolvedDependencies");
    jo_arr(o);
    for (size_t i = 0; i < b->plan->stages_n; i++) {
        const struct stage *s = &b->plan->stages[i];
        if (!s->needed || s->parent || !s->state.base_id)
            continue;
        jo_obj(o);
        jo_kstr(o, "uri", s->state.base_name);
        add_digest(o, s->state.base_id);
        jo_obj_end(o);
    }
    jo_arr_end(o);
}

/* What goes to strangers says no more than was asked for. */
static bool is_min(const struct build *b) {
    return b->job->attest && strcmp(b->job->attest, "min") == 0;
}

static void add_definition(const struct build *b, struct json_out *o) {
    const struct strmap *p = &b->job->provenance;
    jo_key(o, "buildDefinition");
    jo_obj(o);
    jo_kstr(o, "buildType", "https://mobyproject.org/buildkit@v1");
    jo_key(o, "externalParameters");
    jo_obj(o);
    jo_kstr(o, "dockerfile", b->request->dockerfile);
    jo_kstr(o, "target", b->request->target ? b->request->target : "");
    if (!is_min(b))
        add_arguments(b, o);
    jo_obj_end(o);
    jo_key(o, "internalParameters");
    jo_obj(o);
    for (size_t i = 0; i < p->n; i++)
        jo_kstr(o, p->items[i].key, p->items[i].value);
    jo_obj_end(o);
    add_bases(b, o);
    jo_obj_end(o);
}

static void add_run(const struct build *b, struct json_out *o) {
    char text[TIME_TEXT_MAX];
    jo_key(o, "runDetails");
    jo_obj(o);
    jo_key(o, "builder");
    jo_obj(o);
    const char *id = b->job->builder_id;
    jo_kstr(o, "id", id && *id ? id : "corten-build " CORTEN_VERSION);
    jo_obj_end(o);
    jo_key(o, "metadata");
    jo_obj(o);
    jo_kstr(o, "invocationId", b->job->id);
    jo_kstr(o, "startedOn", time_format(b->began, text));
    jo_kstr(o, "finishedOn", time_format(time_now(), text));
    jo_obj_end(o);
    jo_obj_end(o);
}

/* An in-toto statement (in-toto attestation framework, Statement v1) with SLSA provenance v1. */
static void add_statement(const struct build *b, const char *image, struct json_out *o) {
    const struct strs *tags = &b->request->tags;
    jo_obj(o);
    jo_kstr(o, "_type", "https://in-toto.io/Statement/v1");
    jo_key(o, "subject");
    jo_arr(o);
    for (size_t i = 0; i < MAX(tags->n, (size_t)1); i++) {
        jo_obj(o);
        jo_kstr(o, "name", tags->n ? tags->items[i] : image);
        add_digest(o, image);
        jo_obj_end(o);
    }
    jo_arr_end(o);
    jo_kstr(o, "predicateType", "https://slsa.dev/provenance/v1");
    jo_key(o, "predicate");
    jo_obj(o);
    add_definition(b, o);
    add_run(b, o);
    jo_obj_end(o);
    jo_obj_end(o);
}

static struct err write_metadata(const struct build *b, const char *image) {
    CLEAN_BUF struct buf text = {0};
    CLEAN_BUF struct buf names = {0};
    struct json_out o = {.out = &text};
    const struct strs *tags = &b->request->tags;
    for (size_t i = 0; i < tags->n; i++)
        buf_addf(&names, "%s%s", i ? "," : "", tags->items[i]);
    jo_obj(&o);
    jo_kstr(&o, "containerimage.config.digest", image);
    jo_kstr(&o, "containerimage.digest", image);
    jo_kstr(&o, "image.name", buf_cstr(&names));
    jo_key(&o, "corten.build.statement");
    add_statement(b, image, &o);
    jo_obj_end(&o);
    buf_addc(&text, '\n');
    return file_replace(b->job->metadata_file, buf_str(&text), 0644, false);
}

/* By default; `corten build --provenance=false` leaves it out, POST /build has no such word. A
 * result that was there has its statement; one that shall travel with it is made anew. */
static struct err keep_statement(const struct build *b, const char *image) {
    CLEAN_BUF struct buf text = {0};
    struct json_out o = {.out = &text};
    bool caller = b->job->context && *b->job->context;
    bool travels = b->job->attest && *b->job->attest;
    if (!travels && (!b->made || (caller && b->job->provenance.n == 0)))
        return OK;
    add_statement(b, image, &o);
    return daemon_attest(b->client, image, buf_str(&text), travels, &b->job->index_annotations);
}

struct err output_all(struct build *b, const char *image) {
    TRYF(keep_statement(b, image), "attestation");
    const struct build_output *all = b->job->outputs.items;
    for (size_t i = 0; i < b->job->outputs.n; i++) {
        const struct build_output *o = &all[i];
        bool files = strcmp(o->type, "local") == 0;
        TRYF(files ? save_files(b, image, o->dest) : save_archive(b, image, o),
             "output type=%s,dest=%s", o->type, o->dest);
    }
    if (!b->job->metadata_file || !*b->job->metadata_file)
        return OK;
    return err_wrap(write_metadata(b, image), "metadata file '%s'", b->job->metadata_file);
}
