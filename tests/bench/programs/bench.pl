# SPDX-License-Identifier: MIT
# Word counts, substitutions, sorting and string building over a text.
use strict;
use warnings;

open my $h, '<', $ARGV[0] or die "$ARGV[0]: $!";
my $text = do { local $/; <$h> };
my $sum = 0;
my %count;
$count{lc $1}++ while $text =~ /([A-Za-z]+)/g;
my @top = sort { $count{$b} <=> $count{$a} or $a cmp $b } keys %count;
print "$_ $count{$_}\n" for @top[0 .. 9];
my $t = substr $text, 0, 200_000;
$t =~ s/(\w+) (\w+)/$2 $1/g;
$t =~ s/([aeiou]+)/<$1>/g;
$t =~ tr/a-z/b-za/;
$sum += () = $t =~ /<\w+>/g;
my %by;
push @{ $by{ length $_ } }, scalar reverse $_ for split /\n/, substr $text, 0, 400_000;
$sum = ($sum * 31 + unpack '%32C*', join '|', sort @{ $by{$_} }) % 1_000_003 for sort { $a <=> $b } keys %by;
my $out = '';
$out .= sprintf '%05d:%x:%s;', $_, $_ * 7, chr(65 + $_ % 26) x ($_ % 5) for 1 .. 40_000;
my @sieve = (1) x 60_000;
for my $i (2 .. $#sieve) {
	next unless $sieve[$i];
	for (my $j = $i * $i; $j < @sieve; $j += $i) { $sieve[$j] = 0 }
}
print $sum, ' ', unpack('%32C*', $out), ' ', scalar(grep { $_ } @sieve), "\n";
