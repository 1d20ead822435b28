// Run with `node --test` against a running server whose environment has the tables of
// tables.yaml, and an OpenID Connect provider. BKEND_TEST_URL, BKEND_TEST_KEY,
// BKEND_TEST_SECRET_KEY, BKEND_TEST_MANAGEMENT_TOKEN and BKEND_TEST_PROVIDER say which.
import "./parts/setup.mjs";
import "./parts/declarations.mjs";
import "./parts/calls.mjs";
import "./parts/records.mjs";
import "./parts/session.mjs";
import "./parts/account.mjs";
import "./parts/links.mjs";
import "./parts/providers.mjs";
import "./parts/users.mjs";
import "./parts/files.mjs";
import "./parts/uploads.mjs";
import "./parts/progress.mjs";
import "./parts/refresh.mjs";
import "./parts/storage.mjs";
