// Run with `node --test` against a running server whose environment has the tables of
// tables.yaml. BKEND_TEST_URL, BKEND_TEST_KEY and BKEND_TEST_SECRET_KEY say which.
import "./parts/setup.mjs";
import "./parts/calls.mjs";
import "./parts/records.mjs";
import "./parts/session.mjs";
import "./parts/refresh.mjs";
import "./parts/storage.mjs";
