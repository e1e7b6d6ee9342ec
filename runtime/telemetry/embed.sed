# Makes a C string of a text file, a line each.
s/\\/\\\\/g
s/"/\\"/g
s/^/    "/
s/$/\\n"/
