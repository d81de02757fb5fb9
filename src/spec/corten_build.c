/* spec/corten_build.c - tables of the builder's documents. */
#include "spec/corten_build.h"

#define F(member, name, kind, ...) FIELD(struct build_job, member, name, kind, ##__VA_ARGS__)
FIELDS(build_job_fields, struct build_job, F(host, "Host", F_STR, .flags = F_REQUIRED),
       F(id, "Id", F_STR, .flags = F_REQUIRED), F(query, "Query", F_STR),
       F(temp_dir, "TempDir", F_STR, .flags = F_REQUIRED),
       F(registry_config, "RegistryConfig", F_STR, .flags = OMIT_EMPTY),
       F(context, "Context", F_STR, .flags = OMIT_EMPTY),
       F(id_file, "IdFile", F_STR, .flags = OMIT_EMPTY),
       F(secrets, "Secrets", F_ARRAY, .flags = OMIT_EMPTY, .sub = &build_secret_fields),
       F(ssh, "Ssh", F_STRMAP, .flags = OMIT_EMPTY),
       F(contexts, "Contexts", F_STRMAP, .flags = OMIT_EMPTY),
       F(dockerfile, "Dockerfile", F_STR, .flags = OMIT_EMPTY),
       F(stdin_context, "StdinContext", F_BOOL, .flags = OMIT_EMPTY),
       F(fresh, "Fresh", F_STRS, .flags = OMIT_EMPTY),
       F(outputs, "Outputs", F_ARRAY, .flags = OMIT_EMPTY, .sub = &build_output_fields),
       F(metadata_file, "MetadataFile", F_STR, .flags = OMIT_EMPTY),
       F(provenance, "Provenance", F_STRMAP, .flags = OMIT_EMPTY),
       F(events, "Events", F_BOOL, .flags = OMIT_EMPTY),
       F(digests, "Digests", F_STR, .flags = OMIT_EMPTY),
       F(allow, "Allow", F_STRS, .flags = OMIT_EMPTY),
       F(explain, "Explain", F_BOOL, .flags = OMIT_EMPTY),
       F(cache_from, "CacheFrom", F_ARRAY, .flags = OMIT_EMPTY, .sub = &build_cache_fields),
       F(annotations, "Annotations", F_STRMAP, .flags = OMIT_EMPTY),
       F(cache_to, "CacheTo", F_ARRAY, .flags = OMIT_EMPTY, .sub = &build_cache_fields),
       F(attest, "Attest", F_STR, .flags = OMIT_EMPTY),
       F(builder_id, "BuilderId", F_STR, .flags = OMIT_EMPTY),
       F(index_annotations, "IndexAnnotations", F_STRMAP, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct build_cache, member, name, kind, ##__VA_ARGS__)
FIELDS(build_cache_fields, struct build_cache, F(type, "Type", F_STR, .flags = F_REQUIRED),
       F(name, "Name", F_STR), F(all_stages, "AllStages", F_BOOL, .flags = OMIT_EMPTY),
       F(local_first, "LocalFirst", F_BOOL, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) FIELD(struct build_output, member, name, kind, ##__VA_ARGS__)
FIELDS(build_output_fields, struct build_output, F(type, "Type", F_STR, .flags = F_REQUIRED),
       F(dest, "Dest", F_STR, .flags = F_REQUIRED));
#undef F

#define F(member, name, kind, ...) FIELD(struct build_secret, member, name, kind, ##__VA_ARGS__)
FIELDS(build_secret_fields, struct build_secret, F(id, "Id", F_STR, .flags = F_REQUIRED),
       F(path, "Path", F_STR, .flags = OMIT_EMPTY), F(env, "Env", F_STR, .flags = OMIT_EMPTY));
#undef F

#define F(member, name, kind, ...) \
    FIELD(struct build_secret_made, member, name, kind, ##__VA_ARGS__)
FIELDS(build_secret_made_fields, struct build_secret_made,
       F(path, "Path", F_STR, .flags = F_REQUIRED));
#undef F

#define F(member, name, kind, ...) FIELD(struct build_image, member, name, kind, ##__VA_ARGS__)
FIELDS(build_image_fields, struct build_image, F(image, "Image", F_STR, .flags = F_REQUIRED));
#undef F

#define F(member, name, kind, ...) FIELD(struct build_base, member, name, kind, ##__VA_ARGS__)
FIELDS(build_base_fields, struct build_base, F(image, "Image", F_STR, .flags = F_REQUIRED),
       F(config, "Config", F_RAW, .flags = F_REQUIRED));
#undef F

#define F(member, name, kind, ...) FIELD(struct build_stat_query, member, name, kind, ##__VA_ARGS__)
FIELDS(build_stat_query_fields, struct build_stat_query,
       F(paths, "Paths", F_STRS, .flags = F_REQUIRED));
#undef F

#define F(member, name, kind, ...) FIELD(struct build_stat, member, name, kind, ##__VA_ARGS__)
FIELDS(build_stat_fields, struct build_stat, F(path, "Path", F_STR, .flags = F_REQUIRED),
       F(type, "Type", F_STR), F(mode, "Mode", F_U32), F(uid, "Uid", F_U32), F(gid, "Gid", F_U32),
       F(mtime, "Mtime", F_I64));
#undef F

#define F(member, name, kind, ...) FIELD(struct build_stat_reply, member, name, kind, ##__VA_ARGS__)
FIELDS(build_stat_reply_fields, struct build_stat_reply,
       F(entries, "Entries", F_ARRAY, .flags = F_REQUIRED, .sub = &build_stat_fields));
#undef F

#define F(member, name, kind, ...) FIELD(struct build_event, member, name, kind, ##__VA_ARGS__)
FIELDS(build_event_fields, struct build_event, F(step, "Step", F_U32, .flags = OMIT_EMPTY),
       F(total, "Total", F_U32, .flags = OMIT_EMPTY), F(stage, "Stage", F_STR, .flags = OMIT_EMPTY),
       F(name, "Name", F_STR, .flags = OMIT_EMPTY), F(state, "State", F_STR, .flags = OMIT_EMPTY),
       F(log, "Log", F_STR, .flags = OMIT_EMPTY), F(why, "Why", F_STR, .flags = OMIT_EMPTY),
       F(image, "Image", F_STR, .flags = OMIT_EMPTY), F(tags, "Tags", F_STRS, .flags = OMIT_EMPTY),
       F(nanos, "Nanos", F_I64, .flags = OMIT_EMPTY));
#undef F
