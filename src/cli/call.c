/* Shapes of calls that several commands make. */
#include "base/file.h"
#include "base/json.h"
#include "base/time.h"
#include "cli/command.h"
#include "spec/api_image.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct err cli_read_body(struct client *c, struct buf *ret) {
    ret->max = CLIENT_BODY_MAX;
    for (;;) {
        char *room = buf_room(ret, 65536);
        ssize_t n = client_read(c, room, 65536);
        if (n < 0)
            return err_errno((int)-n, "corten: read the answer");
        if (n == 0)
            return ret->overflow ? err_new(ERR_INVALID, "corten: the answer is too long") : OK;
        buf_added(ret, (size_t)n);
    }
}

struct err cli_get_raw(struct client *c, const char *target, struct buf *ret) {
    struct client_call call = {.method = "GET", .target = target};
    TRY(client_begin(c, &call));
    return cli_read_body(c, ret);
}

struct err cli_get_array(struct client *c, const char *target, const struct fields *table,
                         struct arena *a, struct objs *ret) {
    CLEAN_BUF struct buf body = {0};
    TRY(cli_get_raw(c, target, &body));
    return err_wrap(fields_decode_objs(table, str_trim(buf_str(&body)), a, ret),
                    "corten: the daemon's answer");
}

struct err cli_post(struct client *c, const char *target) {
    struct client_call call = {.method = "POST", .target = target};
    struct err e = client_do(c, &call);
    if (err_kind(e) == ERR_NOT_MODIFIED) {
        err_free(e); /* it is so already: the peer's CLI is silent, too */
        return OK;
    }
    return e;
}

struct err cli_delete(struct client *c, const char *target) {
    struct client_call call = {.method = "DELETE", .target = target};
    return client_do(c, &call);
}

struct err cli_post_document(struct client *c, const char *target, const struct fields *in_fields,
                             const void *in, const struct fields *out_fields, void *out,
                             struct arena *a) {
    struct client_call call = {.method = "POST",
                               .target = target,
                               .in_fields = in_fields,
                               .in = in,
                               .out_fields = out_fields,
                               .out = out,
                               .arena = a};
    return client_do(c, &call);
}

int cli_make(struct invocation *in, struct client *c, const char *target) {
    struct api_id made = {0};
    struct client_call call = {.method = "POST",
                               .target = target,
                               .content_type = "application/json",
                               .body = STR("{}"),
                               .out_fields = &api_id_fields,
                               .out = &made,
                               .arena = &in->arena};
    TRYF_STATUS(client_do(c, &call));
    cli_say(in, "id", made.id);
    return 0;
}

void cli_say(const struct invocation *in, const char *key, const char *value) {
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    if (!in->json) {
        printf("%s\n", value);
        return;
    }
    jo_obj(&jo);
    jo_kstr(&jo, key, value);
    jo_obj_end(&jo);
    printf("%s\n", buf_cstr(&text));
}

int cli_for_each(struct invocation *in,
                 struct err (*fn)(struct client *c, struct invocation *in, const char *arg)) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    int status = 0;
    if (!c)
        return 1;
    for (int i = 0; i < in->args_n; i++) {
        struct err e = fn(c, in, in->args[i]);
        if (err_failed(e))
            status = cli_fail(e, 1);
        else
            cli_say(in, "name", in->args[i]);
    }
    return status;
}

struct err cli_read_wait(struct client *c, int64_t *ret_code) {
    CLEAN_BUF struct buf body = {0};
    CLEAN_ARENA struct arena a = {0};
    struct api_wait doc;
    TRY(cli_read_body(c, &body));
    TRYF(fields_decode(&api_wait_fields, buf_str(&body), &a, &doc), "corten: the daemon's answer");
    if (doc.error && doc.error->message && *doc.error->message)
        return err_new(ERR_SYSTEM, "%s", doc.error->message);
    *ret_code = doc.status_code;
    return OK;
}

