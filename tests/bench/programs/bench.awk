# SPDX-License-Identifier: MIT
{
	for (i = 1; i <= NF; i++) {
		count[tolower($i)]++
		chars += length($i)
	}
	if (match($0, /[aeiou]{2}[^aeiou]+a/))
		found += RSTART
	gsub(/an|er/, "X")
	x += gsub(/X/, "Y")
}
END {
	for (w in count)
		sum += count[w] * length(w)
	print NR, chars, found, x, sum
}
