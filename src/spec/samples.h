/* spec/samples.h - numbers that a program prints, in any of four common forms, into one: lines of
 *     name{label="value",…} number
 * in Prometheus' text format (version 0.0.4), without comments and times. docs/lifecycle.md.
 *
 *   Prometheus   name{…} number [time]; "#" lines are left out
 *   StatsD       name:number|c, |g, |ms, |h, |d, with |@rate and |#tag:value
 *   Graphite     path number [time]
 *   JSON         an object: its numbers and booleans, members of members joined by "_"
 *
 * Names become [a-zA-Z_:][a-zA-Z0-9_:]*: other bytes are "_". Lines that fit no form are left out.
 * The text is foreign: at most SAMPLES_MAX lines and SAMPLES_TEXT bytes come out.
 *
 * Any thread. Tests: test/unit/spec/samples.c, test/fuzz/samples.c.
 */
#pragma once
#include "base/buf.h"

#define SAMPLES_MAX 1000
#define SAMPLES_TEXT (64u << 10)
#define SAMPLES_NAME_MAX 200
#define SAMPLES_LABELS_MAX 16

void samples_read(struct str output, struct buf *out);
/* Appends these lines with `prefix` before each name and labels ("a=\"b\",c=\"d\"") in front of
 * each one's own; an own label of the same name as one of them is left out. */
void samples_label(struct str samples, const char *prefix, const char *labels, struct buf *out);
