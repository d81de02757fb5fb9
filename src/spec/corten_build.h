/* spec/corten_build.h - what the daemon and corten-build say to each other.
 *
 * The builder reads hostile bytes (Dockerfile, context) and holds no facts; the daemon holds the
 * facts (images, cache records, containers) and reads none of those bytes. They meet here.
 *
 *
 * 1. The job: how corten-build is started
 *
 * `corten-build` takes no arguments. Descriptor 3 is the job: a file (memfd) or pipe that holds one
 * JSON object, struct build_job, read to its end. By Context it is one of two kinds:
 *
 *   Context == ""    a POST /build. Descriptor 4 is the client's socket (http_take), descriptor 5 a
 * file or pipe with what http_body_pack() made of the body's state and the early bytes. The builder
 * reads the body from the socket and writes the whole HTTP answer itself, with "Connection: close",
 * then exits. The daemon hands the socket over before it has looked at anything but the route; even
 * an error about a parameter is answered by the builder. Exit status: 0 when the image was built, 1
 * when not. Context != ""    `corten build`: a directory of the caller. Progress goes to descriptor
 * 1, errors to descriptor 2; exit status as above. Descriptors 4 and 5 are not used.
 *
 * Descriptors 0 to 2 must be open. A build is cancelled by killing the process; a client that
 * disconnects is noticed by the builder, which then exits by itself (status 1).
 *
 * Leases. The first thing a builder asks for is the lease of its Id; the connection stays open as
 * long as it lives. When it ends, the daemon removes every container that has the label BUILD_LABEL
 * with this Id, the secrets and the directory TempDir/<Id>. When the daemon ends, the builder does,
 * too (status 1); the next daemon removes what both may have left before it serves anything.
 *
 *
 * 2. Extension routes (all below /corten/build, versioned like every route)
 *
 * A *step image* is an intermediate result: layers with an empty config ({"architecture", "os",
 * "rootfs"} and nothing else), so its id depends on its layers only. It is not listed by GET
 * /images/json and has no tag. What keeps it is its *cache record* key → image, made in the same
 * transaction; records are removed by POST /build/prune or when an image they name is removed.
 * A key is 64 lower-case hex digits, an image a full id "sha256:<64 hex>". An unknown image is
 * 404; a bad key, id or document 400. Errors have the usual body {"message"}.
 *
 * POST /corten/build/lease?id=ID[&dir=TEMP]     with Upgrade
 *     101, then nothing more from either side. ID: 64 hex digits; dir: where TEMP/ID is removed at
 * the end (a builder that the daemon started has one below the data root). 409: it is taken.
 *
 * POST /corten/build/secret?id=ID&name=N[&uid=U&gid=G&mode=M]     body: bytes, 512 KiB at most
 *     A file in memory for a bind mount, below the lease ID. 201 struct build_secret_made. 404
 * without a lease. M is decimal; without it 0400.
 *
 * DELETE /corten/build/secret?id=ID&name=N
 *     204.
 *
 * GET /corten/build/cache?key=K
 *     200 struct build_image {"Image"}, 404 when there is no record. Marks it as used now.
 *
 * POST /corten/build/cache?key=K&image=ID     no body
 *     Another record for a step image that exists. 204.
 *
 * GET /corten/build/image?name=REF
 *     A name, id or digest as in GET /images/{name}/json. 200 struct build_base: the image's id,
 * and the text of its config blob (OCI image config) as it is. 404 when it is not here.
 *
 * POST /corten/build/image?layers=ID|scratch[&key=K][&step=1][&annotations=A]     body: an OCI
 * image config Makes an image from the layers of image ID (none for "scratch") and the given
 * config, whose "rootfs" is absent or ignored: the daemon fills it in. 400 when "history" is there
 * and its non-empty entries are not as many as the layers. 200 struct build_image. With a key a
 * record is made. A is JSON of spec/oci_annotations.h: what the image's manifest says in a push or
 * save. With step it is a step image: of the config only the platform stays. The result of the
 * build is made by this route, too (its config is not empty, so it is an ordinary image; the
 * builder tags it afterwards by POST /images/{name}/tag; without a tag it is listed as dangling).
 *
 * POST /corten/build/commit?container=ID&key=K[&epoch=SECONDS]     no body
 *     The container has exited. Its upper directory becomes a layer on top of its image's layers;
 * the step image is stored, the record made, the container removed (its anonymous volumes, too).
 * When the upper directory is empty the answer is the container's own image. 200 struct
 * build_image. Times of files later than epoch become that. The mount points that the runtime made
 * (/etc/hosts, /etc/resolv.conf, /etc/hostname, /dev, /proc, /sys as empty files and directories)
 * are no part of the layer. 409 when the container runs.
 *
 * POST /corten/build/layer?parent=ID&key=K[&keep=1]     body: an uncompressed OCI layer tar
 *     Unpacks it (a worker, as with a pulled layer) and stores the step image with this layer on
 * top of parent's. 200 struct build_image. The entries come in the order of archive/layer_tar.h:
 * else the layer can be run, but not sent anywhere. keep: it has many files and is likely to come
 * again with few changed; its tar is kept for that when the daemon thinks so too.
 *
 * POST /corten/build/layer?parent=ID&key=K&base=ID     body: what differs, as a tar
 *     The same, where most entries are those of the topmost layer of the image `base`, which came
 * with keep. The first entry of the tar is a file BUILD_STACK_LIST, of lines of three numbers
 * "FIRST KEEP ADD": KEEP entries of the base from the one with number FIRST on (0 is the first),
 * then ADD entries of those that follow in this tar. FIRST only grows. Every path of the base stays
 * or is replaced; neither has hard links. 409 when it cannot be done: then the layer is sent as a
 * whole.
 *
 * POST /corten/build/layer?parent=ID|scratch&like=ID[&layers=N,N…][&key=K]     no body
 *     The same with layers of an image that is here: those with these numbers (0 is the lowest), in
 *     this order; its topmost without. 400 when it has none. Without a key no record is made: the
 *     step then only lasts until the next clean-up.
 *
 * GET /corten/build/tree?image=ID&path=P
 *     200 application/x-tar: what is at P in the image's root file system, made by a worker. P is
 *     absolute and resolved inside the root file system, the last link followed as well. A
 * directory's entries are named relative to it ("./" first), a file's one entry has its base name
 * (that of P as given). Owners, modes, times, links and extended attributes are kept. 404 when
 * there is nothing at P.
 *
 * POST /corten/build/attest?image=ID[&travels=1][&annotations=A]     body: an in-toto statement
 *     Kept as a document of the image, in the background. 204. With travels it goes with pushes and
 * archives (image/image.h, image_attest), and is there when the answer comes; A (as above) is what
 * the image's index then says. GET /corten/images/{name}/attestation gives the statements about an
 * image as an array, newest first; those of a pulled attestation are among them.
 *
 * POST /corten/build/stat?image=ID     body: struct build_stat_query
 *     200 struct build_stat_reply: one entry per path, in order. Each path is absolute and resolved
 *     inside the root file system, the last link followed as well. At most BUILD_STAT_PATHS_MAX
 *     paths.
 */
