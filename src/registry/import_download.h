/* import_download.h - what a URL gives, as a stream. Private to registry/; worker only.
 *
 * One GET on libcurl in a thread of its own, through a pipe to the reader. Proxies, TLS
 * (certificates laid out for the host among the authorities), time limits and the judgement of
 * addresses are those of transfers with registries (client.h). At most IMPORT_REDIRECTS_MAX
 * redirects are followed, never from https to http, never to a private address unless the first one
 * was as private; the user and password of the URL go to its own host and port alone. A download
 * that was cut is an error of the stream, however whole what came of it looks. Test: e2e t1212. */
#pragma once
#include "image/image.h"
#include "registry/import_url.h"
#include "registry/settings.h"

#define IMPORT_REDIRECTS_MAX 10
#define IMPORT_BYTES_MAX (UINT64_C(64) << 30) /* of a download */

/* Waits for the first bytes: an answer that is no success is an error of this. settings and u are
 * borrowed and outlive the stream; its reading tells the client of in how far it is. */
struct err import_download(struct ingest *in, const struct registry_settings *settings,
                           const struct import_url *u, struct stream **ret);
