// The module itself, read with the types in its comments, is what the package's declarations say.
import type * as declared from "storecast-client";

import * as written from "./client.js";

export const same: Pick<typeof declared, keyof typeof declared> = written;
export const all: Record<keyof typeof written, unknown> = same;
