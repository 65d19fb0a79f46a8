# Sourced by every tests/cli/*.sh: a few words to write tests with. POSIX sh
# (run under dash). Commands are strings, evaluated in a subshell, so that
# pipelines read as a user would type them. Each script runs in a fresh
# temporary folder, with the programs under test first in PATH.
#
#   ok NAME CMD            CMD exits 0
#   exits N NAME CMD       CMD exits N
#   is TEXT NAME CMD       CMD exits 0 and prints exactly TEXT
#   prints ERE NAME CMD    a line of CMD's standard output matches ERE
#   says ERE NAME CMD      a line of CMD's standard error matches ERE
#   same A B NAME          files A and B hold the same bytes
#   skip NAME REASON       counted and reported; never silent
#
# $SRC is the source folder, $DATA its ../shared/data, $FASHION the Debian data set.

: "${BIN:?run me through tests/cli/run}"
SRC=${SRC:?}
DATA=${DATA:-$SRC/../shared/data}
FASHION=${FASHION:-/usr/share/datasets/fashion-mnist}
PATH=$BIN:$PATH
export PATH BIN SRC DATA FASHION LC_ALL=C.UTF-8
set -u
T=$(mktemp -d "${TMPDIR:-/tmp}/ssl-cli.XXXXXX") || exit 1
trap 'cd /; rm -rf "$T"; [ -n "$ended" ] || echo "ended early"' EXIT
cd "$T" || exit 1
passed=0 failed=0 skipped=0 ended=

pass() { passed=$((passed + 1)); }
fail() {
    failed=$((failed + 1))
    printf 'FAIL %s: %s\n' "$(basename "$0")" "$1"
    shift
    for more; do printf '%s\n' "$more" | head -n 20 | sed 's/^/     /'; done
}
run() {
    (eval "$1") >"$T/.out" 2>"$T/.err" </dev/null
    got=$?
}
exits() {
    run "$3"
    if [ "$got" = "$1" ]; then pass; else fail "$2" "exit $got, expected $1: $3" "$(cat "$T/.err")"; fi
}
ok() { exits 0 "$@"; }
is() {
    run "$3"
    if [ "$got" = 0 ] && [ "$(cat "$T/.out")" = "$1" ]; then pass; else
        fail "$2" "exit $got: $3" "expected: $1" "printed:  $(cat "$T/.out")" "$(cat "$T/.err")"
    fi
}
prints() {
    run "$3"
    if grep -Eq -- "$1" "$T/.out"; then pass; else fail "$2" "no line of stdout matches $1: $3" "$(cat "$T/.out")" "$(cat "$T/.err")"; fi
}
says() {
    run "$3"
    if grep -Eq -- "$1" "$T/.err"; then pass; else fail "$2" "no line of stderr matches $1: $3" "$(cat "$T/.err")"; fi
}
same() { if cmp -s "$1" "$2"; then pass; else fail "$3" "$(cmp "$1" "$2" 2>&1)"; fi; }
skip() {
    skipped=$((skipped + 1))
    printf 'skip %s: %s (%s)\n' "$(basename "$0")" "$1" "$2"
}
# The last line of every script.
end() {
    ended=1
    printf '%s: %d passed, %d failed, %d skipped\n' "$(basename "$0")" $passed $failed $skipped
    [ $failed = 0 ]
}
