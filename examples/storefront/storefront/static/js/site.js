import { add, count, onChange } from "./basket.js";
import { greet } from "./season.js";
import { themeButton } from "./theme-button.js";

const badge = document.querySelector("[data-basket-count]");
const status = document.querySelector("[data-basket-status]");

// The panel's code is fetched when somebody first wants to see the basket.
const panel = () => import("./panel.js");

const showCount = () => {
  badge.textContent = count();
  badge.hidden = count() === 0;
};

const takeOver = (form) =>
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    for (const [slug, quantity] of new FormData(form)) add(slug, Number(quantity));
    status.textContent = `Added to the basket: ${form.dataset.add}.`;
    (await panel()).open();
  });

document.querySelectorAll("form[data-add]").forEach(takeOver);
document.querySelector("#basket").addEventListener("show.bs.offcanvas", panel, { once: true });
document.querySelectorAll("[data-season]").forEach(greet);
themeButton(document.querySelector("[data-theme-button]"));
onChange(showCount);
showCount();
