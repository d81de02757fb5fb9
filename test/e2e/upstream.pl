#!/usr/bin/perl
# A DNS server for tests: upstream.pl ADDRESS LOG [TCP]. Answers every A question with 192.0.2.1 (TTL 60),
# names that begin with "no" with NXDOMAIN, "big" by UDP with a truncated answer and by TCP with 100
# records; writes every name that it is asked to LOG.
use strict;
use warnings;
use IO::Select;
use IO::Socket::INET;
my ($address, $log) = @ARGV;
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
    my $record = pack 'nnnNnC4', 0xc00c, 1, 1, 60, 4, 192, 0, 2, 1;
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
            send $udp, answer($query, 0), 0, $from;
        } elsif (my $c = $s->accept) {
            my $got = sysread $c, my $bytes, 4096;
            next if !$got || $got < 14;
            syswrite $c, pack 'n/a*', answer(substr($bytes, 2), 1);
        }
    }
}
