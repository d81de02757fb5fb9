/* protocol.h - what an image job in a worker asks the daemon: message types and tags of loop/msg.h.
 * Both ends are built together, numbers are append-only all the same. Private to image/.
 *
 * Descriptors of a job: 0 the image directory (image/ of the data root) · then, when args.client,
 * the client's socket · when args.body, a memfd with http_body_pack's bytes · then the job's own.
 */
#pragma once

enum image_message {
    /* Notice: the head of the answer is about to be written; errors are the worker's from here on.
     */
    IMAGE_HEAD = 100,
    /* Question. LAYER: a diff id that is wanted. BLOB: a blob_record that will be there. Answer, in
     * the same order: NAME is the directory to fill, "" when the layer is there already; HAVE 1
     * when the blob is. What is there stays there until the job ends. */
    IMAGE_RESERVE = 101,
    /* Question. LAYER_DONE: layer_record of a directory that was reserved and is complete. BLOB:
     * digest of a reserved blob that is in place. With CONFIG also an image: PARENT, TAGs.
     * Everything becomes visible at once, or nothing. */
    IMAGE_COMMIT = 102,
    /* Question of image-check. NAME: a path below image/. Answer, in the same order: HAVE 1 when
     * somebody knows it. */
    IMAGE_KNOWN = 103,
    /* Question. SAME: the id of an image. Answer: HAVE 1 when it is here, under whatever name. */
    IMAGE_HAS = 104,
};

enum image_tag_number {
    TAG_LAYER = 1,
    TAG_BLOB = 2,
    TAG_NAME = 3,
    TAG_HAVE = 4,
    TAG_LAYER_DONE = 5,
    TAG_CONFIG = 6,
    TAG_PARENT = 7,
    TAG_TAG = 8,
    TAG_EVENT = 9, /* action, published with the first tag (or the id) as name */
    TAG_EVENT_NAME = 10,
    TAG_SOURCE = 11,    /* "host/repository" of the blobs in this message */
    TAG_CACHE_KEY = 12, /* recorded for the image of this commit */
    TAG_SAME = 13,      /* without CONFIG: the id of the image that is the result */
    TAG_DOCUMENT = 14,  /* document_record; its blob was reserved with compression BLOB_DOCUMENT */
    TAG_ARTIFACT = 15,  /* empty: CONFIG is the manifest of an artifact */
    TAG_ANNOTATIONS = 16, /* with CONFIG: spec/oci_annotations.h; "": there are none */
    TAG_ERROR = 20,       /* three tags: msg_put_err */
};

/* What the job image-unpack says about each layer. LATER: nothing is known to be wrong with it. */
#define REBUILD_WHOLE 'y'
#define REBUILD_LOST 'n'
#define REBUILD_LATER '?'

/* In place of a compression: a document, no layer; its diff_id is the digest again. Also in the
 * store. */
#define BLOB_DOCUMENT 100

/* Fixed-size records, native endian (same host). */
struct blob_record {
    unsigned char digest[32], diff_id[32];
    uint64_t size;
    uint64_t compression; /* enum compression */
};
struct document_record {
    unsigned char digest[32];
    uint64_t kind; /* enum document_kind */
};
struct layer_record {
    unsigned char diff_id[32];
    uint64_t size;          /* bytes of file data */
    uint64_t stacked;       /* 1: its directory lies on that of the layer `base` */
    uint64_t own;           /* bytes of file data in its own directory, then */
    uint64_t stream;        /* bytes of its file in stream/; 0: none */
    unsigned char base[32]; /* diff id */
};
