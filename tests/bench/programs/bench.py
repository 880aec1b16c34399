# SPDX-License-Identifier: MIT
"""Objects, dictionaries, JSON, regular expressions, floats and big integers in CPython."""
import hashlib
import json
import math
import re


class Node:
    __slots__ = ("key", "left", "right")

    def __init__(self, key):
        self.key, self.left, self.right = key, None, None


def insert(root, key):
    while True:
        side = "left" if key < root.key else "right"
        child = getattr(root, side)
        if child is None:
            setattr(root, side, Node(key))
            return
        root = child


def depth(node):
    return 0 if node is None else 1 + max(depth(node.left), depth(node.right))


def tree():
    root, x = Node(1 << 30), 12345
    for _ in range(6000):
        x = (x * 1103515245 + 12345) & 0x7fffffff
        insert(root, x)
    return depth(root)


def queens(n, row=0, cols=0, d1=0, d2=0):
    if row == n:
        return 1
    total = 0
    for c in range(n):
        if not (cols >> c & 1 or d1 >> (row + c) & 1 or d2 >> (row - c + n) & 1):
            total += queens(n, row + 1, cols | 1 << c, d1 | 1 << (row + c), d2 | 1 << (row - c + n))
    return total


def records():
    data = [{"id": i, "name": f"n{i}", "v": [i * j / 7 for j in range(8)], "ok": i % 3 == 0} for i in range(1200)]
    text = json.dumps(data)
    return len(text), json.loads(text)[77]["v"][3]


def patterns():
    text = " ".join(f"user{i}@host{i % 17}.example.org x={i * i}" for i in range(2500))
    return len(re.findall(r"(\w+)@(\w+)\.example\.org", text)), len(re.sub(r"\d+", lambda m: str(int(m[0]) % 97), text))


def floats():
    return round(sum(math.sin(i) * math.sqrt(i) / (1 + i % 7) for i in range(1, 40000)), 6)


for _ in range(2):
    print(tree(), queens(6), records(), patterns(), floats(), hashlib.sha1(b"x" * 100000).hexdigest(),
          pow(3, 10 ** 5 + 7, 10 ** 60 + 9))
