// Searches the shelf while somebody types; without this script the form asks the server.

const form = document.querySelector("[data-search]");
const wares = [...document.querySelectorAll(".wares > li")];
const nothing = document.querySelector("[data-nothing]");
const status = document.querySelector("[data-found]");
const worker = new Worker(form.dataset.search);

const text = (ware) =>
  [...ware.querySelectorAll("h3, .soft")].map((part) => part.textContent).join(" ");

const show = ({ data: found }) => {
  wares.forEach((ware, index) => (ware.hidden = !found.includes(index)));
  nothing.hidden = found.length > 0;
  status.textContent = `${found.length} of ${wares.length} products`;
};

const ask = () => worker.postMessage({ words: form.elements.q.value });

worker.postMessage({ texts: wares.map(text) });
worker.addEventListener("message", show);
form.addEventListener("input", ask);
form.addEventListener("submit", (event) => {
  event.preventDefault();
  ask();
});
