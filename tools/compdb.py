#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Writes compile_commands.json, for clang-tidy and clangd: compdb.py OUT "COMPILER FLAGS" FILE..."""
import json
import os
import sys

out, command, files = sys.argv[1], sys.argv[2], sys.argv[3:]
db = [{"directory": os.getcwd(), "file": f, "command": f"{command} -c {f}"} for f in files]
with open(out, "w") as f:
    json.dump(db, f, indent=1)
