/* runtime/filter.h - seccomp filters from OCI terms to programs. Private to runtime/. */
#pragma once
#include "kernel/seccomp.h"
#include "runtime/runtime.h"

/* Adds one rule; a call that the architecture does not have is left out, as it cannot be made. */
void filter_add(struct seccomp_filter *f, const char *arch, const char *name, uint32_t action,
                const struct seccomp_test *tests, size_t tests_n);
/* The built-in profile for a set of capabilities (names). */
struct err filter_default(const struct strs *capabilities, struct seccomp_program *ret);
/* linux.seccomp. ERR_INVALID / ERR_UNSUPPORTED naming what. */
struct err filter_compile(const struct oci_seccomp *s, struct seccomp_program *ret);
/* Changes whenever the profile, or the set of capabilities, does: names the cached program. */
uint64_t filter_default_digest(const struct strs *capabilities);
