#include "spec/api_aliases.h"

#define F(member, name, kind, ...) \
    FIELD(struct api_aliases_change, member, name, kind, ##__VA_ARGS__)
FIELDS(api_aliases_change_fields, struct api_aliases_change,
       F(network, "Network", F_STR, .flags = OMIT_EMPTY),
       F(add, "Add", F_STRS, .flags = F_NULLABLE),
       F(remove, "Remove", F_STRS, .flags = F_NULLABLE));
#undef F
