//! Chromium, driven through its pipe by the DevTools protocol
//! (<https://chromedevtools.github.io/devtools-protocol/>).

use super::{seconds, wait_for};
use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use tempfile::TempDir;

/// Runs as root in containers, asks nobody but the pages, and touches no profile.
const FLAGS: [&str; 13] = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-first-run",
    "--hide-scrollbars",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-pipe",
];
/// A browser reads fd 3 and writes fd 4; here they are its input and output.
const SHELL: &str = "exec chromium \"$@\" 3<&0 4>&1 0</dev/null 1>/dev/null 2>/dev/null";

/// How a page is looked at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct View {
    /// CSS pixels; below 600 a phone.
    pub(crate) width: u32,
    pub(crate) dark: bool,
    pub(crate) scripts: bool,
}

/// A browser with one page.
pub(crate) struct Browser {
    child: Child,
    input: ChildStdin,
    messages: Receiver<Value>,
    serial: u64,
    session: Option<String>,
    events: Vec<Value>,
    _profile: TempDir,
}

impl Browser {
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().expect("temporary folder");
        let folder = format!("--user-data-dir={}", profile.path().display());
        let mut child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "sh", "-c", SHELL, "sh"])
            .args(FLAGS)
            .args([&folder, "about:blank"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let input = child.stdin.take().expect("its input");
        let mut output = BufReader::new(child.stdout.take().expect("its output"));
        let (tell, messages) = channel();
        std::thread::spawn(move || {
            loop {
                let mut bytes = Vec::new();
                if output.read_until(0, &mut bytes).unwrap_or(0) == 0 {
                    return;
                }
                bytes.pop();
                let message = serde_json::from_slice(&bytes).expect("JSON from the browser");
                if tell.send(message).is_err() {
                    return;
                }
            }
        });
        let mut browser = Self {
            child,
            input,
            messages,
            serial: 0,
            session: None,
            events: Vec::new(),
            _profile: profile,
        };
        let page = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let target = json!({"targetId": page["targetId"], "flatten": true});
        let session = browser.call("Target.attachToTarget", target);
        browser.session = session["sessionId"].as_str().map(str::to_owned);
        for domain in ["Page", "Runtime", "Log", "Network"] {
            browser.call(&format!("{domain}.enable"), json!({}));
        }
        browser
    }

    /// Says something, and waits for the answer.
    fn call(&mut self, method: &str, params: Value) -> Value {
        self.serial += 1;
        let mut message = json!({"id": self.serial, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        self.input.write_all(format!("{message}\0").as_bytes()).expect("a browser that listens");
        loop {
            match self.messages.recv_timeout(seconds(60)) {
                Ok(answer) if answer["id"] == json!(self.serial) => {
                    assert!(answer["error"].is_null(), "{method}: {}", answer["error"]);
                    return answer["result"].clone();
                }
                Ok(event) => self.events.push(event),
                Err(error) => panic!("{method}: the browser does not answer: {error}"),
            }
        }
    }

    /// How pages are looked at from now on.
    pub(crate) fn look(&mut self, view: View) {
        let phone = view.width < 600;
        self.call(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": view.width, "height": 900, "deviceScaleFactor": 1, "mobile": phone}),
        );
        let scheme = if view.dark { "dark" } else { "light" };
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.call("Emulation.setEmulatedMedia", json!({"features": features}));
        self.call("Emulation.setScriptExecutionDisabled", json!({"value": !view.scripts}));
    }

    /// Visits from this address from now on, as a proxy of the pool would tell.
    pub(crate) fn come_from(&mut self, address: &str) {
        let headers = json!({"headers": {"X-Forwarded-For": address}});
        self.call("Network.setExtraHTTPHeaders", headers);
    }

    /// Goes to a page, and waits until it is there.
    pub(crate) fn go(&mut self, url: &str) {
        self.events.clear();
        let gone = self.call("Page.navigate", json!({"url": url}));
        assert!(gone["errorText"].is_null(), "{url}: {gone}");
        wait_for(url, seconds(30), || self.saw("Page.loadEventFired").then_some(()));
    }

    /// Whether something has happened since the page was gone to.
    fn saw(&mut self, method: &str) -> bool {
        loop {
            match self.messages.recv_timeout(std::time::Duration::ZERO) {
                Ok(event) => self.events.push(event),
                Err(RecvTimeoutError::Timeout) => break,
                Err(error) => panic!("the browser is gone: {error}"),
            }
        }
        self.events.iter().any(|event| event["method"] == json!(method))
    }

    /// The value of an expression in the page; also where the page itself may run no scripts.
    pub(crate) fn value(&mut self, expression: &str) -> Value {
        let asked = json!({
            "expression": expression, "returnByValue": true, "awaitPromise": true,
        });
        let answer = self.call("Runtime.evaluate", asked);
        let thrown = &answer["exceptionDetails"];
        assert!(thrown.is_null(), "{thrown}");
        answer["result"]["value"].clone()
    }

    /// The words of the page that can be seen.
    pub(crate) fn words(&mut self) -> String {
        let words = self.value("document.body.innerText");
        words.as_str().unwrap_or_default().to_owned()
    }

    /// The whole page as a PNG file.
    pub(crate) fn picture(&mut self, path: &Path) {
        let size = self.call("Page.getLayoutMetrics", json!({}))["cssContentSize"].clone();
        let clip = json!({
            "x": 0, "y": 0, "width": size["width"], "height": size["height"], "scale": 1,
        });
        let shot = json!({"format": "png", "captureBeyondViewport": true, "clip": clip});
        let shot = self.call("Page.captureScreenshot", shot);
        let data = shot["data"].as_str().unwrap_or_default();
        let bytes = BASE64_STANDARD.decode(data).expect("base64 from the browser");
        std::fs::write(path, bytes).expect("a picture");
    }

    /// What went wrong in the page, and what it asked of others than `origin`.
    pub(crate) fn complaints(&mut self, origin: &str) -> Vec<String> {
        // Whatever it has said until now has come before this answer.
        self.call("Runtime.evaluate", json!({"expression": "0"}));
        let complaint = |event: &Value| {
            let params = &event["params"];
            match event["method"].as_str()? {
                "Runtime.exceptionThrown" => Some(params["exceptionDetails"].to_string()),
                "Runtime.consoleAPICalled" => Some(params["args"].to_string()),
                "Log.entryAdded" if params["entry"]["level"] != json!("verbose") => {
                    Some(params["entry"].to_string())
                }
                "Network.requestWillBeSent" => {
                    let url = params["request"]["url"].as_str()?;
                    let ours = url.starts_with(origin) || url.starts_with("data:");
                    (!ours).then(|| format!("it asks for {url}"))
                }
                "Page.javascriptDialogOpening" => Some("a dialog".to_owned()),
                _ => None,
            }
        };
        self.events.iter().filter_map(complaint).collect()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // It asks its own processes to end; a kill would leave them.
        let close = json!({"id": 0, "method": "Browser.close"});
        let _ = self.input.write_all(format!("{close}\0").as_bytes());
        let ended = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(50));
            matches!(self.child.try_wait(), Ok(Some(_)))
        });
        if !ended {
            self.child.kill().ok();
            self.child.wait().ok();
        }
    }
}
