import assert from "node:assert/strict";
import { test } from "node:test";

import { HEIGHT, WIDTH, picture } from "../../../api_service/page/static/picture.js";

const LAMP = { id: "65f0c0ffee00000000000001", name: "Lamp", category: "light" };

test("a product looks the same everywhere and always", () => {
  const { hue, accentHue, shapes } = picture(LAMP);
  assert.deepEqual(picture({ ...LAMP }), { hue, accentHue, shapes });
  assert.deepEqual([hue, accentHue, shapes.length], [295, 235, 3]);
  assert.equal(shapes[2], "M30,20A10 10 0 0 1 30,0A10 10 0 0 1 30,20Z");
});

test("products of a category are of one colour, and arranged otherwise; another name changes the accent alone", () => {
  const other = picture({ ...LAMP, id: "65f0c0ffee00000000000002" });
  assert.equal(other.hue, picture(LAMP).hue);
  assert.notDeepEqual(other.shapes, picture(LAMP).shapes);
  const renamed = picture({ ...LAMP, name: "Lamps" });
  assert.notEqual(renamed.accentHue, picture(LAMP).accentHue);
  assert.deepEqual(renamed.shapes, picture(LAMP).shapes);
  const looks = Array.from({ length: 1_000 }, (_, number) => picture({ ...LAMP, id: String(number) }).shapes.join());
  assert.equal(new Set(looks).size, 1_000);
});

test("nothing of what a product is called gets into its picture, whatever that is, and all of it fits", () => {
  for (const odd of ["", "<script>", "\"/><image href=x>", "\u{1F600}", "\ud800", "x".repeat(100_000)]) {
    const { hue, accentHue, shapes } = picture({ id: odd, name: odd, category: odd });
    for (const degrees of [hue, accentHue]) assert.ok(Number.isInteger(degrees) && degrees >= 0 && degrees < 360);
    assert.match(shapes.join(""), /^[MLAZ\d ,.]+$/);
    for (const [, x, y] of shapes.join("").matchAll(/[ML](\d+),(\d+)/g)) {
      assert.ok(Number(x) <= WIDTH && Number(y) <= HEIGHT);
    }
  }
});
