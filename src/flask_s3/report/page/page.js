
"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const { codecs, kinds, caches, names } = data;

  // -- words and elements

  const make = (tag, attributes = {}, ...children) => {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (name === "onclick" || name === "oninput" || name === "onchange") {
        element.addEventListener(name.slice(2), value);
      } else if (value !== null && value !== false) element.setAttribute(name, value);
    }
    element.append(...children.filter((child) => child !== null));
    return element;
  };
  const number = new Intl.NumberFormat("en");
  const count = (n, noun) => `${number.format(n)} ${noun}${n === 1 ? "" : "s"}`;
  const size = (bytes) => {
    let rest = bytes;
    for (const unit of ["B", "kB", "MB", "GB"]) {
      if (rest < 1000) return unit === "B" ? `${rest} B` : `${rest.toFixed(1)} ${unit}`;
      rest /= 1000;
    }
    return `${rest.toFixed(1)} TB`;
  };
  const percent = (part, whole) => (whole ? `${Math.round((100 * part) / whole)}%` : "0%");
  const collator = new Intl.Collator("en", { numeric: true });
  // Lines are broken after a slash rather than anywhere.
  const pathOf = (path) => {
    const parts = path.split("/");
    const name = parts.pop();
    const folders = parts.flatMap((part) => [`${part}/`, make("wbr")]);
    return make("span", { class: "path" }, parts.length ? make("span", { class: "folder" }, ...folders) : null, name);
  };
  const place = ([name, line]) => (line ? `${names[name]}:${line}` : `${names[name]} (computed import)`);
  const listed = (summary, lines) => {
    const shown = make("details", {}, make("summary", {}, summary));
    // Filled when it is opened: of many rows few are.
    shown.addEventListener("toggle", () => {
      if (shown.children.length === 1) shown.append(make("ul", {}, ...lines.map((line) => make("li", {}, pathOf(line)))));
    });
    return shown;
  };
  let ids = 0;
  const labelled = (text, control, kind) => {
    control.id = `control-${(ids += 1)}`;
    return make("div", { class: kind }, make("label", { for: control.id }, text), control);
  };
  const select = (options, onchange) =>
    make("select", { onchange }, ...options.map(([value, text]) => make("option", { value }, text)));

  // -- tables: sorted, searched and shown a page at a time

  // columns: title, key(row) to sort by, cell(row); first: "down" where the largest is of interest;
  //   number, wide, short: how a cell is laid out
  // search: the text of a row that is searched; a table without it has neither search nor filters
  // filters: [label, [[text, test(row)], ...]]; page: how many rows are shown; sort: by which column
  const tableIn = (box, { caption, noun, columns, rows, search, filters = [], page = 25, sort = 0 }) => {
    const state = { sort, down: columns[sort].first === "down", page: 0, found: rows };
    const chosen = filters.map(() => 0);
    const status = make("p", { class: "status", role: "status" });
    const body = make("tbody", { role: "rowgroup" });
    const input = make("input", { type: "search", autocomplete: "off", spellcheck: "false", oninput: () => refresh() });
    const heads = columns.map((column, index) => {
      const mark = make("i", { "aria-hidden": "true" });
      const button = make("button", { type: "button", class: "sort", onclick: () => sortBy(index) }, ...(column.number ? [mark, column.title] : [column.title, mark]));
      return make("th", { scope: "col", role: "columnheader", class: column.number ? "number" : "" }, button);
    });
    const cell = (column, row, index) => {
      const kind = ["number", "wide", "short"].filter((name) => column[name]).join(" ");
      const content = [column.cell(row)].flat();
      if (index === 0) return make("th", { scope: "row", role: "rowheader" }, ...content);
      const label = make("span", { class: "unit", "aria-hidden": "true" }, column.title);
      return make("td", { role: "cell", class: kind || null }, label, ...content);
    };
    const turn = (by) => {
      const last = Math.ceil(state.found.length / page) - 1;
      const next = state.page + by;
      if (next < 0 || next > last) return;
      state.page = next;
      show();
      status.scrollIntoView({ block: "nearest" });
    };
    const back = make("button", { type: "button", class: "button", onclick: () => turn(-1) }, "Previous");
    const on = make("button", { type: "button", class: "button", onclick: () => turn(1) }, "Next");
    const pager = make("nav", { class: "pager", "aria-label": `Pages of ${caption}` }, back, on);
    const show = () => {
      const from = state.page * page;
      const rowsShown = state.found.slice(from, from + page);
      body.replaceChildren(
        ...rowsShown.map((row) => make("tr", { role: "row" }, ...columns.map((column, index) => cell(column, row, index)))),
      );
      const all = count(rows.length, noun);
      const part = state.found.length > page ? `, ${number.format(from + 1)} to ${number.format(from + rowsShown.length)} shown` : "";
      status.textContent = `${state.found.length === rows.length ? "" : `${number.format(state.found.length)} of `}${all}${part}`;
      table.hidden = state.found.length === 0;
      pager.hidden = state.found.length <= page;
      back.setAttribute("aria-disabled", String(from === 0));
      on.setAttribute("aria-disabled", String(from + page >= state.found.length));
      heads.forEach((head, index) => {
        const here = index === state.sort;
        if (here) head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
        else head.removeAttribute("aria-sort");
        head.querySelector("i").textContent = here ? (state.down ? "↓" : "↑") : "";
      });
    };
    const refresh = () => {
      const wanted = input.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
      const tests = filters.map(([, options], index) => options[chosen[index]][1]);
      state.found = rows.filter((row) => {
        if (!tests.every((test) => test(row))) return false;
        if (!wanted.length) return true;
        const text = search(row).toLowerCase();
        return wanted.every((word) => text.includes(word));
      });
      order();
      state.page = 0;
      show();
    };
    const order = () => {
      const { key } = columns[state.sort];
      const sign = state.down ? -1 : 1;
      const keyed = state.found.map((row, index) => [key(row), index, row]);
      keyed.sort(([a, at], [b, bt]) => sign * (typeof a === "number" ? a - b : collator.compare(a, b)) || at - bt);
      state.found = keyed.map(([, , row]) => row);
    };
    const sortBy = (index) => {
      state.down = index === state.sort ? !state.down : columns[index].first === "down";
      state.sort = index;
      refresh();
    };
    const tools = make(
      "div",
      { class: "tools", role: "search", "aria-label": caption },
      labelled("Search", input, "grow"),
      ...filters.map(([label, options], at) => {
        const control = select(
          options.map(([text], index) => [index, text]),
          () => {
            chosen[at] = Number(control.value);
            refresh();
          },
        );
        control.dataset.filter = label;
        return labelled(label, control, "pick");
      }),
    );
    const head = make("thead", { role: "rowgroup" }, make("tr", { role: "row" }, ...heads));
    const table = make("table", { role: "table" }, make("caption", { class: "hidden" }, caption), head, body);
    box.replaceChildren(...(search && rows.length > 10 ? [tools] : []), status, table, pager);
    refresh();
  };

  // -- files

  const files = data.files.map(([path, published, kind, raw, encoded, cache, referrers, byName, twins, change]) => ({
    path, published, kind, raw, encoded, cache, referrers, byName, twins, change,
    sent: [raw, ...encoded.map((bytes) => (bytes < 0 ? raw : bytes))],
    words: `${path} ${published}`,
  }));
  const referredBy = (file) => {
    const found = file.referrers;
    if (found.length === 1) return pathOf(place(found[0]));
    if (found.length) return listed(count(found.length, "place"), found.map(place));
    if (file.byName) return make("span", { class: "none" }, "asked for by its name");
    return make("span", { class: "tag" }, "nobody");
  };
  const notesOf = (file) => {
    const notes = [];
    if (file.twins.length === 1) notes.push(make("div", { class: "note" }, "Same bytes as ", pathOf(names[file.twins[0]])));
    else if (file.twins.length) {
      notes.push(make("div", { class: "note" }, listed(`Same bytes as ${file.twins.length} others`, file.twins.map((twin) => names[twin]))));
    }
    if (file.change) notes.push(make("div", { class: "note" }, file.change === "added" ? "Not in the release in force" : "Changed since the release in force"));
    return notes;
  };
  const used = (list, of) => list.map((_, index) => index).filter((index) => files.some((file) => file[of] === index));
  const every = () => true;
  const shows = [
    ["All files", every],
    ["Nobody refers to it", (file) => !file.referrers.length && !file.byName],
    ["Duplicates", (file) => file.twins.length],
  ];
  if (codecs.length) shows.push(["Without a compressed form", (file) => file.encoded.every((bytes) => bytes < 0)]);
  if (data.changes !== null) shows.push(["Differs from the release", (file) => file.change]);
  tableIn(document.getElementById("files-view"), {
    caption: "Files",
    noun: "file",
    rows: files,
    search: (file) => file.words,
    sort: 2,
    filters: [
      ["Show", shows],
      ["Type", [["All types", every], ...used(kinds, "kind").map((kind) => [kinds[kind], (file) => file.kind === kind])]],
      [
        "Cache policy",
        [["All policies", every], ...used(caches, "cache").map((cache) => [caches[cache][0] || "not set", (file) => file.cache === cache])],
      ],
    ],
    columns: [
      { title: "File", key: (file) => file.path, cell: (file) => [pathOf(file.path), ...notesOf(file)] },
      { title: "Type", short: true, key: (file) => kinds[file.kind], cell: (file) => kinds[file.kind] },
      { title: "raw", number: true, first: "down", key: (file) => file.raw, cell: (file) => size(file.raw) },
      ...codecs.map((codec, index) => ({
        title: codec,
        number: true,
        first: "down",
        key: (file) => file.encoded[index],
        cell: (file) => (file.encoded[index] < 0 ? make("span", { class: "none" }, "none") : size(file.encoded[index])),
      })),
      { title: "Cache policy", short: true, key: (file) => caches[file.cache][1], cell: (file) => caches[file.cache][1] },
      { title: "Referred to by", wide: true, key: (file) => file.referrers.length || (file.byName ? 0.5 : 0), cell: referredBy },
    ],
  });

  for (const link of document.querySelectorAll("[data-show]")) {
    link.addEventListener("click", () => {
      const control = document.querySelector('#files-view [data-filter="Show"]');
      control.value = shows.findIndex(([text]) => text === link.dataset.show);
      control.dispatchEvent(new Event("change"));
    });
  }

  // -- what is wrong, and what differs

  const levels = { 1: ["remark", "none"], 2: ["warning", "warn"], 3: ["error", "alarm"] };
  if (data.problems.length) {
    const found = [3, 2, 1].filter((level) => data.problems.some((problem) => problem[0] === level));
    tableIn(document.getElementById("wrong-view"), {
      caption: "Dead references",
      noun: "place",
      rows: data.problems,
      page: 10,
      search: ([, file, line, text]) => `${file}:${line} ${text}`,
      sort: 1,
      filters: [["Show", [["All levels", every], ...found.map((level) => [`Only ${levels[level][0]}s`, (problem) => problem[0] === level])]]],
      columns: [
        { title: "Place", key: ([, file, line]) => `${file}:${String(line).padStart(7, "0")}`, cell: ([, file, line]) => pathOf(`${file}:${line}`) },
        {
          title: "Level",
          first: "down",
          key: ([level]) => level,
          cell: ([level]) => make("span", { class: levels[level][1] }, levels[level][0]),
        },
        { title: "What is wrong", wide: true, key: ([, , , text]) => text, cell: ([, , , text]) => text },
      ],
    });
  }
  if (data.changes !== null && data.changes.length) {
    const colours = { added: "good", removed: "alarm", changed: "warn" };
    const bytes = (value) => (value === null ? make("span", { class: "none" }, "none") : size(value));
    const grown = ([, , before, after]) => (after ?? 0) - (before ?? 0);
    tableIn(document.getElementById("difference-view"), {
      caption: "Difference to the release in force",
      noun: "file",
      rows: data.changes,
      page: 10,
      search: ([, name]) => name,
      filters: [
        ["Show", [["All differences", every], ...Object.keys(colours).map((kind) => [`Only ${kind}`, (change) => change[0] === kind])]],
      ],
      columns: [
        { title: "File", key: ([, name]) => name, cell: ([, name]) => pathOf(name) },
        { title: "Difference", key: ([kind]) => kind, cell: ([kind]) => make("span", { class: colours[kind] }, kind) },
        { title: "In the release", number: true, first: "down", key: ([, , before]) => before ?? -1, cell: ([, , before]) => bytes(before) },
        { title: "Now", number: true, first: "down", key: ([, , , after]) => after ?? -1, cell: ([, , , after]) => bytes(after) },
        {
          title: "Growth",
          number: true,
          first: "down",
          key: grown,
          cell: (change) => `${grown(change) < 0 ? "−" : "+"}${size(Math.abs(grown(change)))}`,
        },
      ],
    });
  }

  // -- where the bytes are: a treemap, and the same in figures

  const forms = ["raw", ...codecs];
  const view = { form: 0, byKind: false, trail: [] };
  const node = (name) => ({ name, files: 0, sent: forms.map(() => 0), kinds: new Map(), inside: new Map() });
  const tally = (into, file) => {
    into.files += 1;
    file.sent.forEach((bytes, form) => (into.sent[form] += bytes));
  };
  const add = (into, file) => {
    tally(into, file);
    if (!into.kinds.has(file.kind)) into.kinds.set(file.kind, node(kinds[file.kind]));
    tally(into.kinds.get(file.kind), file);
  };
  // A folder with nothing in it but another folder is one step with that one.
  const shortened = (of) => {
    const [only] = of.inside.values();
    if (of.inside.size === 1 && only.inside.size) {
      return shortened({ ...only, name: of.name ? `${of.name}/${only.name}` : only.name });
    }
    of.inside = new Map([...of.inside.values()].map(shortened).map((child) => [child.name, child]));
    return of;
  };
  const tree = (byKind) => {
    const root = node(byKind ? "All types" : "");
    for (const file of files) {
      const way = file.path.split("/");
      if (byKind) way.unshift(kinds[file.kind]);
      let at = root;
      add(at, file);
      for (const name of way) {
        if (!at.inside.has(name)) at.inside.set(name, node(name));
        at = at.inside.get(name);
        add(at, file);
      }
    }
    if (!byKind) {
      const whole = shortened(root);
      whole.name ||= "All files";
      return whole;
    }
    for (const [name, kind] of root.inside) root.inside.set(name, { ...shortened(kind), name });
    return root;
  };
  const trees = new Map();
  const root = () => {
    if (!trees.has(view.byKind)) trees.set(view.byKind, tree(view.byKind));
    return trees.get(view.byKind);
  };
  const here = () => view.trail.reduce((at, name) => at.inside.get(name), root());
  const children = (of) => [...of.inside.values()].sort((a, b) => b.sent[view.form] - a.sent[view.form]);
  const mainKind = (of) => {
    const [most] = [...of.kinds].sort(([, a], [, b]) => b.sent[view.form] - a.sent[view.form]);
    return most[0];
  };

  const switchOf = (legend, options, onchange) => {
    const name = `switch-${(ids += 1)}`;
    const parts = options.map((text, index) => {
      const radio = make("input", { type: "radio", name, value: index, onchange: () => onchange(index) });
      radio.checked = index === 0;
      return make("label", {}, radio, make("span", {}, text));
    });
    return make("fieldset", {}, make("legend", {}, legend), make("div", { class: "switch" }, ...parts));
  };
  const trail = make("ol", { class: "trail" });
  const box = make("div", { class: "chart", role: "img" });
  const told = make("p", { class: "told quiet", "aria-hidden": "true" });
  const figures = make("div");
  const swatches = used(kinds, "kind").map((kind) => make("li", { class: `k${kind}` }, make("i"), kinds[kind]));
  const legend = make("ul", { class: "legend", "aria-label": "Colours" }, ...swatches);
  document.getElementById("bytes-view").replaceChildren(
    make(
      "div",
      { class: "tools" },
      forms.length > 1 ? switchOf("Bytes", forms, (form) => ((view.form = form), update())) : null,
      switchOf("By", ["folder", "type"], (by) => ((view.byKind = by === 1), (view.trail = []), update())),
    ),
    make("nav", { "aria-label": "Folder that is shown" }, trail),
    box,
    told,
    legend,
    figures,
  );
  const go = (way, focus) => {
    view.trail = way;
    update();
    if (focus) trail.querySelector("[aria-current]").focus();
  };
  const showTrail = () => {
    const steps = [root().name, ...view.trail];
    trail.replaceChildren(
      ...steps.map((name, depth) => {
        const last = depth === steps.length - 1;
        if (last) return make("li", {}, make("span", { "aria-current": "location", tabindex: "-1" }, name));
        return make("li", {}, make("button", { type: "button", class: "text", onclick: () => go(view.trail.slice(0, depth), true) }, name));
      }),
    );
  };
  const showFigures = () => {
    const rows = children(here());
    const saved = (of, form) => of.sent[0] - of.sent[form];
    tableIn(figures, {
      caption: `What is in ${[root().name, ...view.trail].join("/")}`,
      noun: "item",
      rows,
      page: 10,
      sort: view.form + 2,
      columns: [
        {
          title: "Name",
          key: (of) => of.name,
          cell: (of) =>
            of.inside.size
              ? make("button", { type: "button", class: "text path", onclick: () => go([...view.trail, of.name], true) }, of.name)
              : make("span", { class: "path" }, of.name),
        },
        { title: "Files", number: true, first: "down", key: (of) => of.files, cell: (of) => number.format(of.files) },
        ...forms.map((form, index) => ({ title: form, number: true, first: "down", key: (of) => of.sent[index], cell: (of) => size(of.sent[index]) })),
        ...codecs.map((codec, index) => ({
          title: `${codec} saves`,
          number: true,
          first: "down",
          key: (of) => saved(of, index + 1),
          cell: (of) => `${size(saved(of, index + 1))}, ${percent(saved(of, index + 1), of.sent[0])}`,
        })),
      ],
    });
  };

  let chart = null;
  let tiles = [];  // what each tile stands for: the library copies all that it is given
  const most = 400;
  const smallest = 5000; // CSS pixels, squared
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  // A tile too small for a word has none.
  const leaf = (of, way, into, kind, palette) => ({
    name: of.name,
    value: of.sent[view.form],
    tile: tiles.push({ of, way, into }) - 1,
    itemStyle: { color: palette[kind] },
    label: { show: (of.sent[view.form] / here().sent[view.form]) * box.clientWidth * box.clientHeight > smallest },
  });
  // Folders are divided into types, and types into folders.
  const tile = (of, palette) => {
    const way = [...view.trail, of.name];
    const into = of.inside.size ? way : null;
    const whole = leaf(of, way, into, mainKind(of), palette);
    if (into === null) return whole;
    const parts =
      view.byKind && !view.trail.length
        ? children(of).slice(0, most).map((child) => leaf(child, [...way, child.name], way, mainKind(child), palette))
        : [...of.kinds].map(([kind, part]) => leaf(part, [...way, part.name], way, kind, palette));
    return { ...whole, children: parts.filter((part) => part.value) };
  };
  const draw = () => {
    box.hidden = told.hidden = legend.hidden = here().sent[view.form] === 0;
    if (box.hidden) return;
    if (chart === null) {
      chart = echarts.init(box, null, { renderer: "canvas" });
      chart.on("click", ({ data }) => {
        const found = tiles[data?.tile];
        if (found?.into) go(found.into, false);
      });
      chart.on("mouseover", ({ data }) => {
        const found = tiles[data?.tile];
        if (found) tell(found.of, found.way);
      });
      chart.on("globalout", () => tell(null));
      new ResizeObserver(() => chart.resize()).observe(box);
    }
    const palette = kinds.map((_, kind) => colour(`--k${kind}`));
    const [card, text, wash] = ["--card", "--text", "--wash"].map(colour);
    const font = getComputedStyle(document.body).fontFamily;
    tiles = [];
    const data = children(here())
      .filter((of) => of.sent[view.form])
      .slice(0, most)
      .map((of) => tile(of, palette));
    const common = { borderColor: card, borderWidth: 1, gapWidth: 1 };
    const series = {
      type: "treemap",
      data,
      left: 0, top: 0, right: 0, bottom: 0,
      roam: false,
      nodeClick: false,
      animation: false,
      breadcrumb: { show: false },
      label: { position: "insideTopLeft", align: "left", color: "#fff", fontFamily: font, fontSize: 13, padding: [5, 6], formatter: ({ name, value }) => `${name}\n${size(value)}`, lineHeight: 17, overflow: "truncate" },
      upperLabel: { show: true, height: 24, color: text, fontFamily: font, fontSize: 13, padding: [0, 4], formatter: ({ name, value }) => `${name}  ${size(value)}` },
      itemStyle: common,
      levels: [
        { itemStyle: { ...common, borderWidth: 0, gapWidth: 4 }, upperLabel: { show: false } },
        { itemStyle: { ...common, borderColor: wash, borderWidth: 2 } },
        { itemStyle: common },
      ],
      emphasis: { itemStyle: { borderColor: text }, upperLabel: { color: text } },
    };
    chart.setOption({ textStyle: { fontFamily: font }, series: [series] }, true);
  };
  const tell = (of, way) => {
    if (of === null) {
      const at = here();
      told.textContent = `${size(at.sent[view.form])} in ${count(at.files, "file")}. Press a folder or type to go into it.`;
      return;
    }
    const saves = codecs.map((codec, index) => `${codec} ${size(of.sent[index + 1])}`);
    told.textContent = [way.join("/"), count(of.files, "file"), `raw ${size(of.sent[0])}`, ...saves].join(" · ");
  };
  const update = () => {
    const at = here();
    box.setAttribute("aria-label", `Treemap of ${[root().name, ...view.trail].join("/")}, ${size(at.sent[view.form])}. The table below has the same in figures.`);
    showTrail();
    showFigures();
    tell(null);
    draw();
  };
  // The page is painted first; the chart, which nobody can read before that, comes then.
  requestAnimationFrame(() => setTimeout(() => {
    update();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  }));
})();
