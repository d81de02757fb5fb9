/* Any bytes as config.json: decoded, judged, mounts planned, seccomp compiled, units named, printed again. */
#include "runtime/filter.h"
#include "runtime/launch.h"
#include "runtime/listener.h"
#include "runtime/mounts.h"
#include "runtime/systemd.h"
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void judge(const struct oci_config *c) {
    struct err e = oci_config_check(c);
    bool fine = !err_failed(e);
    err_free(e);
    if (!fine)
        return;
    CLEAN_MOUNT_PLANS struct mount_plans plans = {0};
    struct runtime_create_options o = {.config = c};
    err_free(mounts_plan(&o, &plans));
    struct seccomp_program p = {0};
    if (c->linux_->seccomp)
        err_free(filter_compile(c->linux_->seccomp, &p));
    vec_done(&p);
    struct memory_policy policy = {0};
    err_free(memory_policy_read(c->linux_->memory_policy, &policy));
    o.id = "x";
    o.seccomp_fd = -1;
    struct listener *l = NULL;
    err_free(listener_new(&o, &l));
    listener_free(l);
    struct systemd_unit u;
    err_free(systemd_unit_parse(c->linux_->cgroups_path, "x", &u));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    CLEAN_ARENA struct arena a = {0};
    struct oci_config c;
    struct err e = fields_decode_strict(&oci_config_fields, str_n(data, size), &a, &c);
    if (err_failed(e)) {
        err_free(e);
        return 0;
    }
    judge(&c);
    CLEAN_BUF struct buf text = {0};
    fields_print(&oci_config_fields, &c, &text);
    struct oci_config again;
    err_free(fields_decode_strict(&oci_config_fields, buf_str(&text), &a, &again));
    return 0;
}
