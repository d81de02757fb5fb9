#!/bin/bash
# Who reaches whom: every place a packet may come from against every form of network and publishing, with real
# traffic, with bridge-nf-call-iptables 0 and 1 (set in this test's own network namespace; corten never sets it).
. "$(dirname "$0")/lib.sh"
command -v perl > /dev/null || skip "no perl"
[ -e /proc/sys/net/ipv6 ] || skip "no IPv6 in this kernel"
start_daemon
make_busybox_image
make_far_host
far ip route add default via 198.51.100.1

cat > "$TEST_TMP/serve.pl" <<'END2'
# serve.pl ADDRESS:PORT=NAME…: on each, TCP: answers with NAME.
use strict; use warnings; use IO::Select; use Socket qw(:all);
my $w = IO::Select->new; my %name; $| = 1;
for (@ARGV) { my ($a, $p, $n) = /^(.*):(\d+)=(.*)$/ or next;
    my ($e, $i) = getaddrinfo($a, $p, {flags => AI_NUMERICHOST, socktype => SOCK_STREAM});
    socket(my $s, $i->{family}, SOCK_STREAM, 0) or die; setsockopt($s, SOL_SOCKET, SO_REUSEADDR, 1);
    bind($s, $i->{addr}) && listen($s, 100) or die "bind $a $p: $!"; $w->add($s); $name{fileno $s} = $n }
print "ready\n";
while (my @r = $w->can_read) { for my $s (@r) { accept(my $c, $s) or next; syswrite($c, "$name{fileno $s}\n") } }
END2
cat > "$TEST_TMP/try.pl" <<'END2'
# try.pl FROM ADDRESS:PORT=NAME…: all at once; "FROM NAME yes" when who answers is what NAME begins with.
use strict; use warnings; use IO::Select; use Socket qw(:all); use Time::HiRes qw(time); use Fcntl; use Errno;
my $from = shift; my (%name, %got, @order);
my ($reading, $until) = (IO::Select->new, time + 2.5);
for (@ARGV) { my ($a, $p, $n) = /^(.*):(\d+)=(.*)$/ or die $_; push @order, $n;
    my ($e, $i) = getaddrinfo($a, $p, {flags => AI_NUMERICHOST, socktype => SOCK_STREAM});
    socket(my $s, $i->{family}, SOCK_STREAM, 0) or die; fcntl($s, F_SETFL, O_NONBLOCK);
    connect($s, $i->{addr}) || $!{EINPROGRESS} or next;
    $name{fileno $s} = $n; $reading->add($s) }
while ($reading->count && time < $until) { for my $s ($reading->can_read($until - time)) {
    my $n = $name{fileno $s}; if (sysread($s, my $x, 100)) { chomp $x; $got{$n} = 1 if index($n, $x) == 0 } $reading->remove($s) } }
