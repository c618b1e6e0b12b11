// The workflow commands that @actions/core writes for a report of `regent check -o json` (standard input).
import { error, notice, warning } from '@actions/core'
import { readFileSync } from 'node:fs'

const { results } = JSON.parse(readFileSync(0, 'utf8'))
const commands = { deny: error, warn: warning, dryrun: notice }
for (const { file, line, column, object, constraint, enforcementAction, message } of results) {
  const name = object.namespace ? `${object.namespace}/${object.name}` : object.name
  const title = `${object.kind} ${name}: ${constraint.name}`
  commands[enforcementAction](message, { title, file, startLine: line, startColumn: column })
}
