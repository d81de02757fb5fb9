/* spec/corten_store.c - tables of the store's documents. */
#include "spec/corten_store.h"

/* clang-format off */

#define F(member, name, kind, ...) FIELD(struct store_problem, member, name, kind, ##__VA_ARGS__)
FIELDS(store_problem_fields, struct store_problem,
       F(kind, "Kind", F_STR, .flags = F_REQUIRED),
       F(name, "Name", F_STR, .flags = F_REQUIRED),
       F(what, "What", F_STR),
       F(repair, "Repair", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct store_tree, member, name, kind, ##__VA_ARGS__)
FIELDS(store_tree_fields, struct store_tree,
       F(diff_id, "DiffId", F_STR, .flags = F_REQUIRED),
       F(tree, "Tree", F_STR, .flags = F_REQUIRED));
#undef F

#define F(member, name, kind, ...) FIELD(struct store_check, member, name, kind, ##__VA_ARGS__)
FIELDS(store_check_fields, struct store_check,
       F(blobs, "Blobs", F_I64),
       F(layers, "Layers", F_I64),
       F(bytes, "Bytes", F_I64),
       F(problems, "Problems", F_ARRAY, .sub = &store_problem_fields),
       F(trees, "Trees", F_ARRAY, .flags = OMIT_EMPTY, .sub = &store_tree_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct store_gc_query, member, name, kind, ##__VA_ARGS__)
FIELDS(store_gc_query_fields, struct store_gc_query,
       F(max_bytes, "MaxBytes", F_I64PTR, .flags = OMIT_EMPTY),
       F(min_free, "MinFree", F_I64PTR, .flags = OMIT_EMPTY),
       F(max_age, "MaxAge", F_I64PTR, .flags = OMIT_EMPTY),
       F(keep, "Keep", F_STRS, .flags = OMIT_EMPTY),
       F(images, "Images", F_BOOLPTR, .flags = OMIT_EMPTY),
       F(dry_run, "DryRun", F_BOOL, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct store_gc_item, member, name, kind, ##__VA_ARGS__)
FIELDS(store_gc_item_fields, struct store_gc_item,
       F(kind, "Kind", F_STR),
       F(id, "Id", F_STR),
       F(name, "Name", F_STR),
       F(bytes, "Bytes", F_I64),
       F(last_used, "LastUsed", F_TIME),
       F(reason, "Reason", F_STR));
#undef F

#define F(member, name, kind, ...) FIELD(struct store_gc, member, name, kind, ##__VA_ARGS__)
FIELDS(store_gc_fields, struct store_gc,
       F(dry_run, "DryRun", F_BOOL),
       F(used, "Used", F_I64),
       F(free, "Free", F_I64),
       F(reclaimed, "Reclaimed", F_I64),
       F(removed, "Removed", F_ARRAY, .sub = &store_gc_item_fields),
       F(kept, "Kept", F_ARRAY, .sub = &store_gc_item_fields));
#undef F
