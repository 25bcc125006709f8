//! What every page has in common: it fits the screen, keeps to its policy, and is there for everybody.

use std::cell::{Cell, RefCell};

use serde_json::json;

use crate::browser::Browser;
use crate::needs::{self, Need};
use crate::tour::tour;

crate::tests! {
    Need::Browser => [
        no_page_makes_the_browser_complain,
        every_page_fits_a_phone_and_a_desktop_light_and_dark,
    ]
    Need::Axe => [
        axe_finds_nothing_on_any_page_light_or_dark,
    ]
}

/// Name, width and height.
const SCREENS: [(&str, u32, u32); 2] = [("phone", 360, 740), ("desktop", 1280, 800)];
const SCHEMES: [&str; 2] = ["light", "dark"];

impl Browser {
    async fn take_screen(&self, (_, width, height): (&str, u32, u32)) {
        let phone = width < 500;
        let screen =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": phone});
        self.driver
            .devtools("Emulation.setDeviceMetricsOverride", screen)
            .await;
    }

    /// Without movement, so that there is nothing to wait for.
    async fn take_scheme(&self, scheme: &str) {
        let features = json!({"features": [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]});
        self.driver
            .devtools("Emulation.setEmulatedMedia", features)
            .await;
        let still = "return Promise.all(document.getAnimations().map((one) => one.finished)).then(() => true)";
        self.run(still, json!([])).await;
    }
}

/// The pictures go to `target/screenshots` or `TEST_SCREENSHOTS`.
async fn every_page_fits_a_phone_and_a_desktop_light_and_dark() {
    let wrong = RefCell::new(Vec::new());
    tour(async |browser, stop| {
        for screen in SCREENS {
            browser.take_screen(screen).await;
            // Not against innerWidth: a phone zooms out until a page that is too wide fits.
            let width = "return document.scrollingElement.scrollWidth";
            let width = browser.run(width, json!([])).await;
            if width.as_u64().unwrap() > u64::from(screen.1) {
                let text = format!("{stop}: {width} px wide on a {}", screen.0);
                wrong.borrow_mut().push(text);
            }
            for scheme in SCHEMES {
                browser.take_scheme(scheme).await;
                let name = format!("{stop}-{}-{scheme}.png", screen.0);
                browser.picture(&needs::screenshots().join(name)).await;
                if is_dark(browser).await != (scheme == "dark") && stop != "mailbox" {
                    wrong.borrow_mut().push(format!("{stop}: not {scheme}"));
                }
            }
        }
    })
    .await;
    assert!(wrong.borrow().is_empty(), "{:#?}", wrong.borrow());
}

/// Whether the page's ground is darker than its letters.
async fn is_dark(browser: &Browser) -> bool {
    let script = "const light = (color) => {
            const canvas = new OffscreenCanvas(1, 1).getContext('2d');
            canvas.fillStyle = color;
            canvas.fillRect(0, 0, 1, 1);
            return canvas.getImageData(0, 0, 1, 1).data.slice(0, 3).reduce((sum, part) => sum + part);
        };
        const body = getComputedStyle(document.body);
        const root = getComputedStyle(document.documentElement);
        const ground = body.backgroundColor === 'rgba(0, 0, 0, 0)' ? root.backgroundColor : body.backgroundColor;
        return light(ground) < light(body.color)";
    browser.run(script, json!([])).await == json!(true)
}

/// Answers that a page must expect, and browsers report all the same.
const EXPECTED: [(&str, u16); 9] = [
    ("/api/me", 401),
    ("/api/login", 401),
    ("/api/register", 422),
    ("/api/password/change", 422),
    ("/api/account/not-me", 410),
    ("/api/me/export", 403),
    ("/api/totp", 403),
    ("/api/totp/confirm", 422),
    ("/api/login/second-factor", 422),
];

async fn no_page_makes_the_browser_complain() {
    let (wrong, expected) = (RefCell::new(Vec::new()), Cell::new(0));
    tour(async |browser, stop| {
        for complaint in browser.complaints().await {
            let is = |(path, status): &(&str, u16)| {
                let start = format!("{}{path} - Failed to load resource", browser.origin);
                complaint.starts_with(&start) && complaint.contains(&format!("status of {status}"))
            };
            let missing = stop == "not-found" && complaint.contains("/nowhere - ");
            if EXPECTED.iter().any(is) || missing {
                expected.set(expected.get() + 1);
            } else {
                wrong.borrow_mut().push(format!("{stop}: {complaint}"));
            }
        }
    })
    .await;
    assert!(wrong.borrow().is_empty(), "{:#?}", wrong.borrow());
    // Else nothing was read.
    assert!(
        expected.get() >= EXPECTED.len(),
        "{} complaints",
        expected.get()
    );
}

async fn axe_finds_nothing_on_any_page_light_or_dark() {
    let axe = std::fs::read_to_string(needs::axe()).unwrap();
    let wrong = RefCell::new(Vec::new());
    tour(async |browser, stop| {
        for (screen, scheme) in SCREENS.into_iter().zip(SCHEMES) {
            browser.take_screen(screen).await;
            browser.take_scheme(scheme).await;
            for violation in violations(browser, &axe).await {
                wrong
                    .borrow_mut()
                    .push(format!("{stop}, {scheme}: {violation}"));
            }
        }
    })
    .await;
    assert!(wrong.borrow().is_empty(), "{:#?}", wrong.borrow());
}

async fn violations(browser: &Browser, axe: &str) -> Vec<String> {
    if browser.run("return !window.axe", json!([])).await == json!(true) {
        browser.run(axe, json!([])).await;
    }
    let script = "return axe.run({resultTypes: ['violations']}).then((found) => [found.passes.length,
        found.violations.map((one) => `${one.impact} ${one.id}: ${one.nodes.map((node) => node.html).join(' ')}`)])";
    let found = browser.run(script, json!([])).await;
    assert!(found[0].as_u64().unwrap() > 5, "axe looked at nothing");
    let violations = found[1].as_array().unwrap().iter();
    violations
        .map(|violation| violation.as_str().unwrap().to_owned())
        .collect()
}
