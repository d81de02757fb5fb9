/* Which events a listener wants. */
#include "api/events.h"
#include <string.h>

const char *const events_filters[] = {"event",   "type",   "scope",  "daemon",  "container",
                                      "plugin",  "volume", "image",  "network", "node",
                                      "service", "secret", "config", "label",   NULL};

static bool exact(const struct strs *wanted, const char *text) {
    return !wanted || strs_has(wanted, text);
}

static bool prefix(const struct strs *wanted, const char *text) {
    for (size_t i = 0; wanted && text && i < wanted->n; i++)
        if (str_starts(str_of(text), str_of(wanted->items[i])))
            return true;
    return !wanted;
}

/* The actions with words behind a colon are asked for without them. */
static bool match_action(const struct strs *wanted, const char *action) {
    static const char *const families[] = {"health_status", "exec_create", "exec_start"};
    for (size_t i = 0; wanted && i < ARRAY_LEN(families); i++)
        if (strs_has(wanted, families[i]))
            return prefix(wanted, action);
    return exact(wanted, action);
}

static bool image_is(const struct strs *wanted, const char *text) {
    struct reference ref;
    char name[REFERENCE_TEXT_MAX];
    if (!text)
        return false;
    if (strs_has(wanted, text))
        return true;
    CLEAN_ERR struct err e = reference_parse(str_of(text), &ref);
    return !err_failed(e) && strs_has(wanted, reference_familiar_name(&ref, name));
}

/* Containers count as their image's too. */
static bool match_image(const struct strs *wanted, const struct api_event *e) {
    const char *key = strcmp(e->type, "image") == 0 ? "name" : "image";
    return !wanted || image_is(wanted, e->actor.id) ||
           image_is(wanted, strmap_get(&e->actor.attributes, key));
}

static bool match_actor(const struct api_filters *f, const char *noun, const struct api_event *e) {
    const struct strs *wanted = api_filter(f, noun);
    return !wanted || prefix(wanted, e->actor.id) ||
           prefix(wanted, strmap_get(&e->actor.attributes, "name"));
}

bool events_match(const struct api_event *e, const struct api_filters *f) {
    static const char *const nouns[] = {"daemon", "container", "plugin", "volume", "network",
                                        "node",   "service",   "secret", "config"};
    for (size_t i = 0; i < ARRAY_LEN(nouns); i++)
        if (!match_actor(f, nouns[i], e))
            return false;
    return match_action(api_filter(f, "event"), e->action) &&
           exact(api_filter(f, "type"), e->type) && exact(api_filter(f, "scope"), e->scope) &&
           match_image(api_filter(f, "image"), e) &&
           api_filter_labels(api_filter(f, "label"), &e->actor.attributes);
}
