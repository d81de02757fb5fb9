#include "image/jobs.h"
#include "image/image.h"
#include "image/tree.h"

const struct worker_job image_jobs[] = {
    {"image-load", image_load_job},
    {"image-save", image_save_job},
    {"image-import", image_import_job},
    {"image-commit", image_commit_job},
    {"image-unpack", image_unpack_job},
    {"image-manifests", image_manifests_job},
    {"image-squash", image_squash_job},
    {"image-tree", image_tree_job},
    {"image-stat", image_stat_job},
    {"image-explain", image_explain_job},
    {"image-check", image_check_job},
    {"image-attest", image_attest_job},
    {NULL, NULL},
};
