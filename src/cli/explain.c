/* image explain: what each layer of an image adds and wastes, and what made it. */
#include "base/file.h"
#include "cli/commands.h"
#include "spec/corten_explain.h"
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define DOCKERFILE_MAX (4u << 20)
#define MADE_CELLS 60
#define SHOWN 5 /* wasted files */
#define MUCH 20 /* per cent of an image that is waste */

struct explain_options {
    const char *file;
};
static const struct option_row explain_rows[] = {
    TEXT(struct explain_options, file, 'f', "file", "DOCKERFILE",
         "Say which line of it made each layer"),
};

/* --- what made a layer ------------------------------------------------------------------------ */

/* The instruction in a history's words: without the builder's own, one blank between words. */
static char *instruction_of(const char *made_by, struct arena *a) {
    CLEAN_BUF struct buf out = {0};
    struct str s = str_trim(str_of(made_by)), word;
    bool ran = false;
    if (str_starts(s, STR("|"))) { /* |2 A=1 B=2 /bin/sh -c … : arguments of the build */
        ssize_t at = str_find_str(s, STR("/bin/sh -c "));
        s = at > 0 ? str_from(s, (size_t)at) : s;
    }
    if (str_ends(s, STR("# buildkit")))
        s.len -= strlen("# buildkit");
    if (str_starts(s, STR("RUN ")))
        s = str_trim(str_from(s, 4)), ran = true;
    if (str_starts(s, STR("/bin/sh -c "))) {
        s = str_trim(str_from(s, strlen("/bin/sh -c ")));
        ran = !str_starts(s, STR("#(nop)"));
        if (!ran)
            s = str_trim(str_from(s, strlen("#(nop)")));
    }
    buf_adds(&out, ran ? "RUN" : "");
    while (str_next(&s, ' ', &word)) {
        word = str_trim(word);
        if (word.len)
            buf_addf(&out, "%s%.*s", out.len ? " " : "", STR_ARG(word));
    }
    return arena_str(a, buf_str(&out));
}

/* The next instruction of a Dockerfile, its lines joined; *line: the one that it begins on. */
static bool next_instruction(struct str *rest, int *at, struct arena *a, char **ret,
                             int *ret_line) {
    CLEAN_BUF struct buf text = {0};
    struct str line;
    bool more = false;
    while (rest->len && str_next(rest, '\n', &line)) {
        ++*at;
        line = str_trim(line);
        if (!line.len || line.p[0] == '#')
            continue;
        if (!more)
            *ret_line = *at;
        more = line.p[line.len - 1] == '\\';
        line.len -= more;
        buf_addf(&text, "%.*s ", STR_ARG(line));
        if (!more)
            break;
    }
    *ret = instruction_of(buf_cstr(&text), a);
    return text.len > 0;
}

/* COPY and ADD: the builder's history has paths of its own; the words of the line must be in it. */
static bool same_instruction(const char *line, const char *made) {
    struct str rest = str_of(line), word;
    size_t verb = strcspn(line, " ");
    if (strncasecmp(line, made, verb) != 0 || (made[verb] && made[verb] != ' '))
        return false;
    if (!strcasecmp(line, made) || !strcmp(line + verb, made + verb))
        return true;
    str_next(&rest, ' ', &word);
    while (str_next(&rest, ' ', &word)) {
        char *z = strndupa(word.p, word.len);
        if (strchr(z, '$') || !strncmp(z, "--", 2))
            continue; /* filled in by the build */
        if (!strstr(made, z))
            return false;
    }
    return true;
}

/* Lines by layer, 0: not found. Both go forward only: what is below came first. */
static struct err find_lines(const char *file, const struct explain_image *doc, struct arena *a,
                             int *lines) {
    CLEAN_BUF struct buf text = {0};
    const struct explain_layer *l = doc->layers.items;
    TRYF(file_read(file, DOCKERFILE_MAX, &text), "corten: '%s'", file);
    size_t next = 0;
    struct str rest = buf_str(&text);
    char *words;
    int at = 0, line = 0;
    while (next_instruction(&rest, &at, a, &words, &line)) {
        for (size_t i = next; i < doc->layers.n; i++) {
            if (!same_instruction(words, instruction_of(l[i].made_by, a)))
                continue;
            lines[i] = line;
            next = i + 1;
            break;
        }
    }
    return OK;
}

/* --- text ------------------------------------------------------------------------------------- */

