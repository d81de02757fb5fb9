/* base/time.h - time points and RFC 3339 text.
 * Wall time is int64 nanoseconds since 1970-01-01T00:00:00Z; durations and deadlines use the
 * monotonic clock, also in nanoseconds. 0 as wall time means "never": Go's zero time
 * "0001-01-01T00:00:00Z" on the wire. */
#pragma once
#include "base/buf.h"

#define NSEC_PER_SEC INT64_C(1000000000)
#define NSEC_PER_MSEC INT64_C(1000000)
#define NSEC_PER_USEC INT64_C(1000)
#define TIME_TEXT_MAX 40

int64_t time_now(void);       /* wall, ns */
int64_t time_monotonic(void); /* CLOCK_BOOTTIME, ns */
/* RFC 3339 with up to 9 fractional digits, trailing zeros removed (Go's RFC3339Nano), UTC. */
char *time_format(int64_t t, char out[TIME_TEXT_MAX]);
/* Fixed nine digits ("2026-11-21T08:02:36.000000000Z"), as json-file and `logs -t` print it. */
char *time_format_fixed(int64_t t, char out[TIME_TEXT_MAX]);
/* RFC 3339 (any fraction, Z or offset), or Go's zero time → 0. */
struct err time_parse(struct str s, int64_t *ret);
/* API "since/until" values: unix seconds with optional fraction ("1700000000.123456789"), RFC 3339.
 */
struct err time_parse_api(struct str s, int64_t *ret);
/* Go duration text: "1h2m3.5s", "300ms", "-1s", "0" → ns. */
struct err duration_parse(struct str s, int64_t *ret);
