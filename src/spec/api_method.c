#include "spec/api_method.h"

#define F(m, json, kind, ...) FIELD(struct api_method_call, m, json, kind, ##__VA_ARGS__)
FIELDS(api_method_call_fields, struct api_method_call, F(env, "Env", F_STRS),
       F(timeout, "Timeout", F_I64), F(user, "User", F_STR), F(tty, "Tty", F_BOOL),
       F(kill_with_client, "KillWithClient", F_BOOL), );
#undef F

#define F(m, json, kind, ...) FIELD(struct api_exec_method, m, json, kind, ##__VA_ARGS__)
FIELDS(api_exec_method_fields, struct api_exec_method, F(name, "Name", F_STR),
       F(trigger, "Trigger", F_STR), F(timeout, "Timeout", F_I64), F(reading, "Reading", F_I32),
       F(follow, "Follow", F_BOOL, .flags = OMIT_EMPTY), );
#undef F

#define F(m, json, kind, ...) FIELD(struct api_lifecycle, m, json, kind, ##__VA_ARGS__)
FIELDS(api_lifecycle_fields, struct api_lifecycle, F(ready, "Ready", F_BOOL),
       F(methods, "Methods", F_OBJMAP, .sub = &lifecycle_method_view_fields),
       F(results, "Results", F_ARRAY, .sub = &method_result_fields),
       F(problems, "Problems", F_STRS, .flags = OMIT_EMPTY), );
#undef F

#define F(m, json, kind, ...) FIELD(struct api_method_update, m, json, kind, ##__VA_ARGS__)
FIELDS(api_method_update_fields, struct api_method_update, F(volumes, "Volumes", F_STRS),
       F(dry_run, "DryRun", F_BOOL), );
#undef F

#define F(m, json, kind, ...) FIELD(struct api_update_step, m, json, kind, ##__VA_ARGS__)
FIELDS(api_update_step_fields, struct api_update_step, F(step, "Step", F_STR, .flags = OMIT_EMPTY),
       F(output, "Output", F_STR, .flags = OMIT_EMPTY),
       F(result, "Result", F_OBJPTR, .flags = OMIT_EMPTY, .sub = &method_result_fields),
       F(text, "Text", F_STR, .flags = OMIT_EMPTY),
       F(outcome, "Outcome", F_STR, .flags = OMIT_EMPTY), F(why, "Why", F_STR, .flags = OMIT_EMPTY),
       F(good, "Good", F_BOOLPTR, .flags = OMIT_EMPTY), );
#undef F
