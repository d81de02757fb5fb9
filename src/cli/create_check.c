/* create_check.c - what options of run and create may say; wrong ones never reach the daemon, so
 * that they end with the status of wrong use (125), as with the peer. */
#include "base/path.h"
#include "cli/create.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_ 255

static struct err refused(const char *option, const char *text, const char *why) {
    return err_new(ERR_INVALID, "corten: invalid argument \"%s\" for \"--%s\" flag: %s", text,
                   option, why);
}

static bool is_address(const char *text) {
    unsigned char a[16];
    return inet_pton(AF_INET, text, a) == 1 || inet_pton(AF_INET6, text, a) == 1;
}

struct err env_check(const char *text) {
    return *text && *text != '=' ? OK : refused("env", text, "invalid environment variable");
}

/* NAME:ADDRESS, NAME=ADDRESS; ADDRESS may be in brackets, or host-gateway. */
struct err host_option(const char *text, struct strs *to, struct arena *a) {
    struct str name, address;
    bool has = str_cut(str_of(text), '=', &name, &address) ||
               str_cut(str_of(text), ':', &name, &address);
    if (str_starts(address, STR("[")) && str_ends(address, STR("]")))
        address = str_sub(address, 1, address.len - 1);
    const char *z = arena_str(a, address);
    if (!has || !name.len)
        return refused("add-host", text, "want NAME:ADDRESS");
    if (!is_address(z) && strcmp(z, "host-gateway") != 0)
        return refused("add-host", text, "invalid IP address");
    strs_add(to, a, arena_printf(a, "%.*s:%s", STR_ARG(name), z));
    return OK;
}

static bool is_label(struct str s) {
    for (size_t i = 0; i < s.len; i++) {
        bool letter = (s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= 'A' && s.p[i] <= 'Z') ||
                      (s.p[i] >= '0' && s.p[i] <= '9');
        if (!letter && (s.p[i] != '-' || i == 0 || i == s.len - 1))
            return false;
    }
    return s.len > 0;
}

struct err dns_check(const struct run_options *o) {
    unsigned char b[16];
    for (size_t i = 0; i < o->dns.n; i++) {
        const char *text = o->dns.items[i];
        if (!is_address(text))
            return refused("dns", text, "IP address is not correctly formatted");
        if ((inet_pton(AF_INET, text, b) == 1 && b[0] == 127) || !strcmp(text, "::1"))
            fprintf(stderr, "WARNING: Localhost DNS (%s) may fail in containers.\n", text);
    }
    for (size_t i = 0; i < o->dns_search.n; i++) {
        struct str rest = str_trim(str_of(o->dns_search.items[i])), label;
        if (str_eqz(rest, "."))
            continue;
        bool fine = rest.len > 0 && rest.len < NAME_MAX_ &&
                    strpbrk(rest.p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ");
        if (str_ends(rest, STR(".")))
            rest.len--;
        while (fine && str_next(&rest, '.', &label))
            fine = is_label(label);
        if (!fine)
            return refused("dns-search", o->dns_search.items[i], "is not a valid domain");
    }
    return OK;
}

struct err sysctl_check(const struct strv *sysctls) {
    static const char *const allowed[] = {"kernel.msgmax", "kernel.msgmnb",         "kernel.msgmni",
                                          "kernel.sem",    "kernel.shmall",         "kernel.shmmax",
                                          "kernel.shmmni", "kernel.shm_rmid_forced"};
    for (size_t i = 0; i < sysctls->n; i++) {
        struct str key, value;
        bool fine = str_cut(str_of(sysctls->items[i]), '=', &key, &value), known = false;
        for (size_t k = 0; k < ARRAY_LEN(allowed); k++)
            known |= str_eqz(key, allowed[k]);
        known |= str_starts(key, STR("net.")) || str_starts(key, STR("fs.mqueue."));
        if (!fine || !known)
            return refused("sysctl", sysctls->items[i], "is not allowed");
    }
    return OK;
}

/* "c 13:* rwm" */
struct err device_rules_check(const struct strv *rules) {
    for (size_t i = 0; i < rules->n; i++) {
        const char *p = rules->items[i];
        bool fine = *p && strchr("acb", *p) && p[1] == ' ';
        p += fine ? 2 : 0;
        for (int k = 0; k < 2 && fine; k++) {
            size_t n = *p == '*' ? 1 : strspn(p, "0123456789");
            fine = n > 0 && p[n] == (k ? ' ' : ':');
            p += n + 1;
        }
        if (!fine || strspn(p, "rwm") != strlen(p) || !*p || strlen(p) > 3)
            return refused("device-cgroup-rule", rules->items[i], "invalid device cgroup format");
    }
    return OK;
}

bool device_is_cdi(const char *text) {
    struct str vendor, rest, class, name;
    return str_cut(str_of(text), '/', &vendor, &rest) && str_cut(rest, '=', &class, &name) &&
           vendor.len && class.len && name.len && vendor.p[0] != '.' && str_find(vendor, ':') < 0;
}

struct err mac_check(const char *text) {
    unsigned b[6];
    char more;
    if (!text || strlen(text) == 17)
        if (!text || sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%c", &b[0], &b[1], &b[2], &b[3], &b[4],
                            &b[5], &more) == 6)
            return OK;
    return refused("mac-address", text, "is not a valid mac address");
}

