#!/usr/bin/perl
# A DNS server for tests: upstream.pl ADDRESS LOG [ANSWER]. Answers every A question with 192.0.2.1 (TTL 60),
# or with the address of the third argument, names that begin with "no" with NXDOMAIN, "spoof" after five answers
# that are none (id, question, a name that points to itself, cut, of nothing), "lies" with those alone, "big" by UDP with a truncated answer and by TCP with 100
# records; writes every name that it is asked to LOG.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
my ($address, $log, $result) = (@ARGV, "192.0.2.1");
my $udp = IO::Socket::INET->new(LocalAddr => $address, LocalPort => 53, Proto => 'udp') or die "udp: $!";
my $tcp = IO::Socket::INET->new(LocalAddr => $address, LocalPort => 53, Proto => 'tcp', Listen => 5, ReuseAddr => 1)
    or die "tcp: $!";
open my $out, '>>', $log or die;
$out->autoflush(1);

sub answer {
    my ($query, $stream) = @_;
    my ($id, $flags) = unpack 'nn', $query;
    my ($at, @labels) = (12);
    while (my $n = ord substr $query, $at, 1) {
        push @labels, substr $query, $at + 1, $n;
        $at += 1 + $n;
    }
    my $question = substr $query, 12, $at + 5 - 12;
    my $type = unpack 'n', substr $question, -4;
    my $name = join '.', @labels;
    print $out "$name $type\n";
    my $record = pack 'nnnNnC4', 0xc00c, 1, 1, 60, 4, split /\./, $result;
    my $n = $type != 1 ? 0 : lc $name =~ /^no/ ? 0 : $name =~ /^big/ && $stream ? 100 : 1;
    my $code = $name =~ /^no/i ? 3 : 0;
    my $cut = $name =~ /^big/ && !$stream;
    $n = 0 if $cut;
    my $soa = $n || $cut ? '' : pack 'CnnNn/a*', 0, 6, 1, 60, pack 'CCN5', 0, 0, 1, 1, 1, 1, 60;
    return pack('n6', $id, 0x8180 | $code | ($cut ? 0x200 : 0), 1, $n, $soa ? 1 : 0, 0) . $question . $record x $n . $soa;
}

my $wait = IO::Select->new($udp, $tcp);
while (my @ready = $wait->can_read) {
    for my $s (@ready) {
        if ($s == $udp) {
            my $from = recv $udp, my $query, 4096, 0;
            my $right = answer($query, 0);
            my $question = substr $query, 12;
            if (substr($query, 13, 5) =~ /^(spoof|lies)/i) {
                my ($id, $evil) = (unpack('n', $query), pack 'nnnNnC4', 0xc00c, 1, 1, 600, 4, 203, 0, 113, 66);
                (my $other = $question) =~ s/example/evilevi/;
                send $udp, $_, 0, $from for pack('n6', $id ^ 1, 0x8180, 1, 1, 0, 0) . $question . $evil,
                    pack('n6', $id, 0x8180, 1, 1, 0, 0) . $other . $evil,
                    pack('n6', $id, 0x8180, 1, 1, 0, 0) . $question . pack('nnnNnn', 0xc000 + 12 + length $question, 1, 1, 60, 2, 0xffff),
                    substr($right, 0, 11), pack('n6', $id, 0x8180, 1, 65535, 65535, 65535) . $question;
                next if substr($query, 13, 4) =~ /^lies/i;
            }
            send $udp, $right, 0, $from;
        } elsif (my $c = $s->accept) {
            my $got = sysread $c, my $bytes, 4096;
            next if !$got || $got < 14;
            syswrite $c, pack 'n/a*', answer(substr($bytes, 2), 1);
        }
    }
}
