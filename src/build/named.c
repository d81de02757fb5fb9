/* build/named.c - directories and images with a name. */
#include "build/named.h"
#include "build/lane.h"
#include "kernel/beneath.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

bool context_is_dir(const char *value) {
    return !str_starts(str_of(value), STR(CONTEXT_IMAGE)) &&
           !str_starts(str_of(value), STR(CONTEXT_LAYOUT));
}

static void dir_free(struct named_dir *d) {
    fd_close(d->root.fd);
    ignore_done(&d->rules);
    free(d->path);
    free(d);
}

void named_dirs_done(struct named_dirs *v) {
    for (size_t i = 0; i < v->n; i++)
        dir_free(v->items[i]);
    vec_done(v);
}

static struct err read_rules(struct named_dir *d) {
    CLEAN_BUF struct buf text = {0};
    struct err e = beneath_read(d->root.fd, ".dockerignore", IGNORE_SIZE_MAX, &text);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* no rules */
        e = OK;
    }
    TRY(e);
    TRY(ignore_parse(buf_str(&text), ".dockerignore", &d->rules));
    d->root.ignore = d->rules.n ? &d->rules : NULL;
    return OK;
}

struct err named_root(struct build *b, const char *dir, const struct source_root **ret) {
    struct named_dirs *all = &b->context->named;
    for (size_t i = 0; i < all->n; i++)
        if (strcmp(all->items[i]->path, dir) == 0) {
            *ret = &all->items[i]->root;
            return OK;
        }
    struct named_dir *d = NEW(struct named_dir);
    d->path = mem_strdup(dir);
    d->root.fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct err e = d->root.fd < 0 ? err_errno(errno, "build context '%s'", dir) : read_rules(d);
    if (err_failed(e)) {
        dir_free(d);
        return e;
    }
    vec_push(all, d);
    *ret = &d->root;
    return OK;
}

struct err named_image(struct build *b, const char *value, const char **ret_name) {
    if (str_starts(str_of(value), STR(CONTEXT_IMAGE))) {
        *ret_name = value + strlen(CONTEXT_IMAGE);
        return OK;
    }
    const char *known = strmap_get(&b->context->layouts, value);
    if (known) {
        *ret_name = known;
        return OK;
    }
    TRY(AWAIT(b, layout_image(b, value + strlen(CONTEXT_LAYOUT), ret_name)));
    /* Another stage may have loaded it as well: it is the same image. */
    strmap_set(&b->context->layouts, b->arena, value, *ret_name);
    return OK;
}
