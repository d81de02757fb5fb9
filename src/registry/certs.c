/* certs.c - TLS of one registry: every *.crt of its directory is an authority besides the system's,
 * NAME.cert with NAME.key is who we are (the layout that the peer reads, too). */
#include "base/file.h"
#include "registry/client.h"
#include <curl/curl.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define CERTS_BYTES_MAX (8u << 20)
#define CERTS_FILES_MAX 256

static int by_name(const void *a, const void *b) {
    return strcmp(*(char *const *)a, *(char *const *)b);
}

static struct err list_dir(const char *dir, struct strv *ret) {
    DIR *d = opendir(dir);
    const struct dirent *e;
    if (!d)
        return err_errno(errno, "read %s", dir);
    while ((e = readdir(d)) != NULL && ret->n < CERTS_FILES_MAX)
        strv_add(ret, e->d_name);
    closedir(d);
    if (ret->n > 1)
        qsort(ret->items, ret->n, sizeof(*ret->items), by_name);
    return OK;
}

static struct err add_authority(const char *dir, const char *name, struct buf *all) {
    CLEAN_FREE char *path = mem_printf("%s/%s", dir, name);
    CLEAN_BUF struct buf one = {0};
    TRYF(file_read(path, CERTS_BYTES_MAX, &one), "certificate authority");
    buf_add_str(all, buf_str(&one));
    buf_addc(all, '\n');
    return OK;
}

static struct err set_client(CURL *c, const char *dir, const char *cert) {
    CLEAN_FREE char *path = mem_printf("%s/%s", dir, cert);
    CLEAN_FREE char *key = mem_printf("%.*s.key", (int)(strlen(path) - strlen(".cert")), path);
    if (access(key, R_OK) < 0)
        return err_new(ERR_INVALID,
                       "missing key %s for client certificate %s (authorities are named *.crt)",
                       key, cert);
    curl_easy_setopt(c, CURLOPT_SSLCERT, path); /* copied by libcurl */
    curl_easy_setopt(c, CURLOPT_SSLKEY, key);
    return OK;
}

struct err registry_set_tls(const struct registry *r, bool own, bool insecure, void *curl) {
    CLEAN_STRV struct strv names = {0};
    CLEAN_BUF struct buf authorities = {0};
    bool client = false;
    curl_easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, insecure ? 0L : 1L);
    curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, insecure ? 0L : 2L);
    if (!r->certs_dir)
        return OK;
    TRY(list_dir(r->certs_dir, &names));
    for (size_t i = 0; i < names.n; i++) {
        struct str name = str_of(names.items[i]);
        if (str_ends(name, STR(".crt"))) {
            TRY(add_authority(r->certs_dir, names.items[i], &authorities));
        } else if (str_ends(name, STR(".cert")) && own && !client) {
            TRY(set_client(curl, r->certs_dir, names.items[i]));
            client = true;
        }
    }
    if (authorities.len > 0) {
        struct curl_blob blob = {authorities.data, authorities.len, CURL_BLOB_COPY};
        curl_easy_setopt(curl, CURLOPT_CAINFO_BLOB, &blob);
    }
    return OK;
}
