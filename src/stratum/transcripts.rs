//! Plays the conversations in `tests/transcripts`: a case with a real client needs no code.
//!
//! The format is described in `tests/transcripts/README.md`.

use super::{Action, Authorize, Difficulty, JobId, PortRules, Reject, Session, Submit, Unit};
use super::{SessionLimits, Start, VarDiffRules, notify_line};
use crate::chain::Work;
use std::collections::VecDeque;
use std::path::Path;

/// Work whose notify line is that of NOMP's first golden vector.
pub(super) fn work() -> Work {
    serde_json::from_value(serde_json::json!({
        "plan": {
            "coin": "litecoin", "network": "regtest", "algorithm": "scrypt", "pool_script": "",
            "recipients": [], "tag": "/romp/", "extranonce2_size": 4, "tx_message": null,
        },
        "height": 500,
        "previous": "0123456789abcdef00112233445566778899aabbccddeeff0f1e2d3c4b5a6978",
        "version": 2,
        "bits": 0x207f_ffff,
        "target": "7fffff0000000000000000000000000000000000000000000000000000000000",
        "time": 1_399_999_999,
        "min_time": 1_399_999_000,
        "coinbase_before": "0100",
        "coinbase_after": "00ff",
        "witness": false,
        "branch": ["11".repeat(32), format!("aa{}", "00".repeat(31))],
        "transactions": 0,
        "coinbase_value": 5_000_000_000_u64,
        "pool_value": 5_000_000_000_u64,
        "clean": false,
    }))
    .unwrap()
}

/// A port from 8 to 4096 around 1024, 15 s a share, rolling 1fffe000, 600 s connectionTimeout.
pub(super) fn rules() -> PortRules {
    let unit = Unit(-10);
    PortRules {
        unit,
        start: Difficulty::nearest(1024.0, unit),
        var_diff: Some(VarDiffRules {
            min: Difficulty::nearest(8.0, unit),
            max: Difficulty::nearest(4096.0, unit),
            target_time: 15.0,
            retarget_time: 90.0,
            variance_percent: 30.0,
            x2_mode: false,
        }),
        shift: 0,
        extranonce2_size: 4,
        version_mask: 0x1fff_e000,
        connection_timeout_ms: 600_000,
        limits: SessionLimits::default(),
    }
}

/// One conversation, and what the shell would hold.
struct Stage {
    session: Session,
    rules: PortRules,
    now: u64,
    jobs: u32,
    asked: VecDeque<Authorize>,
    shares: VecDeque<Submit>,
    /// Lines written and not yet expected.
    lines: VecDeque<String>,
    /// Effects that a script has to name.
    effects: VecDeque<String>,
    serialise: bool,
}

impl Stage {
    fn new(serialise: bool) -> Self {
        let rules = rules();
        Self {
            session: Session::new([8, 0, 0, 1], &rules, 1000),
            rules,
            now: 1000,
            jobs: 0,
            asked: VecDeque::new(),
            shares: VecDeque::new(),
            lines: VecDeque::new(),
            effects: VecDeque::new(),
            serialise,
        }
    }

    fn offer(&mut self, clean: bool, out: &mut Vec<u8>) {
        self.jobs += 1;
        let id = JobId { lane: 0x0a, number: self.jobs };
        let notify = notify_line(id, &work(), clean);
        self.session.offer(id, &notify, clean, &self.rules, self.now, out);
    }

    fn perform(&mut self, actions: Vec<Action>, mut out: Vec<u8>) {
        for action in actions {
            match action {
                Action::SendWork => {
                    let clean = self.session.needs_clean();
                    self.offer(clean, &mut out);
                }
                Action::Authorize(request) => self.asked.push_back(request),
                Action::Submit(submit) => self.shares.push_back(submit),
                Action::BadLine => self.effects.push_back("bad".to_owned()),
                Action::Close(why) => self.effects.push_back(format!("close {why}")),
                Action::Rejected(name, reject) => {
                    self.effects.push_back(format!("rejected {} {name}", reject.name()));
                }
            }
        }
        let text = String::from_utf8(out).unwrap();
        self.lines.extend(text.lines().map(str::to_owned));
        if self.serialise {
            let text = serde_json::to_string(&self.session).unwrap();
            self.session = serde_json::from_str(&text).unwrap();
        }
    }

