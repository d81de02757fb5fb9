#!/bin/bash
# The parse tree of a Dockerfile, in the notation of BuildKit's parser tests, and what is no Dockerfile.
# CORTEN_PARSER_CASES names a directory with that project's testfiles and testfiles-negative: then
# those are compared as well.
. "$(dirname "$0")/lib.sh"
tree() { printf "$1" | "$bin/corten" debug dockerfile-tree 2>&1; }

step "trees"
expect_eq "$(tree 'FROM a AS b\nRUN x && \\\n  y\n')" '(from "a" "AS" "b")
(run "x &&   y")'
expect_eq "$(tree 'ENV a=b c="d e"\nCOPY --from=x --chown=1 a "b c" d\n')" \
    '(env "a" "b" "=" "c" "\"d e\"" "=")
(copy ["--from=x" "--chown=1"] "a" "\"b" "c\"" "d")'
expect_eq "$(tree 'ONBUILD RUN ["a", "b"]\n')" '(onbuild (run "a" "b"))'
expect_eq "$(tree '# escape=`\nRUN a `\n b\n')" '(run "a  b")'

step "errors say where, show the line, and what was meant"
expect_eq "$(tree 'FROM a\nENV x\n')" 'Dockerfile:2:5: ENV must have two arguments
    2 | ENV x
      |     ^'
for bad in '' '# only\n' 'CMD [ "a", [ "b" ] ]\n' '# escape=x\nFROM a\n' 'RUN <<E\nno end\n'; do
    printf "$bad" | "$bin/corten" debug dockerfile-tree >/dev/null 2>&1 && fail "'$bad' was parsed"
done

if [ -n "${CORTEN_PARSER_CASES:-}" ]; then
    step "the golden trees of $CORTEN_PARSER_CASES"
    n=0
    for d in "$CORTEN_PARSER_CASES"/testfiles/*/; do
        diff -u "$d/result" <("$bin/corten" debug dockerfile-tree <"$d/Dockerfile" 2>&1) || fail "$d"
        n=$((n + 1))
    done
    for d in "$CORTEN_PARSER_CASES"/testfiles-negative/*/; do
        "$bin/corten" debug dockerfile-tree <"$d/Dockerfile" >/dev/null 2>&1 && fail "$d was parsed"
        n=$((n + 1))
    done
    [ $n -gt 20 ] || fail "only $n cases in $CORTEN_PARSER_CASES"
fi
pass
