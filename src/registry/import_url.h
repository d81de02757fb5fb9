/* import_url.h - the URL of `docker import URL`. Private to registry/; pure.
 * Tests: test/unit/registry/import_url.c. */
#pragma once
#include "base/buf.h"
#include "base/err.h"

#define IMPORT_URL_MAX 8192 /* bytes */

struct import_url {
    char *url;   /* with its scheme, without who asks: fit to be shown and kept */
    char *basic; /* "user:password" as they were meant, or NULL */
};
/* http and https; without "://" it is http, as for the peer. */
struct err import_url_parse(struct str text, struct import_url *ret);
void import_url_done(struct import_url *u);
#define CLEAN_IMPORT_URL OWN(import_url_done)
