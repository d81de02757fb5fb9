/* network/dns_cache.h - corten-dns: answers of others for as long as they may be kept. Private to
 * network/. Bounded by number and bytes; the oldest goes first. */
#pragma once
#include "network/dns_wire.h"

struct dns_cache;
struct dns_cache *dns_cache_new(void);
struct dns_cache *dns_cache_free(struct dns_cache *c);
/* now: monotonic seconds. What must not be kept (TTL 0, cut, failed) is not. */
void dns_cache_put(struct dns_cache *c, struct str key, struct str answer,
                   const struct dns_look *look, int64_t now);
/* An aged copy in out (at least UINT16_MAX bytes); 0: not there. */
size_t dns_cache_get(struct dns_cache *c, struct str key, int64_t now, uint8_t *out);
