#include "registry/challenge.h"

static bool is_token(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           (c && strchr("!#$%&'*+-.^_`|~/=", c));
}

static void skip_blanks(struct str *s) {
    while (s->len > 0 && (s->p[0] == ' ' || s->p[0] == '\t'))
        *s = str_from(*s, 1);
}

static struct str take_token(struct str *s, bool equals_too) {
    size_t n = 0;
    while (n < s->len && is_token(s->p[n]) && (equals_too || s->p[n] != '='))
        n++;
    struct str t = str_sub(*s, 0, n);
    *s = str_from(*s, n);
    return t;
}

static struct err malformed(void) {
    return err_new(ERR_INVALID, "malformed WWW-Authenticate of the registry");
}

/* "…" with backslash escapes, or a bare token. */
static struct err take_value(struct str *s, struct arena *a, const char **ret) {
    if (!str_starts(*s, STR("\""))) {
        *ret = arena_str(a, take_token(s, true));
        return OK;
    }
    char *out = arena_alloc(a, s->len + 1);
    size_t n = 0, i = 1;
    for (;; i++) {
        if (i < s->len && s->p[i] == '"')
            break;
        if (i < s->len && s->p[i] == '\\')
            i++;
        if (i >= s->len || (unsigned char)s->p[i] < ' ' || s->p[i] == 0x7f)
            return malformed();
        out[n++] = s->p[i];
    }
    *s = str_from(*s, i + 1);
    *ret = out;
    return OK;
}

static void set_parameter(struct challenge *c, struct str key, const char *value) {
    if (str_eq_nocase(key, STR("realm")))
        c->realm = value;
    else if (str_eq_nocase(key, STR("service")))
        c->service = value;
    else if (str_eq_nocase(key, STR("scope")))
        c->scope = value;
}

/* Parameters of one challenge, up to the next scheme or the end. */
static struct err take_parameters(struct str *s, struct arena *a, struct challenge *c) {
    for (;;) {
        skip_blanks(s);
        while (str_starts(*s, STR(","))) {
            *s = str_from(*s, 1);
            skip_blanks(s);
        }
        struct str before = *s, key = take_token(s, false);
        if (key.len == 0)
            return s->len == 0 ? OK : malformed();
        skip_blanks(s);
        if (!str_starts(*s, STR("="))) { /* not a parameter: the next scheme */
            *s = before;
            return OK;
        }
        *s = str_from(*s, 1);
        skip_blanks(s);
        const char *value;
        TRY(take_value(s, a, &value));
        set_parameter(c, key, value);
    }
}

struct err challenge_parse(struct str value, struct arena *a, struct challenge *ret) {
    struct challenge best = {CHALLENGE_NONE, "", "", ""};
    if (value.len > CHALLENGE_MAX)
        return malformed();
    skip_blanks(&value);
    while (value.len > 0) {
        struct challenge c = {CHALLENGE_NONE, "", "", ""};
        struct str scheme = take_token(&value, false);
        if (scheme.len == 0)
            return malformed();
        if (str_eq_nocase(scheme, STR("bearer")))
            c.scheme = CHALLENGE_BEARER;
        else if (str_eq_nocase(scheme, STR("basic")))
            c.scheme = CHALLENGE_BASIC;
        TRY(take_parameters(&value, a, &c));
        if (c.scheme > best.scheme)
            best = c;
    }
    if (best.scheme == CHALLENGE_NONE)
        return err_new(ERR_UNSUPPORTED, "the registry asks for an authentication that is neither "
                                        "Basic nor Bearer");
    if (best.scheme == CHALLENGE_BEARER && best.realm[0] == '\0')
        return malformed();
    *ret = best;
    return OK;
}