#pragma once
#include "spec/fields.h"

#define BUILD_LABEL "corten.build" /* on every container of a build; value: the job's Id */
#define BUILD_CACHE_LABEL \
    "corten.build.cache" /* on the volume of a cache mount; value: the cache's id */
#define BUILD_CACHE_VOLUME \
    "corten-cache-" /* its name: and the first 16 digits of the id's digest, "-N" */
#define BUILD_JOB_FD 3
#define BUILD_SOCKET_FD 4
#define BUILD_BODY_FD 5
#define BUILD_MEMORY ".steps" /* beside the file of digests: what the last builds were made of */
#define BUILD_STACK_LIST ".corten-stack"
#define BUILD_STACKS ".layers" /* the same: what their copies' layers consist of */
#define BUILD_JOB_MAX (4u << 20)
#define BUILD_STAT_PATHS_MAX 100000

struct build_job {
    char *host;            /* "unix:///…": the daemon's API socket */
    char *id;              /* 64 hex digits */
    char *query;           /* the raw query string of POST /build */
    char *temp_dir;        /* absolute; the builder makes TempDir/<Id>, 0700 */
    char *registry_config; /* the header X-Registry-Config as it came; "" when absent */
    char *context;         /* "", or the absolute path of a context directory */
    char *id_file;         /* only with context: the image's id is written there; "" for none */
    /* The rest is only sent by `corten build`; POST /build has no way to say it. */
    struct objs secrets;       /* struct build_secret */
    struct strmap ssh;         /* id → path of an agent's socket */
    struct strmap contexts;    /* name → directory (absolute), or "docker-image://REF" */
    char *dockerfile;          /* its text, when it is none of the context's files; else "" */
    bool stdin_context;        /* descriptor 0: an archive, or a Dockerfile alone */
    struct strs fresh;         /* stages that do not use the cache */
    struct strmap provenance;  /* labels about where this build comes from; empty: none wanted */
    struct objs outputs;       /* struct build_output, made after the image */
    char *metadata_file;       /* facts about the result as JSON; "" for none */
    bool events;               /* progress as struct build_event, one JSON document a line */
    char *digests;             /* file that remembers the context's digests; "" for none */
    struct strs allow;         /* "network.host", "security.insecure" */
    bool explain;              /* events say why a step was missed */
    struct objs cache_from;    /* struct build_cache: what the daemon shall know beforehand */
    struct strmap annotations; /* of the result's manifest */
    struct objs cache_to;      /* struct build_cache: where the steps shall be kept besides */
    char *attest;     /* "min", "max": the statement goes with the image; "": it does not */
    char *builder_id; /* who the statement says has built it; "": this program */
    struct strmap index_annotations; /* with attest: of the index */
};
extern const struct fields build_job_fields;