    fn event(&mut self, event: &str) {
        let mut out = Vec::new();
        let (word, rest) = event.split_once(' ').unwrap_or((event, ""));
        let actions = match word {
            "offer" => {
                self.offer(rest == "clean", &mut out);
                Vec::new()
            }
            "time" => {
                let seconds = rest.trim_start_matches('+').trim_end_matches('s');
                let mut actions = Vec::new();
                for _ in 0..seconds.parse::<u64>().unwrap() {
                    self.now += 1000;
                    actions.extend(self.session.tick(&self.rules, self.now, &mut out));
                }
                actions
            }
            "authorize" => {
                let request = self.asked.pop_front().expect("nobody waits for authorisation");
                let verdict = rest.strip_prefix("no ").map_or(Ok(()), |why| Err(why.to_owned()));
                self.session.authorized(&request, verdict, &self.rules, self.now, &mut out)
            }
            "judge" => {
                let submit = self.shares.pop_front().expect("no share waits");
                let result = match rest.strip_prefix("reject ") {
                    None => Ok(()),
                    Some(name) => {
                        Err(Reject::ALL.into_iter().find(|reject| reject.name() == name).unwrap())
                    }
                };
                self.session.answer(&submit, result, &self.rules, self.now, &mut out)
            }
            "share" => {
                let submit = self.shares.front().expect("no share waits");
                let seen = format!(
                    "{} {} {:08x} {:08x} {}",
                    submit.name,
                    submit.job,
                    submit.time,
                    submit.nonce,
                    submit.version_bits.map_or("-".to_owned(), |bits| format!("{bits:08x}")),
                );
                assert_eq!(seen, rest);
                Vec::new()
            }
            "difficulty" => {
                let job: JobId = rest.split(' ').next().unwrap().parse().unwrap();
                let wanted: f64 = rest.split(' ').nth(1).unwrap().parse().unwrap();
                let bound = self.session.difficulty_of(job).map(Difficulty::as_f64);
                assert_eq!(bound, Some(wanted));
                Vec::new()
            }
            "stale" => {
                assert!(self.session.is_stale(rest.parse().unwrap()));
                Vec::new()
            }
            "remembered" => {
                let wanted = Difficulty::nearest(rest.parse().unwrap(), self.rules.unit);
                self.session.remembered(Start::at(wanted), &self.rules);
                Vec::new()
            }
            "extranonce" => self.session.set_extranonce1([9, 9, 9, 9]),
            "fixed" => {
                self.rules.var_diff = None;
                Vec::new()
            }
            "mask" => {
                self.rules.version_mask = u32::from_str_radix(rest, 16).unwrap();
                self.session.change_rules(&self.rules, self.now)
            }
            _ => {
                let effect = self.effects.pop_front().unwrap_or_default();
                assert!(matches(event, &effect), "expected effect {event:?}, had {effect:?}");
                Vec::new()
            }
        };
        self.perform(actions, out);
    }
}

/// Whether a text has a pattern's pieces, in order; `...` stands for anything.
fn matches(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once("...") else { return pattern == text };
    let Some(mut text) = text.strip_prefix(first) else { return false };
    let pieces: Vec<&str> = rest.split("...").collect();
    let (last, middle) = pieces.split_last().unwrap();
    for piece in middle {
        match text.split_once(piece) {
            Some((_, after)) => text = after,
            None => return false,
        }
    }
    text.ends_with(last)
}

fn play(name: &str, script: &str, serialise: bool) {
    let mut stage = Stage::new(serialise);
    let mut expected = false;
    for (number, line) in script.lines().enumerate() {
        let at = format!("{name}:{}: {line}", number + 1);
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let (kind, rest) = line.split_at_checked(2).expect("a line begins with two characters");
        if kind == "< " {
            let had = stage.lines.pop_front().unwrap_or_default();
            assert!(matches(rest, &had), "{at}\nwritten: {had}");
            expected = true;
            continue;
        }
        // Lines of the client may follow each other unanswered: it pipelines.
        if kind == "@ " || expected {
            assert!(stage.lines.is_empty(), "{at}\nnot expected: {:?}", stage.lines);
        }
        expected = false;
        match kind {
            "> " => {
                let sent = rest.replace("\\r\\n", "\r\n");
                let mut out = Vec::new();
                let actions =
                    stage.session.receive(sent.as_bytes(), &stage.rules, stage.now, &mut out);
                stage.perform(actions, out);
            }
            "@ " => stage.event(rest),
            _ => panic!("{at}\nno such kind of line"),
        }
    }
    assert!(stage.lines.is_empty(), "{name}: not expected: {:?}", stage.lines);
    assert!(stage.effects.is_empty(), "{name}: not named: {:?}", stage.effects);
}

#[test]
fn every_transcript_holds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut played = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "txt") {
            let script = std::fs::read_to_string(&path).unwrap();
            let name = path.file_name().unwrap().to_string_lossy();
            // The second time the session goes to another process after every step.
            play(&name, &script, false);
            play(&name, &script, true);
            played += 1;
        }
    }
    assert!(played >= 10, "only {played} transcripts found");
}

#[test]
fn patterns_match_in_order() {
    assert!(matches("a...c", "abc"));
    assert!(matches("a...c...e", "abcde"));
    assert!(!matches("a...c", "abcd"));
    assert!(!matches("abc", "abcd"));
    assert!(matches("...", ""));
}
