/**
 * The kernels in AssemblyScript: loops over packed memory, with 128-bit SIMD where it pays.
 *
 * Pointers and lengths come from `src/kernels/wasm.ts`, which answers for their bounds; what each function computes is
 * said in `src/kernels/kernels.ts`, and `src/kernels/plain.ts` is its twin. `npm run kernels` compiles this file.
 * @module
 */

function low(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
}

function high(a: v128, b: v128): v128 {
  return i8x16.shuffle(a, b, 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31);
}

/** Bit r of the 16 bytes becomes 16 bits of row r; rows are 16 bytes apart. */
function spread(bytes: v128, out: usize): void {
  let v = bytes;
  store<u16>(out, <u16>i8x16.bitmask(v), 112);
  v = i8x16.shl(v, 1);
  store<u16>(out, <u16>i8x16.bitmask(v), 96);
  v = i8x16.shl(v, 1);
  store<u16>(out, <u16>i8x16.bitmask(v), 80);
  v = i8x16.shl(v, 1);
  store<u16>(out, <u16>i8x16.bitmask(v), 64);
  v = i8x16.shl(v, 1);
  store<u16>(out, <u16>i8x16.bitmask(v), 48);
  v = i8x16.shl(v, 1);
  store<u16>(out, <u16>i8x16.bitmask(v), 32);
  v = i8x16.shl(v, 1);
  store<u16>(out, <u16>i8x16.bitmask(v), 16);
  v = i8x16.shl(v, 1);
  store<u16>(out, <u16>i8x16.bitmask(v), 0);
}

/** 16 columns by 128 rows at a time: four perfect shuffles transpose the bytes, then masks of top bits the bits. */
export function transpose(columns: usize, stride: usize, rows: usize): void {
  for (let at: usize = 0; at < stride; at += 16) {
    for (let group: usize = 0; group < 8; group++) {
      const column = columns + group * 16 * stride + at;
      const out = rows + at * 128 + group * 2;
      const a0 = v128.load(column + 0 * stride);
      const a1 = v128.load(column + 1 * stride);
      const a2 = v128.load(column + 2 * stride);
      const a3 = v128.load(column + 3 * stride);
      const a4 = v128.load(column + 4 * stride);
      const a5 = v128.load(column + 5 * stride);
      const a6 = v128.load(column + 6 * stride);
      const a7 = v128.load(column + 7 * stride);
      const a8 = v128.load(column + 8 * stride);
      const a9 = v128.load(column + 9 * stride);
      const a10 = v128.load(column + 10 * stride);
      const a11 = v128.load(column + 11 * stride);
      const a12 = v128.load(column + 12 * stride);
      const a13 = v128.load(column + 13 * stride);
      const a14 = v128.load(column + 14 * stride);
      const a15 = v128.load(column + 15 * stride);
      const b0 = low(a0, a8);
      const b1 = high(a0, a8);
      const b2 = low(a1, a9);
      const b3 = high(a1, a9);
      const b4 = low(a2, a10);
      const b5 = high(a2, a10);
      const b6 = low(a3, a11);
      const b7 = high(a3, a11);
      const b8 = low(a4, a12);
      const b9 = high(a4, a12);
      const b10 = low(a5, a13);
      const b11 = high(a5, a13);
      const b12 = low(a6, a14);
      const b13 = high(a6, a14);
      const b14 = low(a7, a15);
      const b15 = high(a7, a15);
      const c0 = low(b0, b8);
      const c1 = high(b0, b8);
      const c2 = low(b1, b9);
      const c3 = high(b1, b9);
      const c4 = low(b2, b10);
      const c5 = high(b2, b10);
      const c6 = low(b3, b11);
      const c7 = high(b3, b11);
      const c8 = low(b4, b12);
      const c9 = high(b4, b12);
      const c10 = low(b5, b13);
      const c11 = high(b5, b13);
      const c12 = low(b6, b14);
      const c13 = high(b6, b14);
      const c14 = low(b7, b15);
      const c15 = high(b7, b15);
      const d0 = low(c0, c8);
      const d1 = high(c0, c8);
      const d2 = low(c1, c9);
      const d3 = high(c1, c9);
      const d4 = low(c2, c10);
      const d5 = high(c2, c10);
      const d6 = low(c3, c11);
      const d7 = high(c3, c11);
      const d8 = low(c4, c12);
      const d9 = high(c4, c12);
      const d10 = low(c5, c13);
      const d11 = high(c5, c13);
      const d12 = low(c6, c14);
      const d13 = high(c6, c14);
      const d14 = low(c7, c15);
      const d15 = high(c7, c15);
      const e0 = low(d0, d8);
      const e1 = high(d0, d8);
      const e2 = low(d1, d9);
      const e3 = high(d1, d9);
      const e4 = low(d2, d10);
      const e5 = high(d2, d10);
      const e6 = low(d3, d11);
      const e7 = high(d3, d11);
      const e8 = low(d4, d12);
      const e9 = high(d4, d12);
      const e10 = low(d5, d13);
      const e11 = high(d5, d13);
      const e12 = low(d6, d14);
      const e13 = high(d6, d14);
      const e14 = low(d7, d15);
      const e15 = high(d7, d15);
      spread(e0, out + 0);
      spread(e1, out + 128);
      spread(e2, out + 256);
      spread(e3, out + 384);
      spread(e4, out + 512);
      spread(e5, out + 640);
      spread(e6, out + 768);
      spread(e7, out + 896);
      spread(e8, out + 1024);
      spread(e9, out + 1152);
      spread(e10, out + 1280);
      spread(e11, out + 1408);
      spread(e12, out + 1536);
      spread(e13, out + 1664);
      spread(e14, out + 1792);
      spread(e15, out + 1920);
    }
  }
}

