# Damaged streams, each given to every program that reads one: status 3, one message from
# that program, no output file (an old one stays as it was), and no whole stream for the next.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"
streams || { fail "making the streams"; end; exit 1; }

# damage NAME [--file] INTACT COMMAND: counts as many tests as there are damages.
damage() {
    what=$1
    shift
    python3 "$SRC/tests/cli/damage.py" "$@" >found 2>&1
    counts=$(tail -n 1 found | grep -E '^[0-9]+ [0-9]+$') || { fail "$what: damaging its input" "$(cat found)"; return; }
    sed '$d' found >wrong
    passed=$((passed + ${counts% *}))
    while IFS= read -r line; do fail "$what: $line"; done <wrong
}
for tool in $READERS; do
    command=$(command_of "$tool" new)
    ok "$tool takes the stream as it is" "$command <$(input_of "$tool"); rm -f new"
    # shellcheck disable=SC2086 # a command and its arguments
    damage "$tool" "$(input_of "$tool")" $command
    has_output "$tool" || continue
    echo old >kept
    exits 3 "$tool: bad input, an old output" "head -c 3000 $(input_of "$tool") | $(command_of "$tool" kept)"
    is old "$tool: the old output is intact" "cat kept"
done

# Models, and one of another version.
damage "embed's model" --file tiny.model ssl-embed -q -m damaged <images.ssl
damage "train's --init" --file tiny.model ssl-train -q --encoder convnet --width 4 --batch 8 --init damaged -o new <examples.ssl
exits 3 "a checkpoint" "head -c 9000 examples.ssl | ssl-train -q --encoder convnet --width 4 --batch 4 --checkpoint whole.ckpt --checkpoint-every 1 -o new"
damage "train's --resume" --file whole.ckpt ssl-train -q --encoder convnet --width 4 --batch 4 --checkpoint damaged --resume -o new <examples.ssl
exits 1 "a model that is missing" "ssl-embed -q -m absent.model <images.ssl"
said 1 "^ssl-embed: cannot open 'absent.model': No such file" "a model that is missing"

# What is left of a damaged stream stops the next program too, which was told why.
head -c 5000 images.ssl >cut.ssl
for tool in load augment pretext embed; do
    exits 3 "$tool, a truncated input, and the next" "$(command_of $tool) <cut.ssl | ssl-show --check -q"
    said 1 "^ssl-$tool: .*truncated" "$tool, a truncated input, and the next: one message"
done

# So does a wrong command line: the next program has nothing to add.
for wrong in "ssl-load --no-such" "ssl-load images.ssl --limit x" "ssl-augment --no-such <images.ssl" "ssl-augment blurr <images.ssl" \
    "ssl-pretext <images.ssl" "ssl-pretext rotate labels <images.ssl" "ssl-pretext --no-such rotate <images.ssl" \
    "ssl-embed --no-such <images.ssl" "ssl-embed <images.ssl"; do
    exits 3 "$wrong, and the next" "$wrong | ssl-show --check -q"
    [ "$(grep -c '^ssl-' "$T/.err")" = 1 ] && pass || fail "$wrong, and the next: one message" "$(cat "$T/.err")"
done

# A kind that a program does not take: both kinds are named.
for pair in augment:examples augment:embeddings augment:model pretext:examples pretext:model train:images train:embeddings \
    embed:examples embed:embeddings embed:model probe:images probe:examples probe:model; do
    tool=${pair%:*} kind=${pair#*:}
    case $kind in model) file=tiny.model ;; *) file=$kind.ssl ;; esac
    exits 3 "$tool is given $kind" "$(command_of "$tool" new) <$file"
    said 1 "^ssl-$tool: .*$kind.*expected" "$tool is given $kind"
    [ ! -e new ] && pass || fail "$tool is given $kind: an output file was left"
done
for file in images.ssl examples.ssl embeddings.ssl /dev/null; do
    exits 3 "embed with $file as its model" "ssl-embed -q -m $file <images.ssl"
done
end
