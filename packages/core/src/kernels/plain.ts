/**
 * The kernels in plain TypeScript: the twin of the WebAssembly ones, and what runs where those cannot.
 * @module
 */
import { assert } from '../algebra/assert.ts';
import type { Kernels } from './kernels.ts';

export const plainKernels: Kernels = {
  name: 'plain',

  reserve: (...sizes) => sizes.map((size) => new Uint8Array(size)),

  transpose(columns, rows) {
    const stride = columns.length / 128;
    for (let at = 0; at < stride; at++) {
      for (let octet = 0; octet < 16; octet++) {
        // Eight columns and eight rows, as a square of 8 × 8 bits in two words (Warren, Hacker's Delight, 7-3).
        const from = octet * 8 * stride + at;
        let x = 0;
        let y = 0;
        for (let j = 0; j < 4; j++) {
          x |= columns[from + j * stride]! << (8 * j);
          y |= columns[from + (j + 4) * stride]! << (8 * j);
        }
        let t = (x ^ (x >>> 7)) & 0x00aa_00aa;
        x ^= t ^ (t << 7);
        t = (y ^ (y >>> 7)) & 0x00aa_00aa;
        y ^= t ^ (t << 7);
        t = (x ^ (x >>> 14)) & 0x0000_cccc;
        x ^= t ^ (t << 14);
        t = (y ^ (y >>> 14)) & 0x0000_cccc;
        y ^= t ^ (t << 14);
        const low = (x & 0x0f0f_0f0f) | ((y << 4) & 0xf0f0_f0f0);
        const high = ((x >>> 4) & 0x0f0f_0f0f) | (y & 0xf0f0_f0f0);
        const to = at * 128 + octet;
        for (let j = 0; j < 4; j++) {
          rows[to + j * 16] = low >>> (8 * j);
          rows[to + (j + 4) * 16] = high >>> (8 * j);
        }
      }
    }
  },

  fold(leaves, count) {
    const stride = leaves.length / count;
    const leaf = (x: number) => leaves.subarray(x * stride, (x + 1) * stride);
    for (let half = count / 2; half >= 1; half /= 2) {
      for (let x = 0; x < half; x++) {
        plainKernels.xorInto(leaf(x), leaf(half + x));
        if (x > 0) plainKernels.xorInto(leaf(half), leaf(half + x));
      }
    }
  },

  xorInto(target, other) {
    assert(target.length === other.length, 'both have one length');
    for (let i = 0; i < target.length; i++) target[i]! ^= other[i]!;
  },

  andInto(target, other) {
    assert(target.length === other.length, 'both have one length');
    for (let i = 0; i < target.length; i++) target[i]! &= other[i]!;
  },

  addInto(target, other) {
    for (let i = 0; i < target.length; i++) target[i] = BigInt.asUintN(64, target[i]! + other[i]!);
  },

  subInto(target, other) {
    for (let i = 0; i < target.length; i++) target[i] = BigInt.asUintN(64, target[i]! - other[i]!);
  },

  mulInto(target, other) {
    for (let i = 0; i < target.length; i++) target[i] = BigInt.asUintN(64, target[i]! * other[i]!);
  },

  addShiftedInto(target, other, shift) {
    const k = 1n << BigInt(shift);
    for (let i = 0; i < target.length; i++) target[i] = BigInt.asUintN(64, target[i]! + other[i]! * k);
  },

  selectInto(target, other, bits) {
    for (let i = 0; i < target.length; i++) {
      const bit = BigInt((bits[i >> 3]! >> (i & 7)) & 1);
      target[i] = BigInt.asUintN(64, target[i]! + other[i]! * bit);
    }
  },

  sigma(rows, out, offset, tweak) {
    for (let at = 0; at < rows.length; at += 16) {
      for (let i = 0; i < 8; i++) {
        const left = rows[at + i]! ^ offset[i]!;
        const right = rows[at + 8 + i]! ^ offset[8 + i]!;
        out[at + i] = left ^ right ^ (i < 4 ? tweak >>> (8 * i) : 0);
        out[at + 8 + i] = left;
      }
    }
  },

  lowBits(rows, out) {
    for (let i = 0; i < out.length; i++) {
      let bits = 0;
      for (let j = 0; j < 8; j++) bits |= (rows[(8 * i + j) * 16]! & 1) << j;
      out[i] = bits;
    }
  },

  maskWords(hashed, ciphered, out) {
    const bytes = new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
    for (let i = 0; i < bytes.length; i++) {
      const at = (i >> 3) * 16 + (i & 7);
      bytes[i] = hashed[at]! ^ ciphered[at]!;
    }
  },

  maskBits(hashed, ciphered, out) {
    for (let i = 0; i < out.length; i++) {
      let bits = 0;
      for (let j = 0; j < 8; j++) {
        const at = (8 * i + j) * 16;
        bits |= ((hashed[at]! ^ ciphered[at]!) & 1) << j;
      }
      out[i] = bits;
    }
  },

  narrow(words, out, bits) {
    for (let i = 0; i < words.length / 8; i++) {
      let all = 0n;
      for (let j = 7; j >= 0; j--) all = (all << BigInt(bits)) | BigInt.asUintN(bits, words[8 * i + j]!);
      for (let j = 0; j < bits; j++, all >>= 8n) out[i * bits + j] = Number(all & 255n);
    }
  },

  widen(bytes, out, bits) {
    for (let i = 0; i < out.length / 8; i++) {
      let all = 0n;
      for (let j = bits - 1; j >= 0; j--) all = (all << 8n) | BigInt(bytes[i * bits + j]!);
      for (let j = 0; j < 8; j++, all >>= BigInt(bits)) out[8 * i + j] = BigInt.asUintN(bits, all);
    }
  },

  xorWhere(rows, out, bits, term) {
    for (let i = 0; i < 8 * bits.length; i++) {
      const mask = -((bits[i >> 3]! >> (i & 7)) & 1);
      for (let j = 0; j < 16; j++) out[16 * i + j] = rows[16 * i + j]! ^ (term[j]! & mask);
    }
  },

  clearLowBits(rows) {
    for (let at = 0; at < rows.length; at += 16) rows[at]! &= 0xfe;
  },

  grow(nodes, right, ciphered, sums) {
    const left = new Uint8Array(nodes.length);
    plainKernels.sigma(nodes, left, new Uint8Array(16), 0);
    plainKernels.xorInto(left, ciphered);
    right.set(nodes);
    plainKernels.xorInto(right, left);
    nodes.set(left);
    for (let start = 0; start < left.length; start += sums.length) {
      plainKernels.xorInto(sums, left.subarray(start, start + sums.length));
    }
  },

  convolve(rows, taps) {
    const add = (i: number, from: number) => {
      if (from >= 0) for (let j = 0; j < 16; j++) rows[16 * i + j]! ^= rows[16 * from + j]!;
    };
    for (let i = 0; i < rows.length / 16; i++) {
      const four = i - (i % 4);
      const set = (bit: number) => (taps[4 * i + (bit >> 3)]! >> (bit & 7)) & 1;
      for (let r = 0; r < 4; r++) {
        for (let m = 1; m <= 6; m++) if (set(4 * (m - 1) + r)) add(i, four - 4 * m + r);
        if (four + r < i && set(24 + r)) add(i, four + r);
      }
    }
  },

  gather(rows, places, out) {
    const count = rows.length / 16;
    for (let i = 0; i < out.length / 16; i++) {
      for (let j = 0; j < 7; j++) {
        const place = places[14 * i + 2 * j]! | (places[14 * i + 2 * j + 1]! << 8);
        const from = 16 * (Math.floor((j * count) / 7) + place);
        for (let k = 0; k < 16; k++) out[16 * i + k]! ^= rows[from + k]!;
      }
    }
  },

  multiply128(elements, table) {
    const product = new Uint8Array(16);
    for (let at = 0; at < elements.length; at += 16) {
      product.fill(0);
      for (let place = 0; place < 16; place++) {
        const entry = (place * 256 + elements[at + place]!) * 16;
        for (let i = 0; i < 16; i++) product[i]! ^= table[entry + i]!;
      }
      elements.set(product, at);
    }
  },

  addProducts(elements, table, out, rowBytes) {
    for (let i = 0; i < elements.length / 16; i++) {
      for (let place = 0; place < 16; place++) {
        const entry = (place * 256 + elements[16 * i + place]!) * 16;
        for (let j = 0; j < 16; j++) out[i * rowBytes + j]! ^= table[entry + j]!;
      }
    }
  },

  threePlaces(hashes, places, rows) {
    const words = new Uint32Array(hashes.buffer, hashes.byteOffset, hashes.length / 4);
    const below = (word: number, limit: number) => Math.floor((word * limit) / 2 ** 32);
    for (let i = 0; i < places.length / 3; i++) {
      const a = below(words[4 * i + 1]!, rows);
      let b = below(words[4 * i + 2]!, rows - 1);
      if (b >= a) b++;
      let c = below(words[4 * i + 3]!, rows - 2);
      if (c >= Math.min(a, b)) c++;
      if (c >= Math.max(a, b)) c++;
      places.set([a, b, c], 3 * i);
    }
  },

  sumThree(rows, places, out, rowBytes) {
    for (let i = 0, to = 0; i < places.length; i += 3) {
      const [a, b, c] = [places[i]! * rowBytes, places[i + 1]! * rowBytes, places[i + 2]! * rowBytes];
      for (let j = 0; j < rowBytes; j++) out[to++] = rows[a + j]! ^ rows[b + j]! ^ rows[c + j]!;
    }
  },

  peel(places, columns, asideMax, rows, pivots) {
    const count = rows.length;
    const degrees = new Uint32Array(columns);
    // The sum of a column's rows: where one is left, it is that row.
    const sums = new Uint32Array(columns);
    for (let i = 0, at = 0; i < count; i++) {
      for (let k = 0; k < 3; k++, at++) {
        degrees[places[at]!]!++;
        sums[places[at]!]! ^= i;
      }
    }
    const ready: number[] = [];
    for (let column = 0; column < columns; column++) if (degrees[column] === 1) ready.push(column);
    const isGone = new Uint8Array(count);
    const remove = (row: number) => {
      isGone[row] = 1;
      for (let at = 3 * row; at < 3 * row + 3; at++) {
        const column = places[at]!;
        sums[column]! ^= row;
        if (--degrees[column]! === 1) ready.push(column);
      }
    };
    let gone = 0;
    let aside = 0;
    while (gone + aside < count && aside <= asideMax) {
      const column = ready.pop();
      if (column === undefined) {
        const first = isGone.indexOf(0);
        rows[count - ++aside] = first;
        remove(first);
        continue;
      }
      // Its last row may have gone by another of its columns.
      if (degrees[column] !== 1) continue;
      const row = sums[column]!;
      rows[gone] = row;
      pivots[gone++] = column;
      remove(row);
    }
    return gone;
  },

  substitute(sparse, places, rows, pivots, values, rowBytes) {
    for (let t = rows.length - 1; t >= 0; t--) {
      const row = rows[t]!;
      const to = pivots[t]! * rowBytes;
      const [a, b, c] = [0, 1, 2].map((k) => places[3 * row + k]! * rowBytes);
      for (let j = 0; j < rowBytes; j++) {
        const sum = values[row * rowBytes + j]! ^ sparse[a! + j]! ^ sparse[b! + j]! ^ sparse[c! + j]!;
        // The pivot is one of the three: its own old value goes out of the sum.
        sparse[to + j]! ^= sum;
      }
    }
  },
};
