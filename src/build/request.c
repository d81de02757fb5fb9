/* build/request.c - the query string of POST /build. */
#include "build/request.h"
#include "base/json.h"
#include "base/time.h"

struct reader {
    struct request *r;
    struct arena *a;
    uint64_t seen; /* bit i: parameters[i] */
    const char *key;
    struct str value;
};
typedef struct err read_fn(struct reader *x);

static int hex(char c) {
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Percent-decoding of application/x-www-form-urlencoded (WHATWG URL, 5.1). */
static struct err unescape(struct str s, struct arena *a, struct str *ret) {
    char *out = arena_alloc(a, s.len + 1);
    size_t n = 0;
    for (size_t i = 0; i < s.len; i++) {
        char c = s.p[i];
        if (c == '+') {
            c = ' ';
        } else if (c == '%') {
            if (i + 2 >= s.len || hex(s.p[i + 1]) < 0 || hex(s.p[i + 2]) < 0)
                return err_new(ERR_INVALID, "bad escape in the query string");
            c = (char)(hex(s.p[i + 1]) << 4 | hex(s.p[i + 2]));
            i += 2;
        }
        if (c == '\0')
            return err_new(ERR_INVALID, "NUL in the query string");
        out[n++] = c;
    }
    *ret = str_n(out, n);
    return OK;
}

static bool truth(struct str v) {
    static const char *const no[] = {"", "0", "no", "false", "none"};
    v = str_trim(v);
    for (size_t i = 0; i < ARRAY_LEN(no); i++)
        if (str_eq_nocase(v, str_of(no[i])))
            return false;
    return true;
}

static struct err refuse(struct reader *x) {
    return err_new(ERR_UNSUPPORTED, "build parameter '%s' is not supported: %.*s", x->key,
                   STR_ARG(str_sub(x->value, 0, 200)));
}
static struct err refuse_if_given(struct reader *x) {
    return x->value.len ? refuse(x) : OK;
}
/* A JSON array or object: refused unless it is empty. */
static struct err refuse_if_filled(struct reader *x) {
    CLEAN_JSON struct json *j = NULL;
    if (x->value.len == 0)
        return OK;
    TRY(json_parse(x->value, &j));
    return json_len(j) ? refuse(x) : OK;
}
static struct err read_version(struct reader *x) {
    if (x->value.len == 0 || str_eqz(x->value, "1"))
        return OK;
    return err_new(ERR_UNSUPPORTED,
                   "build parameter 'version=%.*s' is not supported: the builder is "
                   "reached by version 1 (BuildKit sessions are version 2)",
                   STR_ARG(x->value));
}
/* Containers of steps are always removed: their upper directory becomes the layer. */
/* Whether intermediate containers are removed: there never are any, so both answers are met. */
static struct err read_rm(struct reader *x UNUSED) {
    return OK;
}
static struct err read_isolation(struct reader *x) {
    return x->value.len && !str_eqz(x->value, "default") ? refuse(x) : OK;
}

static struct err read_tag(struct reader *x) {
    if (x->r->tags.n == REQUEST_TAGS_MAX)
        return err_new(ERR_INVALID, "more than %d tags", REQUEST_TAGS_MAX);
    if (x->value.len)
        strs_add(&x->r->tags, x->a, x->value.p);
    return OK;
}
static struct err read_dockerfile(struct reader *x) {
    x->r->dockerfile = (char *)x->value.p;
    return OK;
}
static struct err read_target(struct reader *x) {
    x->r->target = (char *)x->value.p;
    return OK;
}
static struct err read_platform(struct reader *x) {
    x->r->platform = (char *)x->value.p;
    return OK;
}
static struct err read_nocache(struct reader *x) {
    x->r->no_cache = truth(x->value);
    return OK;
}
static struct err read_pull(struct reader *x) {
    x->r->pull = truth(x->value);
    return OK;
}
static struct err read_quiet(struct reader *x) {
    x->r->quiet = truth(x->value);
    return OK;
}

static struct err read_remote(struct reader *x) {
    x->r->remote = (char *)x->value.p;
    return OK;
}
static struct err read_squash(struct reader *x) {
    x->r->squash = truth(x->value);
    return OK;
}
/* Images with steps in them (build/cache.h). What the daemon itself has is used in any case. */
static struct err read_cache_from(struct reader *x) {
    CLEAN_JSON struct json *j = NULL;
    if (x->value.len == 0)
        return OK;
    TRY(json_parse(x->value, &j));
    if (json_type(j) != JSON_ARRAY && json_type(j) != JSON_NULL)
        return err_new(ERR_INVALID, "expected an array of strings");
    if (json_len(j) > REQUEST_TAGS_MAX)
        return err_new(ERR_INVALID, "more than %d images", REQUEST_TAGS_MAX);
    for (size_t i = 0; i < json_len(j); i++) {
        struct str name = json_str(json_at(j, i));
        if (json_type(json_at(j, i)) != JSON_STRING || str_has_nul(name))
            return err_new(ERR_INVALID, "expected an array of strings");
        if (name.len)
            strs_add(&x->r->cache_from, x->a, arena_str(x->a, name));
    }
    return OK;
}

static struct err read_args(struct reader *x) {
    if (x->value.len == 0)
        return OK;
    CLEAN_JSON struct json *j = NULL;
    TRY(json_parse(x->value, &j));
    if (json_type(j) != JSON_OBJECT && json_type(j) != JSON_NULL)
        return err_new(ERR_INVALID, "expected an object of strings");
    x->r->args_n = 0;
    x->r->args = arena_array(x->a, json_len(j) + 1, sizeof(struct build_arg));
    struct json_iter it = {0};
    while (json_each(j, &it)) {
        enum json_type t = json_type(it.value);
        if ((t != JSON_STRING && t != JSON_NULL) || str_has_nul(json_str(it.value)))
            return err_new(ERR_INVALID, "%.*s: expected a string or null", STR_ARG(it.key));
        struct build_arg *arg = &x->r->args[x->r->args_n++];
        arg->key = arena_str(x->a, it.key);
        arg->value = t == JSON_STRING ? arena_str(x->a, json_str(it.value)) : NULL;
    }
    return OK;
}

/* Documents are read through the tables: {"Labels": value} as a create request's config. */
static struct err read_field(struct reader *x, const struct fields *table, const char *name,
                             void *into) {
    if (x->value.len == 0)
        return OK;
    CLEAN_BUF struct buf b = {0};
    buf_addf(&b, "{\"%s\":", name);
    buf_add_str(&b, x->value);
    buf_addc(&b, '}');
    return fields_decode(table, buf_str(&b), x->a, into);
}
static struct err read_labels(struct reader *x) {
    struct holder {
        struct strmap labels;
    } h = {0};
    static const struct field rows[] = {
        {.name = "Labels", .offset = offsetof(struct holder, labels), .kind = F_STRMAP}};
    static const struct fields table = {"labels", sizeof(struct holder), rows, 1};
    TRY(read_field(x, &table, "Labels", &h));
    x->r->labels = h.labels;
    return OK;
}
static struct err read_ulimits(struct reader *x) {
    struct api_resources res;
    memset(&res, 0, sizeof(res));
    TRY(read_field(x, &api_resources_fields, "Ulimits", &res));
    x->r->host.resources.ulimits = res.ulimits;
    return OK;
}
static struct err read_hosts(struct reader *x) {
    if (x->value.len && x->value.p[0] == '[') {
        struct api_host_config h;
        memset(&h, 0, sizeof(h));
        TRY(read_field(x, &api_host_config_fields, "ExtraHosts", &h));
        x->r->host.extra_hosts = h.extra_hosts;
        return OK;
    }
    /* The API says: "a string of extra hosts, separated by commas", or repeated. */
    struct str rest = x->value, one;
    while (str_next(&rest, ',', &one))
        if (one.len)
            strs_add(&x->r->host.extra_hosts, x->a, arena_str(x->a, one));
    return OK;
}
static struct err read_security(struct reader *x) {
    struct api_host_config h;
    memset(&h, 0, sizeof(h));
    TRY(read_field(x, &api_host_config_fields, "SecurityOpt", &h));
    x->r->host.security_opt = h.security_opt;
    return OK;
}
static struct err read_network(struct reader *x) {
    x->r->host.network_mode = (char *)x->value.p;
    return OK;
}
static struct err read_cgroup(struct reader *x) {
    x->r->host.resources.cgroup_parent = (char *)x->value.p;
    return OK;
}
static struct err read_cpuset(struct reader *x) {
    x->r->host.resources.cpuset_cpus = (char *)x->value.p;
    return OK;
}
static struct err read_mems(struct reader *x) {
    x->r->host.resources.cpuset_mems = (char *)x->value.p;
    return OK;
}
static struct err read_number(struct reader *x, int64_t *ret) {
    return x->value.len ? str_to_i64(x->value, INT64_MIN, INT64_MAX, ret) : OK;
}
static struct err read_memory(struct reader *x) {
    return read_number(x, &x->r->host.resources.memory);
}
static struct err read_swap(struct reader *x) {
    return read_number(x, &x->r->host.resources.memory_swap);
}
static struct err read_shares(struct reader *x) {
    return read_number(x, &x->r->host.resources.cpu_shares);
}
static struct err read_period(struct reader *x) {
    return read_number(x, &x->r->host.resources.cpu_period);
}
static struct err read_quota(struct reader *x) {
    return read_number(x, &x->r->host.resources.cpu_quota);
}
static struct err read_shm(struct reader *x) {
    return read_number(x, &x->r->host.shm_size);
}

static const struct {
    const char *key;
    read_fn *read;
} parameters[] = {
    {"t", read_tag},
    {"dockerfile", read_dockerfile},
    {"target", read_target},
    {"platform", read_platform},
    {"nocache", read_nocache},
    {"pull", read_pull},
    {"q", read_quiet},
    {"rm", read_rm},
    {"forcerm", NULL}, /* containers of failed steps are always removed */
    {"buildargs", read_args},
    {"labels", read_labels},
    {"networkmode", read_network},
    {"extrahosts", read_hosts},
    {"memory", read_memory},
    {"memswap", read_swap},
    {"cpushares", read_shares},
    {"cpuperiod", read_period},
    {"cpuquota", read_quota},
    {"cpusetcpus", read_cpuset},
    {"cpusetmems", read_mems},
    {"cgroupparent", read_cgroup},
    {"shmsize", read_shm},
    {"ulimits", read_ulimits},
    {"securityopt", read_security},
    {"isolation", read_isolation},
    {"version", read_version},
    {"remote", read_remote},
    {"squash", read_squash},
    {"cachefrom", read_cache_from},
    {"outputs", refuse_if_filled},
    {"session", refuse_if_given},
};

static bool is_list(read_fn *read) {
    return read == read_tag || read == read_hosts || read == read_security;
}

/* Of what is no list the first counts, as with the peer (docker-py sends "dockerfile" twice, and
 * only the first is a name). */
static struct err parameter(struct reader *x) {
    _Static_assert(ARRAY_LEN(parameters) <= 64, "a bit each");
    for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
        if (!str_eqz(str_of(parameters[i].key), x->key))
            continue;
        bool again = x->seen & UINT64_C(1) << i;
        x->seen |= UINT64_C(1) << i;
        if (!parameters[i].read || (again && !is_list(parameters[i].read)))
            return OK;
        return parameters[i].read(x);
    }
    return OK;
}

