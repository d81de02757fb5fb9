/* examine, metadata, methods: what images and containers say about themselves. */
#include "cli/commands.h"
#include "cli/life.h"
#include "spec/api_method.h"
#include <stdio.h>

struct err life_get(struct client *c, const char *name, const char *after, struct buf *ret) {
    CLEAN_BUF struct buf container = {0}, image = {0};
    client_path(&container, "/containers/", name, after);
    struct err e = cli_get_raw(c, buf_cstr(&container), ret);
    if (err_kind(e) != ERR_NOT_FOUND)
        return e;
    err_free(e);
    client_path(&image, "/images/", name, after);
    e = cli_get_raw(c, buf_cstr(&image), ret);
    if (err_kind(e) != ERR_NOT_FOUND)
        return e;
    err_free(e);
    return err_new(ERR_NOT_FOUND, "corten: no container or image is called %s", name);
}

static int each(struct invocation *in, const char *after,
                struct err (*show)(struct invocation *in, struct str body)) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    for (int i = 0; i < in->args_n; i++) {
        CLEAN_BUF struct buf body = {0};
        TRYF_STATUS(life_get(c, in->args[i], after, &body));
        if (i && !in->json)
            printf("\n");
        TRYF_STATUS(show(in, buf_str(&body)));
    }
    return 0;
}

static struct err show_text(struct invocation *in UNUSED, struct str body) {
    fwrite(body.p, 1, body.len, stdout);
    return OK;
}

static int examine_run(struct invocation *in) {
    return each(in, "/lifecycle?text=1", show_text);
}

const struct command command_examine = {
    .name = "examine",
    .usage = "examine IMAGE|CONTAINER [IMAGE|CONTAINER...]",
    .summary = "Show what something is, ancestor by ancestor: origin, build, methods",
    .names = "container",
    .args_min = 1,
    .args_max = -1,
    .run = examine_run};

/* --- metadata --------------------------------------------------------------------------------- */

struct metadata_options {
    const char *key;
};
static const struct option_row metadata_rows[] = {
    TEXT(struct metadata_options, key, 'k', "key", "KEY",
         "Only this value, a text without quotes; \"container.ready\" is a member's member"),
};

static struct err show_key(const char *key, struct str body) {
    CLEAN_JSON struct json *root = NULL;
    CLEAN_BUF struct buf printed = {0}, text = {0};
    TRYF(json_parse(str_trim(body), &root), "corten: the daemon's answer");
    const struct json *j = root;
    struct str rest = str_of(key), word;
    while (str_next(&rest, '.', &word)) {
        CLEAN_FREE char *name = str_dup(word);
        j = json_get(j, name);
        if (!j)
            return err_new(ERR_NOT_FOUND, "corten: there is no key %s", key);
    }
    if (json_type(j) == JSON_STRING) {
        lifecycle_escape(&text, json_str(j), false);
    } else {
        json_print(j, &printed);
        lifecycle_escape_json(&text, buf_str(&printed));
    }
    printf("%s\n", buf_cstr(&text));
    return OK;
}

static struct err show_json(struct invocation *in, struct str body) {
    const struct metadata_options *o = in->options;
    CLEAN_BUF struct buf pretty = {0}, text = {0};
    if (o->key)
        return show_key(o->key, body);
    json_pretty(str_trim(body), 0, 2, &pretty);
    lifecycle_escape_json(&text, buf_str(&pretty));
    printf("%s\n", buf_cstr(&text));
    return OK;
}

static int metadata_run(struct invocation *in) {
    return each(in, "/lifecycle", show_json);
}

const struct command command_metadata = {
    .name = "metadata",
    .usage = "metadata [OPTIONS] IMAGE|CONTAINER [IMAGE|CONTAINER...]",
    .summary = "Print what something is as JSON with stable keys",
    .names = "container",
    .examples = "corten metadata -k gitref web\tthe commit that it was built from",
    OPTIONS_OF(metadata_rows, struct metadata_options),
    .args_min = 1,
    .args_max = -1,
    .run = metadata_run};

/* --- methods ---------------------------------------------------------------------------------- */

struct methods_options {
    const char *method;
    int64_t limit;
};
static const struct option_row methods_rows[] = {
    TEXT(struct methods_options, method, 'm', "method", "NAME", "Only the results of this one"),
    INT(struct methods_options, limit, 'n', "last", "N", "At most so many results, the newest"),
};

static void put_methods(const struct api_lifecycle *l, struct buf *out) {
    buf_adds(out, "METHOD\tINTERVAL\tTIMEOUT\tCOMMAND\n");
    for (size_t i = 0; i < l->methods.n; i++) {
        const struct lifecycle_method_view *v = l->methods.items[i].value;
        lifecycle_escape(out, str_of(l->methods.items[i].key), false);
        buf_addf(out, "\t%s\t%s\t", *v->interval ? v->interval : "-", v->timeout);
        lifecycle_escape(out, str_of(v->command), false);
        buf_addc(out, '\n');
    }
}

static void put_results(const struct api_lifecycle *l, struct buf *out) {
    const struct method_result *r = l->results.items;
    buf_adds(out, "ENDED\tMETHOD\tTRIGGER\tSTATUS\tEXAMPLES\tFAILURES\tSUMMARY\n");
    for (size_t i = 0; i < l->results.n; i++) {
        human_since(r[i].end, out);
        buf_addf(out, "\t%s\t%s\t%s\t%lld\t%lld\t", r[i].method, r[i].trigger, r[i].status,
                 (long long)r[i].examples, (long long)r[i].failures);
        lifecycle_escape(out, str_of(r[i].summary), false);
        buf_addc(out, '\n');
    }
}

static int methods_run(struct invocation *in) {
    const struct methods_options *o = in->options;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0}, body = {0}, methods = {0}, results = {0};
    struct api_lifecycle l;
    if (!c)
        return 1;
    client_path(&target, "/containers/", in->args[0], "/methods");
    client_query(&target, "method", o->method);
    if (o->limit)
        client_query_i64(&target, "limit", o->limit);
    TRYF_STATUS(cli_get_raw(c, buf_cstr(&target), &body));
    if (in->json) {
        printf("%.*s\n", STR_ARG(str_trim(buf_str(&body))));
        return 0;
    }
    TRYF_STATUS(fields_decode(&api_lifecycle_fields, buf_str(&body), &in->arena, &l));
    put_methods(&l, &methods);
    put_results(&l, &results);
    printf("%s\n\n", l.ready ? "ready" : "not ready");
    if (!o->method)
        table_print(buf_str(&methods), true);
    if (!o->method && l.results.n)
        printf("\n");
    if (l.results.n)
        table_print(buf_str(&results), true);
    for (size_t i = 0; i < l.problems.n; i++)
        printf("problem: %s\n", l.problems.items[i]);
    return 0;
}

const struct command command_methods = {
    .name = "methods",
    .usage = "methods [OPTIONS] CONTAINER",
    .summary = "Show a container's methods and what they said last",
    .names = "container",
    OPTIONS_OF(methods_rows, struct methods_options),
    .args_min = 1,
    .args_max = 1,
    .json = true,
    .run = methods_run};
