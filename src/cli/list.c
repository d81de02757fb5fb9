/* list.c - commands that list: one call, one row for each element of its answer. */
#include "cli/command.h"

int cli_rows(struct invocation *in, const struct cli_list *list, const struct objs *found) {
    struct listing l = {0};
    const char *configured = list->config && !list->quiet
                                 ? config_text(in->config, list->config, &in->arena)
                                 : NULL;
    struct err e = listing_begin(&l, list->format, configured,
                                 list->quiet ? list->quiet : list->otherwise, list->type);
    l.may_cut = l.may_cut && !list->whole;
    for (size_t i = 0; i < found->n && !err_failed(e); i++) {
        const void *element = (const char *)found->items + i * list->fields->size;
        e = list->row ? list->row(&l, element, in) : listing_row(&l, element);
    }
    return listing_end(&l, e);
}

int cli_list(struct invocation *in, const struct cli_list *list) {
    CLEAN_CLIENT struct client *c = cli_connect(in);
    CLEAN_BUF struct buf target = {0};
    struct objs found = {0};
    if (!c)
        return 1;
    buf_adds(&target, list->target);
    if (list->filter)
        TRYF_STATUS(filter_query(list->filter, &target));
    TRYF_STATUS(cli_get_array(c, buf_cstr(&target), list->fields, &in->arena, &found));
    return cli_rows(in, list, &found);
}
