# Damaged streams, each given to every program that reads one: status 3, one message from
# that program, no output file (an old one stays as it was), and an abort frame for the next.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"
streams || { fail "making the streams"; end; exit 1; }

# refuses NAME TOOL INPUT [RE]: what is promised for bad input.
refuses() {
    command="$(command_of "$2" new) <$3 >piped"
    run "$command"
    if [ "$got" != 3 ]; then
        fail "$1" "exit $got, expected 3: $command" "$(cat .err)"
    elif [ "$(wc -l <.err)" != 1 ] || ! grep -Eq "^ssl-[a-z]*: ${4:-.}" .err; then
        fail "$1" "expected one message that matches '${4:-.}': $command" "$(cat .err)"
    elif [ -e new ]; then
        fail "$1" "an output file was left: $command"
        rm -f new
    elif is_filter "$2" && [ -s piped ] && ! refused_in_turn; then
        fail "$1" "what it wrote passes for a stream: $command"
    else
        pass
    fi
}
# The next program in the pipe stops too, and says nothing of its own if it was told why.
refused_in_turn() {
    ssl-show --check -q <piped >/dev/null 2>.next
    [ $? = 3 ]
}

for tool in $READERS; do
    mkdir -p "damaged/$tool"
    if ! python3 "$SRC/tests/cli/damage.py" "$(input_of "$tool")" "damaged/$tool" 2>.err; then
        fail "$tool: damaging its input" "$(cat .err)"
        continue
    fi
    for file in "damaged/$tool"/*.ssl; do
        what=$(basename "$file" .ssl)
        re=.
        case $what in
        cut-before-0 | cut-in*-0 | cut-last*-0) ;;
        cut-*) re='.*truncated' ;;
        newer-version) re='.*version' ;;
        tail-*) re='.*trailer' ;;
        esac
        refuses "$tool: $what" "$tool" "$file" "$re"
    done
    refuses "$tool: an empty input" "$tool" /dev/null '.*empty'
    # The old output survives.
    if has_output "$tool"; then
        echo old >kept
        exits 3 "$tool: bad input, an old output" "$(command_of "$tool" kept) <damaged/$tool/cut-inside-5.ssl"
        is old "$tool: the old output is intact" "cat kept"
    fi
done

# A kind that a program does not take: both kinds are named.
for pair in augment:examples augment:embeddings augment:model pretext:examples pretext:model train:images train:embeddings \
    embed:examples embed:embeddings embed:model probe:images probe:examples probe:model; do
    tool=${pair%:*} kind=${pair#*:}
    case $kind in model) file=tiny.model ;; *) file=$kind.ssl ;; esac
    refuses "$tool is given $kind" "$tool" "$file" ".*$kind.*expected"
done
for file in images.ssl examples.ssl embeddings.ssl /dev/null damaged/embed/tail-byte.ssl damaged/embed/text.ssl; do
    exits 3 "embed with $file as its model" "ssl-embed -q -m $file <images.ssl"
done

# A model: every damage to it, and one of another version.
mkdir -p damaged/model
ok "damaging a model" "python3 $SRC/tests/cli/damage.py tiny.model damaged/model"
for file in damaged/model/*.ssl; do
    exits 3 "embed, model: $(basename "$file" .ssl)" "ssl-embed -q -m $file <images.ssl"
done
says "version" "embed names the model's version" "ssl-embed -q -m damaged/model/newer-version.ssl <images.ssl"
exits 3 "train starts from a model of another version" \
    "ssl-train -q --encoder convnet --width 4 --init damaged/model/newer-version.ssl -o new <examples.ssl"
exits 1 "a model that is missing" "ssl-embed -q -m absent.model <images.ssl"
says "cannot open 'absent.model': No such file" "a model that is missing is named" "ssl-embed -q -m absent.model <images.ssl"
end