export function xorInto(target: usize, other: usize, bytes: usize): void {
  const whole = bytes & ~15;
  let i: usize = 0;
  for (; i < whole; i += 16) v128.store(target + i, v128.xor(v128.load(target + i), v128.load(other + i)));
  for (; i < bytes; i++) store<u8>(target + i, load<u8>(target + i) ^ load<u8>(other + i));
}

export function andInto(target: usize, other: usize, bytes: usize): void {
  const whole = bytes & ~15;
  let i: usize = 0;
  for (; i < whole; i += 16) v128.store(target + i, v128.and(v128.load(target + i), v128.load(other + i)));
  for (; i < bytes; i++) store<u8>(target + i, load<u8>(target + i) & load<u8>(other + i));
}

/** Halves from the largest down: the upper half is added to the lower, and summed up in its own first leaf. */
export function fold(leaves: usize, stride: usize, count: usize): void {
  for (let half = count >> 1; half > 0; half >>= 1) {
    const sum = leaves + half * stride;
    for (let x: usize = 0; x < half; x++) {
      const upper = leaves + (half + x) * stride;
      xorInto(leaves + x * stride, upper, stride);
      if (x > 0) xorInto(sum, upper, stride);
    }
  }
}

export function addInto(target: usize, other: usize, words: usize): void {
  for (let i: usize = 0; i < words * 8; i += 8) store<u64>(target + i, load<u64>(target + i) + load<u64>(other + i));
}

export function subInto(target: usize, other: usize, words: usize): void {
  for (let i: usize = 0; i < words * 8; i += 8) store<u64>(target + i, load<u64>(target + i) - load<u64>(other + i));
}

export function mulInto(target: usize, other: usize, words: usize): void {
  for (let i: usize = 0; i < words * 8; i += 8) store<u64>(target + i, load<u64>(target + i) * load<u64>(other + i));
}

export function addShiftedInto(target: usize, other: usize, words: usize, shift: u64): void {
  for (let i: usize = 0; i < words * 8; i += 8) {
    store<u64>(target + i, load<u64>(target + i) + (load<u64>(other + i) << shift));
  }
}

/** σ(l ‖ r) = (l ⊕ r) ‖ l. */
function turned(row: v128): v128 {
  const zero = i64x2.splat(0);
  const swapped = i8x16.shuffle(row, zero, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7);
  const left = i8x16.shuffle(row, zero, 0, 1, 2, 3, 4, 5, 6, 7, 16, 16, 16, 16, 16, 16, 16, 16);
  return v128.xor(swapped, left);
}

