//! What a person does in a browser. They find things by what they are and what is written on them.

use serde_json::json;

use crate::browser::Browser;
use crate::driver::{Element, Refused};

/// What a person takes a thing for.
#[derive(Clone, Copy, Debug)]
pub enum Kind {
    Button,
    Link,
    Field,
    Checkbox,
}

pub use Kind::{Button, Checkbox, Field, Link};

impl Kind {
    fn css(self) -> &'static str {
        match self {
            Button => "button, [role=button], summary",
            Link => "a[href]",
            Field => "input:not([type=checkbox], [type=hidden]), textarea, select",
            Checkbox => "input[type=checkbox]",
        }
    }
}

impl Browser {
    /// Waits for the visible thing of this kind and this name.
    pub async fn find(&self, kind: Kind, name: &str) -> Element {
        self.until(&format!("{kind:?} {name:?}"), async || {
            self.named(None, kind, name).await
        })
        .await
    }

    /// The same inside an element, such as a dialog.
    pub async fn find_in(&self, within: &Element, kind: Kind, name: &str) -> Element {
        self.until(&format!("{kind:?} {name:?} in an element"), async || {
            self.named(Some(within), kind, name).await
        })
        .await
    }

    /// Waits for a dialog.
    pub async fn find_dialog(&self) -> Element {
        self.until("a dialog", async || {
            let open = self.driver.elements(None, "dialog[open]").await?;
            Ok(open.into_iter().next())
        })
        .await
    }

    /// Whether the page shows such a thing now.
    pub async fn shows(&self, kind: Kind, name: &str) -> bool {
        self.named(None, kind, name).await.unwrap().is_some()
    }

    /// By the name that the browser computes, which is what a screen reader says.
    async fn named(
        &self,
        within: Option<&Element>,
        kind: Kind,
        name: &str,
    ) -> Result<Option<Element>, Refused> {
        for element in self.driver.elements(within, kind.css()).await? {
            let path = element.path();
            let label = self.driver.get(&format!("{path}/computedlabel")).await?;
            if label.as_str().map(str::trim) == Some(name)
                && self.driver.get(&format!("{path}/displayed")).await? == json!(true)
            {
                return Ok(Some(element));
            }
        }
        Ok(None)
    }

    pub async fn click(&self, kind: Kind, name: &str) {
        self.until(&format!("to click {kind:?} {name:?}"), async || match self
            .named(None, kind, name)
            .await?
        {
            Some(element) => self.try_to_click(&element).await.map(Some),
            None => Ok(None),
        })
        .await;
    }

    /// Clicks the first element that matches: the newest link in the mailbox, say.
    pub async fn click_first(&self, css: &str) {
        self.until(&format!("to click {css}"), async || {
            match self.driver.elements(None, css).await?.first() {
                Some(element) => self.try_to_click(element).await.map(Some),
                None => Ok(None),
            }
        })
        .await;
    }

    pub async fn click_on(&self, element: &Element) {
        self.try_to_click(element).await.unwrap();
    }

    /// A layout that moves at this moment may make a click miss. And what a click causes may take the element, or the page,
    /// away before the driver has answered.
    async fn try_to_click(&self, element: &Element) -> Result<(), Refused> {
        let listen = "window.clickArrived = false;
            const note = (event) => { window.clickArrived ||= event.composedPath().includes(arguments[0]); };
            addEventListener('click', note, { once: true, capture: true });";
        self.driver.run(listen, json!([element.value()])).await?;
        let path = format!("{}/click", element.path());
        let clicked = self.driver.call(&path, json!({})).await;
        let arrived = self
            .driver
            .run("return window.clickArrived !== false", json!([]));
        match arrived.await? == json!(true) {
            true => Ok(()),
            false => clicked.and(Err(Refused("the click did not arrive".to_owned()))),
        }
    }

    /// Types into the field with this label, instead of what is there.
    pub async fn fill(&self, label: &str, text: &str) {
        self.until(&format!("to fill {label:?}"), async || {
            match self.named(None, Field, label).await? {
                Some(field) => self.try_to_type(&field, text).await.map(Some),
                None => Ok(None),
            }
        })
        .await;
    }

    pub async fn type_into(&self, field: &Element, text: &str) {
        self.try_to_type(field, text).await.unwrap();
    }

    async fn try_to_type(&self, field: &Element, text: &str) -> Result<(), Refused> {
        let path = field.path();
        self.driver
            .call(&format!("{path}/clear"), json!({}))
            .await?;
        let keys = json!({"text": text});
        self.driver
            .call(&format!("{path}/value"), keys)
            .await
            .map(drop)
    }

    /// Presses keys, wherever the focus is.
    pub async fn press(&self, keys: &str) {
        let down_and_up = keys.chars().flat_map(|key| {
            ["keyDown", "keyUp"].map(|kind| json!({"type": kind, "value": key.to_string()}))
        });
        let actions: Vec<_> = down_and_up.collect();
        let keyboard = json!({"type": "key", "id": "keyboard", "actions": actions});
        let body = json!({"actions": [keyboard]});
        self.driver.call("/actions", body).await.unwrap();
    }
}
