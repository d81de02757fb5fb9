/* Grammar of single instructions: what is taken, and what is refused with which words. */
#include "build/instruction.h"
#include "base/time.h"
#include "test.h"

static struct instr parse(const char *text, struct arena *a) {
    struct dockerfile *f;
    struct instr in;
    assert_ok(dockerfile_parse(str_of(text), "Dockerfile", a, &f));
    assert_ok(instruction_parse(f, f->nodes[0], a, &in));
    return in;
}
static void refused(const char *text, enum err_kind kind, const char *words) {
    CLEAN_ARENA struct arena a = {0};
    struct dockerfile *f;
    struct instr in;
    struct err e = dockerfile_parse(str_of(text), "Dockerfile", &a, &f);
    if (!err_failed(e))
        e = instruction_parse(f, f->nodes[0], &a, &in);
    assert_int_equal(err_kind(e), kind);
    if (!strstr(err_msg(e), words))
        fail_msg("'%s' says '%s', not '%s'", text, err_msg(e), words);
    err_free(e);
}

TEST(from) {
    CLEAN_ARENA struct arena a = {0};
    struct instr in = parse("FROM --platform=linux/amd64 debian:12 as Base", &a);
    assert_string_equal(in.from.image, "debian:12");
    assert_string_equal(in.from.stage, "base");
    assert_string_equal(in.from.platform, "linux/amd64");
    refused("FROM", ERR_INVALID, "either one or three");
    refused("FROM a b", ERR_INVALID, "either one or three");
    refused("FROM a AS 1b", ERR_INVALID, "invalid name for build stage");
    refused("FROM a AS scratch", ERR_INVALID, "reserved");
}

TEST(run_and_commands) {
    CLEAN_ARENA struct arena a = {0};
    assert_true(parse("RUN a b", &a).command.shell);
    struct instr in = parse("CMD [\"a\", \"b\"]", &a);
    assert_false(in.command.shell);
    assert_int_equal(in.command.n, 2);
    assert_int_equal(parse("CMD []", &a).command.n, 0);
    refused("RUN", ERR_INVALID, "at least one argument");
    refused("RUN --device=x y", ERR_UNSUPPORTED, "--device");
    refused("SHELL bash -c", ERR_INVALID, "JSON form");
    refused("CMD [\"a\\u0000b\"]", ERR_INVALID, "NUL");
}

TEST(flags_of_run) {
    CLEAN_ARENA struct arena a = {0};
    struct instr in = parse("RUN --network=none --security=insecure --mount=target=/x,from=b "
                            "--mount=type=cache,target=/y a b",
                            &a);
    assert_int_equal(in.run.network, NETWORK_NONE);
    assert_true(in.run.insecure);
    assert_int_equal(in.run.mounts.n, 2);
    assert_int_equal(in.run.froms_n, 1);
    assert_string_equal(in.run.froms[0], "b");
    assert_string_equal(in.command.words[0], "a b");
    refused("RUN --network=nine y", ERR_INVALID, "did you mean none?");
    refused("RUN --mount=type=cahce,target=/x y", ERR_INVALID, "did you mean cache?");
    refused("RUN --mount=type=cache,tarket=/x y", ERR_INVALID, "did you mean target?");
    refused("RUN --mount=type=cache y", ERR_INVALID, "without a target");
    refused("RUN --mount=target=/x,mode=755 y", ERR_INVALID, "mode not allowed");
    refused("RUN --mount=target=/x,sharing=locked y", ERR_INVALID, "invalid cache sharing");
    refused("RUN --mount=target=/x,from=$a y", ERR_INVALID, "variable expansion");
    refused("RUN --mount=type=secret,from=a,id=x y", ERR_INVALID, "should not have a from");
    refused("RUN --mount=type=secret y", ERR_INVALID, "one of source, target");
    refused("RUN --mount=type=bind,required y", ERR_INVALID, "unexpected key 'required'");
    refused("RUN --mount=\"type=tmpfs\",target=/x,size=1q y", ERR_INVALID, "value for size");
}

static struct run_mount mount(const char *text, struct arena *a) {
    struct run_mount m;
    assert_ok(mount_read(text, NULL, NULL, a, &m));
    return m;
}

TEST(mounts) {
    CLEAN_ARENA struct arena a = {0};
    struct run_mount m = mount("type=cache,\"dst=/a,b\",id=i,sharing=locked,mode=0700,uid=5", &a);
    assert_int_equal(m.kind, MOUNT_CACHE);
    assert_string_equal(m.target, "/a,b");
    assert_int_equal(m.sharing, SHARING_LOCKED);
    assert_int_equal(m.mode, 0700);
    assert_int_equal(m.uid, 5);
    assert_false(m.read_only);
    assert_true(mount("target=/x", &a).read_only);
    assert_false(mount("target=/x,rw", &a).read_only);
    assert_true(mount("type=cache,target=/x,ro", &a).read_only);
    assert_int_equal(mount("type=tmpfs,target=/x,size=3MiB", &a).size, 3 << 20);
    assert_true(mount("type=secret,id=x,required", &a).required);
}

TEST(sources) {
    assert_true(source_is_git("https://host/a.git#main:dir"));
    assert_true(source_is_git("git@host:a"));
    assert_false(source_is_git("https://host/a.git/x"));
    assert_true(source_is_url("https://host/a.tgz"));
    assert_false(source_is_url("dir/http://x"));
}

