/* build_check: every rule once where it finds something, and once where it does not. */
#include "build/build.h"
#include "test.h"

static void finds(const char *text, const char *rule, bool wanted) {
    CLEAN_BUF struct buf out = {0};
    size_t n = 0;
    assert_ok(build_check(str_of(text), "D", &out, &n));
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
    assert_ok(build_check(STR("FROM a\n"), "D", &out, &n));
    assert_int_equal(n, 0);
    assert_non_null(strstr(buf_cstr(&out), "D:1:1: advice: UnpinnedBase"));
}
