# ssl-plot: each picture from real output, bad inputs, options of other pictures.
. "$(dirname "$0")/lib.sh"
. "$SRC/tests/cli/fixtures"

photographs photos
# well FILE: an SVG file that an XML parser takes.
well() {
    if [ -x /usr/bin/python3 ]; then
        ok "$1 is XML" "/usr/bin/python3 -c 'import sys, xml.dom.minidom; xml.dom.minidom.parse(sys.argv[1])' $1"
    else
        prints '^</svg>$' "$1 is whole" "tail -n 1 $1"
    fi
}

# ---- curves
ok 'a log' 'ssl-load photos --split train --size 16 --epochs 4 --shuffle | ssl-pretext rotate |
    ssl-train -q --encoder convnet --width 4 --batch 8 --log-every 1 --log rot.log -o rot.model'
ok 'curves' 'ssl-plot curves rot.log -o rot.svg'
well rot.svg
prints '>Loss<' 'a panel for the loss' 'cat rot.svg'
is '' 'none for what is not there' 'grep kNN rot.svg || true'
ok 'from standard input' 'ssl-plot curves <rot.log >stdin.svg'
same rot.svg stdin.svg 'one log needs no name'
ok 'as PNG' 'ssl-plot curves rot.log --width 300 --scale 1 -o rot.png'
is 'PNG' 'it is one' 'head -c 4 rot.png | tail -c 3'
ok 'two' 'ssl-plot curves rot.log rot.log --labels "one,<&two>" --title "5 > 4" --smooth 3 --log-scale --x images -o two.svg'
well two.svg
prints '#60;#?|&#60;&#38;two&#62;' 'names are escaped' 'cat two.svg'
ok 'a knn line' 'cp rot.log knn.log && echo "{\"step\": 3, \"monitor_knn\": 0.25}" >>knn.log && ssl-plot curves knn.log --panels knn,loss -o knn.svg'
prints '>kNN accuracy' 'has its panel' 'cat knn.svg'
ok 'a log that is being written' 'printf "{\"step\": 99, \"lo" | cat rot.log - >part.log && ssl-plot curves part.log >part.svg'
same rot.svg part.svg 'is drawn as far as it goes'
ok 'repeated steps' 'cat rot.log rot.log >twice.log && ssl-plot curves twice.log >twice.svg'
same rot.svg twice.svg 'count once'
exits 3 'no log' 'echo hello | ssl-plot curves'
says "'-', line 1" 'names the line' 'echo hello | ssl-plot curves'
exits 3 'another log' 'echo "{\"a\": 1}" | ssl-plot curves'
exits 3 'an empty one' 'ssl-plot curves /dev/null'
exits 3 'a panel that no log has' 'ssl-plot curves rot.log --panels colour'
exits 3 'a file that is not there' 'ssl-plot curves absent.log; test $? = 1 && exit 3'
# Numbers that leave a double no room for ticks: these were counted for ever.
loss() { printf '{"step": 1, "loss": %s}\n{"step": 2, "loss": %s}\n' "$1" "$2"; }
for range in '1.7e308 0' '-1.7e308 1.7e308' '1.7e308 1.7e308' '5e-324 0' '5e-324 5e-324'; do
    exits 3 "a loss of $range" "loss $range | timeout 20 ssl-plot curves >x.svg"
    says '^ssl-plot: loss: no axis can be drawn from [^ ]* to [^ ]*$' "names it" "loss $range | timeout 20 ssl-plot curves >x.svg"
done
exits 3 'steps too close' 'printf "{\"step\": 5e-324, \"loss\": 1}\n" | timeout 20 ssl-plot curves >x.svg'
ok 'far apart' 'loss 1e306 -1e306 | ssl-plot curves >far.svg'
ok 'far apart by powers of ten' 'loss 1e308 1e-308 | ssl-plot curves --log-scale >far.svg'
exits 3 'too far for that' 'loss 1.7e308 1.7e308 | ssl-plot curves --log-scale >x.svg'
exits 3 'no logarithm of 0' 'loss 0 0 | ssl-plot curves --log-scale >x.svg'
says 'needs positive values' 'says so' 'loss 0 -1 | ssl-plot curves --log-scale >x.svg'
says "positive values of 'loss'" 'of a panel too' 'loss 0 0 | ssl-plot curves --log-scale --panels loss >x.svg'
ok 'some are left out' 'loss 0 2 | ssl-plot curves --log-scale >x.svg'

