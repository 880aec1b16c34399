// SPDX-License-Identifier: MIT
const crypto = require('crypto');
function fib(n) { return n < 2 ? n : fib(n-1) + fib(n-2); } console.log('fib', fib(27));
let d = 0; for (let i = 1; i < 3e6; i++) d += Math.sin(i) / Math.sqrt(i); console.log('fp', d.toFixed(9));
const f = new Float64Array(100000); for (let i = 0; i < f.length; i++) f[i] = (i * 7919 % 100003) / 3; f.sort(); console.log('f64', f[5], f[99999]);
let x = 0; for (let i = 0; i < 5e6; i++) { x = (x * 31 + i) | 0; x ^= x >>> 3; } console.log('int', x);
const m = new Map(); for (let i = 0; i < 300000; i++) m.set('k' + i % 7777, (m.get('k' + i % 7777) || 0) + i); console.log('map', m.size, m.get('k77'));
console.log('sha', crypto.createHash('sha256').update(Buffer.alloc(1 << 20, 1)).digest('hex'));
console.log('json', JSON.stringify(JSON.parse(JSON.stringify({a: [...Array(1000).keys()], b: {c: 1.25e-7, d: 'x'.repeat(100)}}))).length);
console.log('re', 'the quick brown fox'.repeat(1000).match(/(\w+) (?=fox)/g).length, /^(a+)+$/.test('a'.repeat(20)));
console.log('big', (2n ** 4001n % 1000000007n).toString(), (123456789n ** 50n).toString().length);
class A { constructor(i) { this.i = i; } get v() { return this.i * 2; } } let s = 0; for (let i = 0; i < 2e6; i++) s += new A(i).v; console.log('obj', s);
function poly(o) { return o.x + 1; } let p = 0; const os = [{x: 1}, {x: 2, y: 1}, {z: 0, x: 3}, {q: 0, r: 1, x: 1.5}]; for (let i = 0; i < 2e6; i++) p += poly(os[i & 3]); console.log('poly', p);
for (let i = 0; i < 100; i++) { eval(`(function(a){ let t = ${i}; for (let j = 0; j < 5000; j++) t = (t * a + j) | 0; return t; })`)(i); } console.log('eval ok');
console.log('edge', Math.fround(1.1), Math.round(-0.5), Math.imul(0xffffffff, 5), -5 % 3, 5.5 % 2.1, 1e21 | 0, 2**53 + 1, (1e10) >> 1, Math.clz32(1), ~~-1.5, 0/0, -1/0, parseInt('0x1f'), Number.MAX_VALUE * 2, 0.1 + 0.2, (123.456).toFixed(1), Math.hypot(3,4), Math.cbrt(27), Math.expm1(1e-10));
const w = new WebAssembly.Module(new Uint8Array([0,97,115,109,1,0,0,0,1,7,1,96,2,127,127,1,127,3,2,1,0,7,7,1,3,97,100,100,0,0,10,9,1,7,0,32,0,32,1,106,11])); console.log('wasm', new WebAssembly.Instance(w).exports.add(40, 2));
const { Worker, isMainThread } = require('worker_threads'); const sab = new SharedArrayBuffer(8), ia = new Int32Array(sab); let done = 0;
for (let t = 0; t < 4; t++) { const wk = new Worker(`const {workerData}=require('worker_threads'); const a=new Int32Array(workerData); for(let i=0;i<100000;i++) Atomics.add(a,0,1);`, {eval: true, workerData: sab}); wk.on('exit', () => { if (++done == 4) { console.log('atomics', ia[0]); } }); }
