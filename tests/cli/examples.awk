# The commands of a manual page or of a Markdown file, one block of shell a line:
#     LINE<TAB>runnable|parses<TAB>commands, with newlines as \001
# A command begins with "$ ", its continuation lines with "> ". A block is runnable when
# the line before it says so: `.\" runnable` or `<!-- runnable -->`.
function flush_block() {
    if (text != "") printf "%d\t%s\t%s\n", first, (runs ? "runnable" : "parses"), text
    text = ""
    runs = 0
}
/^\.\\" runnable$/ || /^<!-- runnable -->$/ { runs = 1; next }
/^\.Bd / || /^```/ && !inside { inside = 1; first = FNR; next }
/^\.Ed/ || /^```/ { inside = 0; flush_block(); next }
inside && /^[$>] / {
    line = substr($0, 3)
    if (FILENAME ~ /\.[1-8]$/) {
        gsub(/\\-/, "-", line)
        gsub(/\\&/, "", line)
        gsub(/\\\(aq/, "'", line)
        gsub(/\\e/, "\\", line)
    }
    text = text (text == "" ? "" : "\001") line
}
