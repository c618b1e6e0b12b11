#!/usr/bin/env bash
# Writes docs/policies.md from the templates, their READMEs and the sets. Usage: tests/library/index.sh > docs/policies.md
set -euo pipefail
export LC_ALL=C
cd "$(dirname "$0")/../.."

# value KEY FILE: the text after `KEY: ` where it stands first.
value() {
  sed -n "s|^ *$1: ||p" "$2" | head -n 1 | sed 's/^"\(.*\)"$/\1/'
}

cat <<'HEAD'
# Shipped policies

Written by `tests/library/index.sh`; do not edit.

The templates in [library/](../library) are Gatekeeper ConstraintTemplates and run in Gatekeeper unchanged. The sets in
[policies/](../policies) are constraints over them, ready to use: `regent check -p builtin:SET`. How policies are made and
named: [library/README.md](../library/README.md).

HEAD

for group in library/*/; do
  printf '## %s\n\n' "$(basename "$group")"
  echo '| policy | constraint kind | Pod Security Standards | parameters | about |'
  echo '|---|---|---|---|---|'
  for template in "$group"*/template.yaml; do
    folder=$(dirname "$template")
    control=$(value regent.dev/control "$template")
    level=$(value regent.dev/pod-security-standard "$template")
    # Parameters are the first column of the README's table; those of list items (`a[].b`) stay there.
    parameters=$(sed -n '/^## Parameters/,/^## Exemptions/s/^| \(`[A-Za-z]*`\) |.*/\1/p' "$folder/README.md" | paste -sd, - | sed 's/,/, /g')
    printf '| [%s](../%s/README.md) | `%s` | %s | %s | %s |\n' "$(basename "$folder")" "$folder" \
      "$(sed -n '/^      names:/,/kind:/s/^ *kind: //p' "$template")" \
      "${control:+\`$control\`: $level}" "${parameters:-}" "$(value description "$template")"
  done
  echo
done

printf '## Sets\n\n'
for set in policies/*/; do
  name=$(basename "$set")
  printf '### `builtin:%s`\n\n' "$name"
  [ -f "$set/README.md" ] && sed -n '3,$p' "$set/README.md" && echo
  echo '| constraint | kind | action |'
  echo '|---|---|---|'
  for constraint in "$set"*.yaml; do
    printf '| [%s](../%s) | `%s` | %s |\n' "$(value name "$constraint")" "$constraint" "$(value kind "$constraint")" "$(value enforcementAction "$constraint")"
  done
  echo
done
