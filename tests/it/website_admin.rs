//! The Admin Center of a real pool, used as its operator does, and as nobody should.

use crate::harness::{
    ADDRESS, BINARY, Client, Pool, Romp, Stub, alone, free_port, seconds, wait_for, wait_until,
};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::TcpStream;
use std::process::{Command, Stdio};

const PASSWORD: &str = "correct horse battery";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const HOSTILE: &str = "<script>alert(1)</script>\u{202e}";

/// What `romp password` makes of a password.
fn hash(password: &str) -> String {
    let mut romp = Command::new(BINARY)
        .arg("password")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("romp password");
    romp.stdin.take().expect("its input").write_all(password.as_bytes()).expect("typed");
    let output = romp.wait_with_output().expect("its output");
    assert!(output.status.success());
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.starts_with("$argon2id$") && !text.contains(password), "{text}");
    text.trim().to_owned()
}

/// An answer: status, head, body.
struct Answer {
    status: u16,
    head: String,
    text: String,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.head.lines().find_map(|line| {
            let (key, value) = line.split_once(": ")?;
            key.eq_ignore_ascii_case(name).then_some(value)
        })
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_default()
    }

    /// The token of the page's forms.
    fn csrf(&self) -> String {
        let field = self.text.split("name=\"csrf\" value=\"").nth(1).unwrap_or_default();
        field.split('"').next().unwrap_or_default().to_owned()
    }
}

/// Somebody at an address, with headers of his own.
struct Visitor {
    port: u16,
    address: &'static str,
    headers: String,
}

impl Visitor {
    fn new(port: u16, address: &'static str) -> Self {
        Self { port, address, headers: "Origin: http://pool.example\r\n".to_owned() }
    }

    fn with(port: u16, address: &'static str, headers: &str) -> Self {
        Self { port, address, headers: headers.to_owned() }
    }

    fn try_ask(&self, method: &str, path: &str, kind: &str, body: &str) -> Option<Answer> {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).ok()?;
        stream.set_read_timeout(Some(seconds(20))).ok()?;
        let Self { address, headers, .. } = self;
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: pool.example\r\nX-Forwarded-For: {address}\r\n\
             Connection: close\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n{headers}\r\n{body}",
            body.len()
        );
        let _ = stream.write_all(request.as_bytes());
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let (head, text) = answer.split_once("\r\n\r\n")?;
        let status = head.split(' ').nth(1)?.parse().ok()?;
        Some(Answer { status, head: head.to_owned(), text: text.to_owned() })
    }

    fn ask(&self, method: &str, path: &str, kind: &str, body: &str) -> Answer {
        let asked = self.try_ask(method, path, kind, body);
        asked.unwrap_or_else(|| panic!("no answer to {method} {path}"))
    }

    fn get(&self, path: &str) -> Answer {
        self.ask("GET", path, "text/plain", "")
    }

    fn post(&self, path: &str, form: &str) -> Answer {
        self.ask("POST", path, "application/x-www-form-urlencoded", form)
    }

    fn login(&self, password: &str) -> Answer {
        self.post("/admin/login", &format!("password={}", password.replace(' ', "+")))
    }

    /// Logs in; from here on the cookie is sent.
    fn enter(port: u16, address: &'static str) -> Self {
        let mut visitor = Self::new(port, address);
        let answer = visitor.login(PASSWORD);
        assert_eq!((answer.status, answer.header("location")), (303, Some("/admin")));
        let cookie = answer.header("set-cookie").expect("a cookie");
        for part in ["HttpOnly", "SameSite=Strict", "Path=/admin", "Max-Age=43200"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        assert!(!cookie.contains("Secure"), "plain HTTP: {cookie}");
        let pair = cookie.split(';').next().unwrap_or_default();
        assert_eq!(pair.len(), "romp_admin=".len() + 64, "256 bits");
        visitor.headers.push_str(&format!("Cookie: {pair}\r\n"));
        visitor
    }
}

fn site(port: u16, center: &Value) -> Value {
    json!({"enabled": true, "port": port, "stats": {"updateInterval": 5}, "adminCenter": center})
}

fn start(stub: &Stub, stratum: u16, port: u16) -> Romp {
    let pool = Pool::new("bitcoin", stratum, json!({"diff": 1e-9}), stub.daemons())
        .with("validateWorkerUsername", json!(false));
    let mut romp = Romp::prepare(1, &[&pool]);
    let center = json!({"enabled": true, "password": hash(PASSWORD), "token": {"file": "token"}});
    std::fs::write(romp.path().join("token"), format!("{TOKEN}\n")).expect("a token");
    romp.set("website", Some(site(port, &center)));
    romp.run();
    romp.wait_ready(1);
    wait_until("the web site", seconds(20), || romp.pids("website").len() == 1);
    romp
}