TEST(copy) {
    CLEAN_ARENA struct arena a = {0};
    struct instr in = parse("COPY --from=b --chown=1:2 --chmod=755 x y /z/", &a);
    assert_int_equal(in.copy.sources_n, 2);
    assert_string_equal(in.copy.dest, "/z/");
    assert_string_equal(in.copy.from, "b");
    assert_string_equal(in.copy.chown, "1:2");
    assert_string_equal(in.copy.chmod, "755");
    in = parse("COPY <<\"A\" x /z/\n\thi\nA\n", &a);
    assert_int_equal(in.copy.sources_n, 1);
    assert_int_equal(in.copy.docs_n, 1);
    assert_string_equal(in.copy.docs[0].content, "\thi\n");
    assert_false(in.copy.docs[0].expand);
    refused("COPY a", ERR_INVALID, "only one was provided");
    in = parse("COPY --link --parents=false --exclude=x --exclude=!y a b", &a);
    assert_true(in.copy.link);
    assert_false(in.copy.parents);
    assert_int_equal(in.copy.exclude.n, 2);
    assert_string_equal(in.copy.exclude.items[1], "!y");
    refused("COPY --link=maybe a b", ERR_INVALID, "expecting boolean");
    refused("COPY --form=x a b", ERR_INVALID, "did you mean --from?");
    refused("COPY --from a b", ERR_INVALID, "missing a value");
    refused("COPY --from=$X a b", ERR_INVALID, "variable expansion is not supported");
    refused("COPY --from=a --from=b a b", ERR_INVALID, "duplicate flag");
    refused("COPY a <<E\nE\n", ERR_INVALID, "as a destination");
    refused("COPY http://x/y b", ERR_INVALID, "URL");
    refused("ADD --checksum=x a b", ERR_INVALID, "checksum requires");
    refused("COPY git@x:y.git b", ERR_INVALID, "git ref for COPY");
}

TEST(pairs) {
    CLEAN_ARENA struct arena a = {0};
    struct instr in = parse("ENV a=b c=d", &a);
    assert_int_equal(in.pairs.n, 2);
    assert_string_equal(in.pairs.items[1].key, "c");
    assert_false(in.pairs.items[1].legacy);
    assert_true(parse("ENV a b", &a).pairs.items[0].legacy);
    in = parse("ARG a b= c=d", &a);
    assert_null(in.pairs.items[0].value);
    assert_string_equal(in.pairs.items[1].value, "");
    refused("ENV", ERR_INVALID, "at least one argument");
    refused("ENV =x", ERR_INVALID, "can not be blank");
    refused("ARG =x", ERR_INVALID, "can not be blank");
    refused("LABEL --x=y a=b", ERR_INVALID, "unknown flag: --x");
}

TEST(health) {
    CLEAN_ARENA struct arena a = {0};
    struct instr in =
        parse("HEALTHCHECK --interval=1m --timeout=2s --retries=4 --start-period=3s CMD a b", &a);
    assert_int_equal(in.health.interval, 60 * NSEC_PER_SEC);
    assert_int_equal(in.health.retries, 4);
    assert_true(in.health.test.shell);
    assert_string_equal(in.health.test.words[0], "a b");
    assert_true(parse("HEALTHCHECK none", &a).health.none);
    refused("HEALTHCHECK", ERR_INVALID, "at least one argument");
    refused("HEALTHCHECK NONE x", ERR_INVALID, "takes no arguments");
    refused("HEALTHCHECK CMD", ERR_INVALID, "Missing command");
    refused("HEALTHCHECK EXEC x", ERR_INVALID, "try CMD");
    refused("HEALTHCHECK --interval=1us CMD x", ERR_INVALID, "cannot be less than 1ms");
    refused("HEALTHCHECK --interval=x CMD x", ERR_INVALID, "--interval");
    refused("HEALTHCHECK --retries=-1 CMD x", ERR_INVALID, "--retries");
}

TEST(one_word) {
    CLEAN_ARENA struct arena a = {0};
    assert_string_equal(parse("WORKDIR /a b", &a).list.items[0], "/a b");
    assert_string_equal(parse("EXPOSE 90 80/tcp", &a).list.items[0], "80/tcp");
    assert_int_equal(parse("VOLUME [\"/a\", \"/b\"]", &a).list.n, 2);
    refused("USER", ERR_INVALID, "exactly one argument");
    refused("VOLUME [\" \"]", ERR_INVALID, "empty string");
    refused("EXPOSE", ERR_INVALID, "at least one");
}

TEST(onbuild) {
    CLEAN_ARENA struct arena a = {0};
    assert_string_equal(parse("ONBUILD  RUN a", &a).list.items[0], "RUN a");
    assert_string_equal(parse("ONBUILD RUN <<E\na\nE\n", &a).list.items[0], "RUN <<E\na\nE");
    refused("ONBUILD", ERR_INVALID, "at least one");
    refused("ONBUILD ONBUILD RUN a", ERR_INVALID, "Chaining");
    refused("ONBUILD FROM a", ERR_INVALID, "isn't allowed");
    refused("ONBUILD RUNN a", ERR_INVALID, "did you mean RUN?");
}

TEST(unknown) {
    refused("FROMM a", ERR_INVALID, "unknown instruction: FROMM (did you mean FROM?)");
    refused("entrypiont a", ERR_INVALID, "did you mean ENTRYPOINT?");
    refused("xyzzy a", ERR_INVALID, "unknown instruction: xyzzy\n");
}
