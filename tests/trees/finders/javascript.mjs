// References in scripts by es-module-lexer, and by a look around each `import.meta` that it finds.
// stdin: ["/path", …]; stdout: {"/path": [[start, stop, text, kind], …]}, in bytes, with the quotes
// left out; kind is "import", "url" (beside the module) or "map". It fails on what it cannot read.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const { init, parse } = require("es-module-lexer");
await init();

const QUOTED = String.raw`(?:\/\*(?:(?!\*\/)[\s\S])*\*\/\s*)?(["'` + "`" + String.raw`])([^"'\n$]*)\1`;
const BEFORE_URL = new RegExp(String.raw`\bnew\s+URL\(\s*${QUOTED}\s*,\s*$`);
const AFTER_RESOLVE = new RegExp(String.raw`^\.resolve\(\s*${QUOTED}\s*\)`);
const MAP = /^[ \t]*\/(?:\/|\*)[#@]\s*sourceMappingURL=([^\s'"*]+)(?:\s*\*\/)?\s*$/gm;
const LONGEST = 500;

function find(script, path) {
  const found = [];
  const add = (start, text, kind) => found.push([start, start + text.length, text, kind]);
  for (const one of parse(script, path)[0]) {
    if (one.type === "import-meta") {
      const before = script.slice(Math.max(0, one.start - LONGEST), one.start);
      const after = script.slice(one.end, one.end + LONGEST);
      const url = after.startsWith(".url") && BEFORE_URL.exec(before);
      const resolved = AFTER_RESOLVE.exec(after);
      const place = (match) => match.index + match[0].lastIndexOf(match[1] + match[2]) + 1;
      if (url) add(one.start - before.length + place(url), url[2], "url");
      if (resolved) add(one.end + place(resolved), resolved[2], "import");
    } else if (one.specifier !== undefined && !one.glob) {
      const start = script.indexOf(one.specifier, one.start);
      if (start < 0 || start >= one.end) throw new Error(`${path}: an escape in ${one.specifier}`);
      add(start, one.specifier, "import");
    }
  }
  const map = [...script.matchAll(MAP)].at(-1);
  if (map) add(map.index + map[0].indexOf(map[1]), map[1], "map");
  return found;
}

const answers = {};
for (const path of JSON.parse(readFileSync(0, "utf8"))) {
  // As Latin-1, a character is a byte. A byte order mark would be three of them.
  answers[path] = find(readFileSync(path, "latin1").replace(/^\xef\xbb\xbf/, "   "), path);
}
process.stdout.write(JSON.stringify(answers));
