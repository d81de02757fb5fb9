/* kernel/caps.h - capability sets: capabilities(7), capget(2), prctl(2).
 *
 * Sets are bit masks: bit n is capability number n. Any thread, but a capability set belongs to a
 * thread: only single-threaded programs (the monitor's children) should change theirs.
 * System calls directly, because they are called between clone and exec.
 * Tests: test/unit/kernel/caps.c, test/kernel/runtime-isolation.c.
 */
#pragma once
#include "base/str.h"

#define CAPS_COUNT 41 /* CAP_CHOWN … CAP_CHECKPOINT_RESTORE: what this build has names for */

struct caps {
    uint64_t bounding, effective, inheritable, permitted, ambient;
};

/* "CAP_CHOWN" → 0; -1 when the name is unknown. Case-sensitive, with the prefix. */
int caps_number(struct str name);
const char *caps_name(int number); /* NULL when unknown */

/* What the calling thread has. */
struct err caps_get(struct caps *ret);
/* What the calling thread could give away: permitted and bounding. Cheaper than caps_get. */
struct err caps_possible(uint64_t *ret);
/* All that this kernel knows: what the first process of a user namespace has. */
uint64_t caps_all(void);
/* Drops from the bounding set what is not in `keep` (needs CAP_SETPCAP). 0 or -errno. */
int caps_bound(uint64_t keep);
/* Effective, permitted and inheritable in one stroke. 0 or -errno. */
int caps_set(uint64_t effective, uint64_t permitted, uint64_t inheritable);
/* Makes the ambient set exactly `ambient`, which must be in permitted and inheritable. */
int caps_set_ambient(uint64_t ambient);
