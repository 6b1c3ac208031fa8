// References in style sheets by PostCSS and postcss-value-parser.
// stdin: ["/path", …]; stdout: {"/path": [[start, stop, text, kind], …]}, in bytes, with
// the quotes left out and escapes as they are written; kind is "url" or "map".
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(join(process.cwd(), "package.json"));
const postcss = require("postcss");
const parseValue = require("postcss-value-parser");

// Browsers take a string here for a URL.
const SETS = new Set(["image-set", "-webkit-image-set"]);
// Their preludes name no file to fetch.
const CONDITIONS = new Set(["namespace", "document", "-moz-document", "supports"]);

function find(css) {
  const found = [];
  const add = (node, offset) => {
    const start = offset + node.sourceIndex + (node.type === "string" ? 1 : 0);
    if (node.value) found.push([start, start + node.value.length, node.value, "url"]);
  };
  const value = (text, offset) => {
    parseValue(text).walk((node) => {
      if (node.type !== "function") return;
      const name = node.value.toLowerCase();
      if (name === "url" || name === "src") {
        const first = node.nodes.find((inner) => inner.type === "string" || inner.type === "word");
        if (first) add(first, offset);
      } else if (SETS.has(name)) {
        node.nodes.filter((inner) => inner.type === "string").forEach((inner) => add(inner, offset));
      }
    });
  };
  const textOf = (node, name) => node.raws[name]?.raw ?? node[name];
  const offsetOf = (text, node, after) => css.indexOf(text, node.source.start.offset + after);
  let map = null;
  postcss.parse(css, { map: false }).walk((node) => {
    if (node.type === "decl") {
      const text = textOf(node, "value");
      value(text, offsetOf(text, node, node.prop.length));
    } else if (node.type === "atrule" && node.params && !CONDITIONS.has(node.name.toLowerCase())) {
      const text = textOf(node, "params");
      const offset = offsetOf(text, node, 1 + node.name.length);
      if (node.name.toLowerCase() === "import") {
        const first = parseValue(text).nodes.find((inner) => inner.type !== "comment");
        if (first?.type === "string") add(first, offset);
      }
      value(text, offset);
    } else if (node.type === "comment") {
      const match = /^[#@]\s*sourceMappingURL=(\S+)$/.exec(node.text);
      if (match) {
        const start = css.indexOf(match[1], node.source.start.offset);
        map = [start, start + match[1].length, match[1], "map"];
      }
    }
  });
  if (map) found.push(map);
  return found;
}

const answers = {};
for (const path of JSON.parse(readFileSync(0, "utf8"))) {
  // As Latin-1, a character is a byte, and nothing that is not ASCII means anything in CSS's syntax.
  answers[path] = find(readFileSync(path, "latin1"));
}
process.stdout.write(JSON.stringify(answers));