#[test]
fn the_operator_sees_bans_and_reloads() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let (stratum, port) = (free_port(), free_port());
    let mut romp = start(&stub, stratum, port);
    let _miner = Client::login(stratum, ADDRESS).expect("login");

    let door = Visitor::new(port, "10.0.0.1").get("/admin");
    assert!(door.status == 200 && door.text.contains("type=\"password\""), "{}", door.text);
    assert!(!door.text.contains("Fleet") && door.csrf().is_empty());
    let operator = Visitor::enter(port, "10.0.0.1");
    let page = operator.get("/admin");
    for text in ["Fleet", "bookkeeper", &format!("127.0.0.1:{}", stub.port), "Nobody is banned"] {
        assert!(page.text.contains(text), "{text} in\n{}", page.text);
    }
    for (name, wanted) in [
        ("cache-control", "no-store"),
        ("referrer-policy", "same-origin"),
        ("x-frame-options", "DENY"),
        ("x-content-type-options", "nosniff"),
    ] {
        assert_eq!(page.header(name), Some(wanted), "{}", page.head);
    }
    let policy = page.header("content-security-policy").unwrap_or_default();
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let packed = Visitor::with(port, "10.0.0.2", "Accept-Encoding: gzip\r\n").get("/admin");
    assert_eq!(packed.header("content-encoding"), None, "a length would tell of the token");

    // Bans, with a reason that a page must not believe.
    let csrf = page.csrf();
    let reason = "%3Cscript%3Ealert(1)%3C/script%3E%E2%80%AE";
    let ban = |network: &str, hours: &str| {
        let form = format!("csrf={csrf}&network={network}&hours={hours}&reason={reason}");
        operator.post("/admin/bans", &form)
    };
    assert_eq!(ban("203.0.113.7", "2").header("location"), Some("/admin#bans"));
    for (network, hours) in [("127.0.0.1", ""), ("0.0.0.0/0", ""), ("x", ""), ("203.0.113.8", "-1")]
    {
        let refused = ban(network, hours);
        assert_eq!(refused.status, 422, "{network} {hours}");
        assert!(refused.text.contains("class=\"trouble\""), "{}", refused.text);
    }
    let bans = romp.json(&["bans", "--json"]).expect("bans");
    assert_eq!(bans["bans"][0]["network"], json!("203.0.113.7/32"), "{bans}");
    assert_eq!(bans["bans"][0]["reason"], json!(HOSTILE));
    let page = operator.get("/admin").text;
    assert!(page.contains("203.0.113.7/32") && page.contains("1 h 59 min"), "{page}");
    assert!(!page.contains("<script") && !page.contains('\u{202e}'), "{page}");
    let form = format!("csrf={csrf}&network=203.0.113.7%2F32");
    assert_eq!(operator.post("/admin/unban", &form).status, 303);
    assert_eq!(romp.json(&["bans", "--json"]).expect("bans")["bans"], json!([]));

    // A broken configuration is shown with its place, without secrets, and is not reloaded.
    romp.set("fsync", Some(json!("yes")));
    let check = operator.get("/admin/check");
    assert!(check.text.contains("config.json:") && !check.text.contains("Reload</button>"));
    assert!(!check.text.contains("$argon2id$") && !check.text.contains(TOKEN), "{}", check.text);
    let refused = operator.post("/admin/reload", &format!("csrf={csrf}"));
    assert_eq!(refused.status, 409);
    assert!(refused.text.contains("fsync"), "{}", refused.text);
    let generation = |romp: &Romp| romp.status().map(|it| it["generation"].clone());
    assert_eq!(generation(&romp), Some(json!(1)));

    // A good one is, the operator stays logged in, and miners notice nothing.
    romp.set("fsync", Some(json!(true)));
    assert!(operator.get("/admin/check").text.contains("configuration is fine: 1 pool"));
    let reloaded = operator.post("/admin/reload", &format!("csrf={csrf}"));
    assert_eq!(reloaded.header("location"), Some("/admin#reload"), "{}", reloaded.text);
    assert_eq!(generation(&romp), Some(json!(2)));
    wait_until("the operator's page", seconds(20), || {
        let page = operator.try_ask("GET", "/admin", "text/plain", "");
        page.is_some_and(|page| page.text.contains("Configuration 2 is in use"))
    });
    assert!(operator.get("/admin").text.contains("fsync: false before, true now"));

    // Who logs out is out, with all that he had.
    assert_eq!(operator.post("/admin/logout", &format!("csrf={csrf}")).status, 303);
    assert!(operator.get("/admin").text.contains("type=\"password\""));
    assert_eq!(operator.post("/admin/unban", &form).status, 403);
    let told = romp.output();
    for words in ["10.0.0.1 has logged in", "has banned 203.0.113.7/32", "asks for a reload"] {
        assert!(told.contains(words), "{words} in\n{told}");
    }
    for secret in [PASSWORD, TOKEN, "$argon2id$"] {
        assert!(!told.contains(secret), "{told}");
    }
}

