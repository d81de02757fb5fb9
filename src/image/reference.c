#include "image/reference.h"
#include "base/err.h"
#include <stdio.h>
#include <string.h>

#define DEFAULT_DOMAIN "docker.io"
#define DEFAULT_PREFIX "library/"

static bool is_lower_alnum(char c) {
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_alnum(char c) {
    return is_lower_alnum(c) || (c >= 'A' && c <= 'Z');
}

/* path-component := alpha-numeric { separator alpha-numeric }, separator := "." | "_" | "__" | "-"+
 */
static bool component_valid(struct str s) {
    size_t i = 0;
    for (;;) {
        size_t start = i;
        while (i < s.len && is_lower_alnum(s.p[i]))
            i++;
        if (i == start)
            return false;
        if (i == s.len)
            return true;
        if (s.p[i] == '.') {
            i++;
        } else if (s.p[i] == '_') {
            i += i + 1 < s.len && s.p[i + 1] == '_' ? 2 : 1;
        } else if (s.p[i] == '-') {
            while (i < s.len && s.p[i] == '-')
                i++;
        } else {
            return false;
        }
    }
}

static bool path_valid(struct str path) {
    struct str rest = path, part;
    bool any = false;
    while (str_next(&rest, '/', &part)) {
        if (!component_valid(part))
            return false;
        any = true;
    }
    return any;
}

static bool port_valid(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    return s.len > 0;
}

/* host labels of letters, digits and inner '-', joined by dots; or an IPv6 address in brackets */
static bool host_valid(struct str host) {
    if (str_starts(host, STR("[")) && str_ends(host, STR("]"))) {
        for (size_t i = 1; i + 1 < host.len; i++)
            if (!(host.p[i] == ':' || (host.p[i] >= '0' && host.p[i] <= '9') ||
                  (host.p[i] >= 'a' && host.p[i] <= 'f') || (host.p[i] >= 'A' && host.p[i] <= 'F')))
                return false;
        return host.len > 2;
    }
    struct str rest = host, label;
    bool any = false;
    while (str_next(&rest, '.', &label)) {
        if (label.len == 0 || !is_alnum(label.p[0]) || !is_alnum(label.p[label.len - 1]))
            return false;
        for (size_t i = 0; i < label.len; i++)
            if (!is_alnum(label.p[i]) && label.p[i] != '-')
                return false;
        any = true;
    }
    return any;
}

bool reference_domain_valid(struct str domain) {
    ssize_t colon = str_rfind(domain, ':');
    if (colon >= 0 && !str_ends(domain, STR("]"))) {
        if (!port_valid(str_from(domain, (size_t)colon + 1)))
            return false;
        domain = str_sub(domain, 0, (size_t)colon);
    }
    return host_valid(domain);
}

bool reference_tag_valid(struct str tag) {
    if (tag.len == 0 || tag.len > REFERENCE_TAG_MAX || tag.p[0] == '.' || tag.p[0] == '-')
        return false;
    for (size_t i = 0; i < tag.len; i++)
        if (!is_alnum(tag.p[i]) && tag.p[i] != '_' && tag.p[i] != '.' && tag.p[i] != '-')
            return false;
    return true;
}

static bool has_upper(struct str s) {
    for (size_t i = 0; i < s.len; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'Z')
            return true;
    return false;
}

/* Ten thousand names are read at a start: printf would be a third of it. s fits. */
static size_t put(char *out, size_t at, struct str s) {
    if (s.len)
        memcpy(out + at, s.p, s.len);
    out[at + s.len] = '\0';
    return at + s.len;
}

static struct err bad_format(void) {
    return err_new(ERR_INVALID, "invalid reference format");
}

static bool reads_as_domain(struct str first) {
    return str_find(first, '.') >= 0 || str_find(first, ':') >= 0 || has_upper(first) ||
           str_eqz(first, "localhost");
}

/* Splits domain and path as the docker CLI does. */
static struct err parse_name(struct str name, struct reference *ret) {
    struct str first, rest, domain = STR(DEFAULT_DOMAIN), path = name;
    if (str_cut(name, '/', &first, &rest) && reads_as_domain(first)) {
        domain = str_eqz(first, "index.docker.io") ? STR(DEFAULT_DOMAIN) : first;
        path = rest;
    }
    bool library = str_eqz(domain, DEFAULT_DOMAIN) && str_find(path, '/') < 0;
    if (has_upper(path))
        return err_new(ERR_INVALID, "invalid reference format: repository name must be lowercase");
    if (!path_valid(path) || !reference_domain_valid(domain))
        return bad_format();
    size_t path_len = path.len + (library ? strlen(DEFAULT_PREFIX) : 0);
    if (domain.len + 1 + path_len > REFERENCE_NAME_MAX)
        return err_new(ERR_INVALID, "repository name must not be more than %d characters",
                       REFERENCE_NAME_MAX);
    put(ret->domain, 0, domain);
    put(ret->path, library ? put(ret->path, 0, STR(DEFAULT_PREFIX)) : 0, path);
    return OK;
}

struct err reference_parse(struct str text, struct reference *ret) {
    struct reference r = {0};
    struct digest ignored;
    if (text.len >= REFERENCE_TEXT_MAX || text.len == 0 || str_has_nul(text))
        return bad_format();
    if (text.len == 64 && reference_is_id(text, &ignored))
        return err_new(ERR_INVALID,
                       "invalid repository name (%.*s), cannot specify 64-byte hexadecimal strings",
                       STR_ARG(text));
    struct str name = text, digest;
    if (str_cut(text, '@', &name, &digest)) {
        struct err e = digest_parse(digest, &r.digest);
        if (err_failed(e)) {
            err_ignore(e); /* the peer's words are wanted */
            return err_new(ERR_INVALID, "invalid reference format");
        }
        r.has_digest = true;
    }
    /* A colon after the last slash starts a tag; one before it belongs to a port. */
    ssize_t colon = str_rfind(name, ':'), slash = str_rfind(name, '/');
    if (colon >= 0 && colon > slash) {
        struct str tag = str_from(name, (size_t)colon + 1);
        if (!reference_tag_valid(tag))
            return bad_format();
        put(r.tag, 0, tag);
        name = str_sub(name, 0, (size_t)colon);
    }
    TRY(parse_name(name, &r));
    *ret = r;
    return OK;
}

struct err reference_parse_with_tag(struct str name, struct str tag, struct reference *ret) {
    struct reference r;
    TRY(reference_parse(name, &r));
    if (str_find(tag, ':') >= 0) {
        TRY(digest_parse(tag, &r.digest));
        r.has_digest = true;
        r.tag[0] = '\0';
    } else if (tag.len > 0) {
        if (!reference_tag_valid(tag))
            return err_new(ERR_INVALID, "invalid tag format");
        snprintf(r.tag, sizeof(r.tag), "%.*s", STR_ARG(tag));
        r.has_digest = false;
    }
    *ret = r;
    return OK;
}

void reference_default_tag(struct reference *r) {
    if (r->tag[0] == '\0' && !r->has_digest)
        snprintf(r->tag, sizeof(r->tag), "latest");
}

static char *add_tag_and_digest(const struct reference *r, char out[REFERENCE_TEXT_MAX]) {
    size_t n = strlen(out);
    if (r->tag[0])
        n = put(out, put(out, n, STR(":")), str_of(r->tag));
    if (r->has_digest) {
        char digest[DIGEST_TEXT_MAX];
        put(out, put(out, n, STR("@")), str_of(digest_text(&r->digest, digest)));
    }
    return out;
}

char *reference_name(const struct reference *r, char out[REFERENCE_TEXT_MAX]) {
    put(out, put(out, put(out, 0, str_of(r->domain)), STR("/")), str_of(r->path));
    return out;
}

char *reference_familiar_name(const struct reference *r, char out[REFERENCE_TEXT_MAX]) {
    if (strcmp(r->domain, DEFAULT_DOMAIN) != 0)
        return reference_name(r, out);
    const char *path = r->path;
    size_t prefix = strlen(DEFAULT_PREFIX);
    struct str first, rest;
    struct digest ignored;
    /* What is shown must be read back as the same name, else it stays as long as it is. */
    if (str_cut(str_of(path), '/', &first, &rest) && reads_as_domain(first))
        return reference_name(r, out);
    if (strncmp(path, DEFAULT_PREFIX, prefix) == 0 && !strchr(path + prefix, '/') &&
        !reference_is_id(str_of(path + prefix), &ignored))
        path += prefix;
    put(out, 0, str_of(path));
    return out;
}

char *reference_text(const struct reference *r, char out[REFERENCE_TEXT_MAX]) {
    reference_name(r, out);
    return add_tag_and_digest(r, out);
}

char *reference_familiar(const struct reference *r, char out[REFERENCE_TEXT_MAX]) {
    reference_familiar_name(r, out);
    return add_tag_and_digest(r, out);
}

bool reference_is_id(struct str text, struct digest *ret) {
    if (str_starts(text, STR("sha256:")))
        text = str_from(text, strlen("sha256:"));
    if (text.len != 64)
        return false;
    char full[DIGEST_TEXT_MAX];
    put(full, put(full, 0, STR("sha256:")), text);
    struct err e = digest_parse(str_of(full), ret);
    bool is = !err_failed(e);
    err_ignore(e); /* not an id */
    return is;
}
