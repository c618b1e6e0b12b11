#!/usr/bin/env python3
"""Writes what `opa check` says of each case into the case files beside this script.

A case: `=== name [v0] [strict]`, modules parted by `---` lines, then `>>>` and one line per error: code, row,
the first line of the message. A module without a package clause gets `package a`. No error line: the case is accepted.
`judge.py [file..]`; needs `opa` on the path."""
import json, os, subprocess, sys, tempfile

here = os.path.dirname(os.path.abspath(__file__))


def judge(flags, modules):
    with tempfile.TemporaryDirectory() as d:
        names = []
        for i, m in enumerate(modules):
            name = "abcdefgh"[i] + ".rego"
            if not m.startswith("package "):
                m = "package a\n" + m
            open(os.path.join(d, name), "w").write(m)
            names.append(name)
        cmd = ["opa", "check", "--format", "json", "--max-errors", "10"]
        if "strict" in flags:
            cmd.append("--strict")
        if "v0" in flags:
            cmd.append("--v0-compatible")
        p = subprocess.run(cmd + names, cwd=d, capture_output=True, text=True)
        if p.returncode == 0:
            return []
        errors = json.loads(p.stdout or p.stderr)["errors"]
        out = []
        for e in errors:
            row = (e.get("location") or {}).get("row", 0)
            out.append("%s %d %s" % (e["code"], row, e["message"].split("\n")[0]))
        return sorted(out)


def main():
    files = sys.argv[1:] or sorted(f for f in os.listdir(here) if f.endswith(".txt"))
    for f in files:
        path = os.path.join(here, os.path.basename(f))
        out = []
        for case in open(path).read().split("=== ")[1:]:
            title, _, rest = case.partition("\n")
            source = rest.split(">>>\n")[0].rstrip("\n")
            modules = [m.strip("\n") + "\n" for m in source.split("\n---\n")]
            out.append("=== %s\n%s\n>>>\n%s" % (title, source, "".join(e + "\n" for e in judge(title.split()[1:], modules))))
        open(path, "w").write("".join(out))


main()