/* What is made of the image besides. */
struct build_output {
    char *type; /* "local": its files below dest; "tar": them as an archive; "oci", "docker": the
                   image as an archive (one that is both) */
    char *dest; /* absolute path; "-": descriptor BUILD_SOCKET_FD */
};
extern const struct fields build_output_fields;

/* The build cache elsewhere (build/cache.h). */
struct build_cache {
    char *type;       /* "local", "registry", "inline" */
    char *name;       /* absolute path of a directory, or name of an image; "" for inline */
    bool all_stages;  /* to: not only the steps of the image that is built */
    bool local_first; /* from: an image of this name that is here is good enough */
};
extern const struct fields build_cache_fields;

/* RUN --mount=type=secret: read by the builder, as the caller, when a step first wants it. */
struct build_secret {
    char *id;
    char *path; /* of a file; "" : env */
    char *env;  /* name of an environment variable of the builder */
};
extern const struct fields build_secret_fields;

struct build_secret_made {
    char *path;
};
extern const struct fields build_secret_made_fields;

struct build_image {
    char *image;
};
extern const struct fields build_image_fields;

struct build_base {
    char *image;
    struct str config; /* raw JSON */
};
extern const struct fields build_base_fields;

struct build_stat_query {
    struct strs paths;
};
extern const struct fields build_stat_query_fields;

/* One path. Type "": nothing is there; path is then what resolving the existing part and appending
 * the rest gives, and the other members are zero. */
struct build_stat {
    char *path;    /* resolved, absolute, cleaned */
    char *type;    /* "file" "dir" "link" "device" "fifo" "socket" "" */
    uint32_t mode; /* 07777 */
    uint32_t uid, gid;
    int64_t mtime; /* ns */
};
extern const struct fields build_stat_fields;

struct build_stat_reply {
    struct objs entries; /* struct build_stat */
};
extern const struct fields build_stat_reply_fields;

/* Progress of `corten build`, on descriptor 1 when the job says Events: one document a line. */
struct build_event {
    uint32_t step, total; /* 0: not about a step */
    char *stage;          /* name or number of the step's stage */
    char *name;           /* with State "start": the instruction */
    char *state;          /* "start" "cached" "missed" "done" "error" "built", or absent */
    char *log;            /* bytes of output, not always whole lines */
    char *why;            /* "missed": why the cache has no answer */
    char *image;          /* "done": of the step; "built": the result */
    struct strs tags;     /* "built" */
    int64_t nanos;        /* "done", "error": since its start */
};
extern const struct fields build_event_fields;
