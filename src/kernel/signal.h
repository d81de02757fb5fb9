/* kernel/signal.h - names of signals: signal(7).
 *
 * Any thread; keeps no state. Tests: test/unit/container/words.c.
 */
#pragma once
#include <stdbool.h>

/* By number, name, or name with SIG, any case; RTMIN+n, RTMAX-n. False: no such signal. */
bool signal_parse(const char *text, int *ret);
