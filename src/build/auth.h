/* build/auth.h - X-Registry-Config: the credentials that come with a build, one set per registry.
 *
 * Engine API, "Build an image": base64url of a JSON object, registry → credentials. What a pull of
 * one image gets is X-Registry-Auth: base64url of that registry's member. Never logged, never part
 * of a key. Private to build/. Tests: test/unit/build/auth.c. */
#pragma once
#include "base/arena.h"
#include "base/buf.h"

#define AUTH_CONFIG_MAX (1u << 20)

/* *ret is NULL when the config (may be "" or NULL) has nothing for the image's registry. */
struct err auth_for_image(const char *config, const char *image, struct arena *a, char **ret);
