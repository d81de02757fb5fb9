# shellcheck shell=bash
# transcript.sh - the same command lines with two command lines, and what differs. For tests that have read lib.sh.
#
#   compare WORDS <<LINES    each line with $old and with $new (two functions: dk, ct); stdout, exit status, and
#                            whether stderr speaks are compared; sets $differs, shows the difference
#   begin_transcript         a daemon and an image, or skips where the stock CLI is not today's
#   make_create_files        what the options of create name: files, networks, other containers
#   $between                 evaluated between the two
#   $thin                    N: the lines stand for themselves, and the short form takes every N-th (CORTEN_FULL: all)
#
# A line is what follows the program's name. Its first character may say more:
#   !    only the exit status and whether stderr has words (ids, times, help)
#   +    options (and more) of `create`; what is compared is the container that comes of it, as the daemon has it
#   @    shell text with D for the program; D is one of both
# Each line prints what was left, so that both start from the same state.
old=dk new=ct

# corten follows the client of today; those before 25 print addresses, warnings and refusals in their own way.
begin_transcript() {
    case $("$docker" --version) in
    *' version 1'?.* | *' version 2'[0-4].*) skip "the stock docker CLI here is older than what corten is compared with" ;;
    esac
    start_daemon
    make_busybox_image
}

make_create_files() {
    printf 'A=1\n# a comment\n\nB=two words\nHOME\n' >"$TEST_TMP/env"
    printf 'L=1\n# a comment\nM=two words\n' >"$TEST_TMP/labels"
    printf 'A=1\n=bad\n' >"$TEST_TMP/env-bad"
    printf '{"defaultAction":"SCMP_ACT_ALLOW"}' >"$TEST_TMP/seccomp.json"
    mkdir "$TEST_TMP/dir"
    ct network create --subnet 10.66.0.0/24 n1 >/dev/null
    ct network create --subnet 10.67.0.0/24 n2 >/dev/null
    ct create --name other busybox >/dev/null
    ct create --name store -v /data -v named:/named busybox >/dev/null
}

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
    if [ -n "${CORTEN_FULL-}" ]; then cat; else sed -n "1~${thin:-1}p"; fi >"$lines/lines"
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
