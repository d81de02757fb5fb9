/* platform.h - the machine that an image is for: os/architecture/variant, as somebody asks for it
 * and as indexes and configs say it.
 *
 * Names are those of GOOS and GOARCH; the usual other names of machines are understood. Which
 * machine runs what: an amd64 its own variant and every lower one, and 386; an arm its version and
 * lower ones; an arm64 the 32-bit ones of arm as well (image-spec 1.1 "Platform Variants"; the
 * order is that of the peers). Pure functions, any thread. Tests: test/unit/spec/platform.c.
 */
#pragma once
#include "base/err.h"
#include "base/str.h"

#if defined(__x86_64__)
#define PLATFORM_ARCHITECTURE "amd64" /* as GOARCH spells it */
#elif defined(__aarch64__)
#define PLATFORM_ARCHITECTURE "arm64"
#else
#error "name this machine's architecture as GOARCH spells it"
#endif
#define PLATFORM_TEXT_MAX 100

struct platform {
    char os[32], architecture[32], variant[32]; /* variant "": the one that goes without saying */
};
/* "linux", "arm64", "linux/arm64", "linux/arm/v7", or JSON of it as API 1.46 and later send it. "":
 * this machine. ERR_INVALID. Its system may be any: platform_check_os. */
struct err platform_parse(struct str text, struct platform *ret);
/* This machine, with the variant that its processor has. */
void platform_host(struct platform *ret);
/* ERR_UNSUPPORTED: not Linux. */
struct err platform_check_os(const struct platform *p);
/* "linux/arm/v7". */
const char *platform_text(const struct platform *p, char out[PLATFORM_TEXT_MAX]);
/* The same of what a document says; members may be NULL. */
const char *platform_format(const char *os, const char *architecture, const char *variant,
                            char out[PLATFORM_TEXT_MAX]);
/* How far what an image says of itself is from what is wanted: 0 the very one, the more the worse,
 * -1: it is for another machine. No os is Linux, no architecture any; members may be NULL. */
int platform_distance(const struct platform *wanted, const char *os, const char *architecture,
                      const char *variant);
/* The entry of an index that fits best. NULL: none. */
struct oci_descriptor;
struct oci_index;
const struct oci_descriptor *oci_index_choose(const struct oci_index *index,
                                              const struct platform *wanted);
