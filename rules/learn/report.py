#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes what `make learn` did into docs/rules.md, between its marks.

    report.py learn --stats FILE --pairs-log FILE --chosen FILE --proofs-log FILE --corpus LIST --rules FILE --doc FILE
    report.py held-out DIR --doc FILE
    report.py gaps DIR --doc FILE

DIR is what leave-one-out.sh made, or `make gaps`: rules-eval's output for each program.
"""
import argparse
import os
import re


def between(doc, mark, text):
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    with open(doc) as f:
        old = f.read()
    a, b = old.index(begin) + len(begin), old.index(end)
    with open(doc, "w") as f:
        f.write(old[:a] + "\n" + text.rstrip() + "\n" + old[b:])


def table(head, rows):
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    return "\n".join(lines + ["| " + " | ".join(str(c) for c in r) + " |" for r in rows]) + "\n"


def verdicts(path):
    """Counts of proved, refuted, ..., and the seconds of the proved ones."""
    count, seconds = {}, 0.0
    with open(path) as f:
        text = f.read()
    for line in text.splitlines():
        m = re.match(r"(refuted|unknown|invalid|vacuous) +(learned|pair)_", line)
        if m:
            count[m.group(1)] = count.get(m.group(1), 0) + 1
    m = re.search(r"(\d+) rules: (\d+) proved, (\d+) not; ([\d.]+) s", text)
    count["rules"], count["proved"], seconds = int(m.group(1)), int(m.group(2)), float(m.group(4))
    return count, seconds


def others(c):
    return ", ".join(f"{c.get(k, 0):,} {name}" for k, name in (
        ("refuted", "refuted"), ("unknown", "not decided within the limit"), ("invalid", "outside the model"),
        ("vacuous", "never applicable")) if c.get(k))


def funnel(a):
    with open(a.stats) as f:
        s = {k: int(v) for k, v in (line.split() for line in f)}
    pairs, pair_s = verdicts(a.pairs_log)
    rules, rule_s = verdicts(a.proofs_log)
    packages = {}
    with open(a.corpus) as f:
        for line in f:
            p = line.split()[0]
            packages[p] = packages.get(p, 0) + 1
    with open(a.chosen) as f:
        chosen = [f.read().strip()]
    chosen = re.search(r"(\d+) candidates, (\d+) chosen", chosen[0])
    with open(a.rules) as f:
        kept = len(re.findall(r"^rule ", f.read(), re.M))
    text = "Corpus: " + ", ".join(f"{p} {n}" for p, n in sorted(packages.items())) + " (pairs of executables).\n\n"
    n = s["candidates"]
    text += table(["step", "number"], [
        ["pairs of executables; functions in both; runs of lines paired",
         f"{s['objects']:,}; {s['functions']:,}; {s['runs']:,}"],
        ["pairs of sequences looked at", f"{s['windows']:,}"],
        ["different ones with like inputs and accesses", f"{n:,}"],
        ["left out before: guest sequences outside the language; host sequences outside HIR",
         f"{s['guest_rejected']:,}; {s['host_rejected']:,}"],
        ["registers correspond", f"{s['mapped']:,}"],
        ["right on random states: learned before generalisation", f"**{s['right_different']:,}** different"],
        ["of them no better than what the base rules make", f"{s['right_different'] - s['better']:,}"],
        ["better than the base rules", f"{s['better']:,}"],
        [f"the {pairs['rules']:,} most frequent of these, as they stand before generalisation: proven",
         f"**{pairs['proved']:,}** ({others(pairs)}; {pair_s / max(pairs['proved'], 1):.2f} s each)"],
        ["rules after parameters and opcode classes; gain a third of a host instruction or more",
         f"{s['rules']:,}; {s['written']:,}"],
        ["chosen: they save in the training profile, or are frequent and lose nothing there", chosen.group(2)],
        ["proven", f"{rules['proved']:,} ({others(rules) or 'none refuted'})"],
        ["of them compiled in: the others lose beside these", f"**{kept:,}**"],
        ["solver seconds a rule", f"{rule_s / max(rules['proved'], 1):.1f}"],
    ])
    return text


def sums(path):
    r = {}
    with open(path) as f:
        for line in f:
            m = re.match(r"(base|learned) +(\d+) instr.*?: +([\d.]+) % by rules \( *([\d.]+) %.*?, +([\d.]+) % by rules of "
                         r"several.*?, +([\d.]+) % by learned ones; ([\d.]+) host", line)
            if m:
                r[m.group(1)] = dict(zip(("n", "rules", "int", "multi", "learned", "host"), map(float, m.groups()[1:])))
    return r


def held_out(a):
    """DIR has NAME.all and, for programs of the corpus, NAME.without."""
    rows = []
    for name in sorted(os.listdir(a.dir)):
        if not name.endswith((".all", ".without")):
            continue
        r = sums(os.path.join(a.dir, name))
        b, x = r["base"], r["learned"]
        label = name.removesuffix(".all").replace(".without", " (learned without it)")
        rows.append([label, f"{x['learned']:.2f}", f"{b['multi']:.2f} / {x['multi']:.2f}",
                     f"{b['host']:.3f} / {x['host']:.3f}", f"{100 * (1 - x['host'] / b['host']):.2f}"])
    return table(["program, with boot", "executed by learned rules, %", "by sequences, base / learned on, %",
                  "host instructions each, base / learned on", "saved, %"], rows)


def gaps(a):
    """DIR has rules-eval --gaps of each program."""
    rows, rules, host = [], {}, 0
    for name in sorted(os.listdir(a.dir)):
        with open(os.path.join(a.dir, name)) as f:
            text = f.read()
        kinds = re.findall(r" of (\d+) host instructions saved: ([\d.]+) %", text)
        rows.append([name] + [f"{float(share):.2f}" for _, share in kinds])
        host += int(kinds[0][0])
        for saved, rule in re.findall(r"(\d+) saved: (\w+)$", text, re.M):
            rules[rule] = rules.get(rule, 0) + int(saved)
    best = sorted(rules, key=lambda r: (-rules[r], r))[:10]
    text = table(["program, with boot", "gaps, no access crossed, %", "accesses crossed by others, %", "any order, %"], rows)
    return text + '\n"accesses crossed by others" by rule, % of all these programs: ' + ", ".join(
        f"`{r}` {100 * rules[r] / host:.3f}" for r in best) + ".\n"


def main():
    ap = argparse.ArgumentParser()
    sub = ap.add_subparsers(dest="what", required=True)
    p = sub.add_parser("learn")
    for o in ("--stats", "--pairs-log", "--chosen", "--proofs-log", "--corpus", "--rules", "--doc"):
        p.add_argument(o, required=True)
    for what in ("held-out", "gaps"):
        p = sub.add_parser(what)
        p.add_argument("dir")
        p.add_argument("--doc", required=True)
    a = ap.parse_args()
    if a.what == "learn":
        between(a.doc, "learn", funnel(a))
    else:
        between(a.doc, a.what, held_out(a) if a.what == "held-out" else gaps(a))


main()