print "$from $_ ", $got{$_} ? 'yes' : 'no', "\n" for @order;
END2
netns() { echo "--net=/proc/$(dk inspect -f '{{.State.Pid}}' "$1")/ns/net"; }
serve() { # WHERE ADDRESS:PORT=NAME…, until the end
    nsenter "$1" perl "$TEST_TMP/serve.pl" "${@:2}" "$TEST_TMP" > "$TEST_TMP/serve.$RANDOM$RANDOM" &
    servers+=($!)
    at_end "kill $! 2> /dev/null"
}
servers=()
address() { dk inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$1"; }
box() { dk run -d "$@" busybox sleep 1000 > /dev/null; }

dk network create --subnet 10.81.0.0/24 open > /dev/null
dk network create --subnet 10.82.0.0/24 -o com.docker.network.bridge.enable_icc=false closed > /dev/null
dk network create --subnet 10.83.0.0/24 --internal inside > /dev/null
dk network create --subnet 10.84.0.0/24 --ipv6 --subnet fd84::/64 six > /dev/null

# What everybody tries: by the container's own address, and by published ports in all forms.
targets() {
    cat <<END2
$(address open1):80=open-own
$(address closed1):80=closed-own
$(address inside1):80=inside-own
$(address six1):80=six-own
198.51.100.1:8001=open-published
198.51.100.1:8002=closed-published
198.51.100.1:8004=six-published
[2001:db8:1::1]:8001=open-published6
[2001:db8:1::1]:8004=six-published6
127.0.0.1:8001=open-lo
127.0.0.1:8002=closed-lo
127.0.0.1:8005=only-lo
198.51.100.1:8005=only-lo-outside
[::1]:8001=open-lo6
[::1]:8004=six-lo6
198.51.100.1:9000=host-all
127.0.0.1:9001=host-lo
$(dk inspect -f '{{.NetworkSettings.Networks.open.Gateway}}' open1):9001=host-lo-by-gateway
198.51.100.2:9100=far
END2
}
cat > "$TEST_TMP/wanted" <<'END2'
host yes open-own closed-own inside-own six-own open-published closed-published six-published open-published6 six-published6 open-lo closed-lo only-lo open-lo6 six-lo6 host-all host-lo far
host no only-lo-outside host-lo-by-gateway
other yes open-published closed-published six-published open-published6 six-published6 host-all far
other no open-own closed-own inside-own six-own open-lo closed-lo only-lo only-lo-outside open-lo6 six-lo6 host-lo host-lo-by-gateway
open1 yes open-own open-published closed-published six-published host-all far
open1 no closed-own inside-own six-own only-lo-outside host-lo host-lo-by-gateway open-published6
open2 yes open-own open-published closed-published six-published host-all far
open2 no closed-own inside-own six-own only-lo-outside host-lo host-lo-by-gateway open-lo only-lo
closed1 yes closed-own closed-published open-published host-all far
closed1 no open-own inside-own only-lo-outside host-lo-by-gateway
closed2 yes closed-published open-published six-published host-all far
closed2 no closed-own open-own inside-own six-own only-lo-outside host-lo host-lo-by-gateway
inside2 yes inside-own
inside2 no open-own closed-own six-own open-published closed-published six-published host-lo-by-gateway far
six2 yes six-own six-published six-published6 open-published open-published6 closed-published host-all far
six2 no open-own closed-own inside-own host-lo host-lo-by-gateway six-lo6
END2

check() { # MODE
    : > "$TEST_TMP/got"
    mapfile -t all < <(targets | tr -d '[]')
    local place
    for place in host other open1 open2 closed1 closed2 inside2 six2; do
        case $place in
        host) in_net perl "$TEST_TMP/try.pl" host "${all[@]}" ;;
        other) far perl "$TEST_TMP/try.pl" other "${all[@]}" ;;
        *) nsenter "$(netns $place)" perl "$TEST_TMP/try.pl" $place "${all[@]}" ;;
        esac > "$TEST_TMP/got.$place" &
        trying[${#trying[@]}]=$!
    done
    wait "${trying[@]}"
    trying=()
    cat "$TEST_TMP"/got.* > "$TEST_TMP/got"
    local from verdict names name wrong=
    while read -r from verdict names; do
        for name in $names; do
            grep -qx "$from $name $verdict" "$TEST_TMP/got" || wrong+=" $from-$name(not-$verdict)"
        done
    done < "$TEST_TMP/wanted"
    [ -z "$wrong" ] || fail "bridge-nf $1:$wrong"
}
trying=()

for mode in 0 1; do
    step "bridge-nf-call-iptables $mode"
    if [ ! -e /proc/sys/net/bridge ] && [ $mode = 1 ]; then
        echo "this kernel has no br_netfilter: one mode"
        break
    fi
    [ -e /proc/sys/net/bridge ] && for f in iptables ip6tables; do
        in_net sh -c "echo $mode > /proc/sys/net/bridge/bridge-nf-call-$f" || fail "no switch"
    done
    box --name open1 --network open -p 8001:8001 -p 127.0.0.1:8005:8005
    box --name open2 --network open
    box --name closed1 --network closed -p 8002:8002
    box --name closed2 --network closed
    box --name inside1 --network inside
    box --name inside2 --network inside
    box --name six1 --network six -p 8004:8004
    box --name six2 --network six
    # One server for each target name: own address, published, loopback.
    serve "$(netns open1)" 0.0.0.0:80=open-own 0.0.0.0:8001=open 0.0.0.0:8005=only-lo
    serve "$(netns closed1)" 0.0.0.0:80=closed-own 0.0.0.0:8002=closed
    serve "$(netns inside1)" 0.0.0.0:80=inside-own
    serve "$(netns six1)" 0.0.0.0:80=six-own :::8004=six
    serve "--net=/proc/$net_pid/ns/net" 0.0.0.0:9000=host-all 127.0.0.1:9001=host-lo
    serve "--net=/proc/$other/ns/net" 0.0.0.0:9100=far
    started() { [ "$(cat "$TEST_TMP"/serve.[0-9]* | grep -c ready)" = 6 ]; }
    eventually 10 started
    check $mode
    kill "${servers[@]}"
    wait "${servers[@]}" 2> /dev/null
    servers=()
    rm -f "$TEST_TMP"/serve.[0-9]*
    dk rm -f open1 open2 closed1 closed2 inside1 inside2 six1 six2 > /dev/null
done
dk network rm open closed inside six > /dev/null
in_net ip link del ext0
expect_nothing_left
pass
