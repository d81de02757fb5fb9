/* build/owner.c - users and groups of an image, and modes. */
#include "build/owner.h"
#include "archive/tar_read.h"
#include "build/tree_stream.h"

#define USER_FILE_MAX (4u << 20)
#define ID_MAX 0xfffffffeu

static bool is_number(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.len > 0;
}

/* The n-th field of the line whose first field is name: passwd(5), group(5). */
static bool user_field(struct str file, struct str name, unsigned n, struct str *ret) {
    struct str line;
    while (str_next(&file, '\n', &line)) {
        struct str field, rest = line;
        if (!str_next(&rest, ':', &field) || !str_eq(field, name))
            continue;
        for (unsigned i = 0; i < n; i++)
            if (!str_next(&rest, ':', &field))
                return false;
        *ret = field;
        return true;
    }
    return false;
}

static struct err id(struct str s, const char *what, uint32_t *ret) {
    uint64_t n;
    TRYF(str_to_u64(s, ID_MAX, &n), "%s", what);
    *ret = (uint32_t)n;
    return OK;
}

static struct err user_part(struct str user, struct str passwd, struct owner *o) {
    struct str field;
    if (is_number(user)) {
        TRY(id(user, "user id", &o->uid));
        o->gid = o->uid;
        return OK;
    }
    if (!user_field(passwd, user, 2, &field))
        return err_new(ERR_INVALID, "user '%.*s' is not in the image's /etc/passwd", STR_ARG(user));
    TRY(id(field, "user id in the image's /etc/passwd", &o->uid));
    if (!user_field(passwd, user, 3, &field))
        return err_new(ERR_INVALID, "the image's /etc/passwd has no group for user '%.*s'",
                       STR_ARG(user));
    return id(field, "group id in the image's /etc/passwd", &o->gid);
}

static struct err group_part(struct str group_name, struct str group, struct owner *o) {
    struct str field;
    if (is_number(group_name))
        return id(group_name, "group id", &o->gid);
    if (!user_field(group, group_name, 2, &field))
        return err_new(ERR_INVALID, "group '%.*s' is not in the image's /etc/group",
                       STR_ARG(group_name));
    return id(field, "group id in the image's /etc/group", &o->gid);
}

struct err owner_parse(const char *text, struct str passwd, struct str group, struct owner *ret) {
    struct owner o = {0};
    struct str user, group_name;
    bool has_group = str_cut(str_of(text), ':', &user, &group_name);
    if (user.len == 0 && (!has_group || group_name.len == 0))
        return err_new(ERR_INVALID, "empty owner");
    if (user.len)
        TRY(user_part(user, passwd, &o));
    if (has_group && group_name.len)
        TRY(group_part(group_name, group, &o));
    *ret = o;
    return OK;
}

bool owner_has_names(const char *text) {
    struct str user, group;
    str_cut(str_of(text), ':', &user, &group);
    return (user.len && !is_number(user)) || (group.len && !is_number(group));
}

/* A file of the image; empty when it is not there. */
static struct err image_file(struct client *c, const char *image, const char *path,
                             struct buf *ret) {
    struct err e = daemon_tree(c, image, path);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_free(e); /* an image without users: names are then unknown */
        return OK;
    }
    TRY(e);
    CLEAN_STREAM struct stream *s = tree_stream(c);
    CLEAN_TAR_READER struct tar_reader *t = tar_reader_new(s);
    const struct tar_entry *entry;
    TRY(tar_next(t, &entry));
    if (entry && entry->type == TAR_FILE)
        TRYF(tar_read_all(t, USER_FILE_MAX, ret), "the image's %s", path);
    return stream_drain(s);
}

struct err owner_resolve(struct client *c, const char *image, const char *text, struct owner *ret) {
    CLEAN_BUF struct buf passwd = {0};
    CLEAN_BUF struct buf group = {0};
    if (owner_has_names(text)) {
        TRY(image_file(c, image, "/etc/passwd", &passwd));
        TRY(image_file(c, image, "/etc/group", &group));
    }
    return owner_parse(text, buf_str(&passwd), buf_str(&group), ret);
}

/* One clause of a symbolic mode: who op perms [op perms …]. mode is changed in place. */
static bool clause(struct str s, uint32_t *mode, bool dir) {
    uint32_t who = 0;
    size_t i = 0;
    for (; i < s.len && strchr("ugoa", s.p[i]); i++)
        who |= s.p[i] == 'u' ? 04700 : s.p[i] == 'g' ? 02070 : s.p[i] == 'o' ? 01007 : 07777;
    who = who ? who : 07777;
    if (i == s.len)
        return false;
    while (i < s.len) {
        char op = s.p[i++];
        if (!strchr("+-=", op))
            return false;
        uint32_t bits = 0, before = *mode;
        for (; i < s.len && !strchr("+-=", s.p[i]); i++) {
            char p = s.p[i];
            bool x = dir || (*mode & 0111);
            if (!strchr("rwxXstugo", p))
                return false;
            if (strchr("ugo", p)) /* what that one has */
                bits |= 0111 * (before >> (p == 'u' ? 6 : p == 'g' ? 3 : 0) & 7);
            bits |= p == 'r' ? 0444 : p == 'w' ? 0222 : p == 'x' ? 0111 : p == 's' ? 06000 : 0;
            bits |= p == 'X' && x ? 0111 : p == 't' ? 01000 : 0;
        }
        bits &= who;
        *mode = op == '+' ? *mode | bits : op == '-' ? *mode & ~bits : (*mode & ~who) | bits;
    }
    return true;
}

static bool symbolic(const char *text, uint32_t *mode, bool dir) {
    struct str rest = str_of(text), one;
    while (str_next(&rest, ',', &one))
        if (!clause(one, mode, dir))
            return false;
    return *text;
}

struct err mode_parse(const char *text, struct mode_change *ret) {
    uint32_t mode = 0;
    size_t n = strspn(text, "01234567");
    if (*text >= '0' && *text <= '9') {
        for (size_t i = 0; i < n && i < 12; i++)
            mode = mode << 3 | (uint32_t)(text[i] - '0');
        if (text[n] || n > 12 || mode > 07777)
            return err_new(ERR_INVALID,
                           "invalid chmod parameter: '%s'. it should be octal string and between 0 "
                           "and 07777",
                           text);
        *ret = (struct mode_change){.octal = true, .mode = mode};
        return OK;
    }
    if (!symbolic(text, &mode, false))
        return err_new(ERR_INVALID, "invalid chmod parameter: '%s'", text);
    *ret = (struct mode_change){.text = text};
    return OK;
}

uint32_t mode_apply(const struct mode_change *m, uint32_t mode, bool dir) {
    if (m->octal)
        return m->mode;
    if (m->text)
        symbolic(m->text, &mode, dir);
    return mode;
}