export function sigma(rows: usize, out: usize, count: usize, offset: usize, tweak: u64): void {
  // σ is linear, so that the offset's part of it is one term with the tweak.
  const term = v128.xor(turned(v128.load(offset)), i64x2.replace_lane(i64x2.splat(0), 0, tweak));
  for (let i: usize = 0; i < count << 4; i += 16) v128.store(out + i, v128.xor(turned(v128.load(rows + i)), term));
}

export function lowBits(rows: usize, out: usize, octets: usize): void {
  for (let i: usize = 0; i < octets; i++) {
    const at = rows + i * 128;
    let bits: u32 = 0;
    for (let j: usize = 0; j < 8; j++) bits |= (<u32>load<u8>(at + j * 16) & 1) << (<u32>j);
    store<u8>(out + i, <u8>bits);
  }
}

export function lowWords(rows: usize, out: usize, count: usize): void {
  for (let i: usize = 0; i < count; i++) store<u64>(out + i * 8, load<u64>(rows + i * 16));
}

export function selectInto(target: usize, other: usize, bits: usize, octets: usize): void {
  for (let i: usize = 0; i < octets; i++) {
    const chosen = <u64>load<u8>(bits + i);
    for (let j: usize = 0; j < 8; j++) {
      const at = i * 64 + j * 8;
      const mask: u64 = 0 - ((chosen >> <u64>j) & 1);
      store<u64>(target + at, load<u64>(target + at) + (load<u64>(other + at) & mask));
    }
  }
}

function lowest(bits: u64): u64 {
  return bits === 64 ? ~(<u64>0) : ((<u64>1) << bits) - 1;
}

export function narrow(words: usize, out: usize, octets: usize, bits: u64): void {
  const mask = lowest(bits);
  for (let i: usize = 0; i < octets; i++) {
    let at = out + i * <usize>bits;
    let gathered: u64 = 0;
    let filled: u64 = 0;
    for (let j: usize = 0; j < 8; j++) {
      const word = load<u64>(words + (i << 6) + (j << 3)) & mask;
      gathered |= word << filled;
      filled += bits;
      if (filled >= 64) {
        store<u64>(at, gathered);
        at += 8;
        filled -= 64;
        gathered = filled === 0 ? 0 : word >> (bits - filled);
      }
    }
    // It overlaps the next octet, which is written after; the wrapper leaves room behind the last.
    if (filled > 0) store<u64>(at, gathered);
  }
}

export function widen(bytes: usize, out: usize, octets: usize, bits: u64): void {
  const mask = lowest(bits);
  for (let i: usize = 0; i < octets; i++) {
    for (let j: usize = 0; j < 8; j++) {
      const place = <u64>j * bits;
      const at = bytes + i * <usize>bits + <usize>(place >> 3);
      const shift = place & 7;
      let word = load<u64>(at) >> shift;
      if (bits + shift > 64) word |= (<u64>load<u8>(at, 8)) << (64 - shift);
      store<u64>(out + (i << 6) + (j << 3), word & mask);
    }
  }
}

export function multiply128(elements: usize, table: usize, count: usize): void {
  for (let i: usize = 0; i < count * 16; i += 16) {
    let product = v128.load(table + ((<usize>load<u8>(elements + i)) << 4));
    for (let j: usize = 1; j < 16; j++) {
      product = v128.xor(product, v128.load(table + (j << 12) + ((<usize>load<u8>(elements + i + j)) << 4)));
    }
    v128.store(elements + i, product);
  }
}

/** The entry of the byte at bit `shift`, in the table of its place. */
function entry(table: usize, bytes: u64, shift: u64): v128 {
  return v128.load(table + ((<usize>((bytes >> shift) & 255)) << 4));
}

