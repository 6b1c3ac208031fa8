export const greeting = "Plums into jars, thyme onto the sill.";
