export const greeting = "Long evenings: the can is heavy, the jug is full.";
