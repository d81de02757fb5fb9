# shellcheck shell=bash
# transcript.sh - the same command lines with two command lines, and what differs. For tests that have read lib.sh.
#
#   compare WORDS <<LINES    each line with $old and with $new (two functions: dk, ct); stdout, exit status, and
#                            whether stderr speaks are compared; sets $differs, shows the difference
#   $between                 evaluated between the two
#
# A line is what follows the program's name. Its first character may say more:
#   !    only the exit status and whether stderr has words (ids, times, help)
#   +    options (and more) of `create`; what is compared is the container that comes of it, as the daemon has it
#   @    shell text with D for the program; D is one of both
# Each line prints what was left, so that both start from the same state.
old=dk new=ct

# A container made by the program, as the daemon sees it; `ct` asks and removes, since it is the faster.
made_container() { # CLI OPTIONS
    local id status
    case $2 in *--name*) ;; *) set -- "$1" "--name box $2" ;; esac
    eval "$1 create $2" >"$TEST_TMP/id"
    status=$?
    id=$(cat "$TEST_TMP/id")
    [ $status = 0 ] && {
        ct inspect -f '{{json .Config}} {{json .HostConfig}} {{json .NetworkSettings.Networks}} {{json .Mounts}} {{.Name}}' "$id" |
            sed -E "s/[0-9a-f]{64}/HEX/g; s/${id:0:12}/ID/g; s|/[a-z]+_[a-z]+[0-9]?\$|/NAME|; s/,\"|[}] [{]\"/\n\"/g"
        ct rm -v "$id" >/dev/null
    }
    return $status
}

run_lines() { # CLI BLOCKS
    local cli=$1 out=$2 line status words kind n=0
    mkdir -p "$out"
    eval "D() { $cli \"\$@\"; }"
    while IFS= read -r line; do
        [ -z "$line" ] && continue
        n=$((n + 1)) kind=
        case $line in [+@!]*) kind=${line:0:1} line=${line:1} ;; esac
        : >"$out/$n.err"
        case $kind in
        +) made_container "$cli" "$line" >"$out/$n" 2>"$out/$n.err" </dev/null ;;
        @) eval "$line" >"$out/$n" 2>"$out/$n.err" </dev/null ;;
        *) eval "$cli $line" >"$out/$n" 2>"$out/$n.err" </dev/null ;;
        esac
        status=$?
        words=quiet
        [ -s "$out/$n.err" ] && words=speaks
        [ "$kind" = '!' ] && : >"$out/$n"
        echo "= $status $words" >>"$out/$n"
    done
}

compare() { # WORDS
    local lines=$TEST_TMP/transcript n=0 line
    step "$@"
    rm -rf "$lines"
    mkdir "$lines"
    cat >"$lines/lines"
    run_lines $old "$lines/old" <"$lines/lines"
    [ -n "${between-}" ] && eval "$between"
    run_lines $new "$lines/new" <"$lines/lines"
    while IFS= read -r line; do
        [ -z "$line" ] && continue
        n=$((n + 1))
        cmp -s "$lines/old/$n" "$lines/new/$n" && continue
        differs=1
        printf '$ %s\n' "$line"
        diff "$lines/old/$n" "$lines/new/$n" >"$lines/diff"
        if [ "$(wc -l <"$lines/diff")" -gt 20 ]; then tail -qn1 "$lines/old/$n" "$lines/new/$n"; else cat "$lines/diff"; fi
        sed 's/^/    old said: /' "$lines/old/$n.err"
        sed 's/^/    new said: /' "$lines/new/$n.err"
    done <"$lines/lines"
    echo "$n lines compared"
}
