/* user.c - "name:group" into numbers, by the container's own /etc/passwd and /etc/group.
 *
 * Both files are the image's: hostile. They are read below the rootfs, bounded, and parsed
 * strictly: a line with a bad number is no line. A numeric user is a uid even where somebody is
 * *named* like it (CVE-2016-3697), and no number wraps (CVE-2024-40635). */
#include "kernel/beneath.h"
#include "monitor/keeper.h"

#define DATABASE_MAX (1u << 20) /* bytes of passwd or group */
#define ID_MAX INT32_MAX        /* as the peer */

struct passwd_row {
    struct str name, home;
    uint32_t uid, gid;
};
struct group_row {
    struct str name, members;
    uint32_t gid;
};

static struct err read_database(int root, const char *path, struct buf *ret) {
    struct err e = beneath_read(root, path, DATABASE_MAX, ret);
    if (err_kind(e) == ERR_NOT_FOUND) {
        err_ignore(e); /* images without users have none of them */
        return OK;
    }
    return err_wrap(e, "%s of the container", path);
}

static bool to_id(struct str s, uint32_t *ret) {
    uint64_t v;
    struct err e = str_to_u64(s, ID_MAX, &v);
    bool fine = !err_failed(e);
    err_ignore(e);
    if (fine)
        *ret = (uint32_t)v;
    return fine;
}

static bool is_number(struct str s) {
    size_t i = s.len > 0 && s.p[0] == '-' ? 1 : 0;
    size_t start = i;
    while (i < s.len && s.p[i] >= '0' && s.p[i] <= '9')
        i++;
    return i > start && i == s.len;
}

static struct str column(struct str line, int n) {
    struct str field = STR_NONE;
    for (int i = 0; i <= n; i++)
        if (!str_next(&line, ':', &field))
            return STR_NONE;
    return field;
}

static bool next_passwd(struct str *rest, struct passwd_row *ret) {
    struct str line;
    while (str_next(rest, '\n', &line)) {
        *ret = (struct passwd_row){.name = column(line, 0), .home = column(line, 5)};
        if (ret->name.len > 0 && to_id(column(line, 2), &ret->uid) &&
            to_id(column(line, 3), &ret->gid))
            return true;
    }
    return false;
}

static bool next_group(struct str *rest, struct group_row *ret) {
    struct str line;
    while (str_next(rest, '\n', &line)) {
        *ret = (struct group_row){.name = column(line, 0), .members = column(line, 3)};
        if (ret->name.len > 0 && to_id(column(line, 2), &ret->gid))
            return true;
    }
    return false;
}

struct resolved {
    uint32_t uid, gid;
    struct str name, home; /* of the passwd row; empty without one */
    struct buf gids;       /* JSON numbers */
    size_t gids_n;
};

static struct err add_gid(struct resolved *r, uint32_t gid) {
    if (r->gids_n == OCI_GIDS_MAX)
        return err_new(ERR_INVALID, "more than %d supplementary groups", OCI_GIDS_MAX);
    buf_addc(&r->gids, r->gids_n++ ? ',' : '[');
    buf_add_u64(&r->gids, gid);
    return OK;
}

static struct err find_user(struct str passwd, struct str user, struct resolved *r) {
    bool number = is_number(user);
    uint32_t uid = 0;
    if (number && !to_id(user, &uid))
        return err_new(ERR_INVALID, "uids and gids must be in range 0-%d", ID_MAX);
    struct passwd_row row;
    while (next_passwd(&passwd, &row)) {
        bool match = number || user.len == 0 ? row.uid == uid : str_eq(row.name, user);
        if (!match)
            continue;
        r->uid = row.uid;
        r->gid = row.gid;
        r->name = row.name;
        r->home = row.home;
        return OK;
    }
    if (!number && user.len > 0)
        return err_new(ERR_INVALID, "unable to find user %.*s: no matching entries in passwd file",
                       STR_ARG(user));
    r->uid = uid;
    return OK;
}

static struct err find_group(struct str database, struct str group, bool by_either, uint32_t *ret) {
    bool number = is_number(group);
    uint32_t gid = 0;
    if (number && !to_id(group, &gid))
        return err_new(ERR_INVALID, "uids and gids must be in range 0-%d", ID_MAX);
    struct group_row row;
    while (next_group(&database, &row)) {
        bool named = (!number || by_either) && str_eq(row.name, group);
        if (named || (number && row.gid == gid)) {
            *ret = row.gid;
            return OK;
        }
    }
    if (!number)
        return err_new(ERR_INVALID, "unable to find group %.*s: no matching entries in group file",
                       STR_ARG(group));
    *ret = gid;
    return OK;
}

/* Groups that name the user as a member. */
static struct err member_groups(struct str database, struct resolved *r) {
    struct group_row row;
    while (r->name.len > 0 && next_group(&database, &row)) {
        struct str members = row.members, member;
        while (str_next(&members, ',', &member))
            if (str_eq(member, r->name)) {
                if (row.gid != r->gid)
                    TRY(add_gid(r, row.gid));
                break;
            }
    }
    return OK;
}

static struct err resolve(struct str passwd, struct str groups, const char *user,
                          const char *const *extra, size_t extra_n, struct resolved *r) {
    struct str name, group;
    bool has_group = str_cut(str_of(user ? user : ""), ':', &name, &group) && group.len > 0;
    TRY(find_user(passwd, name, r));
    if (has_group)
        TRY(find_group(groups, group, false, &r->gid));
    TRY(add_gid(r, r->gid)); /* in the list as well: CVE-2022-36109 */
    if (!has_group)
        TRY(member_groups(groups, r));
    for (size_t i = 0; i < extra_n; i++) {
        uint32_t gid;
        TRY(find_group(groups, str_of(extra[i]), true, &gid));
        TRY(add_gid(r, gid));
    }
    return OK;
}

static void add_home(struct oci_process *p, struct arena *a, struct str home) {
    for (size_t i = 0; i < p->env.n; i++)
        if (strncmp(p->env.items[i], "HOME=", 5) == 0)
            return;
    if (home.len == 0 || str_has_nul(home))
        home = STR("/");
    strs_add(&p->env, a, arena_printf(a, "HOME=%.*s", STR_ARG(home)));
}

struct err user_resolve(int root, const char *user, const char *const *groups, size_t groups_n,
                        struct oci_process *p, struct arena *a) {
    CLEAN_BUF struct buf passwd = {0}, group = {0};
    TRY(read_database(root, "/etc/passwd", &passwd));
    TRY(read_database(root, "/etc/group", &group));
    struct resolved r = {0};
    struct err e = resolve(buf_str(&passwd), buf_str(&group), user, groups, groups_n, &r);
    if (!err_failed(e)) {
        buf_addc(&r.gids, ']');
        p->user.uid = r.uid;
        p->user.gid = r.gid;
        p->user.additional_gids = str_of(arena_str(a, buf_str(&r.gids)));
        add_home(p, a, r.home);
    }
    buf_done(&r.gids);
    return e;
}

struct err monitor_user_ids(int root, const char *user, uint32_t *ret_uid, uint32_t *ret_gid) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_process p = {0};
    TRY(user_resolve(root, user, NULL, 0, &p, &a));
    *ret_uid = p.user.uid;
    *ret_gid = p.user.gid;
    return OK;
}
