#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Chooses from the learner's candidates those worth a proof and a place in the tables.

    pick.py CANDIDATES [--uses FILE | --grams FILE] [--max N] [--least N] [--often N] [--more N] --out FILE

--uses is `rules-eval --uses` or `--marginal` of training profiles: "EXECUTIONS SAVED NAME". Rules that save at least
--least host instructions there are kept, the best first, and of the others that lose nothing the --more most frequent that
the corpus has --often times or more: other programs may want them.
--grams is `rules-eval --grams`: rules whose sequence of ops is executed are kept, the most often executed first.
Without either the most frequent of the corpus are.
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


def sequences(text, classes):
    """The sequences of ops a rule matches."""
    guest = re.search(r"^guest (.*?)^(?:when|let|host) ", text, re.M | re.S).group(1)
    var = dict(re.findall(r"<(\w+)> in (\w+)", text))
    ops = [line.split()[0] for line in guest.splitlines()]
    all_ = [()]
    for op in ops:
        name = re.sub(r"\.(\w+|<\w+>)$", "", op)
        m = re.fullmatch(r"<(\w+)>", name)
        members = classes[var[m.group(1)]] if m else [name]
        all_ = [s + (o,) for s in all_ for o in members]
    return all_


def executed(rules, head, path, most):
    """The rules whose sequences are executed most often in the profile."""
    classes = {m.group(1): re.findall(r"^\t(\w+)", m.group(2), re.M)
               for m in re.finditer(r"^class (\w+).*\n((?:\t.*\n)+)", head, re.M)}
    count = {}
    with open(path) as f:
        for line in f:
            n, *ops = line.split()
            count[tuple(ops)] = int(n)
    weight = {r[0]: sum(count.get(s, 0) for s in sequences(r[2], classes)) for r in rules}
    rules = [r for r in rules if weight[r[0]]]
    rules.sort(key=lambda r: (-weight[r[0]], r[0]))
    return rules[:most]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("candidates")
    ap.add_argument("--uses")
    ap.add_argument("--grams")
    ap.add_argument("--max", type=int, default=600)
    ap.add_argument("--least", type=int, default=1)
    ap.add_argument("--often", type=int, default=20)
    ap.add_argument("--more", type=int, default=0)
    ap.add_argument("--out", required=True)
    a = ap.parse_args()
    head, rules = read_rules(a.candidates)
    found = len(rules)
    saved = {}
    if a.grams:
        picked = executed(rules, head, a.grams, a.max)
    elif a.uses:
        with open(a.uses) as f:
            for line in f:
                n, s, name = line.split()
                saved[name] = int(s)
        picked = [r for r in rules if saved.get(r[0], 0) >= a.least]
        picked.sort(key=lambda r: (-saved[r[0]], r[0]))
        rest = [r for r in rules if 0 <= saved.get(r[0], 0) < a.least and r[1] >= a.often]
        rest.sort(key=lambda r: (-r[1], r[0]))
        picked += rest[:a.more]
    else:
        picked = sorted(rules, key=lambda r: (-r[1], r[0]))
    picked = picked[: a.max]
    with open(a.out, "w") as f:
        f.write(head)
        f.write("\n".join(r[2] for r in picked))
    print(f"{found} candidates, {len(picked)} chosen")


main()
