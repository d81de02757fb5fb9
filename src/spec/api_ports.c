#include "spec/api_ports.h"

#define F(member, name, kind, ...) FIELD(struct api_ports_change, member, name, kind, ##__VA_ARGS__)
FIELDS(api_ports_change_fields, struct api_ports_change,
       F(add, "Add", F_ARRMAP, .flags = F_NULLABLE, .sub = &api_port_binding_fields),
       F(remove, "Remove", F_STRS, .flags = F_NULLABLE));
#undef F
