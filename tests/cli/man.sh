# Every command that the manual pages and the README show: it parses (--dry-run), and where
# the page calls it runnable it runs, in a folder with some photographs.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"

# Each program is replaced by one that only checks its command line; anything else in a
# pipe does nothing, and what it would start (ssh, xargs, nice) is checked in its place.
mkdir shim
cat >shim/.tool <<'END'
#!/bin/sh
PATH=/usr/bin:/bin
name=${0##*/}
echo "$name" >>"$RAN"
"$BIN/$name" --dry-run "$@" </dev/null >/dev/null 2>"$RAN.err.$$" || { echo "$name $*"; cat "$RAN.err.$$"; } >>"$WRONG"
rm -f "$RAN.err.$$"
END
chmod +x shim/.tool
for tool in "$BIN"/ssl-*; do
    ln -s .tool "shim/${tool##*/}"
done
cat >others.bash <<'END'
command_not_found_handle() {
    while [ $# -gt 0 ]; do
        case $1 in
        ssl-*) [ ! -x "$T/shim/$1" ] || "$@"; return ;;
        *) shift ;;
        esac
    done
}
F=$FASHION
END
RAN=$T/ran WRONG=$T/wrong
export RAN WRONG T

# parses WHERE FILE: the commands in FILE are well formed, and every program they name was checked.
parses() {
    : >"$RAN"; : >"$WRONG"
    mkdir -p dry
    # What a command reads with `<` must be there for the shell to start it.
    grep -oE '<[A-Za-z0-9._/-]+' "$2" | sed 's/^<//' | while read -r f; do
        case $f in /*) ;; *) mkdir -p "dry/$(dirname "$f")" && : >>"dry/$f" ;; esac
    done
    (cd dry && { cat "$T/others.bash" "$2"; echo wait; } | PATH=$T/shim /usr/bin/timeout 60 /bin/bash >"$T/said" 2>&1)
    for tool in $(grep -oE '(^|[^A-Za-z0-9_./-])ssl-[a-z]+' "$2" | grep -oE 'ssl-[a-z]+' | sort -u); do
        grep -qx "$tool" "$RAN" || echo "$tool was not started" >>"$WRONG"
    done
    if [ -s "$WRONG" ]; then fail "$1" "$(cat "$2")" "$(cat "$WRONG" "$T/said")"; else pass; fi
}

tab=$(printf '\t')
mkdir run blocks
photographs run/photos
for page in "$SRC"/man/*.[1-8] "$SRC"/README.md "$SRC"/examples/*.md; do
    [ -f "$page" ] || continue
    awk -f "$SRC/tests/cli/examples.awk" "$page" >list
    while IFS=$tab read -r line how text; do
        block=$T/blocks/$(basename "$page").$line
        printf '%s\n' "$text" | tr '\001' '\n' >"$block"
        parses "$(basename "$page"):$line" "$block"
        [ "$how" = runnable ] || continue
        ok "$(basename "$page"):$line" "cd run && F=$FASHION && export F && timeout 120 bash -e -o pipefail $block"
    done <list
done
end
