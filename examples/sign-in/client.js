// The client of this page. Imported here only, so that the server's address is named once.
import { API, KEY } from "./config.js";

export const { createClient, BkendError, takeFromAddress } = await import(`${API}/bkend.js`);

export const client = createClient({ key: KEY, baseUrl: API });

/** This page's address, for links that lead back to it. */
export const here = (flow) => `${location.origin}${location.pathname}?flow=${flow}`;
