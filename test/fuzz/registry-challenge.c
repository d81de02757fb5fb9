/* WWW-Authenticate of registries, and the URLs they name. */
#include "registry/authority.h"
#include "registry/challenge.h"
#include <stdlib.h>
#include <strings.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CLEAN_ARENA struct arena a = {0};
    struct challenge c;
    struct err e = challenge_parse(str_n(data, size), &a, &c);
    if (!err_failed(e)) {
        if (c.scheme == CHALLENGE_NONE || !c.realm || !c.service || !c.scope)
            abort();
        realm_allowed(str_of(c.realm), STR("localhost:5000"), false);
        /* Nothing but TLS for a registry that is not here. */
        if (realm_allowed(str_of(c.realm), STR("registry.example"), false) &&
            strncasecmp(c.realm, "https://", 8) != 0)
            abort();
    }
    err_free(e);
    redirect_allowed(str_n(data, size), STR("127.0.0.1:5000"), false);
    return 0;
}
