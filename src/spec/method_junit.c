/* method_junit: counts of a JUnit XML document, by its elements. One pass over the bytes: comments,
 * CDATA, processing instructions and a DOCTYPE are stepped over, entities are never looked at. */
#include "spec/method_result.h"

struct scan {
    struct str rest;
    int64_t examples, failures, skipped;
    bool in_case, failed, skip; /* of the testcase that is open */
    bool suite;                 /* a testsuite was there */
    bool bad;
};

/* Steps over text up to and with `end`. */
static void skip_to(struct scan *s, struct str end) {
    ssize_t at = str_find_str(s->rest, end);
    if (at < 0)
        s->bad = true;
    else
        s->rest = str_from(s->rest, (size_t)at + end.len);
}

/* To the '>' that ends a tag; attributes may hold one in quotes. */
static struct str take_tag(struct scan *s) {
    char quote = 0;
    for (size_t i = 0; i < s->rest.len; i++) {
        char c = s->rest.p[i];
        if (quote) {
            if (c == quote)
                quote = 0;
        } else if (c == '"' || c == '\'') {
            quote = c;
        } else if (c == '>') {
            struct str tag = str_sub(s->rest, 0, i);
            s->rest = str_from(s->rest, i + 1);
            return tag;
        }
    }
    s->bad = true;
    return STR_NONE;
}

static void close_case(struct scan *s) {
    s->failures += s->failed;
    s->skipped += s->skip && !s->failed;
    s->in_case = s->failed = s->skip = false;
}

static void element(struct scan *s, struct str tag) {
    bool ends = str_starts(tag, STR("/")), alone = str_ends(tag, STR("/"));
    struct str name = ends ? str_from(tag, 1) : tag;
    size_t n = 0;
    while (n < name.len && !strchr(" \t\r\n/", name.p[n]))
        n++;
    name = str_sub(name, 0, n);
    if (str_eqz(name, "testsuite") || str_eqz(name, "testsuites")) {
        s->suite = true;
    } else if (str_eqz(name, "testcase")) {
        if (ends) {
            close_case(s);
        } else {
            s->bad |= s->in_case;
            s->examples++;
            s->in_case = !alone;
        }
    } else if (!ends && s->in_case && (str_eqz(name, "failure") || str_eqz(name, "error"))) {
        s->failed = true;
    } else if (!ends && s->in_case && str_eqz(name, "skipped")) {
        s->skip = true;
    } else if (!ends && s->suite && str_eqz(name, "error")) {
        s->failures++; /* of the suite itself */
    }
}

bool method_junit_count(struct str xml, int64_t *ret_examples, int64_t *ret_failures,
                        int64_t *ret_skipped) {
    struct scan s = {.rest = xml};
    while (!s.bad) {
        ssize_t at = str_find(s.rest, '<');
        if (at < 0)
            break;
        s.rest = str_from(s.rest, (size_t)at + 1);
        if (str_starts(s.rest, STR("!--")))
            skip_to(&s, STR("-->"));
        else if (str_starts(s.rest, STR("![CDATA[")))
            skip_to(&s, STR("]]>"));
        else if (str_starts(s.rest, STR("?")))
            skip_to(&s, STR("?>"));
        else if (str_starts(s.rest, STR("!")))
            take_tag(&s);
        else
            element(&s, take_tag(&s));
    }
    s.bad |= s.in_case;
    *ret_examples = s.examples;
    *ret_failures = s.failures + (s.bad ? 1 : 0); /* what is cut short is not good */
    *ret_skipped = s.skipped;
    return s.suite;
}
