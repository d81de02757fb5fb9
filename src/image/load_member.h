/* load_member.h - a member of an image archive that looks like a layer is unpacked while it is
 * read, because what comes of an archive is read once and its layers are nearly all of it.
 *
 * Which members are layers is told later (manifest.json comes last); so the tree waits in the
 * ingest directory until a config wants its diff id. One that cannot be unpacked keeps its reason:
 * it counts when a config wants that member. Private to image/.
 */
#pragma once
#include "archive/tar_read.h"
#include "image/spool.h"

#define LOAD_MEMBER_MIN 65536 /* bytes; smaller ones are documents, or not worth it */

/* Does a member of that name and size that begins like this hold a layer? */
bool member_is_layer(const char *path, uint64_t size, struct str head);
/* Reads data to its end (unless m->problem says why not); fills m. said: the diff id that it is
 * said to have, or NULL. One that the store has is not unpacked. */
struct err member_unpack(struct ingest *in, const char *path, uint64_t size, struct str head,
                         struct stream *data, const struct digest *said, struct member *m);
/* Gives the unpacked tree to the layer l that was reserved and is not there. */
struct err member_adopt(struct ingest *in, struct member *m, struct ingest_layer *l);
