/* Volume plugins: finding one, and what is said to it. The talking is the worker's, which may hang
 * and be killed; the loop's side only starts it. Source: Docker's "Plugin API", "Plugin discovery"
 * and "Volume plugin protocol". */
#include "base/file.h"
#include "base/log.h"
#include "http/client.h"
#include "spec/volume_plugin.h"
#include "volume/private.h"
#include <sys/stat.h>

#define ANSWER_MAX (1u << 20)
#define FILE_MAX (64u << 10)

/* clang-format off */
#define F(member, name, kind, ...) FIELD(struct plugin_call, member, name, kind, ##__VA_ARGS__)
FIELDS(plugin_call_fields, struct plugin_call,
       F(dirs, "Dirs", F_STRS),
       F(driver, "Driver", F_STR),
       F(call, "Call", F_STR),
       F(name, "Name", F_STR),
       F(id, "ID", F_STR, .flags = OMIT_EMPTY),
       F(options, "Options", F_STRMAP, .flags = OMIT_EMPTY));
#undef F
/* clang-format on */

/* --- finding it --------------------------------------------------------------------------------
 */

static bool is_socket(const char *path) {
    struct stat st;
    return stat(path, &st) == 0 && S_ISSOCK(st.st_mode);
}

static struct err read_small(const char *path, struct buf *ret, bool *ret_there) {
    struct err e = file_read(path, FILE_MAX, ret);
    *ret_there = !err_failed(e);
    if (err_kind(e) != ERR_NOT_FOUND)
        return e;
    err_free(e);
    return OK;
}

/* NAME.sock, NAME/NAME.sock, NAME.spec (an address), NAME.json. "": not here. */
static struct err look_in(const char *dir, const char *name, struct arena *a, char **ret) {
    CLEAN_BUF struct buf text = {0};
    bool there = false;
    char *socket = arena_printf(a, "%s/%s.sock", dir, name);
    char *below = arena_printf(a, "%s/%s/%s.sock", dir, name, name);
    *ret = NULL;
    if (is_socket(socket) || is_socket(below)) {
        *ret = arena_printf(a, "unix://%s", is_socket(socket) ? socket : below);
        return OK;
    }
    TRY(read_small(arena_printf(a, "%s/%s.spec", dir, name), &text, &there));
    if (there) {
        *ret = arena_str(a, str_trim(buf_str(&text)));
        return OK;
    }
    const char *path = arena_printf(a, "%s/%s.json", dir, name);
    TRY(read_small(path, &text, &there));
    if (!there)
        return OK;
    struct volume_plugin_file file;
    TRYF(fields_decode(&volume_plugin_file_fields, buf_str(&text), a, &file), "'%s'", path);
    *ret = file.address ? file.address : arena_strz(a, "");
    return OK;
}

static struct err find_plugin(const struct plugin_call *p, struct arena *a, const char **ret) {
    for (size_t i = 0; i < p->dirs.n; i++) {
        char *address = NULL;
        TRY(look_in(p->dirs.items[i], p->driver, a, &address));
        if (!address)
            continue;
        if (!str_starts(str_of(address), STR("unix:///")))
            return err_new(ERR_UNSUPPORTED,
                           "plugin \"%s\": address '%s' is not supported: only unix "
                           "sockets are",
                           p->driver, address);
        *ret = address;
        return OK;
    }
    return err_new(ERR_NOT_FOUND, "error looking up volume plugin %s: plugin \"%s\" not found",
                   p->driver, p->driver);
}

/* --- talking: worker ---------------------------------------------------------------------------
 */

static struct err post(struct http_client *http, const char *what, struct str body,
                       struct buf *ret) {
    CLEAN_FREE char *target = mem_printf("/%s", what);
    struct http_call call = {.method = "POST",
                             .target = target,
                             .content_type = VOLUME_PLUGIN_TYPE,
                             .headers = "Accept: " VOLUME_PLUGIN_TYPE "\r\n",
                             .body = body};
    struct http_answer answer = {0};
    TRYF(http_call(http, &call, &answer), "%s", what);
    int status = answer.status;
    http_answer_done(&answer);
    TRYF(http_call_read_all(http, ANSWER_MAX, ret), "%s", what);
    /* A plugin says what is wrong in the document, with 500 or with 200. */
    if (status != 200 && (!ret->len || ret->data[0] != '{'))
        return err_new(ERR_SYSTEM, "%s: status %d", what, status);
    return OK;
}

static struct err activate(struct http_client *http) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_BUF struct buf text = {0};
    struct volume_plugin_active doc;
    TRY(post(http, "Plugin.Activate", STR_NONE, &text));
    TRYF(fields_decode(&volume_plugin_active_fields, buf_str(&text), &a, &doc), "Plugin.Activate");
    if (!strs_has(&doc.implements, "VolumeDriver"))
        return err_new(ERR_INVALID, "it is not a volume driver");
    return OK;
}

