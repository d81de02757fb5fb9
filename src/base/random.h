/* random.h - identifiers from getrandom(2). */
#pragma once
#include "base/attr.h"

void random_bytes(void *p, size_t n); /* aborts when the kernel has none */
/* 64 lower-case hex digits + NUL (container and network ids). The first 12 digits are never all
 * decimal, so that a short id can always be a host name (the peer does the same). */
void random_id(char out[65]);
uint64_t random_u64(void);
