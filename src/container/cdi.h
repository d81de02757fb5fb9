/* cdi.h - devices by name (vendor.com/class=name), as the Container Device Interface says; private
 * to container/.
 *
 * Specifications are files of the host's administrator in a few directories, the later ones going
 * before the earlier; they are read at every start that asks for such a device, by a pool thread.
 * Tests: test/unit/container/cdi.c, test/e2e/t2070-cdi.sh.
 */
#pragma once
#include "spec/runtime_config.h"

#define CDI_SPEC_MAX (1u << 20) /* bytes of a file */
#define CDI_FILES_MAX 256       /* of a directory */

/* vendor.com/class=name. ERR_INVALID names it. */
struct err cdi_check_name(const char *name);
/* Does to `o` what the specifications say for the devices `names`; what is allocated is the
 * arena's. Groups go to ret_groups. ERR_INVALID: there is none of that name, or two; a file that
 * cannot be understood is an error only when it is needed. ERR_UNSUPPORTED: an edit that is not
 * done here. */
struct err cdi_apply(const char *const *dirs, const struct strs *names, struct arena *a,
                     struct oci_config *o, struct strs *ret_groups);