static struct err talk(const struct plugin_call *p, const char *address, struct buf *ret) {
    OWN(http_client_clean) struct http_client *http = NULL;
    CLEAN_BUF struct buf body = {0};
    struct volume_plugin_request request = {.name = p->name, .id = p->id, .options = p->options};
    struct err e = http_dial(address, &http);
    if (err_failed(e)) { /* it says "Docker daemon" */
        err_free(e);
        return err_new(ERR_SYSTEM, "nobody answers on %s", address);
    }
    TRY(activate(http));
    CLEAN_FREE char *what = mem_printf("VolumeDriver.%s", p->call);
    fields_print(&volume_plugin_request_fields, &request, &body);
    return post(http, what, buf_str(&body), ret);
}

struct err volume_plugin_text(const struct plugin_call *p, struct buf *ret) {
    CLEAN_ARENA struct arena a = {0};
    const char *address = NULL;
    TRY(find_plugin(p, &a, &address));
    return err_wrap(talk(p, address, ret), "plugin \"%s\"", p->driver);
}

static struct err read_answer(const struct plugin_call *p, struct str text, char **ret_mountpoint) {
    CLEAN_ARENA struct arena a = {0};
    struct volume_plugin_answer answer;
    TRYF(fields_decode(&volume_plugin_answer_fields, text, &a, &answer), "VolumeDriver.%s",
         p->call);
    if (answer.error && *answer.error)
        return err_new(ERR_SYSTEM, "VolumeDriver.%s: %s", p->call, answer.error);
    *ret_mountpoint = mem_strdup(answer.mountpoint ? answer.mountpoint : "");
    return OK;
}

struct err volume_plugin_call(const struct plugin_call *p, char **ret_mountpoint) {
    CLEAN_BUF struct buf text = {0};
    TRY(volume_plugin_text(p, &text));
    return err_wrap(read_answer(p, buf_str(&text), ret_mountpoint), "plugin \"%s\"", p->driver);
}

struct err volume_plugin_job(struct worker_ctx *ctx UNUSED, struct str args, const int *fds UNUSED,
                             size_t fds_n UNUSED, struct buf *ret_result) {
    CLEAN_ARENA struct arena a = {0};
    CLEAN_FREE char *mountpoint = NULL;
    struct plugin_call call;
    TRY(fields_decode(&plugin_call_fields, args, &a, &call));
    TRY(volume_plugin_call(&call, &mountpoint));
    struct volume_plugin_answer answer = {.mountpoint = mountpoint};
    fields_print(&volume_plugin_answer_fields, &answer, ret_result);
    return OK;
}

/* --- the loop's side ---------------------------------------------------------------------------
 */

bool volume_is_plugged(const struct volume *x) {
    return strcmp(x->driver, "local") != 0;
}

struct err volume_plugin_name_check(const char *name) {
    bool right = *name && name[0] != '.';
    for (const char *c = name; *c; c++)
        right = right && ((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') ||
                          (*c >= '0' && *c <= '9') || strchr("_.-", *c));
    if (right)
        return OK;
    return err_new(ERR_NOT_FOUND, "error looking up volume plugin %s: plugin \"%s\" not found",
                   name, name);
}

struct asking {
    struct volumes *volumes;
    struct worker *worker;
    struct timer *deadline;
    bool late;
    char *what;
    void (*done)(void *arg, struct err e);
    void *arg;
};

static void asked(void *arg, struct str result UNUSED, struct err e) {
    struct asking *q = arg;
    timer_free(q->deadline);
    if (q->late) {
        err_free(e);
        e = err_new(ERR_TIMEOUT, "%s took more than %lld seconds", q->what,
                    (long long)(VOLUME_MOUNT_TIMEOUT / NSEC_PER_SEC));
    }
    q->done(q->arg, e);
    free(q->what);
    free(q);
}

static void too_late(void *arg) {
    struct asking *q = arg;
    q->late = true;
    worker_cancel(q->worker);
}

static void nobody(void *arg) {
    struct asking *q = arg;
    asked(q, STR_NONE, err_new(ERR_NOT_FOUND, "%s: there is no plugin", q->what));
}

void volume_plugin_ask(struct volumes *v, const struct volume *x, const char *call,
                       void (*done)(void *arg, struct err e), void *arg) {
    CLEAN_BUF struct buf args = {0};
    struct asking *q = NEW(struct asking);
    struct plugin_call doc = {.dirs = v->plugin_dirs,
                              .driver = x->driver,
                              .call = (char *)(uintptr_t)call,
                              .name = x->name,
                              .id = x->own->mount_id};
    if (!strcmp(call, "Create"))
        doc.options = x->options;
    fields_print(&plugin_call_fields, &doc, &args);
    *q = (struct asking){.volumes = v,
                         .what = mem_printf("plugin \"%s\": VolumeDriver.%s", x->driver, call),
                         .done = done,
                         .arg = arg};
    if (!v->worker || !v->plugin_dirs.n) {
        loop_post(v->loop, nobody, q);
        return;
    }
    struct worker_start s = {.program = v->worker,
                             .job = "volume-plugin",
                             .args = buf_str(&args),
                             .done = asked,
                             .arg = q};
    q->deadline = timer_new(v->loop, VOLUME_MOUNT_TIMEOUT, 0, too_late, q);
    q->worker = worker_start(v->loop, &s);
}
