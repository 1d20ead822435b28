import assert from "node:assert/strict";
import { describe, test } from "node:test";

import { baseUrl, bkendError, json, newClient, signedUp } from "./support.mjs";

async function textOf(client, file) {
  const response = await fetch(await client.files.url(file));
  assert.equal(response.status, 200);
  return response.text();
}

describe("files", () => {
  test("are read, listed, changed, shared and deleted", async () => {
    const { client } = await signedUp();
    const other = await signedUp();
    const { files } = client;
    const file = await files.upload(new Blob(["hello"], { type: "text/plain" }), {
      filename: "note.txt",
    });
    assert.equal((await files.get(file.id)).id, file.id);
    const { items } = await files.list({ search: "NOTE", mimeType: ["text/*", "image/*"] });
    assert.deepEqual(items.map(({ id }) => id), [file.id]);
    const foreign = other.client.files.get(file.id);
    await assert.rejects(foreign, bkendError({ status: 403, code: "file/access-denied" }));
    const shared = await files.update(file.id, { visibility: "shared", sharedWith: [other.id] });
    assert.deepEqual(shared.sharedWith, [other.id]);
    assert.equal(await textOf(other.client, file.id), "hello");
    const mayNot = other.client.files.delete(file.id);
    await assert.rejects(mayNot, bkendError({ status: 403 }));
    assert.deepEqual(await files.delete(file.id), { success: true });
    await assert.rejects(files.get(file.id), bkendError({ status: 404, code: "file/not-found" }));
  });

  test("have ids that are escaped, and none that lead elsewhere", async () => {
    const { client, http } = newClient({ intercept: () => json({}) });
    const id = "a/../b?c#d%2e e";
    const { files } = client;
    await Promise.all([files.get(id), files.update(id, {}), files.delete(id), files.url(id)]);
    const escaped = "/v1/files/a%2F..%2Fb%3Fc%23d%252e%20e";
    const paths = http.calls.map(({ url }) => url.slice(baseUrl.length));
    assert.deepEqual(paths, [escaped, escaped, escaped, `${escaped}/download-url`]);
    http.calls.length = 0;
    for (const wrong of ["", ".", "..", null, undefined]) {
      const calls = [files.get(wrong), files.update(wrong, {}), files.delete(wrong),
        files.url(wrong)];
      for (const call of calls) {
        await assert.rejects(call, bkendError({ code: "client/invalid-path" }));
      }
    }
    assert.equal(http.calls.length, 0);
  });
});

describe("addresses of images", () => {
  const { files } = newClient().client;
  const cases = [
    [{}, ""],
    [{ width: 300, height: 200 }, "fit-in/300x200/"],
    [{ width: 300 }, "fit-in/300x0/"],
    [{ width: 300, height: 200, fit: "cover" }, "300x200/"],
    [{ width: 80, height: 80, fit: "smart" }, "80x80/smart/"],
    [{ format: "webp" }, "filters:format(webp)/"],
    [
      { width: 9, quality: 70.4, format: "jpeg", blur: [3, 1.5] },
      "fit-in/9x0/filters:quality(70):format(jpeg):blur(3,1.5)/",
    ],
    [{ blur: 4 }, "filters:blur(4)/"],
  ];
  for (const [options, instructions] of cases) {
    test(`${JSON.stringify(options)}`, () => {
      const address = files.imageUrl("p/dev/images/a.png", options);
      assert.equal(address, `${baseUrl}/img/${instructions}p/dev/images/a.png`);
      assert.equal(files.imageUrl({ key: "p/dev/images/a.png" }, options), address);
    });
  }

  test("escape the key, and refuse one that leads elsewhere", () => {
    assert.equal(files.imageUrl("old/ü ?#%.png"), `${baseUrl}/img/old/%C3%BC%20%3F%23%25.png`);
    for (const wrong of ["", "/", "a//b", "../a", "a/./b", undefined, {}]) {
      assert.throws(() => files.imageUrl(wrong), bkendError({ code: "client/invalid-path" }));
    }
  });

  test("refuse what no image has", () => {
    const wrong = [
      { width: 4097 }, { height: -1 }, { width: 1.5 }, { width: "300" }, { fit: "stretch" },
      { fit: "toString" }, { format: "webp)/x" }, { quality: "high" }, { blur: "a" },
    ];
    for (const options of wrong) {
      const call = () => files.imageUrl("a.png", options);
      assert.throws(call, bkendError({ code: "client/invalid-image" }), JSON.stringify(options));
    }
  });

  test("lead to the pictures", async () => {
    const dot = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAA" +
      "BJRU5ErkJggg==";
    const { client } = await signedUp();
    const picture = new Blob([Buffer.from(dot, "base64")], { type: "image/png" });
    const file = await client.files.upload(picture, { filename: "dot.png", visibility: "public" });
    const wish = { width: 20, height: 10, fit: "smart", quality: 60, blur: 1 };
    for (const [format, type] of [["webp", "image/webp"], ["jpeg", "image/jpeg"]]) {
      const response = await fetch(client.files.imageUrl(file, { ...wish, format }));
      assert.deepEqual([response.status, response.headers.get("Content-Type")], [200, type]);
    }
    await client.files.update(file.id, { visibility: "private" });
    assert.equal((await fetch(client.files.imageUrl(file.key, wish))).status, 403);
  });

  test("are at another address if the app says so", () => {
    const { client } = newClient({ imgUrl: "https://img.example.com/" });
    const address = client.files.imageUrl("a.png", { width: 1 });
    assert.equal(address, "https://img.example.com/fit-in/1x0/a.png");
  });
});
