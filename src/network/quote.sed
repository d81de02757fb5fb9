# Text to C: every line becomes a string literal.
s/["\\]/\\&/g
s/^/"/
s/$/\\n"/