struct err filter_query(const struct strv *filters, struct buf *target) {
    CLEAN_BUF struct buf text = {0};
    struct json_out jo = {.out = &text};
    if (filters->n == 0)
        return OK;
    jo_obj(&jo);
    for (size_t i = 0; i < filters->n; i++) {
        struct str key, value, k2, v2;
        bool seen = false;
        str_cut(str_of(filters->items[i]), '=', &key, &value);
        for (size_t k = 0; k < i; k++) {
            str_cut(str_of(filters->items[k]), '=', &k2, &v2);
            seen |= str_eq(key, k2);
        }
        if (seen)
            continue;
        jo_keys(&jo, key);
        jo_arr(&jo);
        for (size_t k = i; k < filters->n; k++) {
            str_cut(str_of(filters->items[k]), '=', &k2, &v2);
            if (str_eq(key, k2))
                jo_str(&jo, v2);
        }
        jo_arr_end(&jo);
    }
    jo_obj_end(&jo);
    client_query(target, "filters", buf_cstr(&text));
    return OK;
}

bool cli_confirm(const char *question) {
    char line[16] = "";
    printf("%s [y/N] ", question);
    fflush(stdout);
    if (!fgets(line, sizeof line, stdin)) {
        printf("\n");
        return false;
    }
    return line[0] == 'y' || line[0] == 'Y';
}

ssize_t cli_read_fd(void *arg, void *p, size_t n) {
    ssize_t r;
    while ((r = read(*(const int *)arg, p, n)) < 0 && errno == EINTR)
        ;
    return r < 0 ? -errno : r;
}

void meter_add(struct meter *m, size_t bytes) {
    int64_t now = time_monotonic();
    CLEAN_BUF struct buf text = {0};
    m->bytes += bytes;
    if (!m->begun)
        m->begun = now;
    if (!m->tells || now - m->begun < NSEC_PER_SEC || now - m->shown < NSEC_PER_SEC / 5)
        return;
    m->shown = now;
    human_size((double)m->bytes, &text);
    fprintf(stderr, "\r%s%s\033[K", m->words ? m->words : "", buf_cstr(&text));
}

void meter_end(struct meter *m) {
    if (m->shown)
        fprintf(stderr, "\r\033[K");
    m->shown = 0;
}

struct err cli_copy_out(struct client *c, int fd, struct meter *m) {
    char bytes[65536];
    struct meter own = {.tells = isatty(2) && !isatty(fd)};
    struct err e = OK;
    m = m ? m : &own;
    meter_add(m, 0);
    for (ssize_t n; (n = client_read(c, bytes, sizeof bytes)) != 0;) {
        int r = n < 0 ? 0 : fd_write_all(fd, bytes, (size_t)n);
        if (n < 0)
            e = err_errno((int)-n, "corten: read the answer");
        else if (r < 0)
            e = err_errno(-r, "corten: write");
        if (err_failed(e))
            break;
        meter_add(m, (size_t)n);
    }
    meter_end(m);
    return e;
}

void cli_split_tag(const char *text, struct arena *a, const char **ret_repo, const char **ret_tag) {
    ssize_t colon = str_rfind(str_of(text), ':'), slash = str_rfind(str_of(text), '/');
    bool tagged = colon > slash;
    *ret_repo = tagged ? arena_str(a, str_sub(str_of(text), 0, (size_t)colon)) : text;
    *ret_tag = tagged ? text + colon + 1 : "";
}

void *cli_copy(struct arena *a, const void *p, size_t size) {
    return memcpy(arena_alloc(a, size), p, size);
}

const char *cli_with_tag(const char *name, struct arena *a) {
    ssize_t colon = str_rfind(str_of(name), ':'), slash = str_rfind(str_of(name), '/');
    return colon > slash || strchr(name, '@') ? name : arena_printf(a, "%s:latest", name);
}
