const euro = new Intl.NumberFormat("en-IE", { style: "currency", currency: "EUR" });

export const price = (cents) => euro.format(cents / 100);