# ---- bars
ok 'tables' 'ssl-load photos --size 16 >i.ssl && ssl-embed -q -m rot.model <i.ssl >e.ssl && ssl-embed -q -m pixels <i.ssl >p.ssl &&
    ssl-probe -q -k 3 e.ssl -o rot.tsv && ssl-probe -q -k 3 p.ssl -o pixels.tsv'
ok 'bars' 'ssl-plot bars rot.tsv pixels.tsv -o bars.svg'
well bars.svg
prints '>pixels<' 'by their files' 'cat bars.svg'
prints '>knn, k=3<' 'and methods' 'cat bars.svg'
printf 'data\tpretraining\tencoder\tseed\tmethod\taccuracy\tlow\thigh\n' >many.tsv
for seed in 1 2 3; do
    printf 'd\trotation\tr10\t%s\tlinear\t5%s.5\t50\t55\nd\trandom\tr10\t%s\tlinear\t3%s\t30\t35\n' $seed $seed $seed $seed >>many.tsv
done
ok 'over seeds' 'ssl-plot bars many.tsv -o many.svg'
prints '>52.5<' 'means' 'cat many.svg'
prints 'over the points; points: seeds' 'and what the lines are' 'cat many.svg'
is '1' 'only some rows' "ssl-plot bars many.tsv --where pretraining=random | grep -c '>3[0-9].[0-9]<'"
ok 'sorted' 'ssl-plot bars many.tsv --sort --where seed=1 --group pretraining >sorted.svg'
exits 3 'no such column' 'ssl-plot bars many.tsv --value size'
exits 3 'no such row' 'ssl-plot bars many.tsv --where seed=9'
exits 3 'no table' 'ssl-plot bars rot.log'
for range in '1.7e308 -1e308' '5e-324 5e-324'; do
    exits 3 "bars of $range" "printf 'method\taccuracy\na\t%s\nb\t%s\n' $range | timeout 20 ssl-plot bars >x.svg"
    says '^ssl-plot: accuracy: no axis can be drawn' "names them" "printf 'method\taccuracy\na\t%s\nb\t%s\n' $range | timeout 20 ssl-plot bars >x.svg"
done
exits 3 'a ragged line' "printf 'a\taccuracy\n1\n' | ssl-plot bars"
says 'line 2.*fewer cells' 'is named' "printf 'a\taccuracy\n1\n' | ssl-plot bars"
exits 3 'no number' "printf 'a\taccuracy\nx\ty\n' | ssl-plot bars"

# ---- confusion
ok 'matrices' 'ssl-probe -q -k 3 --confusion e.ssl -o c.tsv && ssl-probe -q -k 3 --confusion --json e.ssl -o c.json'
ok 'confusion' 'ssl-plot confusion c.tsv -o c.svg && ssl-plot confusion c.json -o cj.svg'
well c.svg
same c.svg cj.svg 'the same of a table and of JSON'
prints 'linear l2=auto: [0-9.]+ % right of' 'the first one' 'cat c.svg'
prints 'knn k=3: ' 'another' 'ssl-plot confusion c.tsv --where setting=k=3 --counts'
exits 3 'none such' 'ssl-plot confusion c.tsv --where method=svm'
exits 2 'no such column' 'ssl-plot confusion c.tsv --where colour=3'
exits 3 'a table without one' 'ssl-plot confusion rot.tsv'
says 'prints them with --confusion' 'is told how' 'ssl-plot confusion rot.tsv'
exits 3 'one cut short' 'head -n 5 c.tsv | ssl-plot confusion'
exits 3 'one that is no matrix' "sed 's/\([0-9]\)$/\1x/' c.tsv | ssl-plot confusion"
exits 2 'two inputs' 'ssl-plot confusion c.tsv c.tsv'

# ---- neighbours
ok 'images with embeddings' 'ssl-embed -q -m rot.model --keep <i.ssl >k.ssl'
prints 'image:[|]u1' 'are declared' 'ssl-show k.ssl'
ok 'and probed' 'ssl-probe -q -k 3 k.ssl | cut -f 1-10 >kept && ssl-probe -q -k 3 e.ssl | cut -f 1-10 >dropped'
same kept dropped 'the embeddings are the same'
ok 'neighbours' 'ssl-plot neighbours k.ssl -k 2 --queries 3 -o n.svg'
well n.svg
is '9' 'three images a row' "grep -c '<image' n.svg"
ok 'a named query' 'key=$(ssl-convert -t tsv e.ssl | sed -n "3s/	.*//p") && ssl-plot neighbours k.ssl --key "$key" -k 2 -j 1 -o n1.svg && ssl-plot neighbours k.ssl --key "$key" -k 2 -j 3 -o n3.svg'
same n1.svg n3.svg 'threads change nothing'
exits 3 'a key that is not there' 'ssl-plot neighbours k.ssl --key nowhere'
exits 3 'a split that is not there' 'ssl-plot neighbours k.ssl --of val'
exits 3 'no images' 'ssl-plot neighbours e.ssl'
says 'with --keep' 'is told how' 'ssl-plot neighbours e.ssl'
exits 3 'images alone' 'ssl-plot neighbours i.ssl'
exits 3 'a stream cut short' 'head -c 9000 k.ssl | ssl-plot neighbours'

