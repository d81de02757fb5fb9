#include "archive/tar_pax.h"
#include "base/time.h"

#define PAX_TIME_MAX (INT64_MAX / NSEC_PER_SEC - 1)

/* "1700000000.123456789", more digits are cut off; negative times exist in the wild. */
static struct err pax_time(struct str value, int64_t *ret) {
    struct str whole, fraction;
    bool has_fraction = str_cut(value, '.', &whole, &fraction);
    bool negative = str_starts(whole, STR("-"));
    int64_t seconds;
    TRY(str_to_i64(whole, -PAX_TIME_MAX, PAX_TIME_MAX, &seconds));
    int64_t ns = 0, scale = NSEC_PER_SEC;
    for (size_t i = 0; has_fraction && i < fraction.len; i++) {
        char c = fraction.p[i];
        if (c < '0' || c > '9')
            return err_new(ERR_INVALID, "'%.*s' is not a time", STR_ARG(value));
        scale /= 10;
        ns += (c - '0') * scale;
    }
    *ret = seconds * NSEC_PER_SEC + (negative ? -ns : ns);
    return OK;
}

static struct err pax_xattr(struct tar_pax *pax, struct str name, struct str value,
                            struct arena *a) {
    if (name.len == 0 || name.len > TAR_XATTR_NAME_MAX || str_has_nul(name))
        return err_new(ERR_INVALID, "bad name of an extended attribute");
    if (value.len > TAR_XATTR_SIZE_MAX)
        return err_new(ERR_INVALID, "extended attribute '%.*s' is larger than %d bytes",
                       STR_ARG(name), TAR_XATTR_SIZE_MAX);
    for (size_t i = 0; i < pax->xattrs.n; i++)
        if (str_eqz(name, pax->xattrs.items[i].name)) {
            pax->xattrs.items[i].value = str_n(arena_str(a, value), value.len);
            return OK;
        }
    if (pax->xattrs.n >= TAR_XATTRS_MAX)
        return err_new(ERR_INVALID, "more than %d extended attributes", TAR_XATTRS_MAX);
    vec_push(&pax->xattrs,
             ((struct tar_xattr){arena_str(a, name), str_n(arena_str(a, value), value.len)}));
    return OK;
}

static struct err pax_text(struct str key, struct str value, struct arena *a, const char **ret) {
    if (str_has_nul(value))
        return err_new(ERR_INVALID, "pax record '%.*s' has a NUL byte", STR_ARG(key));
    *ret = value.len ? arena_str(a, value) : NULL;
    return OK;
}

static struct err pax_id(struct str value, bool *ret_has, uint32_t *ret) {
    uint64_t v = 0;
    if (value.len) /* (uid_t)-1 means "unchanged" to chown and is nobody's */
        TRY(str_to_u64(value, UINT32_MAX - 1, &v));
    *ret_has = value.len > 0;
    *ret = (uint32_t)v;
    return OK;
}

static struct err pax_record(struct tar_pax *pax, struct str key, struct str value,
                             struct arena *a) {
    if (str_eqz(key, "path"))
        return pax_text(key, value, a, &pax->path);
    if (str_eqz(key, "linkpath"))
        return pax_text(key, value, a, &pax->target);
    if (str_eqz(key, "size")) {
        pax->size = 0;
        if (value.len)
            TRY(str_to_u64(value, INT64_MAX, &pax->size));
        pax->has_size = value.len > 0;
        return OK;
    }
    if (str_eqz(key, "uid"))
        return pax_id(value, &pax->has_uid, &pax->uid);
    if (str_eqz(key, "gid"))
        return pax_id(value, &pax->has_gid, &pax->gid);
    if (str_eqz(key, "mtime")) {
        if (value.len)
            TRY(pax_time(value, &pax->mtime));
        pax->has_mtime = value.len > 0;
        return OK;
    }
    if (str_starts(key, STR("SCHILY.xattr.")))
        return pax_xattr(pax, str_from(key, strlen("SCHILY.xattr.")), value, a);
    if (str_starts(key, STR("GNU.sparse."))) {
        const char *name;
        TRY(pax_text(key, value, a, &name));
        return tar_sparse_record(&pax->sparse, str_from(key, strlen("GNU.sparse.")), value, name);
    }
    return OK; /* atime, ctime, uname, gname, comment and vendors' keys say nothing that is kept */
}

struct err tar_pax_parse(struct str records, struct arena *a, struct tar_pax *pax) {
    while (records.len > 0) {
        struct str number, rest;
        uint64_t length;
        if (!str_cut(str_sub(records, 0, 21), ' ', &number, &rest))
            return err_new(ERR_INVALID, "pax record without a length");
        TRYF(str_to_u64(number, records.len, &length), "length of a pax record");
        if (length < number.len + 3 || records.p[length - 1] != '\n')
            return err_new(ERR_INVALID, "pax record of a wrong length");
        struct str record = str_sub(records, number.len + 1, length - 1), key, value;
        if (!str_cut(record, '=', &key, &value) || key.len == 0)
            return err_new(ERR_INVALID, "pax record without a key");
        TRYF(pax_record(pax, key, value, a), "pax record '%.*s'", STR_ARG(key));
        records = str_from(records, length);
    }
    return OK;
}