#[test]
fn forms_of_others_guesses_and_strangers_are_refused() {
    let _alone = alone();
    let stub = Stub::start(&["segwit"]);
    let port = free_port();
    let romp = start(&stub, free_port(), port);
    let operator = Visitor::enter(port, "10.0.0.1");
    let csrf = operator.get("/admin").csrf();
    let cookie = operator.headers.lines().nth(1).expect("a cookie").to_owned();

    // Another site's page, one that hides where it is, and none at all.
    for origin in
        ["Origin: http://evil.example", "Origin: null", "Sec-Fetch-Site: cross-site", "X: y"]
    {
        let forged = Visitor::with(port, "10.0.0.1", &format!("{origin}\r\n{cookie}\r\n"));
        for (path, form) in [
            ("/admin/unban", format!("csrf={csrf}&network=1.2.3.4")),
            ("/admin/login", "password=correct+horse+battery".to_owned()),
            ("/admin/logout", format!("csrf={csrf}")),
        ] {
            let answer = forged.post(path, &form);
            assert_eq!(
                (answer.status, answer.header("set-cookie")),
                (403, None),
                "{origin} {path}"
            );
        }
    }
    // Without the form's token, with another session's, with a session that was made up.
    let other = Visitor::enter(port, "10.0.0.3");
    let foreign = other.get("/admin").csrf();
    assert_ne!(foreign, csrf);
    for form in ["network=1.2.3.4".to_owned(), format!("csrf={foreign}"), "csrf=".to_owned()] {
        for path in ["/admin/bans", "/admin/unban", "/admin/reload", "/admin/logout"] {
            assert_eq!(operator.post(path, &form).status, 403, "{path} {form}");
        }
    }
    let made_up =
        format!("Origin: http://pool.example\r\nCookie: romp_admin={}\r\n", "a".repeat(64));
    let fixed = Visitor::with(port, "10.0.0.4", &made_up);
    let entered = fixed.login(PASSWORD);
    assert_eq!(entered.status, 303);
    assert!(!entered.head.contains(&"a".repeat(64)), "a login has an id of its own");
    assert!(fixed.get("/admin").text.contains("type=\"password\""), "nobody's id stays nobody's");
    assert_eq!(operator.ask("GET", "/admin/reload", "text/plain", "").status, 405);
    let large = format!("password={}", "x".repeat(20_000));
    let kind = "application/x-www-form-urlencoded";
    // Refused, or hung up on while it was still sent.
    let answer = other.try_ask("POST", "/admin/login", kind, &large);
    assert!(answer.is_none_or(|answer| answer.status == 413));

    // A thousand guesses: ten are looked at, and nobody else notices.
    let guesser = Visitor::new(port, "10.66.0.1");
    let mut counts = std::collections::BTreeMap::new();
    for number in 0..1000 {
        let answer = guesser.login(&format!("guess {number}"));
        *counts.entry(answer.status).or_insert(0) += 1;
        if number % 100 == 0 {
            assert_eq!(Visitor::new(port, "10.0.0.7").get("/health").status, 200);
        }
    }
    // The site's own limit of requests answers so, too.
    assert_eq!(counts.keys().copied().collect::<Vec<_>>(), [403, 429]);
    assert!((10..=13).contains(&counts[&403]), "{counts:?}");
    let wrong = romp.output().matches("10.66.0.1: a wrong password").count();
    assert_eq!(wrong, counts[&403]);
    let locked = wait_for("the lock", seconds(20), || {
        guesser
            .try_ask("POST", "/admin/login", "application/x-www-form-urlencoded", "password=x")
            .filter(|answer| answer.header("retry-after") == Some("60"))
    });
    assert!(locked.text.contains("Too many wrong passwords"), "{}", locked.text);
    Visitor::enter(port, "10.0.0.8");
    assert!(operator.get("/admin").text.contains("Fleet"));

    // Strangers find nothing here.
    for path in ["/admin", "/admin/check", "/api/admin/status"] {
        assert_eq!(Visitor::new(port, "203.0.113.7").get(path).status, 404, "{path}");
    }
    scripts(&romp, port, &cookie);
}

