export const greeting = "Light the candles, and put the kettle on.";
