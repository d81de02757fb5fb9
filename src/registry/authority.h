/* authority.h - which hosts may be talked to how. Private to registry/; pure functions.
 * Tests: test/unit/registry/authority.c. */
#pragma once
#include "base/str.h"
#include <sys/socket.h>

/* Where an address lives; foreign hosts must not be more private than the registry. */
enum address_class { ADDRESS_PUBLIC, ADDRESS_PRIVATE, ADDRESS_LINK_LOCAL, ADDRESS_LOOPBACK };
enum address_class address_class(const struct sockaddr *a);

/* "127.x.y.z", "[::1]", "localhost", each with or without a port. */
bool authority_is_loopback(struct str authority);
/* Splits "https://host:port/rest"; the authority must have no user part. false: not such a URL. */
bool url_split(struct str url, struct str *ret_scheme, struct str *ret_authority);
/* The host of "host:port"; IPv6 literals keep their brackets. */
struct str authority_host(struct str authority);
/* May credentials for the registry go to this token server? https to anywhere; http only from a
 * registry that is reached over loopback, or declared insecure, to the same host (the port may
 * differ). */
bool realm_allowed(struct str realm, struct str registry_authority, bool insecure);
/* May a transfer without credentials go there? http only from loopback to loopback, or from an
 * insecure registry to the same host. */
bool redirect_allowed(struct str url, struct str registry_authority, bool insecure);
