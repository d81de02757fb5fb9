/* list.c - commands that list: one call, one row for each element of its answer. */
#include "cli/command.h"
#include <stdlib.h>
#include <string.h>

/* Numbers in names by their value, the rest by bytes. */
static int compare_natural(const char *a, const char *b) {
    while (*a && *b) {
        size_t n = strspn(a, "0123456789"), m = strspn(b, "0123456789");
        if (n == 0 || m == 0) {
            if (*a != *b)
                return (unsigned char)*a - (unsigned char)*b;
            a++;
            b++;
            continue;
        }
        size_t zeros_a = MIN(strspn(a, "0"), n - 1), zeros_b = MIN(strspn(b, "0"), m - 1);
        size_t len = n - zeros_a;
        if (len != m - zeros_b)
            return len < m - zeros_b ? -1 : 1;
        int r = strncmp(a + zeros_a, b + zeros_b, len);
        if (r || n != m)
            return r ? r : n < m ? -1 : 1;
        a += n;
        b += m;
    }
    return (*a != 0) - (*b != 0);
}

static int compare_elements(const void *a, const void *b, void *arg) {
    size_t at = *(const size_t *)arg;
    const char *x = *(char *const *)((const char *)a + at),
               *y = *(char *const *)((const char *)b + at);
    return compare_natural(x ? x : "", y ? y : "");
}

int cli_rows(struct invocation *in, const struct cli_list *list, const struct objs *found) {
    struct listing l = {0};
    const char *configured = list->config && !list->quiet
                                 ? config_text(in->config, list->config, &in->arena)
                                 : NULL;
    struct err e = listing_begin(&l, list->format, configured,
                                 list->quiet ? list->quiet : list->otherwise, list->type);
    l.may_cut = l.may_cut && !list->whole;
    size_t key = list->sort_by - 1;
    if (list->sort_by && found->n > 1)
        qsort_r(found->items, found->n, list->fields->size, compare_elements, &key);
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