/** What eight bytes give, whose tables follow each other. */
function eight(table: usize, bytes: u64): v128 {
  // The byte times 16, with a shift less.
  const a = v128.xor(v128.load(table + <usize>((bytes << 4) & 4080)), entry(table + 4096, bytes, 8));
  const b = v128.xor(entry(table + 8192, bytes, 16), entry(table + 12288, bytes, 24));
  const c = v128.xor(entry(table + 16384, bytes, 32), entry(table + 20480, bytes, 40));
  const d = v128.xor(entry(table + 24576, bytes, 48), entry(table + 28672, bytes, 56));
  return v128.xor(v128.xor(a, b), v128.xor(c, d));
}

export function addProducts(elements: usize, table: usize, count: usize, out: usize, rowBytes: usize): void {
  for (let end = elements + (count << 4); elements < end; elements += 16) {
    const product = v128.xor(eight(table, load<u64>(elements)), eight(table + 32768, load<u64>(elements, 8)));
    v128.store(out, v128.xor(v128.load(out), product));
    out += rowBytes;
  }
}

/** ⌊limit · word / 2^32⌋. */
function below(word: u32, limit: u64): u32 {
  return <u32>((<u64>word * limit) >> 32);
}

export function threePlaces(hashes: usize, count: usize, rows: u32, places: usize): void {
  for (let i: usize = 0; i < count; i++) {
    const hash = hashes + (i << 4);
    const a = below(load<u32>(hash, 4), rows);
    let b = below(load<u32>(hash, 8), rows - 1);
    b += <u32>(b >= a);
    let c = below(load<u32>(hash, 12), rows - 2);
    c += <u32>(c >= min(a, b));
    c += <u32>(c >= max(a, b));
    store<u32>(places, a);
    store<u32>(places, b, 4);
    store<u32>(places, c, 8);
    places += 12;
  }
}

export function sumThree(rows: usize, places: usize, count: usize, out: usize, rowBytes: usize): void {
  for (let i: usize = 0; i < count; i++) {
    const a = rows + <usize>load<u32>(places) * rowBytes;
    const b = rows + <usize>load<u32>(places, 4) * rowBytes;
    const c = rows + <usize>load<u32>(places, 8) * rowBytes;
    for (let at: usize = 0; at < rowBytes; at += 16) {
      v128.store(out + at, v128.xor(v128.xor(v128.load(a + at), v128.load(b + at)), v128.load(c + at)));
    }
    places += 12;
    out += rowBytes;
  }
}

/** A column's state is its degree in the upper half, and in the lower the sum of its rows: where one is left, that row. */
const oneRow: u64 = 1 << 32;

export function peel(
  places: usize,
  count: usize,
  columns: usize,
  asideMax: usize,
  rows: usize,
  pivots: usize,
  scratch: usize,
): usize {
  const states = scratch;
  const ready = states + (columns << 3);
  const isGone = ready + ((columns + 1) << 2);
  memory.fill(states, 0, columns << 3);
  memory.fill(isGone, 0, count);
  for (let i: usize = 0, at = places; i < count; i++) {
    for (let k = 0; k < 3; k++, at += 4) {
      const state = states + ((<usize>load<u32>(at)) << 3);
      store<u64>(state, (load<u64>(state) + oneRow) ^ i);
    }
  }
  let readyCount: usize = 0;
  for (let column: usize = 0; column < columns; column++) {
    // Written past the end where it is not ready: the next one takes its place.
    store<u32>(ready + (readyCount << 2), <u32>column);
    readyCount += <usize>(load<u64>(states + (column << 3)) >> 32 === 1);
  }
  let gone: usize = 0;
  let aside: usize = 0;
  let first: usize = 0;
  while (gone + aside < count && aside <= asideMax) {
    let row: usize;
    if (readyCount === 0) {
      while (load<u8>(isGone + first) !== 0) first++;
      row = first;
      aside++;
      store<u32>(rows + ((count - aside) << 2), <u32>row);
    } else {
      const column = load<u32>(ready + (--readyCount << 2));
      const state = load<u64>(states + ((<usize>column) << 3));
      // Its last row may have gone by another of its columns.
      if (state >> 32 !== 1) continue;
      row = <usize>(<u32>state);
      store<u32>(rows + (gone << 2), <u32>row);
      store<u32>(pivots + (gone << 2), column);
      gone++;
    }
    store<u8>(isGone + row, 1);
    const at = places + row * 12;
    for (let k: usize = 0; k < 12; k += 4) {
      const column = load<u32>(at + k);
      const state = states + ((<usize>column) << 3);
      const left = (load<u64>(state) - oneRow) ^ row;
      store<u64>(state, left);
      store<u32>(ready + (readyCount << 2), column);
      readyCount += <usize>(left >> 32 === 1);
    }
  }
  return gone;
}

