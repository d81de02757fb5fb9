/* build_check: every rule once where it finds something, and once where it does not. */
#include "build/build.h"
#include "test.h"
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

static const struct build_check_how plain = {.context_fd = -1};

static void finds(const char *text, const char *rule, bool wanted) {
    CLEAN_BUF struct buf out = {0};
    size_t n = 0;
    assert_ok(build_check(str_of(text), "D", &plain, &out, &n));
    bool found = strstr(buf_cstr(&out), rule) != NULL;
    if (found != wanted)
        fail_msg("%s %s for:\n%s\nsaid:\n%s", rule, wanted ? "missing" : "unexpected", text,
                 buf_cstr(&out));
}

TEST(rules) {
    static const char *const rows[][3] = {
        {"StageNameCasing", "FROM a AS B\n", "FROM a AS b\n"},
        {"FromAsCasing", "FROM a as b\n", "from a as b\n"},
        {"NoEmptyContinuation", "FROM a\nRUN x \\\n\n y\n", "FROM a\nRUN x \\\n# c\n y\n"},
        {"ConsistentInstructionCasing", "FROM a\nRUN x\nrun y\n", "from a\nrun x\n"},
        {"DuplicateStageName", "FROM a AS b\nFROM a AS b\n", "FROM a AS b\nFROM a AS c\n"},
        {"ReservedStageName", "FROM a AS context\n", "FROM a AS contexts\n"},
        {"JSONArgsRecommended", "FROM a\nCMD x\n", "FROM a\nSHELL [\"x\"]\nCMD x\n"},
        {"MaintainerDeprecated", "FROM a\nMAINTAINER x\n", "FROM a\nLABEL x=y\n"},
        {"UndefinedArgInFrom", "FROM $X\n", "ARG X=y\nFROM $X\n"},
        {"InvalidDefaultArgInFrom", "ARG X\nFROM a:$X\n", "ARG X\nFROM a:${X:-1}\n"},
        {"WorkdirRelativePath", "FROM a\nWORKDIR x\n", "FROM a\nWORKDIR /y\nWORKDIR x\n"},
        {"UndefinedVar", "FROM a\nENV NAME=x\nCOPY x $NANE\n", "FROM a\nENV N=x\nCOPY x $N\n"},
        {"UndefinedVar", "FROM scratch\nCOPY x $ANY\n", "FROM a\nCOPY x $HOME\n"},
        {"MultipleInstructionsDisallowed", "FROM a\nCMD []\nCMD []\n",
         "FROM a\nCMD []\nFROM b\nCMD []\n"},
        {"LegacyKeyValueFormat", "FROM a\nENV k v\n", "FROM a\nENV k=v\n"},
        {"RedundantTargetPlatform", "FROM --platform=$TARGETPLATFORM a\n",
         "FROM --platform=$BUILDPLATFORM a\n"},
        {"FromPlatformFlagConstDisallowed", "FROM --platform=linux/amd64 a\n", "FROM a\n"},
        {"SecretsUsedInArgOrEnv", "FROM a\nARG API_TOKEN\n", "FROM a\nENV PUBLIC_KEY=x\n"},
        {"ExposeProtoCasing", "FROM a\nEXPOSE 80/TCP\n", "FROM a\nEXPOSE 80/tcp\n"},
        {"ExposeInvalidFormat", "FROM a\nEXPOSE 80:80\n", "FROM a\nEXPOSE 80\n"},
        {"CacheOrder", "FROM a\nCOPY . /x\nRUN npm install\n",
         "FROM a\nCOPY package.json /x\nRUN npm install\nCOPY . /x\n"},
        {"InvalidDefinitionDescription", "# check=experimental=all\n\n# the base\nFROM a AS base\n",
         "# check=experimental=all\n\n# base is the base\nFROM a AS base\n"},
        {"InvalidDefinitionDescription",
         "# check=experimental=InvalidDefinitionDescription\nFROM a\n# a name\nARG x=1\n",
         "FROM a\n# a name\nARG x=1\n"},
        {"UnpinnedBase", "FROM a\n", "FROM a:1\n"},
        {"AddInsteadOfCopy", "FROM a\nADD x y\n", "FROM a\nADD x.tar y\n"},
        {"CleanupInSameLayer", "FROM a\nRUN apt-get install x\n",
         "FROM a\nRUN apt-get install x && rm -rf /var/lib/apt/lists/*\n"},
        {"RootUser", "FROM a\n", "FROM a\nUSER x\n"},
        {"StageNameCasing", "FROM a AS B\n", "# check=skip=StageNameCasing\nFROM a AS B\n"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        finds(rows[i][1], rows[i][0], true);
        finds(rows[i][2], rows[i][0], false);
    }
}

TEST(advice_does_not_count) {
    CLEAN_BUF struct buf out = {0};
    size_t n = 9;
    assert_ok(build_check(STR("FROM a\n"), "D", &plain, &out, &n));
    assert_int_equal(n, 0);
    assert_non_null(strstr(buf_cstr(&out), "D:1:1: advice: UnpinnedBase"));
}

TEST(directives_that_are_wrong) {
    static const char *const rows[][2] = {
        {"# check=skipp=x\nFROM a\n", "unknown option 'skipp' (skip, error, experimental)"},
        {"# check=error=maybe\nFROM a\n", "error=maybe is neither true nor false"},
        {"# check=skip\nFROM a\n", "'skip' has no value"},
    };
    for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
        CLEAN_BUF struct buf out = {0};
        size_t n = 0;
        struct err e = build_check(str_of(rows[i][0]), "D", &plain, &out, &n);
        assert_int_equal(err_kind(e), ERR_INVALID);
        assert_non_null(strstr(err_msg(e), rows[i][1]));
        err_free(e);
    }
}

TEST(an_argument_stands_for_the_directive) {
    const struct build_check_how how = {.directive = "skip=StageNameCasing", .context_fd = -1};
    CLEAN_BUF struct buf out = {0};
    size_t n = 9;
    assert_ok(build_check(STR("# check=skip=FromAsCasing\nFROM a:1 as B\n"), "D", &how, &out, &n));
    assert_int_equal(n, 1);
    assert_non_null(strstr(buf_cstr(&out), "FromAsCasing"));
}

TEST(sources_that_the_ignore_file_leaves_out) {
    char dir[] = "/tmp/corten-check-XXXXXX";
    assert_non_null(mkdtemp(dir));
    CLEAN_FD int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    CLEAN_FD int rules = openat(fd, ".dockerignore", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    assert_int_equal(write(rules, "secret\n!secret/ok\n", 18), 18);
    const struct build_check_how how = {.context_fd = fd};
    CLEAN_BUF struct buf out = {0};
    size_t n = 9;
    assert_ok(build_check(STR("FROM a:1\nCOPY secret/ok ./other x/\nCOPY --from=a secret /\n"), "D",
                          &how, &out, &n));
    assert_int_equal(n, 0);
    assert_ok(build_check(STR("FROM a:1\nCOPY ./secret/x /\n"), "D", &how, &out, &n));
    assert_int_equal(n, 1);
    assert_non_null(strstr(buf_cstr(&out), "CopyIgnoredFile"));
    assert_int_equal(unlinkat(fd, ".dockerignore", 0), 0);
    assert_int_equal(rmdir(dir), 0);
}
