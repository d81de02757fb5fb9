/* container_filter.h - which containers GET /containers/json shows. Private to api/.
 * Source: Engine API 1.51 ContainerList. Names and ids are patterns (POSIX extended, matched
 * anywhere, without intervals and back references, which could take for ever). Loop thread.
 * Tests: test/unit/api/container_filter.c, test/e2e/t0305-defaults.sh. */
#pragma once
#include "api/container_view.h"

struct container_filter {
    struct api_filters given;
    struct images *images;
    bool all;                     /* those that do not run, too */
    int64_t before, since, limit; /* created, wall ns; INT64_MIN: not asked; limit -1: none */
    struct objs publish, expose;  /* of struct port_range */
    struct objs ancestors;        /* of struct image * */
    int64_t built_before;         /* wall ns; 0: not asked */
    struct objs exits;            /* of int64_t */
    struct objs networks;         /* of const char *: ids */
};
/* Reads all, limit and filters. Memory of the call. */
struct err container_filter_read(struct api_call *c, struct container_filter *ret);
bool container_filter_wants(const struct container_filter *f, const struct container *k);
/* Does one of the patterns match? NULL matches. A pattern that is none matches nothing. */
bool container_filter_pattern(const struct strs *patterns, const char *text);

struct port_range {
    uint8_t proto;
    uint16_t from, to;
};
/* "80", "80/udp", "8000-8010/tcp" */
struct err port_range_parse(const char *text, struct port_range *ret);
