export const greeting = "Sow the radishes now, and mind the bees.";
