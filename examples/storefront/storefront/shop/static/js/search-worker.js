// Tells which texts have all of the words; apart from the page, so that typing never waits for it.

let texts = [];

const bare = (text) => text.toLowerCase().normalize("NFD").replace(/\p{M}/gu, "");

const found = (words) =>
  [...texts.keys()].filter((index) => words.every((word) => texts[index].includes(word)));

addEventListener("message", ({ data }) => {
  if (data.texts) texts = data.texts.map(bare);
  else postMessage(found(bare(data.words).split(/\s+/)));
});
