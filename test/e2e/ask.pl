#!/usr/bin/perl
# One DNS question: ask.pl SERVER NAME [TYPE] [tcp]. Prints the code and the answer's data: "NOERROR 10.1.0.2".
use strict;
use warnings;
use IO::Socket::INET;
my %types = (A => 1, PTR => 12, TXT => 16, AAAA => 28, SRV => 33);
my @codes = qw(NOERROR FORMERR SERVFAIL NXDOMAIN NOTIMP REFUSED);
my ($server, $name, $type, $tcp) = @ARGV;
$type //= 'A';
my $id = int rand 65536;
my $query = pack('n6', $id, 0x100, 1, 0, 0, 0) . join('', map { pack 'C/a*', $_ } split /\./, $name) . pack('Cnn', 0, $types{$type}, 1);
my $s = IO::Socket::INET->new(PeerAddr => $server, PeerPort => 53, Proto => $tcp ? 'tcp' : 'udp', Timeout => 5) or die "no: $!";
syswrite $s, $tcp ? pack('n/a*', $query) : $query;
my ($answer, $want) = ('', $tcp ? 2 : 1);
alarm 8;
while (length $answer < $want) {
    sysread $s, $answer, 65535, length $answer or die "no answer: $!";
    $want = 2 + unpack 'n', $answer if $tcp && length $answer >= 2;
}
$answer = substr $answer, 2 if $tcp;
my ($back, $flags, undef, $n) = unpack 'n4', $answer;
die "wrong id" if $back != $id;

sub name_at { # text, offset behind
    my ($at) = @_;
    my ($text, $end) = ('');
    while (my $len = ord substr $answer, $at, 1) {
        if ($len >= 0xc0) {
            $end //= $at + 2;
            $at = unpack('n', substr $answer, $at, 2) & 0x3fff;
            next;
        }
        $text .= '.' if length $text;
        $text .= substr $answer, $at + 1, $len;
        $at += 1 + $len;
    }
    return ($text, $end // $at + 1);
}
my (undef, $at) = name_at(12);
$at += 4;
my @data = $flags & 0x200 ? ('TRUNC') : ();
for (1 .. $n) {
    (undef, $at) = name_at($at);
    my ($kind, undef, undef, $len) = unpack 'nnNn', substr $answer, $at, 10;
    $at += 10;
    my $data = substr $answer, $at, $len;
    push @data, $kind == 1 ? join('.', unpack 'C4', $data)
        : $kind == 12 ? (name_at($at))[0]
        : $kind == 16 ? unpack('C/a', $data)
        : $kind == 28 ? join(':', map { sprintf '%x', $_ } unpack 'n8', $data)
        : $kind == 33 ? join(':', unpack('n3', $data), (name_at($at + 6))[0])
        : "type$kind";
    $at += $len;
}
print "$codes[$flags & 15] @data\n";
