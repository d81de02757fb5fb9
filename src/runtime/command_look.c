/* state and list. */
#include "base/time.h"
#include "base/vec.h"
#include "runtime/commands.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct err open_one(struct call *c, struct record *ret) {
    static const struct option options[] = {OPTIONS_END};
    const char *id;
    int option;
    TRY(call_option(c, ":", options, &option));
    TRY(call_id(c, &id));
    return record_open(c->root, id, ret);
}

struct err command_state(struct call *c) {
    CLEAN_RECORD struct record r = RECORD_NONE;
    TRY(open_one(c, &r));
    if (!r.has_kept)
        return err_new(ERR_NOT_FOUND, "container '%s' does not exist yet: its create is under way",
                       r.id);
    struct oci_state s;
    record_state(&r, &s);
    CLEAN_BUF struct buf text = {0};
    fields_print(&oci_state_fields, &s, &text);
    printf("%s\n", buf_cstr(&text));
    return OK;
}

/* --- list ------------------------------------------------------------------------------------- */

enum list_as { AS_TABLE, AS_JSON, AS_NAMES };

static struct err read_list_options(struct call *c, enum list_as *ret) {
    static const struct option options[] = {OPTION_TEXT("format", 'f'), OPTION_FLAG("quiet", 'q'),
                                            OPTIONS_END};
    for (int option;;) {
        TRY(call_option(c, ":f:q", options, &option));
        if (option < 0)
            break;
        if (option == 'q')
            *ret = AS_NAMES;
        else if (strcmp(optarg, "json") == 0)
            *ret = AS_JSON;
        else if (strcmp(optarg, "table") != 0)
            return err_new(ERR_INVALID, "--format '%s' is not table or json", optarg);
    }
    return c->argc == optind ? OK : err_new(ERR_INVALID, "%s takes no argument", c->argv[0]);
}

static void print_one(const struct record *r, enum list_as as, struct json_out *out) {
    struct oci_state s;
    if (as == AS_NAMES) {
        printf("%s\n", r->id);
        return;
    }
    record_state(r, &s);
    if (as == AS_JSON)
        fields_encode(&oci_state_fields, &s, 0, out);
    else
        printf("%-40s %-8lld %-9s %-40s %-31s %s\n", s.id, (long long)s.pid, s.status,
               s.bundle ? s.bundle : "", s.created ? s.created : "", s.owner ? s.owner : "");
}

struct err command_list(struct call *c) {
    enum list_as as = AS_TABLE;
    TRY(read_list_options(c, &as));
    CLEAN_STRV struct strv names = {0};
    TRY(record_list(c->root, &names));
    CLEAN_BUF struct buf text = {0};
    struct json_out out = {.out = &text};
    jo_arr(&out);
    if (as == AS_TABLE)
        printf("%-40s %-8s %-9s %-40s %-31s %s\n", "ID", "PID", "STATUS", "BUNDLE", "CREATED",
               "OWNER");
    for (size_t i = 0; i < names.n; i++) {
        CLEAN_RECORD struct record r = RECORD_NONE;
        struct err e = record_open(c->root, names.items[i], &r);
        if (err_failed(e)) {
            fprintf(stderr, "corten-runtime: %s\n", err_msg(e)); /* the others are shown */
            err_free(e);
            continue;
        }
        print_one(&r, as, &out);
    }
    jo_arr_end(&out);
    if (as == AS_JSON)
        printf("%s\n", buf_cstr(&text));
    return OK;
}
