// npm install && node build.mjs [FOLDER]: writes the library, and the licences of what is in it.
import { readFile, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const here = dirname(fileURLToPath(import.meta.url));
const folder = process.argv[2] ?? join(here, "..", "page");
const require = createRequire(import.meta.url);
const library = dirname(require.resolve("echarts/package.json"));
const packages = dirname(library);
const read = (...path) => readFile(join(packages, ...path), "utf8");
const { version } = JSON.parse(await read("echarts", "package.json"));

await build({
  entryPoints: [join(here, "treemap.mjs")],
  outfile: join(folder, "echarts.js"),
  bundle: true,
  minify: true,
  charset: "ascii",
  format: "iife",
  globalName: "echarts",
  target: "es2020",
  legalComments: "none",
  banner: { js: `/* Apache ECharts ${version}, https://echarts.apache.org, Apache License 2.0 */` },
  logLevel: "warning",
});

const licences = [
  ["Apache ECharts", "echarts", "LICENSE"],
  ["d3.js, of which Apache ECharts has a part", "echarts", "licenses", "LICENSE-d3"],
  ["ZRender", "zrender", "LICENSE"],
  ["tslib", "tslib", "LICENSE.txt"],
];
const texts = [];
for (const [title, ...path] of licences) {
  const text = (await read(...path)).replaceAll("\r\n", "\n").trim();
  texts.push(`${title}\n${"=".repeat(title.length)}\n\n${text}\n`);
}
await writeFile(join(folder, "echarts.LICENSE"), texts.join("\n\n"));
await writeFile(join(folder, "echarts.NOTICE"), `${(await read("echarts", "NOTICE")).trim()}\n`);
