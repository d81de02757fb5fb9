/* See tar_sparse.h. */
#include "archive/tar_sparse.h"
#include <stdlib.h>

void tar_sparse_done(struct tar_sparse *s) {
    vec_done(&s->pieces);
    *s = (struct tar_sparse){0};
}

struct err tar_sparse_add(struct tar_sparse *s, uint64_t at, uint64_t len) {
    if (s->pieces.n >= TAR_PIECES_MAX)
        return err_new(ERR_INVALID, "a sparse file has more than %d pieces", TAR_PIECES_MAX);
    vec_push(&s->pieces, ((struct tar_piece){at, len}));
    return OK;
}

/* "offset,length,offset,length" */
static struct err read_list(struct tar_sparse *s, struct str list) {
    struct str first, second;
    while (list.len) {
        uint64_t at, len;
        struct str rest = STR_NONE;
        if (!str_cut(list, ',', &first, &rest))
            return err_new(ERR_INVALID, "the map of a sparse file ends in the middle");
        if (!str_cut(rest, ',', &second, &list))
            list = STR_NONE;
        TRY(str_to_u64(first, INT64_MAX, &at));
        TRY(str_to_u64(second, INT64_MAX, &len));
        TRY(tar_sparse_add(s, at, len));
    }
    return OK;
}

struct err tar_sparse_record(struct tar_sparse *s, struct str key, struct str value,
                             const char *name) {
    uint64_t n = 0;
    s->on = true;
    if (str_eqz(key, "name")) {
        s->name = name;
        return OK;
    }
    if (str_eqz(key, "map"))
        return read_list(s, value);
    TRY(str_to_u64(value, INT64_MAX, &n));
    if (str_eqz(key, "major")) {
        s->major = n;
        return n > 1
                   ? err_new(ERR_UNSUPPORTED, "a sparse file of format %llu", (unsigned long long)n)
                   : OK;
    }
    if (str_eqz(key, "size") || str_eqz(key, "realsize")) {
        s->size = n;
        s->has_size = true;
    } else if (str_eqz(key, "offset") && !s->open) {
        s->open = true;
        return tar_sparse_add(s, n, 0);
    } else if (str_eqz(key, "numbytes") && s->open) {
        s->open = false;
        s->pieces.items[s->pieces.n - 1].len = n;
    } else if (!str_eqz(key, "numblocks") && !str_eqz(key, "minor")) {
        return err_new(ERR_INVALID, "GNU.sparse.%.*s is out of place", STR_ARG(key));
    }
    return OK;
}

struct err tar_sparse_check(const struct tar_sparse *s, uint64_t data) {
    uint64_t end = 0, sum = 0;
    if (!s->has_size || s->open)
        return err_new(ERR_INVALID, "the map of a sparse file is incomplete");
    for (size_t i = 0; i < s->pieces.n; i++) {
        const struct tar_piece *p = &s->pieces.items[i];
        if (p->at < end || p->at > s->size || p->len > s->size - p->at)
            return err_new(ERR_INVALID, "the pieces of a sparse file lie across each other");
        end = p->at + p->len;
        sum += p->len;
    }
    return sum == data ? OK
                       : err_new(ERR_INVALID, "a sparse file has %llu bytes, its map says %llu",
                                 (unsigned long long)data, (unsigned long long)sum);
}

uint64_t tar_sparse_hole(const struct tar_sparse *s) {
    uint64_t until = s->next < s->pieces.n ? s->pieces.items[s->next].at : s->size;
    return until > s->pos ? until - s->pos : 0;
}

uint64_t tar_sparse_run(const struct tar_sparse *s) {
    if (s->next == s->pieces.n || s->pos < s->pieces.items[s->next].at)
        return 0;
    const struct tar_piece *p = &s->pieces.items[s->next];
    return p->at + p->len - s->pos;
}

void tar_sparse_advance(struct tar_sparse *s, uint64_t n) {
    s->pos += n;
    while (s->next < s->pieces.n &&
           s->pos >= s->pieces.items[s->next].at + s->pieces.items[s->next].len)
        s->next++;
}
