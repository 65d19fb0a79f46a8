# k-means against faiss (Debian: libfaiss-dev, and libopenblas0 for a fast BLAS), on the same rows and threads, in
# turns. faiss stops after its 20th assignment and update; ours also assigns to the last centroids.
set -u
rows=$(mktemp) out=$(mktemp -d)
trap 'rm -rf "$rows" "$out"' EXIT
cat >"$out/faiss.cpp" <<'END'
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <faiss/Clustering.h>
#include <faiss/IndexFlat.h>
#include <omp.h>
#include <vector>
int main(int, char **argv)
{
    const size_t n = 50000, d = 256, k = 1000;
    std::vector<float> x(n * d);
    FILE *f = fopen(argv[2], "r");
    if (!f || fread(x.data(), d * sizeof(float), n, f) != n)
        return 1;
    omp_set_num_threads(atoi(argv[1]));
    faiss::ClusteringParameters p;
    p.niter = 20;
    p.max_points_per_centroid = n;
    auto begin = std::chrono::steady_clock::now();
    faiss::Clustering c(d, k, p);
    faiss::IndexFlatL2 index(d);
    c.train(n, x.data(), index);
    std::chrono::duration<double> s = std::chrono::steady_clock::now() - begin;
    printf("%.3f %.4f\n", s.count(), c.iteration_stats.back().obj / n);
}
END
has_faiss=1
c++ -O2 -fopenmp -o "$out/faiss" "$out/faiss.cpp" -lfaiss -l:liblapack.so.3 -l:libblas.so.3 2>/dev/null ||
    { has_faiss=; echo "kmeans: no libfaiss-dev, nothing to compare with"; }
printf '%-8s %-10s %8s  %s\n' threads program seconds objective
for threads in 1 $(nproc); do
    for turn in 1 2 3; do
        "$BIN/tests/bench/kmeans" "$threads" "$rows" | awk -v t="$threads" '{ printf "%-8s %-10s %8s  %s\n", t, "ssl-tools", $1, $2 }'
        [ -z "$has_faiss" ] || OPENBLAS_NUM_THREADS=$threads "$out/faiss" "$threads" "$rows" |
            awk -v t="$threads" '{ printf "%-8s %-10s %8s  %s\n", t, "faiss", $1, $2 }'
    done
done
