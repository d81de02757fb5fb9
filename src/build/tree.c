/* build/tree.c - a parsed Dockerfile as text, for tests and `corten debug dockerfile-tree`.
 *
 * The notation is that of BuildKit's parser tests: the instruction in lower case, its flags as a
 * list, its arguments as Go-quoted strings. */
#include "build/build.h"
#include "build/dockerfile.h"
#include "build/words.h"

void words_quote(struct buf *out, struct str s) {
    static const char from[] = "\a\b\f\n\r\t\v\\\"", to[] = "abfnrtv\\\"";
    buf_addc(out, '"');
    for (size_t i = 0; i < s.len; i++) {
        unsigned char c = (unsigned char)s.p[i];
        const char *special = c ? strchr(from, c) : NULL;
        if (special)
            buf_addf(out, "\\%c", to[special - from]);
        else if (c < 0x20 || c == 0x7f)
            buf_addf(out, "\\x%02x", c);
        else
            buf_addc(out, (char)c);
    }
    buf_addc(out, '"');
}

static void quoted(struct buf *out, const struct word *w) {
    words_quote(out, str_n(w->text, w->len));
}

static void node_print(const struct node *n, struct buf *out) {
    buf_addc(out, '(');
    for (const char *p = n->name; *p; p++)
        buf_addc(out, *p >= 'A' && *p <= 'Z' ? (char)(*p | 0x20) : *p);
    for (size_t i = 0; i < n->flags.n; i++) {
        buf_adds(out, i ? " " : " [");
        quoted(out, &n->flags.items[i]);
    }
    if (n->flags.n)
        buf_addc(out, ']');
    for (size_t i = 0; i < n->args.n; i++) {
        buf_addc(out, ' ');
        quoted(out, &n->args.items[i]);
    }
    if (n->sub) {
        buf_addc(out, ' ');
        node_print(n->sub, out);
    }
    buf_addc(out, ')');
}

void dockerfile_print_tree(const struct dockerfile *f, struct buf *out) {
    for (size_t i = 0; i < f->n; i++) {
        node_print(f->nodes[i], out);
        buf_addc(out, '\n');
    }
}

struct err build_print_tree(struct str dockerfile, const char *name, struct buf *ret) {
    CLEAN_ARENA struct arena a = {0};
    struct dockerfile *f;
    TRY(dockerfile_parse(dockerfile, name, &a, &f));
    dockerfile_print_tree(f, ret);
    return OK;
}
