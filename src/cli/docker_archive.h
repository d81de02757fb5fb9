/* docker_archive.h - images of a dockerd's data root as one archive of the kind that `load` takes.
 * Private to cli/.
 *
 * A layer's tar comes out bit by bit as it was pulled or built: its tar-split (headers and padding)
 * with the files' content in between, so digests stay what they are. What a container has written
 * is one more layer of an image of its own. Read as a stream; nothing but the part that is being
 * sent is in memory. Tests: test/e2e/t2080-import-docker.sh.
 */
#pragma once
#include "cli/docker_root.h"

struct docker_archive;
struct docker_archive *docker_archive_new(const struct docker_root *r);
void docker_archive_free(struct docker_archive *x);
void docker_archive_clean(struct docker_archive **x);
#define CLEAN_DOCKER_ARCHIVE OWN(docker_archive_clean)
struct err docker_archive_add(struct docker_archive *x, const struct docker_image *image);
/* The image of a container that has written something, tagged so. *ret_any is false, and nothing is
 * added, when it has written nothing. */
struct err docker_archive_add_changed(struct docker_archive *x, const struct docker_container *c,
                                      const char *tag, bool *ret_any);
/* The manifest; nothing is added any more. */
struct err docker_archive_end(struct docker_archive *x);
/* http/client.h's body_read. After -errno, docker_archive_error says why. */
ssize_t docker_archive_read(void *arg, void *p, size_t n);
struct err docker_archive_error(struct docker_archive *x);
