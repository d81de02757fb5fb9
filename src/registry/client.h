/* client.h - one connection to a registry: requests with authentication, redirects, limits,
 * retries. Private to registry/; worker only. One thread at a time; registry_clone gives each
 * thread its own. */
#pragma once
#include "base/buf.h"
#include "image/image.h"
#include "registry/authority.h"
#include "registry/settings.h"

#define REGISTRY_ERROR_MAX 65536 /* bytes of an error's body that are read */
#define REGISTRY_REDIRECTS_MAX 5
#define REGISTRY_TOKEN_MAX (1u << 20)
#define REGISTRY_RETRY_AFTER_MAX \
    30 /* s: a server that wants a longer pause gets no other attempt */

struct registry_credentials {
    char *username, *password; /* or NULL */
    char *identity;            /* an identity (refresh) token of the token server, or NULL */
    char *bearer;              /* a token to be used as it is, or NULL */
};
struct registry {
    char *authority;     /* "registry-1.docker.io", "localhost:5000" */
    char *base;          /* path below which /v2/ lies; "" but for mirrors */
    char *shown;         /* as in references: "docker.io"; a mirror: its authority */
    const char *noun;    /* what errors call it: "registry", "server" */
    char *path;          /* "library/busybox" */
    const char *scheme;  /* "https" or "http" */
    const char *actions; /* "pull" or "pull,push"; "": no repository is meant (login, search) */
    char *from_path;     /* another repository to read from (cross mount), or NULL */
    char *certs_dir;     /* <certs dir>/<host:port>, or NULL */
    bool insecure;       /* by the settings */
    const struct registry_settings *settings; /* outlives every client */
    struct registry_credentials credentials;
    char *authorization; /* header line to send, or NULL */
    char *challenge;     /* that led to it, or NULL */
    char *granted;       /* identity token that a token server gave (login), or NULL */
    bool want_identity;  /* ask for one */
    enum address_class address;
    bool address_known;
    void *curl;
};
/* What of a registry is meant. Searching is served elsewhere by the hub, and no /v2/ is needed. */
enum registry_service { REGISTRY_IMAGES, REGISTRY_SEARCH };
struct registry_open {
    const struct reference *ref; /* where to: domain and path */
    enum registry_service service;
    const char *mirror; /* URL of a mirror to ask instead, or NULL */
    const char *actions;
    struct str auth; /* X-Registry-Auth; a mirror never gets it */
    const struct registry_settings *settings;
    bool want_identity;
};
/* Decides between TLS and plain HTTP, and authenticates. */
struct err registry_open(const struct registry_open *o, struct registry **ret);
struct registry *registry_clone(const struct registry *r);
void registry_free(struct registry *r);
void registry_clean(struct registry **r);
#define CLEAN_REGISTRY OWN(registry_clean)
/* Asks for a token (again), for this client alone. www: the challenge. */
struct err registry_authenticate(struct registry *r, struct str www);

struct registry_call {
    const char *method; /* GET HEAD PUT POST PATCH */
    const char *url;    /* absolute, a path from the root, or a path below /v2/<name>/ */
    const char *accept; /* header value or NULL */
    const char *content_type;
    struct str text;           /* body of PUT, POST … */
    int body_fd;               /* … or this file from body_from, body_size bytes; -1: none */
    uint64_t body_from;        /* with PATCH told as Content-Range */
    uint64_t body_size;        /* from there on */
    _Atomic uint64_t *sent;    /* progress: position in the file, or NULL */
    const _Atomic bool *abort; /* ends the transfer when it becomes true, or NULL */
    bool redirects;            /* follow (without credentials) */
    bool once;                 /* no second attempt: the caller knows better how to go on */
    uint64_t range_from;       /* > 0: ask for the rest from here … */
    uint64_t range_to;         /* … to this byte; 0: to the end */
    /* Body of a 2xx answer; -errno aborts. status is that of the answer. NULL: to `body`. */
    int (*sink)(void *arg, const void *p, size_t n, long status);
    void *sink_arg;
    size_t max; /* bytes of `body` */
};
struct registry_answer {
    long status;
    struct buf body;
    char *location, *content_type, *content_range, *digest, *link, *range, *www, *subject, *accepts;
    long retry_after; /* s; 0: not said */
    bool transport;   /* failed: by the network, worth another attempt */
};
/* A request with one renewal of the authorization on 401; after failures of the network, 429 and
 * 5xx it is repeated up to REGISTRY_ATTEMPTS times (unless once). Any HTTP status is success here.
 */
struct err registry_call(struct registry *r, const struct registry_call *c,
                         struct registry_answer *ret);
void registry_answer_done(struct registry_answer *a);
#define CLEAN_ANSWER OWN(registry_answer_done)
/* The error that an answer tells: code and message of its JSON, else the status. */
struct err registry_error(const struct registry *r, const struct registry_answer *a,
                          const char *what);
/* The next page, from `Link: </v2/…?last=x&n=y>; rel="next"`; NULL: there is none. Owned. */
char *registry_next_page(const struct registry_answer *a);
/* Is it worth another attempt (e: the result of the call)? */
bool registry_again(struct err e, const struct registry_answer *a);
/* Waits before attempt + 1 (0: the first failed), as long as the server asked for or growing. */
void registry_pause(int attempt, const struct registry_answer *a);

/* The kind of error that a status is. */
enum err_kind registry_status_kind(long status);

/* A client for a URL that belongs to no registry: nothing is sent yet. basic: "user:password" for
 * its host and port, or NULL. */
struct registry *registry_at(const struct registry_settings *s, const char *url, const char *basic);

/* Private to client.c, auth.c, import_download.c. */
/* Whom a transfer goes to: decides whether the authorization is sent, and which addresses will do.
 */
enum registry_peer { PEER_REGISTRY, PEER_TOKEN_SERVER, PEER_FOREIGN };
struct err registry_transfer(struct registry *r, const struct registry_call *c, const char *url,
                             enum registry_peer peer, struct registry_answer *ret);
enum registry_peer registry_peer_of(const struct registry *r, const char *url);
struct err registry_read_auth(struct str header, struct registry_credentials *ret);
void registry_credentials_done(struct registry_credentials *c);
/* connect.c: the directory laid out for "host:port", owned, or NULL. */
char *registry_find_certs(const struct registry_settings *s, const char *authority);
/* certs.c: what lies in certs_dir goes to a libcurl handle. own: the transfer goes to the registry
 * itself, which alone learns who we are. ERR_INVALID: a certificate without key. */
struct err registry_set_tls(const struct registry *r, bool own, bool insecure, void *curl);