/* reproducible-builds.org, "SOURCE_DATE_EPOCH": seconds; an argument like any other otherwise. */
static struct err read_epoch(struct request *r) {
    struct build_arg *given = request_arg(r, "SOURCE_DATE_EPOCH");
    r->latest = INT64_MAX;
    if (!given || !given->value || !*given->value)
        return OK;
    int64_t seconds;
    TRYF(str_to_i64(str_of(given->value), 0, INT64_MAX / NSEC_PER_SEC, &seconds),
         "SOURCE_DATE_EPOCH");
    r->latest = seconds * NSEC_PER_SEC;
    return OK;
}

struct err request_parse(struct str query, struct arena *a, struct request *ret) {
    struct request r = {0};
    struct reader x = {.r = &r, .a = a};
    struct str one;
    while (str_next(&query, '&', &one)) {
        struct str k, v;
        str_cut(one, '=', &k, &v);
        TRY(unescape(k, a, &k));
        TRY(unescape(v, a, &x.value));
        x.key = arena_str(a, k);
        struct err e = parameter(&x);
        /* Refusals name the parameter themselves. */
        TRY(err_kind(e) == ERR_UNSUPPORTED ? e : err_wrap(e, "build parameter '%s'", x.key));
    }
    if (!r.dockerfile || !*r.dockerfile)
        r.dockerfile = arena_strz(a, "Dockerfile");
    TRY(read_epoch(&r));
    const struct build_arg *cache = request_arg(&r, "BUILDKIT_INLINE_CACHE");
    r.inline_cache = cache && cache->value && truth(str_of(cache->value));
    *ret = r;
    return OK;
}

struct build_arg *request_arg(struct request *r, const char *key) {
    for (size_t i = 0; i < r->args_n; i++) {
        if (!str_eqz(str_of(r->args[i].key), key))
            continue;
        r->args[i].used = true;
        return &r->args[i];
    }
    return NULL;
}
