# SPDX-License-Identifier: Apache-2.0
# Takes the marked code blocks out of a page (awk -v to=DIR -f extract.awk PAGE). A comment on the line before a block says what it is:
#   <!-- file NAME -->           the file NAME: goes to DIR/all/NAME
#   <!-- file NAME for GROUP --> goes to DIR/GROUP/NAME
#   <!-- session GROUP -->       commands after "$ " and what they print: added to DIR/GROUP.session
/^<!-- (file|session) / {
    kind = $2
    path = kind == "session" ? to "/" $3 ".session" : to "/" ($4 == "for" ? $5 : "all") "/" $3
    next
}
/^ *```/ {
    if (inside) {
        inside = 0
        kind = ""
        close(path)
    } else if (kind != "") {
        inside = 1
        if (kind == "file") {
            folder = path
            sub(/[^\/]*$/, "", folder)
            system("mkdir -p '" folder "'")
            printf "" >path
        }
    }
    next
}
inside && kind == "file" { print >path }
inside && kind == "session" { print >>path }
