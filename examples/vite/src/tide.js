import wave from "./wave.svg";

/** Shows the tide in an element. */
export function show(element) {
  const image = Object.assign(new Image(), { src: wave, alt: "The tide comes in", width: 120 });
  element.replaceChildren(image);
}