static struct err mode(const char *option, const char *text, const char *first, const char *second,
                       bool container) {
    bool fine = !text || !*text || !strcmp(text, first) || (second && !strcmp(text, second)) ||
                (container && !strncmp(text, "container:", 10) && text[10]);
    return fine ? OK : err_new(ERR_INVALID, "corten: --%s: invalid mode '%s'", option, text);
}

struct err modes_check(const struct run_options *o) {
    TRY(mode("pid", o->pid, "host", NULL, true));
    TRY(mode("uts", o->uts, "host", NULL, false));
    TRY(mode("userns", o->userns, "host", NULL, false));
    return mode("cgroupns", o->cgroupns, "host", "private", false);
}

struct err volume_check(const char *text) {
    size_t n = strlen(text);
    if (n == 0)
        return err_new(ERR_INVALID, "corten: invalid empty volume spec");
    /* One letter in front is a drive to the peer, which then looks no further. */
    if (text[0] == ':' || text[n - 1] == ':' || (text[1] != ':' && strstr(text, "::")))
        return err_new(ERR_INVALID, "corten: invalid spec: %s: empty section between colons", text);
    return OK;
}

struct err links_check(const struct strv *links) {
    for (size_t i = 0; i < links->n; i++) {
        const char *first = strchr(links->items[i], ':');
        if (!*links->items[i] || (first && strchr(first + 1, ':')))
            return refused("link", links->items[i], "bad format for links");
    }
    return OK;
}

static int compare_texts(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static void canonical(const struct strv *from, struct strs *to, struct arena *a) {
    for (size_t i = 0; i < from->n; i++) {
        char *z = arena_str(a, str_trim(str_of(from->items[i])));
        for (char *p = z; *p; p++)
            if (*p >= 'a' && *p <= 'z')
                *p = (char)(*p - 32);
        if (strcmp(z, "ALL") != 0 && strncmp(z, "CAP_", 4) != 0)
            z = arena_printf(a, "CAP_%s", z);
        if (!strs_has(to, z))
            strs_add(to, a, z);
    }
    if (to->n > 1)
        qsort(to->items, to->n, sizeof *to->items, compare_texts);
}

void capability_options(const struct run_options *o, struct strs *add, struct strs *drop,
                        struct arena *a) {
    canonical(&o->cap_add, add, a);
    canonical(&o->cap_drop, drop, a);
}

static int compare_pairs(const void *a, const void *b) {
    return strcmp(((const struct strpair *)a)->key, ((const struct strpair *)b)->key);
}

void strmap_sort(struct strmap *m) {
    if (m->n > 1)
        qsort(m->items, m->n, sizeof *m->items, compare_pairs);
}
