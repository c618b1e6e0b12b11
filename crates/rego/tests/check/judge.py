#!/usr/bin/env python3
"""Writes what `opa check` and `opa check --strict` say of each case into the case files beside this script.

A case: `=== name [v0] [strict]`, modules parted by `---` lines, then `>>>` and one line per error: code, row,
the first line of the message. A module without a package clause gets `package a`. No error line: the case is accepted.
Where strict mode says something else, that follows a line `>>> strict`; a case with the word `strict` is judged only so. With the word `differs`
Regent knowingly says something else (docs/rego.md).
`judge.py [file..]`; needs `opa` on the path."""
import json, os, subprocess, sys, tempfile

here = os.path.dirname(os.path.abspath(__file__))


def judge(flags, modules, strict):
    with tempfile.TemporaryDirectory() as d:
        names = []
        for i, m in enumerate(modules):
            name = "abcdefgh"[i] + ".rego"
            if not m.startswith("package "):
                m = "package a\n" + m
            open(os.path.join(d, name), "w").write(m)
            names.append(name)
        cmd = ["opa", "check", "--format", "json", "--max-errors", "10"]
        if strict:
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
            flags = title.split()[1:]
            said = judge(flags, modules, "strict" in flags)
            text = "=== %s\n%s\n>>>\n%s" % (title, source, "".join(e + "\n" for e in said))
            if "strict" not in flags:
                strictly = judge(flags, modules, True)
                if strictly != said:
                    text += ">>> strict\n" + "".join(e + "\n" for e in strictly)
            out.append(text)
        open(path, "w").write("".join(out))


main()
