#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Chooses from the learner's candidates those worth a proof and a place in the tables.

    select.py CANDIDATES [--uses FILE] [--max N] [--often N] --out FILE

--uses is `rules-eval --uses` of training profiles: "EXECUTIONS SAVED NAME". First come rules that save host
instructions there, by how many; then those that the corpus has --often times or more.
"""
import argparse
import re


def read_rules(path):
    """(text before the first rule, [(name, count, text)])"""
    with open(path) as f:
        head, *parts = re.split(r"^(?=rule )", f.read(), flags=re.M)
    rules = []
    for text in parts:
        name = text.split()[1]
        m = re.search(r'^from   ".*" (\d+)$', text, re.M)
        rules.append((name, int(m.group(1)) if m else 0, text.rstrip() + "\n"))
    return head, rules


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("candidates")
    ap.add_argument("--uses")
    ap.add_argument("--max", type=int, default=300)
    ap.add_argument("--often", type=int, default=12)
    ap.add_argument("--out", required=True)
    a = ap.parse_args()
    head, rules = read_rules(a.candidates)
    saved = {}
    if a.uses:
        with open(a.uses) as f:
            for line in f:
                n, s, name = line.split()
                saved[name] = (int(s), int(n))
    dynamic = [r for r in rules if saved.get(r[0], (0, 0))[0] > 0]
    dynamic.sort(key=lambda r: (-saved[r[0]][0], r[0]))
    chosen = {r[0] for r in dynamic}
    often = [r for r in rules if r[0] not in chosen and r[1] >= a.often]
    often.sort(key=lambda r: (-r[1], r[0]))
    picked = (dynamic + often)[: a.max]
    with open(a.out, "w") as f:
        f.write(head)
        f.write("\n".join(r[2] for r in picked))
    print(f"{len(rules)} candidates: {len(dynamic)} save instructions in the training profile, {len(often)} more are "
          f"frequent in the corpus; {len(picked)} chosen")


main()
