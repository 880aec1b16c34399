#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Deterministic inputs of the bench workloads: inputs.py DIR writes DIR/text, DIR/mix and DIR/code.i"""
import os
import random
import sys


def make_text(rng):
    """1 MB of lines of made-up words; the frequency of the n-th is about 1/n, as in real text."""
    syllables = "ba co di fe gu ha jo ki lu me na po qui ra se ti vo wa xe zy an er in or st th".split()
    words = ["".join(rng.choices(syllables, k=rng.randint(1, 4))) for _ in range(5000)]
    weights = [1 / (i + 1) for i in range(len(words))]
    return "\n".join(" ".join(rng.choices(words, weights, k=rng.randint(4, 16))).capitalize() + "."
                     for _ in range(14000)) + "\n"


def make_mix(rng, text):
    """Text, binary records, noise and zeroes."""
    records = bytearray()
    for i in range(20000):
        records += i.to_bytes(4, "little") + (i * i % 65536).to_bytes(2, "little") + bytes([i % 7] * 6)
    return text[:600000].encode() + bytes(records) + rng.randbytes(100000) + bytes(150000) + text[600000:].encode()


def make_code(rng):
    """Preprocessed C for cc1: functions with loops, switches, structs and expressions."""
    out = ["struct s { int a, b; long c; struct s *next; unsigned char d[16]; };", "int extern_call(int, long);"]
    names = []
    for f in range(9):
        body = []
        for _ in range(rng.randint(4, 9)):
            op, k = rng.choice(["+", "-", "*", "^", "&", "|"]), rng.randint(1, 999)
            body.append(rng.choice([
                f"for (i = 0; i < n; i++) acc {op}= p->d[i & 15] {rng.choice('+-*')} {k};",
                f"if (acc {rng.choice(['<', '>', '=='])} {k}) acc {op}= p->a << {k % 13}; else p->b += acc {op} {k};",
                f"while (p->next && n-- > {k % 9}) {{ p = p->next; acc {op}= p->c / {k}; }}",
                "switch (acc & 7) { " + " ".join(f"case {c}: acc {op}= {k * (c + 1)}; break;" for c in range(7)) +
                " default: p->c++; }",
                f"acc = extern_call((int)acc {op} {k}, p->c % {k});",
                f"fl = fl * {k}.25 + acc; if (fl > {k}e3) fl /= 3.5;",
            ]))
            if names and rng.random() < 0.3:
                body.append(f"acc {op}= {rng.choice(names)}(p, n >> 1);")
        out.append(f"long f{f}(struct s *p, int n)\n{{\n\tlong acc = {f}; int i; double fl = {f};\n\t" +
                   "\n\t".join(body) + "\n\treturn acc + (long)fl + i;\n}".replace(" + i", ""))
        names.append(f"f{f}")
    return "\n".join(out) + "\n"


def main():
    out = sys.argv[1]
    os.makedirs(out, exist_ok=True)
    rng = random.Random(42)
    text = make_text(rng)
    for name, data in (("text", text.encode()), ("mix", make_mix(rng, text)), ("code.i", make_code(rng).encode())):
        with open(os.path.join(out, name), "wb") as f:
            f.write(data)


main()
