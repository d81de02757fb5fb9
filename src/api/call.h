/* call.h - one API request on its way to its answer. Private to api/. */
#pragma once
#include "api/api.h"

struct api_call {
    const struct api *api;
    const struct api_policy *policy; /* of its listener; NULL: everything is allowed */
    struct http_exchange *x;         /* NULL once the client has gone */
    const struct http_request
        *r;             /* NULL once the client has gone: copy before going asynchronous */
    struct arena arena; /* lives as long as the call */
    int minor;          /* API version 1.minor asked for */
    const char *arg[2]; /* path parameters in order of the pattern, in arena */
    void *state;        /* handler's own, in arena */
    const struct api_route *route; /* NULL: none matched */
    int64_t begun;                 /* monotonic ns */
};
/* Is what has these labels there for this listener? */
bool api_policy_sees(const struct api_policy *p, const struct strmap *labels);
/* Of the matched route: FORBIDDEN, or NOT_FOUND for a container that is not there for it. */
struct err api_policy_subject(const struct api_call *c);
typedef void api_fn(struct api_call *c);
struct api_route {
    const char *method;
    const char *pattern; /* "/containers/{}/json"; "{*}" matches across slashes */
    api_fn *fn;
};
extern const struct api_route api_routes[];
extern const size_t api_routes_n;

/* Reads the whole body (bounded) and then calls fn; c->state is kept. An oversized body is answered
 * here. */
void api_read_body(struct api_call *c, void (*fn)(struct api_call *c, struct str body));
/* As api_read_body, decodes a JSON object into a struct of the table (in c->arena); an empty body
 * gives the zero struct. Errors are answered here (400). Content-Type must be JSON when there is a
 * body. */
void api_read_json(struct api_call *c, const struct fields *table,
                   void (*fn)(struct api_call *c, void *doc));

/* Copies of query parameters in c->arena. */
const char *api_query(struct api_call *c, const char *name); /* NULL: absent */
bool api_query_bool(struct api_call *c, const char *name, bool otherwise);
/* Absent: *ret untouched. */
struct err api_query_i64(struct api_call *c, const char *name, int64_t min, int64_t max,
                         int64_t *ret);

/* Of logs, attach and exec: multiplexed streams have a type of their own since 1.42. */
const char *api_stream_type(bool tty, int minor);

/* h and w of the resize calls. */
struct err api_read_size(struct api_call *c, unsigned *ret_rows, unsigned *ret_columns);

/* `filters` parameter: {"name":["a","b"]} or the old {"name":{"a":true}}. Names not in `allowed`
 * (NULL-terminated) are ERR_INVALID "invalid filter 'x'". values of a name: api_filter. */
struct api_filter {
    char *name;
    struct strs values;
};
struct api_filters {
    struct api_filter *items;
    size_t n;
};
struct err api_read_filters(struct api_call *c, const char *const *allowed,
                            struct api_filters *ret);
const struct strs *api_filter(const struct api_filters *f, const char *name); /* NULL: not given */
/* Labels filter semantics: "key" or "key=value", all must match. */
bool api_filter_labels(const struct strs *wanted, const struct strmap *labels);

/* --- exactly one of these ends the call --------------------------------------------------------
 */
void api_reply_err(struct api_call *c,
                   struct err e); /* consumes e; {"message": …}; 304 without body */
void api_reply_status(struct api_call *c, int status); /* no body: 204, 304 … */
void api_reply_text(struct api_call *c, int status, const char *content_type, struct str body);
void api_reply_json(struct api_call *c, int status, struct str json);
void api_reply_doc(struct api_call *c, int status, const struct fields *table, const void *doc);
/* exec.c: the answer to a call that made an exec; x is looked at when e is no error. */
void api_reply_exec(struct api_call *c, struct err e, const struct container_exec *x);
/* For handlers that stream: gives up the exchange; the caller now handles http_on_gone itself. NULL
 * when the client has gone (the call is over either way). */
struct http_exchange *api_take_exchange(struct api_call *c);
/* Gives the socket away. false: the client has gone (the call is over either way). */
bool api_take_socket(struct api_call *c, struct http_taken *ret);
