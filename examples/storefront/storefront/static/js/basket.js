// The basket: product slug → quantity, kept in this browser.

const KEY = "basket";
const MOST = 20;
const changes = new EventTarget();

let memory = {}; // What is left when storage is blocked.

export const read = () => {
  try {
    return JSON.parse(localStorage.getItem(KEY)) ?? {};
  } catch {
    return memory;
  }
};

const write = (basket) => {
  memory = basket;
  try {
    localStorage.setItem(KEY, JSON.stringify(basket));
  } catch {
    // Kept for this page only.
  }
  changes.dispatchEvent(new Event("change"));
};

export const set = (slug, quantity) => {
  const { [slug]: _, ...others } = read();
  write(quantity > 0 ? { ...others, [slug]: Math.min(quantity, MOST) } : others);
};

export const add = (slug, quantity) => set(slug, (read()[slug] ?? 0) + quantity);

export const count = () => Object.values(read()).reduce((sum, quantity) => sum + quantity, 0);

export const onChange = (listener) => {
  changes.addEventListener("change", listener);
  addEventListener("storage", listener); // Another tab changed it.
};
