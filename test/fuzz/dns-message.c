/* Any bytes as a question, and as another server's answer to a question: what is understood stays
 * within the message, what is written fits, and looking and ageing end. */
#include "base/mem.h"
#include "network/dns_names.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    static const char member[] =
        "{\"id\":\"0123456789abcdef\",\"name\":\"web\",\"live\":true,\"ports\":[\"80/tcp\"],"
        "\"labels\":{\"a\":\"b\"},\"places\":[{\"network\":\"n1\",\"name\":\"net\",\"shared\":true,"
        "\"address\":\"10.1.0.2\",\"subnet\":\"10.1.0.0/24\",\"aliases\":[\"www\"]}]}";
    struct dns_names *names = dns_names_new();
    CLEAN_ERR struct err e = dns_names_put(names, str_of(member));
    assert(!err_failed(e));
    struct dns_query q;
    struct dns_look look;
    struct str message = str_n(data, size);
    if (dns_query_read(message, &q) == DNS_NOERROR) {
        uint8_t *out = mem_alloc(DNS_UDP_MAX);
        struct dns_answer a;
        unsigned rcode = 0;
        assert(q.question.p >= message.p &&
               q.question.p + q.question.len <= message.p + message.len);
        assert(strlen(q.name) < DNS_TEXT_MAX);
        dns_answer_begin(&a, out, q.udp_size, &q);
        (void)dns_names_answer(names, "0123456789abcdef", &q, &a, &rcode);
        size_t len = dns_answer_end(&a, rcode, true);
        assert(len <= q.udp_size);
        assert(dns_answer_look(str_n(out, len), q.question, &look) && look.id == q.id);
        free(out);
    }
    /* As an answer to the question that it carries, if it carries one. */
    struct str question = size > DNS_HEADER + 9u ? str_sub(message, DNS_HEADER, DNS_HEADER + 9)
                                                 : STR("\3web\0\0\1\0\1");
    if (dns_answer_look(message, question, &look)) {
        uint8_t *copy = mem_alloc(size);
        memcpy(copy, data, size);
        dns_answer_age(copy, size, &look, 30);
        free(copy);
    }
    dns_names_free(names);
    return 0;
}