export function substitute(
  sparse: usize,
  places: usize,
  rows: usize,
  pivots: usize,
  count: usize,
  values: usize,
  rowBytes: usize,
): void {
  for (let t = count; t-- > 0; ) {
    const row = <usize>load<u32>(rows + (t << 2));
    const to = sparse + <usize>load<u32>(pivots + (t << 2)) * rowBytes;
    const own = places + row * 12;
    const value = values + row * rowBytes;
    const a = sparse + <usize>load<u32>(own) * rowBytes;
    const b = sparse + <usize>load<u32>(own, 4) * rowBytes;
    const c = sparse + <usize>load<u32>(own, 8) * rowBytes;
    // The pivot is one of the three: with its own old value in the sum, none has to be told apart.
    for (let at: usize = 0; at < rowBytes; at += 16) {
      const two = v128.xor(v128.load(a + at), v128.load(b + at));
      const sum = v128.xor(v128.xor(two, v128.load(c + at)), v128.load(value + at));
      v128.store(to + at, v128.xor(sum, v128.load(to + at)));
    }
  }
}

export function grow(nodes: usize, right: usize, ciphered: usize, count: usize, sums: usize, period: usize): void {
  for (let start: usize = 0; start < count; start += period) {
    for (let i: usize = 0; i < period; i++) {
      const at = (start + i) << 4;
      const node = v128.load(nodes + at);
      const left = v128.xor(v128.load(ciphered + at), turned(node));
      v128.store(nodes + at, left);
      v128.store(right + at, v128.xor(left, node));
      const sum = sums + (i << 4);
      v128.store(sum, v128.xor(v128.load(sum), left));
    }
  }
}

export function clearLowBits(rows: usize, count: usize): void {
  const kept = i64x2(-2, -1);
  for (let i: usize = 0; i < count << 4; i += 16) v128.store(rows + i, v128.and(v128.load(rows + i), kept));
}

/** Of four rows, that which the four bits at `place` of the taps add up, from the table of their 16 sums. */
function added(table: usize, taps: u32, place: u32): v128 {
  return v128.load(table + ((<usize>((taps >> place) & 15)) << 4));
}

/** What the six fours before give to a row. */
function before(tables: usize, four: usize, taps: u32): v128 {
  const a = v128.xor(
    added(tables + (((four + 2) & 7) << 8), taps, 20),
    added(tables + (((four + 3) & 7) << 8), taps, 16),
  );
  const b = v128.xor(
    added(tables + (((four + 4) & 7) << 8), taps, 12),
    added(tables + (((four + 5) & 7) << 8), taps, 8),
  );
  const c = v128.xor(v128.xor(a, b), added(tables + (((four + 6) & 7) << 8), taps, 4));
  return v128.xor(c, added(tables + (((four + 7) & 7) << 8), taps, 0));
}

/** The row where the bit is 1, else zeros. */
function where(row: v128, taps: u32, place: u32): v128 {
  return v128.and(row, i32x4.splat(0 - <i32>((taps >> place) & 1)));
}

