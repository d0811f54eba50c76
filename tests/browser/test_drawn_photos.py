"""Photos in a real Chromium: what its own encoders make comes through with every pixel, and is drawn as it is turned."""
import base64

import pytest
from selenium import webdriver
from selenium.webdriver.chrome.service import Service

from support import images

FLAGS = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]
# Draws something with many colours, has the browser encode it, and compares what comes back pixel by pixel.
ROUND_TRIP = """
const [token, type, given, done] = arguments;
async function pixels(blob) {
    const bitmap = await createImageBitmap(blob);
    const canvas = new OffscreenCanvas(bitmap.width, bitmap.height), context = canvas.getContext("2d");
    context.drawImage(bitmap, 0, 0);
    return [bitmap.width, bitmap.height, Array.from(context.getImageData(0, 0, bitmap.width, bitmap.height).data)];
}
async function make() {
    if (given)
        return new Blob([Uint8Array.from(atob(given), (c) => c.charCodeAt(0))], { type });
    const canvas = new OffscreenCanvas(97, 61), context = canvas.getContext("2d");
    const paint = context.createLinearGradient(0, 0, 97, 61);
    ["#f00", "#0f08", "#00f", "#ff0"].forEach((colour, n) => paint.addColorStop(n / 3, colour));
    context.fillStyle = paint;
    context.fillRect(0, 0, 97, 61);
    return canvas.convertToBlob({ type, quality: 0.8 });
}
(async () => {
    const picture = await make(), headers = { Authorization: "Bearer " + token };
    const put = await fetch("/v1/me/photo", { method: "PUT", headers, body: picture });
    const got = await (await fetch("/v1/me/photo", { headers })).blob();
    const [before, after] = [await pixels(picture), await pixels(got)];
    return [put.status, got.type, picture.size, got.size, before[0], before[1], after[0], after[1], String(before[2]) === String(after[2])];
})().then(done, (fault) => done(String(fault)));
"""


@pytest.fixture(scope="module")
def chromium(tmp_path_factory):
    options = webdriver.ChromeOptions()
    options.binary_location = "/usr/bin/chromium"
    for flag in [*FLAGS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(flag)
    driver = webdriver.Chrome(service=Service("/usr/bin/chromedriver"), options=options)
    driver.set_script_timeout(20)
    yield driver
    driver.quit()


def round_trip(standing, chromium, kind, data=b""):
    chromium.get(standing.url + "/sign-in")
    return chromium.execute_async_script(ROUND_TRIP, standing.admin_token, kind, base64.b64encode(data).decode())


@pytest.mark.parametrize("kind", ["image/png", "image/jpeg"])
def test_what_the_browser_encodes_keeps_every_pixel(standing, chromium, kind):
    status, got, sent, kept, *size, same = round_trip(standing, chromium, kind)
    assert (status, got, size, same) == (204, kind, [97, 61, 97, 61], True)
    assert kept <= sent


@pytest.mark.parametrize("name", ["a PNG", "a PNG of grey", "a PNG with a palette", "a JPEG", "a JPEG with everything"])
def test_the_pictures_of_the_other_tests_are_pictures(standing, chromium, name):
    kind = "image/png" if "PNG" in name else "image/jpeg"
    status, got, *_, same = round_trip(standing, chromium, kind, images.PHOTOS[name])
    assert (status, got, same) == (204, kind, True)


@pytest.mark.parametrize("orientation,size", [(1, [8, 4]), (3, [8, 4]), (6, [4, 8]), (8, [4, 8])])
def test_a_turned_picture_stays_turned(standing, chromium, orientation, size):
    data = images.jpeg(width=8, height=4, before=images.JFIF + images.exif(orientation) + images.COMMENT)
    status, got, _, _, *sizes, same = round_trip(standing, chromium, "image/jpeg", data)
    assert (status, got, sizes, same) == (204, "image/jpeg", size + size, True)
