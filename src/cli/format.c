/* format.c - rows by --format: Go templates, docker's tables, JSON. */
#include "base/time.h"
#include "cli/command.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* \t and \n may be written out. */
static char *unescape(struct str s, struct arena *a) {
    CLEAN_BUF struct buf out = {0};
    for (size_t i = 0; i < s.len; i++) {
        if (s.p[i] == '\\' && i + 1 < s.len && (s.p[i + 1] == 't' || s.p[i + 1] == 'n'))
            buf_addc(&out, s.p[++i] == 't' ? '\t' : '\n');
        else
            buf_addc(&out, s.p[i]);
    }
    return arena_str(a, buf_str(&out));
}

/* In the row of headings these leave the words as they are. */
static struct err same(struct arena *a UNUSED, const struct template_value *args, size_t n UNUSED,
                       struct template_value *ret) {
    *ret = args[0];
    return OK;
}

static const struct template_func heading_functions[] = {
    {"json", 1, 1, same},  {"title", 1, 1, same},    {"lower", 1, 1, same},
    {"upper", 1, 1, same}, {"truncate", 2, 2, same},
};

struct err listing_begin(struct listing *l, const char *format, const char *configured,
                         const char *otherwise, const struct template_type *type) {
    CLEAN_ARENA struct arena a = {0};
    bool given = format && *format;
    *l = (struct listing){.type = type};
    if (!given)
        format = configured && *configured ? configured : "table";
    struct str s = str_of(format);
    l->is_table = str_eqz(s, "table") || str_starts(s, STR("table "));
    if (str_eqz(s, "table")) {
        s = str_of(otherwise);
        l->may_cut = true;
        l->is_table = str_find(s, '\t') >= 0;
    } else if (str_eqz(s, "json")) {
        s = STR("{{json .}}");
    } else if (l->is_table) {
        s = str_from(s, 6);
    }
    while (s.len && s.p[0] == ' ')
        s = str_from(s, 1);
    while (s.len && s.p[s.len - 1] == ' ')
        s.len--;
    TRYF(template_parse("", str_of(unescape(s, &a)), NULL, 0, &l->template),
         "corten: failed to parse template");
    if (!l->is_table)
        return OK;
    struct template_value v = {.kind = TEMPLATE_HEADINGS, .view = {type, NULL}};
    TRYF(template_run_with(l->template, heading_functions, ARRAY_LEN(heading_functions), &v,
                           &l->out),
         "corten: failed to execute template");
    buf_addc(&l->out, '\n');
    return OK;
}

struct err listing_row(struct listing *l, const void *self) {
    struct template_value v = {.kind = TEMPLATE_VIEW, .view = {l->type, self}};
    TRYF(template_run(l->template, &v, &l->out), "corten: failed to execute template");
    buf_addc(&l->out, '\n');
    return OK;
}

int listing_end(struct listing *l, struct err e) {
    if (!err_failed(e) && l->is_table)
        table_print(buf_str(&l->out), l->may_cut);
    else if (!err_failed(e))
        fwrite(buf_cstr(&l->out), 1, l->out.len, stdout);
    template_free(TAKE(l->template));
    buf_done(&l->out);
    return err_failed(e) ? cli_fail(e, 1) : 0;
}

/* --- documents -------------------------------------------------------------------------------- */

/* Strings are passed over whole. */
void json_pretty(struct str json, int depth, int indent, struct buf *out) {
    for (size_t i = 0; i < json.len; i++) {
        char ch = json.p[i];
        if (ch == '"') {
            size_t from = i++;
            while (i < json.len && json.p[i] != '"')
                i += json.p[i] == '\\' ? 2 : 1;
            buf_add_str(out, str_sub(json, from, i + 1));
        } else if ((ch == '{' || ch == '[') && i + 1 < json.len && json.p[i + 1] == ch + 2) {
            buf_add_str(out, str_sub(json, i, i + 2));
            i++;
        } else if (ch == '{' || ch == '[' || ch == ',') {
            depth += ch != ',';
            buf_addf(out, "%c\n%*s", ch, depth * indent, "");
        } else if (ch == '}' || ch == ']') {
            depth--;
            buf_addf(out, "\n%*s%c", depth * indent, "", ch);
        } else if (ch == ':') {
            buf_adds(out, ": ");
        } else if (ch != ' ' && ch != '\n') {
            buf_addc(out, ch);
        }
    }
}