/// Scripts have the token, and neither cookies nor NOMP's way in.
fn scripts(romp: &Romp, port: u16, cookie: &str) {
    let bearer = format!("Authorization: Bearer {TOKEN}\r\n");
    let script = Visitor::with(port, "10.1.0.1", &bearer);
    let status = script.get("/api/admin/status");
    assert_eq!(status.json()["status"]["generation"], json!(1), "{}", status.text);
    assert_eq!(status.header("access-control-allow-origin"), None);
    assert_eq!(status.header("cache-control"), Some("no-store"));
    let json =
        |path: &str, body: Value| script.ask("POST", path, "application/json", &body.to_string());
    let ban = json!({"network": "203.0.113.9", "seconds": 60, "reason": "x"});
    assert_eq!(json("/api/admin/bans", ban).status, 200);
    assert_eq!(script.get("/api/admin/bans").json()["bans"][0]["network"], json!("203.0.113.9/32"));
    assert_eq!(json("/api/admin/unban", json!({"network": "203.0.113.9"})).status, 200);
    assert_eq!(json("/api/admin/unban", json!({"network": "203.0.113.9"})).status, 422);
    assert_eq!(json("/api/admin/unban", json!({"net": 1})).status, 400);
    assert_eq!(script.get("/api/admin/check").json()["fine"], json!(true));
    for headers in ["", "Authorization: Basic x\r\n", &format!("{cookie}\r\n")] {
        let nobody = Visitor::with(port, "10.1.0.2", headers);
        assert_eq!(nobody.get("/api/admin/status").status, 401, "{headers}");
        assert_eq!(nobody.post("/api/admin/reload", "").status, 401, "{headers}");
    }
    let old = json("/api/admin/pools", json!({"password": PASSWORD}));
    assert_eq!(old.status, 404, "{}", old.text);

    let guesser = Visitor::with(port, "10.67.0.1", "Authorization: Bearer guess\r\n");
    let statuses: Vec<u16> = (0..30).map(|_| guesser.get("/api/admin/status").status).collect();
    assert_eq!(statuses.iter().filter(|status| **status == 401).count(), 10, "{statuses:?}");
    assert!(statuses.iter().all(|status| [401, 429].contains(status)));
    assert_eq!(script.get("/api/admin/bans").status, 200);

    let reloaded = json("/api/admin/reload", json!({}));
    assert_eq!(reloaded.status, 200, "{}", reloaded.text);
    assert_eq!(reloaded.json()["generation"], json!(2));
    assert_eq!(romp.status().map(|status| status["generation"].clone()), Some(json!(2)));
}

#[test]
fn it_is_off_without_a_real_password() {
    let pool = Pool::new(
        "bitcoin",
        free_port(),
        json!({"diff": 1}),
        json!([{"host": "127.0.0.1", "port": 1, "user": "x", "password": "y"}]),
    );
    let mut romp = Romp::prepare(1, &[&pool]);
    for (center, wanted) in [
        (json!({"enabled": true}), "neither a password nor a token"),
        (json!({"enabled": true, "password": "passwords"}), "never the password itself"),
        (json!({"enabled": true, "password": "hunter2hunter2"}), "romp password"),
        (json!({"enabled": true, "token": "short"}), "too easily guessed"),
        (json!({"enabled": true, "token": TOKEN, "allow": ["10.0.0.1/8"]}), "is no network"),
    ] {
        romp.set("website", Some(site(free_port(), &center)));
        let output = romp.command(&["check"]);
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(78), "{said}");
        assert!(said.contains(wanted) && said.contains("config.json:"), "{wanted}: {said}");
        assert!(!said.contains("hunter2") && !said.contains(TOKEN), "{said}");
    }
    let nomps = json!({"enabled": true, "password": "password"});
    romp.set("website", Some(site(free_port(), &nomps)));
    let output = romp.command(&["check"]);
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(said.contains("the admin center stays off"), "{said}");
    let short = Command::new(BINARY).arg("password").stdin(Stdio::null()).output().expect("romp");
    assert_eq!(short.status.code(), Some(1));
}