export function convolve(rows: usize, taps: usize, count: usize, tables: usize): void {
  memory.fill(tables, 0, 8 * 256);
  for (let four: usize = 0; four < count >> 2; four++) {
    const at = rows + (four << 6);
    const word = taps + (four << 4);
    const taps1 = load<u32>(word, 4);
    const taps2 = load<u32>(word, 8);
    const taps3 = load<u32>(word, 12);
    const y0 = v128.xor(v128.load(at), before(tables, four, load<u32>(word)));
    let y1 = v128.xor(v128.load(at, 16), before(tables, four, taps1));
    let y2 = v128.xor(v128.load(at, 32), before(tables, four, taps2));
    let y3 = v128.xor(v128.load(at, 48), before(tables, four, taps3));
    y1 = v128.xor(y1, where(y0, taps1, 24));
    y2 = v128.xor(v128.xor(y2, where(y0, taps2, 24)), where(y1, taps2, 25));
    y3 = v128.xor(v128.xor(y3, where(y0, taps3, 24)), v128.xor(where(y1, taps3, 25), where(y2, taps3, 26)));
    v128.store(at, y0);
    v128.store(at, y1, 16);
    v128.store(at, y2, 32);
    v128.store(at, y3, 48);
    const table = tables + ((four & 7) << 8);
    const y01 = v128.xor(y0, y1);
    const y23 = v128.xor(y2, y3);
    v128.store(table, y0, 16);
    v128.store(table, y1, 32);
    v128.store(table, y01, 48);
    v128.store(table, y2, 64);
    v128.store(table, v128.xor(y0, y2), 80);
    v128.store(table, v128.xor(y1, y2), 96);
    v128.store(table, v128.xor(y01, y2), 112);
    v128.store(table, y3, 128);
    v128.store(table, v128.xor(y0, y3), 144);
    v128.store(table, v128.xor(y1, y3), 160);
    v128.store(table, v128.xor(y01, y3), 176);
    v128.store(table, y23, 192);
    v128.store(table, v128.xor(y0, y23), 208);
    v128.store(table, v128.xor(y1, y23), 224);
    v128.store(table, v128.xor(y01, y23), 240);
  }
}

function named(rows: usize, place: usize): v128 {
  return v128.load(rows + ((<usize>load<u16>(place)) << 4));
}

export function gather(rows: usize, count: usize, places: usize, out: usize, outs: usize): void {
  const rows1 = rows + ((count / 7) << 4);
  const rows2 = rows + (((2 * count) / 7) << 4);
  const rows3 = rows + (((3 * count) / 7) << 4);
  const rows4 = rows + (((4 * count) / 7) << 4);
  const rows5 = rows + (((5 * count) / 7) << 4);
  const rows6 = rows + (((6 * count) / 7) << 4);
  for (let i: usize = 0; i < outs; i++) {
    const at = places + i * 14;
    const a = v128.xor(named(rows, at), named(rows1, at + 2));
    const b = v128.xor(named(rows2, at + 4), named(rows3, at + 6));
    const c = v128.xor(named(rows4, at + 8), named(rows5, at + 10));
    const d = v128.xor(named(rows6, at + 12), v128.load(out + (i << 4)));
    v128.store(out + (i << 4), v128.xor(v128.xor(a, b), v128.xor(c, d)));
  }
}

export function xorWhere(rows: usize, out: usize, bits: usize, octets: usize, term: usize): void {
  const other = v128.load(term);
  for (let i: usize = 0; i < octets; i++) {
    const chosen = <u32>load<u8>(bits + i);
    for (let j: usize = 0; j < 8; j++) {
      const at = (i << 7) + (j << 4);
      v128.store(out + at, v128.xor(v128.load(rows + at), where(other, chosen, <u32>j)));
    }
  }
}

export function maskWords(hashed: usize, ciphered: usize, out: usize, count: usize): void {
  for (let i: usize = 0; i < count; i++) {
    store<u64>(out + (i << 3), load<u64>(hashed + (i << 4)) ^ load<u64>(ciphered + (i << 4)));
  }
}

export function maskBits(hashed: usize, ciphered: usize, out: usize, octets: usize): void {
  for (let i: usize = 0; i < octets; i++) {
    let bits: u32 = 0;
    for (let j: usize = 0; j < 8; j++) {
      const at = (i << 7) + (j << 4);
      bits |= (<u32>(load<u8>(hashed + at) ^ load<u8>(ciphered + at)) & 1) << (<u32>j);
    }
    store<u8>(out + i, <u8>bits);
  }
}