# ---- maps
ok 'a map' 'ssl-plot map e.ssl -o map.svg'
well map.svg
prints 't-SNE of [0-9]+ embeddings' 'says what it is' 'cat map.svg'
ok 'again, with other threads' 'ssl-plot map e.ssl -j 1 -o map1.svg && ssl-plot map e.ssl -j 3 -o map3.svg'
same map1.svg map3.svg 'threads change nothing'
same map.svg map1.svg 'nor does another run'
ok 'components' 'ssl-plot map p.ssl -m pca -o pca.svg'
prints 'principal components: across [0-9.]+ %' 'and their shares' 'cat pca.svg'
ok 'images' 'ssl-plot map k.ssl --thumbnails --thumbnail-size 20 -o thumbs.svg'
well thumbs.svg
prints '<image' 'are there' 'cat thumbs.svg'
ok 'as PNG' 'ssl-plot map k.ssl --iterations 20 -o map.png'
ok 'a table' 'ssl-plot map e.ssl -o map.tsv'
is "$(ssl-convert -t tsv e.ssl | tail -n +2 | cut -f 1)" 'of the samples in order' 'tail -n +2 map.tsv | cut -f 1'
ok 'clusters' 'ssl-cluster -q -k 3 <e.ssl >e.cl && ssl-plot map e.ssl --clusters e.cl --colour cluster -o cl.svg && ssl-plot map e.ssl --colour split >split.svg'
is '4' 'a part' 'ssl-plot map e.ssl --limit 4 --to tsv | tail -n +2 | wc -l'
ok 'a page' 'ssl-plot map k.ssl --clusters e.cl --iterations 50 --title "<b>&" --html -o map.html && ssl-plot map k.ssl -j 1 --clusters e.cl --iterations 50 --title "<b>&" -o map2.html'
same map.html map2.html 'is the same each time'
prints '</html>' 'is whole' 'tail -n 1 map.html'
prints '<title>&#60;b>&#38;</title>' 'its title is escaped' 'cat map.html'
prints '"title": "\\u003cb>&"' 'in its data, too' 'grep about-data map.html'
is '0' 'it asks nothing of the network' "grep -cE '(src|href)=.?https?:|url\\(http|fetch\\(|XMLHttp' map.html || true"
ok 'a page without images' 'ssl-plot map e.ssl --html >none.html && ! grep -q sheet-0.: none.html'
exits 2 'clusters that are not there' 'ssl-plot map e.ssl --colour cluster'
exits 2 'no such colour' 'ssl-plot map e.ssl --colour size'
exits 2 'no such method' 'ssl-plot map e.ssl -m umap'
exits 3 'a perplexity for more samples' 'ssl-plot map e.ssl --perplexity 500'
exits 2 'no page of bars' 'ssl-plot bars rot.tsv -o x.html'
exits 3 'no thumbnails' 'ssl-plot map e.ssl --thumbnails'
exits 3 'a stream cut short' 'head -c 3000 e.ssl | ssl-plot map --html'
if [ -w /dev/full ]; then exits 1 'a full disk' 'ssl-plot map e.ssl --html >/dev/full'; fi

# ---- the command line
exits 2 'no picture' 'ssl-plot'
says "did you mean 'curves'" 'a near one' 'ssl-plot curve rot.log'
exits 2 'an option of another' 'ssl-plot bars many.tsv --smooth 3'
exits 2 'a format that is none' 'ssl-plot curves rot.log -o x.gif'
exits 2 'labels that do not match' 'ssl-plot curves rot.log --labels a,b'
ok 'the old file stays' 'echo old >old.svg && ! ssl-plot curves rot.log --panels colour -o old.svg && grep -q old old.svg'
ok 'a reader that has gone' 'ssl-plot curves rot.log | head -c 10 >head'
prints '^curves' '--list' 'ssl-plot --list'
end