static void size(int64_t bytes, struct buf *out) {
    human_size((double)bytes, out);
}

static void add_layer(const struct explain_layer *l, size_t number, int line, struct arena *a,
                      struct buf *out) {
    struct template_value made = view_ellipsis(instruction_of(l->made_by, a), MADE_CELLS, a);
    buf_addf(out, "%zu\t", number);
    size(l->bytes, out);
    buf_addf(out, "\t%lld\t", (long long)l->files);
    size(l->wasted, out);
    buf_addc(out, '\t');
    size(l->hides, out);
    if (line >= 0)
        buf_addf(out, line ? "\t%d" : "\t", line);
    buf_addf(out, "\t%.*s\n", STR_ARG(made.s));
}

/* The largest of all layers' wasted files. */
static void add_waste(const struct explain_image *doc) {
    const struct explain_layer *l = doc->layers.items;
    size_t used[128] = {0};
    for (int n = 0; n < SHOWN; n++) {
        const struct explain_file *best = NULL;
        size_t of = 0;
        for (size_t i = 0; i < doc->layers.n && i < ARRAY_LEN(used); i++) {
            const struct explain_file *f = l[i].wasted_files.items;
            if (used[i] < l[i].wasted_files.n && (!best || f[used[i]].bytes > best->bytes)) {
                best = &f[used[i]];
                of = i;
            }
        }
        if (!best)
            return;
        CLEAN_BUF struct buf text = {0};
        used[of]++;
        size(best->bytes, &text);
        printf("  %-8s %s   (layer %zu; layer %lld replaces or removes it)\n", buf_cstr(&text),
               best->path, of + 1, (long long)best->by);
    }
}

static void show(const struct explain_image *doc, const int *lines, struct arena *a) {
    const struct explain_layer *l = doc->layers.items;
    CLEAN_BUF struct buf out = {0}, all = {0}, lost = {0};
    int64_t bytes = 0, wasted = 0;
    buf_addf(&out, "LAYER\tSIZE\tFILES\tWASTED\tHIDES\t%sMADE BY\n", lines ? "LINE\t" : "");
    for (size_t i = 0; i < doc->layers.n; i++) {
        add_layer(&l[i], i + 1, lines ? lines[i] : -1, a, &out);
        bytes += l[i].bytes;
        wasted += l[i].wasted;
    }
    table_print(buf_str(&out), true);
    size(bytes, &all);
    size(wasted, &lost);
    int percent = bytes > 0 ? (int)(wasted * 100 / bytes) : 0;
    printf("\n%s in %zu layers, %s of it wasted (%d%%)\n", buf_cstr(&all), doc->layers.n,
           buf_cstr(&lost), percent);
    add_waste(doc);
    if (wasted > 0 && percent >= MUCH)
        printf("What helps:\n  remove a file in the RUN that makes it, or build in one stage and "
               "COPY --from into another;\n  'corten image squash' joins what is there\n");
}

static int explain_run(struct invocation *in) {
    const struct explain_options *o = in->options;
    struct explain_image doc = {0};
    CLEAN_BUF struct buf target = {0}, raw = {0};
    int *lines = NULL;
    CLEAN_CLIENT struct client *c = cli_connect(in);
    if (!c)
        return 1;
    client_path(&target, "/corten/images/", in->args[0], "/explain");
    TRYF_STATUS(cli_get_raw(c, buf_cstr(&target), &raw));
    TRYF_STATUS(
        err_wrap(fields_decode(&explain_image_fields, str_trim(buf_str(&raw)), &in->arena, &doc),
                 "corten: the daemon's answer"));
    if (in->json) {
        printf("%.*s\n", STR_ARG(str_trim(buf_str(&raw))));
        return 0;
    }
    if (o->file) {
        lines = arena_array(&in->arena, doc.layers.n + 1, sizeof *lines);
        TRYF_STATUS(find_lines(o->file, &doc, &in->arena, lines));
    }
    show(&doc, lines, &in->arena);
    return 0;
}

const struct command command_image_explain = {
    .name = "image explain",
    .usage = "image explain [OPTIONS] IMAGE",
    .summary = "Show what each layer of an image adds, wastes, and what made it",
    .examples = "corten image explain -f Dockerfile web\twith the Dockerfile's lines",
    OPTIONS_OF(explain_rows, struct explain_options),
    .args_min = 1,
    .args_max = 1,
    .json = true,
    .names = "image",
    .run = explain_run};
