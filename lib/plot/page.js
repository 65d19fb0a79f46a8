'use strict';
// A map of embeddings. Everything is in this file: `about` is its JSON, the rest base64 of little-endian numbers.
(() => {
const $ = id => document.getElementById(id);
const about = JSON.parse($('about-data').textContent);
const bytes = id => {
  const e = $(id);
  return e ? Uint8Array.from(atob(e.textContent), c => c.charCodeAt(0)) : null;
};
const n = about.keys.length, k = about.neighbours;
const xy = new Float32Array(bytes('xy').buffer);            // 0..1, y upwards; points in the order of a Z curve
const near = k ? new Uint32Array(bytes('near-data').buffer) : null, likeness = k ? bytes('likeness') : null;
const sizes = bytes('sizes');                               // width and height of each thumbnail
const groupings = about.groups.map(g => ({...g, of: new Int16Array(bytes('group-' + g.by).buffer)}));
const SIX = ['#5790fc', '#f89c20', '#e42536', '#964a8b', '#9c9ca1', '#7a21dd'];
const TEN = ['#3f90da', '#ffa90e', '#bd1f01', '#94a4a2', '#832db6', '#a96b59', '#e76300', '#b9ac70', '#717581', '#92dadd'];

let grouping = null, colours = [], shown = [], seen = new Uint8Array(n), hits = null, chosen = -1, hovered = -1;
const points = $('points'), marks = $('marks'), box = $('map');
const ctx = points.getContext('2d', {alpha: false}), over = marks.getContext('2d');
let W = 0, H = 0, ratio = 1, image = null, pixels = null;
const view = {scale: 1, x: 0, y: 0};                        // screen = (x * scale + view.x, (1 - y) * scale + view.y), CSS pixels
const toX = i => xy[2 * i] * view.scale + view.x, toY = i => (1 - xy[2 * i + 1]) * view.scale + view.y;
const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const rgb = hex => [1, 3, 5].map(i => parseInt(hex.slice(i, i + 2), 16));

// ---- Thumbnails: sheets of `per` x `per`, unpacked when they are looked at -------------------

const sheets = new Map(), MOST_SHEETS = 24;
function sheet(i, then) {
  const number = Math.floor(i / (about.per * about.per));
  let s = sheets.get(number);
  if (s) {
    sheets.delete(number);                                  // the latest last
  } else {
    s = new Image();
    s.src = 'data:image/' + about.format + ';base64,' + $('sheet-' + number).textContent;
    if (sheets.size >= MOST_SHEETS) sheets.delete(sheets.keys().next().value);
  }
  sheets.set(number, s);
  if (s.complete && s.naturalWidth) return s;
  if (then) s.decode().then(then, () => {});
  return null;
}
// Point i's image into the square (x, y, side); false where it is yet to come, and then() follows.
function thumbnail(c, i, x, y, side, then) {
  const s = sheet(i, then);
  if (!s) return false;
  const cell = i % (about.per * about.per), w = sizes[2 * i], h = sizes[2 * i + 1], f = side / Math.max(w, h);
  c.imageSmoothingEnabled = f < 1;
  c.drawImage(s, cell % about.per * about.side, Math.floor(cell / about.per) * about.side, w, h,
    x + (side - w * f) / 2, y + (side - h * f) / 2, w * f, h * f);
  return true;
}
function put(canvas, i) {
  const c = canvas.getContext('2d');
  c.clearRect(0, 0, canvas.width, canvas.height);
  thumbnail(c, i, 0, 0, canvas.width, () => thumbnail(c, i, 0, 0, canvas.width));
}

// ---- Who is near the pointer: a grid over the map -------------------------------------------

const CELLS = Math.max(8, Math.min(512, Math.ceil(Math.sqrt(n / 2))));
const cellStart = new Uint32Array(CELLS * CELLS + 1), inCell = new Uint32Array(n);
const cellOf = i => Math.min(CELLS - 1, Math.floor(xy[2 * i + 1] * CELLS)) * CELLS + Math.min(CELLS - 1, Math.floor(xy[2 * i] * CELLS));
for (let i = 0; i < n; i++) cellStart[cellOf(i) + 1]++;
for (let c = 0; c < CELLS * CELLS; c++) cellStart[c + 1] += cellStart[c];
{
  const at = cellStart.slice();
  for (let i = 0; i < n; i++) inCell[at[cellOf(i)]++] = i;
}
function eachWithin(x0, y0, x1, y1, f) {                    // in CSS pixels
  const clamp = v => Math.max(0, Math.min(CELLS - 1, Math.floor(v * CELLS)));
  const a0 = clamp((x0 - view.x) / view.scale), a1 = clamp((x1 - view.x) / view.scale);
  const b0 = clamp(1 - (y1 - view.y) / view.scale), b1 = clamp(1 - (y0 - view.y) / view.scale);
  for (let b = b0; b <= b1; b++)
    for (let c = cellStart[b * CELLS + a0]; c < cellStart[b * CELLS + a1 + 1]; c++) f(inCell[c]);
}
function nearest(px, py) {
  let best = -1, least = Math.max(9, radius() + 4) ** 2;
  if (thumbs.size) least = (thumbSide / 2 + 2) ** 2;
  eachWithin(px - 24, py - 24, px + 24, py + 24, i => {
    const d = (toX(i) - px) ** 2 + (toY(i) - py) ** 2;
    if (seen[i] && d < least) { least = d; best = i; }
  });
  return best;
}

// ---- Drawing ---------------------------------------------------------------------------------

// Points are stamped into the pixels by hand: sixty thousand take a few milliseconds, with or without a graphics card.
const whole = () => Math.max(40, Math.min(W, H) - 48);
const radius = () => Math.max(1.1, Math.min(9, 0.34 * whole() / Math.sqrt(n) * Math.sqrt(view.scale / whole())));
let thumbs = new Set(), thumbSide = 34, order = new Uint32Array(n);
for (let i = 0, step = Math.max(1, Math.floor(n * 0.618) | 1); i < n; i++) order[i] = i;
for (let i = n - 1, s = 1; i > 0; i--) {                    // a fixed shuffle, so that no group lies over another
  s = (Math.imul(s, 1664525) + 1013904223) >>> 0;
  const j = s % (i + 1), t = order[i];
  order[i] = order[j];
  order[j] = t;
}
function stamp(r) {
  const list = [], R = Math.ceil(r + 1);
  for (let dy = -R; dy <= R; dy++)
    for (let dx = -R; dx <= R; dx++) {
      const a = Math.round(256 * Math.max(0, Math.min(1, r + 0.5 - Math.hypot(dx, dy))));
      if (a) list.push(dx, dy, a);
    }
  return list;
}
function drawAll(list, r, colour) {
  const w = points.width, h = points.height, mask = stamp(r), m = mask.length, s = view.scale * ratio, ox = view.x * ratio, oy = view.y * ratio + s;
  const R = Math.ceil(r + 1);
  for (let q = 0; q < list.length; q++) {
    const i = list[q], X = Math.round(xy[2 * i] * s + ox), Y = Math.round(oy - xy[2 * i + 1] * s);
    if (X < R || Y < R || X >= w - R || Y >= h - R) continue;
    const c = colour(i), cr = c & 255, cg = c >> 8 & 255, cb = c >> 16 & 255;
    for (let t = 0; t < m; t += 3) {
      const at = (Y + mask[t + 1]) * w + X + mask[t], a = mask[t + 2];
      if (a === 256) { pixels[at] = c | 0xff000000; continue; }
      const p = pixels[at], b = 256 - a;
      pixels[at] = 0xff000000 | ((p >> 16 & 255) * b + cb * a >> 8) << 16 | ((p >> 8 & 255) * b + cg * a >> 8) << 8 | ((p & 255) * b + cr * a >> 8);
    }
  }
}
const packed = hex => { const [r, g, b] = rgb(hex); return r | g << 8 | b << 16; };
let bright = new Uint32Array(0), faint = new Uint32Array(0), pending = false;
function sort() {                                           // into those that are seen and those that are filtered out
  const a = [], b = [];
  for (let q = 0; q < n; q++) {
    const i = order[q], g = grouping ? grouping.of[i] : -1;
    seen[i] = (g < 0 ? shown[shown.length - 1] : shown[g]) && (!hits || hits.has(i)) ? 1 : 0;
    (seen[i] ? a : b).push(i);
  }
  bright = Uint32Array.from(a);
  faint = Uint32Array.from(b);
}
function paint() {
  pending = false;
  const paper = packed(css('--paper')), pale = packed(css('--pale')), none = packed('#aab2bb'), of = grouping && grouping.of;
  const shades = colours.map(packed);
  pixels.fill(paper | 0xff000000);
  findThumbs();
  drawAll(faint, Math.max(0.8, radius() * 0.6) * ratio, () => pale);
  drawAll(thumbs.size ? bright.filter(i => !thumbs.has(i)) : bright, radius() * ratio * (hits ? 1.3 : 1), i => of && of[i] >= 0 ? shades[of[i]] : none);
  ctx.putImageData(image, 0, 0);
  drawThumbs();
  drawNames();
  mark();
}
function draw() {
  if (!pending) { pending = true; requestAnimationFrame(paint); }
}
// Close enough that images have room, points become images.
function findThumbs() {
  thumbs = new Set();
  if (!sizes || view.scale < 2 * whole()) return;
  const inside = [];
  eachWithin(0, 0, W, H, i => { if (seen[i] && toX(i) > 0 && toX(i) < W && toY(i) > 0 && toY(i) < H) inside.push(i); });
  if (inside.length * 900 > 6 * W * H) return;
  thumbSide = Math.round(Math.max(30, Math.min(84, 0.4 * Math.sqrt(W * H / Math.max(1, inside.length)))));
  const side = thumbSide + 3, taken = new Set();
  for (const i of inside) {
    const a = Math.floor(toX(i) / side), b = Math.floor(toY(i) / side);
    if (!taken.has(b * 4096 + a)) { taken.add(b * 4096 + a); thumbs.add(i); }
  }
}
function drawThumbs() {
  const side = thumbSide;
  ctx.save();
  ctx.scale(ratio, ratio);
  for (const i of thumbs) {
    const x = toX(i) - side / 2, y = toY(i) - side / 2;
    thumbnail(ctx, i, x, y, side, draw);
    ctx.lineWidth = 2;
    ctx.strokeStyle = grouping && grouping.of[i] >= 0 ? colours[grouping.of[i]] : '#aab2bb';
    ctx.strokeRect(x, y, side, side);
  }
  ctx.restore();
}
function text(c, s, x, y) {
  c.lineWidth = 4;
  c.lineJoin = 'round';
  c.strokeStyle = css('--paper');
  c.strokeText(s, x, y);
  c.fillStyle = css('--ink');
  c.fillText(s, x, y);
}
function drawNames() {
  if (!grouping || grouping.names.length > 40) return;
  ctx.save();
  ctx.scale(ratio, ratio);
  ctx.font = '600 13px system-ui, "Helvetica Neue", Arial, "DejaVu Sans", sans-serif';
  ctx.textAlign = 'center';
  ctx.textBaseline = 'middle';
  grouping.names.forEach((name, g) => {
    const c = grouping.centre[g];
    if (shown[g] && c) text(ctx, name, c[0] * view.scale + view.x, (1 - c[1]) * view.scale + view.y);
  });
  ctx.restore();
}
function ring(i, r, width, colour, dash) {
  over.beginPath();
  over.setLineDash(dash || []);
  over.arc(toX(i), toY(i), r, 0, 2 * Math.PI);
  over.lineWidth = width + 2.5;
  over.strokeStyle = css('--paper');
  over.stroke();
  over.lineWidth = width;
  over.strokeStyle = colour;
  over.stroke();
  over.setLineDash([]);
}
function mark() {
  const ink = css('--ink'), r = thumbs.size ? thumbSide * 0.75 : radius() + 3;
  over.setTransform(ratio, 0, 0, ratio, 0, 0);
  over.clearRect(0, 0, W, H);
  if (chosen >= 0) {
    over.lineWidth = 1.2;
    over.strokeStyle = ink;
    over.globalAlpha = 0.55;
    for (let j = 0; j < k; j++) {
      const o = near[chosen * k + j];
      over.beginPath();
      over.moveTo(toX(chosen), toY(chosen));
      over.lineTo(toX(o), toY(o));
      over.stroke();
    }
    over.globalAlpha = 1;
    for (let j = 0; j < k; j++) {
      const o = near[chosen * k + j];
      ring(o, r, 1.6, ink, grouping && grouping.of[o] !== grouping.of[chosen] ? [3, 2] : null);
    }
    ring(chosen, r + 3, 3, ink);
  }
  if (hovered >= 0 && hovered !== chosen) ring(hovered, r, 2, css('--accent'));
}

// ---- The view --------------------------------------------------------------------------------

function reset() {
  view.scale = whole();
  view.x = (W - view.scale) / 2;
  view.y = (H - view.scale) / 2;
  draw();
}
function resize() {
  const first = !W, before = whole(), cx = (W / 2 - view.x) / view.scale, cy = (H / 2 - view.y) / view.scale;
  W = box.clientWidth;
  H = box.clientHeight;
  ratio = Math.min(window.devicePixelRatio || 1, 2);
  for (const c of [points, marks]) { c.width = Math.max(1, Math.round(W * ratio)); c.height = Math.max(1, Math.round(H * ratio)); }
  image = ctx.createImageData(points.width, points.height);
  pixels = new Uint32Array(image.data.buffer);
  if (first) { reset(); return; }
  view.scale *= whole() / before;
  view.x = W / 2 - cx * view.scale;
  view.y = H / 2 - cy * view.scale;
  draw();
}
function zoom(factor, px = W / 2, py = H / 2) {
  const to = Math.max(whole() * 0.6, Math.min(whole() * 400, view.scale * factor)), f = to / view.scale;
  view.x = px - (px - view.x) * f;
  view.y = py - (py - view.y) * f;
  view.scale = to;
  hover(-1);
  draw();
}
function pan(dx, dy) {
  view.x += dx;
  view.y += dy;
  draw();
}
function reveal(i) {
  const x = toX(i), y = toY(i);
  if (x < 40 || y < 40 || x > W - 40 || y > H - 40) pan(W / 2 - x, H / 2 - y);
}

// ---- Words -----------------------------------------------------------------------------------

const element = (tag, s, name) => { const e = document.createElement(tag); if (s !== undefined) e.textContent = s; if (name) e.className = name; return e; };
function groupName(by, i) {
  const g = groupings.find(x => x.by === by);
  return g && g.of[i] >= 0 ? g.names[g.of[i]] : '';
}
const label = i => grouping && grouping.of[i] >= 0 ? grouping.names[grouping.of[i]] : '';
function picture(i, side) {
  const c = element('canvas');
  c.width = c.height = side;
  put(c, i);
  return c;
}
function hover(i, px, py) {
  const tip = $('tip');
  if (i !== hovered) {
    hovered = i;
    box.classList.toggle('over', i >= 0);
    tip.hidden = i < 0;
    if (i >= 0) {
      tip.textContent = '';
      if (sizes) tip.append(picture(i, 128));
      const words = element('div');
      words.append(element('b', groupName('class', i) || label(i)), element('span', about.keys[i]));
      tip.append(words);
    }
    mark();
  }
  if (i >= 0) {
    const w = tip.offsetWidth, h = tip.offsetHeight;
    tip.style.transform = `translate(${Math.round(px + 18 + w > W ? px - 18 - w : px + 18)}px, ${Math.round(Math.max(4, Math.min(H - h - 4, py - h / 2)))}px)`;
  }
}
function choose(i) {
  chosen = i;
  $('chosen').hidden = i < 0;
  if (i >= 0) {
    $('large').hidden = !sizes;
    if (sizes) { $('large').width = $('large').height = 192; put($('large'), i); }
    const facts = $('facts');
    facts.textContent = '';
    for (const [what, value] of [['key', about.keys[i]], ...groupings.map(g => [g.by, groupName(g.by, i)])])
      if (value) facts.append(element('dt', what), element('dd', value));
    const list = $('near');
    list.textContent = '';
    list.className = sizes ? '' : 'text';
    $('near-title').hidden = !k;
    for (let j = 0; j < k; j++) {
      const o = near[i * k + j], item = element('li'), b = element('button');
      b.title = about.keys[o];
      if (grouping && grouping.of[o] !== grouping.of[i]) b.className = 'other';
      if (sizes) b.append(picture(o, 96));
      b.append(element('b', label(o) || about.keys[o]), element('i', ((likeness[i * k + j] - 100) / 100).toFixed(2)));
      b.onclick = () => { choose(o); reveal(o); };
      item.append(b);
      list.append(item);
    }
  }
  mark();
}
function search(s) {
  const wanted = s.trim().toLowerCase(), list = $('results');
  hits = null;
  list.textContent = '';
  if (wanted) {
    hits = new Set();
    for (let i = 0; i < n; i++) if (about.keys[i].toLowerCase().includes(wanted)) hits.add(i);
    let some = 0;
    for (const i of hits) {
      if (some++ === 50) break;
      const item = element('li'), b = element('button');
      b.append(element('span', about.keys[i]));
      b.onclick = () => { choose(i); reveal(i); };
      item.append(b);
      list.append(item);
    }
    $('hits').textContent = hits.size === 0 ? 'No key holds this' : `${hits.size.toLocaleString('en')} of ${n.toLocaleString('en')} keys`;
  }
  $('hits').hidden = !wanted;
  list.hidden = !wanted || !hits.size;
  sort();
  draw();
}

// ---- Groups ----------------------------------------------------------------------------------

// Where a group is densest, for its name.
function centres(g) {
  const G = 28;
  g.centre = g.names.map((_, c) => {
    const count = new Float64Array((G + 2) * (G + 2));
    const at = i => (1 + Math.min(G - 1, Math.floor(xy[2 * i + 1] * G))) * (G + 2) + 1 + Math.min(G - 1, Math.floor(xy[2 * i] * G));
    const members = [];
    for (let i = 0; i < n; i++) if (g.of[i] === c) { members.push(i); count[at(i)]++; }
    if (!members.length) return null;
    const round = [-G - 3, -G - 2, -G - 1, -1, 0, 1, G + 1, G + 2, G + 3];
    let best = -1, cell = 0;
    for (const i of members) {
      const a = at(i), sum = round.reduce((t, d) => t + count[a + d], 4 * count[a]);
      if (sum > best) { best = sum; cell = a; }
    }
    let x = 0, y = 0, m = 0;
    for (const i of members) if (round.includes(at(i) - cell)) { x += xy[2 * i]; y += xy[2 * i + 1]; m++; }
    return [x / m, y / m];
  });
}
function legend() {
  const list = $('legend');
  list.textContent = '';
  if (!grouping) return;
  const rows = grouping.names.map((name, g) => [name, g, grouping.count[g], colours[g]]);
  const rest = n - grouping.count.reduce((a, b) => a + b, 0);
  if (rest) rows.push(['(none)', shown.length - 1, rest, '#aab2bb']);
  for (const [name, g, count, colour] of rows) {
    const item = element('li'), b = element('button'), swatch = element('span'), only = element('span', 'only', 'only');
    swatch.innerHTML = `<svg viewBox="0 0 14 14"><circle cx="7" cy="7" r="5.5" fill="${colour}"/></svg>`;
    b.setAttribute('aria-pressed', shown[g]);
    b.className = shown[g] ? '' : 'off';
    b.dataset.group = name;
    b.append(swatch.firstChild, element('b', name), only, element('i', count.toLocaleString('en')));
    b.onclick = e => { if (e.target === only) shown.fill(false); shown[g] = e.target === only || !shown[g]; filter(); };
    item.append(b);
    list.append(item);
  }
}
function filter() {
  legend();
  sort();
  hover(-1);
  draw();
}
function colourBy(by) {
  grouping = groupings.find(g => g.by === by) || null;
  const m = grouping ? grouping.names.length : 0, palette = m <= 6 ? SIX : TEN;
  colours = Array.from({length: m}, (_, g) => palette[g % palette.length]);
  shown = Array(m + 1).fill(true);
  if (grouping && !grouping.centre) centres(grouping);
  filter();
  if (chosen >= 0) choose(chosen);
}

// ---- Hands -----------------------------------------------------------------------------------

const down = new Map();
let moved = 0;
const where = e => { const r = box.getBoundingClientRect(); return [e.clientX - r.left, e.clientY - r.top]; };
box.addEventListener('pointerdown', e => {
  if (e.target.closest('#zoom') || e.button > 0) return;
  box.setPointerCapture(e.pointerId);
  down.set(e.pointerId, where(e));
  moved = down.size > 1 ? 99 : 0;
});
box.addEventListener('pointermove', e => {
  const [x, y] = where(e), from = down.get(e.pointerId);
  if (!from) { if (!e.target.closest('#zoom')) hover(nearest(x, y), x, y); return; }
  if (down.size === 2) {
    const other = [...down.entries()].find(([id]) => id !== e.pointerId)[1];
    zoom(Math.hypot(x - other[0], y - other[1]) / Math.max(1, Math.hypot(from[0] - other[0], from[1] - other[1])), (x + other[0]) / 2, (y + other[1]) / 2);
  } else {
    moved += Math.abs(x - from[0]) + Math.abs(y - from[1]);
    if (moved > 4) { box.classList.add('moving'); hover(-1); pan(x - from[0], y - from[1]); }
  }
  if (moved > 4 || down.size === 2) down.set(e.pointerId, [x, y]);
});
const up = e => {
  const [x, y] = where(e);
  if (down.delete(e.pointerId) && e.type === 'pointerup' && moved <= 4) choose(nearest(x, y));
  if (!down.size) box.classList.remove('moving');
};
box.addEventListener('pointerup', up);
box.addEventListener('pointercancel', up);
box.addEventListener('pointerleave', () => { if (!down.size) hover(-1); });
box.addEventListener('wheel', e => {
  e.preventDefault();
  zoom(Math.exp(-e.deltaY * (e.deltaMode ? 0.05 : 0.0018)), ...where(e));
}, {passive: false});
box.addEventListener('dblclick', e => { if (!e.target.closest('#zoom')) zoom(2, ...where(e)); });
addEventListener('keydown', e => {
  if (e.key === 'Escape') {
    if (document.activeElement === $('query')) { $('query').value = ''; search(''); $('query').blur(); } else choose(-1);
    return;
  }
  if (/INPUT|SELECT/.test(e.target.tagName) || e.ctrlKey || e.metaKey || e.altKey) return;
  const act = {'+': () => zoom(1.5), '=': () => zoom(1.5), '-': () => zoom(1 / 1.5), '0': reset, ArrowLeft: () => pan(60, 0), ArrowRight: () => pan(-60, 0),
    ArrowUp: () => pan(0, 60), ArrowDown: () => pan(0, -60), '/': () => $('query').focus()}[e.key];
  if (act && (e.key === '/' || !/^Arrow/.test(e.key) || document.activeElement === box || document.activeElement === document.body)) { e.preventDefault(); act(); }
});
$('in').onclick = () => zoom(1.6);
$('out').onclick = () => zoom(1 / 1.6);
$('whole').onclick = reset;
$('close').onclick = () => choose(-1);
$('all').onclick = () => { shown.fill(true); filter(); };
$('none').onclick = () => { shown.fill(false); filter(); };
$('by').onchange = e => colourBy(e.target.value);
let typing = 0;
$('query').oninput = e => { clearTimeout(typing); typing = setTimeout(search, 120, e.target.value); };
$('query').onkeydown = e => {
  if (e.key !== 'Enter') return;
  clearTimeout(typing);
  search(e.target.value);
  if (hits && hits.size) { const i = hits.values().next().value; choose(i); reveal(i); }
};

// ---- Start -----------------------------------------------------------------------------------

$('title').textContent = about.title;
$('about').textContent = about.text;
for (const g of groupings) { const o = element('option', g.by); o.value = g.by; $('by').append(o); }
document.querySelector('.groups').hidden = !groupings.length;
new ResizeObserver(resize).observe(box);
matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => draw());
W = 0;
colours = [];
shown = [true];
resize();
colourBy(groupings.length ? groupings[0].by : '');
// For whoever looks at the page from a script.
window.map = {
  locate: key => { const i = about.keys.indexOf(key); return i < 0 ? null : {x: toX(i), y: toY(i), seen: !!seen[i]}; },
  frame: () => { const t = performance.now(); pixels.fill(0); paint(); return performance.now() - t; },
  state: () => ({chosen: about.keys[chosen] || null, hovered: about.keys[hovered] || null, seen: bright.length, images: thumbs.size, scale: view.scale / whole()}),
};
document.body.dataset.ready = 'yes';
})();
