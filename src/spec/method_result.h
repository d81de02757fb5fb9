/* spec/method_result.h - what came out of a method's run: its exit status and its output, read as
 * the conventions that programs of this kind follow. docs/lifecycle.md has the rules.
 *
 *   exit    0 is good
 *   plugin  monitoring plugins: 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN; "text | perfdata"
 *           (Monitoring Plugins Development Guidelines, "Plugin Output for Nagios", "Performance
 *           data")
 *   tap     Test Anything Protocol 12 to 14: plan, ok, not ok, skip, todo, Bail out!
 *   junit   JUnit XML: testcase elements, and failure, error, skipped in them; what the attributes
 *           of testsuite claim is not believed
 *
 * The output is foreign: at most METHOD_CAPTURE bytes of it are read, in one pass without
 * recursion; what is longer cannot be judged whole and is UNKNOWN unless the exit status says
 * worse.
 *
 * Any thread: no state. Tests: test/unit/spec/method_result.c, test/fuzz/method-result.c.
 */
#pragma once
#include "spec/lifecycle.h"

#define METHOD_CAPTURE (256u << 10) /* bytes of output that are read */
#define METHOD_KEPT 4096u           /* bytes of output that are kept with a result */
#define METHOD_PERF_MAX 64
#define METHOD_TIMED_OUT (-1) /* exit status of what had to be killed */

struct method_perf {
    char *label;
    double value;
    char *unit; /* "", "s", "ms", "us", "%", "B", "KB", "MB", "TB", "c" */
    char *warn, *crit, *min, *max;
};
extern const struct fields method_perf_fields;

struct method_result {
    char *id;      /* 64 hex digits: the exec's */
    char *method;  /* its name */
    char *trigger; /* "call", "start", "interval", "update", "inside", "webhook" */
    int64_t start, end;
    int64_t exit_code; /* METHOD_TIMED_OUT: over its deadline or could not be run */
    char *status;      /* "ok", "warning", "critical", "unknown", "failed" */
    char *reading;     /* "exit", "plugin", "tap", "junit" */
    int64_t examples, failures, skipped;
    struct objs perf; /* struct method_perf */
    char *summary;    /* one line, no control bytes */
    char *output;     /* its last METHOD_KEPT bytes */
    bool truncated;   /* there was more output than is read */
};
extern const struct fields method_result_fields;

/* Sets status, reading, examples, failures, skipped, perf and summary from exit_code and output
 * (all of it, up to METHOD_CAPTURE; more: truncated is set and this is its beginning). */
void method_result_read(struct method_result *r, enum lifecycle_reading how, struct str output,
                        struct arena *a);
/* "ok" or "warning". */
bool method_result_good(const struct method_result *r);
/* "validate: ok, 12 examples, 0 failures". Without control bytes. */
void method_result_text(const struct method_result *r, struct buf *out);

/* method_junit.c: false: this is no JUnit document. */
bool method_junit_count(struct str xml, int64_t *ret_examples, int64_t *ret_failures,
                        int64_t *ret_skipped);