int template_status(struct err e) {
    bool ours = err_kind(e) == ERR_INVALID && strstr(err_msg(e), "template parsing error");
    return ours && !strstr(err_msg(e), "executing \"") ? TEMPLATE_STATUS : 1;
}

struct err document_print(const char *format, struct str json, const struct fields *table,
                          struct buf *out) {
    CLEAN_JSON struct json *root = NULL;
    CLEAN_TEMPLATE struct template *t = NULL;
    CLEAN_ARENA struct arena a = {0};
    struct field *row = arena_alloc(&a, sizeof *row);
    if (!strcmp(format, "json"))
        format = "{{json .}}";
    TRYF(template_parse("", str_of(unescape(str_of(format), &a)), NULL, 0, &t),
         "corten: template parsing error");
    TRYF(json_parse(json, &root), "corten: the daemon's answer");
    *row = (struct field){.name = "", .kind = F_OBJ, .sub = table};
    struct template_value v = template_json(root);
    if (table) {
        v.schema = &cli_schema;
        v.type = row;
    }
    TRYF(template_run(t, &v, out), "corten: template parsing error");
    buf_addc(out, '\n');
    return OK;
}

/* --- what views are made of ------------------------------------------------------------------- */

struct template_value view_take(struct arena *a, struct buf *b) {
    struct template_value v = template_strz(arena_str(a, buf_str(b)));
    buf_done(b);
    return v;
}

static int compare_pairs(const void *a, const void *b) {
    return strcmp(((const struct strpair *)a)->key, ((const struct strpair *)b)->key);
}

struct template_value view_labels(const struct strmap *labels, struct arena *a) {
    struct buf out = {0};
    struct strpair *sorted = arena_array(a, labels->n + 1, sizeof *sorted);
    if (labels->n)
        memcpy(sorted, labels->items, labels->n * sizeof *sorted);
    qsort(sorted, labels->n, sizeof *sorted, compare_pairs);
    for (size_t i = 0; i < labels->n; i++)
        buf_addf(&out, "%s%s=%s", i ? "," : "", sorted[i].key, sorted[i].value);
    return view_take(a, &out);
}

struct template_value view_label(const struct strmap *labels, const struct template_value *name) {
    CLEAN_FREE char *key = name->kind == TEMPLATE_STR ? str_dup(name->s) : mem_strdup("");
    return template_strz(strmap_get(labels, key));
}

struct template_value view_time(int64_t seconds, struct arena *a) {
    struct tm tm;
    char text[64] = "", zone[16] = "";
    time_t t = (time_t)seconds;
    localtime_r(&t, &tm);
    strftime(text, sizeof text, "%Y-%m-%d %H:%M:%S %z", &tm);
    strftime(zone, sizeof zone, "%Z", &tm);
    return template_strz(arena_printf(a, "%s %s", text, zone));
}

struct template_value view_since(int64_t seconds, struct arena *a) {
    struct buf out = {0};
    human_since(time_now() - seconds * NSEC_PER_SEC, &out);
    return view_take(a, &out);
}

struct template_value view_id(const char *id, bool cut) {
    struct str s = str_of(id ? id : "");
    if (!cut)
        return template_str(s);
    ssize_t colon = str_find(s, ':');
    return template_str(str_sub(str_from(s, (size_t)(colon + 1)), 0, 12));
}

struct template_value view_ellipsis(const char *text, size_t cells, struct arena *a) {
    struct str s = str_of(text ? text : "");
    size_t n = 0, i = 0, keep = 0;
    for (; i < s.len; i++)
        if ((s.p[i] & 0xc0) != 0x80 && n++ == cells - 1)
            keep = i;
    if (n <= cells)
        return template_str(s);
    return template_strz(arena_printf(a, "%.*s\xe2\x80\xa6", (int)keep, s.p));
}
