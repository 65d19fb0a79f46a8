# Processes that die, signals, readers that leave, and disks that are full.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"
streams || { fail "making the streams"; end; exit 1; }
export T

# A source that sends the first $2 bytes of the file $1, then hangs until it is killed.
cat >source <<'END'
#!/bin/sh
head -c "$2" "$1"
echo $$ >"$T/source.pid"
exec sleep 60
END
chmod +x source
half() { echo $(($(wc -c <"$(input_of "$1")") / 2)); }
# nothing_new TOOL WHAT: no output file where there was none, the old one where there was.
nothing_new() {
    if [ -e new ]; then fail "$1: $2: an output file was left"; rm -f new; else pass; fi
    is old "$1: $2: the old output is intact" "cat kept"
    if ls -A | grep -Eq '^\.?(new|kept).+'; then fail "$1: $2: a temporary file was left" "$(ls -A)"; fi
}
echo old >kept

# Upstream is killed in mid-stream, under dash, which knows no pipefail.
for tool in $READERS; do
    for out in new kept; do
        cat >pipeline <<END
./source $(input_of "$tool") $(half "$tool") | $(command_of "$tool" $out) >piped &
while [ ! -s source.pid ]; do sleep 0.02; done
sleep 0.2
kill -9 \$(cat source.pid)
rm source.pid
wait \$!
END
        exits 3 "$tool: upstream is killed" "timeout 30 dash pipeline"
        said 1 "^ssl-[a-z]*: .*truncated" "$tool: upstream is killed"
        has_output "$tool" || break
    done
    nothing_new "$tool" "upstream is killed"
done

# SIGINT and SIGTERM while an output file is being written; the status is a signal's or not 0.
for tool in $READERS; do
    has_output "$tool" || continue
    for signal in INT TERM; do
        for out in new kept; do
            # Python starts it with SIGINT at its default: a shell's background jobs ignore it.
            run "./source $(input_of "$tool") $(half "$tool") | python3 -c '
import signal, subprocess, sys, time, os
signal.signal(signal.SIGINT, signal.default_int_handler)
p = subprocess.Popen(sys.argv[1].split(), stdout=subprocess.DEVNULL)
for i in range(500):
    if os.path.exists(\"source.pid\"): break
    time.sleep(0.02)
time.sleep(0.3)
p.send_signal(signal.SIG$signal)
rc = p.wait(20)
os.kill(int(open(\"source.pid\").read()), 9)
os.remove(\"source.pid\")
sys.exit(0 if rc != 0 else 1)' '$(command_of "$tool" $out)'"
            [ "$got" = 0 ] && pass || fail "$tool: SIG$signal" "$(cat .err)"
        done
        nothing_new "$tool" "SIG$signal"
    done
done

# A stage fails: its abort frame goes through three others, and there is one message, its own.
mkdir -p broken/train/cat
cp photos/train/cat/1.ppm broken/train/cat/1.ppm
head -c 100 photos/train/cat/2.ppm >broken/train/cat/2.ppm
for out in new kept; do
    exits 3 "an abort frame stops three stages" \
        "ssl-load broken --size 8 | ssl-augment flip | ssl-pretext rotate | ssl-train --encoder convnet --width 4 -o $out"
    said 1 "^ssl-load: .*2.ppm" "an abort frame"
done
nothing_new train "an abort frame"

# The reader leaves. A program that has more to write stops quietly with status 0, whatever
# its parent did with SIGPIPE.
if [ -d "$FASHION" ]; then
    ssl-load -q "$FASHION" --gray --limit 4000 >large.ssl
    ssl-embed -q -m pixels <large.ssl >large.emb
fi
for tool in load augment pretext embed; do
    [ -s large.ssl ] || { skip "$tool | head" "no $FASHION"; continue; }
    command=$(command_of $tool)
    [ $tool != embed ] || command="ssl-embed -q -m pixels"
    for ignore in "" "trap '' PIPE;"; do
        is "status 0" "$tool | head -c 1000 ${ignore:+(SIGPIPE ignored)}" \
            "$ignore { $command <large.ssl; echo status \$? >&3; } 3>status | head -c 1000 >/dev/null; cat status"
        said 0 . "$tool | head -c 1000"
    done
done

# A full disk.
for tool in load augment pretext embed probe show; do
    exits 1 "$tool >/dev/full" "$(command_of "$tool") <$(input_of "$tool") >/dev/full"
    said 1 "^ssl-[a-z]*: .*No space left on device" "$tool >/dev/full"
done
for tool in augment pretext train embed probe show load; do
    for option in --help --version --list; do
        [ $option != --list ] || ssl-$tool --list >/dev/null 2>&1 || continue
        exits 1 "ssl-$tool $option >/dev/full" "ssl-$tool $option >/dev/full"
    done
done
mkdir -p disk
if mount -t tmpfs -o size=16k none disk 2>/dev/null; then
    for tool in $READERS; do
        has_output "$tool" || continue
        rm -f disk/*
        echo old >disk/kept
        cat /dev/zero >disk/fill 2>/dev/null
        for out in disk/new disk/kept; do
            exits 1 "$tool: a full disk" "$(command_of "$tool" $out) <$(input_of "$tool")"
            said 1 "^ssl-[a-z]*: .*No space left on device" "$tool: a full disk"
        done
        is "fill kept" "$tool: a full disk: only the old output" "echo \$(ls -A disk)"
        is old "$tool: a full disk: the old output is intact" "cat disk/kept"
    done
    umount disk
else
    skip "an output on a full disk" "mounting a tmpfs takes root"
fi
end
