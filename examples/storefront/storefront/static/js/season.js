// What the shop says of the season, which is a module of its own.

const SEASONS = ["winter", "spring", "summer", "autumn"];

const season = (date) => SEASONS[Math.floor(((date.getMonth() + 1) % 12) / 3)];

export const greet = async (place) => {
  const { greeting } = await import(`./seasons/${season(new Date())}.js`);
  place.textContent = greeting;
};
