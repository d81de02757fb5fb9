#include "loop/msg.h"

#include <stdlib.h>

/* As it lies on the wire. */
struct field {
    uint16_t tag, reserved;
    uint32_t length;
};

void msg_put(struct buf *body, uint16_t tag, struct str value) {
    struct field f = {.tag = tag, .length = (uint32_t)value.len};
    if (value.len > MSG_BODY_MAX) { /* our bug: the receiver would refuse it anyway */
        body->overflow = true;
        return;
    }
    buf_add(body, &f, sizeof(f));
    buf_add_str(body, value);
}

void msg_putz(struct buf *body, uint16_t tag, const char *z) {
    if (z)
        msg_put(body, tag, str_of(z));
}

void msg_put_u64(struct buf *body, uint16_t tag, uint64_t v) {
    msg_put(body, tag, str_n(&v, sizeof(v)));
}

void msg_put_i64(struct buf *body, uint16_t tag, int64_t v) {
    msg_put(body, tag, str_n(&v, sizeof(v)));
}

bool msg_next(struct str *body, uint16_t *ret_tag, struct str *ret_value) {
    struct field f;
    if (body->len < sizeof(f))
        return false;
    memcpy(&f, body->p, sizeof(f));
    if (f.reserved != 0 || f.length > body->len - sizeof(f))
        return false;
    *ret_tag = f.tag;
    *ret_value = str_n(body->p + sizeof(f), f.length);
    *body = str_from(*body, sizeof(f) + f.length);
    return true;
}

bool msg_body_ok(struct str body) {
    uint16_t tag;
    struct str value;
    while (msg_next(&body, &tag, &value))
        ;
    return body.len == 0;
}

static bool field_find(struct str body, uint16_t tag, struct str *ret_value) {
    uint16_t t;
    struct str value;
    while (msg_next(&body, &t, &value))
        if (t == tag) {
            *ret_value = value;
            return true;
        }
    return false;
}

struct str msg_get(struct str body, uint16_t tag) {
    struct str value = STR_NONE;
    field_find(body, tag, &value);
    return value;
}

bool msg_has(struct str body, uint16_t tag) {
    struct str value;
    return field_find(body, tag, &value);
}

uint64_t msg_get_u64(struct str body, uint16_t tag) {
    uint64_t v = 0;
    struct str value = msg_get(body, tag);
    if (value.len == sizeof(v))
        memcpy(&v, value.p, sizeof(v));
    return v;
}

int64_t msg_get_i64(struct str body, uint16_t tag) {
    return (int64_t)msg_get_u64(body, tag);
}

void msg_put_err(struct buf *body, uint16_t tag, struct err e) {
    if (!err_failed(e))
        return;
    msg_putz(body, tag, err_kind_name(err_kind(e)));
    msg_put_i64(body, (uint16_t)(tag + 1), err_errnum(e));
    msg_putz(body, (uint16_t)(tag + 2), err_msg(e));
}

struct err msg_get_err(struct str body, uint16_t tag) {
    struct str kind_name;
    if (!field_find(body, tag, &kind_name))
        return OK;
    CLEAN_FREE
    char *name = str_dup(kind_name);
    enum err_kind kind = err_kind_from_name(name);
    struct str text = msg_get(body, (uint16_t)(tag + 2));
    return err_restore(kind, (int)msg_get_i64(body, (uint16_t)(tag + 1)), text.p, text.len);
}
