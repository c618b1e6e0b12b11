#!/usr/bin/env bash
# Proves the shipped library with the tools it is written for: gator (suites and sets) and, if it is there, opa (style of the Rego).
# Usage: tests/library/verify.sh    (gator on PATH, or GATOR=/path/to/gator)
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.."

gator=${GATOR:-gator}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
failed=0
fail() {
  echo "FAIL $*" >&2
  failed=1
}

# 1. Every folder is complete in itself.
headings='## What
## Why
## Denied
## Allowed
## Parameters
## Exemptions'
for template in library/*/*/template.yaml; do
  folder=$(dirname "$template")
  for file in README.md suite.yaml samples/constraint.yaml; do
    [ -f "$folder/$file" ] || fail "$folder: no $file"
  done
  compgen -G "$folder/samples/allowed-*.yaml" >/dev/null || fail "$folder: no allowed sample"
  compgen -G "$folder/samples/denied-*.yaml" >/dev/null || fail "$folder: no denied sample"
  [ "$(grep '^## ' "$folder/README.md")" = "$headings" ] || fail "$folder/README.md: headings differ from the fixed ones"
  for sample in "$folder"/samples/*.yaml; do
    grep -q "samples/$(basename "$sample")\$" "$folder/suite.yaml" || fail "$sample: not in the suite"
  done
  grep -q 'message: ' "$folder/suite.yaml" || fail "$folder/suite.yaml: expects no message"
  if command -v opa >/dev/null; then
    rego="$work/$(basename "$folder").rego"
    sed -e '1,/^ *rego: |$/d' -e 's/^ \{14\}//' "$template" >"$rego"
    opa check --strict "$rego" || fail "$template: opa check"
    [ -z "$(opa fmt -l "$rego")" ] || fail "$template: not in the form of opa fmt"
  fi
done

# 2. The suites hold.
"$gator" verify ./library/... || fail "gator verify"

templates=()
for template in library/*/*/template.yaml; do
  templates+=(-f "$template")
done

# 3. The sets give the verdicts of the Pod Security Standards: one line a Pod in expected.tsv.
column=1
for level in baseline restricted; do
  column=$((column + 1))
  tail -n +2 tests/library/conformance/expected.tsv | cut -f1,"$column" |
    while IFS=$'\t' read -r pod names; do
      for name in $names; do
        [ "$name" = - ] || echo "$pod $name"
      done
    done | sort >"$work/$level.want"
  "$gator" test "${templates[@]}" -f "policies/pod-security-$level" -f tests/library/conformance/pods.yaml >"$work/$level.out" 2>"$work/$level.err" || true
  sed -En 's/^v1\/Pod ([^:]+): \["([^"]+)"\] Message: .*/\1 \2/p' "$work/$level.out" | sort -u >"$work/$level.got"
  if [ -s "$work/$level.err" ] || ! diff "$work/$level.want" "$work/$level.got"; then
    cat "$work/$level.err" >&2
    fail "policies/pod-security-$level: verdicts differ (< wanted, > got)"
  else
    echo "ok	policies/pod-security-$level	$(wc -l <"$work/$level.got") findings as expected"
  fi
done

# 4. Restricted holds all of baseline, but for the control that volume-types takes in.
for constraint in policies/pod-security-baseline/*.yaml; do
  name=$(basename "$constraint")
  [ "$name" = host-path-volumes.yaml ] || [ -f "policies/pod-security-restricted/$name" ] || fail "policies/pod-security-restricted: no $name"
done

# 5. The index is the one that these files give.
tests/library/index.sh | diff docs/policies.md - || fail "docs/policies.md: write it anew with tests/library/index.sh"

exit "$failed"
