/* pull_ranges.h - the rest of one blob by several connections. Private to registry/; worker only.
 *
 * For servers and paths that give each connection less than the line has. RANGES_LANES threads
 * fetch pieces of RANGES_PIECE bytes by Range, lane k the pieces k, k + lanes, …; the caller's
 * thread takes them in their order, so that what is stored is always the beginning of the blob and
 * a cut pull goes on from there. Memory: two pieces a lane. Lanes are shared by the layers of a
 * pull; where a single stream is fast enough (pull_download.c) none are taken. Tests:
 * test/e2e/t1211-pull-resume.sh.
 */
#pragma once
#include "registry/client.h"

#define RANGES_LANES 4
#define RANGES_PIECE (2u << 20)
#define RANGES_MIN (4 * RANGES_PIECE)         /* bytes that are left: else it is not worth it */
#define RANGES_AFTER (INT64_C(700) * 1000000) /* ns of a single stream before it is judged */
#define RANGES_RATE (8u << 20)                /* bytes a second: a single stream is fast enough */

struct ranges_fetch {
    const struct registry *registry;
    const char *url;
    uint64_t from, size;                             /* of the blob: [from, size) is fetched */
    unsigned lanes;                                  /* 2 … RANGES_LANES */
    const _Atomic bool *abandon;                     /* ends it when it becomes true */
    int (*take)(void *arg, const void *p, size_t n); /* -errno ends it */
    void *arg;
};
/* ERR_UNSUPPORTED: the server does not send ranges. What was taken before an error stays taken. */
struct err ranges_fetch(const struct ranges_fetch *f);
