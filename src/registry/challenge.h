/* challenge.h - WWW-Authenticate of a registry (RFC 7235, and the token authentication of the
 * distribution project). Foreign bytes; private to registry/.
 * Tests: test/unit/registry/challenge.c; fuzz: test/fuzz/registry-challenge.c. */
#pragma once
#include "base/arena.h"
#include "base/err.h"

#define CHALLENGE_MAX 8192

enum challenge_scheme { CHALLENGE_NONE, CHALLENGE_BASIC, CHALLENGE_BEARER };
struct challenge {
    enum challenge_scheme scheme;
    const char *realm, *service, *scope; /* "" when absent */
};
/* The best challenge of the header's value: bearer, else basic. ERR_UNSUPPORTED when it offers
 * neither, ERR_INVALID when it is malformed. */
struct err challenge_parse(struct str value, struct arena *a, struct challenge *ret);
