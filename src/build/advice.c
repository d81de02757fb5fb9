/* build/advice.c - what is to be said about an image that was built. */
#include "build/execute.h"

#define RULE "OversizedLayer"
#define LARGE_LAYER (INT64_C(256) << 20) /* bytes */
#define ANSWER_MAX (4u << 20)
#define WORDS_MAX 100 /* bytes of a step */

static struct err read_history(struct build *b, const char *image, struct objs *ret) {
    CLEAN_BUF struct buf t = {0};
    CLEAN_BUF struct buf text = {.max = ANSWER_MAX};
    client_path(&t, "/images/", image, "/history");
    struct client_call call = {.method = "GET", .target = buf_cstr(&t)};
    TRY(client_begin(b->client, &call));
    for (ssize_t n; (n = client_read(b->client, buf_room(&text, 4096), 4096)) != 0;) {
        if (n < 0)
            return err_errno((int)n, "read the image's history");
        buf_added(&text, (size_t)n);
    }
    return fields_decode_objs(&api_image_history_fields, buf_str(&text), b->arena, ret);
}

struct err advise(struct build *b, const char *image) {
    struct api_image i = {0};
    struct objs found = {0};
    size_t base = b->plan->target->state.history_from;
    if (!b->report->out->events || check_skips(&b->checks, RULE))
        return OK;
    TRY(client_image_inspect(b->client, image, b->arena, &i));
    if (i.size < LARGE_LAYER)
        return OK;
    TRY(read_history(b, image, &found));
    const struct api_image_history *h = found.items; /* newest first */
    for (size_t n = found.n; n-- > 0;) {
        struct str words = str_of(h[n].created_by);
        if (h[n].size < LARGE_LAYER || found.n - 1 - n < base)
            continue; /* small, or another build's */
        TRY(report_text(b->report,
                        "advice: " RULE
                        ": %lld MB are made by: %.*s%s (remove what is not needed in "
                        "the same step, or copy the result from another stage)\n",
                        (long long)(h[n].size / 1000000), STR_ARG(str_sub(words, 0, WORDS_MAX)),
                        words.len > WORDS_MAX ? "..." : ""));
    }
    return OK;
}
