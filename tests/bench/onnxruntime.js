// ONNX Runtime's side of tests/bench/engine.sh: inference of a model that engine.py exported.
//     node onnxruntime.js FOLDER MODEL NETWORK BATCH SIZE STEPS THREADS
// FOLDER has node_modules/onnxruntime-node.
'use strict';
const [folder, model, network, batch, size, steps, threads] = process.argv.slice(2);
const ort = require(`${require('path').resolve(folder)}/node_modules/onnxruntime-node`);

async function main() {
    const session = await ort.InferenceSession.create(model, {
        executionProviders: ['cpu'], intraOpNumThreads: Number(threads), interOpNumThreads: 1, graphOptimizationLevel: 'all',
    });
    const n = Number(batch), px = Number(size), times = [];
    const data = Float32Array.from({length: n * 3 * px * px}, (_, i) => ((i * 40503 >>> 3) % 65536) / 32768 - 1);
    const feeds = {[session.inputNames[0]]: new ort.Tensor('float32', data, [n, 3, px, px])};
    let cpu = 0;
    for (let s = -1; s < Number(steps); s++) {
        const begin = process.hrtime.bigint(), used = process.cpuUsage();
        await session.run(feeds);
        if (s < 0)
            continue;
        times.push(Number(process.hrtime.bigint() - begin) / 1e6);
        const now = process.cpuUsage(used);
        cpu += (now.user + now.system) / 1e3;
    }
    times.sort((a, b) => a - b);
    const median = times[times.length >> 1];
    console.log(`onnxruntime\t${network}\tinfer\t${median.toFixed(1)} ms\t${(cpu / times.length).toFixed(1)} ms CPU\t` +
        `${(1e3 * n / median).toFixed(1)} images/s\t${Math.round(process.resourceUsage().maxRSS / 1024)} MB`);
}

main().catch(e => { console.error(`onnxruntime: ${e.message}`); process.exit(1); });
