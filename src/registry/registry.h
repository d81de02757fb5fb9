/* registry.h - pull and push: the distribution protocol; and import from a URL. The door of
 * registry/.
 *
 * Owns nothing: what is pulled becomes facts of image/ (image_job_start, image/ingest.h). Both
 * verbs run as a job in corten-worker on libcurl; the daemon only starts them and takes the commit.
 *
 * Protocol: OCI distribution-spec 1.1; docker schema 2 and OCI manifests and indexes; layers plain,
 * gzip or zstd. Schema 1 and layers that live elsewhere (foreign, non-distributable) are refused by
 * name; `urls` of descriptors are never followed. Manifests are bound to their digests, blobs to
 * digest and size while they stream; one document must have one meaning (media type and body
 * agree). Transport: HTTP/1.1 or 2 over TLS with the system's authorities and those of
 * <certs dir>/<host:port>/ (*.crt, NAME.cert with NAME.key); plain HTTP only to loopback
 * (127.0.0.0/8, ::1, localhost) and registries declared insecure, and only when the server does not
 * speak TLS. docker.io means registry-1.docker.io. Mirrors and proxies: registry/settings.h.
 * Credentials
 * (security rule 11): sent to the registry's own host alone, and to the token server that it names
 * when that is https or on the same loopback host; never along a redirect. Redirects and token
 * servers on private, link-local or loopback addresses are refused unless the registry is there.
 * Manifests, indexes and attestations are kept as they came and handed on unchanged
 * (push_manifest.h); what came of a layer outlives the job (image/ingest.h ingest_partial).
 * Budget: REGISTRY_ATTEMPTS per transfer with growing pauses (or what Retry-After says, up to 30
 * s), a minimum speed, resumed by ranges.
 *
 * Thread: registry_pull and registry_push on the loop. Tests: test/unit/registry,
 * test/e2e/t12*.sh against Debian's docker-registry, one that misbehaves, and other engines; fuzz:
 * registry-challenge, image-manifest.
 */
#pragma once
#include "image/image.h"
#include "spec/fields.h"

#define REGISTRY_ATTEMPTS 5
#define REGISTRY_PARALLEL 3 /* layers at a time */

struct registry_options {
    struct str settings; /* JSON object as in registry/settings.h; empty: the defaults */
};
/* Is text (may be empty) such settings? For the daemon's start. */
struct err registry_settings_check(struct str text);

struct registry_pull {
    const char *name;     /* `fromImage`: "busybox", "localhost:5000/a/b:tag" */
    const char *tag;      /* `tag`: "", a tag or a digest; all tags when neither says one */
    const char *platform; /* "" or "linux/amd64" */
    const char *auth;     /* X-Registry-Auth as it came, or NULL */
};
/* POST /images/create?fromImage=…: writes the whole answer to the client, see image_load. */
void registry_pull(struct images *im, const struct registry_options *o, struct http_taken *client,
                   const struct registry_pull *p, image_done *done, void *arg);

/* POST /images/create?fromSrc=URL: the tar that is there becomes an image (image_import). Without a
 * message the image's history names the URL. */
void registry_import(struct images *im, const struct registry_options *o, struct http_taken *client,
                     const char *url, const struct image_import *i, image_done *done, void *arg);

struct registry_push {
    const char *name; /* repository, without tag */
    const char *tag;  /* "": all tags of the repository */
    const char *auth;
};
/* POST /images/{name}/push */
void registry_push(struct images *im, const struct registry_options *o, struct http_taken *client,
                   const struct registry_push *p, image_done *done, void *arg);

/* --- questions without images ------------------------------------------------------------------
 */
/* POST /auth. server: AuthConfig's serveraddress ("host:port", a URL, "": docker.io); auth as the
 * X-Registry-Auth of the others. Answers {"Status", "IdentityToken"}; wrong ones are
 * ERR_UNAUTHORIZED. */
void registry_login(struct images *im, const struct registry_options *o, struct http_taken *client,
                    const char *server, const char *auth, image_done *done, void *arg);
/* GET /distribution/{name}/json: descriptor and platforms of what name stands for. */
void registry_inspect(struct images *im, const struct registry_options *o,
                      struct http_taken *client, const char *name, const char *auth,
                      image_done *done, void *arg);
/* GET /corten/manifest: descriptor and text of what name stands for. */
void registry_manifest(struct images *im, const struct registry_options *o,
                       struct http_taken *client, const char *name, const char *auth,
                       image_done *done, void *arg);
/* GET /corten/referrers: what the registry has that refers to name (struct api_referrers); type: of
 * that artifact type alone; "" or NULL: all. */
void registry_referrers(struct images *im, const struct registry_options *o,
                        struct http_taken *client, const char *name, const char *type,
                        const char *auth, image_done *done, void *arg);
/* POST /corten/manifest: pushes an index; sources: a reference with digest for each manifest. */
void registry_push_list(struct images *im, const struct registry_options *o,
                        struct http_taken *client, const char *name, const char *auth,
                        const char *list, const struct strs *sources);
struct registry_search {
    const char *term;                 /* "[host[:port]/]words" */
    int64_t limit;                    /* 1..100; 0: the server's */
    const char *official, *automated; /* "", "true", "false" */
    int64_t stars;
    const char *auth;
};
/* GET /images/search, by the registry's own /v1/search; ERR_UNSUPPORTED where it has none. */
void registry_search(struct images *im, const struct registry_options *o, struct http_taken *client,
                     const struct registry_search *s, image_done *done, void *arg);

/* For corten-worker; ends with a NULL name. */
extern const struct worker_job registry_jobs[];
