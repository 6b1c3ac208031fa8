import { onChange, read, set } from "./basket.js";
import { price } from "./price.js";

const element = document.querySelector("#basket");
const body = element.querySelector("[data-basket-body]");
// Imported, not cloned: in a template’s own document a relative address leads nowhere.
const template = (name) =>
  document.importNode(document.querySelector(`#${name}`).content, true);
const shelf = JSON.parse(document.querySelector("#shelf").textContent);

const inStock = () => Object.entries(read()).filter(([slug]) => slug in shelf);

const line = ([slug, quantity]) => {
  const { name, cents, image, page, tone } = shelf[slug];
  const row = template("basket-line");
  const part = (key) => row.querySelector(`[data-${key}]`);
  part("image").src = image;
  part("tone").classList.add(`tone-${tone}`);
  Object.assign(part("name"), { textContent: name, href: page });
  part("quantity").textContent = quantity;
  part("price").textContent = price(cents * quantity);
  for (const [key, step, label] of [["less", -1, "One less"], ["more", 1, "One more"]]) {
    part(key).setAttribute("aria-label", `${label}: ${name}`);
    part(key).dataset.slug = slug;
    part(key).addEventListener("click", () => set(slug, quantity + step));
  }
  return row;
};

const full = (lines) => {
  const filled = template("basket-full");
  const sum = lines.reduce((cents, [slug, quantity]) => cents + shelf[slug].cents * quantity, 0);
  filled.querySelector("[data-lines]").append(...lines.map(line));
  filled.querySelector("[data-sum]").textContent = price(sum);
  filled.querySelector("[data-review]").search = new URLSearchParams(lines);
  return filled;
};

const empty = () => {
  const nothing = template("basket-empty");
  nothing.querySelector("img").src = new URL("../img/empty-basket.svg", import.meta.url);
  return nothing;
};

// A redraw replaces the button that was pressed: focus goes to its successor.
const keepFocus = (redraw) => {
  const { slug } = document.activeElement?.dataset ?? {};
  const kind = document.activeElement?.matches("[data-less]") ? "less" : "more";
  redraw();
  if (slug) (body.querySelector(`[data-${kind}][data-slug="${slug}"]`) ?? element).focus();
};

const draw = () => {
  const lines = inStock();
  keepFocus(() => body.replaceChildren(lines.length ? full(lines) : empty()));
};

export const open = () => bootstrap.Offcanvas.getOrCreateInstance(element).show();

onChange(draw);
draw();
