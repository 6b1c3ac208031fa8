// The basket: product slug → quantity.

import { load, save } from "./storage.js";

export { load as read } from "./storage.js";

const MOST = 20;
const changes = new EventTarget();

export const changed = () => changes.dispatchEvent(new Event("change"));

export const set = (slug, quantity) => {
  const { [slug]: _, ...others } = load();
  save(quantity > 0 ? { ...others, [slug]: Math.min(quantity, MOST) } : others);
  changed();
};

export const add = (slug, quantity) => set(slug, (load()[slug] ?? 0) + quantity);

export const count = () => Object.values(load()).reduce((sum, quantity) => sum + quantity, 0);

export const onChange = (listener) => changes.addEventListener("change", listener);
